/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plans and requests as bytes; libnftnl reads what we write. */
#include "edge/nft_msg.h"

#include "base/mem.h"
#include "tap.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

static char voip_table[] = "filter", voip_name[] = "voip4";
static char other_table[] = "nat.x", other_name[] = "o-6_/a";
static struct set_id voip = {NFPROTO_INET, voip_table, voip_name};
static struct set_id other = {NFPROTO_IPV6, other_table, other_name};
static const struct set_kind v4 = {.layout = SET_LAYOUT_ADDR, .family = FAMILY_V4};
static const struct set_kind v4_default = {.layout = SET_LAYOUT_ADDR,
	.family = FAMILY_V4,
	.flags = NFT_SET_TIMEOUT,
	.has_timeout = true,
	.timeout_ms = 3600000};
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

/* --- what a batch looks like from outside --- */

struct seen {
	unsigned type, flags, family, res_id;
	uint32_t seq;
	size_t elements;
};

static size_t batch_look(const struct nft_msg_batch *b, struct seen *ret, size_t max)
{
	size_t n = 0;
	int left = (int)b->len;
	const struct nlmsghdr *h = (const void *)b->data;
	for (; mnl_nlmsg_ok(h, left) && n < max; h = mnl_nlmsg_next(h, &left)) {
		const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);
		ret[n] = (struct seen){h->nlmsg_type, h->nlmsg_flags, g->nfgen_family,
			ntohs(g->res_id), h->nlmsg_seq, 0};
		struct nlattr *a;
		mnl_attr_for_each(a, h, sizeof(*g))
		{
			if (h->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES ||
				mnl_attr_get_type(a) != NFTA_SET_ELEM_LIST_ELEMENTS)
				continue;
			struct nlattr *e;
			mnl_attr_for_each_nested(e, a) ret[n].elements++;
		}
		n++;
	}
	return left == 0 ? n : 0;
}

/* What libnftnl makes of the message at that place. */
static struct nftnl_set *read_with_libnftnl(const struct nft_msg_batch *b, size_t place)
{
	int left = (int)b->len;
	const struct nlmsghdr *h = (const void *)b->data;
	for (size_t i = 0; i < place; i++)
		h = mnl_nlmsg_next(h, &left);
	struct nftnl_set *s = nftnl_set_alloc();
	if (nftnl_set_elems_nlmsg_parse(h, s) == 0)
		return s;
	nftnl_set_free(s);
	return NULL;
}

#define NFT_TYPE(message) (NFNL_SUBSYS_NFTABLES << 8 | (message))

static void test_deletes_come_before_adds_between_the_fences(void)
{
	struct plan p = PLAN_NULL;
	struct plan_set *s = plan_for_set(&p, 7, &voip, &v4);
	plan_add(s, &(struct element_key){4, {192, 0, 2, 1}});
	plan_delete(s, &(struct element_key){4, {192, 0, 2, 2}});
	struct nft_msg_batch b = NFT_MSG_BATCH_NULL;
	CHECK_INT(nft_msg_batch_encode(&b, &p, 100), 0);
	struct seen m[8];
	CHECK_INT(batch_look(&b, m, 8), 5);
	CHECK_INT(nft_msg_batch_count(&b), 5);
	CHECK_INT(m[0].type, NFNL_MSG_BATCH_BEGIN);
	CHECK_INT(m[0].res_id, NFNL_SUBSYS_NFTABLES);
	CHECK_INT(m[1].type, NFT_TYPE(NFT_MSG_NEWSETELEM));
	CHECK_INT(m[2].type, NFT_TYPE(NFT_MSG_DELSETELEM));
	CHECK_INT(m[3].type, NFT_TYPE(NFT_MSG_NEWSETELEM));
	CHECK_INT(m[4].type, NFNL_MSG_BATCH_END);
	for (int i = 0; i < 5; i++)
		CHECK_INT(m[i].seq, 100 + i);
	for (int i = 1; i < 4; i++)
		CHECK_INT(m[i].family, NFPROTO_INET);
	/* Only the one without elements asks for an echo; none for an acknowledgement. */
	CHECK_INT(m[1].elements, 0);
	CHECK_INT(m[1].flags, NLM_F_REQUEST | NLM_F_ECHO);
	CHECK_INT(m[2].elements, 1);
	CHECK_INT(m[2].flags, NLM_F_REQUEST);
	CHECK_INT(m[3].elements, 1);
	CHECK_INT(m[3].flags, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL);
	/* What is there already is no error for a renewal. */
	plan_renew(s, &(struct element_key){4, {192, 0, 2, 3}});
	CHECK_INT(nft_msg_batch_encode(&b, &p, 100), 0);
	CHECK_INT(batch_look(&b, m, 8), 6);
	CHECK_INT(m[4].type, NFT_TYPE(NFT_MSG_NEWSETELEM));
	CHECK_INT(m[4].flags, NLM_F_REQUEST | NLM_F_CREATE);
	nft_msg_batch_done(&b);
	plan_done(&p);
}

