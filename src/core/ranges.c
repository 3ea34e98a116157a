/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ranges in a red-black tree, and what can be said of two of them. Addresses are in network order,
 * so that memcmp() compares them. */
#include "core/ranges.h"

#include "base/mem.h"

#include <assert.h>
#include <bsd/sys/tree.h>
#include <endian.h>
#include <sanitizer/asan_interface.h>
#include <string.h>

/* A walk through the tree costs what it touches in memory: each range is one line of the cache. */
enum { CACHE_LINE = 64, POOL_RANGES = 63 };

struct range {
	RB_ENTRY(range) node;
	/* The beginning of the key as a number. Of IPv4 it is the whole key. */
	uint64_t weight;
	const struct element_key *key;
	void *item;
};

struct ranges_pool {
	_Alignas(CACHE_LINE) struct ranges_pool *next;
	struct {
		_Alignas(CACHE_LINE) struct range range;
	} places[POOL_RANGES];
};
static_assert(sizeof(struct ranges_pool) == (POOL_RANGES + 1) * CACHE_LINE, "one line a range");

static uint64_t weight_of(const struct element_key *key)
{
	uint64_t weight;

	memcpy(&weight, key->bytes, sizeof(weight));
	return be64toh(weight);
}

static void set_key(struct range *range, const struct element_key *key)
{
	range->key = key;
	range->weight = weight_of(key);
}

static size_t half(const struct element_key *key)
{
	return key->len / 2;
}

static const uint8_t *last_of(const struct element_key *key)
{
	return key->bytes + half(key);
}

/* In network order. Those of IPv4 are compared too often for a call each. */
static int address_cmp(const uint8_t *a, const uint8_t *b, size_t len)
{
	uint32_t x, y;

	if (len != sizeof(x))
		return memcmp(a, b, len);
	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return be32toh(x) < be32toh(y) ? -1 : x != y;
}

static int compare(const struct range *a, const struct range *b)
{
	if (a->weight != b->weight)
		return a->weight < b->weight ? -1 : 1;
	if (a->key->len == sizeof(a->weight))
		return 0;
	return element_key_cmp(a->key, b->key);
}

static bool overlaps(const struct range *r, const struct element_key *span)
{
	/* Of IPv4 it is all in the weight: keys are elsewhere in memory. */
	if (span->len != sizeof(r->weight))
		return range_place(r->key, span) == 0;
	uint64_t weight = weight_of(span);
	return r->weight >> 32 <= (uint32_t)weight && (uint32_t)r->weight >= weight >> 32;
}

/* To the end of `span`, or further. */
static bool reaches(const struct range *r, const struct element_key *span)
{
	if (span->len != sizeof(r->weight))
		return address_cmp(last_of(r->key), last_of(span), half(span)) >= 0;
	return (uint32_t)r->weight >= (uint32_t)weight_of(span);
}

/* The header uses it and, on Linux, does not define it. */
#define __unused __attribute__((__unused__))
RB_HEAD(range_tree, range);
RB_GENERATE_STATIC(range_tree, range, node, compare)
#undef __unused

static struct range_tree tree_of(const struct ranges *r)
{
	return (struct range_tree){.rbh_root = r->root};
}

/* --- where ranges are kept --- */

static void free_place(struct ranges *r, struct range *range)
{
	range->item = r->free;
	r->free = range;
	ASAN_POISON_MEMORY_REGION(range, sizeof(*range));
}

static struct range *take_place(struct ranges *r)
{
	if (!r->free) {
		struct ranges_pool *pool = xaligned_alloc(CACHE_LINE, sizeof(*pool));
		pool->next = r->pools;
		r->pools = pool;
		for (size_t i = POOL_RANGES; i > 0; i--)
			free_place(r, &pool->places[i - 1].range);
	}
	struct range *range = r->free;
	ASAN_UNPOISON_MEMORY_REGION(range, sizeof(*range));
	r->free = range->item;
	return range;
}

