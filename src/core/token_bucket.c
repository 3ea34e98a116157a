/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tokens in parts: as many as a second or a minute has milliseconds, each of which brings as many
 * as the rate is. */
#include "core/token_bucket.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, BURST_PART = 10 };

static uint64_t parts_at(const struct token_bucket *b, uint64_t now_ms)
{
	uint64_t passed_ms = now_ms > b->ms ? now_ms - b->ms : 0;

	/* Longer than it takes to fill it; and no product is too large. */
	if (passed_ms > b->full / b->rate)
		return b->full;
	uint64_t parts = b->parts + passed_ms * b->rate;
	return parts < b->full ? parts : b->full;
}

static void init(struct token_bucket *b, uint32_t rate, uint64_t token, uint64_t full, uint64_t ms)
{
	*b = (struct token_bucket){.rate = rate, .token = token, .ms = ms};
	b->full = full > token ? full : token;
	b->parts = b->full;
}

void token_bucket_init(struct token_bucket *b, uint32_t rate, uint64_t now_ms)
{
	init(b, rate, SECOND, (uint64_t)rate * SECOND / BURST_PART, now_ms);
}

void token_bucket_init_minute(
	struct token_bucket *b, uint32_t a_minute, uint32_t burst, uint64_t now_ms)
{
	init(b, a_minute, MINUTE, (uint64_t)burst * MINUTE, now_ms);
}

bool token_bucket_has(const struct token_bucket *b, uint64_t now_ms)
{
	return !b->rate || parts_at(b, now_ms) >= b->token;
}

void token_bucket_take(struct token_bucket *b, uint64_t now_ms)
{
	if (!b->rate)
		return;
	b->parts = parts_at(b, now_ms) - b->token;
	b->ms = now_ms;
}

uint64_t token_bucket_wait_ms(const struct token_bucket *b, uint64_t now_ms)
{
	if (token_bucket_has(b, now_ms))
		return 0;
	return (b->token - parts_at(b, now_ms) + b->rate - 1) / b->rate;
}
