/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses and ranges as text and back, order, membership. */
#include "allowsync/addr.h"

#include "tap.h"

static struct addr parsed(const char *text)
{
	struct addr a;

	CHECK(addr_parse(text, &a));
	return a;
}

static struct addr_range range_parsed(const char *text)
{
	struct addr_range r;

	CHECK(addr_range_parse(text, &r));
	return r;
}

static void test_address_text_is_canonical(void)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"192.0.2.1", "192.0.2.1"},
		{"0.0.0.0", "0.0.0.0"},
		{"255.255.255.255", "255.255.255.255"},
		{"2001:DB8::1", "2001:db8::1"},
		{"2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
		{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
		{"::", "::"},
		{"::1", "::1"},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
	};
	char text[ADDR_TEXT_SIZE];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct addr a = parsed(cases[i].in);
		CHECK_STR(addr_format(&a, text), cases[i].out);
	}
}

static void test_what_is_no_address_is_refused(void)
{
	static const char *const cases[] = {"", "10.0.0.300", "10.0.0", "10.0.0.0.1", "010.0.0.1",
		"1.2.3.4 ", " 1.2.3.4", "0x7f.1", "1", "2001:db8", "2001:db8:::1", "fe80::1%eth0",
		"::g", "1.2.3.4/32", "any"};
	struct addr a = parsed("192.0.2.7"), before = a;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CHECK(!addr_parse(cases[i], &a));
		CHECK(addr_eq(&a, &before));
	}
}

static void test_unused_bytes_are_zero(void)
{
	uint8_t bytes[16];
	struct addr a;

	memset(&a, 0xff, sizeof(a));
	memset(bytes, 0x11, sizeof(bytes));
	a = addr_from_bytes(FAMILY_V4, bytes);
	CHECK_INT(a.family, FAMILY_V4);
	CHECK_INT(a.bytes[3], 0x11);
	for (size_t i = 4; i < 16; i++)
		CHECK_INT(a.bytes[i], 0);
	CHECK_INT(addr_len(FAMILY_V4), 4);
	CHECK_INT(addr_len(FAMILY_V6), 16);
	CHECK_STR(family_name(FAMILY_V4), "ipv4");
	CHECK_STR(family_name(FAMILY_V6), "ipv6");
}

static void test_order_is_family_then_number(void)
{
	static const char *const sorted[] = {"0.0.0.0", "9.255.255.255", "10.0.0.0", "10.0.0.1",
		"255.0.0.0", "::", "::1", "2001:db8::", "ffff::"};

	for (size_t i = 0; i < 9; i++) {
		for (size_t j = 0; j < 9; j++) {
			struct addr a = parsed(sorted[i]), b = parsed(sorted[j]);
			int c = addr_cmp(&a, &b);
			CHECK_INT((c > 0) - (c < 0), (i > j) - (i < j));
			CHECK_INT(addr_eq(&a, &b), i == j);
		}
	}
}

static void test_range_text_takes_the_shortest_form(void)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"192.0.2.1", "192.0.2.1"},
		{"192.0.2.1/32", "192.0.2.1"},
		{"192.0.2.1-192.0.2.1", "192.0.2.1"},
		{"192.0.2.0/24", "192.0.2.0/24"},
		{"192.0.2.0-192.0.2.255", "192.0.2.0/24"},
		{"199.7.172.0-199.7.175.255", "199.7.172.0/22"},
		{"192.0.2.1-192.0.2.9", "192.0.2.1-192.0.2.9"},
		{"192.0.2.0-192.0.2.254", "192.0.2.0-192.0.2.254"},
		{"192.0.2.0-192.0.2.1", "192.0.2.0/31"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"0.0.0.0-255.255.255.255", "0.0.0.0/0"},
		{"2001:db8::/32", "2001:db8::/32"},
		{"2001:db8::-2001:db8::ff", "2001:db8::/120"},
		{"2001:db8::1-2001:db8::ff", "2001:db8::1-2001:db8::ff"},
		{"::/0", "::/0"},
	};
	char text[ADDR_RANGE_TEXT_SIZE];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct addr_range r = range_parsed(cases[i].in);
		CHECK_STR(addr_range_format(&r, text), cases[i].out);
	}
}

