#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What device groups are refused: read from NFLOG, gathered (core/refused.h), told. */
#include "core/refused.h"
#include "daemon/world.h"

struct event;
struct loop;
struct nflog;

/* A group of NFLOG that device groups log to. */
struct refusals_log {
	uint16_t number;
	int error;         /* it cannot be read: an errno; 0: it is */
	uint64_t since_ms; /* since when it cannot */
};

typedef void (*refusals_emit_fn)(void *userdata, const struct event *event);

struct refusals {
	struct refused book;
	struct loop *loop;
	struct nflog *nflog; /* NULL: no group logs, or there is no such socket */
	struct refusals_log *logs;
	size_t log_count;
	uint64_t retry_ms; /* try those then that cannot be read; 0: no need */
	refusals_emit_fn emit;
	void *userdata;
};

void refusals_init(struct refusals *r, struct loop *l, refusals_emit_fn emit, void *userdata);
/* The device groups of that configuration from now on; what is gathered of those that stay is kept.
 */
void refusals_set_config(struct refusals *r, const struct config *c, uint64_t now_ms);
/* Tells what is due, with what `h` knows of addresses that left, and tries again what failed. */
void refusals_turn(
	struct refusals *r, const struct world *w, const struct history *h, uint64_t now_ms);
/* Tells all that is gathered, before a stop or a reload. */
void refusals_flush(
	struct refusals *r, const struct world *w, const struct history *h, uint64_t now_ms);
/* When refusals_turn() has something to do; UINT64_MAX: never. */
uint64_t refusals_next_ms(struct refusals *r, uint64_t now_ms);
/* How the group's log is; NULL: it is not one that was asked for. */
const struct refusals_log *refusals_log_find(const struct refusals *r, unsigned number);
/* Why it cannot be read: a sentence fragment. */
const char *refusals_log_text(const struct refusals_log *log);
/* The newest removal of an address that one of our names had and does not have now; NULL: none. */
const struct removal *refusals_left(
	const struct world *w, const struct history *h, const struct addr *destination);
void refusals_done(struct refusals *r);
