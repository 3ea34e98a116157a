/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notifications of nf_tables on the readers of its messages. */
#include "edge/nft_notice.h"

#include "edge/nft_attr.h"
#include "edge/nft_msg.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>

enum {
	/* Deletions are told by the name that they were asked for, since Linux 6.3; headers older
	 * than that lack these. */
	MESSAGE_DESTROYTABLE = 26,
	MESSAGE_DESTROYCHAIN = 27,
	MESSAGE_DESTROYRULE = 28,
	MESSAGE_DESTROYSET = 29,
	MESSAGE_DESTROYSETELEM = 30,
	PROCESS_SIZE = 64, /* the kernel's own limit is 16 */
	/* They are the first of their message, whatever it is about. */
	ATTR_TABLE = 1,
	ATTR_NAME = 2,
	ATTR_CHAIN = 3, /* of a chain's own messages, after its handle */
};
static_assert((int)NFTA_TABLE_NAME == ATTR_TABLE && (int)NFTA_CHAIN_TABLE == ATTR_TABLE &&
		      (int)NFTA_RULE_TABLE == ATTR_TABLE && (int)NFTA_SET_TABLE == ATTR_TABLE &&
		      (int)NFTA_SET_ELEM_LIST_TABLE == ATTR_TABLE,
	"the table");
static_assert(
	(int)NFTA_SET_NAME == ATTR_NAME && (int)NFTA_SET_ELEM_LIST_SET == ATTR_NAME, "the set");
static_assert((int)NFTA_RULE_CHAIN == ATTR_NAME && (int)NFTA_CHAIN_NAME == ATTR_CHAIN, "the chain");

struct teller {
	nft_notice_fn fn;
	void *userdata;
};

static bool tell_elements(const struct teller *t, struct nft_notice *n, const struct nlattr *list)
{
	if (!list)
		return false;
	struct nft_attrs s = nft_attrs_inside(list);
	for (const struct nlattr *element; (element = nft_attrs_next(&s));) {
		n->entry = (struct set_entry){0};
		n->strange = !nft_msg_decode_entry(element, &n->entry);
		t->fn(t->userdata, n);
	}
	return true;
}

/* Whatever a process calls itself, it is fit for a log. */
static void copy_process(const struct nlattr *a, char ret[PROCESS_SIZE])
{
	size_t len = 0;
	if (a) {
		struct nft_attrs s = nft_attrs_inside(a);
		for (; len < s.left && len < PROCESS_SIZE - 1 && s.at[len]; len++)
			ret[len] = (char)(s.at[len] >= ' ' && s.at[len] <= '~' ? s.at[len] : '?');
	}
	ret[len] = '\0';
}

static bool tell_generation(const struct teller *t, struct nft_notice *n, const struct nft_msg *m)
{
	const struct nlattr *at[NFTA_GEN_MAX + 1];
	char process[PROCESS_SIZE];
	nft_attrs_index(nft_attrs_of_message(m->header), NFTA_GEN_MAX, at);
	if (!nft_attr_u32(at[NFTA_GEN_ID], &n->generation))
		return false;
	nft_attr_u32(at[NFTA_GEN_PROC_PID], &n->pid);
	copy_process(at[NFTA_GEN_PROC_NAME], process);
	n->process = process;
	t->fn(t->userdata, n);
	return true;
}

static bool kind_of(unsigned message, enum nft_notice_kind *ret)
{
	switch (message) {
	case NFT_MSG_NEWSETELEM:
		*ret = NFT_NOTICE_ADDED;
		return true;
	case NFT_MSG_DELSETELEM:
	case MESSAGE_DESTROYSETELEM:
		*ret = NFT_NOTICE_DELETED;
		return true;
	case NFT_MSG_NEWSET:
	case NFT_MSG_DELSET:
	case MESSAGE_DESTROYSET:
		*ret = NFT_NOTICE_SET;
		return true;
	case NFT_MSG_NEWTABLE:
	case NFT_MSG_DELTABLE:
	case MESSAGE_DESTROYTABLE:
		*ret = NFT_NOTICE_TABLE;
		return true;
	case NFT_MSG_NEWRULE:
	case NFT_MSG_DELRULE:
	case MESSAGE_DESTROYRULE:
	case NFT_MSG_NEWCHAIN:
	case NFT_MSG_DELCHAIN:
	case MESSAGE_DESTROYCHAIN:
		*ret = NFT_NOTICE_RULE;
		return true;
	case NFT_MSG_NEWGEN:
		*ret = NFT_NOTICE_GENERATION;
		return true;
	default:
		return false;
	}
}

static bool is_chain(unsigned message)
{
	return message == NFT_MSG_NEWCHAIN || message == NFT_MSG_DELCHAIN ||
	       message == MESSAGE_DESTROYCHAIN;
}

/* False: it should have told something, but does not hold it. */
static bool tell(const struct teller *t, const struct nft_msg *m)
{
	const struct nlmsghdr *h = m->header;
	struct nfgenmsg g;
	if (h->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
		return true;
	if (h->nlmsg_len < sizeof(*h) + sizeof(g))
		return false;
	struct nft_notice n = {.portid = h->nlmsg_pid, .process = ""};
	if (!kind_of(h->nlmsg_type & 0xff, &n.kind))
		return true;
	if (n.kind == NFT_NOTICE_GENERATION)
		return tell_generation(t, &n, m);

	const struct nlattr *at[NFTA_SET_ELEM_LIST_MAX + 1];
	static_assert((int)NFTA_SET_ELEM_LIST_MAX >= ATTR_CHAIN, "room for the names");
	nft_attrs_index(nft_attrs_of_message(h), NFTA_SET_ELEM_LIST_MAX, at);
	memcpy(&g, (const uint8_t *)h + sizeof(*h), sizeof(g));
	n.nf_family = g.nfgen_family;
	n.generation_16 = ntohs(g.res_id);
	n.table = nft_attr_text(at[ATTR_TABLE]);
	if (!n.table)
		return false;
	if (n.kind == NFT_NOTICE_ADDED || n.kind == NFT_NOTICE_DELETED ||
		n.kind == NFT_NOTICE_SET) {
		n.set = nft_attr_text(at[ATTR_NAME]);
		if (!n.set)
			return false;
	}
	if (n.kind == NFT_NOTICE_RULE) {
		n.chain =
			nft_attr_text(at[is_chain(h->nlmsg_type & 0xff) ? ATTR_CHAIN : ATTR_NAME]);
		if (!n.chain)
			return false;
	}
	if (n.kind == NFT_NOTICE_ADDED || n.kind == NFT_NOTICE_DELETED)
		return tell_elements(t, &n, at[NFTA_SET_ELEM_LIST_ELEMENTS]);
	t->fn(t->userdata, &n);
	return true;
}

int nft_notice_decode(const void *datagram, size_t len, nft_notice_fn fn, void *userdata)
{
	struct teller t = {fn, userdata};
	struct nft_msg_reader r = nft_msg_reader_over(datagram, len);
	bool all = true;
	for (struct nft_msg m; nft_msg_next(&r, &m);)
		all &= tell(&t, &m);
	return all && !r.damaged ? 0 : -EBADMSG;
}
