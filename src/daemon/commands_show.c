/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vendors, names and the whole as JSON. */
#include "daemon/commands_show.h"

#include "base/strbuf.h"
#include "daemon/effect.h"
#include "daemon/refresh.h"
#include "edge/resolver.h"

#include "build_config.h"

#include <jansson.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void add_once(json_t *array, const char *text)
{
	size_t i;
	const json_t *value;

	json_array_foreach(array, i, value) {
		if (str_eq(json_string_value(value), text))
			return;
	}
	json_array_append_new(array, show_text(text));
}

/* The earliest; 0 stands for none. */
static void keep_earliest(uint64_t *ms, uint64_t other_ms)
{
	if (other_ms && (!*ms || other_ms < *ms))
		*ms = other_ms;
}

struct json_t *show_address(const struct show_context *c, const struct name_address *a)
{
	json_t *json = json_object();
	char text[ADDR_TEXT_SIZE];

	show_put_text(json, "address", addr_format(&a->addr, text));
	show_put_count(json, "ttl", a->ttl_s);
	show_put_time(json, "first_seen", &c->clock, a->first_ms);
	show_put_time(json, "last_seen", &c->clock, a->last_ms);
	show_put_time(json, "missing", &c->clock, a->missing_ms);
	show_put_time(json, "leaves", &c->clock, a->leaves_ms);
	return json;
}

static json_t *show_family(
	const struct world *w, const struct show_context *c, const struct name_family *f)
{
	json_t *json = json_object(), *addresses = json_array();

	if (f->asked)
		show_put_text(json, "outcome", answer_outcome_name(f->outcome));
	if (f->answered)
		show_put_count(json, "ttl", f->ttl_s);
	show_put_time(json, "asked", &c->clock, f->asked_ms);
	show_put_time(json, "answered", &c->clock, f->answered_ms);
	if (heap_has(&f->ask))
		show_put_time(json, "next", &c->clock, f->ask.due_ms);
	show_put_count(json, "failures", f->failures);
	show_put_time(json, "failing", &c->clock, f->failing_since_ms);
	show_put_denials(json, &c->clock, f);
	show_put_refused(json, f);
	show_put_text(json, "chain", f->chain);
	show_put_text(json, "server", f->server);
	show_put_count(json, "linger", names_linger_ms(f, c->clock.now_ms) / 1000);
	for (size_t i = 0; i < f->count; i++) {
		json_t *address = show_address(c, &f->addresses[i]);
		show_put_not_for(address, w, f->name, &f->addresses[i].addr);
		json_array_append_new(addresses, address);
	}
	json_object_set_new(json, "addresses", addresses);
	return json;
}

struct json_t *show_name(const struct world *w, const struct show_context *c, const struct name *n)
{
	const struct name_feeds *feeds = n->userdata;
	json_t *json = json_object(), *endpoints = json_array(), *sets = json_array();

	for (size_t i = 0; feeds && i < feeds->count; i++) {
		const struct owner *o = feeds->owners[i];
		_cleanup_free_ char *endpoint = xasprintf("%s/%s", o->vendor, o->endpoint->name);
		add_once(endpoints, endpoint);
		add_once(sets, w->sets[o->set_index].text);
	}
	show_put_text(json, "name", n->text);
	json_object_set_new(json, "endpoints", endpoints);
	json_object_set_new(json, "sets", sets);
	show_put_text(json, "state", name_health_name(names_health(n)));
	json_object_set_new(json, "ipv4", show_family(w, c, &n->families[FAMILY_V4]));
	json_object_set_new(json, "ipv6", show_family(w, c, &n->families[FAMILY_V6]));
	show_put_denied(json, w, c, n);
	return json;
}

/* What the names of one vendor come to. */
struct tally {
	size_t names, addresses, ranges;
	size_t stopped, never;
	const char *first_stopped;
	const char *outcome; /* of that one, and why its answer is not used; NULL: there is none */
	const char *refused;
	size_t kept;     /* its addresses */
	bool first_gone; /* they leave or have left */
	size_t gone;     /* of the stopped */
	const char *first_never;
	size_t partial; /* those that resolve, to addresses of which some are not used */
	const char *first_partial, *partial_rule;
	size_t stale; /* of the stopped */
	const char *first_stale;
	uint64_t stale_ms; /* its last good answer */
	struct limited limited;
	uint64_t since_ms, changed_ms;
};

