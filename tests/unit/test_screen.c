/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/screen: which addresses of an answer are used. */
#include "core/screen.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "tap.h"

#include <string.h>

/* NULL, or what is said of it. */
static const char *rule(const char *text)
{
	struct addr a;

	CHECK(addr_parse(text, &a));
	return screen_address(&a);
}

static const char *word(const char *said)
{
	return said ? said : "used";
}

/* Before, first, last, behind: NULL where a neighbour belongs to another such range. */
static const char *const special[][4] = {
	{NULL, "0.0.0.0", "0.255.255.255", "1.0.0.0"},
	{"9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"},
	{"100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"},
	{"126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"},
	{"169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"},
	{"172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"},
	{"191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"},
	{"192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"},
	{"192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"},
	{"192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"},
	{"198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"},
	{"198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"},
	{"203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"},
	{"223.255.255.255", "224.0.0.0", "239.255.255.255", NULL},
	{NULL, "240.0.0.0", "255.255.255.255", NULL},
	{NULL, "::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::"},
	{"2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"},
	{"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
		"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"},
	{"2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::"},
	{"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"},
	{"3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
};

static void special_ranges_end_where_they_end(void)
{
	for (size_t i = 0; i < ARRAY_LEN(special); i++) {
		CHECK(!special[i][0] || !rule(special[i][0]));
		CHECK(rule(special[i][1]) && rule(special[i][2]));
		CHECK(!special[i][3] || !rule(special[i][3]));
	}
}

/* Every edge of every IPv4 range, in the clothes of IPv6. */
static void each_ipv4_range_is_judged_in_ipv6_as_well(void)
{
	size_t seen = 0;

	for (size_t i = 0; i < ARRAY_LEN(special); i++) {
		for (size_t k = 0; k < 4; k++) {
			const char *text = special[i][k];
			struct addr v4, a;
			if (!text || strchr(text, ':'))
				continue;
			seen++;
			CHECK(addr_parse(text, &v4));
			_cleanup_free_ char *nat64 = xasprintf("64:ff9b::%s", text);
			CHECK_STR(word(rule(nat64)), word(rule(text)));
			_cleanup_free_ char *mapped = xasprintf("::ffff:%s", text);
			CHECK_STR(rule(mapped), "an IPv4 address in IPv6");
			CHECK(addr_parse(mapped, &a) && !screen_can_allow(&a));
			_cleanup_free_ char *compatible = xasprintf("::%s", text);
			CHECK(rule(compatible));
			_cleanup_free_ char *six = xasprintf("2002:%02x%02x:%02x%02x::1",
				v4.bytes[0], v4.bytes[1], v4.bytes[2], v4.bytes[3]);
			CHECK_STR(rule(six), "6to4");
			/* Another NAT64 prefix is none that we know. */
			_cleanup_free_ char *local = xasprintf("64:ff9b:1::%s", text);
			CHECK_STR(rule(local), "not public");
		}
	}
	CHECK_INT(seen, 15 * 4 - 4);
}

static void forms_of_ipv4_in_ipv6_end_where_they_end(void)
{
	static const char *const edges[][2] = {
		{"64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", "not public"},
		{"64:ff9b::", "this network"},
		{"64:ff9b::ffff:ffff", "reserved"},
		{"64:ff9b::1:0:0", "not public"},
		{"::fffe:ffff:ffff", "not public"},
		{"::ffff:0:0", "an IPv4 address in IPv6"},
		{"::ffff:ffff:ffff", "an IPv4 address in IPv6"},
		{"::1:0:0:0", "not public"},
		{"2002::", "6to4"},
		{"2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "6to4"},
		{"::", "unspecified"},
		{"::1", "loopback"},
		{"::2", "not public"},
		{"fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "not public"},
		{"fc00::", "private"},
		{"fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "private"},
		{"fe00::", "not public"},
		{"fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "not public"},
		{"fe80::", "link-local"},
		{"febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local"},
		{"fec0::", "not public"},
		{"feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "not public"},
		{"ff00::", "multicast"},
	};

	for (size_t i = 0; i < ARRAY_LEN(edges); i++)
		CHECK_STR(rule(edges[i][0]), edges[i][1]);
}

static void each_is_called_what_it_is(void)
{
	CHECK_STR(rule("10.1.2.3"), "private");
	CHECK_STR(rule("127.0.0.1"), "loopback");
	CHECK_STR(rule("::1"), "loopback");
	CHECK_STR(rule("::"), "unspecified");
	CHECK_STR(rule("fd00::1"), "private");
	CHECK_STR(rule("fe80::1"), "link-local");
	CHECK_STR(rule("ff02::1"), "multicast");
	CHECK_STR(rule("2002:0a00:1::1"), "6to4");
	CHECK_STR(rule("4000::1"), "not public");
	CHECK(!rule("45.9.9.9") && !rule("2a00:1::1"));
}

static void ipv4_in_ipv6_is_judged_as_what_it_is(void)
{
	struct addr a;

	/* Mapped: never, whatever is in it. */
	CHECK_STR(rule("::ffff:45.9.9.9"), "an IPv4 address in IPv6");
	CHECK(rule("::ffff:10.0.0.1"));
	CHECK(addr_parse("::ffff:10.0.0.1", &a) && !screen_can_allow(&a));
	/* NAT64: by the address in it. */
	CHECK(!rule("64:ff9b::45.9.9.9"));
	CHECK_STR(rule("64:ff9b::10.0.0.1"), "private");
	CHECK_STR(rule("64:ff9b::127.0.0.1"), "loopback");
	CHECK(addr_parse("64:ff9b::10.0.0.1", &a) && screen_can_allow(&a));
	CHECK(rule("64:ff9b:0:0:0:1::") && rule("64:ff9b:1::1") && rule("64:ff9a::1"));
}

static struct answer answer_of(const char *const *texts, size_t count)
{
	struct answer a = {.outcome = ANSWER_OK, .count = count};

	a.addresses = xcalloc(count, sizeof(*a.addresses));
	for (size_t i = 0; i < count; i++)
		CHECK(addr_parse(texts[i], &a.addresses[i].addr));
	return a;
}

/* One owner: where the router is, and its terms. */
struct one {
	struct screen_own own;
	struct screen_terms terms;
};

static const struct one nobody;

static const char *judge(void *userdata, const struct addr *a)
{
	const struct one *one = userdata;

	return screen_judge(a, &one->own, &one->terms);
}

static void screen(struct answer *a, const struct one *one, struct screening *ret)
{
	screen_answer(a, judge, (void *)(uintptr_t)one, ret);
}

static struct addr_range range_of(const char *text)
{
	struct addr_range r = {0};

	CHECK(addr_range_parse(text, &r));
	return r;
}

static void refused_addresses_are_taken_out_and_the_rest_is_partial(void)
{
	static const char *const texts[] = {"10.0.0.1", "45.9.9.9", "192.168.0.1", "46.1.1.1"};
	struct answer a = answer_of(texts, 4);
	struct screening s;
	char text[ADDR_TEXT_SIZE];

	screen(&a, &nobody, &s);
	CHECK_INT(a.outcome, ANSWER_OK);
	CHECK(a.partial);
	CHECK_INT(a.count, 2);
	CHECK_STR(addr_format(&a.addresses[0].addr, text), "45.9.9.9");
	CHECK_STR(addr_format(&a.addresses[1].addr, text), "46.1.1.1");
	CHECK_INT(s.refused, 2);
	CHECK_STR(addr_format(&s.first, text), "10.0.0.1");
	CHECK_STR(s.rule, "private");
	CHECK(!s.blocked);
	answer_done(&a);
}

static void what_was_partial_before_stays_so(void)
{
	static const char *const fine[] = {"45.9.9.9"}, *const refused[] = {"10.0.0.1"};
	struct answer a = answer_of(fine, 1);
	struct screening s;

	a.partial = true;
	screen(&a, &nobody, &s);
	CHECK_INT(a.outcome, ANSWER_OK);
	CHECK(a.partial);
	answer_done(&a);
	a = answer_of(refused, 1);
	a.partial = true;
	screen(&a, &nobody, &s);
	CHECK_INT(a.outcome, ANSWER_SCREENED);
	CHECK(!a.partial);
	answer_done(&a);
}

static void answer_of_nothing_else_is_a_failure(void)
{
	static const char *const texts[] = {"10.0.0.1", "10.0.0.2"};
	struct answer a = answer_of(texts, 2);
	struct screening s;

	screen(&a, &nobody, &s);
	CHECK_INT(a.outcome, ANSWER_SCREENED);
	CHECK_INT(a.count, 0);
	CHECK(!a.partial && !s.blocked);
	CHECK_STR(a.why, "private");
	CHECK_STR(answer_outcome_name(a.outcome), "screened");
	answer_done(&a);
}

static void exceptions_are_used_but_for_mapped_ones(void)
{
	static const char *const texts[] = {"10.0.0.1", "45.9.9.9"}, *const mapped[] = {
									     "::ffff:10.0.0.1"};
	const struct addr_range allow[] = {range_of("10.0.0.0/8"), range_of("::ffff:0:0/96")};
	const struct one one = {.terms = {.allow = allow, .allow_count = 2}};
	struct answer a = answer_of(texts, 2), b = answer_of(mapped, 1);
	struct screening s;

	screen(&a, &one, &s);
	CHECK_INT(a.count, 2);
	CHECK(!a.partial);
	CHECK_INT(s.refused, 0);
	screen(&b, &one, &s);
	CHECK_INT(b.outcome, ANSWER_SCREENED);
	answer_done(&a);
	answer_done(&b);
}

/* The rule against an address by an owner's terms; NULL: it may have it. */
static const char *judged(const struct one *one, const char *text)
{
	struct addr a = {0};

	CHECK(addr_parse(text, &a));
	return screen_judge(&a, &one->own, &one->terms);
}

static void expected_is_what_is_in_there_and_nothing_else(void)
{
	const struct addr_range expect[] = {range_of("45.9.0.0/16"), range_of("2a00:1::/32")};
	const struct one one = {.terms = {.expect = expect, .expect_count = 2}};
	const struct one only4 = {.terms = {.expect = expect, .expect_count = 1}};

	CHECK(!judged(&one, "45.9.0.0") && !judged(&one, "45.9.255.255"));
	CHECK_STR(judged(&one, "45.8.255.255"), SCREEN_UNEXPECTED);
	CHECK_STR(judged(&one, "45.10.0.0"), SCREEN_UNEXPECTED);
	CHECK(!judged(&one, "2a00:1:ffff::1"));
	CHECK_STR(judged(&one, "2a00:2::1"), SCREEN_UNEXPECTED);
	/* A family of which nothing is expected has nothing. */
	CHECK_STR(judged(&only4, "2a00:1::1"), SCREEN_UNEXPECTED);
	CHECK(!judged(&nobody, "45.8.0.1"));
}

static void neither_list_stands_for_the_other(void)
{
	const struct addr_range ten = range_of("10.0.0.0/8"), public = range_of("45.9.0.0/16");
	const struct one expects = {.terms = {.expect = &ten, .expect_count = 1}};
	const struct one both = {.terms = {&ten, 1, &ten, 1}};
	const struct one elsewhere = {.terms = {&ten, 1, &public, 1}};

	CHECK_STR(judged(&expects, "10.0.0.1"), "private");
	CHECK(!judged(&both, "10.0.0.1"));
	CHECK_STR(judged(&elsewhere, "10.0.0.1"), SCREEN_UNEXPECTED);
}

static void own_networks_can_be_allowed_too(void)
{
	const struct addr_range own = range_of("45.9.9.0/24"), some = range_of("45.9.9.128/25");
	const struct one one = {{&own, 1}, {.allow = &some, .allow_count = 1}};

	CHECK_STR(judged(&one, "45.9.9.127"), "this router's own network");
	CHECK(!judged(&one, "45.9.9.128"));
}

static void what_blockers_give_is_known(void)
{
	static const char *const texts[][2] = {{"0.0.0.0", "127.0.0.1"}, {"0.0.0.0", "10.0.0.1"},
		{"0.0.0.0", "45.9.9.9"}, {"::", "::1"}};
	static const bool blocked[] = {true, false, false, true};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct answer a = answer_of(texts[i], 2);
		struct screening s;
		screen(&a, &nobody, &s);
		CHECK_INT(s.blocked, blocked[i]);
		answer_done(&a);
	}
}

static void places_of_this_router_are_refused(void)
{
	static const char *const texts[] = {
		"45.9.9.8", "45.9.9.9", "45.9.10.255", "45.9.11.0", "46.0.0.1", "2a00:1::1"};
	struct addr_range ranges[3];
	const struct one one = {.own = {ranges, 3}};
	struct answer a = answer_of(texts, 6);
	struct screening s;
	char text[ADDR_TEXT_SIZE];

	CHECK(addr_range_parse("45.9.9.9", &ranges[0]));
	CHECK(addr_range_parse("45.9.10.0/24", &ranges[1]));
	CHECK(addr_range_parse("2a00:1::/64", &ranges[2]));
	screen(&a, &one, &s);
	CHECK_INT(s.refused, 3);
	CHECK_STR(s.rule, "this router's own network");
	CHECK_INT(a.count, 3);
	CHECK_STR(addr_format(&a.addresses[0].addr, text), "45.9.9.8");
	CHECK_STR(addr_format(&a.addresses[1].addr, text), "45.9.11.0");
	CHECK_STR(addr_format(&a.addresses[2].addr, text), "46.0.0.1");
	answer_done(&a);
}

/* The same addresses, as the router's networks come and go. */
static void own_networks_count_as_long_as_they_are_there(void)
{
	static const char *const own = "this router's own network";
	static const char *const texts[] = {"45.9.9.0", "45.9.9.255", "45.9.8.255", "45.9.10.0",
		"64:ff9b::45.9.9.7", "64:ff9b::45.9.10.0", "2a00:1::", "2a00:1:0:0:ffff::1",
		"2a00:1:0:1::", "46.1.1.1", "46.1.1.2"};
	struct addr_range all[] = {
		range_of("45.9.9.0/24"), range_of("46.1.1.1"), range_of("2a00:1::/64")};
	const struct {
		size_t from, count;
		bool is_own[ARRAY_LEN(texts)];
	} steps[] = {
		{0, 0, {false}},
		{0, 1, {true, true, false, false, true}},
		{0, 2, {true, true, false, false, true, false, false, false, false, true}},
		{0, 3, {true, true, false, false, true, false, true, true, false, true}},
		{1, 2, {[6] = true, [7] = true, [9] = true}},
		{2, 1, {[6] = true, [7] = true}},
		{3, 0, {false}},
	};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		const struct one one = {.own = {all + steps[i].from, steps[i].count}};
		for (size_t k = 0; k < ARRAY_LEN(texts); k++)
			CHECK_STR(word(judged(&one, texts[k])), steps[i].is_own[k] ? own : "used");
	}
}

static void other_answers_stay_as_they_are(void)
{
	struct answer a = {.outcome = ANSWER_NXDOMAIN, .ttl_s = 7};
	struct screening s;

	screen(&a, &nobody, &s);
	CHECK_INT(a.outcome, ANSWER_NXDOMAIN);
	CHECK_INT(a.ttl_s, 7);
	CHECK_INT(s.refused, 0);
}

int main(void)
{
	TAP_RUN(special_ranges_end_where_they_end);
	TAP_RUN(each_ipv4_range_is_judged_in_ipv6_as_well);
	TAP_RUN(forms_of_ipv4_in_ipv6_end_where_they_end);
	TAP_RUN(each_is_called_what_it_is);
	TAP_RUN(ipv4_in_ipv6_is_judged_as_what_it_is);
	TAP_RUN(refused_addresses_are_taken_out_and_the_rest_is_partial);
	TAP_RUN(what_was_partial_before_stays_so);
	TAP_RUN(answer_of_nothing_else_is_a_failure);
	TAP_RUN(exceptions_are_used_but_for_mapped_ones);
	TAP_RUN(expected_is_what_is_in_there_and_nothing_else);
	TAP_RUN(neither_list_stands_for_the_other);
	TAP_RUN(own_networks_can_be_allowed_too);
	TAP_RUN(what_blockers_give_is_known);
	TAP_RUN(places_of_this_router_are_refused);
	TAP_RUN(own_networks_count_as_long_as_they_are_there);
	TAP_RUN(other_answers_stay_as_they_are);
	return tap_done();
}
