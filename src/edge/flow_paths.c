/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Routes and neighbours, asked for one address at a time. */
#include "edge/flow_paths.h"

#include "allowsync/addr.h"
#include "allowsync/profile.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "edge/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

enum {
	RECEIVE_SIZE = 64 * 1024,
	REMEMBERED_MAX = 1 << 16,
};

/* What is known of an address. */
struct known {
	struct addr addr;
	const char *interface; /* one of the names; NULL: none */
	char mac[18];
};

struct flow_paths {
	struct mnl_socket *socket;
	uint32_t seq;
	struct map routes, neighbours; /* by struct addr */
	struct strings names;          /* of interfaces */
	uint32_t received[RECEIVE_SIZE / sizeof(uint32_t)];
};

static int exchange(struct flow_paths *p, struct nlmsghdr *h, mnl_cb_t fn, void *userdata)
{
	h->nlmsg_seq = ++p->seq;
	return netlink_exchange(p->socket, h, p->received, sizeof(p->received), fn, userdata);
}

/* --- neighbours --- */

static int on_neighbour(const struct nlmsghdr *h, void *userdata)
{
	struct flow_paths *p = userdata;
	const struct ndmsg *n = mnl_nlmsg_get_payload(h);
	const uint8_t *mac = NULL, *bytes = NULL;
	struct nlattr *a;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*n) || n->ndm_state & (NUD_NOARP | NUD_FAILED) ||
		(n->ndm_family != AF_INET && n->ndm_family != AF_INET6) ||
		p->neighbours.count >= REMEMBERED_MAX)
		return MNL_CB_OK;
	enum family family = n->ndm_family == AF_INET ? FAMILY_V4 : FAMILY_V6;
	mnl_attr_for_each(a, h, sizeof(*n))
	{
		if (mnl_attr_get_type(a) == NDA_LLADDR && mnl_attr_get_payload_len(a) == 6)
			mac = mnl_attr_get_payload(a);
		else if (mnl_attr_get_type(a) == NDA_DST &&
			 mnl_attr_get_payload_len(a) == addr_len(family))
			bytes = mnl_attr_get_payload(a);
	}
	if (!mac || !bytes)
		return MNL_CB_OK;
	struct known *k = xcalloc(1, sizeof(*k));
	k->addr = addr_from_bytes(family, bytes);
	snprintf(k->mac, sizeof(k->mac), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		mac[3], mac[4], mac[5]);
	free(map_put(&p->neighbours, &k->addr, sizeof(k->addr), k));
	return MNL_CB_OK;
}

static int read_neighbours(struct flow_paths *p)
{
	uint32_t buf[64] = {0};
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = RTM_GETNEIGH;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	mnl_nlmsg_put_extra_header(h, sizeof(struct ndmsg));
	return exchange(p, h, on_neighbour, p);
}

const char *flow_paths_mac(const struct flow_paths *p, const struct addr *a)
{
	const struct known *k = map_get(&p->neighbours, a, sizeof(*a));

	return k ? k->mac : NULL;
}

/* --- routes --- */

static int on_route(const struct nlmsghdr *h, void *userdata)
{
	uint32_t *index = userdata;
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	struct nlattr *a;

	if (h->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return MNL_CB_OK;
	mnl_attr_for_each(a, h, sizeof(*m))
	{
		if (m->rtm_type == RTN_UNICAST && mnl_attr_get_type(a) == RTA_OIF &&
			mnl_attr_validate(a, MNL_TYPE_U32) >= 0)
			*index = mnl_attr_get_u32(a);
	}
	return MNL_CB_OK;
}

/* 0: none. */
static uint32_t ask_route(struct flow_paths *p, const struct addr *a)
{
	uint32_t buf[64] = {0}, index = 0;
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	size_t len = addr_len(a->family);

	h->nlmsg_type = RTM_GETROUTE;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->rtm_family = a->family == FAMILY_V4 ? AF_INET : AF_INET6;
	m->rtm_dst_len = (unsigned char)(8 * len);
	mnl_attr_put(h, RTA_DST, len, a->bytes);
	return exchange(p, h, on_route, &index) == 0 ? index : 0;
}

static const char *name_of(struct flow_paths *p, uint32_t index)
{
	char name[IF_NAMESIZE];

	if (!index || !if_indextoname(index, name))
		return NULL;
	for (size_t i = 0; i < p->names.count; i++) {
		if (str_eq(p->names.items[i], name))
			return p->names.items[i];
	}
	strings_add(&p->names, name);
	return p->names.items[p->names.count - 1];
}

const char *flow_paths_interface(struct flow_paths *p, const struct addr *a)
{
	struct known *k = map_get(&p->routes, a, sizeof(*a));

	if (k)
		return k->interface;
	const char *interface = name_of(p, ask_route(p, a));
	if (p->routes.count < REMEMBERED_MAX) {
		k = xcalloc(1, sizeof(*k));
		*k = (struct known){.addr = *a, .interface = interface};
		map_put(&p->routes, &k->addr, sizeof(k->addr), k);
	}
	return interface;
}

/* --- life --- */

int flow_paths_open(struct flow_paths **ret)
{
	struct flow_paths *p = xcalloc(1, sizeof(*p));
	int r;

	p->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	r = p->socket && mnl_socket_bind(p->socket, 0, MNL_SOCKET_AUTOPID) == 0 ? 0 : -errno;
	if (r == 0)
		r = read_neighbours(p);
	if (r < 0) {
		flow_paths_close(p);
		return r;
	}
	*ret = p;
	return 0;
}

static void forget(struct map *m)
{
	struct known *k;

	for (size_t at = 0; (k = map_next(m, &at));)
		free(k);
	map_done(m);
}

struct flow_paths *flow_paths_close(struct flow_paths *p)
{
	if (!p)
		return NULL;
	if (p->socket)
		mnl_socket_close(p->socket);
	forget(&p->routes);
	forget(&p->neighbours);
	strings_done(&p->names);
	free(p);
	return NULL;
}
