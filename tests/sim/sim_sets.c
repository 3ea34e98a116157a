/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything below `wanted` against plain tables: own changes, and others that add, delete, flush,
 * restore and recreate, also between planning and commit; notices that are lost, kernels of both
 * ages. After each step the set is as it should be and the copy of it is right; in between nothing
 * that stays wanted is missing. SIM_STEPS in the environment takes the place of 100000. */
#include "sets_others.h"

enum { KINDS = 8, RUN_STEPS = 250 };

static unsigned steps = 100000;

static const struct sets_of {
	enum set_layout layout;
	bool interval, auto_merge;
	unsigned protocols, ports;
} kinds[KINDS] = {
	{SET_LAYOUT_ADDR, false, false, 1, 1},
	{SET_LAYOUT_ADDR_PROTO_SERVICE, false, false, 2, 2},
	{SET_LAYOUT_ADDR_SERVICE, false, false, 1, 4},
	{SET_LAYOUT_ADDR, true, false, 1, 1},
	{SET_LAYOUT_ADDR, true, false, 1, 1},
	{SET_LAYOUT_ADDR, true, true, 1, 1},
	{SET_LAYOUT_ADDR_PROTO_SERVICE, true, false, 2, 2},
	{SET_LAYOUT_ADDR_SERVICE, true, false, 1, 4},
};

static void begin_kernel(const struct sets_of *of)
{
	struct set_kind *k = &kernel.kind;
	unsigned place = random_below(3);

	*k = (struct set_kind){.layout = of->layout,
		.family = chance(3) ? FAMILY_V6 : FAMILY_V4,
		.interval = of->interval,
		.auto_merge = of->auto_merge,
		.has_timeout = chance(3),
		.size = chance(3) ? 8 + random_below(60) : 0};
	k->fuse_ms = k->has_timeout && !chance(3) ? 60000 : 0;
	kernel.protocols = of->protocols;
	kernel.ports = of->ports;
	kernel.addresses = CELLS / of->protocols / of->ports;
	kernel.base = place == 0 ? 0 : place == 1 ? 0U - kernel.addresses : 0x0a000000U;
	kernel.fill = place == 0 ? 0 : place == 1 ? 0xff : 0x20;
	kernel.counts_ends = has_ranges() && k->size && chance(2);
	k->size |= kernel.counts_ends; /* with room for the null end */
	kernel.keeps_timeout = chance(3);
	kernel.generation = chance(2) ? UINT32_MAX - random_below(100) : 1 + random_below(1000);
	kernel.queue_at = kernel.queue_count = 0;
	kernel.lost = false;
	memset(&kernel.now, 0, sizeof(kernel.now));
	memset(kernel.now.by_cell, 0xff, sizeof(kernel.now.by_cell));
}

/* What an earlier run and others left. */
static void begin_elements(void)
{
	for (unsigned n = random_below(30); n > 0; n--) {
		kernel_begin();
		if (put_some(1, !chance(3)) == 0)
			kernel_end(false, false);
	}
	kernel.queue_count = 0;
}

static void begin_run(const struct sets_of *of)
{
	wanted_done(&d.wanted);
	live_done(&d.live);
	memset(&d, 0, sizeof(d));
	memset(&oracle, 0, sizeof(oracle));
	memset(&others, 0, sizeof(others));
	counts.run++;
	begin_kernel(of);
	begin_elements();
	wanted_set_kind(&d.wanted, &kernel.kind);
	others.cautious = chance(3);
	d.piece_max = chance(3) ? 1 + random_below(8) : 50000;
	d.look = true;
}

/* --- steps --- */

static unsigned any_slot(void)
{
	unsigned c = random_below(CELLS);

	return has_ranges() ? c * CELLS + end_from(c, CELLS) : c;
}

static void own_change(void)
{
	unsigned owner = random_below(OWNERS);

	if (oracle.held_count && !chance(oracle.held_count > 60 ? 8 : 2))
		oracle_release(&d.wanted, oracle.held[random_below(oracle.held_count)], owner);
	else if (chance(20))
		oracle_release(&d.wanted, any_slot(), owner);
	else if (oracle.held_count < HELD_MAX)
		oracle_hold(&d.wanted, any_slot(), owner);
}

/* Another configuration wants less. What it no longer wants is marked. */
static void reload(void)
{
	unsigned odds = 2 + random_below(6);
	struct wanted old = d.wanted;

	counts.reloads++;
	d.wanted = WANTED_NULL;
	wanted_set_kind(&d.wanted, &d.kind);
	for (unsigned i = oracle.held_count; i > 0; i--) {
		struct shape s = shape_of_slot(oracle.held[i - 1]);
		struct element_key key = key_of(&s);
		if (!chance(odds))
			continue;
		forget_held(oracle.held[i - 1]);
		wanted_mark_dirty(&d.wanted, &key, NULL, "reload", 0);
	}
	for (size_t i = 0; i < old.dirty_count; i++) {
		if (!wanted_find(&old, &old.dirty[i].want->key))
			wanted_mark_dirty(&d.wanted, &old.dirty[i].want->key, NULL, "reload", 0);
	}
	oracle_fill(&d.wanted);
	wanted_done(&old);
}

/* Names are awaited, then all were answered, then the longest linger is over. */
static void go_on(void)
{
	if (!chance(60))
		return;
	if (others.cautious && !oracle.removes_foreign)
		oracle.removes_foreign = true;
	else
		oracle.settled = true;
	d.plan_all = true;
}

