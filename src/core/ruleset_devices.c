/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chains of the managed table that confine device groups.
 *
 *     v_confine               base chain: whose packet is it, and which way does it go?
 *     v_group.NAME            outwards: denied, established, DNS and NTP, the vendors, else refused
 *     v_group.NAME.refuse     counts and logs; with mode = enforce it also rejects
 *     v_group.NAME.deny       the same of what is denied; rejects in either mode
 *     v_group.NAME.in         inwards, as far as a vendor may come in: only ever marks
 *     v_vendor.NAME.out, .in  what the vendor allows, once for all groups
 *
 * What is allowed is marked and leaves v_confine by "accept", which ends no other chain. Rules grow
 * with groups and vendors, not with addresses; only denials stand once more for each group. */
#include "base/strbuf.h"
#include "core/ruleset_parts.h"

#include <string.h>

#define GROUP  RULESET_GROUP
#define VENDOR RULESET_PREFIX "vendor."
#define PORT   "meta l4proto { 6, 17 } th dport "

struct devices_text {
	struct strbuf *b;
	const struct config *c;
	const struct ruleset *r;
	const struct ruleset_facts *f;
	char *allow; /* what becomes of what is allowed, but for the vendors' own */
};

static const char *ip(enum family f)
{
	return f == FAMILY_V4 ? "ip" : "ip6";
}

/* --- vendors --- */

static bool comes_in(const struct config_endpoint *e)
{
	return !e->denied && (e->endpoint->direction & DIRECTION_IN);
}

static void append_rules_of(const struct devices_text *t, const struct config_vendor *v,
	const struct config_endpoint *e, enum ruleset_way way, const char *then)
{
	ruleset_describe(t->b, v, e);
	for (size_t i = 0; i < t->r->count; i++) {
		const struct ruleset_set *s = &t->r->sets[i];
		if (s->endpoint == e && s->way == way)
			ruleset_append_rules(t->b, v, e, s, then);
	}
	if (e->endpoint->any)
		ruleset_append_rules(t->b, v, e, NULL, then);
}

static void append_vendor(const struct devices_text *t, const struct config_vendor *v)
{
	_cleanup_free_ char *allow = ruleset_allowing(t->c, t->f, v, "accept");
	const struct ruleset_set *sets;
	size_t count = ruleset_outward(t->r, v, &sets);

	bool left_out = t->f->without && t->f->without[v - t->c->vendors];

	/* The groups' chains go there in any case. */
	strbuf_appendf(t->b, "\tchain " VENDOR "%s.out {\n", v->name);
	if (!left_out)
		ruleset_append_vendor(t->b, t->c, v, sets, count, allow);
	strbuf_append(t->b, "\t}\n");
	if (!ruleset_comes_in(t->c, v))
		return;
	strbuf_appendf(t->b, "\tchain " VENDOR "%s.in {\n", v->name);
	for (size_t i = 0; i < v->endpoint_count && !left_out; i++) {
		if (comes_in(&v->endpoints[i]))
			append_rules_of(t, v, &v->endpoints[i], RULESET_IN, allow);
	}
	strbuf_append(t->b, "\t}\n");
}

/* --- groups: what is refused --- */

/* What it logs is bounded, for each group by itself; what it counts is not. The prefix is read by
 * edge/nflog_msg.c. */
static void append_log(
	const struct devices_text *t, const struct config_devices *d, const char *what)
{
	strbuf_appendf(t->b,
		"\t\tcounter limit rate 10/second burst 20 packets "
		"log prefix \"allowsync %s %s: \" group %u snaplen 128\n",
		d->name, what, d->log_group);
}

static void append_reject(const struct devices_text *t)
{
	strbuf_append(t->b, "\t\tmeta l4proto 6 reject with tcp reset\n"
			    "\t\treject with icmpx admin-prohibited\n");
}

static bool denies(const struct config *c, const struct config_devices *d)
{
	for (size_t i = 0; i < d->vendors.count; i++) {
		const struct config_vendor *v = config_vendor_find(c, d->vendors.items[i]);
		for (size_t k = 0; k < v->endpoint_count; k++) {
			if (v->endpoints[k].denied)
				return true;
		}
	}
	return false;
}

static void append_refusals(const struct devices_text *t, const struct config_devices *d)
{
	strbuf_appendf(t->b, "\tchain " GROUP "%s.refuse {\n", d->name);
	append_log(t, d, d->enforce ? "enforce" : "report");
	if (d->enforce)
		append_reject(t);
	strbuf_append(t->b, "\t}\n");
	if (!denies(t->c, d))
		return;
	strbuf_appendf(t->b, "\tchain " GROUP "%s.deny {\n", d->name);
	append_log(t, d, "deny");
	append_reject(t);
	strbuf_append(t->b, "\t}\n");
}

