/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/lifetimes: when addresses enter and leave. */
#include "core/lifetimes.h"

#include "names_fixture.h"

static void new_addresses_enter_at_once(void)
{
	struct name_family *f = &begin("a.example.com", defaults)->families[FAMILY_V4];

	ANSWER(f, 300, 2, 4);
	CHECK_STR(told(), "+2 +4");
	CHECK_STR(changes.items[0].reason, "answer");
	CHECK(changes.items[0].family == f);
	CHECK_INT(find(f, 2)->ttl_s, 300);
	CHECK(find(f, 2)->first_ms == now && find(f, 2)->last_ms == now);
	now += 300 * S;
	ANSWER(f, 300, 1, 2, 3, 4, 5);
	CHECK_STR(told(), "+1 +3 +5");
	CHECK(find(f, 2)->first_ms == now - 300 * S && find(f, 2)->last_ms == now);
	CHECK_INT(f->count, 5);
	for (size_t i = 1; i < f->count; i++)
		CHECK(addr_cmp(&f->addresses[i - 1].addr, &f->addresses[i].addr) < 0);
}

static void same_answer_again_changes_nothing(void)
{
	struct name_family *f = &begin("a.example.com", defaults)->families[FAMILY_V4];

	ANSWER(f, 300, 1, 2);
	told();
	for (int i = 0; i < 50; i++) {
		now += 300 * S;
		ANSWER(f, 300, 1, 2);
		expire();
	}
	CHECK_STR(told(), "");
}

static void missing_address_leaves_a_linger_after_the_first_answer_without_it(void)
{
	struct name_family *f = &begin("a.example.com", with_linger(90))->families[FAMILY_V4];
	uint64_t missing;

	ANSWER(f, 40, 1, 2);
	told();
	now += 40 * S;
	ANSWER(f, 40, 1);
	missing = now;
	CHECK(find(f, 2)->missing_ms == missing && find(f, 2)->leaves_ms == missing + 90 * S);
	CHECK(find(f, 1)->missing_ms == 0 && find(f, 1)->leaves_ms == 0);
	now += 40 * S;
	ANSWER(f, 40, 1); /* the second one does not begin anew */
	CHECK(names_next_ms(&names) <= missing + 90 * S);
	now += 40 * S;
	ANSWER(f, 40, 1);
	now = missing + 90 * S - 1;
	expire();
	CHECK_STR(told(), "");
	now++;
	expire();
	CHECK_STR(told(), "-2");
	CHECK_STR(changes.items[0].reason, "linger");
	CHECK(!find(f, 2) && find(f, 1));
}

static void address_that_comes_back_stays(void)
{
	struct name_family *f = &begin("a.example.com", with_linger(90))->families[FAMILY_V4];

	ANSWER(f, 40, 1, 2);
	told();
	now += 40 * S;
	ANSWER(f, 40, 1);
	now += 40 * S;
	ANSWER(f, 40, 1, 2);
	CHECK(find(f, 2)->missing_ms == 0 && find(f, 2)->leaves_ms == 0);
	now += HOUR;
	expire();
	CHECK_STR(told(), "");
	/* Missing again, it has a whole linger again. */
	ANSWER(f, 40, 1);
	CHECK(find(f, 2)->leaves_ms == now + 90 * S);
}

static void linger_of_zero_removes_at_once(void)
{
	struct name_family *f = &begin("a.example.com", with_linger(0))->families[FAMILY_V4];

	ANSWER(f, 40, 1, 2);
	told();
	now += 40 * S;
	ANSWER(f, 40, 1, 3);
	CHECK_STR(told(), "+3 -2");
	CHECK(!find(f, 2));
	CHECK(!heap_has(&f->leave));
}

static void addresses_missing_since_different_answers_leave_apart(void)
{
	struct name_family *f = &begin("a.example.com", with_linger(100))->families[FAMILY_V4];

	ANSWER(f, 40, 1, 2, 3);
	told();
	now += 40 * S;
	ANSWER(f, 40, 1, 3);
	now += 40 * S;
	ANSWER(f, 40, 1);
	now = 1000 * S + 140 * S + 1 * S;
	names_take_due(&names, now);
	ANSWER(f, 40, 1);
	expire();
	CHECK_STR(told(), "-2");
	CHECK(names_next_ms(&names) <= 1000 * S + 180 * S);
	now = 1000 * S + 180 * S + 1 * S;
	ANSWER(f, 40, 1);
	expire();
	CHECK_STR(told(), "-3");
	CHECK(!heap_has(&f->leave));
}

