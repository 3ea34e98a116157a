/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scripts of hours and days: what firewalls that follow DNS commonly get wrong, played through. */
#include "sim.h"

#include "core/config_parts.h"

#include "core/backoff.h"

static uint64_t ms_until(bool present, size_t set_index, const struct addr *a, uint64_t most_ms)
{
	uint64_t begun = sim.now;

	while (sim_has(set_index, a) != present && sim.now < begun + most_ms)
		sim_run(100);
	return sim.now - begun;
}

static struct addr v4(unsigned number)
{
	return sim_addr(FAMILY_V4, number);
}

static void server_added_enters_within_its_ttl(void)
{
	sim_begin();
	struct sim_name *n = sim_name("whitelist.example.net", -1);
	sim_record(n, FAMILY_V4, 1, 60);
	sim_record(n, FAMILY_V6, 1, 60);
	sim_run(1 * SIM_SECOND);
	for (unsigned i = 2; i < 40; i++) {
		struct addr a = v4(i), a6 = sim_addr(FAMILY_V6, i);
		sim_run(random_below(200 * SIM_SECOND));
		sim_record(n, FAMILY_V4, i, 60);
		sim_record(n, FAMILY_V6, i, 60);
		uint64_t took = ms_until(true, 0, &a, SIM_HOUR);
		CHECK(took + ms_until(true, 1, &a6, SIM_HOUR) <= 60 * SIM_SECOND + 700);
	}
	CHECK_INT(sim.deletes, 0);
	sim_check_all();
}

static void server_removed_leaves_within_ttl_and_linger(void)
{
	static const int64_t lingers[] = {0, 2, 30, 59, 60, 61, 300};

	for (size_t l = 0; l < ARRAY_LEN(lingers); l++) {
		sim_begin();
		struct sim_name *n = sim_name("whitelist.example.net", lingers[l]);
		for (unsigned i = 0; i < 30; i++)
			sim_record(n, FAMILY_V4, i, 60);
		sim_run(1 * SIM_SECOND);
		for (unsigned i = 0; i < 29; i++) {
			struct addr a = v4(i);
			sim_run(random_below(400 * SIM_SECOND));
			sim_unrecord(n, FAMILY_V4, i);
			uint64_t took = ms_until(false, 0, &a, SIM_HOUR);
			CHECK(took >= (uint64_t)lingers[l] * SIM_SECOND);
			CHECK(took <= (60 + (uint64_t)lingers[l]) * SIM_SECOND + 1700);
		}
		sim_check_all();
		CHECK_INT(sim.sets[0].kernel.count, 1);
	}
}

/* One TTL for the whole answer would evict the others early. */
static void unequal_ttls_in_one_answer_evict_nobody(void)
{
	sim_begin();
	struct sim_name *n = sim_name("a.example.com", 0);
	sim_record(n, FAMILY_V4, 1, 5);
	sim_record(n, FAMILY_V4, 2, 300);
	sim_record(n, FAMILY_V4, 3, 86400);
	sim_run(2 * SIM_DAY);
	CHECK_INT(sim.adds, 3);
	CHECK_INT(sim.deletes, 0);
	sim_check_all();
}

static void losing_one_of_two_names_keeps_the_address(void)
{
	struct addr a = v4(1);

	sim_begin();
	struct sim_name *one = sim_name("one.example.com", 30),
			*two = sim_name("two.example.com", 30);
	sim_record(one, FAMILY_V4, 1, 60);
	sim_record(one, FAMILY_V4, 2, 60);
	sim_record(two, FAMILY_V4, 1, 300);
	sim_record(two, FAMILY_V4, 3, 300);
	sim_run(10 * SIM_MINUTE);
	CHECK_INT(sim.adds, 3);
	for (int round = 0; round < 20; round++) {
		struct sim_name *n = random_below(2) ? one : two;
		sim_unrecord(n, FAMILY_V4, 1);
		sim_run(random_below(SIM_HOUR));
		CHECK(sim_has(0, &a));
		sim_record(n, FAMILY_V4, 1, 60);
		sim_run(10 * SIM_MINUTE);
	}
	CHECK_INT(sim.deletes, 0);
	sim_unrecord(one, FAMILY_V4, 1);
	sim_unrecord(two, FAMILY_V4, 1);
	sim_run(400 * SIM_SECOND);
	CHECK(!sim_has(0, &a));
	CHECK_INT(sim.deletes, 1);
	sim_check_all();
}

