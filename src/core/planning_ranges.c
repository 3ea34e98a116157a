/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ranges of addresses: wanted is a union of them, and it stands around what is not ours. Whatever
 * is planned is planned for a whole stretch, beyond which nothing wanted or standing reaches. */
#include "core/planning_parts.h"

#include "base/mem.h"

#include <string.h>

/* Ranges that do not overlap, in order. */
struct pieces {
	struct element_key *items;
	size_t count, capacity;
};

struct sweep {
	struct planning_part *t;
	const struct planning *in;
	const struct element_key *stretch; /* NULL: everything */
	struct pieces released;            /* what was let go, and not committed yet */
	struct pieces kept;                /* wanted by nobody, but it waits for DNS to speak */
	size_t kept_at;
	/* Where the walks along the stretch are; false, NULL: at its end. */
	struct wanted_piece piece;
	bool has_piece;
	const struct range *ours, *others;
};

static void put_piece(struct pieces *p, const struct element_key *key)
{
	VEC_GROW(p->items, p->capacity, p->count);
	p->items[p->count++] = *key;
}

/* Dirty keys may be older than the set's kind: it was made anew meanwhile. */
static bool fits(const struct set_kind *kind, const struct element_key *key)
{
	return key->len == 2 * set_kind_key_len(kind);
}

static void take_released(struct pieces *p, const struct wanted *w, const struct set_kind *kind)
{
	size_t last = 0;

	for (size_t i = 0; i < w->dirty_count; i++) {
		const struct want *want = w->dirty[i].want;
		if (!want->count && fits(kind, &want->key))
			put_piece(p, &want->key);
	}
	if (!p->count)
		return;
	qsort(p->items, p->count, sizeof(*p->items), element_key_order);
	for (size_t i = 1; i < p->count; i++) {
		if (range_place(&p->items[last], &p->items[i]) == 0)
			range_join(&p->items[last], &p->items[i]);
		else
			p->items[++last] = p->items[i];
	}
	p->count = last + 1;
}

/* --- walks along the stretch --- */

static const struct range *next(const struct sweep *s, const struct range *at)
{
	return s->stretch ? ranges_next_over(at, s->stretch) : ranges_next(at);
}

static void next_piece(struct sweep *s)
{
	const struct wanted *w = s->in->wanted;

	s->has_piece = s->stretch ? wanted_next_piece_over(w, s->stretch, &s->piece)
				  : wanted_next_piece(w, &s->piece);
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
	struct wanted_piece p;

	return wanted_piece_over(s->in->wanted, key, &p) && range_holds(p.key, key);
}

static bool is_removed(const struct sweep *s, const struct live_element *e)
{
	return !e->ours && s->in->remove_foreign && !is_wanted(s, &e->key);
}

static bool is_others(const struct sweep *s, const struct live_element *e)
{
	return !e->ours && !is_removed(s, e);
}

/* Without what was let go of it. `at`: where to begin in there; both go along. */
static void keep(struct sweep *s, const struct element_key *key, size_t *at)
{
	const struct pieces *released = &s->released;
	struct element_key left = *key, before;

	while (*at < released->count && range_place(&released->items[*at], &left) < 0)
		++*at;
	for (size_t i = *at; i < released->count && range_place(&released->items[i], &left) == 0;
		i++) {
		if (range_before(&left, &released->items[i], &before))
			put_piece(&s->kept, &before);
		if (!range_behind(&left, &released->items[i], &left))
			return;
	}
	put_piece(&s->kept, &left);
}

static void collect_kept(struct sweep *s, const struct range *first)
{
	size_t at = 0;

	s->kept.count = s->kept_at = 0;
	for (const struct range *r = first; r && !s->in->delete_unowned; r = next(s, r)) {
		if (is_ours(s, range_item(r)))
			keep(s, range_key(r), &at);
	}
}

/* The next piece of what should be there: wanted, kept, or a union of both where they overlap.
 * False: no more. */
static bool next_source(struct sweep *s, struct element_key *ret)
{
	bool has = false;

	for (;;) {
		const struct element_key *wanted = s->has_piece ? s->piece.key : NULL;
		const struct element_key *kept =
			s->kept_at < s->kept.count ? &s->kept.items[s->kept_at] : NULL;
		bool is_kept = kept && (!wanted || element_key_cmp(kept, wanted) < 0);
		const struct element_key *first = is_kept ? kept : wanted;
		if (!first || (has && range_place(first, ret) != 0))
			return has;
		if (has)
			range_join(ret, first);
		else
			*ret = *first;
		has = true;
		if (is_kept)
			s->kept_at++;
		else
			next_piece(s);
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
		planning_lean_on(s->t, range_item(s->others));
		if (range_before(&left, hole, &before))
			take_piece(s, &before);
		if (!range_behind(&left, hole, &left))
			return;
		s->others = skip_to(s, next(s, s->others), is_others);
	}
	take_piece(s, &left);
}

/* The sweep's piece, and `first`: what is wanted and what stands there, from the beginning of the
 * stretch on. */
static void plan_stretch(
	struct sweep *s, const struct element_key *stretch, const struct range *first)
{
	struct element_key source = {0};

	s->stretch = stretch;
	collect_kept(s, first);
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

/* Both return true when the stretch became larger, and say what comes first in it. */
static bool stretch_over_wanted(struct element_key *stretch, struct sweep *s)
{
	struct element_key before = *stretch;
	struct wanted_piece p;

	s->has_piece = wanted_piece_over(s->in->wanted, stretch, &s->piece);
	p = s->piece;
	for (bool more = s->has_piece; more;
		more = wanted_next_piece_over(s->in->wanted, stretch, &p))
		range_join(stretch, p.key);
	return !element_key_eq(&before, stretch);
}

static bool stretch_over_live(
	struct element_key *stretch, const struct ranges *live, const struct range **ret_first)
{
	struct element_key before = *stretch;

	*ret_first = ranges_overlapping(live, stretch);
	for (const struct range *r = *ret_first; r; r = ranges_next_over(r, stretch))
		range_join(stretch, range_key(r));
	return !element_key_eq(&before, stretch);
}

static void sweep_done(struct sweep *s)
{
	free(s->released.items);
	free(s->kept.items);
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
		s.has_piece = wanted_first_piece(w, &s.piece);
		plan_stretch(&s, NULL, ranges_first(&t->in->live->order));
		sweep_done(&s);
		return;
	}
	_cleanup_free_ const struct element_key **keys = xcalloc(w->dirty_count + 1, sizeof(*keys));
	size_t count = 0;
	for (size_t i = 0; i < w->dirty_count; i++) {
		if (fits(t->in->kind, &w->dirty[i].want->key))
			keys[count++] = &w->dirty[i].want->key;
	}
	ranges_sort(keys, count);
	ranges_warm(&w->order, keys, count);
	ranges_warm(&t->in->live->order, keys, count);
	for (size_t i = 0; i < count;) {
		const struct range *first;
		bool more = true;
		for (stretch = *keys[i++]; more;) {
			more = stretch_over_wanted(&stretch, &s);
			more |= stretch_over_live(&stretch, &t->in->live->order, &first);
			for (; i < count && range_place(keys[i], &stretch) == 0; i++) {
				range_join(&stretch, keys[i]);
				more = true;
			}
		}
		plan_stretch(&s, &stretch, first);
	}
	sweep_done(&s);
}
