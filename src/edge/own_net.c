/* SPDX-License-Identifier: GPL-2.0-or-later */
/* News say only that something has changed: then everything is read again. The kernel does not tell
 * of each route that goes, and what is lost, torn or came in between is put right by the next
 * reading. */
#include "edge/own_net.h"

#include "allowsync/profile.h"
#include "base/mem.h"
#include "edge/loop.h"
#include "edge/own_net_found.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	/* The kernel's largest datagram of a dump is 32 KiB. */
	RECEIVE_SIZE = 64 * 1024,
	NEWS_BUFFER = 1 << 20,
	/* Datagrams a round of the loop. */
	ROUND_MAX = 16,
	RETRY_MS = 1000,
	/* Where something changes all the time, no reading is whole. */
	TORN_MAX = 5,
	/* A reading takes this part of the time at most, with a table of a million routes too. */
	REST_PART = 10,
};

static const struct {
	uint16_t type;
	uint8_t family;
} steps[] = {
	{RTM_GETADDR, AF_INET},
	{RTM_GETADDR, AF_INET6},
	{RTM_GETROUTE, AF_INET},
	{RTM_GETROUTE, AF_INET6},
};

struct own_net {
	struct loop *loop;
	own_net_fn fn;
	void *userdata;
	int news;
	struct loop_io *news_io;
	struct loop_timer *timer;
	bool changed;              /* since the last reading began */
	uint64_t first_ms;         /* of those changes */
	uint64_t rest_until_ms;    /* after the last reading */
	uint64_t lost, read_count; /* ever */

	int dump; /* -1: nothing is being read */
	struct loop_io *dump_io;
	size_t step;
	uint32_t seq;
	bool torn;
	unsigned torn_count; /* in a row */
	uint64_t begun_ms;
	struct own_net_found found;

	bool told;
	struct addr_range *ranges; /* as told */
	size_t count;
	struct strings uplinks;
	bool telling;
	/* Aligned for message headers. */
	uint32_t received[RECEIVE_SIZE / sizeof(uint32_t)];
};

static void begin_step(struct own_net *n);

/* --- when to read --- */

static void arm(struct own_net *n)
{
	if (n->dump >= 0)
		return; /* its end looks again */
	uint64_t now = loop_now_ms(), due = now + OWN_NET_QUIET_MS;
	if (due > n->first_ms + OWN_NET_PATIENCE_MS)
		due = n->first_ms + OWN_NET_PATIENCE_MS;
	if (due < n->rest_until_ms)
		due = n->rest_until_ms;
	loop_timer_arm(n->timer, due > now ? due - now : 0);
}

