/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nf_tables messages on libmnl: attributes are put directly, since an object an element, as
 * libnftnl has them, costs more than the kernel's own work; and its parsers trust what they read.
 */
#include "edge/nft_msg.h"

#include "base/mem.h"
#include "core/ranges.h"
#include "edge/nft_attr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/udata.h>
#include <limits.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

enum {
	MESSAGE_HEAD = sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg),
	ATTR_HEAD = sizeof(struct nlattr),
	NAME_ATTR_MAX = MNL_ALIGN(ATTR_HEAD + NFT_MSG_NAME_MAX + 1),
	LIST_HEAD_MAX = MESSAGE_HEAD + 2 * NAME_ATTR_MAX + ATTR_HEAD,
	TAG_LEN = 2 + sizeof(ELEMENT_TAG),
	OPEN_LEN = 6,
	/* Of an element: nest, key, timeouts and tag. */
	KEY_MAX = 2 * ATTR_HEAD + ELEMENT_KEY_PART_MAX,
	ELEMENT_MAX = ATTR_HEAD + KEY_MAX + 2 * (ATTR_HEAD + 8) +
		      MNL_ALIGN(ATTR_HEAD + TAG_LEN + OPEN_LEN),
	/* Of one with an end: the other key, be it an element of its own. */
	ELEMENT_END_MAX = ATTR_HEAD + KEY_MAX + ATTR_HEAD + 4,
	/* The kernel takes no more than an int's worth in one send; half of it is far enough. */
	BATCH_MAX = 1 << 30,
	/* nft's own numbers for the types of keys, and how it chains them. */
	TYPE_BITS = 6,
	TYPE_IPV4_ADDR = 7,
	TYPE_IPV6_ADDR = 8,
	TYPE_INET_PROTO = 12,
	TYPE_INET_SERVICE = 13,
	TYPE_PROTO_SERVICE = TYPE_INET_PROTO << TYPE_BITS | TYPE_INET_SERVICE,
};

static const struct {
	uint32_t type;
	enum set_layout layout;
	enum family family;
} types[] = {
	{TYPE_IPV4_ADDR, SET_LAYOUT_ADDR, FAMILY_V4},
	{TYPE_IPV6_ADDR, SET_LAYOUT_ADDR, FAMILY_V6},
	{TYPE_IPV4_ADDR << (2 * TYPE_BITS) | TYPE_PROTO_SERVICE, SET_LAYOUT_ADDR_PROTO_SERVICE,
		FAMILY_V4},
	{TYPE_IPV6_ADDR << (2 * TYPE_BITS) | TYPE_PROTO_SERVICE, SET_LAYOUT_ADDR_PROTO_SERVICE,
		FAMILY_V6},
	{TYPE_IPV4_ADDR << TYPE_BITS | TYPE_INET_SERVICE, SET_LAYOUT_ADDR_SERVICE, FAMILY_V4},
	{TYPE_IPV6_ADDR << TYPE_BITS | TYPE_INET_SERVICE, SET_LAYOUT_ADDR_SERVICE, FAMILY_V6},
};

/* The tag as nft writes comments, and how it marks a range that reaches to the last address, and so
 * has no end: in host order, of 4 bytes. Both as it writes them one behind the other. */
static const struct {
	uint8_t type, len;
	char text[sizeof(ELEMENT_TAG)];
	uint8_t open_type, open_len, open[4];
} tag = {NFTNL_UDATA_SET_ELEM_COMMENT, sizeof(ELEMENT_TAG), ELEMENT_TAG, NFTNL_UDATA_SET_ELEM_FLAGS,
	4, {NFTNL_SET_ELEM_F_INTERVAL_OPEN}};
static_assert(sizeof(tag) == TAG_LEN + OPEN_LEN, "bytes only, no padding");

static uint16_t nft_type(unsigned message)
{
	return (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message);
}

static struct nlmsghdr *put_message(
	void *at, uint16_t type, uint16_t flags, uint8_t nf_family, uint16_t res_id, uint32_t seq)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(at);
	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = seq;
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = nf_family;
	g->version = NFNETLINK_V0;
	g->res_id = htons(res_id);
	return h;
}

static bool names_fit(const struct set_id *id)
{
	return strlen(id->table) <= NFT_MSG_NAME_MAX && strlen(id->name) <= NFT_MSG_NAME_MAX;
}

/* --- batches --- */

