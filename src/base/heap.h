#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Binary heap of things that fall due: embed a heap_item, get the thing back with CONTAINER_OF. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_item {
	uint64_t due_ms;
	size_t place; /* 1-based position in the heap; 0: not in it */
};

struct heap {
	struct heap_item **items;
	size_t count;
	size_t capacity;
};
#define HEAP_NULL ((struct heap){0})

bool heap_has(const struct heap_item *item);
/* Adds the item, or moves it when it is there already. */
void heap_set(struct heap *h, struct heap_item *item, uint64_t due_ms);
/* No-op when the item is not in the heap. */
void heap_remove(struct heap *h, struct heap_item *item);
/* The earliest, or NULL; stays in the heap. */
struct heap_item *heap_first(const struct heap *h);
void heap_done(struct heap *h);
