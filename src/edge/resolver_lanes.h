#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The slots of a resolver, each with the question that it is about: as many as are needed, up to
 * LANES_MAX. Only resolver.c uses it. */
#include "allowsync/config.h"
#include "edge/slot.h"

#include <stddef.h>

struct loop;
struct question;

enum { LANES_START = 8, LANES_STEP = 8, LANES_MAX = 64 };

struct lane {
	void *owner; /* as given to lanes_init() */
	struct slot *slot;
	struct question *question; /* NULL: idle, and in `idle` */
	struct lane *next_idle;
};

struct lanes {
	struct loop *loop;
	struct config_source source;
	slot_fn fn; /* its userdata is the lane */
	void *owner;
	struct lane *items[LANES_MAX];
	size_t count;
	struct lane *idle;
};

void lanes_init(struct lanes *ls, struct loop *l, const struct config_source *source, slot_fn fn,
	void *owner);
/* One more, idle. Negative: -errno, or -ENOSPC when there are LANES_MAX. */
int lanes_add(struct lanes *ls);
/* Frees one that is idle; false when none is. */
bool lanes_remove_idle(struct lanes *ls);
/* One that is idle; the first LANES_START are made as they are needed. NULL: all are in use. */
struct lane *lanes_take(struct lanes *ls);
void lanes_give_back(struct lanes *ls, struct lane *l);
/* Frees the slots, and the questions that are in them. */
void lanes_done(struct lanes *ls);
