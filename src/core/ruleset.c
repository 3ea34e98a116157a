/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which sets the managed table has, and what each of them holds. */
#include "core/ruleset.h"

#include "base/strbuf.h"
#include "core/ruleset_parts.h"

#include <netinet/in.h>

bool ruleset_has_vendor(const struct config *c, const struct config_vendor *v)
{
	return !config_has_set_for(c, v->name) || config_has_devices_for(c, v->name);
}

bool ruleset_marks_vendor(const struct config *c, const struct config_vendor *v)
{
	return !config_has_set_for(c, v->name) && !config_has_devices_for(c, v->name);
}

/* A group that is known by interface and MAC address would let in to the whole interface. */
bool ruleset_lets_in(const struct config_devices *d)
{
	return d->address_count || !d->macs.count;
}

const struct strings *ruleset_towards(
	const struct config *c, const struct strings *outside, const struct config_devices *d)
{
	static const struct strings none;

	return d->towards.count        ? &d->towards
	       : c->mark.towards.count ? &c->mark.towards
	       : outside               ? outside
				       : &none;
}

bool ruleset_has_inbound(const struct config_vendor *v)
{
	for (size_t i = 0; i < v->endpoint_count; i++) {
		const struct config_endpoint *e = &v->endpoints[i];
		if (!e->denied && (e->endpoint->direction & DIRECTION_IN))
			return true;
	}
	return false;
}

bool ruleset_comes_in(const struct config *c, const struct config_vendor *v)
{
	for (size_t i = 0; i < c->devices_count; i++) {
		if (strings_has(&c->devices[i].vendors, v->name) && ruleset_lets_in(&c->devices[i]))
			return ruleset_has_inbound(v);
	}
	return false;
}

/* Can the services be expanded into elements? */
static bool fits_ports(const struct endpoint *e)
{
	const struct set_kind kind = {.layout = SET_LAYOUT_ADDR_PROTO_SERVICE};
	unsigned ports = element_ports_in_all(&kind, e->services, e->service_count);

	for (size_t i = 0; i < e->service_count; i++) {
		if (set_kind_refuses(&kind, &e->services[i], ports))
			return false;
	}
	return true;
}

/* Is there a service of that family at all? ICMP is for one of them. */
static bool speaks(const struct endpoint *e, enum family f)
{
	const uint8_t other = f == FAMILY_V4 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;

	for (size_t i = 0; i < e->service_count; i++) {
		if (e->services[i].protocol != other)
			return true;
	}
	return false;
}

static bool holds_addresses(
	const struct config_endpoint *e, enum ruleset_holds holds, enum family f)
{
	for (size_t i = 0; i < e->address_count; i++) {
		const struct addr_range *r = &e->addresses[i].range;
		if (r->first.family == f && addr_range_is_single(r) == (holds != RULESET_NETS))
			return true;
	}
	return holds != RULESET_NETS && e->names.count;
}

bool ruleset_set_takes(const struct ruleset_set *s, const struct config_endpoint *e)
{
	const struct endpoint *p = e->endpoint;
	enum direction way = s->way == RULESET_IN ? DIRECTION_IN : DIRECTION_OUT;

	if (s->endpoint && s->endpoint != e)
		return false;
	if (!(p->direction & way) || e->denied != (s->way == RULESET_DENY) ||
		!speaks(p, s->family) || !holds_addresses(e, s->holds, s->family))
		return false;
	return s->way != RULESET_OUT || s->holds == RULESET_NETS ||
	       fits_ports(p) == (s->holds == RULESET_PORTS);
}

static void add_set(struct ruleset *r, enum ruleset_way way, enum ruleset_holds holds,
	enum family f, const struct config_vendor *v, const struct config_endpoint *e)
{
	static const char *const ways[] = {"", ".in", ".deny"};
	struct ruleset_set s = {
		.way = way, .holds = holds, .family = f, .vendor = v, .endpoint = e};
	bool any = e && ruleset_set_takes(&s, e);

	for (size_t i = 0; i < v->endpoint_count && !e; i++)
		any = any || ruleset_set_takes(&s, &v->endpoints[i]);
	if (!any)
		return;
	s.name = xasprintf(RULESET_PREFIX "%s%s%s%s%s%d", v->name, e ? "." : "",
		e ? e->endpoint->name : "", ways[way], holds == RULESET_NETS ? ".nets" : "",
		f == FAMILY_V4 ? 4 : 6);
	VEC_GROW(r->sets, r->capacity, r->count);
	r->sets[r->count++] = s;
}

