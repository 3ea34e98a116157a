/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is asked of the running engine from outside: reload, diff, resolve, release. */
#include "base/strbuf.h"
#include "core/ruleset.h"
#include "daemon/engine_private.h"
#include "daemon/faults.h"
#include "daemon/refresh.h"
#include "edge/config_files.h"
#include "edge/flow_timeouts.h"
#include "edge/loop.h"
#include "edge/nft_conn.h"
#include "edge/nft_standing.h"
#include "edge/own_net.h"
#include "edge/resolver.h"
#include "edge/service.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

const struct world *engine_world(const struct engine *e)
{
	return e->world;
}

const struct history *engine_history(const struct engine *e)
{
	return &e->history;
}

const struct strings *engine_uplinks(const struct engine *e)
{
	static const struct strings none;

	return e->own_net ? own_net_uplinks(e->own_net) : &none;
}

const struct rules *engine_rules(const struct engine *e)
{
	return &e->rules;
}

char *engine_ruleset(const struct engine *e)
{
	_cleanup_(ruleset_standing_done) struct ruleset_standing standing = {0};
	_cleanup_(strings_done) struct strings policies = {0};
	struct ruleset_facts facts = {.outside = engine_uplinks(e)};

	/* What cannot be read is left out, and the text says so. */
	flow_timeouts_read(&facts.timeouts);
	if (nft_standing_look(e->rules.standing, nf_family_parse("inet"), RULESET_TABLE,
		    RULESET_PREFIX, &standing.chains, &standing.sets, &policies) == 0)
		facts.policies = policies;
	return ruleset_text(e->world->config, &facts);
}

const struct resolver *engine_resolver(const struct engine *e)
{
	return e->resolver;
}

const struct refusals *engine_refusals(const struct engine *e)
{
	return &e->refusals;
}

uint64_t engine_silent_ms(const struct engine *e)
{
	return e->outage.on ? e->outage.since_ms : 0;
}

uint64_t engine_started_ms(const struct engine *e)
{
	return e->started_ms;
}

uint64_t engine_commit_count(const struct engine *e)
{
	return nft_conn_commit_count(e->conn);
}

uint64_t engine_dump_count(const struct engine *e)
{
	return nft_conn_dump_count(e->conn);
}

void *engine_subscribe(struct engine *e, engine_event_fn fn, void *userdata)
{
	struct subscription *s = xcalloc(1, sizeof(*s));

	*s = (struct subscription){.next = e->subscriptions, .fn = fn, .userdata = userdata};
	e->subscriptions = s;
	return s;
}

void engine_unsubscribe(struct engine *e, void *subscription)
{
	for (struct subscription **at = &e->subscriptions; *at; at = &(*at)->next) {
		if (*at == subscription) {
			*at = (*at)->next;
			free(subscription);
			return;
		}
	}
}

static bool refuse_reload(struct engine *e, const char *why)
{
	_cleanup_free_ char *m = xasprintf("reload refused: %s; configuration %s stays in force",
		why, e->world->config->digest);

	engine_emit(e, &(struct event){
			       .kind = EVENT_RELOAD_REFUSED,
			       .priority = LOG_ERR,
			       .message = m,
			       .config = e->world->config->digest,
		       });
	service_ready(e->status ? e->status : "");
	return false;
}

/* Read aside, check, build, carry over, swap, commit; only then the old one goes. */
bool engine_reload(struct engine *e, struct diag_list *diags)
{
	struct config *config = NULL;
	struct resolver *resolver = NULL;

	service_reloading();
	config_load(e->options.root, diags, &config);
	faults_tell(diags, engine_emit, e);
	if (diags->errors) {
		_cleanup_free_ char *why =
			xasprintf("%zu error%s", diags->errors, diags->errors == 1 ? "" : "s");
		config_free(config);
		return refuse_reload(e, why);
	}
	int r = engine_open_resolver(e, config, &resolver);
	if (r < 0) {
		_cleanup_free_ char *why = xasprintf("resolver: %s", strerror(-r));
		diag_add(diags, DIAG_ERROR, (struct source){"allowsyncd.conf", 0}, "resolver", NULL,
			"%s", strerror(-r));
		config_free(config);
		return refuse_reload(e, why);
	}
	uint64_t now_ms = loop_now_ms();
	struct world *old = e->world;
	summaries_flush(&e->summaries, old->config->digest, now_ms);
	refusals_flush(&e->refusals, old, &e->history, now_ms);
	e->world = world_new(config, old->names.random_state, now_ms);
	e->world->outside = old->outside;
	world_carry_over(e->world, old, now_ms);
	refresh_judge_again(e->world, now_ms);
	rules_on_reload(&e->rules, e->world, now_ms);
	resolver_carry(resolver, e->resolver);
	engine_take_resolver(e, resolver);
	refusals_set_config(&e->refusals, config, now_ms);
	sync_turn(&e->sync, e->world, now_ms);
	summaries_flush(&e->summaries, config->digest, now_ms);
	world_free(old);
	e->effect_ms = now_ms;
	engine_keep_config(e);
	waits_end_all(&e->waits);
	_cleanup_free_ char *m = xasprintf(
		"configuration %s in force: vendors %zu, names %zu, sets %zu", config->digest,
		config->vendor_count, e->world->names.by_text.count, config->set_count);
	engine_emit(e, &(struct event){
			       .kind = EVENT_RELOADED,
			       .priority = LOG_NOTICE,
			       .message = m,
			       .config = config->digest,
		       });
	service_ready(e->status ? e->status : "");
	return true;
}

