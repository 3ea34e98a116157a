/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DNS messages that are cut, forged or otherwise not what was asked for. */
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

static void check_malformed(const char *why)
{
	CHECK_INT(a.outcome, ANSWER_MALFORMED);
	CHECK_STR(a.why, why);
	CHECK_INT(a.count, 0);
	CHECK(!a.addresses);
	CHECK_INT(a.ttl_s, 0);
}

static void test_wrong_question_is_malformed(void)
{
	packet_begin(&p, FLAGS_RECURSED, "x.z", TYPE_A);
	packet_a(&p, "x.y", 0x2d000001, 60);
	read_as("x.y", FAMILY_V4);
	check_malformed("the answer to another question");
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_AAAA);
	packet_a(&p, "x.y", 0x2d000001, 60);
	read_as("x.y", FAMILY_V4);
	check_malformed("the answer to another question");
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	p.bytes[p.len - 1] = 3;
	packet_a(&p, "x.y", 0x2d000001, 60);
	read_as("x.y", FAMILY_V4);
	check_malformed("the answer to another question");
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	p.bytes[5] = 2;
	read_as("x.y", FAMILY_V4);
	check_malformed("not exactly one question");
	/* also when the server says that it failed */
	packet_begin(&p, FLAGS_RECURSED | 2, "x.z", TYPE_A);
	read_as("x.y", FAMILY_V4);
	check_malformed("the answer to another question");
}

static void test_question_opcode_and_truncation_are_malformed(void)
{
	packet_begin(&p, 0x0100, "x.y", TYPE_A);
	read_as("x.y", FAMILY_V4);
	check_malformed("a question, not an answer");
	packet_begin(&p, 0xa800 | FLAGS_RECURSED, "x.y", TYPE_A);
	read_as("x.y", FAMILY_V4);
	check_malformed("not the answer to a query");
	packet_begin(&p, FLAGS_RECURSED | 0x0200, "x.y", TYPE_A);
	packet_a(&p, "x.y", 0x2d000001, 60);
	read_as("x.y", FAMILY_V4);
	check_malformed("truncated");
}

static void test_address_of_a_wrong_length_is_malformed(void)
{
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	packet_a(&p, "x.y", 0x2d000001, 60);
	packet_record(&p, SECTION_ANSWER, "x.y", TYPE_A, 60, 5);
	packet_u32(&p, 0x2d000002);
	packet_u8(&p, 0);
	read_as("x.y", FAMILY_V4);
	check_malformed("an address record of a wrong length");
}

static void test_data_longer_than_its_name_or_numbers_is_no_record(void)
{
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	packet_record(&p, SECTION_ANSWER, "x.y", TYPE_CNAME, 60, 6);
	packet_name(&p, "b.x");
	packet_u8(&p, 0);
	packet_a(&p, "b.x", 0x2d000001, 60);
	read_as("x.y", FAMILY_V4);
	check_malformed("a broken CNAME record");
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	packet_soa(&p, "y", 60, 60);
	packet_u8(&p, 0);
	p.bytes[p.len - 1 - 29 - 1]++; /* the length */
	read_as("x.y", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_NODATA);
	CHECK_INT(a.ttl_s, 0);
}

static void whole_message(void)
{
	packet_begin(&p, FLAGS_RECURSED, "a.x", TYPE_A);
	packet_cname(&p, "a.x", "b.x", 900);
	packet_a(&p, "b.x", 0x2d000001, 5);
	packet_soa(&p, "x", 60, 60);
	packet_record(&p, SECTION_ADDITIONAL, "b.x", TYPE_A, 5, 4);
	packet_u32(&p, 0x2d000001);
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
	packet_u32(&p, 0xffffffff); /* behind the last record: nothing that was announced */
	read_as("a.x", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_OK);
}

static void test_each_byte_changed_gives_an_answer(void)
{
	whole_message();
	struct packet *whole = xmemdup(&p, sizeof(p));

	for (size_t at = 0; at < whole->len; at++)
		for (unsigned v = 0; v < 256; v++) {
			p.bytes[at] = (uint8_t)v;
			read_as("a.x", FAMILY_V4);
			CHECK(a.outcome != ANSWER_TIMEOUT);
			CHECK((a.outcome == ANSWER_MALFORMED) == (a.why != NULL));
			CHECK((a.outcome == ANSWER_OK) == (a.count > 0));
			p.bytes[at] = whole->bytes[at];
		}
	free(whole);
}

/* Each byte value in an owner's label: only the letter's two cases are the name "x.y". */
static void test_only_the_same_letters_match_an_owner(void)
{
	for (unsigned v = 0; v < 256; v++) {
		packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
		size_t at = p.len + 1;

		packet_a(&p, "x.y", 0x2d000001, 60);
		p.bytes[at] = (uint8_t)v;
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

		packet_begin(&p, FLAGS_RECURSED, "q.q", TYPE_A);
		packet_cname(&p, "q.q", "abc.y", 60);
		p.bytes[p.len - 5] = (uint8_t)v; /* the "b" */
		size_t at = p.len + 2;
		packet_a(&p, "abc.y", 0x2d000001, 60);
		p.bytes[at] = (uint8_t)v;
		read_as("q.q", FAMILY_V4);
		if (fine)
			CHECK_INT(a.outcome, ANSWER_OK);
		else
			check_malformed("a CNAME to a name with bytes that names do not have");
	}
}

