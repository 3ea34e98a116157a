/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/names: what a name that is denied keeps, and until when. */
#include "core/names.h"

#include "names_fixture.h"

static const enum answer_outcome denials[] = {ANSWER_NXDOMAIN, ANSWER_NODATA};

/* Denials that are evidence, a minute apart; the clock stands at the last of them. */
static void deny_times(struct name_family *f, enum answer_outcome outcome, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		now += MINUTE;
		deny(f, outcome, 60);
	}
}

static struct name_family *begin_with_two(int64_t linger_s)
{
	struct name_family *f = &begin("a.example.com", with_linger(linger_s))->families[FAMILY_V4];

	ANSWER(f, 60, 1, 2);
	told();
	return f;
}

static void two_denials_remove_nothing_and_the_third_does(void)
{
	for (size_t i = 0; i < 2; i++) {
		struct name_family *f = begin_with_two(0);
		deny_times(f, denials[i], 2);
		expire();
		CHECK_STR(told(), "");
		CHECK(!find(f, 1)->missing_ms);
		deny_times(f, denials[i], 1);
		CHECK_INT(changes.count, 2);
		CHECK_STR(changes.items[0].reason, "denied");
		CHECK_STR(told(), "-1 -2");
		CHECK_INT(f->count, 0);
		CHECK(!heap_has(&f->leave));
	}
}

static void nxdomain_and_nodata_both_count(void)
{
	struct name_family *f = begin_with_two(0);

	deny_times(f, ANSWER_NXDOMAIN, 1);
	deny_times(f, ANSWER_NODATA, 1);
	deny_times(f, ANSWER_NXDOMAIN, 1);
	CHECK_STR(told(), "-1 -2");
}

static void linger_counts_from_the_first_denial(void)
{
	struct name_family *f = begin_with_two(600);

	deny_times(f, ANSWER_NXDOMAIN, 1);
	uint64_t first = now;
	deny_times(f, ANSWER_NXDOMAIN, 2);
	expire();
	CHECK_STR(told(), "");
	CHECK(find(f, 1)->missing_ms == first && find(f, 1)->leaves_ms == first + 600 * S);
	now = first + 600 * S - 1;
	expire();
	CHECK_STR(told(), "");
	now = first + 600 * S + NAMES_LEAVE_GRACE_MS;
	expire();
	CHECK_STR(changes.items[0].reason, "denied");
	CHECK_STR(told(), "-1 -2");
}

static void linger_that_is_over_when_it_is_confirmed_ends_then(void)
{
	struct name_family *f = begin_with_two(60);

	deny_times(f, ANSWER_NXDOMAIN, 3);
	CHECK(names_next_ms(&names) <= now);
	expire();
	CHECK_STR(told(), "-1 -2");
}

static void what_was_missing_before_keeps_its_own_clock(void)
{
	struct name_family *f = begin_with_two(600);

	now += MINUTE;
	ANSWER(f, 60, 2);
	uint64_t missing = now;
	deny_times(f, ANSWER_NXDOMAIN, 3);
	CHECK(find(f, 1)->missing_ms == missing && find(f, 1)->leaves_ms == missing + 600 * S);
	now = missing + 600 * S + NAMES_LEAVE_GRACE_MS;
	expire();
	CHECK_STR(changes.items[0].reason, "linger");
	CHECK_STR(told(), "-1");
}

static void a_good_answer_begins_it_anew(void)
{
	struct name_family *f = begin_with_two(0);

	for (int round = 0; round < 10; round++) {
		deny_times(f, ANSWER_NXDOMAIN, 2);
		now += MINUTE;
		ANSWER(f, 60, 1, 2);
	}
	CHECK_STR(told(), "");
	CHECK_INT(f->negatives.count, 0);
}

static void failures_neither_count_nor_begin_it_anew(void)
{
	static const enum answer_outcome outcomes[] = {
		ANSWER_SERVFAIL, ANSWER_REFUSED, ANSWER_TIMEOUT, ANSWER_MALFORMED, ANSWER_SCREENED};

	for (size_t i = 0; i < sizeof(outcomes) / sizeof(*outcomes); i++) {
		struct name_family *f = begin_with_two(0);
		for (unsigned round = 1; round < 3; round++) {
			deny_times(f, ANSWER_NXDOMAIN, 1);
			for (int n = 0; n < 5; n++) {
				now += MINUTE;
				fail_with(f, outcomes[i]);
			}
			CHECK_INT(f->negatives.count, round);
			CHECK_STR(told(), "");
		}
		deny_times(f, ANSWER_NXDOMAIN, 1);
		CHECK_STR(told(), "-1 -2");
	}
}

