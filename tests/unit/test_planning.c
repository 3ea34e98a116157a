/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/planning, key by key: what is planned between a set as it stands and as it should be. */
#include "core/planning.h"

#include "random.h"
#include "tap.h"

#include <stdlib.h>

#include <linux/netfilter.h>

enum { KEYS = 40 };

static char table[] = "filter", name[] = "allowed";
static const struct set_id id = {NFPROTO_INET, table, name};
static const struct set_kind kind = {.layout = SET_LAYOUT_ADDR, .family = FAMILY_V4};
static struct owner owner, other;

static struct element_key key(unsigned number)
{
	return (struct element_key){.len = 4, .bytes = {192, 0, 2, (uint8_t)number}};
}

static void put(struct live *l, unsigned number, bool ours, bool expires)
{
	live_put(l, &(struct live_element){.key = key(number), .ours = ours, .expires = expires});
}

static void hold(struct wanted *w, unsigned number)
{
	struct element_key k = key(number);

	wanted_hold(w, &k, &owner, "answer", 60);
}

static void release(struct wanted *w, unsigned number)
{
	struct element_key k = key(number);

	wanted_release(w, &k, &owner, "linger");
}

/* Everything there is, by the book. */
static struct planning planning_of(const struct wanted *w, const struct live *l)
{
	return (struct planning){.id = &id, .kind = &kind, .wanted = w, .live = l};
}

/* The text of a plan, and then what it renews, until the next call; "" when it does nothing. */
static const char *text_of(struct plan *p)
{
	static char text[1024];
	char element[ELEMENT_TEXT_SIZE], *s = plan_format(p);
	size_t len = (size_t)snprintf(text, sizeof(text), "%s", s);

	for (size_t i = 0; p->count && i < p->sets[0].renewal_count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "renew %s\n",
			element_key_format(&p->sets[0].kind, &p->sets[0].renewals[i], element));
	free(s);
	plan_done(p);
	return text;
}

static const char *dirty_text(const struct wanted *w, const struct live *l)
{
	struct planning in = planning_of(w, l);
	struct plan p = PLAN_NULL;

	plan_dirty(&p, &in);
	return text_of(&p);
}

static const char *whole_text(const struct wanted *w, const struct live *l, bool delete_unowned)
{
	struct planning in = planning_of(w, l);
	struct plan p = PLAN_NULL;

	in.delete_unowned = delete_unowned;
	plan_whole(&p, &in);
	return text_of(&p);
}

static void wanted_and_missing_is_added(void)
{
	struct wanted w = WANTED_NULL;
	struct live l = LIVE_NULL;

	hold(&w, 1);
	CHECK_STR(dirty_text(&w, &l), "add element inet filter allowed { 192.0.2.1 }\n");
	CHECK_STR(whole_text(&w, &l, false), "add element inet filter allowed { 192.0.2.1 }\n");
	wanted_done(&w);
	live_done(&l);
}

static void wanted_and_there_needs_nothing(void)
{
	struct wanted w = WANTED_NULL;
	struct live l = LIVE_NULL;

	hold(&w, 1);
	put(&l, 1, true, false);
	CHECK_STR(dirty_text(&w, &l), "");
	CHECK_STR(whole_text(&w, &l, true), "");
	wanted_done(&w);
	live_done(&l);
}

static void ours_with_a_timeout_running_is_renewed(void)
{
	struct wanted w = WANTED_NULL;
	struct live l = LIVE_NULL;

	hold(&w, 1);
	put(&l, 1, true, true);
	CHECK_STR(dirty_text(&w, &l), "renew 192.0.2.1\n");
	CHECK_STR(whole_text(&w, &l, true), "renew 192.0.2.1\n");
	wanted_done(&w);
	live_done(&l);
}