static void test_the_generation_is_named_only_when_the_plan_has_one(void)
{
	struct plan p = PLAN_NULL;
	plan_add(plan_for_set(&p, 0, &voip, &v4), &(struct element_key){4, {192, 0, 2, 1}});
	struct nft_msg_batch b = NFT_MSG_BATCH_NULL;
	CHECK_INT(nft_msg_batch_encode(&b, &p, 1), 0);
	const struct nlmsghdr *h = (const void *)b.data;
	CHECK_INT(h->nlmsg_len, 20);
	p.has_generation = true;
	p.generation = 0x01020304;
	CHECK_INT(nft_msg_batch_encode(&b, &p, 1), 0);
	h = (const void *)b.data;
	CHECK_INT(h->nlmsg_len, 28);
	CHECK(memcmp(b.data + 20, (uint8_t[]){8, 0, 1, 0, 1, 2, 3, 4}, 8) == 0);
	nft_msg_batch_done(&b);
	plan_done(&p);
}

static void test_adds_carry_the_tag_and_deletes_do_not(void)
{
	struct plan p = PLAN_NULL;
	struct plan_set *s = plan_for_set(&p, 0, &voip, &v4);
	struct element_key one = key4(0xc0000201), two = key4(0xc0000202);
	plan_add(s, &one);
	plan_delete(s, &two);
	struct nft_msg_batch b = NFT_MSG_BATCH_NULL;
	CHECK_INT(nft_msg_batch_encode(&b, &p, 1), 0);
	for (size_t place = 2; place < 4; place++) {
		struct nftnl_set *set = read_with_libnftnl(&b, place);
		CHECK(set);
		CHECK_STR(nftnl_set_get_str(set, NFTNL_SET_TABLE), "filter");
		CHECK_STR(nftnl_set_get_str(set, NFTNL_SET_NAME), "voip4");
		struct nftnl_set_elems_iter *it = nftnl_set_elems_iter_create(set);
		struct nftnl_set_elem *e = nftnl_set_elems_iter_next(it);
		uint32_t len;
		const void *key = nftnl_set_elem_get(e, NFTNL_SET_ELEM_KEY, &len);
		CHECK_INT(len, 4);
		CHECK(memcmp(key, place == 2 ? two.bytes : one.bytes, 4) == 0);
		CHECK(!nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_TIMEOUT));
		CHECK_INT(nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_USERDATA), place == 3);
		if (place == 3) {
			const struct nftnl_udata *u =
				nftnl_set_elem_get(e, NFTNL_SET_ELEM_USERDATA, &len);
			CHECK_INT(nftnl_udata_type(u), NFTNL_UDATA_SET_ELEM_COMMENT);
			CHECK_INT(nftnl_udata_len(u), sizeof("allowsyncd"));
			CHECK_STR((const char *)nftnl_udata_get(u), "allowsyncd");
		}
		CHECK(!nftnl_set_elems_iter_next(it));
		nftnl_set_elems_iter_destroy(it);
		nftnl_set_free(set);
	}
	nft_msg_batch_done(&b);
	plan_done(&p);
}

