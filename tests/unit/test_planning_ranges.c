/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/planning of address ranges: the union of what is wanted stands around what is not ours. */
#include "core/planning.h"

#include "small_space.h"

#include <stdlib.h>

#include <linux/netfilter.h>

static char table[] = "filter", name[] = "allowed";
static const struct set_id id = {NFPROTO_INET, table, name};
static const struct set_kind plain = {
	.layout = SET_LAYOUT_ADDR, .family = FAMILY_V4, .interval = true};
static struct owner owners[3];

static struct element_key key(const char *text)
{
	struct element_value v = {.port_first = 0};

	CHECK(addr_range_parse(text, &v.addr));
	return element_key_encode(&plain, &v);
}

/* --- one case at a time --- */

static struct wanted w;
static struct live l;
static struct set_kind kind;
static struct planning in;

static void begin(void)
{
	wanted_done(&w);
	kind = plain;
	live_begin(&l, &kind);
	wanted_set_kind(&w, &kind);
	in = (struct planning){.id = &id, .kind = &kind, .wanted = &w, .live = &l};
}

static void hold(const char *text)
{
	struct element_key k = key(text);

	wanted_hold(&w, &k, &owners[0], "answer", 60);
}

static void release(const char *text)
{
	struct element_key k = key(text);

	wanted_release(&w, &k, &owners[0], "linger");
}

static void put(const char *text, bool ours)
{
	live_put(&l, &(struct live_element){.key = key(text), .ours = ours});
}

static size_t list(char *text, size_t size, char sign, const struct element_key *keys, size_t count)
{
	char element[ELEMENT_TEXT_SIZE];
	size_t len = 0;

	for (size_t i = 0; i < count; i++)
		len += (size_t)snprintf(text + len, size - len, " %c%s", sign,
			element_key_format(&kind, &keys[i], element));
	return len;
}

/* " -10.0.0.0/24 +10.0.0.1", and "*" for what is renewed; frees the plan. */
static const char *text_of(struct plan *p)
{
	static char text[2048];
	size_t len = 0;

	text[0] = '\0';
	CHECK(p->count <= 1);
	if (p->count) {
		const struct plan_set *s = &p->sets[0];
		len += list(text + len, sizeof(text) - len, '-', s->deletes, s->delete_count);
		len += list(text + len, sizeof(text) - len, '+', s->adds, s->add_count);
		len += list(text + len, sizeof(text) - len, '*', s->renewals, s->renewal_count);
	}
	plan_done(p);
	return text;
}

static const char *whole(void)
{
	struct plan p = PLAN_NULL;

	plan_whole(&p, &in);
	return text_of(&p);
}

static const char *dirty(void)
{
	struct plan p = PLAN_NULL;

	plan_dirty(&p, &in);
	return text_of(&p);
}

static void wanted_ranges_are_added_as_their_union(void)
{
	begin();
	hold("10.0.0.0/24");
	hold("10.0.0.7");
	hold("10.0.0.200-10.0.1.3");
	hold("10.0.2.0");
	CHECK_STR(dirty(), " +10.0.0.0-10.0.1.3 +10.0.2.0");
	CHECK_STR(whole(), " +10.0.0.0-10.0.1.3 +10.0.2.0");
}

static void address_inside_a_prefix_that_stands_changes_nothing(void)
{
	begin();
	hold("10.0.0.0/24");
	put("10.0.0.0/24", true);
	wanted_clear_dirty(&w);
	hold("10.0.0.7");
	CHECK_STR(dirty(), "");
	CHECK_STR(whole(), "");
	release("10.0.0.7");
	CHECK_STR(dirty(), "");
	wanted_clear_dirty(&w);
	/* And when the prefix goes, the address stays. */
	hold("10.0.0.7");
	wanted_clear_dirty(&w);
	release("10.0.0.0/24");
	CHECK_STR(dirty(), " -10.0.0.0/24 +10.0.0.7");
}

