/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is taken out of a DNS message. */
#include "allowsync/answer.h"

#include "base/mem.h"
#include "packet.h"
#include "tap.h"

#include <stdlib.h>

static struct packet p;
static struct answer a;

static void read_as(const char *name, enum family f)
{
	answer_done(&a);
	/* A copy of the exact size, so that the sanitizers see each byte read past the end. */
	uint8_t *copy = xmemdup(p.bytes, p.len);
	answer_parse(copy, p.len, name, f, &a);
	free(copy);
}

static void check_address(size_t i, const char *text, uint32_t ttl)
{
	char buf[ADDR_TEXT_SIZE];

	CHECK(i < a.count);
	CHECK_STR(addr_format(&a.addresses[i].addr, buf), text);
	CHECK_INT(a.addresses[i].ttl_s, ttl);
}

static void check_malformed(const char *why)
{
	CHECK_INT(a.outcome, ANSWER_MALFORMED);
	CHECK_STR(a.why, why);
	CHECK_INT(a.count, 0);
	CHECK(!a.addresses);
	CHECK_INT(a.ttl_s, 0);
}

static void test_one_address_is_ok(void)
{
	packet_begin(&p, FLAGS_RECURSED, "www.example.com", TYPE_A);
	packet_a(&p, "www.example.com", 0x2d000001, 60);
	read_as("www.example.com", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_OK);
	CHECK_INT(a.family, FAMILY_V4);
	CHECK_INT(a.count, 1);
	check_address(0, "45.0.0.1", 60);
	CHECK_INT(a.ttl_s, 60);
	CHECK_INT(a.chain_len, 0);
	CHECK(!a.why);
}

static void test_v6_address_is_ok(void)
{
	packet_begin(&p, FLAGS_RECURSED, "www.example.com", TYPE_AAAA);
	packet_record(&p, SECTION_ANSWER, "www.example.com", TYPE_AAAA, 7, 16);
	packet_u32(&p, 0x2a000001);
	packet_u32(&p, 0);
	packet_u32(&p, 0);
	packet_u32(&p, 5);
	read_as("www.example.com", FAMILY_V6);
	CHECK_INT(a.outcome, ANSWER_OK);
	check_address(0, "2a00:1::5", 7);
}

static void test_addresses_are_sorted_without_duplicates_smallest_ttl_kept(void)
{
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	packet_a(&p, "x.y", 0x2d000003, 30);
	packet_a(&p, "x.y", 0x2d000001, 20);
	packet_a(&p, "x.y", 0x2d000003, 10);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.count, 2);
	check_address(0, "45.0.0.1", 20);
	check_address(1, "45.0.0.3", 10);
	CHECK_INT(a.ttl_s, 10);
}

static void test_case_of_names_does_not_matter(void)
{
	packet_begin(&p, FLAGS_RECURSED, "wWw.Example.COM", TYPE_A);
	packet_cname(&p, "WWW.example.com", "Pool.Example.Net", 9);
	packet_a(&p, "pOOL.example.net", 0x2d000001, 60);
	read_as("www.example.com", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_OK);
	CHECK_STR(a.chain[0], "pool.example.net");
}

static void test_underscore_is_a_name_byte(void)
{
	packet_begin(&p, FLAGS_RECURSED, "cloud_ap.cloudtrax.com", TYPE_A);
	packet_a(&p, "cloud_ap.cloudtrax.com", 0x2d000001, 60);
	read_as("cloud_ap.cloudtrax.com", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_OK);
}

static void test_unrelated_owner_first_is_passed_over(void)
{
	packet_begin(&p, FLAGS_RECURSED, "unrelated.test", TYPE_A);
	packet_a(&p, "evil.example", 0x0a000042, 60);
	packet_a(&p, "unrelated.test", 0x2d000001, 60);
	read_as("unrelated.test", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_OK);
	CHECK_INT(a.count, 1);
	check_address(0, "45.0.0.1", 60);
}

