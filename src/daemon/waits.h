#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whoever waits until some questions have been answered. */
#include "allowsync/addr.h"

#include <stdbool.h>
#include <stddef.h>

struct waits {
	struct engine_wait *first;
};

typedef void (*wait_done_fn)(void *userdata);

struct engine_wait *waits_add(struct waits *ws, wait_done_fn done, void *userdata);
/* One more question that the wait is for. */
void wait_for(struct engine_wait *w, const char *name, enum family family);
/* That question has its answer or timeout; ends the waits that have nothing left. */
void waits_on_reply(struct waits *ws, const char *name, enum family family);
/* Forgets one, without calling back. */
void waits_cancel(struct waits *ws, struct engine_wait *w);
/* Ends all, calling back. */
void waits_end_all(struct waits *ws);
