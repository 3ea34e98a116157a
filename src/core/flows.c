/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The same order of decisions as in ruleset_devices.c. */
#include "core/flows.h"

#include "base/strbuf.h"

#include <netinet/in.h>

/* --- whose it is --- */

static bool is_by_address(const struct config_devices *d, const struct flow *f)
{
	bool is_v6 = f->source.family == FAMILY_V6;

	if (!d->address_count)
		return !is_v6 || d->ipv6 != CONFIG_IPV6_IGNORE;
	return addr_ranges_have(d->addresses, d->address_count, &f->source) ||
	       (is_v6 && d->ipv6 == CONFIG_IPV6_REJECT);
}

static bool is_of(const struct config *c, const struct strings *outside,
	const struct config_devices *d, const struct flow *f, const struct flow_path *p)
{
	const struct strings *towards = ruleset_towards(c, outside, d);

	if (d->interfaces.count && !strings_has(&d->interfaces, p->from))
		return false;
	if (d->macs.count && (!p->mac || !strings_has(&d->macs, p->mac)))
		return false;
	if (towards->count ? !strings_has(towards, p->to) : strings_has(&d->interfaces, p->to))
		return false;
	return is_by_address(d, f);
}

const struct config_devices *flows_group_of(const struct config *c, const struct strings *outside,
	const struct flow *f, const struct flow_path *p)
{
	/* What begins or ends here is not forwarded. */
	if (!p->from || !p->to)
		return NULL;
	for (size_t i = 0; i < c->devices_count; i++) {
		if (is_of(c, outside, &c->devices[i], f, p))
			return &c->devices[i];
	}
	return NULL;
}

/* --- what it may --- */

static bool service_takes(const struct service *s, const struct flow *f)
{
	if (s->kind == SERVICE_ANY)
		return true;
	if (s->protocol != f->protocol)
		return false;
	switch (s->kind) {
	case SERVICE_PORTS:
		return f->port >= s->port_first && f->port <= s->port_last;
	case SERVICE_ICMP:
		return f->icmp_type == s->icmp_type;
	default:
		return true;
	}
}

static bool endpoint_takes(const struct config_endpoint *e, const struct flow *f)
{
	for (size_t i = 0; i < e->endpoint->service_count; i++) {
		if (service_takes(&e->endpoint->services[i], f))
			return true;
	}
	return false;
}

/* Also where the set has the service itself: it may not be known what it will hold. */
static bool is_for(const struct ruleset_set *s, const struct flow *f)
{
	for (size_t i = 0; i < s->vendor->endpoint_count; i++) {
		const struct config_endpoint *e = &s->vendor->endpoints[i];
		if (ruleset_set_takes(s, e) && endpoint_takes(e, f))
			return true;
	}
	return false;
}

static bool set_takes(
	const struct ruleset_set *s, const struct flow *f, flows_holds_fn holds, void *userdata)
{
	return s->family == (enum family)f->destination.family && is_for(s, f) &&
	       holds(userdata, s, f);
}

static bool vendor_takes(const struct ruleset *r, const struct config_vendor *v,
	enum ruleset_way way, const struct flow *f, flows_holds_fn holds, void *userdata)
{
	for (size_t i = 0; i < v->endpoint_count; i++) {
		const struct config_endpoint *e = &v->endpoints[i];
		if (e->endpoint->any && (e->endpoint->direction & DIRECTION_OUT) &&
			e->denied == (way == RULESET_DENY) && endpoint_takes(e, f))
			return true;
	}
	for (size_t i = 0; i < r->count; i++) {
		if (r->sets[i].vendor == v && r->sets[i].way == way &&
			set_takes(&r->sets[i], f, holds, userdata))
			return true;
	}
	return false;
}

static bool group_takes(const struct config *c, const struct ruleset *r,
	const struct config_devices *d, enum ruleset_way way, const struct flow *f,
	flows_holds_fn holds, void *userdata)
{
	for (size_t i = 0; i < d->vendors.count; i++) {
		const struct config_vendor *v = config_vendor_find(c, d->vendors.items[i]);
		if (v && vendor_takes(r, v, way, f, holds, userdata))
			return true;
	}
	return false;
}

/* True: `ret` is decided before any vendor. */
static bool reach_decides(const struct config_devices *d, const struct flow *f, bool *ret)
{
	enum { DNS = 53, NTP = 123 };
	bool is_udp = f->protocol == IPPROTO_UDP;
	enum config_reach reach = CONFIG_REACH_PROFILE;

	if (f->port == DNS && (is_udp || f->protocol == IPPROTO_TCP))
		reach = d->dns;
	else if (f->port == NTP && is_udp)
		reach = d->ntp;
	*ret = reach == CONFIG_REACH_ANY ||
	       (reach == CONFIG_REACH_ADDRESSES &&
		       addr_ranges_have(d->dns_servers, d->dns_server_count, &f->destination));
	return reach != CONFIG_REACH_PROFILE;
}

bool flows_may_begin(const struct config *c, const struct ruleset *r,
	const struct config_devices *d, const struct flow *f, flows_holds_fn holds, void *userdata)
{
	bool may;

	if (group_takes(c, r, d, RULESET_DENY, f, holds, userdata))
		return false;
	if (d->ipv6 == CONFIG_IPV6_REJECT && f->source.family == FAMILY_V6)
		return false;
	if (reach_decides(d, f, &may))
		return may;
	return group_takes(c, r, d, RULESET_OUT, f, holds, userdata);
}
