#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A copy of the configuration that was accepted last, in the state directory: what runs when, at
 * the next start, the files are broken. A typo must neither open a firewall nor close it.
 *
 *     accepted/current            the digest of the copy that counts
 *     accepted/DIGEST/etc/...     the files, as below a root of their own
 *
 * The digest is over all of them, so that a copy that was damaged is known for one. */
#include "allowsync/diag.h"

struct config;

#define ACCEPTED_DIRECTORY "accepted"

/* Keeps it instead of the one before. Negative: -errno, and the one before still counts. */
int accepted_keep(const char *state, const struct config *c);
/* The configuration kept last, from its copy; its `instead` says `why`, which is taken. NULL: there
 * is none that is whole and without errors; `*ret_why_not` (when there is a copy at all) says what
 * is the matter with it, and the caller frees both. */
struct config *accepted_load(const char *state, char *why, char **ret_why_not);
