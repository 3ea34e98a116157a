#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nf_tables by bytes, as little as a bench needs. Whatever fails ends the program. */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static inline void die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(1);
}

static inline double now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static inline int raw_open(unsigned group)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	struct sockaddr_nl any = {.nl_family = AF_NETLINK};
	int room = 64 << 20, one = 1;
	if (fd < 0 || bind(fd, (const struct sockaddr *)&any, sizeof(any)) != 0)
		die("netlink");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	if (group &&
		setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) != 0)
		die("group");
	return fd;
}

static inline struct nlmsghdr *raw_message(
	uint8_t *at, unsigned type, unsigned flags, unsigned family, unsigned res_id, uint32_t seq)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(at);
	h->nlmsg_type = (uint16_t)type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = seq;
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = (uint8_t)family;
	g->res_id = htons((uint16_t)res_id);
	return h;
}

/* A message about elements of a set, without any yet: as a deletion it empties the set. */
static inline struct nlmsghdr *raw_elements(uint8_t *at, unsigned message, unsigned flags,
	unsigned family, uint32_t seq, const char *table, const char *set)
{
	struct nlmsghdr *h =
		raw_message(at, NFNL_SUBSYS_NFTABLES << 8 | message, flags, family, 0, seq);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, table);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, set);
	return h;
}

/* Into the open list of such a message; with `comment` where there is one. */
static inline void raw_put_element(
	struct nlmsghdr *h, const void *key, size_t len, const char *comment)
{
	uint8_t userdata[64] = {0};
	size_t size = comment ? strlen(comment) + 1 : 0;
	struct nlattr *element = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	struct nlattr *nest = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY);
	mnl_attr_put(h, NFTA_DATA_VALUE, len, key);
	mnl_attr_nest_end(h, nest);
	if (comment && size < sizeof(userdata) - 2) {
		userdata[1] = (uint8_t)size;
		memcpy(userdata + 2, comment, size);
		mnl_attr_put(h, NFTA_SET_ELEM_USERDATA, 2 + size, userdata);
	}
	mnl_attr_nest_end(h, element);
}

static inline uint8_t *raw_begin(uint8_t *at)
{
	return at + raw_message(at, NFNL_MSG_BATCH_BEGIN, 0, 0, NFNL_SUBSYS_NFTABLES, 1)->nlmsg_len;
}

static inline uint8_t *raw_end(uint8_t *at)
{
	return at + raw_message(at, NFNL_MSG_BATCH_END, 0, 0, NFNL_SUBSYS_NFTABLES, 4)->nlmsg_len;
}

/* A whole batch. Errors come as it is sent, unasked: none is success. */
static inline void raw_commit(int fd, const uint8_t *batch, const uint8_t *end)
{
	static uint8_t answer[65536];
	if (send(fd, batch, (size_t)(end - batch), 0) < 0)
		die("send");
	ssize_t n = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
	if (n < (ssize_t)(sizeof(struct nlmsghdr) + sizeof(struct nlmsgerr)))
		return;
	struct nlmsgerr e;
	memcpy(&e, answer + sizeof(struct nlmsghdr), sizeof(e));
	errno = -e.error;
	if (e.error)
		die("batch");
}

/* Whatever waits there is thrown away. */
static inline void raw_drain(int fd)
{
	static uint8_t buf[65536];
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0 || errno == ENOBUFS || errno == EINTR)
		;
}

/* What one look at the group brought: how many element changes, and whether a transaction ended
 * with it. Messages of a transaction come before its end, and nothing behind that in a datagram. */
struct raw_heard {
	size_t elements;
	const struct nlmsghdr *generation;
};

static inline struct raw_heard raw_hear(int fd, uint8_t *buf, size_t size)
{
	struct raw_heard heard = {0};
	ssize_t n = recv(fd, buf, size, 0);
	if (n < 0)
		die("listening");
	int left = (int)n;
	for (const struct nlmsghdr *h = (const void *)buf; mnl_nlmsg_ok(h, left);
		h = mnl_nlmsg_next(h, &left)) {
		unsigned kind = h->nlmsg_type & 0xff;
		if (kind == NFT_MSG_NEWGEN)
			heard.generation = h;
		else if (kind == NFT_MSG_NEWSETELEM || kind == NFT_MSG_DELSETELEM)
			heard.elements++;
	}
	return heard;
}
