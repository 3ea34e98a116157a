#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is wanted, in plain tables, and what the kernel's set has to be like then. */
#include "core/planning.h"
#include "sets_kernel.h"

enum { OWNERS = 3, SLOTS = CELLS * CELLS, HELD_MAX = 160 };

static struct {
	struct owner owners[OWNERS];
	uint8_t holders[SLOTS]; /* a bit for each owner */
	uint16_t held[HELD_MAX];
	unsigned held_count;
	uint8_t wanted[CELLS]; /* how many different keys want the cell */
	uint8_t linked[CELLS]; /* and how many of them the next cell as well */
	bool let_go[CELLS];    /* since all was last in step */
	bool leftover[CELLS];  /* may hold something of ours that nobody wants */
	bool settled;
	bool removes_foreign;
} oracle;

/* What is wanted: a cell, or two ends of a range. */
static inline struct shape shape_of_slot(unsigned slot)
{
	struct shape s;

	if (!has_ranges())
		return shape_of_cell(slot);
	s = shape_of_cell(slot / CELLS);
	s.a1 = (uint8_t)(slot % CELLS);
	return s;
}

/* --- what is wanted --- */

static inline void count_slot(unsigned slot, int by)
{
	struct shape s = shape_of_slot(slot);
	uint8_t cells[CELLS];
	unsigned n = cells_of(&s, cells);

	for (unsigned i = 0; i < n; i++) {
		oracle.wanted[cells[i]] = (uint8_t)(oracle.wanted[cells[i]] + by);
		if (i + 1 < n)
			oracle.linked[cells[i]] = (uint8_t)(oracle.linked[cells[i]] + by);
	}
}

static inline void note_let_go(unsigned slot)
{
	struct shape s = shape_of_slot(slot);
	uint8_t cells[CELLS];

	for (unsigned n = cells_of(&s, cells); n > 0; n--) {
		const struct kernel_element *e = kernel_at(&kernel.now, cells[n - 1]);
		oracle.let_go[cells[n - 1]] = true;
		/* A box of an earlier run is not let go with a key in it. */
		if (has_ranges() || !e || is_single(&e->at))
			oracle.leftover[cells[n - 1]] = false;
	}
}

static inline void oracle_hold(struct wanted *w, unsigned slot, unsigned owner)
{
	struct shape s = shape_of_slot(slot);
	struct element_key key = key_of(&s);
	bool first = !oracle.holders[slot];

	HOLDS(wanted_hold(w, &key, &oracle.owners[owner], "answer", 60) == first);
	oracle.holders[slot] |= (uint8_t)(1U << owner);
	if (first) {
		oracle.held[oracle.held_count++] = (uint16_t)slot;
		count_slot(slot, 1);
	}
}

static inline void forget_held(unsigned slot)
{
	unsigned i = 0;

	while (oracle.held[i] != slot)
		i++;
	oracle.held[i] = oracle.held[--oracle.held_count];
	oracle.holders[slot] = 0;
	count_slot(slot, -1);
	note_let_go(slot);
}

static inline void oracle_release(struct wanted *w, unsigned slot, unsigned owner)
{
	struct shape s = shape_of_slot(slot);
	struct element_key key = key_of(&s);
	unsigned left = oracle.holders[slot] & ~(1U << owner);
	bool last = oracle.holders[slot] && !left;

	HOLDS(wanted_release(w, &key, &oracle.owners[owner], "linger") == last);
	if (last)
		forget_held(slot);
	else
		oracle.holders[slot] = (uint8_t)left;
}

/* Into a new one, as after a reload, or when the set was made anew with another kind. */
static inline void oracle_fill(struct wanted *w)
{
	for (unsigned i = 0; i < oracle.held_count; i++) {
		struct shape s = shape_of_slot(oracle.held[i]);
		struct element_key key = key_of(&s);
		for (unsigned o = 0; o < OWNERS; o++) {
			if (oracle.holders[oracle.held[i]] & 1U << o)
				wanted_hold(w, &key, &oracle.owners[o], "reload", 60);
		}
	}
}

/* --- what should stand --- */

