#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the rules begin to enforce a device group, the flows end that it has and may not have: its
 * chain lets through what is established. Whoever loads the rules, the kernel is looked at: that a
 * group's chain rejects, where it did not before.
 *
 * What was enforced when the daemon started stays as it is: flows that began before that are over,
 * and those whose addresses have left since are meant to go on. */
#include "allowsync/profile.h"
#include "daemon/sync.h"

#include <stdbool.h>
#include <stdint.h>

struct nft_rules;

struct endings {
	bool looked;             /* what was enforced at the last look is known */
	struct strings enforced; /* groups, as they were at the last look */
	struct strings pending;  /* of them, those whose flows are to end */
	uint64_t since_ms;       /* since when the oldest of these waits */
};

/* After each load of rules, and once before any. False: they could not be read, or not of one
 * piece; what was known stays, try again later. */
bool endings_look(struct endings *d, const struct world *w, struct nft_rules *r, uint64_t now_ms);
/* While the rules of the world's configuration stand, and not before: ends what is pending, as soon
 * as the sets of the groups are there and their names were answered, or have had their time; tells
 * of it. */
void endings_turn(struct endings *d, const struct world *w, uint64_t now_ms, sync_event_fn emit,
	void *userdata);
/* When there is something to do without any news; UINT64_MAX: never. */
uint64_t endings_next_ms(const struct endings *d);
void endings_done(struct endings *d);
