#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything above `wanted`: what names hold becomes what sets should hold. */
#include "daemon/world.h"

/* Addresses that entered or left, into the sets that their names feed. */
void refresh_apply(struct world *w, const struct name_changes *changes);
/* After it became otherwise which addresses are refused, by this router's own networks or by a
 * reload: what may not be there any more leaves at once, and names are asked again where it
 * matters. */
void refresh_judge_again(struct world *w, uint64_t now_ms);
/* So many elements do not fit into the set: lets go of what lingers in the names that feed it, the
 * least recently seen first, but of no more than may be needed. False: nothing lingers. */
bool refresh_make_room(struct world *w, struct world_set *set, size_t elements);
/* Notes for the sets which this name feeds that an answer came. */
void refresh_on_answer(struct world *w, const struct name_family *f);
/* Of a set that denies: holds all that is in its list (core/denylist.h), and adds what its names
 * have. */
void refresh_keep_denied(struct world *w, struct world_set *set);
/* Lets go of what is over. What somebody wants all the same goes on for a while. */
void refresh_expire_denied(struct world *w, struct world_set *set, uint64_t now_ms);
/* Lets go of what DNS gave least recently, and no longer gives, until there are no more than so
 * many. */
void refresh_limit_denied(struct world *w, struct world_set *set, size_t max);
/* Everything that the set should hold, from what is known, after its kind became known or changed:
 * static entries and all addresses that names hold. Notes what it cannot hold in set->refusals and
 * mixed services in set->mixed. */
void refresh_fill_set(struct world *w, struct world_set *set);
/* After how long our elements are to expire, as the set's configuration has it; 0: never, also
 * where the set cannot have it otherwise (which refresh_fill_set() notes). */
uint64_t refresh_fuse_ms(const struct world_set *set);
/* Lets every owner that is paused go of what it holds. */
void refresh_release_paused(struct world *w);
/* When the set's unowned elements may leave, if that is known now: every name that feeds the set
 * has been answered. False: names are still awaited. */
bool refresh_unowned_leave_ms(
	const struct world *w, struct world_set *set, uint64_t now_ms, uint64_t *ret_ms);
/* A name that feeds the set and for which no answer has come yet, whatever it be; NULL: none. */
const char *refresh_unasked(const struct world *w, const struct world_set *set);
/* "my.idigi.com (nxdomain), ...": the names still awaited, at most a few; the caller frees it. */
char *refresh_awaited(const struct world *w, const struct world_set *set);
