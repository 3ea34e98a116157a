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

static size_t addresses_of(const struct name *n)
{
	return n->families[FAMILY_V4].count + n->families[FAMILY_V6].count;
}

void health_tell_name(const struct sync *s, const struct world *w, const struct name_family *f,
	const struct owner *only, enum event_kind kind, int priority, const char *text)
{
	_cleanup_free_ char *vendors = only ? xstrdup(only->vendor) : vendors_of(f->name->userdata);
	_cleanup_free_ char *m = xasprintf("%s: %s %s", vendors, f->name->text, text);

	s->emit(s->userdata, &(struct event){
				     .kind = kind,
				     .priority = priority,
				     .message = m,
				     .vendor = vendors,
				     .endpoint = only ? only->endpoint->name : NULL,
				     .name = f->name->text,
				     .result = answer_outcome_name(f->outcome),
				     .ttl_s = f->ttl_s,
				     .config = w->config->digest,
			     });
}

/* After the entry that it does not resolve. */
static void tell_gone(
	const struct sync *s, const struct world *w, const struct name_family *f, uint64_t now_ms)
{
	struct name_feeds *feeds = f->name->userdata;
	bool gone = names_is_gone(f->name);

	if (feeds->gone == gone)
		return;
	feeds->gone = gone;
	if (!gone)
		return; /* that it resolves again is said anyway */
	size_t kept = addresses_of(f->name);
	_cleanup_free_ char *left = kept ? xasprintf("its %zu address%s when the linger is over",
						   kept, kept == 1 ? " leaves" : "es leave")
					 : xstrdup("its addresses have left");
	_cleanup_free_ char *text = xasprintf("is gone: %s %u times in %llu s, at last from %s; %s",
		answer_outcome_name(f->outcome), f->negatives.count,
		(unsigned long long)((now_ms - f->negatives.first_ms) / 1000),
		f->server ? f->server : "no server", left);
	health_tell_name(s, w, f, NULL, EVENT_NAME_GONE, LOG_WARNING, text);
}

static void tell_health(const struct sync *s, const struct world *w, const struct name_family *f,
	const struct answer *a, bool refusal_told)
{
	struct name_feeds *feeds = f->name->userdata;
	enum name_health health = names_health(f->name);
	_cleanup_free_ char *text = NULL;

	if (health == feeds->reported)
		return;
	/* One entry is enough; but what was told of a part of earlier answers does not say that now
	 * nothing is left. */
	if (health != NAME_OK && refusal_told && a->outcome != ANSWER_OK) {
		feeds->reported = health;
		return;
	}
	size_t kept = addresses_of(f->name);
	switch (health) {
	case NAME_STOPPED:
		text = xasprintf("does not resolve (%s%s%s from %s): keeping its %zu address%s%s",
			answer_outcome_name(f->outcome), a->why ? ": " : "", a->why ? a->why : "",
			f->server ? f->server : "no server", kept, kept == 1 ? "" : "es",
			f->negatives.count ? " until that is confirmed" : "");
		health_tell_name(s, w, f, NULL, EVENT_NAME_FAILING, LOG_WARNING, text);
		break;
	case NAME_NEVER:
		text = xasprintf("has never resolved (%s%s%s from %s)",
			answer_outcome_name(f->outcome), a->why ? ": " : "", a->why ? a->why : "",
			f->server ? f->server : "no server");
		health_tell_name(s, w, f, NULL, EVENT_NAME_NEVER, LOG_INFO, text);
		break;
	case NAME_OK:
		if (feeds->reported == NAME_STOPPED || feeds->reported == NAME_NEVER) {
			text = xasprintf("resolves again (%zu address%s, TTL %u s)", kept,
				kept == 1 ? "" : "es", f->ttl_s);
			health_tell_name(s, w, f, NULL, EVENT_NAME_RECOVERED, LOG_NOTICE, text);
		}
		break;
	case NAME_PENDING:
		return;
	}
	feeds->reported = health;
}

void health_tell(const struct sync *s, const struct world *w, const struct name_family *f,
	const struct answer *a, bool refusal_told, uint64_t now_ms)
{
	if (!f->name->userdata)
		return;
	tell_health(s, w, f, a, refusal_told);
	tell_gone(s, w, f, now_ms);
}

void health_tell_stale(
	const struct sync *s, const struct world *w, const struct name_family *f, uint64_t now_ms)
{
	struct name_feeds *feeds = f->name->userdata;
	bool stale = names_is_stale(f, now_ms);

	if (!feeds || feeds->stale[f->family] == stale)
		return;
	bool told = feeds->stale[FAMILY_V4] || feeds->stale[FAMILY_V6];
	feeds->stale[f->family] = stale;
	if (!stale || told)
		return; /* that it resolves again is said anyway */
	size_t kept = addresses_of(f->name);
	_cleanup_free_ char *text = xasprintf(
		"has had no good answer for %llu h (%s from %s), longer than stale-max: its %zu "
		"address%s still allowed; see whether the name is still the vendor's",
		(unsigned long long)((now_ms - f->answered_ms) / 3600000),
		answer_outcome_name(f->outcome), f->server ? f->server : "no server", kept,
		kept == 1 ? " is" : "es are");
	health_tell_name(s, w, f, NULL, EVENT_NAME_STALE, LOG_ERR, text);
}
