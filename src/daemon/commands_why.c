/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything that is known of an address: the elements it means, their owners, what left, and the
 * prefixes that no set could hold. */
#include "daemon/commands_why.h"

#include "base/strbuf.h"

#include <jansson.h>
#include <string.h>

enum { OWNERS_MAX = 200, REMOVALS_MAX = 50, ELEMENTS_MAX = 4096 };

/* Is one of the addresses asked for in there? `ret`: which one. */
static bool asks_in(
	const struct why_question *q, const struct addr_range *r, const struct addr **ret)
{
	for (size_t i = 0; i < q->count; i++) {
		if (addr_range_has(r, &q->addresses[i])) {
			*ret = &q->addresses[i];
			return true;
		}
	}
	return false;
}

static bool is_service_of(const struct endpoint *e, const struct service *s)
{
	for (size_t i = 0; i < e->service_count; i++) {
		if (service_overlaps(&e->services[i], s))
			return true;
	}
	return false;
}

/* What is denied is so for the services of its endpoint, of which such a set has one. Other keys
 * without a port stand for whatever the rule allows: they match every service. */
static bool key_matches(const struct world_set *set, const struct why_question *q,
	const struct element_key *key, const struct addr **ret_addr)
{
	struct element_value v;

	if (!element_key_decode(&set->kind, key, &v) || !asks_in(q, &v.addr, ret_addr))
		return false;
	if (q->service && set->config && set->config->denies && set->owner_count)
		return is_service_of(set->owners[0]->endpoint, q->service);
	if (!q->service || set->kind.layout == SET_LAYOUT_ADDR)
		return true;
	uint8_t protocol = set->kind.protocol;
	bool same = set->kind.layout == SET_LAYOUT_ADDR_SERVICE
			    ? !protocol || q->service->protocol == protocol
			    : q->service->protocol >= v.protocol_first &&
				      q->service->protocol <= v.protocol_last;
	return q->service->kind == SERVICE_PORTS && same && v.port_last >= q->service->port_first &&
	       v.port_first <= q->service->port_last;
}

static json_t *show_owner(const struct world *w, const struct show_context *c,
	const struct owner *o, const struct addr *a)
{
	json_t *json = json_object(), *services = json_array();
	char text[SERVICE_TEXT_SIZE];

	show_put_text(json, "vendor", o->vendor);
	show_put_text(json, "endpoint", o->endpoint->name);
	for (size_t i = 0; i < o->endpoint->service_count; i++)
		json_array_append_new(
			services, show_text(service_format(&o->endpoint->services[i], text)));
	json_object_set_new(json, "services", services);
	const struct name *n = o->name ? names_find(&w->names, o->name) : NULL;
	if (!n)
		return json;
	const struct name_family *f = &n->families[a->family];
	const struct name_address *seen = name_address_find(f, a);
	show_put_text(json, "name", o->name);
	if (seen)
		json_object_set_new(json, "seen", show_address(c, seen));
	show_put_text(json, "chain", f->chain);
	show_put_text(json, "server", f->server);
	show_put_denials(json, &c->clock, f);
	json_object_set_new(json, "linger",
		json_integer((json_int_t)(names_linger_ms(f, c->clock.now_ms) / 1000)));
	return json;
}

/* The owners of what is shown, as many as are listed. */
struct owners {
	const struct world *world;
	const struct show_context *context;
	const struct addr *addr;
	json_t *list;
	size_t count;
};

static void add_owners(const struct want *want, void *userdata)
{
	struct owners *o = userdata;

	for (size_t i = 0; i < want->count; i++) {
		if (want->owners[i]->keeps)
			continue; /* told of the element itself */
		if (o->count++ < OWNERS_MAX)
			json_array_append_new(o->list,
				show_owner(o->world, o->context, want->owners[i], o->addr));
	}
}

static void add_owners_of(
	struct owners *o, const struct world_set *set, const struct element_key *key)
{
	const struct want *want = wanted_find(&set->wanted, key);
	struct element_value v = {.addr = {*o->addr, *o->addr}};

