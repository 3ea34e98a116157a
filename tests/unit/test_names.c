/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/names: when names are asked, and what failures mean. */
#include "core/names.h"

#include "core/backoff.h"
#include "names_fixture.h"

static void new_name_is_due_at_once_for_both_families(void)
{
	struct name *n = begin("a.example.com", defaults);
	struct name_family *first, *second;

	CHECK(names_next_ms(&names) == now);
	first = names_take_due(&names, now);
	second = names_take_due(&names, now);
	CHECK(first && second && first != second);
	CHECK(first->name == n && second->name == n);
	CHECK(first->in_flight && second->in_flight);
	CHECK(!names_take_due(&names, now));
	CHECK(names_next_ms(&names) == UINT64_MAX);
	CHECK(names_find(&names, "a.example.com") == n);
	CHECK(!names_find(&names, "b.example.com"));
}

static void no_names_are_never_due(void)
{
	size_t at = 0;

	reset();
	CHECK(names_next_ms(&names) == UINT64_MAX);
	CHECK(!names_take_due(&names, UINT64_MAX));
	CHECK(!names_next(&names, &at));
	expire();
	CHECK_STR(told(), "");
}

static void asked_again_when_the_ttl_is_over_never_early_and_little_late(void)
{
	static const struct {
		uint32_t ttl_s, least_s;
	} cases[] = {{0, 5}, {1, 5}, {5, 5}, {6, 6}, {60, 60}, {300, 300}, {3600, 3600},
		{86400, 3600}, {0x7fffffff, 3600}};
	uint64_t latest = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct name_family *f = &begin("a.example.com", defaults)->families[FAMILY_V4];
		uint64_t least = cases[i].least_s * UINT64_C(1000);
		uint64_t most = least / 20 < 500 ? least / 20 : 500;
		for (int round = 0; round < 200; round++) {
			ANSWER(f, cases[i].ttl_s, 1);
			CHECK(f->ask.due_ms >= now + least);
			CHECK(f->ask.due_ms <= now + least + most);
			if (f->ask.due_ms - now - least > latest)
				latest = f->ask.due_ms - now - least;
		}
	}
	CHECK(latest > 400); /* the jitter is there */
}

static void refresh_bounds_are_the_configured_ones(void)
{
	struct config_bounds b = {.refresh_min_s = 20, .refresh_max_s = 40, .linger_s = -1};
	struct name_family *f = &begin("a.example.com", b)->families[FAMILY_V4];

	ANSWER(f, 1, 1);
	CHECK(f->ask.due_ms >= now + 20 * S && f->ask.due_ms <= now + 20500);
	ANSWER(f, 100, 1);
	CHECK(f->ask.due_ms >= now + 40 * S && f->ask.due_ms <= now + 40500);
}

static void name_wanted_twice_has_the_stricter_refresh_and_the_longer_linger(void)
{
	struct config_bounds a = {.refresh_min_s = 10,
		.refresh_max_s = 600,
		.linger_s = 100,
		.revoke_within_s = 3600};
	struct config_bounds b = {.refresh_min_s = 5, .refresh_max_s = 900, .linger_s = 200};
	struct name *n = begin("a.example.com", a);

	CHECK(names_add(&names, "a.example.com", &b, now) == n);
	CHECK_INT(n->bounds.refresh_min_s, 5);
	CHECK_INT(n->bounds.refresh_max_s, 600);
	CHECK_INT(n->bounds.linger_s, 200);
	CHECK_INT(n->bounds.revoke_within_s, 3600);
	b.revoke_within_s = 1800;
	names_add(&names, "a.example.com", &b, now);
	CHECK_INT(n->bounds.revoke_within_s, 1800);
	CHECK_INT(names.by_text.count, 1);
	CHECK_INT(names.asks.count, 2);
}

