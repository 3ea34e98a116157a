/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gateway's own set-up as a value, and what is to be said of it. */
#include "core/host.h"

#include "base/strbuf.h"
#include "core/ruleset.h"
#include "core/screen.h"
#include "core/values.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

enum {
	SIP_PORT = 5060,
	FULL_PERCENT = 80,
};

/* --- life --- */

struct host_interface *host_interface(const struct host *h, const char *name)
{
	for (size_t i = 0; i < h->interface_count; i++) {
		if (str_eq(h->interfaces[i].name, name))
			return &h->interfaces[i];
	}
	return NULL;
}

struct host_interface *host_interface_add(struct host *h, const char *name)
{
	struct host_interface *i = host_interface(h, name);

	if (i)
		return i;
	VEC_GROW(h->interfaces, h->interface_capacity, h->interface_count);
	i = &h->interfaces[h->interface_count++];
	*i = (struct host_interface){.name = xstrdup(name)};
	return i;
}

void host_unread(struct host *h, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	_cleanup_free_ char *text = xvasprintf(fmt, ap);
	va_end(ap);
	strings_add(&h->unread, text);
}

void host_done(struct host *h)
{
	strings_done(&h->dropping);
	strings_done(&h->flowtables);
	strings_done(&h->untracking);
	strings_done(&h->helpers);
	strings_done(&h->modules);
	strings_done(&h->managers);
	strings_done(&h->macs);
	strings_done(&h->unread);
	for (size_t i = 0; i < h->interface_count; i++) {
		free(h->interfaces[i].name);
		free(h->interfaces[i].addrs);
	}
	free(h->interfaces);
	*h = (struct host){0};
}

void host_findings_done(struct host_findings *f)
{
	for (size_t i = 0; i < f->count; i++) {
		free(f->items[i].what);
		free(f->items[i].remedy);
	}
	free(f->items);
	*f = (struct host_findings){0};
}

/* --- findings --- */

struct judging {
	const struct host *h;
	const struct config *c;
	struct host_findings *to;
};

_printf_(4, 5) static void found(
	struct judging *j, enum host_weight weight, char *remedy, const char *fmt, ...)
{
	struct host_findings *f = j->to;
	va_list ap;

	va_start(ap, fmt);
	char *what = xvasprintf(fmt, ap);
	va_end(ap);
	VEC_GROW(f->items, f->capacity, f->count);
	/* Behind those of its own weight. */
	size_t at = f->count++;
	for (; at && f->items[at - 1].weight < weight; at--)
		f->items[at] = f->items[at - 1];
	f->items[at] = (struct host_finding){weight, what, remedy};
}

static char *joined(const struct strings *s)
{
	return strings_join(s, ", ");
}

/* "vendor ixon", "vendors digi, ixon"; NULL when `is_meant` means none. */
static char *vendors_that(const struct config *c,
	bool (*is_meant)(const struct config *c, const struct config_vendor *v))
{
	_cleanup_(strings_done) struct strings names = {0};

	for (size_t i = 0; i < c->vendor_count; i++) {
		if (is_meant(c, &c->vendors[i]))
			strings_add(&names, c->vendors[i].name);
	}
	if (!names.count)
		return NULL;
	_cleanup_free_ char *all = joined(&names);
	return xasprintf("vendor%s %s", names.count == 1 ? "" : "s", all);
}

static bool is_managed(const struct config *c, const struct config_vendor *v)
{
	return ruleset_has_vendor(c, v);
}

/* --- forwarding, and who else decides --- */

static void judge_forwarding(struct judging *j)
{
	if (!j->h->forwards[FAMILY_V4])
		found(j, HOST_BROKEN, xstrdup("sysctl net.ipv4.ip_forward=1, and in /etc/sysctl.d"),
			"this machine forwards no IPv4: no device behind it reaches any vendor");
	if (!j->h->forwards[FAMILY_V6])
		found(j, HOST_NOTE, NULL,
			"this machine forwards no IPv6: what vendors offer over it is not used");
}

