#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is worth telling of a DNS server: that it rests, and that it is back. Once each; one that
 * rests and is back all the time is told of no more than every ten minutes. Pure: the time is an
 * argument (monotonic milliseconds). */
#include "core/server_health.h"

#include <stdbool.h>
#include <stdint.h>

enum { SERVER_NEWS_QUIET_MS = 600 * 1000 };

enum server_news_kind {
	SERVER_NEWS_NONE,
	SERVER_NEWS_FAILING, /* it rests, and others do not; since when is in failing_ms */
	SERVER_NEWS_BACK,    /* it gave a good answer; what was before is in failing_ms */
};

struct server_news {
	bool failing;        /* as it was told last */
	uint64_t failing_ms; /* since when; it stays until the next time */
	bool rests;          /* as it was seen last */
	uint64_t back_ms;    /* when a rest ended last; 0: never */
};

/* After something was noted of its health. `alone`: no other server is there that does not rest.
 * Then nothing begins, as that nobody answers at all is told otherwise (core/outage). */
enum server_news_kind server_news_look(
	struct server_news *n, const struct server_health *h, bool alone, uint64_t now_ms);
