#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A book-keeper who notes what the answers said, and holds against it what stands in the sets. */
#include "sim_world.h"

/* How long an address that goes missing now may linger, by the rule as it is written. */
static inline void sim_linger(
	const struct sim_name *n, struct sim_family *f, uint64_t *least_ms, uint64_t *most_ms)
{
	uint64_t hour = 60, three_hours = 60;

	if (n->name->bounds.linger_s >= 0) {
		*least_ms = *most_ms = (uint64_t)n->name->bounds.linger_s * 1000;
		return;
	}
	for (size_t i = 0; i < f->ttl_count; i++) {
		uint64_t ttl_s = f->ttls[i].ttl_s < 3600 ? f->ttls[i].ttl_s : 3600;
		uint64_t age_ms = sim.now - f->ttls[i].at_ms;
		if (age_ms < SIM_HOUR && ttl_s > hour)
			hour = ttl_s;
		if (age_ms < 3 * (uint64_t)SIM_HOUR && ttl_s > three_hours)
			three_hours = ttl_s;
	}
	const struct config_bounds *b = &n->name->bounds;
	if (b->revoke_within_s && hour > b->revoke_within_s - b->refresh_max_s)
		hour = b->revoke_within_s - b->refresh_max_s;
	if (b->revoke_within_s && three_hours > b->revoke_within_s - b->refresh_max_s)
		three_hours = b->revoke_within_s - b->refresh_max_s;
	*least_ms = hour * 1000;
	*most_ms = three_hours * 1000;
}

static inline void sim_note_ttl(struct sim_family *f, const struct sim_query *q)
{
	uint32_t most_s = 0;
	size_t kept = 0;

	for (size_t i = 0; i < q->count; i++) {
		if (q->addresses[i].ttl_s > most_s)
			most_s = q->addresses[i].ttl_s;
	}
	for (size_t i = 0; i < f->ttl_count; i++) {
		if (sim.now - f->ttls[i].at_ms < 3 * (uint64_t)SIM_HOUR)
			f->ttls[kept++] = f->ttls[i];
	}
	/* The same again only makes the last one younger; the oldest of it still counts as least.
	 */
	if (kept >= 2 && f->ttls[kept - 1].ttl_s == most_s && f->ttls[kept - 2].ttl_s == most_s) {
		f->ttls[kept - 1].at_ms = sim.now;
	} else {
		CHECK(kept < SIM_TTLS_MAX);
		f->ttls[kept++] = (struct sim_ttl){sim.now, most_s};
	}
	f->ttl_count = kept;
}

static inline struct sim_claim *sim_claim(struct sim_family *f, const struct addr *a)
{
	for (size_t i = 0; i < f->claim_count; i++) {
		if (addr_eq(&f->claims[i].addr, a))
			return &f->claims[i];
	}
	return NULL;
}

static inline void sim_book_missing(struct sim_query *q, struct sim_claim *c, uint64_t since_ms)
{
	c->given = false;
	c->missing_ms = since_ms;
	c->settled_ms = sim.now;
	sim_linger(q->name, &q->name->families[q->family], &c->least_ms, &c->most_ms);
}

/* Enters NXDOMAIN or NODATA, by the rule as it is written: three, each asked for after the one
 * before had run out, which takes it half a minute at least and a quarter of an hour at most. */
static inline void sim_book_denial(struct sim_query *q)
{
	struct sim_family *f = &q->name->families[q->family];
	uint64_t apart_s = q->ttl_s < 30 ? 30 : q->ttl_s > 900 ? 900 : q->ttl_s;

	if (f->denials == 3 || (f->denials && q->asked_ms < f->counts_ms))
		return;
	if (!f->denials++)
		f->denied_ms = sim.now;
	f->counts_ms = sim.now + apart_s * 1000;
	for (size_t i = 0; f->denials == 3 && i < f->claim_count; i++) {
		if (f->claims[i].given)
			sim_book_missing(q, &f->claims[i], f->denied_ms);
	}
}

/* Enters an OK answer into the books. True: it gave something that the one before did not. */
static inline bool sim_book(struct sim_query *q)
{
	struct sim_family *f = &q->name->families[q->family];
	bool news = false;

	f->denials = 0;
	sim_note_ttl(f, q);
	for (size_t i = 0; i < f->claim_count; i++) {
		struct sim_claim *c = &f->claims[i];
		struct answer_address wanted = {.addr = c->addr};
		bool given = bsearch(&wanted, q->addresses, q->count, sizeof(*q->addresses),
			sim_compare_addresses);
		if (c->given && !given)
			sim_book_missing(q, c, sim.now);
		news |= given && !c->given;
		c->given = given;
	}
	for (size_t i = 0; i < q->count; i++) {
		if (sim_claim(f, &q->addresses[i].addr))
			continue;
		VEC_GROW(f->claims, f->claim_capacity, f->claim_count);
		f->claims[f->claim_count++] =
			(struct sim_claim){.addr = q->addresses[i].addr, .given = true};
		news = true;
	}
	return news;
}

