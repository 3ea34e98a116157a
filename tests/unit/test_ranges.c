/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/ranges: what is in order, what overlaps what, and where the addresses end. */
#include "core/ranges.h"

#include "small_space.h"

#include <stdlib.h>

static const struct set_kind v4 = {
	.layout = SET_LAYOUT_ADDR, .family = FAMILY_V4, .interval = true};
static const struct set_kind v6 = {
	.layout = SET_LAYOUT_ADDR, .family = FAMILY_V6, .interval = true};

static struct element_key key(const char *text)
{
	struct element_value v = {.port_first = 0};

	CHECK(addr_range_parse(text, &v.addr));
	return element_key_encode(v.addr.first.family == FAMILY_V6 ? &v6 : &v4, &v);
}

/* Until the next call. */
static const char *text_of(const struct element_key *k)
{
	static char text[ELEMENT_TEXT_SIZE];

	return element_key_format(k->len == 32 ? &v6 : &v4, k, text);
}

/* All in order; until the next call. */
static const char *all(const struct ranges *r)
{
	static char text[1024];
	size_t len = 0;

	text[0] = '\0';
	for (const struct range *at = ranges_first(r); at; at = ranges_next(at))
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", len ? " " : "",
			text_of(range_key(at)));
	return text;
}

/* Of a key that stays. */
static void put(struct ranges *r, struct element_key *k, const char *text)
{
	*k = key(text);
	CHECK(range_item(ranges_put(r, k, k)) == k);
}

static void ranges_come_by_where_they_begin_and_shorter_ones_first(void)
{
	static const char *const texts[] = {"10.0.0.9", "10.0.0.0/24", "9.255.255.0/24", "10.0.0.0",
		"10.0.0.0/30", "0.0.0.0-255.255.255.255", "255.255.255.255"};
	struct element_key keys[ARRAY_LEN(texts)];
	struct ranges r = RANGES_NULL;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		put(&r, &keys[i], texts[i]);
	CHECK_STR(all(&r), "0.0.0.0/0 9.255.255.0/24 10.0.0.0 10.0.0.0/30 10.0.0.0/24 10.0.0.9 "
			   "255.255.255.255");
	CHECK_INT(r.count, 7);
	ranges_done(&r);
	CHECK_INT(r.count, 0);
	CHECK(!ranges_first(&r));
}

static void place_of_a_removed_range_is_taken_again(void)
{
	struct ranges r = RANGES_NULL;
	struct element_key a = key("10.0.0.0/24"), b = key("10.0.1.0/24");
	const struct range *first = ranges_put(&r, &a, &a);

	ranges_remove(&r, first);
	CHECK_INT(r.count, 0);
	CHECK(!ranges_first(&r));
	CHECK(ranges_put(&r, &b, &b) == first);
	CHECK(range_key(first) == &b && range_item(first) == &b);
	CHECK_INT(r.count, 1);
	ranges_done(&r);
}

/* The first 64 bits of IPv6 are the same. */
static void spans_are_sorted_by_where_they_begin_and_shorter_ones_first(void)
{
	static const char *const texts[] = {"10.0.0.9", "10.0.0.0/24", "9.255.255.0/24", "10.0.0.0",
		"255.255.255.255", "0.0.0.0-255.255.255.255", "2001:db8::9",
		"2001:db8::", "2001:db8::/64", "2001:db8::/96", "2001:db8::8", "::1"};
	static const size_t order[] = {5, 2, 3, 1, 0, 4, 11, 7, 9, 8, 10, 6};
	enum { FOUR = 6 };
	struct element_key keys[ARRAY_LEN(texts)];
	const struct element_key *spans[ARRAY_LEN(texts)];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		keys[i] = key(texts[i]);
		spans[i] = &keys[i];
	}
	ranges_sort(spans, FOUR);
	ranges_sort(spans + FOUR, ARRAY_LEN(texts) - FOUR);
	ranges_sort(spans, 0);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		CHECK(spans[i] == &keys[order[i]]);
}