/* The kernel refuses a batch whole: what has to leave must not wait for room for others. */
static void more_than_fits_is_left_out_and_deletes_go_ahead(void)
{
	/* By the kernel's size, by what is configured, by the smaller of both. */
	static const uint32_t bounds[][2] = {{3, 0}, {0, 3}, {3, 9}, {9, 3}};
	struct wanted w = WANTED_NULL;
	struct live l = LIVE_NULL;

	put(&l, 1, true, false);
	put(&l, 2, false, false);
	put(&l, 3, true, true);
	for (unsigned i = 3; i <= 6; i++)
		hold(&w, i);
	for (size_t i = 0; i < 8; i++) {
		const struct set_kind small = {.layout = SET_LAYOUT_ADDR,
			.family = FAMILY_V4,
			.size = bounds[i / 2][0],
			.most = bounds[i / 2][1]};
		bool whole = i % 2;
		struct plan p = PLAN_NULL;
		struct planning in = planning_of(&w, &l);
		in.kind = &small;
		in.delete_unowned = true;
		if (whole)
			plan_whole(&p, &in);
		else
			plan_dirty(&p, &in);
		CHECK_INT(p.count, 1);
		/* 3 is there and only becomes permanent; 1 leaves its place to another. */
		CHECK_INT(p.sets[0].renewal_count, 1);
		CHECK_INT(p.sets[0].delete_count, whole ? 1 : 0);
		CHECK_INT(p.sets[0].add_count, whole ? 1 : 0);
		CHECK_INT(p.sets[0].left_out, whole ? 2 : 3);
		plan_done(&p);
	}
	wanted_done(&w);
	live_done(&l);
}

static void foreign_element_is_left_alone_in_every_case(void)
{
	struct wanted w = WANTED_NULL;
	struct live l = LIVE_NULL;

	put(&l, 1, false, false);
	put(&l, 2, false, true);
	put(&l, 3, false, false);
	put(&l, 4, false, true);
	hold(&w, 1);
	hold(&w, 2);
	hold(&w, 3);
	release(&w, 3);
	CHECK_STR(dirty_text(&w, &l), "");
	CHECK_STR(whole_text(&w, &l, true), "");
	wanted_done(&w);
	live_done(&l);
}

static void foreign_element_goes_on_request_unless_it_is_wanted(void)
{
	struct wanted w = WANTED_NULL;
	struct live l = LIVE_NULL;
	struct plan p = PLAN_NULL;

	put(&l, 1, false, false);
	put(&l, 2, false, true);
	put(&l, 3, true, false);
	hold(&w, 1);
	hold(&w, 3);
	hold(&w, 4);
	struct planning in = planning_of(&w, &l);
	in.delete_unowned = in.remove_foreign = true;
	plan_whole(&p, &in);
	CHECK_STR(text_of(&p), "delete element inet filter allowed { 192.0.2.2 }\n"
			       "add element inet filter allowed { 192.0.2.4 }\n");
	wanted_done(&w);
	live_done(&l);
}

static void room_that_foreign_elements_leave_is_used(void)
{
	const struct set_kind small = {.layout = SET_LAYOUT_ADDR, .family = FAMILY_V4, .size = 2};
	struct wanted w = WANTED_NULL;
	struct live l = LIVE_NULL;
	struct plan p = PLAN_NULL;

	put(&l, 1, false, false);
	put(&l, 2, false, false);
	hold(&w, 3);
	hold(&w, 4);
	struct planning in = planning_of(&w, &l);
	in.kind = &small;
	in.delete_unowned = in.remove_foreign = true;
	plan_whole(&p, &in);
	CHECK_INT(p.count, 1);
	CHECK_INT(p.sets[0].left_out, 0);
	CHECK_INT(p.sets[0].add_count, 2);
	plan_done(&p);
	wanted_done(&w);
	live_done(&l);
}

static void unwanted_and_dirty_is_deleted(void)
{
	struct wanted w = WANTED_NULL;
	struct live l = LIVE_NULL;

	put(&l, 1, true, false);
	hold(&w, 1);
	wanted_clear_dirty(&w);
	release(&w, 1);
	CHECK_STR(dirty_text(&w, &l), "delete element inet filter allowed { 192.0.2.1 }\n");
	CHECK_STR(whole_text(&w, &l, false), "delete element inet filter allowed { 192.0.2.1 }\n");
	wanted_done(&w);
	live_done(&l);
}

static void unwanted_and_gone_already_needs_nothing(void)
{
	struct wanted w = WANTED_NULL;
	struct live l = LIVE_NULL;

	hold(&w, 1);
	release(&w, 1);
	CHECK_STR(dirty_text(&w, &l), "");
	CHECK_STR(whole_text(&w, &l, true), "");
	wanted_done(&w);
	live_done(&l);
}

static void key_that_flips_in_one_turn_comes_out_as_it_stands(void)
{
	struct wanted w = WANTED_NULL;
	struct live l = LIVE_NULL;
	struct element_key k = key(1);

	put(&l, 1, true, false);
	hold(&w, 1);
	wanted_clear_dirty(&w);
	release(&w, 1);
	wanted_hold(&w, &k, &other, "answer", 60);
	CHECK_STR(dirty_text(&w, &l), "");
	wanted_release(&w, &k, &other, "linger");
	CHECK_STR(dirty_text(&w, &l), "delete element inet filter allowed { 192.0.2.1 }\n");
	wanted_done(&w);
	live_done(&l);
}

