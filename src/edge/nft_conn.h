#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The netlink socket to nf_tables: looks at sets, dumps them, commits plans. Synchronous: the
 * kernel has done its work when send returns. Needs CAP_NET_ADMIN, for reading as well. */
#include "allowsync/plan.h"
#include "core/live.h"

#include <stdbool.h>
#include <stdint.h>

struct nft_conn;

/* Positive results of this module; the direct caller handles them. */
enum {
	NFT_CONN_E_MISSING = 1, /* no such table or set */
	NFT_CONN_E_BUSY,        /* the ruleset changed under every try to read it */
};

enum nft_commit {
	NFT_COMMIT_DONE,    /* committed (or there was nothing to do) */
	NFT_COMMIT_STALE,   /* ERESTART: the generation has moved on; nothing was changed */
	NFT_COMMIT_REFUSED, /* nothing was changed; see set_index and error */
	NFT_COMMIT_UNKNOWN, /* an answer was lost, and none says that it failed: look again */
};

struct nft_commit_result {
	enum nft_commit outcome;
	int error;    /* REFUSED, UNKNOWN: errno */
	bool has_set; /* REFUSED: which set's message it was; the first one, with `error` */
	size_t set_index;
	/* REFUSED, and has_set: for each of the plan's sets what was said of it, an errno or 0;
	 * valid until the next commit. The kernel goes on after a failure, so as a rule all are
	 * known. */
	const int *set_errors;
	/* DONE: the one this commit made, told by the kernel in the same breath; that of now, when
	 * the commit had no effect. 0: nothing was sent, or it could not be read. */
	uint32_t generation;
};

int nft_conn_new(struct nft_conn **ret);
struct nft_conn *nft_conn_free(struct nft_conn *c);
/* By which notices of its own commits are known; another once the socket had to be opened anew. */
uint32_t nft_conn_portid(const struct nft_conn *c);

int nft_conn_generation(struct nft_conn *c, uint32_t *ret);
/* What the set can hold. NFT_CONN_E_MISSING. `unusable` says what this version cannot fill. */
int nft_conn_read_set(struct nft_conn *c, const struct set_id *id, struct set_kind *ret);
/* The whole set into `ret` (which is cleared first), consistent: the generation is compared before,
 * in every message, and after, no key may come twice (a rehash, which makes no generation), and the
 * dump is repeated a few times; the kernel flags none of this. NFT_CONN_E_MISSING, NFT_CONN_E_BUSY.
 * Keys that do not fit the kind count in `*ret_strange`. */
int nft_conn_dump(struct nft_conn *c, const struct set_id *id, const struct set_kind *kind,
	struct live *ret, uint32_t *ret_generation, size_t *ret_strange);
/* The same beside somebody who changes the ruleset all the time: of one try, whatever the
 * generation does meanwhile. It is consistent if nothing was heard of this set while it went on.
 * NFT_CONN_E_BUSY: a key came twice. */
int nft_conn_dump_loosely(struct nft_conn *c, const struct set_id *id, const struct set_kind *kind,
	struct live *ret, size_t *ret_strange);
/* Does the running kernel take a new timeout for an element that is there? Probed when first asked
 * (edge/nft_probe.h); where that fails, it is taken for one that does not. */
bool nft_conn_renews(struct nft_conn *c);
/* One batch, one sendmsg: deletes before adds, tag on every add, an explicit timeout of 0 where the
 * set has a default. */
void nft_conn_commit(struct nft_conn *c, const struct plan *p, struct nft_commit_result *ret);
/* Dumps (each try counts) and commits (those that were sent and done) so far, for `status`. */
uint64_t nft_conn_dump_count(const struct nft_conn *c);
uint64_t nft_conn_commit_count(const struct nft_conn *c);
