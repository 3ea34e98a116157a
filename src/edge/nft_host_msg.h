#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From nf_tables' messages to what core/host.h wants to know of the ruleset. Bytes only, no socket;
 * everything read here may be hostile. */
#include <stddef.h>
#include <stdint.h>

struct host;
struct nft_msg;

/* Requests for everything of a sort, of all families; into NFT_MSG_REQUEST_MAX bytes: return the
 * length. Chains and rules are asked for by edge/nft_rule_msg.h. */
size_t nft_host_msg_encode_dump_flowtables(void *buf, uint32_t seq);
size_t nft_host_msg_encode_dump_helpers(void *buf, uint32_t seq);
/* ct timeout objects, for nft_host_msg_timeout_policy() */
size_t nft_host_msg_encode_dump_policies(void *buf, uint32_t seq);

/* Each takes a message of that sort into `h`; what lacks what it should hold is passed over. */
void nft_host_msg_take_chain(const struct nft_msg *m, struct host *h);
void nft_host_msg_take_rule(const struct nft_msg *m, struct host *h);
void nft_host_msg_take_flowtable(const struct nft_msg *m, struct host *h);
void nft_host_msg_take_object(const struct nft_msg *m, struct host *h);

/* The name of a ct timeout object of that table, in the message; NULL: it is something else. */
const char *nft_host_msg_timeout_policy(
	const struct nft_msg *m, uint8_t nf_family, const char *table);
