/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/answer_union: what several servers say, as one answer. */
#include "core/answer_union.h"

#include "base/mem.h"
#include "tap.h"

#include <stdio.h>

enum { PARTS_MAX = 4 };

static struct answer parts[PARTS_MAX], result;
static size_t part_count;
static uint64_t from;

static void begin(void)
{
	for (size_t i = 0; i < part_count; i++)
		answer_done(&parts[i]);
	answer_done(&result);
	part_count = 0;
}

static struct answer *part(enum answer_outcome outcome, uint32_t ttl_s)
{
	parts[part_count] = (struct answer){.outcome = outcome, .ttl_s = ttl_s};
	return &parts[part_count++];
}

static void give(struct answer *a, const char *text, uint32_t ttl_s)
{
	a->addresses = xreallocarray(a->addresses, a->count + 1, sizeof(*a->addresses));
	a->addresses[a->count].ttl_s = ttl_s;
	CHECK(addr_parse(text, &a->addresses[a->count++].addr));
}

static void unite(bool add_up, bool every)
{
	answer_done(&result);
	answer_union(parts, part_count, add_up, every, &result, &from);
}

static void check_address(size_t i, const char *text, uint32_t ttl_s)
{
	char found[ADDR_TEXT_SIZE];

	CHECK(i < result.count);
	CHECK_STR(addr_format(&result.addresses[i].addr, found), text);
	CHECK_INT(result.addresses[i].ttl_s, ttl_s);
}

static void test_addresses_of_all_with_the_largest_ttl_of_each(void)
{
	begin();
	struct answer *a = part(ANSWER_OK, 30);
	give(a, "45.0.0.2", 30);
	give(a, "45.0.0.3", 40);
	a->chain[0] = xstrdup("a.example");
	a->chain_len = 1;
	struct answer *b = part(ANSWER_OK, 20);
	give(b, "45.0.0.1", 20);
	give(b, "45.0.0.3", 90);
	b->chain[0] = xstrdup("b.example");
	b->chain_len = 1;
	for (size_t turn = 0; turn < 2; turn++) {
		unite(true, true);
		CHECK_INT(result.outcome, ANSWER_OK);
		CHECK_INT(result.count, 3);
		check_address(0, "45.0.0.1", 20);
		check_address(1, "45.0.0.2", 30);
		check_address(2, "45.0.0.3", 90);
		CHECK_INT(result.ttl_s, 20);
		CHECK(!result.partial && !result.of_all);
		CHECK_INT(result.chain_len, 1);
		CHECK_STR(result.chain[0], turn ? "b.example" : "a.example");
		CHECK_INT(from, 3);
		struct answer swap = parts[0];
		parts[0] = parts[1];
		parts[1] = swap;
	}
}

static void test_it_is_partial_where_a_part_or_a_server_is_missing(void)
{
	begin();
	give(part(ANSWER_OK, 30), "45.0.0.1", 30);
	give(part(ANSWER_OK, 30), "45.0.0.2", 30);
	unite(true, false);
	CHECK(result.partial);
	CHECK_INT(result.count, 2);
	parts[1].partial = true;
	unite(true, true);
	CHECK(result.partial);
	/* One that is not asked for adds nothing, and takes nothing. */
	unite(false, false);
	CHECK(!result.partial);
	CHECK_INT(result.count, 1);
}

static void test_a_denial_beside_addresses_adds_none(void)
{
	begin();
	part(ANSWER_NXDOMAIN, 5);
	give(part(ANSWER_OK, 30), "45.0.0.1", 30);
	unite(true, true);
	CHECK_INT(result.outcome, ANSWER_OK);
	CHECK(!result.partial);
	CHECK_INT(result.ttl_s, 30);
	CHECK_INT(from, 2);
	/* From server to server, the first would have ended it. */
	unite(false, true);
	CHECK_INT(result.outcome, ANSWER_NXDOMAIN);
	CHECK(!result.of_all);
	CHECK_INT(from, 1);
}

