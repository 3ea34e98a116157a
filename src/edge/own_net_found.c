/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one reading of rtnetlink comes to. */
#include "edge/own_net_found.h"

#include "base/mem.h"
#include "edge/nft_attr.h"

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { INTERFACES_MAX = 1 << 16 };

static bool attrs_of(const struct nlmsghdr *h, size_t head, struct nft_attrs *ret)
{
	if (h->nlmsg_len < sizeof(*h) + head)
		return false;
	*ret = (struct nft_attrs){(const uint8_t *)h + sizeof(*h), h->nlmsg_len - sizeof(*h)};
	size_t step = MNL_ALIGN(head) < ret->left ? MNL_ALIGN(head) : ret->left;
	ret->at += step;
	ret->left -= step;
	return true;
}

static bool family_of(uint8_t af, enum family *ret)
{
	*ret = af == AF_INET ? FAMILY_V4 : FAMILY_V6;
	return af == AF_INET || af == AF_INET6;
}

static bool read_addr(const struct nlattr *a, enum family family, struct addr *ret)
{
	if (!a || nft_attrs_inside(a).left != addr_len(family))
		return false;
	*ret = addr_from_bytes(family, nft_attrs_inside(a).at);
	return true;
}

/* rtnetlink's numbers are the machine's. */
static bool read_u32(const struct nlattr *a, uint32_t *ret)
{
	if (!a || nft_attrs_inside(a).left != sizeof(*ret))
		return false;
	memcpy(ret, nft_attrs_inside(a).at, sizeof(*ret));
	return true;
}

static struct addr_range range_of_prefix(const struct addr *a, unsigned bits)
{
	struct addr_range r = {*a, *a};

	for (unsigned i = bits; i < addr_len(a->family) * 8; i++) {
		uint8_t mask = (uint8_t)(0x80 >> (i % 8));
		r.first.bytes[i / 8] &= (uint8_t)~mask;
		r.last.bytes[i / 8] |= mask;
	}
	return r;
}

/* Refused whatever interface they are on. */
static bool is_known_place(const struct addr *a)
{
	return addr_is_link_local(a) || addr_is_loopback(a);
}

void own_net_found_take_addr(struct own_net_found *f, const struct nlmsghdr *h)
{
	const struct ifaddrmsg *m = (const void *)(h + 1);
	const struct nlattr *by_type[IFA_LOCAL + 1];
	struct nft_attrs s;
	struct own_addr own = {0};
	struct addr peer;
	enum family family;

	if (!attrs_of(h, sizeof(*m), &s) || !family_of(m->ifa_family, &family) ||
		m->ifa_prefixlen > addr_len(family) * 8 || f->addr_count == OWN_NET_RANGES_MAX)
		return;
	nft_attrs_index(s, IFA_LOCAL, by_type);
	/* On a link of two, the prefix is around the other's address. */
	if (!read_addr(by_type[IFA_ADDRESS], family, &peer) &&
		!read_addr(by_type[IFA_LOCAL], family, &peer))
		return;
	if (!read_addr(by_type[IFA_LOCAL], family, &own.addr))
		own.addr = peer;
	if (is_known_place(&own.addr))
		return;
	own.interface = m->ifa_index;
	own.prefix = range_of_prefix(&peer, m->ifa_prefixlen);
	/* Nobody's link is everything. */
	if (m->ifa_prefixlen == 0)
		own.prefix = (struct addr_range){own.addr, own.addr};
	VEC_GROW(f->addrs, f->addr_capacity, f->addr_count);
	f->addrs[f->addr_count++] = own;
}

static void take_default(struct own_net_found *f, enum family family, uint32_t interface)
{
	size_t count = f->default_count[family];

	if (count == INTERFACES_MAX || (count && f->defaults[family][count - 1] == interface))
		return;
	VEC_GROW(f->defaults[family], f->default_capacity[family], f->default_count[family]);
	f->defaults[family][f->default_count[family]++] = interface;
}

