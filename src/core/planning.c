/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key by key; sets of address ranges are in planning_ranges.c. */
#include "core/planning.h"

#include "core/planning_parts.h"

/* Of an element that nobody wants: does this plan delete it? */
static bool has_to_go(const struct planning *in, const struct live_element *e, bool whole)
{
	if (wanted_is_dirty(in->wanted, &e->key))
		return e->ours || in->remove_foreign;
	return whole && (e->ours ? in->delete_unowned : in->remove_foreign);
}

/* What stands there for the key, and stays: itself, or something that holds it as well. NULL: it
 * has to be added. */
static const struct live_element *standing(
	const struct planning *in, const struct element_key *key, bool whole)
{
	const struct live_element *e = live_find_covering(in->live, in->kind, key);

	if (!e || element_key_eq(&e->key, key))
		return e;
	return has_to_go(in, e, whole) ? NULL : e;
}

static void stay(struct planning_part *t, const struct live_element *e)
{
	if (e->ours)
		planning_keep(t, e);
	else
		planning_lean_on(t, e);
}

static void plan_want(struct planning_part *t, const struct element_key *key)
{
	const struct live_element *e = standing(t->in, key, false);

	if (e)
		stay(t, e);
	else
		planning_add(t, key);
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
		const struct want *want = in->wanted->dirty[i].want;
		if (want->count) {
			plan_want(&t, &want->key);
			continue;
		}
		const struct live_element *e = live_find(in->live, &want->key);
		if (e && has_to_go(in, e, false))
			planning_delete(&t, &want->key);
	}
	planning_fit(&t);
}

void plan_whole(struct plan *p, const struct planning *in)
{
	struct planning_part t = {.in = in, .plan = p};
	const struct live_element *e;
	const struct want *want;
	size_t met = 0;

	if (set_kind_has_ranges(in->kind)) {
		planning_ranges(&t, true);
		planning_fit(&t);
		return;
	}
	for (size_t at = 0; (e = live_next(in->live, &at));) {
		if (wanted_find(in->wanted, &e->key)) {
			met++;
			stay(&t, e);
		} else if (has_to_go(in, e, true)) {
			planning_delete(&t, &e->key);
		}
	}
	/* After a start all of it may well be there: each look is paid for in memory that is in no
	 * cache. */
	for (size_t at = 0; met < in->wanted->count && (want = wanted_next(in->wanted, &at));) {
		e = standing(in, &want->key, true);
		if (!e)
			planning_add(&t, &want->key);
		else if (!element_key_eq(&e->key, &want->key))
			stay(&t, e);
	}
	planning_fit(&t);
}

void plan_renew_all(struct plan *p, const struct planning *in)
{
	struct planning_part t = {.in = in, .plan = p};
	const struct live_element *e;

	for (size_t at = 0; (e = live_next(in->live, &at));) {
		if (!e->ours)
			continue;
		if (!in->denied)
			planning_renew(&t, &e->key);
		else if (wanted_find(in->wanted, &e->key))
			planning_keep(&t, e);
	}
}