static void name_and_static_address_share_an_element(void)
{
	struct addr a = v4(1);

	sim_begin();
	struct sim_name *n = sim_name("checkin.example.com", 0);
	sim_static(1, 0);
	sim_record(n, FAMILY_V4, 1, 60);
	sim_record(n, FAMILY_V4, 2, 60);
	sim_run(10 * SIM_MINUTE);
	CHECK_INT(sim.adds, 2);
	sim_unrecord(n, FAMILY_V4, 1);
	sim_run(SIM_HOUR);
	CHECK(sim_has(0, &a));
	sim_check_all();
	/* And the other way round. */
	sim_record(n, FAMILY_V4, 1, 60);
	sim_run(10 * SIM_MINUTE);
	struct element_key key = element_key_addr(&a);
	struct owner *statics = wanted_find(&sim.sets[0].wanted, &key)->owners[0];
	CHECK(!statics->name);
	wanted_release(&sim.sets[0].wanted, &key, statics, "reload");
	sim.static_count = 0;
	sim_run(SIM_HOUR);
	CHECK(sim_has(0, &a));
	CHECK_INT(sim.deletes, 0);
	sim_unrecord(n, FAMILY_V4, 1);
	sim_run(2 * SIM_MINUTE);
	CHECK(!sim_has(0, &a));
	sim_check_all();
}

/* A second wish for a name that is known already must be filled as well. */
static void two_vendors_want_one_name(void)
{
	struct addr a = v4(1);

	sim_begin();
	struct sim_name *n = sim_name("shared.example.com", 0);
	sim_own(n, 0);
	sim_own(n, 2);
	sim_record(n, FAMILY_V4, 1, 60);
	sim_record(n, FAMILY_V4, 2, 60);
	sim_run(SIM_MINUTE);
	CHECK(sim_has(0, &a) && sim_has(2, &a));
	CHECK_INT(sim.sets[2].kernel.count, 6);
	/* The first vendor is released: the second still wants it. */
	struct element_key key = element_key_addr(&a);
	wanted_release(&sim.sets[0].wanted, &key, n->owners[0], "release");
	sim_run(SIM_MINUTE);
	CHECK(sim_has(0, &a));
	wanted_release(&sim.sets[0].wanted, &key, n->owners[2], "release");
	n->owners[0]->set_index = n->owners[2]->set_index = 2; /* for the books */
	sim_run(SIM_MINUTE);
	CHECK(!sim_has(0, &a) && sim_has(2, &a));
}

static void answer_out_of_a_cache_adds_again_what_had_left(void)
{
	struct addr a = v4(1);

	sim_begin();
	struct sim_name *n = sim_name("a.example.com", 0);
	n->families[FAMILY_V4].cached = true;
	sim_record(n, FAMILY_V4, 1, 300);
	sim_record(n, FAMILY_V4, 2, 300);
	sim_run(SIM_HOUR);
	for (int round = 0; round < 10; round++) {
		sim_unrecord(n, FAMILY_V4, 1);
		sim_run(11 * SIM_MINUTE);
		CHECK(!sim_has(0, &a));
		sim_record(n, FAMILY_V4, 1, 300);
		/* A device asks first: what we see then comes out of the cache. */
		for (int i = 0; i < 60; i++) {
			sim_run(11 * SIM_SECOND);
			sim_fill_cache(&n->families[FAMILY_V4]);
		}
		CHECK(sim_has(0, &a));
	}
	sim_check_all();
}

