/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers added up, or one of them chosen. */
#include "core/answer_union.h"

#include "base/mem.h"

#include <string.h>

static bool is_denial(const struct answer *a)
{
	return a->outcome == ANSWER_NODATA || a->outcome == ANSWER_NXDOMAIN;
}

/* The lower the better. */
static unsigned rank_of(const struct answer *a)
{
	if (a->outcome == ANSWER_OK || is_denial(a))
		return 0;
	return a->outcome == ANSWER_SERVFAIL ? 1 : 2;
}

static size_t choose(const struct answer *parts, size_t count)
{
	size_t best = 0;

	for (size_t i = 1; i < count; i++)
		if (rank_of(&parts[i]) < rank_of(&parts[best]))
			best = i;
	return best;
}

/* All but the addresses. */
static struct answer copy_frame(const struct answer *a)
{
	struct answer copy = *a;

	copy.addresses = NULL;
	copy.count = 0;
	for (size_t i = 0; i < a->chain_len; i++)
		copy.chain[i] = xstrdup(a->chain[i]);
	return copy;
}

static struct answer copy_of(const struct answer *a)
{
	struct answer copy = copy_frame(a);

	if (a->count > 0)
		copy.addresses = xmemdup(a->addresses, a->count * sizeof(*a->addresses));
	copy.count = a->count;
	return copy;
}

static void append(struct answer *to, const struct answer *from)
{
	to->addresses =
		xreallocarray(to->addresses, to->count + from->count + 1, sizeof(*to->addresses));
	if (from->count > 0)
		memcpy(to->addresses + to->count, from->addresses,
			from->count * sizeof(*from->addresses));
	to->count += from->count;
}

/* True: some are OK, and `ret` is their sum. */
static bool sum(const struct answer *parts, size_t count, bool every, struct answer *ret,
	uint64_t *ret_from)
{
	struct answer a = ANSWER_NULL;

	*ret_from = 0;
	for (size_t i = 0; i < count; i++) {
		const struct answer *part = &parts[i];

		if (part->outcome != ANSWER_OK)
			continue;
		if (!*ret_from)
			a = copy_frame(part);
		a.partial = a.partial || part->partial;
		if (part->ttl_s < a.ttl_s)
			a.ttl_s = part->ttl_s;
		append(&a, part);
		*ret_from |= UINT64_C(1) << i;
	}
	if (!*ret_from)
		return false;
	answer_settle(&a, true);
	a.partial = a.partial || !every;
	if (a.count > ANSWER_ADDRESSES_MAX) {
		enum family family = a.family;
		answer_done(&a);
		a.family = family;
		a.outcome = ANSWER_MALFORMED;
		a.why = ANSWER_TOO_MANY ", with those of all servers";
	}
	*ret = a;
	return true;
}

/* Failures are no word against it: that those who were heard lately are not among them is `every`.
 */
static bool is_contradicted(const struct answer *parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (parts[i].outcome == ANSWER_OK)
			return true;
	return false;
}

void answer_union(const struct answer *parts, size_t count, bool add_up, bool every,
	struct answer *ret, uint64_t *ret_from)
{
	*ret_from = 0;
	*ret = (struct answer){.outcome = ANSWER_TIMEOUT};
	if (count == 0 || (add_up && sum(parts, count, every, ret, ret_from)))
		return;
	size_t chosen = choose(parts, count);
	*ret_from = UINT64_C(1) << chosen;
	*ret = copy_of(&parts[chosen]);
	ret->of_all = is_denial(ret) && every && !is_contradicted(parts, count);
	for (size_t i = 0; ret->of_all && i < count; i++)
		if (is_denial(&parts[i]) && parts[i].ttl_s > ret->ttl_s)
			ret->ttl_s = parts[i].ttl_s;
}
