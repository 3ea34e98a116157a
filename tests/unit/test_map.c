/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/map against a plain array that is searched from end to end. */
#include "base/map.h"

#include "random.h"
#include "tap.h"

enum { KEYS = 400 };

/* The oracle: which keys are in, with which value. */
static char keys[KEYS][24];
static size_t key_lens[KEYS];
static int *values[KEYS];
static int cells[KEYS][2];

static void make_keys(void)
{
	for (unsigned i = 0; i < KEYS; i++) {
		/* Of unequal length, many with a common beginning, some with NUL inside. */
		memset(keys[i], 0, sizeof(keys[i]));
		keys[i][0] = (char)(i % 7);
		keys[i][2] = (char)(i >> 8);
		keys[i][3] = (char)i;
		key_lens[i] = 4 + i % 20;
		values[i] = NULL;
	}
}

static void empty_map_gives_nothing(void)
{
	struct map m = MAP_NULL;
	size_t at = 0;

	CHECK(!map_get(&m, "a", 1));
	CHECK(!map_remove(&m, "a", 1));
	CHECK(!map_next(&m, &at));
	map_done(&m);
	map_done(&m);
}

static void put_replaces_and_returns_the_old_value(void)
{
	struct map m = MAP_NULL;
	char other[] = "key";
	int one, two;

	CHECK(!map_put(&m, "key", 3, &one));
	CHECK(map_put(&m, other, 3, &two) == &one);
	CHECK_INT(m.count, 1);
	CHECK(map_get(&m, "key", 3) == &two);
	CHECK(map_remove(&m, "key", 3) == &two);
	CHECK(!map_get(&m, "key", 3));
	map_done(&m);
}

static void replacing_takes_the_new_key_pointer(void)
{
	struct map m = MAP_NULL;
	char *old = strdup("key"), *new = strdup("key");
	int one, two;

	map_put(&m, old, 3, &one);
	map_put(&m, new, 3, &two);
	memset(old, 'x', 3);
	free(old);
	bool found = map_get(&m, "key", 3) == &two;
	free(new);
	map_done(&m);
	CHECK(found);
}

static void a_prefix_is_another_key(void)
{
	struct map m = MAP_NULL;
	int one, two, three;

	map_put(&m, "abc", 3, &one);
	map_put(&m, "ab", 2, &two);
	map_put(&m, "", 0, &three);
	CHECK(map_get(&m, "abc", 3) == &one);
	CHECK(map_get(&m, "ab", 2) == &two);
	CHECK(map_get(&m, "", 0) == &three);
	CHECK(!map_get(&m, "a", 1));
	map_done(&m);
}

static void check_against_oracle(const struct map *m)
{
	size_t in = 0, seen = 0;
	int *value;

	for (unsigned i = 0; i < KEYS; i++) {
		CHECK(map_get(m, keys[i], key_lens[i]) == values[i]);
		in += values[i] != NULL;
	}
	CHECK(m->count == in);
	for (size_t at = 0; (value = map_next(m, &at)); seen++) {
		unsigned i = (unsigned)((int(*)[2])value - cells);
		CHECK(values[i] == value || values[i] == value - 1);
	}
	CHECK(seen == in);
}

static void random_operations(unsigned steps, unsigned used_keys, unsigned put_of_ten)
{
	struct map m = MAP_NULL;

	make_keys();
	for (unsigned step = 0; step < steps; step++) {
		unsigned i = random_below(used_keys);
		int *value = &cells[i][random_below(2)];
		if (random_below(10) < put_of_ten) {
			CHECK(map_put(&m, keys[i], key_lens[i], value) == values[i]);
			values[i] = value;
		} else {
			CHECK(map_remove(&m, keys[i], key_lens[i]) == values[i]);
			values[i] = NULL;
		}
		CHECK(map_get(&m, keys[i], key_lens[i]) == values[i]);
		if (step % 50 == 0)
			check_against_oracle(&m);
	}
	check_against_oracle(&m);
	map_done(&m);
}

static void random_operations_agree_while_it_grows(void)
{
	random_operations(20000, KEYS, 6);
}

/* Deletion moves neighbours: nearly full small tables, where runs wrap around the end. */
static void random_operations_agree_in_small_full_tables(void)
{
	for (unsigned round = 0; round < 200; round++)
		random_operations(300, 2 + random_below(11), 5);
}

static void emptied_key_by_key_it_is_empty(void)
{
	struct map m = MAP_NULL;
	size_t at = 0;

	make_keys();
	for (unsigned i = 0; i < KEYS; i++)
		map_put(&m, keys[i], key_lens[i], cells[i]);
	for (unsigned i = 0; i < KEYS; i++) {
		CHECK(map_remove(&m, keys[i], key_lens[i]) == cells[i]);
		for (unsigned j = i + 1; j < KEYS; j++)
			CHECK(map_get(&m, keys[j], key_lens[j]) == cells[j]);
	}
	CHECK_INT(m.count, 0);
	CHECK(!map_next(&m, &at));
	map_done(&m);
}

/* Keys come and go all day: the table must not grow for keys that left. */
static void turnover_does_not_grow_the_table(void)
{
	struct map m = MAP_NULL;

	make_keys();
	for (unsigned step = 0; step < 50000; step++) {
		unsigned in = step % KEYS, out = (step + KEYS - 10) % KEYS;
		map_put(&m, keys[in], key_lens[in], cells[in]);
		map_remove(&m, keys[out], key_lens[out]);
	}
	CHECK(m.count <= 11);
	CHECK(m.capacity <= 16);
	map_done(&m);
}

/* Addresses differ in one byte only: they must not fall into one run. */
static void neighbouring_addresses_spread(void)
{
	static uint8_t addresses[4096][4];
	struct map m = MAP_NULL;
	size_t longest = 0, run = 0;

	for (unsigned i = 0; i < 4096; i++) {
		addresses[i][0] = 45;
		addresses[i][2] = (uint8_t)(i >> 8);
		addresses[i][3] = (uint8_t)i;
		map_put(&m, addresses[i], 4, addresses[i]);
	}
	for (size_t i = 0; i < m.capacity; i++) {
		run = m.slots[i].key ? run + 1 : 0;
		if (run > longest)
			longest = run;
	}
	map_done(&m);
	CHECK(longest < 100);
}

int main(void)
{
	random_begin(2);
	TAP_RUN(empty_map_gives_nothing);
	TAP_RUN(put_replaces_and_returns_the_old_value);
	TAP_RUN(replacing_takes_the_new_key_pointer);
	TAP_RUN(a_prefix_is_another_key);
	TAP_RUN(random_operations_agree_while_it_grows);
	TAP_RUN(random_operations_agree_in_small_full_tables);
	TAP_RUN(emptied_key_by_key_it_is_empty);
	TAP_RUN(turnover_does_not_grow_the_table);
	TAP_RUN(neighbouring_addresses_spread);
	return tap_done();
}
