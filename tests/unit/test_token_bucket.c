/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/token_bucket under a clock of the test's own. */
#include "core/token_bucket.h"

#include "tap.h"

static struct token_bucket b;

static unsigned take_all(uint64_t now_ms)
{
	unsigned n = 0;

	while (token_bucket_has(&b, now_ms) && n < 100000) {
		token_bucket_take(&b, now_ms);
		n++;
	}
	return n;
}

static void test_without_a_rate_there_is_no_limit(void)
{
	token_bucket_init(&b, 0, 5000);
	CHECK_INT(take_all(5000), 100000);
	CHECK_INT(token_bucket_wait_ms(&b, 5000), 0);
}

static void test_never_more_than_the_rate_and_its_burst(void)
{
	static const uint32_t rates[] = {1, 3, 10, 100, 999, 1000, 50000};

	for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		uint32_t burst = rates[i] / 10 ? rates[i] / 10 : 1;
		uint64_t taken = 0;

		token_bucket_init(&b, rates[i], 5000);
		for (uint64_t ms = 0; ms <= 20000; ms++)
			taken += take_all(5000 + ms);
		/* No more, and nothing of it is lost by looking often. */
		CHECK(taken <= (uint64_t)rates[i] * 20 + burst);
		CHECK(taken >= (uint64_t)rates[i] * 20);
	}
}

static void test_a_pause_gives_a_tenth_of_a_second_at_once(void)
{
	token_bucket_init(&b, 200, 5000);
	CHECK_INT(take_all(5000), 20);
	CHECK_INT(take_all(5004), 0);
	CHECK_INT(take_all(5005), 1);
	CHECK_INT(take_all(5005 + (UINT64_C(1) << 61)), 20);
	/* No more when some were left. */
	token_bucket_init(&b, 200, 5000);
	token_bucket_take(&b, 5000);
	CHECK_INT(take_all(5090), 20);
}

static void test_the_wait_ends_when_there_is_one(void)
{
	static const uint32_t rates[] = {1, 3, 7, 300, 1000};

	for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		uint64_t now_ms = 5000;

		token_bucket_init(&b, rates[i], now_ms);
		take_all(now_ms);
		for (unsigned j = 0; j < 50; j++) {
			uint64_t wait_ms = token_bucket_wait_ms(&b, now_ms);
			CHECK(wait_ms > 0);
			CHECK(!token_bucket_has(&b, now_ms + wait_ms - 1));
			now_ms += wait_ms;
			CHECK_INT(token_bucket_wait_ms(&b, now_ms), 0);
			CHECK_INT(take_all(now_ms), 1);
		}
	}
}

static void test_a_clock_that_stands_brings_nothing(void)
{
	token_bucket_init(&b, 1000, 5000);
	CHECK_INT(take_all(5000), 100);
	CHECK_INT(take_all(5000), 0);
	CHECK_INT(take_all(4000), 0);
}

static void test_so_many_a_minute_after_a_burst(void)
{
	token_bucket_init_minute(&b, 2, 20, 5000);
	CHECK_INT(take_all(5000), 20);
	CHECK_INT(token_bucket_wait_ms(&b, 5000), 30000);
	CHECK_INT(take_all(34999), 0);
	CHECK_INT(take_all(35000), 1);
	CHECK_INT(take_all(95000), 2);
	CHECK_INT(take_all(95000 + (UINT64_C(1) << 61)), 20);
	token_bucket_init_minute(&b, 2, 0, 5000);
	CHECK_INT(take_all(5000), 1);
}

int main(void)
{
	TAP_RUN(test_without_a_rate_there_is_no_limit);
	TAP_RUN(test_never_more_than_the_rate_and_its_burst);
	TAP_RUN(test_a_pause_gives_a_tenth_of_a_second_at_once);
	TAP_RUN(test_the_wait_ends_when_there_is_one);
	TAP_RUN(test_a_clock_that_stands_brings_nothing);
	TAP_RUN(test_so_many_a_minute_after_a_burst);
	return tap_done();
}