static void range_that_reaches_further_replaces_what_stands(void)
{
	begin();
	hold("10.0.0.0-10.0.0.9");
	hold("10.0.0.20-10.0.0.29");
	put("10.0.0.0-10.0.0.9", true);
	put("10.0.0.20-10.0.0.29", true);
	put("10.0.0.40", true);
	wanted_clear_dirty(&w);
	hold("10.0.0.9-10.0.0.20");
	CHECK_STR(dirty(), " -10.0.0.0-10.0.0.9 -10.0.0.20-10.0.0.29 +10.0.0.0-10.0.0.29");
}

static void what_stands_of_others_is_left_out_of_a_range(void)
{
	begin();
	hold("10.0.0.0/24");
	put("10.0.0.10-10.0.0.19", false);
	put("10.0.0.30", false);
	put("10.0.0.255-10.0.1.5", false);
	CHECK_STR(dirty(), " +10.0.0.0-10.0.0.9 +10.0.0.20-10.0.0.29 +10.0.0.31-10.0.0.254");
	CHECK_STR(whole(), " +10.0.0.0-10.0.0.9 +10.0.0.20-10.0.0.29 +10.0.0.31-10.0.0.254");
}

static void range_that_others_hold_whole_is_not_added(void)
{
	begin();
	hold("10.0.0.0/24");
	put("10.0.0.0/16", false);
	CHECK_STR(dirty(), "");
	put("10.1.0.0/16", false);
	hold("10.1.0.0/16");
	CHECK_STR(whole(), "");
	begin();
	hold("10.0.0.0/24");
	put("10.0.0.0/25", false);
	put("10.0.0.128/25", false);
	CHECK_STR(dirty(), "");
	release("10.0.0.0/24");
	CHECK_STR(dirty(), "");
}

static void ranges_at_both_ends_of_the_addresses_are_cut_right(void)
{
	begin();
	hold("0.0.0.0/0");
	put("0.0.0.0", false);
	put("255.255.255.255", false);
	CHECK_STR(dirty(), " +0.0.0.1-255.255.255.254");
	begin();
	hold("0.0.0.0-0.0.0.9");
	hold("255.255.255.0/24");
	put("0.0.0.5-0.0.0.9", false);
	put("255.255.255.0-255.255.255.99", false);
	CHECK_STR(whole(), " +0.0.0.0-0.0.0.4 +255.255.255.100-255.255.255.255");
}

static void gap_that_others_leave_is_closed(void)
{
	begin();
	hold("10.0.0.0/24");
	put("10.0.0.0-10.0.0.9", true);
	put("10.0.0.20-10.0.0.255", true);
	CHECK_STR(whole(), " -10.0.0.0-10.0.0.9 -10.0.0.20-10.0.0.255 +10.0.0.0/24");
}

static void others_go_on_request_but_for_what_is_wanted_whole(void)
{
	begin();
	in.remove_foreign = true;
	hold("10.0.0.0/24");
	hold("10.0.2.0");
	put("10.0.0.10-10.0.0.19", false); /* within */
	put("10.0.0.250-10.0.1.5", false); /* in part */
	put("10.0.2.0", false);            /* the same */
	put("10.0.3.0/24", false);         /* not at all */
	CHECK_STR(whole(), " -10.0.0.250-10.0.1.5 -10.0.3.0/24 +10.0.0.0-10.0.0.9 "
			   "+10.0.0.20-10.0.0.255");
	/* Larger than what is wanted: that takes its place. */
	begin();
	in.remove_foreign = true;
	hold("10.0.0.7");
	put("10.0.0.0/24", false);
	CHECK_STR(whole(), " -10.0.0.0/24 +10.0.0.7");
}

static void what_an_earlier_run_left_waits_for_the_word_to_delete(void)
{
	begin();
	put("10.0.0.0/24", true);
	put("10.0.1.0/24", false);
	CHECK_STR(whole(), "");
	in.delete_unowned = true;
	CHECK_STR(whole(), " -10.0.0.0/24");
}

