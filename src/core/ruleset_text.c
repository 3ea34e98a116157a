/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The managed table as nft's text. Of what others wrote only identifiers and numbers reach nft's
 * own grammar; the rest stands in comments, escaped. */
#include "base/map.h"
#include "base/strbuf.h"
#include "core/ruleset_parts.h"
#include "core/saved_text.h"

#include <string.h>

/* --- lists --- */

/* "443", "{ 80, 443 }" */
void ruleset_append_list(struct strbuf *b, const struct strings *items)
{
	_cleanup_free_ char *all = strings_join(items, ", ");

	strbuf_appendf(b, items->count > 1 ? "{ %s }" : "%s", all);
}

/* Of interfaces: inside quotes. */
void ruleset_append_names(struct strbuf *b, const struct strings *names)
{
	_cleanup_(strings_done) struct strings quoted = {0};

	for (size_t i = 0; i < names->count; i++) {
		_cleanup_free_ char *text = xasprintf("\"%s\"", names->items[i]);
		strings_add(&quoted, text);
	}
	ruleset_append_list(b, &quoted);
}

/* --- what an admin reads --- */

/* "ixon/servers, vendors/ixon.conf:30" */
static void append_place(
	struct strbuf *b, const struct config_vendor *v, const struct config_endpoint *e)
{
	const struct source *at = &e->endpoint->at;

	strbuf_appendf(b, "%s/%s, ", v->name, e->endpoint->name);
	strbuf_append_escaped(b, at->file, strlen(at->file));
	strbuf_appendf(b, ":%u", at->line);
}

void ruleset_describe(
	struct strbuf *b, const struct config_vendor *v, const struct config_endpoint *e)
{
	char text[SERVICE_TEXT_SIZE];

	strbuf_append(b, "\t\t# ");
	append_place(b, v, e);
	for (size_t i = 0; i < e->endpoint->service_count; i++)
		strbuf_appendf(b, "%s%s", i ? ", " : ": ",
			service_format(&e->endpoint->services[i], text));
	strbuf_append_char(b, '\n');
}

static void describe_left_out(struct strbuf *b, const struct config_vendor *v,
	const struct config_endpoint *e, const char *why)
{
	strbuf_append(b, "\t\t# not in these rules: ");
	append_place(b, v, e);
	strbuf_appendf(b, ": %s\n", why);
}

/* A rule's comment stands inside quotes, and nft takes 128 bytes. NULL endpoint: of several. */
static void append_comment(struct strbuf *b, const struct config_vendor *v,
	const struct config_endpoint *e, size_t endpoints)
{
	enum { COMMENT_MAX = 128 };
	_cleanup_(strbuf_done) struct strbuf place = STRBUF_NULL;

	if (!e) {
		strbuf_appendf(b, " comment \"%s, %zu endpoints\"", v->name, endpoints);
		return;
	}
	append_place(&place, v, e);
	if (place.len > COMMENT_MAX || strpbrk(strbuf_text(&place), "\"\\"))
		strbuf_appendf(b, " comment \"%s/%s\"", v->name, e->endpoint->name);
	else
		strbuf_appendf(b, " comment \"%s\"", strbuf_text(&place));
}

/* --- rules --- */

/* The bits of a packet's mark that are not ours stay as they are. */
char *ruleset_marking(const struct config_mark *m, const char *verdict)
{
	return m->mask == m->value
		       ? xasprintf("meta mark set meta mark | 0x%08x %s", m->value, verdict)
		       : xasprintf("meta mark set meta mark & 0x%08x | 0x%08x %s", ~m->mask,
				 m->value, verdict);
}

static void append_ports_rule(struct strbuf *b, const struct ruleset_set *s,
	const struct config_endpoint *only, size_t endpoints, const char *then)
{
	strbuf_appendf(b, "\t\t%s daddr . meta l4proto . th dport @%s %s",
		s->family == FAMILY_V4 ? "ip" : "ip6", s->name, then);
	append_comment(b, s->vendor, only, endpoints);
	strbuf_append_char(b, '\n');
}

/* The service comes first, as it takes least: a set is looked up for what may be in it. */
void ruleset_append_rules(struct strbuf *b, const struct config_vendor *v,
	const struct config_endpoint *e, const struct ruleset_set *s, const char *then)
{
	_cleanup_(strings_done) struct strings matches = {0};

	ruleset_match_services(e->endpoint, s ? (int)s->family : -1, &matches);
	for (size_t i = 0; i < matches.count; i++) {
		const char *match = matches.items[i];
		strbuf_appendf(b, "\t\t%s%s", match, match[0] ? " " : "");
		if (s)
			strbuf_appendf(b, "%s %s @%s ", s->family == FAMILY_V4 ? "ip" : "ip6",
				s->way == RULESET_IN ? "saddr" : "daddr", s->name);
		strbuf_append(b, then);
		append_comment(b, v, e, 1);
		strbuf_append_char(b, '\n');
	}
}

