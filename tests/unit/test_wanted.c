/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/wanted: the last owner to let go removes a key; each change is remembered once. */
#include "core/wanted.h"

#include "random.h"
#include "tap.h"

#include <stdlib.h>

enum { OWNERS = 12, KEYS = 60 };

static struct owner owners[OWNERS];

static struct element_key key(unsigned number)
{
	return (struct element_key){
		.len = 4, .bytes = {45, 0, (uint8_t)(number >> 8), (uint8_t)number}};
}

/* The dirty entry of that key; NULL: none. */
static const struct dirty_key *dirty(const struct wanted *w, const struct element_key *k)
{
	const struct dirty_key *found = NULL;

	for (size_t i = 0; i < w->dirty_count; i++) {
		if (!element_key_eq(&w->dirty[i].want->key, k))
			continue;
		CHECK(!found);
		found = &w->dirty[i];
	}
	return found;
}

static void first_hold_makes_the_key_wanted_and_dirty(void)
{
	struct wanted w = WANTED_NULL;
	struct element_key k = key(1);

	CHECK(wanted_hold(&w, &k, &owners[0], "answer", 300));
	CHECK_INT(wanted_count(&w), 1);
	CHECK(wanted_find(&w, &k)->owners[0] == &owners[0]);
	const struct dirty_key *d = dirty(&w, &k);
	CHECK(d && d->cause == &owners[0] && d->ttl_s == 300);
	CHECK_STR(d->reason, "answer");
	CHECK(wanted_is_dirty(&w, &k));
	wanted_done(&w);
}

static void holding_twice_is_holding_once(void)
{
	struct wanted w = WANTED_NULL;
	struct element_key k = key(1);

	CHECK(wanted_hold(&w, &k, &owners[0], "answer", 300));
	CHECK(!wanted_hold(&w, &k, &owners[0], "answer", 300));
	CHECK_INT(wanted_find(&w, &k)->count, 1);
	CHECK(wanted_release(&w, &k, &owners[0], "linger"));
	CHECK(!wanted_find(&w, &k));
	CHECK_INT(wanted_count(&w), 0);
	wanted_done(&w);
}

static void second_owner_changes_nothing_for_the_kernel(void)
{
	struct wanted w = WANTED_NULL;
	struct element_key k = key(1);

	wanted_hold(&w, &k, &owners[0], "answer", 300);
	wanted_clear_dirty(&w);
	CHECK(!wanted_hold(&w, &k, &owners[1], "static", 0));
	CHECK_INT(w.dirty_count, 0);
	CHECK(!wanted_release(&w, &k, &owners[0], "linger"));
	CHECK_INT(w.dirty_count, 0);
	CHECK(wanted_find(&w, &k)->owners[0] == &owners[1]);
	CHECK(wanted_release(&w, &k, &owners[1], "reload"));
	CHECK(dirty(&w, &k)->cause == &owners[1]);
	CHECK_STR(dirty(&w, &k)->reason, "reload");
	wanted_done(&w);
}

static void letting_go_of_what_one_does_not_hold_is_nothing(void)
{
	struct wanted w = WANTED_NULL;
	struct element_key k = key(1), unknown = key(2);

	wanted_hold(&w, &k, &owners[0], "answer", 300);
	wanted_clear_dirty(&w);
	CHECK(!wanted_release(&w, &k, &owners[1], "linger"));
	CHECK(!wanted_release(&w, &unknown, &owners[0], "linger"));
	CHECK_INT(wanted_count(&w), 1);
	CHECK_INT(w.dirty_count, 0);
	wanted_done(&w);
}

