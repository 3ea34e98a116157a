/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said of the rules of the managed table. */
#include "base/strbuf.h"
#include "core/ruleset.h"
#include "daemon/rules_private.h"
#include "edge/nft_standing.h"

#include <string.h>
#include <syslog.h>

const char *rules_state_name(enum rules_state s)
{
	static const char *const names[] = {
		"none", "by_hand", "paused", "waiting", "failed", "in_force"};

	return names[s];
}

char *rules_text(const struct rules *r)
{
	switch (r->state) {
	case RULES_NONE:
		return xstrdup("none");
	case RULES_BY_HAND:
		return xstrdup("loaded by hand (load = no)");
	case RULES_PAUSED:
		return xstrdup("paused, left as they are");
	case RULES_WAITING:
		return xasprintf("waiting for %s", r->why ? r->why : "the sets");
	case RULES_FAILED:
		return xasprintf("failed: %s", r->why ? r->why : "");
	case RULES_IN_FORCE:
		break;
	}
	return xstrdup("in force");
}

/* On one line, without the marks below a line that mean nothing there. */
static void append_said(struct strbuf *b, const char *said)
{
	enum { MAX = 600 };
	bool gap = false;

	for (; *said && b->len < MAX; said++) {
		if (strchr(" \t\r\n^~", *said)) {
			gap = true;
			continue;
		}
		if (gap && b->len)
			strbuf_append_char(b, ' ');
		gap = false;
		strbuf_append_escaped(b, said, 1);
	}
}

/* Which table it is that nft cannot read, as far as we know what it falls over. */
static void append_suspect(struct strbuf *b, struct nft_standing *standing)
{
	_cleanup_free_ char *set = NULL;

	if (nft_standing_find_last(standing, &set) == 0 && set)
		strbuf_appendf(b,
			": the elements of set %s have a statement \"last\", which this nft cannot "
			"read, whatever it is to load; whoever made that set has to remove it, or "
			"nft has to be a newer one",
			set);
	else
		strbuf_append(b, ": something in another table may be what it cannot read");
}

char *rules_why_failed(struct nft_standing *standing, const struct nft_text_end *end)
{
	struct strbuf b = STRBUF_NULL;

	switch (end->outcome) {
	case NFT_TEXT_LATE:
		strbuf_appendf(
			&b, "nft took longer than %d s and was ended", NFT_TEXT_DEADLINE_MS / 1000);
		break;
	case NFT_TEXT_KILLED:
		strbuf_appendf(&b, "nft was killed by signal %d (%s)", end->status,
			strsignal(end->status));
		append_suspect(&b, standing);
		break;
	case NFT_TEXT_DONE:
	case NFT_TEXT_REFUSED: {
		_cleanup_(strbuf_done) struct strbuf said = STRBUF_NULL;
		append_said(&said, end->said);
		strbuf_appendf(&b, "nft ended with status %d%s%s", end->status,
			said.len ? ": " : "", said.len ? strbuf_text(&said) : "");
		break;
	}
	}
	return strbuf_take(&b);
}

char *rules_why_no_child(int error)
{
	return xasprintf("%s cannot be run: %s", NFT_TEXT_PROGRAM, strerror(-error));
}

static void tell(const struct sync *s, const struct world *w, enum event_kind kind, int priority,
	const char *message)
{
	s->emit(s->userdata, &(struct event){
				     .kind = kind,
				     .priority = priority,
				     .message = message,
				     .generation = s->generation,
				     .config = w->config->digest,
			     });
}

void rules_tell_in_force(
	const struct rules *r, const struct sync *s, const struct world *w, bool stood)
{
	_cleanup_(ruleset_done) struct ruleset sets = ruleset_of(w->config);
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;
	const struct ruleset_facts facts = rules_facts(r, w);
	size_t vendors = 0;

	for (size_t i = 0; i < w->config->vendor_count; i++)
		vendors += ruleset_has_vendor(w->config, &w->config->vendors[i]) &&
			   !w->rules_released[i];
	strbuf_append(&b, "the rules of table inet " RULESET_TABLE);
	if (r->state == RULES_NONE)
		strbuf_append(&b, " are removed");
	else
		strbuf_appendf(&b, " are %sin force: vendors %zu, sets %zu", stood ? "still " : "",
			vendors, sets.count);
	if (ruleset_lengthens_not(w->config, &facts))
		strbuf_append(&b,
			"; timeouts of profiles are left out, as this kernel does not say "
			"how long it keeps flows, or cannot keep them for longer");
	if (r->deleted)
		strbuf_appendf(&b, "; deleted, as nothing needs it any more: %s", r->deleted);
	tell(s, w, EVENT_RULES_LOADED, LOG_NOTICE, strbuf_text(&b));
}

void rules_tell_failed(struct rules *r, const struct sync *s, const struct world *w)
{
	if (str_eq(r->told, r->why))
		return;
	free(r->told);
	r->told = xstrdup(r->why);
	_cleanup_free_ char *m = xasprintf(
		"the rules of table inet " RULESET_TABLE
		" could not be loaded: %s; what stands stays, the sets are kept true, and it is "
		"tried again",
		r->why);
	tell(s, w, EVENT_RULES_FAILED, LOG_ERR, m);
}

void rules_tell_not_kept(
	const struct sync *s, const struct world *w, const char *directory, int error)
{
	_cleanup_free_ char *m =
		xasprintf("%s/" RULES_FILE ": %s; the rules are in force all the "
			  "same, but after a boot they are not until the daemon has "
			  "started",
			directory, strerror(-error));

	s->emit(s->userdata, &(struct event){
				     .kind = EVENT_STATE_FAILED,
				     .priority = LOG_WARNING,
				     .message = m,
				     .config = w->config->digest,
			     });
}
