#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stands in the ruleset, whoever put it there, read without nft: where nft fails it is to be
 * found out why. Needs CAP_NET_ADMIN. */
#include "allowsync/profile.h"

#include <stdint.h>

struct nft_standing;

/* The socket is opened by the first look, and kept. */
struct nft_standing *nft_standing_new(void);
struct nft_standing *nft_standing_free(struct nft_standing *s);
/* Adds the chains, sets and ct timeout objects of that table whose names begin with `prefix`, but
 * for those that a rule of another chain refers to: while it does, they cannot be deleted. There is
 * no such table: none. NFT_LOOK_E_BUSY, -errno: nothing is added. */
int nft_standing_look(struct nft_standing *s, uint8_t nf_family, const char *table,
	const char *prefix, struct strings *ret_chains, struct strings *ret_sets,
	struct strings *ret_policies);
/* The first set, of any table, whose elements have a statement `last`, over which nft 1.0.6 falls
 * whatever it is asked for: "ip theirs s", escaped; NULL: there is none. The caller frees it.
 * NFT_LOOK_E_BUSY, -errno. */
int nft_standing_find_last(struct nft_standing *s, char **ret);
