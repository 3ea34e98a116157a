/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/server_unmatched: when datagrams that answer nothing are told of. */
#include "core/server_unmatched.h"

#include "tap.h"

enum { MANY = SERVER_UNMATCHED_MANY, MINUTE_MS = SERVER_UNMATCHED_MINUTE_MS };

static struct server_unmatched u;
static uint64_t now_ms;

static void begin(void)
{
	u = (struct server_unmatched){0};
	now_ms = 1000; /* just booted */
}

static bool note(uint64_t count)
{
	return server_unmatched_note(&u, count, now_ms);
}

static void test_all_are_counted(void)
{
	begin();
	note(0);
	CHECK_INT(u.count, 0);
	for (unsigned i = 0; i < 50; i++, now_ms += MINUTE_MS / 7)
		note(3);
	note(UINT32_MAX);
	CHECK_INT(u.count, 150 + (uint64_t)UINT32_MAX);
}

static void test_many_within_a_minute_are_told_of(void)
{
	begin();
	CHECK(!note(MANY - 1));
	now_ms += MINUTE_MS - 1001;
	CHECK(note(1));
	CHECK_INT(u.lately, MANY);
	begin();
	CHECK(note(5 * MANY));
	CHECK_INT(u.lately, 5 * MANY);
}

static void test_as_many_over_a_longer_time_are_not(void)
{
	begin();
	for (unsigned i = 0; i < 100; i++, now_ms += MINUTE_MS)
		CHECK(!note(MANY - 1));
	CHECK_INT(u.count, 100 * (MANY - 1));
}

static void test_what_goes_on_is_told_once(void)
{
	begin();
	now_ms += 7 * MINUTE_MS;
	CHECK(note(MANY));
	for (unsigned i = 0; i < 10 * 3600; i++, now_ms += 1000)
		CHECK(!note(MANY / 20));
}

static void test_it_is_told_again_when_it_was_quiet_for_an_hour(void)
{
	begin();
	CHECK(note(MANY));
	now_ms += SERVER_UNMATCHED_QUIET_MS - 1;
	CHECK(!note(MANY));
	now_ms += SERVER_UNMATCHED_QUIET_MS - 1;
	CHECK(!note(MANY));
	now_ms += SERVER_UNMATCHED_QUIET_MS;
	CHECK(!note(MANY - 1)); /* a few are quiet enough */
	CHECK(note(1));
	CHECK(!note(MANY));
}

int main(void)
{
	TAP_RUN(test_all_are_counted);
	TAP_RUN(test_many_within_a_minute_are_told_of);
	TAP_RUN(test_as_many_over_a_longer_time_are_not);
	TAP_RUN(test_what_goes_on_is_told_once);
	TAP_RUN(test_it_is_told_again_when_it_was_quiet_for_an_hour);
	return tap_done();
}
