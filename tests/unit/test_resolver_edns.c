/* SPDX-License-Identifier: GPL-2.0-or-later */
/* EDNS, and servers that cannot. */
#include "resolver_fixture.h"

enum { LONG_MS = 200 }; /* that must be waited for, and is long enough for any answer */

static const char *const kinds[] = {
	[EDNS_PASSED_OVER] = "passed over",
	[EDNS_FORMERR] = "FORMERR",
	[EDNS_FORMERR_BARE] = "FORMERR, bare",
	[EDNS_NOTIMP] = "NOTIMP",
	[EDNS_BADVERS] = "BADVERS",
};

static void begin_edns(unsigned tries, uint32_t timeout_ms, enum responder_edns edns)
{
	begin(tries, timeout_ms);
	serve("127.0.0.1", NULL)->edns = edns;
	start();
}

static const struct responder_note *note(size_t i)
{
	CHECK(i < f.servers[0]->note_count);
	return &f.servers[0]->notes[i];
}

static void ask_and_wait(const char *name)
{
	ask(name, 0);
	run(f.count + 1);
	CHECK_INT(f.replies[f.count - 1].status, RESOLVER_ANSWERED);
	CHECK(f.replies[f.count - 1].good[0]);
}

static void test_questions_say_how_much_they_take_and_take_it(void)
{
	begin_edns(1, NEVER_MS, EDNS_SPOKEN);
	for (size_t i = 0; i < 3; i++) {
		ask_and_wait("thirty.example.test");
		CHECK_INT(note(i)->edns, 1232);
		CHECK_INT(parse(i, "thirty.example.test")->count, RESPONDER_THIRTY);
		CHECK(f.replies[i].len > 512);
	}
	CHECK_INT(f.servers[0]->note_count, 3);
	CHECK_INT(resolver_stats(f.resolver)->tcp, 0);
	struct resolver_server s;
	resolver_server(f.resolver, 0, &s);
	CHECK(!s.plain);
}

static void test_truncated_answers_still_come_over_tcp(void)
{
	begin_edns(1, NEVER_MS, EDNS_SPOKEN);
	ask_and_wait("many.example.test");
	CHECK_INT(parse(0, "many.example.test")->count, RESPONDER_MANY);
	CHECK(note(1)->tcp);
	CHECK_INT(resolver_stats(f.resolver)->tcp, 1);
}

static void test_servers_that_say_no_are_asked_without_at_once_and_from_then_on(void)
{
	static const enum responder_edns edns[] = {
		EDNS_PASSED_OVER, EDNS_FORMERR, EDNS_FORMERR_BARE, EDNS_NOTIMP, EDNS_BADVERS};

	for (size_t i = 0; i < ARRAY_LEN(edns); i++) {
		printf("# %s\n", kinds[edns[i]]);
		begin_edns(1, NEVER_MS, edns[i]);
		ask_and_wait("ok.example.test");
		size_t first = f.servers[0]->note_count;
		CHECK_INT(first, edns[i] == EDNS_PASSED_OVER ? 1 : 2);
		CHECK_INT(note(0)->edns, 1232);
		for (size_t j = 0; j < 5; j++)
			ask_and_wait("ok.example.test");
		CHECK_INT(f.servers[0]->note_count, first + 5);
		for (size_t j = 1; j < f.servers[0]->note_count; j++)
			CHECK_INT(note(j)->edns, 0);
		/* It is no failure of the server's. */
		struct resolver_server s;
		resolver_server(f.resolver, 0, &s);
		CHECK_INT(s.state, SERVER_OK);
		CHECK(s.plain);
		CHECK_INT(resolver_stats(f.resolver)->failed, 0);
	}
}

static bool was_asked_without(size_t from)
{
	for (size_t i = from; i < f.servers[0]->note_count; i++)
		if (note(i)->edns)
			return false;
	return true;
}

