/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/saved_text: elements as text, and the file that is theirs alone. */
#include "core/saved_text.h"

#include "tap.h"

#include <stdlib.h>

#include <netinet/in.h>

#include <linux/netfilter.h>

/* Until the next but one call. */
static const char *name_of(const char *table, const char *set)
{
	static char texts[2][512];
	static unsigned turn;
	char *kept = texts[turn++ % 2], table_text[256], set_text[256];

	snprintf(table_text, sizeof(table_text), "%s", table);
	snprintf(set_text, sizeof(set_text), "%s", set);
	char *name = saved_text_file_name(&(struct set_id){NFPROTO_INET, table_text, set_text});
	snprintf(kept, sizeof(texts[0]), "%s", name);
	free(name);
	return kept;
}

static void plain_names_are_family_table_and_set(void)
{
	CHECK_STR(name_of("filter", "voip4"), "inet-filter-voip4.nft");
	CHECK_STR(name_of("filter", "voip-4_b.c"), "inet-filter-voip-4_b.c.nft");
}

static void names_never_leave_the_directory(void)
{
	CHECK_STR(name_of("a/b", "c/../d"), "inet-a%2fb-c%2f..%2fd.nft");
}

static void no_two_sets_share_a_name(void)
{
	CHECK(strcmp(name_of("a-b", "c"), name_of("a", "b-c")) != 0);
	CHECK_STR(name_of("a-b", "c"), "inet-a%2db-c.nft");
	CHECK(strcmp(name_of("a", "b/c"), name_of("a", "b.c")) != 0);
}

static void names_too_long_for_a_file_are_cut_and_still_differ(void)
{
	char long_table[129], one[129], other[129];

	memset(long_table, 't', 128);
	memset(one, '/', 128);
	memset(other, '/', 128);
	long_table[128] = one[128] = other[128] = '\0';
	other[127] = 'x';
	const char *a = name_of(long_table, one), *b = name_of(long_table, other);
	CHECK(strlen(a) <= SAVED_NAME_MAX && strlen(b) <= SAVED_NAME_MAX);
	CHECK(strcmp(a, b) != 0);
	CHECK_STR(a + strlen(a) - 4, ".nft");
}

static void elements_are_sorted_and_carry_our_comment(void)
{
	struct set_kind kind = {.layout = SET_LAYOUT_ADDR, .family = FAMILY_V4};
	struct element_key keys[2] = {
		{.len = 4, .bytes = {192, 0, 2, 9}}, {.len = 4, .bytes = {192, 0, 2, 1}}};

	char *text = saved_text(&kind, keys, 2, NULL, 0);
	CHECK_STR(text, "elements = {\n\t192.0.2.1 comment \"allowsyncd\",\n"
			"\t192.0.2.9 comment \"allowsyncd\"\n}\n");
	free(text);
}

static void keys_with_ports_are_written_as_nft_does(void)
{
	struct set_kind kind = {.layout = SET_LAYOUT_ADDR_PROTO_SERVICE, .family = FAMILY_V6};
	struct addr a = {.family = FAMILY_V6, .bytes = {0x20, 1, 0xd, 0xb8, [15] = 1}};
	struct element_key key = element_key_service(&a, IPPROTO_TCP, 443);

	char *text = saved_text(&kind, &key, 1, NULL, 0);
	CHECK_STR(text, "elements = {\n\t2001:db8::1 . tcp . 443 comment \"allowsyncd\"\n}\n");
	free(text);
}

static void no_elements_are_no_text(void)
{
	struct set_kind kind = {.layout = SET_LAYOUT_ADDR, .family = FAMILY_V4};

	char *text = saved_text(&kind, NULL, 0, NULL, 0);
	CHECK_STR(text, "");
	free(text);
}

int main(void)
{
	TAP_RUN(plain_names_are_family_table_and_set);
	TAP_RUN(names_never_leave_the_directory);
	TAP_RUN(no_two_sets_share_a_name);
	TAP_RUN(names_too_long_for_a_file_are_cut_and_still_differ);
	TAP_RUN(elements_are_sorted_and_carry_our_comment);
	TAP_RUN(keys_with_ports_are_written_as_nft_does);
	TAP_RUN(no_elements_are_no_text);
	return tap_done();
}
