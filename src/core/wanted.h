#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a set should hold: each key with the owners that want it. The last one to let go removes
 * it. Remembers which keys changed since the last commit, so that planning costs what changed.
 *
 * Ranges of addresses may be wanted one over the other, but cannot stand so in the kernel: there
 * stands their union, in pieces that do not overlap. */
#include "allowsync/config.h"
#include "allowsync/element.h"
#include "base/map.h"
#include "core/ranges.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who wants an element: an endpoint of a vendor, by a name or by a static entry. All borrowed from
 * the configuration. */
struct owner {
	const char *vendor;
	const struct config_vendor *from; /* the same; NULL: retired */
	const struct endpoint *endpoint;
	const char *name; /* NULL: static */
	size_t set_index;
	bool paused;  /* released: wants nothing until resumed */
	bool keeps;   /* wants what the endpoint of a set that denies ever had (core/denylist.h) */
	bool retired; /* of a configuration that is gone: only named, never wants */
};

struct want {
	struct element_key key;
	uint32_t count, capacity;  /* of owners; no capacity: they are `first` */
	uint32_t dirty;            /* 1-based place in wanted.dirty; 0: not there */
	struct owner **owners;     /* in the order in which they came */
	struct owner *first;       /* room for the one that most keys have */
	const struct range *range; /* ranged, with owners: its place in wanted.order */
};

/* A key that may have to change in the kernel, and through whom. */
struct dirty_key {
	struct want *want;   /* without owners: it was let go */
	struct owner *cause; /* who took it first or let go last; NULL when that owner is gone */
	/* Static text: "answer", "linger", "denied", "deny", "limit", "screened", "reload",
	 * "release", "static". */
	const char *reason;
	uint32_t ttl_s;
	uint64_t missing_ms; /* let go: when DNS stopped giving it; 0: not through DNS */
};

struct wanted {
	/* key bytes -> struct want; one without owners stays only while it is dirty */
	struct map wants;
	size_t count;            /* of wants with owners */
	struct dirty_key *dirty; /* each key at most once, with the latest cause */
	size_t dirty_count, dirty_capacity;
	bool ranged; /* keys are ranges of addresses */
	bool joins;  /* and those that touch become one */
	/* Ranged: the wants with owners; and the pieces of their union that are made of more than
	 * one of them (each is its own key), which are few. All other wants are pieces by
	 * themselves. */
	struct ranges order, joined;
};
#define WANTED_NULL ((struct wanted){0})

/* A piece of the union of ranges. Valid until the next change. */
struct wanted_piece {
	const struct element_key *key;
	const struct range *alone; /* of wanted.order; NULL: several wants make it */
};

/* Before the first key is held: what keys are like. */
void wanted_set_kind(struct wanted *w, const struct set_kind *kind);

/* True when the key had no owner before. Holding twice is holding once. */
bool wanted_hold(struct wanted *w, const struct element_key *key, struct owner *o,
	const char *reason, uint32_t ttl_s);
/* True when that was the last owner. Letting go of what one does not hold is no error. */
bool wanted_release(
	struct wanted *w, const struct element_key *key, struct owner *o, const char *reason);
/* Right after the last owner let go: since when DNS does not give it. */
void wanted_note_missing(struct wanted *w, const struct element_key *key, uint64_t missing_ms);
/* NULL when nobody wants it. */
const struct want *wanted_find(const struct wanted *w, const struct element_key *key);
const struct want *wanted_next(const struct wanted *w, size_t *at);
/* How many elements that takes. Costs a walk where ranges of addresses overlap. */
size_t wanted_count(const struct wanted *w);
/* Ranges of addresses: the pieces of their union, in order. False: no (more) piece. */
bool wanted_first_piece(const struct wanted *w, struct wanted_piece *ret);
bool wanted_next_piece(const struct wanted *w, struct wanted_piece *piece);
/* The first one that shares an address with `span`, and the next ones. */
bool wanted_piece_over(
	const struct wanted *w, const struct element_key *span, struct wanted_piece *ret);
bool wanted_next_piece_over(
	const struct wanted *w, const struct element_key *span, struct wanted_piece *piece);
/* Ranges of addresses: calls `fn` for each want that overlaps the span. */
void wanted_each_in(const struct wanted *w, const struct element_key *span,
	void (*fn)(const struct want *want, void *userdata), void *userdata);
/* Makes the key dirty, wanted or not: for what a reload no longer wants. `cause` may be NULL. */
void wanted_mark_dirty(struct wanted *w, const struct element_key *key, struct owner *cause,
	const char *reason, uint32_t ttl_s);
bool wanted_is_dirty(const struct wanted *w, const struct element_key *key);
/* NULL when it is not dirty. Valid until the next change. */
const struct dirty_key *wanted_find_dirty(const struct wanted *w, const struct element_key *key);
/* After the changes are committed. */
void wanted_clear_dirty(struct wanted *w);
/* Before an owner that holds nothing any more is freed: it may still be the cause of a change that
 * is not committed. */
void wanted_forget_owner(struct wanted *w, const struct owner *o);
void wanted_done(struct wanted *w);
