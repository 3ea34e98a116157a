#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps the copies of the live sets true to what others do: takes the monitor's notices, and has
 * what they undid planned again. */
#include "daemon/sync.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nft_notice;

struct watch {
	/* The transaction whose notices are coming in, by somebody else: */
	bool touched;       /* some set of ours */
	bool rules_touched; /* our chains in the managed table, or that itself */
	bool table_touched; /* some table */

	bool rules_changed; /* any; since the engine last cleared it */
	/* The rules of the managed table; daemon/rules.c sets the first two, and clears the next.
	 */
	bool minds_rules; /* they are to stay as they are: what others do to them is told */
	uint32_t nft_pid; /* of the child that loads them: what it does is ours; 0: there is none */
	bool rules_undone;   /* what others did may have been that */
	bool tables_changed; /* others made or removed one */
	struct undoing rules_undoing;
	uint64_t rules_hold_ms; /* they are not loaded again before that */
};

/* A nft_notice, in the order in which they come. Our own commits are known by `own_portid`. */
void watch_on_notice(struct watch *watch, struct sync *s, struct world *w,
	const struct nft_notice *notice, uint32_t own_portid, uint64_t now_ms);
