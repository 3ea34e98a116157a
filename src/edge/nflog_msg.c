/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NFLOG's messages, and as much of a packet as tells who wanted to go where. Nothing in them is
 * trusted: whoever may send a packet wrote most of it. */
#include "edge/nflog_msg.h"

#include "base/cursor.h"
#include "edge/nft_attr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <string.h>

enum {
	QUEUE_MAX = 16,
	QUEUE_TIME = 10, /* hundredths of a second */
	HEADERS_MAX = 8, /* extension headers of IPv6, before one gives up */
	MAC_LEN = 6,
};

/* --- requests --- */

static struct nlmsghdr *begin(void *buf, uint32_t seq, uint16_t group)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	h->nlmsg_seq = seq;
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = AF_UNSPEC;
	g->version = NFNETLINK_V0;
	g->res_id = htons(group);
	return h;
}

static size_t encode_command(void *buf, uint32_t seq, uint16_t group, uint8_t command)
{
	struct nlmsghdr *h = begin(buf, seq, group);
	struct nfulnl_msg_config_cmd c = {.command = command};

	mnl_attr_put(h, NFULA_CFG_CMD, sizeof(c), &c);
	return h->nlmsg_len;
}

size_t nflog_msg_encode_bind(void *buf, uint32_t seq, uint16_t group)
{
	return encode_command(buf, seq, group, NFULNL_CFG_CMD_BIND);
}

size_t nflog_msg_encode_unbind(void *buf, uint32_t seq, uint16_t group)
{
	return encode_command(buf, seq, group, NFULNL_CFG_CMD_UNBIND);
}

size_t nflog_msg_encode_mode(void *buf, uint32_t seq, uint16_t group)
{
	struct nlmsghdr *h = begin(buf, seq, group);
	struct nfulnl_msg_config_mode mode = {
		.copy_range = htonl(NFLOG_MSG_SNAPLEN), .copy_mode = NFULNL_COPY_PACKET};

	mnl_attr_put(h, NFULA_CFG_MODE, sizeof(mode), &mode);
	mnl_attr_put_u32(h, NFULA_CFG_QTHRESH, htonl(QUEUE_MAX));
	mnl_attr_put_u32(h, NFULA_CFG_TIMEOUT, htonl(QUEUE_TIME));
	return h->nlmsg_len;
}

/* --- packets --- */

static bool has_ports(uint8_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
	       protocol == IPPROTO_DCCP || protocol == IPPROTO_UDPLITE;
}

/* The header of the protocol begins at the cursor, if at all. */
static struct service read_service(struct cursor *c, uint8_t protocol, bool whole)
{
	struct service s = {.kind = SERVICE_PROTOCOL, .protocol = protocol};

	if (!whole)
		return s;
	if (has_ports(protocol)) {
		cursor_skip(c, 2);
		uint16_t port = cursor_u16(c);
		if (c->failed)
			return s;
		s.kind = SERVICE_PORTS;
		s.port_first = s.port_last = port;
	} else if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
		uint8_t type = cursor_u8(c);
		if (c->failed)
			return s;
		s.kind = SERVICE_ICMP;
		s.icmp_type = type;
	}
	return s;
}

static void read_ipv4(struct cursor *c, struct refused_packet *p)
{
	size_t head = (size_t)(cursor_u8(c) & 15) * 4;

	cursor_skip(c, 5);
	bool first = (cursor_u16(c) & 0x1fff) == 0;
	cursor_skip(c, 1);
	uint8_t protocol = cursor_u8(c);
	cursor_skip(c, 2);
	const uint8_t *addresses = cursor_bytes(c, 8);
	if (!addresses || head < 20)
		return;
	p->has_addresses = true;
	p->source = addr_from_bytes(FAMILY_V4, addresses);
	p->destination = addr_from_bytes(FAMILY_V4, addresses + 4);
	cursor_skip(c, head - 20);
	p->service = read_service(c, protocol, first);
}

/* Over the headers that may stand between. Only where all of them are there, and this is not a
 * later fragment, something of the protocol follows; `ret_protocol` is as far as one could see. */
static bool skip_headers(struct cursor *c, uint8_t *ret_protocol)
{
	for (int i = 0; i < HEADERS_MAX; i++) {
		uint8_t here = *ret_protocol;
		if (here != IPPROTO_HOPOPTS && here != IPPROTO_ROUTING && here != IPPROTO_DSTOPTS &&
			here != IPPROTO_FRAGMENT && here != IPPROTO_AH)
			return true;
		uint8_t next = cursor_u8(c);
		size_t len = cursor_u8(c);
		if (here == IPPROTO_FRAGMENT) {
			bool first = (cursor_u16(c) & 0xfff8) == 0;
			cursor_skip(c, 4);
			if (c->failed)
				return false;
			*ret_protocol = next;
			if (!first)
				return false;
			continue;
		}
		cursor_skip(c, here == IPPROTO_AH ? (len + 2) * 4 - 2 : (len + 1) * 8 - 2);
		if (c->failed)
			return false;
		*ret_protocol = next;
	}
	return false;
}