static void what_an_earlier_run_left_is_joined_with_what_is_wanted(void)
{
	begin();
	put("10.0.0.0-10.0.0.9", true);
	put("10.0.0.20-10.0.0.29", true);
	put("10.0.0.40", true);
	hold("10.0.0.5-10.0.0.14");
	hold("10.0.0.22");
	CHECK_STR(whole(), " -10.0.0.0-10.0.0.9 +10.0.0.0-10.0.0.14");
	CHECK_STR(dirty(), " -10.0.0.0-10.0.0.9 +10.0.0.0-10.0.0.14");
	in.delete_unowned = true;
	CHECK_STR(whole(), " -10.0.0.0-10.0.0.9 -10.0.0.20-10.0.0.29 -10.0.0.40 "
			   "+10.0.0.5-10.0.0.14 +10.0.0.22");
}

static void what_an_earlier_run_left_goes_where_something_was_let_go(void)
{
	begin();
	put("10.0.0.20-10.0.0.29", true);
	put("10.0.0.40", true);
	hold("10.0.0.0-10.0.0.30");
	hold("10.0.0.5");
	hold("10.0.0.35");
	release("10.0.0.0-10.0.0.30");
	release("10.0.0.5");
	release("10.0.0.35");
	CHECK_STR(whole(), " -10.0.0.20-10.0.0.29");
	CHECK_STR(dirty(), " -10.0.0.20-10.0.0.29");
}

static void two_that_an_earlier_run_left_become_one_with_what_joins_them(void)
{
	begin();
	put("10.0.0.0-10.0.0.9", true);
	put("10.0.0.20-10.0.0.29", true);
	hold("10.0.0.9-10.0.0.20");
	CHECK_STR(whole(), " -10.0.0.0-10.0.0.9 -10.0.0.20-10.0.0.29 +10.0.0.0-10.0.0.29");
	/* Not what is of others in there. */
	put("10.0.0.15", false);
	CHECK_STR(dirty(), " -10.0.0.0-10.0.0.9 -10.0.0.20-10.0.0.29 +10.0.0.0-10.0.0.14 "
			   "+10.0.0.16-10.0.0.29");
}

static void ours_is_renewed_when_its_life_is_not_the_wished_one(void)
{
	struct element_key k = key("10.0.0.0/24"), other = key("10.0.1.0/24");

	for (int fuse = 0; fuse < 2; fuse++) {
		begin();
		kind.fuse_ms = fuse ? 60000 : 0;
		live_put(&l, &(struct live_element){.key = k, .ours = true, .expires = !fuse});
		live_put(&l, &(struct live_element){.key = other, .expires = !fuse});
		hold("10.0.0.0/24");
		hold("10.0.1.0/24");
		CHECK_STR(dirty(), " *10.0.0.0/24");
		CHECK_STR(whole(), " *10.0.0.0/24");
		live_put(&l, &(struct live_element){.key = k, .ours = true, .expires = fuse});
		CHECK_STR(whole(), "");
		/* Also of what an earlier run left. */
		release("10.0.0.0/24");
		wanted_clear_dirty(&w);
		live_put(&l, &(struct live_element){.key = k, .ours = true, .expires = !fuse});
		CHECK_STR(whole(), " *10.0.0.0/24");
	}
}

static void everything_of_ours_is_renewed_on_request(void)
{
	struct plan p = PLAN_NULL;

	begin();
	put("10.0.0.0/24", true);
	put("10.0.1.0/24", true);
	put("10.0.2.0/24", false);
	plan_renew_all(&p, &in);
	CHECK_INT(p.count, 1);
	CHECK_INT(p.sets[0].renewal_count, 2);
	CHECK_INT(plan_change_count(&p), 0);
	CHECK_INT(plan_work_count(&p), 2);
	plan_done(&p);
	live_remove(&l, &(struct element_key[]){key("10.0.0.0/24")}[0]);
	live_remove(&l, &(struct element_key[]){key("10.0.1.0/24")}[0]);
	plan_renew_all(&p, &in);
	CHECK(plan_is_empty(&p));
	plan_done(&p);
}

