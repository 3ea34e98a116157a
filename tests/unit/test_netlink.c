/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests to rtnetlink: all of an answer, and what the kernel refuses. */
#include "edge/netlink.h"

#include "tap.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdint.h>

static struct mnl_socket *s;
static uint32_t buf[8192];

static int count_message(const struct nlmsghdr *h, void *userdata)
{
	++*(unsigned *)userdata;
	return MNL_CB_OK;
}

/* Of that interface, or of all of them. */
static int ask_links(uint16_t flags, int index, unsigned *ret_count)
{
	static uint32_t seq;
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = RTM_GETLINK;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = ++seq;
	struct ifinfomsg *i = mnl_nlmsg_put_extra_header(h, sizeof(*i));
	i->ifi_index = index;
	*ret_count = 0;
	return netlink_exchange(s, h, buf, sizeof(buf), count_message, ret_count);
}

static void dump_is_read_to_its_end(void)
{
	unsigned count;

	for (int i = 0; i < 2; i++) {
		CHECK_INT(ask_links(NLM_F_DUMP, 0, &count), 0);
		CHECK(count >= 1);
	}
}

static void one_object_comes_before_the_acknowledgement(void)
{
	unsigned count;

	CHECK_INT(ask_links(NLM_F_ACK, 1, &count), 0);
	CHECK_INT(count, 1);
}

static void refusal_is_the_kernels_error_and_the_next_request_is_answered(void)
{
	unsigned count;

	CHECK_INT(ask_links(NLM_F_ACK, INT32_MAX, &count), -ENODEV);
	CHECK_INT(count, 0);
	CHECK_INT(ask_links(NLM_F_ACK, 1, &count), 0);
	CHECK_INT(count, 1);
}

int main(void)
{
	s = mnl_socket_open(NETLINK_ROUTE);
	if (!s || mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0)
		return 1;
	TAP_RUN(dump_is_read_to_its_end);
	TAP_RUN(one_object_comes_before_the_acknowledgement);
	TAP_RUN(refusal_is_the_kernels_error_and_the_next_request_is_answered);
	mnl_socket_close(s);
	return tap_done();
}