static void test_unrelated_owner_alone_is_malformed(void)
{
	packet_begin(&p, FLAGS_RECURSED, "unrelated.test", TYPE_A);
	packet_a(&p, "evil.example", 0x0a000042, 60);
	read_as("unrelated.test", FAMILY_V4);
	check_malformed("no record of the answer belongs to the question");
}

static void test_addresses_outside_the_answer_section_do_not_count(void)
{
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	packet_soa(&p, "y", 60, 60);
	packet_record(&p, SECTION_ADDITIONAL, "x.y", TYPE_A, 60, 4);
	packet_u32(&p, 0x0a000042);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_NODATA);
	CHECK_INT(a.count, 0);
}

static void test_another_class_is_passed_over(void)
{
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	packet_a(&p, "x.y", 0x0a000042, 60);
	p.bytes[p.len - 11] = 3; /* CH */
	packet_a(&p, "x.y", 0x2d000001, 60);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.count, 1);
	check_address(0, "45.0.0.1", 60);
}

static void test_other_types_are_passed_over(void)
{
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	packet_record(&p, SECTION_ANSWER, "x.y", TYPE_TXT, 1, 4);
	packet_u32(&p, 0x03616263);
	packet_record(&p, SECTION_ANSWER, "x.y", TYPE_AAAA, 1, 16);
	for (unsigned i = 0; i < 4; i++)
		packet_u32(&p, 0);
	packet_a(&p, "x.y", 0x2d000001, 60);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.count, 1);
	CHECK_INT(a.ttl_s, 60);
}

static void test_ttl_is_the_smallest_of_the_chain(void)
{
	packet_begin(&p, FLAGS_RECURSED, "a.x", TYPE_A);
	packet_cname(&p, "a.x", "b.x", 900);
	packet_cname(&p, "b.x", "c.x", 30);
	packet_a(&p, "c.x", 0x2d000001, 5);
	packet_a(&p, "c.x", 0x2d000002, 300);
	read_as("a.x", FAMILY_V4);
	CHECK_INT(a.count, 2);
	check_address(0, "45.0.0.1", 5);
	check_address(1, "45.0.0.2", 30);
	CHECK_INT(a.ttl_s, 5);
	CHECK_INT(a.chain_len, 2);
	CHECK_STR(a.chain[0], "b.x");
	CHECK_STR(a.chain[1], "c.x");
}

static void test_chain_is_followed_whatever_the_order(void)
{
	packet_begin(&p, FLAGS_RECURSED, "a.x", TYPE_A);
	packet_a(&p, "c.x", 0x2d000001, 5);
	packet_cname(&p, "b.x", "c.x", 30);
	packet_cname(&p, "a.x", "b.x", 900);
	read_as("a.x", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_OK);
	CHECK_INT(a.chain_len, 2);
	check_address(0, "45.0.0.1", 5);
}

static void chain_of(unsigned links)
{
	char from[32], to[32];

	packet_begin(&p, FLAGS_RECURSED, "n0.x", TYPE_A);
	for (unsigned i = 0; i < links; i++) {
		snprintf(from, sizeof(from), "n%u.x", i);
		snprintf(to, sizeof(to), "n%u.x", i + 1);
		packet_cname(&p, from, to, 60);
	}
	snprintf(to, sizeof(to), "n%u.x", links);
	packet_a(&p, to, 0x2d000001, 60);
	read_as("n0.x", FAMILY_V4);
}

static void test_chain_of_8_is_followed_and_of_9_is_malformed(void)
{
	chain_of(ANSWER_CHAIN_MAX);
	CHECK_INT(a.outcome, ANSWER_OK);
	CHECK_INT(a.chain_len, 8);
	CHECK_STR(a.chain[7], "n8.x");
	chain_of(ANSWER_CHAIN_MAX + 1);
	check_malformed("the CNAME chain is too long");
}

