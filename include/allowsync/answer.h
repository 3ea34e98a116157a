#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What DNS said for one name and one family: a plain value. */
#include "allowsync/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum answer_outcome {
	ANSWER_OK,
	ANSWER_NODATA,   /* the name exists, without an address of this family */
	ANSWER_NXDOMAIN, /* RFC 8020 */
	ANSWER_SERVFAIL, /* and every rcode without an outcome of its own */
	ANSWER_REFUSED,
	ANSWER_TIMEOUT, /* no server answered; made by the resolver, never by the parser */
	ANSWER_MALFORMED,
	ANSWER_SCREENED, /* every address was refused (core/screen.h): a failure, never a negative
			  */
};
#define ANSWER_OUTCOME_COUNT (ANSWER_SCREENED + 1)

enum {
	ANSWER_ADDRESSES_MAX = 512, /* more is ANSWER_MALFORMED, never cut silently */
	ANSWER_CHAIN_MAX = 8,       /* CNAMEs followed; a longer chain is ANSWER_MALFORMED */
	ANSWER_TTL_MAX = 0x7fffffff,
};
#define ANSWER_TOO_MANY "more addresses than one answer may hold" /* how answer.why begins then */

struct answer_address {
	struct addr addr;
	uint32_t ttl_s; /* the smallest of its own TTL and those of the chain that led to it */
};

struct answer {
	enum answer_outcome outcome;
	enum family family;
	struct answer_address *addresses; /* sorted by addr_cmp, without duplicates */
	size_t count;
	/* OK: the smallest of all used TTLs. NODATA, NXDOMAIN: how long that may be kept (the SOA's
	 * TTL or minimum, RFC 2308 section 5, whichever is less; at least 1), 0 when no SOA came
	 * along. */
	uint32_t ttl_s;
	/* The CNAME targets in order, normalized; [0] is what the question points to. */
	char *chain[ANSWER_CHAIN_MAX];
	size_t chain_len;
	const char *why; /* MALFORMED, SCREENED: what is wrong, a static text */
	/* Some addresses were taken out: what is left counts, and what is missing says nothing. */
	bool partial;
	/* NODATA, NXDOMAIN: every server that was heard within the hour says so. Whoever asks sets
	 * it; a denial by some of them is no evidence. */
	bool of_all;
};
#define ANSWER_NULL ((struct answer){0})

const char *answer_outcome_name(enum answer_outcome o); /* "ok", "nodata", "nxdomain", ... */

/* Reads a whole DNS message (RFC 1035 section 4). Only addresses whose owner is reached from the
 * question through the CNAME chain count; all else is passed over. The question in the message must
 * be `name` (normalized; compared without case) and the type of `family`, class IN; QR must be set
 * and TC clear. A TTL with its top bit set counts as 0 (RFC 2181 section 8). Success without any
 * address and a loop of CNAMEs are values as well (NODATA only where the chain is complete and the
 * message says so; else MALFORMED). Every input gives an answer; `ret` is to be ended with
 * answer_done(). */
void answer_parse(const uint8_t *message, size_t len, const char *name, enum family family,
	struct answer *ret);
/* Is it ANSWER_MALFORMED for having more than ANSWER_ADDRESSES_MAX? */
bool answer_is_too_large(const struct answer *a);
/* Sorts the addresses and keeps each once: with the largest of its TTLs, or with the smallest. */
void answer_settle(struct answer *a, bool largest_ttl);
void answer_done(struct answer *a);
