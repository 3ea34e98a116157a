#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stands between a set of the kernel and what it should hold. Pure.
 *
 * What is not ours is left alone, wanted or not, and nothing of ours is put where it stands. More
 * than the set has room for is counted instead (left_out): the kernel would refuse the deletes as
 * well. A key that stays is never deleted and added. */
#include "core/denylist.h"
#include "core/live.h"
#include "core/wanted.h"

#include <stdbool.h>
#include <stddef.h>

struct planning {
	size_t set_index;
	const struct set_id *id;
	const struct set_kind *kind;
	const struct wanted *wanted;
	const struct live *live;
	/* Elements of ours that nobody wants are deleted. Else only when they are dirty: after a
	 * start they wait until DNS has spoken. */
	bool delete_unowned;
	/* What is not ours is deleted where nobody wants it: by plan_whole() all of it, by
	 * plan_dirty() what somebody let go. What is wanted whole stays as it is: to delete and add
	 * a key in one batch may let a packet miss it. */
	bool remove_foreign;
	/* Each element's life as it is in there, as of `now_ms`; NULL: all have the kind's fuse. */
	const struct denylist *denied;
	uint64_t now_ms;
};

/* Adds to `p` what the dirty keys need. Costs what is dirty. */
void plan_dirty(struct plan *p, const struct planning *in);
/* The same over the whole set. */
void plan_whole(struct plan *p, const struct planning *in);
/* Everything of ours that stands there gets its timeout anew; of what is denied, whatever has not
 * the one that it should. */
void plan_renew_all(struct plan *p, const struct planning *in);
