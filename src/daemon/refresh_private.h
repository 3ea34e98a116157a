#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of refresh share: refresh_denied.c has what is denied. */
#include "daemon/refresh.h"

/* The owner wants these addresses in its set, unless it is paused or may not have them. */
void refresh_hold(struct world *w, struct owner *o, const struct addr_range *r, const char *reason,
	uint32_t ttl_s);
void refresh_let_go(struct world *w, struct owner *o, const struct addr_range *r,
	const char *reason, uint64_t missing_ms);
/* Into the list of that set, what answers have had since then. */
void refresh_note_denied(
	struct world *w, struct world_set *set, const struct name_family *f, uint64_t since_ms);
