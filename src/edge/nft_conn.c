/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks at sets, dumps them, commits plans, on one socket that is kept. */
#include "edge/nft_conn.h"

#include "base/mem.h"
#include "core/live_feed.h"
#include "edge/nft_msg.h"
#include "edge/nft_probe.h"
#include "edge/nft_socket.h"

#include <errno.h>
#include <string.h>

enum {
	BATCH_KEEP = 1 << 18,
	DUMP_TRIES = 5,
};

struct nft_conn {
	struct nft_socket socket;
	struct nft_msg_batch batch;
	uint64_t dumps, commits;
	bool probed, renews;
	int *set_errors; /* of the last batch's sets */
	size_t set_errors_capacity;
};

int nft_conn_new(struct nft_conn **ret)
{
	struct nft_conn *c = xcalloc(1, sizeof(*c));
	int r = nft_socket_open(&c->socket);
	if (r < 0) {
		free(c);
		return r;
	}
	*ret = c;
	return 0;
}

struct nft_conn *nft_conn_free(struct nft_conn *c)
{
	if (!c)
		return NULL;
	nft_socket_close(&c->socket);
	nft_msg_batch_done(&c->batch);
	free(c->set_errors);
	free(c);
	return NULL;
}

uint32_t nft_conn_portid(const struct nft_conn *c)
{
	return c->socket.portid;
}

/* --- reading --- */

int nft_conn_generation(struct nft_conn *c, uint32_t *ret)
{
	return nft_socket_generation(&c->socket, ret);
}

int nft_conn_read_set(struct nft_conn *c, const struct set_id *id, struct set_kind *ret)
{
	uint32_t request[NFT_MSG_REQUEST_MAX / sizeof(uint32_t)];
	size_t len = nft_msg_encode_get_set(request, c->socket.seq, id);
	if (len == 0)
		return NFT_CONN_E_MISSING; /* the kernel holds no such names */
	struct nft_msg m;
	int r = nft_socket_ask(&c->socket, request, len, NFT_MSG_KIND_SET, &m);
	if (r == -ENOENT)
		return NFT_CONN_E_MISSING;
	return r < 0 ? r : nft_msg_decode_set(&m, ret);
}

struct dump {
	struct live_feed feed;
	size_t strange;
	bool torn;
};

static void dump_on_entry(const struct set_entry *e, void *userdata)
{
	struct dump *d = userdata;
	/* The kernel walks the table anew for each message and skips as many as it gave so far.
	 * While it is rehashing, long after the load that made the table grow was committed, the
	 * order changes in between: some come twice, and for each of them another never. */
	if (!live_feed_take(&d->feed, e))
		d->torn = true;
}

static bool dump_on_message(void *userdata, const struct nft_msg *m)
{
	struct dump *d = userdata;
	nft_msg_decode_entries(m, dump_on_entry, d, &d->strange);
	return !d->torn;
}

/* NFT_CONN_E_MISSING, NFT_CONN_E_BUSY (torn), or -errno. */
static int dump_once(struct nft_conn *c, const struct set_id *id, const struct set_kind *kind,
	uint32_t generation, struct live *ret, size_t *ret_strange)
{
	uint32_t request[NFT_MSG_REQUEST_MAX / sizeof(uint32_t)];
	struct dump d = {0};

	live_feed_init(&d.feed, kind, ret);
	size_t len = nft_msg_encode_dump(request, c->socket.seq, id);
	if (len == 0)
		return NFT_CONN_E_MISSING;
	c->dumps++;
	int r = nft_socket_dump(
		&c->socket, request, len, NFT_MSG_KIND_ELEMENTS, generation, dump_on_message, &d);
	bool whole = r == NFT_SOCKET_DUMP_WHOLE && live_feed_finish(&d.feed);
	*ret_strange = d.strange + d.feed.strange;
	live_feed_done(&d.feed);
	if (r == -ENOENT)
		return NFT_CONN_E_MISSING;
	return r < 0 ? r : whole ? 0 : NFT_CONN_E_BUSY;
}

