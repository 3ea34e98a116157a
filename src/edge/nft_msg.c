/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nf_tables messages on libmnl: attributes are put directly, since an object an element, as
 * libnftnl has them, costs more than the kernel's own work; and its parsers trust what they read.
 */
#include "edge/nft_msg.h"

#include "base/mem.h"
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
	/* The largest element: its nest, key, timeout and tag. */
	ELEMENT_MAX = ATTR_HEAD + (2 * ATTR_HEAD + ELEMENT_KEY_MAX) + (ATTR_HEAD + 8) +
		      MNL_ALIGN(ATTR_HEAD + TAG_LEN),
	/* The kernel takes no more than an int's worth in one send; half of it is far enough. */
	BATCH_MAX = 1 << 30,
	/* nft's own numbers for the types of keys, and how it chains them. */
	TYPE_BITS = 6,
	TYPE_IPV4_ADDR = 7,
	TYPE_IPV6_ADDR = 8,
	TYPE_INET_PROTO = 12,
	TYPE_INET_SERVICE = 13,
	TYPE_PROTO_SERVICE = TYPE_INET_PROTO << TYPE_BITS | TYPE_INET_SERVICE,
	TYPE_CONCAT_V4 = TYPE_IPV4_ADDR << (2 * TYPE_BITS) | TYPE_PROTO_SERVICE,
	TYPE_CONCAT_V6 = TYPE_IPV6_ADDR << (2 * TYPE_BITS) | TYPE_PROTO_SERVICE,
};

/* The tag as nft writes comments. */
static const struct {
	uint8_t type, len;
	char text[sizeof(ELEMENT_TAG)];
} tag = {NFTNL_UDATA_SET_ELEM_COMMENT, sizeof(ELEMENT_TAG), ELEMENT_TAG};
static_assert(sizeof(tag) == TAG_LEN, "bytes only, no padding");

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

static void put_element(
	struct nlmsghdr *h, const struct element_key *key, bool add, bool say_permanent)
{
	assert(key->len <= ELEMENT_KEY_MAX);
	struct nlattr *element = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	struct nlattr *nest = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY);
	mnl_attr_put(h, NFTA_DATA_VALUE, key->len, key->bytes);
	mnl_attr_nest_end(h, nest);
	if (add) {
		if (say_permanent)
			mnl_attr_put_u64(h, NFTA_SET_ELEM_TIMEOUT, 0);
		mnl_attr_put(h, NFTA_SET_ELEM_USERDATA, sizeof(tag), &tag);
	}
	mnl_attr_nest_end(h, element);
}

/* No acknowledgements are asked for: enough of them would push a failure out of the socket's
 * buffer. What somebody else put there meanwhile is not to be taken for ours, and deleted one day:
 * the batch fails instead, and the set is looked at. */
static bool put_elements(struct nft_msg_batch *b, const struct plan_set *s, uint32_t set, bool add)
{
	const struct element_key *keys = add ? s->adds : s->deletes;
	size_t count = add ? s->add_count : s->delete_count;
	bool say_permanent = s->kind.has_timeout && s->kind.timeout_ms > 0;
	uint16_t flags = !add ? 0 : s->renews ? NLM_F_CREATE : NLM_F_CREATE | NLM_F_EXCL;

	for (size_t at = 0; at < count;) {
		size_t fits = NFT_MSG_LIST_MAX / ELEMENT_MAX;
		size_t here = count - at < fits ? count - at : fits;
		if (b->len + LIST_HEAD_MAX + here * ELEMENT_MAX > BATCH_MAX)
			return false;
		reserve(b, LIST_HEAD_MAX + here * ELEMENT_MAX);
		uint32_t seq = b->first_seq + 2 + (uint32_t)b->set_count;
		struct nlattr *list;
		struct nlmsghdr *h = open_list(
			b, add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM, flags, s->id, seq, &list);
		for (size_t end = at + here; at < end; at++)
			put_element(h, &keys[at], add, say_permanent);
		mnl_attr_nest_end(h, list);
		close_message(b, h);
		VEC_GROW(b->sets, b->set_capacity, b->set_count);
		b->sets[b->set_count++] = set;
	}
	return true;
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
		if (s->add_count == 0 && s->delete_count == 0)
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
		if (!put_elements(b, s, (uint32_t)i, false) ||
			!put_elements(b, s, (uint32_t)i, true))
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
	if (k->flags & NFT_SET_ANONYMOUS)
		return "an anonymous set";
	if (k->flags & (NFT_SET_MAP | NFT_SET_OBJECT))
		return "a map";
	if (k->flags & NFT_SET_INTERVAL)
		return "flag interval";
	if (k->flags & NFT_SET_CONSTANT)
		return "flag constant";
	if (k->layout == SET_LAYOUT_UNKNOWN)
		return "its type: neither an address nor address . inet_proto . inet_service";
	size_t want = addr_len(k->family) + (k->layout == SET_LAYOUT_ADDR_PROTO_SERVICE ? 8 : 0);
	if (!nft_attr_u32(at[NFTA_SET_KEY_LEN], &key_len) || key_len != want)
		return "the length of its keys is not that of their type";
	if (!only_counters(at[NFTA_SET_EXPR], at[NFTA_SET_EXPRESSIONS]))
		return "its elements carry a statement other than counter";
	return NULL;
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
	if (type == TYPE_IPV4_ADDR || type == TYPE_IPV6_ADDR)
		k.layout = SET_LAYOUT_ADDR;
	else if (type == TYPE_CONCAT_V4 || type == TYPE_CONCAT_V6)
		k.layout = SET_LAYOUT_ADDR_PROTO_SERVICE;
	k.family = type == TYPE_IPV6_ADDR || type == TYPE_CONCAT_V6 ? FAMILY_V6 : FAMILY_V4;
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
	if (!userdata)
		return false;
	struct nft_attrs s = nft_attrs_inside(userdata);
	while (s.left >= 2 && s.left - 2 >= s.at[1]) {
		size_t len = 2 + (size_t)s.at[1];
		if (s.at[0] == NFTNL_UDATA_SET_ELEM_COMMENT)
			return len == sizeof(tag) && memcmp(s.at, &tag, len) == 0;
		s.at += len;
		s.left -= len;
	}
	return false;
}

