/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/backoff: how long to wait after which failure. */
#include "core/backoff.h"

#include "tap.h"

static const struct {
	enum answer_outcome outcome;
	unsigned first_s, longest_s;
} table[] = {
	{ANSWER_TIMEOUT, 1, 60},
	{ANSWER_SERVFAIL, 1, 300},
	{ANSWER_REFUSED, 1, 300},
	{ANSWER_MALFORMED, 1, 300},
	{ANSWER_SCREENED, 5, 300},
};

static void pauses_double_up_to_the_longest(void)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		uint64_t longest = table[i].longest_s * UINT64_C(1000);
		uint64_t expected = table[i].first_s * UINT64_C(1000);
		for (unsigned nth = 1; nth < 100; nth++) {
			uint64_t least = backoff_least_ms(table[i].outcome, nth);
			if (expected > longest * 7 / 8)
				expected = longest * 7 / 8;
			CHECK(least == expected);
			expected *= 2;
		}
		CHECK(backoff_least_ms(table[i].outcome, UINT32_MAX) == longest * 7 / 8);
	}
}

static void chance_is_an_eighth_and_never_above_the_longest(void)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		for (unsigned nth = 0; nth < 100; nth++) {
			uint64_t least = backoff_least_ms(table[i].outcome, nth);
			uint64_t most = backoff_most_ms(table[i].outcome, nth);
			CHECK(most == least * 9 / 8);
			CHECK(most <= table[i].longest_s * UINT64_C(1000));
		}
	}
}

int main(void)
{
	TAP_RUN(pauses_double_up_to_the_longest);
	TAP_RUN(chance_is_an_eighth_and_never_above_the_longest);
	return tap_done();
}
