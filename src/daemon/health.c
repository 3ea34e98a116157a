/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names that fail and recover. */
#include "daemon/health.h"

#include "base/strbuf.h"

#include <syslog.h>

/* "ixon, digi": the vendors that the name belongs to. */
static char *vendors_of(const struct name_feeds *feeds)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;

	for (size_t i = 0; i < feeds->count; i++) {
		bool seen = false;
		for (size_t j = 0; j < i && !seen; j++)
			seen = str_eq(feeds->owners[j]->vendor, feeds->owners[i]->vendor);
		if (!seen)
			strbuf_appendf(&b, "%s%s", b.len ? ", " : "", feeds->owners[i]->vendor);
	}
	return strbuf_take(&b);
}

static void tell_name(const struct sync *s, const struct world *w, const struct name_family *f,
	const struct name_feeds *feeds, enum event_kind kind, int priority, const char *text)
{
	_cleanup_free_ char *vendors = vendors_of(feeds);
	_cleanup_free_ char *m = xasprintf("%s: %s %s", vendors, f->name->text, text);

	s->emit(s->userdata, &(struct event){
				     .kind = kind,
				     .priority = priority,
				     .message = m,
				     .vendor = vendors,
				     .name = f->name->text,
				     .result = answer_outcome_name(f->outcome),
				     .ttl_s = f->ttl_s,
				     .config = w->config->digest,
			     });
}

void health_tell(const struct sync *s, const struct world *w, const struct name_family *f,
	const struct answer *a)
{
	struct name_feeds *feeds = f->name->userdata;
	enum name_health health = names_health(f->name);
	_cleanup_free_ char *text = NULL;

	if (!feeds || health == feeds->reported)
		return;
	size_t kept = f->name->families[FAMILY_V4].count + f->name->families[FAMILY_V6].count;
	switch (health) {
	case NAME_STOPPED:
		text = xasprintf("does not resolve (%s%s%s from %s): keeping its %zu address%s",
			answer_outcome_name(f->outcome), a->why ? ": " : "", a->why ? a->why : "",
			f->server ? f->server : "no server", kept, kept == 1 ? "" : "es");
		tell_name(s, w, f, feeds, EVENT_NAME_FAILING, LOG_WARNING, text);
		break;
	case NAME_NEVER:
		text = xasprintf("has never resolved (%s%s%s from %s)",
			answer_outcome_name(f->outcome), a->why ? ": " : "", a->why ? a->why : "",
			f->server ? f->server : "no server");
		tell_name(s, w, f, feeds, EVENT_NAME_NEVER, LOG_INFO, text);
		break;
	case NAME_OK:
		if (feeds->reported == NAME_STOPPED || feeds->reported == NAME_NEVER) {
			text = xasprintf("resolves again (%zu address%s, TTL %u s)", kept,
				kept == 1 ? "" : "es", f->ttl_s);
			tell_name(s, w, f, feeds, EVENT_NAME_RECOVERED, LOG_NOTICE, text);
		}
		break;
	case NAME_PENDING:
		return;
	}
	feeds->reported = health;
}
