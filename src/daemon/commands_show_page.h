#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two files share that show a vendor's page. */
#include "allowsync/config.h"

struct json_t;

/* Lists of texts. */
void show_put_strings(struct json_t *json, const char *key, const struct strings *s);
void show_put_ranges(
	struct json_t *json, const char *key, const struct addr_range *ranges, size_t count);
/* Is it a file that came with the daemon, not one of the admin's? */
bool show_is_packaged(const struct source *at);
/* "file:line" */
void show_put_place(struct json_t *json, const char *key, const struct source *at);
/* "amended": the keys that the admin's files say of a section of the profile. */
void show_put_amended(struct json_t *json, const struct profile_texts *amended);
/* Adds the text without what it begins with: the section, and the endpoint's name. */
void show_add_undone(struct json_t *list, const struct config_undone *u);