static void tally_stale(struct tally *t, const struct name *n)
{
	const struct name_feeds *feeds = n->userdata;

	for (int i = 0; feeds && i < FAMILY_COUNT; i++) {
		if (!feeds->stale[i])
			continue;
		if (!t->stale++) {
			t->first_stale = n->text;
			t->stale_ms = n->families[i].answered_ms;
		}
		return;
	}
}

static void take_outcome(struct tally *t, const struct name_family *f)
{
	const struct name_feeds *feeds = f->name->userdata;

	t->outcome = answer_outcome_name(f->outcome);
	t->refused = feeds ? feeds->refused[f->family] : NULL;
}

static void tally_name(struct tally *t, const struct name *n, struct map *seen)
{
	enum name_health health = names_health(n);
	bool first = health == NAME_STOPPED && !t->stopped, gone = names_is_gone(n);

	t->names++;
	t->stopped += health == NAME_STOPPED;
	t->never += health == NAME_NEVER;
	t->gone += gone;
	if (first) {
		t->first_stopped = n->text;
		t->first_gone = gone;
	}
	if (health == NAME_NEVER && !t->first_never)
		t->first_never = n->text;
	const char *rule = show_refused_rule(n);
	if (health == NAME_OK && rule && !t->partial++) {
		t->first_partial = n->text;
		t->partial_rule = rule;
	}
	for (int i = 0; i < FAMILY_COUNT; i++) {
		const struct name_family *f = &n->families[i];
		if (first && f->failing_since_ms)
			take_outcome(t, f);
		if (first)
			t->kept += f->count;
		for (size_t j = 0; j < f->count; j++) {
			const struct name_address *a = &f->addresses[j];
			map_put(seen, &a->addr, sizeof(a->addr), (void *)(uintptr_t)a);
			if (a->first_ms > t->changed_ms)
				t->changed_ms = a->first_ms;
		}
	}
	keep_earliest(&t->since_ms, names_failing_since_ms(n));
	tally_stale(t, n);
	show_count_limited(&t->limited, n);
}

static void tally_vendor(struct tally *t, const struct world *w, const struct show_context *c,
	const struct config_vendor *v)
{
	_cleanup_(map_done) struct map seen = MAP_NULL, names = MAP_NULL;

	*t = (struct tally){0};
	for (size_t i = 0; i < v->endpoint_count; i++) {
		const struct config_endpoint *e = &v->endpoints[i];
		t->ranges += e->address_count;
		for (size_t j = 0; j < e->names.count; j++) {
			struct name *n = names_find(&w->names, e->names.items[j]);
			if (n && !map_put(&names, n->text, strlen(n->text), n))
				tally_name(t, n, &seen);
		}
	}
	t->addresses = seen.count;
	t->limited.vendor_ms = w->loads[v - w->config->vendors].limited_ms;
	const struct removal *r;
	for (size_t i = 0; (r = history_get(c->history, i)); i++) {
		if (str_eq(r->vendor, v->name)) {
			if (r->at_ms > t->changed_ms)
				t->changed_ms = r->at_ms;
			break;
		}
	}
}

static char *stopped_text(const struct tally *t)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;

	strbuf_appendf(&b, "%s: %s", t->first_stopped, t->outcome ? t->outcome : "no answer");
	if (t->refused)
		strbuf_appendf(&b, " (%s)", t->refused);
	if (t->first_gone)
		strbuf_appendf(
			&b, ", for certain, its addresses %s", t->kept ? "leave" : "have left");
	else
		strbuf_appendf(&b, ", its %zu address%s kept", t->kept, t->kept == 1 ? "" : "es");
	if (t->stopped > 1)
		strbuf_appendf(
			&b, "; and %zu more name%s", t->stopped - 1, t->stopped == 2 ? "" : "s");
	return strbuf_take(&b);
}

