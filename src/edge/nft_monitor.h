#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What nf_tables tells of its changes, whoever made them: a netlink socket of its own in the group
 * NFNLGRP_NFTABLES (the command socket is not in it). Needs CAP_NET_ADMIN.
 *
 * A transaction arrives as its changes, one a message, and a NEWGEN that closes it and names who
 * made it. A deleted table or set takes its elements along without a word about them. */
#include "edge/nft_notice.h"

#include <stdint.h>

struct loop;
struct nft_monitor;

enum { NFT_MONITOR_BUFFER = 8 << 20 }; /* bytes, forced: holds a change of some 60000 elements */

/* Notices come from the loop, a bounded number a round, and from nft_monitor_drain(). LOST comes
 * when a notice was pushed out of the buffer or cut, or a NEWGEN is missing; the kernel drops all
 * that follows until everything older has been read, therefore nothing is to be looked at before a
 * drain. Negative: -errno. */
int nft_monitor_new(struct loop *l, nft_notice_fn fn, void *userdata, struct nft_monitor **ret);
/* Reads all that has arrived, now: before a plan is made, and after a commit of our own. Not from
 * inside a notice. */
void nft_monitor_drain(struct nft_monitor *m);
/* Of the last NEWGEN that was read; 0: none yet. */
uint32_t nft_monitor_generation(const struct nft_monitor *m);
/* How often something was lost. */
uint64_t nft_monitor_lost_count(const struct nft_monitor *m);
/* For tests, which make its buffer small or its losses silent; it stays the monitor's. */
int nft_monitor_fd(const struct nft_monitor *m);
/* Not from inside a notice. Takes NULL; returns NULL. */
struct nft_monitor *nft_monitor_free(struct nft_monitor *m);
