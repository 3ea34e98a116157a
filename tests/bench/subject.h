#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set as the daemon keeps it, and the same changes of it as bytes made beforehand: with the same
 * comment and timeouts, acknowledged when all is committed. Whatever fails ends the program. */
#include "core/planning.h"
#include "edge/nft_conn.h"
#include "raw.h"

#include <endian.h>

/* --- ours --- */

struct subject {
	struct nft_conn *conn;
	struct set_id id;
	struct set_kind kind;
	struct wanted wanted;
	struct live live;
	struct owner owner;
	uint32_t generation; /* that the copy shows: commits are guarded as the daemon's are */
};

/* The set is there, and empty. */
static inline void subject_open(
	struct subject *s, struct nft_conn *conn, char *table, char *name, uint64_t fuse_ms)
{
	*s = (struct subject){.conn = conn,
		.id = {NFPROTO_INET, table, name},
		.owner = {.vendor = "bench", .name = "bench.example"}};
	if (nft_conn_read_set(conn, &s->id, &s->kind) != 0 || s->kind.unusable)
		die("set");
	s->kind.fuse_ms = fuse_ms;
	wanted_set_kind(&s->wanted, &s->kind);
	live_begin(&s->live, &s->kind);
}

static inline void subject_close(struct subject *s)
{
	wanted_done(&s->wanted);
	live_done(&s->live);
}

/* Since DNS has spoken. */
static inline struct planning subject_planning(const struct subject *s)
{
	return (struct planning){.id = &s->id,
		.kind = &s->kind,
		.wanted = &s->wanted,
		.live = &s->live,
		.delete_unowned = true};
}

/* After somebody else's changes. */
static inline void subject_follow(struct subject *s)
{
	if (nft_conn_generation(s->conn, &s->generation) != 0)
		die("generation");
}

/* Scattered over 10/8, four addresses apart, each number its own. A range is two addresses. */
static inline struct element_key subject_key(const struct subject *s, uint32_t n)
{
	uint32_t at = 10u << 24 | (n * 2654435761u & 0x3fffff) << 2;
	uint32_t first = htonl(at), last = htonl(s->kind.interval ? at + 1 : at);
	struct element_value v = {
		.addr = {addr_from_bytes(FAMILY_V4, &first), addr_from_bytes(FAMILY_V4, &last)}};
	return element_key_encode(&s->kind, &v);
}

static inline void subject_hold(struct subject *s, const struct element_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		wanted_hold(&s->wanted, &keys[i], &s->owner, "answer", 60);
}

static inline void subject_release(struct subject *s, const struct element_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		wanted_release(&s->wanted, &keys[i], &s->owner, "answer");
}

/* And into the copy. */
static inline void subject_commit(struct subject *s, struct plan *p)
{
	struct nft_commit_result r;
	p->has_generation = s->generation;
	p->generation = s->generation;
	nft_conn_commit(s->conn, p, &r);
	errno = r.error;
	if (r.outcome != NFT_COMMIT_DONE || r.generation == 0)
		die("our commit");
	s->generation = r.generation;
	live_apply(&s->live, &p->sets[0]);
}

/* In one transaction. */
static inline void subject_commit_dirty(struct subject *s, size_t expected)
{
	struct planning in = subject_planning(s);
	struct plan p = PLAN_NULL;
	plan_dirty(&p, &in);
	if (plan_change_count(&p) != expected)
		die("our plan");
	subject_commit(s, &p);
	wanted_clear_dirty(&s->wanted);
	plan_done(&p);
}

/* Puts the first `count` keys there. */
static inline void subject_fill(struct subject *s, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct element_key key = subject_key(s, i);
		subject_hold(s, &key, 1);
	}
	subject_follow(s);
	subject_commit_dirty(s, count);
}

/* --- bytes --- */

struct batch {
	uint8_t *bytes; /* aligned for messages */
	size_t len;
};

enum {
	BATCH_PER_LIST = 500, /* elements: what 16 bits of length hold */
	BATCH_PER_ELEMENT = 128,
	BATCH_PER_MESSAGE = 512,
};

static inline void batch_put_key(struct nlmsghdr *h, const uint8_t *key, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY);
	mnl_attr_put(h, NFTA_DATA_VALUE, len, key);
	mnl_attr_nest_end(h, nest);
}