static void judge_dropping(struct judging *j)
{
	_cleanup_free_ char *whom = vendors_that(j->c, is_managed);

	if (!whom)
		return;
	for (size_t i = 0; i < j->h->dropping.count; i++) {
		_cleanup_free_ char *hook = ruleset_hook(j->c);
		found(j, HOST_NOTE, xasprintf("in that chain: %s", hook),
			"%s drops by policy: %s only get%s through it by the mark (allowsyncctl "
			"status says whether it is tested)",
			j->h->dropping.items[i], whom, str_starts(whom, "vendor ") ? "s" : "");
	}
}

static const struct {
	const char *name, *remedy;
} managers[] = {
	{"firewalld",
		"give the mark to a policy of firewalld's own (firewall-cmd --direct, or a rich "
		"rule), since a reload of firewalld replaces what else is in its table"},
	{"ufw", "in /etc/ufw/before.rules, before the COMMIT: -A ufw-before-forward -m mark --mark "
		"%s -j ACCEPT"},
	{"docker", "iptables -I DOCKER-USER -m mark --mark %s -j ACCEPT"},
};

static void judge_managers(struct judging *j)
{
	_cleanup_free_ char *whom = vendors_that(j->c, is_managed);
	_cleanup_free_ char *mark = xasprintf("0x%08x/0x%08x", j->c->mark.value, j->c->mark.mask);

	for (size_t i = 0; whom && i < ARRAY_LEN(managers); i++) {
		if (!strings_has(&j->h->managers, managers[i].name))
			continue;
		const char *text = managers[i].remedy, *gap = strstr(text, "%s");
		char *remedy = gap ? xasprintf("%.*s%s%s", (int)(gap - text), text, mark, gap + 2)
				   : xstrdup(text);
		found(j, HOST_WARNING, remedy,
			"%s has forward chains of its own, which drop: %s must be let through "
			"there "
			"as well",
			managers[i].name, whom);
	}
}

static bool wants_rules(const struct config *c, const struct config_vendor *v)
{
	return config_has_devices_for(c, v->name);
}

static void judge_flowtables(struct judging *j)
{
	_cleanup_free_ char *whom = vendors_that(j->c, wants_rules);

	if (!j->h->flowtables.count)
		return;
	_cleanup_free_ char *all = joined(&j->h->flowtables);
	found(j, whom ? HOST_WARNING : HOST_NOTE,
		xstrdup("keep the devices' flows out of the flowtable: no \"flow add\" for their "
			"interface"),
		"flowtable %s: a flow that is offloaded passes no chain any more, so that denying "
		"it, "
		"or enforcing later, does not end it%s%s",
		all, whom ? "; device groups have " : "", whom ? whom : "");
}

/* --- the table of flows --- */

/* Without a [set] of its own, all that the vendor allows is the managed table's, and this kernel
 * does what it says. */
static bool is_lengthened(const struct judging *j, const struct config_vendor *v)
{
	return j->h->lengthens && !config_has_set_for(j->c, v->name);
}

static void judge_timeout(struct judging *j, const struct config_vendor *v, const char *what,
	uint32_t min_s, int64_t has_s, const char *sysctl)
{
	char need[32], has[32];

	if (!min_s || has_s < 0 || has_s >= min_s || is_lengthened(j, v))
		return;
	found(j, HOST_WARNING, xasprintf("sysctl net.netfilter.%s=%" PRIu32, sysctl, min_s),
		"vendor %s needs idle %s flows to be kept for %s; this machine forgets them after "
		"%s",
		v->name, what, duration_format(min_s, need),
		duration_format((uint32_t)(has_s > UINT32_MAX ? UINT32_MAX : has_s), has));
}