static void ranges_begin_at_a_line_of_the_cache(void)
{
	static struct element_key keys[1000];
	struct ranges r = RANGES_NULL;

	for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
		char text[32];
		snprintf(text, sizeof(text), "10.0.%u.%u", i / 250, i % 250);
		keys[i] = key(text);
		CHECK_INT((uintptr_t)ranges_put(&r, &keys[i], NULL) % 64, 0);
	}
	CHECK_INT(r.count, ARRAY_LEN(keys));
	ranges_done(&r);
}

static void touching_ranges_do_not_overlap(void)
{
	struct element_key a = key("10.0.0.0-10.0.0.9"), b = key("10.0.0.10-10.0.0.19");
	struct element_key c = key("10.0.0.9-10.0.0.10");

	CHECK_INT(range_place(&a, &b), -1);
	CHECK_INT(range_place(&b, &a), 1);
	CHECK_INT(range_place(&a, &c), 0);
	CHECK_INT(range_place(&c, &b), 0);
	CHECK_INT(range_place(&a, &a), 0);
}

static void widening_stops_where_the_addresses_end(void)
{
	static const char *const cases[][2] = {
		{"0.0.0.0", "0.0.0.0/31"},
		{"255.255.255.255", "255.255.255.254/31"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"1.0.0.0-1.255.255.255", "0.255.255.255-2.0.0.0"},
		{"10.0.0.5", "10.0.0.4-10.0.0.6"},
		{"::", "::/127"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127"},
		{"::/0", "::/0"},
		{"1::-1:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
			"0:ffff:ffff:ffff:ffff:ffff:ffff:ffff-2::"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct element_key k = key(cases[i][0]), wide = range_widen(&k);
		CHECK_STR(text_of(&wide), cases[i][1]);
	}
}

static void what_is_cut_off_is_left_before_and_behind(void)
{
	static const struct {
		const char *key, *hole, *before, *behind;
	} cases[] = {
		{"10.0.0.0-10.0.0.9", "10.0.0.4-10.0.0.5", "10.0.0.0/30", "10.0.0.6-10.0.0.9"},
		{"10.0.0.0-10.0.0.9", "10.0.0.0-10.0.0.5", NULL, "10.0.0.6-10.0.0.9"},
		{"10.0.0.0-10.0.0.9", "9.0.0.0-10.0.0.8", NULL, "10.0.0.9"},
		{"10.0.0.0-10.0.0.9", "10.0.0.9-10.0.0.20", "10.0.0.0-10.0.0.8", NULL},
		{"10.0.0.0-10.0.0.9", "10.0.0.0-10.0.0.9", NULL, NULL},
		{"10.0.0.0-10.0.0.9", "0.0.0.0/0", NULL, NULL},
		{"0.0.0.0/0", "0.0.0.0", NULL, "0.0.0.1-255.255.255.255"},
		{"0.0.0.0/0", "255.255.255.255", "0.0.0.0-255.255.255.254", NULL},
		{"::/0", "1::-1:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/16",
			"2::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct element_key k = key(cases[i].key), hole = key(cases[i].hole), ret = {0};
		CHECK(range_before(&k, &hole, &ret) == (cases[i].before != NULL));
		if (cases[i].before)
			CHECK_STR(text_of(&ret), cases[i].before);
		else
			CHECK_INT(ret.len, 0);
		ret.len = 0;
		CHECK(range_behind(&k, &hole, &ret) == (cases[i].behind != NULL));
		if (cases[i].behind)
			CHECK_STR(text_of(&ret), cases[i].behind);
		else
			CHECK_INT(ret.len, 0);
	}
}

/* Where both are one key, as callers have it. */
static void cutting_may_write_over_what_is_cut(void)
{
	struct element_key k = key("10.0.0.0-10.0.0.9"), hole = key("10.0.0.4");

	CHECK(range_behind(&k, &hole, &k));
	CHECK_STR(text_of(&k), "10.0.0.5-10.0.0.9");
	hole = key("10.0.0.8");
	CHECK(range_before(&k, &hole, &k));
	CHECK_STR(text_of(&k), "10.0.0.5-10.0.0.7");
}

static struct element_key half(const char *text)
{
	struct addr a;

	CHECK(addr_parse(text, &a));
	return element_key_addr(&a);
}

static void ends_are_the_first_address_behind(void)
{
	static const struct {
		const char *key, *start, *behind;
	} cases[] = {
		{"10.0.0.1", "10.0.0.1", "10.0.0.2"},
		{"10.0.0.0/8", "10.0.0.0", "11.0.0.0"},
		{"0.0.0.0", "0.0.0.0", "0.0.0.1"},
		{"0.0.0.0-255.255.255.254", "0.0.0.0", "255.255.255.255"},
		{"255.255.255.255", "255.255.255.255", NULL},
		{"0.0.0.0/0", "0.0.0.0", NULL},
		{"2001:db8::/32", "2001:db8::", "2001:db9::"},
		{"ff00::/8", "ff00::", NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct element_key k = key(cases[i].key), start, behind = {0}, back;
		struct element_key want = half(cases[i].start);
		CHECK(range_to_ends(&k, &start, &behind) == (cases[i].behind != NULL));
		CHECK(element_key_eq(&start, &want));
		if (cases[i].behind) {
			want = half(cases[i].behind);
			CHECK(element_key_eq(&behind, &want));
		} else {
			CHECK_INT(behind.len, 0);
		}
		CHECK(range_from_ends(&start, &behind, &back));
		CHECK(element_key_eq(&back, &k));
	}
}

static void an_end_that_is_not_behind_its_start_makes_no_range(void)
{
	static const char *const cases[][2] = {{"10.0.0.1", "10.0.0.1"}, {"10.0.0.1", "10.0.0.0"},
		{"10.0.0.1", "0.0.0.0"}, {"0.0.0.0", "0.0.0.0"}, {"::", "::"}, {"::1", "::1"},
		{"2::", "1::"}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct element_key start = half(cases[i][0]), behind = half(cases[i][1]), ret;
		ret.len = 99;
		CHECK(!range_from_ends(&start, &behind, &ret));
		CHECK_INT(ret.len, 99);
	}
}

/* --- random, against numbers --- */

static void two_ranges_are_compared_as_their_numbers_are(void)
{
	for (unsigned step = 0; step < 60000; step++) {
		const struct space *s = &spaces[step % SPACES];
		struct element_key a = space_random(s), b = space_random(s), ret, start, behind;
		unsigned af = space_first(s, &a), al = space_last(s, &a);
		unsigned bf = space_first(s, &b), bl = space_last(s, &b);
		CHECK_INT(range_place(&a, &b), al < bf ? -1 : af > bl);
		CHECK(range_holds(&a, &b) == (af <= bf && bl <= al));
		ret = range_widen(&a);
		CHECK_INT(space_first(s, &ret) + 1, af + (s->is_first && af == 0));
		CHECK_INT(space_last(s, &ret), al + !(s->is_last && al == SPACE - 1));
		ret = a;
		range_join(&ret, &b);
		struct element_key want = space_key(s, af < bf ? af : bf, al > bl ? al : bl);
		CHECK(element_key_eq(&ret, &want));
		CHECK(range_to_ends(&a, &start, &behind) == !(s->is_last && al == SPACE - 1));
		CHECK_INT(space_number(s, start.bytes), af);
		if (range_place(&a, &b) != 0)
			continue;
		CHECK(range_before(&a, &b, &ret) == (af < bf));
		CHECK(af >= bf || (space_first(s, &ret) == af && space_last(s, &ret) == bf - 1));
		CHECK(range_behind(&a, &b, &ret) == (al > bl));
		CHECK(al <= bl || (space_first(s, &ret) == bl + 1 && space_last(s, &ret) == al));
	}
}

/* The oracle: the item of each range that is there, and where it is. */
static void *items[SPACE][SPACE];
static const struct range *places[SPACE][SPACE];

static void check_in_order(const struct space *s, const struct ranges *r)
{
	const struct range *at = ranges_first(r);
	size_t count = 0;

	for (unsigned first = 0; first < SPACE; first++) {
		for (unsigned last = first; last < SPACE; last++) {
			if (!items[first][last])
				continue;
			CHECK(at);
			CHECK_INT(space_first(s, range_key(at)), first);
			CHECK_INT(space_last(s, range_key(at)), last);
			CHECK(range_item(at) == items[first][last]);
			at = ranges_next(at);
			count++;
		}
	}
	CHECK(!at);
	CHECK_INT(r->count, count);
}

/* The first in the order of the tree that `fits`. */
static void *first_item(const struct space *s, const struct element_key *span,
	bool (*fits)(unsigned first, unsigned last, unsigned span_first, unsigned span_last))
{
	for (unsigned first = 0; first < SPACE; first++) {
		for (unsigned last = first; last < SPACE; last++) {
			if (items[first][last] &&
				fits(first, last, space_first(s, span), space_last(s, span)))
				return items[first][last];
		}
	}
	return NULL;
}

static bool begins_there(unsigned first, unsigned last, unsigned span_first, unsigned span_last)
{
	return first >= span_first;
}

static bool overlaps(unsigned first, unsigned last, unsigned span_first, unsigned span_last)
{
	return first <= span_last && last >= span_first;
}

static void walk_randomly(const struct space *s, bool may_overlap)
{
	static struct element_key keys[SPACE][SPACE];
	static char names[SPACE * SPACE];
	struct ranges r = RANGES_NULL;

	memset(items, 0, sizeof(items));
	for (unsigned step = 0; step < 3000; step++) {
		struct element_key k = space_random(s), span = space_random(s);
		unsigned first = space_first(s, &k), last = space_last(s, &k);
		void **item = &items[first][last];
		if (*item && random_below(2)) {
			ranges_remove(&r, places[first][last]);
			*item = NULL;
		} else if (!*item && (may_overlap || !first_item(s, &k, overlaps))) {
			*item = &names[random_below(SPACE * SPACE)];
			keys[first][last] = k;
			places[first][last] = ranges_put(&r, &keys[first][last], *item);
			CHECK(range_item(places[first][last]) == *item);
		}
		const struct element_key *const some[] = {&span, &k, &span, &k, &k, &k, &k, &k, &k};
		ranges_warm(&r, some, random_below(ARRAY_LEN(some) + 1));
		const struct range *found = ranges_from(&r, &span);
		CHECK((found ? range_item(found) : NULL) == first_item(s, &span, begins_there));
		if (!may_overlap) {
			found = ranges_overlapping(&r, &span);
			CHECK((found ? range_item(found) : NULL) == first_item(s, &span, overlaps));
		}
		if (step % 50 == 0)
			check_in_order(s, &r);
	}
	check_in_order(s, &r);
	ranges_done(&r);
}

static void random_ranges_are_found_as_in_a_plain_table(void)
{
	for (size_t i = 0; i < SPACES; i++)
		walk_randomly(&spaces[i], true);
}

static void random_ranges_apart_are_found_by_what_they_overlap(void)
{
	for (size_t i = 0; i < SPACES; i++)
		walk_randomly(&spaces[i], false);
}

int main(void)
{
	random_begin(11);
	TAP_RUN(ranges_come_by_where_they_begin_and_shorter_ones_first);
	TAP_RUN(place_of_a_removed_range_is_taken_again);
	TAP_RUN(spans_are_sorted_by_where_they_begin_and_shorter_ones_first);
	TAP_RUN(ranges_begin_at_a_line_of_the_cache);
	TAP_RUN(touching_ranges_do_not_overlap);
	TAP_RUN(widening_stops_where_the_addresses_end);
	TAP_RUN(what_is_cut_off_is_left_before_and_behind);
	TAP_RUN(cutting_may_write_over_what_is_cut);
	TAP_RUN(ends_are_the_first_address_behind);
	TAP_RUN(an_end_that_is_not_behind_its_start_makes_no_range);
	TAP_RUN(two_ranges_are_compared_as_their_numbers_are);
	TAP_RUN(random_ranges_are_found_as_in_a_plain_table);
	TAP_RUN(random_ranges_apart_are_found_by_what_they_overlap);
	return tap_done();
}
