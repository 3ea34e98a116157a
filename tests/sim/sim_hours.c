/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hours of a thousand names with TTLs of 1 to 30 s: servers that come and go, pools that turn,
 * every fault, outages of everything. Two book-keepers (hours_books.h) say what may stand; memory
 * and what is pending stay as they are. One hour; SIM_HOURS in the environment says how many, an
 * extended run takes 72. */
#include "hours_books.h"

#include <malloc.h>

enum { EXTENDED_HOURS = 72, SAMPLES_AN_HOUR = 6, SETTLED = 2 };

static unsigned hours = 1;

static void make_zone(unsigned i, int family)
{
	static const unsigned negatives[] = {0, 1, 2, 5, 30, 900, 7200};
	struct zone *s = &world.items[i].zones[family];
	unsigned least = 1 + random_below(TTL_MAX_S);

	for (unsigned bit = 0; bit < BITS; bit++) {
		/* Unequal in one answer of four names. */
		s->ttls_s[bit] = (uint8_t)(i % 4 ? least : 1 + random_below(TTL_MAX_S));
		if (random_below(2))
			s->records |= 1U << bit;
	}
	s->records |= 1U << random_below(BITS);
	s->show = i % 10 == 0 ? 1 + random_below(6) : 0;
	s->odds = i % 5 == 0 ? random_below(300) : random_below(10);
	s->partial = i % 7 == 0 ? random_below(400) : 0;
	s->negative_s = negatives[random_below(ARRAY_LEN(negatives))];
	s->latency_ms = 1 + random_below(300);
	if (family == FAMILY_V6 && i % 3)
		s->fault = ANSWER_NODATA; /* as most have none */
}

static void make_name(unsigned i)
{
	static const int64_t lingers[] = {-1, -1, -1, -1, 0, 5, 60, 120};
	struct world_name *n = &world.items[i];
	struct config_bounds b = {.refresh_min_s = i % 2 ? 1 : CONFIG_REFRESH_MIN_S,
		.refresh_max_s = CONFIG_REFRESH_MAX_S,
		.linger_s = lingers[random_below(ARRAY_LEN(lingers))]};

	if (i % 11 == 0) {
		b.refresh_max_s = 20;
		b.revoke_within_s = 60;
		b.linger_s = -1;
	}
	snprintf(n->text, sizeof(n->text), "n%u.example.com", i);
	n->name = names_add(&world.names, n->text, &b, world.now);
	n->name->userdata = n;
	for (int f = 0; f < FAMILY_COUNT; f++) {
		make_zone(i, f);
		n->zones[f].owner =
			(struct owner){.vendor = "acme", .name = n->text, .set_index = (size_t)f};
	}
}

static struct zone *any_zone(void)
{
	return &world.items[random_below(NAMES)].zones[random_below(FAMILY_COUNT)];
}

static void change_something(void)
{
	struct zone *s = any_zone();

	switch (random_below(6)) {
	case 0: /* all others */
		s->records = (uint32_t)random_next() & ((1U << BITS) - 1);
		break;
	case 1:
		s->ttls_s[random_below(BITS)] = (uint8_t)(1 + random_below(TTL_MAX_S));
		break;
	default:
		s->records ^= 1U << random_below(BITS);
		break;
	}
	/* The last one goes with the name itself, now and then. */
	if (!s->records && random_below(8))
		s->records = 1U << random_below(BITS);
}

static void break_something(void)
{
	enum answer_outcome fault = any_fault();

	if (random_below(200) == 0) {
		for (unsigned i = 0; i < NAMES; i++)
			for (int f = 0; f < FAMILY_COUNT; f++)
				world.items[i].zones[f].fault = ANSWER_TIMEOUT;
		return;
	}
	for (unsigned n = 1 + random_below(20); n > 0; n--)
		any_zone()->fault = fault;
}

static void mend_something(void)
{
	unsigned odds = 1 + random_below(4);

	for (unsigned i = 0; i < NAMES; i++)
		for (int f = 0; f < FAMILY_COUNT; f++)
			if (random_below(odds) == 0)
				world.items[i].zones[f].fault = ANSWER_OK;
}

static void turn(void)
{
	struct name_changes changes = NAME_CHANGES_NULL;
	struct name_family *f;
	struct heap_item *item;

	while ((item = heap_first(&world.queries)) && item->due_ms <= world.now) {
		struct query *q = CONTAINER_OF(item, struct query, due);
		heap_remove(&world.queries, item);
		world.in_flight--;
		books_note(q->family, &q->told);
		world_apply(q, &changes);
		free(q);
	}
	while ((f = names_take_due(&world.names, world.now)))
		world_ask(f);
	names_expire(&world.names, world.now, &changes);
	CHECK(names_next_ms(&world.names) > world.now);
	world_carry_out(&changes);
	name_changes_done(&changes);
	world_commit(books_on_delete);
}

