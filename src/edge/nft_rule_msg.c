/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules as bytes, on libmnl's attributes: of all their expressions only those matter here that name
 * a set or carry a verdict. */
#include "edge/nft_rule_msg.h"

#include "base/strbuf.h"

#include <assert.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

/* --- requests --- */

static struct nlmsghdr *put_request(
	void *buf, unsigned message, uint16_t flags, uint32_t seq, uint8_t nf_family)
{
	memset(buf, 0, NFT_MSG_REQUEST_MAX);
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message);
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = seq;
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = nf_family;
	g->version = NFNETLINK_V0;
	return h;
}

size_t nft_rule_encode_get_table(void *buf, uint32_t seq, uint8_t nf_family, const char *table)
{
	if (strlen(table) > NFT_MSG_NAME_MAX)
		return 0;
	struct nlmsghdr *h = put_request(buf, NFT_MSG_GETTABLE, 0, seq, nf_family);
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, table);
	return h->nlmsg_len;
}

size_t nft_rule_encode_dump_chains(void *buf, uint32_t seq, uint8_t nf_family)
{
	return put_request(buf, NFT_MSG_GETCHAIN, NLM_F_DUMP, seq, nf_family)->nlmsg_len;
}

size_t nft_rule_encode_dump_sets(void *buf, uint32_t seq, uint8_t nf_family)
{
	return put_request(buf, NFT_MSG_GETSET, NLM_F_DUMP, seq, nf_family)->nlmsg_len;
}

size_t nft_rule_encode_dump_rules(void *buf, uint32_t seq, uint8_t nf_family, const char *table)
{
	if (table && strlen(table) > NFT_MSG_NAME_MAX)
		return 0;
	struct nlmsghdr *h = put_request(buf, NFT_MSG_GETRULE, NLM_F_DUMP, seq, nf_family);
	if (table)
		mnl_attr_put_strz(h, NFTA_RULE_TABLE, table);
	return h->nlmsg_len;
}

/* --- answers --- */

bool nft_rule_table_is_dormant(const struct nft_msg *m)
{
	assert(m->kind == NFT_MSG_KIND_TABLE);
	const struct nlattr *at[NFTA_TABLE_FLAGS + 1];
	nft_attrs_index(nft_attrs_of_message(m->header), NFTA_TABLE_FLAGS, at);
	uint32_t flags = 0;
	return nft_attr_u32(at[NFTA_TABLE_FLAGS], &flags) && flags & NFT_TABLE_F_DORMANT;
}

int nft_rule_decode_chain(const struct nft_msg *m, struct nft_chain *ret)
{
	assert(m->kind == NFT_MSG_KIND_CHAIN);
	const struct nlattr *at[NFTA_CHAIN_POLICY + 1];
	nft_attrs_index(nft_attrs_of_message(m->header), NFTA_CHAIN_POLICY, at);
	struct nfgenmsg g;
	memcpy(&g, (const uint8_t *)m->header + sizeof(struct nlmsghdr), sizeof(g));
	struct nft_chain c = {
		.nf_family = g.nfgen_family,
		.table = nft_attr_text(at[NFTA_CHAIN_TABLE]),
		.name = nft_attr_text(at[NFTA_CHAIN_NAME]),
		.is_base = at[NFTA_CHAIN_HOOK],
	};
	if (!c.table || !c.name)
		return -EBADMSG;
	if (c.is_base) {
		const struct nlattr *hook[NFTA_HOOK_PRIORITY + 1];
		uint32_t priority = 0, policy = NF_ACCEPT;
		nft_attrs_index(nft_attrs_inside(at[NFTA_CHAIN_HOOK]), NFTA_HOOK_PRIORITY, hook);
		if (!nft_attr_u32(hook[NFTA_HOOK_HOOKNUM], &c.hook))
			return -EBADMSG;
		nft_attr_u32(hook[NFTA_HOOK_PRIORITY], &priority);
		nft_attr_u32(at[NFTA_CHAIN_POLICY], &policy);
		c.priority = (int32_t)priority;
		c.drops = policy == NF_DROP;
	}
	*ret = c;
	return 0;
}

