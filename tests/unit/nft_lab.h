#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A kernel of one's own for a test: a private network namespace, nft as the independent witness,
 * and a listener on what nf_tables announces. */
#include "base/mem.h"
#include "edge/nft_conn.h"
#include "tap.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

/* False, and said in TAP, where it cannot be had. */
static inline bool lab_enter(void)
{
	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root\n");
		return false;
	}
	if (unshare(CLONE_NEWNET) != 0) {
		printf("1..0 # SKIP no network namespace of one's own\n");
		return false;
	}
	return true;
}

/* Runs the command on that text, as another process with its own socket. */
_printf_(2, 0) static inline bool lab_vfeed(const char *command, const char *fmt, va_list args)
{
	fflush(stdout);
	FILE *f = popen(command, "w");
	if (!f)
		return false;
	vfprintf(f, fmt, args);
	return pclose(f) == 0;
}

_printf_(1, 2) static inline bool lab_nft(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	bool done = lab_vfeed("nft -f -", fmt, args);
	va_end(args);
	return done;
}

_printf_(1, 2) static inline bool lab_ip(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	bool done = lab_vfeed("ip -batch -", fmt, args);
	va_end(args);
	return done;
}

/* What `nft ...` prints; valid until the next call. */
static inline const char *lab_output(const char *command)
{
	static char text[1 << 16];
	FILE *f = popen(command, "r");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	text[n] = '\0';
	if (f)
		pclose(f);
	return text;
}

static inline size_t lab_count(const char *text, const char *what)
{
	size_t n = 0;
	for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
		n++;
	return n;
}

static inline int lab_listen(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	struct sockaddr_nl any = {.nl_family = AF_NETLINK};
	int group = NFNLGRP_NFTABLES, room = 256 << 20;
	if (fd < 0 || bind(fd, (const struct sockaddr *)&any, sizeof(any)) != 0 ||
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) != 0 ||
		setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) != 0)
		return -1;
	return fd;
}

struct lab_news {
	size_t generations, adds, deletes, others;
};

/* All that was announced since the last call. */
static inline struct lab_news lab_hear(int fd)
{
	static uint32_t buf[16384];
	struct lab_news n = {0};
	ssize_t len;
	while ((len = recv(fd, buf, sizeof(buf), 0)) > 0) {
		size_t left = (size_t)len;
		const struct nlmsghdr *h = (const void *)buf;
		while (left >= sizeof(*h) && h->nlmsg_len >= sizeof(*h) && h->nlmsg_len <= left) {
			switch (h->nlmsg_type & 0xff) {
			case NFT_MSG_NEWGEN:
				n.generations++;
				break;
			case NFT_MSG_NEWSETELEM:
				n.adds++;
				break;
			case NFT_MSG_DELSETELEM:
				n.deletes++;
				break;
			default:
				n.others++;
				break;
			}
			size_t step = NLMSG_ALIGN(h->nlmsg_len);
			left -= step < left ? step : left;
			h = (const void *)((const uint8_t *)h + step);
		}
	}
	return n;
}

static inline struct element_key lab_key(const char *addr)
{
	struct addr a = {0};
	addr_parse(addr, &a);
	return element_key_addr(&a);
}

static inline struct element_key lab_service(const char *addr, uint8_t protocol, uint16_t port)
{
	struct addr a = {0};
	addr_parse(addr, &a);
	return element_key_service(&a, protocol, port);
}

/* n -> 10.x.y.z */
static inline struct element_key lab_nth(uint32_t n)
{
	uint8_t b[4] = {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
	struct addr a = addr_from_bytes(FAMILY_V4, b);
	return element_key_addr(&a);
}

static inline struct nft_commit_result lab_commit(struct nft_conn *c, const struct plan *p)
{
	struct nft_commit_result r = {.error = -1};
	nft_conn_commit(c, p, &r);
	return r;
}
