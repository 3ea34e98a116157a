/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is taken out of a DNS message, and what is refused. */
#include "allowsync/answer.h"

#include "base/mem.h"
#include "tap.h"

#include <stdlib.h>

enum { A = 1, NS = 2, CNAME = 5, SOA = 6, TXT = 16, AAAA = 28 };
enum { QR_RD_RA = 0x8180, AUTHORITATIVE = 0x8500, NXDOMAIN = 3 };
enum { ANSWERS = 6, AUTHORITY = 8, ADDITIONAL = 10 };

struct packet {
	uint8_t b[65536];
	size_t len;
};
static struct packet p;
static struct answer a;

static void put8(unsigned v)
{
	p.b[p.len++] = (uint8_t)v;
}

static void put16(unsigned v)
{
	put8(v >> 8);
	put8(v & 0xff);
}

static void put32(uint32_t v)
{
	put16(v >> 16);
	put16(v & 0xffff);
}

static void put_name(const char *name)
{
	while (*name) {
		size_t len = strcspn(name, ".");

		put8((unsigned)len);
		memcpy(p.b + p.len, name, len);
		p.len += len;
		name += len + (name[len] == '.');
	}
	put8(0);
}

static void begin(unsigned flags, const char *name, unsigned type)
{
	p.len = 0;
	put16(0x1234);
	put16(flags);
	put16(1);
	put16(0);
	put32(0);
	put_name(name);
	put16(type);
	put16(1);
}

static void count(unsigned section)
{
	unsigned n = (unsigned)(p.b[section] << 8 | p.b[section + 1]) + 1;

	p.b[section] = (uint8_t)(n >> 8);
	p.b[section + 1] = (uint8_t)n;
}

static void head(unsigned section, const char *owner, unsigned type, uint32_t ttl)
{
	count(section);
	put_name(owner);
	put16(type);
	put16(1);
	put32(ttl);
}

static void add_a(const char *owner, uint32_t addr, uint32_t ttl)
{
	head(ANSWERS, owner, A, ttl);
	put16(4);
	put32(addr);
}

static void add_name(
	unsigned section, const char *owner, unsigned type, const char *to, uint32_t ttl)
{
	head(section, owner, type, ttl);
	put16((unsigned)strlen(to) + 2);
	put_name(to);
}

static void add_soa(const char *zone, uint32_t ttl, uint32_t minimum)
{
	head(AUTHORITY, zone, SOA, ttl);
	put16(6 + 3 + 20);
	put_name("ns.x");
	put_name("h");
	put32(1);
	put32(2);
	put32(3);
	put32(4);
	put32(minimum);
}

static void read_as(const char *name, enum family f)
{
	answer_done(&a);
	/* A copy of the exact size, so that the sanitizers see each byte read past the end. */
	uint8_t *copy = xmemdup(p.b, p.len);
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
	begin(QR_RD_RA, "www.example.com", A);
	add_a("www.example.com", 0x2d000001, 60);
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
	begin(QR_RD_RA, "www.example.com", AAAA);
	head(ANSWERS, "www.example.com", AAAA, 7);
	put16(16);
	put32(0x2a000001);
	put32(0);
	put32(0);
	put32(5);
	read_as("www.example.com", FAMILY_V6);
	CHECK_INT(a.outcome, ANSWER_OK);
	check_address(0, "2a00:1::5", 7);
}

static void test_addresses_are_sorted_without_duplicates_smallest_ttl_kept(void)
{
	begin(QR_RD_RA, "x.y", A);
	add_a("x.y", 0x2d000003, 30);
	add_a("x.y", 0x2d000001, 20);
	add_a("x.y", 0x2d000003, 10);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.count, 2);
	check_address(0, "45.0.0.1", 20);
	check_address(1, "45.0.0.3", 10);
	CHECK_INT(a.ttl_s, 10);
}

static void test_case_of_names_does_not_matter(void)
{
	begin(QR_RD_RA, "wWw.Example.COM", A);
	add_name(ANSWERS, "WWW.example.com", CNAME, "Pool.Example.Net", 9);
	add_a("pOOL.example.net", 0x2d000001, 60);
	read_as("www.example.com", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_OK);
	CHECK_STR(a.chain[0], "pool.example.net");
}

static void test_underscore_is_a_name_byte(void)
{
	begin(QR_RD_RA, "cloud_ap.cloudtrax.com", A);
	add_a("cloud_ap.cloudtrax.com", 0x2d000001, 60);
	read_as("cloud_ap.cloudtrax.com", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_OK);
}

