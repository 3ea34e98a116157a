#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DNS names and the identifiers of our own things, by their strict grammars. */
#include <stdbool.h>
#include <stddef.h>

enum { NAME_TEXT_MAX = 253, LABEL_MAX = 63, IDENTIFIER_MAX = 31 };

/* A DNS name as people write it: letters, digits, hyphen, underscore, dots; one trailing dot is
 * accepted; labels of 1 to 63 that do not begin or end with a hyphen; 253 in all; at least two
 * labels (a name is absolute, there is no search list); not a number like 10.0.0.300. `ret` (room
 * for NAME_TEXT_MAX + 1) gets it in lower case without the dot. NULL: fine; else why not. */
const char *name_normalize(const char *text, char *ret);
/* "*.example.com": `ret` gets "*.example.com" normalized. What is behind "*." has two labels. */
const char *name_normalize_wildcard(const char *text, char *ret);

/* Vendors, endpoints, sets, roles, regions, variables: [a-z][a-z0-9_-]{0,30}. */
bool identifier_ok(const char *text);
/* nft's own identifiers, for an admin's tables and sets: [A-Za-z_.][A-Za-z0-9_./-]{0,127}. */
bool nft_identifier_ok(const char *text);
