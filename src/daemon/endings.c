/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a chain that rejects now and did not before to the flows that end by it. */
#include "daemon/endings.h"

#include "base/strbuf.h"
#include "core/flows.h"
#include "daemon/refresh.h"
#include "edge/flow_paths.h"
#include "edge/flow_table.h"
#include "edge/nft_rules.h"

#include <string.h>
#include <syslog.h>

enum { PATIENCE_MS = 60 * 1000 };

/* --- which groups --- */

static const struct config_devices *group_named(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->devices_count; i++) {
		if (str_eq(c->devices[i].name, name))
			return &c->devices[i];
	}
	return NULL;
}

static bool is_to_end(const struct config *c, const char *name)
{
	const struct config_devices *d = group_named(c, name);

	return d && d->enforce && !d->keep_flows;
}

static void keep_pending(struct endings *d, const struct world *w)
{
	struct strings left = {0};

	for (size_t i = 0; i < d->pending.count; i++) {
		const char *name = d->pending.items[i];
		if (is_to_end(w->config, name) && strings_has(&d->enforced, name))
			strings_add(&left, name);
	}
	strings_done(&d->pending);
	d->pending = left;
}

bool endings_look(struct endings *d, const struct world *w, struct nft_rules *r, uint64_t now_ms)
{
	_cleanup_(strings_done) struct strings chains = {0};
	struct strings enforced = {0};

	if (w->config->devices_count && nft_rules_look_dropping(r, RULESET_TABLE, &chains) != 0)
		return false;
	for (size_t i = 0; i < w->config->devices_count; i++) {
		const char *name = w->config->devices[i].name;
		_cleanup_free_ char *chain = xasprintf(RULESET_GROUP "%s" RULESET_REFUSE, name);
		if (!w->config->devices[i].enforce || !strings_has(&chains, chain))
			continue;
		strings_add(&enforced, name);
		if (!d->looked || strings_has(&d->enforced, name) || !is_to_end(w->config, name) ||
			strings_has(&d->pending, name))
			continue;
		if (!d->pending.count)
			d->since_ms = now_ms;
		strings_add(&d->pending, name);
	}
	strings_done(&d->enforced);
	d->enforced = enforced;
	d->looked = true;
	return true;
}

/* --- which flows --- */

static bool is_there(const struct world_set *set)
{
	return set && set->present && set->kind.layout != SET_LAYOUT_UNKNOWN;
}

/* Not all that belongs into it is known. */
static bool is_awaited(const struct world *w, const struct world_set *set)
{
	_cleanup_free_ char *awaited = refresh_awaited(w, set);

	return awaited && awaited[0];
}

struct sweep {
	const struct world *world;
	const struct strings *pending;
	struct ruleset ruleset;
	/* Beside the rules' sets; NULL: not there. */
	const struct world_set **sets;
	bool *awaited;
	struct flow_paths *paths;
	size_t *ended; /* beside the configuration's groups */
};

static void take_sets(struct sweep *s, const struct world *w)
{
	struct map by_name = MAP_NULL;

	for (size_t i = 0; i < w->set_count; i++) {
		const struct world_set *set = &w->sets[i];
		if (set->config && set->config->managed && is_there(set))
			map_put(&by_name, set->id.name, strlen(set->id.name), &w->sets[i]);
	}
	s->sets = xcalloc(s->ruleset.count + 1, sizeof(struct world_set *));
	s->awaited = xcalloc(s->ruleset.count + 1, sizeof(*s->awaited));
	for (size_t i = 0; i < s->ruleset.count; i++) {
		const char *name = s->ruleset.sets[i].name;
		s->sets[i] = map_get(&by_name, name, strlen(name));
		s->awaited[i] = !s->sets[i] || is_awaited(w, s->sets[i]);
	}
	map_done(&by_name);
}

/* In the kernel, or about to be. What is not known is not held against the flow. */
static bool holds(void *userdata, const struct ruleset_set *s, const struct flow *f)
{
	const struct sweep *sweep = userdata;
	size_t i = (size_t)(s - sweep->ruleset.sets);
	const struct world_set *set = sweep->sets[i];
	struct wanted_piece piece;

	if (sweep->awaited[i] && s->way != RULESET_DENY)
		return true;
	if (!set)
		return false;
	const struct element_value value = {
		.addr = {f->destination, f->destination},
		.protocol_first = f->protocol,
		.protocol_last = f->protocol,
		.port_first = f->port,
		.port_last = f->port,
	};
	struct element_key key = element_key_encode(&set->kind, &value);
	if (live_find_covering(&set->live, &set->kind, &key))
		return true;
	return set->wanted.ranged ? wanted_piece_over(&set->wanted, &key, &piece)
				  : wanted_find(&set->wanted, &key) != NULL;
}