static void test_unrelated_owner_first_is_passed_over(void)
{
	begin(QR_RD_RA, "unrelated.test", A);
	add_a("evil.example", 0x0a000042, 60);
	add_a("unrelated.test", 0x2d000001, 60);
	read_as("unrelated.test", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_OK);
	CHECK_INT(a.count, 1);
	check_address(0, "45.0.0.1", 60);
}

static void test_unrelated_owner_alone_is_malformed(void)
{
	begin(QR_RD_RA, "unrelated.test", A);
	add_a("evil.example", 0x0a000042, 60);
	read_as("unrelated.test", FAMILY_V4);
	check_malformed("no record of the answer belongs to the question");
}

static void test_addresses_outside_the_answer_section_do_not_count(void)
{
	begin(QR_RD_RA, "x.y", A);
	add_soa("y", 60, 60);
	head(ADDITIONAL, "x.y", A, 60);
	put16(4);
	put32(0x0a000042);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_NODATA);
	CHECK_INT(a.count, 0);
}

static void test_another_class_is_passed_over(void)
{
	begin(QR_RD_RA, "x.y", A);
	add_a("x.y", 0x0a000042, 60);
	p.b[p.len - 11] = 3; /* CH */
	add_a("x.y", 0x2d000001, 60);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.count, 1);
	check_address(0, "45.0.0.1", 60);
}

static void test_other_types_are_passed_over(void)
{
	begin(QR_RD_RA, "x.y", A);
	head(ANSWERS, "x.y", TXT, 1);
	put16(4);
	put32(0x03616263);
	head(ANSWERS, "x.y", AAAA, 1);
	put16(16);
	for (unsigned i = 0; i < 4; i++)
		put32(0);
	add_a("x.y", 0x2d000001, 60);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.count, 1);
	CHECK_INT(a.ttl_s, 60);
}

static void test_ttl_is_the_smallest_of_the_chain(void)
{
	begin(QR_RD_RA, "a.x", A);
	add_name(ANSWERS, "a.x", CNAME, "b.x", 900);
	add_name(ANSWERS, "b.x", CNAME, "c.x", 30);
	add_a("c.x", 0x2d000001, 5);
	add_a("c.x", 0x2d000002, 300);
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
	begin(QR_RD_RA, "a.x", A);
	add_a("c.x", 0x2d000001, 5);
	add_name(ANSWERS, "b.x", CNAME, "c.x", 30);
	add_name(ANSWERS, "a.x", CNAME, "b.x", 900);
	read_as("a.x", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_OK);
	CHECK_INT(a.chain_len, 2);
	check_address(0, "45.0.0.1", 5);
}

static void chain_of(unsigned links)
{
	char from[32], to[32];

	begin(QR_RD_RA, "n0.x", A);
	for (unsigned i = 0; i < links; i++) {
		snprintf(from, sizeof(from), "n%u.x", i);
		snprintf(to, sizeof(to), "n%u.x", i + 1);
		add_name(ANSWERS, from, CNAME, to, 60);
	}
	snprintf(to, sizeof(to), "n%u.x", links);
	add_a(to, 0x2d000001, 60);
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
	begin(QR_RD_RA, "a.x", A);
	add_name(ANSWERS, "a.x", CNAME, "a.x", 60);
	read_as("a.x", FAMILY_V4);
	check_malformed("the CNAME chain is a loop");

	begin(QR_RD_RA, "a.x", A);
	add_name(ANSWERS, "a.x", CNAME, "b.x", 60);
	add_name(ANSWERS, "b.x", CNAME, "c.x", 60);
	add_name(ANSWERS, "c.x", CNAME, "b.x", 60);
	add_a("c.x", 0x2d000001, 60);
	read_as("a.x", FAMILY_V4);
	check_malformed("the CNAME chain is a loop");
}

static void test_two_cnames_of_one_name_are_malformed_but_the_same_twice_is_not(void)
{
	begin(QR_RD_RA, "a.x", A);
	add_name(ANSWERS, "a.x", CNAME, "b.x", 60);
	add_name(ANSWERS, "a.x", CNAME, "b.x", 50);
	add_a("b.x", 0x2d000001, 60);
	read_as("a.x", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_OK);
	CHECK_INT(a.ttl_s, 50);
	CHECK_INT(a.chain_len, 1);

	begin(QR_RD_RA, "a.x", A);
	add_name(ANSWERS, "a.x", CNAME, "b.x", 60);
	add_name(ANSWERS, "a.x", CNAME, "c.x", 50);
	add_a("b.x", 0x2d000001, 60);
	read_as("a.x", FAMILY_V4);
	check_malformed("two CNAMEs of one name");
}

