#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thousand names with TTLs of seconds, a DNS that fails them in every way, and two sets that do
 * as they are told. Addresses are bits: each name has a few of its own, and some that it shares. */
#include "core/live.h"
#include "core/names.h"
#include "core/planning.h"
#include "core/wanted.h"

#include "random.h"
#include "tap.h"

#include <stdlib.h>

enum {
	NAMES = 1000,
	BITS = 24,  /* addresses that a name may ever give, in each family */
	SHARED = 4, /* of them: the same for as many neighbours */
	ADDRESSES = NAMES + NAMES * BITS,
	TTL_MAX_S = 30,
	TIMEOUT_MS = 2000,
	SECOND = 1000,
	MINUTE = 60 * SECOND,
	HOUR = 60 * MINUTE,
};

struct zone {
	/* What the vendor has, and what of it is shown at a time, by turns (0: all). */
	uint32_t records;
	unsigned show, turn;
	uint8_t ttls_s[BITS];
	enum answer_outcome fault; /* ANSWER_OK: none */
	unsigned odds;             /* of 1000: an answer that is one of the faults all the same */
	unsigned partial;          /* of 1000: some of an answer was refused */
	uint32_t negative_s;       /* of its denials; 0: they come without */
	uint64_t latency_ms;
	struct owner owner;
};

/* What came, as the book-keepers are told. */
struct told {
	enum answer_outcome outcome;
	bool partial;
	uint32_t mask, ttl_s; /* ttl_s: of a denial, as it came */
	uint64_t asked_ms;
};

struct query {
	struct heap_item due;
	struct name_family *family;
	struct told told;
	uint32_t ttl_s;
};

struct world_name {
	struct name *name;
	char text[24];
	struct zone zones[FAMILY_COUNT];
};

struct hours {
	uint64_t now;
	struct names names;
	struct heap queries;
	size_t in_flight;
	struct world_name items[NAMES];
	struct {
		struct set_id id;
		struct set_kind kind;
		struct wanted wanted;
		struct live live;
		bool stands[ADDRESSES]; /* as the kernel has it */
		size_t count;
	} sets[FAMILY_COUNT];
	unsigned long questions, answers, failures, denials, adds, deletes, commits;
};

static struct hours world;

/* Numbers grow with the bit, so that an answer comes sorted. */
static inline unsigned number_of(unsigned name, unsigned bit)
{
	return bit < SHARED ? name / SHARED * SHARED + bit : NAMES + name * BITS + bit;
}

static inline struct addr addr_of(int family, unsigned number)
{
	struct addr a = {.family = (uint8_t)family, .bytes = {45}};

	a.bytes[1] = (uint8_t)(number >> 16);
	a.bytes[2] = (uint8_t)(number >> 8);
	a.bytes[3] = (uint8_t)number;
	return a;
}

static inline unsigned name_index(const struct name_family *f)
{
	const struct world_name *n = f->name->userdata;

	return (unsigned)(n - world.items);
}

static inline unsigned key_number(int family, const struct element_key *key)
{
	struct element_value v;

	CHECK(element_key_decode(&world.sets[family].kind, key, &v));
	return (unsigned)v.addr.first.bytes[1] << 16 | (unsigned)v.addr.first.bytes[2] << 8 |
	       v.addr.first.bytes[3];
}

static inline uint32_t shown_by(struct zone *s)
{
	uint32_t mask = 0;
	unsigned shown = 0;

	if (!s->show || (unsigned)__builtin_popcount(s->records) <= s->show)
		return s->records;
	for (unsigned i = 0; i < BITS && shown < s->show; i++) {
		unsigned bit = (s->turn + i) % BITS;
		if (!(s->records & 1U << bit))
			continue;
		mask |= 1U << bit;
		if (++shown == s->show)
			s->turn = bit + 1;
	}
	return mask;
}

static inline enum answer_outcome any_fault(void)
{
	static const enum answer_outcome faults[] = {ANSWER_TIMEOUT, ANSWER_TIMEOUT,
		ANSWER_SERVFAIL, ANSWER_REFUSED, ANSWER_MALFORMED, ANSWER_SCREENED, ANSWER_NXDOMAIN,
		ANSWER_NODATA};

	return faults[random_below(ARRAY_LEN(faults))];
}

static inline bool is_denial(enum answer_outcome o)
{
	return o == ANSWER_NODATA || o == ANSWER_NXDOMAIN;
}