/* After a start: what an earlier run left stays until DNS has spoken. */
static void unowned_element_waits_for_the_word_to_delete(void)
{
	struct wanted w = WANTED_NULL;
	struct live l = LIVE_NULL;

	put(&l, 1, true, false);
	put(&l, 2, false, false);
	CHECK_STR(whole_text(&w, &l, false), "");
	CHECK_STR(whole_text(&w, &l, true), "delete element inet filter allowed { 192.0.2.1 }\n");
	wanted_done(&w);
	live_done(&l);
}

static void only_dirty_keys_are_looked_at(void)
{
	struct wanted w = WANTED_NULL;
	struct live l = LIVE_NULL;

	hold(&w, 1);
	wanted_clear_dirty(&w);
	hold(&w, 2);
	CHECK_STR(dirty_text(&w, &l), "add element inet filter allowed { 192.0.2.2 }\n");
	wanted_done(&w);
	live_done(&l);
}

static void after_a_plan_is_applied_nothing_is_left_to_do(void)
{
	struct wanted w = WANTED_NULL;
	struct live l = LIVE_NULL;
	struct plan p = PLAN_NULL;
	struct planning in = planning_of(&w, &l);

	put(&l, 1, true, true);
	put(&l, 2, true, false);
	put(&l, 3, false, false);
	hold(&w, 1);
	hold(&w, 4);
	in.delete_unowned = true;
	plan_whole(&p, &in);
	live_apply(&l, &p.sets[0]);
	plan_done(&p);
	CHECK_INT(live_count(&l), 3);
	CHECK_STR(whole_text(&w, &l, true), "");
	wanted_done(&w);
	live_done(&l);
}

/* --- concatenations with flag interval: others may have put what is larger than a key --- */

static const struct set_kind boxes = {
	.layout = SET_LAYOUT_ADDR_SERVICE, .family = FAMILY_V4, .interval = true};

/* 192.0.2.FIRST-192.0.2.LAST . PORT */
static struct element_key box(unsigned first, unsigned last, uint16_t port)
{
	struct element_value v = {.port_first = port, .port_last = port};
	uint8_t bytes[4] = {192, 0, 2, (uint8_t)first};

	v.addr.first = addr_from_bytes(FAMILY_V4, bytes);
	bytes[3] = (uint8_t)last;
	v.addr.last = addr_from_bytes(FAMILY_V4, bytes);
	return element_key_encode(&boxes, &v);
}

static void put_box(struct live *l, unsigned first, unsigned last, bool ours)
{
	live_put(l, &(struct live_element){.key = box(first, last, 443), .ours = ours});
}

static void hold_box(struct wanted *w, unsigned number)
{
	struct element_key k = box(number, number, 443);

	wanted_hold(w, &k, &owner, "answer", 60);
}

static const char *boxes_text(struct planning *in, bool whole)
{
	struct plan p = PLAN_NULL;

	in->kind = &boxes;
	if (whole)
		plan_whole(&p, in);
	else
		plan_dirty(&p, in);
	return text_of(&p);
}

static void key_in_a_box_of_others_is_not_added(void)
{
	struct wanted w = WANTED_NULL;
	struct live l = LIVE_NULL;
	struct planning in = planning_of(&w, &l);

	wanted_set_kind(&w, &boxes);
	live_begin(&l, &boxes);
	put_box(&l, 0, 9, false);
	hold_box(&w, 5);
	hold_box(&w, 10);
	CHECK_STR(boxes_text(&in, false), "add element inet filter allowed { 192.0.2.10 . 443 }\n");
	CHECK_STR(boxes_text(&in, true), "add element inet filter allowed { 192.0.2.10 . 443 }\n");
	/* To delete it would delete the box. */
	struct element_key k = box(5, 5, 443);
	wanted_release(&w, &k, &owner, "linger");
	in.delete_unowned = true;
	CHECK_STR(boxes_text(&in, true), "add element inet filter allowed { 192.0.2.10 . 443 }\n");
	wanted_done(&w);
	live_done(&l);
}

static void key_in_a_box_that_goes_is_added(void)
{
	struct wanted w = WANTED_NULL;
	struct live l = LIVE_NULL;
	struct planning in = planning_of(&w, &l);

	wanted_set_kind(&w, &boxes);
	live_begin(&l, &boxes);
	put_box(&l, 0, 9, false);
	hold_box(&w, 5);
	CHECK_STR(boxes_text(&in, true), "");
	in.remove_foreign = true;
	CHECK_STR(boxes_text(&in, true),
		"delete element inet filter allowed { 192.0.2.0-192.0.2.9 . 443 }\n"
		"add element inet filter allowed { 192.0.2.5 . 443 }\n");
	wanted_done(&w);
	live_done(&l);
}