static void test_ttl_with_the_top_bit_counts_as_0(void)
{
	begin(QR_RD_RA, "x.y", A);
	add_a("x.y", 0x2d000001, 0x80000000);
	add_a("x.y", 0x2d000002, 0xffffffff);
	add_a("x.y", 0x2d000003, 0x7fffffff);
	read_as("x.y", FAMILY_V4);
	check_address(0, "45.0.0.1", 0);
	check_address(1, "45.0.0.2", 0);
	check_address(2, "45.0.0.3", 0x7fffffff);
	CHECK_INT(a.ttl_s, 0);
}

static void many(unsigned n)
{
	begin(QR_RD_RA, "x.y", A);
	for (unsigned i = 0; i < n; i++)
		add_a("x.y", 0x2d000000 + n - i, 60);
	read_as("x.y", FAMILY_V4);
}

static void test_512_addresses_are_whole_and_513_are_malformed(void)
{
	many(ANSWER_ADDRESSES_MAX);
	CHECK_INT(a.outcome, ANSWER_OK);
	CHECK_INT(a.count, 512);
	check_address(0, "45.0.0.1", 60);
	check_address(511, "45.0.2.0", 60);
	many(ANSWER_ADDRESSES_MAX + 1);
	check_malformed("more addresses than one answer may hold");
}

static void test_duplicates_do_not_count_towards_512(void)
{
	begin(QR_RD_RA, "x.y", A);
	for (unsigned i = 0; i < 600; i++)
		add_a("x.y", 0x2d000000 + i % 300, 60);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_OK);
	CHECK_INT(a.count, 300);
}

static void test_nodata_takes_the_lesser_of_soa_ttl_and_minimum(void)
{
	begin(QR_RD_RA, "x.y", A);
	add_soa("y", 300, 60);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_NODATA);
	CHECK_INT(a.ttl_s, 60);
	begin(QR_RD_RA, "x.y", A);
	add_soa("x.y", 30, 60);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.ttl_s, 30);
	begin(QR_RD_RA, "x.y", A);
	add_soa("", 30, 0x80000001);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_NODATA);
	CHECK_INT(a.ttl_s, 0);
}

static void test_nxdomain_takes_the_soa(void)
{
	begin(QR_RD_RA | NXDOMAIN, "x.y", A);
	add_soa("y", 300, 60);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_NXDOMAIN);
	CHECK_INT(a.ttl_s, 60);
}

static void test_soa_of_a_stranger_says_nothing(void)
{
	begin(QR_RD_RA | NXDOMAIN, "x.y", A);
	add_soa("z", 300, 60);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_NXDOMAIN);
	CHECK_INT(a.ttl_s, 0);
	begin(QR_RD_RA | NXDOMAIN, "ax.y", A);
	add_soa("x.y", 300, 60); /* a tail of the text, no parent */
	read_as("ax.y", FAMILY_V4);
	CHECK_INT(a.ttl_s, 0);
}

static void test_nxdomain_behind_a_cname(void)
{
	begin(QR_RD_RA | NXDOMAIN, "x.y", A);
	add_name(ANSWERS, "x.y", CNAME, "gone.z", 20);
	add_soa("z", 300, 60);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_NXDOMAIN);
	CHECK_INT(a.ttl_s, 20); /* the CNAME may change sooner */
	CHECK_INT(a.chain_len, 1);
	CHECK_STR(a.chain[0], "gone.z");
}

static void test_nodata_behind_a_cname(void)
{
	begin(AUTHORITATIVE, "x.y", A);
	add_name(ANSWERS, "x.y", CNAME, "v6only.y", 600);
	add_soa("y", 300, 60);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_NODATA);
	CHECK_INT(a.ttl_s, 60);
	CHECK_INT(a.chain_len, 1);
}

static void test_chain_without_an_end_is_nodata_only_from_a_server_that_recurses(void)
{
	begin(QR_RD_RA, "x.y", A);
	add_name(ANSWERS, "x.y", CNAME, "b.z", 600);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_NODATA);
	CHECK_INT(a.ttl_s, 0);
	begin(AUTHORITATIVE, "x.y", A);
	add_name(ANSWERS, "x.y", CNAME, "b.z", 600);
	read_as("x.y", FAMILY_V4);
	check_malformed("the CNAME chain ends before an address");
}

