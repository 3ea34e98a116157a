/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's own timeouts from nfnetlink_cttimeout, one request a protocol. */
#include "edge/flow_timeouts.h"

#include "core/timeouts.h"
#include "edge/netlink.h"
#include "edge/nft_attr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_cttimeout.h>
#include <netinet/in.h>

enum { STATE_MAX = CTA_TIMEOUT_TCP_MAX };

struct asked {
	uint8_t protocol;
	/* Its states stand in timeouts_state as the attributes do, which begin with 1. */
	enum timeouts_state first;
	unsigned count;
	struct timeouts *to;
};

static int on_answer(const struct nlmsghdr *h, void *userdata)
{
	const struct asked *a = userdata;
	const struct nlattr *at[CTA_TIMEOUT_MAX + 1], *states[STATE_MAX + 1];
	uint32_t s;

	if (h->nlmsg_len < sizeof(*h) + sizeof(struct nfgenmsg))
		return MNL_CB_OK;
	nft_attrs_index(nft_attrs_of_message(h), CTA_TIMEOUT_MAX, at);
	if (!at[CTA_TIMEOUT_DATA])
		return MNL_CB_OK;
	nft_attrs_index(nft_attrs_inside(at[CTA_TIMEOUT_DATA]), STATE_MAX, states);
	for (unsigned i = 0; i < a->count; i++) {
		if (nft_attr_u32(states[i + 1], &s))
			a->to->s[a->first + i] = s;
	}
	return MNL_CB_OK;
}

static int ask(struct mnl_socket *s, uint32_t seq, struct asked *a)
{
	uint32_t buf[1024] = {0};
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = NFNL_SUBSYS_CTNETLINK_TIMEOUT << 8 | IPCTNL_MSG_TIMEOUT_DEFAULT_GET;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	h->nlmsg_seq = seq;
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = AF_UNSPEC;
	g->version = NFNETLINK_V0;
	/* They are the same for IPv6. */
	mnl_attr_put_u16(h, CTA_TIMEOUT_L3PROTO, htons(AF_INET));
	mnl_attr_put_u8(h, CTA_TIMEOUT_L4PROTO, a->protocol);
	return netlink_exchange(s, h, buf, sizeof(buf), on_answer, a);
}

int flow_timeouts_read(struct timeouts *ret)
{
	struct timeouts found = {0};
	struct asked of_tcp = {IPPROTO_TCP, TIMEOUTS_TCP_SYN_SENT, CTA_TIMEOUT_TCP_MAX, &found};
	struct asked of_udp = {IPPROTO_UDP, TIMEOUTS_UDP_UNREPLIED, CTA_TIMEOUT_UDP_MAX, &found};
	struct mnl_socket *s = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	int r = s && mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) == 0 ? 0 : -errno;

	if (r == 0)
		r = ask(s, 1, &of_tcp);
	if (r == 0)
		r = ask(s, 2, &of_udp);
	if (s)
		mnl_socket_close(s);
	if (r == 0)
		*ret = found;
	return r;
}
