/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/denylist: thirty days, by a clock of the test's own. */
#include "core/denylist.h"

#include "core/planning.h"
#include "core/saved_text.h"

#include "tap.h"

#include <stdlib.h>
#include <string.h>

static const uint64_t S = 1000, HOUR = 3600000, DAY = 86400000, MONTH = UINT64_C(30) * 86400000;

static struct denylist list;
static uint64_t now;

static void begin(void)
{
	denylist_done(&list);
	now = 5 * HOUR;
}

static struct element_key key(unsigned number)
{
	const struct addr a = {.family = FAMILY_V4, .bytes = {45, 1, 0, (uint8_t)number}};

	return element_key_addr(&a);
}

static bool note(unsigned number, const char *name)
{
	const struct element_key k = key(number);

	return denylist_note(&list, &k, name, now, now);
}

static bool hear(unsigned number, uint64_t left_ms)
{
	const struct element_key k = key(number);

	return denylist_hear(&list, &k, left_ms, now);
}

static const struct denied *find(unsigned number)
{
	const struct element_key k = key(number);

	return denylist_find(&list, &k);
}

static uint64_t left(unsigned number)
{
	const struct element_key k = key(number);

	return denylist_left_ms(&list, &k, now);
}

static bool recorded(unsigned number, bool expires)
{
	const struct element_key k = key(number);

	return denylist_is_recorded(&list, &k, expires);
}

/* As after a commit of what it is to have. */
static void record(unsigned number)
{
	const struct element_key k = key(number);

	denylist_record(&list, &k, denylist_left_ms(&list, &k, now), now);
}

/* The last byte of the one that is over now; 0: none is. */
static unsigned over(void)
{
	const struct denied *d = denylist_over(&list, now);

	return d ? d->key.bytes[3] : 0;
}

static void address_is_denied_for_30_days_after_it_was_last_given(void)
{
	begin();
	CHECK(note(1, "a.example"));
	CHECK(denylist_next_ms(&list) == now + MONTH);
	now += 3 * DAY;
	CHECK(!note(1, "b.example"));
	uint64_t last = now;
	CHECK_STR(find(1)->name, "b.example");
	CHECK(find(1)->first_ms == 5 * HOUR && find(1)->last_ms == last);
	now = last + MONTH - 1;
	CHECK_INT(over(), 0);
	now++;
	CHECK_INT(over(), 1);
	denylist_remove(&list, find(1));
	CHECK(!find(1) && denylist_count(&list) == 0 && denylist_next_ms(&list) == UINT64_MAX);
	CHECK(note(1, "a.example"));
	CHECK(find(1)->first_ms == now);
}

static void older_word_changes_nothing(void)
{
	begin();
	note(1, "a.example");
	const struct element_key k = key(1);
	CHECK(!denylist_note(&list, &k, "old.example", 0, now - HOUR));
	CHECK_STR(find(1)->name, "a.example");
	CHECK(denylist_next_ms(&list) == now + MONTH);
}

static void first_one_is_the_least_recently_given(void)
{
	begin();
	for (unsigned i = 1; i <= 5; i++, now += HOUR)
		note(i, "a.example");
	note(1, "a.example");
	CHECK_INT(denylist_first(&list)->key.bytes[3], 2);
	CHECK_INT(denylist_count(&list), 5);
}

static void kernel_keeps_it_for_an_hour_longer_than_the_list(void)
{
	begin();
	note(1, "a.example");
	CHECK(left(1) == MONTH + HOUR && left(2) == 0);
	now += 10 * DAY;
	CHECK(left(1) == MONTH + HOUR - 10 * DAY);
	/* While it is there to be deleted, the kernel has it. */
	now = 5 * HOUR + MONTH;
	CHECK_INT(over(), 1);
	CHECK(left(1) == HOUR);
}

static void record_is_renewed_once_it_is_half_an_hour_old(void)
{
	begin();
	note(1, "a.example");
	CHECK(!recorded(1, true));
	record(1);
	CHECK(recorded(1, true) && !recorded(1, false));
	now += HOUR / 2;
	note(1, "a.example");
	CHECK(recorded(1, true));
	now++;
	note(1, "a.example");
	CHECK(!recorded(1, true));
	record(1);
	CHECK(recorded(1, true));
	/* By itself it does not age. */
	now += 20 * DAY;
	CHECK(recorded(1, true));
	/* Somebody gave it more, or less. */
	hear(1, left(1) + HOUR);
	CHECK(!recorded(1, true));
	record(1);
	hear(1, left(1) - HOUR);
	CHECK(!recorded(1, true));
	/* What is not in the list is to have no timeout. */
	CHECK(recorded(2, false) && !recorded(2, true));
}

