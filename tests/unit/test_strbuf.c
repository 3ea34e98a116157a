/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/strbuf: text that grows, and the small helpers for strings. */
#include "base/strbuf.h"

#include "random.h"
#include "tap.h"

static void empty_buffer_is_an_empty_text(void)
{
	struct strbuf b = STRBUF_NULL;

	CHECK_STR(strbuf_text(&b), "");
	strbuf_append(&b, "");
	CHECK_STR(strbuf_text(&b), "");
	strbuf_append_bytes(&b, NULL, 0);
	CHECK_INT(b.len, 0);
	strbuf_done(&b);
	strbuf_done(&b);
}

static void appended_pieces_stand_one_after_another(void)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;

	strbuf_append(&b, "one");
	strbuf_append_char(&b, ' ');
	strbuf_appendf(&b, "%d %s", 2, "three");
	strbuf_append_bytes(&b, "xyz", 1);
	CHECK_STR(strbuf_text(&b), "one 2 threex");
	CHECK_INT(b.len, strlen("one 2 threex"));
}

static void long_text_stays_whole(void)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;

	for (int i = 0; i < 5000; i++) {
		strbuf_appendf(&b, "%04d", i);
		CHECK(b.data[b.len] == '\0' && b.len < b.capacity);
	}
	CHECK_INT(b.len, 20000);
	CHECK(memcmp(b.data + 4 * 4321, "4321", 4) == 0);
}

static void take_gives_the_text_away(void)
{
	struct strbuf b = STRBUF_NULL;

	strbuf_append(&b, "mine");
	_cleanup_free_ char *s = strbuf_take(&b);
	CHECK_STR(s, "mine");
	CHECK_STR(strbuf_text(&b), "");
	_cleanup_free_ char *none = strbuf_take(&b);
	CHECK_STR(none, "");
}

static void clear_keeps_the_room(void)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;

	strbuf_clear(&b);
	strbuf_append(&b, "some longer text than that");
	char *before = b.data;
	strbuf_clear(&b);
	CHECK_STR(strbuf_text(&b), "");
	strbuf_append(&b, "x");
	CHECK(b.data == before);
	CHECK_STR(strbuf_text(&b), "x");
}

/* What a terminal or a log would obey. */
static void escaping_lets_only_printable_ascii_through(void)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;

	strbuf_append_escaped(&b, "a\n\x1b[31m\0\\\x7f\xe2\x80\xae~ ", 15);
	CHECK_STR(strbuf_text(&b), "a\\010\\027[31m\\000\\092\\127\\226\\128\\174~ ");
	for (int c = 0; c < 256; c++) {
		char byte = (char)c;
		strbuf_clear(&b);
		strbuf_append_escaped(&b, &byte, 1);
		bool plain = c >= 0x20 && c < 0x7f && c != '\\';
		CHECK_INT(b.len, plain ? 1 : 4);
		CHECK(plain ? b.data[0] == byte : b.data[0] == '\\');
	}
}

static void equal_strings(void)
{
	char a[] = "abc";

	CHECK(str_eq(a, "abc"));
	CHECK(!str_eq(a, "abd"));
	CHECK(str_eq(NULL, NULL));
	CHECK(!str_eq(a, NULL));
	CHECK(!str_eq(NULL, a));
	CHECK(str_starts("abc", ""));
	CHECK(str_starts("abc", "ab"));
	CHECK(str_starts("abc", "abc"));
	CHECK(!str_starts("ab", "abc"));
}

static void distances_of_known_pairs(void)
{
	CHECK_INT(str_distance("", "", 3), 0);
	CHECK_INT(str_distance("refresh-mx", "refresh-max", 3), 1);
	CHECK_INT(str_distance("stelth", "stealth", 3), 1);
	CHECK_INT(str_distance("kitten", "sitting", 3), 3);
	CHECK_INT(str_distance("kitten", "sitting", 2), 3);
	CHECK_INT(str_distance("abc", "", 5), 3);
	CHECK_INT(str_distance("abcdef", "uvwxyz", 2), 3);
}

static void texts_too_long_to_compare_are_far_apart(void)
{
	char a[200], b[200];

	memset(a, 'a', sizeof(a));
	memset(b, 'a', sizeof(b));
	a[199] = b[198] = '\0';
	CHECK_INT(str_distance(a, b, 3), 4);
	CHECK_INT(str_distance("a", b, 300), 301);
	CHECK_INT(str_distance(a, "a", 300), 301);
	a[64] = b[63] = '\0';
	CHECK_INT(str_distance(a, b, 3), 1);
	a[65] = '\0';
	a[64] = 'a';
	CHECK_INT(str_distance(a, b, 3), 4);
}

/* The definition, without any table. */
static unsigned distance(const char *a, const char *b)
{
	if (!*a || !*b)
		return (unsigned)(strlen(a) + strlen(b));
	unsigned best = distance(a + 1, b + 1) + (*a != *b);
	unsigned skip_a = distance(a + 1, b) + 1, skip_b = distance(a, b + 1) + 1;
	if (skip_a < best)
		best = skip_a;
	return skip_b < best ? skip_b : best;
}

static void random_distances_agree_with_the_definition(void)
{
	for (int round = 0; round < 2000; round++) {
		char a[7] = "", b[7] = "";
		for (unsigned i = random_below(7); i > 0; i--)
			a[i - 1] = (char)('a' + random_below(3));
		for (unsigned i = random_below(7); i > 0; i--)
			b[i - 1] = (char)('a' + random_below(3));
		CHECK_INT(str_distance(a, b, 20), distance(a, b));
		CHECK_INT(str_distance(a, b, 20), str_distance(b, a, 20));
	}
}

int main(void)
{
	random_begin(3);
	TAP_RUN(empty_buffer_is_an_empty_text);
	TAP_RUN(appended_pieces_stand_one_after_another);
	TAP_RUN(long_text_stays_whole);
	TAP_RUN(take_gives_the_text_away);
	TAP_RUN(clear_keeps_the_room);
	TAP_RUN(escaping_lets_only_printable_ascii_through);
	TAP_RUN(equal_strings);
	TAP_RUN(distances_of_known_pairs);
	TAP_RUN(texts_too_long_to_compare_are_far_apart);
	TAP_RUN(random_distances_agree_with_the_definition);
	return tap_done();
}
