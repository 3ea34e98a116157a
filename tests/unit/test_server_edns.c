/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/server_edns: with EDNS or without, under a clock of the test's own. */
#include "core/server_edns.h"

#include "tap.h"

static const struct server_reply good = {.outcome = SERVER_GOOD, .has_opt = true};
static const struct server_reply plain = {.outcome = SERVER_GOOD};
static const struct server_reply refusal = {.outcome = SERVER_MALFORMED, .no_edns = true};
static struct server_edns e;
static uint64_t now_ms;

static void begin(void)
{
	e = (struct server_edns){0};
	now_ms = 5000000;
}

static bool take(void)
{
	return server_edns_take(&e, now_ms);
}

/* One question, answered by a server that drops those with EDNS; false: it was dropped. */
static bool ask_dropper(void)
{
	bool with = take();

	if (with)
		server_edns_note_silence(&e, true, now_ms);
	else
		server_edns_note(&e, false, &plain, now_ms);
	return !with;
}

static void test_a_server_is_asked_with_edns(void)
{
	begin();
	for (unsigned i = 0; i < 5; i++) {
		CHECK(take());
		server_edns_note(&e, true, &good, now_ms);
	}
}

static void test_a_refusal_or_an_answer_without_opt_ends_it_for_an_hour(void)
{
	const struct server_reply *const replies[] = {&refusal, &plain};

	for (unsigned i = 0; i < 2; i++) {
		begin();
		CHECK(take());
		server_edns_note(&e, true, replies[i], now_ms);
		now_ms += SERVER_EDNS_AGAIN_MS - 1;
		CHECK(!take());
		now_ms++;
		/* One question finds out, the others go on as before. */
		CHECK(take());
		CHECK(!take());
		server_edns_note(&e, false, &plain, now_ms);
		CHECK(!take());
		server_edns_note(&e, true, replies[i], now_ms);
		CHECK(!take());
		/* Another server stands there now. */
		now_ms += SERVER_EDNS_AGAIN_MS;
		CHECK(take());
		server_edns_note(&e, true, &good, now_ms);
		CHECK(take());
		CHECK(take());
	}
}

static void test_failures_without_opt_say_nothing_of_it(void)
{
	static const struct server_reply servfail = {.outcome = SERVER_SERVFAIL};

	begin();
	server_edns_note(&e, true, &servfail, now_ms);
	CHECK(take());
}

static void test_silence_to_edns_alone_ends_it_at_the_second_time(void)
{
	begin();
	CHECK(!ask_dropper());
	CHECK(ask_dropper());
	CHECK(!ask_dropper()); /* it may have been lost */
	CHECK(ask_dropper());
	for (unsigned i = 0; i < 100; i++)
		CHECK(ask_dropper());
	now_ms += SERVER_EDNS_AGAIN_MS;
	CHECK(!ask_dropper());
	for (unsigned i = 0; i < 100; i++)
		CHECK(ask_dropper());
}

static void test_an_answer_with_edns_takes_the_doubt_away(void)
{
	begin();
	for (unsigned i = 0; i < 10; i++) {
		CHECK(take());
		server_edns_note_silence(&e, true, now_ms);
		CHECK(!take());
		server_edns_note(&e, false, &plain, now_ms);
		CHECK(take());
		server_edns_note(&e, true, &good, now_ms);
	}
}

static void test_what_was_lost_at_the_same_time_is_one_doubt(void)
{
	enum { LOST = 20, WAIT_MS = 2000 };

	/* One question every 100 ms, all lost until the server is there again. */
	begin();
	uint64_t start_ms = now_ms;
	for (unsigned i = 0; i < LOST; i++) {
		now_ms = start_ms + WAIT_MS + i * 100;
		server_edns_note_silence(&e, true, start_ms + i * 100);
		CHECK(i ? take() : !take());
		server_edns_note(&e, false, &plain, now_ms);
	}
	CHECK(!e.again_ms);
	/* One that was asked after that is another matter. */
	CHECK(!ask_dropper());
	CHECK(ask_dropper());
	CHECK(e.again_ms);
}

static void test_a_server_that_is_silent_to_everything_is_not_judged(void)
{
	begin();
	for (unsigned i = 0; i < 10; i++) {
		CHECK(take());
		server_edns_note_silence(&e, true, now_ms);
		CHECK(!take());
		server_edns_note_silence(&e, false, now_ms);
	}
}

int main(void)
{
	TAP_RUN(test_a_server_is_asked_with_edns);
	TAP_RUN(test_a_refusal_or_an_answer_without_opt_ends_it_for_an_hour);
	TAP_RUN(test_failures_without_opt_say_nothing_of_it);
	TAP_RUN(test_silence_to_edns_alone_ends_it_at_the_second_time);
	TAP_RUN(test_an_answer_with_edns_takes_the_doubt_away);
	TAP_RUN(test_what_was_lost_at_the_same_time_is_one_doubt);
	TAP_RUN(test_a_server_that_is_silent_to_everything_is_not_judged);
	return tap_done();
}