static void failures_and_denials_by_some_remove_nothing(void)
{
	static const enum answer_outcome outcomes[] = {ANSWER_SERVFAIL, ANSWER_REFUSED,
		ANSWER_TIMEOUT, ANSWER_MALFORMED, ANSWER_SCREENED, ANSWER_NODATA, ANSWER_NXDOMAIN,
		ANSWER_OK};

	for (size_t i = 0; i < sizeof(outcomes) / sizeof(*outcomes); i++) {
		struct name_family *f =
			&begin("a.example.com", with_linger(0))->families[FAMILY_V4];
		ANSWER(f, 60, 1, 2);
		told();
		for (int round = 0; round < 1000; round++) {
			now = f->ask.due_ms;
			fail_with(f, outcomes[i]); /* OK: without any address */
			expire();
		}
		CHECK_STR(told(), "");
		CHECK(find(f, 1) && find(f, 2));
		CHECK(find(f, 1)->missing_ms == 0);
	}
}

static bool is_pause(const struct name_family *f, enum answer_outcome outcome, unsigned nth)
{
	uint64_t pause = f->ask.due_ms - now;

	return pause >= backoff_least_ms(outcome, nth) && pause <= backoff_most_ms(outcome, nth);
}

static void failures_are_asked_again_with_doubled_back_off(void)
{
	static const enum answer_outcome outcomes[] = {
		ANSWER_SERVFAIL, ANSWER_REFUSED, ANSWER_TIMEOUT, ANSWER_MALFORMED, ANSWER_SCREENED};

	for (size_t i = 0; i < sizeof(outcomes) / sizeof(*outcomes); i++) {
		struct name_family *f = &begin("a.example.com", defaults)->families[FAMILY_V4];
		for (unsigned round = 1; round < 100; round++) {
			fail_with(f, outcomes[i]);
			CHECK_INT(f->failures, round);
			CHECK(is_pause(f, outcomes[i], round));
			now = f->ask.due_ms;
		}
		ANSWER(f, 60, 1);
		CHECK_INT(f->failures, 0);
		fail_with(f, outcomes[i]);
		CHECK(is_pause(f, outcomes[i], 1));
	}
}

static void each_outcome_has_a_back_off_of_its_own(void)
{
	struct name_family *f = &begin("a.example.com", defaults)->families[FAMILY_V4];

	for (unsigned round = 1; round < 10; round++)
		fail_with(f, ANSWER_TIMEOUT);
	CHECK(is_pause(f, ANSWER_TIMEOUT, 9));
	fail_with(f, ANSWER_SERVFAIL);
	CHECK(is_pause(f, ANSWER_SERVFAIL, 1));
	fail_with(f, ANSWER_SERVFAIL);
	CHECK(is_pause(f, ANSWER_SERVFAIL, 2));
	/* By turns they are no reason to ask faster than each alone would be. */
	fail_with(f, ANSWER_TIMEOUT);
	CHECK(is_pause(f, ANSWER_TIMEOUT, 10));
	fail_with(f, ANSWER_SERVFAIL);
	CHECK(is_pause(f, ANSWER_SERVFAIL, 3));
	CHECK_INT(f->failures, 13);
	negative(f, ANSWER_NXDOMAIN, 60);
	CHECK_INT(f->failures, 0);
	fail_with(f, ANSWER_SERVFAIL);
	CHECK(is_pause(f, ANSWER_SERVFAIL, 1));
}

static void negatives_are_asked_again_after_their_own_ttl(void)
{
	static const struct {
		uint32_t ttl_s, least_s;
	} cases[] = {{0, 60}, {1, 5}, {30, 30}, {900, 900}, {90000, 900}};

	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
		struct name_family *f = &begin("a.example.com", defaults)->families[FAMILY_V4];
		uint64_t least = cases[i / 2].least_s * UINT64_C(1000);
		negative(f, i % 2 ? ANSWER_NODATA : ANSWER_NXDOMAIN, cases[i / 2].ttl_s);
		CHECK(f->ask.due_ms >= now + least && f->ask.due_ms <= now + least + 500);
	}
}