static void test_adds_say_permanent_where_the_set_has_a_default(void)
{
	struct plan p = PLAN_NULL;
	struct element_key k = key4(0xc0000201);
	struct plan_set *s = plan_for_set(&p, 0, &voip, &v4_default);
	plan_add(s, &k);
	plan_delete(s, &k);
	struct set_kind without = v4_default;
	without.timeout_ms = 0;
	plan_add(plan_for_set(&p, 1, &voip, &without), &k);
	struct nft_msg_batch b = NFT_MSG_BATCH_NULL;
	CHECK_INT(nft_msg_batch_encode(&b, &p, 1), 0);
	for (size_t place = 2; place < 5; place++) {
		struct nftnl_set *set = read_with_libnftnl(&b, place);
		CHECK(set);
		struct nftnl_set_elems_iter *it = nftnl_set_elems_iter_create(set);
		struct nftnl_set_elem *e = nftnl_set_elems_iter_next(it);
		CHECK_INT(nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_TIMEOUT), place == 3);
		if (place == 3)
			CHECK_INT(nftnl_set_elem_get_u64(e, NFTNL_SET_ELEM_TIMEOUT), 0);
		nftnl_set_elems_iter_destroy(it);
		nftnl_set_free(set);
	}
	nft_msg_batch_done(&b);
	plan_done(&p);
}

static void test_long_lists_are_split_below_what_their_length_can_say(void)
{
	struct plan p = PLAN_NULL;
	struct plan_set *s = plan_for_set(&p, 0, &voip, &v4_default);
	enum { COUNT = 100000 };
	for (uint32_t i = 0; i < COUNT; i++) {
		struct element_key k = key4(i);
		plan_add(s, &k);
	}
	struct nft_msg_batch b = NFT_MSG_BATCH_NULL;
	CHECK_INT(nft_msg_batch_encode(&b, &p, 1), 0);
	uint32_t next = 0;
	int left = (int)b.len;
	const struct nlmsghdr *h = (const void *)b.data;
	for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
		CHECK(h->nlmsg_len <= NFT_MSG_LIST_MAX + 600);
		if (h->nlmsg_type != NFT_TYPE(NFT_MSG_NEWSETELEM))
			continue;
		struct nft_msg_reader r = nft_msg_reader_over(h, h->nlmsg_len);
		struct nlattr *a, *e, *k, *v;
		struct nft_msg m;
		CHECK(nft_msg_next(&r, &m));
		mnl_attr_for_each(a, h, sizeof(struct nfgenmsg))
		{
			if (mnl_attr_get_type(a) != NFTA_SET_ELEM_LIST_ELEMENTS)
				continue;
			mnl_attr_for_each_nested(e, a)
			{
				k = mnl_attr_get_payload(e);
				v = mnl_attr_get_payload(k);
				CHECK_INT(ntohl(mnl_attr_get_u32(v)), next);
				next++;
			}
		}
	}
	CHECK_INT(left, 0);
	CHECK_INT(next, COUNT);
	nft_msg_batch_done(&b);
	plan_done(&p);
}

