#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules and chains as nf_tables tells them: which sets and chains a rule refers to, and how it
 * ends. Bytes only, no socket. Everything read here may be hostile; texts point into the message.
 */
#include "edge/nft_attr.h"
#include "edge/nft_msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Requests, into NFT_MSG_REQUEST_MAX bytes: return the length, 0 when a name is too long. */
size_t nft_rule_encode_get_table(void *buf, uint32_t seq, uint8_t nf_family, const char *table);
/* Of all tables of the family: kernels know no filter for chains. */
size_t nft_rule_encode_dump_chains(void *buf, uint32_t seq, uint8_t nf_family);
/* NFPROTO_UNSPEC: of all families. */
size_t nft_rule_encode_dump_sets(void *buf, uint32_t seq, uint8_t nf_family);
/* `table` NULL: of all tables. */
size_t nft_rule_encode_dump_rules(void *buf, uint32_t seq, uint8_t nf_family, const char *table);

/* Each takes a message of its kind. Dormant: its chains are on no hook. */
bool nft_rule_table_is_dormant(const struct nft_msg *m);

struct nft_chain {
	uint8_t nf_family;
	const char *table, *name;
	bool is_base; /* on a hook: */
	uint32_t hook;
	int32_t priority;
	bool drops; /* by its policy */
};
/* -EBADMSG: it lacks what it should hold. */
int nft_rule_decode_chain(const struct nft_msg *m, struct nft_chain *ret);

struct nft_rule_set {
	uint8_t nf_family;
	const char *table, *name;
	bool has_last; /* each element gets a statement `last` */
};
int nft_rule_decode_set(const struct nft_msg *m, struct nft_rule_set *ret);

enum nft_rule_end {
	NFT_RULE_END_NONE, /* counts, marks, ... and goes on */
	NFT_RULE_END_ACCEPT,
	NFT_RULE_END_DROP,  /* reject as well */
	NFT_RULE_END_OTHER, /* jump, goto, return, queue, a verdict map */
};

struct nft_rule {
	const char *table, *chain;
	uint64_t handle;
	enum nft_rule_end end;
	struct nft_attrs expressions; /* for nft_rule_next_ref() */
};
int nft_rule_decode(const struct nft_msg *m, struct nft_rule *ret);

enum nft_ref_kind {
	NFT_REF_LOOKUP,   /* matches what is in the set */
	NFT_REF_INVERTED, /* matches what is not */
	NFT_REF_MAP,      /* takes a value out of it */
	NFT_REF_VMAP,     /* takes a verdict out of it, and may so jump to any chain named there */
	NFT_REF_UPDATE,   /* puts elements into it */
	NFT_REF_CHAIN,    /* jump or goto: `name` is a chain */
	NFT_REF_OBJECT,   /* uses it: `name` is an object (of any type), and no set */
};

struct nft_ref {
	enum nft_ref_kind kind;
	const char *name; /* of the set, in the rule's table */
};
/* In the rule's order; `at` is a copy of its expressions. False at the end. */
bool nft_rule_next_ref(struct nft_attrs *at, struct nft_ref *ret);

/* What a rule's conditions make of packets that carry this mark and no other bits, beside such as
 * carry none; in their own mark or their connection's. */
enum nft_rule_mark {
	NFT_RULE_MARK_ANY,    /* no difference */
	NFT_RULE_MARK_ONLY,   /* it is for these, or may be: in a set that is not looked into */
	NFT_RULE_MARK_OTHERS, /* it is not for these */
};
enum nft_rule_mark nft_rule_look_at_mark(const struct nft_rule *rule, uint32_t mark);
/* Has it a condition on the state of the connection? */
bool nft_rule_looks_at_state(const struct nft_rule *rule);

/* The chains that a verdict map's elements (a message of kind ELEMENTS) jump to. */
void nft_rule_decode_targets(
	const struct nft_msg *m, void (*fn)(void *userdata, const char *chain), void *userdata);

/* "accept", "drop", "" */
const char *nft_rule_end_name(enum nft_rule_end e);
