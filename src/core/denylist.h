#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The addresses that a denied endpoint ever had: each stays denied for DENYLIST_KEEP_S after DNS
 * last gave it, through whatever name. Pure; a list belongs to one set that denies.
 *
 * A list beside the names, and no longer linger of theirs: a name may be allowed elsewhere, where
 * it lets go as ever; what is kept is bounded and made room for by itself; and it outlives names
 * that a reload takes away.
 *
 * While the daemon runs its own clock decides. The timeout that each element has in the kernel is
 * only the fuse, and the record from which the next daemon goes on. Written anew with each answer
 * it would cost a commit each time, so it may be DENYLIST_LAG_S old; it is that much longer, so
 * that what goes on from it is never too short. What was taken over from a record leaves by that,
 * and the record stays as it is, however often that happens: nothing creeps. No wall clock is
 * needed, which many routers do not have when they boot; the time without power does not count. */
#include "allowsync/addr.h"
#include "allowsync/element.h"
#include "base/heap.h"
#include "base/map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DENYLIST_KEEP_S = 30 * 24 * 3600,
	DENYLIST_LAG_S = 3600,
	DENYLIST_FUSE_S = DENYLIST_KEEP_S + DENYLIST_LAG_S,
	DENYLIST_RENEW_S = DENYLIST_LAG_S / 2, /* how often records are looked through */
	/* What is taken over leaves that much before the kernel lets it go: it must still be there
	 * to be deleted. */
	DENYLIST_EARLY_S = 60,
	DENYLIST_STAY_S = 24 * 3600, /* for so long at a time what is held elsewhere goes on */
};

struct denied {
	struct element_key key;
	char *name;           /* that gave it last; NULL: an earlier run's, not known */
	uint64_t first_ms;    /* 0: not known */
	uint64_t last_ms;     /* when DNS last gave it, as far as is known; may be before 0 */
	uint64_t recorded_ms; /* until when the kernel keeps it; 0: not there, or for ever */
	uint64_t fuse_ms;     /* until when it should */
	struct heap_item over;
};

struct denylist {
	struct map by_key;
	struct heap overs;
	uint64_t limited_ms; /* since when there is no room for all; 0: there is */
};
#define DENYLIST_NULL ((struct denylist){0})

/* An answer for `name` had it at `last_ms`. True: it was not in the list. */
bool denylist_note(struct denylist *l, const struct element_key *key, const char *name,
	uint64_t first_ms, uint64_t last_ms);
/* It stands in the kernel, and has `left_ms` there. One that is not in the list is taken over, with
 * what the kernel says: true. */
bool denylist_hear(
	struct denylist *l, const struct element_key *key, uint64_t left_ms, uint64_t now_ms);
/* The kernel has it from now on, for `left_ms`. Not in the list: nothing. */
void denylist_record(
	struct denylist *l, const struct element_key *key, uint64_t left_ms, uint64_t now_ms);
struct addr denied_addr(const struct denied *d);
const struct denied *denylist_find(const struct denylist *l, const struct element_key *key);
const struct denied *denylist_next(const struct denylist *l, size_t *at);
size_t denylist_count(const struct denylist *l);
/* For how long the kernel is to keep it, from now on; 0: for ever, as it is not in the list, and so
 * wanted as a static entry. */
uint64_t denylist_left_ms(const struct denylist *l, const struct element_key *key, uint64_t now_ms);
/* Is what the kernel has near enough to that? `expires`: a timeout is running. */
bool denylist_is_recorded(const struct denylist *l, const struct element_key *key, bool expires);

/* The one that is over first; NULL: there is none. */
const struct denied *denylist_first(const struct denylist *l);
/* The same when it is over by now, else NULL; it is to leave, or to stay. */
const struct denied *denylist_over(const struct denylist *l, uint64_t now_ms);
/* When the first one is over; UINT64_MAX: never. */
uint64_t denylist_next_ms(const struct denylist *l);
/* It is over, but wanted all the same: by a name of which no answer has said otherwise, as none
 * comes, or by a static entry. For a while more. */
void denylist_stay(struct denylist *l, const struct denied *d, uint64_t now_ms);
void denylist_remove(struct denylist *l, const struct denied *d);
void denylist_done(struct denylist *l);