static void flipping_key_is_dirty_once_with_the_latest_cause(void)
{
	struct wanted w = WANTED_NULL;
	struct element_key k = key(1);

	wanted_hold(&w, &k, &owners[0], "answer", 300);
	wanted_clear_dirty(&w);
	wanted_release(&w, &k, &owners[0], "linger");
	CHECK(wanted_hold(&w, &k, &owners[1], "answer", 60));
	CHECK_INT(w.dirty_count, 1);
	CHECK(dirty(&w, &k)->cause == &owners[1]);
	CHECK_INT(dirty(&w, &k)->ttl_s, 60);
	CHECK(wanted_find(&w, &k));
	wanted_release(&w, &k, &owners[1], "release");
	CHECK_INT(w.dirty_count, 1);
	CHECK_STR(dirty(&w, &k)->reason, "release");
	CHECK(!wanted_find(&w, &k));
	wanted_done(&w);
}

static void thousand_flips_need_one_entry(void)
{
	struct wanted w = WANTED_NULL;
	struct element_key k = key(1);

	for (int i = 0; i < 1000; i++) {
		wanted_hold(&w, &k, &owners[0], "answer", 300);
		wanted_release(&w, &k, &owners[0], "linger");
	}
	CHECK_INT(w.dirty_count, 1);
	CHECK_INT(w.wants.count, 1);
	wanted_done(&w);
}

static void clearing_forgets_keys_that_nobody_wants(void)
{
	struct wanted w = WANTED_NULL;
	struct element_key gone = key(1), stays = key(2);

	wanted_hold(&w, &gone, &owners[0], "answer", 300);
	wanted_hold(&w, &stays, &owners[0], "answer", 300);
	wanted_release(&w, &gone, &owners[0], "linger");
	wanted_clear_dirty(&w);
	CHECK_INT(w.wants.count, 1);
	CHECK(!wanted_is_dirty(&w, &gone));
	CHECK(!wanted_is_dirty(&w, &stays));
	/* And it can be dirty again. */
	wanted_release(&w, &stays, &owners[0], "linger");
	CHECK_INT(w.dirty_count, 1);
	wanted_done(&w);
}

static void marked_key_is_dirty_without_being_wanted(void)
{
	struct wanted w = WANTED_NULL;
	struct element_key k = key(1);
	size_t at = 0;

	wanted_mark_dirty(&w, &k, NULL, "reload", 0);
	CHECK(wanted_is_dirty(&w, &k));
	CHECK(!wanted_find(&w, &k));
	CHECK(!wanted_next(&w, &at));
	CHECK_INT(wanted_count(&w), 0);
	CHECK(wanted_hold(&w, &k, &owners[0], "static", 0));
	CHECK_INT(w.dirty_count, 1);
	CHECK_STR(dirty(&w, &k)->reason, "static");
	wanted_clear_dirty(&w);
	CHECK(wanted_find(&w, &k));
	wanted_mark_dirty(&w, &k, NULL, "reload", 0);
	CHECK(wanted_find(&w, &k));
	wanted_done(&w);
}

static void forgotten_owner_is_no_cause_any_more(void)
{
	struct wanted w = WANTED_NULL;
	struct element_key a = key(1), b = key(2);

	wanted_hold(&w, &a, &owners[0], "answer", 300);
	wanted_hold(&w, &b, &owners[1], "answer", 300);
	wanted_release(&w, &a, &owners[0], "release");
	wanted_forget_owner(&w, &owners[0]);
	CHECK(!dirty(&w, &a)->cause);
	CHECK(dirty(&w, &b)->cause == &owners[1]);
	wanted_done(&w);
}

static void owners_keep_the_order_in_which_they_came(void)
{
	struct wanted w = WANTED_NULL;
	struct element_key k = key(1);

	for (int i = 0; i < OWNERS; i++)
		wanted_hold(&w, &k, &owners[i], "answer", 300);
	wanted_release(&w, &k, &owners[0], "linger");
	wanted_release(&w, &k, &owners[5], "linger");
	const struct want *want = wanted_find(&w, &k);
	CHECK_INT(want->count, OWNERS - 2);
	for (uint32_t i = 1; i < want->count; i++)
		CHECK(want->owners[i] > want->owners[i - 1]);
	wanted_done(&w);
}

