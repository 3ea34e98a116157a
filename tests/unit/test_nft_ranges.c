/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets with flag interval in the real nf_tables: what is committed stands there to the address, nft
 * lists it so and can delete it. */
#include "nft_lab.h"

#include "small_space.h"

#include <errno.h>

static struct nft_conn *conn;
static char table_name[] = "t", set_name[] = "s";
static const struct set_id id = {NFPROTO_INET, table_name, set_name};
static struct set_kind kind;

/* Makes the set anew and reads what it is. */
static void make(const char *definition)
{
	CHECK(lab_nft("flush ruleset\ntable inet t {\n set s {\n %s\n }\n}\n", definition));
	CHECK_INT(nft_conn_read_set(conn, &id, &kind), 0);
	CHECK(!kind.unusable);
}

static bool parse_port(const char *text, struct element_value *v)
{
	unsigned port;

	v->protocol_first = strstr(text, "udp") ? IPPROTO_UDP : IPPROTO_TCP;
	if (kind.layout == SET_LAYOUT_ADDR_SERVICE)
		v->protocol_first = 0;
	v->protocol_last = v->protocol_first;
	text = strrchr(text, ' ');
	if (!text || sscanf(text, "%u", &port) != 1)
		return false;
	v->port_first = v->port_last = (uint16_t)port;
	return true;
}

/* "10.0.0.0/24", "10.0.0.1 . tcp . 443" */
static struct element_key key(const char *text)
{
	struct element_value v = {.port_first = 0};
	char addr[ADDR_RANGE_TEXT_SIZE];

	snprintf(addr, sizeof(addr), "%.*s", (int)strcspn(text, " "), text);
	CHECK(addr_range_parse(addr, &v.addr));
	CHECK(kind.layout == SET_LAYOUT_ADDR || parse_port(text, &v));
	return element_key_encode(&kind, &v);
}

static enum nft_commit change(
	const char *const *deletes, size_t delete_count, const char *const *adds, size_t add_count)
{
	struct plan p = PLAN_NULL;
	struct plan_set *s = plan_for_set(&p, 0, &id, &kind);

	for (size_t i = 0; i < delete_count; i++) {
		struct element_key k = key(deletes[i]);
		plan_delete(s, &k);
	}
	for (size_t i = 0; i < add_count; i++) {
		struct element_key k = key(adds[i]);
		plan_add(s, &k);
	}
	struct nft_commit_result r = lab_commit(conn, &p);
	plan_done(&p);
	return r.outcome;
}

static struct live copy;

static void look(void)
{
	uint32_t generation;
	size_t strange;

	CHECK_INT(nft_conn_dump(conn, &id, &kind, &copy, &generation, &strange), 0);
	CHECK_INT(strange, 0);
}

/* Exactly these stand there, all ours; and nft lists them, in the same words. */
static void check_stands(const char *const *texts, size_t count)
{
	char command[64], line[ELEMENT_TEXT_SIZE + 32];

	look();
	CHECK_INT(live_count(&copy), count);
	CHECK_INT(copy.ours, count);
	snprintf(command, sizeof(command), "nft -y list set inet t s");
	const char *listed = lab_output(command);
	CHECK_INT(lab_count(listed, "comment \"allowsyncd\""), count);
	for (size_t i = 0; i < count; i++) {
		struct element_key k = key(texts[i]);
		char element[ELEMENT_TEXT_SIZE];
		CHECK(live_find(&copy, &k));
		CHECK_STR(element_key_format(&kind, &k, element), texts[i]);
		/* nft 1.1 says of elements of a set with timeouts that they have none. */
		snprintf(line, sizeof(line), " %s%s%s comment", texts[i],
			strstr(listed, "timeout never") ? " timeout never" : "",
			strstr(listed, "counter packets") ? " counter packets 0 bytes 0" : "");
		if (!strstr(listed, line))
			printf("# no \"%s\" in %s\n", line, listed);
		CHECK(strstr(listed, line));
	}
}

static const char *const ranges4[] = {"0.0.0.0/8", "9.255.255.255", "10.0.0.0/24",
	"10.0.1.0-10.0.1.9", "10.0.1.10-10.0.1.19", "128.0.0.0/2", "192.0.2.1",
	"203.0.113.128-255.255.255.255"};
static const char *const ranges6[] = {"::/16", "2001:db8::/32", "2001:db9::1",
	"2001:db9::10-2001:db9::1f:ffff", "fe80::/10", "ff00::/8"};