/* Zeroed room: libmnl leaves the padding behind an attribute as it finds it. */
static void reserve(struct nft_msg_batch *b, size_t more)
{
	if (b->capacity - b->len < more) {
		size_t capacity = b->capacity ? b->capacity : 4096;
		while (capacity - b->len < more)
			capacity *= 2;
		b->data = xreallocarray(b->data, capacity, 1);
		b->capacity = capacity;
	}
	memset(b->data + b->len, 0, more);
}

static void close_message(struct nft_msg_batch *b, const struct nlmsghdr *h)
{
	b->len += MNL_ALIGN(h->nlmsg_len);
}

static void put_fence(struct nft_msg_batch *b, uint16_t type, const struct plan *p, uint32_t seq)
{
	reserve(b, MESSAGE_HEAD + ATTR_HEAD + 4);
	struct nlmsghdr *h =
		put_message(b->data + b->len, type, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, seq);
	if (p && p->has_generation)
		mnl_attr_put_u32(h, NFNL_BATCH_GENID, htonl(p->generation));
	close_message(b, h);
}

static struct nlmsghdr *open_list(struct nft_msg_batch *b, unsigned message, uint16_t flags,
	const struct set_id *id, uint32_t seq, struct nlattr **ret_list)
{
	struct nlmsghdr *h =
		put_message(b->data + b->len, nft_type(message), flags, id->nf_family, 0, seq);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, id->table);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, id->name);
	*ret_list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	return h;
}

static void put_key(struct nlmsghdr *h, uint16_t type, const uint8_t *bytes, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(h, type);
	mnl_attr_put(h, NFTA_DATA_VALUE, len, bytes);
	mnl_attr_nest_end(h, nest);
}

enum put { PUT_DELETE, PUT_ADD, PUT_RENEW };

/* Behind its key. Without a word about it an element of a set with flag timeout gets the set's
 * default; and one that is there keeps the time it has, unless the time left is said as well. */
static void put_rest(struct nlmsghdr *h, const struct set_kind *kind, enum put what,
	uint64_t life_ms, bool reaches_to_the_last)
{
	bool says_time = kind->timeout_ms || kind->fuse_ms || what == PUT_RENEW;
	if (what != PUT_DELETE && kind->has_timeout && says_time) {
		mnl_attr_put_u64(h, NFTA_SET_ELEM_TIMEOUT, htobe64(life_ms ? kind->fuse_ms : 0));
		if (life_ms && (what == PUT_RENEW || life_ms < kind->fuse_ms))
			mnl_attr_put_u64(h, NFTA_SET_ELEM_EXPIRATION, htobe64(life_ms));
	}
	if (what != PUT_DELETE)
		mnl_attr_put(h, NFTA_SET_ELEM_USERDATA, reaches_to_the_last ? sizeof(tag) : TAG_LEN,
			&tag);
}

