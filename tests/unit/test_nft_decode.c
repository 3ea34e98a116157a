/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel says, made by hand with libmnl: whole, strange, cut and damaged. */
#include "edge/nft_msg.h"

#include "base/mem.h"
#include "tap.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

static const struct set_kind v6_service = {
	.layout = SET_LAYOUT_ADDR_PROTO_SERVICE, .family = FAMILY_V6};

static struct element_key key4(uint32_t n)
{
	uint32_t wire = htonl(n);
	struct addr a = addr_from_bytes(FAMILY_V4, &wire);
	return element_key_addr(&a);
}

static struct element_key key6_service(uint8_t last, uint16_t port)
{
	uint8_t bytes[16] = {0x2a, [15] = last};
	struct addr a = addr_from_bytes(FAMILY_V6, bytes);
	return element_key_service(&a, 6, port);
}

#define NFT_TYPE(message) (NFNL_SUBSYS_NFTABLES << 8 | (message))

static uint64_t space[4096];

static struct nlmsghdr *answer(uint16_t type)
{
	memset(space, 0, sizeof(space));
	struct nlmsghdr *h = mnl_nlmsg_put_header(space);
	h->nlmsg_type = type;
	h->nlmsg_seq = 9;
	if (type >> 8) {
		struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
		g->res_id = htons(0xbeef);
	}
	return h;
}

static struct nft_msg read_one(const struct nlmsghdr *h)
{
	struct nft_msg_reader r = nft_msg_reader_over(h, h->nlmsg_len);
	struct nft_msg m = {.seq = 0};
	if (!nft_msg_next(&r, &m) || nft_msg_next(&r, &m) || r.damaged)
		m.kind = (enum nft_msg_kind) - 1;
	return m;
}

static void put_set(struct nlmsghdr *h, uint32_t type, uint32_t len, uint32_t flags)
{
	mnl_attr_put_strz(h, NFTA_SET_TABLE, "filter");
	mnl_attr_put_strz(h, NFTA_SET_NAME, "voip4");
	mnl_attr_put_u32(h, NFTA_SET_KEY_TYPE, htonl(type));
	mnl_attr_put_u32(h, NFTA_SET_KEY_LEN, htonl(len));
	mnl_attr_put_u32(h, NFTA_SET_FLAGS, htonl(flags));
}

static void test_sets_we_can_fill_are_recognised(void)
{
	static const struct {
		uint32_t type, len, flags;
		enum set_layout layout;
		enum family family;
	} rows[] = {
		{7, 4, 0, SET_LAYOUT_ADDR, FAMILY_V4},
		{7, 4, NFT_SET_TIMEOUT | NFT_SET_EVAL, SET_LAYOUT_ADDR, FAMILY_V4},
		{8, 16, NFT_SET_TIMEOUT, SET_LAYOUT_ADDR, FAMILY_V6},
		{7 << 12 | 12 << 6 | 13, 12, NFT_SET_CONCAT, SET_LAYOUT_ADDR_PROTO_SERVICE,
			FAMILY_V4},
		{8 << 12 | 12 << 6 | 13, 24, NFT_SET_CONCAT, SET_LAYOUT_ADDR_PROTO_SERVICE,
			FAMILY_V6},
		{7 << 6 | 13, 8, NFT_SET_CONCAT, SET_LAYOUT_ADDR_SERVICE, FAMILY_V4},
		{8 << 6 | 13, 20, NFT_SET_CONCAT, SET_LAYOUT_ADDR_SERVICE, FAMILY_V6},
		{7, 4, NFT_SET_INTERVAL, SET_LAYOUT_ADDR, FAMILY_V4},
		{8, 16, NFT_SET_INTERVAL | NFT_SET_TIMEOUT, SET_LAYOUT_ADDR, FAMILY_V6},
		{7 << 12 | 12 << 6 | 13, 12, NFT_SET_CONCAT | NFT_SET_INTERVAL,
			SET_LAYOUT_ADDR_PROTO_SERVICE, FAMILY_V4},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct nlmsghdr *h = answer(NFT_TYPE(NFT_MSG_NEWSET));
		put_set(h, rows[i].type, rows[i].len, rows[i].flags);
		if (rows[i].flags & NFT_SET_TIMEOUT)
			mnl_attr_put_u64(h, NFTA_SET_TIMEOUT, htobe64(5000));
		struct nlattr *d = mnl_attr_nest_start(h, NFTA_SET_DESC);
		mnl_attr_put_u32(h, NFTA_SET_DESC_SIZE, htonl(77));
		mnl_attr_nest_end(h, d);
		struct nft_msg m = read_one(h);
		CHECK_INT(m.kind, NFT_MSG_KIND_SET);
		CHECK_INT(m.seq, 9);
		CHECK_INT(m.generation_16, 0xbeef);
		struct set_kind k;
		CHECK_INT(nft_msg_decode_set(&m, &k), 0);
		CHECK(!k.unusable);
		CHECK_INT(k.layout, rows[i].layout);
		CHECK_INT(k.family, rows[i].family);
		CHECK_INT(k.flags, rows[i].flags);
		CHECK_INT(k.has_timeout, (rows[i].flags & NFT_SET_TIMEOUT) != 0);
		CHECK_INT(k.timeout_ms, k.has_timeout ? 5000 : 0);
		CHECK_INT(k.size, 77);
		CHECK_INT(k.interval, (rows[i].flags & NFT_SET_INTERVAL) != 0);
		CHECK(!k.auto_merge);
	}
}

