#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whoever undoes every repair is not to be raced: after many in a short time each one waits, twice
 * as long as the one before. */
#include <stdbool.h>
#include <stdint.h>

enum {
	UNDOING_MAX = 20, /* repairs in the window that are made at once */
	UNDOING_WINDOW_MS = 10000,
	UNDOING_PAUSE_FIRST_MS = 1000,
	UNDOING_PAUSE_MAX_MS = 32000,
};

struct undoing {
	uint64_t since_ms; /* a window of time, and how often in it */
	unsigned count;
	uint64_t pause_ms; /* how long the last wait was; 0: nobody does */
	uint64_t quiet_ms; /* over when nothing was undone until then */
};

/* Somebody undid it once more. `*hold_ms`: nothing is put right before that. True: from now on
 * repairs wait. */
bool undoing_note(struct undoing *u, uint64_t *hold_ms, uint64_t now_ms);