static void read_ipv6(struct cursor *c, struct refused_packet *p)
{
	cursor_skip(c, 6);
	uint8_t protocol = cursor_u8(c);
	cursor_skip(c, 1);
	const uint8_t *addresses = cursor_bytes(c, 32);
	if (!addresses)
		return;
	p->has_addresses = true;
	p->source = addr_from_bytes(FAMILY_V6, addresses);
	p->destination = addr_from_bytes(FAMILY_V6, addresses + 16);
	bool whole = skip_headers(c, &protocol);
	p->service = read_service(c, protocol, whole);
}

/* "allowsync NAME MODE: ": what our rules write (core/ruleset_devices.c). */
static bool read_prefix(const char *text, struct refused_packet *p)
{
	static const char ours[] = "allowsync ";

	if (!text || strncmp(text, ours, sizeof(ours) - 1) != 0)
		return false;
	text += sizeof(ours) - 1;
	size_t len = strcspn(text, " ");
	if (len == 0 || len >= sizeof(p->group) || text[len] != ' ')
		return false;
	memcpy(p->group, text, len);
	text += len + 1;
	len = strcspn(text, ":");
	return strcmp(text + len, ": ") == 0 && refused_mode_parse(text, len, &p->mode);
}

static void read_mac(const struct nlattr *a, struct refused_packet *p)
{
	struct nfulnl_msg_packet_hw hw;

	if (!a)
		return;
	struct nft_attrs inside = nft_attrs_inside(a);
	if (inside.left < sizeof(hw))
		return;
	memcpy(&hw, inside.at, sizeof(hw));
	if (ntohs(hw.hw_addrlen) != MAC_LEN)
		return;
	p->has_mac = true;
	memcpy(p->mac, hw.hw_addr, MAC_LEN);
}

static bool read_packet(const struct nlmsghdr *h, struct refused_packet *p)
{
	const struct nlattr *at[NFULA_MAX + 1];

	nft_attrs_index(nft_attrs_of_message(h), NFULA_MAX, at);
	if (!read_prefix(nft_attr_text(at[NFULA_PREFIX]), p))
		return false;
	read_mac(at[NFULA_HWADDR], p);
	nft_attr_u32(at[NFULA_IFINDEX_INDEV], &p->in_index);
	nft_attr_u32(at[NFULA_IFINDEX_OUTDEV], &p->out_index);
	if (!at[NFULA_PAYLOAD])
		return true;
	struct nft_attrs payload = nft_attrs_inside(at[NFULA_PAYLOAD]);
	struct cursor c = cursor_over(payload.at, payload.left);
	uint8_t version = payload.left ? payload.at[0] >> 4 : 0;
	if (version == 4)
		read_ipv4(&c, p);
	else if (version == 6)
		read_ipv6(&c, p);
	return true;
}

/* --- messages --- */

static void decode(const struct nlmsghdr *h, struct nflog_msg *m)
{
	struct nfgenmsg g;
	int error;

	*m = (struct nflog_msg){.kind = NFLOG_MSG_OTHER, .seq = h->nlmsg_seq};
	if (h->nlmsg_type == NLMSG_ERROR && h->nlmsg_len >= sizeof(*h) + sizeof(error)) {
		memcpy(&error, (const uint8_t *)h + sizeof(*h), sizeof(error));
		m->kind = NFLOG_MSG_ACK;
		m->error = error <= 0 && error > -4096 ? error : -EPROTO;
	} else if (h->nlmsg_type == (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET) &&
		   h->nlmsg_len >= sizeof(*h) + sizeof(g)) {
		memcpy(&g, (const uint8_t *)h + sizeof(*h), sizeof(g));
		m->group = ntohs(g.res_id);
		m->kind = read_packet(h, &m->packet) ? NFLOG_MSG_PACKET : NFLOG_MSG_STRANGE;
	}
}

int nflog_msg_decode(const void *datagram, size_t len, nflog_msg_fn fn, void *userdata)
{
	const uint8_t *at = datagram;
	struct nflog_msg m;

	while (len >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *h = (const void *)at;
		if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > len)
			return -EBADMSG;
		decode(h, &m);
		fn(userdata, &m);
		size_t step = MNL_ALIGN((size_t)h->nlmsg_len);
		if (step > len)
			step = len;
		at += step;
		len -= step;
	}
	return len ? -EBADMSG : 0;
}
