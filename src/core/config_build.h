#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries of the configuration files, with the profiles they name -> config. */
#include "allowsync/config.h"
#include "core/reader.h"

/* How the builder gets a profile: NULL when there is none of that name. The builder keeps it, and
 * asks once a vendor. */
typedef struct profile *(*config_profile_fn)(
	void *userdata, const char *name, struct diag_list *diags);

/* The public suffix that a name (normalized) ends in, as a pointer into it: edge/public_suffix.h.
 */
typedef const char *(*config_suffix_fn)(const char *name);

/* Faults go to `diags`, all of them. Never NULL; not to be run when there were errors. Owns the
 * profiles it got. `profile_names`: those there are, to suggest from; may be NULL. */
struct config *config_build(const struct reader_file *files, size_t count,
	config_profile_fn get_profile, void *userdata, const struct strings *profile_names,
	config_suffix_fn public_suffix, struct diag_list *diags);
/* Is this a key of [vendor NAME] in its own right? No variable may be called so. */
bool config_vendor_has_key(const char *key);
