#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sockets of a c-ares channel. It opens, reads and writes them through here, for two reasons.
 *
 * A datagram that cannot be the answer to its query is counted, and goes no further. By itself
 * c-ares drops most of them without a word, and some end the question: since 1.28 those that it
 * cannot read, before that those without a byte.
 *
 * The answer is kept as it came. Newer c-ares give out what they have read, some of it mended; and
 * what they cannot read is no answer to them, which 1.22 drops and 1.28 takes for the end of the
 * question. What is wrong with an answer is for others to say. Only slot.c uses it. */
#include "allowsync/addr.h"
#include "core/query.h"

#include <stdbool.h>
#include <stddef.h>
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
	uint8_t *kept;                      /* the last datagram that answers, or all from TCP */
	size_t kept_len, kept_capacity;
	bool withheld; /* that datagram, from c-ares: it cannot read it */
};

/* What they point to is the caller's, and may change between questions. */
void slot_sockets_init(struct slot_sockets *s, const struct config_source *source,
	const struct config_server *server);
/* Before the channel opens its first socket; `s` must outlive it. False: the library is at a loss.
 */
bool slot_sockets_use(struct slot_sockets *s, struct ares_channeldata *channel);
/* By which address, and on which interface ("": any), c-ares is to know a server. One on an
 * interface may be known by another address: 1.34 up to 1.34.5 finds no interface. Its sockets go
 * to the right one. */
struct addr slot_sockets_known_as(const struct config_server *server, const char **ret_scope);
/* For the next question; the sockets of the one before are closed. */
void slot_sockets_begin(struct slot_sockets *s);
/* Before c-ares is to read: it takes one datagram a time, and what it was given the last time, and
 * did not take, is no answer. */
void slot_sockets_before_read(struct slot_sockets *s);
/* The answer as it came, until the next question or read; false: there is none. `taken`: c-ares has
 * taken what it was given. Others are there all the same: what it cannot read, and all over TCP. */
bool slot_sockets_answer(
	const struct slot_sockets *s, bool taken, const uint8_t **ret, size_t *ret_len);
void slot_sockets_done(struct slot_sockets *s);