static void run_until(uint64_t until_ms)
{
	while (world.now < until_ms) {
		struct heap_item *item = heap_first(&world.queries);
		uint64_t next = names_next_ms(&world.names);
		if (item && item->due_ms < next)
			next = item->due_ms;
		world.now = next < until_ms ? next : until_ms;
		turn();
	}
}

static void a_minute(void)
{
	for (unsigned second = 0; second < 60; second++) {
		for (unsigned n = random_below(8); n > 0; n--)
			change_something();
		if (random_below(10) == 0)
			break_something();
		if (random_below(60) == 0)
			mend_something();
		run_until(world.now + SECOND);
	}
	books_check();
}

/* Each question is either due or under way; an end of linger is pending where something lingers. */
static void check_pending(void)
{
	size_t lingering = 0;

	for (unsigned i = 0; i < NAMES; i++) {
		for (int f = 0; f < FAMILY_COUNT; f++) {
			const struct name_family *nf = &world.items[i].name->families[f];
			bool lingers = false;
			for (size_t a = 0; a < nf->count; a++)
				lingers |= nf->addresses[a].missing_ms != 0;
			CHECK(lingers == heap_has(&nf->leave));
			lingering += lingers;
			CHECK(nf->count <= BITS);
		}
	}
	CHECK(world.names.asks.count + world.in_flight == NAMES * FAMILY_COUNT);
	CHECK(world.names.leaves.count == lingering);
	CHECK(world.names.asks.capacity <= 2 * NAMES * FAMILY_COUNT);
	CHECK(world.names.leaves.capacity <= 2 * NAMES * FAMILY_COUNT);
}

static void hours_of_change_remove_what_two_reckonings_say(void)
{
	size_t settled = 0, most = 0;

	world_begin();
	for (unsigned i = 0; i < NAMES; i++)
		make_name(i);
	for (unsigned sample = 1; sample <= hours * SAMPLES_AN_HOUR; sample++) {
		for (unsigned minute = 0; minute < 60 / SAMPLES_AN_HOUR; minute++)
			a_minute();
		check_pending();
		struct mallinfo2 heap = mallinfo2();
		if (sample == SETTLED)
			settled = heap.uordblks;
		if (sample > SETTLED && heap.uordblks > most)
			most = heap.uordblks;
		if (sample % SAMPLES_AN_HOUR == 0)
			printf("# hour %u: %zu bytes in use, %zu free, %zu asks and %zu ends of "
			       "linger pending, %zu + %zu elements\n",
				sample / SAMPLES_AN_HOUR, heap.uordblks, heap.fordblks,
				world.names.asks.count, world.names.leaves.count,
				world.sets[FAMILY_V4].count, world.sets[FAMILY_V6].count);
	}
	printf("# %u h: %lu questions, %lu answers, %lu denials, %lu failures, %lu commits, +%lu "
	       "-%lu; %zu bytes, then %zu at most\n",
		hours, world.questions, world.answers, world.denials, world.failures, world.commits,
		world.adds, world.deletes, settled, most);
	/* It really went up and down. */
	CHECK(world.adds > 10000UL * hours && world.deletes > 10000UL * hours);
	CHECK(world.denials > 1000UL * hours && world.failures > 10000UL * hours);
	CHECK(most <= settled + settled / 4);
}

/* Once all works and rests, what stands is what DNS gives. */
static void in_the_end_the_sets_equal_dns(void)
{
	for (unsigned i = 0; i < NAMES; i++) {
		for (int f = 0; f < FAMILY_COUNT; f++) {
			struct zone *s = &world.items[i].zones[f];
			s->fault = ANSWER_OK;
			s->odds = s->partial = s->show = 0;
			s->records |= 1;
		}
	}
	run_until(world.now + HOUR); /* the longest negative TTL, and a linger */
	books_check();
	for (unsigned i = 0; i < NAMES; i++) {
		for (int f = 0; f < FAMILY_COUNT; f++) {
			const struct zone *s = &world.items[i].zones[f];
			for (unsigned bit = SHARED; bit < BITS; bit++)
				CHECK(world.sets[f].stands[number_of(i, bit)] ==
					((s->records >> bit & 1) != 0));
		}
	}
}

int main(void)
{
	const char *text = getenv("SIM_HOURS"), *extended = getenv("ALLOWSYNCD_EXTENDED");

	if (text && atoi(text) > 0)
		hours = (unsigned)atoi(text);
	else if (extended && *extended)
		hours = EXTENDED_HOURS;
	random_begin(72);
	TAP_RUN(hours_of_change_remove_what_two_reckonings_say);
	TAP_RUN(in_the_end_the_sets_equal_dns);
	world_done();
	return tap_done();
}