static void put_expr(struct nlmsghdr *h, uint16_t attr, const char *name)
{
	struct nlattr *e = mnl_attr_nest_start(h, attr);
	mnl_attr_put_strz(h, NFTA_EXPR_NAME, name);
	mnl_attr_nest_end(h, e);
}

static void test_sets_we_cannot_fill_say_why(void)
{
	static const struct {
		uint32_t type, len, flags;
		const char *expr, *why;
	} rows[] = {
		/* Without flag concat the kernel takes them for one long number. */
		{7 << 12 | 12 << 6 | 13, 12, NFT_SET_INTERVAL, NULL, "no longer makes"},
		{7, 4, NFT_SET_MAP, NULL, "map"},
		{7, 4, NFT_SET_OBJECT, NULL, "map"},
		{7, 4, NFT_SET_CONSTANT, NULL, "constant"},
		{7, 4, NFT_SET_ANONYMOUS | NFT_SET_CONSTANT, NULL, "anonymous"},
		{9, 6, 0, NULL, "type"},
		{9 << 6 | 13, 12, NFT_SET_CONCAT, NULL, "type"},
		{7 << 12 | 13 << 6 | 12, 12, NFT_SET_CONCAT, NULL, "type"},
		{7, 16, 0, NULL, "as long"},
		{7 << 6 | 13, 12, NFT_SET_CONCAT, NULL, "as long"},
		{7, 8, NFT_SET_INTERVAL, NULL, "as long"},
		{7, 4, 0, "counter", NULL},
		{7, 4, 0, "limit", "statement"},
		{7, 4, 0, "counters", "statement"},
		{7, 4, 0, "c", "statement"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (int many = 0; many < 2; many++) {
			struct nlmsghdr *h = answer(NFT_TYPE(NFT_MSG_NEWSET));
			put_set(h, rows[i].type, rows[i].len, rows[i].flags);
			if (rows[i].expr && !many)
				put_expr(h, NFTA_SET_EXPR, rows[i].expr);
			if (rows[i].expr && many) {
				struct nlattr *l = mnl_attr_nest_start(h, NFTA_SET_EXPRESSIONS);
				put_expr(h, NFTA_LIST_ELEM, "counter");
				put_expr(h, NFTA_LIST_ELEM, rows[i].expr);
				mnl_attr_nest_end(h, l);
			}
			struct nft_msg m = read_one(h);
			struct set_kind k;
			CHECK_INT(nft_msg_decode_set(&m, &k), 0);
			CHECK(!k.unusable == !rows[i].why);
			CHECK(!k.unusable || strstr(k.unusable, rows[i].why));
		}
	}
	struct nft_msg m = read_one(answer(NFT_TYPE(NFT_MSG_NEWSET)));
	struct set_kind k;
	CHECK_INT(nft_msg_decode_set(&m, &k), -EBADMSG);
}

struct got {
	struct set_entry e[16];
	size_t count;
};

static void on_entry(const struct set_entry *e, void *userdata)
{
	struct got *g = userdata;
	if (g->count < ARRAY_LEN(g->e))
		g->e[g->count] = *e;
	g->count++;
}

static void put_key(struct nlmsghdr *h, const void *key, size_t len)
{
	struct nlattr *k = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY);
	mnl_attr_put(h, NFTA_DATA_VALUE, len, key);
	mnl_attr_nest_end(h, k);
}

