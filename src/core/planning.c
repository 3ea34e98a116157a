/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key by key; sets of address ranges are in planning_ranges.c. */
#include "core/planning.h"

#include "core/planning_parts.h"

static void want_key(struct planning_part *t, const struct element_key *key)
{
	const struct live_element *e = live_find_covering(t->in->live, t->in->kind, key);

	if (!e)
		planning_add(t, key);
	else if (e->ours)
		planning_keep(t, e);
}

void plan_dirty(struct plan *p, const struct planning *in)
{
	struct planning_part t = {.in = in, .plan = p};

	if (set_kind_has_ranges(in->kind)) {
		planning_ranges(&t, false);
		planning_fit(&t);
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
	planning_fit(&t);
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
		planning_fit(&t);
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
	planning_fit(&t);
}

void plan_renew_all(struct plan *p, const struct planning *in)
{
	struct planning_part t = {.in = in, .plan = p};
	const struct live_element *e;

	for (size_t at = 0; (e = live_next(in->live, &at));) {
		if (e->ours)
			planning_renew(&t, &e->key);
	}
}
