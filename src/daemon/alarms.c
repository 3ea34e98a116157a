/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Most addresses replaced, an alias that moved. */
#include "daemon/alarms.h"

#include "base/strbuf.h"
#include "core/turnover.h"
#include "daemon/health.h"

#include <syslog.h>

/* Notes that it is told now. */
static bool is_time(uint64_t *told_ms, uint64_t now_ms)
{
	if (*told_ms && now_ms - *told_ms < TURNOVER_INTERVAL_MS)
		return false;
	*told_ms = now_ms ? now_ms : 1;
	return true;
}

static char *describe_replaced(const struct name_family *f, const struct turnover *t)
{
	const struct name_feeds *feeds = f->name->userdata;

	return xasprintf(
		"replaced %zu of its %zu addresses in one answer, and %zu of the %zu that it gives "
		"now were not known: they are allowed, and the others leave as always; if it is "
		"not the vendor's doing: allowsyncctl release %s",
		t->gone, t->before, t->unknown, t->given, feeds->owners[0]->vendor);
}

static char *describe_moved(const struct name_family *f, const struct answer *a)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;

	strbuf_appendf(&b, "is an alias into another domain now: %s", f->name->text);
	for (size_t i = 0; i < a->chain_len; i++)
		strbuf_appendf(&b, " -> %s", a->chain[i]);
	strbuf_appendf(&b, "; before: %s%s%s", f->name->text, f->chain ? " -> " : "",
		f->chain ? f->chain : "");
	return strbuf_take(&b);
}

struct alarms alarms_look(const struct name_family *f, const struct answer *a, uint64_t now_ms)
{
	struct name_feeds *feeds = f->name->userdata;
	struct turnover t = turnover_of(f, a);
	struct alarms alarms = {0};

	if (!feeds)
		return alarms;
	if (turnover_is_most(&t) && is_time(&feeds->replaced_ms, now_ms))
		alarms.replaced = describe_replaced(f, &t);
	if (turnover_moves_domain(f, a) && is_time(&feeds->moved_ms, now_ms))
		alarms.moved = describe_moved(f, a);
	return alarms;
}

void alarms_tell(const struct sync *s, const struct world *w, const struct name_family *f,
	struct alarms *alarms)
{
	if (alarms->replaced)
		health_tell_name(
			s, w, f, NULL, EVENT_ANSWER_REPLACED, LOG_WARNING, alarms->replaced);
	if (alarms->moved)
		health_tell_name(s, w, f, NULL, EVENT_ALIAS_MOVED, LOG_NOTICE, alarms->moved);
	free(alarms->replaced);
	free(alarms->moved);
}
