/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/plan: a change as a value, and its text. */
#include "allowsync/plan.h"

#include "random.h"
#include "tap.h"

#include <stdlib.h>

#include <linux/netfilter.h>

static char filter[] = "filter", voip4[] = "voip4", voip6[] = "voip6", other[] = "other";
static const struct set_id id4 = {NFPROTO_INET, filter, voip4};
static const struct set_id id6 = {NFPROTO_INET, filter, voip6};
static const struct set_id id_other = {NFPROTO_INET, filter, other};
static const struct plan none;
static const struct set_kind kind4 = {.layout = SET_LAYOUT_ADDR, .family = FAMILY_V4};
static const struct set_kind kind6 = {.layout = SET_LAYOUT_ADDR_PROTO_SERVICE, .family = FAMILY_V6};

static struct element_key key(const char *text)
{
	struct addr a;

	CHECK(addr_parse(text, &a));
	return element_key_addr(&a);
}

static struct element_key key6(const char *text, uint16_t port)
{
	struct addr a;

	CHECK(addr_parse(text, &a));
	return element_key_service(&a, 6, port);
}

/* The text stays until the next call. */
static const char *text_of(const struct plan *p)
{
	static char text[4096];
	char *s = plan_format(p);

	snprintf(text, sizeof(text), "%s", s);
	free(s);
	return text;
}

static void empty_plan_changes_nothing(void)
{
	struct plan p = PLAN_NULL;

	CHECK(plan_is_empty(&p));
	CHECK_INT(plan_change_count(&p), 0);
	CHECK_STR(text_of(&p), "");
	plan_done(&p);
}

static void set_without_changes_leaves_it_empty(void)
{
	struct plan p = PLAN_NULL;

	plan_for_set(&p, 0, &id4, &kind4);
	CHECK(plan_is_empty(&p));
	CHECK_STR(text_of(&p), "");
	plan_done(&p);
}

static void each_set_has_one_part(void)
{
	struct plan p = PLAN_NULL;

	for (size_t round = 0; round < 2; round++) {
		for (size_t i = 0; i < 20; i++) {
			struct element_key k = key("192.0.2.1");
			plan_add(plan_for_set(&p, i, &id4, &kind4), &k);
		}
	}
	CHECK_INT(p.count, 20);
	for (size_t i = 0; i < 20; i++) {
		CHECK_INT(p.sets[i].set_index, i);
		CHECK_INT(p.sets[i].add_count, 2);
		CHECK(p.sets[i].id == &id4);
		CHECK_INT(p.sets[i].kind.layout, SET_LAYOUT_ADDR);
	}
	CHECK_INT(plan_change_count(&p), 40);
	plan_done(&p);
}

static void deletes_alone_are_a_change(void)
{
	struct element_key k = key("192.0.2.1");
	struct plan p = PLAN_NULL;

	plan_delete(plan_for_set(&p, 0, &id4, &kind4), &k);
	CHECK(!plan_is_empty(&p));
	CHECK_INT(plan_change_count(&p), 1);
	CHECK_STR(text_of(&p), "delete element inet filter voip4 { 192.0.2.1 }\n");
	plan_done(&p);
}

static void text_is_sorted_with_deletes_first_in_each_set(void)
{
	struct element_key a = key("192.0.2.10"), b = key("192.0.2.9"), c = key("9.0.0.1");
	struct element_key d = key6("2001:db8::2", 443), e = key6("2001:db8::2", 80);
	struct plan p = PLAN_NULL;

	plan_add(plan_for_set(&p, 7, &id6, &kind6), &d);
	plan_add(plan_for_set(&p, 7, &id6, &kind6), &e);
	plan_add(plan_for_set(&p, 3, &id4, &kind4), &a);
	plan_add(plan_for_set(&p, 3, &id4, &kind4), &b);
	plan_delete(plan_for_set(&p, 3, &id4, &kind4), &c);
	plan_delete(plan_for_set(&p, 5, &id_other, &kind4), &c);
	CHECK_STR(text_of(&p),
		"delete element inet filter other { 9.0.0.1 }\n"
		"delete element inet filter voip4 { 9.0.0.1 }\n"
		"add element inet filter voip4 { 192.0.2.9, 192.0.2.10 }\n"
		"add element inet filter voip6 { 2001:db8::2 . tcp . 80, 2001:db8::2 . tcp . 443 "
		"}\n");
	/* Formatting leaves the plan as it was. */
	CHECK(element_key_eq(&p.sets[1].adds[0], &a));
	CHECK_INT(plan_change_count(&p), 6);
	plan_done(&p);
	CHECK(plan_is_empty(&p));
	plan_done(&p);
}

