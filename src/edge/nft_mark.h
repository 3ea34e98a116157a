#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks what becomes of packets with a certain mark on the forward hook: which chains drop, and
 * whether they let such packets by. Needs CAP_NET_ADMIN. */
#include "edge/nft_rule_msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nft_mark;

struct nft_mark_question {
	uint32_t value;
	/* Of these families only; inet is of both. */
	bool ipv4, ipv6;
	/* Where the mark is set: chains before that cannot know it, and those are passed over. */
	int32_t priority;
	const char *own_table, *own_prefix; /* in family inet */
};

struct nft_mark_answer {
	/* Chains on the hook that drop: by policy, or by a rule that may be met by such packets
	 * whatever the state of their connection. */
	size_t dropping;
	size_t blocking; /* of these: no rule that packets in it come by lets such packets off */
	char *blocks;    /* the first of them: "inet filter forward", escaped; NULL: none */
	bool by_policy;  /* it */
	bool too_early;  /* it drops before the mark is set */
	char *accepts;   /* "inet filter forward handle 12": the first rule that lets them off */
};
#define NFT_MARK_ANSWER_NULL ((struct nft_mark_answer){0})

/* The socket is opened by the first look, and kept. */
struct nft_mark *nft_mark_new(void);
struct nft_mark *nft_mark_free(struct nft_mark *m);
/* Consistent: of one generation. NFT_LOOK_E_BUSY; -EMSGSIZE: too many chains; other -errno. `ret`
 * ends with nft_mark_answer_done(). */
int nft_mark_look(
	struct nft_mark *m, const struct nft_mark_question *q, struct nft_mark_answer *ret);
void nft_mark_answer_done(struct nft_mark_answer *a);
