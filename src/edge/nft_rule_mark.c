/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A rule's conditions on the mark, tried out with one: the expressions are a small program over
 * registers, of which only the one that holds a mark is followed. */
#include "edge/nft_rule_msg.h"

#include "base/strbuf.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netlink.h>
#include <string.h>

enum { ATTRS_MAX = 8 };

struct trial {
	bool holds; /* some register holds a mark: */
	uint32_t reg, value;
	bool tests, fails, unsure;
};

/* An expression with its own attributes. */
static const char *decode(const struct nlattr *expression, const struct nlattr **ret)
{
	const struct nlattr *at[NFTA_EXPR_DATA + 1];
	nft_attrs_index(nft_attrs_inside(expression), NFTA_EXPR_DATA, at);
	memset(ret, 0, (ATTRS_MAX + 1) * sizeof(*ret));
	if (at[NFTA_EXPR_DATA])
		nft_attrs_index(nft_attrs_inside(at[NFTA_EXPR_DATA]), ATTRS_MAX, ret);
	return nft_attr_text(at[NFTA_EXPR_NAME]);
}

static bool is_number(const struct nlattr *a, uint32_t n)
{
	uint32_t value;
	return nft_attr_u32(a, &value) && value == n;
}

/* NFTA_DATA_VALUE of four bytes, as they stand in a register. */
static bool data_u32(const struct nlattr *data, uint32_t *ret)
{
	const struct nlattr *at[NFTA_DATA_VALUE + 1];
	if (!data)
		return false;
	nft_attrs_index(nft_attrs_inside(data), NFTA_DATA_VALUE, at);
	if (!at[NFTA_DATA_VALUE])
		return false;
	struct nft_attrs value = nft_attrs_inside(at[NFTA_DATA_VALUE]);
	if (value.left != sizeof(*ret))
		return false;
	memcpy(ret, value.at, sizeof(*ret));
	return true;
}

static void try_bitwise(struct trial *t, const struct nlattr **at)
{
	uint32_t mask, flip, to;
	bool masks = !at[NFTA_BITWISE_OP] || is_number(at[NFTA_BITWISE_OP], NFT_BITWISE_BOOL);
	if (!t->holds || !is_number(at[NFTA_BITWISE_SREG], t->reg) ||
		!nft_attr_u32(at[NFTA_BITWISE_DREG], &to))
		return;
	t->reg = to;
	if (masks && data_u32(at[NFTA_BITWISE_MASK], &mask) &&
		data_u32(at[NFTA_BITWISE_XOR], &flip))
		t->value = (t->value & mask) ^ flip;
	else
		t->unsure = true;
}

static void try_compare(struct trial *t, const struct nlattr **at)
{
	uint32_t op, with;
	if (!t->holds || !is_number(at[NFTA_CMP_SREG], t->reg))
		return;
	t->tests = true;
	if (!nft_attr_u32(at[NFTA_CMP_OP], &op) || op > NFT_CMP_NEQ ||
		!data_u32(at[NFTA_CMP_DATA], &with))
		t->unsure = true;
	else if (!t->unsure && (t->value == with) != (op == NFT_CMP_EQ))
		t->fails = true;
}

/* Of iptables-nft: the value, the mask, whether it is inverted. */
static void try_match(struct trial *t, const struct nlattr **at, uint32_t mark)
{
	const char *name = nft_attr_text(at[NFTA_MATCH_NAME]);
	uint32_t info[3] = {0};
	if (!(str_eq(name, "mark") || str_eq(name, "connmark")) || !at[NFTA_MATCH_INFO])
		return;
	struct nft_attrs bytes = nft_attrs_inside(at[NFTA_MATCH_INFO]);
	t->tests = true;
	if (bytes.left < 9) {
		t->unsure = true;
		return;
	}
	memcpy(info, bytes.at, bytes.left < sizeof(info) ? bytes.left : sizeof(info));
	bool inverted = bytes.at[8];
	t->fails = t->fails || ((mark & info[1]) == info[0]) == inverted;
}

static void try_expression(struct trial *t, const struct nlattr *expression, uint32_t mark)
{
	const struct nlattr *at[ATTRS_MAX + 1];
	const char *name = decode(expression, at);
	bool loads_mark = (str_eq(name, "meta") && is_number(at[NFTA_META_KEY], NFT_META_MARK)) ||
			  (str_eq(name, "ct") && is_number(at[NFTA_CT_KEY], NFT_CT_MARK));
	uint32_t to;

	if (loads_mark && nft_attr_u32(at[NFTA_META_DREG], &to))
		*t = (struct trial){true, to, mark, t->tests, t->fails, t->unsure};
	else if (str_eq(name, "bitwise"))
		try_bitwise(t, at);
	else if (str_eq(name, "cmp"))
		try_compare(t, at);
	else if (str_eq(name, "byteorder") && is_number(at[NFTA_BYTEORDER_SREG], t->reg))
		t->unsure = true; /* before a comparison with a range, in the same register */
	else if (str_eq(name, "match"))
		try_match(t, at, mark);
	else if (t->holds &&
		 ((str_eq(name, "lookup") && is_number(at[NFTA_LOOKUP_SREG], t->reg)) ||
			 (str_eq(name, "range") && is_number(at[NFTA_RANGE_SREG], t->reg))))
		t->tests = t->unsure = true;
	else if (t->holds && is_number(at[NFTA_PAYLOAD_DREG], t->reg))
		t->holds = false; /* most write to the register that is their first attribute */
}

static struct trial try_rule(const struct nft_rule *rule, uint32_t mark)
{
	struct nft_attrs all = rule->expressions;
	struct trial t = {0};
	for (const struct nlattr *a; (a = nft_attrs_next(&all));)
		try_expression(&t, a, mark);
	return t;
}

enum nft_rule_mark nft_rule_look_at_mark(const struct nft_rule *rule, uint32_t mark)
{
	struct trial marked = try_rule(rule, mark), plain = try_rule(rule, 0);
	if (marked.fails)
		return plain.fails ? NFT_RULE_MARK_ANY : NFT_RULE_MARK_OTHERS;
	if (marked.tests && (plain.fails || marked.unsure))
		return NFT_RULE_MARK_ONLY;
	return NFT_RULE_MARK_ANY;
}

bool nft_rule_looks_at_state(const struct nft_rule *rule)
{
	struct nft_attrs all = rule->expressions;
	for (const struct nlattr *a; (a = nft_attrs_next(&all));) {
		const struct nlattr *at[ATTRS_MAX + 1];
		const char *name = decode(a, at);
		if (str_eq(name, "ct") && is_number(at[NFTA_CT_KEY], NFT_CT_STATE))
			return true;
	}
	return false;
}
