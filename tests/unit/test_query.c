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

/* Messages behind one another; the last one is cut by so many bytes. Where the answer begins, 0:
 * there is none. */
static size_t find(const struct packet *messages, size_t count, size_t cut, size_t *ret_len)
{
	size_t len = 0;

	for (size_t i = 0; i < count; i++)
		len += 2 + messages[i].len;
	uint8_t *stream = xcalloc(1, len), *at = stream;
	for (size_t i = 0; i < count; i++) {
		*at++ = (uint8_t)(messages[i].len >> 8);
		*at++ = (uint8_t)messages[i].len;
		memcpy(at, messages[i].bytes, messages[i].len);
		at += messages[i].len;
	}
	/* The sanitizers see what is read behind the cut. */
	uint8_t *exact = xmemdup(stream, len - cut);
	free(stream);
	const uint8_t *found = query_find_answer(&q, exact, len - cut, ret_len);
	size_t where = found ? (size_t)(found - exact) : 0;
	free(exact);
	return where;
}

static void test_in_a_stream_the_first_whole_answer_is_found(void)
{
	static struct packet messages[3];
	size_t len = 0;

	ask(NAME, TYPE_A);
	CHECK(!query_find_answer(&q, NULL, 0, &len));
	say("www.example.tesu", TYPE_A);
	messages[0] = p;
	say("WWW.example.TEST", TYPE_A);
	packet_a(&p, NAME, 0x2d000002, 60);
	messages[1] = p;
	say(NAME, TYPE_A);
	messages[2] = p;
	CHECK(!find(messages, 1, 0, &len));
	for (size_t cut = 1; cut <= messages[1].len + 2; cut++)
		CHECK(!find(messages, 2, cut, &len));
	for (size_t cut = 0; cut <= messages[2].len + 2; cut++) {
		CHECK_INT(find(messages, 3, cut, &len), 2 + messages[0].len + 2);
		CHECK_INT(len, messages[1].len);
	}
	/* Of no byte, and the longest. */
	messages[0].len = 0;
	CHECK(find(messages, 2, 0, &len));
	messages[1].len = 65535;
	CHECK(find(messages, 2, 0, &len));
	CHECK_INT(len, 65535);
	CHECK(!find(messages, 2, 1, &len));
}

static void test_stripped_it_is_header_and_question_and_an_answer_still(void)
{
	ask(NAME, TYPE_A);
	say(NAME, TYPE_A);
	packet_soa(&p, "test", 60, 60);
	packet_record(&p, SECTION_ADDITIONAL, "", 41, 0, 0);
	CHECK(query_is_repeated_in(p.bytes));
	uint8_t *before = xmemdup(p.bytes, p.len);
	p.len = query_strip_answer(&q, p.bytes);
	CHECK_INT(p.len, q.len);
	CHECK(answers(true));
	for (size_t i = 0; i < p.len; i++)
		CHECK_INT(p.bytes[i], i >= 6 && i < 12 ? 0 : before[i]);
	free(before);
	/* Many questions are none of ours, and no bare error either. */
	p.bytes[5] = 0;
	CHECK(!query_is_repeated_in(p.bytes));
	p.bytes[4] = 1;
	CHECK(query_is_repeated_in(p.bytes));
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
	TAP_RUN(test_in_a_stream_the_first_whole_answer_is_found);
	TAP_RUN(test_stripped_it_is_header_and_question_and_an_answer_still);
	return tap_done();
}