/* A pool that shows its halves by turns, with a TTL as long as the linger: the answer that brings
 * an address back is under way when its linger ends. */
static void end_of_linger_waits_for_an_answer_under_way(void)
{
	struct name_family *f = &begin("a.example.com", with_linger(60))->families[FAMILY_V4];

	while (names_take_due(&names, now))
		;
	ANSWER(f, 60, 1, 2);
	now += 60 * S;
	ANSWER(f, 60, 1);
	told();
	now += 60 * S; /* the next question is due within its jitter */
	expire();
	CHECK_STR(told(), "");
	CHECK(names_next_ms(&names) > now);
	now = f->ask.due_ms;
	while (names_take_due(&names, now))
		;
	CHECK(f->in_flight);
	expire();
	CHECK_STR(told(), "");
	now += 300;
	ANSWER(f, 60, 1, 2);
	now += 60 * S;
	expire();
	CHECK_STR(told(), "");
}

static void end_of_linger_waits_no_longer_than_its_grace(void)
{
	struct name_family *f = &begin("a.example.com", with_linger(60))->families[FAMILY_V4];
	uint64_t leaves;

	while (names_take_due(&names, now))
		;
	ANSWER(f, 60, 1, 2);
	now += 60 * S;
	ANSWER(f, 60, 1);
	told();
	leaves = find(f, 2)->leaves_ms;
	now = f->ask.due_ms;
	CHECK(names_take_due(&names, now) == f);
	now = leaves;
	expire();
	now = leaves + NAMES_LEAVE_GRACE_MS - 1;
	expire();
	CHECK_STR(told(), "");
	CHECK(names_next_ms(&names) == now + 1);
	now++;
	expire();
	CHECK_STR(told(), "-2");
	CHECK(names_next_ms(&names) == UINT64_MAX);
}

static void answer_that_still_lacks_it_ends_the_wait(void)
{
	struct name_family *f = &begin("a.example.com", with_linger(60))->families[FAMILY_V4];

	ANSWER(f, 60, 1, 2);
	now += 60 * S;
	ANSWER(f, 60, 1);
	told();
	now = find(f, 2)->leaves_ms;
	expire();
	now += 100;
	ANSWER(f, 60, 1);
	CHECK(names_next_ms(&names) <= now);
	expire();
	CHECK_STR(told(), "-2");
}

static void default_linger_is_the_largest_ttl_of_late(void)
{
	struct name_family *f = &begin("a.example.com", defaults)->families[FAMILY_V4];

	CHECK_INT(names_linger_ms(f, now), 60 * S); /* nothing seen yet */
	ANSWER(f, 5, 1);
	CHECK_INT(names_linger_ms(f, now), 60 * S);
	ANSWER(f, 300, 1);
	CHECK_INT(names_linger_ms(f, now), 300 * S);
	ANSWER(f, 17, 1); /* what is left in a cache */
	CHECK_INT(names_linger_ms(f, now), 300 * S);
	ANSWER(f, 86400, 1);
	CHECK_INT(names_linger_ms(f, now), 3600 * S);
}

static void default_linger_counts_the_largest_ttl_of_any_address(void)
{
	struct name_family *f = &begin("a.example.com", defaults)->families[FAMILY_V4];
	struct answer_address addresses[] = {{v4(1), 600}, {v4(2), 30}};
	struct answer a = {.outcome = ANSWER_OK, .addresses = addresses, .count = 2, .ttl_s = 30};

	names_apply(&names, f, &a, NULL, now, &changes);
	CHECK_INT(names_linger_ms(f, now), 600 * S);
	CHECK_INT(find(f, 1)->ttl_s, 600);
	CHECK_INT(find(f, 2)->ttl_s, 30);
	/* Asked again when the first of them runs out. */
	CHECK(f->ask.due_ms <= now + 30500);
}