static void test_cname_loops_are_malformed(void)
{
	packet_begin(&p, FLAGS_RECURSED, "a.x", TYPE_A);
	packet_cname(&p, "a.x", "a.x", 60);
	read_as("a.x", FAMILY_V4);
	check_malformed("the CNAME chain is a loop");

	packet_begin(&p, FLAGS_RECURSED, "a.x", TYPE_A);
	packet_cname(&p, "a.x", "b.x", 60);
	packet_cname(&p, "b.x", "c.x", 60);
	packet_cname(&p, "c.x", "b.x", 60);
	packet_a(&p, "c.x", 0x2d000001, 60);
	read_as("a.x", FAMILY_V4);
	check_malformed("the CNAME chain is a loop");
}

static void test_two_cnames_of_one_name_are_malformed_but_the_same_twice_is_not(void)
{
	packet_begin(&p, FLAGS_RECURSED, "a.x", TYPE_A);
	packet_cname(&p, "a.x", "b.x", 60);
	packet_cname(&p, "a.x", "b.x", 50);
	packet_a(&p, "b.x", 0x2d000001, 60);
	read_as("a.x", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_OK);
	CHECK_INT(a.ttl_s, 50);
	CHECK_INT(a.chain_len, 1);

	packet_begin(&p, FLAGS_RECURSED, "a.x", TYPE_A);
	packet_cname(&p, "a.x", "b.x", 60);
	packet_cname(&p, "a.x", "c.x", 50);
	packet_a(&p, "b.x", 0x2d000001, 60);
	read_as("a.x", FAMILY_V4);
	check_malformed("two CNAMEs of one name");
}

static void test_ttl_with_the_top_bit_counts_as_0(void)
{
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	packet_a(&p, "x.y", 0x2d000001, 0x80000000);
	packet_a(&p, "x.y", 0x2d000002, 0xffffffff);
	packet_a(&p, "x.y", 0x2d000003, 0x7fffffff);
	read_as("x.y", FAMILY_V4);
	check_address(0, "45.0.0.1", 0);
	check_address(1, "45.0.0.2", 0);
	check_address(2, "45.0.0.3", 0x7fffffff);
	CHECK_INT(a.ttl_s, 0);
}

static void many(unsigned n)
{
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	for (unsigned i = 0; i < n; i++)
		packet_a(&p, "x.y", 0x2d000000 + n - i, 60);
	read_as("x.y", FAMILY_V4);
}

static void test_512_addresses_are_whole_and_513_are_malformed(void)
{
	many(ANSWER_ADDRESSES_MAX);
	CHECK_INT(a.outcome, ANSWER_OK);
	CHECK_INT(a.count, 512);
	check_address(0, "45.0.0.1", 60);
	check_address(511, "45.0.2.0", 60);
	CHECK(!answer_is_too_large(&a));
	many(ANSWER_ADDRESSES_MAX + 1);
	check_malformed("more addresses than one answer may hold");
	CHECK(answer_is_too_large(&a));
}

static void test_duplicates_do_not_count_towards_512(void)
{
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	for (unsigned i = 0; i < 600; i++)
		packet_a(&p, "x.y", 0x2d000000 + i % 300, 60);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_OK);
	CHECK_INT(a.count, 300);
}

static void test_nodata_takes_the_lesser_of_soa_ttl_and_minimum(void)
{
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	packet_soa(&p, "y", 300, 60);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_NODATA);
	CHECK_INT(a.ttl_s, 60);
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	packet_soa(&p, "x.y", 30, 60);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.ttl_s, 30);
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	packet_soa(&p, "", 30, 0x80000001); /* as 0, which would mean that none came */
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_NODATA);
	CHECK_INT(a.ttl_s, 1);
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	packet_soa(&p, "y", 0, 60);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.ttl_s, 1);
}

static void test_nxdomain_takes_the_soa(void)
{
	packet_begin(&p, FLAGS_RECURSED | RCODE_NXDOMAIN, "x.y", TYPE_A);
	packet_soa(&p, "y", 300, 60);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_NXDOMAIN);
	CHECK_INT(a.ttl_s, 60);
}