static void what_takes_the_place_of_something_comes_first_where_room_is_short(void)
{
	struct plan p = PLAN_NULL;

	begin();
	kind.size = 2;
	put("10.0.9.0-10.0.9.9", true);
	put("10.0.10.0", false);
	hold("10.0.0.0");
	hold("10.0.1.0");
	hold("10.0.9.0-10.0.9.19");
	plan_whole(&p, &in);
	CHECK_INT(p.count, 1);
	CHECK_INT(p.sets[0].left_out, 2);
	CHECK_STR(text_of(&p), " -10.0.9.0-10.0.9.9 +10.0.9.0-10.0.9.19");
	plan_dirty(&p, &in);
	CHECK_INT(p.sets[0].left_out, 2);
	CHECK_STR(text_of(&p), " -10.0.9.0-10.0.9.9 +10.0.9.0-10.0.9.19");
	/* Pieces count as they stand: one wish of two, and the other piece has no room. */
	begin();
	kind.size = 2;
	put("10.0.0.5", false);
	hold("10.0.0.0-10.0.0.9");
	plan_whole(&p, &in);
	CHECK_INT(p.sets[0].left_out, 1);
	CHECK_STR(text_of(&p), " +10.0.0.0-10.0.0.4");
}

static void dirty_keys_of_another_kind_are_passed_over(void)
{
	struct set_kind v6 = plain;
	struct element_value v = {.port_first = 0};

	begin();
	hold("10.0.0.0/24");
	v6.family = FAMILY_V6;
	CHECK(addr_range_parse("2001:db8::/32", &v.addr));
	struct element_key k = element_key_encode(&v6, &v);
	wanted_mark_dirty(&w, &k, NULL, "reload", 0);
	k = (struct element_key){.len = 4, .bytes = {10}};
	wanted_mark_dirty(&w, &k, NULL, "reload", 0);
	CHECK_STR(dirty(), " +10.0.0.0/24");
	CHECK_STR(whole(), " +10.0.0.0/24");
}

/* Trouble with DNS removes nothing, also not what stands in one piece with what DNS took back. */
static void part_of_what_an_earlier_run_left_stays_when_the_rest_is_let_go(void)
{
	begin();
	put("10.0.0.4/31", true);
	hold("10.0.0.4");
	wanted_clear_dirty(&w);
	release("10.0.0.4");
	CHECK_STR(dirty(), " -10.0.0.4/31 +10.0.0.5");
}

int main(void)
{
	TAP_RUN(wanted_ranges_are_added_as_their_union);
	TAP_RUN(address_inside_a_prefix_that_stands_changes_nothing);
	TAP_RUN(range_that_reaches_further_replaces_what_stands);
	TAP_RUN(what_stands_of_others_is_left_out_of_a_range);
	TAP_RUN(range_that_others_hold_whole_is_not_added);
	TAP_RUN(ranges_at_both_ends_of_the_addresses_are_cut_right);
	TAP_RUN(gap_that_others_leave_is_closed);
	TAP_RUN(others_go_on_request_but_for_what_is_wanted_whole);
	TAP_RUN(what_an_earlier_run_left_waits_for_the_word_to_delete);
	TAP_RUN(what_an_earlier_run_left_is_joined_with_what_is_wanted);
	TAP_RUN(what_an_earlier_run_left_goes_where_something_was_let_go);
	TAP_RUN(two_that_an_earlier_run_left_become_one_with_what_joins_them);
	TAP_RUN(ours_is_renewed_when_its_life_is_not_the_wished_one);
	TAP_RUN(everything_of_ours_is_renewed_on_request);
	TAP_RUN(what_takes_the_place_of_something_comes_first_where_room_is_short);
	TAP_RUN(dirty_keys_of_another_kind_are_passed_over);
	wanted_done(&w);
	live_done(&l);
	TAP_RUN(part_of_what_an_earlier_run_left_stays_when_the_rest_is_let_go);
	return tap_done();
}
