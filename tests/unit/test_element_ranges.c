/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/element: ranges, and sets that are for one protocol. */
#include "allowsync/element.h"

#include "tap.h"

#include <netinet/in.h>
#include <stdlib.h>

static const struct set_kind plain4 = {.layout = SET_LAYOUT_ADDR, .family = FAMILY_V4};
static const struct set_kind plain6 = {.layout = SET_LAYOUT_ADDR, .family = FAMILY_V6};
static const struct set_kind ports4 = {
	.layout = SET_LAYOUT_ADDR_PROTO_SERVICE, .family = FAMILY_V4};
static const struct set_kind service4 = {.layout = SET_LAYOUT_ADDR_SERVICE, .family = FAMILY_V4};
static const struct set_kind service6 = {.layout = SET_LAYOUT_ADDR_SERVICE, .family = FAMILY_V6};
static const struct set_kind ranges4 = {
	.layout = SET_LAYOUT_ADDR, .family = FAMILY_V4, .interval = true};
static const struct set_kind ranges6 = {
	.layout = SET_LAYOUT_ADDR, .family = FAMILY_V6, .interval = true};
static const struct set_kind boxes4 = {
	.layout = SET_LAYOUT_ADDR_PROTO_SERVICE, .family = FAMILY_V4, .interval = true};
static const struct set_kind boxes6 = {
	.layout = SET_LAYOUT_ADDR_PROTO_SERVICE, .family = FAMILY_V6, .interval = true};
static const struct set_kind unseen = {.layout = SET_LAYOUT_UNKNOWN};

static struct addr addr(const char *text)
{
	struct addr a;

	CHECK(addr_parse(text, &a));
	return a;
}

static struct service service(const char *text)
{
	struct service s;

	CHECK(!service_parse(text, &s));
	return s;
}

/* The keys of one address with services, in text. */
static const char *expand(const struct set_kind *kind, const char *address, const char *services)
{
	static char text[SET_PORTS_MAX * ELEMENT_TEXT_SIZE];
	char list[256], element[ELEMENT_TEXT_SIZE], *rest = list, *one;
	struct element_key keys[SET_PORTS_MAX];
	struct service parsed[8];
	struct addr_range r = {addr(address), addr(address)};
	size_t count = 0, len = 0;

	snprintf(list, sizeof(list), "%s", services);
	while ((one = strsep(&rest, " ")) && *one)
		parsed[count++] = service(one);
	text[0] = '\0';
	size_t n = element_expand(kind, &r, parsed, count, keys);
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? ", " : "",
			element_key_format(kind, &keys[i], element));
	return text;
}

static struct element_value value(const char *range, uint8_t protocol_first, uint8_t protocol_last,
	uint16_t port_first, uint16_t port_last)
{
	struct element_value v = {.protocol_first = protocol_first,
		.protocol_last = protocol_last,
		.port_first = port_first,
		.port_last = port_last};

	CHECK(addr_range_parse(range, &v.addr));
	return v;
}

static struct element_key range(const struct set_kind *kind, const char *text)
{
	struct element_value v = value(text, 0, 0, 0, 0);

	return element_key_encode(kind, &v);
}

static void keys_of_ranges_are_the_first_and_the_last_one(void)
{
	struct element_key k4 = range(&ranges4, "192.0.2.0/24"), k6 = range(&ranges6, "::/0");
	struct element_value v = value("192.0.2.1", IPPROTO_TCP, IPPROTO_UDP, 80, 443);
	struct element_key box = element_key_encode(&boxes4, &v);

	CHECK_INT(k4.len, 8);
	CHECK(memcmp(k4.bytes, "\xc0\x00\x02\x00\xc0\x00\x02\xff", 8) == 0);
	CHECK_INT(k6.len, 32);
	for (size_t i = 0; i < 32; i++)
		CHECK_INT(k6.bytes[i], i < 16 ? 0 : 0xff);
	CHECK_INT(box.len, 24);
	CHECK(memcmp(box.bytes, "\xc0\x00\x02\x01\x06\0\0\0\0\x50\0\0", 12) == 0);
	CHECK(memcmp(box.bytes + 12, "\xc0\x00\x02\x01\x11\0\0\0\x01\xbb\0\0", 12) == 0);
	v = value("2001:db8::1", 0, 0, 443, 443);
	struct element_key single = element_key_encode(&service6, &v);
	CHECK_INT(single.len, 20);
	CHECK(memcmp(single.bytes + 16, "\x01\xbb\0\0", 4) == 0);
}

