#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How sure it is that DNS denies a name (NXDOMAIN) or its addresses of one family (NODATA). One
 * denial may be a slip, and a cache repeats it for as long as it may keep it (RFC 2308 section 5):
 * so it takes several, each of a question that was asked when the one before had run out. Pure: the
 * time is an argument (monotonic milliseconds). */
#include <stdbool.h>
#include <stdint.h>

enum {
	NEGATIVES_NEEDED = 3,
	NEGATIVES_TTL_S = 60, /* of one that does not say how long it may be kept: without SOA */
	NEGATIVES_TTL_MAX_S = 900,
	/* Some zones say a second: even so nothing is certain in less than a minute in all. */
	NEGATIVES_APART_MIN_S = 30,
};

struct negatives {
	unsigned count;     /* those that are evidence, NEGATIVES_NEEDED at most */
	uint64_t first_ms;  /* when the first of them came; 0: none has */
	uint64_t counts_ms; /* a denial that was asked for earlier only repeats the last one */
};
#define NEGATIVES_NULL ((struct negatives){0})

/* For how long a denial is taken to be kept, and so not asked again: what it says (0: nothing), at
 * most NEGATIVES_TTL_MAX_S, and at least `least_s`. */
uint32_t negatives_ttl_s(uint32_t said_s, uint32_t least_s);
/* A denial came, to a question of `asked_ms`, that may be kept for `ttl_s`. True: with this one it
 * is confirmed. */
bool negatives_note(struct negatives *n, uint32_t ttl_s, uint64_t asked_ms, uint64_t now_ms);
bool negatives_are_confirmed(const struct negatives *n);
