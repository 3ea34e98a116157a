#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A scripted DNS, with a cache before it, and sets that behave as the kernel's. */
#include "core/live.h"
#include "core/names.h"
#include "core/planning.h"
#include "core/wanted.h"

#include "random.h"
#include "tap.h"

#include <stdlib.h>

enum {
	SIM_NAMES_MAX = 256,
	SIM_RECORDS_MAX = 48,
	SIM_OWNERS_MAX = 8, /* of one name */
	SIM_STATICS_MAX = 32,
	SIM_TTLS_MAX = 4096, /* answers of three hours, at refresh-min */
	SIM_SETS = 3,        /* plain IPv4, plain IPv6, IPv4 with ports */
	SIM_NEGATIVE_S = 900,
	SIM_TIMEOUT_MS = 6000,
	SIM_COMMIT_RETRY_MS = 200,
	SIM_SECOND = 1000,
	SIM_MINUTE = 60 * SIM_SECOND,
	SIM_HOUR = 60 * SIM_MINUTE,
	SIM_DAY = 24 * SIM_HOUR,
};

struct sim_record {
	struct addr addr;
	uint32_t ttl_s;
};

/* What an answer said of one address, as the book-keeper has it. */
struct sim_claim {
	struct addr addr;
	bool given;                 /* by the last OK answer, and not denied for certain since */
	uint64_t missing_ms;        /* else: when the first one without it came, or denial */
	uint64_t least_ms, most_ms; /* how long it may linger from then on */
	uint64_t settled_ms;        /* when that was certain: no sooner does it leave */
};

struct sim_ttl {
	uint64_t at_ms;
	uint32_t ttl_s;
};

struct sim_family {
	/* The authoritative side. */
	struct sim_record records[SIM_RECORDS_MAX];
	size_t count;
	unsigned show, turn;       /* a pool that shows so many at a time, by turns; 0: all */
	enum answer_outcome fault; /* ANSWER_OK: none */
	uint64_t latency_ms;
	/* The cache between. */
	bool cached;
	struct sim_record cache[SIM_RECORDS_MAX];
	size_t cache_count;
	uint64_t cache_until_ms;
	/* The books. */
	struct sim_claim *claims;
	size_t claim_count, claim_capacity;
	struct sim_ttl ttls[SIM_TTLS_MAX];
	size_t ttl_count;
	unsigned denials;              /* that are evidence, since the last OK answer */
	uint64_t denied_ms, counts_ms; /* the first of them; what was asked before is none */
	unsigned long questions, failures;
};

struct sim_name {
	struct name *name;
	struct sim_family families[FAMILY_COUNT];
	struct owner *owners[SIM_OWNERS_MAX];
	size_t owner_count;
};

struct sim_query {
	struct heap_item due;
	uint64_t asked_ms;
	struct sim_name *name;
	enum family family;
	enum answer_outcome outcome;
	struct answer_address addresses[SIM_RECORDS_MAX];
	size_t count;
	uint32_t ttl_s;
};

struct sim_element {
	struct element_key key;
	bool ours;
	unsigned seen;
};

struct sim_set {
	struct set_id id;
	struct set_kind kind;
	struct map kernel; /* key bytes -> struct sim_element */
	struct wanted wanted;
	struct live live;
	size_t foreign;
};

struct sim_static {
	struct addr addr;
	size_t set_index;
};

struct sim {
	uint64_t now;
	struct names names;
	struct heap queries;
	size_t in_flight;
	struct sim_set sets[SIM_SETS];
	struct sim_name *items[SIM_NAMES_MAX];
	size_t count;
	struct sim_static statics[SIM_STATICS_MAX];
	size_t static_count;
	unsigned failing_commits; /* of 1000 */
	uint64_t commit_again_ms; /* 0: nothing waits */
	unsigned seen;
	unsigned long adds, deletes, commits, turns, answers;
};

static struct sim sim;
static const struct service sim_services[] = {
	{.kind = SERVICE_PORTS, .protocol = 6, .port_first = 443, .port_last = 443},
	{.kind = SERVICE_PORTS, .protocol = 17, .port_first = 5060, .port_last = 5061},
};

static inline struct addr sim_addr(enum family f, unsigned number)
{
	struct addr a = {.family = (uint8_t)f, .bytes = {45, (uint8_t)(number >> 16)}};

	a.bytes[2] = (uint8_t)(number >> 8);
	a.bytes[3] = (uint8_t)number;
	return a;
}

