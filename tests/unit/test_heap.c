/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/heap: the earliest is first, whatever was added, moved and removed before. */
#include "base/heap.h"

#include "random.h"
#include "tap.h"

enum { ITEMS = 300 };

static struct heap heap;
static struct heap_item items[ITEMS];

static void reset(void)
{
	heap_done(&heap);
	memset(items, 0, sizeof(items));
}

/* Every item knows its place, and no child is earlier than its parent. */
static void check_shape(void)
{
	for (size_t i = 0; i < heap.count; i++) {
		CHECK(heap.items[i]->place == i + 1);
		CHECK(i == 0 || heap.items[(i - 1) / 2]->due_ms <= heap.items[i]->due_ms);
	}
}

static void empty_has_no_first(void)
{
	reset();
	CHECK(!heap_first(&heap));
	heap_remove(&heap, &items[0]);
	CHECK(!heap_first(&heap));
	CHECK(!heap_has(&items[0]));
}

static void items_come_out_in_order(void)
{
	uint64_t last = 0;
	struct heap_item *first;

	reset();
	for (size_t i = 0; i < ITEMS; i++)
		heap_set(&heap, &items[i], random_below(100));
	for (size_t i = 0; i < ITEMS; i++) {
		first = heap_first(&heap);
		CHECK(first && first->due_ms >= last);
		last = first->due_ms;
		heap_remove(&heap, first);
		CHECK(!heap_has(first));
	}
	CHECK(!heap_first(&heap));
}

static void setting_again_moves_both_ways(void)
{
	reset();
	heap_set(&heap, &items[0], 10);
	heap_set(&heap, &items[1], 20);
	heap_set(&heap, &items[2], 30);
	heap_set(&heap, &items[2], 5);
	CHECK(heap_first(&heap) == &items[2]);
	heap_set(&heap, &items[2], 40);
	CHECK(heap_first(&heap) == &items[0]);
	heap_set(&heap, &items[0], 35);
	CHECK(heap_first(&heap) == &items[1]);
	CHECK_INT(heap.count, 3);
	check_shape();
}

static void removing_twice_does_no_harm(void)
{
	reset();
	heap_set(&heap, &items[0], 1);
	heap_set(&heap, &items[1], 2);
	heap_remove(&heap, &items[0]);
	heap_remove(&heap, &items[0]);
	CHECK_INT(heap.count, 1);
	CHECK(heap_first(&heap) == &items[1]);
}

static void done_lets_items_go(void)
{
	reset();
	heap_set(&heap, &items[0], 1);
	heap_done(&heap);
	CHECK(!heap_has(&items[0]));
	heap_set(&heap, &items[0], 3);
	CHECK(heap_first(&heap) == &items[0]);
}

static void largest_times_keep_their_order(void)
{
	reset();
	heap_set(&heap, &items[0], UINT64_MAX);
	heap_set(&heap, &items[1], UINT64_MAX - 1);
	heap_set(&heap, &items[2], 0);
	CHECK(heap_first(&heap) == &items[2]);
	heap_remove(&heap, &items[2]);
	CHECK(heap_first(&heap) == &items[1]);
}

static uint64_t earliest_by_looking(void)
{
	uint64_t earliest = UINT64_MAX;

	for (size_t i = 0; i < ITEMS; i++) {
		if (heap_has(&items[i]) && items[i].due_ms < earliest)
			earliest = items[i].due_ms;
	}
	return earliest;
}

static void random_operations_agree_with_looking_at_all(void)
{
	size_t in = 0;

	reset();
	for (unsigned step = 0; step < 20000; step++) {
		struct heap_item *item = &items[random_below(ITEMS)];
		bool had = heap_has(item);
		if (random_below(3)) {
			heap_set(&heap, item, random_below(1000));
			in += !had;
		} else {
			heap_remove(&heap, item);
			in -= had;
		}
		CHECK(heap.count == in);
		CHECK(!in == !heap_first(&heap));
		CHECK(!in || heap_first(&heap)->due_ms == earliest_by_looking());
		if (step % 64 == 0)
			check_shape();
	}
}

int main(void)
{
	random_begin(1);
	TAP_RUN(empty_has_no_first);
	TAP_RUN(items_come_out_in_order);
	TAP_RUN(setting_again_moves_both_ways);
	TAP_RUN(removing_twice_does_no_harm);
	TAP_RUN(done_lets_items_go);
	TAP_RUN(largest_times_keep_their_order);
	TAP_RUN(random_operations_agree_with_looking_at_all);
	reset();
	return tap_done();
}
