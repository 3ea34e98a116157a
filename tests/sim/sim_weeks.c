/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Days of 200 names: records and TTLs that change, caches, pools, outages, commits that fail,
 * reloads. Nothing may leave early, stay too long, or grow. SIM_DAYS in the environment makes weeks
 * of it. */
#include "sim.h"

#include <malloc.h>

enum { NAMES = 200, ADDRESSES = 900, POOLS = 12, CHECK_MINUTES = 20 };

static unsigned days = 4;
static char texts[NAMES][32];
static unsigned ttls_now[NAMES]; /* most records of a name have one TTL, some twice that */

static unsigned any_ttl(unsigned i)
{
	static const unsigned ttls[] = {
		60, 300, 300, 300, 600, 600, 900, 1800, 1800, 3600, 3600, 86400};

	if (i == POOLS - 1)
		return 1800; /* it flaps */
	return i < 1 ? 5 : i < 4 ? 30 : ttls[random_below(ARRAY_LEN(ttls))];
}

static bool has_record(const struct sim_family *f, const struct addr *a)
{
	for (size_t i = 0; i < f->count; i++) {
		if (addr_eq(&f->records[i].addr, a))
			return true;
	}
	return false;
}

/* Addresses are shared by chance: there are fewer than the names have records. */
static void add_record(unsigned i, enum family family)
{
	struct sim_family *f = &sim.items[i]->families[family];
	unsigned number = random_below(ADDRESSES);
	unsigned ttl_s = random_below(4) ? ttls_now[i] : ttls_now[i] * 2;
	struct addr a = sim_addr(family, number);

	if (f->count < SIM_RECORDS_MAX && !has_record(f, &a))
		sim_record(sim.items[i], family, number, ttl_s);
}

static void make_name(unsigned i)
{
	static const int64_t lingers[] = {-1, -1, -1, -1, 0, 60, 300, 7200};

	snprintf(texts[i], sizeof(texts[i]), "n%u.example.com", i);
	/* Pools without linger do nothing but flap: one of them is enough. */
	unsigned l = i < POOLS ? 0 : random_below(ARRAY_LEN(lingers));
	struct sim_name *n = sim_name(texts[i], i == POOLS - 1 ? 0 : lingers[l]);
	ttls_now[i] = any_ttl(i);
	for (unsigned r = 1 + random_below(10); r > 0; r--)
		add_record(i, FAMILY_V4);
	for (unsigned r = random_below(3) ? 0 : 4; r > 0; r--)
		add_record(i, FAMILY_V6);
	if (i < POOLS) {
		while (n->families[FAMILY_V4].count < 24)
			add_record(i, FAMILY_V4);
		n->families[FAMILY_V4].show = 8;
	}
	for (int f = 0; f < FAMILY_COUNT; f++) {
		n->families[f].cached = i >= POOLS && random_below(2);
		n->families[f].latency_ms = 1 + random_below(300);
	}
	if (random_below(4) == 0)
		sim_own(n, 2);
	if (random_below(8) == 0)
		sim_own(n, 0);
}

static void change_something(void)
{
	unsigned i = random_below(NAMES);
	enum family family = random_below(4) ? FAMILY_V4 : FAMILY_V6;
	struct sim_family *f = &sim.items[i]->families[family];

	switch (random_below(8)) {
	case 0:
	case 1:
	case 2:
		add_record(i, family);
		break;
	case 3:
	case 4:
	case 5:
		if (f->count > 1 && f->count > f->show)
			sim_unrecord_at(f, random_below((unsigned)f->count));
		break;
	case 6: /* all others */
		if (!f->show) {
			f->count = 0;
			for (unsigned r = 1 + random_below(8); r > 0; r--)
				add_record(i, family);
		}
		break;
	default: /* another TTL */
		ttls_now[i] = any_ttl(i);
		for (size_t r = 0; r < f->count; r++)
			f->records[r].ttl_s = ttls_now[i];
		break;
	}
}

/* For one family of one name, for all of one name, or for everybody. */
static void break_something(void)
{
	static const enum answer_outcome faults[] = {ANSWER_TIMEOUT, ANSWER_TIMEOUT,
		ANSWER_SERVFAIL, ANSWER_REFUSED, ANSWER_MALFORMED, ANSWER_NXDOMAIN, ANSWER_NODATA};
	enum answer_outcome fault = faults[random_below(ARRAY_LEN(faults))];
	unsigned i = random_below(NAMES), whom = random_below(20);

	if (whom == 0) {
		for (unsigned n = 0; n < NAMES; n++) {
			for (int f = 0; f < FAMILY_COUNT; f++)
				sim.items[n]->families[f].fault = ANSWER_TIMEOUT;
		}
		return;
	}
	for (int f = 0; f < FAMILY_COUNT; f++) {
		if (whom < 10 || random_below(2))
			sim.items[i]->families[f].fault = fault;
	}
}