/* NFTA_DATA_*: a verdict, and for jump and goto the chain. */
static bool decode_verdict(const struct nlattr *data, int32_t *ret_code, const char **ret_chain)
{
	if (!data)
		return false;
	const struct nlattr *at[NFTA_DATA_MAX + 1], *verdict[NFTA_VERDICT_CHAIN + 1];
	nft_attrs_index(nft_attrs_inside(data), NFTA_DATA_MAX, at);
	if (!at[NFTA_DATA_VERDICT])
		return false;
	nft_attrs_index(nft_attrs_inside(at[NFTA_DATA_VERDICT]), NFTA_VERDICT_CHAIN, verdict);
	uint32_t code;
	if (!nft_attr_u32(verdict[NFTA_VERDICT_CODE], &code))
		return false;
	*ret_code = (int32_t)code;
	*ret_chain = *ret_code == NFT_JUMP || *ret_code == NFT_GOTO
			     ? nft_attr_text(verdict[NFTA_VERDICT_CHAIN])
			     : NULL;
	return true;
}

/* The kind of an expression, and its own attributes up to `max`. NULL: it is none. */
static const char *decode_expression(
	const struct nlattr *expression, unsigned max, const struct nlattr **ret)
{
	const struct nlattr *at[NFTA_EXPR_MAX + 1];
	nft_attrs_index(nft_attrs_inside(expression), NFTA_EXPR_MAX, at);
	memset(ret, 0, (max + 1) * sizeof(*ret));
	if (at[NFTA_EXPR_DATA])
		nft_attrs_index(nft_attrs_inside(at[NFTA_EXPR_DATA]), max, ret);
	return nft_attr_text(at[NFTA_EXPR_NAME]);
}

enum {
	/* The largest of those that are looked into. */
	EXPRESSION_MAX = 16,
};
static_assert((int)NFTA_LOOKUP_FLAGS <= (int)EXPRESSION_MAX &&
		      (int)NFTA_DYNSET_SET_NAME <= (int)EXPRESSION_MAX &&
		      (int)NFTA_OBJREF_SET_NAME <= (int)EXPRESSION_MAX &&
		      (int)NFTA_IMMEDIATE_DATA <= (int)EXPRESSION_MAX,
	"room for what is looked at");

static enum nft_ref_kind lookup_kind(const struct nlattr **at)
{
	uint32_t flags = 0, dreg;
	if (nft_attr_u32(at[NFTA_LOOKUP_DREG], &dreg))
		return dreg == NFT_REG_VERDICT ? NFT_REF_VMAP : NFT_REF_MAP;
	nft_attr_u32(at[NFTA_LOOKUP_FLAGS], &flags);
	return flags & NFT_LOOKUP_F_INV ? NFT_REF_INVERTED : NFT_REF_LOOKUP;
}

bool nft_rule_next_ref(struct nft_attrs *expressions, struct nft_ref *ret)
{
	for (const struct nlattr *a; (a = nft_attrs_next(expressions));) {
		const struct nlattr *at[EXPRESSION_MAX + 1];
		const char *name = decode_expression(a, EXPRESSION_MAX, at);
		struct nft_ref ref = {0};
		int32_t code;
		if (str_eq(name, "lookup")) {
			ref.name = nft_attr_text(at[NFTA_LOOKUP_SET]);
			ref.kind = lookup_kind(at);
		} else if (str_eq(name, "dynset")) {
			ref.name = nft_attr_text(at[NFTA_DYNSET_SET_NAME]);
			ref.kind = NFT_REF_UPDATE;
		} else if (str_eq(name, "objref")) {
			ref.name = nft_attr_text(at[NFTA_OBJREF_SET_NAME]);
			ref.kind = NFT_REF_MAP;
			if (!ref.name) {
				ref.name = nft_attr_text(at[NFTA_OBJREF_IMM_NAME]);
				ref.kind = NFT_REF_OBJECT;
			}
		} else if (str_eq(name, "immediate")) {
			decode_verdict(at[NFTA_IMMEDIATE_DATA], &code, &ref.name);
			ref.kind = NFT_REF_CHAIN;
		}
		if (ref.name) {
			*ret = ref;
			return true;
		}
	}
	return false;
}

static bool is_last(const struct nlattr *expression)
{
	const struct nlattr *at[1];
	return expression && str_eq(decode_expression(expression, 0, at), "last");
}

