/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From answers and silence to the way of asking. */
#include "core/server_edns.h"

static void ask_without(struct server_edns *e, uint64_t now_ms)
{
	*e = (struct server_edns){.again_ms = now_ms + SERVER_EDNS_AGAIN_MS};
}

bool server_edns_take(struct server_edns *e, uint64_t now_ms)
{
	if (!e->again_ms)
		return !e->silent;
	if (now_ms < e->again_ms)
		return false;
	e->again_ms = now_ms + SERVER_EDNS_AGAIN_MS;
	return true;
}

void server_edns_note(
	struct server_edns *e, bool with, const struct server_reply *reply, uint64_t now_ms)
{
	if (with && (reply->no_edns || (reply->outcome == SERVER_GOOD && !reply->has_opt))) {
		ask_without(e, now_ms);
	} else if (with && reply->has_opt) {
		*e = (struct server_edns){0};
	} else if (!with && e->silent) {
		e->silent = false;
		e->doubt_ms = now_ms;
		if (++e->doubts >= SERVER_EDNS_DOUBTS_MAX)
			ask_without(e, now_ms);
	}
}

void server_edns_note_silence(struct server_edns *e, bool with, uint64_t asked_ms)
{
	if (asked_ms < e->doubt_ms)
		return;
	/* Without it as well: so it was not that. */
	e->silent = with;
}
