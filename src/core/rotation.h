#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names whose addresses come and go all day: instead of an entry each time, their changes are
 * gathered and told by the hour, none left out. Pure: the times are arguments.
 *
 * A name is judged in each set by itself. The change that comes when ROTATION_CHANGES are within an
 * hour already begins it. From then on there is a summary each hour, of every change with its time;
 * an hour with less than half of ROTATION_CHANGES is the last one. A summary that grows too large
 * is told before its hour is over. */
#include "allowsync/event.h"
#include "base/heap.h"
#include "base/map.h"
#include "base/strbuf.h"

enum {
	ROTATION_HOUR_MS = 3600 * 1000,
	ROTATION_CHANGES = 6,
	ROTATION_TEXT_MAX = 32 * 1024,      /* of one summary, but for its last change */
	ROTATION_ALL_MAX = 8 * 1024 * 1024, /* of all that are being gathered, likewise */
};

/* One name's changes in one set. */
struct rotation {
	struct heap_item due; /* the end of its hour; else when it is forgotten */
	char *key;
	char *vendor, *endpoint, *name, *set; /* owned */
	uint64_t recent_ms[ROTATION_CHANGES]; /* a ring: when it changed */
	size_t recent_at, recent_count;
	bool gathers;
	uint64_t since_ms; /* when this summary begins, and its hour */
	uint64_t hour_ms;
	unsigned hour_count; /* changes in this hour, of this summary or of one before */
	/* The summary so far: "2026-11-20T09:18:02Z 1234 +45.1.2.3, 45.1.2.4 -45.9.9.9; ...": the
	 * time, the generation of nf_tables, what entered and what left. */
	struct strbuf text;
	size_t count;               /* changes in `text` */
	size_t added, removed;      /* elements in it */
	uint32_t ttl_s, generation; /* as of the last change */
};

struct rotations {
	struct map by_key;
	struct heap due;
	size_t bytes; /* of all texts */
};

enum rotation_verdict {
	ROTATION_TELL,   /* it is to be told by itself */
	ROTATION_BEGINS, /* it is gathered, as the first one */
	ROTATION_GATHERED,
};

/* What is to be done about a change: an event of EVENT_CHANGED. `at`: its time, as text. */
enum rotation_verdict rotations_take(
	struct rotations *r, const struct event *e, const char *at, uint64_t now_ms);
/* When rotations_next_due() has something to do; UINT64_MAX: never. */
uint64_t rotations_next_ms(const struct rotations *r);
/* All summaries that are not empty are due now, as before an end or a reload. */
void rotations_hurry(struct rotations *r, uint64_t now_ms);
/* One whose summary is to be told now, or NULL. It is the caller's until rotations_told(). */
struct rotation *rotations_next_due(struct rotations *r, uint64_t now_ms);
/* Is this summary the last one, because it is calm again? */
bool rotation_ends(const struct rotation *o, uint64_t now_ms);
/* The summary was told: the next one begins. `o` may be gone afterwards. */
void rotations_told(struct rotations *r, struct rotation *o, uint64_t now_ms);
void rotations_done(struct rotations *r);