/* Zero where the fields of a concatenation are padded: the protocol is followed by 3 bytes, the
 * port by 2. */
static bool key_fits(const struct set_kind *kind, struct nft_attrs key)
{
	size_t addr = addr_len(kind->family);
	if (kind->layout == SET_LAYOUT_ADDR)
		return key.left == addr;
	if (kind->layout != SET_LAYOUT_ADDR_PROTO_SERVICE || key.left != addr + 8)
		return false;
	const uint8_t *p = key.at + addr;
	return (p[1] | p[2] | p[3] | p[6] | p[7]) == 0;
}

/* Without a kind any key will do. */
static bool decode_key(
	const struct set_kind *kind, const struct nlattr *key, struct element_key *ret)
{
	if (!key)
		return false;
	const struct nlattr *at[NFTA_DATA_MAX + 1];
	nft_attrs_index(nft_attrs_inside(key), NFTA_DATA_MAX, at);
	if (!at[NFTA_DATA_VALUE])
		return false;
	struct nft_attrs value = nft_attrs_inside(at[NFTA_DATA_VALUE]);
	if (value.left == 0 || value.left > ELEMENT_KEY_MAX)
		return false;
	if (kind && !key_fits(kind, value))
		return false;
	ret->len = (uint8_t)value.left;
	memcpy(ret->bytes, value.at, value.left);
	return true;
}

bool nft_msg_decode_element(
	const struct nlattr *element, const struct set_kind *kind, struct live_element *ret)
{
	const struct nlattr *at[NFTA_SET_ELEM_MAX + 1];
	nft_attrs_index(nft_attrs_inside(element), NFTA_SET_ELEM_MAX, at);
	uint32_t flags = 0;
	if (at[NFTA_SET_ELEM_FLAGS] && (!nft_attr_u32(at[NFTA_SET_ELEM_FLAGS], &flags) || flags))
		return false;
	/* A range or a mapping: no set that we fill has them. */
	if (at[NFTA_SET_ELEM_KEY_END] || at[NFTA_SET_ELEM_DATA] || at[NFTA_SET_ELEM_OBJREF])
		return false;
	struct live_element e = {0};
	if (!decode_key(kind, at[NFTA_SET_ELEM_KEY], &e.key))
		return false;
	e.ours = has_tag(at[NFTA_SET_ELEM_USERDATA]);
	e.expires = at[NFTA_SET_ELEM_EXPIRATION];
	*ret = e;
	return true;
}

void nft_msg_decode_elements(const struct nft_msg *m, const struct set_kind *kind,
	void (*fn)(const struct live_element *e, void *userdata), void *userdata, size_t *strange)
{
	assert(m->kind == NFT_MSG_KIND_ELEMENTS);
	struct nft_attrs s = nft_attrs_of_message(m->header);
	for (const struct nlattr *a; (a = nft_attrs_next(&s));) {
		if (nft_attr_type(a) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		struct nft_attrs list = nft_attrs_inside(a);
		for (const struct nlattr *element; (element = nft_attrs_next(&list));) {
			struct live_element e;
			if (nft_msg_decode_element(element, kind, &e))
				fn(&e, userdata);
			else
				(*strange)++;
		}
	}
}
