/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What answers a question is told of as it came, byte for byte, whatever is wrong with it and
 * whatever c-ares makes of it; the way over TCP is found all the same. */
#include "resolver_fixture.h"

static struct packet sent;
static void (*break_it)(struct packet *p);
static bool over_tcp;

static void as_it_is(struct packet *p)
{
}

static void cut(struct packet *p)
{
	p->len -= 3;
}

static void of_a_wrong_length(struct packet *p)
{
	packet_record(p, SECTION_ANSWER, "ok.example.test", TYPE_A, 60, 5);
	packet_u32(p, 0x2d000002);
	packet_u8(p, 0);
}

static void from_nowhere(struct packet *p)
{
	static const uint8_t beyond[] = {0xff, 0xff};

	packet_a_raw(p, beyond, sizeof(beyond), 0x2d000002, 60);
}

static void counted_wrong(struct packet *p)
{
	p->bytes[SECTION_AUTHORITY] = 200;
}

static void with_more_behind(struct packet *p)
{
	packet_bytes(p, "and more", 8);
}

static void of_a_type_of_its_own(struct packet *p)
{
	packet_record(p, SECTION_ANSWER, "ok.example.test", 65280, 60, 3);
	packet_bytes(p, "\xff\0\x41", 3);
}

static void in_other_letters_behind_the_question(struct packet *p)
{
	packet_a(p, "OK.eXaMpLe.TeSt", 0x2d000002, 60);
}

static void a_bare_error(struct packet *p)
{
	p->len = 12;
	memset(p->bytes + 4, 0, 8);
	p->bytes[3] |= RCODE_REFUSED;
}

static void (*const kinds[])(struct packet *) = {as_it_is, cut, of_a_wrong_length, from_nowhere,
	counted_wrong, with_more_behind, of_a_type_of_its_own, in_other_letters_behind_the_question,
	a_bare_error};

/* The last word of the server's; what sends the client to TCP has no flaw. */
static void change(struct packet *p, bool tcp)
{
	if (tcp != over_tcp)
		return;
	break_it(p);
	sent = *p;
}

static void is_as_it_was_sent(size_t i)
{
	CHECK_INT(f.replies[i].status, RESOLVER_ANSWERED);
	CHECK_INT(f.replies[i].said, 1);
	CHECK_INT(f.replies[i].len, sent.len);
	CHECK(memcmp(f.replies[i].message, sent.bytes, sent.len) == 0);
}

static void ask_each_kind(bool tcp)
{
	over_tcp = tcp;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		printf("# %zu\n", i);
		break_it = kinds[i];
		begin(1, NEVER_MS);
		serve("127.0.0.1", tcp ? "many" : "ok")->change = change;
		start();
		ask("ok.example.test", 0);
		run(1);
		is_as_it_was_sent(0);
		CHECK_INT(resolver_stats(f.resolver)->queries, 1);
		CHECK_INT(resolver_stats(f.resolver)->tcp, tcp);
	}
}

static void test_answers_are_told_of_as_they_came(void)
{
	ask_each_kind(false);
}

static void test_answers_over_tcp_are_told_of_as_they_came(void)
{
	ask_each_kind(true);
}

/* Some servers fill the room that there is, up to the last byte. */
static void cut_where_it_was_full(struct packet *p, bool tcp)
{
	if (tcp)
		return;
	responder_address(p, "many.example.test", TYPE_A, 1);
	responder_address(p, "many.example.test", TYPE_A, 2);
	p->len -= 3;
}

static void test_truncated_anywhere_is_asked_for_over_tcp(void)
{
	begin(1, NEVER_MS);
	serve("127.0.0.1", NULL)->change = cut_where_it_was_full;
	start();
	ask("many.example.test", 0);
	run(1);
	CHECK_INT(parse(0, "many.example.test")->count, RESPONDER_MANY);
	CHECK_INT(resolver_stats(f.resolver)->tcp, 1);
	CHECK_INT(resolver_stats(f.resolver)->queries, 1);
}