static void big_filling_does_not_keep_its_room(void)
{
	struct wanted w = WANTED_NULL;

	for (unsigned i = 0; i < 5000; i++) {
		struct element_key k = key(i);
		wanted_hold(&w, &k, &owners[0], "answer", 300);
	}
	wanted_clear_dirty(&w);
	CHECK(w.dirty_capacity <= 256);
	CHECK_INT(wanted_count(&w), 5000);
	wanted_done(&w);
}

/* The oracle: who holds what, and whether that changed since the last commit. */
static bool holds[KEYS][OWNERS];

static unsigned holders(unsigned k)
{
	unsigned n = 0;

	for (int o = 0; o < OWNERS; o++)
		n += holds[k][o];
	return n;
}

static void check_against_oracle(const struct wanted *w, const bool *was_dirty)
{
	const struct want *want;
	size_t in = 0, seen = 0, dirty_keys = 0;

	for (unsigned i = 0; i < KEYS; i++) {
		struct element_key k = key(i);
		want = wanted_find(w, &k);
		CHECK((want ? want->count : 0) == holders(i));
		for (uint32_t o = 0; want && o < want->count; o++)
			CHECK(holds[i][want->owners[o] - owners]);
		CHECK(wanted_is_dirty(w, &k) == was_dirty[i]);
		in += want != NULL;
		dirty_keys += was_dirty[i];
	}
	for (size_t at = 0; (want = wanted_next(w, &at)); seen++)
		CHECK(want->count > 0);
	CHECK(seen == in && wanted_count(w) == in);
	CHECK(w->dirty_count == dirty_keys);
	/* What is neither wanted nor dirty takes no memory. */
	CHECK(w->wants.count <= in + dirty_keys);
}

static void random_operations_agree_with_plain_tables(void)
{
	struct wanted w = WANTED_NULL;
	bool is_dirty[KEYS] = {0};

	memset(holds, 0, sizeof(holds));
	for (unsigned step = 0; step < 30000; step++) {
		unsigned i = random_below(KEYS), o = random_below(1 + random_below(OWNERS));
		struct element_key k = key(i);
		unsigned before = holders(i);
		bool hold = random_below(2), changed;
		if (hold)
			changed = wanted_hold(&w, &k, &owners[o], "answer", step);
		else
			changed = wanted_release(&w, &k, &owners[o], "linger");
		holds[i][o] = hold;
		CHECK(changed == (!before != !holders(i)));
		is_dirty[i] |= changed;
		if (changed) {
			CHECK(dirty(&w, &k)->cause == &owners[o]);
			CHECK_STR(dirty(&w, &k)->reason, hold ? "answer" : "linger");
		}
		if (random_below(200) == 0) {
			wanted_clear_dirty(&w);
			memset(is_dirty, 0, sizeof(is_dirty));
		}
		if (step % 20 == 0)
			check_against_oracle(&w, is_dirty);
	}
	wanted_done(&w);
}

int main(void)
{
	random_begin(4);
	TAP_RUN(first_hold_makes_the_key_wanted_and_dirty);
	TAP_RUN(holding_twice_is_holding_once);
	TAP_RUN(second_owner_changes_nothing_for_the_kernel);
	TAP_RUN(letting_go_of_what_one_does_not_hold_is_nothing);
	TAP_RUN(flipping_key_is_dirty_once_with_the_latest_cause);
	TAP_RUN(thousand_flips_need_one_entry);
	TAP_RUN(clearing_forgets_keys_that_nobody_wants);
	TAP_RUN(marked_key_is_dirty_without_being_wanted);
	TAP_RUN(forgotten_owner_is_no_cause_any_more);
	TAP_RUN(owners_keep_the_order_in_which_they_came);
	TAP_RUN(big_filling_does_not_keep_its_room);
	TAP_RUN(random_operations_agree_with_plain_tables);
	return tap_done();
}