/* --- the tree --- */

const struct range *ranges_put(struct ranges *r, const struct element_key *key, void *item)
{
	struct range_tree t = tree_of(r);
	struct range *range = take_place(r);

	set_key(range, key);
	range->item = item;
	const struct range *same = RB_INSERT(range_tree, &t, range);
	assert(!same);
	r->count++;
	r->root = t.rbh_root;
	return range;
}

void ranges_remove(struct ranges *r, const struct range *range)
{
	struct range_tree t = tree_of(r);
	struct range *entry = (struct range *)(uintptr_t)range;

	RB_REMOVE(range_tree, &t, entry);
	free_place(r, entry);
	r->count--;
	r->root = t.rbh_root;
}

void ranges_done(struct ranges *r)
{
	while (r->pools) {
		struct ranges_pool *next = r->pools->next;
		free(r->pools);
		r->pools = next;
	}
	*r = RANGES_NULL;
}

struct place {
	uint64_t weight;
	const struct element_key *key;
};

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->weight != y->weight)
		return x->weight < y->weight ? -1 : 1;
	return element_key_cmp(x->key, y->key);
}

void ranges_sort(const struct element_key **spans, size_t count)
{
	_cleanup_free_ struct place *places = xcalloc(count + 1, sizeof(*places));

	for (size_t i = 0; i < count; i++)
		places[i] = (struct place){weight_of(spans[i]), spans[i]};
	qsort(places, count, sizeof(*places), by_place);
	for (size_t i = 0; i < count; i++)
		spans[i] = places[i].key;
}

void ranges_warm(const struct ranges *r, const struct element_key *const *spans, size_t count)
{
	enum { TOGETHER = 8 };

	for (size_t i = 0; r->root && i < count; i += TOGETHER) {
		size_t n = count - i < TOGETHER ? count - i : TOGETHER;
		const struct range *at[TOGETHER];
		uint64_t weights[TOGETHER];
		bool more = true;
		for (size_t k = 0; k < n; k++) {
			at[k] = r->root;
			weights[k] = weight_of(spans[i + k]);
		}
		while (more) {
			more = false;
			for (size_t k = 0; k < n; k++) {
				if (!at[k])
					continue;
				at[k] = weights[k] < at[k]->weight ? RB_LEFT(at[k], node)
								   : RB_RIGHT(at[k], node);
				__builtin_prefetch(at[k]);
				more |= at[k] != NULL;
			}
		}
	}
}

const struct range *ranges_first(const struct ranges *r)
{
	struct range_tree t = tree_of(r);

	return RB_MIN(range_tree, &t);
}

const struct range *ranges_next(const struct range *range)
{
	return RB_NEXT(range_tree, NULL, (struct range *)(uintptr_t)range);
}

const struct range *ranges_next_over(const struct range *range, const struct element_key *span)
{
	/* It would lie behind: spares a look at another line. */
	if (reaches(range, span))
		return NULL;
	const struct range *next = ranges_next(range);
	return next && overlaps(next, span) ? next : NULL;
}

const struct range *ranges_from(const struct ranges *r, const struct element_key *span)
{
	struct range_tree t = tree_of(r);
	struct element_key first = *span;
	struct range wanted;

	memset(first.bytes + half(span), 0, half(span));
	set_key(&wanted, &first);
	return RB_NFIND(range_tree, &t, &wanted);
}

const struct range *ranges_overlapping(const struct ranges *r, const struct element_key *span)
{
	struct range_tree t = tree_of(r);
	struct element_key last = *span;
	struct range behind;

	/* The last one that begins before `span` does, or there; then the one after it. */
	memset(last.bytes + half(span), 0xff, half(span));
	set_key(&behind, &last);
	struct range *next = RB_NFIND(range_tree, &t, &behind);
	struct range *before = next ? RB_PREV(range_tree, &t, next) : RB_MAX(range_tree, &t);
	if (before && overlaps(before, span))
		return before;
	return next && overlaps(next, span) ? next : NULL;
}

