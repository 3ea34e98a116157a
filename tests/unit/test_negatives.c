/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/negatives: when denials prove something. */
#include "core/negatives.h"

#include "tap.h"

enum { S = 1000 };

static void three_that_do_not_repeat_one_another_confirm(void)
{
	struct negatives n = NEGATIVES_NULL;

	CHECK(!negatives_note(&n, 60, 100 * S, 101 * S));
	CHECK_INT(n.count, 1);
	CHECK(n.first_ms == 101 * S);
	CHECK(!negatives_note(&n, 60, 161 * S, 162 * S));
	CHECK_INT(n.count, 2);
	CHECK(!negatives_are_confirmed(&n));
	CHECK(negatives_note(&n, 60, 222 * S, 223 * S));
	CHECK(negatives_are_confirmed(&n));
	CHECK(n.first_ms == 101 * S);
	/* Confirmed once. */
	CHECK(!negatives_note(&n, 60, 300 * S, 301 * S));
	CHECK_INT(n.count, NEGATIVES_NEEDED);
}

static void one_asked_for_before_the_last_ran_out_is_a_repetition(void)
{
	struct negatives n = NEGATIVES_NULL;

	negatives_note(&n, 60, 100 * S, 101 * S);
	for (unsigned t = 101; t < 161; t++)
		CHECK(!negatives_note(&n, 60, t * S, t * S));
	/* It counts when it was asked, not when it came. */
	CHECK(!negatives_note(&n, 60, 161 * S - 1, 200 * S));
	CHECK_INT(n.count, 1);
	/* No repetition makes the wait longer. */
	negatives_note(&n, 60, 161 * S, 161 * S);
	CHECK_INT(n.count, 2);
}

static void each_waits_for_the_ttl_of_the_one_before(void)
{
	struct negatives n = NEGATIVES_NULL;

	negatives_note(&n, 40, 1000 * S, 1000 * S);
	negatives_note(&n, 900, 1040 * S, 1040 * S);
	CHECK_INT(n.count, 2);
	CHECK(!negatives_note(&n, 40, 1940 * S - 1, 1940 * S));
	CHECK(negatives_note(&n, 40, 1940 * S, 1940 * S));
}

static void nothing_is_certain_in_less_than_a_minute(void)
{
	for (uint32_t ttl_s = 0; ttl_s < 40; ttl_s++) {
		struct negatives n = NEGATIVES_NULL;
		unsigned t = 1000;
		while (t < 2000 && !negatives_note(&n, ttl_s, t * S, t * S))
			t++;
		CHECK_INT(t - 1000, 2 * (ttl_s > 30 ? ttl_s : 30));
	}
}

static void a_clock_at_zero_does_no_harm(void)
{
	struct negatives n = NEGATIVES_NULL;

	negatives_note(&n, 60, 0, 0);
	CHECK(n.count == 1 && n.first_ms);
}

static void ttl_is_what_was_said_within_bounds(void)
{
	CHECK_INT(negatives_ttl_s(0, 5), 60);
	CHECK_INT(negatives_ttl_s(1, 5), 5);
	CHECK_INT(negatives_ttl_s(5, 1), 5);
	CHECK_INT(negatives_ttl_s(899, 5), 899);
	CHECK_INT(negatives_ttl_s(901, 5), 900);
	CHECK_INT(negatives_ttl_s(0x7fffffff, 5), 900);
	CHECK_INT(negatives_ttl_s(30, 3600), 3600);
}

int main(void)
{
	TAP_RUN(three_that_do_not_repeat_one_another_confirm);
	TAP_RUN(one_asked_for_before_the_last_ran_out_is_a_repetition);
	TAP_RUN(each_waits_for_the_ttl_of_the_one_before);
	TAP_RUN(nothing_is_certain_in_less_than_a_minute);
	TAP_RUN(a_clock_at_zero_does_no_harm);
	TAP_RUN(ttl_is_what_was_said_within_bounds);
	return tap_done();
}