/* Object stores answer with 8 out of many, for 5 s, behind a CNAME. */
static void rotating_pool_does_not_flap(void)
{
	sim_begin();
	struct sim_name *n = sim_name("bucket.example.com", -1);
	for (unsigned i = 0; i < 40; i++)
		sim_record(n, FAMILY_V4, i, 5);
	n->families[FAMILY_V4].show = 8;
	sim_run(SIM_DAY);
	CHECK_INT(sim.adds, 40);
	CHECK_INT(sim.deletes, 0);
	sim_check_all();
}

/* The longest pause between two sights of an address is one TTL more than the linger's length. */
static void halves_shown_by_turns_do_not_flap(void)
{
	static const uint32_t ttls[] = {30, 60, 300, 1800, 3600};

	for (size_t t = 0; t < ARRAY_LEN(ttls); t++) {
		sim_begin();
		struct sim_name *n = sim_name("halves.example.com", -1);
		for (unsigned i = 0; i < 8; i++)
			sim_record(n, FAMILY_V4, i, ttls[t]);
		n->families[FAMILY_V4].show = 4;
		n->families[FAMILY_V4].latency_ms = 150;
		sim_run(5 * SIM_DAY);
		CHECK_INT(sim.adds, 8);
		CHECK_INT(sim.deletes, 0);
		sim_check_all();
	}
}

/* How many questions the back-off gives in so long, at most or at least. */
static unsigned long failing_questions(
	enum answer_outcome outcome, uint64_t latency_ms, uint64_t ms, bool most)
{
	unsigned nth = 1;
	uint64_t at_ms = latency_ms;

	while (at_ms <= ms) {
		at_ms += latency_ms +
			 (most ? backoff_least_ms(outcome, nth) : backoff_most_ms(outcome, nth));
		nth++;
	}
	return nth;
}

static void days_of_failures_remove_nothing(void)
{
	static const enum answer_outcome faults[] = {
		ANSWER_TIMEOUT, ANSWER_SERVFAIL, ANSWER_REFUSED, ANSWER_MALFORMED, ANSWER_SCREENED};

	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		sim_begin();
		struct sim_name *n = sim_name("a.example.com", 0);
		struct sim_family *f = &n->families[FAMILY_V4];
		uint64_t latency_ms = faults[i] == ANSWER_TIMEOUT ? SIM_TIMEOUT_MS : f->latency_ms;
		struct addr added = v4(3);
		sim_record(n, FAMILY_V4, 1, 60);
		sim_record(n, FAMILY_V4, 2, 60);
		sim_run(SIM_MINUTE);
		f->fault = faults[i];
		unsigned long before = f->questions;
		sim_run(3 * SIM_DAY);
		CHECK_INT(sim.deletes, 0);
		sim_check_all();
		CHECK_INT(names_health(n->name), NAME_STOPPED);
		/* As many as the back-off gives, after the TTL of before: no storm, no silence. */
		unsigned long asked = f->questions - before;
		CHECK(asked <= failing_questions(faults[i], latency_ms, 3 * SIM_DAY, true));
		CHECK(asked + 1 >= failing_questions(faults[i], latency_ms,
					   3 * SIM_DAY - 61 * SIM_SECOND, false));
		f->fault = ANSWER_OK;
		sim_record(n, FAMILY_V4, 3, 60);
		CHECK(ms_until(true, 0, &added, SIM_HOUR) <=
			backoff_most_ms(faults[i], 1000) + latency_ms + SIM_SECOND);
		CHECK_INT(names_health(n->name), NAME_OK);
	}
}

