/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The endpoints of a vendor's page one by one: what is carried out, what is not and why, and every
 * note. */
#include "base/strbuf.h"
#include "core/expand.h"
#include "core/ruleset.h"
#include "daemon/commands_private.h"
#include "daemon/commands_show_page.h"
#include "daemon/screening.h"

#include <jansson.h>
#include <netinet/in.h>
#include <string.h>

enum { PIECE = 500 }; /* destinations in one reply */

/* Is this entry the admin's, though its endpoint may be the page's? By a variable, or in a file. */
static void put_set_by(json_t *json, const struct config_vendor *v, const struct profile_text *from)
{
	size_t at = 0;
	char word[32];

	if (!show_is_packaged(&from->at)) {
		show_put_place(json, "set_by", &from->at);
		return;
	}
	while (expand_next_word(from->text, &at, word)) {
		if (profile_variable(v->profile, word)) {
			show_put_text(json, "set_by", word);
			return;
		}
	}
}

/* What one of them is in the configuration. `chosen`: NULL, it is not. */
struct line {
	const struct world *w;
	const struct config_vendor *v;
	const struct endpoint *e;
	const struct config_choice *choice;
	const struct config_endpoint *chosen;
};

static struct line find_line(const struct world *w, const struct config_vendor *v, size_t index)
{
	struct line l = {w, v, &v->profile->endpoints[index], &v->choices[index], NULL};

	for (size_t i = 0; i < v->endpoint_count && !l.chosen; i++) {
		if (v->endpoints[i].endpoint == l.e)
			l.chosen = &v->endpoints[i];
	}
	return l;
}

static json_t *show_lacks(const struct line *l)
{
	json_t *list = json_array();
	_cleanup_free_ char *roles = strings_join(&l->e->roles, ", ");
	_cleanup_free_ char *regions = strings_join(&l->e->regions, ", ");

	if (l->choice->lacks & CONFIG_LACK_NAME)
		show_add_text(list, xasprintf("off by default: takes endpoint = %s", l->e->name));
	if (l->choice->lacks & CONFIG_LACK_ROLE)
		show_add_text(list, xasprintf("for role = %s, which is not chosen", roles));
	if (l->choice->lacks & CONFIG_LACK_REGION)
		show_add_text(list, xasprintf("for region = %s, which is not chosen", regions));
	for (size_t i = 0; i < l->choice->unset.count; i++)
		show_add_text(
			list, xasprintf("needs %s =, which is not set", l->choice->unset.items[i]));
	return list;
}

static json_t *show_services(const struct endpoint *e)
{
	json_t *list = json_array();
	char text[SERVICE_TEXT_SIZE];

	for (size_t i = 0; i < e->service_count; i++)
		json_array_append_new(list, show_text(service_format(&e->services[i], text)));
	return list;
}

static const struct name *name_of(const struct line *l, const char *text)
{
	return names_find(&l->w->names, text);
}

/* Through whom the endpoint has the name's addresses; NULL: no set takes it, so nobody asks. */
static const struct owner *owner_of(const struct line *l, const struct name *n)
{
	const struct name_feeds *feeds = n->userdata;

	for (size_t i = 0; feeds && i < feeds->count; i++) {
		if (feeds->owners[i]->endpoint == l->e)
			return feeds->owners[i];
	}
	return NULL;
}

static void add_never(json_t *notes, const struct line *l)
{
	for (size_t i = 0; l->chosen && l->e->replaced_by && i < l->chosen->names.count; i++) {
		const struct name *n = name_of(l, l->chosen->names.items[i]);
		if (n && owner_of(l, n) && names_health(n) == NAME_NEVER)
			show_add_text(
				notes, xasprintf("%s has never resolved, which is no fault: %s is "
						 "in its place",
					       n->text, l->e->replaced_by));
	}
}

static json_t *show_notes(const struct line *l)
{
	json_t *list = json_array();

	for (size_t i = 0; i < l->e->notes.count; i++)
		json_array_append_new(list, show_text(l->e->notes.items[i]));
	add_never(list, l);
	return list;
}

/* Wildcards and any destination are no elements: what has nothing else goes nowhere. */
static json_t *show_sets_of(const struct line *l)
{
	json_t *list = json_array();
	bool elements = l->chosen && (l->chosen->names.count || l->chosen->address_count);

	for (size_t i = 0; elements && i < l->w->set_count; i++) {
		const struct world_set *set = &l->w->sets[i];
		if (!set->config || !config_set_takes(set->config, l->v, l->chosen))
			continue;
		json_t *json = json_object();
		show_put_text(json, "set", set->text);
		if (set->kind.layout != SET_LAYOUT_UNKNOWN)
			show_put_text(json, "type", set_kind_type_name(&set->kind));
		show_put_text(json, "state", show_set_state(set));
		json_array_append_new(list, json);
	}
	return list;
}

