#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long the kernel keeps flows on which nothing comes, and the policies (nft's "ct timeout")
 * that lengthen it for one vendor's. A policy stands for the kernel's time of every state of its
 * protocol, and nft fills in times of its own for those that it does not name: so it names them
 * all, each with what the kernel has or more. */
#include <stdbool.h>
#include <stdint.h>

struct strbuf;

enum timeouts_state {
	TIMEOUTS_TCP_SYN_SENT,
	TIMEOUTS_TCP_SYN_RECV,
	TIMEOUTS_TCP_ESTABLISHED,
	TIMEOUTS_TCP_FIN_WAIT,
	TIMEOUTS_TCP_CLOSE_WAIT,
	TIMEOUTS_TCP_LAST_ACK,
	TIMEOUTS_TCP_TIME_WAIT,
	TIMEOUTS_TCP_CLOSE,
	TIMEOUTS_TCP_SYN_SENT2,
	TIMEOUTS_TCP_RETRANS,
	TIMEOUTS_TCP_UNACK,
	TIMEOUTS_UDP_UNREPLIED,
	TIMEOUTS_UDP_REPLIED,
	TIMEOUTS_STATES,
};

/* Of this kernel, in this network namespace. All 0: not known, or the kernel has no policies. */
struct timeouts {
	uint32_t s[TIMEOUTS_STATES];
};

enum { TIMEOUTS_MAX_S = 2147483 }; /* what a kernel can count at any rate of ticks */

/* `protocol`: IPPROTO_TCP or IPPROTO_UDP. Is every state of it known? */
bool timeouts_are_known(const struct timeouts *t, uint8_t protocol);
/* Does the kernel keep idle flows for less than that? TCP: established ones; UDP: all of them, as
 * the kernel takes a flow for one-way as long as it is younger than two seconds. */
bool timeouts_are_below(const struct timeouts *t, uint8_t protocol, uint32_t min_s);
/* "{ unreplied : 600, replied : 600 }": never less than what `t` has, which is known. */
void timeouts_append_policy(
	struct strbuf *b, const struct timeouts *t, uint8_t protocol, uint32_t min_s);
/* "tcp.600.c4f2a9d1": another name for another content, as the kernel keeps the old policy where
 * one of that name stands. */
void timeouts_append_name(
	struct strbuf *b, const struct timeouts *t, uint8_t protocol, uint32_t min_s);