static inline size_t sim_keys(
	const struct sim_set *s, const struct addr *a, struct element_key *ret)
{
	return element_expand(
		&s->kind, &(struct addr_range){*a, *a}, sim_services, ARRAY_LEN(sim_services), ret);
}

static inline struct sim_element *sim_find(size_t set_index, const struct element_key *key)
{
	return map_get(&sim.sets[set_index].kernel, key->bytes, key->len);
}

static inline bool sim_has(size_t set_index, const struct addr *a)
{
	struct element_key keys[SET_PORTS_MAX];
	size_t n = sim_keys(&sim.sets[set_index], a, keys), found = 0;

	for (size_t i = 0; i < n; i++)
		found += sim_find(set_index, &keys[i]) != NULL;
	CHECK(found == 0 || found == n);
	return found > 0;
}

static inline void sim_kernel_add(size_t set_index, const struct element_key *key, bool ours)
{
	struct sim_element *e = xcalloc(1, sizeof(*e));

	e->key = *key;
	e->ours = ours;
	map_put(&sim.sets[set_index].kernel, e->key.bytes, e->key.len, e);
	sim.sets[set_index].foreign += !ours;
}

static inline void sim_done(void)
{
	struct heap_item *item;
	struct sim_element *e;

	while ((item = heap_first(&sim.queries))) {
		heap_remove(&sim.queries, item);
		free(CONTAINER_OF(item, struct sim_query, due));
	}
	heap_done(&sim.queries);
	names_done(&sim.names);
	for (size_t i = 0; i < sim.count; i++) {
		for (size_t o = 0; o < sim.items[i]->owner_count; o++)
			free(sim.items[i]->owners[o]);
		for (int f = 0; f < FAMILY_COUNT; f++)
			free(sim.items[i]->families[f].claims);
		free(sim.items[i]);
	}
	for (size_t i = 0; i < SIM_SETS; i++) {
		for (size_t at = 0; (e = map_next(&sim.sets[i].kernel, &at));)
			free(e);
		map_done(&sim.sets[i].kernel);
		wanted_done(&sim.sets[i].wanted);
		live_done(&sim.sets[i].live);
	}
	memset(&sim, 0, sizeof(sim));
}

static inline void sim_begin(void)
{
	static char table[] = "filter", text[SIM_SETS][8] = {"plain4", "plain6", "ports4"};

	sim_done();
	names_init(&sim.names, random_next());
	sim.now = 1000 * SIM_SECOND;
	for (size_t i = 0; i < SIM_SETS; i++) {
		struct sim_set *s = &sim.sets[i];
		s->id = (struct set_id){1, table, text[i]};
		s->kind.layout = i == 2 ? SET_LAYOUT_ADDR_PROTO_SERVICE : SET_LAYOUT_ADDR;
		s->kind.family = i == 1 ? FAMILY_V6 : FAMILY_V4;
	}
}

static inline void sim_own(struct sim_name *n, size_t set_index)
{
	struct owner *o = xcalloc(1, sizeof(*o));

	CHECK(n->owner_count < SIM_OWNERS_MAX);
	o->set_index = set_index;
	o->name = n->name->text;
	n->owners[n->owner_count++] = o;
}

/* A name that feeds the plain sets; sim_own() adds to that. */
static inline struct sim_name *sim_name(const char *text, int64_t linger_s)
{
	struct config_bounds b = {.refresh_min_s = CONFIG_REFRESH_MIN_S,
		.refresh_max_s = CONFIG_REFRESH_MAX_S,
		.linger_s = linger_s};
	struct sim_name *n = xcalloc(1, sizeof(*n));

	CHECK(sim.count < SIM_NAMES_MAX);
	sim.items[sim.count++] = n;
	n->name = names_add(&sim.names, text, &b, sim.now);
	n->name->userdata = n;
	for (int f = 0; f < FAMILY_COUNT; f++)
		n->families[f].latency_ms = 20;
	sim_own(n, 0);
	sim_own(n, 1);
	return n;
}

static inline void sim_record(
	struct sim_name *n, enum family family, unsigned number, uint32_t ttl_s)
{
	struct sim_family *f = &n->families[family];

	CHECK(f->count < SIM_RECORDS_MAX);
	f->records[f->count++] = (struct sim_record){sim_addr(family, number), ttl_s};
}

static inline void sim_unrecord_at(struct sim_family *f, size_t i)
{
	f->records[i] = f->records[--f->count];
}

static inline void sim_unrecord(struct sim_name *n, enum family family, unsigned number)
{
	struct sim_family *f = &n->families[family];
	struct addr a = sim_addr(family, number);

	for (size_t i = 0; i < f->count; i++) {
		if (addr_eq(&f->records[i].addr, &a)) {
			sim_unrecord_at(f, i);
			return;
		}
	}
	CHECK(!"no such record");
}

