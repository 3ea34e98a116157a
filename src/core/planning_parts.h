#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two ways of planning share: key by key, and by ranges. */
#include "core/planning.h"

/* The set's part of the plan, entered when there is something to put into it. */
struct planning_part {
	const struct planning *in;
	struct plan *plan;
	struct plan_set *set; /* NULL: nothing yet */
};

void planning_add(struct planning_part *t, const struct element_key *key);
void planning_delete(struct planning_part *t, const struct element_key *key);
void planning_renew(struct planning_part *t, const struct element_key *key);
/* One that stands there, is ours and stays: renewed when it expires and should not, or the other
 * way round. */
void planning_keep(struct planning_part *t, const struct live_element *e);

/* What is not ours and stands for something wanted: noted when it expires. */
void planning_lean_on(struct planning_part *t, const struct live_element *e);
/* Leaves out what the set has no room for. */
void planning_fit(struct planning_part *t);

/* plan_dirty() and plan_whole() for sets of address ranges. */
void planning_ranges(struct planning_part *t, bool whole);