static bool any_takes(const struct ruleset_set *sets, size_t count, const struct config_endpoint *e)
{
	for (size_t i = 0; i < count; i++) {
		if (ruleset_set_takes(&sets[i], e))
			return true;
	}
	return false;
}

static bool goes_anywhere(
	const struct config *c, const struct config_vendor *v, const struct config_endpoint *e)
{
	return e->endpoint->any && (e->endpoint->direction & DIRECTION_OUT) && !e->denied &&
	       ruleset_knows_outside(c, v);
}

/* The vendor's sets of ports come first. */
static void append_ports_rules(struct strbuf *b, const struct config_vendor *v,
	const struct ruleset_set *sets, size_t count, const char *then)
{
	for (size_t k = 0; k < v->endpoint_count; k++) {
		if (any_takes(sets, count, &v->endpoints[k]))
			ruleset_describe(b, v, &v->endpoints[k]);
	}
	for (size_t i = 0; i < count; i++) {
		const struct config_endpoint *one = NULL;
		size_t endpoints = 0;
		for (size_t k = 0; k < v->endpoint_count; k++) {
			if (ruleset_set_takes(&sets[i], &v->endpoints[k])) {
				one = &v->endpoints[k];
				endpoints++;
			}
		}
		append_ports_rule(b, &sets[i], endpoints == 1 ? one : NULL, endpoints, then);
	}
}

static void append_endpoint(struct strbuf *b, const struct config *c, const struct config_vendor *v,
	const struct config_endpoint *e, const struct ruleset_set *sets, size_t count,
	const char *then)
{
	const char *left_out = ruleset_leaves_out(c, v, e);
	bool any = goes_anywhere(c, v, e);

	if (any || any_takes(sets, count, e))
		ruleset_describe(b, v, e);
	for (size_t i = 0; i < count; i++) {
		if (ruleset_set_takes(&sets[i], e))
			ruleset_append_rules(b, v, e, &sets[i], then);
	}
	if (any)
		ruleset_append_rules(b, v, e, NULL, then);
	if (left_out)
		describe_left_out(b, v, e, left_out);
	if ((e->endpoint->direction & DIRECTION_IN) && ruleset_marks_vendor(c, v))
		describe_left_out(b, v, e, "inbound is for device groups: [devices]");
}

void ruleset_append_vendor(struct strbuf *b, const struct config *c, const struct config_vendor *v,
	const struct ruleset_set *sets, size_t count, const char *then)
{
	size_t ports = 0, at;

	while (ports < count && sets[ports].holds == RULESET_PORTS)
		ports++;
	append_ports_rules(b, v, sets, ports, then);
	at = ports;
	for (size_t k = 0; k < v->endpoint_count; k++) {
		size_t own = 0;
		while (at + own < count && sets[at + own].endpoint == &v->endpoints[k])
			own++;
		if (!v->endpoints[k].denied)
			append_endpoint(b, c, v, &v->endpoints[k], sets + at, own, then);
		at += own;
	}
}

/* --- the table --- */

/* A pattern, as a name that is not there would be an error to nft. */
static void append_include(struct strbuf *b, const char *directory, char *set_name)
{
	const struct set_id id = {nf_family_parse("inet"), (char[]){RULESET_TABLE}, set_name};
	_cleanup_free_ char *file = saved_text_file_name(&id);

	strbuf_appendf(b, "\t\tinclude \"%s/%.*s[%c]\"\n", directory, (int)strlen(file) - 1, file,
		file[strlen(file) - 1]);
}

/* `directory`: of elements to include; NULL: none are. */
static void append_sets(
	struct strbuf *b, const struct ruleset *r, const bool *there, const char *directory)
{
	for (size_t i = 0; i < r->count; i++) {
		if (there && there[i])
			continue;
		const struct ruleset_set *s = &r->sets[i];
		const char *addr = s->family == FAMILY_V4 ? "ipv4_addr" : "ipv6_addr";
		strbuf_appendf(b, "\tset %s {\n\t\ttype %s%s\n", s->name, addr,
			s->holds == RULESET_PORTS ? " . inet_proto . inet_service" : "");
		if (s->holds == RULESET_NETS)
			strbuf_append(b, "\t\tflags interval\n");
		else if (s->way == RULESET_DENY)
			strbuf_append(b, "\t\tflags timeout\n");
		if (directory)
			append_include(b, directory, s->name);
		strbuf_append(b, "\t}\n");
	}
}

