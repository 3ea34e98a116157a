/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opened once: closing a socket that has deletions pending waits for the kernel. */
#include "edge/nft_socket.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	RECEIVE_BUFFER = 4 << 20, /* so that many errors of one batch cannot push each other out */
	SEND_BUFFER = 1 << 20,
	ANSWER_TIMEOUT_MS = 5000, /* the kernel answers at once; this is for kernels in trouble */
	DRAIN_MAX = 100,          /* beyond that a new socket is cheaper */
};

static void set_option(int fd, int level, int option, int value)
{
	/* Each is an improvement; without CAP_NET_ADMIN the first request fails, and says so. */
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

static int open_socket(uint32_t *ret_portid)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	if (fd < 0)
		return -errno;
	/* Connected to the kernel, so that nobody else can send to it. */
	struct sockaddr_nl any = {.nl_family = AF_NETLINK}, kernel = any, own;
	socklen_t len = sizeof(own);
	if (bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0 ||
		connect(fd, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0 ||
		getsockname(fd, (struct sockaddr *)&own, &len) < 0) {
		int r = -errno;
		close(fd);
		return r;
	}
	set_option(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
	set_option(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
	set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER);
	set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER);
	*ret_portid = own.nl_pid;
	return fd;
}

int nft_socket_open(struct nft_socket *s)
{
	int fd = open_socket(&s->portid);
	if (fd < 0)
		return fd;
	s->fd = fd;
	s->seq = 1;
	s->unsettled = false;
	s->send_buffer = SEND_BUFFER;
	return 0;
}

void nft_socket_close(struct nft_socket *s)
{
	close(s->fd);
}

int nft_socket_send(struct nft_socket *s, const void *data, size_t len)
{
	if (len + 1024 > s->send_buffer) {
		set_option(s->fd, SOL_SOCKET, SO_SNDBUFFORCE, (int)(len + 1024));
		s->send_buffer = len + 1024;
	}
	ssize_t n;
	do
		n = send(s->fd, data, len, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

int nft_socket_receive_now(struct nft_socket *s, struct nft_msg_reader *ret)
{
	ssize_t n;
	do
		n = recv(s->fd, s->received, sizeof(s->received), MSG_DONTWAIT | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if ((size_t)n > sizeof(s->received))
		return -EMSGSIZE;
	*ret = nft_msg_reader_over(s->received, (size_t)n);
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The same as nft_socket_receive_now(), but an answer is due. */
static int receive(struct nft_socket *s, struct nft_msg_reader *ret)
{
	int r = nft_socket_receive_now(s, ret);
	if (r != -EAGAIN)
		return r;
	int64_t end = now_ms() + ANSWER_TIMEOUT_MS;
	for (;;) {
		int64_t left = end - now_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		struct pollfd p = {.fd = s->fd, .events = POLLIN};
		if (poll(&p, 1, (int)left) < 0 && errno != EINTR)
			return -errno;
		r = nft_socket_receive_now(s, ret);
		if (r != -EAGAIN)
			return r;
	}
}

/* Answers that nobody waits for any more, among them the rest of a dump: a socket carries only one
 * dump at a time. That of a set that changes as fast as it is read never ends: then the socket goes
 * with it. */
int nft_socket_settle(struct nft_socket *s)
{
	if (!s->unsettled)
		return 0;
	struct nft_msg_reader ignored;
	bool drained = false;
	for (int i = 0; i < DRAIN_MAX && !drained; i++)
		drained = nft_socket_receive_now(s, &ignored) == -EAGAIN;
	if (!drained) {
		int fd = open_socket(&s->portid);
		if (fd < 0)
			return fd;
		close(s->fd);
		s->fd = fd;
		s->send_buffer = SEND_BUFFER;
	}
	s->unsettled = false;
	return 0;
}

int nft_socket_ask(struct nft_socket *s, const void *request, size_t len, enum nft_msg_kind kind,
	struct nft_msg *ret)
{
	int r = nft_socket_settle(s);
	uint32_t seq = s->seq++;
	if (r == 0)
		r = nft_socket_send(s, request, len);
	if (r < 0)
		return r;
	for (;;) {
		struct nft_msg_reader reader;
		r = receive(s, &reader);
		if (r < 0) {
			s->unsettled = true;
			return r;
		}
		struct nft_msg m;
		while (nft_msg_next(&reader, &m)) {
			if (m.seq != seq)
				continue;
			if (m.kind == NFT_MSG_KIND_ERROR)
				return m.error ? -m.error : -EPROTO;
			if (m.kind != kind)
				return -EPROTO;
			*ret = m;
			return 0;
		}
	}
}

int nft_socket_generation(struct nft_socket *s, uint32_t *ret)
{
	uint32_t request[NFT_MSG_REQUEST_MAX / sizeof(uint32_t)];
	size_t len = nft_msg_encode_get_generation(request, s->seq);
	struct nft_msg m;
	int r = nft_socket_ask(s, request, len, NFT_MSG_KIND_GENERATION, &m);
	return r < 0 ? r : nft_msg_decode_generation(&m, ret);
}

int nft_socket_dump(struct nft_socket *s, const void *request, size_t len, enum nft_msg_kind kind,
	uint32_t generation, nft_socket_message_fn fn, void *userdata)
{
	int r = nft_socket_settle(s);
	uint32_t seq = s->seq++;
	if (r == 0)
		r = nft_socket_send(s, request, len);
	if (r < 0)
		return r;
	s->unsettled = true;
	bool torn = false;
	while (!torn) {
		struct nft_msg_reader reader;
		r = receive(s, &reader);
		if (r < 0)
			return r;
		struct nft_msg m;
		while (nft_msg_next(&reader, &m)) {
			if (m.seq != seq)
				continue;
			torn |= m.interrupted;
			if (m.kind == kind) {
				torn |= generation && m.generation_16 != (generation & 0xffff);
				torn |= !fn(userdata, &m);
			} else if (m.kind == NFT_MSG_KIND_ERROR) {
				s->unsettled = false;
				return m.error ? -m.error : -EPROTO;
			} else if (m.kind == NFT_MSG_KIND_DUMP_END) {
				s->unsettled = false;
				/* What is dumped was replaced meanwhile: the next try tells. */
				if (m.error && m.error != ENOENT)
					return -m.error;
				return torn || m.error ? NFT_SOCKET_DUMP_TORN
						       : NFT_SOCKET_DUMP_WHOLE;
			}
		}
		if (reader.damaged)
			return -EBADMSG;
	}
	return NFT_SOCKET_DUMP_TORN;
}
