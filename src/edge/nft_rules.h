#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks which rules use a set, and whether packets come by them. Reads rules of the sets' own
 * tables only: a rule knows no other table's sets. Needs CAP_NET_ADMIN. */
#include "allowsync/element.h"
#include "edge/nft_rule_msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nft_rules;
struct strings;

/* One rule that refers to a set. */
struct nft_use {
	size_t set;             /* which of those asked for */
	enum nft_ref_kind kind; /* LOOKUP, INVERTED, MAP, VMAP, UPDATE */
	enum nft_rule_end end;
	/* Its chain is on a hook, or can be come to by jump, goto or verdict maps from one that
	 * is; and its table is not dormant. */
	bool reached;
	char *chain;
	uint64_t handle;
};

struct nft_uses {
	struct nft_use *items; /* a set's own in the order of the ruleset */
	size_t count, capacity;
};
#define NFT_USES_NULL ((struct nft_uses){0})

/* The socket is opened by the first look, and kept. */
struct nft_rules *nft_rules_new(void);
struct nft_rules *nft_rules_free(struct nft_rules *r);
/* All uses of those sets, consistent: of one generation. A table or set that does not exist is used
 * by no rule. NFT_LOOK_E_BUSY; -EMSGSIZE: more than NFT_RULES_MAX uses or chains. `ret` ends with
 * nft_uses_done(). */
enum { NFT_RULES_MAX = 100000 };
int nft_rules_look(
	struct nft_rules *r, const struct set_id *const *ids, size_t count, struct nft_uses *ret);
void nft_uses_done(struct nft_uses *u);
/* Adds the chains of that inet table in which a rule drops or rejects, each once; of one
 * generation. Of no table: none. NFT_LOOK_E_BUSY; -EMSGSIZE: more than NFT_RULES_MAX. */
int nft_rules_look_dropping(struct nft_rules *r, const char *table, struct strings *ret);
/* How often rules were read (each try counts). */
uint64_t nft_rules_look_count(const struct nft_rules *r);