/* A question sets out; what it will be told is decided now. */
static inline void world_ask(struct name_family *f)
{
	struct zone *s = &world.items[name_index(f)].zones[f->family];
	struct query *q = xcalloc(1, sizeof(*q));

	world.questions++;
	q->family = f;
	q->told.asked_ms = world.now;
	q->told.outcome = s->fault;
	if (s->fault == ANSWER_OK && random_below(1000) < s->odds)
		q->told.outcome = any_fault();
	if (q->told.outcome == ANSWER_OK) {
		q->told.mask = shown_by(s);
		if (!q->told.mask)
			q->told.outcome = ANSWER_NODATA;
	}
	if (q->told.outcome == ANSWER_OK && random_below(1000) < s->partial) {
		uint32_t left = q->told.mask & (uint32_t)random_next();
		q->told.partial = true;
		if (left)
			q->told.mask = left;
	}
	q->ttl_s = UINT32_MAX;
	for (unsigned bit = 0; bit < BITS; bit++) {
		if (q->told.mask & 1U << bit && s->ttls_s[bit] < q->ttl_s)
			q->ttl_s = s->ttls_s[bit];
	}
	if (is_denial(q->told.outcome))
		q->told.ttl_s = q->ttl_s = s->negative_s;
	heap_set(&world.queries, &q->due,
		world.now + (q->told.outcome == ANSWER_TIMEOUT ? TIMEOUT_MS : s->latency_ms));
	world.in_flight++;
}

static inline void world_apply(const struct query *q, struct name_changes *changes)
{
	struct answer_address addresses[BITS];
	const struct zone *s = &world.items[name_index(q->family)].zones[q->family->family];
	struct answer a = {.outcome = q->told.outcome,
		.family = q->family->family,
		.addresses = addresses,
		.ttl_s = q->ttl_s,
		.partial = q->told.partial,
		.of_all = true};

	for (unsigned bit = 0; bit < BITS; bit++) {
		if (q->told.mask & 1U << bit)
			addresses[a.count++] = (struct answer_address){
				.addr = addr_of(
					(int)a.family, number_of(name_index(q->family), bit)),
				.ttl_s = s->ttls_s[bit]};
	}
	world.answers++;
	world.denials += is_denial(a.outcome);
	world.failures += a.outcome != ANSWER_OK && !is_denial(a.outcome);
	names_apply(&world.names, q->family, &a, a.outcome == ANSWER_TIMEOUT ? NULL : "45.53.0.53",
		world.now, changes);
}

static inline void world_carry_out(const struct name_changes *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		const struct name_change *c = &changes->items[i];
		struct element_key key = element_key_addr(&c->address.addr);
		int family = (int)c->family->family;
		struct owner *o = &world.items[name_index(c->family)].zones[family].owner;
		if (c->entered)
			wanted_hold(
				&world.sets[family].wanted, &key, o, c->reason, c->address.ttl_s);
		else
			wanted_release(&world.sets[family].wanted, &key, o, c->reason);
	}
}

/* `deleted` looks at each deletion before it is done. */
static inline void world_commit(void (*deleted)(int family, unsigned number))
{
	struct plan p = PLAN_NULL;

	for (int f = 0; f < FAMILY_COUNT; f++)
		plan_dirty(&p, &(struct planning){.set_index = (size_t)f,
				       .id = &world.sets[f].id,
				       .kind = &world.sets[f].kind,
				       .wanted = &world.sets[f].wanted,
				       .live = &world.sets[f].live});
	for (size_t i = 0; i < p.count; i++) {
		const struct plan_set *ps = &p.sets[i];
		int f = (int)ps->set_index;
		for (size_t k = 0; k < ps->delete_count; k++) {
			unsigned number = key_number(f, &ps->deletes[k]);
			CHECK(world.sets[f].stands[number]);
			deleted(f, number);
			world.sets[f].stands[number] = false;
		}
		for (size_t k = 0; k < ps->add_count; k++) {
			unsigned number = key_number(f, &ps->adds[k]);
			CHECK(!world.sets[f].stands[number]);
			world.sets[f].stands[number] = true;
		}
		world.sets[f].count += ps->add_count;
		world.sets[f].count -= ps->delete_count;
		world.adds += ps->add_count;
		world.deletes += ps->delete_count;
		live_apply(&world.sets[f].live, ps);
	}
	world.commits += !plan_is_empty(&p);
	for (int f = 0; f < FAMILY_COUNT; f++)
		wanted_clear_dirty(&world.sets[f].wanted);
	plan_done(&p);
}

static inline void world_begin(void)
{
	static char table[] = "filter", text[FAMILY_COUNT][8] = {"s4", "s6"};

	world.now = 1000 * SECOND;
	names_init(&world.names, random_next());
	for (int f = 0; f < FAMILY_COUNT; f++) {
		world.sets[f].id = (struct set_id){1, table, text[f]};
		world.sets[f].kind =
			(struct set_kind){.layout = SET_LAYOUT_ADDR, .family = (enum family)f};
	}
}

static inline void world_done(void)
{
	struct heap_item *item;

	while ((item = heap_first(&world.queries))) {
		heap_remove(&world.queries, item);
		free(CONTAINER_OF(item, struct query, due));
	}
	heap_done(&world.queries);
	names_done(&world.names);
	for (int f = 0; f < FAMILY_COUNT; f++) {
		wanted_done(&world.sets[f].wanted);
		live_done(&world.sets[f].live);
	}
}
