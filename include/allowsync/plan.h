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
	/* Of ours that stand there: they get their timeout anew, or lose one. */
	struct element_key *renewals;
	size_t renewal_count, renewal_capacity;
	/* Where each has a life of its own: in ms, beside adds and renewals; 0: it is permanent.
	 * NULL: all of them have kind.fuse_ms, which no life is longer than. */
	uint64_t *add_lives_ms, *renewal_lives_ms;
	size_t add_life_capacity, renewal_life_capacity;
	size_t left_out; /* wanted, but the set has no room for so many */
	size_t borrowed; /* wanted, and held by others' elements that expire: without a word */
};

struct plan {
	struct plan_set *sets;
	size_t count, capacity;
	bool has_generation; /* commit only on top of this one */
	uint32_t generation;
	/* The running kernel takes no new timeout for an element that is there: renewals are
	 * deleted and added, in the one batch. */
	bool replaces;
};
#define PLAN_NULL ((struct plan){0})

/* The plan's part for that set, made when it is not there yet. Valid until the next call. */
struct plan_set *plan_for_set(
	struct plan *p, size_t set_index, const struct set_id *id, const struct set_kind *kind);
void plan_add(struct plan_set *s, const struct element_key *key);
void plan_delete(struct plan_set *s, const struct element_key *key);
void plan_renew(struct plan_set *s, const struct element_key *key);
/* The same with lives; of one set either all or none have some. */
void plan_add_for(struct plan_set *s, const struct element_key *key, uint64_t life_ms);
void plan_renew_for(struct plan_set *s, const struct element_key *key, uint64_t life_ms);
/* Of the i-th; 0: it is permanent. */
uint64_t plan_add_life_ms(const struct plan_set *s, size_t i);
uint64_t plan_renewal_life_ms(const struct plan_set *s, size_t i);
bool plan_is_empty(const struct plan *p);
/* Without renewals: what is in the set does not change by them. */
size_t plan_change_count(const struct plan *p);
/* With them. */
size_t plan_work_count(const struct plan *p);
/* May this part be committed only on the generation that it was made for? A range is deleted by
 * where it begins, so what others put in its place meanwhile would go. And one that reaches to the
 * last address has no end, so the kernel takes it also over what others put there meanwhile, where
 * it then ends. */
bool plan_set_needs_generation(const struct plan *p, const struct plan_set *s);

/* A plan that is too large for one batch, in pieces: first what only adds, so that nothing is
 * missing in between, at last what only deletes. In sets where room or overlaps bind the two
 * together, both go in one piece, however large. */
struct plan_cut {
	size_t set, at;
	unsigned phase;
};
#define PLAN_CUT_NULL ((struct plan_cut){0})
/* The next piece, of at most `max` elements as a rule; its keys are borrowed from `p`, and it ends
 * with plan_piece_done(). False: no more. */
bool plan_next_piece(const struct plan *p, size_t max, struct plan_cut *cut, struct plan *ret);
void plan_piece_done(struct plan *piece);
/* In nft's syntax, a line a set and direction: "delete element inet filter voip4 { ... }". Sets and
 * elements are sorted, a set's deletes come before its adds; "" when nothing changes.
 * The caller frees it. */
char *plan_format(const struct plan *p);
void plan_done(struct plan *p);
