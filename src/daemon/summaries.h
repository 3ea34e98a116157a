#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names that rotate, in the journal: a summary an hour in place of an entry a change
 * (core/rotation.h says which). What is gathered is told before a stop, and with a reload. */
#include "core/rotation.h"

typedef void (*summaries_emit_fn)(void *userdata, const struct event *event);

struct summaries {
	struct rotations rotations;
	summaries_emit_fn emit;
	void *userdata;
};

/* A change that was made. True: it is gathered, and the journal is not told of it now. */
bool summaries_take(struct summaries *s, const struct event *change, uint64_t now_ms);
/* Tells what is due; `config`: the digest in force. */
void summaries_turn(struct summaries *s, const char *config, uint64_t now_ms);
/* Tells all that is gathered. */
void summaries_flush(struct summaries *s, const char *config, uint64_t now_ms);
/* When summaries_turn() has something to do; UINT64_MAX: never. */
uint64_t summaries_next_ms(const struct summaries *s);
void summaries_done(struct summaries *s);