int nft_conn_dump(struct nft_conn *c, const struct set_id *id, const struct set_kind *kind,
	struct live *ret, uint32_t *ret_generation, size_t *ret_strange)
{
	uint32_t before, after;
	int r = nft_conn_generation(c, &before);
	for (int try = 0; r == 0 && try < DUMP_TRIES; try++, before = after) {
		int dumped = dump_once(c, id, kind, before, ret, ret_strange);
		r = dumped == NFT_CONN_E_BUSY ? 0 : dumped;
		if (r == 0)
			r = nft_conn_generation(c, &after);
		if (r == 0 && dumped == 0 && after == before) {
			*ret_generation = after;
			return 0;
		}
	}
	live_clear(ret);
	return r ? r : NFT_CONN_E_BUSY;
}

int nft_conn_dump_loosely(struct nft_conn *c, const struct set_id *id, const struct set_kind *kind,
	struct live *ret, size_t *ret_strange)
{
	int r = dump_once(c, id, kind, 0, ret, ret_strange);
	if (r != 0)
		live_clear(ret);
	return r;
}

/* --- committing --- */

static struct nft_commit_result unknown(struct nft_conn *c, int error)
{
	c->socket.unsettled = true;
	return (struct nft_commit_result){.outcome = NFT_COMMIT_UNKNOWN, .error = error};
}

static void clear_set_errors(struct nft_conn *c, size_t count)
{
	if (c->set_errors_capacity < count) {
		c->set_errors = xreallocarray(c->set_errors, count, sizeof(*c->set_errors));
		c->set_errors_capacity = count;
	}
	memset(c->set_errors, 0, count * sizeof(*c->set_errors));
}

/* The first failure of a set's message counts, for the set and as a rule for the batch. */
static void take_error(struct nft_conn *c, const struct plan *p, const struct nft_msg *m,
	struct nft_commit_result *result)
{
	size_t set;
	bool has_set = nft_msg_batch_find(&c->batch, m->seq, &set);

	if (has_set && !c->set_errors[set])
		c->set_errors[set] = m->error;
	if (result->outcome == NFT_COMMIT_DONE || (has_set && !result->has_set)) {
		result->outcome = NFT_COMMIT_REFUSED;
		result->error = m->error;
		result->has_set = has_set;
		result->set_index = has_set ? p->sets[set].set_index : 0;
		result->set_errors = c->set_errors;
	}
	if (m->seq == c->batch.first_seq && m->error == ERESTART)
		result->outcome = NFT_COMMIT_STALE;
}

/* What the kernel said of the batch just sent. It has said all when send returns; and after a
 * generation of ours nothing more comes. Of more failures than the socket holds the last are lost,
 * not the first: one is enough to know that nothing was done, and where. */
static void read_verdict(struct nft_conn *c, const struct plan *p, struct nft_commit_result *ret)
{
	struct nft_commit_result result = {.outcome = NFT_COMMIT_DONE};
	bool lost = false;
	clear_set_errors(c, p->count);
	for (;;) {
		struct nft_msg_reader reader;
		int r = nft_socket_receive_now(&c->socket, &reader);
		if (r == -EAGAIN)
			break;
		if (r == -ENOBUFS && !lost) {
			lost = true;
			continue;
		}
		if (r < 0) {
			*ret = unknown(c, -r);
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
			if (m.kind == NFT_MSG_KIND_ERROR && m.error != 0)
				take_error(c, p, &m, &result);
		}
	}
	/* What was lost may be the only one that says what failed. */
	*ret = lost && result.outcome == NFT_COMMIT_DONE ? unknown(c, ENOBUFS) : result;
}

void nft_conn_commit(struct nft_conn *c, const struct plan *p, struct nft_commit_result *ret)
{
	struct nft_commit_result result = {.outcome = NFT_COMMIT_DONE};
	if (plan_is_empty(p)) {
		*ret = result;
		return;
	}
	int r = nft_socket_settle(&c->socket);
	if (r == 0)
		r = nft_msg_batch_encode(&c->batch, p, c->socket.seq);
	if (r == 0) {
		c->socket.seq += (uint32_t)nft_msg_batch_count(&c->batch);
		/* In one send: of two halves the first would be dropped without a word. */
		r = nft_socket_send(&c->socket, c->batch.data, c->batch.len);
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

bool nft_conn_renews(struct nft_conn *c)
{
	if (!c->probed) {
		c->probed = true;
		if (nft_probe_renewal(&c->socket, &c->renews) < 0)
			c->renews = false;
	}
	return c->renews;
}

uint64_t nft_conn_dump_count(const struct nft_conn *c)
{
	return c->dumps;
}

uint64_t nft_conn_commit_count(const struct nft_conn *c)
{
	return c->commits;
}