static void test_nothing_at_all_is_nodata_and_a_referral_is_malformed(void)
{
	begin(QR_RD_RA, "x.y", A);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_NODATA);
	CHECK_INT(a.ttl_s, 0);
	begin(0x8100, "x.y", A);
	add_name(AUTHORITY, "y", NS, "ns.y", 60);
	read_as("x.y", FAMILY_V4);
	check_malformed("a referral: the server does not resolve for us");
}

static void test_nxdomain_with_addresses_is_malformed(void)
{
	begin(QR_RD_RA | NXDOMAIN, "x.y", A);
	add_a("x.y", 0x2d000001, 60);
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
		begin(QR_RD_RA | rcode, "x.y", A);
		read_as("x.y", FAMILY_V4);
		CHECK_INT(a.outcome, want);
	}
	begin(QR_RD_RA | 2, "x.y", A);
	add_a("x.y", 0x2d000001, 60);
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_SERVFAIL);
	CHECK_INT(a.count, 0);
}

static void test_bare_header_counts_for_failures_only(void)
{
	for (unsigned rcode = 0; rcode < 6; rcode++) {
		begin(QR_RD_RA | rcode, "x.y", A);
		p.len = 12;
		p.b[5] = 0;
		read_as("x.y", FAMILY_V4);
		if (rcode == 0 || rcode == 3)
			check_malformed("not exactly one question");
		else
			CHECK_INT(a.outcome, rcode == 5 ? ANSWER_REFUSED : ANSWER_SERVFAIL);
	}
}

static void test_wrong_question_is_malformed(void)
{
	begin(QR_RD_RA, "x.z", A);
	add_a("x.y", 0x2d000001, 60);
	read_as("x.y", FAMILY_V4);
	check_malformed("the answer to another question");
	begin(QR_RD_RA, "x.y", AAAA);
	add_a("x.y", 0x2d000001, 60);
	read_as("x.y", FAMILY_V4);
	check_malformed("the answer to another question");
	begin(QR_RD_RA, "x.y", A);
	p.b[p.len - 1] = 3;
	add_a("x.y", 0x2d000001, 60);
	read_as("x.y", FAMILY_V4);
	check_malformed("the answer to another question");
	begin(QR_RD_RA, "x.y", A);
	p.b[5] = 2;
	read_as("x.y", FAMILY_V4);
	check_malformed("not exactly one question");
	/* also when the server says that it failed */
	begin(QR_RD_RA | 2, "x.z", A);
	read_as("x.y", FAMILY_V4);
	check_malformed("the answer to another question");
}

static void test_question_opcode_and_truncation_are_malformed(void)
{
	begin(0x0100, "x.y", A);
	read_as("x.y", FAMILY_V4);
	check_malformed("a question, not an answer");
	begin(0xa800 | QR_RD_RA, "x.y", A);
	read_as("x.y", FAMILY_V4);
	check_malformed("not the answer to a query");
	begin(QR_RD_RA | 0x0200, "x.y", A);
	add_a("x.y", 0x2d000001, 60);
	read_as("x.y", FAMILY_V4);
	check_malformed("truncated");
}

static void test_address_of_a_wrong_length_is_malformed(void)
{
	begin(QR_RD_RA, "x.y", A);
	add_a("x.y", 0x2d000001, 60);
	head(ANSWERS, "x.y", A, 60);
	put16(5);
	put32(0x2d000002);
	put8(0);
	read_as("x.y", FAMILY_V4);
	check_malformed("an address record of a wrong length");
}

static void whole_message(void)
{
	begin(QR_RD_RA, "a.x", A);
	add_name(ANSWERS, "a.x", CNAME, "b.x", 900);
	add_a("b.x", 0x2d000001, 5);
	add_soa("x", 60, 60);
	head(ADDITIONAL, "b.x", A, 5);
	put16(4);
	put32(0x2d000001);
}

static void test_cut_anywhere_is_malformed(void)
{
	whole_message();
	size_t whole = p.len;

	read_as("a.x", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_OK);
	for (p.len = 0; p.len < whole; p.len++) {
		read_as("a.x", FAMILY_V4);
		CHECK_INT(a.outcome, ANSWER_MALFORMED);
		CHECK(a.why != NULL);
		CHECK_INT(a.count, 0);
	}
	p.len = whole;
	put32(0xffffffff); /* behind the last record: nothing that was announced */
	read_as("a.x", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_OK);
}

