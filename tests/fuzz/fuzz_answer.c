/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes for a DNS message: the first says which family was asked for, the rest is the message,
 * which is also looked at as a query and as the answer to one. */
#include "allowsync/answer.h"

#include "base/mem.h"
#include "core/query.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_addresses(const struct answer *a)
{
	uint32_t least = ANSWER_TTL_MAX;

	assert(a->count <= ANSWER_ADDRESSES_MAX);
	for (size_t i = 0; i < a->count; i++) {
		assert(a->addresses[i].addr.family == a->family);
		assert(i == 0 || addr_cmp(&a->addresses[i - 1].addr, &a->addresses[i].addr) < 0);
		if (a->addresses[i].ttl_s < least)
			least = a->addresses[i].ttl_s;
	}
	if (a->count > 0)
		assert(a->ttl_s == least);
}

/* As a query, and as what answers one. */
static void check_query(const uint8_t *message, size_t len)
{
	/* Id 0x1234, for "a", A. */
	static const uint8_t bytes[] = {
		0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1};
	struct query fixed, own;

	assert(query_read(bytes, sizeof(bytes), &fixed));
	bool exact = query_may_be_answered_by(&fixed, true, message, len);
	bool loose = query_may_be_answered_by(&fixed, false, message, len);
	assert(loose || !exact);
	if (loose)
		assert(len >= 12 && message[0] == 0x12 && message[1] == 0x34);
	/* As a stream. */
	size_t found_len = 0;
	const uint8_t *found = query_find_answer(&fixed, message, len, &found_len);
	if (found)
		assert(found >= message + 2 && found_len <= len - (size_t)(found - message) &&
			query_may_be_answered_by(&fixed, false, found, found_len));
	if (query_read(message, len, &own))
		assert(own.len <= len && query_may_be_answered_by(&own, true, message, len));
	else
		assert(!query_may_be_answered_by(&own, false, message, len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct answer a;

	if (len == 0)
		return 0;
	/* A copy of the exact size, so that the sanitizers see each byte read past the end. */
	uint8_t *message = xmemdup(data + 1, len - 1);
	answer_parse(message, len - 1, "www.example.com", data[0] & 1 ? FAMILY_V6 : FAMILY_V4, &a);
	check_query(message, len - 1);
	free(message);
	assert(a.outcome != ANSWER_TIMEOUT);
	assert((a.outcome == ANSWER_OK) == (a.count > 0));
	assert((a.outcome == ANSWER_MALFORMED) == (a.why != NULL));
	assert(a.ttl_s <= ANSWER_TTL_MAX);
	assert(a.chain_len <= ANSWER_CHAIN_MAX);
	check_addresses(&a);
	answer_done(&a);
	return 0;
}
