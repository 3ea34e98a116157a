/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Silence, compared with what was heard. */
#include "core/outage.h"

#include "base/strbuf.h"

#include <stdio.h>

static bool was_heard_shortly(const struct outage *o, uint64_t asked_ms, uint64_t now_ms)
{
	uint64_t shortly_ms = (now_ms - asked_ms) / 2;

	if (shortly_ms > OUTAGE_SHORTLY_MS)
		shortly_ms = OUTAGE_SHORTLY_MS;
	return o->heard_ms && now_ms - o->heard_ms <= shortly_ms;
}

enum outage_silence outage_note_silence(
	struct outage *o, const char *name, bool alone, uint64_t asked_ms, uint64_t now_ms)
{
	if (o->on)
		return OUTAGE_GOES_ON;
	/* What was lost in the last one comes to nothing after its end as well. */
	if (o->ended_ms && o->ended_ms >= asked_ms)
		return OUTAGE_GOES_ON;
	if (was_heard_shortly(o, asked_ms, now_ms))
		return OUTAGE_OF_NAME;
	bool first = !o->since_ms;
	if (first) {
		o->since_ms = now_ms ? now_ms : 1;
		snprintf(o->suspect, sizeof(o->suspect), "%s", name);
	}
	if (!alone && first)
		return OUTAGE_SUSPECTED;
	if (!alone && (asked_ms < o->since_ms || str_eq(o->suspect, name)))
		return OUTAGE_UNDECIDED;
	o->on = true;
	return OUTAGE_BEGINS;
}

enum outage_answer outage_note_answer(struct outage *o, uint64_t now_ms, uint64_t *ret_since_ms)
{
	enum outage_answer answer = o->on         ? OUTAGE_ENDS
				    : o->since_ms ? OUTAGE_CLEARED
						  : OUTAGE_NONE;

	if (answer != OUTAGE_NONE)
		*ret_since_ms = o->since_ms;
	uint64_t heard_ms = now_ms ? now_ms : 1;
	*o = (struct outage){.heard_ms = heard_ms, .ended_ms = o->on ? heard_ms : o->ended_ms};
	return answer;
}
