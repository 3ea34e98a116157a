/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pipeline, in the order in which an address passes through it:
 *
 *	engine_turn() ── names due ──► resolver ── engine_on_reply() ──► names ──► wanted (refresh)
 *	engine_turn() ── wanted, live ──► plan ──► one batch ──► events (sync) ──► journal
 *
 * engine_open.c opens, closes and wires; engine_verbs.c is what is asked of it from outside. */
#include "daemon/engine.h"

#include "allowsync/answer.h"
#include "base/strbuf.h"
#include "core/answer_union.h"
#include "daemon/alarms.h"
#include "daemon/denying.h"
#include "daemon/effect.h"
#include "daemon/engine_private.h"
#include "daemon/health.h"
#include "daemon/mark.h"
#include "daemon/quota.h"
#include "daemon/refresh.h"
#include "daemon/screening.h"
#include "daemon/silence.h"
#include "edge/journal.h"
#include "edge/loop.h"
#include "edge/service.h"

#include <syslog.h>

enum {
	STATUS_INTERVAL_MS = 1000,
	EFFECT_DELAY_MS = 200,
	EFFECT_RETRY_MS = 1000,
	OWN_NET_WAIT_MS = 5000, /* from the start; a million routes are read in less */
};

void engine_emit(void *engine, const struct event *event)
{
	struct engine *e = engine;
	struct subscription *next;

	if (event->kind != EVENT_CHANGED || !summaries_take(&e->summaries, event, loop_now_ms()))
		journal_send(e->journal, event);
	e->news = true;
	for (struct subscription *s = e->subscriptions; s; s = next) {
		next = s->next; /* a subscriber may leave from its callback */
		s->fn(s->userdata, event);
	}
}

void engine_forget_question(struct question *q)
{
	*q->back = q->next;
	if (q->next)
		q->next->back = q->back;
	free(q->name);
	free(q);
}

static void ask(struct engine *e, const struct name_family *f)
{
	struct question *q = xcalloc(1, sizeof(*q));

	q->name = xstrdup(f->name->text);
	q->family = f->family;
	q->breadth = e->world->config->resolver.add_up || names_asks_every(f) ? RESOLVER_EVERY
									      : RESOLVER_FIRST;
	q->next = e->questions;
	q->back = &e->questions;
	if (q->next)
		q->next->back = &q->next;
	e->questions = q;
	resolver_ask(e->resolver, q->name, q->family, q->breadth, q);
}

static void apply_answer(
	struct engine *e, struct name_family *f, struct answer *a, const char *server)
{
	struct name_changes changes = NAME_CHANGES_NULL;
	struct screening screening;

	screening_take_out(e->world, f, a, &screening);
	struct alarms alarms = alarms_look(f, a, loop_now_ms());
	names_apply(&e->world->names, f, a, server, loop_now_ms(), &changes);
	quota_fit(&e->sync, e->world, f, &changes, loop_now_ms());
	refresh_apply(e->world, &changes);
	refresh_on_answer(e->world, f);
	denying_on_changes(&e->sync, e->world, &changes);
	alarms_tell(&e->sync, e->world, f, &alarms);
	name_changes_done(&changes);
	bool refusal_told = screening_tell(&e->sync, e->world, f, a, &screening);
	if (a->outcome == ANSWER_OK)
		screening_tell_owners(&e->sync, e->world, f);
	if (!silence_on_outcome(&e->outage, &e->sync, e->world, f, a,
		    resolver_server_list(e->resolver), loop_now_ms()))
		health_tell(&e->sync, e->world, f, a, refusal_told, loop_now_ms());
	health_tell_stale(&e->sync, e->world, f, loop_now_ms());
}

/* What the servers said as one answer, and who they are. */
static char *unite(const struct engine *e, const struct question *q,
	const struct resolver_reply *reply, struct answer *ret)
{
	_cleanup_(strbuf_done) struct strbuf servers = STRBUF_NULL;
	struct answer parts[CONFIG_SERVERS_MAX];
	bool every = reply->every;
	uint64_t from;

	for (size_t i = 0; i < reply->count; i++) {
		const struct resolver_message *m = &reply->messages[i];
		answer_parse(m->bytes, m->len, q->name, q->family, &parts[i]);
		/* Whoever is heard well and cannot be read has said nothing. */
		every = every && !(m->good && parts[i].outcome == ANSWER_MALFORMED);
	}
	answer_union(parts, reply->count, e->world->config->resolver.add_up, every, ret, &from);
	ret->family = q->family;
	for (size_t i = 0; i < reply->count; i++) {
		if (from >> i & 1)
			strbuf_appendf(&servers, "%s%s", servers.len ? ", " : "",
				reply->messages[i].server);
		answer_done(&parts[i]);
	}
	return xstrdup(servers.len ? strbuf_text(&servers) : reply->server);
}

