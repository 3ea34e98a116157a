#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address ranges in order. A range is an element_key of a set of ranges: the first address, and
 * then the last one, which belongs to it; all of one length. Costs of everything are logarithmic.
 */
#include "allowsync/element.h"

#include <stdbool.h>
#include <stddef.h>

struct range;

struct ranges_pool;

struct ranges {
	void *root;
	size_t count;
	struct ranges_pool *pools; /* memory of all of them */
	struct range *free;        /* places in there */
};
#define RANGES_NULL ((struct ranges){0})

/* The key is borrowed: it must live as long as its entry, usually inside the item. None of the same
 * key may be there. */
const struct range *ranges_put(struct ranges *r, const struct element_key *key, void *item);
/* One that is there. */
void ranges_remove(struct ranges *r, const struct range *range);
/* Items are not touched. */
void ranges_done(struct ranges *r);

/* By where they begin, shorter ones first; all of one length. */
void ranges_sort(const struct element_key **spans, size_t count);
/* Before many of these are looked for: has what that touches in memory brought into the cache. One
 * look waits for each step of its way; here the ways of several are gone together. */
void ranges_warm(const struct ranges *r, const struct element_key *const *spans, size_t count);

/* By where they begin, shorter ones first; NULL: no more. A range is valid until it is removed. */
const struct range *ranges_first(const struct ranges *r);
const struct range *ranges_next(const struct range *range);
/* Of ranges that do not overlap each other: the next one, if it shares an address with `span`;
 * NULL: it does not. */
const struct range *ranges_next_over(const struct range *range, const struct element_key *span);
/* The first one that begins where `span` begins, or later. */
const struct range *ranges_from(const struct ranges *r, const struct element_key *span);
/* Of ranges that do not overlap each other: the first one that shares an address with `span`. */
const struct range *ranges_overlapping(const struct ranges *r, const struct element_key *span);
const struct element_key *range_key(const struct range *range);
void *range_item(const struct range *range);

/* --- on keys --- */

/* -1: `a` ends before `b` begins; 1: it begins behind it; 0: they overlap. */
int range_place(const struct element_key *a, const struct element_key *b);
/* Does `outer` hold all of `inner`? */
bool range_holds(const struct element_key *outer, const struct element_key *inner);
/* Makes `span` begin and end where the outer of the two does. */
void range_join(struct element_key *span, const struct element_key *other);
/* One address more at each end, where there is one: what overlaps that touches `key`. */
struct element_key range_widen(const struct element_key *key);
/* Cuts `key` at `hole`, which overlaps it: what is left before it, and behind it. False: nothing.
 */
bool range_before(
	const struct element_key *key, const struct element_key *hole, struct element_key *ret);
bool range_behind(
	const struct element_key *key, const struct element_key *hole, struct element_key *ret);
/* From the entries of the kernel: a start and the first address behind it. False when that is not
 * behind. An end without a length: up to the last address there is. */
bool range_from_ends(
	const struct element_key *start, const struct element_key *behind, struct element_key *ret);
/* The other way round. False: it reaches to the last address there is, so nothing is behind. */
bool range_to_ends(const struct element_key *key, struct element_key *ret_start,
	struct element_key *ret_behind);
