/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DNS names and identifiers: what is let in, for every byte value. */
#include "allowsync/name.h"

#include "tap.h"

static void test_names_become_lower_case_without_the_last_dot(void)
{
	char name[NAME_TEXT_MAX + 1];

	CHECK(!name_normalize("Whitelist.IXON.cloud", name));
	CHECK_STR(name, "whitelist.ixon.cloud");
	CHECK(!name_normalize("cloud_ap.cloudtrax.com.", name));
	CHECK_STR(name, "cloud_ap.cloudtrax.com");
	CHECK(!name_normalize("0.idigi.pool.ntp.org", name));
	CHECK_STR(name, "0.idigi.pool.ntp.org");
	CHECK(!name_normalize("a.b-c.d1", name));
	CHECK(!name_normalize("xn--bcher-kva.example", name));
	CHECK(!name_normalize("_sip._tcp.example", name));
	CHECK(!name_normalize("4.3.2.1.in-addr.arpa", name));
}

static void test_what_is_no_name_is_refused(void)
{
	static const char *const cases[] = {"", ".", "..", "com", "com.", "a..b", ".a.b", "a.b..",
		"-a.b", "a-.b", "a.-b", "a.b-", "a\\.b.c", "10.0.0.300", "10.0.0.1", "a.1", "a b.c",
		"*.a.b", "a.*.b", "a*.b", "a.b:53", "a/b.c", "a.b ", " a.b",
		"b\303\274cher.example"};
	char name[NAME_TEXT_MAX + 1] = "untouched";

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CHECK(name_normalize(cases[i], name));
		CHECK_STR(name, "untouched");
	}
}

static void test_length_limits_are_exact(void)
{
	char label63[64], text[300], name[NAME_TEXT_MAX + 1];

	memset(label63, 'a', 63);
	label63[63] = '\0';
	snprintf(text, sizeof(text), "%s.b", label63);
	CHECK(!name_normalize(text, name));
	snprintf(text, sizeof(text), "%sa.b", label63);
	CHECK_STR(name_normalize(text, name), "has a label of more than 63 characters");

	/* 63 + 1 + 63 + 1 + 63 + 1 + 61 = 253 */
	snprintf(text, sizeof(text), "%s.%s.%s.%.61s", label63, label63, label63, label63);
	CHECK_INT(strlen(text), 253);
	CHECK(!name_normalize(text, name));
	CHECK_STR(name, text);
	strcat(text, ".");
	CHECK(!name_normalize(text, name));
	snprintf(text, sizeof(text), "%s.%s.%s.%.62s", label63, label63, label63, label63);
	CHECK_STR(name_normalize(text, name), "is longer than 253 characters");

	snprintf(text, sizeof(text), "*.%s.%s.%s.%.59s", label63, label63, label63, label63);
	CHECK_INT(strlen(text), 253);
	CHECK(!name_normalize_wildcard(text, name));
	CHECK_STR(name, text);
	snprintf(text, sizeof(text), "*.%s.%s.%s.%.60s", label63, label63, label63, label63);
	CHECK(name_normalize_wildcard(text, name));
}

static void test_wildcards_stand_before_two_labels(void)
{
	char name[NAME_TEXT_MAX + 1];

	CHECK(!name_normalize_wildcard("*.IXON.cloud.", name));
	CHECK_STR(name, "*.ixon.cloud");
	CHECK(name_normalize_wildcard("ixon.cloud", name));
	CHECK(name_normalize_wildcard("*ixon.cloud", name));
	CHECK(name_normalize_wildcard("*.*.ixon.cloud", name));
	CHECK(name_normalize_wildcard("*.com", name));
	CHECK(name_normalize_wildcard("*.", name));
	CHECK(name_normalize_wildcard("*", name));
}

static bool one_of(int c, const char *set)
{
	return c && strchr(set, c);
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

static void test_each_byte_value_in_a_name(void)
{
	char name[NAME_TEXT_MAX + 1];

	for (int c = 1; c < 256; c++) {
		char middle[] = {'a', (char)c, 'a', '.', 'b', '\0'};
		char first[] = {(char)c, 'a', '.', 'b', '\0'};
		char last[] = {'b', '.', 'a', (char)c, '\0'};
		CHECK_INT(!name_normalize(middle, name), one_of(c, LOWER UPPER DIGIT "-_."));
		CHECK_INT(!name_normalize(first, name), one_of(c, LOWER UPPER DIGIT "_"));
		CHECK_INT(!name_normalize(last, name), one_of(c, LOWER UPPER DIGIT "_."));
	}
}

static void test_each_byte_value_in_an_identifier(void)
{
	for (int c = 1; c < 256; c++) {
		char alone[] = {(char)c, '\0'}, behind[] = {'v', (char)c, '\0'};
		CHECK_INT(identifier_ok(alone), one_of(c, LOWER));
		CHECK_INT(identifier_ok(behind), one_of(c, LOWER DIGIT "_-"));
		CHECK_INT(nft_identifier_ok(alone), one_of(c, LOWER UPPER "_."));
		CHECK_INT(nft_identifier_ok(behind), one_of(c, LOWER UPPER DIGIT "_./-"));
	}
	CHECK(!identifier_ok(""));
	CHECK(!nft_identifier_ok(""));
	CHECK(!nft_identifier_ok("t { } ; flush ruleset ; table inet z"));
}

static void test_identifier_lengths_are_exact(void)
{
	char text[200];

	memset(text, 'a', sizeof(text));
	text[31] = '\0';
	CHECK(identifier_ok(text));
	text[31] = 'a';
	text[32] = '\0';
	CHECK(!identifier_ok(text));
	text[32] = 'a';
	text[128] = '\0';
	CHECK(nft_identifier_ok(text));
	text[128] = 'a';
	text[129] = '\0';
	CHECK(!nft_identifier_ok(text));
}

static void test_words_of_nft_are_good_vendor_names(void)
{
	CHECK(identifier_ok("ip"));
	CHECK(identifier_ok("log"));
	CHECK(identifier_ok("tcp"));
}

int main(void)
{
	TAP_RUN(test_names_become_lower_case_without_the_last_dot);
	TAP_RUN(test_what_is_no_name_is_refused);
	TAP_RUN(test_length_limits_are_exact);
	TAP_RUN(test_wildcards_stand_before_two_labels);
	TAP_RUN(test_each_byte_value_in_a_name);
	TAP_RUN(test_each_byte_value_in_an_identifier);
	TAP_RUN(test_identifier_lengths_are_exact);
	TAP_RUN(test_words_of_nft_are_good_vendor_names);
	return tap_done();
}