static void families_live_apart(void)
{
	struct name *n = begin("a.example.com", with_linger(0));
	struct name_family *a = &n->families[FAMILY_V4], *aaaa = &n->families[FAMILY_V6];

	ANSWER(a, 60, 1);
	ANSWER(aaaa, 600, 1, 2);
	CHECK_STR(told(), "+1 +1 +2");
	uint64_t due = aaaa->ask.due_ms;
	now += 60 * S;
	ANSWER(a, 60, 3);
	CHECK_STR(told(), "+3 -1");
	CHECK_INT(aaaa->count, 2);
	CHECK(aaaa->ask.due_ms == due);
}

static void health_without_answers_is_pending_then_never(void)
{
	struct name *n = begin("a.example.com", defaults);

	CHECK_INT(names_health(n), NAME_PENDING);
	fail_with(&n->families[FAMILY_V4], ANSWER_NXDOMAIN);
	CHECK_INT(names_health(n), NAME_PENDING);
	fail_with(&n->families[FAMILY_V6], ANSWER_NXDOMAIN);
	CHECK_INT(names_health(n), NAME_NEVER);
	CHECK_INT(names_failing_since_ms(n), 0);
	negative(&n->families[FAMILY_V4], ANSWER_NODATA, 60);
	negative(&n->families[FAMILY_V6], ANSWER_NODATA, 60);
	CHECK_INT(names_health(n), NAME_NEVER);
	ANSWER(&n->families[FAMILY_V4], 60, 1);
	CHECK_INT(names_health(n), NAME_OK);
}

static void trouble_with_aaaa_is_none_of_the_names(void)
{
	static const enum answer_outcome outcomes[] = {ANSWER_SERVFAIL, ANSWER_REFUSED,
		ANSWER_TIMEOUT, ANSWER_MALFORMED, ANSWER_NXDOMAIN, ANSWER_NODATA};

	for (size_t i = 0; i < sizeof(outcomes) / sizeof(*outcomes); i++) {
		for (int before = 0; before < 2; before++) {
			struct name *n = begin("a.example.com", defaults);
			struct name_family *a = &n->families[FAMILY_V4];
			struct name_family *aaaa = &n->families[FAMILY_V6];
			if (before)
				ANSWER(aaaa, 60, 1);
			ANSWER(a, 60, 1);
			uint64_t due = a->ask.due_ms;
			fail_with(aaaa, outcomes[i]);
			CHECK_INT(names_health(n), NAME_OK);
			CHECK(a->ask.due_ms == due && !a->failing_since_ms && !a->failures);
			CHECK(!aaaa->failing_since_ms == (outcomes[i] == ANSWER_NODATA));
		}
	}
}

static void name_that_stops_resolving_has_stopped_since_then(void)
{
	struct name *n = begin("a.example.com", defaults);
	struct name_family *f = &n->families[FAMILY_V4];

	negative(&n->families[FAMILY_V6], ANSWER_NODATA, 60);
	ANSWER(f, 60, 1);
	now += MINUTE;
	uint64_t since = now;
	fail_with(f, ANSWER_TIMEOUT);
	CHECK_INT(names_health(n), NAME_STOPPED);
	now += MINUTE;
	fail_with(f, ANSWER_NXDOMAIN);
	negative(&n->families[FAMILY_V6], ANSWER_NODATA, 60);
	now += MINUTE;
	negative(f, ANSWER_NODATA, 60);
	CHECK_INT(names_health(n), NAME_STOPPED);
	CHECK(names_failing_since_ms(n) == since);
	ANSWER(f, 60, 1);
	CHECK_INT(names_health(n), NAME_OK);
	CHECK_INT(names_failing_since_ms(n), 0);
}

