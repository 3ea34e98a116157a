/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key by key; sets of address ranges are in planning_ranges.c. */
#include "core/planning.h"

#include "base/mem.h"
#include "core/planning_parts.h"

static struct plan_set *open_set(struct planning_part *t)
{
	if (!t->set)
		t->set = plan_for_set(t->plan, t->in->set_index, t->in->id, t->in->kind);
	return t->set;
}

void planning_add(struct planning_part *t, const struct element_key *key)
{
	plan_add(open_set(t), key);
}

void planning_delete(struct planning_part *t, const struct element_key *key)
{
	plan_delete(open_set(t), key);
}

void planning_keep(struct planning_part *t, const struct live_element *e)
{
	if (e->expires != (t->in->kind->fuse_ms > 0))
		plan_renew(open_set(t), &e->key);
}

static void want_key(struct planning_part *t, const struct element_key *key)
{
	const struct live_element *e = live_find_covering(t->in->live, t->in->kind, key);

	if (!e)
		planning_add(t, key);
	else if (e->ours)
		planning_keep(t, e);
}

/* What takes the place of something that goes, even if it is larger, comes first. */
static bool replaces_some(const struct planning_part *t, const struct element_key *key)
{
	return t->in->live->ranged && ranges_overlapping(&t->in->live->order, key);
}

/* Leaves out what would not fit. */
static void fit(struct planning_part *t)
{
	struct plan_set *s = t->set;
	size_t size = t->in->kind->size, kept = 0;

	if (!s || !size || !s->add_count)
		return;
	size_t stay = live_count(t->in->live) - s->delete_count;
	size_t room = size > stay ? size - stay : 0;
	if (s->add_count <= room)
		return;
	struct element_key *adds = s->adds;
	size_t count = s->add_count;
	s->adds = xcalloc(count, sizeof(*adds));
	s->add_capacity = count;
	for (int first = 1; first >= 0; first--) {
		for (size_t i = 0; i < count && kept < room; i++) {
			if (replaces_some(t, &adds[i]) == (bool)first)
				s->adds[kept++] = adds[i];
		}
	}
	s->add_count = kept;
	s->left_out = count - kept;
	free(adds);
}

void plan_dirty(struct plan *p, const struct planning *in)
{
	struct planning_part t = {.in = in, .plan = p};

	if (set_kind_has_ranges(in->kind)) {
		planning_ranges(&t, false);
		fit(&t);
		return;
	}
	for (size_t i = 0; i < in->wanted->dirty_count; i++) {
		const struct element_key *key = &in->wanted->dirty[i].key;
		if (wanted_find(in->wanted, key)) {
			want_key(&t, key);
			continue;
		}
		const struct live_element *e = live_find(in->live, key);
		if (e && (e->ours || in->remove_foreign))
			planning_delete(&t, key);
	}
	fit(&t);
}

static bool has_to_go(const struct planning *in, const struct live_element *e)
{
	if (wanted_find(in->wanted, &e->key))
		return false;
	if (!e->ours)
		return in->remove_foreign;
	return in->delete_unowned || wanted_is_dirty(in->wanted, &e->key);
}

/* A box of others that goes is no cover for what is wanted in it. */
static bool is_uncovered_by_removal(const struct planning *in, const struct element_key *key)
{
	const struct live_element *e = live_find_covering(in->live, in->kind, key);

	return e && has_to_go(in, e);
}

void plan_whole(struct plan *p, const struct planning *in)
{
	struct planning_part t = {.in = in, .plan = p};
	const struct live_element *e;
	const struct want *want;

	if (set_kind_has_ranges(in->kind)) {
		planning_ranges(&t, true);
		fit(&t);
		return;
	}
	for (size_t at = 0; (e = live_next(in->live, &at));) {
		if (has_to_go(in, e))
			planning_delete(&t, &e->key);
	}
	for (size_t at = 0; (want = wanted_next(in->wanted, &at));) {
		if (in->remove_foreign && is_uncovered_by_removal(in, &want->key))
			planning_add(&t, &want->key);
		else
			want_key(&t, &want->key);
	}
	fit(&t);
}

void plan_renew_all(struct plan *p, const struct planning *in)
{
	struct planning_part t = {.in = in, .plan = p};
	const struct live_element *e;

	for (size_t at = 0; (e = live_next(in->live, &at));) {
		if (e->ours)
			plan_renew(open_set(&t), &e->key);
	}
}