static inline void sim_static(unsigned number, size_t set_index)
{
	static struct owner owner;
	struct element_key keys[SET_PORTS_MAX];
	struct sim_set *s = &sim.sets[set_index];
	struct addr a = sim_addr(s->kind.family, number);

	CHECK(sim.static_count < SIM_STATICS_MAX);
	sim.statics[sim.static_count++] = (struct sim_static){a, set_index};
	for (size_t n = sim_keys(s, &a, keys); n > 0; n--)
		wanted_hold(&s->wanted, &keys[n - 1], &owner, "static", 0);
}

/* Somebody else's element, seen by the first look at the set. */
static inline void sim_foreign(unsigned number, size_t set_index)
{
	struct element_key keys[SET_PORTS_MAX];
	struct sim_set *s = &sim.sets[set_index];
	struct addr a = sim_addr(s->kind.family, number);

	for (size_t n = sim_keys(s, &a, keys); n > 0; n--) {
		sim_kernel_add(set_index, &keys[n - 1], false);
		live_put(&s->live, &(struct live_element){.key = keys[n - 1]});
	}
}

/* What an authoritative server says now. */
static inline size_t sim_authoritative(struct sim_family *f, struct sim_record *ret)
{
	size_t n = f->show && f->show < f->count ? f->show : f->count;

	for (size_t i = 0; i < n; i++)
		ret[i] = f->records[(f->turn + i) % f->count];
	if (f->show && f->count)
		f->turn = (unsigned)((f->turn + f->show) % f->count);
	return n;
}

/* Anybody's question to the cache fills it. */
static inline void sim_fill_cache(struct sim_family *f)
{
	uint32_t least_s = UINT32_MAX;

	if (f->fault != ANSWER_OK || sim.now < f->cache_until_ms)
		return;
	f->cache_count = sim_authoritative(f, f->cache);
	for (size_t i = 0; i < f->cache_count; i++) {
		if (f->cache[i].ttl_s < least_s)
			least_s = f->cache[i].ttl_s;
	}
	f->cache_until_ms = sim.now + (f->cache_count ? least_s : SIM_NEGATIVE_S) * UINT64_C(1000);
}

static inline int sim_compare_addresses(const void *a, const void *b)
{
	const struct answer_address *x = a, *y = b;

	return addr_cmp(&x->addr, &y->addr);
}

/* A question sets out; its answer says what is true now. */
static inline void sim_ask(struct name_family *nf)
{
	struct sim_name *n = nf->name->userdata;
	struct sim_family *f = &n->families[nf->family];
	struct sim_query *q = xcalloc(1, sizeof(*q));
	struct sim_record now_given[SIM_RECORDS_MAX];
	uint64_t age_s = 0;

	f->questions++;
	q->asked_ms = sim.now;
	q->name = n;
	q->family = nf->family;
	q->outcome = f->fault;
	if (f->cached) {
		sim_fill_cache(f);
		if (sim.now < f->cache_until_ms)
			q->outcome = ANSWER_OK;
		q->count = f->cache_count;
		memcpy(now_given, f->cache, sizeof(now_given));
		uint32_t least_s = UINT32_MAX;
		for (size_t i = 0; i < q->count; i++) {
			if (now_given[i].ttl_s < least_s)
				least_s = now_given[i].ttl_s;
		}
		uint64_t left_s = (f->cache_until_ms - sim.now) / 1000;
		age_s = q->count && q->outcome == ANSWER_OK ? least_s - left_s : 0;
	} else {
		q->count = sim_authoritative(f, now_given);
	}
	if (q->outcome != ANSWER_OK)
		q->count = 0;
	else if (!q->count)
		q->outcome = ANSWER_NODATA;
	q->ttl_s = q->count ? UINT32_MAX : SIM_NEGATIVE_S;
	for (size_t i = 0; i < q->count; i++) {
		q->addresses[i].addr = now_given[i].addr;
		q->addresses[i].ttl_s = now_given[i].ttl_s - (uint32_t)age_s;
		if (q->addresses[i].ttl_s < q->ttl_s)
			q->ttl_s = q->addresses[i].ttl_s;
	}
	qsort(q->addresses, q->count, sizeof(*q->addresses), sim_compare_addresses);
	heap_set(&sim.queries, &q->due,
		sim.now + (q->outcome == ANSWER_TIMEOUT ? SIM_TIMEOUT_MS : f->latency_ms));
	sim.in_flight++;
}
