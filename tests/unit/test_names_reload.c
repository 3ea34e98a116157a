/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/names: what a reload carries over. */
#include "core/names.h"

#include "names_fixture.h"

#include <stdlib.h>

static struct names next;

/* A new configuration that knows a.example.com with these bounds. */
static struct name *reload(struct config_bounds bounds)
{
	names_done(&next);
	names_init(&next, 43);
	struct name *n = names_add(&next, "a.example.com", &bounds, now);
	names_carry_over(&next, &names, now);
	return n;
}

static void addresses_and_clocks_are_kept(void)
{
	struct name_family *f = &begin("a.example.com", with_linger(900))->families[FAMILY_V4];

	ANSWER(f, 300, 1, 2);
	now += 300 * S;
	ANSWER(f, 300, 1);
	uint64_t missing = now, due = f->ask.due_ms;
	told();
	now += 100 * S;
	struct name_family *to = &reload(with_linger(900))->families[FAMILY_V4];
	CHECK_INT(to->count, 2);
	CHECK(find(to, 1)->first_ms == missing - 300 * S && find(to, 1)->last_ms == missing);
	CHECK(find(to, 2)->missing_ms == missing && find(to, 2)->leaves_ms == missing + 900 * S);
	CHECK(to->ask.due_ms == due);
	CHECK(to->answered && to->asked && to->answered_ms == missing);
	CHECK_STR(to->server, "192.0.2.53");
	CHECK(name_family_is_known(to));
	CHECK(to->name == names_find(&next, "a.example.com"));
	CHECK_STR(told(), "");
}

static void default_linger_remembers_the_ttls(void)
{
	struct name_family *f = &begin("a.example.com", defaults)->families[FAMILY_V4];

	ANSWER(f, 900, 1);
	CHECK_INT(names_linger_ms(&reload(defaults)->families[FAMILY_V4], now), 900 * S);
}

static void linger_counts_anew_from_when_it_went_missing(void)
{
	struct name_family *f = &begin("a.example.com", with_linger(900))->families[FAMILY_V4];

	ANSWER(f, 60, 1, 2);
	now += 60 * S;
	ANSWER(f, 60, 1);
	uint64_t missing = now;
	told();
	now += 30 * S;
	struct name_family *to = &reload(with_linger(100))->families[FAMILY_V4];
	CHECK(find(to, 2)->leaves_ms == missing + 100 * S);
	CHECK(names_next_ms(&next) <= missing + 100 * S);
	now = missing + 100 * S + NAMES_LEAVE_GRACE_MS;
	names_expire(&next, now, &changes);
	CHECK_STR(told(), "-2");
}

static void shorter_linger_that_is_over_leaves_with_the_next_tick(void)
{
	struct name_family *f = &begin("a.example.com", with_linger(900))->families[FAMILY_V4];

	ANSWER(f, 60, 1, 2);
	now += 60 * S;
	ANSWER(f, 60, 1);
	told();
	now += 30 * S;
	reload(with_linger(0));
	CHECK(names_next_ms(&next) <= now);
	names_expire(&next, now, &changes);
	CHECK_STR(told(), "-2");
}

static void nobody_waits_longer_than_the_new_bounds_allow(void)
{
	struct config_bounds b = defaults;
	struct name_family *f = &begin("a.example.com", defaults)->families[FAMILY_V4];

	ANSWER(f, 3600, 1);
	uint64_t answered = now;
	now += 10 * S;
	b.refresh_max_s = 60;
	struct name_family *to = &reload(b)->families[FAMILY_V4];
	CHECK(to->ask.due_ms == answered + 60 * S);

	/* Overdue by the new bounds: now, but not before. */
	f = &begin("a.example.com", defaults)->families[FAMILY_V4];
	ANSWER(f, 3600, 1);
	now += 1000 * S;
	to = &reload(b)->families[FAMILY_V4];
	CHECK(to->ask.due_ms == now);
}

