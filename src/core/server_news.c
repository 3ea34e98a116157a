/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From rests to news. */
#include "core/server_news.h"

/* Not for a rest right behind another one, unless it lasts. */
static bool is_due(const struct server_news *n, uint64_t now_ms)
{
	return !n->back_ms || now_ms - n->back_ms >= SERVER_NEWS_QUIET_MS;
}

enum server_news_kind server_news_look(
	struct server_news *n, const struct server_health *h, bool alone, uint64_t now_ms)
{
	bool rests = server_health_rests(h);

	if (n->rests && !rests)
		n->back_ms = now_ms;
	n->rests = rests;
	if (rests && !alone && !n->failing && is_due(n, now_ms)) {
		n->failing = true;
		n->failing_ms = h->failing_ms ? h->failing_ms : now_ms;
		return SERVER_NEWS_FAILING;
	}
	/* A poor answer ends a rest as well, and is no good news. */
	if (!rests && n->failing && h->outcome == SERVER_GOOD) {
		n->failing = false;
		return SERVER_NEWS_BACK;
	}
	return SERVER_NEWS_NONE;
}