static void take_paths(struct own_net_found *f, enum family family, struct nft_attrs s)
{
	struct rtnexthop hop;

	while (s.left >= sizeof(hop)) {
		memcpy(&hop, s.at, sizeof(hop));
		size_t step = MNL_ALIGN((size_t)hop.rtnh_len);
		if (hop.rtnh_len < sizeof(hop) || step > s.left)
			return;
		take_default(f, family, (uint32_t)hop.rtnh_ifindex);
		s.at += step;
		s.left -= step;
	}
}

static bool is_default(const struct rtmsg *m)
{
	return m->rtm_dst_len == 0 && m->rtm_src_len == 0 && m->rtm_type == RTN_UNICAST &&
	       !(m->rtm_flags & RTM_F_CLONED);
}

void own_net_found_take_route(struct own_net_found *f, const struct nlmsghdr *h)
{
	const struct rtmsg *m = (const void *)(h + 1);
	const struct nlattr *by_type[RTA_MULTIPATH + 1];
	struct nft_attrs s;
	enum family family;
	uint32_t interface;

	if (!attrs_of(h, sizeof(*m), &s) || !family_of(m->rtm_family, &family) || !is_default(m))
		return;
	nft_attrs_index(s, RTA_MULTIPATH, by_type);
	if (read_u32(by_type[RTA_OIF], &interface))
		take_default(f, family, interface);
	if (by_type[RTA_MULTIPATH])
		take_paths(f, family, nft_attrs_inside(by_type[RTA_MULTIPATH]));
}

/* --- what was found --- */

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

/* A range comes before those in it. */
static int compare_ranges(const void *a, const void *b)
{
	const struct addr_range *x = a, *y = b;
	int c = addr_cmp(&x->first, &y->first);
	return c ? c : addr_cmp(&y->last, &x->last);
}

static bool has_default(const struct own_net_found *f, const struct own_addr *a)
{
	enum family family = a->prefix.first.family;

	return f->default_count[family] &&
	       bsearch(&a->interface, f->defaults[family], f->default_count[family],
		       sizeof(a->interface), compare_u32);
}

/* Prefixes lie in each other or apart; those in another go. */
static size_t keep_outermost(struct addr_range *ranges, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (kept == 0 || !addr_range_has(&ranges[kept - 1], &ranges[i].first))
			ranges[kept++] = ranges[i];
	return kept;
}

struct addr_range *own_net_found_ranges(struct own_net_found *f, size_t *ret_count)
{
	struct addr_range *ranges = NULL;
	size_t count = 0;

	*ret_count = 0;
	if (f->addr_count == 0)
		return NULL;
	for (size_t family = 0; family < FAMILY_COUNT; family++)
		if (f->default_count[family])
			qsort(f->defaults[family], f->default_count[family], sizeof(uint32_t),
				compare_u32);
	ranges = xreallocarray(NULL, 2 * f->addr_count, sizeof(*ranges));
	for (size_t i = 0; i < f->addr_count; i++) {
		const struct own_addr *a = &f->addrs[i];
		ranges[count++] = (struct addr_range){a->addr, a->addr};
		if (!has_default(f, a))
			ranges[count++] = a->prefix;
	}
	qsort(ranges, count, sizeof(*ranges), compare_ranges);
	*ret_count = keep_outermost(ranges, count);
	return ranges;
}

uint32_t *own_net_found_uplinks(const struct own_net_found *f, size_t *ret_count)
{
	size_t count = 0, kept = 0;
	uint32_t *all = NULL;

	for (size_t family = 0; family < FAMILY_COUNT; family++) {
		if (!f->default_count[family])
			continue;
		all = xreallocarray(all, count + f->default_count[family], sizeof(*all));
		memcpy(all + count, f->defaults[family], f->default_count[family] * sizeof(*all));
		count += f->default_count[family];
	}
	if (count)
		qsort(all, count, sizeof(*all), compare_u32);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || all[kept - 1] != all[i])
			all[kept++] = all[i];
	*ret_count = kept;
	return all;
}

void own_net_found_done(struct own_net_found *f)
{
	free(f->addrs);
	for (size_t family = 0; family < FAMILY_COUNT; family++)
		free(f->defaults[family]);
	memset(f, 0, sizeof(*f));
}