static void judge_flows(struct judging *j)
{
	const struct host_timeouts *t = &j->h->timeouts;

	for (size_t i = 0; i < j->c->vendor_count; i++) {
		const struct config_vendor *v = &j->c->vendors[i];
		judge_timeout(j, v, "TCP", v->profile->tcp_timeout_min_s, t->tcp_established_s,
			"nf_conntrack_tcp_timeout_established");
		judge_timeout(j, v, "UDP", v->profile->udp_timeout_min_s, t->udp_stream_s,
			"nf_conntrack_udp_timeout_stream");
		judge_timeout(j, v, "one-way UDP", v->profile->udp_timeout_min_s, t->udp_s,
			"nf_conntrack_udp_timeout");
	}
	if (j->h->flows_max > 0 && j->h->flows >= 0 &&
		j->h->flows / FULL_PERCENT >= j->h->flows_max / 100)
		found(j, HOST_WARNING,
			xasprintf("sysctl net.netfilter.nf_conntrack_max=%" PRId64,
				2 * j->h->flows_max),
			"the table of flows is nearly full (%" PRId64 " of %" PRId64
			"): when it is, new flows of all vendors are dropped",
			j->h->flows, j->h->flows_max);
	for (size_t i = 0; i < j->h->untracking.count; i++)
		found(j, HOST_WARNING, xstrdup("let it spare what the devices use, DNS among it"),
			"rule %s takes flows out of tracking: their answers are not "
			"\"established\" "
			"to any chain, and are dropped",
			j->h->untracking.items[i]);
}

/* --- what reads the payload --- */

static bool speaks_sip(const struct config *c, const struct config_vendor *v)
{
	for (size_t i = 0; i < v->endpoint_count; i++) {
		const struct endpoint *e = v->endpoints[i].endpoint;
		for (size_t k = 0; k < e->service_count; k++) {
			const struct service *s = &e->services[k];
			if (s->kind == SERVICE_PORTS && s->port_first <= SIP_PORT &&
				s->port_last >= SIP_PORT)
				return true;
		}
	}
	return false;
}

static void judge_sip(struct judging *j)
{
	_cleanup_free_ char *whom = vendors_that(j->c, speaks_sip);

	if (!whom)
		return;
	for (size_t i = 0; i < j->h->helpers.count; i++)
		found(j, HOST_WARNING, xstrdup("take the rules that assign it away"),
			"ct helper %s rewrites SIP: %s use%s port %d, and break%s by it",
			j->h->helpers.items[i], whom, str_starts(whom, "vendor ") ? "s" : "",
			SIP_PORT, str_starts(whom, "vendor ") ? "s" : "");
	if (j->h->helpers_assigned && j->h->modules.count) {
		_cleanup_free_ char *all = joined(&j->h->modules);
		found(j, HOST_WARNING, xstrdup("sysctl net.netfilter.nf_conntrack_helper=0"),
			"%s reads all traffic of port %d and rewrites it, which breaks %s", all,
			SIP_PORT, whom);
	} else if (j->h->modules.count) {
		_cleanup_free_ char *all = joined(&j->h->modules);
		found(j, HOST_NOTE, NULL,
			"%s is loaded; it does nothing to %s as long as no rule assigns it", all,
			whom);
	}
}

static bool comes_in(const struct config *c, const struct config_vendor *v)
{
	for (size_t i = 0; i < v->endpoint_count; i++) {
		if (v->endpoints[i].endpoint->direction & DIRECTION_IN)
			return true;
	}
	return false;
}

/* The address that the provider gave is itself behind a translation. */
static void judge_uplinks(struct judging *j)
{
	_cleanup_free_ char *whom = vendors_that(j->c, comes_in);

	for (size_t i = 0; i < j->h->interface_count; i++) {
		const struct host_interface *n = &j->h->interfaces[i];
		for (size_t k = 0; n->default_route[FAMILY_V4] && k < n->addr_count; k++) {
			char text[ADDR_TEXT_SIZE];
			const char *why = n->addrs[k].family == FAMILY_V4
						  ? screen_address(&n->addrs[k])
						  : NULL;
			if (!why)
				continue;
			found(j, whom ? HOST_WARNING : HOST_NOTE,
				xstrdup("have the device before this one pass everything on "
					"(bridge "
					"mode), or forward the ports there as well"),
				"%s leads out with the address %s (%s): addresses are translated a "
				"second time behind it%s%s%s",
				n->name, addr_format(&n->addrs[k], text), why,
				whom ? ", and what " : "", whom ? whom : "",
				whom ? " must be able to send in ends there" : "");
			break;
		}
	}
}

