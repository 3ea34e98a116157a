/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is denied for a while. */
#include "daemon/denying.h"

#include "base/strbuf.h"
#include "core/limits.h"
#include "daemon/refresh.h"

#include <syslog.h>

static void fit(const struct sync *s, struct world *w, struct world_set *set, uint64_t now_ms)
{
	size_t max = set->keeper->from->addresses_max, wanted = denylist_count(&set->denied);

	refresh_limit_denied(w, set, max);
	size_t count = denylist_count(&set->denied);
	bool is_over = limits_is_over(set->denied.limited_ms, wanted, count, max);
	if (is_over == (set->denied.limited_ms != 0))
		return;
	set->denied.limited_ms = is_over ? now_ms : 0;
	_cleanup_free_ char *m =
		is_over ? xasprintf("%s: %s has had more addresses within 30 days than "
				    "max-addresses %zu: those that DNS gave least recently are "
				    "no longer denied",
				  set->keeper->vendor, set->keeper->endpoint->name, max)
			: xasprintf("%s: %s has room for more addresses to be denied again (%zu, "
				    "max-addresses %zu)",
				  set->keeper->vendor, set->keeper->endpoint->name, count, max);
	s->emit(s->userdata, &(struct event){
				     .kind = EVENT_LIMITED,
				     .priority = is_over ? LOG_WARNING : LOG_NOTICE,
				     .message = m,
				     .vendor = set->keeper->vendor,
				     .endpoint = set->keeper->endpoint->name,
				     .set = set->text,
				     .config = w->config->digest,
			     });
}

void denying_turn(const struct sync *s, struct world *w, struct world_set *set, uint64_t now_ms)
{
	if (set->kind.layout == SET_LAYOUT_UNKNOWN)
		return;
	refresh_expire_denied(w, set, now_ms);
	fit(s, w, set, now_ms);
	if (!set->denied_news)
		return;
	set->denied_news = false;
	refresh_keep_denied(w, set);
}
