/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chains that drop, rules that do not track, flowtables, helpers of SIP; and the managers of
 * rulesets, who are known by the names that they give. */
#include "edge/nft_host_msg.h"

#include "base/strbuf.h"
#include "core/host.h"
#include "edge/nft_attr.h"
#include "edge/nft_msg.h"
#include "edge/nft_rule_msg.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

/* `type`: of objects. */
static size_t encode_dump(void *buf, unsigned message, uint32_t type, uint32_t seq)
{
	memset(buf, 0, NFT_MSG_REQUEST_MAX);
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message);
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = seq;
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = NFPROTO_UNSPEC;
	if (message == NFT_MSG_GETOBJ)
		mnl_attr_put_u32(h, NFTA_OBJ_TYPE, htonl(type));
	return h->nlmsg_len;
}

size_t nft_host_msg_encode_dump_flowtables(void *buf, uint32_t seq)
{
	return encode_dump(buf, NFT_MSG_GETFLOWTABLE, 0, seq);
}

size_t nft_host_msg_encode_dump_helpers(void *buf, uint32_t seq)
{
	return encode_dump(buf, NFT_MSG_GETOBJ, NFT_OBJECT_CT_HELPER, seq);
}

size_t nft_host_msg_encode_dump_policies(void *buf, uint32_t seq)
{
	return encode_dump(buf, NFT_MSG_GETOBJ, NFT_OBJECT_CT_TIMEOUT, seq);
}

static uint8_t family_of(const struct nft_msg *m)
{
	struct nfgenmsg g;

	memcpy(&g, (const uint8_t *)m->header + sizeof(struct nlmsghdr), sizeof(g));
	return g.nfgen_family;
}

static bool is_type(const struct nft_msg *m, unsigned message)
{
	const struct nlmsghdr *h = m->header;

	return h->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | message) &&
	       h->nlmsg_len >= sizeof(*h) + sizeof(struct nfgenmsg);
}

/* "inet filter forward": anybody may have named it. */
static void append_name(
	struct strbuf *b, const struct nft_msg *m, const char *table, const char *name)
{
	strbuf_appendf(b, "%s ", nf_family_name(family_of(m)));
	strbuf_append_escaped(b, table, strlen(table));
	strbuf_append_char(b, ' ');
	strbuf_append_escaped(b, name, strlen(name));
}

static void add_name(
	struct strings *to, const struct nft_msg *m, const char *table, const char *name)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;

	append_name(&b, m, table, name);
	if (!strings_has(to, strbuf_text(&b)))
		strings_add(to, strbuf_text(&b));
}

static void note_manager(struct host *h, const char *table, const char *chain)
{
	const char *name = str_eq(table, "firewalld")                                ? "firewalld"
			   : str_starts(chain, "ufw-") || str_starts(chain, "ufw6-") ? "ufw"
			   : str_starts(chain, "DOCKER")                             ? "docker"
										     : NULL;

	if (name && !strings_has(&h->managers, name))
		strings_add(&h->managers, name);
}

void nft_host_msg_take_chain(const struct nft_msg *m, struct host *h)
{
	const struct nlattr *at[NFTA_CHAIN_POLICY + 1], *hook[NFTA_HOOK_HOOKNUM + 1];
	uint32_t number, policy;

	if (!is_type(m, NFT_MSG_NEWCHAIN))
		return;
	nft_attrs_index(nft_attrs_of_message(m->header), NFTA_CHAIN_POLICY, at);
	const char *table = nft_attr_text(at[NFTA_CHAIN_TABLE]);
	const char *name = nft_attr_text(at[NFTA_CHAIN_NAME]);
	if (!table || !name)
		return;
	note_manager(h, table, name);
	/* Of a bridge the same number is another hook. */
	if (!at[NFTA_CHAIN_HOOK] || !nf_family_parse(nf_family_name(family_of(m))))
		return;
	nft_attrs_index(nft_attrs_inside(at[NFTA_CHAIN_HOOK]), NFTA_HOOK_HOOKNUM, hook);
	if (nft_attr_u32(hook[NFTA_HOOK_HOOKNUM], &number) && number == NF_INET_FORWARD &&
		nft_attr_u32(at[NFTA_CHAIN_POLICY], &policy) && policy == NF_DROP)
		add_name(&h->dropping, m, table, name);
}

static bool takes_out_of_tracking(struct nft_attrs expressions)
{
	for (const struct nlattr *a; (a = nft_attrs_next(&expressions));) {
		const struct nlattr *at[NFTA_EXPR_MAX + 1];
		nft_attrs_index(nft_attrs_inside(a), NFTA_EXPR_MAX, at);
		if (str_eq(nft_attr_text(at[NFTA_EXPR_NAME]), "notrack"))
			return true;
	}
	return false;
}

void nft_host_msg_take_rule(const struct nft_msg *m, struct host *h)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;
	struct nft_rule r;

	if (m->kind != NFT_MSG_KIND_RULE || nft_rule_decode(m, &r) < 0 ||
		!takes_out_of_tracking(r.expressions))
		return;
	append_name(&b, m, r.table, r.chain);
	strbuf_appendf(&b, " handle %" PRIu64, r.handle);
	strings_add(&h->untracking, strbuf_text(&b));
}

void nft_host_msg_take_flowtable(const struct nft_msg *m, struct host *h)
{
	const struct nlattr *at[NFTA_FLOWTABLE_NAME + 1];

	if (!is_type(m, NFT_MSG_NEWFLOWTABLE))
		return;
	nft_attrs_index(nft_attrs_of_message(m->header), NFTA_FLOWTABLE_NAME, at);
	const char *table = nft_attr_text(at[NFTA_FLOWTABLE_TABLE]);
	const char *name = nft_attr_text(at[NFTA_FLOWTABLE_NAME]);
	if (table && name)
		add_name(&h->flowtables, m, table, name);
}

struct object {
	const char *table, *name;
	uint32_t type;
	struct nft_attrs data;
};

static bool decode_object(const struct nft_msg *m, struct object *ret)
{
	const struct nlattr *at[NFTA_OBJ_MAX + 1];

	if (!is_type(m, NFT_MSG_NEWOBJ))
		return false;
	nft_attrs_index(nft_attrs_of_message(m->header), NFTA_OBJ_MAX, at);
	ret->table = nft_attr_text(at[NFTA_OBJ_TABLE]);
	ret->name = nft_attr_text(at[NFTA_OBJ_NAME]);
	if (!ret->table || !ret->name || !at[NFTA_OBJ_DATA] ||
		!nft_attr_u32(at[NFTA_OBJ_TYPE], &ret->type))
		return false;
	ret->data = nft_attrs_inside(at[NFTA_OBJ_DATA]);
	return true;
}

void nft_host_msg_take_object(const struct nft_msg *m, struct host *h)
{
	const struct nlattr *data[NFTA_CT_HELPER_NAME + 1];
	struct object o;

	if (!decode_object(m, &o) || o.type != NFT_OBJECT_CT_HELPER)
		return;
	nft_attrs_index(o.data, NFTA_CT_HELPER_NAME, data);
	if (str_eq(nft_attr_text(data[NFTA_CT_HELPER_NAME]), "sip"))
		add_name(&h->helpers, m, o.table, o.name);
}

const char *nft_host_msg_timeout_policy(
	const struct nft_msg *m, uint8_t nf_family, const char *table)
{
	struct object o;

	return decode_object(m, &o) && o.type == NFT_OBJECT_CT_TIMEOUT &&
			       family_of(m) == nf_family && str_eq(o.table, table)
		       ? o.name
		       : NULL;
}
