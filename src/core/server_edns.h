#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a DNS server is asked with EDNS (RFC 6891): with it, until it turns out that it does not
 * know it; then without, but for one question every so often, as it may have been replaced. Pure:
 * the time is an argument (monotonic milliseconds).
 *
 * A server says so by FORMERR, NOTIMP or BADVERS, by an answer that has no OPT record, or not at
 * all: some drop such questions, or what they say is dropped on the way. So when a question with
 * EDNS meets silence, the next one goes without; when that happens twice, and nothing came with
 * EDNS in between, that is the way to ask it. The second time is one that was asked after the
 * first: many at a time may be lost for one reason. */
#include "core/server_reply.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	SERVER_EDNS_SIZE = 1232, /* of answers over UDP: what passes everywhere in one piece */
	SERVER_EDNS_DOUBTS_MAX = 2,
	SERVER_EDNS_AGAIN_MS = 3600 * 1000,
};

struct server_edns {
	uint64_t again_ms; /* 0: with EDNS; else without, until then */
	unsigned doubts;   /* silence with EDNS and an answer without: how often in a row */
	uint64_t doubt_ms; /* the last time; 0: never */
	bool silent;       /* the last question with EDNS met silence */
};

/* Is the next question to have EDNS? When it is the one every so often: only that one. */
bool server_edns_take(struct server_edns *e, uint64_t now_ms);
/* What came of a question with or without EDNS. */
void server_edns_note(
	struct server_edns *e, bool with, const struct server_reply *reply, uint64_t now_ms);
void server_edns_note_silence(struct server_edns *e, bool with, uint64_t asked_ms);