static void largest_ttl_is_forgotten_after_an_hour_or_two(void)
{
	struct name_family *f = &begin("a.example.com", defaults)->families[FAMILY_V4];
	uint64_t seen = now;

	ANSWER(f, 1800, 1);
	while (now < seen + HOUR) {
		CHECK_INT(names_linger_ms(f, now), 1800 * S);
		now += 100 * S;
		ANSWER(f, 100, 1);
	}
	now = seen + 2 * HOUR + 100 * S;
	CHECK_INT(names_linger_ms(f, now), 100 * S);
	ANSWER(f, 100, 1);
	CHECK_INT(names_linger_ms(f, now), 100 * S);
	/* Silence forgets as well. */
	ANSWER(f, 1800, 1);
	now += 3 * HOUR;
	CHECK_INT(names_linger_ms(f, now), 60 * S);
}

static void revocation_caps_the_default_linger(void)
{
	struct config_bounds b = {
		.refresh_min_s = 5, .refresh_max_s = 3000, .linger_s = -1, .revoke_within_s = 3600};
	struct name_family *f = &begin("a.example.com", b)->families[FAMILY_V4];

	ANSWER(f, 3000, 1);
	CHECK_INT(names_linger_ms(f, now), 600 * S);
	ANSWER(f, 300, 1);
	CHECK_INT(names_linger_ms(f, now), 600 * S);

	b.refresh_max_s = 3590; /* below a minute: the promise counts */
	f = &begin("a.example.com", b)->families[FAMILY_V4];
	ANSWER(f, 3000, 1);
	CHECK_INT(names_linger_ms(f, now), 10 * S);

	b.refresh_max_s = 7200; /* refresh is capped as well */
	f = &begin("a.example.com", b)->families[FAMILY_V4];
	ANSWER(f, 7200, 1);
	CHECK_INT(names_linger_ms(f, now), 0);
	CHECK(f->ask.due_ms <= now + 3600 * S + 500);
}

static void explicit_linger_is_as_it_is(void)
{
	struct config_bounds b = with_linger(7200);
	struct name_family *f;

	b.revoke_within_s = 3600;
	f = &begin("a.example.com", b)->families[FAMILY_V4];
	ANSWER(f, 30, 1);
	CHECK_INT(names_linger_ms(f, now), 7200 * S);
	f = &begin("a.example.com", with_linger(1))->families[FAMILY_V4];
	ANSWER(f, 3000, 1);
	CHECK_INT(names_linger_ms(f, now), 1 * S);
}

static void default_and_explicit_linger_give_the_longer(void)
{
	struct config_bounds explicit_one = with_linger(300);

	for (int order = 0; order < 2; order++) {
		struct name *n = begin("a.example.com", order ? defaults : explicit_one);
		struct name_family *f = &n->families[FAMILY_V4];
		names_add(&names, "a.example.com", order ? &explicit_one : &defaults, now);
		ANSWER(f, 60, 1);
		CHECK_INT(names_linger_ms(f, now), 300 * S);
		ANSWER(f, 900, 1);
		CHECK_INT(names_linger_ms(f, now), 900 * S);
	}
}

static void linger_goes_on_while_dns_fails(void)
{
	struct name_family *f = &begin("a.example.com", with_linger(60))->families[FAMILY_V4];

	ANSWER(f, 30, 1, 2);
	now += 30 * S;
	ANSWER(f, 30, 1);
	told();
	now += 61 * S;
	fail_with(f, ANSWER_TIMEOUT);
	now += 500;
	expire();
	CHECK_STR(told(), "-2");
	CHECK(find(f, 1));
}

/* A pool that never ends: what DNS gives now is never evicted, what is missing longest goes first.
 */