static bool lets_in(const struct config *c, const struct config_vendor *v)
{
	for (size_t i = 0; i < c->devices_count; i++) {
		if (strings_has(&c->devices[i].vendors, v->name) && ruleset_lets_in(&c->devices[i]))
			return true;
	}
	return false;
}

/* Any destination is no element of a set: a rule says it. */
static bool is_by_rule(const struct line *l)
{
	const struct config *c = l->w->config;

	if (!l->chosen || !l->e->any || !ruleset_has_vendor(c, l->v))
		return false;
	return ((l->e->direction & DIRECTION_OUT) && !ruleset_leaves_out(c, l->v, l->chosen)) ||
	       ((l->e->direction & DIRECTION_IN) && lets_in(c, l->v));
}

static bool is_at(const struct source *a, const struct source *b)
{
	return a->line == b->line && str_eq(a->file, b->file);
}

static bool is_refusal_of(const struct line *l, const struct set_refusal *r)
{
	_cleanup_free_ char *start = xasprintf("[endpoint %s] ", l->e->name);
	bool here = is_at(&r->at, &l->e->at);

	for (size_t i = 0; i < l->chosen->address_count && !here; i++)
		here = is_at(&r->at, &l->chosen->addresses[i].at);
	return here && str_starts(r->text, start);
}

static size_t count_addresses(
	const struct line *l, const struct owner *o, const struct name_family *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->count; i++)
		n += !screening_rule(l->w, o, &f->addresses[i].addr);
	return n;
}

