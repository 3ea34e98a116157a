/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From wanted sets to the kernel's. */
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
	DIRTY_MAX = 65536,
	STALE_MAX = 3,           /* tries on a generation that others keep taking away */
	GENERATION_WAIT_MS = 20, /* before what cannot do without is tried again */
	BATCH_MAX = 50000,       /* elements: what our monitor's buffer holds, and a short lock */
	ROUNDS_MAX = 1000,       /* of pieces: each one commits some, or ends it */
	RENEWALS = 3,            /* in the time that a fuse takes */
};

/* Generations wrap around. */
void sync_take_generation(struct sync *s, uint32_t generation)
{
	if (!s->generation || (int32_t)(generation - s->generation) > 0)
		s->generation = generation;
}

bool sync_is_settling(const struct world_set *set)
{
	return !set->settled && set->present && set->config;
}

/* Has everything that might own the unowned been heard? */
static void settle(struct world *w, struct world_set *set, uint64_t now_ms)
{
	uint64_t unused_ms;

	if (!sync_is_settling(set))
		return;
	if (!set->unowned_leave_ms) {
		if (!set->answers_came)
			return;
		set->answers_came = false;
		if (!refresh_unowned_leave_ms(w, set, now_ms, &set->unowned_leave_ms))
			return;
		set->plan_all = set->plan_all || world_set_removes_foreign(set);
	}
	if (now_ms < set->unowned_leave_ms)
		return;
	/* A reload may have brought names that are still awaited. */
	if (!refresh_unowned_leave_ms(w, set, now_ms, &unused_ms)) {
		set->unowned_leave_ms = 0;
		return;
	}
	set->settled = true;
	set->plan_all = true;
}

static bool deletes_unowned(const struct world_set *set)
{
	return set->settled || set->paused || !set->config;
}

static struct planning planning_of(const struct world_set *set)
{
	return (struct planning){
		.set_index = set->index,
		.id = &set->id,
		.kind = &set->kind,
		.wanted = &set->wanted,
		.live = &set->live,
		.delete_unowned = deletes_unowned(set),
		.remove_foreign = world_set_removes_foreign(set),
	};
}

static void plan_one(struct plan *p, const struct world_set *set, bool all)
{
	struct planning in = planning_of(set);

	if (!set->present || set->frozen)
		return;
	if (all)
		plan_whole(p, &in);
	else
		plan_dirty(p, &in);
}

void sync_plan(const struct world *w, struct plan *ret)
{
	*ret = PLAN_NULL;
	for (size_t i = 0; i < w->set_count; i++) {
		if (w->sets[i].looked)
			plan_one(ret, &w->sets[i], true);
	}
}

static const struct plan_set *part_of(const struct plan *p, size_t set_index)
{
	for (size_t i = 0; i < p->count; i++) {
		if (p->sets[i].set_index == set_index)
			return &p->sets[i];
	}
	return NULL;
}

/* Looking again finds the room that there may be by then. */
static void full(const struct sync *s, struct world *w, struct world_set *set, uint64_t now_ms)
{
	_cleanup_free_ char *why = xasprintf(
		"it is full: not all that it should hold fits into size %u", set->kind.size);

	sync_degrade(s, w, set, now_ms, why);
	if (!set->look_failures)
		set->look_failures = 1;
	sync_look_later(set, now_ms);
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
}

static void committed(const struct sync *s, struct world *w, struct world_set *set,
	const struct plan_set *part, uint32_t generation, uint64_t now_ms)
{
	if (part)
		applied(s, w, set, part, generation, now_ms);
	wanted_clear_dirty(&set->wanted);
	set->plan_all = false;
	if (part && part->left_out)
		full(s, w, set, now_ms);
	else
		sync_recover(s, w, set);
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

static bool is_planned(const struct world_set *set, uint64_t now_ms)
{
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
			plan_one(p, set, set->plan_all);
	}
	p->has_generation = guarded && s->generation;
	p->generation = s->generation;
	for (size_t i = 0; i < p->count && !p->replaces; i++)
		p->replaces = p->sets[i].renewal_count && !nft_conn_renews(s->conn);
}

