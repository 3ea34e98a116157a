/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Open addressing with linear probing and backward-shift deletion. */
#include "base/map.h"

#include "base/mem.h"

#include <string.h>

/* Addresses differ in few bits, so each byte is mixed twice (FNV-1a, then a finaliser). */
static uint32_t hash_of(const void *key, size_t len)
{
	const unsigned char *p = key;
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	h ^= h >> 32;
	h *= 0x9e3779b97f4a7c15u;
	return (uint32_t)(h >> 32);
}

static size_t find(const struct map *m, const void *key, size_t len, uint32_t hash)
{
	size_t i = hash & (m->capacity - 1);

	while (m->slots[i].key) {
		const struct map_slot *s = &m->slots[i];
		if (s->hash == hash && s->key_len == len && memcmp(s->key, key, len) == 0)
			break;
		i = (i + 1) & (m->capacity - 1);
	}
	return i;
}

void *map_get(const struct map *m, const void *key, size_t key_len)
{
	if (!m->count)
		return NULL;
	return m->slots[find(m, key, key_len, hash_of(key, key_len))].value;
}

static void resize(struct map *m, size_t capacity)
{
	struct map old = *m;

	m->slots = xcalloc(capacity, sizeof(*m->slots));
	m->capacity = capacity;
	for (size_t i = 0; i < old.capacity; i++) {
		const struct map_slot *s = &old.slots[i];
		if (s->key)
			m->slots[find(m, s->key, s->key_len, s->hash)] = *s;
	}
	free(old.slots);
}

void *map_put(struct map *m, const void *key, size_t key_len, void *value)
{
	if (m->count + 1 > m->capacity / 4 * 3)
		resize(m, m->capacity ? m->capacity * 2 : 8);
	uint32_t hash = hash_of(key, key_len);
	struct map_slot *s = &m->slots[find(m, key, key_len, hash)];
	void *old = s->value;
	if (!s->key)
		m->count++;
	*s = (struct map_slot){
		.key = key, .value = value, .key_len = (uint32_t)key_len, .hash = hash};
	return old;
}

void *map_remove(struct map *m, const void *key, size_t key_len)
{
	if (!m->count)
		return NULL;
	size_t mask = m->capacity - 1;
	size_t hole = find(m, key, key_len, hash_of(key, key_len));
	if (!m->slots[hole].key)
		return NULL;
	void *value = m->slots[hole].value;
	for (size_t i = (hole + 1) & mask; m->slots[i].key; i = (i + 1) & mask) {
		size_t home = m->slots[i].hash & mask;
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	m->slots[hole] = (struct map_slot){0};
	m->count--;
	return value;
}

void *map_next(const struct map *m, size_t *at)
{
	while (*at < m->capacity) {
		const struct map_slot *s = &m->slots[(*at)++];
		if (s->key)
			return s->value;
	}
	return NULL;
}

void map_done(struct map *m)
{
	free(m->slots);
	*m = MAP_NULL;
}