static void keys_are_as_long_as_their_fields(void)
{
	CHECK_INT(set_kind_key_len(&plain4), 4);
	CHECK_INT(set_kind_key_len(&ranges4), 4);
	CHECK_INT(set_kind_key_len(&ranges6), 16);
	CHECK_INT(set_kind_key_len(&service4), 8);
	CHECK_INT(set_kind_key_len(&service6), 20);
	CHECK_INT(set_kind_key_len(&boxes4), 12);
	CHECK_INT(set_kind_key_len(&boxes6), ELEMENT_KEY_PART_MAX);
	CHECK_INT(set_kind_key_len(&unseen), 0);
	CHECK(set_kind_has_ranges(&ranges4) && !set_kind_has_boxes(&ranges4));
	CHECK(set_kind_has_boxes(&boxes4) && !set_kind_has_ranges(&boxes4));
	CHECK(!set_kind_has_ranges(&plain4) && !set_kind_has_boxes(&service4));
	CHECK_STR(set_kind_type_name(&service4), "ipv4_addr . inet_service");
	CHECK_STR(set_kind_type_name(&service6), "ipv6_addr . inet_service");
}

static void ranges_decode_to_what_they_were_made_of(void)
{
	static const struct set_kind *const kinds[] = {
		&ranges4, &ranges6, &boxes4, &boxes6, &plain4, &plain6, &service4, &ports4};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		bool v6 = kinds[i]->family == FAMILY_V6, many = kinds[i]->interval;
		struct element_value v = value(v6     ? many ? "2001:db8::/32" : "2001:db8::1"
					       : many ? "192.0.2.3-192.0.2.9"
						      : "192.0.2.3",
			6, many ? 17 : 6, 443, many ? 444 : 443);
		struct element_value back;
		if (kinds[i]->layout == SET_LAYOUT_ADDR)
			v.port_first = v.port_last = 0;
		if (kinds[i]->layout != SET_LAYOUT_ADDR_PROTO_SERVICE)
			v.protocol_first = v.protocol_last = 0;
		struct element_key k = element_key_encode(kinds[i], &v);
		CHECK(element_key_decode(kinds[i], &k, &back));
		CHECK(addr_eq(&v.addr.first, &back.addr.first));
		CHECK(addr_eq(&v.addr.last, &back.addr.last));
		CHECK(v.protocol_first == back.protocol_first);
		CHECK(v.protocol_last == back.protocol_last);
		CHECK(v.port_first == back.port_first && v.port_last == back.port_last);
	}
}

static void ranges_that_end_before_they_begin_do_not_decode(void)
{
	struct element_value v = value("192.0.2.1-192.0.2.9", 6, 17, 80, 90), unused;
	struct element_key k = element_key_encode(&boxes4, &v);

	CHECK(element_key_decode(&boxes4, &k, &unused));
	for (size_t i = 0; i < 3; i++) {
		static const size_t at[] = {3, 4, 9};
		struct element_key turned = k;
		turned.bytes[at[i]] = (uint8_t)(k.bytes[12 + at[i]] + 1);
		CHECK(!element_key_decode(&boxes4, &turned, &unused));
	}
	k.len = 12; /* half of it */
	CHECK(!element_key_decode(&boxes4, &k, &unused));
	k = range(&ranges4, "192.0.2.1");
	k.len = 4;
	CHECK(!element_key_decode(&ranges4, &k, &unused));
	CHECK(element_key_decode(&plain4, &k, &unused));
}

