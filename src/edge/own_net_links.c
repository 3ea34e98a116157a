/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps of rtnetlink that are read to their end. */
#include "edge/own_net_links.h"

#include "base/strbuf.h"
#include "core/host.h"
#include "edge/netlink.h"
#include "edge/own_net_found.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

enum { DUMP_SIZE = 64 * 1024 };

struct links {
	struct host *host;
	struct own_net_found found;
	struct strings names; /* by index; "": none */
	uint32_t *indexes;
	size_t capacity;
};

static void take_link(struct links *l, const struct nlmsghdr *h)
{
	const struct ifinfomsg *i = mnl_nlmsg_get_payload(h);
	struct nlattr *a;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*i))
		return;
	mnl_attr_for_each(a, h, sizeof(*i))
	{
		if (mnl_attr_get_type(a) != IFLA_IFNAME ||
			mnl_attr_validate(a, MNL_TYPE_NUL_STRING) < 0)
			continue;
		struct host_interface *n = host_interface_add(l->host, mnl_attr_get_str(a));
		n->ethernet = i->ifi_type == ARPHRD_ETHER;
		VEC_GROW(l->indexes, l->capacity, l->names.count);
		l->indexes[l->names.count] = (uint32_t)i->ifi_index;
		strings_add(&l->names, n->name);
	}
}

static void take_neighbour(struct links *l, const struct nlmsghdr *h)
{
	const struct ndmsg *n = mnl_nlmsg_get_payload(h);
	struct nlattr *a;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*n) || n->ndm_state & (NUD_NOARP | NUD_FAILED))
		return;
	mnl_attr_for_each(a, h, sizeof(*n))
	{
		const uint8_t *b = mnl_attr_get_payload(a);
		if (mnl_attr_get_type(a) != NDA_LLADDR || mnl_attr_get_payload_len(a) != 6)
			continue;
		_cleanup_free_ char *mac = xasprintf(
			"%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
		if (!strings_has(&l->host->macs, mac))
			strings_add(&l->host->macs, mac);
	}
}

static int on_message(const struct nlmsghdr *h, void *userdata)
{
	struct links *l = userdata;

	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
		take_link(l, h);
		break;
	case RTM_NEWNEIGH:
		take_neighbour(l, h);
		break;
	case RTM_NEWADDR:
		own_net_found_take_addr(&l->found, h);
		break;
	case RTM_NEWROUTE:
		own_net_found_take_route(&l->found, h);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static int dump(struct mnl_socket *s, struct links *l, uint16_t type, uint8_t family)
{
	static uint32_t seq;
	uint32_t buf[DUMP_SIZE / sizeof(uint32_t)];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = ++seq;
	/* Each begins with the family, and is zeros behind it: the longest serves for all. */
	struct ifinfomsg *i = mnl_nlmsg_put_extra_header(h, sizeof(*i));
	i->ifi_family = family;
	return netlink_exchange(s, h, buf, sizeof(buf), on_message, l);
}

static struct host_interface *by_index(const struct links *l, uint32_t index)
{
	for (size_t i = 0; i < l->names.count; i++) {
		if (l->indexes[i] == index)
			return host_interface(l->host, l->names.items[i]);
	}
	return NULL;
}

static void settle(struct links *l)
{
	for (size_t i = 0; i < l->found.addr_count; i++) {
		struct host_interface *n = by_index(l, l->found.addrs[i].interface);
		if (!n)
			continue;
		VEC_GROW(n->addrs, n->addr_capacity, n->addr_count);
		n->addrs[n->addr_count++] = l->found.addrs[i].addr;
	}
	for (int f = 0; f < FAMILY_COUNT; f++) {
		for (size_t i = 0; i < l->found.default_count[f]; i++) {
			struct host_interface *n = by_index(l, l->found.defaults[f][i]);
			if (n)
				n->default_route[f] = true;
		}
	}
}

void own_net_links_read(struct host *h)
{
	static const struct {
		uint16_t type;
		uint8_t family;
	} dumps[] = {{RTM_GETLINK, AF_UNSPEC}, {RTM_GETADDR, AF_INET}, {RTM_GETADDR, AF_INET6},
		{RTM_GETROUTE, AF_INET}, {RTM_GETROUTE, AF_INET6}, {RTM_GETNEIGH, AF_UNSPEC}};
	struct links l = {.host = h};
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int r = s && mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) == 0 ? 0 : -errno;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(dumps); i++)
		r = dump(s, &l, dumps[i].type, dumps[i].family);
	if (r < 0)
		host_unread(h, "links and routes: %s", strerror(-r));
	settle(&l);
	own_net_found_done(&l.found);
	strings_done(&l.names);
	free(l.indexes);
	if (s)
		mnl_socket_close(s);
}