static void test_a_denial_of_all_is_one(void)
{
	for (unsigned add_up = 0; add_up < 2; add_up++) {
		begin();
		part(ANSWER_NODATA, 5);
		part(ANSWER_NXDOMAIN, 60);
		unite(add_up, true);
		CHECK_INT(result.outcome, ANSWER_NODATA);
		CHECK(result.of_all);
		CHECK_INT(result.ttl_s, 60);
		unite(add_up, false);
		CHECK_INT(result.outcome, ANSWER_NODATA);
		CHECK(!result.of_all);
		CHECK_INT(result.ttl_s, 5);
		/* One that fails, and was not heard lately either. */
		part(ANSWER_SERVFAIL, 90);
		unite(add_up, true);
		CHECK_INT(result.outcome, ANSWER_NODATA);
		CHECK(result.of_all);
		CHECK_INT(result.ttl_s, 60);
		CHECK_INT(from, 1);
	}
}

static void test_a_single_denial_is_of_all_when_nobody_else_was_heard(void)
{
	begin();
	part(ANSWER_NXDOMAIN, 5);
	unite(false, true);
	CHECK(result.of_all);
	unite(false, false);
	CHECK(!result.of_all);
}

static void test_the_first_that_is_no_failure_else_servfail_else_the_first(void)
{
	for (unsigned add_up = 0; add_up < 2; add_up++) {
		begin();
		part(ANSWER_REFUSED, 0);
		unite(add_up, true);
		CHECK_INT(result.outcome, ANSWER_REFUSED);
		CHECK_INT(from, 1);
		part(ANSWER_MALFORMED, 0)->why = "cut";
		unite(add_up, true);
		CHECK_INT(result.outcome, ANSWER_REFUSED);
		part(ANSWER_SERVFAIL, 0);
		unite(add_up, true);
		CHECK_INT(result.outcome, ANSWER_SERVFAIL);
		CHECK_INT(from, 4);
		CHECK(!result.of_all);
		give(part(ANSWER_OK, 7), "45.0.0.1", 7);
		unite(add_up, true);
		CHECK_INT(result.outcome, ANSWER_OK);
		check_address(0, "45.0.0.1", 7);
		CHECK_INT(from, 8);
	}
}

static void test_nobody_is_a_timeout(void)
{
	begin();
	unite(true, true);
	CHECK_INT(result.outcome, ANSWER_TIMEOUT);
	CHECK(!result.of_all);
	CHECK_INT(from, 0);
}

static void test_more_than_one_answer_may_hold_is_none(void)
{
	char text[32];

	begin();
	for (unsigned p = 0; p < 2; p++) {
		struct answer *a = part(ANSWER_OK, 60);
		a->family = FAMILY_V4;
		for (unsigned i = 0; i < ANSWER_ADDRESSES_MAX / 2; i++) {
			snprintf(text, sizeof(text), "45.0.%u.%u", 2 * p + i / 256, i % 256);
			give(a, text, 60);
		}
	}
	unite(true, true);
	CHECK_INT(result.outcome, ANSWER_OK);
	CHECK_INT(result.count, ANSWER_ADDRESSES_MAX);
	give(&parts[0], "46.0.0.1", 60);
	unite(true, true);
	CHECK_INT(result.outcome, ANSWER_MALFORMED);
	CHECK_INT(result.count, 0);
	CHECK(result.why);
	/* The same once more is no more. */
	parts[0].count--;
	give(&parts[0], "45.0.2.0", 60);
	unite(true, true);
	CHECK_INT(result.outcome, ANSWER_OK);
}

int main(void)
{
	TAP_RUN(test_addresses_of_all_with_the_largest_ttl_of_each);
	TAP_RUN(test_it_is_partial_where_a_part_or_a_server_is_missing);
	TAP_RUN(test_a_denial_beside_addresses_adds_none);
	TAP_RUN(test_a_denial_of_all_is_one);
	TAP_RUN(test_a_single_denial_is_of_all_when_nobody_else_was_heard);
	TAP_RUN(test_the_first_that_is_no_failure_else_servfail_else_the_first);
	TAP_RUN(test_nobody_is_a_timeout);
	TAP_RUN(test_more_than_one_answer_may_hold_is_none);
	begin();
	return tap_done();
}
