#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A request over a socket of libmnl, and all that answers it. */
#include <stddef.h>

struct mnl_socket;
struct nlmsghdr;

/* As libmnl's mnl_cb_t: whether more is wanted (MNL_CB_OK, MNL_CB_STOP, MNL_CB_ERROR). */
typedef int (*netlink_message_fn)(const struct nlmsghdr *h, void *userdata);

/* Sends a request for a dump or with an acknowledgement, and waits for the end of the answer; `fn`
 * (or NULL) gets its messages. `buf` is for what is received; the request may stand in it. 0,
 * -errno.
 */
int netlink_exchange(struct mnl_socket *s, const struct nlmsghdr *request, void *buf, size_t size,
	netlink_message_fn fn, void *userdata);
