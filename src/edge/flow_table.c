/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A request to delete that named no entry would empty the whole table: each is made of the tuple
 * that the kernel gave, byte for byte, and of the entry's number, so that another flow with the
 * same ends does not go in its place. */
#include "edge/flow_table.h"

#include "base/mem.h"
#include "core/flows.h"
#include "edge/netlink.h"
#include "edge/nft_attr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum {
	RECEIVE_SIZE = 64 * 1024,
	TUPLE_MAX = 256,
	ROUND_MAX = 4096, /* that are remembered while the table is read */
};

struct entry {
	uint8_t nf_family;
	uint16_t tuple_len;
	uint8_t tuple[TUPLE_MAX]; /* what is inside CTA_TUPLE_ORIG */
	uint32_t id;
	bool has_zone;
	uint16_t zone; /* network order */
};

struct table {
	struct mnl_socket *socket;
	uint32_t seq;
	flow_table_fn fn;
	void *userdata;
	struct entry *round;
	size_t count;
	bool more; /* than have room */
	uint32_t received[RECEIVE_SIZE / sizeof(uint32_t)];
};

/* --- an entry --- */

struct tuple {
	struct addr source, destination;
	uint8_t protocol, icmp_type;
	uint16_t port; /* of the destination */
	uint16_t source_port;
};

static bool attr_bytes(const struct nlattr *a, void *ret, size_t len)
{
	struct nft_attrs inside;

	if (!a || (inside = nft_attrs_inside(a)).left != len)
		return false;
	memcpy(ret, inside.at, len);
	return true;
}

static bool addr_of(const struct nlattr *v4, const struct nlattr *v6, struct addr *ret)
{
	uint8_t bytes[16];

	if (attr_bytes(v4, bytes, 4))
		*ret = addr_from_bytes(FAMILY_V4, bytes);
	else if (attr_bytes(v6, bytes, 16))
		*ret = addr_from_bytes(FAMILY_V6, bytes);
	else
		return false;
	return true;
}

static bool decode_tuple(const struct nlattr *a, struct tuple *ret)
{
	const struct nlattr *at[CTA_TUPLE_MAX + 1], *ip[CTA_IP_MAX + 1], *p[CTA_PROTO_MAX + 1];
	uint16_t port;

	*ret = (struct tuple){0};
	if (!a)
		return false;
	nft_attrs_index(nft_attrs_inside(a), CTA_TUPLE_MAX, at);
	if (!at[CTA_TUPLE_IP] || !at[CTA_TUPLE_PROTO])
		return false;
	nft_attrs_index(nft_attrs_inside(at[CTA_TUPLE_IP]), CTA_IP_MAX, ip);
	nft_attrs_index(nft_attrs_inside(at[CTA_TUPLE_PROTO]), CTA_PROTO_MAX, p);
	if (!addr_of(ip[CTA_IP_V4_SRC], ip[CTA_IP_V6_SRC], &ret->source) ||
		!addr_of(ip[CTA_IP_V4_DST], ip[CTA_IP_V6_DST], &ret->destination) ||
		!attr_bytes(p[CTA_PROTO_NUM], &ret->protocol, 1))
		return false;
	if (attr_bytes(p[CTA_PROTO_DST_PORT], &port, sizeof(port)))
		ret->port = ntohs(port);
	if (attr_bytes(p[CTA_PROTO_SRC_PORT], &port, sizeof(port)))
		ret->source_port = ntohs(port);
	if (!attr_bytes(p[CTA_PROTO_ICMP_TYPE], &ret->icmp_type, 1))
		attr_bytes(p[CTA_PROTO_ICMPV6_TYPE], &ret->icmp_type, 1);
	return true;
}

/* The reply's source is the destination behind its translation. */
static bool decode_flow(const struct nlattr *const *at, struct flow *ret)
{
	struct tuple there, back;

	if (!decode_tuple(at[CTA_TUPLE_ORIG], &there) || !decode_tuple(at[CTA_TUPLE_REPLY], &back))
		return false;
	bool has_port = there.port || there.source_port;
	*ret = (struct flow){
		.source = there.source,
		.destination = back.source,
		.protocol = there.protocol,
		.port = has_port ? back.source_port : 0,
		.icmp_type = there.icmp_type,
	};
	return true;
}

