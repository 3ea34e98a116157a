/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A look at the ruleset that nobody changed meanwhile. */
#include "edge/nft_look.h"

enum { LOOK_TRIES = 4 };

int nft_look(struct nft_look *l, nft_look_fn fn, void *userdata)
{
	uint32_t before = 0, after = 0;
	int r = 0;

	if (!l->open) {
		r = nft_socket_open(&l->socket);
		l->open = r == 0;
	}
	if (r == 0)
		r = nft_socket_generation(&l->socket, &before);
	for (int try = 0; r == 0 && try < LOOK_TRIES; try++, before = after) {
		int one = fn(&l->socket, before, userdata);
		r = one < 0 ? one : nft_socket_generation(&l->socket, &after);
		if (r == 0 && one == NFT_SOCKET_DUMP_WHOLE && after == before)
			return 0;
	}
	return r ? r : NFT_LOOK_E_BUSY;
}

void nft_look_done(struct nft_look *l)
{
	if (l->open)
		nft_socket_close(&l->socket);
	l->open = false;
}
