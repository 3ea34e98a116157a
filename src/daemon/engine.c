/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pipeline, in the order in which an address passes through it:
 *
 *	turn() ── names due ──► resolver ── on_reply() ──► answer ──► names ──► wanted (refresh)
 *	turn() ── wanted, live ──► plan ──► one batch ──► events (sync) ──► journal, monitor
 *
 * Everything else here opens, closes and wires. */
#include "daemon/engine.h"

#include "allowsync/answer.h"
#include "base/strbuf.h"
#include "daemon/engine_private.h"
#include "daemon/health.h"
#include "daemon/refresh.h"
#include "edge/journal.h"
#include "edge/loop.h"
#include "edge/nft_conn.h"
#include "edge/resolver.h"
#include "edge/service.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <syslog.h>

enum { STATUS_INTERVAL_MS = 1000 };

void engine_emit(void *engine, const struct event *event)
{
	struct engine *e = engine;
	struct subscription *next;

	journal_send(e->journal, event);
	e->news = true;
	for (struct subscription *s = e->subscriptions; s; s = next) {
		next = s->next; /* a subscriber may leave from its callback */
		s->fn(s->userdata, event);
	}
}

static void question_free(struct question *q)
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
	q->next = e->questions;
	q->back = &e->questions;
	if (q->next)
		q->next->back = &q->next;
	e->questions = q;
	resolver_ask(e->resolver, q->name, q->family, q);
}

static void apply_answer(
	struct engine *e, struct name_family *f, const struct answer *a, const char *server)
{
	struct name_changes changes = NAME_CHANGES_NULL;

	names_apply(&e->world->names, f, a, server, loop_now_ms(), &changes);
	refresh_apply(e->world, &changes);
	refresh_on_answer(e->world, f);
	name_changes_done(&changes);
	health_tell(&e->sync, e->world, f, a);
}

static void on_reply(void *userdata, const struct resolver_reply *reply)
{
	struct engine *e = userdata;
	struct question *q = reply->cookie;
	struct name *n = names_find(&e->world->names, q->name);
	struct answer a = ANSWER_NULL;
	bool again = n && n->families[q->family].ask_again;

	if (n) {
		if (reply->status == RESOLVER_ANSWERED)
			answer_parse(reply->message, reply->len, q->name, q->family, &a);
		else
			a = (struct answer){.outcome = ANSWER_TIMEOUT, .family = q->family};
		apply_answer(e, &n->families[q->family], &a, reply->server);
		answer_done(&a);
	}
	/* Whoever waits came when this question was under way: what changed since is in the next.
	 */
	if (!again)
		waits_on_reply(&e->waits, q->name, q->family);
	question_free(q);
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
	e->status = world_summary(e->world);
	if (e->ready)
		service_status(e->status);
	else
		service_ready(e->status);
	e->ready = true;
}

static void turn(void *userdata)
{
	struct engine *e = userdata;
	struct name_changes expired = NAME_CHANGES_NULL;
	struct name_family *f;

	if (e->reload_wanted) {
		e->reload_wanted = false;
		e->options.on_hup(e);
	}
	uint64_t now_ms = loop_now_ms();
	while ((f = names_take_due(&e->world->names, now_ms)))
		ask(e, f);
	names_expire(&e->world->names, now_ms, &expired);
	refresh_apply(e->world, &expired);
	name_changes_done(&expired);
	sync_turn(&e->sync, e->world, now_ms);
	tell_status(e, now_ms);

	uint64_t next = names_next_ms(&e->world->names), sync_next = sync_next_ms(e->world);
	if (sync_next < next)
		next = sync_next;
	if (e->news && e->status_ms < next)
		next = e->status_ms;
	now_ms = loop_now_ms();
	if (next != UINT64_MAX)
		loop_timer_arm(e->timer, next > now_ms ? next - now_ms : 0);
}

static void on_timer(void *userdata)
{
	/* turn() follows every event, and does the work. */
}

static void on_watchdog(void *userdata)
{
	struct engine *e = userdata;

	service_watchdog();
	loop_timer_arm(e->watchdog, service_watchdog_interval_ms());
}

static void on_stop(void *userdata)
{
	struct engine *e = userdata;

	loop_stop(e->loop);
}

static void on_hup(void *userdata)
{
	struct engine *e = userdata;

	e->reload_wanted = true;
}