static void put_range(struct nlmsghdr *h, const struct set_kind *kind,
	const struct element_key *key, enum put what, uint64_t life_ms)
{
	struct element_key start, behind;
	bool has_end = range_to_ends(key, &start, &behind);
	struct nlattr *element = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	put_key(h, NFTA_SET_ELEM_KEY, start.bytes, start.len);
	put_rest(h, kind, what, life_ms, !has_end);
	mnl_attr_nest_end(h, element);
	if (!has_end)
		return;
	element = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	put_key(h, NFTA_SET_ELEM_KEY, behind.bytes, behind.len);
	mnl_attr_put_u32(h, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	mnl_attr_nest_end(h, element);
}

static void put_element(struct nlmsghdr *h, const struct set_kind *kind,
	const struct element_key *key, enum put what, uint64_t life_ms)
{
	assert(key->len <= ELEMENT_KEY_MAX);
	if (set_kind_has_ranges(kind)) {
		put_range(h, kind, key, what, life_ms);
		return;
	}
	size_t len = kind->interval ? key->len / 2 : key->len;
	struct nlattr *element = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	put_key(h, NFTA_SET_ELEM_KEY, key->bytes, len);
	if (kind->interval)
		put_key(h, NFTA_SET_ELEM_KEY_END, key->bytes + len, len);
	put_rest(h, kind, what, life_ms, false);
	mnl_attr_nest_end(h, element);
}

/* No acknowledgements are asked for: enough of them would push a failure out of the socket's
 * buffer. What somebody else put there meanwhile is not to be taken for ours, and deleted one day:
 * the batch fails instead, and the set is looked at. */
static bool put_elements(struct nft_msg_batch *b, const struct plan_set *s, uint32_t set,
	enum put what, const struct element_key *keys, size_t count)
{
	size_t size = ELEMENT_MAX + (s->kind.interval ? (size_t)ELEMENT_END_MAX : 0);
	size_t fits = NFT_MSG_LIST_MAX / size;
	unsigned message = what == PUT_DELETE ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM;
	uint16_t flags = what == PUT_DELETE ? 0
			 : what == PUT_ADD  ? NLM_F_CREATE | NLM_F_EXCL
					    : NLM_F_CREATE;

	for (size_t at = 0; at < count;) {
		size_t here = count - at < fits ? count - at : fits;
		if (b->len + LIST_HEAD_MAX + here * size > BATCH_MAX)
			return false;
		reserve(b, LIST_HEAD_MAX + here * size);
		uint32_t seq = b->first_seq + 2 + (uint32_t)b->set_count;
		struct nlattr *list;
		struct nlmsghdr *h = open_list(b, message, flags, s->id, seq, &list);
		for (size_t end = at + here; at < end; at++)
			put_element(h, &s->kind, &keys[at], what,
				what == PUT_ADD     ? plan_add_life_ms(s, at)
				: what == PUT_RENEW ? plan_renewal_life_ms(s, at)
						    : 0);
		mnl_attr_nest_end(h, list);
		close_message(b, h);
		VEC_GROW(b->sets, b->set_capacity, b->set_count);
		b->sets[b->set_count++] = set;
	}
	return true;
}

static bool put_set(struct nft_msg_batch *b, const struct plan_set *s, uint32_t set, bool replaces)
{
	return put_elements(b, s, set, PUT_DELETE, s->deletes, s->delete_count) &&
	       put_elements(b, s, set, PUT_ADD, s->adds, s->add_count) &&
	       (!replaces || put_elements(b, s, set, PUT_DELETE, s->renewals, s->renewal_count)) &&
	       put_elements(b, s, set, PUT_RENEW, s->renewals, s->renewal_count);
}

int nft_msg_batch_encode(struct nft_msg_batch *b, const struct plan *p, uint32_t first_seq)
{
	b->len = 0;
	b->set_count = 0;
	b->first_seq = first_seq;
	put_fence(b, NFNL_MSG_BATCH_BEGIN, p, first_seq);

	bool asked = false;
	for (size_t i = 0; i < p->count; i++) {
		const struct plan_set *s = &p->sets[i];
		if (s->add_count + s->delete_count + s->renewal_count == 0)
			continue;
		if (!names_fit(s->id))
			return -ENAMETOOLONG;
		if (!asked) {
			/* The kernel reports the new generation as the first message after
			 * BATCH_BEGIN asks. It has no element, so that none is echoed; and it adds
			 * none, whereas a deletion without elements would mean all of them. */
			reserve(b, LIST_HEAD_MAX);
			struct nlattr *list;
			struct nlmsghdr *h = open_list(
				b, NFT_MSG_NEWSETELEM, NLM_F_ECHO, s->id, first_seq + 1, &list);
			mnl_attr_nest_end(h, list);
			close_message(b, h);
			asked = true;
		}
		if (!put_set(b, s, (uint32_t)i, p->replaces))
			return -EOVERFLOW;
	}
	assert(asked);
	put_fence(b, NFNL_MSG_BATCH_END, NULL, first_seq + 2 + (uint32_t)b->set_count);
	return 0;
}

size_t nft_msg_batch_count(const struct nft_msg_batch *b)
{
	return b->set_count + 3;
}

bool nft_msg_batch_has(const struct nft_msg_batch *b, uint32_t seq)
{
	/* Numbers wrap around: only differences count. */
	return (uint32_t)(seq - b->first_seq) < nft_msg_batch_count(b);
}

bool nft_msg_batch_find(const struct nft_msg_batch *b, uint32_t seq, size_t *ret)
{
	uint32_t at = seq - b->first_seq - 2;
	if (at >= b->set_count)
		return false;
	*ret = b->sets[at];
	return true;
}

void nft_msg_batch_done(struct nft_msg_batch *b)
{
	free(b->data);
	free(b->sets);
	*b = NFT_MSG_BATCH_NULL;
}

/* --- requests --- */

size_t nft_msg_encode_get_generation(void *buf, uint32_t seq)
{
	return put_message(buf, nft_type(NFT_MSG_GETGEN), 0, AF_UNSPEC, 0, seq)->nlmsg_len;
}

static size_t encode_named(void *buf, unsigned message, uint16_t flags, uint16_t table_attr,
	uint16_t name_attr, uint32_t seq, const struct set_id *id)
{
	static_assert(
		(int)LIST_HEAD_MAX <= (int)NFT_MSG_REQUEST_MAX, "a request must fit its buffer");
	if (!names_fit(id))
		return 0;
	memset(buf, 0, NFT_MSG_REQUEST_MAX);
	struct nlmsghdr *h = put_message(buf, nft_type(message), flags, id->nf_family, 0, seq);
	mnl_attr_put_strz(h, table_attr, id->table);
	mnl_attr_put_strz(h, name_attr, id->name);
	return h->nlmsg_len;
}

size_t nft_msg_encode_get_set(void *buf, uint32_t seq, const struct set_id *id)
{
	return encode_named(buf, NFT_MSG_GETSET, 0, NFTA_SET_TABLE, NFTA_SET_NAME, seq, id);
}

size_t nft_msg_encode_dump(void *buf, uint32_t seq, const struct set_id *id)
{
	return encode_named(buf, NFT_MSG_GETSETELEM, NLM_F_DUMP, NFTA_SET_ELEM_LIST_TABLE,
		NFTA_SET_ELEM_LIST_SET, seq, id);
}

/* --- answers --- */

struct nft_msg_reader nft_msg_reader_over(const void *datagram, size_t len)
{
	return (struct nft_msg_reader){.at = datagram, .left = len};
}

static const void *payload(const struct nlmsghdr *h)
{
	return (const uint8_t *)h + MNL_NLMSG_HDRLEN;
}

/* Errors are negative on the wire; what is no errno at all becomes EPROTO. */
static int wire_error(const struct nlmsghdr *h)
{
	int32_t e;
	memcpy(&e, payload(h), sizeof(e));
	return e > 0 || e < -4095 ? EPROTO : -e;
}

bool nft_msg_next(struct nft_msg_reader *r, struct nft_msg *ret)
{
	if (r->left == 0 || r->damaged)
		return false;
	const struct nlmsghdr *h = (const void *)r->at;
	if (r->left < sizeof(*h) || h->nlmsg_len < sizeof(*h) || h->nlmsg_len > r->left) {
		r->damaged = true;
		return false;
	}
	size_t step = MNL_ALIGN((size_t)h->nlmsg_len);
	if (step > r->left)
		step = r->left;
	r->at += step;
	r->left -= step;

	struct nft_msg m = {.seq = h->nlmsg_seq, .header = h};
	m.interrupted = h->nlmsg_flags & NLM_F_DUMP_INTR;
	size_t len = h->nlmsg_len - sizeof(*h);
	if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
		m.kind = h->nlmsg_type == NLMSG_DONE ? NFT_MSG_KIND_DUMP_END : NFT_MSG_KIND_ERROR;
		if (len >= sizeof(int32_t))
			m.error = wire_error(h);
		else if (m.kind == NFT_MSG_KIND_ERROR)
			m.error = EPROTO;
	} else if (h->nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES && len >= sizeof(struct nfgenmsg)) {
		struct nfgenmsg g;
		memcpy(&g, payload(h), sizeof(g));
		m.generation_16 = ntohs(g.res_id);
		switch (h->nlmsg_type & 0xff) {
		case NFT_MSG_NEWGEN:
			m.kind = NFT_MSG_KIND_GENERATION;
			break;
		case NFT_MSG_NEWSET:
			m.kind = NFT_MSG_KIND_SET;
			break;
		case NFT_MSG_NEWSETELEM:
			m.kind = NFT_MSG_KIND_ELEMENTS;
			break;
		case NFT_MSG_NEWTABLE:
			m.kind = NFT_MSG_KIND_TABLE;
			break;
		case NFT_MSG_NEWCHAIN:
			m.kind = NFT_MSG_KIND_CHAIN;
			break;
		case NFT_MSG_NEWRULE:
			m.kind = NFT_MSG_KIND_RULE;
			break;
		default:
			break;
		}
	}
	*ret = m;
	return true;
}