static void test_numbers_lead_back_to_the_set_also_when_they_wrap(void)
{
	struct plan p = PLAN_NULL;
	struct element_key k = key4(1), k6 = key6_service(1, 443);
	plan_for_set(&p, 3, &voip, &v4); /* without a change: no message */
	struct plan_set *s = plan_for_set(&p, 4, &voip, &v4);
	plan_add(s, &k);
	plan_delete(s, &k);
	plan_add(plan_for_set(&p, 5, &other, &v6_service), &k6);
	struct nft_msg_batch b = NFT_MSG_BATCH_NULL;
	uint32_t first = UINT32_MAX - 2;
	CHECK_INT(nft_msg_batch_encode(&b, &p, first), 0);
	struct seen m[8];
	CHECK_INT(batch_look(&b, m, 8), 6);
	size_t set;
	CHECK(!nft_msg_batch_has(&b, first - 1));
	CHECK(nft_msg_batch_has(&b, first) && !nft_msg_batch_find(&b, first, &set));
	CHECK(nft_msg_batch_has(&b, first + 1) && !nft_msg_batch_find(&b, first + 1, &set));
	CHECK(nft_msg_batch_find(&b, m[2].seq, &set));
	CHECK_INT(set, 1);
	CHECK(nft_msg_batch_find(&b, m[3].seq, &set));
	CHECK_INT(set, 1);
	CHECK(nft_msg_batch_find(&b, m[4].seq, &set));
	CHECK_INT(set, 2);
	CHECK_INT(m[4].family, NFPROTO_IPV6);
	CHECK(nft_msg_batch_has(&b, m[5].seq) && !nft_msg_batch_find(&b, m[5].seq, &set));
	CHECK_INT(m[5].seq, 2);
	CHECK(!nft_msg_batch_has(&b, m[5].seq + 1));
	nft_msg_batch_done(&b);
	plan_done(&p);
}

static void test_a_used_buffer_leaks_nothing_into_the_next_batch(void)
{
	struct plan p = PLAN_NULL;
	struct element_key k = key4(1);
	plan_add(plan_for_set(&p, 0, &voip, &v4_default), &k);
	struct nft_msg_batch clean = NFT_MSG_BATCH_NULL, used = NFT_MSG_BATCH_NULL;
	CHECK_INT(nft_msg_batch_encode(&clean, &p, 1), 0);
	used.capacity = 8192;
	used.data = xmalloc(used.capacity);
	memset(used.data, 0xa5, used.capacity);
	CHECK_INT(nft_msg_batch_encode(&used, &p, 1), 0);
	CHECK_INT(used.len, clean.len);
	CHECK(memcmp(used.data, clean.data, clean.len) == 0);
	/* Written byte by byte: nothing of the old content is left in the padding either. */
	CHECK(!memchr(used.data, 0xa5, used.len));
	nft_msg_batch_done(&clean);
	nft_msg_batch_done(&used);
	plan_done(&p);
}

static void test_names_too_long_for_the_kernel_are_refused(void)
{
	char name[258];
	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	struct set_id id = {NFPROTO_INET, name, voip.name};
	struct plan p = PLAN_NULL;
	struct element_key k = key4(1);
	plan_add(plan_for_set(&p, 0, &id, &v4), &k);
	struct nft_msg_batch b = NFT_MSG_BATCH_NULL;
	CHECK_INT(nft_msg_batch_encode(&b, &p, 1), -ENAMETOOLONG);
	uint32_t request[NFT_MSG_REQUEST_MAX / 4];
	CHECK_INT(nft_msg_encode_get_set(request, 1, &id), 0);
	CHECK_INT(nft_msg_encode_dump(request, 1, &id), 0);
	name[255] = '\0';
	id.name = name;
	CHECK_INT(nft_msg_batch_encode(&b, &p, 1), 0);
	CHECK(nft_msg_encode_get_set(request, 1, &id) <= NFT_MSG_REQUEST_MAX);
	CHECK(nft_msg_encode_dump(request, 1, &id) > 0);
	nft_msg_batch_done(&b);
	plan_done(&p);
}

/* --- ranges --- */

static const struct set_kind ranges4 = {
	.layout = SET_LAYOUT_ADDR, .family = FAMILY_V4, .interval = true};
static const struct set_kind ranges6 = {.layout = SET_LAYOUT_ADDR,
	.family = FAMILY_V6,
	.interval = true,
	.has_timeout = true,
	.timeout_ms = 3600000,
	.fuse_ms = 20000};