static void note_change(struct own_net *n)
{
	if (!n->changed)
		n->first_ms = loop_now_ms();
	n->changed = true;
	arm(n);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool same_strings(const struct strings *a, const struct strings *b)
{
	for (size_t i = 0; i < a->count && i < b->count; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return a->count == b->count;
}

/* Have they changed? One that is gone by now has no name: its news are on their way. */
static bool take_uplinks(struct own_net *n)
{
	struct strings names = {0};
	size_t count;
	uint32_t *indexes = own_net_found_uplinks(&n->found, &count);
	char name[IF_NAMESIZE];

	for (size_t i = 0; i < count; i++)
		if (if_indextoname(indexes[i], name))
			strings_add(&names, name);
	free(indexes);
	if (names.count)
		qsort(names.items, names.count, sizeof(*names.items), by_text);
	if (!names.count || same_strings(&names, &n->uplinks)) {
		strings_done(&names);
		return false;
	}
	strings_done(&n->uplinks);
	n->uplinks = names;
	return true;
}

static void tell(struct own_net *n)
{
	size_t count;
	struct addr_range *ranges = own_net_found_ranges(&n->found, &count);
	bool moved = take_uplinks(n);

	if (n->told && !moved && count == n->count &&
		(count == 0 || memcmp(ranges, n->ranges, count * sizeof(*ranges)) == 0)) {
		free(ranges);
		return;
	}
	free(n->ranges);
	n->ranges = ranges;
	n->count = count;
	n->told = n->telling = true;
	n->fn(n->userdata, ranges, count);
	n->telling = false;
}

/* --- reading --- */

static void close_dump(struct own_net *n)
{
	n->dump_io = loop_io_free(n->dump_io);
	if (n->dump >= 0)
		close(n->dump);
	n->dump = -1;
}

/* As it is not known: later, and what was told stands. */
static void give_up(struct own_net *n)
{
	close_dump(n);
	n->rest_until_ms = loop_now_ms() + RETRY_MS;
	note_change(n);
}

static void end_reading(struct own_net *n)
{
	uint64_t now = loop_now_ms();

	close_dump(n);
	n->read_count++;
	n->rest_until_ms = now + (now - n->begun_ms) * REST_PART;
	n->torn_count = n->torn ? n->torn_count + 1 : 0;
	if (n->torn)
		note_change(n);
	else if (n->changed)
		arm(n);
	if (!n->torn || n->torn_count >= TORN_MAX)
		tell(n);
	own_net_found_done(&n->found);
}

static void end_step(struct own_net *n)
{
	if (++n->step < ARRAY_LEN(steps))
		begin_step(n);
	else
		end_reading(n);
}

/* Of an error: none, when the kernel does not have the family. */
static int error_of(const struct nlmsghdr *h)
{
	int32_t error;

	if (h->nlmsg_len < sizeof(*h) + sizeof(error))
		return 0;
	memcpy(&error, h + 1, sizeof(error));
	return error == -EOPNOTSUPP || error == -EAFNOSUPPORT ? 0 : error;
}

/* False: the step, or all of it, has ended. */
static bool take_message(struct own_net *n, const struct nlmsghdr *h)
{
	if (h->nlmsg_seq != n->seq)
		return true;
	n->torn |= (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
	if (h->nlmsg_type == RTM_NEWADDR)
		own_net_found_take_addr(&n->found, h);
	else if (h->nlmsg_type == RTM_NEWROUTE)
		own_net_found_take_route(&n->found, h);
	if (h->nlmsg_type != NLMSG_DONE && h->nlmsg_type != NLMSG_ERROR)
		return true;
	if (error_of(h) != 0)
		give_up(n);
	else
		end_step(n);
	return false;
}

/* One datagram of what is being read. False: nothing more for now. */
static bool read_dump(struct own_net *n)
{
	ssize_t len = recv(n->dump, n->received, sizeof(n->received), MSG_DONTWAIT | MSG_TRUNC);

	if (len < 0 && errno == EINTR)
		return true;
	if (len < 0 && errno == EAGAIN)
		return false;
	if (len <= 0 || (size_t)len > sizeof(n->received)) {
		give_up(n);
		return false;
	}
	int left = (int)len;
	const struct nlmsghdr *h = (const void *)n->received;
	for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
		if (!take_message(n, h))
			return n->dump >= 0;
	if (left > 0)
		give_up(n); /* its end may be in what cannot be read */
	return n->dump >= 0;
}

static void on_dump(void *userdata, int fd, unsigned events)
{
	struct own_net *n = userdata;

	for (size_t i = 0; i < ROUND_MAX && read_dump(n); i++)
		;
}

static int open_socket(int *ret)
{
	struct sockaddr_nl any = {.nl_family = AF_NETLINK}, kernel = any;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	/* Connected to the kernel, so that no other process can send to it. */
	if (bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0 ||
		connect(fd, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0) {
		int r = -errno;
		close(fd);
		return r;
	}
	*ret = fd;
	return 0;
}

static void begin_step(struct own_net *n)
{
	struct {
		struct nlmsghdr h;
		union {
			struct ifaddrmsg addr;
			struct rtmsg route;
		} m;
	} request = {
		.h = {.nlmsg_len = sizeof(request.h) + (steps[n->step].type == RTM_GETADDR
								       ? sizeof(request.m.addr)
								       : sizeof(request.m.route)),
			.nlmsg_type = steps[n->step].type,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			.nlmsg_seq = ++n->seq},
	};

	/* The family is the first byte of both. */
	request.m.addr.ifa_family = steps[n->step].family;
	if (send(n->dump, &request, request.h.nlmsg_len, 0) != (ssize_t)request.h.nlmsg_len)
		give_up(n);
}

static void on_timer(void *userdata)
{
	struct own_net *n = userdata;

	if (n->dump >= 0)
		return;
	n->changed = n->torn = false;
	n->begun_ms = loop_now_ms();
	n->step = 0;
	own_net_found_done(&n->found);
	if (open_socket(&n->dump) < 0) {
		give_up(n);
		return;
	}
	n->dump_io = loop_io_new(n->loop, n->dump, LOOP_READ, on_dump, n);
	begin_step(n);
}

/* --- news --- */

static bool matters(const struct nlmsghdr *h)
{
	const struct rtmsg *m = (const void *)(h + 1);

	if (h->nlmsg_type != RTM_NEWROUTE && h->nlmsg_type != RTM_DELROUTE)
		return true;
	return h->nlmsg_len < sizeof(*h) + sizeof(*m) || m->rtm_dst_len == 0;
}

static void hear(struct own_net *n, ssize_t len)
{
	int left = (int)len;
	const struct nlmsghdr *h = (const void *)n->received;
	bool any = (size_t)len > sizeof(n->received);

	for (; !any && mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
		any = matters(h);
	if (any || left > 0)
		note_change(n);
}

static void on_news(void *userdata, int fd, unsigned events)
{
	struct own_net *n = userdata;

	for (size_t i = 0; i < ROUND_MAX; i++) {
		ssize_t len = recv(fd, n->received, sizeof(n->received), MSG_DONTWAIT | MSG_TRUNC);
		if (len < 0 && errno == EAGAIN)
			return;
		if (len < 0 && errno == ENOBUFS)
			n->lost++;
		if (len < 0 && errno != EINTR)
			note_change(n);
		if (len >= 0)
			hear(n, len);
	}
}

/* The kernel keeps routes that are no default route to itself: a table of a million may be in
 * motion all the time. Numbers are loaded from the wire's order. */
static int attach_filter(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 0, 2),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS,
			sizeof(struct nlmsghdr) + offsetof(struct rtmsg, rtm_dst_len)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = {ARRAY_LEN(code), code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static int join(int fd)
{
	static const int groups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
		RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE};
	int bytes = NEWS_BUFFER;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	(void)attach_filter(fd); /* without it there is only more to read */
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i],
			    sizeof(groups[i])) < 0)
			return -errno;
	return 0;
}

int own_net_new(struct loop *l, own_net_fn fn, void *userdata, struct own_net **ret)
{
	int fd, r = open_socket(&fd);

	if (r == 0) {
		r = join(fd);
		if (r < 0)
			close(fd);
	}
	if (r < 0)
		return r;
	struct own_net *n = xcalloc(1, sizeof(*n));
	n->loop = l;
	n->fn = fn;
	n->userdata = userdata;
	n->news = fd;
	n->dump = -1;
	n->news_io = loop_io_new(l, fd, LOOP_READ, on_news, n);
	n->timer = loop_timer_new(l, on_timer, n);
	loop_timer_arm(n->timer, 0);
	*ret = n;
	return 0;
}

const struct strings *own_net_uplinks(const struct own_net *n)
{
	return &n->uplinks;
}

uint64_t own_net_lost_count(const struct own_net *n)
{
	return n->lost;
}

uint64_t own_net_read_count(const struct own_net *n)
{
	return n->read_count;
}

int own_net_fd(const struct own_net *n)
{
	return n->news;
}

struct own_net *own_net_free(struct own_net *n)
{
	if (!n)
		return NULL;
	assert(!n->telling);
	close_dump(n);
	loop_io_free(n->news_io);
	close(n->news);
	loop_timer_free(n->timer);
	own_net_found_done(&n->found);
	free(n->ranges);
	strings_done(&n->uplinks);
	free(n);
	return NULL;
}