static void check_all(void)
{
	if (d.differs && copy_differs(&d.live)) {
		counts.differing++;
		d.look = true;
		turn_until_idle();
	}
	if (kernel.now.gone_count)
		check_stale_copy(&d.live);
	if (d.full || kernel.now.gone_count) {
		d.look = true;
		turn_until_idle();
	}
	check_copy(&d.live);
	check_wanted(&d.wanted);
	check_kernel(d.full, d.kind.size);
	if (!d.full)
		check_nothing_is_left();
}

static void check_renewed(void)
{
	for (unsigned i = 0; i < kernel.now.count; i++)
		HOLDS(!kernel.now.items[i].ours || kernel.now.items[i].fresh);
}

static void step(void)
{
	bool renew = d.known && d.kind.fuse_ms && chance(10);

	counts.steps++;
	close_starts();
	for (unsigned i = 0; renew && i < kernel.now.count; i++)
		kernel.now.items[i].fresh = false;
	d.renew = d.renew || renew;
	d.renewed = false;
	go_on();
	for (unsigned n = chance(2)   ? 0
			  : chance(8) ? random_below(40)
				      : 1 + random_below(3);
		n > 0; n--)
		own_change();
	if (d.known && chance(100))
		reload();
	for (unsigned n = chance(10) ? 1 + random_below(3) : 0; n > 0; n--)
		expire_one();
	for (unsigned n = chance(2) ? random_below(4) : 0; n > 0; n--)
		others_change(false);
	others.storm = chance(5) ? random_below(8) : 0;
	d.look = d.look || chance(50);
	turn_until_idle();
	others.storm = 0;
	check_all();
	if (renew && d.renewed)
		check_renewed();
}

static void run_kind(unsigned kind)
{
	for (unsigned n = 0; n < steps / KINDS; n++) {
		if (n % RUN_STEPS == 0)
			begin_run(&kinds[kind]);
		step();
	}
}

static void sets_of_addresses_stay_true(void)
{
	run_kind(0);
}

static void sets_of_services_stay_true(void)
{
	run_kind(1);
}

static void sets_of_ports_stay_true(void)
{
	run_kind(2);
}

static void ranges_stay_true(void)
{
	run_kind(3);
	run_kind(4);
}

static void merged_ranges_stay_true(void)
{
	run_kind(5);
}

static void boxes_of_services_stay_true(void)
{
	run_kind(6);
}

static void boxes_of_ports_stay_true(void)
{
	run_kind(7);
}

static void everything_happened(void)
{
	printf("# %lu runs, %lu steps: %lu batches, +%lu -%lu, %lu renewed (%lu replaced), %lu "
	       "pieces, %lu stale, %lu unguarded, %lu put off, %lu refused\n",
		counts.run, counts.steps, counts.batches, counts.adds, counts.deletes,
		counts.renewals, counts.replaced, counts.pieces, counts.stale, counts.unguarded,
		counts.put_off, counts.refused);
	printf("# %lu looks, %lu unsure, %lu lost, %lu strange, %lu full, %lu halved, %lu foreign "
	       "removed, %lu reshaped, %lu repaired, %lu copies off, %lu mistaken\n",
		counts.looks, counts.unsure, counts.lost, counts.strange, counts.full,
		counts.halved, counts.foreign_removed, counts.reshaped, counts.repaired,
		counts.differing, counts.mistaken);
	printf("# others: %lu changes (%lu failed), %lu flushes, %lu recreations, %lu merged, %lu "
	       "retimed, %lu tagged boxes, %lu unclosed, %lu expired; %lu reloads\n",
		counts.foreign, counts.foreign_failed, counts.flushes, counts.recreations,
		counts.merged, counts.retimed, counts.tagged_boxes, counts.unclosed, counts.expired,
		counts.reloads);
	const unsigned long all[] = {counts.batches, counts.adds, counts.deletes, counts.renewals,
		counts.replaced, counts.pieces, counts.stale, counts.unguarded, counts.put_off,
		counts.refused, counts.looks, counts.unsure, counts.lost, counts.strange,
		counts.full, counts.halved, counts.foreign_removed, counts.reshaped,
		counts.repaired, counts.foreign, counts.foreign_failed, counts.flushes,
		counts.recreations, counts.merged, counts.retimed, counts.tagged_boxes,
		counts.unclosed, counts.expired, counts.reloads};
	/* In a short run some may not. */
	for (size_t i = 0; steps >= 50000 && i < sizeof(all) / sizeof(*all); i++)
		CHECK(all[i] > 0);
}

int main(void)
{
	const char *text = getenv("SIM_STEPS");

	if (text && atoi(text) > 0)
		steps = (unsigned)atoi(text);
	random_begin(11);
	TAP_RUN(sets_of_addresses_stay_true);
	TAP_RUN(sets_of_services_stay_true);
	TAP_RUN(sets_of_ports_stay_true);
	TAP_RUN(ranges_stay_true);
	TAP_RUN(merged_ranges_stay_true);
	TAP_RUN(boxes_of_services_stay_true);
	TAP_RUN(boxes_of_ports_stay_true);
	TAP_RUN(everything_happened);
	wanted_done(&d.wanted);
	live_done(&d.live);
	return tap_done();
}
