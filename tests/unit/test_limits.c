/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/limits: who makes room where there are too many addresses, and what is not taken. */
#include "core/limits.h"

#include "names_fixture.h"

static struct config_bounds at_most(uint32_t max)
{
	struct config_bounds b = with_linger(3600);

	b.addresses_max = max;
	return b;
}

static struct name_family *family_at_most(uint32_t max)
{
	return &begin("a.example.com", at_most(max))->families[FAMILY_V4];
}

static void as_many_as_there_may_be_is_no_trouble(void)
{
	struct name_family *f = family_at_most(3);

	ANSWER(f, 30, 1, 2, 3);
	CHECK_STR(told(), "+1 +2 +3");
	CHECK(!f->limited_ms);
	now += 30 * S;
	ANSWER(f, 30, 1, 2, 3);
	CHECK_STR(told(), "");
	CHECK(!f->limited_ms);
}

static void what_was_seen_least_recently_makes_room(void)
{
	struct name_family *f = family_at_most(5);

	ANSWER(f, 30, 1, 2, 3, 4);
	now += 30 * S;
	ANSWER(f, 30, 2, 3, 4);
	now += 30 * S;
	ANSWER(f, 30, 3, 4);
	told();
	now += 30 * S;
	ANSWER(f, 30, 3, 4, 5, 6);
	CHECK_INT(changes.count, 3);
	CHECK_STR(changes.items[2].reason, "limit");
	CHECK_STR(told(), "+5 +6 -1");
	CHECK_INT(f->limited_ms, now);
	CHECK(find(f, 2)->missing_ms);
}

static void what_this_answer_lacks_makes_room_for_what_it_brings(void)
{
	struct name_family *f = family_at_most(4);

	ANSWER(f, 30, 1, 2, 3);
	told();
	now += 30 * S;
	ANSWER(f, 30, 3, 4, 5);
	/* Of two that went at the same time one is enough. */
	CHECK_STR(told(), "+4 +5 -1");
	CHECK(find(f, 2) && find(f, 3));
	CHECK(f->limited_ms);
}

static void what_stands_stays_and_what_is_new_is_not_taken(void)
{
	struct name_family *f = family_at_most(3);

	ANSWER(f, 30, 2, 3);
	told();
	now += 30 * S;
	ANSWER(f, 30, 1, 2, 3, 4, 5);
	CHECK_STR(told(), "+1");
	CHECK_INT(f->count, 3);
	CHECK_INT(f->limited_ms, now);
	/* The same again changes nothing, nor since when that is so. */
	now += 30 * S;
	ANSWER(f, 30, 1, 2, 3, 4, 5);
	CHECK_STR(told(), "");
	CHECK_INT(f->limited_ms, now - 30 * S);
	/* When there is room the next one comes in. */
	now += 30 * S;
	ANSWER(f, 30, 2, 3, 4, 5);
	CHECK_STR(told(), "+4 -1");
}

static void over_is_so_until_an_eighth_is_free(void)
{
	CHECK(!limits_is_over(false, 16, 16, 16));
	CHECK(limits_is_over(false, 17, 16, 16));
	CHECK(limits_is_over(true, 15, 15, 16));
	CHECK(!limits_is_over(true, 14, 14, 16));
	CHECK(!limits_is_over(false, 15, 15, 16));
	CHECK(limits_is_over(true, 4, 4, 4));
	CHECK(!limits_is_over(true, 3, 3, 4));
	CHECK(limits_is_over(true, 2, 2, 2));
	CHECK(!limits_is_over(true, 1, 1, 1));
	CHECK(limits_is_over(true, 2, 1, 1));
	CHECK(!limits_is_over(true, 0, 0, 1));
}

static void room_again_ends_it(void)
{
	struct name_family *f = family_at_most(8);

	ANSWER(f, 30, 1, 2, 3, 4, 5, 6, 7, 8, 9);
	CHECK(f->limited_ms);
	now += 30 * S;
	ANSWER(f, 30, 1, 2, 3, 4, 5, 6, 7);
	CHECK(f->limited_ms); /* the eighth lingers */
	now += 2 * HOUR;
	fail_with(&f->name->families[FAMILY_V6], ANSWER_TIMEOUT);
	names_take_due(&names, now);
	expire();
	now += S;
	ANSWER(f, 30, 1, 2, 3, 4, 5, 6, 7);
	CHECK(!f->limited_ms);
}

static void room_is_made_across_names_by_age_alone(void)
{
	struct name_family *f = family_at_most(100);
	struct name_family *g =
		&names_add(&names, "b.example.com", &defaults, now)->families[FAMILY_V4];
	struct name_family *both[] = {g, f};

	ANSWER(f, 30, 1, 2);
	now += S;
	ANSWER(g, 30, 11, 12);
	now += S;
	ANSWER(f, 30, 2);
	ANSWER(g, 30, 12, 13);
	now += S;
	ANSWER(f, 30, 3);
	told();
	/* 1, 11 and 2 linger, last seen in this order. */
	CHECK_INT(limits_make_room(both, 2, 0, &changes), 0);
	CHECK_INT(limits_make_room(both, 2, 2, &changes), 2);
	CHECK_STR(told(), "-11 -1");
	CHECK_INT(limits_make_room(both, 2, 5, &changes), 1);
	CHECK_STR(told(), "-2");
	CHECK_INT(limits_make_room(both, 2, 5, &changes), 0);
	CHECK(find(f, 3) && find(g, 12) && find(g, 13));
}

static void what_is_taken_back_was_never_there(void)
{
	struct name_family *f = family_at_most(100);

	ANSWER(f, 30, 1, 2);
	size_t from = changes.count;
	now += S;
	ANSWER(f, 30, 2, 3, 4, 5);
	CHECK_INT(limits_take_back(&changes, from, 2), 2);
	CHECK(find(f, 3) && !find(f, 4) && !find(f, 5));
	CHECK_INT(f->count, 3);
	/* Never what came before. */
	CHECK_INT(limits_take_back(&changes, from, 9), 1);
	CHECK_INT(limits_take_back(&changes, from, 9), 0);
	CHECK_STR(told(), "+1 +2");
	CHECK_INT(f->count, 2);
}

static void names_shared_have_room_for_whoever_wants_more(void)
{
	struct config_bounds more = at_most(9);
	struct name *n = begin("a.example.com", at_most(3));

	CHECK_INT(names_add(&names, "a.example.com", &more, now)->bounds.addresses_max, 9);
	more.addresses_max = 2;
	names_add(&names, "a.example.com", &more, now);
	CHECK_INT(n->bounds.addresses_max, 9);
}

int main(void)
{
	TAP_RUN(as_many_as_there_may_be_is_no_trouble);
	TAP_RUN(what_was_seen_least_recently_makes_room);
	TAP_RUN(what_this_answer_lacks_makes_room_for_what_it_brings);
	TAP_RUN(what_stands_stays_and_what_is_new_is_not_taken);
	TAP_RUN(over_is_so_until_an_eighth_is_free);
	TAP_RUN(room_again_ends_it);
	TAP_RUN(room_is_made_across_names_by_age_alone);
	TAP_RUN(what_is_taken_back_was_never_there);
	TAP_RUN(names_shared_have_room_for_whoever_wants_more);
	reset();
	names_done(&names);
	return tap_done();
}
