#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries of a profile's files -> profile. */
#include "allowsync/profile.h"
#include "core/reader.h"

/* `files`: the profile and what adds to it, in order; their names outlive the profile (sources
 * point into them). Faults go to `diags`, all of them. Never NULL; incomplete when there were
 * errors. */
struct profile *profile_build(
	const char *name, const struct reader_file *files, size_t count, struct diag_list *diags);