const struct element_key *range_key(const struct range *range)
{
	return range->key;
}

void *range_item(const struct range *range)
{
	return range->item;
}

/* --- keys --- */

int range_place(const struct element_key *a, const struct element_key *b)
{
	if (address_cmp(last_of(a), b->bytes, half(b)) < 0)
		return -1;
	return address_cmp(a->bytes, last_of(b), half(b)) > 0;
}

bool range_holds(const struct element_key *outer, const struct element_key *inner)
{
	return address_cmp(outer->bytes, inner->bytes, half(inner)) <= 0 &&
	       address_cmp(last_of(outer), last_of(inner), half(inner)) >= 0;
}

void range_join(struct element_key *span, const struct element_key *other)
{
	if (address_cmp(other->bytes, span->bytes, half(span)) < 0)
		memcpy(span->bytes, other->bytes, half(span));
	if (address_cmp(last_of(other), last_of(span), half(span)) > 0)
		memcpy(span->bytes + half(span), last_of(other), half(span));
}

/* False, and unchanged: it was the last address. */
static bool increment(uint8_t *address, size_t len)
{
	uint8_t copy[ELEMENT_KEY_MAX];

	memcpy(copy, address, len);
	for (size_t i = len; i > 0; i--) {
		if (++copy[i - 1]) {
			memcpy(address, copy, len);
			return true;
		}
	}
	return false;
}

/* False, and unchanged: it was the first address. */
static bool decrement(uint8_t *address, size_t len)
{
	uint8_t copy[ELEMENT_KEY_MAX];

	memcpy(copy, address, len);
	for (size_t i = len; i > 0; i--) {
		if (copy[i - 1]--) {
			memcpy(address, copy, len);
			return true;
		}
	}
	return false;
}

struct element_key range_widen(const struct element_key *key)
{
	struct element_key wide = *key;

	decrement(wide.bytes, half(key));
	increment(wide.bytes + half(key), half(key));
	return wide;
}

bool range_before(
	const struct element_key *key, const struct element_key *hole, struct element_key *ret)
{
	struct element_key k = *key;

	if (address_cmp(hole->bytes, key->bytes, half(key)) <= 0)
		return false;
	memcpy(k.bytes + half(key), hole->bytes, half(key));
	decrement(k.bytes + half(key), half(key));
	*ret = k;
	return true;
}

bool range_behind(
	const struct element_key *key, const struct element_key *hole, struct element_key *ret)
{
	struct element_key k = *key;

	if (address_cmp(last_of(hole), last_of(key), half(key)) >= 0)
		return false;
	memcpy(k.bytes, last_of(hole), half(key));
	increment(k.bytes, half(key));
	*ret = k;
	return true;
}

bool range_from_ends(
	const struct element_key *start, const struct element_key *behind, struct element_key *ret)
{
	struct element_key k = *start;

	k.len = (uint8_t)(2 * start->len);
	if (behind->len) {
		memcpy(k.bytes + start->len, behind->bytes, start->len);
		if (!decrement(k.bytes + start->len, start->len) ||
			address_cmp(k.bytes, k.bytes + start->len, start->len) > 0)
			return false;
	} else {
		memset(k.bytes + start->len, 0xff, start->len);
	}
	*ret = k;
	return true;
}

bool range_to_ends(const struct element_key *key, struct element_key *ret_start,
	struct element_key *ret_behind)
{
	struct element_key start = {.len = (uint8_t)half(key)}, behind = start;

	memcpy(start.bytes, key->bytes, half(key));
	memcpy(behind.bytes, last_of(key), half(key));
	*ret_start = start;
	if (!increment(behind.bytes, half(key)))
		return false;
	*ret_behind = behind;
	return true;
}
