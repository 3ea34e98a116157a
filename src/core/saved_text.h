#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our elements of one set as text that nft includes inside the set's own block. */
#include "allowsync/element.h"
#include "core/denylist.h"

#include <stddef.h>

enum { SAVED_NAME_MAX = 255 };
#define SAVED_SUFFIX ".nft"

/* "inet-filter-voip4.nft": no two sets have the same, and none leaves its directory. A slash
 * becomes %2f, and so does a hyphen (%2d) in the table's name, so that it ends where it seems to.
 * What is too long for a file is cut and ends in %% and a checksum. The caller frees it. */
char *saved_text_file_name(const struct set_id *id);
/* "elements = { ... }", each one with our comment, so that it is ours again after a load; sorts the
 * keys. "" when there are none: nft takes an empty file, but no empty list. The caller frees it.
 * `denied`: what is in there has what is left of its time as of `now_ms`, and begins with that when
 * it is loaded; the rest is permanent. NULL: all has the kind's fuse. */
char *saved_text(const struct set_kind *kind, struct element_key *keys, size_t count,
	const struct denylist *denied, uint64_t now_ms);