/* ICMP is for one family. */
static bool speaks(const struct endpoint *e, enum family f)
{
	for (size_t i = 0; i < e->service_count; i++) {
		if (e->services[i].protocol != (f == FAMILY_V4 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
			return true;
	}
	return false;
}

static size_t count_family(const struct line *l, enum family f)
{
	size_t n = 0;

	for (size_t i = 0; i < l->chosen->names.count; i++) {
		const struct name *name = name_of(l, l->chosen->names.items[i]);
		const struct owner *o = name ? owner_of(l, name) : NULL;
		n += o ? count_addresses(l, o, &name->families[f]) : 0;
	}
	for (size_t i = 0; i < l->chosen->address_count; i++)
		n += l->chosen->addresses[i].range.first.family == f;
	return n;
}

/* Addresses of a family that none of the sets is for. One that is not there yet may be for any. */
static void add_lost_families(json_t *list, const struct line *l)
{
	bool taken[FAMILY_COUNT] = {false};

	for (size_t i = 0; i < l->w->set_count; i++) {
		const struct world_set *set = &l->w->sets[i];
		if (!set->config || !config_set_takes(set->config, l->v, l->chosen))
			continue;
		if (set->kind.layout == SET_LAYOUT_UNKNOWN)
			return;
		taken[set->kind.family] = true;
	}
	for (int f = 0; f < FAMILY_COUNT; f++) {
		size_t n = taken[f] || !speaks(l->e, f) ? 0 : count_family(l, f);
		if (n)
			show_add_text(
				list, xasprintf("its IPv%d addresses (%zu): none of these sets is "
						"for them",
					      f == FAMILY_V4 ? 4 : 6, n));
	}
}

/* What of it is not carried out: by this version, by the configuration, by the sets it goes into.
 */
static json_t *show_undone(const struct line *l, bool goes)
{
	const struct config *c = l->w->config;
	json_t *list = json_array();

	for (size_t i = 0; i < c->undone_count; i++) {
		const struct config_undone *u = &c->undone[i];
		if (u->endpoint == l->e && str_eq(u->vendor, l->v->name))
			show_add_undone(list, u);
	}
	for (size_t i = 0; l->chosen && i < l->w->set_count; i++) {
		const struct world_set *set = &l->w->sets[i];
		if (!set->config || !config_set_takes(set->config, l->v, l->chosen))
			continue;
		for (size_t k = 0; k < set->refusal_count; k++) {
			const struct set_refusal *r = &set->refusals[k];
			if (is_refusal_of(l, r))
				show_add_text(list, xstrdup(strstr(r->text, "] ") + 2));
		}
	}
	if (l->chosen && !goes && !json_array_size(list))
		json_array_append_new(list, show_text("no [set] takes it"));
	if (l->chosen && goes)
		add_lost_families(list, l);
	return list;
}

static json_t *show_destination(const char *kind, const char *text)
{
	json_t *json = json_object();

	show_put_text(json, "kind", kind);
	show_put_text(json, "text", text);
	return json;
}

/* Why addresses of its answers are not used, by none or not by this endpoint; NULL: all are. */
static const char *refused_rule(const struct line *l, const struct name *n)
{
	const struct name_feeds *feeds = n->userdata;

	for (size_t i = 0; i < feeds->refusal_count; i++) {
		if (feeds->refusals[i].owner->endpoint == l->e)
			return feeds->refusals[i].rule;
	}
	return show_refused_rule(n);
}

static json_t *show_name_of(const struct line *l, size_t i)
{
	const struct name *n = name_of(l, l->chosen->names.items[i]);
	const struct owner *o = n ? owner_of(l, n) : NULL;
	json_t *json = show_destination("name", l->chosen->names.items[i]);

	put_set_by(json, l->v, l->chosen->names_from[i]);
	if (o) {
		show_put_text(json, "state", name_health_name(names_health(n)));
		show_put_text(json, "refused", refused_rule(l, n));
		show_put_count(json, "ipv4", count_addresses(l, o, &n->families[FAMILY_V4]));
		show_put_count(json, "ipv6", count_addresses(l, o, &n->families[FAMILY_V6]));
	}
	return json;
}

/* Of an endpoint that is not chosen: as the profile writes it, for nobody says what is in braces.
 */
static json_t *show_written(const struct line *l, const struct profile_text *entry)
{
	json_t *json = show_destination("entry", entry->text);

	if (!show_is_packaged(&entry->at))
		show_put_place(json, "set_by", &entry->at);
	return json;
}

/* The destinations one after the other; NULL: there are no more. */
static json_t *destination_at(const struct line *l, size_t i)
{
	const struct config_endpoint *e = l->chosen;
	char text[ADDR_RANGE_TEXT_SIZE];
	json_t *json;

	if (!e) {
		if (i < l->e->names.count)
			return show_written(l, &l->e->names.items[i]);
		i -= l->e->names.count;
		if (i < l->e->addresses.count)
			return show_written(l, &l->e->addresses.items[i]);
		i -= l->e->addresses.count;
	} else {
		if (i < e->names.count)
			return show_name_of(l, i);
		i -= e->names.count;
		if (i < e->wildcards.count) {
			json = show_destination("wildcard", e->wildcards.items[i]);
			put_set_by(json, l->v, e->wildcards_from[i]);
			return json;
		}
		i -= e->wildcards.count;
		if (i < e->address_count) {
			json = show_destination(
				"address", addr_range_format(&e->addresses[i].range, text));
			put_set_by(json, l->v, e->addresses[i].from);
			return json;
		}
		i -= e->address_count;
	}
	return l->e->any && i == 0 ? show_destination("any", "any") : NULL;
}

/* The next few; *at is 0 behind the last one. */
static json_t *show_destinations(const struct line *l, size_t *at)
{
	json_t *list = json_array(), *one;

	for (size_t i = 0; i < PIECE; i++) {
		one = destination_at(l, *at);
		if (!one) {
			*at = 0;
			return list;
		}
		json_array_append_new(list, one);
		(*at)++;
	}
	one = destination_at(l, *at);
	if (!one)
		*at = 0;
	json_decref(one);
	return list;
}

static json_t *show_endpoint(const struct line *l)
{
	static const char *const directions[] = {"", "out", "in", "both"};
	const struct endpoint *e = l->e;
	json_t *json = json_object(), *sets = show_sets_of(l);
	bool by_rule = is_by_rule(l);

	show_put_text(json, "name", e->name);
	show_put_text(json, "state", !l->chosen ? "off" : l->chosen->denied ? "denied" : "chosen");
	json_object_set_new(json, "lacks", show_lacks(l));
	show_put_strings(json, "roles", &e->roles);
	show_put_strings(json, "regions", &e->regions);
	show_put_text(json, "direction", directions[e->direction]);
	json_object_set_new(json, "services", show_services(e));
	show_put_text(json, "source",
		!show_is_packaged(&e->at) ? "admin"
		: e->inferred             ? "inferred"
					  : "stated");
	show_put_text(json, "inferred", e->inferred);
	show_put_place(json, "place", &e->at);
	show_put_amended(json, &e->amended);
	show_put_text(json, "replaced_by", e->replaced_by);
	show_put_ranges(json, "expect", e->expect, e->expect_count);
	json_object_set_new(json, "notes", show_notes(l));
	show_put_strings(json, "warnings", &e->warnings);
	json_object_set_new(json, "undone", show_undone(l, json_array_size(sets) || by_rule));
	json_object_set_new(json, "sets", sets);
	json_object_set_new(json, "by_rule", json_boolean(by_rule));
	return json;
}

struct json_t *show_page_next(
	const struct world *w, const struct config_vendor *v, struct show_page_at *at)
{
	bool first = at->destination == 0;

	if (at->endpoint >= v->profile->endpoint_count)
		return NULL;
	struct line l = find_line(w, v, at->endpoint);
	json_t *destinations = show_destinations(&l, &at->destination);
	if (!at->destination)
		at->endpoint++;
	if (!first)
		return commands_object("more", destinations);
	json_t *endpoint = show_endpoint(&l);
	json_object_set_new(endpoint, "destinations", destinations);
	return commands_object("endpoint", endpoint);
}