static void test_each_byte_changed_gives_an_answer(void)
{
	whole_message();
	struct packet *whole = xmemdup(&p, sizeof(p));

	for (size_t at = 0; at < whole->len; at++)
		for (unsigned v = 0; v < 256; v++) {
			p.b[at] = (uint8_t)v;
			read_as("a.x", FAMILY_V4);
			CHECK(a.outcome != ANSWER_TIMEOUT);
			CHECK((a.outcome == ANSWER_MALFORMED) == (a.why != NULL));
			CHECK((a.outcome == ANSWER_OK) == (a.count > 0));
			p.b[at] = whole->b[at];
		}
	free(whole);
}

/* Each byte value in an owner's label: only the letter's two cases are the name "x.y". */
static void test_only_the_same_letters_match_an_owner(void)
{
	for (unsigned v = 0; v < 256; v++) {
		begin(QR_RD_RA, "x.y", A);
		size_t at = p.len + 1;

		add_a("x.y", 0x2d000001, 60);
		p.b[at] = (uint8_t)v;
		read_as("x.y", FAMILY_V4);
		if (v == 'x' || v == 'X')
			CHECK_INT(a.outcome, ANSWER_OK);
		else
			check_malformed("no record of the answer belongs to the question");
	}
}

static void test_only_name_bytes_pass_in_a_cname_target(void)
{
	for (unsigned v = 0; v < 256; v++) {
		bool fine = (v >= 'a' && v <= 'z') || (v >= 'A' && v <= 'Z') ||
			    (v >= '0' && v <= '9') || v == '-' || v == '_';

		begin(QR_RD_RA, "q.q", A);
		add_name(ANSWERS, "q.q", CNAME, "abc.y", 60);
		p.b[p.len - 5] = (uint8_t)v; /* the "b" */
		size_t at = p.len + 2;
		add_a("abc.y", 0x2d000001, 60);
		p.b[at] = (uint8_t)v;
		read_as("q.q", FAMILY_V4);
		if (fine)
			CHECK_INT(a.outcome, ANSWER_OK);
		else
			check_malformed("a CNAME to a name with bytes that names do not have");
	}
}

static void test_a_dot_inside_a_label_does_not_part_it(void)
{
	begin(QR_RD_RA, "www.example.com", A);
	head(ANSWERS, "www", A, 60); /* put the root off: one label "www.example", then "com" */
	p.len -= 8 + 5;
	put8(11);
	memcpy(p.b + p.len, "www.example", 11);
	p.len += 11;
	put8(3);
	memcpy(p.b + p.len, "com", 3);
	p.len += 3;
	put8(0);
	put16(A);
	put16(1);
	put32(60);
	put16(4);
	put32(0x0a000042);
	read_as("www.example.com", FAMILY_V4);
	check_malformed("no record of the answer belongs to the question");
}

/* The owner is written as `len` raw bytes. */
static void add_a_raw(const void *owner, size_t len)
{
	count(ANSWERS);
	memcpy(p.b + p.len, owner, len);
	p.len += len;
	put16(A);
	put16(1);
	put32(60);
	put16(4);
	put32(0x2d000001);
}

static void test_pointers_backwards_are_followed(void)
{
	begin(QR_RD_RA, "www.example.com", A);
	add_name(ANSWERS, "www.example.com", CNAME, "", 60);
	p.len -= 1; /* the target: "cdn" + a pointer to "example.com" in the question */
	memcpy(p.b + p.len - 2, "\0\6\3cdn\300\20", 8);
	size_t target = p.len;
	p.len += 6;
	CHECK(target < 0x4000);
	uint8_t owner[2] = {(uint8_t)(0xc0 | target >> 8), (uint8_t)target};
	add_a_raw(owner, 2);
	read_as("www.example.com", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_OK);
	CHECK_STR(a.chain[0], "cdn.example.com");
	add_a_raw("\300\14", 2);
	read_as("www.example.com", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_OK);
}