static void a_cache_that_repeats_itself_is_one_denial(void)
{
	struct name_family *f = begin_with_two(0);

	deny(f, ANSWER_NXDOMAIN, 900);
	uint64_t first = now;
	for (uint32_t age = 10; age < 900; age += 10) {
		now = first + age * S;
		deny(f, ANSWER_NXDOMAIN, 900 - age);
	}
	CHECK_INT(f->negatives.count, 1);
	now = first + 900 * S;
	deny(f, ANSWER_NXDOMAIN, 900);
	CHECK_INT(f->negatives.count, 2);
	CHECK_STR(told(), "");
}

/* By the clock alone: each question falls due when the next denial counts. */
static void asked_by_the_clock_it_takes_two_ttls(void)
{
	static const struct {
		uint32_t ttl_s, least_s;
	} cases[] = {{0, 120}, {1, 60}, {30, 60}, {60, 120}, {900, 1800}, {86400, 1800}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct name_family *f = begin_with_two(0);
		heap_remove(&names.asks, &f->name->families[FAMILY_V6].ask);
		struct answer a = {
			.outcome = ANSWER_NXDOMAIN, .ttl_s = cases[i].ttl_s, .of_all = true};
		uint64_t first = 0;
		for (int n = 0; f->count && n < 100; n++) {
			now = names_next_ms(&names);
			CHECK(names_take_due(&names, now) == f);
			now += 50;
			first = first ? first : now;
			names_apply(&names, f, &a, "192.0.2.53", now, &changes);
		}
		uint64_t took = now - first, least = cases[i].least_s * UINT64_C(1000);
		/* An interval late at most, where asking is quicker than counting; and jitter. */
		CHECK(took >= least && took <= least + 7 * S);
	}
}

static void refresh_max_makes_no_denial_come_early(void)
{
	struct config_bounds b = with_linger(0);

	b.refresh_max_s = 60;
	struct name_family *f = &begin("a.example.com", b)->families[FAMILY_V4];
	deny(f, ANSWER_NXDOMAIN, 600);
	CHECK(f->ask.due_ms >= now + 600 * S);
}

static void denials_by_some_servers_or_partly_are_none(void)
{
	struct name_family *f = begin_with_two(0);

	for (int i = 0; i < 10; i++) {
		now += MINUTE;
		f->sent_ms = now;
		negative(f, ANSWER_NXDOMAIN, 60);
		struct answer a = {.outcome = ANSWER_NODATA, .of_all = true, .partial = true};
		names_apply(&names, f, &a, "192.0.2.53", now, &changes);
		/* An empty success is none either. */
		deny(f, ANSWER_OK, 60);
	}
	CHECK_INT(f->negatives.count, 0);
	CHECK_STR(told(), "");
}

static void every_server_is_asked_while_something_hangs_on_it(void)
{
	struct name *n = begin("a.example.com", with_linger(0));
	struct name_family *a = &n->families[FAMILY_V4], *aaaa = &n->families[FAMILY_V6];

	CHECK(!names_asks_every(a));
	ANSWER(a, 60, 1);
	CHECK(!names_asks_every(a));
	fail_with(a, ANSWER_TIMEOUT);
	CHECK(!names_asks_every(a));
	negative(a, ANSWER_NXDOMAIN, 60);
	CHECK(names_asks_every(a));
	deny_times(a, ANSWER_NXDOMAIN, 3);
	CHECK(!names_asks_every(a));
	/* Of a family that is not known yet its emptiness is at stake. */
	deny_times(aaaa, ANSWER_NODATA, 2);
	CHECK(names_asks_every(aaaa));
	deny_times(aaaa, ANSWER_NODATA, 1);
	CHECK(!names_asks_every(aaaa));
	/* What lingers after that is decided. */
	a = begin_with_two(900);
	deny_times(a, ANSWER_NXDOMAIN, 2);
	CHECK(names_asks_every(a));
	deny_times(a, ANSWER_NXDOMAIN, 1);
	CHECK(a->count == 2 && !names_asks_every(a));
}

static void denied_aaaa_does_not_touch_a(void)
{
	struct name *n = begin("a.example.com", with_linger(0));
	struct name_family *a = &n->families[FAMILY_V4], *aaaa = &n->families[FAMILY_V6];

	ANSWER(a, 60, 1);
	ANSWER(aaaa, 60, 2);
	told();
	uint64_t due = a->ask.due_ms;
	deny_times(aaaa, ANSWER_NODATA, 2);
	CHECK_STR(told(), "");
	deny_times(aaaa, ANSWER_NODATA, 1);
	CHECK_STR(told(), "-2");
	CHECK_INT(a->count, 1);
	CHECK(a->ask.due_ms == due);
	CHECK_INT(names_health(n), NAME_OK);
	CHECK(!names_is_gone(n));
}