static void add_vendor_notes(json_t *notes, const struct tally *t)
{
	if (t->never == 1)
		show_add_text(notes, xasprintf("%s has never resolved", t->first_never));
	else if (t->never)
		show_add_text(notes, xasprintf("%zu names have never resolved (%s, ...)", t->never,
					     t->first_never));
	if (t->partial)
		show_add_text(
			notes, xasprintf("%s%s: addresses that DNS gives are not used (%s), so "
					 "that what it gives no longer stays",
				       t->first_partial, t->partial == 1 ? "" : " and others",
				       t->partial_rule));
}

/* Is the entry of this vendor's profile, or of what an admin adds to it? */
static bool is_of(const struct set_refusal *r, const struct config_vendor *v)
{
	return v->profile->file && str_starts(r->at.file, v->profile->file);
}

static void add_vendor_set_problems(
	json_t *problems, const struct world *w, const struct config_vendor *v, uint64_t *since_ms)
{
	for (size_t i = 0; i < w->set_count; i++) {
		const struct world_set *set = &w->sets[i];
		size_t left_out = 0;
		if (!set->config || !strings_has(&set->config->vendors, v->name))
			continue;
		if (set->degraded) {
			show_add_text(problems, xasprintf("set %s: %s", set->text, set->degraded));
			keep_earliest(since_ms, set->degraded_ms);
		}
		for (size_t j = 0; j < set->refusal_count; j++)
			left_out += is_of(&set->refusals[j], v);
		if (left_out) {
			show_add_text(problems, xasprintf("set %s: %zu entr%s left out", set->text,
							left_out, left_out == 1 ? "y" : "ies"));
			keep_earliest(since_ms, w->loaded_ms);
		}
	}
}

static json_t *show_tallied(const struct world *w, const struct show_context *c,
	const struct config_vendor *v, const struct tally *t)
{
	json_t *json = json_object(), *problems = json_array(), *notes = json_array();
	uint64_t since_ms = t->since_ms;
	const char *state = "ok";

	if (t->stopped)
		show_add_text(problems, stopped_text(t));
	add_vendor_set_problems(problems, w, v, &since_ms);
	char *limited = show_limited(&t->limited, v);
	if (limited) {
		show_add_text(problems, limited);
		keep_earliest(&since_ms, show_limited_ms(&t->limited));
	}
	add_vendor_notes(notes, t);
	if (json_array_size(problems))
		state = "degraded";
	if (w->vendor_paused[v - w->config->vendors])
		state = "paused";
	if (world_vendor_is_ineffective(w, v)) {
		state = "ineffective";
		json_array_append_new(problems, show_text(world_vendor_lacks(w, v)));
	} else if (w->mark.ineffective && !config_has_set_for(w->config, v->name)) {
		state = "ineffective";
		json_array_append_new(problems, show_text(w->mark.text));
	}
	show_put_text(json, "name", v->name);
	show_put_text(json, "title", v->profile->title);
	show_put_text(json, "profile", v->profile->file ? v->profile->file : "");
	show_put_text(json, "read", v->profile->read);
	show_put_count(json, "names", t->names);
	show_put_count(json, "addresses", t->addresses);
	show_put_count(json, "static", t->ranges);
	show_put_text(json, "state", state);
	json_object_set_new(json, "problems", problems);
	show_put_time(json, "since", &c->clock, since_ms);
	json_object_set_new(json, "notes", notes);
	show_put_time(json, "changed", &c->clock, t->changed_ms);
	return json;
}

struct json_t *show_vendor(
	const struct world *w, const struct show_context *c, const struct config_vendor *v)
{
	struct tally t;

	tally_vendor(&t, w, c, v);
	return show_tallied(w, c, v, &t);
}

/* Consumes the text. */
static void add_degraded(json_t *list, const struct show_context *c, char *what, uint64_t since_ms)
{
	json_t *json = json_object();

	show_put_text(json, "what", what);
	show_put_time(json, "since", &c->clock, since_ms);
	json_array_append_new(list, json);
	free(what);
}