static void nodata_beside_a_good_family_is_no_failure(void)
{
	struct name *n = begin("a.example.com", defaults);
	struct name_family *a = &n->families[FAMILY_V4], *aaaa = &n->families[FAMILY_V6];

	/* Before anything else came. */
	negative(a, ANSWER_NODATA, 60);
	CHECK(!a->failing_since_ms);
	/* A name that gives IPv6 only. */
	ANSWER(aaaa, 60, 1);
	negative(a, ANSWER_NODATA, 60);
	CHECK_INT(names_health(n), NAME_OK);
	CHECK(!a->failing_since_ms);
	/* Then its AAAA is what counts. */
	fail_with(aaaa, ANSWER_SERVFAIL);
	CHECK_INT(names_health(n), NAME_STOPPED);
	CHECK(names_failing_since_ms(n) == now);
	ANSWER(aaaa, 60, 1);
	CHECK_INT(names_health(n), NAME_OK);
}

static void a_that_was_always_refused_is_no_failure_beside_a_good_aaaa(void)
{
	struct name *n = begin("a.example.com", defaults);
	struct name_family *a = &n->families[FAMILY_V4], *aaaa = &n->families[FAMILY_V6];

	fail_with(a, ANSWER_SCREENED);
	CHECK_INT(names_health(n), NAME_PENDING);
	ANSWER(aaaa, 60, 1);
	CHECK_INT(names_health(n), NAME_OK);
	/* One that was used before is missed. */
	ANSWER(a, 60, 1);
	fail_with(a, ANSWER_SCREENED);
	CHECK_INT(names_health(n), NAME_STOPPED);
	CHECK(names_failing_since_ms(n) == now);
}

static void both_families_emptied_is_a_failure_till_one_is_back(void)
{
	struct name *n = begin("a.example.com", defaults);
	struct name_family *a = &n->families[FAMILY_V4], *aaaa = &n->families[FAMILY_V6];

	ANSWER(a, 60, 1);
	ANSWER(aaaa, 60, 1);
	negative(a, ANSWER_NODATA, 60);
	CHECK_INT(names_health(n), NAME_OK);
	CHECK(!a->failing_since_ms);
	now += S;
	negative(aaaa, ANSWER_NODATA, 60);
	CHECK_INT(names_health(n), NAME_STOPPED);
	CHECK(names_failing_since_ms(n) == now);
	negative(a, ANSWER_NODATA, 60);
	CHECK(a->failing_since_ms == now);
	ANSWER(aaaa, 60, 1);
	CHECK(!a->failing_since_ms && !aaaa->failing_since_ms);
	CHECK_INT(names_health(n), NAME_OK);
}

static void a_that_fails_is_trouble_even_beside_a_good_aaaa(void)
{
	struct name *n = begin("a.example.com", defaults);

	ANSWER(&n->families[FAMILY_V4], 60, 1);
	ANSWER(&n->families[FAMILY_V6], 60, 1);
	fail_with(&n->families[FAMILY_V4], ANSWER_TIMEOUT);
	CHECK_INT(names_health(n), NAME_STOPPED);
}

static void health_has_names(void)
{
	CHECK_STR(name_health_name(NAME_OK), "ok");
	CHECK_STR(name_health_name(NAME_NEVER), "never");
	CHECK_STR(name_health_name(NAME_STOPPED), "stopped");
	CHECK_STR(name_health_name(NAME_PENDING), "pending");
}