int nft_msg_decode_generation(const struct nft_msg *m, uint32_t *ret)
{
	assert(m->kind == NFT_MSG_KIND_GENERATION);
	const struct nlattr *at[NFTA_GEN_MAX + 1];
	nft_attrs_index(nft_attrs_of_message(m->header), NFTA_GEN_MAX, at);
	return nft_attr_u32(at[NFTA_GEN_ID], ret) ? 0 : -EBADMSG;
}

static bool is_counter(const struct nlattr *expr)
{
	const struct nlattr *at[NFTA_EXPR_MAX + 1];
	nft_attrs_index(nft_attrs_inside(expr), NFTA_EXPR_MAX, at);
	if (!at[NFTA_EXPR_NAME])
		return false;
	struct nft_attrs name = nft_attrs_inside(at[NFTA_EXPR_NAME]);
	return name.left >= 7 && memcmp(name.at, "counter", 7) == 0 &&
	       (name.left == 7 || name.at[7] == '\0');
}

/* Whatever each element of the set gets besides its key. */
static bool only_counters(const struct nlattr *one, const struct nlattr *many)
{
	if (one && !is_counter(one))
		return false;
	if (many) {
		struct nft_attrs s = nft_attrs_inside(many);
		for (const struct nlattr *a; (a = nft_attrs_next(&s));)
			if (!is_counter(a))
				return false;
	}
	return true;
}