void engine_reload_on_hup(struct engine *e)
{
	_cleanup_(diag_list_done) struct diag_list diags = DIAG_LIST_NULL;

	engine_reload(e, &diags);
}

int engine_diff(struct engine *e, struct plan *ret)
{
	uint64_t now_ms = loop_now_ms();

	sync_look_again(e->world, now_ms);
	sync_look_due(&e->sync, e->world, now_ms);
	sync_plan(e->world, now_ms, ret);
	/* A turn without an event of its own would only come with the next question. */
	loop_timer_arm(e->timer, 0);
	return 0;
}

struct engine_wait *engine_resolve(
	struct engine *e, const char *name, engine_resolved_fn done, void *userdata)
{
	uint64_t now_ms = loop_now_ms();
	struct name *n = name ? names_find(&e->world->names, name) : NULL;
	size_t at = 0;

	if (name && !n)
		return NULL;
	if (!name)
		n = names_next(&e->world->names, &at);
	if (!n)
		return NULL;
	struct engine_wait *w = waits_add(&e->waits, done, userdata);
	for (; n; n = name ? NULL : names_next(&e->world->names, &at)) {
		for (int f = 0; f < FAMILY_COUNT; f++) {
			names_ask_now(&e->world->names, &n->families[f], now_ms);
			wait_for(w, n->text, (enum family)f);
		}
	}
	loop_timer_arm(e->timer, 0);
	return w;
}

void engine_resolve_cancel(struct engine *e, struct engine_wait *w)
{
	waits_cancel(&e->waits, w);
}

static size_t count_ours(const struct world *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->set_count; i++)
		n += w->sets[i].live.ours;
	return n;
}

static bool pause_vendor(struct world *w, const char *vendor)
{
	bool found = false;

	for (size_t i = 0; i < w->config->vendor_count; i++) {
		if (str_eq(w->config->vendors[i].name, vendor))
			found = w->vendor_paused[i] = w->rules_released[i] = true;
	}
	for (size_t i = 0; i < w->owner_count; i++) {
		if (w->owners[i]->retired || !str_eq(w->owners[i]->vendor, vendor))
			continue;
		w->owners[i]->paused = true;
		w->sets[w->owners[i]->set_index].frozen = false;
	}
	return found;
}

static void pause_set(struct world_set *set)
{
	set->paused = true;
	set->frozen = false;
	set->plan_all = true;
}

/* Does a paused set still hold something of ours, or is that not known? */
static bool is_unreleased(const struct world *w)
{
	for (size_t i = 0; i < w->set_count; i++) {
		const struct world_set *set = &w->sets[i];
		if (set->paused && (!set->looked || set->live.ours))
			return true;
	}
	return false;
}

int engine_release(struct engine *e, const char *target)
{
	struct world *w = e->world;
	struct world_set *set = target ? world_set_find(w, target) : NULL;
	uint64_t now_ms = loop_now_ms();

	if (!target) {
		for (size_t i = 0; i < w->set_count; i++)
			pause_set(&w->sets[i]);
		for (size_t i = 0; i < w->config->vendor_count; i++)
			w->rules_released[i] = true;
	} else if (set) {
		pause_set(set);
	} else if (!pause_vendor(w, target)) {
		return -ENOENT;
	}
	/* Also a set that is not due for a look, as it failed: this cannot wait. */
	sync_look_again(w, now_ms);
	sync_look_due(&e->sync, w, now_ms);
	size_t before = count_ours(w);
	refresh_release_paused(w);
	rules_again(&e->rules);
	sync_turn(&e->sync, w, now_ms);
	size_t after = count_ours(w);
	int gone = before > after ? (int)(before - after) : 0;
	_cleanup_free_ char *m = xasprintf("released %s: %d element%s removed; paused until the "
					   "next reload",
		target ? target : "everything", gone, gone == 1 ? "" : "s");
	engine_emit(e, &(struct event){
			       .kind = EVENT_RELEASED,
			       .priority = LOG_WARNING,
			       .message = m,
			       .set = set ? set->text : NULL,
			       .vendor = target && !set ? target : NULL,
			       .reason = "release",
			       .config = w->config->digest,
		       });
	return is_unreleased(w) ? -EBUSY : gone;
}
