/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens and closes what the engine works with, and wires it to the engine. */
#include "base/strbuf.h"
#include "daemon/accepted.h"
#include "daemon/engine_private.h"
#include "daemon/refresh.h"
#include "edge/file_watch.h"
#include "edge/journal.h"
#include "edge/loop.h"
#include "edge/nft_conn.h"
#include "edge/nft_mark.h"
#include "edge/nft_monitor.h"
#include "edge/nft_rules.h"
#include "edge/own_net.h"
#include "edge/resolver.h"
#include "edge/service.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <syslog.h>

static void on_timer(void *userdata)
{
	/* engine_turn() follows every event, and does the work. */
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

static void on_notice(void *userdata, const struct nft_notice *notice)
{
	struct engine *e = userdata;

	watch_on_notice(
		&e->watch, &e->sync, e->world, notice, nft_conn_portid(e->conn), loop_now_ms());
}

static void on_own_net(void *userdata, const struct addr_range *ranges, size_t count)
{
	struct engine *e = userdata;

	free(e->own_ranges);
	e->own_ranges = count ? xmemdup(ranges, count * sizeof(*ranges)) : NULL;
	e->world->own = (struct screen_own){e->own_ranges, count};
	e->world->outside = engine_uplinks(e);
	rules_again(&e->rules);
	e->own_told = true;
	refresh_judge_again(e->world, loop_now_ms());
	engine_tell_remote_servers(e);
}

/* Without it only what is special for everybody is refused. */
static void open_own_net(struct engine *e)
{
	int r = own_net_new(e->loop, on_own_net, e, &e->own_net);

	if (r < 0)
		journal_log(e->journal, LOG_WARNING,
			"rtnetlink: %s; answers that point into this router's own networks are not "
			"refused",
			strerror(-r));
}

static int open_nft(struct engine *e)
{
	int r = nft_conn_new(&e->conn);

	if (r == 0)
		r = nft_monitor_new(e->loop, on_notice, e, &e->sync.monitor);
	e->reader = nft_rules_new();
	e->mark_reader = nft_mark_new();
	endings_look(&e->endings, e->world, e->reader, e->started_ms);
	if (r < 0)
		journal_log(e->journal, LOG_ERR, "netlink sockets to nf_tables: %s%s", strerror(-r),
			r == -EPERM ? " (CAP_NET_ADMIN is needed)" : "");
	e->sync.conn = e->conn;
	return r;
}

static int engine_open(struct engine *e)
{
	int r = loop_new(&e->loop);

	if (r < 0)
		return r;
	rules_init(&e->rules, e->loop, NFT_TEXT_PROGRAM, e->options.state, e->started_ms);
	r = open_nft(e);
	if (r < 0)
		return r;
	struct resolver *resolver;
	r = engine_open_resolver(e, e->world->config, &resolver);
	if (r < 0) {
		journal_log(e->journal, LOG_ERR, "resolver: %s", strerror(-r));
		return r;
	}
	engine_take_resolver(e, resolver);
	open_own_net(e);
	engine_watch_resolv_conf(e);
	e->sync.history = &e->history;
	e->sync.emit = engine_emit;
	e->sync.userdata = e;
	saved_init(&e->saved, e->options.state, engine_emit, e);
	e->summaries.emit = engine_emit;
	e->summaries.userdata = e;
	refusals_init(&e->refusals, e->loop, engine_emit, e);
	refusals_set_config(&e->refusals, e->world->config, e->started_ms);
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

void engine_keep_config(struct engine *e)
{
	const struct config *c = e->world->config;
	/* What runs instead is the copy. */
	int r = c->instead ? 0 : accepted_keep(e->options.state, c);

	if (r < 0)
		journal_log(e->journal, LOG_WARNING,
			"no copy of the configuration could be kept in %s: %s; with broken files "
			"the "
			"next start would have none to run",
			e->options.state, strerror(-r));
}

int engine_new(const struct engine_options *o, struct config *config, struct engine **ret)
{
	struct engine *e = xcalloc(1, sizeof(*e));
	uint64_t seed = 0;

	e->options = *o;
	e->started_ms = loop_now_ms();
	e->effect_ms = e->started_ms;
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
	engine_keep_config(e);
	*ret = e;
	return 0;
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
	file_watch_free(e->resolv_conf);
	loop_timer_free(e->watchdog);
	loop_timer_free(e->timer);
	loop_signal_free(e->sigterm);
	loop_signal_free(e->sigint);
	loop_signal_free(e->sighup);
	nft_monitor_free(e->sync.monitor);
	nft_rules_free(e->reader);
	nft_mark_free(e->mark_reader);
	endings_done(&e->endings);
	rules_done(&e->rules);
	own_net_free(e->own_net);
	free(e->own_ranges);
	refusals_done(&e->refusals);
	loop_free(e->loop);
	nft_conn_free(e->conn);
	world_free(e->world);
	history_done(&e->history);
	saved_done(&e->saved);
	summaries_done(&e->summaries);
	journal_free(e->journal);
	free(e->status);
	free(e->remote);
	free(e);
	return NULL;
}