static struct element_key range4(uint32_t first, uint32_t last)
{
	struct element_value v = {.port_first = 0};
	uint32_t wire = htonl(first);
	v.addr.first = addr_from_bytes(FAMILY_V4, &wire);
	wire = htonl(last);
	v.addr.last = addr_from_bytes(FAMILY_V4, &wire);
	return element_key_encode(&ranges4, &v);
}

static struct element_key range6(uint32_t n, uint32_t count)
{
	struct element_value v = {.port_first = 0};
	uint8_t bytes[16] = {0x2a};
	for (int i = 0; i < 4; i++)
		bytes[15 - i] = (uint8_t)(n >> 8 * i);
	v.addr.first = v.addr.last = addr_from_bytes(FAMILY_V6, bytes);
	v.addr.last.bytes[15] = (uint8_t)(v.addr.last.bytes[15] + count - 1);
	return element_key_encode(&ranges6, &v);
}

/* What a message says, entry by entry: "+0a000000 ours", "-0a000100 end". */
struct listing {
	char text[1024];
	size_t len, entries, bad;
	struct element_key start; /* of a range of which the end has not come */
};

static void on_entry(const struct set_entry *e, void *userdata)
{
	struct listing *l = userdata;
	l->entries++;
	/* Neither of the two is alone. */
	if (e->is_end ? !l->start.len || element_key_cmp(&e->key, &l->start) <= 0
		      : l->start.len != 0)
		l->bad++;
	l->start = e->is_end ? (struct element_key){0} : e->key;
	if (l->len > sizeof(l->text) - 200)
		return;
	for (size_t i = 0; i < e->key.len; i++)
		l->len += (size_t)snprintf(
			l->text + l->len, sizeof(l->text) - l->len, "%02x", e->key.bytes[i]);
	for (size_t i = 0; i < e->last.len; i++)
		l->len += (size_t)snprintf(l->text + l->len, sizeof(l->text) - l->len, "%s%02x",
			i ? "" : "-", e->last.bytes[i]);
	l->len += (size_t)snprintf(l->text + l->len, sizeof(l->text) - l->len, "%s%s%s%s ",
		e->is_end ? " end" : "", e->is_open ? " open" : "", e->ours ? " ours" : "",
		e->expires ? " expires" : "");
}

/* A line for each message with elements: "+ ...", "! ..." for an addition that must be new. */
static const char *say(const struct plan *p)
{
	static struct listing l;
	struct nft_msg_batch b = NFT_MSG_BATCH_NULL;
	CHECK_INT(nft_msg_batch_encode(&b, p, 1), 0);
	l = (struct listing){.len = 0};
	int left = (int)b.len;
	const struct nlmsghdr *h = (const void *)b.data;
	for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
		size_t strange = 0;
		if (h->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES || h->nlmsg_flags & NLM_F_ECHO)
			continue;
		bool adds = h->nlmsg_type == NFT_TYPE(NFT_MSG_NEWSETELEM);
		l.len += (size_t)snprintf(l.text + l.len, sizeof(l.text) - l.len, "%s%s",
			l.len ? "\n" : "",
			!adds                         ? "- "
			: h->nlmsg_flags & NLM_F_EXCL ? "! "
						      : "+ ");
		struct nft_msg m = {.kind = NFT_MSG_KIND_ELEMENTS, .header = h};
		l.start.len = 0;
		nft_msg_decode_entries(&m, on_entry, &l, &strange);
		CHECK_INT(strange, 0);
	}
	nft_msg_batch_done(&b);
	return l.text;
}

static void test_a_range_is_its_start_and_the_first_address_behind_it(void)
{
	struct plan p = PLAN_NULL;
	struct plan_set *s = plan_for_set(&p, 0, &voip, &ranges4);
	struct element_key one = range4(0x0a000000, 0x0a0000ff), single = range4(0, 0);
	plan_add(s, &one);
	plan_delete(s, &single);
	CHECK_STR(say(&p), "- 00000000 00000001 end \n! 0a000000 ours 0a000100 end ");
	plan_done(&p);
}