static void a_name_is_gone_when_all_that_it_held_is_denied_for_certain(void)
{
	struct name *n = begin("a.example.com", with_linger(900));
	struct name_family *a = &n->families[FAMILY_V4], *aaaa = &n->families[FAMILY_V6];

	deny_times(a, ANSWER_NXDOMAIN, 3);
	deny_times(aaaa, ANSWER_NXDOMAIN, 3);
	CHECK_INT(names_health(n), NAME_NEVER);
	CHECK(!names_is_gone(n));
	ANSWER(a, 60, 1);
	ANSWER(aaaa, 60, 1);
	deny_times(a, ANSWER_NXDOMAIN, 3);
	CHECK_INT(names_health(n), NAME_STOPPED);
	CHECK(!names_is_gone(n));
	deny_times(aaaa, ANSWER_NXDOMAIN, 3);
	CHECK_INT(names_health(n), NAME_STOPPED);
	CHECK(names_is_gone(n));
	fail_with(a, ANSWER_TIMEOUT);
	CHECK(names_is_gone(n));
	ANSWER(a, 60, 1);
	CHECK(!names_is_gone(n));
	CHECK_INT(names_health(n), NAME_OK);
}

static void what_is_gone_is_not_stale(void)
{
	struct config_bounds b = with_linger(86400);

	b.stale_max_s = 3600;
	struct name_family *f = &begin("a.example.com", b)->families[FAMILY_V4];
	ANSWER(f, 60, 1);
	now += HOUR;
	deny_times(f, ANSWER_NXDOMAIN, 2);
	CHECK(names_is_stale(f, now));
	deny_times(f, ANSWER_NXDOMAIN, 1);
	CHECK_INT(f->count, 1);
	CHECK(!names_is_stale(f, now));
}

static void an_address_that_comes_back_is_given_like_any_other(void)
{
	struct name_family *f = begin_with_two(900);

	deny_times(f, ANSWER_NXDOMAIN, 3);
	now += MINUTE;
	ANSWER(f, 60, 1);
	CHECK(!find(f, 1)->missing_ms && !find(f, 1)->denied);
	CHECK(find(f, 2)->missing_ms && find(f, 2)->denied);
	CHECK_STR(told(), "");
	now += MINUTE;
	ANSWER(f, 60, 2);
	now += 900 * S + NAMES_LEAVE_GRACE_MS;
	expire();
	CHECK_STR(changes.items[0].reason, "linger");
	CHECK_STR(told(), "-1");
}

static void the_evidence_outlives_a_reload(void)
{
	struct name_family *f = begin_with_two(0);
	struct names old;
	struct config_bounds b = with_linger(0);

	deny_times(f, ANSWER_NXDOMAIN, 2);
	old = names;
	names_init(&names, 43);
	f = &names_add(&names, "a.example.com", &b, now)->families[FAMILY_V4];
	names_carry_over(&names, &old, now);
	names_done(&old);
	deny_times(f, ANSWER_NXDOMAIN, 1);
	CHECK_STR(told(), "-1 -2");
}

int main(void)
{
	TAP_RUN(two_denials_remove_nothing_and_the_third_does);
	TAP_RUN(nxdomain_and_nodata_both_count);
	TAP_RUN(linger_counts_from_the_first_denial);
	TAP_RUN(linger_that_is_over_when_it_is_confirmed_ends_then);
	TAP_RUN(what_was_missing_before_keeps_its_own_clock);
	TAP_RUN(a_good_answer_begins_it_anew);
	TAP_RUN(failures_neither_count_nor_begin_it_anew);
	TAP_RUN(a_cache_that_repeats_itself_is_one_denial);
	TAP_RUN(asked_by_the_clock_it_takes_two_ttls);
	TAP_RUN(refresh_max_makes_no_denial_come_early);
	TAP_RUN(denials_by_some_servers_or_partly_are_none);
	TAP_RUN(every_server_is_asked_while_something_hangs_on_it);
	TAP_RUN(denied_aaaa_does_not_touch_a);
	TAP_RUN(a_name_is_gone_when_all_that_it_held_is_denied_for_certain);
	TAP_RUN(what_is_gone_is_not_stale);
	TAP_RUN(an_address_that_comes_back_is_given_like_any_other);
	TAP_RUN(the_evidence_outlives_a_reload);
	reset();
	names_done(&names);
	return tap_done();
}
