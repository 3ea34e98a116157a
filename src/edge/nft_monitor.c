/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket that hears what nf_tables announces. */
#include "edge/nft_monitor.h"

#include "base/mem.h"
#include "edge/loop.h"

#include <assert.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	/* A datagram holds up to some 32 KiB of messages. */
	RECEIVE_SIZE = 64 * 1024,
	/* Datagrams a round of the loop, of some 60 messages each: a flood must not keep the loop
	 * from everything else. */
	ROUND_MAX = 16,
};

struct nft_monitor {
	int fd;
	struct loop_io *io;
	nft_notice_fn fn;
	void *userdata;
	bool reading;
	bool losing;         /* the kernel drops what comes, until all older has been read */
	bool knows;          /* nothing was lost since `generation` */
	uint32_t generation; /* of the last NEWGEN; 0: none yet */
	uint64_t lost;
	/* Aligned for message headers. */
	uint32_t received[RECEIVE_SIZE / sizeof(uint32_t)];
};

static void tell_lost(struct nft_monitor *m)
{
	struct nft_notice n = {.kind = NFT_NOTICE_LOST, .process = ""};
	m->lost++;
	m->knows = false; /* this loss has been told: the next number says nothing new */
	m->fn(m->userdata, &n);
}

static uint32_t next_generation(uint32_t generation)
{
	return generation == UINT32_MAX ? 1 : generation + 1;
}

static void on_notice(void *userdata, const struct nft_notice *n)
{
	struct nft_monitor *m = userdata;
	if (n->kind == NFT_NOTICE_GENERATION) {
		if (m->knows && n->generation != next_generation(m->generation))
			tell_lost(m);
		m->generation = n->generation;
		m->knows = true;
	}
	m->fn(m->userdata, n);
}

/* One datagram. False: there is none. */
static bool read_one(struct nft_monitor *m)
{
	struct sockaddr_nl from = {0};
	struct iovec iov = {m->received, sizeof(m->received)};
	struct msghdr msg = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1};
	ssize_t len = recvmsg(m->fd, &msg, MSG_DONTWAIT);
	if (len < 0 && errno == ENOBUFS) {
		/* Said before the messages that are older than the loss; and once only. */
		m->losing = true;
		return true;
	}
	if (len < 0 && errno == EINTR)
		return true;
	if (len < 0) {
		m->losing |= errno != EAGAIN;
		return false;
	}
	if (msg.msg_namelen != sizeof(from) || from.nl_pid != 0)
		return true; /* not the kernel */
	if (msg.msg_flags & MSG_TRUNC ||
		nft_notice_decode(m->received, (size_t)len, on_notice, m) < 0)
		tell_lost(m);
	return true;
}

/* Returns when nothing is left, or after `max` datagrams. */
static void read_some(struct nft_monitor *m, size_t max)
{
	assert(!m->reading);
	m->reading = true;
	size_t n = 0;
	while (n < max && read_one(m))
		n++;
	if (m->losing && n < max) {
		m->losing = false;
		tell_lost(m);
	}
	m->reading = false;
}

static void on_readable(void *userdata, int fd, unsigned events)
{
	read_some(userdata, ROUND_MAX);
}

void nft_monitor_drain(struct nft_monitor *m)
{
	read_some(m, SIZE_MAX);
}

static void make_room(int fd)
{
	int bytes = NFT_MONITOR_BUFFER;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

/* Connected to the kernel, so that no other process can send to it. */
static int join(int fd)
{
	struct sockaddr_nl any = {.nl_family = AF_NETLINK}, kernel = any;
	int group = NFNLGRP_NFTABLES;
	if (bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0 ||
		connect(fd, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0 ||
		setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return -errno;
	return 0;
}

int nft_monitor_new(struct loop *l, nft_notice_fn fn, void *userdata, struct nft_monitor **ret)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	if (fd < 0)
		return -errno;
	struct nft_monitor *m = xcalloc(1, sizeof(*m));
	m->fd = fd;
	m->fn = fn;
	m->userdata = userdata;
	make_room(fd);
	int r = join(fd);
	if (r < 0) {
		nft_monitor_free(m);
		return r;
	}
	m->io = loop_io_new(l, fd, LOOP_READ, on_readable, m);
	*ret = m;
	return 0;
}

uint32_t nft_monitor_generation(const struct nft_monitor *m)
{
	return m->generation;
}

uint64_t nft_monitor_lost_count(const struct nft_monitor *m)
{
	return m->lost;
}

int nft_monitor_fd(const struct nft_monitor *m)
{
	return m->fd;
}

struct nft_monitor *nft_monitor_free(struct nft_monitor *m)
{
	if (!m)
		return NULL;
	assert(!m->reading);
	loop_io_free(m->io);
	close(m->fd);
	free(m);
	return NULL;
}