static bool on_flow(void *userdata, const struct flow *f)
{
	struct sweep *s = userdata;
	const struct config *c = s->world->config;
	struct flow_path path = {
		.from = flow_paths_interface(s->paths, &f->source),
		.to = flow_paths_interface(s->paths, &f->destination),
		.mac = flow_paths_mac(s->paths, &f->source),
	};
	const struct config_devices *d = flows_group_of(c, s->world->outside, f, &path);

	if (!d || !strings_has(s->pending, d->name) ||
		flows_may_begin(c, &s->ruleset, d, f, holds, s))
		return false;
	s->ended[d - c->devices]++;
	return true;
}

/* --- the sweep --- */

static void tell(const struct world *w, const struct config_devices *d, size_t ended, int error,
	sync_event_fn emit, void *userdata)
{
	_cleanup_free_ char *m =
		error < 0 ? xasprintf("[devices %s] is enforced, and flows of it that it may not "
				      "have could not all be ended: %s",
				    d->name, strerror(-error))
			  : xasprintf("[devices %s] is enforced: %zu flow%s ended that it may not "
				      "have",
				    d->name, ended, ended == 1 ? "" : "s");

	emit(userdata, &(struct event){
			       .kind = EVENT_FLOWS_ENDED,
			       .priority = error < 0 ? LOG_WARNING : LOG_NOTICE,
			       .message = m,
			       .reason = "enforce",
			       .config = w->config->digest,
			       .file = d->at.file,
			       .line = d->at.line,
		       });
}

static void sweep(
	const struct endings *d, const struct world *w, sync_event_fn emit, void *userdata)
{
	const struct config *c = w->config;
	struct sweep s = {.world = w, .pending = &d->pending};
	size_t all;
	int r = flow_paths_open(&s.paths);

	s.ruleset = ruleset_of(c);
	take_sets(&s, w);
	s.ended = xcalloc(c->devices_count + 1, sizeof(*s.ended));
	if (r == 0)
		r = flow_table_end(on_flow, &s, &all);
	for (size_t i = 0; i < c->devices_count; i++) {
		if (strings_has(&d->pending, c->devices[i].name))
			tell(w, &c->devices[i], s.ended[i], r, emit, userdata);
	}
	free(s.ended);
	free(s.sets);
	free(s.awaited);
	ruleset_done(&s.ruleset);
	flow_paths_close(s.paths);
}

/* Is all known that the pending groups may have? */
static bool is_ready(const struct endings *d, const struct world *w)
{
	for (size_t i = 0; i < w->set_count; i++) {
		const struct world_set *set = &w->sets[i];
		bool theirs = false;
		if (!set->config || !set->config->managed || set->config->denies)
			continue;
		for (size_t k = 0; k < d->pending.count && !theirs; k++) {
			const struct config_devices *g =
				group_named(w->config, d->pending.items[k]);
			theirs = g && strings_has(&g->vendors, set->config->vendors.items[0]);
		}
		if (theirs && (!is_there(set) || is_awaited(w, set)))
			return false;
	}
	return true;
}

void endings_turn(struct endings *d, const struct world *w, uint64_t now_ms, sync_event_fn emit,
	void *userdata)
{
	if (!d->pending.count)
		return;
	keep_pending(d, w); /* a reload may have changed what is to end */
	if (!d->pending.count || (!is_ready(d, w) && now_ms < d->since_ms + PATIENCE_MS))
		return;
	sweep(d, w, emit, userdata);
	strings_done(&d->pending);
	d->pending = (struct strings){0};
}

uint64_t endings_next_ms(const struct endings *d)
{
	return d->pending.count ? d->since_ms + PATIENCE_MS : UINT64_MAX;
}

void endings_done(struct endings *d)
{
	strings_done(&d->enforced);
	strings_done(&d->pending);
}