	if (set->wanted.ranged) {
		/* Whoever wants this address, be it within more. */
		struct element_key at = element_key_encode(&set->kind, &v);
		wanted_each_in(&set->wanted, &at, add_owners, o);
	} else if (want) {
		add_owners(want, o);
	}
}

static json_t *show_element(const struct world *w, const struct show_context *c,
	const struct world_set *set, const struct element_key *key, const struct addr *a)
{
	const struct live_element *live = live_find(&set->live, key);
	json_t *json = json_object();
	struct owners owners = {.world = w, .context = c, .addr = a, .list = json_array()};
	char text[ELEMENT_TEXT_SIZE];

	show_put_text(json, "set", set->text);
	show_put_text(json, "element", element_key_format(&set->kind, key, text));
	json_object_set_new(json, "effect", show_effect(set));
	if (set->config && set->config->denies)
		json_object_set_new(json, "denies", json_true());
	const struct denied *denied = denylist_find(&set->denied, key);
	if (denied)
		json_object_set_new(json, "denied", show_denied(c, set, denied));
	json_object_set_new(json, "present", json_boolean(live != NULL));
	json_object_set_new(json, "ours", json_boolean(live && live->ours));
	const struct stranger *by = live && !live->ours ? world_set_stranger(set, key) : NULL;
	if (by) {
		show_put_text(json, "added_by", by->by);
		show_put_time(json, "added", &c->clock, by->at_ms);
	}
	add_owners_of(&owners, set, key);
	size_t shown = owners.count < OWNERS_MAX ? owners.count : OWNERS_MAX;
	json_object_set_new(json, "owners", owners.list);
	json_object_set_new(json, "omitted", json_integer((json_int_t)(owners.count - shown)));
	return json;
}

struct matches {
	struct element_key *keys;
	size_t count, capacity;
};

static void add_match(struct matches *m, const struct element_key *key)
{
	if (m->count < ELEMENTS_MAX) {
		VEC_GROW(m->keys, m->capacity, m->count);
		m->keys[m->count++] = *key;
	}
}

/* Standing there, or wanted and not in anything that does. Walks the set: asked by hand, not by the
 * clock. */
static void find_matches(
	const struct world_set *set, const struct why_question *q, struct matches *m)
{
	const struct want *want;
	const struct live_element *live;
	const struct addr *a;

	for (size_t at = 0; (want = wanted_next(&set->wanted, &at));) {
		if (key_matches(set, q, &want->key, &a) &&
			!live_find_covering(&set->live, &set->kind, &want->key))
			add_match(m, &want->key);
	}
	for (size_t at = 0; (live = live_next(&set->live, &at));) {
		if (key_matches(set, q, &live->key, &a))
			add_match(m, &live->key);
	}
	if (m->count)
		qsort(m->keys, m->count, sizeof(*m->keys), element_key_order);
}

static json_t *show_elements(const struct world *w, const struct show_context *c,
	const struct why_question *q, bool *ret_allowed)
{
	json_t *list = json_array();

	*ret_allowed = false;
	for (size_t i = 0; i < w->set_count; i++) {
		const struct world_set *set = &w->sets[i];
		struct matches m = {0};
		if (set->kind.layout == SET_LAYOUT_UNKNOWN)
			continue;
		find_matches(set, q, &m);
		for (size_t j = 0; j < m.count; j++) {
			const struct addr *a;
			key_matches(set, q, &m.keys[j], &a);
			json_array_append_new(list, show_element(w, c, set, &m.keys[j], a));
			*ret_allowed = *ret_allowed || (!(set->config && set->config->denies) &&
							       live_find(&set->live, &m.keys[j]));
		}
		free(m.keys);
	}
	return list;
}

