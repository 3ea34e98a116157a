/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/plan: a change as a value, and its text. */
#include "allowsync/plan.h"

#include "tap.h"

#include <stdlib.h>

#include <linux/netfilter.h>

static char filter[] = "filter", voip4[] = "voip4", voip6[] = "voip6", other[] = "other";
static const struct set_id id4 = {NFPROTO_INET, filter, voip4};
static const struct set_id id6 = {NFPROTO_INET, filter, voip6};
static const struct set_id id_other = {NFPROTO_INET, filter, other};
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

int main(void)
{
	TAP_RUN(empty_plan_changes_nothing);
	TAP_RUN(set_without_changes_leaves_it_empty);
	TAP_RUN(each_set_has_one_part);
	TAP_RUN(deletes_alone_are_a_change);
	TAP_RUN(text_is_sorted_with_deletes_first_in_each_set);
	return tap_done();
}
