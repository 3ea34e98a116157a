/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/turnover: which answers change so much that somebody should look. */
#include "core/turnover.h"

#include "names_fixture.h"

static struct turnover turnover_to(const struct name_family *f, const unsigned *numbers)
{
	struct answer_address addresses[64];
	struct answer a = {.outcome = ANSWER_OK, .addresses = addresses};

	for (; numbers[a.count]; a.count++)
		addresses[a.count] = (struct answer_address){v4(numbers[a.count]), 60};
	return turnover_of(f, &a);
}

#define TURNOVER(f, ...) turnover_to((f), (const unsigned[]){__VA_ARGS__, 0})

static bool is_most(const struct name_family *f, const unsigned *numbers)
{
	struct turnover t = turnover_to(f, numbers);

	return turnover_is_most(&t);
}

#define IS_MOST(f, ...) is_most((f), (const unsigned[]){__VA_ARGS__, 0})

static struct name_family *family(void)
{
	return &begin("a.example.com", with_linger(3600))->families[FAMILY_V4];
}

static void what_is_gone_and_what_is_unknown_is_counted(void)
{
	struct name_family *f = family();

	ANSWER(f, 60, 1, 2, 3, 4, 5, 6, 7, 8, 9);
	now += 60 * S;
	ANSWER(f, 60, 2, 3, 4, 5, 6, 7, 8, 9);
	struct turnover t = TURNOVER(f, 1, 2, 10, 11, 12);
	CHECK_INT(t.before, 8);
	CHECK_INT(t.gone, 7);
	CHECK_INT(t.given, 5);
	CHECK_INT(t.unknown, 3); /* 1 still lingers */
}

static void most_is_more_than_half_of_eight_and_more_than_half_unknown(void)
{
	struct name_family *f = family();

	ANSWER(f, 60, 1, 2, 3, 4, 5, 6, 7, 8);
	CHECK(!IS_MOST(f, 1, 2, 3, 4, 11, 12, 13, 14, 15, 16)); /* half is gone */
	CHECK(IS_MOST(f, 1, 2, 3, 11, 12, 13, 14));
	CHECK(!IS_MOST(f, 1, 2, 3, 11, 12, 13)); /* half is unknown */
	CHECK(!IS_MOST(f, 1));
	CHECK(IS_MOST(f, 11));
	CHECK(IS_MOST(f, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20));
	/* An odd number. */
	ANSWER(f, 60, 1, 2, 3, 4, 5, 6, 7, 8, 9);
	CHECK(!IS_MOST(f, 1, 2, 3, 4, 5, 11, 12, 13, 14, 15, 16));
	CHECK(IS_MOST(f, 1, 2, 3, 4, 11, 12, 13, 14, 15));
}

static void of_fewer_than_eight_nothing_is_most(void)
{
	struct name_family *f = family();

	ANSWER(f, 60, 1, 2, 3, 4, 5, 6, 7);
	CHECK(!IS_MOST(f, 11, 12, 13, 14, 15, 16, 17));
	ANSWER(f, 60, 1, 2, 3, 4, 5, 6, 7, 8);
	CHECK(IS_MOST(f, 11, 12, 13, 14, 15, 16, 17));
}

static void a_pool_that_turns_within_what_is_known_is_none(void)
{
	struct name_family *f = family();

	ANSWER(f, 60, 1, 2, 3, 4, 5, 6, 7, 8);
	now += 60 * S;
	ANSWER(f, 60, 11, 12, 13, 14, 15, 16, 17, 18);
	CHECK(!IS_MOST(f, 1, 2, 3, 4, 5, 6, 7, 8));
}

static void first_partial_and_other_answers_are_none(void)
{
	struct answer_address one = {v4(11), 60};
	struct answer partial = {
		.outcome = ANSWER_OK, .addresses = &one, .count = 1, .partial = true};
	struct answer failed = {.outcome = ANSWER_SCREENED};
	struct name_family *f = family();

	CHECK(!IS_MOST(f, 1, 2, 3, 4, 5, 6, 7, 8));
	ANSWER(f, 60, 1, 2, 3, 4, 5, 6, 7, 8);
	struct turnover t = turnover_of(f, &partial);
	CHECK(!turnover_is_most(&t));
	t = turnover_of(f, &failed);
	CHECK(!turnover_is_most(&t));
	partial.partial = false;
	t = turnover_of(f, &partial);
	CHECK(turnover_is_most(&t));
}

/* The chain as names know it, and then as an answer brings it; NULL: none. */
static bool moves(const char *const before[2], const char *const after[2])
{
	struct answer_address one = {v4(1), 60};
	struct answer a = {.outcome = ANSWER_OK, .addresses = &one, .count = 1, .ttl_s = 60};
	struct name_family *f = family();

	for (; a.chain_len < 2 && before[a.chain_len]; a.chain_len++)
		a.chain[a.chain_len] = (char *)(uintptr_t)before[a.chain_len];
	names_apply(&names, f, &a, NULL, now, &changes);
	for (a.chain_len = 0; a.chain_len < 2 && after[a.chain_len]; a.chain_len++)
		a.chain[a.chain_len] = (char *)(uintptr_t)after[a.chain_len];
	return turnover_moves_domain(f, &a);
}

static void a_chain_moves_when_the_last_two_labels_of_its_end_do(void)
{
	static const char *const cases[][2][2] = {
		{{"x.cdn.net"}, {"y.z.cdn.net"}},
		{{"x.cdn.net"}, {"x.cdn.org"}},
		{{"x.cdn.net"}, {"x.other.net"}},
		{{"x.cdn.net", "cdn.net"}, {"cdn.net"}},
		{{"x.cdn.net", "y.other.net"}, {"z.other.net"}},
		{{"x.cdn.net", "y.other.net"}, {"x.cdn.net"}},
		{{NULL}, {"b.example.com"}},
		{{NULL}, {"b.example.net"}},
		{{"b.example.net"}, {NULL}},
		{{"xcdn.net"}, {"cdn.net"}},
	};
	static const bool want[] = {false, true, true, false, false, true, false, true, true, true};

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		CHECK_INT(moves(cases[i][0], cases[i][1]), want[i]);
}

static void a_first_chain_and_one_of_a_failure_move_nothing(void)
{
	static char target[] = "x.cdn.net";
	struct answer a = {.outcome = ANSWER_OK, .chain = {target}, .chain_len = 1};
	struct name_family *f = family();

	CHECK(!turnover_moves_domain(f, &a));
	ANSWER(f, 60, 1);
	CHECK(turnover_moves_domain(f, &a));
	a.outcome = ANSWER_NODATA;
	CHECK(!turnover_moves_domain(f, &a));
}

int main(void)
{
	TAP_RUN(what_is_gone_and_what_is_unknown_is_counted);
	TAP_RUN(most_is_more_than_half_of_eight_and_more_than_half_unknown);
	TAP_RUN(of_fewer_than_eight_nothing_is_most);
	TAP_RUN(a_pool_that_turns_within_what_is_known_is_none);
	TAP_RUN(first_partial_and_other_answers_are_none);
	TAP_RUN(a_chain_moves_when_the_last_two_labels_of_its_end_do);
	TAP_RUN(a_first_chain_and_one_of_a_failure_move_nothing);
	reset();
	names_done(&names);
	return tap_done();
}