static int on_entry(const struct nlmsghdr *h, void *userdata)
{
	struct table *t = userdata;
	const struct nlattr *at[CTA_MAX + 1];
	struct nfgenmsg g;
	struct flow f;
	uint32_t id;

	if (h->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW) ||
		h->nlmsg_len < sizeof(*h) + sizeof(g))
		return MNL_CB_OK;
	memcpy(&g, mnl_nlmsg_get_payload(h), sizeof(g));
	nft_attrs_index(nft_attrs_of_message(h), CTA_MAX, at);
	if (at[CTA_TUPLE_MASTER] || !decode_flow(at, &f) || !nft_attr_u32(at[CTA_ID], &id))
		return MNL_CB_OK;
	struct nft_attrs tuple = nft_attrs_inside(at[CTA_TUPLE_ORIG]);
	if (tuple.left > TUPLE_MAX || !t->fn(t->userdata, &f))
		return MNL_CB_OK;
	if (t->count == ROUND_MAX) {
		t->more = true;
		return MNL_CB_OK;
	}
	struct entry *e = &t->round[t->count++];
	*e = (struct entry){
		.nf_family = g.nfgen_family, .tuple_len = (uint16_t)tuple.left, .id = id};
	memcpy(e->tuple, tuple.at, tuple.left);
	e->has_zone = attr_bytes(at[CTA_ZONE], &e->zone, sizeof(e->zone));
	return MNL_CB_OK;
}

/* --- requests --- */

static struct nlmsghdr *put_request(
	struct table *t, void *buf, unsigned message, unsigned flags, uint8_t nf_family)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | message);
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = ++t->seq;
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = nf_family;
	g->version = NFNETLINK_V0;
	return h;
}

static int exchange(struct table *t, const struct nlmsghdr *h, mnl_cb_t fn)
{
	return netlink_exchange(t->socket, h, t->received, sizeof(t->received), fn, t);
}

static int read_family(struct table *t, uint8_t nf_family)
{
	uint32_t buf[64] = {0};

	return exchange(t, put_request(t, buf, IPCTNL_MSG_CT_GET, NLM_F_DUMP, nf_family), on_entry);
}

static int end_entry(struct table *t, const struct entry *e)
{
	uint32_t buf[256] = {0};
	struct nlmsghdr *h = put_request(t, buf, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, e->nf_family);

	mnl_attr_put(h, CTA_TUPLE_ORIG | NLA_F_NESTED, e->tuple_len, e->tuple);
	mnl_attr_put_u32(h, CTA_ID, htonl(e->id));
	if (e->has_zone)
		mnl_attr_put(h, CTA_ZONE, sizeof(e->zone), &e->zone);
	return exchange(t, h, NULL);
}

/* What has ended by itself is ended. */
static int end_round(struct table *t, size_t *ended)
{
	int result = 0;

	for (size_t i = 0; i < t->count; i++) {
		int r = end_entry(t, &t->round[i]);
		if (r == 0)
			(*ended)++;
		else if (r != -ENOENT && result == 0)
			result = r;
	}
	return result;
}

int flow_table_end(flow_table_fn fn, void *userdata, size_t *ret_ended)
{
	struct table *t = xcalloc(1, sizeof(*t));
	size_t ended = 0, before;
	int r;

	t->fn = fn;
	t->userdata = userdata;
	t->round = xcalloc(ROUND_MAX, sizeof(*t->round));
	t->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	r = t->socket && mnl_socket_bind(t->socket, 0, MNL_SOCKET_AUTOPID) == 0 ? 0 : -errno;
	do {
		before = ended;
		t->count = 0;
		t->more = false;
		if (r == 0)
			r = read_family(t, AF_INET);
		if (r == 0)
			r = read_family(t, AF_INET6);
		if (r == 0)
			r = end_round(t, &ended);
	} while (r == 0 && t->more && ended > before);
	if (t->socket)
		mnl_socket_close(t->socket);
	free(t->round);
	free(t);
	if (r == 0)
		*ret_ended = ended;
	return r;
}
