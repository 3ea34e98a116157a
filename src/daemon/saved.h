#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What we want in each set, as text for the admin's own ruleset: with it a load of the ruleset has
 * our elements from its first packet on. The files stay when the daemon ends. */
#include "daemon/sync.h"
#include "daemon/world.h"

#include <stdint.h>

struct saved_set;

struct saved {
	char *directory; /* NULL: nothing is saved */
	sync_event_fn emit;
	void *userdata;
	char digest[17];        /* of the configuration whose sets these are */
	struct saved_set *sets; /* beside world.sets */
	size_t count;
	int error; /* told already; 0: all is well */
};

/* The directory of the files; the caller frees it. */
char *saved_directory(const char *state_directory);
/* Below that directory; nothing is touched yet. */
void saved_init(struct saved *s, const char *state_directory, sync_event_fn emit, void *userdata);
/* After sync_turn(): removes what is no longer wanted, and writes at most one file, so that the
 * loop is not held up by a slow disk for long. */
void saved_turn(struct saved *s, const struct world *w, uint64_t now_ms);
/* When there is a file to write; UINT64_MAX: none. */
uint64_t saved_next_ms(const struct saved *s);
/* Before the end: writes whatever is due, now, and what denied addresses have left. */
void saved_flush(struct saved *s, const struct world *w, uint64_t now_ms);
void saved_done(struct saved *s);
