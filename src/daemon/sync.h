#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything below `wanted`: looks at the kernel's sets, plans, commits, and says what changed.
 * What fails is looked at again, with back-off; a set that fails is left out and degraded alone. */
#include "allowsync/event.h"
#include "allowsync/plan.h"
#include "daemon/world.h"

#include <stdbool.h>
#include <stdint.h>

struct nft_conn;
struct nft_monitor;

typedef void (*sync_event_fn)(void *userdata, const struct event *event);

struct sync {
	struct nft_conn *conn;
	struct nft_monitor *monitor;
	uint32_t generation; /* of nf_tables, as last heard; 0: not yet */
	bool crossed;        /* others were there between that and our last commit */
	bool doubts;         /* what is being heard may be older than a commit of ours */
	bool catches_up;     /* some set was looked at ahead of what was heard */
	struct history *history;
	sync_event_fn emit;
	void *userdata;
};

/* One turn: looks that are due, then one batch for all sets. */
void sync_turn(struct sync *s, struct world *w, uint64_t now_ms);
/* A generation that was heard of: the newest one is what a commit builds on. */
void sync_take_generation(struct sync *s, uint32_t generation);
/* Says how many elements of the set are not ours, when that changed. */
void sync_tell_foreign(
	const struct sync *s, const struct world *w, struct world_set *set, uint64_t now_ms);
/* Only the looks. */
void sync_look_due(struct sync *s, struct world *w, uint64_t now_ms);
/* When there is something to do by the clock; UINT64_MAX: never. */
uint64_t sync_next_ms(const struct world *w);
/* Look at every set again in the next turn. */
void sync_look_again(struct world *w, uint64_t now_ms);
/* The plan for all sets as they stand now. Ends with plan_done(). */
void sync_plan(const struct world *w, uint64_t now_ms, struct plan *ret);