int engine_open_resolver(struct engine *e, const struct config *c, struct resolver **ret)
{
	return resolver_new(e->loop, &c->resolver, e->options.resolv_conf, on_reply, e, ret);
}

void engine_take_resolver(struct engine *e, struct resolver *r)
{
	resolver_free(e->resolver);
	while (e->questions)
		question_free(e->questions);
	e->resolver = r;
	size_t skipped = r ? resolver_skipped_count(r) : 0;
	if (r && !resolver_server_count(r))
		engine_emit(
			e, &(struct event){
				   .kind = EVENT_RESOLVER,
				   .priority = LOG_ERR,
				   .message = "no resolver that can be used, neither in [resolver] "
					      "nor in resolv.conf: no name can be resolved",
			   });
	else if (skipped) {
		_cleanup_free_ char *m =
			xasprintf("%zu resolver%s cannot be used and %s not asked; "
				  "asked are: %s",
				skipped, skipped == 1 ? "" : "s", skipped == 1 ? "is" : "are",
				resolver_server_list(r));
		engine_emit(e, &(struct event){
				       .kind = EVENT_RESOLVER,
				       .priority = LOG_WARNING,
				       .message = m,
			       });
	}
}

static int engine_open(struct engine *e)
{
	int r = loop_new(&e->loop);

	if (r < 0)
		return r;
	r = nft_conn_new(&e->conn);
	if (r < 0) {
		journal_log(e->journal, LOG_ERR, "netlink socket to nf_tables: %s%s", strerror(-r),
			r == -EPERM ? " (CAP_NET_ADMIN is needed)" : "");
		return r;
	}
	struct resolver *resolver;
	r = engine_open_resolver(e, e->world->config, &resolver);
	if (r < 0) {
		journal_log(e->journal, LOG_ERR, "resolver: %s", strerror(-r));
		return r;
	}
	engine_take_resolver(e, resolver);
	e->sync = (struct sync){
		.conn = e->conn, .history = &e->history, .emit = engine_emit, .userdata = e};
	e->timer = loop_timer_new(e->loop, on_timer, e);
	e->sigterm = loop_signal_new(e->loop, SIGTERM, on_stop, e);
	e->sigint = loop_signal_new(e->loop, SIGINT, on_stop, e);
	e->sighup = loop_signal_new(e->loop, SIGHUP, on_hup, e);
	if (service_watchdog_interval_ms()) {
		e->watchdog = loop_timer_new(e->loop, on_watchdog, e);
		on_watchdog(e);
	}
	return 0;
}

int engine_new(const struct engine_options *o, struct config *config, struct engine **ret)
{
	struct engine *e = xcalloc(1, sizeof(*e));
	uint64_t seed = 0;

	e->options = *o;
	e->started_ms = loop_now_ms();
	e->journal = journal_new(o->force_stderr);
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = e->started_ms; /* it only spreads the questions a little */
	e->world = world_new(config, seed, e->started_ms);
	int r = engine_open(e);
	if (r < 0) {
		engine_free(e);
		return r;
	}
	_cleanup_free_ char *m = xasprintf("started: vendors %zu, names %zu, sets %zu, resolver %s",
		config->vendor_count, e->world->names.by_text.count, config->set_count,
		resolver_server_list(e->resolver));
	engine_emit(e, &(struct event){
			       .kind = EVENT_STARTED,
			       .priority = LOG_INFO,
			       .message = m,
			       .config = config->digest,
		       });
	*ret = e;
	return 0;
}

int engine_run(struct engine *e)
{
	int r = loop_run(e->loop, turn, e);

	service_stopping();
	engine_emit(e, &(struct event){
			       .kind = EVENT_STOPPED,
			       .priority = LOG_INFO,
			       .message = "stopped; the sets stay as they are",
			       .config = e->world->config->digest,
		       });
	return r;
}

struct loop *engine_loop(struct engine *e)
{
	return e->loop;
}

struct engine *engine_free(struct engine *e)
{
	if (!e)
		return NULL;
	waits_end_all(&e->waits);
	engine_take_resolver(e, NULL);
	loop_timer_free(e->watchdog);
	loop_timer_free(e->timer);
	loop_signal_free(e->sigterm);
	loop_signal_free(e->sigint);
	loop_signal_free(e->sighup);
	loop_free(e->loop);
	nft_conn_free(e->conn);
	world_free(e->world);
	history_done(&e->history);
	journal_free(e->journal);
	free(e->status);
	free(e);
	return NULL;
}
