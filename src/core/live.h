#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A copy of what stands in a set of the kernel, and the comparison with what should. */
#include "allowsync/element.h"
#include "allowsync/plan.h"
#include "base/map.h"
#include "core/wanted.h"

#include <stdbool.h>
#include <stddef.h>

struct live_element {
	struct element_key key;
	bool ours;    /* carries our tag */
	bool expires; /* has a timeout running, so it is not as we want it */
};

struct live {
	struct map elements; /* key bytes -> struct live_element */
	size_t ours;         /* of them */
};
#define LIVE_NULL ((struct live){0})

void live_put(struct live *l, const struct live_element *e);
void live_remove(struct live *l, const struct element_key *key);
const struct live_element *live_find(const struct live *l, const struct element_key *key);
const struct live_element *live_next(const struct live *l, size_t *at);
size_t live_count(const struct live *l);
void live_clear(struct live *l);
void live_done(struct live *l);

/* Adds to `p` what the dirty keys of `w` need: wanted and not there (or ours and about to expire)
 * is added; ours and no longer wanted is deleted; what is not ours is left alone, wanted or not.
 * More than the set has room for is counted instead: the kernel would refuse the deletes as well.
 */
void plan_dirty(struct plan *p, size_t set_index, const struct set_id *id,
	const struct set_kind *kind, const struct wanted *w, const struct live *l);
/* The same over the whole set. Elements of ours that nobody wants are deleted only with
 * `delete_unowned`, or when they are dirty: after a start they wait until DNS has spoken. */
void plan_whole(struct plan *p, size_t set_index, const struct set_id *id,
	const struct set_kind *kind, const struct wanted *w, const struct live *l,
	bool delete_unowned);
/* Before plan_whole(): deletes what is not ours and nobody wants. One that is wanted stays as it
 * is: to delete and add a key in one batch may let a packet miss it. */
void plan_foreign(struct plan *p, size_t set_index, const struct set_id *id,
	const struct set_kind *kind, const struct wanted *w, const struct live *l);
/* What a commit of `s` makes of the copy. */
void live_apply(struct live *l, const struct plan_set *s);