static void test_what_is_no_range_is_refused(void)
{
	static const char *const cases[] = {"", "-", "/", "192.0.2.1/24", "192.0.2.0/33",
		"192.0.2.0/-1", "192.0.2.0/", "192.0.2.0/024", "192.0.2.0/ 24", "192.0.2.0/2x",
		"192.0.2.9-192.0.2.1", "192.0.2.1-2001:db8::1", "192.0.2.1-", "-192.0.2.1",
		"192.0.2.1 - 192.0.2.9", "192.0.2.1-9", "2001:db8::1/64", "2001:db8::/129",
		"192.0.2.0/24-192.0.3.0", "192.0.2.0/4294967320",
		("192.0.2.000000000000000000000000000000000000000000000000000000000000000000000000"
		 "000000000000000000000000000000000000000000000000000000000000000000000000000001")};
	struct addr_range r;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK(!addr_range_parse(cases[i], &r));
}

static void test_range_holds_both_ends_and_no_other_family(void)
{
	struct addr_range r = range_parsed("192.0.2.1-192.0.2.9");
	struct addr before = parsed("192.0.2.0"), first = parsed("192.0.2.1"),
		    last = parsed("192.0.2.9"), after = parsed("192.0.2.10");
	struct addr_range all6 = range_parsed("::/0");

	CHECK(!addr_range_has(&r, &before));
	CHECK(addr_range_has(&r, &first));
	CHECK(addr_range_has(&r, &last));
	CHECK(!addr_range_has(&r, &after));
	CHECK(!addr_range_has(&all6, &first));
	CHECK(!addr_range_is_single(&r));
}

static void test_ranges_that_overlap_are_joined_and_asked_together(void)
{
	struct addr_range ranges[] = {range_parsed("192.0.2.8-192.0.2.20"),
		range_parsed("2001:db8::/64"), range_parsed("192.0.2.0/28"),
		range_parsed("198.51.100.7"), range_parsed("198.51.100.7"),
		range_parsed("192.0.2.2"), range_parsed("192.0.2.21")};
	char text[ADDR_RANGE_TEXT_SIZE];
	size_t n = addr_ranges_settle(ranges, 7);

	CHECK_INT(n, 4);
	CHECK_STR(addr_range_format(&ranges[0], text), "192.0.2.0-192.0.2.20");
	CHECK_STR(addr_range_format(&ranges[1], text), "192.0.2.21");
	CHECK_STR(addr_range_format(&ranges[2], text), "198.51.100.7");
	CHECK_STR(addr_range_format(&ranges[3], text), "2001:db8::/64");
	static const char *const in[] = {"192.0.2.0", "192.0.2.20", "192.0.2.21", "198.51.100.7",
		"2001:db8::", "2001:db8::ffff:ffff:ffff:ffff"};
	static const char *const out[] = {"192.0.1.255", "192.0.2.22", "198.51.100.6",
		"198.51.100.8", "2001:db7:ffff::", "2001:db8:0:1::"};
	for (size_t i = 0; i < 6; i++) {
		struct addr yes = parsed(in[i]), no = parsed(out[i]);
		CHECK(addr_ranges_have(ranges, n, &yes));
		CHECK(!addr_ranges_have(ranges, n, &no));
	}
	CHECK_INT(addr_ranges_settle(NULL, 0), 0);
	CHECK(!addr_ranges_have(NULL, 0, &ranges[0].first));
}

int main(void)
{
	TAP_RUN(test_address_text_is_canonical);
	TAP_RUN(test_what_is_no_address_is_refused);
	TAP_RUN(test_unused_bytes_are_zero);
	TAP_RUN(test_order_is_family_then_number);
	TAP_RUN(test_range_text_takes_the_shortest_form);
	TAP_RUN(test_what_is_no_range_is_refused);
	TAP_RUN(test_range_holds_both_ends_and_no_other_family);
	TAP_RUN(test_ranges_that_overlap_are_joined_and_asked_together);
	return tap_done();
}