static void test_pointers_forwards_to_themselves_and_into_the_header_are_malformed(void)
{
	begin(QR_RD_RA, "x.y", A); /* 12 + 5 + 4: records begin at 21 */
	add_a_raw("\300\25", 2);
	read_as("x.y", FAMILY_V4);
	check_malformed("the answer section is cut or broken");
	begin(QR_RD_RA, "x.y", A);
	add_a_raw("\300\30", 2);
	read_as("x.y", FAMILY_V4);
	check_malformed("the answer section is cut or broken");
	begin(QR_RD_RA, "x.y", A);
	add_a_raw("\1a\300\25", 4); /* back to where this very run began */
	read_as("x.y", FAMILY_V4);
	check_malformed("the answer section is cut or broken");
	begin(QR_RD_RA, "x.y", A);
	add_a_raw("\300\3", 2);
	read_as("x.y", FAMILY_V4);
	check_malformed("the answer section is cut or broken");
}

static void test_reserved_label_types_are_malformed(void)
{
	begin(QR_RD_RA, "x.y", A);
	add_a_raw("\100x\0", 3);
	read_as("x.y", FAMILY_V4);
	check_malformed("the answer section is cut or broken");
	begin(QR_RD_RA, "x.y", A);
	add_a_raw("\200x\0", 3);
	read_as("x.y", FAMILY_V4);
	check_malformed("the answer section is cut or broken");
}

static void test_names_end_at_255_octets(void)
{
	char name[260];

	/* 3 labels of 63 and one of 61: 253 characters, 255 octets */
	memset(name, 'a', sizeof(name));
	name[63] = name[127] = name[191] = '.';
	name[253] = '\0';
	begin(QR_RD_RA, name, A);
	add_a(name, 0x2d000001, 60);
	read_as(name, FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_OK);
	name[253] = 'a';
	name[254] = '\0';
	begin(QR_RD_RA, name, A);
	add_a(name, 0x2d000001, 60);
	read_as(name, FAMILY_V4);
	check_malformed("the question is cut or broken");
}

/* A chain of pointers to pointers as long as the message must not cost its square. */
static void test_long_runs_of_pointers_are_malformed(void)
{
	begin(QR_RD_RA, "x.y", A);
	head(ANSWERS, "x.y", TXT, 1);
	put16(2 * 200);
	unsigned at = 12;
	for (unsigned i = 0; i < 200; i++) {
		unsigned here = (unsigned)p.len;
		put16(0xc000 | at);
		at = here;
	}
	read_as("x.y", FAMILY_V4);
	check_malformed("no record of the answer belongs to the question");
	uint8_t owner[2] = {(uint8_t)(0xc0 | at >> 8), (uint8_t)at};
	add_a_raw(owner, 2);
	read_as("x.y", FAMILY_V4);
	check_malformed("the answer section is cut or broken");
}

static void test_counts_that_promise_more_than_there_is_are_malformed(void)
{
	begin(QR_RD_RA, "x.y", A);
	add_a("x.y", 0x2d000001, 60);
	p.b[6] = p.b[7] = 0xff;
	read_as("x.y", FAMILY_V4);
	check_malformed("the answer section is cut or broken");
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

static void test_done_leaves_an_empty_answer(void)
{
	whole_message();
	read_as("a.x", FAMILY_V4);
	answer_done(&a);
	CHECK_INT(a.count, 0);
	CHECK_INT(a.chain_len, 0);
	CHECK(!a.addresses);
	answer_done(&a);
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
	TAP_RUN(test_bare_header_counts_for_failures_only);
	TAP_RUN(test_wrong_question_is_malformed);
	TAP_RUN(test_question_opcode_and_truncation_are_malformed);
	TAP_RUN(test_address_of_a_wrong_length_is_malformed);
	TAP_RUN(test_cut_anywhere_is_malformed);
	TAP_RUN(test_each_byte_changed_gives_an_answer);
	TAP_RUN(test_only_the_same_letters_match_an_owner);
	TAP_RUN(test_only_name_bytes_pass_in_a_cname_target);
	TAP_RUN(test_a_dot_inside_a_label_does_not_part_it);
	TAP_RUN(test_pointers_backwards_are_followed);
	TAP_RUN(test_pointers_forwards_to_themselves_and_into_the_header_are_malformed);
	TAP_RUN(test_reserved_label_types_are_malformed);
	TAP_RUN(test_names_end_at_255_octets);
	TAP_RUN(test_long_runs_of_pointers_are_malformed);
	TAP_RUN(test_counts_that_promise_more_than_there_is_are_malformed);
	TAP_RUN(test_outcomes_have_names);
	TAP_RUN(test_done_leaves_an_empty_answer);
	answer_done(&a);
	return tap_done();
}
