/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys with their owners, and which of them changed. */
#include "core/wanted.h"

#include "base/mem.h"

#include <string.h>

enum { DIRTY_KEPT = 256 }; /* places for dirty keys that stay allocated between commits */

static struct want *find(const struct wanted *w, const struct element_key *key)
{
	return map_get(&w->wants, key->bytes, key->len);
}

static void forget(struct wanted *w, struct want *want)
{
	map_remove(&w->wants, want->key.bytes, want->key.len);
	if (want->capacity)
		free(want->owners);
	free(want);
}

static void mark_dirty(struct wanted *w, struct want *want, struct owner *cause, const char *reason,
	uint32_t ttl_s)
{
	if (!want->dirty) {
		VEC_GROW(w->dirty, w->dirty_capacity, w->dirty_count);
		want->dirty = (uint32_t)++w->dirty_count;
	}
	w->dirty[want->dirty - 1] =
		(struct dirty_key){.want = want, .cause = cause, .reason = reason, .ttl_s = ttl_s};
}

static uint32_t find_owner(const struct want *want, const struct owner *o)
{
	uint32_t i = 0;

	while (i < want->count && want->owners[i] != o)
		i++;
	return i;
}

static void add_owner(struct want *want, struct owner *o)
{
	if (want->count == 1 && !want->capacity) {
		want->capacity = 4;
		want->owners = xcalloc(want->capacity, sizeof(*want->owners));
		want->owners[0] = want->first;
	} else if (want->capacity && want->count == want->capacity) {
		want->capacity *= 2;
		want->owners = xreallocarray(want->owners, want->capacity, sizeof(*want->owners));
	}
	want->owners[want->count++] = o;
}

static struct want *find_or_make(struct wanted *w, const struct element_key *key)
{
	struct want *want = find(w, key);

	if (!want) {
		want = xcalloc(1, sizeof(*want));
		want->key = *key;
		want->owners = &want->first;
		map_put(&w->wants, want->key.bytes, want->key.len, want);
	}
	return want;
}

void wanted_set_kind(struct wanted *w, const struct set_kind *kind)
{
	w->ranged = set_kind_has_ranges(kind);
	w->joins = kind->auto_merge;
}

/* --- the union of ranges --- */

/* What begins at `r`, which nothing before it reaches. */
static bool piece_at(const struct wanted *w, const struct range *r, struct wanted_piece *ret)
{
	const struct range *joined;

	if (!r)
		return false;
	joined = w->joined.count ? ranges_overlapping(&w->joined, range_key(r)) : NULL;
	*ret = (struct wanted_piece){
		.key = range_key(joined ? joined : r), .alone = joined ? NULL : r};
	return true;
}

bool wanted_first_piece(const struct wanted *w, struct wanted_piece *ret)
{
	return piece_at(w, ranges_first(&w->order), ret);
}

bool wanted_piece_over(
	const struct wanted *w, const struct element_key *span, struct wanted_piece *ret)
{
	const struct range *joined = w->joined.count ? ranges_overlapping(&w->joined, span) : NULL;
	/* Wants overlap each other only within one that is joined, and that begins no later. */
	const struct range *alone = ranges_overlapping(&w->order, span);

	if (joined && (!alone || element_key_cmp(range_key(joined), range_key(alone)) < 0 ||
			      range_holds(range_key(joined), range_key(alone))))
		alone = NULL;
	if (!joined && !alone)
		return false;
	*ret = (struct wanted_piece){.key = range_key(alone ? alone : joined), .alone = alone};
	return true;
}

bool wanted_next_piece(const struct wanted *w, struct wanted_piece *piece)
{
	struct element_key start, behind;

	if (piece->alone)
		return piece_at(w, ranges_next(piece->alone), piece);
	if (!range_to_ends(piece->key, &start, &behind))
		return false;
	start = *piece->key;
	memcpy(start.bytes, behind.bytes, behind.len);
	return piece_at(w, ranges_from(&w->order, &start), piece);
}

bool wanted_next_piece_over(
	const struct wanted *w, const struct element_key *span, struct wanted_piece *piece)
{
	if (piece->alone)
		return piece_at(w, ranges_next_over(piece->alone, span), piece);
	return wanted_next_piece(w, piece) && range_place(piece->key, span) == 0;
}

static struct element_key reach_of(const struct wanted *w, const struct element_key *key)
{
	return w->joins ? range_widen(key) : *key;
}

static void put_joined(struct wanted *w, const struct element_key *key)
{
	struct element_key *copy = xmemdup(key, sizeof(*key));

	ranges_put(&w->joined, copy, copy);
}

static void remove_joined(struct wanted *w, const struct range *r)
{
	void *copy = range_item(r);

	ranges_remove(&w->joined, r);
	free(copy);
}

/* The key is about to come; two pieces that it reaches become one through it alone. */
static void join(struct wanted *w, const struct element_key *key)
{
	struct element_key reach = reach_of(w, key), whole = *key;
	struct wanted_piece piece, at;
	bool more = wanted_piece_over(w, &reach, &at);

	if (!more || (!at.alone && range_holds(at.key, key)))
		return;
	while (more) {
		piece = at;
		more = wanted_next_piece_over(w, &reach, &at);
		range_join(&whole, piece.key);
		if (!piece.alone)
			remove_joined(w, ranges_overlapping(&w->joined, piece.key));
	}
	put_joined(w, &whole);
}