static void add_degraded_sets(json_t *list, const struct world *w, const struct show_context *c)
{
	for (size_t i = 0; i < w->set_count; i++) {
		const struct world_set *set = &w->sets[i];
		if (set->degraded)
			add_degraded(list, c, xasprintf("set %s: %s", set->text, set->degraded),
				set->degraded_ms);
		for (size_t j = 0; j < set->refusal_count; j++) {
			const struct set_refusal *r = &set->refusals[j];
			add_degraded(list, c,
				xasprintf("%s:%u: %s", r->at.file, r->at.line, r->text),
				w->loaded_ms);
		}
	}
}

/* For how long what stopped is allowed. */
static const char *until_text(const struct tally *t)
{
	if (t->gone == t->stopped)
		return ", gone for certain: what is left of it leaves when the linger is over";
	return t->gone ? ": some are gone for certain, the others stay allowed until they are, too"
		       : ": still allowed, until it is answered or denied for certain";
}

static void add_degraded_vendor(json_t *list, const struct show_context *c,
	const struct config_vendor *v, const struct tally *t)
{
	if (t->stale)
		add_degraded(list, c,
			xasprintf("STALE %s: %zu name%s without a good answer for longer than "
				  "stale-max (%s%s): still allowed, until DNS answers or "
				  "\"allowsyncctl release %s\"",
				v->name, t->stale, t->stale == 1 ? "" : "s", t->first_stale,
				t->stale == 1 ? "" : ", ...", v->name),
			t->stale_ms);
	if (t->stopped)
		add_degraded(list, c,
			xasprintf("%s: %zu name%s stopped resolving (%s%s)%s; why: "
				  "\"allowsyncctl show %s\"",
				v->name, t->stopped, t->stopped == 1 ? "" : "s", t->first_stopped,
				t->stopped == 1 ? "" : ", ...", until_text(t), t->first_stopped),
			t->since_ms);
	_cleanup_free_ char *limited = show_limited(&t->limited, v);
	if (limited)
		add_degraded(list, c, xasprintf("%s: %s", v->name, limited),
			show_limited_ms(&t->limited));
}

static json_t *show_paused(const struct world *w)
{
	json_t *list = json_array();

	for (size_t i = 0; i < w->config->vendor_count; i++) {
		if (w->vendor_paused[i])
			show_add_text(list, xasprintf("vendor %s", w->config->vendors[i].name));
	}
	for (size_t i = 0; i < w->set_count; i++) {
		if (w->sets[i].paused || w->sets[i].frozen)
			show_add_text(list, xasprintf("set %s", w->sets[i].text));
	}
	return list;
}

static json_t *show_notes(const struct world *w)
{
	json_t *list = json_array();

	for (size_t i = 0; i < w->set_count; i++) {
		if (w->sets[i].mixed)
			show_add_text(list,
				xasprintf("set %s holds bare addresses of different services: %s",
					w->sets[i].text, w->sets[i].mixed));
	}
	return list;
}

static json_t *show_config(const struct world *w, const struct show_context *c)
{
	json_t *json = json_object(), *files = json_array();

	show_put_text(json, "digest", w->config->digest);
	show_put_time(json, "loaded", &c->clock, w->loaded_ms);
	for (size_t i = 0; i < w->config->file_count; i++)
		json_array_append_new(files, show_text(w->config->files[i]));
	json_object_set_new(json, "files", files);
	return json;
}

static json_t *show_sets(const struct world *w, const struct show_context *c)
{
	json_t *json = json_object();
	size_t elements = 0, foreign = 0;
	uint64_t changed_ms = 0;
	bool in_step = true;

	for (size_t i = 0; i < w->set_count; i++) {
		const struct world_set *set = &w->sets[i];
		elements += set->live.ours;
		foreign += live_count(&set->live) - set->live.ours;
		in_step = in_step && set->present && !set->degraded && !set->wanted.dirty_count;
		if (set->last_change_ms > changed_ms)
			changed_ms = set->last_change_ms;
	}
	show_put_count(json, "count", w->set_count);
	show_put_count(json, "elements", elements);
	show_put_count(json, "foreign", foreign);
	json_object_set_new(json, "in_step", json_boolean(in_step));
	show_put_time(json, "changed", &c->clock, changed_ms);
	show_put_count(json, "commits", c->commits);
	show_put_count(json, "dumps", c->dumps);
	return json;
}

