#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of sync share: sync.c is the turn; sync_look.c looks, sync_plan.c plans,
 * sync_commit.c commits, sync_tell.c says. */
#include "daemon/sync.h"

struct plan;
struct planning;

struct planning sync_planning_of(const struct world_set *set, uint64_t now_ms);
/* Adds what the set needs: `all`, or because of its dirty keys. */
void sync_plan_one(struct plan *p, const struct world_set *set, bool all, uint64_t now_ms);
/* Commits until every set is in step, or is to be looked at again. */
void sync_commit_turn(struct sync *s, struct world *w, uint64_t now_ms);
/* Gives our elements their timeout anew where that is due; of paused sets as well: what stands
 * there is to stay. After the commits of the turn, so that what is renewed is what should be there.
 */
void sync_renew_turn(struct sync *s, struct world *w, uint64_t now_ms);

/* One event about that set, at its place in the configuration. */
void sync_tell_set(const struct sync *s, const struct world *w, const struct world_set *set,
	enum event_kind kind, int priority, const char *message);
/* Notes why not all can be done, and says it: once for each reason. */
void sync_degrade(const struct sync *s, const struct world *w, struct world_set *set,
	uint64_t now_ms, const char *why);
/* It is in step. */
void sync_recover(const struct sync *s, const struct world *w, struct world_set *set);
/* Entries that the set cannot hold, and whatever else of it is worth a warning. */
void sync_tell_misfits(const struct sync *s, const struct world *w, const struct world_set *set);

/* The first failure is looked into at once, further ones with back-off. */
void sync_look_later(struct world_set *set, uint64_t now_ms);
/* May it still hold elements of an earlier run that wait for names to be answered? */
bool sync_is_settling(const struct world_set *set);
