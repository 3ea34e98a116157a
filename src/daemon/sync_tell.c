/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said of sets. */
#include "base/strbuf.h"
#include "daemon/sync_private.h"

#include <syslog.h>

enum { FOREIGN_SHOWN = 8, FOREIGN_INTERVAL_MS = 1000 };

void sync_tell_set(const struct sync *s, const struct world *w, const struct world_set *set,
	enum event_kind kind, int priority, const char *message)
{
	s->emit(s->userdata, &(struct event){
				     .kind = kind,
				     .priority = priority,
				     .message = message,
				     .set = set->text,
				     .config = w->config->digest,
				     .file = set->config ? set->config->at.file : NULL,
				     .line = set->config ? set->config->at.line : 0,
			     });
}

/* Said once for each reason. */
void sync_degrade(const struct sync *s, const struct world *w, struct world_set *set,
	uint64_t now_ms, const char *why)
{
	if (str_eq(set->degraded, why))
		return;
	free(set->degraded);
	set->degraded = xstrdup(why);
	set->degraded_ms = now_ms;
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;
	if (set->config)
		strbuf_appendf(&b, "%s:%u: [%s %s]: ", set->config->at.file, set->config->at.line,
			set->config->managed ? "vendor" : "set",
			set->config->managed ? set->config->vendors.items[0] : set->config->name);
	strbuf_appendf(&b, "set %s: %s; looking again", set->text, why);
	sync_tell_set(s, w, set, EVENT_SET_DEGRADED, LOG_WARNING, strbuf_text(&b));
}

void sync_recover(const struct sync *s, const struct world *w, struct world_set *set)
{
	set->look_failures = 0;
	if (!set->degraded || set->undoing.pause_ms)
		return;
	_cleanup_free_ char *m =
		xasprintf("set %s is in step again (was: %s)", set->text, set->degraded);
	free(set->degraded);
	set->degraded = NULL;
	sync_tell_set(s, w, set, EVENT_SET_RECOVERED, LOG_NOTICE, m);
}

void sync_tell_misfits(const struct sync *s, const struct world *w, const struct world_set *set)
{
	for (size_t i = 0; i < set->refusal_count; i++) {
		const struct set_refusal *r = &set->refusals[i];
		_cleanup_free_ char *m = xasprintf("%s:%u: %s", r->at.file, r->at.line, r->text);
		s->emit(s->userdata, &(struct event){
					     .kind = EVENT_SET_ENTRY_REFUSED,
					     .priority = LOG_WARNING,
					     .message = m,
					     .set = set->text,
					     .config = w->config->digest,
					     .file = r->at.file,
					     .line = r->at.line,
				     });
	}
	if (set->mixed) {
		_cleanup_free_ char *m = xasprintf(
			"set %s holds bare addresses, so each address is open to whatever its rule "
			"allows, but it takes endpoints of different services: %s; give them sets "
			"of their own, or a set of addr . proto . port",
			set->text, set->mixed);
		sync_tell_set(s, w, set, EVENT_SET_MIXED, LOG_WARNING, m);
	}
}

/* Not more than once a second: somebody may change the set all the time. */
void sync_tell_foreign(
	const struct sync *s, const struct world *w, struct world_set *set, uint64_t now_ms)
{
	size_t foreign = live_count(&set->live) - set->live.ours, shown = 0;
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;
	const struct live_element *e;
	char text[ELEMENT_TEXT_SIZE];

	if (foreign == set->foreign_reported || now_ms < set->foreign_next_ms)
		return;
	set->foreign_reported = foreign;
	set->foreign_next_ms = now_ms + FOREIGN_INTERVAL_MS;
	if (foreign)
		strbuf_appendf(&b, "set %s: %zu element%s not put there by us, %s:", set->text,
			foreign, foreign == 1 ? "" : "s",
			set->config && set->config->remove_foreign ? "removed unless wanted"
								   : "kept");
	else
		strbuf_appendf(&b, "set %s: every element is ours again", set->text);
	for (size_t at = 0; foreign && shown < FOREIGN_SHOWN && (e = live_next(&set->live, &at));) {
		if (e->ours)
			continue;
		const struct stranger *by = world_set_stranger(set, &e->key);
		strbuf_appendf(&b, "%s %s%s%s", shown++ ? "," : "",
			element_key_format(&set->kind, &e->key, text), by ? " by " : "",
			by ? by->by : "");
	}
	if (foreign > FOREIGN_SHOWN)
		strbuf_append(&b, ", ...");
	sync_tell_set(s, w, set, EVENT_FOREIGN, LOG_NOTICE, strbuf_text(&b));
}