static struct nlattr *element_of(struct nlmsghdr *h, const void *key, size_t len)
{
	struct nlattr *e = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	if (len)
		put_key(h, key, len);
	return e;
}

static struct nlattr *open_elements(struct nlmsghdr **ret)
{
	*ret = answer(NFT_TYPE(NFT_MSG_NEWSETELEM));
	mnl_attr_put_strz(*ret, NFTA_SET_ELEM_LIST_TABLE, "filter");
	mnl_attr_put_strz(*ret, NFTA_SET_ELEM_LIST_SET, "voip4");
	return mnl_attr_nest_start(*ret, NFTA_SET_ELEM_LIST_ELEMENTS);
}

/* One element with that userdata, or none when `len` is 0. */
static bool is_ours(const void *userdata, size_t len)
{
	struct nlmsghdr *h;
	struct nlattr *list = open_elements(&h);
	struct nlattr *e = element_of(h, "\xc0\x00\x02\x01", 4);
	if (len)
		mnl_attr_put(h, NFTA_SET_ELEM_USERDATA, len, userdata);
	mnl_attr_nest_end(h, e);
	mnl_attr_nest_end(h, list);
	struct nft_msg m = read_one(h);
	struct got g = {.count = 0};
	size_t strange = 0;
	nft_msg_decode_entries(&m, on_entry, &g, &strange);
	return g.count == 1 && strange == 0 && g.e[0].ours;
}

static void test_only_the_exact_tag_makes_an_element_ours(void)
{
	CHECK(is_ours("\x00\x0b"
		      "allowsyncd",
		13));
	/* Another record before it, and after it. */
	CHECK(is_ours("\x01\x04\x01\x00\x00\x00\x00\x0b"
		      "allowsyncd",
		19));
	CHECK(is_ours("\x00\x0b"
		      "allowsyncd\0\x01\x04\x01\x00\x00\x00",
		19));
	CHECK(!is_ours(NULL, 0));
	CHECK(!is_ours("\x00\x0b"
		       "allowsynce",
		13));
	CHECK(!is_ours("\x00\x0a"
		       "allowsyncd",
		12)); /* no NUL */
	CHECK(!is_ours("\x00\x0c"
		       "allowsyncd2",
		14));
	CHECK(!is_ours("\x00\x0a"
		       "allowsync",
		12));
	CHECK(!is_ours("\x02\x0b"
		       "allowsyncd",
		13));
	CHECK(!is_ours("\x00\x0b"
		       "allowsync",
		11)); /* says more than there is */
	CHECK(!is_ours("\x00\xff"
		       "allowsyncd",
		13));
	CHECK(!is_ours("\x00", 1));
	/* The comment is the first one; nft knows no second. */
	CHECK(!is_ours("\x00\x02"
		       "x\0\x00\x0b"
		       "allowsyncd",
		17));
}

static void put_key_end(struct nlmsghdr *h, const void *key, size_t len)
{
	struct nlattr *k = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY_END);
	if (len)
		mnl_attr_put(h, NFTA_DATA_VALUE, len, key);
	mnl_attr_nest_end(h, k);
}

