#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a set should hold: each key with the owners that want it. The last one to let go removes
 * it. Remembers which keys changed since the last commit, so that planning costs what changed. */
#include "allowsync/config.h"
#include "allowsync/element.h"
#include "base/map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who wants an element: an endpoint of a vendor, by a name or by a static entry. All borrowed from
 * the configuration. */
struct owner {
	const char *vendor;
	const struct endpoint *endpoint;
	const char *name;  /* NULL: static */
	size_t set_index;
	bool paused;       /* released: wants nothing until resumed */
};

struct want {
	struct element_key key;
	struct owner **owners;
	uint16_t count, capacity;
};

/* A key that may have to change in the kernel, and through whom. */
struct dirty_key {
	struct element_key key;
	struct owner *cause; /* who took it first or let go last */
	const char *reason;  /* static text: "answer", "linger", "reload", "release", "static" */
	uint32_t ttl_s;
};

struct wanted {
	struct map wants; /* key bytes -> struct want */
	struct dirty_key *dirty;
	size_t dirty_count, dirty_capacity;
};
#define WANTED_NULL ((struct wanted){0})

/* True when the key had no owner before. Holding twice is holding once. */
bool wanted_hold(struct wanted *w, const struct element_key *key, struct owner *o,
	const char *reason, uint32_t ttl_s);
/* True when that was the last owner. Letting go of what one does not hold is no error. */
bool wanted_release(struct wanted *w, const struct element_key *key, struct owner *o,
	const char *reason);
const struct want *wanted_find(const struct wanted *w, const struct element_key *key);
const struct want *wanted_next(const struct wanted *w, size_t *at);
size_t wanted_count(const struct wanted *w);
/* After the changes are committed. */
void wanted_clear_dirty(struct wanted *w);
void wanted_done(struct wanted *w);
