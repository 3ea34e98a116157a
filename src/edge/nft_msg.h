#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What nf_tables and we say to each other, as bytes: plans become batches, answers become set kinds
 * and elements. No socket. Everything read here may be hostile; buffers start on a multiple of 4.
 */
#include "allowsync/plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nlattr;

enum {
	NFT_MSG_REQUEST_MAX = 640, /* room for any request below: two names of 255 bytes */
	NFT_MSG_NAME_MAX = 255,    /* the kernel's, of a table or set */
	NFT_MSG_LIST_MAX = 60000,  /* of one list of elements; its 16-bit length wraps silently */
};

/* A plan as bytes, to be sent at once. The buffer is kept from one batch to the next. */
struct nft_msg_batch {
	uint8_t *data;
	size_t len, capacity;
	uint32_t first_seq;
	/* For each message after the first two, in order: which of the plan's sets it is about. */
	uint32_t *sets;
	size_t set_count, set_capacity;
};
#define NFT_MSG_BATCH_NULL ((struct nft_msg_batch){0})

/* BATCH_BEGIN (with the generation, when the plan has one); an empty message that asks to be told
 * of the new generation; a set at a time its deletes, its adds, its renewals; BATCH_END. A range of
 * addresses is its start and then its end, in one message: a start alone would mean "up to the last
 * address", silently. Messages are
 * numbered from `first_seq` on. The plan is not empty. -ENAMETOOLONG, -EOVERFLOW (more than fits in
 * one send). */
int nft_msg_batch_encode(struct nft_msg_batch *b, const struct plan *p, uint32_t first_seq);
size_t nft_msg_batch_count(const struct nft_msg_batch *b);
/* Is that number one of this batch's? */
bool nft_msg_batch_has(const struct nft_msg_batch *b, uint32_t seq);
/* False for the messages that speak of no set's elements. `ret` indexes the plan's sets. */
bool nft_msg_batch_find(const struct nft_msg_batch *b, uint32_t seq, size_t *ret);
void nft_msg_batch_done(struct nft_msg_batch *b);

/* Requests, into NFT_MSG_REQUEST_MAX bytes: return the length, 0 when a name is too long. */
size_t nft_msg_encode_get_generation(void *buf, uint32_t seq);
size_t nft_msg_encode_get_set(void *buf, uint32_t seq, const struct set_id *id);
size_t nft_msg_encode_dump(void *buf, uint32_t seq, const struct set_id *id);

enum nft_msg_kind {
	NFT_MSG_KIND_OTHER,
	NFT_MSG_KIND_ERROR,    /* error 0: an acknowledgement, which never means "committed" */
	NFT_MSG_KIND_DUMP_END, /* error: what ended it early, or 0 */
	NFT_MSG_KIND_GENERATION,
	NFT_MSG_KIND_SET,
	NFT_MSG_KIND_ELEMENTS,
	NFT_MSG_KIND_TABLE,
	NFT_MSG_KIND_CHAIN,
	NFT_MSG_KIND_RULE,
};

/* One message of a datagram; points into it. */
struct nft_msg {
	enum nft_msg_kind kind;
	uint32_t seq;
	int error;              /* a positive errno */
	uint16_t generation_16; /* SET, ELEMENTS: the low half of the generation it shows */
	bool interrupted;       /* the kernel itself says that the dump is torn */
	const void *header;
};

struct nft_msg_reader {
	const uint8_t *at;
	size_t left;
	bool damaged; /* what follows is no message */
};

struct nft_msg_reader nft_msg_reader_over(const void *datagram, size_t len);
bool nft_msg_next(struct nft_msg_reader *r, struct nft_msg *ret);

/* Each takes a message of its kind; the first two: -EBADMSG when it lacks what it should hold. */
int nft_msg_decode_generation(const struct nft_msg *m, uint32_t *ret);
int nft_msg_decode_set(const struct nft_msg *m, struct set_kind *ret);
/* One NFTA_LIST_ELEM. False for what no set of ours has: a mapping, the catch-all, a key of more
 * than ELEMENT_KEY_PART_MAX bytes. */
bool nft_msg_decode_entry(const struct nlattr *element, struct set_entry *ret);
/* `fn` is called for every entry; all that nft_msg_decode_entry() refuses are counted in *strange.
 */
void nft_msg_decode_entries(const struct nft_msg *m,
	void (*fn)(const struct set_entry *e, void *userdata), void *userdata, size_t *strange);