/* nft 1.0.6 lists each of these so (tests/unit/test_nft_ranges.c asks it). */
static void ranges_are_written_as_nft_does(void)
{
	static const char *const texts4[] = {"0.0.0.0", "10.0.0.0/8", "192.0.2.0/31",
		"192.0.2.1-192.0.2.2", "128.0.0.0/1", "203.0.113.128-255.255.255.255"};
	static const char *const texts6[] = {
		"::/16", "2001:db8::/127", "2001:db8::1-2001:db8::2", "fe80::1"};
	char text[ELEMENT_TEXT_SIZE];

	for (size_t i = 0; i < sizeof(texts4) / sizeof(*texts4); i++) {
		struct element_key k = range(&ranges4, texts4[i]);
		CHECK_STR(element_key_format(&ranges4, &k, text), texts4[i]);
	}
	for (size_t i = 0; i < sizeof(texts6) / sizeof(*texts6); i++) {
		struct element_key k = range(&ranges6, texts6[i]);
		CHECK_STR(element_key_format(&ranges6, &k, text), texts6[i]);
	}
	struct element_value v = value("192.0.2.0/24", 6, 6, 80, 90);
	struct element_key k = element_key_encode(&boxes4, &v);
	CHECK_STR(element_key_format(&boxes4, &k, text), "192.0.2.0/24 . tcp . 80-90");
	v = value("192.0.2.1", 6, 17, 443, 443);
	k = element_key_encode(&boxes4, &v);
	CHECK_STR(element_key_format(&boxes4, &k, text), "192.0.2.1 . tcp-udp . 443");
	v = value("192.0.2.1", 0, 0, 443, 443);
	k = element_key_encode(&service4, &v);
	CHECK_STR(element_key_format(&service4, &k, text), "192.0.2.1 . 443");
}

static void longest_range_fits_its_text(void)
{
	struct element_value v = value("1111:1111:1111:1111:1111:1111:1111:1111-"
				       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
		IPPROTO_UDPLITE, 255, 10000, 65535);
	struct element_key k = element_key_encode(&boxes6, &v);
	char text[ELEMENT_TEXT_SIZE];

	CHECK_STR(element_key_format(&boxes6, &k, text),
		"1111:1111:1111:1111:1111:1111:1111:1111-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"
		" . udplite-255 . 10000-65535");
}