static void known_is_what_dns_has_spoken_about(void)
{
	struct name *n = begin("a.example.com", defaults);
	struct name_family *a = &n->families[FAMILY_V4], *aaaa = &n->families[FAMILY_V6];

	CHECK(!name_family_is_known(a) && !name_family_is_known(aaaa));
	fail_with(a, ANSWER_TIMEOUT);
	CHECK(!name_family_is_known(a));
	ANSWER(a, 60, 1);
	CHECK(name_family_is_known(a));
	fail_with(a, ANSWER_TIMEOUT);
	CHECK(name_family_is_known(a));
	/* One NODATA beside a good A may be a lie. */
	for (int i = 0; i < 3; i++) {
		CHECK(!name_family_is_known(aaaa));
		deny(aaaa, ANSWER_NODATA, 60);
		now += MINUTE;
	}
	CHECK(name_family_is_known(aaaa));
	fail_with(aaaa, ANSWER_SERVFAIL);
	CHECK(name_family_is_known(aaaa));
}

static void what_is_left_of_an_answer_is_not_all(void)
{
	struct name *n = begin("a.example.com", defaults);
	struct name_family *f = &n->families[FAMILY_V4];
	struct answer_address address = {v4(1), 60};
	struct answer a = {.outcome = ANSWER_OK,
		.addresses = &address,
		.count = 1,
		.ttl_s = 60,
		.partial = true};

	names_apply(&names, f, &a, "192.0.2.53", now, &changes);
	CHECK(f->answered && !name_family_is_known(f));
	CHECK_INT(names_health(n), NAME_OK);
	ANSWER(f, 60, 1);
	names_apply(&names, f, &a, "192.0.2.53", now, &changes);
	CHECK(name_family_is_known(f));
}

static void asking_now_comes_before_the_clock_but_not_twice(void)
{
	struct name_family *f = &begin("a.example.com", defaults)->families[FAMILY_V4];

	while (names_take_due(&names, now))
		;
	ANSWER(f, 300, 1);
	CHECK(!names_take_due(&names, now));
	names_ask_now(&names, f, now);
	CHECK(names_next_ms(&names) == now);
	CHECK(names_take_due(&names, now) == f);
	CHECK(!names_take_due(&names, now));
}

static void asking_now_while_under_way_asks_once_more(void)
{
	struct name_family *f = &begin("a.example.com", defaults)->families[FAMILY_V4];

	while (names_take_due(&names, now))
		;
	names_ask_now(&names, f, now);
	names_ask_now(&names, f, now);
	CHECK(!names_take_due(&names, now));
	ANSWER(f, 300, 1);
	CHECK(names_take_due(&names, now) == f);
	ANSWER(f, 300, 1);
	CHECK(!names_take_due(&names, now));
}

static void late_and_double_answers_do_no_harm(void)
{
	struct name_family *f = &begin("a.example.com", with_linger(60))->families[FAMILY_V4];

	CHECK(names.asks.count == 2);
	ANSWER(f, 60, 1); /* never taken */
	CHECK(!f->in_flight && heap_has(&f->ask));
	names_ask_now(&names, f, 0);
	CHECK(names_take_due(&names, now) == f);
	ANSWER(f, 60, 1);
	ANSWER(f, 60, 1, 2);
	fail_with(f, ANSWER_TIMEOUT);
	CHECK_STR(told(), "+1 +2");
	CHECK_INT(names.asks.count, 2);
	CHECK(!f->in_flight);
}

static void chain_and_server_of_the_answer_are_kept(void)
{
	char b[] = "b.example.net", c[] = "c.example.net";
	struct answer_address address = {v4(1), 60};
	struct answer a = {.outcome = ANSWER_OK,
		.addresses = &address,
		.count = 1,
		.ttl_s = 60,
		.chain = {b, c},
		.chain_len = 2};
	struct name_family *f = &begin("a.example.com", defaults)->families[FAMILY_V4];

	CHECK(!f->chain && !f->server);
	fail_with(f, ANSWER_TIMEOUT);
	CHECK(!f->server);
	names_apply(&names, f, &a, "192.0.2.53", now, &changes);
	CHECK_STR(f->chain, "b.example.net -> c.example.net");
	CHECK_STR(f->server, "192.0.2.53");
	fail_with(f, ANSWER_TIMEOUT);
	CHECK_STR(f->chain, "b.example.net -> c.example.net");
	CHECK_STR(f->server, "192.0.2.53");
	a.chain_len = 1;
	names_apply(&names, f, &a, "192.0.2.54", now, &changes);
	CHECK_STR(f->chain, "b.example.net");
	CHECK_STR(f->server, "192.0.2.54");
	ANSWER(f, 60, 1);
	CHECK(!f->chain);
}

