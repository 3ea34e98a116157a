/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commits what is planned: one batch for all sets, or several where that would be too large. */
#include "base/strbuf.h"
#include "core/planning.h"
#include "daemon/changes.h"
#include "daemon/refresh.h"
#include "daemon/sync_private.h"
#include "edge/nft_conn.h"
#include "edge/nft_monitor.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

enum {
	STALE_MAX = 3,           /* tries on a generation that others keep taking away */
	GENERATION_WAIT_MS = 20, /* before what cannot do without is tried again */
	BATCH_MAX = 50000,       /* elements: what our monitor's buffer holds, and a short lock */
	ROUNDS_MAX = 1000,       /* of pieces: each one commits some, or ends it */
	ROOMS_MAX = 256, /* times that room is made in a turn: it is planned anew each time */
	PEEK_MS = 5000,  /* where wanted keys are held by others' elements that expire */
	RENEWALS = 3,    /* in the time that a fuse takes */
	RENEW_RETRY_MS = 1000,
};

/* --- what came of it, for one set --- */

/* What leaves goes on leaving, and what then fits comes in. */
static void note_full(const struct sync *s, struct world *w, struct world_set *set, uint64_t now_ms)
{
	unsigned limit = set_kind_limit(&set->kind);
	_cleanup_free_ char *why =
		xasprintf("it is full: not all that it should hold fits into %s %u",
			limit == set->kind.size ? "size" : "max-elements", limit);

	set->look_failures = 0;
	sync_degrade(s, w, set, now_ms, why);
}

/* The kernel has it. */
static void applied(const struct sync *s, struct world *w, struct world_set *set,
	const struct plan_set *part, uint32_t generation, uint64_t now_ms)
{
	if (part->add_count + part->delete_count) {
		changes_tell(s, w, set, part, generation, now_ms);
		set->last_change_ms = now_ms;
	}
	live_apply(&set->live, part);
	if (!world_set_lives(set))
		return;
	for (size_t i = 0; i < part->add_count; i++)
		denylist_record(&set->denied, &part->adds[i], plan_add_life_ms(part, i), now_ms);
	for (size_t i = 0; i < part->renewal_count; i++)
		denylist_record(
			&set->denied, &part->renewals[i], plan_renewal_life_ms(part, i), now_ms);
}

static const char *hint_of(int error)
{
	switch (error) {
	case ENFILE:
		return " (the set is full)";
	case EPERM:
		return " (its table belongs to another process, which alone may change it)";
	default:
		return "";
	}
}

static void refused(
	const struct sync *s, struct world *w, struct world_set *set, int error, uint64_t now_ms)
{
	_cleanup_free_ char *why =
		xasprintf("the kernel refused the change: %s%s", strerror(error), hint_of(error));

	set->halves_size = set->halves_size || (error == ENFILE && set_kind_has_ranges(&set->kind));
	if (set->look_failures) {
		sync_degrade(s, w, set, now_ms, why);
	} else {
		_cleanup_free_ char *m =
			xasprintf("set %s: %s; nothing was changed, looking again", set->text, why);
		sync_tell_set(s, w, set, EVENT_COMMIT_FAILED, LOG_INFO, m);
	}
	sync_look_later(set, now_ms);
}

/* All that was planned for it is in the kernel. */
static void finish(const struct sync *s, struct world *w, struct world_set *set,
	const struct plan_set *part, uint64_t now_ms)
{
	bool expires = part && part->left_out && set->kind.has_timeout; /* and makes room */

	if (set->keeps) {
		set->kept = true;
		set->kept_dirty = set->wanted.dirty_count;
		return; /* the rest of it is planned when the rules are in force */
	}
	if (part && (part->borrowed || expires))
		set->peek_ms = now_ms + PEEK_MS;
	else if (set->plan_all)
		set->peek_ms = 0;
	wanted_clear_dirty(&set->wanted);
	set->plan_all = false;
	set->full = part && part->left_out;
	if (set->full)
		note_full(s, w, set, now_ms);
	else
		sync_recover(s, w, set);
}

/* --- batches --- */

enum committed {
	COMMITTED,
	INTERRUPTED,  /* some pieces: others came in between, so the rest is to be planned anew */
	STALE,        /* nothing, as others were there first */
	REFUSED_SOME, /* nothing, because of sets that are looked at again; the others may go */
	REFUSED,      /* nothing, and nobody knows why: all are looked at again */
};

/* One batch, and into the copies. */
static enum committed commit_batch(
	struct sync *s, struct world *w, const struct plan *p, uint64_t now_ms)
{
	uint32_t before = s->generation;
	struct nft_commit_result r;

