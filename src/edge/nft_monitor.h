#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What nf_tables tells of its changes, whoever made them: a netlink socket of its own in the group
 * NFNLGRP_NFTABLES (the command socket is not in it). Needs CAP_NET_ADMIN.
 *
 * A transaction arrives as its changes, one a message, and a NEWGEN that closes it and names who made
 * it. A deleted table or set takes its elements along without a word about them. */
#include "core/live.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct nft_monitor;

enum nft_notice_kind {
	NFT_NOTICE_ADDED,      /* an element: `element` */
	NFT_NOTICE_DELETED,    /* an element: `element` (only its key counts) */
	NFT_NOTICE_SET,        /* a set was made or removed: look at it again */
	NFT_NOTICE_TABLE,      /* a table was made or removed: look at its sets again */
	NFT_NOTICE_RULE,       /* a rule or chain was made or removed */
	NFT_NOTICE_GENERATION, /* the transaction is over: generation, pid, process, own */
	NFT_NOTICE_LOST,       /* something was lost (ENOBUFS, a message cut): look at everything */
};

struct nft_notice {
	enum nft_notice_kind kind;
	uint8_t nf_family;
	const char *table, *set; /* NULL where they do not apply; valid during the call */
	struct live_element element;
	bool strange;        /* ADDED, DELETED: the key has a layout that no set of ours has */
	uint32_t portid;     /* the netlink port of whoever made the change */
	uint32_t generation; /* GENERATION */
	uint32_t pid;        /* GENERATION: 0 when not said */
	const char *process; /* GENERATION: its name, "" when not said */
};
typedef void (*nft_notice_fn)(void *userdata, const struct nft_notice *notice);

enum { NFT_MONITOR_BUFFER = 8 << 20 }; /* bytes, forced: holds a change of some 60000 elements */

/* Notices come from the loop and from nft_monitor_drain(). Negative: -errno. */
int nft_monitor_new(
	struct loop *l, nft_notice_fn fn, void *userdata, struct nft_monitor **ret);
/* Reads all that has arrived, now: before a plan is made, and after a commit of our own. Not from
 * inside a notice. */
void nft_monitor_drain(struct nft_monitor *m);
/* Of the last NEWGEN that was read; 0: none yet. */
uint32_t nft_monitor_generation(const struct nft_monitor *m);
/* How often something was lost. */
uint64_t nft_monitor_lost_count(const struct nft_monitor *m);
/* Takes NULL; returns NULL. */
struct nft_monitor *nft_monitor_free(struct nft_monitor *m);
