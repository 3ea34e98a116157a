/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A server's runs of silence, of answers that others bettered, and its rests. */
#include "core/server_health.h"

static void rest(struct server_health *h, uint64_t now_ms)
{
	if (h->probe_ms)
		return;
	h->rest_ms = SERVER_REST_FIRST_MS;
	h->probe_ms = now_ms + h->rest_ms;
}

static void end_rest(struct server_health *h)
{
	h->probe_ms = 0;
	h->rest_ms = 0;
	h->probing = false;
}

/* Only a probe in vain makes the rest longer: while all servers rest they are asked as ever. */
static void rest_longer(struct server_health *h, uint64_t now_ms)
{
	if (!h->probing)
		return;
	h->probing = false;
	h->rest_ms *= 2;
	if (h->rest_ms > SERVER_REST_MAX_MS)
		h->rest_ms = SERVER_REST_MAX_MS;
	h->probe_ms = now_ms + h->rest_ms;
}

void server_health_note(struct server_health *h, enum server_outcome outcome, uint64_t now_ms)
{
	bool mute = outcome == SERVER_SILENT || outcome == SERVER_UNREACHABLE;

	h->tried = true;
	h->outcome = outcome;
	if (outcome == SERVER_GOOD) {
		h->good_ms = now_ms;
		h->failing_ms = 0;
		h->failures = h->silent = h->beaten = h->hasty = 0;
		end_rest(h);
		return;
	}
	if (!h->failing_ms)
		h->failing_ms = now_ms;
	if (h->failures < SERVER_FAILING_MIN)
		h->failures++;
	if (!mute)
		h->silent = h->hasty = 0;
	else if (h->silent < SERVER_SILENT_MAX)
		h->silent++;
	/* One that speaks again is asked again; what it says is another matter. */
	if (!mute && h->beaten < SERVER_BEATEN_MAX)
		end_rest(h);
	rest_longer(h, now_ms);
	if (h->silent >= SERVER_SILENT_MAX)
		rest(h, now_ms);
}

void server_health_note_beaten(struct server_health *h, uint64_t now_ms)
{
	if (h->beaten < SERVER_BEATEN_MAX)
		h->beaten++;
	if (h->beaten >= SERVER_BEATEN_MAX)
		rest(h, now_ms);
}

void server_health_note_hasty(struct server_health *h)
{
	if (h->hasty < SERVER_HASTY_MAX)
		h->hasty++;
}

bool server_health_take_time(struct server_health *h)
{
	/* It is known already. */
	if (h->probe_ms || h->hasty < SERVER_HASTY_MAX)
		return false;
	h->hasty = 0;
	return true;
}

bool server_health_rests(const struct server_health *h)
{
	return h->probe_ms;
}

bool server_health_take_probe(struct server_health *h, uint64_t now_ms)
{
	if (!h->probe_ms || now_ms < h->probe_ms)
		return false;
	/* The next one even if the outcome of this one never comes. */
	h->probing = true;
	h->probe_ms = now_ms + h->rest_ms;
	return true;
}

enum server_state server_health_state(const struct server_health *h)
{
	if (h->probe_ms)
		return SERVER_RESTING;
	if (h->failures >= SERVER_FAILING_MIN || (h->failures && !h->good_ms))
		return SERVER_FAILING;
	return h->tried ? SERVER_OK : SERVER_UNTRIED;
}

bool server_health_answered_lately(const struct server_health *h, uint64_t now_ms)
{
	return h->good_ms && now_ms - h->good_ms <= SERVER_RECENT_MS;
}

const char *server_state_name(enum server_state s)
{
	switch (s) {
	case SERVER_OK:
		return "ok";
	case SERVER_FAILING:
		return "failing";
	case SERVER_RESTING:
		return "resting";
	case SERVER_UNTRIED:
		break;
	}
	return "untried";
}

const char *server_outcome_name(enum server_outcome o)
{
	switch (o) {
	case SERVER_GOOD:
		return "good";
	case SERVER_SERVFAIL:
		return "SERVFAIL";
	case SERVER_REFUSED:
		return "REFUSED";
	case SERVER_MALFORMED:
		return "malformed";
	case SERVER_UNREACHABLE:
		return "unreachable";
	case SERVER_SILENT:
		break;
	}
	return "silent";
}