static void test_a_dot_inside_a_label_does_not_part_it(void)
{
	packet_begin(&p, FLAGS_RECURSED, "www.example.com", TYPE_A);
	packet_a_raw(&p, "\13www.example\3com", 17, 0x0a000042, 60);
	read_as("www.example.com", FAMILY_V4);
	check_malformed("no record of the answer belongs to the question");
}

static void test_pointers_backwards_are_followed(void)
{
	packet_begin(&p, FLAGS_RECURSED, "www.example.com", TYPE_A);
	packet_cname(&p, "www.example.com", "", 60);
	p.len -= 1; /* the target: "cdn" + a pointer to "example.com" in the question */
	memcpy(p.bytes + p.len - 2, "\0\6\3cdn\300\20", 8);
	size_t target = p.len;
	p.len += 6;
	CHECK(target < 0x4000);
	uint8_t owner[2] = {(uint8_t)(0xc0 | target >> 8), (uint8_t)target};
	packet_a_raw(&p, owner, 2, 0x2d000001, 60);
	read_as("www.example.com", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_OK);
	CHECK_STR(a.chain[0], "cdn.example.com");
	packet_a_raw(&p, "\300\14", 2, 0x2d000001, 60);
	read_as("www.example.com", FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_OK);
}

static void test_pointers_forwards_to_themselves_and_into_the_header_are_malformed(void)
{
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A); /* 12 + 5 + 4: records begin at 21 */
	packet_a_raw(&p, "\300\25", 2, 0x2d000001, 60);
	read_as("x.y", FAMILY_V4);
	check_malformed("the answer section is cut or broken");
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	packet_a_raw(&p, "\300\30", 2, 0x2d000001, 60);
	read_as("x.y", FAMILY_V4);
	check_malformed("the answer section is cut or broken");
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	packet_a_raw(&p, "\1a\300\25", 4, 0x2d000001, 60); /* back to where this very run began */
	read_as("x.y", FAMILY_V4);
	check_malformed("the answer section is cut or broken");
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	packet_a_raw(&p, "\300\10", 2, 0x2d000001, 60);
	read_as("x.y", FAMILY_V4);
	check_malformed("the answer section is cut or broken");
}

static void test_reserved_label_types_are_malformed(void)
{
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	packet_a_raw(&p, "\100x\0", 3, 0x2d000001, 60);
	read_as("x.y", FAMILY_V4);
	check_malformed("the answer section is cut or broken");
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	packet_a_raw(&p, "\200x\0", 3, 0x2d000001, 60);
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
	packet_begin(&p, FLAGS_RECURSED, name, TYPE_A);
	packet_a(&p, name, 0x2d000001, 60);
	read_as(name, FAMILY_V4);
	CHECK_INT(a.outcome, ANSWER_OK);
	name[253] = 'a';
	name[254] = '\0';
	packet_begin(&p, FLAGS_RECURSED, name, TYPE_A);
	packet_a(&p, name, 0x2d000001, 60);
	read_as(name, FAMILY_V4);
	check_malformed("the question is cut or broken");
}

/* A chain of pointers to pointers as long as the message must not cost its square. */
static void test_long_runs_of_pointers_are_malformed(void)
{
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	packet_record(&p, SECTION_ANSWER, "x.y", TYPE_TXT, 1, 2 * 200);
	unsigned at = 12;
	for (unsigned i = 0; i < 200; i++) {
		unsigned here = (unsigned)p.len;
		packet_u16(&p, 0xc000 | at);
		at = here;
	}
	read_as("x.y", FAMILY_V4);
	check_malformed("no record of the answer belongs to the question");
	uint8_t owner[2] = {(uint8_t)(0xc0 | at >> 8), (uint8_t)at};
	packet_a_raw(&p, owner, 2, 0x2d000001, 60);
	read_as("x.y", FAMILY_V4);
	check_malformed("the answer section is cut or broken");
}

static void test_counts_that_promise_more_than_there_is_are_malformed(void)
{
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	packet_a(&p, "x.y", 0x2d000001, 60);
	p.bytes[6] = p.bytes[7] = 0xff;
	read_as("x.y", FAMILY_V4);
	check_malformed("the answer section is cut or broken");
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
	TAP_RUN(test_wrong_question_is_malformed);
	TAP_RUN(test_question_opcode_and_truncation_are_malformed);
	TAP_RUN(test_address_of_a_wrong_length_is_malformed);
	TAP_RUN(test_data_longer_than_its_name_or_numbers_is_no_record);
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
	TAP_RUN(test_done_leaves_an_empty_answer);
	answer_done(&a);
	return tap_done();
}