/* The clock of another boot begins anew. */
static void restart(unsigned number, uint64_t passed_ms)
{
	uint64_t left_ms = find(number)->recorded_ms - now;

	begin();
	now = 20 * S;
	hear(number, left_ms - passed_ms);
}

static void next_run_goes_on_and_is_never_too_short(void)
{
	begin();
	note(1, "a.example");
	record(1);
	now += HOUR / 2;
	note(1, "a.example"); /* not on record when it ends, ten days later */
	uint64_t over_ms = now + MONTH;
	now += 10 * DAY;
	uint64_t still = over_ms - now;
	restart(1, 0);
	CHECK_INT(denylist_count(&list), 1);
	CHECK(!find(1)->name && !find(1)->first_ms);
	CHECK(denylist_next_ms(&list) >= now + still);
	CHECK(denylist_next_ms(&list) <= now + still + HOUR);
	/* What it is to have in the kernel is what it has: restarts add nothing. */
	CHECK(recorded(1, true));
	uint64_t last = denylist_next_ms(&list) - now;
	for (int i = 0; i < 1000; i++)
		restart(1, 0);
	CHECK(denylist_next_ms(&list) - now == last);
	CHECK(left(1) == last + 60 * S);
	restart(1, 5 * DAY);
	CHECK(denylist_next_ms(&list) - now == last - 5 * DAY);
	/* DNS gives it again. */
	note(1, "a.example");
	CHECK(denylist_next_ms(&list) == now + MONTH && !recorded(1, true));
	CHECK_STR(find(1)->name, "a.example");
}

static void what_the_kernel_has_is_bounded(void)
{
	begin();
	CHECK(hear(1, 1000 * DAY));
	CHECK(left(1) == MONTH + HOUR);
	CHECK(denylist_next_ms(&list) == now + MONTH + HOUR - 60 * S);
	CHECK(hear(2, 5 * S));
	CHECK_INT(over(), 2);
	CHECK(left(2) == 5 * S);
	now += 5 * S;
	CHECK(left(2) == S);
}

static void what_is_known_is_not_changed_by_the_kernel(void)
{
	begin();
	note(1, "a.example");
	CHECK(!hear(1, 3 * DAY));
	CHECK(denylist_next_ms(&list) == now + MONTH && left(1) == MONTH + HOUR);
	CHECK(!recorded(1, true));
}

static void what_is_wanted_elsewhere_stays_a_day_at_a_time(void)
{
	begin();
	note(1, "a.example");
	now += MONTH;
	CHECK_INT(over(), 1);
	denylist_stay(&list, find(1), now);
	CHECK_INT(over(), 0);
	CHECK(denylist_next_ms(&list) == now + DAY && left(1) == DAY + HOUR);
	CHECK(find(1)->last_ms == 5 * HOUR);
	note(1, "a.example");
	CHECK(denylist_next_ms(&list) == now + MONTH);
}

/* --- what follows for a set --- */

static const struct set_kind kind = {.layout = SET_LAYOUT_ADDR,
	.family = FAMILY_V4,
	.has_timeout = true,
	.fuse_ms = DENYLIST_FUSE_S * UINT64_C(1000)};
static char table[] = "allowsync", set[] = "v_a.t.deny4";
static const struct set_id id = {1, table, set};
static struct wanted wanted;
static struct live live;
static struct owner owner;

static void want(unsigned number)
{
	const struct element_key k = key(number);

	wanted_hold(&wanted, &k, &owner, "deny", 0);
}

static void stand(unsigned number, bool expires)
{
	live_put(&live,
		&(struct live_element){.key = key(number), .ours = true, .expires = expires});
}

static struct planning planning(void)
{
	return (struct planning){.id = &id,
		.kind = &kind,
		.wanted = &wanted,
		.live = &live,
		.delete_unowned = true,
		.denied = &list,
		.now_ms = now};
}

