#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What others do to the set: nft by hand, scripts, reloads; each one a transaction of theirs. */
#include "sets_daemon.h"

static struct {
	unsigned storm; /* so many commits of the daemon's meet a change of theirs */
	bool cautious;  /* no element of theirs may be removed */
} others;

static inline uint8_t end_from(unsigned first, unsigned count)
{
	unsigned last = first;

	if (!chance(2))
		last += chance(6) ? random_below(count) : random_below(4);
	return (uint8_t)(last < count ? last : count - 1);
}

static inline struct shape any_shape(void)
{
	struct shape s = shape_of_cell(random_below(CELLS));

	if (!kernel.kind.interval)
		return s;
	s.a1 = end_from(s.a0, kernel.addresses);
	if (kernel.protocols > 1)
		s.p1 = end_from(s.p0, kernel.protocols);
	if (kernel.ports > 1)
		s.q1 = end_from(s.q0, kernel.ports);
	return s;
}

/* Often where there is room. */
static inline struct kernel_element any_new(bool ours)
{
	struct kernel_element e = {.ours = ours, .fresh = true};

	for (unsigned tries = 0; tries < 5; tries++) {
		e.at = any_shape();
		if (!kernel_overlapping(&kernel.next, &e.at))
			break;
	}
	e.expires = kernel.kind.has_timeout && chance(2);
	return e;
}

static inline void note_leftover(const struct kernel_element *e)
{
	uint8_t cells[CELLS];

	for (unsigned n = cells_of(&e->at, cells); e->ours && n > 0; n--)
		oracle.leftover[cells[n - 1]] = true;
}

static inline int put(struct kernel_element *e)
{
	int r;

	if (e->ours && set_kind_has_boxes(&kernel.kind) && !is_single(&e->at)) {
		e->ours = false;
		e->tagged = true;
		counts.tagged_boxes++;
	}

	if (has_ranges() && !kernel.next.null_end && kernel.base == 0 && chance(2) &&
		!kernel_at(&kernel.next, 0)) {
		struct set_entry end = null_end();
		kernel.next.null_end = true;
		tell_entry(true, &end);
	}
	r = kernel_add(e, chance(2) ? ADD_EXCL : ADD_PLAIN);
	if (r == 0)
		note_leftover(e);
	return r;
}

static inline int put_some(unsigned count, bool ours)
{
	int r = 0;

	while (r == 0 && count-- > 0) {
		struct kernel_element e = any_new(ours);
		r = put(&e);
	}
	return r;
}

static inline int remove_at(unsigned i)
{
	struct kernel_element gone, e = kernel.next.items[i];

	if (set_kind_has_boxes(&kernel.kind) && chance(2)) {
		/* By any key in it. */
		e.at.a0 = (uint8_t)(e.at.a0 + random_below(e.at.a1 - e.at.a0 + 1U));
		e.at.q0 = (uint8_t)(e.at.q0 + random_below(e.at.q1 - e.at.q0 + 1U));
	}
	return kernel_delete(&e.at, &gone);
}

static inline int remove_some(unsigned count)
{
	int r = 0;

	while (r == 0 && count-- > 0 && kernel.next.count)
		r = remove_at(random_below(kernel.next.count));
	return r;
}

/* Most of them, with or without our tag, in another order. */
static inline int put_back(const struct kernel_set *before)
{
	unsigned turn = random_below(CELLS), odds = 2 + random_below(20);
	bool tagged = !chance(3);
	int r = 0;

	for (unsigned i = 0; r == 0 && i < before->count; i++) {
		struct kernel_element e = before->items[(i + turn) % before->count];
		if (chance(odds))
			continue;
		e.ours = e.ours && tagged;
		e.fresh = true;
		e.expires = e.expires && kernel.kind.has_timeout;
		r = put(&e);
	}
	return r;
}

/* A set that is removed and made again: the elements that went are not told. */
static inline int make_again(const struct kernel_set *before)
{
	counts.recreations++;
	kernel_flush();
	kernel.made_count = 0;
	kernel.made[kernel.made_count++] = (struct notice){.kind = NOTICE_SET};
	if (kernel.kind.size && !kernel.counts_ends)
		kernel.kind.size = 8 + random_below(60);
	if (has_ranges() && chance(4))
		kernel.kind.auto_merge = !kernel.kind.auto_merge;
	return chance(2) ? put_back(before) : 0;
}

/* Theirs in place of others, in the same transaction. */
static inline int replace(void)
{
	struct kernel_element e = {.fresh = true, .ours = chance(4)}, *there;
	struct kernel_element gone;

	if (!kernel.next.count)
		return 0;
	e.at = any_shape();
	if (chance(2))
		e.at = kernel.next.items[random_below(kernel.next.count)].at;
	while ((there = kernel_overlapping(&kernel.next, &e.at))) {
		struct shape at = there->at;
		if (kernel_delete(&at, &gone) < 0)
			return -EBUSY;
	}
	return put(&e);
}

