/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/wanted, ranges of addresses: several owners want them one over the other, and what is to
 * stand in the kernel is their union. */
#include "core/wanted.h"

#include "small_space.h"

#include <stdlib.h>

enum { OWNERS = 5 };

static struct owner owners[OWNERS];
static const struct set_kind plain = {
	.layout = SET_LAYOUT_ADDR, .family = FAMILY_V4, .interval = true};
static const struct set_kind merging = {
	.layout = SET_LAYOUT_ADDR, .family = FAMILY_V4, .interval = true, .auto_merge = true};

static struct element_key key(const char *text)
{
	struct element_value v = {.port_first = 0};

	CHECK(addr_range_parse(text, &v.addr));
	return element_key_encode(&plain, &v);
}

static bool hold(struct wanted *w, int owner, const char *text)
{
	struct element_key k = key(text);

	return wanted_hold(w, &k, &owners[owner], "answer", 60);
}

static bool release(struct wanted *w, int owner, const char *text)
{
	struct element_key k = key(text);

	return wanted_release(w, &k, &owners[owner], "linger");
}

/* The union, until the next call. */
static const char *cover(const struct wanted *w)
{
	static char text[1024];
	char element[ELEMENT_TEXT_SIZE];
	size_t len = 0, count = 0;

	text[0] = '\0';
	struct wanted_piece p;
	for (bool more = wanted_first_piece(w, &p); more; more = wanted_next_piece(w, &p), count++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", len ? " " : "",
			element_key_format(&plain, p.key, element));
	CHECK_INT(wanted_count(w), count);
	return text;
}

static void ranges_one_over_the_other_are_one_piece(void)
{
	struct wanted w = WANTED_NULL;

	wanted_set_kind(&w, &plain);
	CHECK(hold(&w, 0, "10.0.0.0/24"));
	CHECK(hold(&w, 1, "10.0.0.128-10.0.1.127"));
	CHECK(hold(&w, 2, "10.0.0.7"));
	CHECK_STR(cover(&w), "10.0.0.0-10.0.1.127");
	CHECK(release(&w, 1, "10.0.0.128-10.0.1.127"));
	CHECK_STR(cover(&w), "10.0.0.0/24");
	CHECK(release(&w, 0, "10.0.0.0/24"));
	CHECK_STR(cover(&w), "10.0.0.7");
	CHECK(release(&w, 2, "10.0.0.7"));
	CHECK_STR(cover(&w), "");
	wanted_done(&w);
}

static void two_pieces_stay_when_what_joined_them_goes(void)
{
	struct wanted w = WANTED_NULL;

	wanted_set_kind(&w, &plain);
	hold(&w, 0, "10.0.0.0-10.0.0.9");
	hold(&w, 0, "10.0.0.20-10.0.0.29");
	hold(&w, 0, "10.0.0.9-10.0.0.20");
	CHECK_STR(cover(&w), "10.0.0.0-10.0.0.29");
	release(&w, 0, "10.0.0.9-10.0.0.20");
	CHECK_STR(cover(&w), "10.0.0.0-10.0.0.9 10.0.0.20-10.0.0.29");
	wanted_done(&w);
}

static void touching_ranges_are_joined_only_where_nft_merges(void)
{
	struct wanted w = WANTED_NULL, m = WANTED_NULL;

	wanted_set_kind(&w, &plain);
	wanted_set_kind(&m, &merging);
	for (int i = 0; i < 2; i++) {
		struct wanted *one = i ? &m : &w;
		hold(one, 0, "10.0.0.0-10.0.0.9");
		hold(one, 1, "10.0.0.20-10.0.0.29");
		hold(one, 2, "10.0.0.10-10.0.0.19");
		hold(one, 2, "255.255.255.254");
		hold(one, 2, "255.255.255.255");
		hold(one, 2, "0.0.0.0");
	}
	CHECK_STR(cover(&w), "0.0.0.0 10.0.0.0-10.0.0.9 10.0.0.10-10.0.0.19 10.0.0.20-10.0.0.29 "
			     "255.255.255.254 255.255.255.255");
	CHECK_STR(cover(&m), "0.0.0.0 10.0.0.0-10.0.0.29 255.255.255.254/31");
	release(&m, 2, "10.0.0.10-10.0.0.19");
	CHECK_STR(cover(&m), "0.0.0.0 10.0.0.0-10.0.0.9 10.0.0.20-10.0.0.29 255.255.255.254/31");
	wanted_done(&w);
	wanted_done(&m);
}

static void second_owner_of_a_range_keeps_it(void)
{
	struct wanted w = WANTED_NULL;

	wanted_set_kind(&w, &plain);
	hold(&w, 0, "10.0.0.0/24");
	CHECK(!hold(&w, 1, "10.0.0.0/24"));
	wanted_clear_dirty(&w);
	CHECK(!release(&w, 0, "10.0.0.0/24"));
	CHECK_STR(cover(&w), "10.0.0.0/24");
	CHECK_INT(w.dirty_count, 0);
	CHECK(release(&w, 1, "10.0.0.0/24"));
	CHECK_STR(cover(&w), "");
	CHECK_INT(w.dirty_count, 1);
	wanted_done(&w);
}

