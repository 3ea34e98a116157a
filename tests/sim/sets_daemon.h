#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the daemon does below `wanted`, as src/daemon/sync.c, sync_look.c and watch.c have it: for
 * one set, without clock, sockets and journal. */
#include "sets_oracle.h"

enum { STALE_MAX = 3, PIECES_MAX = 1000, TURNS_MAX = 100 };

enum outcome { COMMIT_DONE, COMMIT_STALE, COMMIT_REFUSED };

static struct {
	struct set_id id;
	struct set_kind kind;
	struct wanted wanted;
	struct live live;
	struct live_ear ear;
	uint32_t generation;
	size_t piece_max;
	bool known, plan_all, look, hold, renew, halves, touched_added;
	bool full, looked_full;
	bool renewed;  /* all of ours, by the last turn that was to */
	bool all_done; /* the last plan, by pieces */
	bool differs;  /* the copy may differ until it is looked at: an unguarded commit met others
			*/
	unsigned look_failures;
	size_t left_out; /* by the last plan */
} d;

/* What others do in between; `simple`: one change, so that nothing of theirs takes the place of
 * what is being deleted. */
static void others_interfere(bool simple);

/* --- the kernel's side of a commit --- */

static inline int apply(const struct plan_set *s, bool replaces, struct kernel_element *ret_deleted,
	size_t *ret_count)
{
	bool fuse = s->kind.fuse_ms > 0;

	*ret_count = 0;
	for (size_t i = 0; i < s->delete_count; i++) {
		struct shape at = shape_of(&s->deletes[i]);
		int r = kernel_delete(&at, &ret_deleted[*ret_count]);
		if (r < 0)
			return r;
		/* Not what only holds the same key. */
		HOLDS(shape_eq(&ret_deleted[(*ret_count)++].at, &at));
	}
	for (size_t i = 0; i < s->add_count; i++) {
		struct kernel_element e = {
			.at = shape_of(&s->adds[i]), .ours = true, .expires = fuse, .fresh = true};
		int r = kernel_add(&e, ADD_EXCL);
		if (r < 0)
			return r;
		check_added(&e.at);
	}
	for (size_t i = 0; replaces && i < s->renewal_count; i++) {
		struct shape at = shape_of(&s->renewals[i]);
		int r = kernel_delete(&at, &ret_deleted[*ret_count]);
		if (r < 0)
			return r;
		HOLDS(shape_eq(&ret_deleted[(*ret_count)++].at, &at));
	}
	for (size_t i = 0; i < s->renewal_count; i++) {
		struct kernel_element e = {.at = shape_of(&s->renewals[i]),
			.ours = true,
			.expires = fuse,
			.fresh = true};
		int r = kernel_add(&e, ADD_REFRESH);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Where not all has room, what takes the place of something comes first; and no room is left. */
static inline void check_order_of_room(
	const struct plan_set *s, bool guarded, const struct kernel_element *deleted, size_t count)
{
	bool missing = false, in_place[CELLS] = {false};
	uint8_t cells[CELLS];

	HOLDS(!guarded || !s->left_out || kernel.next.count >= s->kind.size);
	for (size_t i = 0; i < count; i++) {
		for (unsigned n = cells_of(&deleted[i].at, cells); n > 0; n--) {
			in_place[cells[n - 1]] = true;
			missing |= oracle.wanted[cells[n - 1]] &&
				   kernel.next.by_cell[cells[n - 1]] < 0;
		}
	}
	for (size_t i = 0; has_ranges() && missing && i < s->add_count; i++) {
		struct shape at = shape_of(&s->adds[i]);
		bool replaces = false;
		for (unsigned n = cells_of(&at, cells); n > 0; n--)
			replaces |= in_place[cells[n - 1]];
		HOLDS(replaces);
	}
}

static inline enum outcome commit(const struct plan *p, int *ret_error, uint32_t *ret_generation)
{
	static struct kernel_element deleted[2 * CELLS];
	uint32_t before = d.generation;
	size_t count;

	*ret_generation = 0;
	if (plan_is_empty(p))
		return COMMIT_DONE;
	HOLDS(p->count == 1);
	const struct plan_set *s = &p->sets[0];
	HOLDS(p->has_generation || !plan_set_needs_generation(p, s));
	HOLDS(p->has_generation || !s->delete_count || !kernel.kind.interval);
	others_interfere(!p->has_generation);
	if (p->has_generation && p->generation != kernel.generation) {
		counts.stale++;
		return COMMIT_STALE;
	}
	counts.unguarded += !p->has_generation;
	d.differs |= kernel.generation != before;
	kernel_begin();
	int r = apply(s, p->replaces, deleted, &count);
	if (r < 0) {
		/* It builds on what stands there, and there is room for it. */
		HOLDS(d.differs || kernel.now.gone_count ||
			(r == -ENFILE && kernel.counts_ends && !d.halves));
		*ret_error = -r;
		counts.refused++;
		return COMMIT_REFUSED;
	}
	for (size_t i = 0; i < count; i++)
		check_deleted(&deleted[i], p->has_generation, d.left_out > 0, i >= s->delete_count,
			d.differs);
	check_order_of_room(s, p->has_generation, deleted, count);
	counts.batches++;
	counts.adds += s->add_count;
	counts.deletes += s->delete_count;
	counts.renewals += s->renewal_count;
	counts.replaced += p->replaces ? s->renewal_count : 0;
	for (size_t i = 0; i < s->delete_count; i++)
		counts.foreign_removed += !deleted[i].ours;
	kernel_end(true, chance(200));
	*ret_generation = kernel.generation;
	return COMMIT_DONE;
}

/* --- notices --- */

static inline void take_generation(uint32_t generation)
{
	if (!d.generation || (int32_t)(generation - d.generation) > 0)
		d.generation = generation;
}

static void mark_want(const struct want *want, void *userdata)
{
	wanted_mark_dirty(&d.wanted, &want->key, want->owners[0], "refill", 0);
}

static inline bool mark_wants(const struct element_key *key)
{
	const struct want *want = wanted_find(&d.wanted, key);

	if (d.wanted.ranged) {
		struct wanted_piece piece;
		if (!wanted_piece_over(&d.wanted, key, &piece))
			return false;
		wanted_each_in(&d.wanted, key, mark_want, NULL);
		return true;
	}
	if (want)
		mark_want(want, NULL);
	return want;
}

static inline void take_news(enum live_news news, const struct live_element *e)
{
	switch (news) {
	case LIVE_NEWS_ADDED:
		d.touched_added = true;
		if (!e->ours)
			break;
		if (!mark_wants(&e->key) && oracle.settled)
			wanted_mark_dirty(&d.wanted, &e->key, NULL, "refill", 0);
		d.renew = d.renew || d.kind.fuse_ms;
		break;
	case LIVE_NEWS_REMOVED:
		if (mark_wants(&e->key))
			counts.repaired += e->ours;
		else if (d.live.boxed)
			d.plan_all = true;
		break;
	case LIVE_NEWS_STRANGE:
		HOLDS(false);
		break;
	case LIVE_NEWS_UNSURE:
		counts.unsure++;
		d.look = true;
		d.look_failures = 0;
		break;
	case LIVE_NEWS_NONE:
		break;
	}
}

static inline void hear(const struct notice *n)
{
	struct live_element e;

	if (n->kind == NOTICE_GENERATION) {
		take_generation(n->generation);
		take_news(live_hear_end(&d.live, &d.ear, &e), &e);
		d.plan_all = d.plan_all || (d.touched_added && oracle.removes_foreign);
		d.touched_added = false;
	} else if (n->own) {
		return;
	} else if (n->kind == NOTICE_SET) {
		d.look = true;
		d.look_failures = 0;
	} else {
		bool added = n->kind == NOTICE_ADDED;
		take_news(live_hear(&d.live, &d.ear, &d.kind, &n->entry, added, &e), &e);
	}
}

static inline void drain(void)
{
	if (kernel.lost) {
		kernel.lost = false;
		counts.lost++;
		d.look = true;
		d.look_failures = 0;
	}
	while (kernel.queue_at < kernel.queue_count)
		hear(&kernel.queue[kernel.queue_at++]);
	kernel.queue_at = kernel.queue_count = 0;
}

/* --- looks --- */

static inline void take_kind(void)
{
	bool same = d.known && d.kind.auto_merge == kernel.kind.auto_merge;

	d.known = true;
	d.kind = kernel.kind;
	if (d.halves && set_kind_has_ranges(&d.kind))
		d.kind.size /= 2;
	if (same)
		return;
	wanted_done(&d.wanted);
	wanted_set_kind(&d.wanted, &d.kind);
	oracle_fill(&d.wanted);
	/* What was let go and not deleted is of an earlier run now. */
	for (unsigned c = 0; c < CELLS; c++)
		oracle.leftover[c] |= oracle.let_go[c];
}

static inline void look(void)
{
	size_t strange;

	counts.looks++;
	d.look = false;
	take_kind();
	if (kernel.queue_at == kernel.queue_count)
		kernel.now.gone_count = 0;
	kernel_dump(&d.live, &d.kind, &strange);
	counts.strange += strange;
	d.plan_all = true;
	d.ear = LIVE_EAR_NULL;
	/* What is not heard yet may be older than a commit of ours that met it. */
	d.differs = d.differs && kernel.queue_at < kernel.queue_count;
	take_generation(kernel.generation);
	others_interfere(false);
}

static inline void refused(int error)
{
	if (error == ENFILE && has_ranges() && !d.halves) {
		d.halves = true;
		counts.halved++;
	}
	HOLDS(d.look_failures < 20);
	d.look_failures++;
	d.look = true;
}

/* --- commits --- */

static inline struct planning planning_now(void)
{
	return (struct planning){
		.id = &d.id,
		.kind = &d.kind,
		.wanted = &d.wanted,
		.live = &d.live,
		.delete_unowned = oracle.settled,
		.remove_foreign = oracle.removes_foreign,
	};
}

static inline void plan_turn(struct plan *p, bool guarded)
{
	struct planning in = planning_now();

	*p = PLAN_NULL;
	if (!d.look && !d.hold && d.plan_all)
		plan_whole(p, &in);
	else if (!d.look && !d.hold)
		plan_dirty(p, &in);
	p->has_generation = guarded && d.generation;
	p->generation = d.generation;
	p->replaces = p->count && p->sets[0].renewal_count && kernel.keeps_timeout;
	d.left_out = p->count ? p->sets[0].left_out : 0;
}

static inline void committed(const struct plan *p)
{
	if (p->count)
		live_apply(&d.live, &p->sets[0]);
	wanted_clear_dirty(&d.wanted);
	d.plan_all = false;
	d.look_failures = 0;
	d.full = d.left_out > 0;
	counts.full += d.full;
	/* Once more, as by the clock: there may be room by then. */
	if (d.full && (!d.looked_full || plan_work_count(p)))
		d.look = d.looked_full = true;
}

static inline enum outcome commit_piece(const struct plan *p)
{
	uint32_t generation;
	int error;
	enum outcome o = commit(p, &error, &generation);

	counts.pieces++;
	if (o == COMMIT_DONE) {
		take_generation(generation);
		live_apply(&d.live, &p->sets[0]);
	} else if (o == COMMIT_REFUSED) {
		refused(error);
	}
	return o;
}

/* Every key is in one piece. */
static inline enum outcome commit_pieces(const struct plan *p)
{
	struct plan_cut cut = PLAN_CUT_NULL;
	enum outcome o = COMMIT_DONE;
	uint32_t built_on = d.generation;
	size_t work = 0;
	bool all = false, deletes = false;
	struct plan piece;

	while (o == COMMIT_DONE && d.generation == built_on) {
		all = !plan_next_piece(p, d.piece_max, &cut, &piece);
		if (all)
			break;
		size_t size = plan_work_count(&piece);
		HOLDS(size && (size <= d.piece_max ||
				      (piece.sets[0].delete_count && piece.sets[0].add_count)));
		HOLDS(piece.has_generation == p->has_generation && piece.replaces == p->replaces);
		/* First what only adds, at last what only deletes. */
		HOLDS(!deletes || !piece.sets[0].add_count);
		deletes |= piece.sets[0].delete_count && !piece.sets[0].add_count;
		work += size;
		piece.generation = d.generation;
		o = commit_piece(&piece);
		plan_piece_done(&piece);
		built_on = d.generation;
		drain();
	}
	HOLDS(!all || work == plan_work_count(p));
	d.all_done = all;
	return o;
}

static inline void commit_turn(void)
{
	unsigned stale = 0, rounds = 0, refusals = 0;

	while (refusals++ < 2 && rounds < PIECES_MAX) {
		_cleanup_(plan_done) struct plan p;
		uint32_t generation;
		int error;

		plan_turn(&p, stale < STALE_MAX);
		if (!p.has_generation && p.count && plan_set_needs_generation(&p, &p.sets[0])) {
			counts.put_off++;
			d.hold = true;
		}
		if (d.look || d.hold)
			return;
		if (plan_work_count(&p) > d.piece_max) {
			rounds++;
			enum outcome o = commit_pieces(&p);
			refusals -= o != COMMIT_REFUSED;
			stale += o == COMMIT_STALE;
			continue;
		}
		enum outcome o = commit(&p, &error, &generation);
		if (o == COMMIT_STALE) {
			drain();
			stale++;
			refusals--;
			continue;
		}
		if (o == COMMIT_REFUSED) {
			refused(error);
			return;
		}
		if (generation)
			take_generation(generation);
		committed(&p);
		return;
	}
}

static inline void renew_turn(void)
{
	enum outcome o = COMMIT_STALE;

	for (unsigned stale = 0; stale <= STALE_MAX && o == COMMIT_STALE; stale++) {
		_cleanup_(plan_done) struct plan p = PLAN_NULL;
		struct planning in = planning_now();
		if (stale)
			drain();
		p.has_generation = stale < STALE_MAX && d.generation;
		p.generation = d.generation;
		if (!d.look)
			plan_renew_all(&p, &in);
		p.replaces = !plan_is_empty(&p) && kernel.keeps_timeout;
		d.left_out = 0;
		if (!p.has_generation && p.count && plan_set_needs_generation(&p, &p.sets[0]))
			break;
		o = commit_pieces(&p);
	}
	d.renew = false;
	d.renewed = o == COMMIT_DONE && d.all_done && !d.look;
}

/* --- turns --- */

static inline bool is_idle(void)
{
	return !d.look && !d.hold && !d.renew && !d.plan_all && !d.wanted.dirty_count &&
	       !kernel.lost && kernel.queue_at == kernel.queue_count;
}

static inline void turn(void)
{
	d.hold = false;
	if (d.look)
		look();
	drain();
	/* What is full is not planned before it was looked at. */
	if (d.full && !d.plan_all && d.wanted.dirty_count)
		d.look = true;
	if (d.plan_all || d.wanted.dirty_count)
		commit_turn();
	if (d.renew && !d.look && d.kind.fuse_ms)
		renew_turn();
	else if (!d.kind.fuse_ms)
		d.renew = false;
}

static inline void turn_until_idle(void)
{
	unsigned turns = 0;

	d.looked_full = false;
	while (!is_idle()) {
		HOLDS(turns++ < TURNS_MAX);
		turn();
	}
}

/* Planned over the whole set there is nothing left either. */
static inline void check_nothing_is_left(void)
{
	struct planning in = planning_now();
	_cleanup_(plan_done) struct plan p = PLAN_NULL;

	plan_whole(&p, &in);
	HOLDS(plan_change_count(&p) == 0);
	HOLDS(!oracle.settled || plan_is_empty(&p));
}
