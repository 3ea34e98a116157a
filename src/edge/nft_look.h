#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading several things of the ruleset as they stood together: of one generation. */
#include "edge/nft_socket.h"

#include <stdbool.h>
#include <stdint.h>

/* Empty at first: opened by the first look, and kept. */
struct nft_look {
	bool open;
	struct nft_socket socket;
};

enum { NFT_LOOK_E_BUSY = 1 }; /* the ruleset changed under every try to read it */

/* Reads anew what it is to read: dumps that show that generation. 0; NFT_SOCKET_DUMP_TORN: what
 * came is not whole; -errno ends the look. */
typedef int (*nft_look_fn)(struct nft_socket *s, uint32_t generation, void *userdata);

/* Calls `fn` until the generation was the same before and after: 0, and what the last call read
 * holds. NFT_LOOK_E_BUSY, -errno. */
int nft_look(struct nft_look *l, nft_look_fn fn, void *userdata);
void nft_look_done(struct nft_look *l);
