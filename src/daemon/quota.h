#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many addresses the names of a vendor hold together, and what is done and said where that, or
 * what one name holds, is more than it may be (core/limits.h). */
#include "daemon/sync.h"
#include "daemon/world.h"

/* One address that entered or left a name. */
void quota_count(struct world *w, const struct name_change *c);
/* All that the names hold; what was told of `old` is told (NULL: there is none). */
void quota_count_all(struct world *w, const struct world *old);
/* After an answer was taken and before its changes are applied: makes room for what is new where a
 * vendor of the name has no more, or takes it back; tells when that begins, and when it is over. */
void quota_fit(const struct sync *s, struct world *w, struct name_family *f,
	struct name_changes *changes, uint64_t now_ms);