void engine_on_reply(void *userdata, const struct resolver_reply *reply)
{
	struct engine *e = userdata;
	struct question *q = reply->cookie;
	struct name *n = names_find(&e->world->names, q->name);
	struct answer a = ANSWER_NULL;
	bool again = n && n->families[q->family].ask_again;

	if (n) {
		_cleanup_free_ char *server = unite(e, q, reply, &a);
		apply_answer(e, &n->families[q->family], &a, server);
		answer_done(&a);
	}
	/* Whoever waits came when this question was under way: what changed since is in the next.
	 */
	if (!again)
		waits_on_reply(&e->waits, q->name, q->family);
	engine_forget_question(q);
}

/* At most once a second: the summary walks over all names, and sd_notify() waits for a manager that
 * does not read. */
static void tell_status(struct engine *e, uint64_t now_ms)
{
	if (e->ready && (!e->news || now_ms < e->status_ms))
		return;
	e->news = false;
	e->status_ms = now_ms + STATUS_INTERVAL_MS;
	free(e->status);
	e->status = world_summary(e->world, e->outage.on);
	if (e->ready)
		service_status(e->status);
	else
		service_ready(e->status);
	e->ready = true;
}

/* A ruleset that is being loaded is looked at once, when it has settled. */
static void look_at_effect(struct engine *e, uint64_t now_ms)
{
	if ((e->watch.rules_changed || effect_is_due(e->world)) && !e->effect_ms)
		e->effect_ms = now_ms + EFFECT_DELAY_MS;
	e->watch.rules_changed = false;
	if (!e->effect_ms || now_ms < e->effect_ms)
		return;
	bool done = effect_look(e->world, e->reader, engine_emit, e);
	done = mark_look(
		       e->world, e->mark_reader, rules_mark(&e->rules, e->world), engine_emit, e) &&
	       done;
	done = endings_look(&e->endings, e->world, e->reader, now_ms) && done;
	e->effect_ms = done ? 0 : now_ms + EFFECT_RETRY_MS;
}

/* Until it is known where this router is itself, an answer that points there would be used. */
static bool may_ask(const struct engine *e, uint64_t now_ms)
{
	return e->own_told || !e->own_net || now_ms >= e->started_ms + OWN_NET_WAIT_MS;
}

void engine_turn(void *userdata)
{
	struct engine *e = userdata;
	struct name_changes expired = NAME_CHANGES_NULL;
	struct name_family *f;

	if (e->reload_wanted) {
		e->reload_wanted = false;
		e->options.on_hup(e);
	}
	uint64_t now_ms = loop_now_ms();
	bool asks = may_ask(e, now_ms);
	while (asks && (f = names_take_due(&e->world->names, now_ms)))
		ask(e, f);
	names_expire(&e->world->names, now_ms, &expired);
	refresh_apply(e->world, &expired);
	name_changes_done(&expired);
	sync_turn(&e->sync, e->world, now_ms);
	/* Where the outside is decides whom rules confine. */
	if (asks)
		rules_turn(&e->rules, &e->sync, &e->watch, e->world, now_ms);
	look_at_effect(e, now_ms);
	bool stand = rules_stand(&e->rules);
	if (stand)
		endings_turn(&e->endings, e->world, now_ms, engine_emit, e);
	summaries_turn(&e->summaries, e->world->config->digest, now_ms);
	refusals_turn(&e->refusals, e->world, &e->history, now_ms);
	tell_status(e, now_ms);
	saved_turn(&e->saved, e->world, now_ms);

	uint64_t next = asks ? names_next_ms(&e->world->names) : e->started_ms + OWN_NET_WAIT_MS;
	uint64_t sync_next = sync_next_ms(e->world);
	if (sync_next < next)
		next = sync_next;
	if (asks && rules_next_ms(&e->rules) < next)
		next = rules_next_ms(&e->rules);
	if (e->effect_ms && e->effect_ms < next)
		next = e->effect_ms;
	if (stand && endings_next_ms(&e->endings) < next)
		next = endings_next_ms(&e->endings);
	if (e->news && e->status_ms < next)
		next = e->status_ms;
	if (saved_next_ms(&e->saved) < next)
		next = saved_next_ms(&e->saved);
	if (summaries_next_ms(&e->summaries) < next)
		next = summaries_next_ms(&e->summaries);
	uint64_t refusals_next = refusals_next_ms(&e->refusals, now_ms);
	if (refusals_next < next)
		next = refusals_next;
	now_ms = loop_now_ms();
	if (next != UINT64_MAX)
		loop_timer_arm(e->timer, next > now_ms ? next - now_ms : 0);
}

int engine_run(struct engine *e)
{
	int r = loop_run(e->loop, engine_turn, e);

	service_stopping();
	saved_flush(&e->saved, e->world, loop_now_ms());
	summaries_flush(&e->summaries, e->world->config->digest, loop_now_ms());
	refusals_flush(&e->refusals, e->world, &e->history, loop_now_ms());
	engine_emit(e, &(struct event){
			       .kind = EVENT_STOPPED,
			       .priority = LOG_INFO,
			       .message = "stopped; the sets stay as they are",
			       .config = e->world->config->digest,
		       });
	return r;
}