	s->crossed = false;
	nft_conn_commit(s->conn, p, &r);
	if (r.outcome == NFT_COMMIT_STALE && p->has_generation)
		return STALE;
	if (r.outcome == NFT_COMMIT_DONE && r.generation) {
		s->crossed = r.generation - before > 1;
		sync_take_generation(s, r.generation);
	}
	bool by_set = r.outcome == NFT_COMMIT_REFUSED && r.has_set;
	for (size_t i = 0; i < p->count; i++) {
		struct world_set *set = &w->sets[p->sets[i].set_index];
		int error = by_set ? r.set_errors[i] : r.error ? r.error : ERESTART;
		if (r.outcome == NFT_COMMIT_DONE)
			applied(s, w, set, &p->sets[i], r.generation, now_ms);
		else if (error)
			refused(s, w, set, error, now_ms);
	}
	/* Without a guard others may have been there a moment before: told only now, it would be
	 * taken for something that came after. What they touched is looked at. */
	if (s->crossed) {
		s->doubts = true;
		nft_monitor_drain(s->monitor);
		s->doubts = false;
	}
	return r.outcome == NFT_COMMIT_DONE ? COMMITTED : by_set ? REFUSED_SOME : REFUSED;
}

static enum committed commit_pieces(
	struct sync *s, struct world *w, const struct plan *p, uint64_t now_ms)
{
	struct plan_cut cut = PLAN_CUT_NULL;
	enum committed result = COMMITTED;
	struct plan piece;

	while (result == COMMITTED && plan_next_piece(p, BATCH_MAX, &cut, &piece)) {
		piece.generation = s->generation;
		result = commit_batch(s, w, &piece, now_ms);
		plan_piece_done(&piece);
		uint32_t own = s->generation;
		nft_monitor_drain(s->monitor);
		if (result == COMMITTED && (s->crossed || s->generation != own))
			result = INTERRUPTED;
	}
	return result;
}

/* --- a turn --- */

static bool is_planned(const struct world_set *set, uint64_t now_ms)
{
	if (set->keeps && set->kept && set->kept_dirty == set->wanted.dirty_count)
		return false;
	return !set->look_ms && set->hold_ms <= now_ms && !set->frozen;
}

/* Every set that is present and not to be looked at first, on top of what was last heard. */
static void plan_turn(
	const struct sync *s, const struct world *w, bool guarded, uint64_t now_ms, struct plan *p)
{
	*p = PLAN_NULL;
	for (size_t i = 0; i < w->set_count; i++) {
		const struct world_set *set = &w->sets[i];
		if (is_planned(set, now_ms) && (set->plan_all || set->wanted.dirty_count))
			sync_plan_one(p, set, set->plan_all || set->full, now_ms);
	}
	p->has_generation = guarded && s->generation;
	p->generation = s->generation;
	for (size_t i = 0; i < p->count && !p->replaces; i++)
		p->replaces = p->sets[i].renewal_count && !nft_conn_renews(s->conn);
}

/* What may only be committed on the generation that it was planned for waits a moment, so that the
 * rest can go on without one. True: something does. */
static bool put_off(struct world *w, const struct plan *p, uint64_t now_ms)
{
	bool some = false;

	for (size_t i = 0; i < p->count; i++) {
		if (!plan_set_needs_generation(p, &p->sets[i]))
			continue;
		w->sets[p->sets[i].set_index].hold_ms = now_ms + GENERATION_WAIT_MS;
		some = true;
	}
	return some;
}

/* What lingers leaves before its time where something new finds no room. One set after the other,
 * as it may make room in several. True: something did. */
static bool make_room(struct world *w, const struct plan *p)
{
	for (size_t i = 0; i < p->count; i++) {
		size_t left_out = p->sets[i].left_out;
		if (left_out && refresh_make_room(w, &w->sets[p->sets[i].set_index], left_out))
			return true;
	}
	return false;
}

static void tell_pieces(const struct sync *s, const struct world *w, const struct plan *p)
{
	size_t n = plan_work_count(p);
	_cleanup_free_ char *m = xasprintf(
		"%zu changes at once: they go in about %zu transactions, what is added first", n,
		(n + BATCH_MAX - 1) / BATCH_MAX);

	s->emit(s->userdata,
		&(struct event){
			.kind = EVENT_COMMIT_SPLIT,
			.priority = LOG_NOTICE,
			.message = m,
			.set = p->count == 1 ? w->sets[p->sets[0].set_index].text : NULL,
			.config = w->config->digest,
		});
}

/* The sets that this turn was about: all that they need is there. */
static void finish_all(const struct sync *s, struct world *w, const struct plan *p, uint64_t now_ms)
{
	size_t part = 0; /* both are in the order of sets */

	for (size_t i = 0; i < w->set_count; i++) {
		struct world_set *set = &w->sets[i];
		const struct plan_set *of_it = NULL;
		if (part < p->count && p->sets[part].set_index == i)
			of_it = &p->sets[part++];
		if (is_planned(set, now_ms) && set->present &&
			(set->plan_all || set->wanted.dirty_count))
			finish(s, w, set, of_it, now_ms);
	}
}

