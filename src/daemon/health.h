#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the journal is told of names: when one stops resolving, when it is gone for certain, when it
 * is back, and which of its addresses are refused. Once each. */
#include "daemon/sync.h"

struct answer;
struct screening;

/* Before health_tell(): which addresses of the answer are not used, when that begins, changes or is
 * over. */
void health_tell_screening(const struct sync *s, const struct world *w, const struct name_family *f,
	const struct answer *a, const struct screening *screening);

/* After `f` got its answer. The first: whether it has gone without a good one for too long. */
void health_tell_stale(
	const struct sync *s, const struct world *w, const struct name_family *f, uint64_t now_ms);
void health_tell(const struct sync *s, const struct world *w, const struct name_family *f,
	const struct answer *a, uint64_t now_ms);
