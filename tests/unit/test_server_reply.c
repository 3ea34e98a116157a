/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which answers are worth something, and what they say of EDNS. */
#include "core/server_reply.h"

#include "packet.h"
#include "tap.h"

static struct packet p;

static void opt(unsigned extended_rcode)
{
	packet_record(&p, SECTION_ADDITIONAL, "", 41, extended_rcode << 24, 0);
}

static struct server_reply judge(unsigned flags)
{
	packet_begin(&p, flags, "name.example.test", TYPE_A);
	return server_reply_judge(p.bytes, p.len);
}

static void test_rcodes_are_told_apart(void)
{
	CHECK_INT(judge(FLAGS_RECURSED).outcome, SERVER_GOOD);
	CHECK_INT(judge(FLAGS_AUTHORITATIVE).outcome, SERVER_GOOD);
	CHECK_INT(judge(FLAGS_RECURSED | RCODE_NXDOMAIN).outcome, SERVER_GOOD);
	CHECK_INT(judge(FLAGS_RECURSED | RCODE_SERVFAIL).outcome, SERVER_SERVFAIL);
	CHECK_INT(judge(FLAGS_RECURSED | RCODE_REFUSED).outcome, SERVER_REFUSED);
	for (unsigned rcode = 0; rcode < 16; rcode++) {
		bool no_edns = rcode == 1 || rcode == 4;
		CHECK_INT(judge(FLAGS_RECURSED | rcode).no_edns, no_edns);
		CHECK_INT(judge(FLAGS_RECURSED | rcode).rcode, rcode);
		if (rcode != 0 && rcode != 2 && rcode != 3 && rcode != 5)
			CHECK_INT(judge(FLAGS_RECURSED | rcode).outcome, SERVER_MALFORMED);
	}
}

static void test_what_is_no_whole_answer_is_malformed(void)
{
	CHECK_INT(judge(FLAGS_RECURSED | FLAGS_TC).outcome, SERVER_MALFORMED);
	CHECK_INT(judge(FLAGS_RECURSED & ~0x8000).outcome, SERVER_MALFORMED);
	CHECK_INT(judge(FLAGS_RECURSED | 0x0800).outcome, SERVER_MALFORMED);
	CHECK_INT(judge(0x8100).outcome, SERVER_MALFORMED); /* a referral */
	packet_begin(&p, 0x8100, "name.example.test", TYPE_A);
	packet_record(&p, SECTION_ANSWER, "name.example.test", TYPE_A, 60, 4);
	packet_u32(&p, 0x2d000001);
	CHECK_INT(server_reply_judge(p.bytes, p.len).outcome, SERVER_GOOD);
	for (size_t len = 0; len < 12; len++)
		CHECK_INT(server_reply_judge(p.bytes, len).outcome, SERVER_MALFORMED);
	CHECK_INT(server_reply_judge(p.bytes, 12).outcome, SERVER_GOOD);
}

static void test_a_bare_header_may_say_that_edns_is_not_known(void)
{
	static const uint8_t bare[12] = {0x12, 0x34, 0x81, 0x81};

	CHECK(server_reply_judge(bare, sizeof(bare)).no_edns);
	CHECK(!server_reply_judge(bare, sizeof(bare)).has_opt);
}

static void test_the_opt_record_is_found_behind_others(void)
{
	bool has_opt;

	judge(FLAGS_RECURSED);
	CHECK_INT(server_reply_extended_rcode(p.bytes, p.len, &has_opt), 0);
	CHECK(!has_opt);
	packet_record(&p, SECTION_ANSWER, "name.example.test", TYPE_A, 60, 4);
	packet_u32(&p, 0x2d000001);
	opt(0);
	struct server_reply r = server_reply_judge(p.bytes, p.len);
	CHECK(r.has_opt);
	CHECK_INT(r.outcome, SERVER_GOOD);
	/* A name that ends in a pointer. */
	judge(FLAGS_RECURSED);
	packet_u16(&p, 0xc00c);
	packet_u16(&p, TYPE_A);
	packet_u16(&p, 1);
	packet_u32(&p, 60);
	packet_u16(&p, 4);
	packet_u32(&p, 0x2d000001);
	p.bytes[7]++;
	opt(0);
	CHECK(server_reply_judge(p.bytes, p.len).has_opt);
	/* Cut anywhere it is none. */
	for (size_t len = 12; len < p.len; len++)
		CHECK(!server_reply_judge(p.bytes, len).has_opt);
}

static void test_an_extended_rcode_is_no_success(void)
{
	judge(FLAGS_RECURSED);
	opt(1);
	struct server_reply r = server_reply_judge(p.bytes, p.len);
	CHECK_INT(r.rcode, RCODE_BADVERS);
	CHECK_INT(r.outcome, SERVER_MALFORMED);
	CHECK(r.no_edns);
	judge(FLAGS_RECURSED);
	opt(255);
	r = server_reply_judge(p.bytes, p.len);
	CHECK_INT(r.rcode, 0xff0);
	CHECK_INT(r.outcome, SERVER_MALFORMED);
	CHECK(!r.no_edns);
}

int main(void)
{
	TAP_RUN(test_rcodes_are_told_apart);
	TAP_RUN(test_what_is_no_whole_answer_is_malformed);
	TAP_RUN(test_a_bare_header_may_say_that_edns_is_not_known);
	TAP_RUN(test_the_opt_record_is_found_behind_others);
	TAP_RUN(test_an_extended_rcode_is_no_success);
	return tap_done();
}
