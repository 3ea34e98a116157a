/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which datagrams may be the answer to a query. */
#include "core/query.h"

#include "base/mem.h"
#include "packet.h"
#include "tap.h"

#define NAME "www.Example.test"

static struct packet p;
static struct query q;

static bool answers(bool exact)
{
	/* A copy of the exact size, so that the sanitizers see each byte read past the end. */
	uint8_t *message = xmemdup(p.bytes, p.len);
	bool r = query_may_be_answered_by(&q, exact, message, p.len);

	free(message);
	return r;
}

static void ask(const char *name, unsigned type)
{
	packet_begin(&p, 0x0100, name, type);
	packet_record(&p, SECTION_ADDITIONAL, "", 41, 0, 0);
	CHECK(query_read(p.bytes, p.len, &q));
	CHECK_INT(q.len, p.len - 11);
}

static void say(const char *name, unsigned type)
{
	packet_begin(&p, FLAGS_RECURSED, name, type);
	packet_a(&p, name, 0x2d000001, 60);
}

static void test_our_id_and_our_question_are_an_answer(void)
{
	ask(NAME, TYPE_A);
	say(NAME, TYPE_A);
	CHECK(answers(false) && answers(true));
	/* Whatever else it says, or lacks. */
	p.len = q.len;
	CHECK(answers(false));
	p.bytes[2] = 0x7f;
	p.bytes[3] = 0xff;
	CHECK(answers(false));
	p.bytes[7] = 200;
	CHECK(answers(false));
}

static void test_another_id_is_none(void)
{
	ask(NAME, TYPE_A);
	for (unsigned bit = 0; bit < 16; bit++) {
		say(NAME, TYPE_A);
		p.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CHECK(!answers(false));
	}
}

static void test_another_question_is_none(void)
{
	static const char *const names[] = {"www.example.tesu", "vww.example.test", "www.example",
		"www.example.test.test", "wwwwexample.test", "test", "", "www-example.test",
		"www.example[test"};

	ask(NAME, TYPE_A);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		say(names[i], TYPE_A);
		CHECK(!answers(false));
	}
	/* Type and class, each byte; 0x61 and 0x41 are no letters there. */
	for (size_t i = 4; i > 0; i--) {
		say(NAME, TYPE_A);
		p.bytes[q.len - i] ^= 0x20;
		CHECK(!answers(false));
	}
	ask(NAME, 0x6161);
	say(NAME, 0x4161);
	CHECK(!answers(false));
	say(NAME, TYPE_AAAA);
	CHECK(!answers(false));
}

static void test_case_counts_only_where_it_is_to(void)
{
	ask(NAME, TYPE_A);
	say("wWW.eXAMPLE.TEST", TYPE_A);
	CHECK(answers(false));
	CHECK(!answers(true));
	/* Letters only: what a bit apart looks like one is none. */
	ask("a@b[c`d{e", TYPE_A);
	say("A@B[C`D{E", TYPE_A);
	CHECK(answers(false));
	static const char *const names[] = {"a`b[c`d{e", "a@b{c`d{e", "a@b[c@d{e", "a@b[c`d[e"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		say(names[i], TYPE_A);
		CHECK(!answers(false));
	}
}

static void test_what_is_cut_is_none(void)
{
	ask(NAME, TYPE_A);
	say(NAME, TYPE_A);
	for (p.len = 0; p.len < q.len; p.len++)
		CHECK(!answers(false));
	CHECK(answers(false));
}

static void test_more_than_one_question_is_none(void)
{
	ask(NAME, TYPE_A);
	packet_begin(&p, FLAGS_RECURSED, NAME, TYPE_A);
	packet_name(&p, NAME);
	packet_u16(&p, TYPE_A);
	packet_u16(&p, 1);
	p.bytes[5] = 2;
	CHECK(!answers(false));
	p.bytes[5] = 1;
	CHECK(answers(false));
	p.bytes[4] = 1;
	CHECK(!answers(false));
}

static void test_an_error_may_come_without_the_question(void)
{
	ask(NAME, TYPE_A);
	for (unsigned rcode = 0; rcode < 16; rcode++) {
		packet_begin(&p, FLAGS_RECURSED | rcode, "", TYPE_A);
		p.bytes[5] = 0;
		p.len = 12;
		CHECK(answers(true) == (rcode != 0));
		p.bytes[1] ^= 1;
		CHECK(!answers(true));
	}
}

static void test_without_a_query_nothing_answers(void)
{
	q = (struct query){0};
	say(NAME, TYPE_A);
	p.bytes[0] = p.bytes[1] = 0;
	CHECK(!answers(false));
	packet_begin(&p, FLAGS_RECURSED | 1, "", TYPE_A);
	memset(p.bytes, 0, 2);
	p.bytes[5] = 0;
	CHECK(!answers(false));
}

static void test_only_a_message_with_one_question_is_a_query(void)
{
	ask(NAME, TYPE_A);
	size_t len = q.len;
	for (size_t i = 0; i < len; i++) {
		uint8_t *message = xmemdup(p.bytes, i);
		CHECK(!query_read(message, i, &q));
		CHECK_INT(q.len, 0);
		free(message);
	}
	CHECK(query_read(p.bytes, len, &q));
	p.bytes[5] = 0;
	CHECK(!query_read(p.bytes, p.len, &q));
	p.bytes[5] = 2;
	CHECK(!query_read(p.bytes, p.len, &q));
	p.bytes[5] = 1;
	p.bytes[12] = 64; /* longer than a label */
	CHECK(!query_read(p.bytes, p.len, &q));
	packet_begin(&p, 0x0100, "", TYPE_A);
	p.len = 12;
	packet_u16(&p, 0xc00c); /* a pointer */
	packet_u32(&p, 0x00010001);
	packet_u32(&p, 0);
	CHECK(!query_read(p.bytes, p.len, &q));
}

static void test_the_longest_name_fits_and_nothing_longer(void)
{
	char name[300];

	memset(name, 'a', sizeof(name));
	for (size_t i = 63; i < sizeof(name); i += 64)
		name[i] = '.';
	name[253] = '\0';
	ask(name, TYPE_AAAA);
	CHECK_INT(q.len, QUERY_MAX);
	say(name, TYPE_AAAA);
	CHECK(answers(true));
	name[253] = 'a';
	name[254] = '\0';
	packet_begin(&p, 0x0100, name, TYPE_A);
	CHECK(!query_read(p.bytes, p.len, &q));
}

int main(void)
{
	TAP_RUN(test_our_id_and_our_question_are_an_answer);
	TAP_RUN(test_another_id_is_none);
	TAP_RUN(test_another_question_is_none);
	TAP_RUN(test_case_counts_only_where_it_is_to);
	TAP_RUN(test_what_is_cut_is_none);
	TAP_RUN(test_more_than_one_question_is_none);
	TAP_RUN(test_an_error_may_come_without_the_question);
	TAP_RUN(test_without_a_query_nothing_answers);
	TAP_RUN(test_only_a_message_with_one_question_is_a_query);
	TAP_RUN(test_the_longest_name_fits_and_nothing_longer);
	return tap_done();
}
