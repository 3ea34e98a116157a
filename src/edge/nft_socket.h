#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A netlink socket to nf_tables, as bytes out and messages in, for requests and their answers. It
 * joins no group, so that what arrives on it is an answer to something it asked. */
#include "edge/nft_msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kernel sizes the answers of a dump by the largest buffer ever offered; with a smaller one
 * afterwards they would be cut. */
enum { NFT_SOCKET_RECEIVE_SIZE = 64 * 1024 };

struct nft_socket {
	int fd;
	uint32_t portid;
	uint32_t seq;   /* of the next message: requests are made with it */
	bool unsettled; /* something may still be queued from a request that went wrong */
	size_t send_buffer;
	/* Aligned for message headers. */
	uint32_t received[NFT_SOCKET_RECEIVE_SIZE / sizeof(uint32_t)];
};

int nft_socket_open(struct nft_socket *s);
void nft_socket_close(struct nft_socket *s);
/* Gets rid of answers that nobody waits for any more; before every request. */
int nft_socket_settle(struct nft_socket *s);
int nft_socket_send(struct nft_socket *s, const void *data, size_t len);
/* One datagram into `received`, if there is one. -EAGAIN, -ENOBUFS (some were lost), -EMSGSIZE. */
int nft_socket_receive_now(struct nft_socket *s, struct nft_msg_reader *ret);
/* Sends a request made with `seq`, and gives the one message that answers it: one of `kind`. */
int nft_socket_ask(struct nft_socket *s, const void *request, size_t len, enum nft_msg_kind kind,
	struct nft_msg *ret);
int nft_socket_generation(struct nft_socket *s, uint32_t *ret);

enum { NFT_SOCKET_DUMP_WHOLE = 0, NFT_SOCKET_DUMP_TORN };
/* False: what came cannot be whole. */
typedef bool (*nft_socket_message_fn)(void *userdata, const struct nft_msg *m);
/* Sends such a request for a dump, and gives `fn` every message of `kind` that answers it. Whole
 * only if each of them shows that generation (0: any); the caller compares it after. -ENOENT: no
 * such object. */
int nft_socket_dump(struct nft_socket *s, const void *request, size_t len, enum nft_msg_kind kind,
	uint32_t generation, nft_socket_message_fn fn, void *userdata);