/* A commit builds on the generation that the copies show: somebody else's change in between makes
 * it stale, not wrong. Beside a neighbour that is always faster it goes on unguarded: in a hash set
 * the worst is a refusal, and then a look. */
void sync_commit_turn(struct sync *s, struct world *w, uint64_t now_ms)
{
	size_t refusals = 0, stale = 0, rounds = 0, rooms = 0;
	bool told = false;

	/* Each refusal leaves at least one set out. */
	while (refusals <= w->set_count && rounds < ROUNDS_MAX) {
		_cleanup_(plan_done) struct plan p;

		plan_turn(s, w, stale < STALE_MAX, now_ms, &p);
		if (rooms < ROOMS_MAX && make_room(w, &p)) {
			rooms++;
			continue;
		}
		if (!p.has_generation && put_off(w, &p, now_ms)) {
			plan_done(&p);
			plan_turn(s, w, false, now_ms, &p);
		}
		bool large = plan_work_count(&p) > BATCH_MAX;
		if (large && !told)
			tell_pieces(s, w, &p);
		told = told || large;
		switch (large ? commit_pieces(s, w, &p, now_ms) : commit_batch(s, w, &p, now_ms)) {
		case COMMITTED:
			if (!large) {
				finish_all(s, w, &p, now_ms);
				return;
			}
			rounds++; /* for what came meanwhile */
			break;
		case INTERRUPTED:
			rounds++;
			break;
		case STALE:
			nft_monitor_drain(s->monitor);
			stale++;
			break;
		case REFUSED_SOME:
			refusals++;
			break;
		case REFUSED:
			return;
		}
	}
}

/* --- fuses --- */

static bool is_renewed(const struct world_set *set, uint64_t now_ms)
{
	return set->renew_ms && set->renew_ms <= now_ms && set->present && !set->look_ms;
}

/* False: nothing is due. */
static bool plan_renewals(
	const struct sync *s, const struct world *w, uint64_t now_ms, struct plan *p)
{
	bool due = false;

	*p = PLAN_NULL;
	for (size_t i = 0; i < w->set_count; i++) {
		struct planning in = sync_planning_of(&w->sets[i], now_ms);
		if (!is_renewed(&w->sets[i], now_ms))
			continue;
		plan_renew_all(p, &in);
		due = true;
	}
	p->replaces = !plan_is_empty(p) && !nft_conn_renews(s->conn);
	return due;
}

static bool needs_generation(const struct plan *p)
{
	for (size_t i = 0; i < p->count; i++) {
		if (plan_set_needs_generation(p, &p->sets[i]))
			return true;
	}
	return false;
}

/* What others changed since it was planned does no harm: at most an element of ours that they
 * deleted is there again. */
static void renew_piece(struct sync *s, struct world *w, struct plan *piece, uint64_t now_ms)
{
	enum committed result = STALE;

	for (size_t stale = 0; result == STALE && stale <= STALE_MAX; stale++) {
		piece->has_generation = stale < STALE_MAX && s->generation;
		piece->generation = s->generation;
		if (!piece->has_generation && needs_generation(piece))
			break;
		result = commit_batch(s, w, piece, now_ms);
		nft_monitor_drain(s->monitor);
	}
	for (size_t i = 0; result != COMMITTED && i < piece->count; i++)
		w->sets[piece->sets[i].set_index].renews_late = true;
}

static uint64_t renewal_interval_ms(const struct world_set *set)
{
	return set->keeper ? DENYLIST_RENEW_S * UINT64_C(1000) : set->kind.fuse_ms / RENEWALS;
}

void sync_renew_turn(struct sync *s, struct world *w, uint64_t now_ms)
{
	_cleanup_(plan_done) struct plan p;
	struct plan_cut cut = PLAN_CUT_NULL;
	struct plan piece;

	if (!plan_renewals(s, w, now_ms, &p))
		return;
	while (plan_next_piece(&p, BATCH_MAX, &cut, &piece)) {
		renew_piece(s, w, &piece, now_ms);
		plan_piece_done(&piece);
	}
	for (size_t i = 0; i < w->set_count; i++) {
		struct world_set *set = &w->sets[i];
		uint64_t wait_ms = set->renews_late ? RENEW_RETRY_MS : renewal_interval_ms(set);
		if (is_renewed(set, now_ms))
			set->renew_ms = set->kind.fuse_ms ? now_ms + wait_ms : 0;
		set->renews_late = false;
	}
}