/* Of a range that went, this address may be in what took its place. */
static bool is_there(const struct world *w, const char *set_text, const struct addr *a)
{
	const struct world_set *set = world_set_find(w, set_text);
	struct element_value v = {.addr = {*a, *a}};

	if (!set || !set->live.ranged || set->kind.family != (enum family)a->family)
		return false;
	struct element_key key = element_key_encode(&set->kind, &v);
	return live_find_covering(&set->live, &set->kind, &key);
}

json_t *show_removal(const struct show_context *c, const struct removal *r)
{
	json_t *json = json_object();

	show_put_text(json, "set", r->set);
	show_put_text(json, "element", r->element);
	show_put_text(json, "vendor", r->vendor);
	show_put_text(json, "endpoint", r->endpoint);
	show_put_text(json, "name", r->name);
	show_put_text(json, "reason", r->reason);
	show_put_time(json, "left", &c->clock, r->at_ms);
	show_put_time(json, "missing", &c->clock, r->missing_ms);
	return json;
}

static json_t *show_left(
	const struct world *w, const struct show_context *c, const struct why_question *q)
{
	json_t *list = json_array();
	const struct removal *r;
	const struct addr *a;

	for (size_t i = 0; (r = history_get(c->history, i)); i++) {
		bool asked = asks_in(q, &r->addr, &a);
		if (!asked && !(q->name && str_eq(r->name, q->name)))
			continue;
		if (asked && is_there(w, r->set, a))
			continue;
		json_array_append_new(list, show_removal(c, r));
		if (json_array_size(list) == REMOVALS_MAX)
			break;
	}
	return list;
}

static void add_uncovered(json_t *list, const struct config_vendor *v,
	const struct config_endpoint *e, const struct profile_address *p)
{
	json_t *json = json_object();
	char text[ADDR_RANGE_TEXT_SIZE];
	_cleanup_free_ char *place = xasprintf("%s:%u", p->at.file, p->at.line);

	show_put_text(json, "vendor", v->name);
	show_put_text(json, "endpoint", e->endpoint->name);
	show_put_text(json, "range", addr_range_format(&p->range, text));
	show_put_text(json, "place", place);
	json_array_append_new(list, json);
}

/* Is there a set that holds ranges of that endpoint? */
static bool is_held(const struct world *w, const struct config_vendor *v,
	const struct config_endpoint *e, enum family family)
{
	for (size_t i = 0; i < w->set_count; i++) {
		const struct world_set *set = &w->sets[i];
		if (set->config && set_kind_has_ranges(&set->kind) && set->kind.family == family &&
			config_set_takes(set->config, v, e))
			return true;
	}
	return false;
}

static json_t *show_uncovered(const struct world *w, const struct why_question *q)
{
	json_t *list = json_array();

	for (size_t i = 0; i < w->config->vendor_count; i++) {
		const struct config_vendor *v = &w->config->vendors[i];
		for (size_t j = 0; j < v->endpoint_count; j++) {
			const struct config_endpoint *e = &v->endpoints[j];
			for (size_t k = 0; k < e->address_count; k++) {
				const struct profile_address *p = &e->addresses[k];
				enum family family = (enum family)p->range.first.family;
				const struct addr *a;
				if (asks_in(q, &p->range, &a) && !addr_range_is_single(&p->range) &&
					!is_held(w, v, e, family))
					add_uncovered(list, v, e, p);
			}
		}
	}
	return list;
}

struct json_t *why_answer(
	const struct world *w, const struct show_context *c, const struct why_question *q)
{
	json_t *json = json_object(), *addresses = json_array();
	char text[ADDR_TEXT_SIZE];
	bool allowed;

	for (size_t i = 0; i < q->count; i++)
		json_array_append_new(addresses, show_text(addr_format(&q->addresses[i], text)));
	json_t *elements = show_elements(w, c, q, &allowed);
	json_object_set_new(json, "allowed", json_boolean(allowed));
	json_object_set_new(json, "addresses", addresses);
	json_object_set_new(json, "elements", elements);
	json_object_set_new(json, "uncovered", show_uncovered(w, q));
	json_object_set_new(json, "left", show_left(w, c, q));
	return json;
}