static void nobody_waits_longer_than_before(void)
{
	struct config_bounds b = defaults;
	struct name_family *f = &begin("a.example.com", defaults)->families[FAMILY_V4];

	ANSWER(f, 20, 1);
	uint64_t due = f->ask.due_ms;
	b.refresh_min_s = 600;
	CHECK(reload(b)->families[FAMILY_V4].ask.due_ms == due);
}

static void back_off_goes_on(void)
{
	struct name_family *f = &begin("a.example.com", defaults)->families[FAMILY_V4];

	ANSWER(f, 60, 1);
	for (int i = 0; i < 4; i++)
		fail_with(f, ANSWER_TIMEOUT);
	uint64_t due = f->ask.due_ms, since = f->failing_since_ms;
	struct name *n = reload(defaults);
	struct name_family *to = &n->families[FAMILY_V4];
	CHECK(to->ask.due_ms == due && to->failing_since_ms == since);
	CHECK_INT(to->failures, 4);
	CHECK_INT(names_health(n), NAME_STOPPED);
}

static void question_under_way_is_asked_again(void)
{
	struct name_family *f = &begin("a.example.com", defaults)->families[FAMILY_V4];

	while (names_take_due(&names, now))
		;
	now += S;
	struct name_family *to = &reload(defaults)->families[FAMILY_V4];
	CHECK(!to->in_flight && to->ask.due_ms == now);
	CHECK(names_take_due(&next, now));
	/* The answer to the old question finds nobody any more, and harms nobody. */
	ANSWER(f, 60, 1);
	CHECK_INT(to->count, 0);
	names_expire(&names, now, &changes);
}

static void new_names_are_due_and_old_ones_forgotten(void)
{
	begin("gone.example.com", defaults);
	ANSWER(&names_find(&names, "gone.example.com")->families[FAMILY_V4], 60, 1);
	now += S;
	struct name *n = reload(defaults);
	CHECK(!names_find(&next, "gone.example.com"));
	CHECK(n->families[FAMILY_V4].ask.due_ms == now);
	CHECK_INT(n->families[FAMILY_V4].count, 0);
	CHECK_INT(next.asks.count, 2);
	CHECK_INT(next.by_text.count, 1);
	/* What was not taken over is still whole. */
	CHECK_INT(names_find(&names, "gone.example.com")->families[FAMILY_V4].count, 1);
}

static void hundred_reloads_change_nothing(void)
{
	struct name_family *f = &begin("a.example.com", with_linger(900))->families[FAMILY_V4];

	ANSWER(f, 300, 1, 2, 3);
	now += 300 * S;
	ANSWER(f, 300, 1, 3);
	uint64_t due = f->ask.due_ms, leaves = find(f, 2)->leaves_ms;
	told();
	for (int i = 0; i < 100; i++) {
		f = &reload(with_linger(900))->families[FAMILY_V4];
		names_done(&names);
		names = next;
		next = (struct names){0};
		names_expire(&names, now, &changes);
		now += S;
	}
	CHECK_STR(told(), "");
	CHECK_INT(f->count, 3);
	CHECK(f->ask.due_ms == due && find(f, 2)->leaves_ms == leaves);
	CHECK_INT(names.asks.count, 2);
	CHECK_INT(names.leaves.count, 1);
}

int main(void)
{
	TAP_RUN(addresses_and_clocks_are_kept);
	TAP_RUN(default_linger_remembers_the_ttls);
	TAP_RUN(linger_counts_anew_from_when_it_went_missing);
	TAP_RUN(shorter_linger_that_is_over_leaves_with_the_next_tick);
	TAP_RUN(nobody_waits_longer_than_the_new_bounds_allow);
	TAP_RUN(nobody_waits_longer_than_before);
	TAP_RUN(back_off_goes_on);
	TAP_RUN(question_under_way_is_asked_again);
	TAP_RUN(new_names_are_due_and_old_ones_forgotten);
	TAP_RUN(hundred_reloads_change_nothing);
	reset();
	names_done(&names);
	names_done(&next);
	return tap_done();
}