/* --- groups: outwards --- */

static void append_denials(const struct devices_text *t, const struct config_devices *d)
{
	_cleanup_free_ char *then = xasprintf("goto " GROUP "%s.deny", d->name);

	for (size_t i = 0; i < d->vendors.count; i++) {
		const struct config_vendor *v = config_vendor_find(t->c, d->vendors.items[i]);
		for (size_t k = 0; k < v->endpoint_count; k++) {
			if (v->endpoints[k].denied)
				append_rules_of(t, v, &v->endpoints[k], RULESET_DENY, then);
		}
	}
}

static void append_ranges(struct strbuf *b, const char *key, const struct addr_range *ranges,
	size_t count, enum family f)
{
	_cleanup_(strings_done) struct strings items = {0};
	char text[ADDR_RANGE_TEXT_SIZE];

	for (size_t i = 0; i < count; i++) {
		if (ranges[i].first.family == f)
			strings_add(&items, addr_range_format(&ranges[i], text));
	}
	if (!items.count)
		return;
	strbuf_appendf(b, "%s %s ", ip(f), key);
	ruleset_append_list(b, &items);
	strbuf_append_char(b, ' ');
}

/* `match`: the protocol's own. What is said of it stands before what profiles say. */
static void append_reach(const struct devices_text *t, const struct config_devices *d,
	const char *what, enum config_reach reach, const char *match)
{
	static const char *const words[] = {"profile", "gateway", "addresses", "any"};

	if (reach == CONFIG_REACH_PROFILE)
		return;
	if (reach == CONFIG_REACH_ADDRESSES) {
		for (int f = 0; f < FAMILY_COUNT; f++) {
			struct strbuf servers = STRBUF_NULL;
			append_ranges(&servers, "daddr", d->dns_servers, d->dns_server_count,
				(enum family)f);
			if (servers.len)
				strbuf_appendf(t->b, "\t\t%s%s %s comment \"%s, %s\"\n",
					strbuf_text(&servers), match, t->allow, d->name, what);
			strbuf_done(&servers);
		}
	}
	strbuf_appendf(t->b, "\t\t%s ", match);
	if (reach == CONFIG_REACH_ANY)
		strbuf_append(t->b, t->allow);
	else
		strbuf_appendf(t->b, "goto " GROUP "%s.refuse", d->name);
	strbuf_appendf(t->b, " comment \"%s, %s = %s\"\n", d->name, what, words[reach]);
}

static void append_outwards(const struct devices_text *t, const struct config_devices *d)
{
	strbuf_appendf(t->b, "\tchain " GROUP "%s {\n", d->name);
	append_denials(t, d);
	strbuf_append(t->b, "\t\tct state established,related accept\n");
	if (d->ipv6 == CONFIG_IPV6_REJECT)
		strbuf_appendf(t->b,
			"\t\tmeta nfproto ipv6 goto " GROUP
			"%s.refuse comment \"%s, ipv6 = reject\"\n",
			d->name, d->name);
	append_reach(t, d, "dns", d->dns, PORT "53");
	append_reach(t, d, "ntp", d->ntp, "udp dport 123");
	for (size_t i = 0; i < d->vendors.count; i++)
		strbuf_appendf(t->b, "\t\tjump " VENDOR "%s.out\n", d->vendors.items[i]);
	strbuf_appendf(t->b, "\t\tgoto " GROUP "%s.refuse\n\t}\n", d->name);
}

/* --- groups: inwards --- */

static bool group_comes_in(const struct config *c, const struct config_devices *d)
{
	for (size_t i = 0; i < d->vendors.count && ruleset_lets_in(d); i++) {
		if (ruleset_has_inbound(config_vendor_find(c, d->vendors.items[i])))
			return true;
	}
	return false;
}

static void append_inwards(const struct devices_text *t, const struct config_devices *d)
{
	if (!group_comes_in(t->c, d))
		return;
	strbuf_appendf(t->b, "\tchain " GROUP "%s.in {\n", d->name);
	for (size_t i = 0; i < d->vendors.count; i++) {
		const struct config_vendor *v = config_vendor_find(t->c, d->vendors.items[i]);
		if (ruleset_has_inbound(v))
			strbuf_appendf(t->b, "\t\tjump " VENDOR "%s.in\n", v->name);
	}
	strbuf_append(t->b, "\t}\n");
}

/* --- whose packet --- */