static void what_is_denied_leaves_when_three_denials_confirm_it(void)
{
	static const enum answer_outcome faults[] = {ANSWER_NXDOMAIN, ANSWER_NODATA};
	static const int64_t lingers[] = {0, 60, 1799, 3600};

	for (size_t i = 0; i < 2 * ARRAY_LEN(lingers); i++) {
		sim_begin();
		int64_t linger_s = lingers[i / 2];
		struct sim_name *n = sim_name("a.example.com", linger_s);
		struct addr a = v4(1), a6 = sim_addr(FAMILY_V6, 1);
		sim_record(n, FAMILY_V4, 1, 60);
		sim_record(n, FAMILY_V6, 1, 60);
		sim_run(SIM_MINUTE);
		n->families[FAMILY_V4].fault = faults[i % 2];
		uint64_t took = ms_until(false, 0, &a, SIM_DAY);
		uint64_t least_s =
			linger_s > 2 * SIM_NEGATIVE_S ? (uint64_t)linger_s : 2 * SIM_NEGATIVE_S;
		CHECK(took >= least_s * SIM_SECOND && took <= (least_s + 65) * SIM_SECOND);
		CHECK(sim_has(1, &a6));
		unsigned long before = n->families[FAMILY_V4].questions;
		sim_run(SIM_DAY);
		CHECK(n->families[FAMILY_V4].questions - before <= SIM_DAY / 900000 + 1);
		n->families[FAMILY_V4].fault = ANSWER_OK;
		CHECK(ms_until(true, 0, &a, SIM_HOUR) <= (SIM_NEGATIVE_S + 1) * SIM_SECOND);
		sim_check_all();
	}
}

/* Two out of three, for days, with outages between. */
static void denials_that_a_good_answer_refutes_remove_nothing(void)
{
	sim_begin();
	struct sim_name *n = sim_name("a.example.com", 0);
	struct sim_family *f = &n->families[FAMILY_V4];
	sim_record(n, FAMILY_V4, 1, 60);
	for (int round = 0; round < 100; round++) {
		f->fault = ANSWER_OK;
		sim_run(20 * SIM_MINUTE);
		for (int i = 0; i < 2; i++) {
			f->fault = ANSWER_NXDOMAIN;
			unsigned seen = f->denials;
			while (f->denials == seen)
				sim_run(SIM_SECOND);
			f->fault = ANSWER_SERVFAIL;
			sim_run(random_below(2 * SIM_HOUR));
		}
	}
	CHECK_INT(sim.deletes, 0);
	sim_check_all();
}

/* Trouble with AAAA, for days, beside an A that changes all the time. */
static void aaaa_that_fails_does_not_touch_a(void)
{
	sim_begin();
	struct sim_name *n = sim_name("a.example.com", 30);
	sim_record(n, FAMILY_V4, 0, 60);
	n->families[FAMILY_V6].fault = ANSWER_TIMEOUT;
	sim_run(SIM_MINUTE);
	for (unsigned i = 1; i < 100; i++) {
		struct addr old = v4(i - 1), new = v4(i);
		sim_record(n, FAMILY_V4, i, 60);
		sim_unrecord(n, FAMILY_V4, i - 1);
		CHECK(ms_until(true, 0, &new, SIM_HOUR) <= 61 * SIM_SECOND);
		CHECK(sim_has(0, &old));
		CHECK(ms_until(false, 0, &old, SIM_HOUR) <= 32 * SIM_SECOND);
		CHECK_INT(names_health(n->name), NAME_OK);
	}
	sim_check_all();
}

