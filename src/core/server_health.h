#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of a DNS server from what it said, and did not say. Pure: the time is an argument
 * (monotonic milliseconds).
 *
 * Silence is dear, so that a server that keeps silent *rests*: it is not asked while another one
 * is there, but for one question every so often (a probe), in ever longer intervals. SERVFAIL may
 * as well be about the name; a server rests for its answers only when others did better several
 * times in a row, for the same questions. One good answer ends every rest. */
#include <stdbool.h>
#include <stdint.h>

enum server_outcome {
	SERVER_GOOD, /* a whole answer that says something about the name */
	SERVER_SERVFAIL,
	SERVER_REFUSED,
	SERVER_MALFORMED, /* no answer that can be read, or a referral */
	SERVER_SILENT,
	SERVER_UNREACHABLE, /* the network says that nobody is there */
};

enum server_state {
	SERVER_UNTRIED,
	SERVER_OK,
	SERVER_FAILING, /* nothing good the last few times, and asked all the same */
	SERVER_RESTING,
};

enum {
	SERVER_SILENT_MAX = 3,       /* in a row: silent or unreachable */
	SERVER_BEATEN_MAX = 3,       /* in a row: another server knew better */
	SERVER_FAILING_MIN = 3,      /* in a row: anything that is not good */
	SERVER_HASTY_MAX = 8,        /* silence in haste since it last said anything */
	SERVER_REST_FIRST_MS = 1000, /* then doubled with each probe in vain */
	SERVER_REST_MAX_MS = 128000,
	SERVER_RECENT_MS = 3600 * 1000,
};

struct server_health {
	uint64_t good_ms;            /* the last good answer; 0: none yet */
	uint64_t failing_ms;         /* the first outcome since then that was not; 0: none */
	enum server_outcome outcome; /* the last one */
	bool tried;
	unsigned failures, silent, beaten; /* in a row */
	unsigned hasty;                    /* SERVER_HASTY_MAX */
	uint64_t probe_ms;                 /* 0: it does not rest; else when it may be asked */
	uint32_t rest_ms;                  /* between two probes */
	bool probing;                      /* the outcome of a probe is still to come */
};

void server_health_note(struct server_health *h, enum server_outcome outcome, uint64_t now_ms);
/* Another server gave a good answer to what this one could not answer. */
void server_health_note_beaten(struct server_health *h, uint64_t now_ms);
/* Silence to a question that had little time, which says nothing yet. */
void server_health_note_hasty(struct server_health *h);
/* True: there was so much of that, and nothing else, that the next question is to have all its
 * time. Else one that is dead would not be found out while everybody is in haste. */
bool server_health_take_time(struct server_health *h);
bool server_health_rests(const struct server_health *h);
/* True: it rests, and one question should go to it now; the next one only after a while. */
bool server_health_take_probe(struct server_health *h, uint64_t now_ms);
enum server_state server_health_state(const struct server_health *h);
/* Within the last hour. */
bool server_health_answered_lately(const struct server_health *h, uint64_t now_ms);

const char *server_state_name(enum server_state s);     /* "untried", "ok", "failing", "resting" */
const char *server_outcome_name(enum server_outcome o); /* "good", "SERVFAIL", "silent", ... */