/* Must the claim's address stand in the set now? */
static inline bool sim_must(const struct sim_claim *c)
{
	return c->given || sim.now < c->missing_ms + c->least_ms;
}

/* May it? A commit that failed may make it late. */
static inline bool sim_may(const struct sim_claim *c)
{
	uint64_t end_ms = c->missing_ms + c->most_ms;

	if (end_ms < c->settled_ms)
		end_ms = c->settled_ms;
	return c->given || sim.now <= end_ms + NAMES_LEAVE_GRACE_MS + 10 * SIM_COMMIT_RETRY_MS;
}

/* Nobody may have a right to what is deleted. */
static inline void sim_check_delete(size_t set_index, const struct element_key *key)
{
	const struct sim_set *s = &sim.sets[set_index];
	struct element_value v;

	CHECK(element_key_decode(&s->kind, key, &v));
	struct addr a = v.addr.first;
	for (size_t i = 0; i < sim.static_count; i++)
		CHECK(sim.statics[i].set_index != set_index || !addr_eq(&sim.statics[i].addr, &a));
	for (size_t i = 0; i < sim.count; i++) {
		struct sim_name *n = sim.items[i];
		const struct sim_claim *c = sim_claim(&n->families[s->kind.family], &a);
		for (size_t o = 0; c && o < n->owner_count; o++)
			CHECK(n->owners[o]->set_index != set_index || !sim_must(c));
	}
}

/* Once nothing waits for a commit, what the last answer gave stands. */
static inline void sim_check_name(struct sim_name *n)
{
	if (sim.commit_again_ms)
		return;
	for (int family = 0; family < FAMILY_COUNT; family++) {
		const struct sim_family *f = &n->families[family];
		for (size_t i = 0; i < f->claim_count; i++) {
			if (!sim_must(&f->claims[i]))
				continue;
			for (size_t o = 0; o < n->owner_count; o++) {
				size_t s = n->owners[o]->set_index;
				if (sim.sets[s].kind.family == (enum family)family)
					CHECK(sim_has(s, &f->claims[i].addr));
			}
		}
	}
}

static inline void sim_mark(size_t set_index, const struct addr *a)
{
	struct element_key keys[SET_PORTS_MAX];
	struct sim_element *e;

	for (size_t n = sim_keys(&sim.sets[set_index], a, keys); n > 0; n--) {
		if ((e = sim_find(set_index, &keys[n - 1])))
			e->seen = sim.seen;
	}
}

/* Everything that stands has a reason, everything that has a right stands, nothing else grows. */
static inline void sim_check_all(void)
{
	size_t lingering = 0;
	struct sim_element *e;

	sim.seen++;
	for (size_t i = 0; i < sim.static_count; i++) {
		if (!sim.commit_again_ms)
			CHECK(sim_has(sim.statics[i].set_index, &sim.statics[i].addr));
		sim_mark(sim.statics[i].set_index, &sim.statics[i].addr);
	}
	for (size_t i = 0; i < sim.count; i++) {
		struct sim_name *n = sim.items[i];
		sim_check_name(n);
		for (int family = 0; family < FAMILY_COUNT; family++) {
			struct sim_family *f = &n->families[family];
			size_t kept = 0;
			for (size_t c = 0; c < f->claim_count; c++) {
				if (!sim_may(&f->claims[c]))
					continue;
				for (size_t o = 0; o < n->owner_count; o++)
					sim_mark(n->owners[o]->set_index, &f->claims[c].addr);
				f->claims[kept++] = f->claims[c];
			}
			f->claim_count = kept;
			lingering += heap_has(&n->name->families[family].leave);
			CHECK(n->name->families[family].count <= kept);
			CHECK(n->name->families[family].in_flight ||
				heap_has(&n->name->families[family].ask));
		}
	}
	for (size_t i = 0; i < SIM_SETS; i++) {
		const struct sim_set *s = &sim.sets[i];
		size_t foreign = 0;
		for (size_t at = 0; (e = map_next(&s->kernel, &at));) {
			CHECK(!e->ours || e->seen == sim.seen);
			foreign += !e->ours;
		}
		CHECK(foreign == s->foreign);
		CHECK(live_count(&s->live) == s->kernel.count);
		CHECK(s->live.ours == s->kernel.count - foreign);
		CHECK(wanted_count(&s->wanted) + s->wanted.dirty_count >= s->wanted.wants.count);
	}
	CHECK(sim.names.asks.count + sim.in_flight == 2 * sim.count);
	CHECK(sim.names.leaves.count == lingering);
	CHECK(sim.names.asks.capacity <= 4 * SIM_NAMES_MAX);
}