static json_t *show_effects(const struct world *w, bool *ret_missing)
{
	json_t *list = json_array();

	*ret_missing = false;
	for (size_t i = 0; i < w->set_count; i++) {
		const struct world_set *set = &w->sets[i];
		if (!set->config)
			continue;
		json_t *json = json_object();
		show_put_text(json, "set", set->text);
		json_object_set_new(json, "effect", show_effect(set));
		json_array_append_new(list, json);
		*ret_missing = *ret_missing || effect_is_missing(set);
	}
	return list;
}

struct json_t *show_status(const struct world *w, const struct show_context *c)
{
	json_t *json = json_object(), *vendors = json_array(), *ineffective = json_array();
	json_t *undone = json_array(), *degraded = json_array(), *paused = show_paused(w);
	bool unused, stale = false;
	json_t *effects = show_effects(w, &unused);
	const char *state = "healthy";

	for (size_t i = 0; i < w->config->vendor_count; i++) {
		const struct config_vendor *v = &w->config->vendors[i];
		struct tally t;
		tally_vendor(&t, w, c, v);
		json_array_append_new(vendors, show_tallied(w, c, v, &t));
		add_degraded_vendor(degraded, c, v, &t);
		stale = stale || t.stale;
		if (world_vendor_is_ineffective(w, v))
			json_array_append_new(ineffective, show_text(v->name));
	}
	for (size_t i = 0; i < w->config->undone_count; i++) {
		const struct config_undone *u = &w->config->undone[i];
		show_add_text(undone, xasprintf("%s:%u: %s", u->at.file, u->at.line, u->text));
	}
	if (w->config->instead)
		add_degraded(degraded, c,
			xasprintf("the files of the configuration are broken (%s; \"allowsyncd "
				  "--check\" names them): the one accepted last runs instead",
				w->config->instead),
			w->loaded_ms);
	add_degraded_sets(degraded, w, c);
	char *rules = show_rules_degraded(c);
	if (rules)
		add_degraded(degraded, c, rules, show_rules_since_ms(c));
	show_add_unread(degraded, w, c);
	if (!resolver_server_count(c->resolver))
		add_degraded(degraded, c, xstrdup("no DNS server is known"), w->loaded_ms);
	else if (c->silent_ms)
		add_degraded(degraded, c,
			xasprintf("no DNS server answers (asked: %s)",
				resolver_server_list(c->resolver)),
			c->silent_ms);
	if (json_array_size(degraded) || json_array_size(paused))
		state = "degraded";
	if (stale)
		state = "stale";
	if (json_array_size(ineffective) || unused || w->mark.ineffective)
		state = "ineffective";
	show_put_text(json, "version", ALLOWSYNCD_VERSION);
	show_put_count(json, "pid", (uint64_t)getpid());
	show_put_text(json, "state", state);
	json_object_set_new(json, "degraded", degraded);
	json_object_set_new(json, "ineffective", ineffective);
	json_object_set_new(json, "undone", undone);
	json_object_set_new(json, "notes", show_notes(w));
	json_object_set_new(json, "paused", paused);
	json_object_set_new(json, "effects", effects);
	show_put_rules(json, w, c);
	show_put_time(json, "now", &c->clock, c->clock.now_ms);
	show_put_time(json, "started", &c->clock, c->started_ms);
	json_object_set_new(json, "config", show_config(w, c));
	json_object_set_new(json, "resolver", show_resolver(w, c));
	json_object_set_new(json, "sets", show_sets(w, c));
	json_object_set_new(json, "devices", show_devices(w, c));
	json_object_set_new(json, "refused", show_refused(c));
	json_object_set_new(json, "vendors", vendors);
	return json;
}
