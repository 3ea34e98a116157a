#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries of the configuration files, with the profiles they name -> config. */
#include "allowsync/config.h"
#include "core/reader.h"

/* How the builder gets a profile: NULL when there is none of that name. The caller keeps it; the
 * builder asks once a vendor. */
typedef struct profile *(*config_profile_fn)(void *userdata, const char *name,
	struct diag_list *diags);

/* Faults go to `diags`, all of them. Never NULL; not to be run when there were errors. Owns the
 * profiles it got. */
struct config *config_build(const struct reader_file *files, size_t count,
	config_profile_fn get_profile, void *userdata, struct diag_list *diags);
