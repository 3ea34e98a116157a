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

static void cover_put(struct wanted *w, const struct element_key *key)
{
	struct element_key piece = *key;
	const struct range *r;

	for (;;) {
		struct element_key reach = w->joins ? range_widen(&piece) : piece;
		r = ranges_overlapping(&w->cover, &reach);
		if (!r)
			break;
		if (range_holds(range_key(r), &piece))
			return;
		struct element_key old = *range_key(r);
		range_join(&piece, &old);
		ranges_remove(&w->cover, &old);
	}
	ranges_put(&w->cover, &piece, NULL);
}

static void order_put(struct wanted *w, struct want *want)
{
	if (!w->ranged)
		return;
	ranges_put(&w->order, &want->key, want);
	cover_put(w, &want->key);
}

/* Only the piece that it was in can change: made anew from what begins in there. */
static void order_remove(struct wanted *w, const struct element_key *key)
{
	if (!w->ranged)
		return;
	ranges_remove(&w->order, key);
	struct element_key piece = *range_key(ranges_overlapping(&w->cover, key));
	ranges_remove(&w->cover, &piece);
	for (const struct range *r = ranges_from(&w->order, &piece);
		r && range_place(range_key(r), &piece) == 0; r = ranges_next(r))
		cover_put(w, range_key(r));
}

void wanted_each_in(const struct wanted *w, const struct element_key *span,
	void (*fn)(const struct want *want, void *userdata), void *userdata)
{
	for (const struct range *piece = ranges_overlapping(&w->cover, span);
		piece && range_place(range_key(piece), span) == 0; piece = ranges_next(piece))
		for (const struct range *r = ranges_from(&w->order, range_key(piece));
			r && range_place(range_key(r), range_key(piece)) == 0 &&
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
	order_remove(w, key);
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
	return w->ranged ? w->cover.count : w->count;
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
	struct want *want;

	for (size_t at = 0; (want = map_next(&w->wants, &at));) {
		if (want->capacity)
			free(want->owners);
		free(want);
	}
	map_done(&w->wants);
	ranges_done(&w->order);
	ranges_done(&w->cover);
	free(w->dirty);
	*w = WANTED_NULL;
}
