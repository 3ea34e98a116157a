/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Binary min-heap whose items know their place, so that moving one costs O(log n). */
#include "base/heap.h"

#include "base/mem.h"

static void put(struct heap *h, size_t i, struct heap_item *item)
{
	h->items[i] = item;
	item->place = i + 1;
}

static void sift_up(struct heap *h, size_t i)
{
	struct heap_item *item = h->items[i];

	while (i > 0 && h->items[(i - 1) / 2]->due_ms > item->due_ms) {
		put(h, i, h->items[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(h, i, item);
}

static void sift_down(struct heap *h, size_t i)
{
	struct heap_item *item = h->items[i];

	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= h->count)
			break;
		if (child + 1 < h->count && h->items[child + 1]->due_ms < h->items[child]->due_ms)
			child++;
		if (h->items[child]->due_ms >= item->due_ms)
			break;
		put(h, i, h->items[child]);
		i = child;
	}
	put(h, i, item);
}

bool heap_has(const struct heap_item *item)
{
	return item->place != 0;
}

void heap_set(struct heap *h, struct heap_item *item, uint64_t due_ms)
{
	item->due_ms = due_ms;
	if (!item->place) {
		VEC_GROW(h->items, h->capacity, h->count);
		put(h, h->count++, item);
	}
	sift_up(h, item->place - 1);
	sift_down(h, item->place - 1);
}

void heap_remove(struct heap *h, struct heap_item *item)
{
	if (!item->place)
		return;
	size_t i = item->place - 1;
	item->place = 0;
	h->count--;
	if (i == h->count)
		return;
	put(h, i, h->items[h->count]);
	sift_up(h, i);
	sift_down(h, h->items[i]->place - 1);
}

struct heap_item *heap_first(const struct heap *h)
{
	return h->count ? h->items[0] : NULL;
}

void heap_done(struct heap *h)
{
	for (size_t i = 0; i < h->count; i++)
		h->items[i]->place = 0;
	free(h->items);
	*h = HEAP_NULL;
}
