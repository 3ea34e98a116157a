#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether anything accepts what the managed table marks: where a chain drops and no rule of it
 * does, the mark has no effect. */
#include "daemon/sync.h"

#include <stdbool.h>

struct nft_mark;

/* Reads the rules of all tables with a chain on the forward hook, and tells when the mark loses its
 * effect, or has it again. `marks`: the rules that set it stand; else nothing is known. False: it
 * could not be read, or not of one piece; what was known stays, try again later. */
bool mark_look(struct world *w, struct nft_mark *m, bool marks, sync_event_fn emit, void *userdata);