static void test_servers_that_keep_silent_are_asked_without_in_the_end(void)
{
	size_t from;

	begin_edns(10, LONG_MS, EDNS_DROPPED);
	do {
		from = f.servers[0]->note_count;
		ask_and_wait("ok.example.test");
	} while (!was_asked_without(from));
	from = f.servers[0]->note_count;
	for (size_t j = 0; j < 20; j++)
		ask_and_wait("ok.example.test");
	CHECK(was_asked_without(from));
}

static void test_one_round_is_enough_to_find_out(void)
{
	begin_edns(1, LONG_MS, EDNS_DROPPED);
	for (size_t from = 0;; from = f.servers[0]->note_count) {
		CHECK(f.count < 1000);
		ask("ok.example.test", 0);
		run(f.count + 1);
		if (f.servers[0]->note_count > 6 && was_asked_without(from))
			break;
	}
	ask_and_wait("ok.example.test");
}

static void test_what_one_server_cannot_is_not_held_against_another(void)
{
	begin(1, NEVER_MS);
	serve("127.0.0.1", "servfail")->edns = EDNS_FORMERR;
	serve("127.0.0.1", NULL)->edns = EDNS_SPOKEN;
	start();
	for (size_t i = 0; i < 3; i++)
		ask_and_wait("thirty.example.test");
	for (size_t i = 0; i < 3; i++)
		CHECK_INT(f.servers[1]->notes[i].edns, 1232);
	/* The library's own way around EDNS is none for the next server. */
	CHECK_INT(resolver_stats(f.resolver)->tcp, 0);
}

static bool was_asked_again(void)
{
	return f.servers[0]->note_count == 3;
}

static void test_what_was_refused_with_edns_is_not_asked_with_it_again(void)
{
	begin(1, NEVER_MS);
	f.config.max_rate = 20; /* two at once, and then it waits */
	serve("127.0.0.1", NULL)->edns = EDNS_SPOKEN;
	start();
	ask("badvers.example.test", 0);
	ask("ok.example.test", 1);
	/* Meanwhile it turns out that the server knows EDNS. */
	f.is_done = was_asked_again;
	run(0);
	CHECK_INT(strncasecmp(note(2)->name, "badvers", 7), 0);
	CHECK_INT(note(2)->edns, 0);
	f.is_done = NULL;
	run(2);
	CHECK(f.replies[1].good[0]);
}

static void test_no_slot_is_left_without_edns(void)
{
	begin_edns(1, LONG_MS, EDNS_FORMERR_ONCE);
	ask("ok.example.test", 0);
	ask("ok.example.test", 1);
	run(2);
	CHECK_INT(f.replies[1].status, RESOLVER_TIMEOUT);
	f.servers[0]->edns = EDNS_SPOKEN;
	ask_and_wait("ok.example.test");
	/* Both slots, where the library has gone on without. */
	ask("thirty.example.test", 0);
	ask("thirty.example.test", 1);
	run(5);
	CHECK_INT(f.replies[4].said, 1);
	CHECK_INT(resolver_stats(f.resolver)->tcp, 0);
}

static void test_another_resolver_knows_how_to_ask(void)
{
	begin_edns(1, NEVER_MS, EDNS_NOTIMP);
	ask_and_wait("ok.example.test");
	struct resolver *before = f.resolver;
	start();
	resolver_carry(f.resolver, before);
	resolver_free(before);
	ask_and_wait("ok.example.test");
	CHECK_INT(f.servers[0]->note_count, 3);
	CHECK_INT(note(2)->edns, 0);
}

int main(void)
{
	TAP_RUN(test_questions_say_how_much_they_take_and_take_it);
	TAP_RUN(test_truncated_answers_still_come_over_tcp);
	TAP_RUN(test_servers_that_say_no_are_asked_without_at_once_and_from_then_on);
	TAP_RUN(test_servers_that_keep_silent_are_asked_without_in_the_end);
	TAP_RUN(test_one_round_is_enough_to_find_out);
	TAP_RUN(test_what_one_server_cannot_is_not_held_against_another);
	TAP_RUN(test_what_was_refused_with_edns_is_not_asked_with_it_again);
	TAP_RUN(test_no_slot_is_left_without_edns);
	TAP_RUN(test_another_resolver_knows_how_to_ask);
	end();
	return tap_done();
}
