/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chain of the managed table that gives a vendor's traffic its class of DiffServ, both ways:
 * what goes to an element of its sets, and what comes from there. A destination that no set holds
 * ("any") has no class: everybody's traffic would have. */
#include "base/strbuf.h"
#include "core/ruleset_parts.h"

#include <string.h>

struct dscp_text {
	struct strbuf *b;
	const struct config_vendor *v;
	const struct ruleset_set *s;
	const char *side; /* where the packet has the vendor's address */
};

static const char *ip(const struct ruleset_set *s)
{
	return s->family == FAMILY_V4 ? "ip" : "ip6";
}

/* What a set has ports of is the destination's on the way that the endpoint is for. */
static bool towards_port(const struct dscp_text *t)
{
	return str_eq(t->side, t->s->way == RULESET_IN ? "saddr" : "daddr");
}

static void append_rule(const struct dscp_text *t, const char *match)
{
	const char *port = strstr(match, " dport ");

	strbuf_append(t->b, "\t\t");
	if (port && !towards_port(t))
		strbuf_appendf(t->b, "%.*s sport %s", (int)(port - match), match,
			port + strlen(" dport "));
	else
		strbuf_append(t->b, match);
	strbuf_appendf(t->b, "%s%s %s @%s %s dscp set 0x%02x\n", match[0] ? " " : "", ip(t->s),
		t->side, t->s->name, ip(t->s), t->v->dscp);
}

static void append_side(const struct dscp_text *t)
{
	const struct ruleset_set *s = t->s;
	_cleanup_(strings_done) struct strings matches = {0};

	if (s->holds == RULESET_PORTS) {
		strbuf_appendf(t->b, "\t\t%s %s . meta l4proto . th %s @%s %s dscp set 0x%02x\n",
			ip(s), t->side, towards_port(t) ? "dport" : "sport", s->name, ip(s),
			t->v->dscp);
		return;
	}
	ruleset_match_services(s->endpoint->endpoint, (int)s->family, &matches);
	for (size_t i = 0; i < matches.count; i++) {
		/* an ICMP type is not the answer's */
		if (towards_port(t) || !strstr(matches.items[i], " type "))
			append_rule(t, matches.items[i]);
	}
}

static void append_vendor(struct strbuf *b, const struct ruleset *r, const struct config_vendor *v)
{
	strbuf_appendf(b, "\n\t\t# --- %s\n", v->name);
	for (size_t i = 0; i < r->count; i++) {
		const struct ruleset_set *s = &r->sets[i];
		if (s->vendor != v || s->way == RULESET_DENY)
			continue;
		append_side(&(struct dscp_text){b, v, s, "daddr"});
		append_side(&(struct dscp_text){b, v, s, "saddr"});
	}
}

void ruleset_append_dscp(struct strbuf *b, const struct config *c, const struct ruleset *r,
	const struct ruleset_facts *f)
{
	bool any = false;

	for (size_t i = 0; i < c->vendor_count; i++) {
		const struct config_vendor *v = &c->vendors[i];
		if (!v->has_dscp || !ruleset_has_vendor(c, v) || (f->without && f->without[i]))
			continue;
		if (!any)
			strbuf_append(b,
				"\tchain " RULESET_DSCP " {\n"
				"\t\ttype filter hook forward priority mangle; policy accept;\n");
		any = true;
		append_vendor(b, r, v);
	}
	if (any)
		strbuf_append(b, "\t}\n");
}
