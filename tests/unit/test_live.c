/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/live: the copy of a set, and what a commit makes of it. */
#include "core/live.h"

#include "tap.h"

#include <stdlib.h>

static const struct set_kind kind = {.layout = SET_LAYOUT_ADDR, .family = FAMILY_V4};

static struct element_key key(unsigned number)
{
	return (struct element_key){.len = 4, .bytes = {192, 0, 2, (uint8_t)number}};
}

static void put(struct live *l, unsigned number, bool ours, bool expires)
{
	live_put(l, &(struct live_element){.key = key(number), .ours = ours, .expires = expires});
}

static void copy_counts_what_is_ours(void)
{
	struct live l = LIVE_NULL;
	struct element_key one = key(1), two = key(2), three = key(3);

	put(&l, 1, true, false);
	put(&l, 2, false, false);
	CHECK_INT(live_count(&l), 2);
	CHECK_INT(l.ours, 1);
	put(&l, 2, true, true);
	CHECK_INT(live_count(&l), 2);
	CHECK_INT(l.ours, 2);
	CHECK(live_find(&l, &two)->expires);
	put(&l, 1, false, false);
	CHECK_INT(l.ours, 1);
	live_remove(&l, &one);
	live_remove(&l, &one);
	CHECK_INT(l.ours, 1);
	CHECK_INT(live_count(&l), 1);
	CHECK(!live_find(&l, &one) && !live_find(&l, &three));
	live_clear(&l);
	CHECK_INT(l.ours, 0);
	CHECK_INT(live_count(&l), 0);
	put(&l, 3, true, false);
	CHECK(live_find(&l, &three));
	live_done(&l);
}

static void applying_a_plan_makes_the_copy_as_the_kernel_is(void)
{
	for (int fuse = 0; fuse < 2; fuse++) {
		struct live l = LIVE_NULL;
		struct plan_set s = {.kind = kind};
		struct element_key one = key(1), two = key(2), three = key(3), four = key(4);

		s.kind.fuse_ms = fuse ? 60000 : 0;
		put(&l, 1, true, !fuse);
		put(&l, 2, true, false);
		put(&l, 3, false, false);
		plan_renew(&s, &one);
		plan_delete(&s, &two);
		plan_add(&s, &four);
		live_apply(&l, &s);
		CHECK_INT(live_count(&l), 3);
		CHECK_INT(l.ours, 2);
		CHECK_INT(live_find(&l, &one)->expires, fuse);
		CHECK(!live_find(&l, &two));
		CHECK(!live_find(&l, &three)->ours && !live_find(&l, &three)->expires);
		CHECK(live_find(&l, &four)->ours);
		CHECK_INT(live_find(&l, &four)->expires, fuse);
		free(s.adds);
		free(s.deletes);
		free(s.renewals);
		live_done(&l);
	}
}

int main(void)
{
	TAP_RUN(copy_counts_what_is_ours);
	TAP_RUN(applying_a_plan_makes_the_copy_as_the_kernel_is);
	return tap_done();
}
