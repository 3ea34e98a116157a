/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From wanted sets to the kernel's. */
#include "daemon/sync.h"

#include "daemon/denying.h"
#include "daemon/refresh.h"
#include "daemon/sync_private.h"
#include "edge/nft_monitor.h"

enum { DIRTY_MAX = 65536 };

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
	for (size_t i = 0; i < w->set_count; i++) {
		struct world_set *set = &w->sets[i];
		settle(w, set, now_ms);
		end_undoing(s, w, set, now_ms);
		if (set->keeper)
			denying_turn(s, w, set, now_ms);
		if (set->hold_ms <= now_ms)
			set->hold_ms = 0;
		if (set->frozen && set->wanted.dirty_count > DIRTY_MAX)
			wanted_clear_dirty(&set->wanted); /* all of it is planned afterwards */
		dirty = dirty || (!set->frozen && (set->plan_all || set->wanted.dirty_count));
	}
	if (dirty)
		sync_commit_turn(s, w, now_ms);
	sync_renew_turn(s, w, now_ms);
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
		earlier(&next, denylist_next_ms(&set->denied));
		earlier(&next, set->hold_ms);
		earlier(&next, set->frozen ? 0 : set->peek_ms);
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
