/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/live_feed: what the kernel's entries make of the copy. Where the copy may be wrong, it has
 * to be said. */
#include "core/live_feed.h"

#include "small_space.h"

#include <stdlib.h>

static const struct set_kind ranges4 = {
	.layout = SET_LAYOUT_ADDR, .family = FAMILY_V4, .interval = true};
static const struct set_kind plain4 = {.layout = SET_LAYOUT_ADDR, .family = FAMILY_V4};
static const struct set_kind ports4 = {
	.layout = SET_LAYOUT_ADDR_PROTO_SERVICE, .family = FAMILY_V4};
static const struct set_kind boxes4 = {
	.layout = SET_LAYOUT_ADDR_SERVICE, .family = FAMILY_V4, .interval = true};

static struct element_key address(const char *text)
{
	struct addr a;

	CHECK(addr_parse(text, &a));
	return element_key_addr(&a);
}

static struct set_entry start(const char *text)
{
	return (struct set_entry){.key = address(text)};
}

static struct set_entry end(const char *text)
{
	return (struct set_entry){.key = address(text), .is_end = true};
}

static struct set_entry ours(struct set_entry e)
{
	e.ours = true;
	return e;
}

static struct set_entry expiring(struct set_entry e)
{
	e.expires = true;
	return e;
}

