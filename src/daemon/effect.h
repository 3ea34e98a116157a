#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether rules use the sets: what no rule uses has no effect, however true it is. */
#include "daemon/sync.h"

#include <stdbool.h>

struct nft_rules;

/* Reads the rules of the sets' tables and tells which sets no rule uses, and which one does again.
 * False: it could not be read, or not of one piece;
 * what was known stays, try again later. */
bool effect_look(struct world *w, struct nft_rules *r, sync_event_fn emit, void *userdata);
/* Has some set come that was not there at the last look? Then it is time for another. */
bool effect_is_due(const struct world *w);
/* A set that is not there, or on its way out, has no effect to speak of. */
bool effect_is_known(const struct world_set *set);
/* Known, and no rule uses the set. */
bool effect_is_missing(const struct world_set *set);
/* "accepted by inet filter forward handle 12 and 2 more rules", "no rule uses it", "not looked at",
 * ...; the caller frees it. */
char *effect_text(const struct world_set *set);
