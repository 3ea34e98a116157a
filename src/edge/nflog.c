/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket that reads what rules log. */
#include "edge/nflog.h"

#include "base/mem.h"
#include "edge/loop.h"
#include "edge/nflog_msg.h"

#include <assert.h>
#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	/* A datagram is as large as the kernel's buffer for a group: a page, unless asked. */
	RECEIVE_SIZE = 64 * 1024,
	/* Datagrams a round of the loop: a flood must not keep the loop from everything else. */
	ROUND_MAX = 16,
	/* And before a request: while the buffer is congested the kernel drops its answer, too,
	 * until all has been read. */
	DRAIN_MAX = 4096,
};

struct nflog {
	int fd;
	struct loop_io *io;
	nflog_fn fn;
	void *userdata;
	bool reading;
	uint32_t seq;
	uint32_t awaited; /* the request whose answer is; 0: none */
	int answer;
	uint64_t lost, strange;
	/* Aligned for message headers. */
	uint32_t received[RECEIVE_SIZE / sizeof(uint32_t)];
};

static void on_message(void *userdata, const struct nflog_msg *m)
{
	struct nflog *n = userdata;

	switch (m->kind) {
	case NFLOG_MSG_ACK:
		if (n->awaited && m->seq == n->awaited) {
			n->awaited = 0;
			n->answer = m->error;
		}
		break;
	case NFLOG_MSG_PACKET:
		n->fn(n->userdata, m->group, &m->packet);
		break;
	case NFLOG_MSG_STRANGE:
		n->strange++;
		break;
	case NFLOG_MSG_OTHER:
		break;
	}
}

/* One datagram. False: there is none. */
static bool read_one(struct nflog *n)
{
	struct sockaddr_nl from = {0};
	struct iovec iov = {n->received, sizeof(n->received)};
	struct msghdr msg = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1};
	ssize_t len = recvmsg(n->fd, &msg, MSG_DONTWAIT);

	if (len < 0 && errno == ENOBUFS)
		n->lost++;
	if (len < 0)
		return errno == ENOBUFS || errno == EINTR;
	if (msg.msg_namelen != sizeof(from) || from.nl_pid != 0)
		return true; /* not the kernel */
	if (msg.msg_flags & MSG_TRUNC)
		n->lost++;
	else if (nflog_msg_decode(n->received, (size_t)len, on_message, n) < 0)
		n->strange++;
	return true;
}

static void read_some(struct nflog *n, size_t max)
{
	assert(!n->reading);
	n->reading = true;
	while (max-- && read_one(n))
		continue;
	n->reading = false;
}

static void on_readable(void *userdata, int fd, unsigned events)
{
	read_some(userdata, ROUND_MAX);
}

static uint32_t next_seq(struct nflog *n)
{
	if (!++n->seq)
		n->seq = 1;
	return n->seq;
}

/* The kernel answers before send() returns. */
static int ask(struct nflog *n, const void *request, size_t len)
{
	ssize_t sent;

	read_some(n, DRAIN_MAX);
	n->awaited = n->seq;
	do
		sent = send(n->fd, request, len, 0);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return -errno;
	n->reading = true;
	while (n->awaited && read_one(n))
		continue;
	n->reading = false;
	if (!n->awaited)
		return n->answer;
	n->awaited = 0;
	return -ENOBUFS;
}

int nflog_bind(struct nflog *n, uint16_t group)
{
	uint32_t request[NFLOG_MSG_REQUEST_MAX / sizeof(uint32_t)];
	int r = ask(n, request, nflog_msg_encode_bind(request, next_seq(n), group));

	/* Of a group that another socket has, the kernel says that this one is not permitted; of
	 * one that is bound to this socket already, that it is busy. */
	if (r == -EPERM)
		return -EBUSY;
	if (r < 0 && r != -EBUSY)
		return r;
	r = ask(n, request, nflog_msg_encode_mode(request, next_seq(n), group));
	if (r < 0)
		nflog_unbind(n, group);
	return r;
}

void nflog_unbind(struct nflog *n, uint16_t group)
{
	uint32_t request[NFLOG_MSG_REQUEST_MAX / sizeof(uint32_t)];

	/* What is not bound need not be let go of. */
	(void)ask(n, request, nflog_msg_encode_unbind(request, next_seq(n), group));
}

/* Connected to the kernel, so that no other process can send to it. */
static int connect_to_kernel(int fd)
{
	struct sockaddr_nl any = {.nl_family = AF_NETLINK}, kernel = any;
	int bytes = NFLOG_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0 ||
		connect(fd, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	return 0;
}

int nflog_new(struct loop *l, nflog_fn fn, void *userdata, struct nflog **ret)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);

	if (fd < 0)
		return -errno;
	int r = connect_to_kernel(fd);
	if (r < 0) {
		close(fd);
		return r;
	}
	struct nflog *n = xcalloc(1, sizeof(*n));
	n->fd = fd;
	n->fn = fn;
	n->userdata = userdata;
	n->io = loop_io_new(l, fd, LOOP_READ, on_readable, n);
	*ret = n;
	return 0;
}

uint64_t nflog_lost_count(const struct nflog *n)
{
	return n->lost;
}

uint64_t nflog_strange_count(const struct nflog *n)
{
	return n->strange;
}

int nflog_fd(const struct nflog *n)
{
	return n->fd;
}

struct nflog *nflog_free(struct nflog *n)
{
	if (!n)
		return NULL;
	assert(!n->reading);
	loop_io_free(n->io);
	close(n->fd);
	free(n);
	return NULL;
}

const char *nflog_interface(uint32_t index, char text[IF_NAMESIZE])
{
	if (!index || !if_indextoname(index, text))
		text[0] = '\0';
	return text;
}
