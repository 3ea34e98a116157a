#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is it one name that nobody answers for, or does no DNS server answer at all? Pure: the time is an
 * argument (monotonic milliseconds).
 *
 * A question that met silence, with not a word to any other shortly before, is a suspicion. A
 * question that is asked then decides: silence to another name makes it an outage, any answer shows
 * that it is the name's own trouble. What was asked before that decides nothing: names of one zone
 * whose servers are dead meet silence together, and where thousands are asked at once most were
 * asked before the last answer came. An outage ends with the first answer, whatever it says. */
#include <stdbool.h>
#include <stdint.h>

enum {
	OUTAGE_NAME_SIZE = 256,
	OUTAGE_SHORTLY_MS = 1000, /* or half of what was waited, if that is less */
};

struct outage {
	uint64_t heard_ms; /* the last answer of any server; 0: none yet */
	uint64_t since_ms; /* the first silence that nobody broke; 0: none is suspected */
	uint64_t ended_ms; /* when the last outage was over; 0: there was none */
	bool on;
	char suspect[OUTAGE_NAME_SIZE]; /* the name that it began with */
};
#define OUTAGE_NULL ((struct outage){0})

enum outage_silence {
	OUTAGE_OF_NAME,   /* others are answered: it is about this name */
	OUTAGE_SUSPECTED, /* with this one: another name should be asked now */
	OUTAGE_UNDECIDED, /* still */
	OUTAGE_BEGINS,
	OUTAGE_GOES_ON, /* or it was asked while the last one was on: the next question tells */
};
/* No server answered a question for `name` that was asked at `asked_ms`. `alone`: there is no other
 * name that could decide. */
enum outage_silence outage_note_silence(
	struct outage *o, const char *name, bool alone, uint64_t asked_ms, uint64_t now_ms);

enum outage_answer {
	OUTAGE_NONE,
	OUTAGE_CLEARED, /* the suspicion was none: what it kept back is to be told */
	OUTAGE_ENDS,
};
/* A server answered something. `ret_since_ms`: of what ends, when it began. */
enum outage_answer outage_note_answer(struct outage *o, uint64_t now_ms, uint64_t *ret_since_ms);
