#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets that deny: what is over leaves (core/denylist.h), and what is said of them. */
#include "daemon/sync.h"
#include "daemon/world.h"

/* Each turn, before anything is planned, of a set that has a keeper. */
void denying_turn(const struct sync *s, struct world *w, struct world_set *set, uint64_t now_ms);