/* What of it the set's kind makes strange is core/live_feed's to say. */
static void test_entries_of_every_sort_are_told_apart(void)
{
	struct nlmsghdr *h;
	struct nlattr *e, *list = open_elements(&h);
	e = element_of(h, "\xc0\x00\x02\x01", 4);
	mnl_attr_nest_end(h, e);
	e = element_of(h, "\xc0\x00\x02\x02", 4);
	mnl_attr_put_u64(h, NFTA_SET_ELEM_TIMEOUT, htobe64(1000));
	mnl_attr_put_u64(h, NFTA_SET_ELEM_EXPIRATION, htobe64(500));
	mnl_attr_nest_end(h, e);
	e = element_of(h, "\xc0\x00\x02\x03", 4); /* permanent where the set has a default */
	mnl_attr_put_u64(h, NFTA_SET_ELEM_TIMEOUT, 0);
	put_expr(h, NFTA_SET_ELEM_EXPR, "counter");
	mnl_attr_put_u32(h, NFTA_SET_ELEM_FLAGS, 0);
	mnl_attr_nest_end(h, e);
	e = element_of(h, "\xc0\x00\x02\x04", 4);
	mnl_attr_put_u32(h, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	mnl_attr_nest_end(h, e);
	e = element_of(h, "\xc0\x00\x02\x05\x00", 5);
	mnl_attr_nest_end(h, e);
	e = element_of(h, "\xc0\x00\x02", 3);
	put_key_end(h, "\xc0\x00\x03", 3);
	mnl_attr_put(h, NFTA_SET_ELEM_USERDATA, 19,
		"\x00\x0b"
		"allowsyncd\0\x01\x04\x01\x00\x00\x00");
	mnl_attr_nest_end(h, e);
	mnl_attr_nest_end(h, list);

	struct nft_msg m = read_one(h);
	CHECK_INT(m.kind, NFT_MSG_KIND_ELEMENTS);
	struct got g = {.count = 0};
	size_t strange = 0;
	nft_msg_decode_entries(&m, on_entry, &g, &strange);
	CHECK_INT(g.count, 6);
	CHECK_INT(strange, 0);
	for (uint32_t i = 0; i < 6; i++) {
		struct element_key want = key4(0xc0000201 + i);
		want.len = i == 4 ? 5 : i == 5 ? 3 : 4;
		if (i == 5)
			want.bytes[3] = 0;
		CHECK(element_key_eq(&g.e[i].key, &want));
		CHECK_INT(g.e[i].ours, i == 5);
		CHECK_INT(g.e[i].expires, i == 1);
		CHECK_INT(g.e[i].is_end, i == 3);
		CHECK_INT(g.e[i].is_open, i == 5);
		CHECK_INT(g.e[i].last.len, i == 5 ? 3 : 0);
	}
	CHECK(memcmp(g.e[5].last.bytes, "\xc0\x00\x03", 3) == 0);

	list = open_elements(&h); /* none at all: dumps have such messages */
	mnl_attr_nest_end(h, list);
	m = read_one(h);
	nft_msg_decode_entries(&m, on_entry, &g, &strange);
	CHECK_INT(g.count, 6);
	CHECK_INT(strange, 0);
}

static void test_what_no_set_of_ours_has_is_strange(void)
{
	static const uint8_t bytes[ELEMENT_KEY_PART_MAX + 1] = {10};
	struct nlmsghdr *h;
	struct nlattr *e, *list = open_elements(&h);
	e = element_of(h, NULL, 0); /* the catch-all */
	mnl_attr_put_u32(h, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_CATCHALL));
	mnl_attr_nest_end(h, e);
	e = element_of(h, bytes, 4); /* flags of a later kernel */
	mnl_attr_put_u32(h, NFTA_SET_ELEM_FLAGS, htonl(64 | NFT_SET_ELEM_INTERVAL_END));
	mnl_attr_nest_end(h, e);
	e = element_of(h, bytes, 4); /* a mapping */
	struct nlattr *data = mnl_attr_nest_start(h, NFTA_SET_ELEM_DATA);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, e);
	e = element_of(h, bytes, 4);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_OBJREF, "counter");
	mnl_attr_nest_end(h, e);
	e = element_of(h, bytes, ELEMENT_KEY_PART_MAX + 1);
	mnl_attr_nest_end(h, e);
	e = element_of(h, bytes, 4);
	put_key_end(h, bytes, ELEMENT_KEY_PART_MAX + 1);
	mnl_attr_nest_end(h, e);
	e = element_of(h, bytes, 4);
	put_key_end(h, NULL, 0);
	mnl_attr_nest_end(h, e);
	e = element_of(h, bytes, 4);
	mnl_attr_put_u8(h, NFTA_SET_ELEM_FLAGS, 0);
	mnl_attr_nest_end(h, e);
	mnl_attr_nest_end(h, list);
	struct nft_msg m = read_one(h);
	struct got g = {.count = 0};
	size_t strange = 0;
	nft_msg_decode_entries(&m, on_entry, &g, &strange);
	CHECK_INT(g.count, 0);
	CHECK_INT(strange, 8);
}

