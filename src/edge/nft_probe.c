/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Probes of the kernel, in a table of their own. */
#include "edge/nft_probe.h"

#include "base/mem.h"
#include "edge/nft_attr.h"
#include "edge/nft_socket.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#define TABLE "allowsyncd_probe"
enum {
	FIRST_MS = 3600 * 1000,
	THEN_MS = 60 * 1000, /* left, by the second time */
	TYPE_IPV4_ADDR = 7,  /* nft's number */
	BATCH_SIZE = 2048,
};

/* A batch, or a single request; zeroed, as libmnl leaves padding as it finds it. */
struct messages {
	uint32_t data[BATCH_SIZE / sizeof(uint32_t)];
	size_t len;
	uint32_t seq;
};

static struct nlmsghdr *open_message(
	struct messages *m, unsigned type, uint16_t flags, uint8_t nf_family, uint16_t res_id)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header((uint8_t *)m->data + m->len);
	h->nlmsg_type = (uint16_t)type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = m->seq++;
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = nf_family;
	g->res_id = htons(res_id);
	return h;
}

static void close_message(struct messages *m, const struct nlmsghdr *h)
{
	m->len += MNL_ALIGN(h->nlmsg_len);
}

static void put_fence(struct messages *m, unsigned type)
{
	close_message(m, open_message(m, type, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
}

static struct nlmsghdr *open_nft(struct messages *m, unsigned message, uint16_t flags)
{
	return open_message(m, NFNL_SUBSYS_NFTABLES << 8 | message, flags, NFPROTO_INET, 0);
}

static void put_table(struct messages *m, unsigned message, uint16_t flags)
{
	struct nlmsghdr *h = open_nft(m, message, flags);
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, TABLE);
	close_message(m, h);
}

static void put_set(struct messages *m)
{
	struct nlmsghdr *h = open_nft(m, NFT_MSG_NEWSET, NLM_F_CREATE);
	mnl_attr_put_strz(h, NFTA_SET_TABLE, TABLE);
	mnl_attr_put_strz(h, NFTA_SET_NAME, "s");
	mnl_attr_put_u32(h, NFTA_SET_ID, htonl(1));
	mnl_attr_put_u32(h, NFTA_SET_FLAGS, htonl(NFT_SET_TIMEOUT));
	mnl_attr_put_u32(h, NFTA_SET_KEY_TYPE, htonl(TYPE_IPV4_ADDR));
	mnl_attr_put_u32(h, NFTA_SET_KEY_LEN, htonl(4));
	close_message(m, h);
}

/* No time left: the question for it. */
static void put_element(struct messages *m, unsigned message, uint16_t flags, uint64_t left_ms)
{
	static const uint8_t address[4] = {192, 0, 2, 1};
	struct nlmsghdr *h = open_nft(m, message, flags);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, TABLE);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, "s");
	struct nlattr *list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	struct nlattr *element = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	struct nlattr *key = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY);
	mnl_attr_put(h, NFTA_DATA_VALUE, sizeof(address), address);
	mnl_attr_nest_end(h, key);
	if (left_ms) {
		mnl_attr_put_u64(h, NFTA_SET_ELEM_TIMEOUT, htobe64(FIRST_MS));
		mnl_attr_put_u64(h, NFTA_SET_ELEM_EXPIRATION, htobe64(left_ms));
	}
	mnl_attr_nest_end(h, element);
	mnl_attr_nest_end(h, list);
	close_message(m, h);
}

static struct messages *begin(const struct nft_socket *s)
{
	struct messages *m = xcalloc(1, sizeof(*m));
	m->seq = s->seq;
	put_fence(m, NFNL_MSG_BATCH_BEGIN);
	return m;
}

/* Sends and frees it. The kernel has said all when send returns: nothing is good. */
static int commit(struct nft_socket *s, struct messages *m)
{
	put_fence(m, NFNL_MSG_BATCH_END);
	int r = nft_socket_settle(s);
	s->seq = m->seq;
	if (r == 0)
		r = nft_socket_send(s, m->data, m->len);
	free(m);
	while (r == 0) {
		struct nft_msg_reader reader;
		struct nft_msg answer;
		int got = nft_socket_receive_now(s, &reader);
		if (got == -EAGAIN)
			return 0;
		if (got < 0)
			return got;
		while (r == 0 && nft_msg_next(&reader, &answer))
			if (answer.kind == NFT_MSG_KIND_ERROR)
				r = -answer.error;
	}
	return r;
}

static int remove_table(struct nft_socket *s)
{
	struct messages *m = begin(s);
	put_table(m, NFT_MSG_NEWTABLE, NLM_F_CREATE); /* so that it is there to be removed */
	put_table(m, NFT_MSG_DELTABLE, 0);
	return commit(s, m);
}

static int make_table(struct nft_socket *s)
{
	struct messages *m = begin(s);
	put_table(m, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	put_set(m);
	put_element(m, NFT_MSG_NEWSETELEM, NLM_F_CREATE, FIRST_MS);
	return commit(s, m);
}

static int renew(struct nft_socket *s)
{
	struct messages *m = begin(s);
	put_element(m, NFT_MSG_NEWSETELEM, NLM_F_CREATE, THEN_MS);
	return commit(s, m);
}

static int look(struct nft_socket *s, bool *ret)
{
	struct messages question = {.seq = s->seq};
	struct nft_msg m;
	put_element(&question, NFT_MSG_GETSETELEM, 0, 0);
	int r = nft_socket_ask(s, question.data, question.len, NFT_MSG_KIND_ELEMENTS, &m);
	if (r < 0)
		return r;
	const struct nlattr *at[NFTA_SET_ELEM_LIST_MAX + 1], *in[NFTA_SET_ELEM_MAX + 1];
	nft_attrs_index(nft_attrs_of_message(m.header), NFTA_SET_ELEM_LIST_MAX, at);
	if (!at[NFTA_SET_ELEM_LIST_ELEMENTS])
		return -EBADMSG;
	struct nft_attrs list = nft_attrs_inside(at[NFTA_SET_ELEM_LIST_ELEMENTS]);
	const struct nlattr *element = nft_attrs_next(&list);
	uint64_t left_ms;
	if (!element)
		return -EBADMSG;
	nft_attrs_index(nft_attrs_inside(element), NFTA_SET_ELEM_MAX, in);
	if (!nft_attr_u64(in[NFTA_SET_ELEM_EXPIRATION], &left_ms))
		return -EBADMSG;
	*ret = left_ms <= THEN_MS;
	return 0;
}

int nft_probe_renewal(struct nft_socket *s, bool *ret)
{
	int r = remove_table(s);
	if (r == 0)
		r = make_table(s);
	if (r == 0)
		r = renew(s);
	if (r == 0)
		r = look(s, ret);
	int removed = remove_table(s);
	return r < 0 ? r : removed;
}
