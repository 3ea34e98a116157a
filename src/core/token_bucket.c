/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tokens in thousandths: each millisecond brings as many of those as the rate is. */
#include "core/token_bucket.h"

enum { TOKEN = 1000, BURST_PART = 10 };

static uint64_t capacity(const struct token_bucket *b)
{
	uint64_t milli = (uint64_t)b->rate * TOKEN / BURST_PART;

	return milli > TOKEN ? milli : TOKEN;
}

static uint64_t milli_at(const struct token_bucket *b, uint64_t now_ms)
{
	uint64_t full = capacity(b), passed_ms = now_ms > b->ms ? now_ms - b->ms : 0;

	/* Longer than it takes to fill it; and no product is too large. */
	if (passed_ms > full / b->rate)
		return full;
	uint64_t milli = b->milli + passed_ms * b->rate;
	return milli < full ? milli : full;
}

void token_bucket_init(struct token_bucket *b, uint32_t rate, uint64_t now_ms)
{
	*b = (struct token_bucket){.rate = rate, .ms = now_ms};
	b->milli = capacity(b);
}

bool token_bucket_has(const struct token_bucket *b, uint64_t now_ms)
{
	return !b->rate || milli_at(b, now_ms) >= TOKEN;
}

void token_bucket_take(struct token_bucket *b, uint64_t now_ms)
{
	if (!b->rate)
		return;
	b->milli = milli_at(b, now_ms) - TOKEN;
	b->ms = now_ms;
}

uint64_t token_bucket_wait_ms(const struct token_bucket *b, uint64_t now_ms)
{
	if (token_bucket_has(b, now_ms))
		return 0;
	return (TOKEN - milli_at(b, now_ms) + b->rate - 1) / b->rate;
}