static void element_covers_what_it_holds_in_every_field(void)
{
	struct element_value v = value("192.0.2.0/24", 6, 17, 80, 90);
	struct element_key outer = element_key_encode(&boxes4, &v);
	static const struct {
		const char *addr;
		uint8_t protocol_first, protocol_last;
		uint16_t port_first, port_last;
		bool covered;
	} rows[] = {
		{"192.0.2.0/24", 6, 17, 80, 90, true},
		{"192.0.2.7", 6, 6, 85, 85, true},
		{"192.0.2.0", 17, 17, 80, 80, true},
		{"192.0.2.255", 6, 6, 90, 90, true},
		{"192.0.3.0", 6, 6, 85, 85, false},
		{"192.0.1.255-192.0.2.0", 6, 6, 85, 85, false},
		{"192.0.2.0/23", 6, 6, 85, 85, false},
		{"192.0.2.7", 5, 6, 85, 85, false},
		{"192.0.2.7", 17, 18, 85, 85, false},
		{"192.0.2.7", 6, 6, 79, 80, false},
		{"192.0.2.7", 6, 6, 90, 91, false},
		{"192.0.2.7", 6, 6, 1, 65535, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		v = value(rows[i].addr, rows[i].protocol_first, rows[i].protocol_last,
			rows[i].port_first, rows[i].port_last);
		struct element_key inner = element_key_encode(&boxes4, &v);
		CHECK(element_key_covers(&boxes4, &outer, &inner) == rows[i].covered);
	}
	struct element_key all = range(&ranges4, "0.0.0.0/0"), one = range(&ranges4, "1.2.3.4");
	CHECK(element_key_covers(&ranges4, &all, &one));
	CHECK(!element_key_covers(&ranges4, &one, &all));
	CHECK(!element_key_covers(&ranges6, &all, &one));
}

/* Addresses that belong together, in a set of that kind. */
static size_t expand_range(const struct set_kind *kind, const char *text)
{
	struct service tcp = service("tcp/443");
	struct element_key keys[SET_PORTS_MAX];
	struct addr_range r;

	CHECK(addr_range_parse(text, &r));
	return element_expand(kind, &r, &tcp, 1, keys);
}

static void ranges_go_only_into_sets_of_ranges(void)
{
	CHECK_INT(expand_range(&ranges4, "192.0.2.0/24"), 1);
	CHECK_INT(expand_range(&ranges6, "2001:db8::/32"), 1);
	CHECK_INT(expand_range(&ranges4, "192.0.2.1"), 1);
	CHECK_INT(expand_range(&plain4, "192.0.2.0/24"), 0);
	CHECK_INT(expand_range(&boxes4, "192.0.2.0/24"), 0);
	CHECK_INT(expand_range(&service4, "192.0.2.0/24"), 0);
	CHECK_INT(expand_range(&boxes4, "192.0.2.1"), 1);
	CHECK_INT(expand_range(&ranges6, "192.0.2.0/24"), 0);
	CHECK_STR(expand(&ranges4, "192.0.2.1", "tcp/443 any"), "192.0.2.1");
	CHECK_STR(expand(&boxes4, "192.0.2.1", "tcp/443-444"),
		"192.0.2.1 . tcp . 443, 192.0.2.1 . tcp . 444");
}

static struct set_kind only(struct set_kind kind, uint8_t protocol)
{
	kind.protocol = protocol;
	return kind;
}

static void sets_for_one_protocol_get_only_its_services(void)
{
	struct set_kind tcp4 = only(service4, IPPROTO_TCP), udp4 = only(service4, IPPROTO_UDP);
	struct set_kind plain_tcp = only(plain4, IPPROTO_TCP);
	struct set_kind ports_tcp = only(ports4, IPPROTO_TCP);
	static const char services[] = "tcp/443 udp/53 tcp/80-81 udp/443 icmp/1";

	CHECK_STR(expand(&tcp4, "192.0.2.1", services),
		"192.0.2.1 . 443, 192.0.2.1 . 80, 192.0.2.1 . 81");
	CHECK_STR(expand(&udp4, "192.0.2.1", services), "192.0.2.1 . 53, 192.0.2.1 . 443");
	CHECK_STR(expand(&ports_tcp, "192.0.2.1", "tcp/443 udp/53"), "192.0.2.1 . tcp . 443");
	CHECK_STR(expand(&plain_tcp, "192.0.2.1", services), "192.0.2.1");
	CHECK_STR(expand(&plain_tcp, "192.0.2.1", "udp/53 icmp/1"), "");
	CHECK_STR(expand(&plain_tcp, "192.0.2.1", "any"), "192.0.2.1");
}

static void services_of_another_protocol_are_passed_over_without_a_word(void)
{
	struct set_kind tcp4 = only(service4, IPPROTO_TCP);
	struct service tcp = service("tcp/443"), udp = service("udp/53"), any = service("any");
	struct service icmp = service("icmp/1");
	struct service many[] = {service("udp/1-65535"), service("tcp/1-16")};

	CHECK(set_kind_passes_over(&tcp4, &udp) && !set_kind_passes_over(&tcp4, &tcp));
	CHECK(!set_kind_passes_over(&tcp4, &any) && set_kind_passes_over(&tcp4, &icmp));
	CHECK(!set_kind_passes_over(&service4, &udp));
	CHECK(!set_kind_refuses(&tcp4, &udp, 100) && !set_kind_refuses(&tcp4, &icmp, 1));
	CHECK(set_kind_refuses(&tcp4, &tcp, 17) && set_kind_refuses(&tcp4, &any, 1));
	/* What is passed over does not count. */
	CHECK_INT(element_ports_in_all(&tcp4, many, 2), 16);
	CHECK_INT(element_ports_in_all(&service4, many, 2), SET_PORTS_MAX + 1);
}

int main(void)
{
	TAP_RUN(keys_of_ranges_are_the_first_and_the_last_one);
	TAP_RUN(keys_are_as_long_as_their_fields);
	TAP_RUN(ranges_decode_to_what_they_were_made_of);
	TAP_RUN(ranges_that_end_before_they_begin_do_not_decode);
	TAP_RUN(ranges_are_written_as_nft_does);
	TAP_RUN(longest_range_fits_its_text);
	TAP_RUN(element_covers_what_it_holds_in_every_field);
	TAP_RUN(ranges_go_only_into_sets_of_ranges);
	TAP_RUN(sets_for_one_protocol_get_only_its_services);
	TAP_RUN(services_of_another_protocol_are_passed_over_without_a_word);
	return tap_done();
}