static void renewals_are_work_but_no_change(void)
{
	struct element_key k = key("192.0.2.1");
	struct plan p = PLAN_NULL;

	plan_renew(plan_for_set(&p, 0, &id4, &kind4), &k);
	CHECK(!plan_is_empty(&p));
	CHECK_INT(plan_change_count(&p), 0);
	CHECK_INT(plan_work_count(&p), 1);
	CHECK_STR(text_of(&p), "");
	plan_done(&p);
}

static void deletes_of_ranges_need_their_generation(void)
{
	struct plan_set s = {.kind = kind4};

	s.add_count = s.delete_count = 1;
	CHECK(!plan_set_needs_generation(&none, &s));
	s.kind.interval = true;
	CHECK(plan_set_needs_generation(&none, &s));
	s.delete_count = 0;
	s.add_count = 0;
	CHECK(!plan_set_needs_generation(&none, &s));
}

/* The kernel does not refuse it where others have put something meanwhile. */
static void ranges_to_the_last_address_need_their_generation(void)
{
	struct element_key keys[] = {{8, {10, 0, 0, 0, 10, 0, 0, 255}},
		{8, {255, 0, 0, 0, 255, 255, 255, 254}}, {8, {255, 0, 0, 0, 255, 255, 255, 255}}};
	struct plan_set s = {.kind = kind4, .adds = keys, .add_count = 2};

	s.kind.interval = true;
	CHECK(!plan_set_needs_generation(&none, &s));
	s.add_count = 3;
	CHECK(plan_set_needs_generation(&none, &s));
}

/* --- pieces --- */

static const struct set_kind sized4 = {
	.layout = SET_LAYOUT_ADDR, .family = FAMILY_V4, .size = 100000};
static const struct set_kind ranges4 = {
	.layout = SET_LAYOUT_ADDR, .family = FAMILY_V4, .interval = true};

static struct element_key nth(unsigned n)
{
	return (struct element_key){
		.len = 4, .bytes = {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
}

static void fill(struct plan *p, size_t set_index, const struct set_kind *kind, unsigned adds,
	unsigned deletes, unsigned renewals)
{
	struct plan_set *s = plan_for_set(p, set_index, &id4, kind);
	unsigned n = 0;

	for (unsigned i = 0; i < adds + deletes + renewals; i++, n++) {
		struct element_key k = nth(n);
		if (i < adds)
			plan_add(s, &k);
		else if (i < adds + deletes)
			plan_delete(s, &k);
		else
			plan_renew(s, &k);
	}
}

/* "0:+3-2*1 1:+1" a piece, for each set what is in it; until the next call. */
static const char *pieces(const struct plan *p, size_t max)
{
	static char text[2048];
	struct plan_cut cut = PLAN_CUT_NULL;
	struct plan piece;
	size_t len = 0;

	text[0] = '\0';
	while (plan_next_piece(p, max, &cut, &piece)) {
		CHECK(!plan_is_empty(&piece));
		for (size_t i = 0; i < piece.count; i++) {
			const struct plan_set *s = &piece.sets[i];
			CHECK(s->id == &id4);
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%zu:",
				i     ? " "
				: len ? " | "
				      : "",
				s->set_index);
			if (s->add_count)
				len += (size_t)snprintf(
					text + len, sizeof(text) - len, "+%zu", s->add_count);
			if (s->delete_count)
				len += (size_t)snprintf(
					text + len, sizeof(text) - len, "-%zu", s->delete_count);
			if (s->renewal_count)
				len += (size_t)snprintf(
					text + len, sizeof(text) - len, "*%zu", s->renewal_count);
		}
		plan_piece_done(&piece);
	}
	/* And it stays at its end. */
	CHECK(!plan_next_piece(p, max, &cut, &piece));
	return text;
}

static void plan_without_work_has_no_pieces(void)
{
	struct plan p = PLAN_NULL;

	CHECK_STR(pieces(&p, 10), "");
	fill(&p, 0, &kind4, 0, 0, 0);
	CHECK_STR(pieces(&p, 10), "");
	plan_done(&p);
}

static void pieces_add_first_and_delete_last(void)
{
	struct plan p = PLAN_NULL;

	fill(&p, 0, &kind4, 3, 2, 1);
	fill(&p, 1, &kind4, 1, 1, 1);
	CHECK_STR(pieces(&p, 100), "0:+3 1:+1 | 0:*1 1:*1 | 0:-2 1:-1");
	CHECK_STR(pieces(&p, 2), "0:+2 | 0:+1 1:+1 | 0:*1 1:*1 | 0:-2 | 1:-1");
	CHECK_STR(pieces(&p, 1), "0:+1 | 0:+1 | 0:+1 | 1:+1 | 0:*1 | 1:*1 | 0:-1 | 0:-1 | 1:-1");
	plan_done(&p);
}

static void sets_whose_adds_wait_for_deletes_stay_whole(void)
{
	struct plan p = PLAN_NULL;

	fill(&p, 0, &sized4, 3, 2, 1);
	fill(&p, 1, &ranges4, 2, 2, 0);
	fill(&p, 2, &kind4, 3, 3, 0);
	CHECK_STR(pieces(&p, 2), "2:+2 | 2:+1 | 0:+3-2 | 1:+2-2 | 0:*1 | 2:-2 | 2:-1");
	plan_done(&p);
	/* With nothing to wait for they are cut like others. */
	fill(&p, 0, &sized4, 3, 0, 0);
	fill(&p, 1, &ranges4, 0, 3, 0);
	CHECK_STR(pieces(&p, 2), "0:+2 | 0:+1 | 1:-2 | 1:-1");
	plan_done(&p);
}

static void pieces_go_on_the_generation_of_the_plan(void)
{
	struct plan p = {.has_generation = true, .generation = 77, .replaces = true}, piece;
	struct plan_cut cut = PLAN_CUT_NULL;
	size_t count = 0;

	fill(&p, 0, &kind4, 3, 1, 1);
	for (; plan_next_piece(&p, 2, &cut, &piece); count++) {
		CHECK(piece.has_generation && piece.generation == 77 && piece.replaces);
		plan_piece_done(&piece);
	}
	CHECK_INT(count, 4);
	plan_done(&p);
}

static void note(unsigned char *seen, const struct element_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		unsigned n = (unsigned)keys[i].bytes[2] << 8 | keys[i].bytes[3];
		CHECK(n < 64 && !seen[n]);
		seen[n] = 1;
	}
}