static void order_put(struct wanted *w, struct want *want)
{
	if (!w->ranged)
		return;
	join(w, &want->key);
	want->range = ranges_put(&w->order, &want->key, want);
}

/* What is left in a piece that was joined: made anew from what begins in there. */
static void join_again(struct wanted *w, const struct element_key *piece)
{
	const struct range *r = ranges_from(&w->order, piece);

	while (r && range_place(range_key(r), piece) == 0) {
		struct element_key whole = *range_key(r), reach = reach_of(w, &whole);
		bool several = false;
		for (r = ranges_next(r); r && range_place(range_key(r), &reach) == 0;
			r = ranges_next(r)) {
			several = true;
			range_join(&whole, range_key(r));
			reach = reach_of(w, &whole);
		}
		if (several)
			put_joined(w, &whole);
	}
}

static void order_remove(struct wanted *w, struct want *want)
{
	const struct range *r;

	if (!w->ranged)
		return;
	ranges_remove(&w->order, want->range);
	want->range = NULL;
	r = w->joined.count ? ranges_overlapping(&w->joined, &want->key) : NULL;
	if (!r)
		return;
	struct element_key piece = *range_key(r);
	remove_joined(w, r);
	join_again(w, &piece);
}

void wanted_each_in(const struct wanted *w, const struct element_key *span,
	void (*fn)(const struct want *want, void *userdata), void *userdata)
{
	struct wanted_piece p;

	for (bool more = wanted_piece_over(w, span, &p); more;
		more = wanted_next_piece_over(w, span, &p))
		for (const struct range *r = ranges_from(&w->order, p.key);
			r && range_place(range_key(r), p.key) == 0 &&
			range_place(range_key(r), span) <= 0;
			r = ranges_next(r))
			if (range_place(range_key(r), span) == 0)
				fn(range_item(r), userdata);
}

bool wanted_hold(struct wanted *w, const struct element_key *key, struct owner *o,
	const char *reason, uint32_t ttl_s)
{
	struct want *want = find_or_make(w, key);

	if (find_owner(want, o) < want->count)
		return false;
	add_owner(want, o);
	if (want->count > 1)
		return false;
	w->count++;
	order_put(w, want);
	mark_dirty(w, want, o, reason, ttl_s);
	return true;
}

bool wanted_release(
	struct wanted *w, const struct element_key *key, struct owner *o, const char *reason)
{
	struct want *want = find(w, key);

	if (!want)
		return false;
	uint32_t i = find_owner(want, o);
	if (i == want->count)
		return false;
	want->count--;
	memmove(&want->owners[i], &want->owners[i + 1], (want->count - i) * sizeof(*want->owners));
	if (want->count)
		return false;
	w->count--;
	order_remove(w, want);
	mark_dirty(w, want, o, reason, 0);
	return true;
}

void wanted_note_missing(struct wanted *w, const struct element_key *key, uint64_t missing_ms)
{
	const struct want *want = find(w, key);

	if (want && want->dirty)
		w->dirty[want->dirty - 1].missing_ms = missing_ms;
}

const struct want *wanted_find(const struct wanted *w, const struct element_key *key)
{
	const struct want *want = find(w, key);

	return want && want->count ? want : NULL;
}

const struct want *wanted_next(const struct wanted *w, size_t *at)
{
	const struct want *want;

	do {
		want = map_next(&w->wants, at);
	} while (want && !want->count);
	return want;
}

size_t wanted_count(const struct wanted *w)
{
	struct wanted_piece p;
	size_t count = 0;

	if (!w->joined.count)
		return w->count;
	for (bool more = wanted_first_piece(w, &p); more; more = wanted_next_piece(w, &p))
		count++;
	return count;
}

void wanted_mark_dirty(struct wanted *w, const struct element_key *key, struct owner *cause,
	const char *reason, uint32_t ttl_s)
{
	mark_dirty(w, find_or_make(w, key), cause, reason, ttl_s);
}

const struct dirty_key *wanted_find_dirty(const struct wanted *w, const struct element_key *key)
{
	const struct want *want = find(w, key);

	return want && want->dirty ? &w->dirty[want->dirty - 1] : NULL;
}

bool wanted_is_dirty(const struct wanted *w, const struct element_key *key)
{
	return wanted_find_dirty(w, key);
}

void wanted_clear_dirty(struct wanted *w)
{
	for (size_t i = 0; i < w->dirty_count; i++) {
		struct want *want = w->dirty[i].want;
		want->dirty = 0;
		if (!want->count)
			forget(w, want);
	}
	w->dirty_count = 0;
	/* The first filling is much larger than what follows. */
	if (w->dirty_capacity > DIRTY_KEPT) {
		free(w->dirty);
		w->dirty = NULL;
		w->dirty_capacity = 0;
	}
}

void wanted_forget_owner(struct wanted *w, const struct owner *o)
{
	for (size_t i = 0; i < w->dirty_count; i++) {
		if (w->dirty[i].cause == o)
			w->dirty[i].cause = NULL;
	}
}

void wanted_done(struct wanted *w)
{
	const struct range *r;
	struct want *want;

	ranges_done(&w->order);
	while ((r = ranges_first(&w->joined)))
		remove_joined(w, r);
	ranges_done(&w->joined);
	for (size_t at = 0; (want = map_next(&w->wants, &at));) {
		if (want->capacity)
			free(want->owners);
		free(want);
	}
	map_done(&w->wants);
	free(w->dirty);
	*w = WANTED_NULL;
}