static void questions_are_as_many_as_the_ttls_say(void)
{
	static const uint32_t ttls[] = {1, 5, 60, 300, 3600, 86400};

	for (size_t t = 0; t < ARRAY_LEN(ttls); t++) {
		sim_begin();
		struct sim_name *n = sim_name("a.example.com", -1);
		sim_record(n, FAMILY_V4, 1, ttls[t]);
		sim_record(n, FAMILY_V6, 1, ttls[t]);
		sim_run(7 * SIM_DAY);
		uint64_t ttl_ms = ttls[t] * UINT64_C(1000);
		if (ttl_ms < 5 * SIM_SECOND)
			ttl_ms = 5 * SIM_SECOND;
		if (ttl_ms > SIM_HOUR)
			ttl_ms = SIM_HOUR;
		uint64_t late = ttl_ms / 20 < 500 ? ttl_ms / 20 : 500;
		for (int f = 0; f < FAMILY_COUNT; f++) {
			CHECK(n->families[f].questions <= 7 * SIM_DAY / (ttl_ms + 20) + 1);
			CHECK(n->families[f].questions >= 7 * SIM_DAY / (ttl_ms + 20 + late));
		}
		CHECK_INT(sim.commits, 1);
	}
}

/* The vendor says: within an hour. */
static void revocation_keeps_its_promise(void)
{
	struct config_bounds b = {
		.refresh_min_s = 5, .refresh_max_s = 1800, .linger_s = -1, .revoke_within_s = 3600};

	sim_begin();
	struct sim_name *n = sim_name("whitelist.example.net", -1);
	n->name->bounds = b;
	for (unsigned i = 0; i < 30; i++)
		sim_record(n, FAMILY_V4, i, 86400);
	sim_run(1 * SIM_SECOND);
	for (unsigned i = 0; i < 20; i++) {
		struct addr a = v4(i);
		sim_run(random_below(2 * SIM_HOUR));
		sim_unrecord(n, FAMILY_V4, i);
		uint64_t took = ms_until(false, 0, &a, 2 * SIM_HOUR);
		CHECK(took >= 1800 * SIM_SECOND);
		CHECK(took <= SIM_HOUR + 2 * SIM_SECOND);
	}
}

/* As the configuration makes them of what an admin may write beside revoke-within. */
static struct config_bounds bounds_for(uint32_t revoke_s, int64_t linger_s, uint32_t refresh_max_s)
{
	struct bounds_said said = {.revoke_within = true,
		.linger = linger_s >= 0,
		.refresh_max = refresh_max_s > 0,
		.bounds = {.revoke_within_s = revoke_s,
			.linger_s = linger_s,
			.refresh_max_s = refresh_max_s}};
	struct config_bounds b;

	config_settle_bounds(NULL, NULL, &said, NULL, NULL, &b);
	return b;
}

static void check_revocation(struct config_bounds b, uint32_t ttl_s)
{
	enum { ADDRESSES_GIVEN = 6 };
	uint64_t revoke_ms = b.revoke_within_s * (uint64_t)SIM_SECOND;

	sim_begin();
	struct sim_name *n = sim_name("whitelist.example.net", -1);
	n->name->bounds = b;
	for (unsigned i = 0; i < ADDRESSES_GIVEN; i++)
		for (int f = 0; f < FAMILY_COUNT; f++)
			sim_record(n, (enum family)f, i, ttl_s);
	sim_run(1 * SIM_SECOND);
	for (unsigned i = 0; i + 1 < ADDRESSES_GIVEN; i++) {
		enum family family = i % 2 ? FAMILY_V4 : FAMILY_V6;
		struct addr a = sim_addr(family, i);
		sim_run(random_below((unsigned)revoke_ms));
		sim_unrecord(n, family, i);
		/* Jitter, a question under way, and its latency. */
		CHECK(ms_until(false, family, &a, 2 * revoke_ms + SIM_MINUTE) <=
			revoke_ms + 2 * SIM_SECOND);
	}
	CHECK_INT(sim.deletes, ADDRESSES_GIVEN - 1);
	sim_check_all();
}

