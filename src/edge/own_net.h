#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where this router is itself: its addresses, and the prefixes connected on interfaces that have no
 * default route, as the kernel tells over rtnetlink. A public name has no business to point there.
 *
 * An interface with a default route (of that family, in any table) leads to the world; the prefix
 * on it is the provider's, with other customers in it, and only the address is ours. Not in the
 * list, as they are refused anyway: 127.0.0.0/8, ::1 and fe80::/10. Default routes over nexthop
 * objects are seen as long as the kernel shows their interfaces with the route (it does, unless
 * net.ipv4.nexthop_compat_mode is off). */
#include "allowsync/addr.h"

#include <stddef.h>
#include <stdint.h>

struct loop;
struct own_net;
struct strings;

enum {
	OWN_NET_QUIET_MS = 100,     /* changes are looked at when none came for as long, or */
	OWN_NET_PATIENCE_MS = 1000, /* as long after the first */
};

/* All of them, each a prefix or a single address, sorted by addr_cmp(), none in another; valid
 * during the call. Called from the loop: once after the start, if there are none as well, and
 * whenever the list, or that of own_net_uplinks(), has changed. */
typedef void (*own_net_fn)(void *userdata, const struct addr_range *ranges, size_t count);

/* Needs no capability. Negative: -errno. */
int own_net_new(struct loop *l, own_net_fn fn, void *userdata, struct own_net **ret);
/* The names of the interfaces with a default route, sorted: where the outside is. While there is no
 * such route, those that had the last one. Valid until the next call back. */
const struct strings *own_net_uplinks(const struct own_net *n);
/* How often the kernel's news were lost, and everything was read again. */
uint64_t own_net_lost_count(const struct own_net *n);
/* How often everything was read. */
uint64_t own_net_read_count(const struct own_net *n);
/* For tests, which make its buffer small; it stays the object's. */
int own_net_fd(const struct own_net *n);
/* Not from inside the call. Takes NULL; returns NULL. */
struct own_net *own_net_free(struct own_net *n);