static struct set_entry open(struct set_entry e)
{
	e.is_open = true;
	return e;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* "10.0.0.0/24 ours, 10.0.1.0/24 expires", sorted as text; until the next call. */
static const char *text_of(const struct live *l, const struct set_kind *kind)
{
	static char lines[64][ELEMENT_TEXT_SIZE + 20], text[64 * sizeof(lines[0])];
	const struct live_element *e;
	char key[ELEMENT_TEXT_SIZE];
	size_t n = 0, len = 0;

	for (size_t at = 0; n < ARRAY_LEN(lines) && (e = live_next(l, &at)); n++)
		snprintf(lines[n], sizeof(lines[n]), "%s%s%s",
			element_key_format(kind, &e->key, key), e->ours ? " ours" : "",
			e->expires ? " expires" : "");
	qsort(lines, n, sizeof(lines[0]), compare_texts);
	text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(
			text + len, sizeof(text) - len, "%s%s", i ? ", " : "", lines[i]);
	return text;
}

/* --- dumps --- */

static struct live copy;
static size_t strange;

/* What a dump of these makes, in every order; "torn" when it is. */
static const char *dump(const struct set_kind *kind, const struct set_entry *entries, size_t count)
{
	static char first[8192];

	for (size_t turn = 0; turn < count || turn == 0; turn++) {
		struct live_feed f;
		bool whole = true;
		live_feed_init(&f, kind, &copy);
		for (size_t i = 0; i < count; i++)
			whole &= live_feed_take(&f, &entries[(i + turn) % count]);
		whole &= live_feed_finish(&f);
		strange = f.strange;
		live_feed_done(&f);
		const char *text = whole ? text_of(&copy, kind) : "torn";
		if (turn)
			CHECK_STR(text, first);
		snprintf(first, sizeof(first), "%s", text);
	}
	return first;
}

#define DUMP(kind, ...)                                                                            \
	dump(kind, (const struct set_entry[]){__VA_ARGS__},                                        \
		ARRAY_LEN(((const struct set_entry[]){__VA_ARGS__})))

static void dump_of_two_entries_is_a_range(void)
{
	CHECK_STR(DUMP(&ranges4, start("10.0.0.0"), end("10.0.1.0")), "10.0.0.0/24");
	CHECK_INT(strange, 0);
	CHECK_STR(DUMP(&ranges4, ours(expiring(start("10.0.0.1"))), end("10.0.0.2")),
		"10.0.0.1 ours expires");
	CHECK_INT(copy.ours, 1);
}

static void dumped_ranges_that_touch_stay_two(void)
{
	CHECK_STR(DUMP(&ranges4, start("10.0.0.0"), end("10.0.0.4"), ours(start("10.0.0.4")),
			  end("10.0.0.6")),
		"10.0.0.0/30, 10.0.0.4/31 ours");
	CHECK_INT(strange, 0);
}

static void dump_of_an_end_alone_makes_nothing(void)
{
	/* The one that nft puts at 0. */
	CHECK_STR(DUMP(&ranges4, end("0.0.0.0")), "");
	CHECK_STR(DUMP(&ranges4, end("0.0.0.0"), start("10.0.0.0"), end("10.0.0.1")), "10.0.0.0");
	/* One whose start expired. */
	CHECK_STR(DUMP(&ranges4, start("10.0.0.0"), end("10.0.0.1"), end("10.0.0.9")), "10.0.0.0");
	CHECK_STR(DUMP(&ranges4, end("9.0.0.0"), start("10.0.0.0"), end("10.0.0.1")), "10.0.0.0");
	CHECK_INT(strange, 0);
}

static void dump_of_a_last_start_reaches_to_the_last_address(void)
{
	CHECK_STR(DUMP(&ranges4, ours(open(start("255.255.255.255")))), "255.255.255.255 ours");
	CHECK_STR(DUMP(&ranges4, open(start("128.0.0.0"))), "128.0.0.0/1");
	CHECK_STR(DUMP(&ranges4, start("128.0.0.0")), "128.0.0.0/1");
	CHECK_STR(DUMP(&ranges4, start("0.0.0.0"), end("0.0.0.1"), start("0.0.0.1")),
		"0.0.0.0, 0.0.0.1-255.255.255.255");
	CHECK_STR(DUMP(&ranges4, start("0.0.0.0")), "0.0.0.0/0");
	CHECK_INT(strange, 0);
}

static void dumped_start_without_its_end_is_strange_and_never_ours(void)
{
	CHECK_STR(DUMP(&ranges4, ours(start("10.0.0.0")), ours(start("10.0.0.8")), end("10.0.0.9")),
		"10.0.0.0/29, 10.0.0.8 ours");
	CHECK_INT(strange, 1);
	CHECK_INT(copy.ours, 1);
	CHECK_STR(DUMP(&ranges4, ours(open(start("10.0.0.0"))), ours(start("10.0.0.8"))),
		"10.0.0.0/29, 10.0.0.8-255.255.255.255 ours");
	CHECK_INT(strange, 1);
}

static void dump_with_an_entry_twice_is_torn(void)
{
	CHECK_STR(DUMP(&ranges4, start("10.0.0.0"), end("10.0.0.9"), start("10.0.0.0")), "torn");
	CHECK_STR(DUMP(&ranges4, start("10.0.0.0"), end("10.0.0.9"), end("10.0.0.9")), "torn");
	CHECK_STR(DUMP(&plain4, start("10.0.0.0"), start("10.0.0.1"), start("10.0.0.0")), "torn");
	/* A start and an end at one place are two. */
	CHECK_STR(DUMP(&ranges4, start("10.0.0.0"), end("10.0.0.9"), start("10.0.0.9"),
			  end("10.0.0.10")),
		"10.0.0.0-10.0.0.8, 10.0.0.9");
}

static void dumped_entries_of_another_length_are_strange(void)
{
	struct set_entry both = {.key = address("10.0.0.0"), .last = address("10.0.0.9")};

	CHECK_STR(DUMP(&ranges4, start("::1"), end("::2"), start("10.0.0.0"), end("10.0.0.1")),
		"10.0.0.0");
	CHECK_INT(strange, 2);
	CHECK_STR(DUMP(&ranges4, both), "");
	CHECK_INT(strange, 1);
	CHECK_STR(
		DUMP(&plain4, start("::1"), start("10.0.0.1"), both, end("10.0.0.3")), "10.0.0.1");
	CHECK_INT(strange, 3);
}

static struct element_key ports(const char *addr, uint8_t protocol, uint16_t port)
{
	struct addr a;