static void random_plans_have_each_key_in_one_piece(void)
{
	static const struct set_kind *const kinds[] = {&kind4, &sized4, &ranges4};

	for (unsigned round = 0; round < 3000; round++) {
		struct plan p = PLAN_NULL, piece;
		struct plan_cut cut = PLAN_CUT_NULL;
		unsigned char seen[4][3][64] = {0};
		size_t max = 1 + random_below(12), work = 0;
		bool deletes_began = false;
		for (size_t set = 0; set < 4; set++)
			fill(&p, set, kinds[random_below(3)], random_below(10), random_below(10),
				random_below(10));
		while (plan_next_piece(&p, max, &cut, &piece)) {
			bool bound = piece.sets[0].add_count && piece.sets[0].delete_count;
			CHECK(bound ? piece.count == 1 : plan_work_count(&piece) <= max);
			for (size_t i = 0; i < piece.count; i++) {
				const struct plan_set *s = &piece.sets[i];
				note(seen[s->set_index][0], s->adds, s->add_count);
				note(seen[s->set_index][1], s->deletes, s->delete_count);
				note(seen[s->set_index][2], s->renewals, s->renewal_count);
				CHECK(!deletes_began || !s->add_count);
				deletes_began |= s->delete_count && !bound;
			}
			work += plan_work_count(&piece);
			plan_piece_done(&piece);
		}
		CHECK_INT(work, plan_work_count(&p));
		plan_done(&p);
	}
}

int main(void)
{
	random_begin(15);
	TAP_RUN(empty_plan_changes_nothing);
	TAP_RUN(set_without_changes_leaves_it_empty);
	TAP_RUN(each_set_has_one_part);
	TAP_RUN(deletes_alone_are_a_change);
	TAP_RUN(text_is_sorted_with_deletes_first_in_each_set);
	TAP_RUN(renewals_are_work_but_no_change);
	TAP_RUN(deletes_of_ranges_need_their_generation);
	TAP_RUN(ranges_to_the_last_address_need_their_generation);
	TAP_RUN(plan_without_work_has_no_pieces);
	TAP_RUN(pieces_add_first_and_delete_last);
	TAP_RUN(sets_whose_adds_wait_for_deletes_stay_whole);
	TAP_RUN(pieces_go_on_the_generation_of_the_plan);
	TAP_RUN(random_plans_have_each_key_in_one_piece);
	return tap_done();
}