static const char *set_why_unusable(const struct set_kind *k, const struct nlattr **at)
{
	uint32_t key_len = 0;
	bool concatenated = k->layout != SET_LAYOUT_ADDR;
	if (k->flags & NFT_SET_ANONYMOUS)
		return "an anonymous set";
	if (k->flags & (NFT_SET_MAP | NFT_SET_OBJECT))
		return "a map";
	if (k->flags & NFT_SET_CONSTANT)
		return "flag constant";
	if (k->layout == SET_LAYOUT_UNKNOWN)
		return "a type that is neither an address, nor address . inet_proto . "
		       "inet_service, "
		       "nor address . inet_service";
	if (!nft_attr_u32(at[NFTA_SET_KEY_LEN], &key_len) || key_len != set_kind_key_len(k))
		return "keys that are not as long as their type says";
	if (k->interval && concatenated && !(k->flags & NFT_SET_CONCAT))
		return "concatenated intervals in a form that nft no longer makes";
	if (!only_counters(at[NFTA_SET_EXPR], at[NFTA_SET_EXPRESSIONS]))
		return "a statement for its elements other than counter";
	return NULL;
}

/* Userdata is a list of type, length, value of its own, a byte each for the first two. */
static const uint8_t *find_udata(const struct nlattr *userdata, uint8_t type, size_t *ret_len)
{
	if (!userdata)
		return NULL;
	struct nft_attrs s = nft_attrs_inside(userdata);
	while (s.left >= 2 && s.left - 2 >= s.at[1]) {
		if (s.at[0] == type) {
			*ret_len = s.at[1];
			return s.at + 2;
		}
		s.left -= 2 + (size_t)s.at[1];
		s.at += 2 + (size_t)s.at[1];
	}
	return NULL;
}

/* In host order, as nft writes it. */
static bool has_auto_merge(const struct nlattr *userdata)
{
	uint32_t merges = 0;
	size_t len;
	const uint8_t *at = find_udata(userdata, NFTNL_UDATA_SET_MERGE_ELEMENTS, &len);
	if (at && len == sizeof(merges))
		memcpy(&merges, at, len);
	return merges;
}

int nft_msg_decode_set(const struct nft_msg *m, struct set_kind *ret)
{
	assert(m->kind == NFT_MSG_KIND_SET);
	const struct nlattr *at[NFTA_SET_MAX + 1];
	nft_attrs_index(nft_attrs_of_message(m->header), NFTA_SET_MAX, at);

	struct set_kind k = {.layout = SET_LAYOUT_UNKNOWN};
	uint32_t type;
	if (!nft_attr_u32(at[NFTA_SET_KEY_TYPE], &type))
		return -EBADMSG;
	if (at[NFTA_SET_FLAGS] && !nft_attr_u32(at[NFTA_SET_FLAGS], &k.flags))
		return -EBADMSG;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (types[i].type == type) {
			k.layout = types[i].layout;
			k.family = types[i].family;
		}
	}
	k.interval = k.flags & NFT_SET_INTERVAL;
	k.auto_merge = has_auto_merge(at[NFTA_SET_USERDATA]);
	k.has_timeout = k.flags & NFT_SET_TIMEOUT;
	nft_attr_u64(at[NFTA_SET_TIMEOUT], &k.timeout_ms);
	if (at[NFTA_SET_DESC]) {
		const struct nlattr *desc[NFTA_SET_DESC_MAX + 1];
		nft_attrs_index(nft_attrs_inside(at[NFTA_SET_DESC]), NFTA_SET_DESC_MAX, desc);
		nft_attr_u32(desc[NFTA_SET_DESC_SIZE], &k.size);
	}
	k.unusable = set_why_unusable(&k, at);
	*ret = k;
	return 0;
}