/* As nft does in a set with auto-merge. */
static inline int merge(void)
{
	struct kernel_element e = any_new(chance(3)), *there, gone;
	struct shape wide;

	do {
		wide = e.at;
		wide.a0 = (uint8_t)(wide.a0 - (wide.a0 > 0));
		wide.a1 = (uint8_t)(wide.a1 + (wide.a1 + 1U < kernel.addresses));
		there = kernel_overlapping(&kernel.next, &wide);
		if (there) {
			struct shape at = there->at;
			if (kernel_delete(&at, &gone) < 0)
				return -EBUSY;
			e.at.a0 = at.a0 < e.at.a0 ? at.a0 : e.at.a0;
			e.at.a1 = at.a1 > e.at.a1 ? at.a1 : e.at.a1;
			counts.merged++;
		}
	} while (there);
	return put(&e);
}

static inline int retime(void)
{
	if (!kernel.next.count || !kernel.kind.has_timeout)
		return 0;
	struct kernel_element e = kernel.next.items[random_below(kernel.next.count)];
	e.expires = !e.expires;
	counts.retimed++;
	return kernel_add(&e, ADD_PLAIN);
}

/* A start that nobody closes reaches to whatever comes next. */
static inline int open_start(void)
{
	struct kernel_element e = {
		.at = shape_of_cell(random_below(CELLS)), .fresh = true, .unclosed = true};

	if (kernel.next.by_cell[e.at.a0] >= 0)
		return 0;
	while (e.at.a1 + 1U < CELLS && kernel.next.by_cell[e.at.a1 + 1] < 0)
		e.at.a1++;
	if (e.at.a1 + 1U == CELLS)
		return 0;
	for (unsigned a = e.at.a0; a <= e.at.a1 + 1U; a++) {
		if (kernel.next.lone_ends[a])
			return 0;
	}
	counts.unclosed++;
	e.expires = false;
	return kernel_add(&e, ADD_PLAIN);
}

static inline void close_starts(void)
{
	for (unsigned i = 0; i < kernel.now.count; i++) {
		if (!kernel.now.items[i].unclosed)
			continue;
		kernel_begin();
		struct set_entry s = start_of(&kernel.next.items[i]);
		tell_entry(false, &s);
		kernel_drop(&kernel.next.items[i]);
		kernel_end(false, false);
		return;
	}
}

/* Without a word; of a range the end is left. */
static inline void expire_one(void)
{
	struct kernel_element e;

	if (kernel.kind.size || !kernel.now.count || kernel.now.gone_count == GONE_MAX)
		return;
	kernel_begin();
	e = kernel.next.items[random_below(kernel.next.count)];
	if (e.ours || e.unclosed)
		return;
	kernel_drop(&kernel.next.items[kernel.next.by_cell[cell_of(e.at.a0, e.at.p0, e.at.q0)]]);
	kernel.next.lone_ends[e.at.a1 + 1] |= has_end(&e);
	kernel.next.gone[kernel.next.gone_count++] = e.at;
	kernel.now = kernel.next;
	counts.expired++;
}

static inline int change_something(bool simple)
{
	static struct kernel_set before;
	bool many = kernel.next.count > CELLS / 3;

	before = kernel.next;
	switch (random_below(simple ? 8 : 20)) {
	case 0:
	case 1:
	case 2:
		return put_some(many ? 1 : 1 + random_below(simple ? 1 : 4), false);
	case 3:
	case 4:
	case 5:
	case 6:
		return remove_some(simple ? 1 : 1 + random_below(many ? 20 : 4));
	case 7:
		if (!chance(4))
			return remove_some(1);
		counts.flushes++;
		kernel_flush();
		return 0;
	case 8:
		counts.flushes++;
		kernel_flush();
		return put_back(&before);
	case 9:
		return chance(3) ? make_again(&before) : 0;
	case 10:
	case 11:
		return retime();
	case 12:
	case 13:
		return put_some(1 + random_below(2), true);
	case 14:
	case 15:
	case 16:
		return replace();
	case 17:
		return kernel.kind.auto_merge ? merge() : replace();
	case 18:
		return has_ranges() && !others.cautious && chance(4) ? open_start() : 0;
	default: { /* several at once */
		int r = remove_some(random_below(4));
		r = r == 0 ? put_some(random_below(3), chance(4)) : r;
		return r == 0 ? remove_some(random_below(3)) : r;
	}
	}
}

static inline void others_change(bool simple)
{
	struct set_kind before = kernel.kind;
	bool had[CELLS];

	close_starts();
	memcpy(had, oracle.leftover, sizeof(had));
	kernel_begin();
	if (change_something(simple) < 0) {
		counts.foreign_failed++;
		kernel.kind = before;
		memcpy(oracle.leftover, had, sizeof(had));
		return;
	}
	counts.foreign += kernel_end(false, !simple && chance(30));
}

static void others_interfere(bool simple)
{
	if (!others.storm)
		return;
	others.storm--;
	others_change(simple);
}
