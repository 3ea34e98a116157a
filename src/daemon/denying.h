#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets that deny: what is over leaves (core/denylist.h), and what is said of them. */
#include "daemon/sync.h"
#include "daemon/world.h"

enum { DENYING_COLLISIONS_MAX = 1000 }; /* that are told of */

/* Each turn, before anything is planned, of a set that has a keeper. */
void denying_turn(const struct sync *s, struct world *w, struct world_set *set, uint64_t now_ms);
/* After changes were applied: where an address that entered is now denied and allowed at once, to
 * devices of one group and for traffic that both have in common, it is said: once for both names.
 */
void denying_on_changes(const struct sync *s, struct world *w, const struct name_changes *changes);