static bool is_in(const struct element_key *keys, size_t count, const struct element_key *k)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += element_key_eq(&keys[i], k);
	CHECK(n <= 1);
	return n == 1;
}

/* What a plan must hold, key by key, by the rules alone. */
static void check_plan(const struct plan *p, const struct planning *in, bool whole)
{
	static const struct plan_set none;
	const struct plan_set *s = p->count ? &p->sets[0] : &none;

	CHECK(p->count <= 1);
	for (unsigned i = 0; i < KEYS; i++) {
		struct element_key k = key(i);
		const struct live_element *e = live_find(in->live, &k);
		bool is_wanted = wanted_find(in->wanted, &k);
		bool is_dirty = wanted_is_dirty(in->wanted, &k), is_due = whole || is_dirty;
		bool unowned_goes = is_dirty || (whole && in->delete_unowned);
		bool goes = e && (e->ours ? unowned_goes : is_due && in->remove_foreign);
		CHECK(is_in(s->adds, s->add_count, &k) == (is_wanted && is_due && !e));
		CHECK(is_in(s->renewals, s->renewal_count, &k) ==
			(is_wanted && is_due && e && e->ours &&
				e->expires != (in->kind->fuse_ms > 0)));
		CHECK(is_in(s->deletes, s->delete_count, &k) == (!is_wanted && goes));
	}
}

static void random_plans_follow_the_rules(void)
{
	struct wanted w = WANTED_NULL;
	struct live l = LIVE_NULL;

	for (unsigned step = 0; step < 4000; step++) {
		for (unsigned change = random_below(8); change > 0; change--) {
			unsigned i = random_below(KEYS);
			struct element_key k = key(i);
			switch (random_below(8)) {
			case 0:
				put(&l, i, random_below(4), random_below(3) == 0);
				break;
			case 1:
				live_remove(&l, &k);
				break;
			case 2:
			case 3:
				wanted_hold(&w, &k, &other, "static", 0);
				break;
			case 4:
				wanted_release(&w, &k, &other, "reload");
				break;
			case 5:
			case 6:
				hold(&w, i);
				break;
			default:
				release(&w, i);
				break;
			}
		}
		struct plan p = PLAN_NULL;
		struct set_kind fused = kind;
		struct planning in = planning_of(&w, &l);
		bool whole = random_below(2);
		in.set_index = 3;
		in.kind = &fused;
		in.delete_unowned = random_below(2);
		in.remove_foreign = random_below(4) == 0;
		fused.fuse_ms = random_below(3) == 0 ? 60000 : 0;
		if (whole)
			plan_whole(&p, &in);
		else
			plan_dirty(&p, &in);
		check_plan(&p, &in, whole);
		/* A commit that fails leaves everything as it is. */
		if (random_below(3)) {
			if (p.count)
				live_apply(&l, &p.sets[0]);
			wanted_clear_dirty(&w);
		}
		plan_done(&p);
	}
	wanted_done(&w);
	live_done(&l);
}

int main(void)
{
	random_begin(5);
	TAP_RUN(wanted_and_missing_is_added);
	TAP_RUN(wanted_and_there_needs_nothing);
	TAP_RUN(ours_with_a_timeout_running_is_renewed);
	TAP_RUN(more_than_fits_is_left_out_and_deletes_go_ahead);
	TAP_RUN(foreign_element_is_left_alone_in_every_case);
	TAP_RUN(foreign_element_goes_on_request_unless_it_is_wanted);
	TAP_RUN(room_that_foreign_elements_leave_is_used);
	TAP_RUN(unwanted_and_dirty_is_deleted);
	TAP_RUN(unwanted_and_gone_already_needs_nothing);
	TAP_RUN(key_that_flips_in_one_turn_comes_out_as_it_stands);
	TAP_RUN(unowned_element_waits_for_the_word_to_delete);
	TAP_RUN(only_dirty_keys_are_looked_at);
	TAP_RUN(after_a_plan_is_applied_nothing_is_left_to_do);
	TAP_RUN(key_in_a_box_of_others_is_not_added);
	TAP_RUN(key_in_a_box_that_goes_is_added);
	TAP_RUN(random_plans_follow_the_rules);
	return tap_done();
}