static void test_soa_of_a_stranger_says_nothing(void)
{
	packet_begin(&p, FLAGS_RECURSED | RCODE_NXDOMAIN, "x.y", TYPE_A);
	packet_soa(&p, "z", 300, 60);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_NXDOMAIN);
	CHECK_INT(a.ttl_s, 0);
	packet_begin(&p, FLAGS_RECURSED | RCODE_NXDOMAIN, "ax.y", TYPE_A);
	packet_soa(&p, "x.y", 300, 60); /* a tail of the text, no parent */
	read_as("ax.y", FAMILY_V4);
	CHECK_INT(a.ttl_s, 0);
}

static void test_nxdomain_behind_a_cname(void)
{
	packet_begin(&p, FLAGS_RECURSED | RCODE_NXDOMAIN, "x.y", TYPE_A);
	packet_cname(&p, "x.y", "gone.z", 20);
	packet_soa(&p, "z", 300, 60);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_NXDOMAIN);
	CHECK_INT(a.ttl_s, 20); /* the CNAME may change sooner */
	CHECK_INT(a.chain_len, 1);
	CHECK_STR(a.chain[0], "gone.z");
}

static void test_nodata_behind_a_cname(void)
{
	packet_begin(&p, FLAGS_AUTHORITATIVE, "x.y", TYPE_A);
	packet_cname(&p, "x.y", "v6only.y", 600);
	packet_soa(&p, "y", 300, 60);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_NODATA);
	CHECK_INT(a.ttl_s, 60);
	CHECK_INT(a.chain_len, 1);
}

static void test_chain_without_an_end_is_nodata_only_from_a_server_that_recurses(void)
{
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	packet_cname(&p, "x.y", "b.z", 600);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_NODATA);
	CHECK_INT(a.ttl_s, 0);
	packet_begin(&p, FLAGS_AUTHORITATIVE, "x.y", TYPE_A);
	packet_cname(&p, "x.y", "b.z", 600);
	read_as("x.y", FAMILY_V4);
	check_malformed("the CNAME chain ends before an address");
}

static void test_nothing_at_all_is_nodata_and_a_referral_is_malformed(void)
{
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_NODATA);
	CHECK_INT(a.ttl_s, 0);
	packet_begin(&p, 0x8100, "x.y", TYPE_A);
	packet_to(&p, SECTION_AUTHORITY, "y", TYPE_NS, "ns.y", 60);
	read_as("x.y", FAMILY_V4);
	check_malformed("a referral: the server does not resolve for us");
}

static void test_nxdomain_with_addresses_is_malformed(void)
{
	packet_begin(&p, FLAGS_RECURSED | RCODE_NXDOMAIN, "x.y", TYPE_A);
	packet_a(&p, "x.y", 0x2d000001, 60);
	read_as("x.y", FAMILY_V4);
	check_malformed("addresses of a name that is said not to exist");
}

static void test_each_rcode_has_its_outcome(void)
{
	for (unsigned rcode = 0; rcode < 16; rcode++) {
		enum answer_outcome want = ANSWER_SERVFAIL;

		if (rcode == 0)
			want = ANSWER_NODATA;
		if (rcode == 3)
			want = ANSWER_NXDOMAIN;
		if (rcode == 5)
			want = ANSWER_REFUSED;
		packet_begin(&p, FLAGS_RECURSED | rcode, "x.y", TYPE_A);
		read_as("x.y", FAMILY_V4);
		CHECK_INT(a.outcome, want);
	}
	packet_begin(&p, FLAGS_RECURSED | 2, "x.y", TYPE_A);
	packet_a(&p, "x.y", 0x2d000001, 60);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_SERVFAIL);
	CHECK_INT(a.count, 0);
}

