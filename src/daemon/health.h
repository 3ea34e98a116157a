#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the journal is told of names: when one stops resolving, when it is gone for certain, and
 * when it is back. Once each. */
#include "daemon/sync.h"

struct answer;

/* An entry about the name, with the vendors that it belongs to in front; or with one of its owners
 * alone. */
void health_tell_name(const struct sync *s, const struct world *w, const struct name_family *f,
	const struct owner *only, enum event_kind kind, int priority, const char *text);

/* After `f` got its answer. The first: whether it has gone without a good one for too long.
 * `refusal_told`: that this answer is not used was told just now (screening_tell()). */
void health_tell_stale(
	const struct sync *s, const struct world *w, const struct name_family *f, uint64_t now_ms);
void health_tell(const struct sync *s, const struct world *w, const struct name_family *f,
	const struct answer *a, bool refusal_told, uint64_t now_ms);