static void each_element_has_the_life_that_its_address_has(void)
{
	struct plan p = PLAN_NULL;

	begin();
	note(1, "a.example");
	now += 10 * DAY;
	note(2, "a.example");
	for (unsigned i = 1; i <= 4; i++)
		want(i);
	stand(2, true);
	record(2);
	stand(4, true);
	struct planning in = planning();
	plan_whole(&p, &in);
	CHECK_INT(p.count, 1);
	const struct plan_set *s = &p.sets[0];
	CHECK_INT(s->add_count, 2);
	for (size_t i = 0; i < s->add_count; i++) {
		bool one = s->adds[i].bytes[3] == 1;
		CHECK(plan_add_life_ms(s, i) == (one ? MONTH + HOUR - 10 * DAY : 0));
	}
	/* The static one that expires is to be permanent. */
	CHECK_INT(s->renewal_count, 1);
	CHECK_INT(s->renewals[0].bytes[3], 4);
	CHECK(plan_renewal_life_ms(s, 0) == 0);
	live_apply(&live, s);
	const struct element_key k1 = key(1), k3 = key(3), k4 = key(4);
	CHECK(live_find(&live, &k1)->expires);
	CHECK(!live_find(&live, &k3)->expires && !live_find(&live, &k4)->expires);
	plan_done(&p);
	record(1);
	plan_whole(&p, &in);
	CHECK(plan_is_empty(&p));
	plan_done(&p);
}

static void only_what_is_off_is_renewed(void)
{
	struct plan p = PLAN_NULL;

	/* Goes on where the case before ended. */
	now += HOUR;
	note(2, "a.example");
	struct planning in = planning();
	plan_renew_all(&p, &in);
	CHECK_INT(plan_work_count(&p), 1);
	CHECK_INT(p.sets[0].renewals[0].bytes[3], 2);
	CHECK(plan_renewal_life_ms(&p.sets[0], 0) == MONTH + HOUR);
	plan_done(&p);
}

static void pieces_and_what_is_left_out_keep_their_lives(void)
{
	struct plan p = PLAN_NULL, piece;
	struct plan_cut cut = PLAN_CUT_NULL;
	struct set_kind small = kind;
	size_t seen = 0;

	begin();
	wanted_done(&wanted);
	live_done(&live);
	for (unsigned i = 1; i <= 9; i++, now += DAY) {
		note(i, "a.example");
		want(i);
	}
	small.most = 7;
	struct planning in = planning();
	in.kind = &small;
	plan_whole(&p, &in);
	CHECK_INT(p.sets[0].add_count, 7);
	while (plan_next_piece(&p, 2, &cut, &piece)) {
		for (size_t i = 0; i < piece.sets[0].add_count; i++, seen++) {
			const struct element_key *k = &piece.sets[0].adds[i];
			CHECK(plan_add_life_ms(&piece.sets[0], i) ==
				denylist_left_ms(&list, k, now));
		}
		plan_piece_done(&piece);
	}
	CHECK_INT(seen, 7);
	plan_done(&p);
}

static void text_says_what_is_left(void)
{
	struct element_key keys[3] = {key(1), key(2), key(3)};

	begin();
	note(1, "a.example");
	now += 10 * DAY;
	note(2, "a.example");
	char *text = saved_text(&kind, keys, 3, &list, now);
	CHECK_STR(text, "elements = {\n"
			"\t45.1.0.1 timeout 2595600s expires 1731600s comment \"allowsyncd\",\n"
			"\t45.1.0.2 timeout 2595600s comment \"allowsyncd\",\n"
			"\t45.1.0.3 comment \"allowsyncd\"\n"
			"}\n");
	free(text);
}

static void done(void)
{
	denylist_done(&list);
	wanted_done(&wanted);
	live_done(&live);
}

int main(void)
{
	TAP_RUN(address_is_denied_for_30_days_after_it_was_last_given);
	TAP_RUN(older_word_changes_nothing);
	TAP_RUN(first_one_is_the_least_recently_given);
	TAP_RUN(kernel_keeps_it_for_an_hour_longer_than_the_list);
	TAP_RUN(record_is_renewed_once_it_is_half_an_hour_old);
	TAP_RUN(next_run_goes_on_and_is_never_too_short);
	TAP_RUN(what_the_kernel_has_is_bounded);
	TAP_RUN(what_is_known_is_not_changed_by_the_kernel);
	TAP_RUN(what_is_wanted_elsewhere_stays_a_day_at_a_time);
	TAP_RUN(each_element_has_the_life_that_its_address_has);
	TAP_RUN(only_what_is_off_is_renewed);
	TAP_RUN(pieces_and_what_is_left_out_keep_their_lives);
	TAP_RUN(text_says_what_is_left);
	done();
	return tap_done();
}