static void endless_pool_is_bounded_by_what_lingers_longest(void)
{
	enum { BATCH = 500 };
	struct name_family *f = &begin("a.example.com", with_linger(86400))->families[FAMILY_V4];
	struct answer_address addresses[BATCH];

	for (unsigned round = 0; round < 100; round++) {
		struct answer a = {
			.outcome = ANSWER_OK, .addresses = addresses, .count = BATCH, .ttl_s = 5};
		for (unsigned i = 0; i < BATCH; i++)
			addresses[i] = (struct answer_address){v4(1 + round * BATCH + i), 5};
		names_apply(&names, f, &a, NULL, now, &changes);
		CHECK(f->count <= CONFIG_NAME_ADDRESSES_MAX);
		for (unsigned i = 0; i < BATCH; i++)
			CHECK(find(f, 1 + round * BATCH + i));
		if (round > 0)
			CHECK(find(f, 1 + (round - 1) * BATCH)); /* missing for the shortest time */
		now += 5 * S;
	}
	size_t left = 0;
	for (size_t i = 0; i < changes.count; i++) {
		left += !changes.items[i].entered;
		CHECK_STR(changes.items[i].reason, changes.items[i].entered ? "answer" : "limit");
	}
	CHECK_INT(left + f->count, 100 * BATCH);
	CHECK(f->count > CONFIG_NAME_ADDRESSES_MAX - BATCH);
}

static bool is_odd(void *userdata, const struct addr *a)
{
	++*(int *)userdata;
	return a->bytes[3] & 1;
}

static void what_is_dropped_leaves_at_once_lingering_or_not(void)
{
	struct name *n = begin("a.example.com", with_linger(60));
	struct name_family *f = &n->families[FAMILY_V4], *other = &n->families[FAMILY_V6];
	int asked = 0;

	ANSWER(other, 30, 1);
	ANSWER(f, 30, 1, 2, 3, 4);
	now += 30 * S;
	ANSWER(f, 30, 3, 4);
	told();
	names_drop(&names, f, is_odd, &asked, "screened", &changes);
	CHECK_INT(changes.count, 2);
	CHECK_STR(changes.items[0].reason, "screened");
	CHECK(changes.items[0].family == f);
	CHECK_STR(told(), "-1 -3");
	CHECK_INT(asked, 4);
	CHECK(find(f, 2) && find(f, 4) && other->count == 1);
	/* The rest lingers as before; nothing that is gone is waited for. */
	now += 61 * S;
	fail_with(f, ANSWER_TIMEOUT);
	expire();
	CHECK_STR(told(), "-2");
	/* It comes back as something new. */
	ANSWER(f, 30, 3, 4);
	CHECK_STR(told(), "+3");
	CHECK_INT(find(f, 3)->first_ms, now);
}

static void when_all_that_lingers_is_dropped_nothing_is_due(void)
{
	struct name_family *f = &begin("a.example.com", with_linger(60))->families[FAMILY_V4];
	int asked = 0;

	ANSWER(f, 3600, 1, 2);
	ANSWER(f, 3600, 2);
	fail_with(&f->name->families[FAMILY_V6], ANSWER_TIMEOUT);
	CHECK(heap_has(&f->leave));
	names_drop(&names, f, is_odd, &asked, "screened", &changes);
	CHECK(!heap_has(&f->leave));
}

int main(void)
{
	TAP_RUN(new_addresses_enter_at_once);
	TAP_RUN(same_answer_again_changes_nothing);
	TAP_RUN(missing_address_leaves_a_linger_after_the_first_answer_without_it);
	TAP_RUN(address_that_comes_back_stays);
	TAP_RUN(linger_of_zero_removes_at_once);
	TAP_RUN(addresses_missing_since_different_answers_leave_apart);
	TAP_RUN(end_of_linger_waits_for_an_answer_under_way);
	TAP_RUN(end_of_linger_waits_no_longer_than_its_grace);
	TAP_RUN(answer_that_still_lacks_it_ends_the_wait);
	TAP_RUN(default_linger_is_the_largest_ttl_of_late);
	TAP_RUN(default_linger_counts_the_largest_ttl_of_any_address);
	TAP_RUN(largest_ttl_is_forgotten_after_an_hour_or_two);
	TAP_RUN(revocation_caps_the_default_linger);
	TAP_RUN(explicit_linger_is_as_it_is);
	TAP_RUN(default_and_explicit_linger_give_the_longer);
	TAP_RUN(linger_goes_on_while_dns_fails);
	TAP_RUN(endless_pool_is_bounded_by_what_lingers_longest);
	TAP_RUN(what_is_dropped_leaves_at_once_lingering_or_not);
	TAP_RUN(when_all_that_lingers_is_dropped_nothing_is_due);
	reset();
	names_done(&names);
	return tap_done();
}
