#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sockets of a c-ares channel. It opens, reads and writes them through here, so that a datagram
 * that cannot be the answer to its query is counted, and goes no further. By itself c-ares drops
 * most of them without a word, and some end the question: since 1.28 those that it cannot read,
 * before that those without a byte. Only slot.c uses it. */
#include "core/query.h"

#include <stdbool.h>
#include <stdint.h>

struct ares_channeldata;
struct config_server;
struct config_source;

struct slot_sockets {
	const struct config_source *source; /* addresses to ask from */
	const struct config_server *server; /* at the time */
	int udp;                            /* the newest; where queries leave from */
	struct query query;                 /* the one in flight */
	bool tcp;                           /* it went, or was to go, over TCP as well */
	uint64_t unmatched;                 /* datagrams that were no answer to it */
};

/* What they point to is the caller's, and may change between questions. */
void slot_sockets_init(struct slot_sockets *s, const struct config_source *source,
	const struct config_server *server);
/* Before the channel opens its first socket; `s` must outlive it. False: the library is at a loss.
 */
bool slot_sockets_use(struct slot_sockets *s, struct ares_channeldata *channel);
/* For the next question; the sockets of the one before are closed. */
void slot_sockets_begin(struct slot_sockets *s);