static void add_sets(struct ruleset *r, enum ruleset_way way, const struct config_vendor *v,
	const struct config_endpoint *e)
{
	for (int f = 0; f < FAMILY_COUNT; f++)
		add_set(r, way, RULESET_ADDRESSES, f, v, e);
	for (int f = 0; f < FAMILY_COUNT; f++)
		add_set(r, way, RULESET_NETS, f, v, e);
}

struct ruleset ruleset_of(const struct config *c)
{
	struct ruleset r = {0};

	for (size_t i = 0; i < c->vendor_count; i++) {
		const struct config_vendor *v = &c->vendors[i];
		if (!ruleset_has_vendor(c, v))
			continue;
		for (int f = 0; f < FAMILY_COUNT; f++)
			add_set(&r, RULESET_OUT, RULESET_PORTS, f, v, NULL);
		for (size_t k = 0; k < v->endpoint_count; k++)
			add_sets(&r, RULESET_OUT, v, &v->endpoints[k]);
	}
	for (size_t i = 0; i < c->vendor_count; i++) {
		const struct config_vendor *v = &c->vendors[i];
		if (!config_has_devices_for(c, v->name))
			continue;
		for (size_t k = 0; k < v->endpoint_count; k++) {
			if (ruleset_comes_in(c, v))
				add_sets(&r, RULESET_IN, v, &v->endpoints[k]);
			add_sets(&r, RULESET_DENY, v, &v->endpoints[k]);
		}
	}
	return r;
}

size_t ruleset_outward(
	const struct ruleset *r, const struct config_vendor *v, const struct ruleset_set **ret)
{
	size_t at = 0, count = 0;

	while (at < r->count && (r->sets[at].vendor != v || r->sets[at].way != RULESET_OUT))
		at++;
	while (at + count < r->count && r->sets[at + count].vendor == v &&
		r->sets[at + count].way == RULESET_OUT)
		count++;
	*ret = r->sets + at;
	return count;
}

struct config_set ruleset_set_config(const struct ruleset_set *s)
{
	const struct config_vendor *v = s->vendor;
	struct config_set c = {
		.name = xstrdup(s->name),
		.at = v->at,
		.id = {nf_family_parse("inet"), xstrdup(RULESET_TABLE), xstrdup(s->name)},
		.managed = true,
		.family = s->family,
		.denies = s->way == RULESET_DENY,
		.content = s->holds == RULESET_NETS ? CONFIG_CONTENT_NETS : CONFIG_CONTENT_EXACT,
		.direction = s->way == RULESET_IN ? DIRECTION_IN : DIRECTION_OUT,
		.elements_max = CONFIG_SET_ELEMENTS_MAX,
		.fuse_s = -1,
	};

	strings_add(&c.vendors, v->name);
	for (size_t i = 0; i < v->endpoint_count; i++) {
		if (ruleset_set_takes(s, &v->endpoints[i]))
			strings_add(&c.endpoints, v->endpoints[i].endpoint->name);
	}
	return c;
}

void ruleset_done(struct ruleset *r)
{
	for (size_t i = 0; i < r->count; i++)
		free(r->sets[i].name);
	free(r->sets);
	*r = (struct ruleset){0};
}

bool ruleset_knows_outside(const struct config *c, const struct config_vendor *v)
{
	return c->mark.towards.count || !ruleset_marks_vendor(c, v);
}

bool ruleset_marks_any(const struct config *c, const struct config_vendor *v)
{
	for (size_t i = 0; i < v->endpoint_count; i++) {
		const struct endpoint *e = v->endpoints[i].endpoint;
		if (e->any && (e->direction & DIRECTION_OUT) && !v->endpoints[i].denied)
			return ruleset_has_vendor(c, v) && ruleset_knows_outside(c, v);
	}
	return false;
}

const char *ruleset_leaves_out(
	const struct config *c, const struct config_vendor *v, const struct config_endpoint *e)
{
	if (!(e->endpoint->direction & DIRECTION_OUT))
		return NULL;
	if (e->endpoint->any && !ruleset_knows_outside(c, v))
		return "any destination needs towards = in [mark], or it would also open the way "
		       "from outside in";
	if (e->wildcards.count)
		return "wildcards are not carried out by this version";
	return NULL;
}