static void test_an_extended_rcode_is_no_success(void)
{
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	packet_a(&p, "x.y", 0x2d000001, 60);
	packet_record(&p, SECTION_ADDITIONAL, "", 41, 0, 0);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_OK);
	/* BADVERS, and one that is like REFUSED but for the upper bits. */
	for (unsigned rcode = 0; rcode < 6; rcode += 5) {
		packet_begin(&p, FLAGS_RECURSED | rcode, "x.y", TYPE_A);
		packet_record(&p, SECTION_ADDITIONAL, "", 41, 1 << 24, 0);
		read_as("x.y", FAMILY_V4);
		CHECK_INT(a.outcome, ANSWER_SERVFAIL);
	}
}

static void test_bare_header_counts_for_failures_only(void)
{
	for (unsigned rcode = 0; rcode < 6; rcode++) {
		packet_begin(&p, FLAGS_RECURSED | rcode, "x.y", TYPE_A);
		p.len = 12;
		p.bytes[5] = 0;
		read_as("x.y", FAMILY_V4);
		if (rcode == 0 || rcode == 3)
			check_malformed("not exactly one question");
		else
			CHECK_INT(a.outcome, rcode == 5 ? ANSWER_REFUSED : ANSWER_SERVFAIL);
	}
}

static void test_outcomes_have_names(void)
{
	CHECK_STR(answer_outcome_name(ANSWER_OK), "ok");
	CHECK_STR(answer_outcome_name(ANSWER_NODATA), "nodata");
	CHECK_STR(answer_outcome_name(ANSWER_NXDOMAIN), "nxdomain");
	CHECK_STR(answer_outcome_name(ANSWER_SERVFAIL), "servfail");
	CHECK_STR(answer_outcome_name(ANSWER_REFUSED), "refused");
	CHECK_STR(answer_outcome_name(ANSWER_TIMEOUT), "timeout");
	CHECK_STR(answer_outcome_name(ANSWER_MALFORMED), "malformed");
}

int main(void)
{
	TAP_RUN(test_one_address_is_ok);
	TAP_RUN(test_v6_address_is_ok);
	TAP_RUN(test_addresses_are_sorted_without_duplicates_smallest_ttl_kept);
	TAP_RUN(test_case_of_names_does_not_matter);
	TAP_RUN(test_underscore_is_a_name_byte);
	TAP_RUN(test_unrelated_owner_first_is_passed_over);
	TAP_RUN(test_unrelated_owner_alone_is_malformed);
	TAP_RUN(test_addresses_outside_the_answer_section_do_not_count);
	TAP_RUN(test_another_class_is_passed_over);
	TAP_RUN(test_other_types_are_passed_over);
	TAP_RUN(test_ttl_is_the_smallest_of_the_chain);
	TAP_RUN(test_chain_is_followed_whatever_the_order);
	TAP_RUN(test_chain_of_8_is_followed_and_of_9_is_malformed);
	TAP_RUN(test_cname_loops_are_malformed);
	TAP_RUN(test_two_cnames_of_one_name_are_malformed_but_the_same_twice_is_not);
	TAP_RUN(test_ttl_with_the_top_bit_counts_as_0);
	TAP_RUN(test_512_addresses_are_whole_and_513_are_malformed);
	TAP_RUN(test_duplicates_do_not_count_towards_512);
	TAP_RUN(test_nodata_takes_the_lesser_of_soa_ttl_and_minimum);
	TAP_RUN(test_nxdomain_takes_the_soa);
	TAP_RUN(test_soa_of_a_stranger_says_nothing);
	TAP_RUN(test_nxdomain_behind_a_cname);
	TAP_RUN(test_nodata_behind_a_cname);
	TAP_RUN(test_chain_without_an_end_is_nodata_only_from_a_server_that_recurses);
	TAP_RUN(test_nothing_at_all_is_nodata_and_a_referral_is_malformed);
	TAP_RUN(test_nxdomain_with_addresses_is_malformed);
	TAP_RUN(test_each_rcode_has_its_outcome);
	TAP_RUN(test_an_extended_rcode_is_no_success);
	TAP_RUN(test_bare_header_counts_for_failures_only);
	TAP_RUN(test_outcomes_have_names);
	answer_done(&a);
	return tap_done();
}
