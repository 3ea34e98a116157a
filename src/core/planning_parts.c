/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set's part of a plan, filled key by key. */
#include "core/planning_parts.h"

#include "base/mem.h"

static struct plan_set *open_set(struct planning_part *t)
{
	if (!t->set)
		t->set = plan_for_set(t->plan, t->in->set_index, t->in->id, t->in->kind);
	return t->set;
}

void planning_add(struct planning_part *t, const struct element_key *key)
{
	const struct planning *in = t->in;

	if (in->denied)
		plan_add_for(open_set(t), key, denylist_left_ms(in->denied, key, in->now_ms));
	else
		plan_add(open_set(t), key);
}

void planning_delete(struct planning_part *t, const struct element_key *key)
{
	plan_delete(open_set(t), key);
}

void planning_renew(struct planning_part *t, const struct element_key *key)
{
	const struct planning *in = t->in;

	if (in->denied)
		plan_renew_for(open_set(t), key, denylist_left_ms(in->denied, key, in->now_ms));
	else
		plan_renew(open_set(t), key);
}

void planning_keep(struct planning_part *t, const struct live_element *e)
{
	const struct planning *in = t->in;
	bool good = in->denied ? denylist_is_recorded(in->denied, &e->key, e->expires)
			       : e->expires == (in->kind->fuse_ms > 0);

	if (!good)
		planning_renew(t, &e->key);
}

void planning_lean_on(struct planning_part *t, const struct live_element *e)
{
	if (e->expires)
		open_set(t)->borrowed++;
}

/* What takes the place of something that goes, even if it is larger, comes first. */
static bool replaces_some(const struct planning_part *t, const struct element_key *key)
{
	return t->in->live->ranged && ranges_overlapping(&t->in->live->order, key);
}

void planning_fit(struct planning_part *t)
{
	struct plan_set *s = t->set;
	size_t size = set_kind_limit(t->in->kind), kept = 0;

	if (!s || !size || !s->add_count)
		return;
	size_t stay = live_count(t->in->live) - s->delete_count;
	size_t room = size > stay ? size - stay : 0;
	if (s->add_count <= room)
		return;
	struct element_key *adds = s->adds;
	uint64_t *lives = s->add_lives_ms;
	size_t count = s->add_count;
	s->adds = xcalloc(count, sizeof(*adds));
	s->add_capacity = count;
	s->add_lives_ms = lives ? xcalloc(count, sizeof(*lives)) : NULL;
	s->add_life_capacity = lives ? count : 0;
	for (int first = 1; first >= 0; first--) {
		for (size_t i = 0; i < count && kept < room; i++) {
			if (replaces_some(t, &adds[i]) != (bool)first)
				continue;
			if (lives)
				s->add_lives_ms[kept] = lives[i];
			s->adds[kept++] = adds[i];
		}
	}
	s->add_count = kept;
	s->left_out = count - kept;
	free(adds);
	free(lives);
}
