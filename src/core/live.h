#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A copy of what stands in a set of the kernel. core/live_feed.h fills it from what the kernel
 * says, core/planning.h compares it with what should stand there. */
#include "allowsync/element.h"
#include "allowsync/plan.h"
#include "base/map.h"
#include "core/ranges.h"

#include <stdbool.h>
#include <stddef.h>

struct live_element {
	struct element_key key;
	bool ours;       /* carries our tag */
	bool expires;    /* has a timeout running */
	uint32_t left_s; /* of it, when that was read */
};

struct live {
	struct map elements; /* key bytes -> its entry */
	size_t ours;         /* of them */
	bool ranged;         /* elements are ranges of addresses; they never overlap */
	bool boxed;          /* elements may be ranges in several fields at once */
	struct ranges order; /* ranged: the elements */
	struct map boxes;    /* boxed: the elements that are more than a single key; never ours */
};
#define LIVE_NULL ((struct live){0})

/* Empties it; from now on it is a copy of a set of that kind. */
void live_begin(struct live *l, const struct set_kind *kind);
void live_put(struct live *l, const struct live_element *e);
void live_remove(struct live *l, const struct element_key *key);
const struct live_element *live_find(const struct live *l, const struct element_key *key);
/* An element that holds the whole key, be it a larger one; NULL: none does alone. */
const struct live_element *live_find_covering(
	const struct live *l, const struct set_kind *kind, const struct element_key *key);
const struct live_element *live_next(const struct live *l, size_t *at);
size_t live_count(const struct live *l);
/* Empties it. */
void live_clear(struct live *l);
void live_done(struct live *l);

/* What a commit of `s` makes of the copy. */
void live_apply(struct live *l, const struct plan_set *s);
