#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an answer changes so much that somebody should look: most addresses at once, or an alias
 * that ends in another domain. Nothing is held up by it. Pure. */
#include "core/names.h"

enum {
	TURNOVER_MIN = 8,              /* addresses before: of fewer, half is soon replaced */
	TURNOVER_INTERVAL_MS = 3600000 /* a name is told of no more often */
};

struct turnover {
	size_t before, gone;   /* what DNS gave before, and how many of them it gives no more */
	size_t given, unknown; /* what it gives now, and how many of them the name did not have, not
				* even lingering */
};

/* What this answer will change, before names_apply(). All 0: it says nothing of that, being partial
 * or no OK answer. */
struct turnover turnover_of(const struct name_family *f, const struct answer *a);
/* More than half of TURNOVER_MIN or more is gone, and more than half of what is given is unknown. A
 * pool that turns within what is known is none. */
bool turnover_is_most(const struct turnover *t);

/* Does the chain of aliases end in another domain than that of the last OK answer did? A domain is
 * the last two labels. Without a list of public suffixes that takes two customers' domains below
 * co.uk, or two tenants of one cloud, for one, so not every move is seen; but one that is seen did
 * leave its domain, and a vendor who stays with one provider is never told of. It is a hint for
 * people, no rule rests on it. */
bool turnover_moves_domain(const struct name_family *f, const struct answer *a);