/* What a reload no longer wants is marked without being wanted. */
static void marked_range_is_no_part_of_the_union(void)
{
	struct wanted w = WANTED_NULL;
	struct element_key k = key("10.0.0.0/24");

	wanted_set_kind(&w, &plain);
	wanted_mark_dirty(&w, &k, NULL, "reload", 0);
	CHECK_STR(cover(&w), "");
	hold(&w, 0, "10.0.0.0/24");
	CHECK_STR(cover(&w), "10.0.0.0/24");
	wanted_clear_dirty(&w);
	release(&w, 0, "10.0.0.0/24");
	wanted_clear_dirty(&w);
	CHECK_INT(w.wants.count, 0);
	CHECK_INT(w.order.count, 0);
	wanted_done(&w);
}

/* --- random, against numbers --- */

/* The oracle: who holds what. */
static bool holds[SPACE][SPACE][OWNERS];

static bool is_held(unsigned first, unsigned last)
{
	for (int o = 0; o < OWNERS; o++) {
		if (holds[first][last][o])
			return true;
	}
	return false;
}

/* Of each address whether somebody wants it, and whether the one behind it is in the same piece. */
static void draw(bool joins, bool wanted[SPACE], bool joined[SPACE])
{
	memset(wanted, 0, SPACE * sizeof(*wanted));
	memset(joined, 0, SPACE * sizeof(*joined));
	for (unsigned first = 0; first < SPACE; first++) {
		for (unsigned last = first; last < SPACE; last++) {
			if (!is_held(first, last))
				continue;
			for (unsigned i = first; i <= last; i++) {
				wanted[i] = true;
				joined[i] |= i < last;
			}
		}
	}
	for (unsigned i = 0; joins && i + 1 < SPACE; i++)
		joined[i] = wanted[i] && wanted[i + 1];
}

static void check_cover(const struct space *s, const struct wanted *w)
{
	bool wanted[SPACE], joined[SPACE];
	struct wanted_piece p;
	bool more = wanted_first_piece(w, &p);

	draw(w->joins, wanted, joined);
	for (unsigned i = 0; i < SPACE; i++) {
		if (!wanted[i])
			continue;
		unsigned first = i;
		while (joined[i])
			i++;
		CHECK(more);
		CHECK_INT(space_first(s, p.key), first);
		CHECK_INT(space_last(s, p.key), i);
		more = wanted_next_piece(w, &p);
	}
	CHECK(!more);
}

static unsigned seen[SPACE][SPACE];
static const struct space *seen_space;

static void see(const struct want *want, void *userdata)
{
	seen[space_first(seen_space, &want->key)][space_last(seen_space, &want->key)]++;
	CHECK(want->count > 0);
}

static void check_each_in(const struct space *s, const struct wanted *w)
{
	struct element_key span = space_random(s);

	memset(seen, 0, sizeof(seen));
	seen_space = s;
	wanted_each_in(w, &span, see, NULL);
	for (unsigned first = 0; first < SPACE; first++) {
		for (unsigned last = first; last < SPACE; last++) {
			bool meant = is_held(first, last) && first <= space_last(s, &span) &&
				     last >= space_first(s, &span);
			CHECK_INT(seen[first][last], meant);
		}
	}
}

static void hold_and_release_randomly(const struct space *s, bool joins)
{
	struct wanted w = WANTED_NULL;
	struct set_kind kind = space_kind(s);
	struct element_key few[12];

	memset(holds, 0, sizeof(holds));
	kind.auto_merge = joins;
	wanted_set_kind(&w, &kind);
	for (unsigned step = 0; step < 1500; step++) {
		/* Few of them, so that they come again and have several owners. */
		if (step % 100 == 0) {
			for (size_t i = 0; i < ARRAY_LEN(few); i++)
				few[i] = space_random(s);
		}
		struct element_key k = few[random_below(ARRAY_LEN(few))];
		unsigned o = random_below(OWNERS), first = space_first(s, &k);
		unsigned last = space_last(s, &k);
		bool before = is_held(first, last), hold_it = random_below(2), changed;
		if (hold_it)
			changed = wanted_hold(&w, &k, &owners[o], "answer", 60);
		else
			changed = wanted_release(&w, &k, &owners[o], "linger");
		holds[first][last][o] = hold_it;
		CHECK(changed == (before != is_held(first, last)));
		check_cover(s, &w);
		check_each_in(s, &w);
		if (random_below(20) == 0)
			wanted_clear_dirty(&w);
	}
	/* All of it goes again. */
	for (unsigned first = 0; first < SPACE; first++) {
		for (unsigned last = first; last < SPACE; last++) {
			struct element_key k = space_key(s, first, last);
			for (int o = 0; o < OWNERS; o++)
				wanted_release(&w, &k, &owners[o], "reload");
		}
	}
	wanted_clear_dirty(&w);
	CHECK_INT(w.joined.count + w.order.count + w.wants.count + w.count, 0);
	wanted_done(&w);
}

static void random_ranges_have_the_union_that_numbers_have(void)
{
	for (size_t i = 0; i < SPACES; i++)
		hold_and_release_randomly(&spaces[i], false);
}

static void random_ranges_are_joined_as_numbers_are(void)
{
	for (size_t i = 0; i < SPACES; i++)
		hold_and_release_randomly(&spaces[i], true);
}

int main(void)
{
	random_begin(12);
	TAP_RUN(ranges_one_over_the_other_are_one_piece);
	TAP_RUN(two_pieces_stay_when_what_joined_them_goes);
	TAP_RUN(touching_ranges_are_joined_only_where_nft_merges);
	TAP_RUN(second_owner_of_a_range_keeps_it);
	TAP_RUN(marked_range_is_no_part_of_the_union);
	TAP_RUN(random_ranges_have_the_union_that_numbers_have);
	TAP_RUN(random_ranges_are_joined_as_numbers_are);
	return tap_done();
}
