#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The core between a scripted DNS and sets that behave as the kernel's, under a clock that only the
 * simulation moves. Every deletion, every answer and, when asked, everything is held against the
 * books (sim_books.h). */
#include "sim_books.h"
#include "sim_world.h"

/* As nf_tables: a wrong element fails the whole batch; nobody's but ours is touched. */
static inline void sim_kernel_commit(const struct plan *p)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct plan_set *ps = &p->sets[i];
		for (size_t k = 0; k < ps->delete_count; k++) {
			struct sim_element *e = sim_find(ps->set_index, &ps->deletes[k]);
			CHECK(e && e->ours);
			sim_check_delete(ps->set_index, &ps->deletes[k]);
			map_remove(&sim.sets[ps->set_index].kernel, e->key.bytes, e->key.len);
			free(e);
		}
		for (size_t k = 0; k < ps->add_count; k++) {
			CHECK(!sim_find(ps->set_index, &ps->adds[k]));
			for (size_t d = 0; d < ps->delete_count; d++)
				CHECK(!element_key_eq(&ps->deletes[d], &ps->adds[k]));
			sim_kernel_add(ps->set_index, &ps->adds[k], true);
		}
		sim.adds += ps->add_count;
		sim.deletes += ps->delete_count;
	}
	sim.commits++;
}

static inline void sim_commit(void)
{
	struct plan p = PLAN_NULL;

	if (sim.now < sim.commit_again_ms)
		return;
	sim.commit_again_ms = 0;
	for (size_t i = 0; i < SIM_SETS; i++)
		plan_dirty(&p, &(struct planning){.set_index = i,
				       .id = &sim.sets[i].id,
				       .kind = &sim.sets[i].kind,
				       .wanted = &sim.sets[i].wanted,
				       .live = &sim.sets[i].live});
	if (!plan_is_empty(&p) && random_below(1000) < sim.failing_commits) {
		sim.commit_again_ms = sim.now + SIM_COMMIT_RETRY_MS;
		plan_done(&p);
		return;
	}
	if (!plan_is_empty(&p))
		sim_kernel_commit(&p);
	for (size_t i = 0; i < p.count; i++)
		live_apply(&sim.sets[p.sets[i].set_index].live, &p.sets[i]);
	for (size_t i = 0; i < SIM_SETS; i++)
		wanted_clear_dirty(&sim.sets[i].wanted);
	plan_done(&p);
}

static inline void sim_carry_out(const struct name_changes *changes)
{
	struct element_key keys[SET_PORTS_MAX];

	for (size_t i = 0; i < changes->count; i++) {
		const struct name_change *c = &changes->items[i];
		struct sim_name *n = c->family->name->userdata;
		for (size_t o = 0; o < n->owner_count; o++) {
			struct sim_set *s = &sim.sets[n->owners[o]->set_index];
			size_t k = sim_keys(s, &c->address.addr, keys);
			while (k-- > 0) {
				if (c->entered)
					wanted_hold(&s->wanted, &keys[k], n->owners[o], c->reason,
						c->address.ttl_s);
				else
					wanted_release(
						&s->wanted, &keys[k], n->owners[o], c->reason);
			}
		}
	}
}

/* True: what the answer gives must be looked at in the sets. */
static inline bool sim_deliver(struct sim_query *q, struct name_changes *changes)
{
	struct sim_family *f = &q->name->families[q->family];
	struct answer a = {.outcome = q->outcome,
		.family = q->family,
		.addresses = q->addresses,
		.count = q->count,
		.ttl_s = q->ttl_s,
		.of_all = true};

	sim.in_flight--;
	sim.answers++;
	f->failures += q->outcome != ANSWER_OK && q->outcome != ANSWER_NODATA;
	if (q->outcome == ANSWER_NXDOMAIN || q->outcome == ANSWER_NODATA)
		sim_book_denial(q);
	/* Nothing leaves unseen (sim_check_delete()), so that the same again needs no look. */
	bool news = q->outcome == ANSWER_OK && sim_book(q);
	names_apply(&sim.names, &q->name->name->families[q->family], &a,
		q->outcome == ANSWER_TIMEOUT ? NULL : "192.0.2.53", sim.now, changes);
	return news;
}

/* One turn of the loop, as the daemon's. */
static inline void sim_turn(void)
{
	struct name_changes changes = NAME_CHANGES_NULL;
	struct name_family *f;
	struct heap_item *item;
	struct sim_name *touched[64];
	size_t touched_count = 0;

	sim.turns++;
	while ((item = heap_first(&sim.queries)) && item->due_ms <= sim.now) {
		struct sim_query *q = CONTAINER_OF(item, struct sim_query, due);
		heap_remove(&sim.queries, item);
		if (sim_deliver(q, &changes) && touched_count < ARRAY_LEN(touched))
			touched[touched_count++] = q->name;
		free(q);
	}
	while ((f = names_take_due(&sim.names, sim.now)))
		sim_ask(f);
	names_expire(&sim.names, sim.now, &changes);
	/* A tick leaves nothing behind that is due: no loop would ever sleep. */
	CHECK(names_next_ms(&sim.names) > sim.now);
	sim_carry_out(&changes);
	name_changes_done(&changes);
	sim_commit();
	for (size_t i = 0; i < touched_count; i++)
		sim_check_name(touched[i]);
}

static inline uint64_t sim_next_ms(void)
{
	uint64_t next = names_next_ms(&sim.names);
	struct heap_item *item = heap_first(&sim.queries);

	if (item && item->due_ms < next)
		next = item->due_ms;
	if (sim.commit_again_ms && sim.commit_again_ms < next)
		next = sim.commit_again_ms;
	return next;
}

/* Runs until `until_ms`; what is due at that instant is done. */
static inline void sim_run_until(uint64_t until_ms)
{
	for (;;) {
		uint64_t next = sim_next_ms();
		if (next > until_ms)
			break;
		if (next > sim.now)
			sim.now = next;
		sim_turn();
	}
	sim.now = until_ms;
	sim_turn();
}

static inline void sim_run(uint64_t ms)
{
	sim_run_until(sim.now + ms);
}
