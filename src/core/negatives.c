/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Denials are counted, repetitions are not. */
#include "core/negatives.h"

uint32_t negatives_ttl_s(uint32_t said_s, uint32_t least_s)
{
	uint32_t ttl_s = said_s ? said_s : NEGATIVES_TTL_S;

	if (ttl_s > NEGATIVES_TTL_MAX_S)
		ttl_s = NEGATIVES_TTL_MAX_S;
	return ttl_s > least_s ? ttl_s : least_s;
}

bool negatives_note(struct negatives *n, uint32_t ttl_s, uint64_t asked_ms, uint64_t now_ms)
{
	uint32_t apart_s = ttl_s > NEGATIVES_APART_MIN_S ? ttl_s : NEGATIVES_APART_MIN_S;

	if (negatives_are_confirmed(n) || (n->count && asked_ms < n->counts_ms))
		return false;
	if (!n->count++)
		n->first_ms = now_ms ? now_ms : 1;
	n->counts_ms = now_ms + apart_s * UINT64_C(1000);
	return negatives_are_confirmed(n);
}

bool negatives_are_confirmed(const struct negatives *n)
{
	return n->count >= NEGATIVES_NEEDED;
}