static void revocation_keeps_its_promise_in_every_combination(void)
{
	static const uint32_t revokes_s[] = {1, 2, 7, 60, 600, 3600},
			      ttls_s[] = {0, 1, 60, 3600, 0x7fffffff};

	for (size_t r = 0; r < ARRAY_LEN(revokes_s); r++) {
		uint32_t revoke_s = revokes_s[r];
		int64_t lingers_s[] = {-1, 0, revoke_s / 4, revoke_s / 2};
		uint32_t refreshes_s[] = {0, revoke_s / 4, revoke_s / 2};
		for (size_t l = 0; l < ARRAY_LEN(lingers_s); l++)
			for (size_t m = 0; m < ARRAY_LEN(refreshes_s); m++)
				for (size_t t = 0; t < ARRAY_LEN(ttls_s); t++)
					check_revocation(
						bounds_for(revoke_s, lingers_s[l], refreshes_s[m]),
						ttls_s[t]);
	}
}

/* Old out, new in: with no hole between. */
static void all_servers_replaced_leave_no_hole(void)
{
	sim_begin();
	struct sim_name *n = sim_name("a.example.com", 0);
	for (unsigned i = 0; i < 20; i++)
		sim_record(n, FAMILY_V4, i, 60);
	sim_run(SIM_MINUTE);
	for (unsigned i = 0; i < 20; i++) {
		sim_unrecord(n, FAMILY_V4, i);
		sim_record(n, FAMILY_V4, 100 + i, 60);
	}
	unsigned long commits = sim.commits;
	for (int i = 0; i < 700; i++) {
		sim_run(100);
		CHECK_INT(sim.sets[0].kernel.count, 20);
	}
	CHECK_INT(sim.commits, commits + 1); /* both halves in one batch */
	CHECK_INT(sim.deletes, 20);
	sim_check_all();
}

static void commits_that_fail_are_made_good(void)
{
	struct addr a = v4(1);

	sim_begin();
	struct sim_name *n = sim_name("a.example.com", 0);
	sim_record(n, FAMILY_V4, 1, 60);
	sim_record(n, FAMILY_V4, 2, 60);
	sim.failing_commits = 1000;
	sim_run(10 * SIM_MINUTE);
	CHECK_INT(sim.sets[0].kernel.count, 0);
	sim.failing_commits = 0;
	sim_run(SIM_SECOND);
	CHECK_INT(sim.sets[0].kernel.count, 2);
	/* Gone and back while no commit works: nothing is left to do. */
	sim.failing_commits = 1000;
	sim_unrecord(n, FAMILY_V4, 1);
	sim_run(2 * SIM_MINUTE);
	sim_record(n, FAMILY_V4, 1, 60);
	sim_run(2 * SIM_MINUTE);
	sim.failing_commits = 0;
	unsigned long commits = sim.commits;
	sim_run(SIM_SECOND);
	CHECK_INT(sim.commits, commits);
	CHECK(sim_has(0, &a));
	sim_check_all();
}

int main(void)
{
	random_begin(6);
	TAP_RUN(server_added_enters_within_its_ttl);
	TAP_RUN(server_removed_leaves_within_ttl_and_linger);
	TAP_RUN(unequal_ttls_in_one_answer_evict_nobody);
	TAP_RUN(losing_one_of_two_names_keeps_the_address);
	TAP_RUN(name_and_static_address_share_an_element);
	TAP_RUN(two_vendors_want_one_name);
	TAP_RUN(answer_out_of_a_cache_adds_again_what_had_left);
	TAP_RUN(rotating_pool_does_not_flap);
	TAP_RUN(halves_shown_by_turns_do_not_flap);
	TAP_RUN(days_of_failures_remove_nothing);
	TAP_RUN(what_is_denied_leaves_when_three_denials_confirm_it);
	TAP_RUN(denials_that_a_good_answer_refutes_remove_nothing);
	TAP_RUN(aaaa_that_fails_does_not_touch_a);
	TAP_RUN(questions_are_as_many_as_the_ttls_say);
	TAP_RUN(revocation_keeps_its_promise);
	TAP_RUN(revocation_keeps_its_promise_in_every_combination);
	TAP_RUN(all_servers_replaced_leave_no_hole);
	TAP_RUN(commits_that_fail_are_made_good);
	sim_done();
	return tap_done();
}
