/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each set needs, and on top of what. */
#include "core/planning.h"
#include "daemon/sync_private.h"

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

static bool deletes_unowned(const struct world_set *set)
{
	return set->settled || set->paused || !set->config;
}

struct planning sync_planning_of(const struct world_set *set, uint64_t now_ms)
{
	return (struct planning){
		.set_index = set->index,
		.id = &set->id,
		.kind = &set->kind,
		.wanted = &set->wanted,
		.live = &set->live,
		.delete_unowned = deletes_unowned(set),
		.remove_foreign = world_set_removes_foreign(set),
		.denied = world_set_lives(set),
		.now_ms = now_ms,
	};
}

void sync_plan_one(struct plan *p, const struct world_set *set, bool all, uint64_t now_ms)
{
	struct planning in = sync_planning_of(set, now_ms);

	if (!set->present || set->frozen)
		return;
	if (all)
		plan_whole(p, &in);
	else
		plan_dirty(p, &in);
	if (set->keeps && p->count && p->sets[p->count - 1].set_index == set->index)
		p->sets[p->count - 1].delete_count = 0;
}

void sync_plan(const struct world *w, uint64_t now_ms, struct plan *ret)
{
	*ret = PLAN_NULL;
	for (size_t i = 0; i < w->set_count; i++) {
		if (w->sets[i].looked)
			sync_plan_one(ret, &w->sets[i], true, now_ms);
	}
}
