#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the journal is told of names: when one stops resolving, and when it is back. Once each. */
#include "daemon/sync.h"

struct answer;

/* After `f` got its answer. */
void health_tell(const struct sync *s, const struct world *w, const struct name_family *f,
	const struct answer *a);
