#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many addresses a name, or all names of a vendor, may hold. Where there are more, what lingers
 * makes room, the least recently seen first; where that is not enough, what is new is not taken.
 * What stands and is given by DNS stays. Pure. */
#include "core/names.h"

/* Lets go of up to `count` of the addresses that linger in these families, the least recently seen
 * first, with reason "limit". Returns how many. */
size_t limits_make_room(struct name_family *const *families, size_t family_count, size_t count,
	struct name_changes *changes);
/* Takes back the last `count` of those that enter by the changes from `from` on, as if the answer
 * had not had them: the changes are taken away as well. Returns how many. */
size_t limits_take_back(struct name_changes *changes, size_t from, size_t count);
/* The cap of one name, after the changes from `from` on were made to it; notes in f->limited_ms
 * since when it is over. */
void limits_fit_name(
	struct name_family *f, size_t from, uint64_t now_ms, struct name_changes *changes);
/* Over, until an eighth of it, or one place, is free again: one that turns on the spot is told of
 * once. */
bool limits_is_over(bool before, size_t wanted, size_t count, size_t max);
