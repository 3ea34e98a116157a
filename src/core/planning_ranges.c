/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ranges of addresses: wanted is a union of them, and it stands around what is not ours. Whatever
 * is planned is planned for a whole stretch, beyond which nothing wanted or standing reaches. */
#include "core/planning_parts.h"

#include "base/mem.h"

#include <string.h>

/* What was let go and not committed yet, sorted; and how far those up to each reach. */
struct released {
	struct element_key *keys, *reach;
	size_t count;
};

struct sweep {
	struct planning_part *t;
	const struct planning *in;
	const struct element_key *stretch; /* NULL: everything */
	struct released released;
	/* Where the walks along the stretch are; NULL: at its end. */
	const struct range *cover, *kept, *ours, *others;
};

/* Dirty keys may be older than the set's kind: it was made anew meanwhile. */
static bool fits(const struct set_kind *kind, const struct element_key *key)
{
	return key->len == 2 * set_kind_key_len(kind);
}

static void take_released(struct released *r, const struct wanted *w, const struct set_kind *kind)
{
	r->keys = xcalloc(w->dirty_count + 1, sizeof(*r->keys));
	r->reach = xcalloc(w->dirty_count + 1, sizeof(*r->reach));
	for (size_t i = 0; i < w->dirty_count; i++) {
		const struct want *want = w->dirty[i].want;
		if (!want->count && fits(kind, &want->key))
			r->keys[r->count++] = want->key;
	}
	if (r->count)
		qsort(r->keys, r->count, sizeof(*r->keys), element_key_order);
	for (size_t i = 0; i < r->count; i++) {
		r->reach[i] = r->keys[i];
		if (i)
			range_join(&r->reach[i], &r->reach[i - 1]);
	}
}

static void released_done(struct released *r)
{
	free(r->keys);
	free(r->reach);
}