/* Is that cell in the same piece of what is wanted as the next one? */
static inline bool joins_next(unsigned c)
{
	if (!has_ranges() || c + 1 >= CELLS)
		return false;
	return kernel.kind.auto_merge ? oracle.wanted[c] && oracle.wanted[c + 1] : oracle.linked[c];
}

/* All of it, by one element that could be ours? */
static inline bool is_wanted_whole(const struct shape *s)
{
	if (has_ranges()) {
		for (unsigned a = s->a0; a < s->a1; a++) {
			if (!joins_next(a))
				return false;
		}
		return oracle.wanted[s->a0];
	}
	return is_single(s) && oracle.wanted[cell_of(s->a0, s->p0, s->q0)];
}

static inline bool has_to_go(const struct kernel_element *e)
{
	return !e->ours && oracle.removes_foreign && !is_wanted_whole(&e->at);
}

/* Somebody else's that stays? */
static inline bool is_taken(struct kernel_set *s, unsigned c)
{
	const struct kernel_element *e = kernel_at(s, c);

	return e && !e->ours && !has_to_go(e);
}

static inline bool is_due(struct kernel_set *s, unsigned c)
{
	return oracle.wanted[c] && !is_taken(s, c);
}

static inline bool is_one_piece(struct kernel_set *s, unsigned c)
{
	return joins_next(c) && is_due(s, c) && is_due(s, c + 1);
}

/* Exactly an element that should stand, where nothing is left over? */
static inline bool is_piece(struct kernel_set *s, const struct shape *at)
{
	if (!has_ranges())
		return is_single(at) && is_due(s, cell_of(at->a0, at->p0, at->q0));
	for (unsigned a = at->a0; a < at->a1; a++) {
		if (!is_one_piece(s, a))
			return false;
	}
	return is_due(s, at->a0) && (at->a0 == 0 || !is_one_piece(s, at->a0 - 1U)) &&
	       !is_one_piece(s, at->a1);
}

static inline bool is_ours(struct kernel_set *s, unsigned c)
{
	const struct kernel_element *e = kernel_at(s, c);

	return e && e->ours;
}

/* --- a batch of the daemon's, before it is in force --- */

static inline void check_deleted(
	const struct kernel_element *e, bool guarded, bool leaves_out, bool renewed, bool differs)
{
	uint8_t cells[CELLS];
	bool let_go = false, wanted = false, all_there = true;
	unsigned n = cells_of(&e->at, cells);

	for (unsigned i = 0; i < n; i++) {
		bool there = kernel.next.by_cell[cells[i]] >= 0;
		let_go |= oracle.let_go[cells[i]];
		wanted |= oracle.wanted[cells[i]] != 0;
		all_there &= there;
		/* What stays wanted is never missing, not even for one batch; but in a box that
		 * expired without a word. */
		HOLDS(leaves_out || there || !oracle.wanted[cells[i]] || kernel.now.gone_count);
	}
	if (renewed) {
		HOLDS(e->ours && all_there);
		return;
	}
	if (!e->ours) {
		/* Unguarded, theirs may have taken the place of ours since it was planned. */
		HOLDS(has_to_go(e) || (differs && !guarded));
		counts.mistaken += !has_to_go(e);
		return;
	}
	/* Of an earlier run: until all was heard it leaves only with what was let go. */
	HOLDS(oracle.settled || let_go || all_there || leaves_out);
	counts.reshaped += wanted;
	HOLDS(!wanted || has_ranges() || !is_single(&e->at));
	/* Only what changes its shape is deleted and added. */
	const struct kernel_element *now = kernel_overlapping(&kernel.next, &e->at);
	HOLDS(!now || !shape_eq(&now->at, &e->at));
	HOLDS(!guarded || !oracle.settled || leaves_out || !is_piece(&kernel.now, &e->at));
}

/* Nothing is allowed that nobody wants, but what stood there already. */
static inline void check_added(const struct shape *at)
{
	uint8_t cells[CELLS];

	for (unsigned n = cells_of(at, cells); n > 0; n--)
		HOLDS(oracle.wanted[cells[n - 1]] ||
			(!oracle.settled && is_ours(&kernel.now, cells[n - 1])));
}