static void mend_something(void)
{
	unsigned odds = 1 + random_below(3);

	for (unsigned n = 0; n < NAMES; n++) {
		for (int f = 0; f < FAMILY_COUNT; f++) {
			if (random_below(odds) == 0)
				sim.items[n]->families[f].fault = ANSWER_OK;
		}
	}
}

/* As a reload does: names built anew, their state carried over. */
static void reload(void)
{
	struct names old = sim.names;

	names_init(&sim.names, random_next());
	for (unsigned i = 0; i < NAMES; i++) {
		struct sim_name *n = sim.items[i];
		n->name = names_add(&sim.names, texts[i], &n->name->bounds, sim.now);
		n->name->userdata = n;
		for (size_t o = 0; o < n->owner_count; o++)
			n->owners[o]->name = n->name->text;
	}
	names_carry_over(&sim.names, &old, sim.now);
	names_done(&old);
}

static size_t memory_in_use(void)
{
	return mallinfo2().uordblks;
}

static void a_minute(void)
{
	if (random_below(2) == 0)
		change_something();
	if (random_below(40) == 0)
		break_something();
	if (random_below(60) == 0)
		mend_something();
	if (random_below(1440) == 0)
		reload();
	/* Others use the caches, too. */
	for (int i = 0; i < 20; i++) {
		struct sim_family *f = &sim.items[random_below(NAMES)]->families[FAMILY_V4];
		if (f->cached)
			sim_fill_cache(f);
	}
	sim_run(SIM_MINUTE);
}

static void days_of_change_keep_every_promise(void)
{
	size_t settled = 0;

	sim_begin();
	for (unsigned i = 0; i < NAMES; i++)
		make_name(i);
	for (unsigned i = 0; i < 10; i++) {
		sim_static(i, 0);
		sim_static(i * 7, 2);
		sim_foreign(ADDRESSES + i, 0); /* nobody's but theirs */
		sim_foreign(20 + i, 0);        /* that names give as well, sooner or later */
	}
	sim.failing_commits = 20;
	for (unsigned minute = 0; minute < days * 1440; minute++) {
		a_minute();
		if (minute % CHECK_MINUTES == 0)
			sim_check_all();
		if (minute == days * 1440 / 3)
			settled = memory_in_use();
	}
	/* Once all works again, the sets equal DNS. */
	sim.failing_commits = 0;
	for (unsigned n = 0; n < NAMES; n++) {
		for (int f = 0; f < FAMILY_COUNT; f++)
			sim.items[n]->families[f].fault = ANSWER_OK;
	}
	sim_run(28 * SIM_HOUR); /* the longest TTL in a cache, the longest linger */
	sim_check_all();
	printf("# %u days: %lu turns, %lu answers, %lu commits, +%lu -%lu, %zu bytes, then %zu\n",
		days, sim.turns, sim.answers, sim.commits, sim.adds, sim.deletes, settled,
		memory_in_use());
	/* It really went up and down. */
	CHECK(sim.adds > 1000 && sim.deletes > 1000);
	CHECK(memory_in_use() <= settled + settled / 2);
}

/* Whether the address has a right to the set by what DNS says; `ret_maybe`: a pool has it and shows
 * it now and then. */
static bool is_given(size_t s, const struct addr *a, bool *ret_maybe)
{
	bool given = false;

	*ret_maybe = false;
	for (size_t i = 0; i < sim.static_count; i++)
		given |= sim.statics[i].set_index == s && addr_eq(&sim.statics[i].addr, a);
	for (unsigned n = 0; n < NAMES; n++) {
		const struct sim_name *name = sim.items[n];
		const struct sim_family *f = &name->families[a->family];
		if (!has_record(f, a))
			continue;
		for (size_t o = 0; o < name->owner_count; o++) {
			if (name->owners[o]->set_index == s && f->show)
				*ret_maybe = true;
			else if (name->owners[o]->set_index == s)
				given = true;
		}
	}
	return given;
}

static void in_the_end_the_sets_equal_dns(void)
{
	size_t standing = 0;

	for (size_t s = 0; s < SIM_SETS; s++) {
		for (unsigned i = 0; i < ADDRESSES; i++) {
			struct addr a = sim_addr(sim.sets[s].kind.family, i);
			struct element_key keys[SET_PORTS_MAX];
			bool maybe, given = is_given(s, &a, &maybe);
			for (size_t k = sim_keys(&sim.sets[s], &a, keys); k > 0; k--) {
				const struct sim_element *e = sim_find(s, &keys[k - 1]);
				if (given)
					CHECK(e);
				else if (!maybe)
					CHECK(!e || !e->ours);
				standing += e != NULL;
			}
		}
	}
	CHECK(standing > 100);
}

int main(void)
{
	const char *text = getenv("SIM_DAYS");

	if (text && atoi(text) > 0)
		days = (unsigned)atoi(text);
	random_begin(7);
	TAP_RUN(days_of_change_keep_every_promise);
	TAP_RUN(in_the_end_the_sets_equal_dns);
	sim_done();
	return tap_done();
}