/* True: something is left to be committed, without the set that was refused. */
static bool take_result(const struct sync *s, struct world *w, const struct plan *p,
	const struct nft_commit_result *result, uint64_t now_ms)
{
	bool more = false;

	for (size_t i = 0; i < w->set_count; i++) {
		struct world_set *set = &w->sets[i];
		const struct plan_set *part = part_of(p, i);
		if (!is_planned(set, now_ms) || !set->present)
			continue;
		if (result->outcome == NFT_COMMIT_DONE) {
			if (set->plan_all || set->wanted.dirty_count)
				committed(s, w, set, part, result->generation, now_ms);
		} else if (result->has_set && result->outcome == NFT_COMMIT_REFUSED) {
			int error = part ? result->set_errors[part - p->sets] : 0;
			if (error)
				refused(s, w, set, error, now_ms);
			more = true;
		} else if (part) {
			refused(s, w, set, result->error ? result->error : ERESTART, now_ms);
		}
	}
	return more;
}

/* What may only be committed on the generation that it was planned for waits a moment, so that the
 * rest can go on without one. True: something does. */
static bool put_off(struct world *w, const struct plan *p, uint64_t now_ms)
{
	bool some = false;

	for (size_t i = 0; i < p->count; i++) {
		if (!plan_set_needs_generation(&p->sets[i]))
			continue;
		w->sets[p->sets[i].set_index].hold_ms = now_ms + GENERATION_WAIT_MS;
		some = true;
	}
	return some;
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

/* Commits one batch, and takes it into the copies. */
static enum nft_commit commit_piece(
	struct sync *s, struct world *w, const struct plan *p, uint64_t now_ms)
{
	struct nft_commit_result r;

	nft_conn_commit(s->conn, p, &r);
	if (r.outcome == NFT_COMMIT_DONE) {
		sync_take_generation(s, r.generation);
		for (size_t i = 0; i < p->count; i++)
			applied(s, w, &w->sets[p->sets[i].set_index], &p->sets[i], r.generation,
				now_ms);
	} else if (r.outcome != NFT_COMMIT_STALE) {
		for (size_t i = 0; i < p->count; i++) {
			int error = r.has_set ? r.set_errors[i] : r.error ? r.error : EIO;
			if (error)
				refused(s, w, &w->sets[p->sets[i].set_index], error, now_ms);
		}
	}
	return r.outcome;
}

/* As far as nobody else changes anything in between: then all is to be planned again. */
static enum nft_commit commit_pieces(
	struct sync *s, struct world *w, const struct plan *p, uint64_t now_ms)
{
	struct plan_cut cut = PLAN_CUT_NULL;
	enum nft_commit outcome = NFT_COMMIT_DONE;
	uint32_t built_on = s->generation;
	struct plan piece;

	while (outcome == NFT_COMMIT_DONE && s->generation == built_on &&
		plan_next_piece(p, BATCH_MAX, &cut, &piece)) {
		piece.generation = s->generation;
		outcome = commit_piece(s, w, &piece, now_ms);
		plan_piece_done(&piece);
		built_on = s->generation;
		nft_monitor_drain(s->monitor);
	}
	return outcome;
}

/* A commit builds on the generation that the copies show: somebody else's change in between makes
 * it stale, not wrong. Beside a neighbour that is always faster it goes on unguarded: in a hash set
 * the worst is a refusal, and then a look. */
static void commit_turn(struct sync *s, struct world *w, uint64_t now_ms)
{
	size_t refusals = 0, stale = 0, rounds = 0;

	/* Each refusal leaves at least one set out. */
	while (refusals++ <= w->set_count && rounds < ROUNDS_MAX) {
		_cleanup_(plan_done) struct plan p;
		struct nft_commit_result result;

		plan_turn(s, w, stale < STALE_MAX, now_ms, &p);
		if (!p.has_generation && put_off(w, &p, now_ms)) {
			plan_done(&p);
			plan_turn(s, w, false, now_ms, &p);
		}
		if (plan_work_count(&p) > BATCH_MAX) {
			if (!rounds++)
				tell_pieces(s, w, &p);
			enum nft_commit outcome = commit_pieces(s, w, &p, now_ms);
			refusals -= outcome == NFT_COMMIT_DONE || outcome == NFT_COMMIT_STALE;
			stale += outcome == NFT_COMMIT_STALE;
			continue;
		}
		nft_conn_commit(s->conn, &p, &result);
		if (result.outcome == NFT_COMMIT_STALE && p.has_generation) {
			nft_monitor_drain(s->monitor);
			stale++;
			refusals--;
			continue;
		}
		if (result.outcome == NFT_COMMIT_DONE && result.generation)
			sync_take_generation(s, result.generation);
		if (!take_result(s, w, &p, &result, now_ms))
			return;
	}
}

/* --- fuses --- */

static bool is_renewed(const struct world_set *set, uint64_t now_ms)
{
	return set->renew_ms && set->renew_ms <= now_ms && set->present && !set->look_ms;
}

static void plan_renewals(
	const struct sync *s, const struct world *w, bool guarded, uint64_t now_ms, struct plan *p)
{
	*p = (struct plan){.has_generation = guarded && s->generation, .generation = s->generation};
	for (size_t i = 0; i < w->set_count; i++) {
		struct planning in = planning_of(&w->sets[i]);
		if (is_renewed(&w->sets[i], now_ms))
			plan_renew_all(p, &in);
	}
	p->replaces = !plan_is_empty(p) && !nft_conn_renews(s->conn);
}

/* Also of paused sets: what stands there is to stay. After the commits of this turn, so that what
 * is renewed is what should be there. */
static void renew_turn(struct sync *s, struct world *w, uint64_t now_ms)
{
	enum nft_commit outcome = NFT_COMMIT_STALE;

	for (size_t stale = 0; stale <= STALE_MAX && outcome == NFT_COMMIT_STALE; stale++) {
		_cleanup_(plan_done) struct plan p;
		if (stale)
			nft_monitor_drain(s->monitor);
		plan_renewals(s, w, stale < STALE_MAX, now_ms, &p);
		outcome = commit_pieces(s, w, &p, now_ms);
	}
	for (size_t i = 0; i < w->set_count; i++) {
		struct world_set *set = &w->sets[i];
		if (is_renewed(set, now_ms))
			set->renew_ms =
				set->kind.fuse_ms ? now_ms + set->kind.fuse_ms / RENEWALS : 0;
	}
}

/* A set that left the configuration is forgotten once it holds nothing of ours, or is gone. */
static void forget_left(struct world *w)
{
	while (w->set_count > w->config->set_count) {
		struct world_set *set = &w->sets[w->set_count - 1];
		if (!set->looked || (set->present && set->live.ours))
			return;
		world_drop_last_set(w);
	}
}

/* Nobody undid anything since we last put it right. */
static void end_undoing(
	const struct sync *s, const struct world *w, struct world_set *set, uint64_t now_ms)
{
	struct undoing *u = &set->undoing;

	if (!u->pause_ms || now_ms < u->quiet_ms)
		return;
	*u = (struct undoing){0};
	if (set->present && !set->look_ms && !set->wanted.dirty_count)
		sync_recover(s, w, set);
}

void sync_turn(struct sync *s, struct world *w, uint64_t now_ms)
{
	bool dirty = false;

	sync_look_due(s, w, now_ms);
	/* After the looks: what they found is then no older than the generation that is heard. */
	nft_monitor_drain(s->monitor);
	bool renews = false;
	for (size_t i = 0; i < w->set_count; i++) {
		struct world_set *set = &w->sets[i];
		settle(w, set, now_ms);
		end_undoing(s, w, set, now_ms);
		if (set->hold_ms <= now_ms)
			set->hold_ms = 0;
		if (set->frozen && set->wanted.dirty_count > DIRTY_MAX)
			wanted_clear_dirty(&set->wanted); /* all of it is planned afterwards */
		dirty = dirty || (!set->frozen && (set->plan_all || set->wanted.dirty_count));
	}
	if (dirty)
		commit_turn(s, w, now_ms);
	for (size_t i = 0; i < w->set_count; i++)
		renews = renews || is_renewed(&w->sets[i], now_ms);
	if (renews)
		renew_turn(s, w, now_ms);
	for (size_t i = 0; i < w->set_count; i++) {
		if (w->sets[i].present && !w->sets[i].look_ms)
			sync_tell_foreign(s, w, &w->sets[i], now_ms);
	}
	forget_left(w);
}

/* 0: no time at all. */
static void earlier(uint64_t *next_ms, uint64_t ms)
{
	if (ms && ms < *next_ms)
		*next_ms = ms;
}

uint64_t sync_next_ms(const struct world *w)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < w->set_count; i++) {
		const struct world_set *set = &w->sets[i];
		size_t foreign = live_count(&set->live) - set->live.ours;
		earlier(&next, set->look_ms);
		earlier(&next, set->hold_ms);
		earlier(&next, set->undoing.pause_ms ? set->undoing.quiet_ms : 0);
		if (set->present && !set->look_ms) {
			earlier(&next, set->renew_ms);
			earlier(&next, foreign != set->foreign_reported ? set->foreign_next_ms : 0);
		}
		if (sync_is_settling(set))
			earlier(&next, set->unowned_leave_ms);
	}
	return next;
}