static bool was_released(const struct released *r, const struct element_key *key)
{
	size_t low = 0, high = r->count;

	/* The last one that does not begin behind it: those up to there reach the furthest. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (range_place(&r->keys[middle], key) > 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low && range_place(&r->reach[low - 1], key) == 0;
}

/* --- walks along the stretch --- */

static const struct range *begin(const struct sweep *s, const struct ranges *r)
{
	return s->stretch ? ranges_overlapping(r, s->stretch) : ranges_first(r);
}

static const struct range *next(const struct sweep *s, const struct range *at)
{
	at = ranges_next(at);
	return at && s->stretch && range_place(range_key(at), s->stretch) != 0 ? NULL : at;
}

/* Wanted by nobody, but it has to wait until DNS has spoken. */
static bool is_kept(const struct sweep *s, const struct live_element *e)
{
	return e->ours && !s->in->delete_unowned && !was_released(&s->released, &e->key);
}

static const struct range *skip_to(const struct sweep *s, const struct range *at,
	bool (*is_meant)(const struct sweep *s, const struct live_element *e))
{
	while (at && !is_meant(s, range_item(at)))
		at = next(s, at);
	return at;
}

static bool is_ours(const struct sweep *s, const struct live_element *e)
{
	return e->ours;
}

/* Is all of it wanted? */
static bool is_wanted(const struct sweep *s, const struct element_key *key)
{
	const struct range *r = ranges_overlapping(&s->in->wanted->cover, key);

	return r && range_holds(range_key(r), key);
}

static bool is_removed(const struct sweep *s, const struct live_element *e)
{
	return !e->ours && s->in->remove_foreign && !is_wanted(s, &e->key);
}

static bool is_others(const struct sweep *s, const struct live_element *e)
{
	return !e->ours && !is_removed(s, e);
}

/* The next piece of what should be there: wanted, kept, or a union of both where they overlap.
 * False: no more. */
static bool next_source(struct sweep *s, struct element_key *ret)
{
	bool has = false;

	for (;;) {
		const struct range *first = s->cover;
		if (!first ||
			(s->kept && element_key_cmp(range_key(s->kept), range_key(first)) < 0))
			first = s->kept;
		if (!first)
			return has;
		if (has && range_place(range_key(first), ret) != 0)
			return true;
		if (has)
			range_join(ret, range_key(first));
		else
			*ret = *range_key(first);
		has = true;
		if (first == s->cover)
			s->cover = next(s, s->cover);
		else
			s->kept = skip_to(s, next(s, s->kept), is_kept);
	}
}

/* --- what is there against what should be --- */

/* `piece` should be there as one element, and comes behind all pieces before it. */
static void take_piece(struct sweep *s, const struct element_key *piece)
{
	while (s->ours && element_key_cmp(range_key(s->ours), piece) < 0) {
		planning_delete(s->t, range_key(s->ours));
		s->ours = skip_to(s, next(s, s->ours), is_ours);
	}
	if (s->ours && element_key_eq(range_key(s->ours), piece)) {
		planning_keep(s->t, range_item(s->ours));
		s->ours = skip_to(s, next(s, s->ours), is_ours);
	} else {
		planning_add(s->t, piece);
	}
}

/* In the gaps between what is not ours. */
static void take_source(struct sweep *s, const struct element_key *source)
{
	struct element_key left = *source, before;

	while (s->others && range_place(range_key(s->others), &left) < 0)
		s->others = skip_to(s, next(s, s->others), is_others);
	while (s->others && range_place(range_key(s->others), &left) == 0) {
		const struct element_key *hole = range_key(s->others);
		if (range_before(&left, hole, &before))
			take_piece(s, &before);
		if (!range_behind(&left, hole, &left))
			return;
		s->others = skip_to(s, next(s, s->others), is_others);
	}
	take_piece(s, &left);
}

static void plan_stretch(struct sweep *s, const struct element_key *stretch)
{
	const struct live *l = s->in->live;
	struct element_key source = {0};

	s->stretch = stretch;
	s->cover = begin(s, &s->in->wanted->cover);
	const struct range *first = begin(s, &l->order);
	s->kept = skip_to(s, first, is_kept);
	s->ours = skip_to(s, first, is_ours);
	s->others = skip_to(s, first, is_others);
	for (const struct range *r = first; r; r = next(s, r)) {
		if (is_removed(s, range_item(r)))
			planning_delete(s->t, range_key(r));
	}
	while (next_source(s, &source))
		take_source(s, &source);
	while (s->ours) {
		planning_delete(s->t, range_key(s->ours));
		s->ours = skip_to(s, next(s, s->ours), is_ours);
	}
}

/* True: it became larger. */
static bool stretch_over(struct element_key *stretch, const struct ranges *ranges)
{
	struct element_key before = *stretch;

	for (const struct range *r = ranges_overlapping(ranges, stretch);
		r && range_place(range_key(r), stretch) == 0; r = ranges_next(r))
		range_join(stretch, range_key(r));
	return !element_key_eq(&before, stretch);
}

void planning_ranges(struct planning_part *t, bool whole)
{
	const struct wanted *w = t->in->wanted;
	struct sweep s = {.t = t, .in = t->in};
	struct element_key stretch = {0};

	/* Only what waits for DNS asks for them. */
	if (!t->in->delete_unowned)
		take_released(&s.released, w, t->in->kind);
	if (whole) {
		plan_stretch(&s, NULL);
		released_done(&s.released);
		return;
	}
	_cleanup_free_ struct element_key *keys = xcalloc(w->dirty_count + 1, sizeof(*keys));
	size_t count = 0;
	for (size_t i = 0; i < w->dirty_count; i++) {
		if (fits(t->in->kind, &w->dirty[i].want->key))
			keys[count++] = w->dirty[i].want->key;
	}
	if (count)
		qsort(keys, count, sizeof(*keys), element_key_order);
	for (size_t i = 0; i < count;) {
		bool more = true;
		for (stretch = keys[i++]; more;) {
			more = stretch_over(&stretch, &w->cover);
			more |= stretch_over(&stretch, &t->in->live->order);
			for (; i < count && range_place(&keys[i], &stretch) == 0; i++) {
				range_join(&stretch, &keys[i]);
				more = true;
			}
		}
		plan_stretch(&s, &stretch);
	}
	released_done(&s.released);
}