static const char *const ends4[] = {"0.0.0.0", "255.255.255.255"};
static const char *const ends6[] = {"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};
static const char *const all4[] = {"0.0.0.0-255.255.255.255"};

static const char *const definitions[] = {
	"type %s; flags interval;",
	"type %s; flags interval,timeout;",
	"type %s; flags interval; timeout 1h;",
	"type %s; flags interval; counter;",
	"type %s; flags interval; size 100;",
};

static void check_ranges(const char *type, const char *const *ranges, size_t count)
{
	for (size_t i = 0; i < ARRAY_LEN(definitions); i++) {
		char definition[128];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(definition, sizeof(definition), definitions[i], type);
#pragma GCC diagnostic pop
		make(definition);
		CHECK(set_kind_has_ranges(&kind));
		CHECK_INT(change(NULL, 0, ranges, count), NFT_COMMIT_DONE);
		check_stands(ranges, count);
		CHECK_INT(change(ranges, 2, NULL, 0), NFT_COMMIT_DONE);
		check_stands(ranges + 2, count - 2);
		CHECK_INT(change(ranges + 2, count - 2, ranges, 2), NFT_COMMIT_DONE);
		check_stands(ranges, 2);
		CHECK_INT(change(ranges, 2, NULL, 0), NFT_COMMIT_DONE);
		check_stands(NULL, 0);
	}
}

static void test_ranges_stand_as_they_were_committed(void)
{
	check_ranges("ipv4_addr", ranges4, ARRAY_LEN(ranges4));
	check_ranges("ipv6_addr", ranges6, ARRAY_LEN(ranges6));
	check_ranges("ipv4_addr", ends4, ARRAY_LEN(ends4));
	check_ranges("ipv6_addr", ends6, ARRAY_LEN(ends6));
}

/* nft writes it in its own way. */
static void test_the_whole_address_space_can_be_committed(void)
{
	make("type ipv4_addr; flags interval;");
	CHECK_INT(change(NULL, 0, all4, 1), NFT_COMMIT_DONE);
	look();
	struct element_key k = key(all4[0]);
	CHECK_INT(live_count(&copy), 1);
	CHECK(live_find(&copy, &k));
	CHECK_INT(lab_count(lab_output("nft list set inet t s"), "comment \"allowsyncd\""), 1);
	CHECK_INT(change(all4, 1, NULL, 0), NFT_COMMIT_DONE);
	check_stands(NULL, 0);
}

static void test_sets_with_auto_merge_are_known_and_hold_what_was_committed(void)
{
	make("type ipv4_addr; flags interval; auto-merge;");
	CHECK(kind.auto_merge);
	CHECK_INT(change(NULL, 0, ranges4, ARRAY_LEN(ranges4)), NFT_COMMIT_DONE);
	look();
	CHECK_INT(live_count(&copy), ARRAY_LEN(ranges4));
	make("type ipv4_addr; flags interval;");
	CHECK(!kind.auto_merge);
}

static void test_concatenations_stand_as_they_were_committed(void)
{
	static const struct {
		const char *type;
		const char *keys[3];
	} rows[] = {
		{"ipv4_addr . inet_service",
			{"0.0.0.0 . 1", "10.0.0.1 . 443", "255.255.255.255 . 65535"}},
		{"ipv6_addr . inet_service", {":: . 1", "2001:db8::1 . 443", "fe80::1 . 65535"}},
		{"ipv4_addr . inet_proto . inet_service",
			{"0.0.0.0 . tcp . 1", "10.0.0.1 . udp . 443",
				"255.255.255.255 . tcp . 65535"}},
		{"ipv6_addr . inet_proto . inet_service",
			{":: . tcp . 1", "2001:db8::1 . udp . 443", "fe80::1 . tcp . 65535"}},
	};
	static const char *const flags[] = {"", "flags interval;", "flags interval,timeout;",
		"flags interval; timeout 1h;", "flags interval; counter;", "timeout 1h;"};

	for (size_t i = 0; i < ARRAY_LEN(rows) * ARRAY_LEN(flags); i++) {
		const char *const *keys = rows[i / ARRAY_LEN(flags)].keys;
		char definition[128];
		snprintf(definition, sizeof(definition), "type %s; %s",
			rows[i / ARRAY_LEN(flags)].type, flags[i % ARRAY_LEN(flags)]);
		make(definition);
		CHECK_INT(set_kind_has_boxes(&kind), strstr(definition, "interval") != NULL);
		CHECK_INT(change(NULL, 0, keys, 3), NFT_COMMIT_DONE);
		check_stands(keys, 3);
		CHECK_INT(change(keys, 1, NULL, 0), NFT_COMMIT_DONE);
		check_stands(keys + 1, 2);
		CHECK_INT(change(keys + 1, 2, keys, 1), NFT_COMMIT_DONE);
		check_stands(keys, 1);
	}
}

/* nft takes away what we put there: each as it lists it. */
static void check_nft_deletes(const char *definition, const char *const *texts, size_t count)
{
	make(definition);
	CHECK_INT(change(NULL, 0, texts, count), NFT_COMMIT_DONE);
	for (size_t i = 0; i < count; i++) {
		CHECK(lab_nft("delete element inet t s { %s }\n", texts[i]));
		look();
		CHECK_INT(live_count(&copy), count - 1 - i);
	}
	CHECK_INT(change(NULL, 0, texts, count), NFT_COMMIT_DONE);
	CHECK(lab_nft("flush set inet t s\n"));
	look();
	CHECK_INT(live_count(&copy), 0);
}

static void test_nft_can_delete_ours(void)
{
	static const char *const service[] = {"10.0.0.1 . 443", "255.255.255.255 . 65535"};
	static const char *const proto[] = {"10.0.0.1 . tcp . 443", "10.0.0.1 . udp . 443"};

	check_nft_deletes("type ipv4_addr; flags interval;", ranges4, ARRAY_LEN(ranges4));
	check_nft_deletes("type ipv4_addr; flags interval,timeout;", ranges4, ARRAY_LEN(ranges4));
	check_nft_deletes("type ipv6_addr; flags interval;", ranges6, ARRAY_LEN(ranges6));
	check_nft_deletes("type ipv4_addr; flags interval;", ends4, ARRAY_LEN(ends4));
	check_nft_deletes("type ipv6_addr; flags interval;", ends6, ARRAY_LEN(ends6));
	check_nft_deletes("type ipv4_addr . inet_service; flags interval;", service, 2);
	check_nft_deletes("type ipv4_addr . inet_proto . inet_service; flags interval;", proto, 2);
	check_nft_deletes("type ipv4_addr . inet_service;", service, 2);
}

/* With auto-merge nft makes one of ours and what touches it, which is nobody's then. */
static void test_nft_merges_ours_with_its_own(void)
{
	static const char *const one[] = {"10.0.0.0/24"};

	make("type ipv4_addr; flags interval; auto-merge;");
	CHECK_INT(change(NULL, 0, one, 1), NFT_COMMIT_DONE);
	CHECK(lab_nft("add element inet t s { 10.0.0.10-10.0.1.255 }\n"));
	look();
	struct element_key both = key("10.0.0.0/23");
	CHECK_INT(live_count(&copy), 1);
	CHECK_INT(copy.ours, 0);
	CHECK(live_find(&copy, &both));
}

static void test_what_nft_put_there_is_dumped_as_it_stands(void)
{
	make("type ipv4_addr; flags interval,timeout; elements = { 0.0.0.0-0.0.0.9, "
	     "10.0.0.0/24 comment \"allowsyncd\", 10.0.1.0/24 timeout 1h, 255.0.0.0/8 }");
	struct element_key keys[] = {
		key("0.0.0.0-0.0.0.9"), key("10.0.0.0/24"), key("10.0.1.0/24"), key("255.0.0.0/8")};
	look();
	CHECK_INT(live_count(&copy), 4);
	for (size_t i = 0; i < 4; i++) {
		const struct live_element *e = live_find(&copy, &keys[i]);
		CHECK(e);
		CHECK_INT(e->ours, i == 1);
		CHECK_INT(e->expires, i == 2);
	}
	make("type ipv4_addr . inet_service; flags interval; elements = { 10.0.0.0/24 . 80-90, "
	     "10.0.1.1 . 443 comment \"allowsyncd\" }");
	look();
	CHECK_INT(live_count(&copy), 2);
	CHECK_INT(copy.ours, 1);
	CHECK_INT(copy.boxes.count, 1);
	struct element_key single = key("10.0.1.1 . 443"), inside = key("10.0.0.77 . 85");
	CHECK(live_find(&copy, &single));
	CHECK(live_find_covering(&copy, &kind, &inside) && !live_find(&copy, &inside));
}

static void test_overlaps_are_refused_and_change_nothing(void)
{
	static const char *const adds[] = {"10.0.0.128/25", "10.0.2.0"};
	static const char *const box[] = {"10.0.0.7 . 443"};

	make("type ipv4_addr; flags interval; elements = { 10.0.0.0/24 }");
	CHECK_INT(change(NULL, 0, adds, 2), NFT_COMMIT_REFUSED);
	look();
	CHECK_INT(live_count(&copy), 1);
	make("type ipv4_addr . inet_service; flags interval; elements = { 10.0.0.0/24 . 443 }");
	CHECK_INT(change(NULL, 0, box, 1), NFT_COMMIT_REFUSED);
	look();
	CHECK_INT(live_count(&copy), 1);
}

/* It has no end, so nothing is compared with that: which is why such an addition needs the
 * generation that it was planned on. What is there then ends at what comes next, and is nobody's.
 */
static void test_a_range_to_the_last_address_is_taken_over_what_stands_in_it(void)
{
	static const char *const adds[] = {"255.0.0.0/8"};

	make("type ipv4_addr; flags interval; elements = { 255.1.0.0/16 }");
	CHECK_INT(change(NULL, 0, adds, 1), NFT_COMMIT_DONE);
	uint32_t generation;
	size_t strange;
	CHECK_INT(nft_conn_dump(conn, &id, &kind, &copy, &generation, &strange), 0);
	CHECK_INT(strange, 1);
	CHECK_INT(live_count(&copy), 2);
	CHECK_INT(copy.ours, 0);
	struct element_key cut = key("255.0.0.0/16"), theirs = key("255.1.0.0/16");
	CHECK(live_find(&copy, &cut) && live_find(&copy, &theirs));
}

/* The old piece goes and the new one comes over it, in one batch. */
static void test_ranges_are_replaced_by_what_overlaps_them(void)
{
	static const char *const old[] = {"10.0.0.0-10.0.0.9", "10.0.0.20-10.0.0.29"};
	static const char *const new[] = {"10.0.0.0-10.0.0.29"};
	static const char *const cut[] = {"10.0.0.0-10.0.0.14", "10.0.0.16-10.0.0.29"};

	make("type ipv4_addr; flags interval;");
	CHECK_INT(change(NULL, 0, old, 2), NFT_COMMIT_DONE);
	CHECK_INT(change(old, 2, new, 1), NFT_COMMIT_DONE);
	check_stands(new, 1);
	CHECK_INT(change(new, 1, cut, 2), NFT_COMMIT_DONE);
	check_stands(cut, 2);
	/* A box that goes makes way for a key in it. */
	static const char *const single[] = {"10.0.0.7 . 443"};
	make("type ipv4_addr . inet_service; flags interval; elements = { 10.0.0.0/24 . 443 }");
	look();
	struct plan p = PLAN_NULL;
	struct plan_set *s = plan_for_set(&p, 0, &id, &kind);
	size_t at = 0;
	plan_delete(s, &live_next(&copy, &at)->key);
	struct element_key k = key(single[0]);
	plan_add(s, &k);
	CHECK_INT(lab_commit(conn, &p).outcome, NFT_COMMIT_DONE);
	plan_done(&p);
	check_stands(single, 1);
}

/* What the kernel holds as two entries each is more than one message takes. */
static void test_thousands_of_ranges_arrive_whole(void)
{
	enum { COUNT = 5000 };
	struct plan p = PLAN_NULL;

	make("type ipv6_addr; flags interval,timeout;");
	kind.fuse_ms = 3600000;
	struct plan_set *s = plan_for_set(&p, 0, &id, &kind);
	for (unsigned i = 0; i < COUNT; i++) {
		struct element_value v = {.port_first = 0};
		v.addr.first = v.addr.last =
			space_addr(&(struct space){FAMILY_V6, 0x20, 0, false, false}, 4 * i);
		v.addr.last.bytes[15] |= 1;
		struct element_key k = element_key_encode(&kind, &v);
		plan_add(s, &k);
	}
	CHECK_INT(lab_commit(conn, &p).outcome, NFT_COMMIT_DONE);
	look();
	CHECK_INT(live_count(&copy), COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		const struct live_element *e = live_find(&copy, &s->adds[i]);
		CHECK(e && e->ours && e->expires);
		plan_delete(s, &s->adds[i]);
	}
	s->add_count = 0;
	CHECK_INT(lab_commit(conn, &p).outcome, NFT_COMMIT_DONE);
	plan_done(&p);
	look();
	CHECK_INT(live_count(&copy), 0);
}

int main(void)
{
	if (!lab_enter())
		return 0;
	if (nft_conn_new(&conn) != 0)
		return 1;
	TAP_RUN(test_ranges_stand_as_they_were_committed);
	TAP_RUN(test_the_whole_address_space_can_be_committed);
	TAP_RUN(test_sets_with_auto_merge_are_known_and_hold_what_was_committed);
	TAP_RUN(test_concatenations_stand_as_they_were_committed);
	TAP_RUN(test_nft_can_delete_ours);
	TAP_RUN(test_nft_merges_ours_with_its_own);
	TAP_RUN(test_what_nft_put_there_is_dumped_as_it_stands);
	TAP_RUN(test_overlaps_are_refused_and_change_nothing);
	TAP_RUN(test_a_range_to_the_last_address_is_taken_over_what_stands_in_it);
	TAP_RUN(test_ranges_are_replaced_by_what_overlaps_them);
	TAP_RUN(test_thousands_of_ranges_arrive_whole);
	live_done(&copy);
	nft_conn_free(conn);
	return tap_done();
}