static void a_name_is_stale_when_its_last_good_answer_is_too_old(void)
{
	struct config_bounds b = defaults;

	b.stale_max_s = 3600;
	struct name_family *f = &begin("a.example.com", b)->families[FAMILY_V4];
	fail_with(f, ANSWER_TIMEOUT);
	now += 2 * HOUR;
	CHECK(!names_is_stale(f, now)); /* it never had an address */
	ANSWER(f, 60, 1);
	now += 2 * HOUR;
	CHECK(!names_is_stale(f, now)); /* nobody said otherwise */
	ANSWER(f, 60, 1);
	fail_with(f, ANSWER_SERVFAIL);
	now += HOUR - 1;
	CHECK(!names_is_stale(f, now));
	now += 1;
	CHECK(names_is_stale(f, now));
	ANSWER(f, 60, 1);
	CHECK(!names_is_stale(f, now));
	/* Of two the shorter; none said is never. */
	struct config_bounds shorter = b, never = b;
	shorter.stale_max_s = 60;
	never.stale_max_s = 0;
	CHECK_INT(names_add(&names, "a.example.com", &shorter, now)->bounds.stale_max_s, 60);
	CHECK_INT(names_add(&names, "a.example.com", &never, now)->bounds.stale_max_s, 60);
	f = &begin("a.example.com", never)->families[FAMILY_V4];
	ANSWER(f, 60, 1);
	fail_with(f, ANSWER_SERVFAIL);
	now += 1000 * (uint64_t)HOUR;
	CHECK(!names_is_stale(f, now));
}

int main(void)
{
	TAP_RUN(new_name_is_due_at_once_for_both_families);
	TAP_RUN(no_names_are_never_due);
	TAP_RUN(asked_again_when_the_ttl_is_over_never_early_and_little_late);
	TAP_RUN(refresh_bounds_are_the_configured_ones);
	TAP_RUN(name_wanted_twice_has_the_stricter_refresh_and_the_longer_linger);
	TAP_RUN(a_name_is_stale_when_its_last_good_answer_is_too_old);
	TAP_RUN(failures_and_denials_by_some_remove_nothing);
	TAP_RUN(failures_are_asked_again_with_doubled_back_off);
	TAP_RUN(each_outcome_has_a_back_off_of_its_own);
	TAP_RUN(negatives_are_asked_again_after_their_own_ttl);
	TAP_RUN(families_live_apart);
	TAP_RUN(health_without_answers_is_pending_then_never);
	TAP_RUN(trouble_with_aaaa_is_none_of_the_names);
	TAP_RUN(name_that_stops_resolving_has_stopped_since_then);
	TAP_RUN(nodata_beside_a_good_family_is_no_failure);
	TAP_RUN(a_that_was_always_refused_is_no_failure_beside_a_good_aaaa);
	TAP_RUN(both_families_emptied_is_a_failure_till_one_is_back);
	TAP_RUN(a_that_fails_is_trouble_even_beside_a_good_aaaa);
	TAP_RUN(health_has_names);
	TAP_RUN(known_is_what_dns_has_spoken_about);
	TAP_RUN(what_is_left_of_an_answer_is_not_all);
	TAP_RUN(asking_now_comes_before_the_clock_but_not_twice);
	TAP_RUN(asking_now_while_under_way_asks_once_more);
	TAP_RUN(late_and_double_answers_do_no_harm);
	TAP_RUN(chain_and_server_of_the_answer_are_kept);
	reset();
	names_done(&names);
	return tap_done();
}