static void append_towards(struct strbuf *b, const struct config_mark *m)
{
	if (!m->towards.count)
		return;
	strbuf_append(b, "\n\t\t# only what leaves by these interfaces\n\t\toifname != ");
	ruleset_append_names(b, &m->towards);
	strbuf_append(b, " return\n");
}

static bool is_marked(const struct config *c, const struct ruleset_facts *f, size_t vendor)
{
	return ruleset_marks_vendor(c, &c->vendors[vendor]) && !(f->without && f->without[vendor]);
}

struct services {
	struct service *items;
	size_t count, capacity;
};

static void add_services(struct services *to, const struct config *c, const struct ruleset *r,
	const struct config_vendor *v)
{
	const struct ruleset_set *sets;
	size_t count = ruleset_outward(r, v, &sets);

	for (size_t i = 0; i < v->endpoint_count; i++) {
		const struct config_endpoint *e = &v->endpoints[i];
		if (!any_takes(sets, count, e) && !goes_anywhere(c, v, e))
			continue;
		for (size_t k = 0; k < e->endpoint->service_count; k++) {
			VEC_GROW(to->items, to->capacity, to->count);
			to->items[to->count++] = e->endpoint->services[k];
		}
	}
}

/* What comes back, and most of what other hosts send, is not to be looked up for each vendor. */
static void append_returns(struct strbuf *b, const struct config *c, const struct ruleset *r,
	const struct ruleset_facts *f)
{
	_cleanup_(strings_done) struct strings others = {0};
	struct services services = {0};

	for (size_t i = 0; i < c->vendor_count; i++) {
		if (is_marked(c, f, i))
			add_services(&services, c, r, &c->vendors[i]);
	}
	ruleset_match_others(services.items, services.count, &others);
	free(services.items);
	if (others.count)
		strbuf_append(b, "\n\t\t# only ports and protocols that a vendor below has\n");
	for (size_t i = 0; i < others.count; i++)
		strbuf_appendf(b, "\t\t%s return\n", others.items[i]);
}

static void append_chain(struct strbuf *b, const struct config *c, const struct ruleset *r,
	const struct ruleset_facts *f)
{
	strbuf_append(b, "\tchain " RULESET_CHAIN " {\n"
			 "\t\ttype filter hook forward priority filter - 10; policy accept;\n");
	append_towards(b, &c->mark);
	append_returns(b, c, r, f);
	for (size_t i = 0; i < c->vendor_count; i++) {
		const struct config_vendor *v = &c->vendors[i];
		const struct ruleset_set *sets;
		size_t count = ruleset_outward(r, v, &sets);
		if (!is_marked(c, f, i))
			continue;
		_cleanup_free_ char *then = ruleset_allowing(c, f, v, "return");
		strbuf_appendf(b, "\n\t\t# --- %s\n", v->name);
		ruleset_append_vendor(b, c, v, sets, count, then);
	}
	strbuf_append(b, "\t}\n");
}

static void append_head(struct strbuf *b, const struct config *c)
{
	_cleanup_free_ char *hook = ruleset_hook(c);

	strbuf_appendf(b,
		"# Made by allowsyncctl rules: it marks what the vendors allow. By itself it "
		"opens\n"
		"# nothing. A forward chain that drops lets it pass by this line of its own:\n"
		"#\t%s\n",
		hook);
	for (size_t i = 0; i < c->vendor_count; i++) {
		const char *name = c->vendors[i].name;
		if (config_has_devices_for(c, name))
			strbuf_appendf(b, "# for device groups only: %s\n", name);
		else if (config_has_set_for(c, name))
			strbuf_appendf(b, "# not in here, as a [set] takes it: %s\n", name);
	}
	/* the rules are new, the sets keep their elements */
	strbuf_append(b, "\ntable inet " RULESET_TABLE "\n"
			 "flush table inet " RULESET_TABLE "\n\n");
}

static void append_rules_of_all(struct strbuf *b, const struct config *c, const struct ruleset *r,
	const struct ruleset_facts *f)
{
	append_chain(b, c, r, f);
	ruleset_append_devices(b, c, r, f);
	ruleset_append_dscp(b, c, r, f);
}

