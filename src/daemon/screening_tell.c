/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the journal is told of addresses that are not used: once when it begins or changes, once
 * when it is over. */
#include "base/strbuf.h"
#include "daemon/health.h"
#include "daemon/screening.h"

#include <syslog.h>

/* --- that no owner of the name may have --- */

/* "If it is meant" names the first vendor: it is for the admin to say whose matter it is. */
static char *describe_refused(const struct name_family *f, const struct name_feeds *feeds,
	const struct answer *a, const struct screening *screening)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;
	char text[ADDR_TEXT_SIZE];

	if (a->outcome == ANSWER_MALFORMED)
		return xasprintf("answered with more than %d addresses: not used, %zu address%s "
				 "kept",
			ANSWER_ADDRESSES_MAX, f->count, f->count == 1 ? "" : "es");
	addr_format(&screening->first, text);
	if (screening->blocked) {
		strbuf_appendf(&b, "answered %s: the resolver blocks this name", text);
		if (f->count)
			strbuf_appendf(&b, "; its %zu address%s %s kept", f->count,
				f->count == 1 ? "" : "es", f->count == 1 ? "is" : "are");
		return strbuf_take(&b);
	}
	strbuf_appendf(&b, "answered %s (%s)", text, screening->rule);
	if (screening->refused > 1)
		strbuf_appendf(&b, " and %zu more like that", screening->refused - 1);
	strbuf_append(&b, ": not used");
	if (a->partial)
		strbuf_appendf(&b, ", the other %zu of this answer %s", a->count,
			a->count == 1 ? "is" : "are");
	strbuf_appendf(&b, ", %zu address%s kept", f->count, f->count == 1 ? "" : "es");
	_cleanup_free_ char *advice =
		screening_advice(feeds->owners[0], &screening->first, screening->rule);
	if (advice)
		strbuf_appendf(&b, ". If it is meant: %s", advice);
	return strbuf_take(&b);
}

bool screening_tell(const struct sync *s, const struct world *w, const struct name_family *f,
	const struct answer *a, const struct screening *screening)
{
	struct name_feeds *feeds = f->name->userdata;
	const char *rule = screening->refused ? screening->rule : NULL;
	bool too_many = answer_is_too_large(a);

	if (too_many)
		rule = ANSWER_TOO_MANY;
	if (screening->blocked)
		rule = "the resolver blocks it";
	/* Of the addresses that it has now only an answer with some tells. */
	if (!feeds || str_eq(feeds->refused[f->family], rule) ||
		(a->outcome != ANSWER_OK && a->outcome != ANSWER_SCREENED && !too_many))
		return false;
	bool over = feeds->refused[f->family] && !rule;
	feeds->refused[f->family] = rule;
	if (!rule && !over)
		return false;
	_cleanup_free_ char *text = over ? xstrdup("gives only addresses again that are used")
					 : describe_refused(f, feeds, a, screening);
	health_tell_name(
		s, w, f, NULL, EVENT_ANSWER_REFUSED, over ? LOG_NOTICE : LOG_WARNING, text);
	return !over;
}

/* --- that only some may have --- */

static struct feed_refusal *find_refusal(
	struct name_feeds *feeds, const struct owner *o, enum family family)
{
	for (size_t i = 0; i < feeds->refusal_count; i++) {
		if (feeds->refusals[i].family == family && feeds->refusals[i].owner == o)
			return &feeds->refusals[i];
	}
	return NULL;
}

struct partial {
	const char *rule; /* NULL: it may have all of them */
	struct addr first;
	size_t count;
};

static struct partial look(
	const struct world *w, const struct owner *o, const struct name_family *f)
{
	struct partial p = {0};

	for (size_t i = 0; i < f->count; i++) {
		const char *rule = screening_rule(w, o, &f->addresses[i].addr);
		if (!rule)
			continue;
		if (!p.count++) {
			p.rule = rule;
			p.first = f->addresses[i].addr;
		}
	}
	return p;
}

static char *describe_partial(const struct owner *o, const struct partial *p)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;
	_cleanup_free_ char *advice = screening_advice(o, &p->first, p->rule);
	char text[ADDR_TEXT_SIZE];

	strbuf_appendf(&b, "has %s (%s)", addr_format(&p->first, text), p->rule);
	if (p->count > 1)
		strbuf_appendf(&b, " and %zu more like that", p->count - 1);
	strbuf_appendf(&b, ": not used for %s/%s, only for others that have this name", o->vendor,
		o->endpoint->name);
	if (advice)
		strbuf_appendf(&b, ". If it is meant: %s", advice);
	return strbuf_take(&b);
}

static void tell_owner(const struct sync *s, const struct world *w, struct name_family *f,
	const struct owner *o, const struct partial *p)
{
	struct name_feeds *feeds = f->name->userdata;
	struct feed_refusal *told = find_refusal(feeds, o, f->family);

	if (str_eq(told ? told->rule : NULL, p->rule))
		return;
	if (!p->rule) {
		_cleanup_free_ char *text =
			xasprintf("has only addresses again that are used for %s/%s", o->vendor,
				o->endpoint->name);
		*told = feeds->refusals[--feeds->refusal_count];
		health_tell_name(s, w, f, o, EVENT_ANSWER_REFUSED, LOG_NOTICE, text);
		return;
	}
	if (told)
		told->rule = p->rule;
	else
		screening_note(feeds, o, f->family, p->rule);
	_cleanup_free_ char *text = describe_partial(o, p);
	health_tell_name(s, w, f, o, EVENT_ANSWER_REFUSED, LOG_WARNING, text);
}

void screening_tell_owners(const struct sync *s, const struct world *w, struct name_family *f)
{
	struct name_feeds *feeds = f->name->userdata;

	for (size_t i = 0; feeds && i < feeds->count; i++) {
		const struct owner *o = feeds->owners[i];
		struct partial p = look(w, o, f);
		if ((p.rule || feeds->refusal_count) && screening_speaks(feeds, o))
			tell_owner(s, w, f, o, &p);
	}
}
