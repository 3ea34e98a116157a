#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How often something may be done: so many times a second or a minute, and some more at once after
 * a pause. Pure: the time is an argument (monotonic milliseconds). */
#include <stdbool.h>
#include <stdint.h>

struct token_bucket {
	uint32_t rate;  /* a second, or a minute; 0: without a limit */
	uint64_t token; /* parts that make one: each millisecond brings `rate` of them */
	uint64_t full;  /* parts that it holds at most */
	uint64_t parts; /* in it */
	uint64_t ms;    /* at that time */
};

/* Full: a tenth of a second's tokens, one at least. */
void token_bucket_init(struct token_bucket *b, uint32_t rate, uint64_t now_ms);
/* So many a minute; full: `burst` tokens, one at least. */
void token_bucket_init_minute(
	struct token_bucket *b, uint32_t a_minute, uint32_t burst, uint64_t now_ms);
bool token_bucket_has(const struct token_bucket *b, uint64_t now_ms);
/* Only when it has one. */
void token_bucket_take(struct token_bucket *b, uint64_t now_ms);
/* How long until it has one; 0: it has. */
uint64_t token_bucket_wait_ms(const struct token_bucket *b, uint64_t now_ms);
