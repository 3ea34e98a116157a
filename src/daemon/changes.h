#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A committed plan as events: one a set and owner, complete, so that replaying them rebuilds the
 * set. */
#include "daemon/sync.h"

/* To be called before the set's dirty keys are cleared. */
void changes_tell(const struct sync *s, const struct world *w, const struct world_set *set,
	const struct plan_set *committed, uint32_t generation, uint64_t now_ms);