static inline void batch_put_element(
	struct nlmsghdr *h, const struct set_kind *kind, const struct element_key *key, bool added)
{
	static const char tag[] = {
		0, sizeof(ELEMENT_TAG), 'a', 'l', 'l', 'o', 'w', 's', 'y', 'n', 'c', 'd', 0};
	struct element_key start = *key, behind = {0};
	if (kind->interval)
		range_to_ends(key, &start, &behind);
	struct nlattr *element = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	batch_put_key(h, start.bytes, start.len);
	if (added && kind->fuse_ms) {
		mnl_attr_put_u64(h, NFTA_SET_ELEM_TIMEOUT, htobe64(kind->fuse_ms));
		mnl_attr_put_u64(h, NFTA_SET_ELEM_EXPIRATION, htobe64(kind->fuse_ms));
	}
	if (added)
		mnl_attr_put(h, NFTA_SET_ELEM_USERDATA, sizeof(tag), tag);
	mnl_attr_nest_end(h, element);
	if (!behind.len)
		return;
	element = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	batch_put_key(h, behind.bytes, behind.len);
	mnl_attr_put_u32(h, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	mnl_attr_nest_end(h, element);
}

/* Lists of `keys`; `last` (or NULL): the header of the last message. */
static inline uint8_t *batch_put_lists(uint8_t *at, const struct subject *s, bool added,
	const struct element_key *keys, size_t count, struct nlmsghdr **last)
{
	unsigned message = added ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM;
	for (size_t i = 0; i < count;) {
		struct nlmsghdr *h = raw_elements(at, message, added ? NLM_F_CREATE : 0,
			s->id.nf_family, 2, s->id.table, s->id.name);
		struct nlattr *list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
		size_t end = i + BATCH_PER_LIST < count ? i + BATCH_PER_LIST : count;
		for (; i < end; i++)
			batch_put_element(h, &s->kind, &keys[i], added);
		mnl_attr_nest_end(h, list);
		at += h->nlmsg_len;
		*last = h;
	}
	return at;
}

/* Deletes, then adds. */
static inline struct batch batch_make(const struct subject *s, const struct element_key *deletes,
	size_t delete_count, const struct element_key *adds, size_t add_count)
{
	size_t elements = delete_count + add_count;
	struct batch b = {
		.bytes = xcalloc(elements * BATCH_PER_ELEMENT +
					 (elements / BATCH_PER_LIST + 4) * BATCH_PER_MESSAGE,
			1)};
	struct nlmsghdr *last = NULL;
	uint8_t *at = raw_begin(b.bytes);
	at = batch_put_lists(at, s, false, deletes, delete_count, &last);
	at = batch_put_lists(at, s, true, adds, add_count, &last);
	last->nlmsg_flags |= NLM_F_ACK;
	b.len = (size_t)(raw_end(at) - b.bytes);
	return b;
}

static inline void batch_commit(int fd, const struct batch *b)
{
	static uint8_t answer[65536];
	if (send(fd, b->bytes, b->len, 0) < 0)
		die("raw send");
	if (recv(fd, answer, sizeof(answer), 0) < (ssize_t)sizeof(struct nlmsghdr))
		die("raw recv");
	struct nlmsgerr e;
	memcpy(&e, answer + sizeof(struct nlmsghdr), sizeof(e));
	errno = -e.error;
	if (e.error)
		die("raw batch");
}

static inline void batch_done(struct batch *b)
{
	free(b->bytes);
}

/* --- there and back --- */

/* Keys that change places with as many others. */
struct swap {
	size_t count;
	struct element_key *in, *out; /* what stands in the set, what does not */
	struct batch raw[2];          /* there and back */
};

/* Number `n` of `of`, in a set of the first `filled` keys: spread over it. */
static inline void swap_make(struct swap *w, const struct subject *s, uint32_t filled, uint32_t n,
	uint32_t of, uint32_t count)
{
	*w = (struct swap){.count = count,
		.in = xcalloc(count, sizeof(*w->in)),
		.out = xcalloc(count, sizeof(*w->out))};
	for (uint32_t i = 0; i < count; i++) {
		w->in[i] = subject_key(s, filled / (of * count) * (n * count + i));
		w->out[i] = subject_key(s, filled + n * count + i);
	}
	w->raw[0] = batch_make(s, w->in, count, w->out, count);
	w->raw[1] = batch_make(s, w->out, count, w->in, count);
}

/* From what the names say to the kernel, and our copy of it. */
static inline void swap_ours(struct subject *s, const struct swap *w, int back)
{
	subject_hold(s, back ? w->in : w->out, w->count);
	subject_release(s, back ? w->out : w->in, w->count);
	subject_commit_dirty(s, 2 * w->count);
}

static inline void swap_raw(int fd, const struct swap *w, int back)
{
	batch_commit(fd, &w->raw[back]);
}

static inline void swap_done(struct swap *w)
{
	free(w->in);
	free(w->out);
	batch_done(&w->raw[0]);
	batch_done(&w->raw[1]);
}