	CHECK(addr_parse(addr, &a));
	return element_key_service(&a, protocol, port);
}

static void dumped_keys_with_dirty_padding_are_strange(void)
{
	static const uint8_t dirty_at[] = {5, 6, 7, 10, 11};
	struct set_entry e = {.key = ports("10.0.0.1", 6, 443), .ours = true};

	CHECK_STR(DUMP(&ports4, e), "10.0.0.1 . tcp . 443 ours");
	for (size_t i = 0; i < ARRAY_LEN(dirty_at); i++) {
		struct set_entry dirty = e;
		dirty.key.bytes[dirty_at[i]] = 1;
		CHECK_STR(DUMP(&ports4, dirty), "");
		CHECK_INT(strange, 1);
	}
}

static struct element_key box(const char *addr, uint16_t port)
{
	struct set_kind kind = boxes4;
	struct element_value v = {.port_first = port};

	CHECK(addr_parse(addr, &v.addr.first));
	kind.interval = false;
	return element_key_encode(&kind, &v);
}

static void dumped_boxes_have_a_last_key_or_are_single(void)
{
	struct set_entry single = {.key = box("10.0.0.1", 80), .ours = true};
	struct set_entry same = {.key = box("10.0.0.2", 80), .last = box("10.0.0.2", 80)};
	/* Whoever made it only copied our comment. */
	struct set_entry large = {
		.key = box("10.0.1.0", 80), .last = box("10.0.1.255", 90), .ours = true};
	struct set_entry turned = {.key = box("10.0.2.9", 80), .last = box("10.0.2.0", 80)};
	struct set_entry mixed = {.key = box("10.0.3.0", 80), .last = box("10.0.3.9", 70)};
	struct set_entry dirty = {.key = box("10.0.4.0", 80), .last = box("10.0.4.9", 80)};
	struct set_entry cut = {.key = box("10.0.5.0", 80), .last = address("10.0.5.9")};
	struct set_entry flagged = {.key = box("10.0.6.0", 80), .is_end = true};
	struct element_key inside = box("10.0.1.7", 85), outside = box("10.0.1.7", 91);

	dirty.last.bytes[7] = 1;
	CHECK_STR(DUMP(&boxes4, single, same, large, turned, mixed, dirty, cut, flagged),
		"10.0.0.1 . 80 ours, 10.0.0.2 . 80, 10.0.1.0/24 . 80-90");
	CHECK_INT(strange, 5);
	CHECK_INT(copy.boxes.count, 1);
	CHECK_INT(copy.ours, 1);
	for (struct element_key *k = &inside; k; k = k == &inside ? &outside : NULL) {
		memcpy(k->bytes + 8, k->bytes, 8);
		k->len = 16;
	}
	CHECK(live_find_covering(&copy, &boxes4, &inside));
	CHECK(!live_find_covering(&copy, &boxes4, &outside));
	/* The same once with and once without its last key is the same element. */
	same.last.len = 0;
	struct set_entry again = same;
	again.last = again.key;
	CHECK_STR(DUMP(&boxes4, same, again), "torn");
}

static void dump_forgets_what_was_there_before(void)
{
	CHECK_STR(DUMP(&ports4, {.key = ports("10.0.0.1", 6, 443)}), "10.0.0.1 . tcp . 443");
	CHECK_STR(DUMP(&ranges4, ours(start("10.0.0.1")), end("10.0.0.2")), "10.0.0.1 ours");
	CHECK_STR(dump(&ranges4, NULL, 0), "");
	CHECK_INT(copy.ours + live_count(&copy) + copy.order.count, 0);
}

/* --- notices --- */

/* Each entry with a sign; what they make of the copy, and at the end "?" when it is unsure. */
struct news {
	char sign;
	struct set_entry entry;
};

static const char *hear(const struct set_kind *kind, const struct news *news, size_t count)
{
	static char text[8192];
	struct live_ear ear = LIVE_EAR_NULL;
	struct live_element e;
	bool unsure = false;

	strange = 0;
	for (size_t i = 0; i < count; i++) {
		enum live_news n =
			live_hear(&copy, &ear, kind, &news[i].entry, news[i].sign == '+', &e);
		unsure |= n == LIVE_NEWS_UNSURE;
		strange += n == LIVE_NEWS_STRANGE;
	}
	unsure |= live_hear_end(&copy, &ear, &e) == LIVE_NEWS_UNSURE;
	CHECK(!ear.start.key.len && !ear.awaited.len && !ear.early.len);
	snprintf(text, sizeof(text), "%s%s", text_of(&copy, kind), unsure ? " ?" : "");
	return text;
}

#define HEAR(kind, ...)                                                                            \
	hear(kind, (const struct news[]){__VA_ARGS__},                                             \
		ARRAY_LEN(((const struct news[]){__VA_ARGS__})))

/* What every case below starts with. */
static void begin(void)
{
	CHECK_STR(DUMP(&ranges4, end("0.0.0.0"), ours(start("10.0.0.0")), end("10.0.0.8"),
			  start("10.0.0.8"), end("10.0.0.10"), expiring(open(start("255.0.0.0")))),
		"10.0.0.0/29 ours, 10.0.0.8/31, 255.0.0.0/8 expires");
}

static void range_is_added_by_its_two_entries(void)
{
	begin();
	CHECK_STR(HEAR(&ranges4, {'+', ours(start("1.0.0.0"))}, {'+', end("1.0.0.1")},
			  {'+', start("10.0.0.10")}, {'+', end("10.0.0.11")}),
		"1.0.0.0 ours, 10.0.0.0/29 ours, 10.0.0.10, 10.0.0.8/31, 255.0.0.0/8 expires");
	CHECK_INT(copy.ours, 2);
}

static void range_is_removed_by_its_entries_in_either_order(void)
{
	begin();
	CHECK_STR(HEAR(&ranges4, {'-', start("10.0.0.0")}, {'-', end("10.0.0.8")}),
		"10.0.0.8/31, 255.0.0.0/8 expires");
	CHECK_INT(copy.ours, 0);
	begin();
	CHECK_STR(HEAR(&ranges4, {'-', end("10.0.0.8")}, {'-', start("10.0.0.0")}),
		"10.0.0.8/31, 255.0.0.0/8 expires");
	/* Which of two an end belongs to is told by its start. */
	begin();
	CHECK_STR(HEAR(&ranges4, {'-', end("10.0.0.10")}, {'-', start("10.0.0.8")},
			  {'-', end("10.0.0.8")}, {'-', start("10.0.0.0")}),
		"255.0.0.0/8 expires");
}

static void flush_is_heard_from_the_last_to_the_first(void)
{
	begin();
	CHECK_STR(HEAR(&ranges4, {'-', start("255.0.0.0")}, {'-', end("10.0.0.10")},
			  {'-', start("10.0.0.8")}, {'-', end("10.0.0.8")},
			  {'-', start("10.0.0.0")}, {'-', end("0.0.0.0")}),
		"");
	begin();
	CHECK_STR(HEAR(&ranges4, {'-', end("0.0.0.0")}, {'-', start("10.0.0.0")},
			  {'-', end("10.0.0.8")}, {'-', start("10.0.0.8")}, {'-', end("10.0.0.10")},
			  {'-', start("255.0.0.0")}),
		"");
}

static void open_ended_range_needs_its_flag(void)
{
	begin();
	CHECK_STR(HEAR(&ranges4, {'-', start("255.0.0.0")}, {'+', ours(open(start("254.0.0.0")))}),
		"10.0.0.0/29 ours, 10.0.0.8/31, 254.0.0.0/7 ours");
	begin();
	CHECK_STR(HEAR(&ranges4, {'-', start("255.0.0.0")}, {'+', ours(start("254.0.0.0"))}),
		"10.0.0.0/29 ours, 10.0.0.8/31 ?");
	/* Also when another one follows. */
	begin();
	CHECK_STR(HEAR(&ranges4, {'-', start("255.0.0.0")}, {'+', open(start("254.0.0.0"))},
			  {'+', start("1.0.0.0")}, {'+', end("1.0.0.1")}),
		"1.0.0.0, 10.0.0.0/29 ours, 10.0.0.8/31, 254.0.0.0/7");
}

/* Its comment is always told: of the same one with another timeout, or of one in the place of one
 * that expired. */
static void range_told_again_is_as_it_was_told_last(void)
{
	begin();
	CHECK_STR(HEAR(&ranges4, {'+', ours(expiring(start("10.0.0.0")))}),
		"10.0.0.0/29 ours expires, 10.0.0.8/31, 255.0.0.0/8 expires");
	CHECK_STR(HEAR(&ranges4, {'+', start("10.0.0.8")}, {'+', open(start("255.0.0.0"))}),
		"10.0.0.0/29 ours expires, 10.0.0.8/31, 255.0.0.0/8");
	CHECK_STR(HEAR(&ranges4, {'+', start("10.0.0.0")}, {'+', end("10.0.0.8")}),
		"10.0.0.0/29, 10.0.0.8/31, 255.0.0.0/8");
	CHECK_INT(copy.ours, 0);
	/* What was not ours does not become so: it is another one, or has no end of its own. */
	CHECK(strchr(HEAR(&ranges4, {'+', ours(start("10.0.0.8"))}), '?'));
}

static void range_is_replaced_in_one_transaction(void)
{
	begin();
	CHECK_STR(HEAR(&ranges4, {'-', start("10.0.0.8")}, {'-', end("10.0.0.10")},
			  {'+', ours(start("10.0.0.8"))}, {'+', end("10.0.0.9")}),
		"10.0.0.0/29 ours, 10.0.0.8 ours, 255.0.0.0/8 expires");
	CHECK_STR(HEAR(&ranges4, {'-', start("10.0.0.0")}, {'-', end("10.0.0.8")},
			  {'-', start("10.0.0.8")}, {'-', end("10.0.0.9")},
			  {'+', start("10.0.0.4")}, {'+', end("10.0.0.9")}),
		"10.0.0.4-10.0.0.8, 255.0.0.0/8 expires");
}

static void end_alone_is_known_at_zero_and_where_a_range_ends(void)
{
	begin();
	CHECK_STR(HEAR(&ranges4, {'-', end("0.0.0.0")}, {'+', end("10.0.0.10")},
			  {'-', end("9.0.0.0")}, {'+', end("0.0.0.0")}),
		"10.0.0.0/29 ours, 10.0.0.8/31, 255.0.0.0/8 expires");
	CHECK_STR(HEAR(&ranges4, {'+', end("9.0.0.0")}),
		"10.0.0.0/29 ours, 10.0.0.8/31, 255.0.0.0/8 expires ?");
}

static void what_does_not_fit_together_is_unsure(void)
{
	static const char *const same = "10.0.0.0/29 ours, 10.0.0.8/31, 255.0.0.0/8 expires ?";

	begin(); /* a start that is not followed by its end */
	CHECK_STR(HEAR(&ranges4, {'+', start("1.0.0.0")}), same);
	CHECK_STR(HEAR(&ranges4, {'+', start("1.0.0.0")}, {'+', start("2.0.0.0")}), same);
	/* ... an end before its start, and one at it */
	CHECK_STR(HEAR(&ranges4, {'+', start("2.0.0.0")}, {'+', end("1.0.0.0")}), same);
	CHECK_STR(HEAR(&ranges4, {'+', start("2.0.0.0")}, {'+', end("2.0.0.0")}), same);
	/* ... one over what is there */
	CHECK_STR(HEAR(&ranges4, {'+', start("9.0.0.0")}, {'+', end("10.0.0.1")}), same);
	CHECK_STR(HEAR(&ranges4, {'+', start("10.0.0.9")}, {'+', end("10.0.0.12")}), same);
	/* ... a delete of what is not there */
	CHECK_STR(HEAR(&ranges4, {'-', start("1.0.0.0")}, {'-', end("1.0.0.1")}), same);
	/* ... of an end without its start */
	CHECK_STR(HEAR(&ranges4, {'-', end("10.0.0.8")}), same);
	/* ... of a start without its end */
	CHECK_STR(HEAR(&ranges4, {'-', start("10.0.0.0")}), "10.0.0.8/31, 255.0.0.0/8 expires ?");
	begin();
	CHECK_STR(HEAR(&ranges4, {'-', end("10.0.0.10")}, {'-', start("10.0.0.0")}), same);
	/* ... nor when another start comes instead */
	CHECK(strchr(HEAR(&ranges4, {'-', start("10.0.0.0")}, {'-', start("10.0.0.8")},
			     {'-', end("10.0.0.10")}),
		'?'));
}

static void another_end_of_a_range_of_the_copy_is_unsure(void)
{
	begin(); /* Up to the last address; then something ends it. */
	CHECK(strchr(HEAR(&ranges4, {'+', end("255.0.0.9")}), '?'));
	begin(); /* It expired without a word, and a shorter one took its place. */
	CHECK(strchr(HEAR(&ranges4, {'+', start("10.0.0.0")}, {'+', end("10.0.0.4")}), '?'));
	begin(); /* Or a longer one. */
	CHECK(strchr(HEAR(&ranges4, {'+', start("10.0.0.8")}, {'+', end("10.0.0.11")}), '?'));
	begin(); /* Two expired. */
	CHECK(strchr(HEAR(&ranges4, {'+', start("10.0.0.0")}, {'+', end("10.0.0.10")}), '?'));
	begin(); /* Up to the last address. */
	CHECK(strchr(HEAR(&ranges4, {'+', open(start("10.0.0.8"))}), '?'));
}

/* A start that expired without a word leaves its end, which goes in a flush. */
static void end_whose_start_never_comes_is_unsure(void)
{
	begin();
	CHECK(strchr(HEAR(&ranges4, {'-', end("10.0.0.10")}, {'-', end("10.0.0.8")},
			     {'-', start("10.0.0.0")}),
		'?'));
}

static void entries_of_another_kind_are_strange(void)
{
	struct set_entry both = {.key = address("10.0.0.0"), .last = address("10.0.0.9")};

	begin();
	CHECK_STR(HEAR(&ranges4, {'+', start("::1")}, {'+', end("::2")}, {'-', both}),
		"10.0.0.0/29 ours, 10.0.0.8/31, 255.0.0.0/8 expires");
	CHECK_INT(strange, 3);
	CHECK_STR(DUMP(&plain4, ours(start("10.0.0.1"))), "10.0.0.1 ours");
	CHECK_STR(HEAR(&plain4, {'+', end("10.0.0.2")}, {'+', both}, {'-', end("10.0.0.1")}),
		"10.0.0.1 ours");
	CHECK_INT(strange, 3);
}

static void single_keys_come_and_go(void)
{
	CHECK_STR(DUMP(&plain4, ours(start("10.0.0.1"))), "10.0.0.1 ours");
	CHECK_STR(HEAR(&plain4, {'+', ours(expiring(start("10.0.0.1")))}, {'+', start("10.0.0.2")},
			  {'-', start("10.0.0.3")}),
		"10.0.0.1 ours expires, 10.0.0.2");
	CHECK_STR(HEAR(&plain4, {'-', start("10.0.0.1")}, {'-', start("10.0.0.2")}), "");
}

static void boxes_come_and_go_with_and_without_their_last_key(void)
{
	struct set_entry single = {.key = box("10.0.0.1", 80), .ours = true};
	struct set_entry same = {.key = box("10.0.0.1", 80), .last = box("10.0.0.1", 80)};
	struct set_entry large = {.key = box("10.0.1.0", 80), .last = box("10.0.1.255", 90)};

	CHECK_STR(dump(&boxes4, NULL, 0), "");
	CHECK_STR(HEAR(&boxes4, {'+', single}, {'+', large}),
		"10.0.0.1 . 80 ours, 10.0.1.0/24 . 80-90");
	CHECK_INT(copy.boxes.count, 1);
	CHECK_STR(HEAR(&boxes4, {'-', same}, {'-', large}), "");
	CHECK_INT(copy.boxes.count, 0);
}

static void what_is_told_is_what_changed(void)
{
	struct live_ear ear = LIVE_EAR_NULL;
	struct live_element e = {.ours = false};
	struct set_entry s = ours(start("1.0.0.0")), b = end("1.0.0.1");

	begin();
	CHECK_INT(live_hear(&copy, &ear, &ranges4, &s, true, &e), LIVE_NEWS_NONE);
	CHECK_INT(live_hear(&copy, &ear, &ranges4, &b, true, &e), LIVE_NEWS_ADDED);
	CHECK(e.ours && live_find(&copy, &e.key));
	e.ours = false;
	CHECK_INT(live_hear(&copy, &ear, &ranges4, &s, false, &e), LIVE_NEWS_REMOVED);
	CHECK(e.ours && !live_find(&copy, &e.key));
	CHECK_INT(live_hear(&copy, &ear, &ranges4, &b, false, &e), LIVE_NEWS_NONE);
	CHECK_INT(live_hear_end(&copy, &ear, &e), LIVE_NEWS_NONE);
	s = open(start("255.0.0.0"));
	live_hear(&copy, &ear, &ranges4, &s, false, &e);
	live_hear(&copy, &ear, &ranges4, &s, true, &e);
	CHECK_INT(live_hear_end(&copy, &ear, &e), LIVE_NEWS_ADDED);
	CHECK(!e.ours && live_find(&copy, &e.key));
}

int main(void)
{
	TAP_RUN(dump_of_two_entries_is_a_range);
	TAP_RUN(dumped_ranges_that_touch_stay_two);
	TAP_RUN(dump_of_an_end_alone_makes_nothing);
	TAP_RUN(dump_of_a_last_start_reaches_to_the_last_address);
	TAP_RUN(dumped_start_without_its_end_is_strange_and_never_ours);
	TAP_RUN(dump_with_an_entry_twice_is_torn);
	TAP_RUN(dumped_entries_of_another_length_are_strange);
	TAP_RUN(dumped_keys_with_dirty_padding_are_strange);
	TAP_RUN(dumped_boxes_have_a_last_key_or_are_single);
	TAP_RUN(dump_forgets_what_was_there_before);
	TAP_RUN(range_is_added_by_its_two_entries);
	TAP_RUN(range_is_removed_by_its_entries_in_either_order);
	TAP_RUN(flush_is_heard_from_the_last_to_the_first);
	TAP_RUN(open_ended_range_needs_its_flag);
	TAP_RUN(range_told_again_is_as_it_was_told_last);
	TAP_RUN(range_is_replaced_in_one_transaction);
	TAP_RUN(end_alone_is_known_at_zero_and_where_a_range_ends);
	TAP_RUN(what_does_not_fit_together_is_unsure);
	TAP_RUN(another_end_of_a_range_of_the_copy_is_unsure);
	TAP_RUN(end_whose_start_never_comes_is_unsure);
	TAP_RUN(entries_of_another_kind_are_strange);
	TAP_RUN(single_keys_come_and_go);
	TAP_RUN(boxes_come_and_go_with_and_without_their_last_key);
	TAP_RUN(what_is_told_is_what_changed);
	live_done(&copy);
	return tap_done();
}
