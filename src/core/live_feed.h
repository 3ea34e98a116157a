#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the entries of a kernel's set, as dumps and notices have them, to the copy of it. In a set
 * of address ranges each range is two entries, so it takes both to make an element; an end may also
 * stand alone (nft puts one at address 0; a start that expired leaves its end behind). */
#include "core/live.h"

#include <stdbool.h>
#include <stddef.h>

/* --- a dump --- */

struct live_feed {
	const struct set_kind *kind;
	struct live *live;
	struct set_entry *entries; /* of ranges, until all have come */
	size_t count, capacity;
	size_t strange; /* entries that no element of this kind has */
};

/* Empties `live` first; both are borrowed until live_feed_done(). */
void live_feed_init(struct live_feed *f, const struct set_kind *kind, struct live *live);
/* False: the same entry came twice, so the dump is torn. */
bool live_feed_take(struct live_feed *f, const struct set_entry *e);
/* All have come. False: torn. */
bool live_feed_finish(struct live_feed *f);
void live_feed_done(struct live_feed *f);

/* --- notices --- */

enum live_news {
	LIVE_NEWS_NONE,
	LIVE_NEWS_ADDED,   /* or changed; the copy has it */
	LIVE_NEWS_REMOVED, /* the copy had it */
	LIVE_NEWS_STRANGE, /* an entry that no element of this kind has */
	LIVE_NEWS_UNSURE,  /* the copy may be wrong: the set is to be looked at */
};

/* What the notices of one transaction leave open, of a set of ranges. */
struct live_ear {
	struct set_entry start; /* came, its end not yet; no length: none */
	/* The end of a range that was removed is still to come, or came before its start. */
	struct element_key awaited, early;
	struct element_key again; /* the end of a range that was told again, should it be told */
};
#define LIVE_EAR_NULL ((struct live_ear){0})

/* One entry that was added or deleted, in the order in which they came. `ret`: of what is ADDED or
 * REMOVED. */
enum live_news live_hear(struct live *l, struct live_ear *ear, const struct set_kind *kind,
	const struct set_entry *e, bool added, struct live_element *ret);
/* The transaction is over. ADDED, UNSURE or NONE. */
enum live_news live_hear_end(struct live *l, struct live_ear *ear, struct live_element *ret);
