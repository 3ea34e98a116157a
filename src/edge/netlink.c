/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Send, and receive until the end. */
#include "edge/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>

int netlink_exchange(struct mnl_socket *s, const struct nlmsghdr *request, void *buf, size_t size,
	netlink_message_fn fn, void *userdata)
{
	unsigned seq = request->nlmsg_seq;
	int r = MNL_CB_OK;

	if (mnl_socket_sendto(s, request, request->nlmsg_len) < 0)
		return -errno;
	while (r == MNL_CB_OK) {
		ssize_t n = mnl_socket_recvfrom(s, buf, size);
		if (n < 0)
			return -errno;
		r = mnl_cb_run(buf, (size_t)n, seq, mnl_socket_get_portid(s), fn, userdata);
	}
	return r == MNL_CB_STOP ? 0 : -errno;
}