/* Its flag is for nft and for whoever hears of it: nothing follows. */
static void test_a_range_up_to_the_last_address_has_no_end_and_says_so(void)
{
	struct plan p = PLAN_NULL;
	struct plan_set *s = plan_for_set(&p, 0, &voip, &ranges4);
	struct element_key to_last = range4(0xff000000, 0xffffffff);
	struct element_key before = range4(0xfe000000, 0xfeffffff);
	plan_add(s, &before);
	plan_add(s, &to_last);
	plan_delete(s, &to_last);
	CHECK_STR(say(&p), "- ff000000 \n! fe000000 ours ff000000 end ff000000 open ours ");
	plan_done(&p);
}

static void test_concatenations_with_flag_interval_say_their_last_key(void)
{
	static const struct set_kind boxes = {
		.layout = SET_LAYOUT_ADDR_SERVICE, .family = FAMILY_V4, .interval = true};
	struct element_value v = {.port_first = 80, .port_last = 90};
	struct plan p = PLAN_NULL;
	struct plan_set *s = plan_for_set(&p, 0, &voip, &boxes);
	v.addr.first = v.addr.last = addr_from_bytes(FAMILY_V4, "\x0a\0\0\1");
	v.addr.last.bytes[3] = 9;
	struct element_key k = element_key_encode(&boxes, &v);
	plan_add(s, &k);
	plan_delete(s, &k);
	CHECK_STR(say(&p), "- 0a00000100500000-0a000009005a0000 \n"
			   "! 0a00000100500000-0a000009005a0000 ours ");
	plan_done(&p);
}

static void test_renewals_say_the_time_that_is_left_and_come_last(void)
{
	struct plan p = PLAN_NULL;
	struct plan_set *s = plan_for_set(&p, 0, &voip, &ranges4);
	struct element_key one = range4(0x0a000000, 0x0a0000ff), two = range4(1, 1);
	s->kind.has_timeout = true;
	s->kind.fuse_ms = 20000;
	plan_renew(s, &one);
	plan_add(s, &two);
	CHECK_STR(say(&p), "! 00000001 ours 00000002 end \n"
			   "+ 0a000000 ours expires 0a000100 end ");
	/* Where the kernel would keep the old time. */
	p.replaces = true;
	CHECK_STR(say(&p), "! 00000001 ours 00000002 end \n- 0a000000 0a000100 end \n"
			   "+ 0a000000 ours expires 0a000100 end ");
	plan_done(&p);
}

/* Of the first element of that message. */
static bool timeout_at(const struct nft_msg_batch *b, size_t place, uint64_t *ret)
{
	struct nftnl_set *set = read_with_libnftnl(b, place);
	struct nftnl_set_elems_iter *it = set ? nftnl_set_elems_iter_create(set) : NULL;
	struct nftnl_set_elem *e = it ? nftnl_set_elems_iter_next(it) : NULL;
	bool says = e && nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_TIMEOUT);
	if (says)
		*ret = nftnl_set_elem_get_u64(e, NFTNL_SET_ELEM_TIMEOUT);
	if (it)
		nftnl_set_elems_iter_destroy(it);
	nftnl_set_free(set);
	return says;
}