static void test_what_we_encode_decodes_to_the_same(void)
{
	char table[] = "nat", name[] = "s";
	struct set_id id = {NFPROTO_IPV6, table, name};
	struct plan p = PLAN_NULL;
	struct plan_set *s = plan_for_set(&p, 0, &id, &v6_service);
	for (uint8_t i = 0; i < 10; i++) {
		struct element_key k = key6_service(i, (uint16_t)(i * 1000));
		plan_add(s, &k);
	}
	struct nft_msg_batch b = NFT_MSG_BATCH_NULL;
	CHECK_INT(nft_msg_batch_encode(&b, &p, 1), 0);
	struct nft_msg_reader r = nft_msg_reader_over(b.data, b.len);
	struct nft_msg m;
	struct got g = {.count = 0};
	size_t strange = 0;
	while (nft_msg_next(&r, &m))
		if (m.kind == NFT_MSG_KIND_ELEMENTS)
			nft_msg_decode_entries(&m, on_entry, &g, &strange);
	CHECK(!r.damaged);
	CHECK_INT(strange, 0);
	CHECK_INT(g.count, 10);
	for (size_t i = 0; i < 10; i++)
		CHECK(g.e[i].ours && element_key_eq(&g.e[i].key, &s->adds[i]));
	nft_msg_batch_done(&b);
	plan_done(&p);
}

static void test_errors_are_read_and_nonsense_is_a_protocol_error(void)
{
	static const struct {
		int32_t wire;
		int want;
	} rows[] = {{0, 0}, {-ENOENT, ENOENT}, {-ERESTART, ERESTART}, {1, EPROTO},
		{INT32_MIN, EPROTO}, {-4096, EPROTO}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct nlmsghdr *h = answer(NLMSG_ERROR);
		struct nlmsgerr *e = mnl_nlmsg_put_extra_header(h, sizeof(*e));
		e->error = rows[i].wire;
		struct nft_msg m = read_one(h);
		CHECK_INT(m.kind, NFT_MSG_KIND_ERROR);
		CHECK_INT(m.error, rows[i].want);
	}
	struct nft_msg m = read_one(answer(NLMSG_ERROR));
	CHECK_INT(m.error, EPROTO);
	m = read_one(answer(NLMSG_DONE));
	CHECK_INT(m.kind, NFT_MSG_KIND_DUMP_END);
	CHECK_INT(m.error, 0);
	struct nlmsghdr *h = answer(NFT_TYPE(NFT_MSG_NEWGEN));
	uint32_t generation = 1;
	m = read_one(h);
	CHECK_INT(nft_msg_decode_generation(&m, &generation), -EBADMSG);
	mnl_attr_put_u32(h, NFTA_GEN_ID, htonl(0x12345678));
	m = read_one(h);
	CHECK_INT(nft_msg_decode_generation(&m, &generation), 0);
	CHECK_INT(generation, 0x12345678);
}

/* Reads everything there is in a datagram, whatever it is. */
static size_t read_all(const void *datagram, size_t len, bool *ret_damaged)
{
	struct nft_msg_reader r = nft_msg_reader_over(datagram, len);
	struct nft_msg m;
	size_t n = 0, strange = 0;
	struct got g = {.count = 0};
	struct set_kind k;
	uint32_t generation;
	for (; nft_msg_next(&r, &m); n++) {
		if (m.kind == NFT_MSG_KIND_SET)
			nft_msg_decode_set(&m, &k);
		else if (m.kind == NFT_MSG_KIND_GENERATION)
			nft_msg_decode_generation(&m, &generation);
		else if (m.kind == NFT_MSG_KIND_ELEMENTS)
			nft_msg_decode_entries(&m, on_entry, &g, &strange);
	}
	*ret_damaged = r.damaged;
	return n;
}

