#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The change of some sets as a value: what to add and what to delete. One can print it, test it,
 * refuse it; edge/nft_conn commits it. */
#include "allowsync/element.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plan_set {
	const struct set_id *id; /* borrowed */
	struct set_kind kind;
	size_t set_index; /* the planner's own number for it */
	struct element_key *adds, *deletes;
	size_t add_count, add_capacity;
	size_t delete_count, delete_capacity;
	bool renews;     /* among the adds are elements that stand there and expire */
	size_t left_out; /* wanted, but the set has no room for so many */
};

struct plan {
	struct plan_set *sets;
	size_t count, capacity;
	bool has_generation; /* commit only on top of this one */
	uint32_t generation;
};
#define PLAN_NULL ((struct plan){0})

/* The plan's part for that set, made when it is not there yet. Valid until the next call. */
struct plan_set *plan_for_set(
	struct plan *p, size_t set_index, const struct set_id *id, const struct set_kind *kind);
void plan_add(struct plan_set *s, const struct element_key *key);
void plan_delete(struct plan_set *s, const struct element_key *key);
bool plan_is_empty(const struct plan *p);
size_t plan_change_count(const struct plan *p);
/* In nft's syntax, a line a set and direction: "delete element inet filter voip4 { ... }". Sets and
 * elements are sorted, a set's deletes come before its adds; "" when nothing changes.
 * The caller frees it. */
char *plan_format(const struct plan *p);
void plan_done(struct plan *p);