static void test_adds_and_renewals_say_their_fuse(void)
{
	static const struct {
		uint64_t timeout_ms, fuse_ms;
		bool add_says, renewal_says;
	} rows[] = {{0, 0, false, true}, {0, 5000, true, true}, {3600000, 0, true, true},
		{3600000, 5000, true, true}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct plan p = PLAN_NULL;
		struct plan_set *s = plan_for_set(&p, 0, &voip, &v4_default);
		struct element_key one = key4(1), two = key4(2);
		uint64_t ms = 99;
		s->kind.timeout_ms = rows[i].timeout_ms;
		s->kind.fuse_ms = rows[i].fuse_ms;
		plan_add(s, &one);
		plan_renew(s, &two);
		struct nft_msg_batch b = NFT_MSG_BATCH_NULL;
		CHECK_INT(nft_msg_batch_encode(&b, &p, 1), 0);
		CHECK_INT(timeout_at(&b, 2, &ms), rows[i].add_says);
		CHECK(!rows[i].add_says || ms == rows[i].fuse_ms);
		CHECK(timeout_at(&b, 3, &ms));
		CHECK(ms == rows[i].fuse_ms);
		/* Only where there is a flag for it. */
		s->kind.has_timeout = false;
		CHECK_INT(nft_msg_batch_encode(&b, &p, 1), 0);
		CHECK(!timeout_at(&b, 2, &ms) && !timeout_at(&b, 3, &ms));
		nft_msg_batch_done(&b);
		plan_done(&p);
	}
}

/* A start alone would mean: up to the last address. */
static void test_the_two_entries_of_a_range_are_never_parted(void)
{
	enum { COUNT = 20000 };
	struct plan p = PLAN_NULL;
	struct plan_set *s = plan_for_set(&p, 0, &voip, &ranges6);
	for (uint32_t i = 0; i < COUNT; i++) {
		struct element_key k = range6(4 * i, 1 + i % 4);
		plan_add(s, &k);
		plan_delete(s, &k);
		plan_renew(s, &k);
	}
	struct nft_msg_batch b = NFT_MSG_BATCH_NULL;
	CHECK_INT(nft_msg_batch_encode(&b, &p, 1), 0);
	size_t entries = 0, messages = 0;
	int left = (int)b.len;
	const struct nlmsghdr *h = (const void *)b.data;
	for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
		CHECK(h->nlmsg_len <= NFT_MSG_LIST_MAX + 600);
		if (h->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
			continue;
		struct nft_msg m = {.kind = NFT_MSG_KIND_ELEMENTS, .header = h};
		struct listing l = {.len = 0};
		size_t strange = 0;
		nft_msg_decode_entries(&m, on_entry, &l, &strange);
		CHECK_INT(strange + l.bad, 0);
		CHECK(!l.start.len);
		CHECK_INT(l.entries % 2, 0);
		entries += l.entries;
		messages++;
	}
	CHECK_INT(left, 0);
	CHECK_INT(entries, 3 * 2 * COUNT);
	/* They are filled well. */
	CHECK(messages <= 2 + 3 * 2 * COUNT * 80 / NFT_MSG_LIST_MAX * 2);
	nft_msg_batch_done(&b);
	plan_done(&p);
}

int main(void)
{
	TAP_RUN(test_deletes_come_before_adds_between_the_fences);
	TAP_RUN(test_the_generation_is_named_only_when_the_plan_has_one);
	TAP_RUN(test_adds_carry_the_tag_and_deletes_do_not);
	TAP_RUN(test_adds_say_permanent_where_the_set_has_a_default);
	TAP_RUN(test_long_lists_are_split_below_what_their_length_can_say);
	TAP_RUN(test_numbers_lead_back_to_the_set_also_when_they_wrap);
	TAP_RUN(test_a_used_buffer_leaks_nothing_into_the_next_batch);
	TAP_RUN(test_names_too_long_for_the_kernel_are_refused);
	TAP_RUN(test_a_range_is_its_start_and_the_first_address_behind_it);
	TAP_RUN(test_a_range_up_to_the_last_address_has_no_end_and_says_so);
	TAP_RUN(test_concatenations_with_flag_interval_say_their_last_key);
	TAP_RUN(test_renewals_say_the_time_that_is_left_and_come_last);
	TAP_RUN(test_adds_and_renewals_say_their_fuse);
	TAP_RUN(test_the_two_entries_of_a_range_are_never_parted);
	return tap_done();
}
