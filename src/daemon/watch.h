#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps the copies of the live sets true to what others do: takes the monitor's notices, and has
 * what they undid planned again. */
#include "daemon/sync.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nft_notice;

/* The transaction whose notices are coming in. */
struct watch {
	bool touched;       /* some set of ours, by somebody else */
	bool rules_changed; /* since the engine last cleared it */
};

/* A nft_notice, in the order in which they come. Our own commits are known by `own_portid`. */
void watch_on_notice(struct watch *watch, struct sync *s, struct world *w,
	const struct nft_notice *notice, uint32_t own_portid, uint64_t now_ms);
