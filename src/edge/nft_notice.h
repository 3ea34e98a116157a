#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What nf_tables tells of its changes, as bytes become notices. No socket. */
#include "allowsync/element.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum nft_notice_kind {
	NFT_NOTICE_ADDED,      /* an entry, or an old one with a new timeout: `entry` */
	NFT_NOTICE_DELETED,    /* an entry: `entry` */
	NFT_NOTICE_SET,        /* a set was made, changed or removed: look at it again */
	NFT_NOTICE_TABLE,      /* a table was made, changed or removed: look at its sets again */
	NFT_NOTICE_RULE,       /* a rule or chain was made or removed: `chain` */
	NFT_NOTICE_GENERATION, /* the transaction is over: generation, pid, process */
	NFT_NOTICE_LOST,       /* something was lost: look at everything, after a drain */
};

struct nft_notice {
	enum nft_notice_kind kind;
	uint8_t nf_family;
	const char *table, *set, *chain; /* NULL where they do not apply; valid during the call */
	/* What its fields are, and whether their padding is clean, only the set's kind tells
	 * (core/live_feed.h). */
	struct set_entry entry;
	/* ADDED, DELETED: a mapping, the catch-all or a longer key, which no set of ours has;
	 * `entry` is empty then. */
	bool strange;
	uint16_t generation_16; /* the low half of the generation that it belongs to */
	uint32_t portid;        /* the netlink port of whoever made the change */
	uint32_t generation;    /* GENERATION */
	uint32_t pid;           /* GENERATION: as seen from the first pid namespace; 0: not said */
	/* GENERATION: as the process calls itself, with ? for what is not printable ASCII; valid
	 * during the call; "" when not said. */
	const char *process;
};
typedef void (*nft_notice_fn)(void *userdata, const struct nft_notice *notice);

/* Calls `fn` for each notice in a datagram, which starts on a multiple of 4 and may hold anything;
 * messages of other sorts are passed over. Never LOST. -EBADMSG: something in it is not as it
 * should be, and not told. */
int nft_notice_decode(const void *datagram, size_t len, nft_notice_fn fn, void *userdata);
