/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One netlink socket, opened once: closing one that has deletions pending waits for the kernel. It
 * joins no group, so that what arrives on it is an answer to something it asked. */
#include "edge/nft_conn.h"

#include "base/mem.h"
#include "edge/nft_msg.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	/* The kernel sizes the answers of a dump by the largest buffer ever offered; with a smaller
	 * one afterwards they would be cut. */
	RECEIVE_SIZE = 64 * 1024,
	RECEIVE_BUFFER = 4 << 20, /* so that many errors of one batch cannot push each other out */
	SEND_BUFFER = 1 << 20,
	BATCH_KEEP = 1 << 18,
	ANSWER_TIMEOUT_MS = 5000, /* the kernel answers at once; this is for kernels in trouble */
	DUMP_TRIES = 5,
	DRAIN_MAX = 100, /* beyond that a new socket is cheaper */
};

struct nft_conn {
	int fd;
	uint32_t portid;
	uint32_t seq;   /* of the next message */
	bool unsettled; /* something may still be queued from a request that went wrong */
	size_t send_buffer;
	struct nft_msg_batch batch;
	uint64_t dumps, commits;
	/* Aligned for message headers. */
	uint32_t received[RECEIVE_SIZE / sizeof(uint32_t)];
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

int nft_conn_new(struct nft_conn **ret)
{
	uint32_t portid;
	int fd = open_socket(&portid);
	if (fd < 0)
		return fd;
	struct nft_conn *c = xcalloc(1, sizeof(*c));
	c->fd = fd;
	c->portid = portid;
	c->seq = 1;
	c->send_buffer = SEND_BUFFER;
	*ret = c;
	return 0;
}

struct nft_conn *nft_conn_free(struct nft_conn *c)
{
	if (!c)
		return NULL;
	close(c->fd);
	nft_msg_batch_done(&c->batch);
	free(c);
	return NULL;
}

uint32_t nft_conn_portid(const struct nft_conn *c)
{
	return c->portid;
}

/* --- bytes out and in --- */

static int send_bytes(struct nft_conn *c, const void *data, size_t len)
{
	ssize_t n;
	do
		n = send(c->fd, data, len, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

/* One datagram into c->received, if there is one. -EAGAIN, -ENOBUFS (some were lost), -EMSGSIZE. */
static int receive_now(struct nft_conn *c, struct nft_msg_reader *ret)
{
	ssize_t n;
	do
		n = recv(c->fd, c->received, sizeof(c->received), MSG_DONTWAIT | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if ((size_t)n > sizeof(c->received))
		return -EMSGSIZE;
	*ret = nft_msg_reader_over(c->received, (size_t)n);
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The same, but an answer is due. */
static int receive(struct nft_conn *c, struct nft_msg_reader *ret)
{
	int r = receive_now(c, ret);
	if (r != -EAGAIN)
		return r;
	int64_t end = now_ms() + ANSWER_TIMEOUT_MS;
	for (;;) {
		int64_t left = end - now_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		struct pollfd p = {.fd = c->fd, .events = POLLIN};
		if (poll(&p, 1, (int)left) < 0 && errno != EINTR)
			return -errno;
		r = receive_now(c, ret);
		if (r != -EAGAIN)
			return r;
	}
}

/* Answers that nobody waits for any more, among them the rest of a dump: a socket carries only one
 * dump at a time. That of a set that changes as fast as it is read never ends: then the socket goes
 * with it. */
static int settle(struct nft_conn *c)
{
	if (!c->unsettled)
		return 0;
	struct nft_msg_reader ignored;
	bool drained = false;
	for (int i = 0; i < DRAIN_MAX && !drained; i++)
		drained = receive_now(c, &ignored) == -EAGAIN;
	if (!drained) {
		int fd = open_socket(&c->portid);
		if (fd < 0)
			return fd;
		close(c->fd);
		c->fd = fd;
		c->send_buffer = SEND_BUFFER;
	}
	c->unsettled = false;
	return 0;
}

/* Sends a request made with c->seq, and gives the one message that answers it: one of `kind`. */
static int ask(struct nft_conn *c, const void *request, size_t len, enum nft_msg_kind kind,
	struct nft_msg *ret)
{
	int r = settle(c);
	uint32_t seq = c->seq++;
	if (r == 0)
		r = send_bytes(c, request, len);
	if (r < 0)
		return r;
	for (;;) {
		struct nft_msg_reader reader;
		r = receive(c, &reader);
		if (r < 0) {
			c->unsettled = true;
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

/* --- reading --- */

int nft_conn_generation(struct nft_conn *c, uint32_t *ret)
{
	uint32_t request[NFT_MSG_REQUEST_MAX / sizeof(uint32_t)];
	size_t len = nft_msg_encode_get_generation(request, c->seq);
	struct nft_msg m;
	int r = ask(c, request, len, NFT_MSG_KIND_GENERATION, &m);
	return r < 0 ? r : nft_msg_decode_generation(&m, ret);
}

int nft_conn_read_set(struct nft_conn *c, const struct set_id *id, struct set_kind *ret)
{
	uint32_t request[NFT_MSG_REQUEST_MAX / sizeof(uint32_t)];
	size_t len = nft_msg_encode_get_set(request, c->seq, id);
	if (len == 0)
		return NFT_CONN_E_MISSING; /* the kernel holds no such names */
	struct nft_msg m;
	int r = ask(c, request, len, NFT_MSG_KIND_SET, &m);
	if (r == -ENOENT)
		return NFT_CONN_E_MISSING;
	return r < 0 ? r : nft_msg_decode_set(&m, ret);
}

struct dump {
	struct live *live;
	bool torn;
};

static void dump_on_element(const struct live_element *e, void *userdata)
{
	struct dump *d = userdata;
	size_t before = live_count(d->live);
	live_put(d->live, e);
	/* The kernel walks the table anew for each message and skips as many as it gave so far.
	 * While it is rehashing, long after the load that made the table grow was committed, the
	 * order changes in between: some come twice, and for each of them another never. */
	if (live_count(d->live) == before)
		d->torn = true;
}

enum { DUMP_WHOLE = 0, DUMP_MISSING, DUMP_TORN };

static int dump_once(struct nft_conn *c, const struct set_id *id, const struct set_kind *kind,
	uint32_t generation, struct live *l, size_t *strange)
{
	uint32_t request[NFT_MSG_REQUEST_MAX / sizeof(uint32_t)];
	size_t len = nft_msg_encode_dump(request, c->seq, id);
	if (len == 0)
		return DUMP_MISSING;
	int r = settle(c);
	uint32_t seq = c->seq++;
	if (r == 0)
		r = send_bytes(c, request, len);
	if (r < 0)
		return r;
	c->dumps++;
	c->unsettled = true;
	struct dump d = {.live = l};
	while (!d.torn) {
		struct nft_msg_reader reader;
		r = receive(c, &reader);
		if (r < 0)
			return r;
		struct nft_msg m;
		while (nft_msg_next(&reader, &m)) {
			if (m.seq != seq)
				continue;
			d.torn |= m.interrupted;
			if (m.kind == NFT_MSG_KIND_ELEMENTS) {
				d.torn |= m.generation_16 != (generation & 0xffff);
				nft_msg_decode_elements(&m, kind, dump_on_element, &d, strange);
			} else if (m.kind == NFT_MSG_KIND_ERROR) {
				c->unsettled = false;
				if (m.error == ENOENT)
					return DUMP_MISSING;
				return m.error ? -m.error : -EPROTO;
			} else if (m.kind == NFT_MSG_KIND_DUMP_END) {
				c->unsettled = false;
				/* The set was replaced under the dump: the next try tells. */
				if (m.error && m.error != ENOENT)
					return -m.error;
				return d.torn || m.error ? DUMP_TORN : DUMP_WHOLE;
			}
		}
		if (reader.damaged)
			return -EBADMSG;
	}
	return DUMP_TORN;
}

int nft_conn_dump(struct nft_conn *c, const struct set_id *id, const struct set_kind *kind,
	struct live *ret, uint32_t *ret_generation, size_t *ret_strange)
{
	uint32_t before, after;
	int r = nft_conn_generation(c, &before);
	for (int try = 0; r == 0 && try < DUMP_TRIES; try++, before = after) {
		size_t strange = 0;
		live_clear(ret);
		int dumped = dump_once(c, id, kind, before, ret, &strange);
		if (dumped == DUMP_MISSING)
			r = NFT_CONN_E_MISSING;
		else
			r = dumped < 0 ? dumped : nft_conn_generation(c, &after);
		if (r == 0 && dumped == DUMP_WHOLE && after == before) {
			*ret_generation = after;
			*ret_strange = strange;
			return 0;
		}
	}
	live_clear(ret);
	return r ? r : NFT_CONN_E_BUSY;
}

/* --- committing --- */

/* A batch has to go in one send: of two halves the first would be dropped without a word. */
static int send_batch(struct nft_conn *c)
{
	size_t need = c->batch.len + 1024;
	if (need > c->send_buffer) {
		set_option(c->fd, SOL_SOCKET, SO_SNDBUFFORCE, (int)need);
		c->send_buffer = need;
	}
	return send_bytes(c, c->batch.data, c->batch.len);
}

/* What the kernel said of the batch just sent. It has said all when send returns; and after a
 * generation of ours nothing more comes. */
static void read_verdict(struct nft_conn *c, const struct plan *p, struct nft_commit_result *ret)
{
	struct nft_commit_result result = {.outcome = NFT_COMMIT_DONE};
	for (;;) {
		struct nft_msg_reader reader;
		int r = receive_now(c, &reader);
		if (r == -EAGAIN)
			break;
		if (r < 0) {
			/* An answer is lost, perhaps the one that says what failed. */
			c->unsettled = true;
			*ret = (struct nft_commit_result){
				.outcome = NFT_COMMIT_UNKNOWN, .error = -r};
			return;
		}
		struct nft_msg m;
		while (nft_msg_next(&reader, &m)) {
			if (!nft_msg_batch_has(&c->batch, m.seq))
				continue;
			if (m.kind == NFT_MSG_KIND_GENERATION &&
				nft_msg_decode_generation(&m, &result.generation) == 0) {
				*ret = result;
				return;
			}
			if (m.kind != NFT_MSG_KIND_ERROR || m.error == 0)
				continue;
			size_t set;
			bool has_set = nft_msg_batch_find(&c->batch, m.seq, &set);
			if (result.outcome == NFT_COMMIT_DONE || (has_set && !result.has_set)) {
				result.outcome = NFT_COMMIT_REFUSED;
				result.error = m.error;
				result.has_set = has_set;
				result.set_index = has_set ? p->sets[set].set_index : 0;
			}
			if (m.seq == c->batch.first_seq && m.error == ERESTART)
				result.outcome = NFT_COMMIT_STALE;
		}
	}
	*ret = result;
}

void nft_conn_commit(struct nft_conn *c, const struct plan *p, struct nft_commit_result *ret)
{
	struct nft_commit_result result = {.outcome = NFT_COMMIT_DONE};
	if (plan_is_empty(p)) {
		*ret = result;
		return;
	}
	int r = settle(c);
	if (r == 0)
		r = nft_msg_batch_encode(&c->batch, p, c->seq);
	if (r == 0) {
		c->seq += (uint32_t)nft_msg_batch_count(&c->batch);
		r = send_batch(c);
	}
	if (r < 0)
		result = (struct nft_commit_result){.outcome = NFT_COMMIT_REFUSED, .error = -r};
	else
		read_verdict(c, p, &result);
	if (c->batch.capacity > BATCH_KEEP)
		nft_msg_batch_done(&c->batch);
	if (result.outcome == NFT_COMMIT_DONE) {
		c->commits++;
		/* Without effect (all of it was there already) there is no new generation to tell.
		 */
		if (result.generation == 0 && nft_conn_generation(c, &result.generation) != 0)
			result.generation = 0;
	}
	*ret = result;
}

uint64_t nft_conn_dump_count(const struct nft_conn *c)
{
	return c->dumps;
}

uint64_t nft_conn_commit_count(const struct nft_conn *c)
{
	return c->commits;
}
