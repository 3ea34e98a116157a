#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When no DNS server answers at all (core/outage.h): one entry as that begins and one as it ends,
 * in place of two for each name. */
#include "core/outage.h"
#include "daemon/sync.h"

struct answer;

/* The outcome of a question for `f`, before health_tell(); `servers`: who are asked, as a list.
 * True: what it says of the name's health is not to be told; if it is the name's own after all that
 * is made good for. To find out another name may be asked now. */
bool silence_on_outcome(struct outage *o, const struct sync *s, struct world *w,
	const struct name_family *f, const struct answer *a, const char *servers, uint64_t now_ms);
