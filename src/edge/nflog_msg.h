#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of NFLOG (nfnetlink_log) as bytes: requests for a group, and packets that rules logged
 * to one. No socket. */
#include "core/refused.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NFLOG_MSG_REQUEST_MAX = 128,
	NFLOG_MSG_SNAPLEN = 128, /* bytes of a packet that are asked for */
};

/* Requests; `buf` is aligned for message headers and has room for NFLOG_MSG_REQUEST_MAX. Return
 * their length. Each is acknowledged. */
/* Packets of the group go to whoever asks this. */
size_t nflog_msg_encode_bind(void *buf, uint32_t seq, uint16_t group);
size_t nflog_msg_encode_unbind(void *buf, uint32_t seq, uint16_t group);
/* That they come with their first bytes, at most that many at once or that long after the first. */
size_t nflog_msg_encode_mode(void *buf, uint32_t seq, uint16_t group);

enum nflog_msg_kind {
	NFLOG_MSG_ACK,     /* of request `seq`: `error` is 0 or -errno */
	NFLOG_MSG_PACKET,  /* one that our rules have logged to `group` */
	NFLOG_MSG_STRANGE, /* a packet that other rules have, or one that cannot be read */
	NFLOG_MSG_OTHER,
};

struct nflog_msg {
	enum nflog_msg_kind kind;
	uint32_t seq;
	int error;
	uint16_t group;
	struct refused_packet packet;
};

/* Calls `fn` for each message in a datagram, which starts on a multiple of 4 and may hold anything.
 * -EBADMSG: it ends in something that is none. */
typedef void (*nflog_msg_fn)(void *userdata, const struct nflog_msg *m);
int nflog_msg_decode(const void *datagram, size_t len, nflog_msg_fn fn, void *userdata);