static char *whole_text(
	const struct config *c, const struct ruleset_facts *f, const char *elements_directory)
{
	_cleanup_(ruleset_done) struct ruleset r = ruleset_of(c);
	struct strbuf b = STRBUF_NULL;

	append_head(&b, c);
	ruleset_append_unused(&b, c, f);
	strbuf_append(&b, "table inet " RULESET_TABLE " {\n");
	ruleset_append_policies(&b, c, f);
	append_sets(&b, &r, NULL, elements_directory);
	append_rules_of_all(&b, c, &r, f);
	strbuf_append(&b, "}\n");
	return strbuf_take(&b);
}

char *ruleset_text(const struct config *c, const struct ruleset_facts *f)
{
	return whole_text(c, f, NULL);
}

/* nft takes patterns and knows no escape. */
static bool can_include_from(const char *directory)
{
	for (const char *at = directory; *at; at++) {
		if (*at < ' ' || *at > '~' || strchr("\"\\*?[]{}~$", *at))
			return false;
	}
	return directory[0] == '/';
}

char *ruleset_text_kept(
	const struct config *c, const struct ruleset_facts *f, const char *elements_directory)
{
	return can_include_from(elements_directory) ? whole_text(c, f, elements_directory) : NULL;
}

/* --- in two steps --- */

bool ruleset_name_ok(const char *name)
{
	return str_starts(name, RULESET_PREFIX) && nft_identifier_ok(name);
}

void ruleset_standing_done(struct ruleset_standing *s)
{
	strings_done(&s->chains);
	strings_done(&s->sets);
}

char *ruleset_text_sets(const struct config *c, const bool *there)
{
	_cleanup_(ruleset_done) struct ruleset r = ruleset_of(c);
	struct strbuf b = STRBUF_NULL;

	if (!r.count)
		return xstrdup("");
	strbuf_append(&b, "table inet " RULESET_TABLE " {\n");
	append_sets(&b, &r, there, NULL);
	strbuf_append(&b, "}\n");
	return strbuf_take(&b);
}

static bool has_rules(const struct config *c, const struct ruleset_facts *f)
{
	for (size_t i = 0; i < c->vendor_count; i++) {
		if (ruleset_has_vendor(c, &c->vendors[i]) && (!f->without || !f->without[i]))
			return true;
	}
	return ruleset_confines(c, f);
}

/* Each declaration begins a line of its own, and nothing else does so. */
static bool declares_chain(const char *text, const char *name)
{
	_cleanup_free_ char *line = xasprintf("\n\tchain %s {\n", name);

	return strstr(text, line);
}

static void append_chains(
	struct strbuf *b, const char *verb, const struct strings *names, const char *but_of)
{
	for (size_t i = 0; i < names->count; i++) {
		const char *name = names->items[i];
		if (ruleset_name_ok(name) && !declares_chain(but_of, name))
			strbuf_appendf(b, "%s chain inet " RULESET_TABLE " %s\n", verb, name);
	}
}

static void append_deleted_sets(
	struct strbuf *b, const struct ruleset *r, const struct strings *names)
{
	_cleanup_(map_done) struct map wanted = MAP_NULL;

	for (size_t i = 0; i < r->count; i++)
		map_put(&wanted, r->sets[i].name, strlen(r->sets[i].name), &r->sets[i]);
	for (size_t i = 0; i < names->count; i++) {
		const char *name = names->items[i];
		if (ruleset_name_ok(name) && !map_get(&wanted, name, strlen(name)))
			strbuf_appendf(b, "delete set inet " RULESET_TABLE " %s\n", name);
	}
}

char *ruleset_text_rules(const struct config *c, const struct ruleset_facts *f,
	const struct ruleset_standing *standing)
{
	_cleanup_(ruleset_done) struct ruleset r = ruleset_of(c);
	_cleanup_(strbuf_done) struct strbuf body = STRBUF_NULL;
	struct strbuf b = STRBUF_NULL;

	strbuf_append(&body, "");
	if (has_rules(c, f)) {
		strbuf_append(&body, "table inet " RULESET_TABLE " {\n");
		ruleset_append_policies(&body, c, f);
		append_rules_of_all(&body, c, &r, f);
		strbuf_append(&body, "}\n");
	}
	strbuf_append(&b, "");
	append_chains(&b, "flush", &standing->chains, "");
	strbuf_append(&b, strbuf_text(&body));
	append_chains(&b, "delete", &standing->chains, strbuf_text(&body));
	append_deleted_sets(&b, &r, &standing->sets);
	ruleset_append_unused(&b, c, f);
	return strbuf_take(&b);
}

char *ruleset_hook(const struct config *c)
{
	return xasprintf("meta mark & 0x%08x == 0x%08x accept", c->mark.mask, c->mark.value);
}