/* A datagram with a message of each sort. */
static size_t sample(uint8_t *ret)
{
	struct nlmsghdr *h;
	size_t len = 0;
	struct nlattr *list = open_elements(&h);
	struct nlattr *e = element_of(h, "\xc0\x00\x02\x01", 4);
	mnl_attr_put(h, NFTA_SET_ELEM_USERDATA, 13,
		"\x00\x0b"
		"allowsyncd");
	put_expr(h, NFTA_SET_ELEM_EXPR, "counter");
	mnl_attr_nest_end(h, e);
	struct element_key k = key6_service(1, 443);
	mnl_attr_nest_end(h, element_of(h, k.bytes, k.len));
	mnl_attr_nest_end(h, list);
	memcpy(ret + len, h, h->nlmsg_len);
	len += h->nlmsg_len;
	h = answer(NFT_TYPE(NFT_MSG_NEWSET));
	put_set(h, 7, 4, NFT_SET_TIMEOUT);
	put_expr(h, NFTA_SET_EXPR, "counter");
	memcpy(ret + len, h, h->nlmsg_len);
	len += h->nlmsg_len;
	h = answer(NFT_TYPE(NFT_MSG_NEWGEN));
	mnl_attr_put_u32(h, NFTA_GEN_ID, 1);
	memcpy(ret + len, h, h->nlmsg_len);
	len += h->nlmsg_len;
	h = answer(NLMSG_DONE);
	memcpy(ret + len, h, h->nlmsg_len);
	return len + h->nlmsg_len;
}

static void test_a_cut_datagram_is_noticed(void)
{
	uint64_t whole[128];
	size_t len = sample((uint8_t *)whole);
	CHECK(len < sizeof(whole));
	bool damaged;
	CHECK_INT(read_all(whole, len, &damaged), 4);
	CHECK(!damaged);
	for (size_t cut = 0; cut < len; cut++) {
		/* Exactly as long as it says, so that a sanitizer sees a read past it. */
		void *part = xmalloc(cut ? cut : 1);
		memcpy(part, whole, cut);
		size_t n = read_all(part, cut, &damaged);
		free(part);
		CHECK(n < 4);
		size_t kept = 0;
		for (size_t at = 0; at < cut && n > 0; n--) {
			const struct nlmsghdr *h = (const void *)((uint8_t *)whole + at);
			at += h->nlmsg_len;
			kept = at;
		}
		CHECK_INT(damaged, kept != cut);
	}
}

static void test_random_damage_is_survived(void)
{
	uint64_t whole[128];
	size_t len = sample((uint8_t *)whole);
	uint32_t seed = 1;
	for (int i = 0; i < 20000; i++) {
		uint8_t *copy = xmemdup(whole, len);
		for (int flips = 0; flips < 1 + i % 4; flips++) {
			seed = seed * 1664525 + 1013904223;
			copy[(seed >> 8) % len] = (uint8_t)(seed >> 24);
		}
		bool damaged;
		CHECK(read_all(copy, len, &damaged) <= len / 16);
		free(copy);
	}
}

int main(void)
{
	TAP_RUN(test_sets_we_can_fill_are_recognised);
	TAP_RUN(test_sets_we_cannot_fill_say_why);
	TAP_RUN(test_only_the_exact_tag_makes_an_element_ours);
	TAP_RUN(test_entries_of_every_sort_are_told_apart);
	TAP_RUN(test_what_no_set_of_ours_has_is_strange);
	TAP_RUN(test_what_we_encode_decodes_to_the_same);
	TAP_RUN(test_errors_are_read_and_nonsense_is_a_protocol_error);
	TAP_RUN(test_a_cut_datagram_is_noticed);
	TAP_RUN(test_random_damage_is_survived);
	return tap_done();
}