/* --- more than one datagram --- */

static bool is_held(void)
{
	return f.servers[0]->held_count > 0;
}

/* A question is open, at a server that waits. */
static const struct responder_held *ask_and_hold(void)
{
	f.servers[0]->held_count = 0;
	ask("ok.example.test", 0);
	f.is_done = is_held;
	run(0);
	f.is_done = NULL;
	return &f.servers[0]->held[0];
}

static const struct responder_held *open_question(void)
{
	begin(1, NEVER_MS);
	serve("127.0.0.1", "hold")->edns = EDNS_SPOKEN;
	start();
	return ask_and_hold();
}

static void throw_in(struct packet *p)
{
	const struct responder_held *q = &f.servers[0]->held[0];

	p->bytes[0] = (uint8_t)(q->id >> 8);
	p->bytes[1] = (uint8_t)q->id;
	CHECK_INT(
		sendto(f.servers[0]->udp, p->bytes, p->len, 0, (const void *)&q->from, q->from_len),
		p->len);
}

static void release_and_wait(void)
{
	responder_release(f.servers[0]);
	run(f.count + 1);
}

static void test_the_first_answer_counts_whatever_is_behind_it(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct responder_held *q = open_question();

		printf("# %zu\n", i);
		packet_begin(&sent, FLAGS_RECURSED, q->name, q->type);
		packet_a(&sent, q->name, 0x2d000007, 60);
		kinds[i](&sent);
		throw_in(&sent);
		release_and_wait();
		is_as_it_was_sent(0);
	}
}

static void test_truncated_twice_is_asked_for_over_tcp_once(void)
{
	const struct responder_held *q = open_question();

	packet_begin(&sent, FLAGS_RECURSED | FLAGS_TC, q->name, q->type);
	throw_in(&sent);
	throw_in(&sent);
	f.servers[0]->mode = "many";
	run(1);
	CHECK_INT(parse(0, "ok.example.test")->count, RESPONDER_MANY);
	CHECK_INT(f.servers[0]->note_count, 2);
}

/* c-ares has to say so; not of what it could not read, as the answer before. */
static void test_an_answer_with_a_wrong_cookie_is_none(void)
{
	const struct responder_held *q = open_question();

	if (!q->cookie)
		TAP_SKIP("this c-ares sends no cookies");
	packet_begin(&sent, FLAGS_RECURSED, q->name, q->type);
	packet_record(&sent, SECTION_ADDITIONAL, "", 41, 0, 0);
	counted_wrong(&sent);
	throw_in(&sent);
	run(1);
	is_as_it_was_sent(0);
	q = ask_and_hold();
	CHECK(q->cookie);
	packet_begin(&sent, FLAGS_RECURSED, q->name, q->type);
	packet_a(&sent, q->name, 0x2d000007, 60);
	packet_record(&sent, SECTION_ADDITIONAL, "", 41, 0, 4 + 16);
	packet_u16(&sent, 10);
	packet_u16(&sent, 16);
	packet_bytes(&sent, "not of your make", 16);
	throw_in(&sent);
	release_and_wait();
	CHECK_INT(parse(1, "ok.example.test")->count, 1);
	CHECK_INT(parse(1, "ok.example.test")->addresses[0].addr.bytes[3], 1);
}

int main(void)
{
	TAP_RUN(test_answers_are_told_of_as_they_came);
	TAP_RUN(test_answers_over_tcp_are_told_of_as_they_came);
	TAP_RUN(test_truncated_anywhere_is_asked_for_over_tcp);
	TAP_RUN(test_the_first_answer_counts_whatever_is_behind_it);
	TAP_RUN(test_truncated_twice_is_asked_for_over_tcp_once);
	TAP_RUN(test_an_answer_with_a_wrong_cookie_is_none);
	end();
	return tap_done();
}