/* Each as far as it goes into a rule: the group's addresses of one family, or what stands for that
 * family where it names none. `key`: where they are. */
static void whose(const struct config_devices *d, const char *key, struct strings *ret)
{
	if (!d->address_count && d->ipv6 != CONFIG_IPV6_IGNORE)
		strings_add(ret, "");
	else if (!d->address_count)
		strings_add(ret, "meta nfproto ipv4 ");
	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct strbuf one = STRBUF_NULL;
		append_ranges(&one, key, d->addresses, d->address_count, (enum family)f);
		if (one.len)
			strings_add(ret, strbuf_text(&one));
		strbuf_done(&one);
	}
}

static void append_interfaces(struct strbuf *b, const char *key, const struct strings *names)
{
	if (!names->count)
		return;
	strbuf_appendf(b, "%s ", key);
	ruleset_append_names(b, names);
	strbuf_append_char(b, ' ');
}

static void append_dispatch_out(const struct devices_text *t, const struct config_devices *d)
{
	const struct strings *towards = ruleset_towards(t->c, t->f->outside, d);
	_cleanup_(strings_done) struct strings who = {0};

	whose(d, "saddr", &who);
	if (d->address_count && d->ipv6 == CONFIG_IPV6_REJECT)
		strings_add(&who, "meta nfproto ipv6 ");
	for (size_t i = 0; i < who.count; i++) {
		strbuf_append(t->b, "\t\t");
		append_interfaces(t->b, "iifname", &d->interfaces);
		strbuf_append(t->b, who.items[i]);
		if (d->macs.count) {
			strbuf_append(t->b, "ether saddr ");
			ruleset_append_list(t->b, &d->macs);
			strbuf_append_char(t->b, ' ');
		}
		if (towards->count)
			append_interfaces(t->b, "oifname", towards);
		else
			append_interfaces(t->b, "oifname !=", &d->interfaces);
		strbuf_appendf(t->b, "goto " GROUP "%s\n", d->name);
	}
}

static void append_dispatch_in(const struct devices_text *t, const struct config_devices *d)
{
	const struct strings *towards = ruleset_towards(t->c, t->f->outside, d);
	_cleanup_(strings_done) struct strings who = {0};

	if (!towards->count || !group_comes_in(t->c, d))
		return;
	if (!d->address_count && d->ipv6 == CONFIG_IPV6_REJECT)
		strings_add(&who, "meta nfproto ipv4 ");
	else
		whose(d, "daddr", &who);
	for (size_t i = 0; i < who.count; i++) {
		strbuf_append(t->b, "\t\t");
		append_interfaces(t->b, "iifname", towards);
		append_interfaces(t->b, "oifname", &d->interfaces);
		strbuf_appendf(t->b, "%sgoto " GROUP "%s.in\n", who.items[i], d->name);
	}
}

static void append_group_place(struct strbuf *b, const struct config_devices *d)
{
	strbuf_appendf(b, "\t\t# [devices %s], ", d->name);
	strbuf_append_escaped(b, d->at.file, strlen(d->at.file));
	strbuf_appendf(b, ":%u\n", d->at.line);
}

bool ruleset_confines(const struct config *c, const struct ruleset_facts *f)
{
	for (size_t i = 0; i < c->vendor_count && f->without; i++) {
		if (!f->without[i])
			return c->devices_count;
	}
	return c->devices_count && !f->without;
}

void ruleset_append_devices(struct strbuf *b, const struct config *c, const struct ruleset *r,
	const struct ruleset_facts *f)
{
	struct devices_text t = {b, c, r, f, .allow = NULL};

	if (!ruleset_confines(c, f))
		return;
	t.allow = ruleset_marking(&c->mark, "accept");
	for (size_t i = 0; i < c->vendor_count; i++) {
		if (config_has_devices_for(c, c->vendors[i].name))
			append_vendor(&t, &c->vendors[i]);
	}
	for (size_t i = 0; i < c->devices_count; i++) {
		append_refusals(&t, &c->devices[i]);
		append_outwards(&t, &c->devices[i]);
		append_inwards(&t, &c->devices[i]);
	}
	strbuf_append(b, "\tchain " RULESET_CONFINE " {\n"
			 "\t\ttype filter hook forward priority filter - 9; policy accept;\n");
	for (size_t i = 0; i < c->devices_count; i++) {
		append_group_place(b, &c->devices[i]);
		append_dispatch_out(&t, &c->devices[i]);
		append_dispatch_in(&t, &c->devices[i]);
	}
	strbuf_append(b, "\t}\n");
	free(t.allow);
}
