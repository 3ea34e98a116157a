#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hash map from byte-string keys to pointers. Keys are borrowed: they must live as long as their
 * entry, usually inside the value. Values belong to the caller. Iteration follows no order. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_slot {
	const void *key; /* NULL: free */
	void *value;
	uint32_t key_len;
	uint32_t hash;
};

struct map {
	struct map_slot *slots;
	size_t capacity; /* 0 or a power of two */
	size_t count;
};
#define MAP_NULL ((struct map){0})

void *map_get(const struct map *m, const void *key, size_t key_len);
/* Replaces an entry of the same key (key pointer and value) and returns the old value, or NULL. */
void *map_put(struct map *m, const void *key, size_t key_len, void *value);
/* Returns the value that was removed, or NULL. Not during map_next. */
void *map_remove(struct map *m, const void *key, size_t key_len);
/* for (size_t at = 0; (v = map_next(m, &at));) */
void *map_next(const struct map *m, size_t *at);
/* Forgets all entries and frees the table; values are not touched. */
void map_done(struct map *m);