static bool has_tag(const struct nlattr *userdata)
{
	size_t len;
	const uint8_t *comment = find_udata(userdata, NFTNL_UDATA_SET_ELEM_COMMENT, &len);
	return comment && len == sizeof(tag.text) && memcmp(comment, tag.text, len) == 0;
}

static bool is_open(const struct nlattr *userdata)
{
	size_t len;
	const uint8_t *flags = find_udata(userdata, NFTNL_UDATA_SET_ELEM_FLAGS, &len);
	return flags && len == sizeof(tag.open) && memcmp(flags, tag.open, len) == 0;
}

static bool decode_key(const struct nlattr *key, struct element_key *ret)
{
	const struct nlattr *at[NFTA_DATA_MAX + 1];
	nft_attrs_index(nft_attrs_inside(key), NFTA_DATA_MAX, at);
	if (!at[NFTA_DATA_VALUE])
		return false;
	struct nft_attrs value = nft_attrs_inside(at[NFTA_DATA_VALUE]);
	if (value.left == 0 || value.left > ELEMENT_KEY_PART_MAX)
		return false;
	ret->len = (uint8_t)value.left;
	memcpy(ret->bytes, value.at, value.left);
	return true;
}

bool nft_msg_decode_entry(const struct nlattr *element, struct set_entry *ret)
{
	const struct nlattr *at[NFTA_SET_ELEM_MAX + 1];
	nft_attrs_index(nft_attrs_inside(element), NFTA_SET_ELEM_MAX, at);
	uint32_t flags = 0;
	if (at[NFTA_SET_ELEM_FLAGS] && !nft_attr_u32(at[NFTA_SET_ELEM_FLAGS], &flags))
		return false;
	if (flags & ~(uint32_t)NFT_SET_ELEM_INTERVAL_END)
		return false;
	if (at[NFTA_SET_ELEM_DATA] || at[NFTA_SET_ELEM_OBJREF] || !at[NFTA_SET_ELEM_KEY])
		return false;
	struct set_entry e = {0};
	if (!decode_key(at[NFTA_SET_ELEM_KEY], &e.key))
		return false;
	if (at[NFTA_SET_ELEM_KEY_END] && !decode_key(at[NFTA_SET_ELEM_KEY_END], &e.last))
		return false;
	e.is_end = flags & NFT_SET_ELEM_INTERVAL_END;
	e.is_open = is_open(at[NFTA_SET_ELEM_USERDATA]);
	e.ours = has_tag(at[NFTA_SET_ELEM_USERDATA]);
	e.expires = at[NFTA_SET_ELEM_EXPIRATION];
	uint64_t left_ms;
	if (e.expires && nft_attr_u64(at[NFTA_SET_ELEM_EXPIRATION], &left_ms))
		e.left_s = left_ms < UINT32_MAX ? (uint32_t)(left_ms / 1000 + 1) : UINT32_MAX;
	*ret = e;
	return true;
}

void nft_msg_decode_entries(const struct nft_msg *m,
	void (*fn)(const struct set_entry *e, void *userdata), void *userdata, size_t *strange)
{
	assert(m->kind == NFT_MSG_KIND_ELEMENTS);
	struct nft_attrs s = nft_attrs_of_message(m->header);
	for (const struct nlattr *a; (a = nft_attrs_next(&s));) {
		if (nft_attr_type(a) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		struct nft_attrs list = nft_attrs_inside(a);
		for (const struct nlattr *element; (element = nft_attrs_next(&list));) {
			struct set_entry e;
			if (nft_msg_decode_entry(element, &e))
				fn(&e, userdata);
			else
				(*strange)++;
		}
	}
}
