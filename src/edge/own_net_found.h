#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses and default routes, from rtnetlink's messages to the list of own ranges. No socket. */
#include "allowsync/addr.h"

#include <stddef.h>
#include <stdint.h>

struct nlmsghdr;

enum { OWN_NET_RANGES_MAX = 1 << 17 }; /* of addresses; beyond that the kernel's are not kept */

struct own_addr {
	uint32_t interface;
	struct addr_range prefix;
	struct addr addr;
};

/* What one reading has found. */
struct own_net_found {
	struct own_addr *addrs;
	size_t addr_count, addr_capacity;
	/* Interfaces with a default route; some more than once. */
	uint32_t *defaults[FAMILY_COUNT];
	size_t default_count[FAMILY_COUNT], default_capacity[FAMILY_COUNT];
};

/* Of RTM_NEWADDR and RTM_NEWROUTE, which may hold anything; what cannot be read is passed over. */
void own_net_found_take_addr(struct own_net_found *f, const struct nlmsghdr *h);
void own_net_found_take_route(struct own_net_found *f, const struct nlmsghdr *h);
/* As own_net_fn() has them; the caller frees it. NULL when there are none. */
struct addr_range *own_net_found_ranges(struct own_net_found *f, size_t *ret_count);
/* The interfaces with a default route, each once; the caller frees it. NULL when there are none. */
uint32_t *own_net_found_uplinks(const struct own_net_found *f, size_t *ret_count);
void own_net_found_done(struct own_net_found *f);