/* --- when there is nothing more to do --- */

static inline void check_copy(const struct live *l)
{
	size_t ours = 0, boxes = 0;

	HOLDS(live_count(l) == kernel.now.count);
	for (unsigned i = 0; i < kernel.now.count; i++) {
		const struct kernel_element *e = &kernel.now.items[i];
		struct element_key key = key_of(&e->at);
		const struct live_element *copy = live_find(l, &key);
		HOLDS(copy);
		HOLDS(copy->ours == e->ours && copy->expires == e->expires);
		ours += copy->ours;
		boxes += !is_single(&e->at);
	}
	HOLDS(l->ours == ours);
	HOLDS(l->order.count == (has_ranges() ? kernel.now.count : 0));
	HOLDS(l->boxes.count == (set_kind_has_boxes(&kernel.kind) ? boxes : 0));
}

/* It may hold what expired meanwhile, and nothing else that the set has not. */
static inline void check_stale_copy(const struct live *l)
{
	size_t more = 0;

	for (unsigned i = 0; i < kernel.now.count; i++) {
		struct element_key key = key_of(&kernel.now.items[i].at);
		HOLDS(live_find(l, &key));
	}
	for (unsigned i = 0; i < kernel.now.gone_count; i++) {
		struct element_key key = key_of(&kernel.now.gone[i]);
		const struct kernel_element *e =
			kernel_overlapping(&kernel.now, &kernel.now.gone[i]);
		bool is_back = e && shape_eq(&e->at, &kernel.now.gone[i]);
		for (unsigned j = 0; j < i; j++)
			is_back |= shape_eq(&kernel.now.gone[i], &kernel.now.gone[j]);
		more += !is_back && live_find(l, &key);
	}
	HOLDS(live_count(l) == kernel.now.count + more);
}

static inline bool copy_differs(const struct live *l)
{
	if (live_count(l) != kernel.now.count)
		return true;
	for (unsigned i = 0; i < kernel.now.count; i++) {
		const struct kernel_element *e = &kernel.now.items[i];
		struct element_key key = key_of(&e->at);
		const struct live_element *copy = live_find(l, &key);
		if (!copy || copy->ours != e->ours || copy->expires != e->expires)
			return true;
	}
	return false;
}

static inline void check_wanted(const struct wanted *w)
{
	size_t pieces = 0;

	for (unsigned c = 0; c < CELLS; c++)
		pieces += oracle.wanted[c] && (c == 0 || !joins_next(c - 1));
	HOLDS(wanted_count(w) == pieces);
	HOLDS(w->count == oracle.held_count);
	HOLDS(!has_ranges() || w->order.count == oracle.held_count);
	HOLDS(w->dirty_count == 0);
	unsigned i = oracle.held_count ? random_below(oracle.held_count) : 0;
	if (!oracle.held_count)
		return;
	struct shape s = shape_of_slot(oracle.held[i]);
	struct element_key key = key_of(&s);
	const struct want *want = wanted_find(w, &key);
	HOLDS(want && want->count == (uint32_t)__builtin_popcount(oracle.holders[oracle.held[i]]));
}

static inline void check_element(const struct kernel_element *e)
{
	bool whole = is_wanted_whole(&e->at);

	HOLDS(e->ours || !has_to_go(e));
	if (!e->ours)
		return;
	HOLDS(!whole || e->expires == (kernel.kind.fuse_ms > 0));
	HOLDS(!oracle.settled || is_piece(&kernel.now, &e->at));
}

/* `full`: not all has room. */
static inline void check_kernel(bool full, uint32_t room)
{
	struct kernel_set *s = &kernel.now;

	for (unsigned i = 0; i < s->count; i++)
		check_element(&s->items[i]);
	for (unsigned c = 0; c < CELLS; c++) {
		HOLDS(full || !oracle.wanted[c] || s->by_cell[c] >= 0);
		HOLDS(!is_ours(s, c) || oracle.wanted[c] ||
			(!oracle.settled && oracle.leftover[c]));
	}
	HOLDS(!full || s->count >= room);
	memset(oracle.let_go, 0, sizeof(oracle.let_go));
}