/* --- device groups --- */

static void judge_interfaces(struct judging *j, const struct config_devices *d,
	const struct strings *names, const char *key)
{
	for (size_t i = 0; i < names->count; i++) {
		if (!host_interface(j->h, names->items[i]))
			found(j, HOST_WARNING, NULL,
				"[devices %s] %s = %s: this machine has no such interface (yet)",
				d->name, key, names->items[i]);
	}
}

static bool has_uplink(const struct host *h, enum family f)
{
	for (size_t i = 0; i < h->interface_count; i++) {
		if (h->interfaces[i].default_route[f])
			return true;
	}
	return false;
}

static void judge_macs(struct judging *j, const struct config_devices *d)
{
	for (size_t i = 0; i < d->macs.count; i++) {
		if (!strings_has(&j->h->macs, d->macs.items[i]))
			found(j, HOST_NOTE,
				xstrdup("where another router is between, use address = or "
					"interface ="),
				"[devices %s] mac = %s: no neighbour has it now; the device is "
				"off, or "
				"behind another router, whose MAC address its packets then have",
				d->name, d->macs.items[i]);
	}
	for (size_t i = 0; d->macs.count && i < d->interfaces.count; i++) {
		const struct host_interface *n = host_interface(j->h, d->interfaces.items[i]);
		if (n && !n->ethernet)
			found(j, HOST_BROKEN, xstrdup("use address = for what comes in by it"),
				"[devices %s] matches MAC addresses on %s, which has none: nobody "
				"there "
				"is in the group",
				d->name, n->name);
	}
}

static void judge_devices(struct judging *j, const struct config_devices *d)
{
	judge_interfaces(j, d, &d->interfaces, "interface");
	judge_interfaces(j, d, &d->towards, "towards");
	judge_macs(j, d);
	if (d->ipv6 == CONFIG_IPV6_IGNORE && j->h->forwards[FAMILY_V6] &&
		has_uplink(j->h, FAMILY_V6))
		found(j, HOST_WARNING, xstrdup("ipv6 = reject, or the group's IPv6 addresses"),
			"[devices %s] ignores IPv6, and this machine forwards it to the outside: "
			"the "
			"group's devices may go anywhere over it",
			d->name);
	if (!d->towards.count && !j->c->mark.towards.count && !has_uplink(j->h, FAMILY_V4) &&
		!has_uplink(j->h, FAMILY_V6))
		found(j, HOST_WARNING, xstrdup("name the interfaces: towards ="),
			"[devices %s] does not say where the outside is, and there is no default "
			"route to tell",
			d->name);
}

static void judge_bridge(struct judging *j)
{
	if (j->h->bridge_calls && j->c->devices_count)
		found(j, HOST_NOTE, NULL,
			"bridged packets pass the forward chains too (bridge-nf-call-iptables, "
			"docker "
			"sets it): within a LAN device groups are still left alone, as only what "
			"leaves towards the outside is theirs");
}

void host_judge(const struct host *h, const struct config *c, struct host_findings *ret)
{
	struct judging j = {h, c, ret};

	*ret = (struct host_findings){0};
	judge_forwarding(&j);
	judge_managers(&j);
	judge_dropping(&j);
	judge_flowtables(&j);
	judge_flows(&j);
	judge_sip(&j);
	judge_uplinks(&j);
	for (size_t i = 0; i < c->devices_count; i++)
		judge_devices(&j, &c->devices[i]);
	judge_bridge(&j);
	for (size_t i = 0; i < h->unread.count; i++)
		found(&j, HOST_NOTE, NULL, "not looked at: %s", h->unread.items[i]);
}