int nft_rule_decode_set(const struct nft_msg *m, struct nft_rule_set *ret)
{
	assert(m->kind == NFT_MSG_KIND_SET);
	const struct nlattr *at[NFTA_SET_MAX + 1];
	struct nfgenmsg g;
	nft_attrs_index(nft_attrs_of_message(m->header), NFTA_SET_MAX, at);
	memcpy(&g, (const uint8_t *)m->header + sizeof(struct nlmsghdr), sizeof(g));
	struct nft_rule_set s = {
		.nf_family = g.nfgen_family,
		.table = nft_attr_text(at[NFTA_SET_TABLE]),
		.name = nft_attr_text(at[NFTA_SET_NAME]),
		.has_last = is_last(at[NFTA_SET_EXPR]),
	};
	if (!s.table || !s.name)
		return -EBADMSG;
	if (at[NFTA_SET_EXPRESSIONS]) {
		struct nft_attrs list = nft_attrs_inside(at[NFTA_SET_EXPRESSIONS]);
		for (const struct nlattr *a; (a = nft_attrs_next(&list));)
			s.has_last |= is_last(a);
	}
	*ret = s;
	return 0;
}

static enum nft_rule_end end_of_verdict(int32_t code)
{
	switch (code) {
	case NF_ACCEPT:
		return NFT_RULE_END_ACCEPT;
	case NF_DROP:
		return NFT_RULE_END_DROP;
	case NFT_CONTINUE:
	case NFT_BREAK:
		return NFT_RULE_END_NONE;
	default:
		return NFT_RULE_END_OTHER;
	}
}

/* As iptables-nft has it. */
static bool is_reject_target(const char *name, const struct nlattr **at)
{
	return str_eq(name, "target") && str_eq(nft_attr_text(at[NFTA_TARGET_NAME]), "REJECT");
}

/* nft lets a verdict be the last statement only; whoever else writes rules may not, but nothing
 * behind one is ever reached. */
static enum nft_rule_end find_end(struct nft_attrs expressions)
{
	for (const struct nlattr *a; (a = nft_attrs_next(&expressions));) {
		const struct nlattr *at[EXPRESSION_MAX + 1];
		const char *name = decode_expression(a, EXPRESSION_MAX, at), *chain;
		int32_t code;
		enum nft_rule_end end = NFT_RULE_END_NONE;
		if (str_eq(name, "immediate") &&
			decode_verdict(at[NFTA_IMMEDIATE_DATA], &code, &chain))
			end = end_of_verdict(code);
		else if (str_eq(name, "lookup") && lookup_kind(at) == NFT_REF_VMAP)
			end = NFT_RULE_END_OTHER;
		else if (str_eq(name, "reject") || is_reject_target(name, at))
			end = NFT_RULE_END_DROP;
		else if (str_eq(name, "queue"))
			end = NFT_RULE_END_OTHER;
		if (end != NFT_RULE_END_NONE)
			return end;
	}
	return NFT_RULE_END_NONE;
}

int nft_rule_decode(const struct nft_msg *m, struct nft_rule *ret)
{
	assert(m->kind == NFT_MSG_KIND_RULE);
	const struct nlattr *at[NFTA_RULE_EXPRESSIONS + 1];
	nft_attrs_index(nft_attrs_of_message(m->header), NFTA_RULE_EXPRESSIONS, at);
	struct nft_rule r = {
		.table = nft_attr_text(at[NFTA_RULE_TABLE]),
		.chain = nft_attr_text(at[NFTA_RULE_CHAIN]),
	};
	if (!r.table || !r.chain || !nft_attr_u64(at[NFTA_RULE_HANDLE], &r.handle))
		return -EBADMSG;
	/* A rule may have none. */
	if (at[NFTA_RULE_EXPRESSIONS])
		r.expressions = nft_attrs_inside(at[NFTA_RULE_EXPRESSIONS]);
	r.end = find_end(r.expressions);
	*ret = r;
	return 0;
}

void nft_rule_decode_targets(
	const struct nft_msg *m, void (*fn)(void *userdata, const char *chain), void *userdata)
{
	assert(m->kind == NFT_MSG_KIND_ELEMENTS);
	struct nft_attrs s = nft_attrs_of_message(m->header);
	for (const struct nlattr *a; (a = nft_attrs_next(&s));) {
		if (nft_attr_type(a) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		struct nft_attrs list = nft_attrs_inside(a);
		for (const struct nlattr *element; (element = nft_attrs_next(&list));) {
			const struct nlattr *at[NFTA_SET_ELEM_DATA + 1];
			const char *chain;
			int32_t code;
			nft_attrs_index(nft_attrs_inside(element), NFTA_SET_ELEM_DATA, at);
			if (decode_verdict(at[NFTA_SET_ELEM_DATA], &code, &chain) && chain)
				fn(userdata, chain);
		}
	}
}

const char *nft_rule_end_name(enum nft_rule_end e)
{
	return e == NFT_RULE_END_ACCEPT ? "accept" : e == NFT_RULE_END_DROP ? "drop" : "";
}
