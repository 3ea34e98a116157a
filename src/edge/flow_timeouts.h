#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long this kernel keeps idle flows. Over netlink, as /proc/sys is hidden from the service. It
 * blocks for as long as the kernel takes to answer. */

struct timeouts;

/* -errno: the kernel does not say, or has no such policies: the one comes with the other. Needs
 * CAP_NET_ADMIN. */
int flow_timeouts_read(struct timeouts *ret);
