/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The whole at a glance, vendors, sets. */
#include "ctl/views.h"

#include <jansson.h>
#include <string.h>

enum { EFFECTS_SHOWN = 8, DEVICES_SHOWN = 8 };

static void label(struct printer *p, const char *text)
{
	print_raw(p, "%-10s ", text);
}

static void line(struct printer *p, const char *name, const char *text)
{
	label(p, name);
	print_text(p, text);
	print_raw(p, "\n");
}

/* Was it looked at, and no rule uses the set? */
static bool is_unused(const json_t *effect)
{
	return field_has(effect, "used") && !field_bool(effect, "used");
}

/* Is what is marked dropped all the same? */
static bool is_dropped(const json_t *status)
{
	const json_t *mark = field_object(status, "mark");

	return field_has(mark, "effective") && !field_bool(mark, "effective");
}

/* "inet filter voip4, ip t x" */
static char *unused_sets(const json_t *status)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;

	for (size_t i = 0; i < field_count(status, "effects"); i++) {
		const json_t *e = field_item(status, "effects", i);
		if (is_unused(field_object(e, "effect")))
			strbuf_appendf(&b, "%s%s", b.len ? ", " : "", field_text(e, "set"));
	}
	return strbuf_take(&b);
}

/* Sets that no rule uses, each; of the others as many as fit a glance. */
static void effect_lines(struct printer *p, const json_t *status)
{
	size_t more = 0, shown = 0;

	for (size_t i = 0; i < field_count(status, "effects"); i++) {
		const json_t *e = field_item(status, "effects", i);
		const json_t *effect = field_object(e, "effect");
		bool unused = is_unused(effect);
		if (!unused && shown == EFFECTS_SHOWN) {
			more++;
			continue;
		}
		shown += !unused;
		_cleanup_free_ char *text = text_escape(field_text(effect, "text"));
		label(p, "effect");
		print_text(p, field_text(e, "set"));
		print_raw(p, ": ");
		print_tinted(p, unused ? TINT_BAD : TINT_NONE, "%s", text);
		print_raw(p, "\n");
	}
	if (more) {
		_cleanup_free_ char *count = text_count((int64_t)more, "more set", "s");
		label(p, "effect");
		print_raw(p, "and %s: see \"allowsyncctl sets\"\n", count);
	}
}

/* One thing that is wrong stands in the first line; several have lines of their own. */
static void headline(struct printer *p, const json_t *status)
{
	size_t degraded = field_count(status, "degraded"), paused = field_count(status, "paused");
	size_t ineffective = field_count(status, "ineffective");
	_cleanup_free_ char *unused = unused_sets(status);
	int64_t since = 0;

	for (size_t i = 0; i < degraded; i++) {
		int64_t when = field_int(field_item(status, "degraded", i), "since");
		if (when && (!since || when < since))
			since = when;
	}
	if (ineffective) {
		_cleanup_free_ char *vendors = field_join(status, "ineffective", ", ");
		print_tinted(p, TINT_BAD, "INEFFECTIVE");
		print_raw(p, field_has(status, "rules") ? ": no [set] takes, and no rule marks, "
							: ": no [set] takes ");
		print_text(p, vendors);
		print_raw(p, "\n");
	}
	if (is_dropped(status)) {
		print_tinted(p, TINT_BAD, "INEFFECTIVE");
		print_raw(p, ": ");
		print_text(p, field_text(field_object(status, "mark"), "text"));
		print_raw(p, "\n");
	}
	if (*unused) {
		print_tinted(p, TINT_BAD, "INEFFECTIVE");
		print_raw(p, ": no rule uses ");
		print_text(p, unused);
		print_raw(p, "\n");
	}
	if (degraded || paused) {
		bool stale = str_eq(field_text(status, "state"), "stale");
		print_tinted(p, stale ? TINT_BAD : TINT_WARN, stale ? "STALE" : "DEGRADED");
		if (since) {
			_cleanup_free_ char *clock = text_clock(p, since);
			print_raw(p, " since %s", clock);
		}
		print_raw(p, ": ");
		if (degraded > 1)
			print_raw(p, "%zu things, see below", degraded);
		else if (degraded)
			print_text(p, field_text(field_item(status, "degraded", 0), "what"));
		else
			print_raw(p, "paused by an admin");
		print_raw(p, "\n");
	}
	if (ineffective || *unused || degraded || paused || is_dropped(status))
		return;
	const char *state = field_text(status, "state");
	bool healthy = str_eq(state, "healthy");
	_cleanup_free_ char *safe = text_escape(healthy || *state ? state : "state unknown");
	print_tinted(p, healthy ? TINT_GOOD : TINT_WARN, "%s", safe);
	print_raw(p, "\n");
}

/* The managed table. */
static void rules_lines(struct printer *p, const json_t *status)
{
	const json_t *rules = field_object(status, "rules"), *mark = field_object(status, "mark");

	if (field_has(status, "mark")) {
		_cleanup_free_ char *text = text_escape(field_text(mark, "text"));
		label(p, "effect");
		print_raw(p, "mark ");
		print_text(p, field_text(mark, "value"));
		print_raw(p, ": ");
		print_tinted(p, is_dropped(status) ? TINT_BAD : TINT_NONE, "%s", text);
		print_raw(p, "\n");
	}
	if (!field_has(status, "rules"))
		return;
	bool good = str_eq(field_text(rules, "state"), "in_force");
	_cleanup_free_ char *text = text_escape(field_text(rules, "text"));
	_cleanup_free_ char *clock = text_clock(p, field_int(rules, "since"));
	label(p, "rules");
	print_tinted(p, good ? TINT_NONE : TINT_WARN, "%s", text);
	print_raw(p, good ? " since %s\n" : " (since %s)\n", clock);
}

static void config_line(struct printer *p, const json_t *config)
{
	_cleanup_free_ char *ago = text_ago(p, field_int(config, "loaded"));
	_cleanup_free_ char *clock = text_clock(p, field_int(config, "loaded"));
	_cleanup_free_ char *files = text_count((int64_t)field_count(config, "files"), "file", "s");

	label(p, "config");
	print_text(p, field_text(config, "digest"));
	print_raw(p, ", %s, loaded %s (%s)\n", files, ago, clock);
}

/* "127.0.0.1 ok without EDNS", "127.0.0.1 resting since 09:18:02 (silent, 12 unmatched answers)" */
static void print_server(struct printer *p, const json_t *server)
{
	const char *state = field_text(server, "state");
	int64_t unmatched = field_int(server, "unmatched");
	bool trouble = field_has(server, "trouble");
	_cleanup_free_ char *safe = text_escape(state);
	enum tint tint = str_eq(state, "ok") ? TINT_GOOD : TINT_WARN;

	print_text(p, field_text(server, "address"));
	if (str_eq(state, "untried"))
		return;
	print_raw(p, " ");
	print_tinted(p, tint, "%s", safe);
	if (field_has(server, "since")) {
		_cleanup_free_ char *clock = text_clock(p, field_int(server, "since"));
		print_raw(p, " since %s", clock);
	}
	if (field_has(server, "edns") && !field_bool(server, "edns"))
		print_raw(p, " without EDNS");
	if (!trouble && unmatched <= 0)
		return;
	print_raw(p, " (");
	if (trouble)
		print_text(p, field_text(server, "trouble"));
	if (unmatched > 0) {
		_cleanup_free_ char *count = text_count(unmatched, "unmatched answer", "s");
		print_raw(p, "%s%s", trouble ? ", " : "", count);
	}
	print_raw(p, ")");
}

static void resolver_line(struct printer *p, const json_t *resolver)
{
	const char *servers = field_text(resolver, "servers");
	long long in_flight = field_int(resolver, "in_flight");
	long long waiting = field_int(resolver, "waiting");
	size_t count = field_count(resolver, "health");

	label(p, "resolver");
	if (field_bool(resolver, "union"))
		print_raw(p, "union of ");
	for (size_t i = 0; i < count; i++) {
		print_raw(p, i ? ", " : "");
		print_server(p, field_item(resolver, "health", i));
	}
	if (!count)
		print_text(p, *servers ? servers : "none");
	print_raw(p, "  (%lld lookups, %lld failed", (long long)field_int(resolver, "lookups"),
		(long long)field_int(resolver, "failed"));
	if (in_flight)
		print_raw(p, ", %lld under way", in_flight);
	if (waiting)
		print_raw(p, ", %lld waiting", waiting);
	print_raw(p, ")\n");
}

static void sets_line(struct printer *p, const json_t *sets)
{
	_cleanup_free_ char *count = text_count(field_int(sets, "count"), "set", "s");
	_cleanup_free_ char *elements = text_count(field_int(sets, "elements"), "element", "s");
	int64_t foreign = field_int(sets, "foreign");

	label(p, "sets");
	print_raw(p, "%s, %s, ", count, elements);
	if (field_bool(sets, "in_step"))
		print_raw(p, "in step");
	else
		print_tinted(p, TINT_WARN, "not in step");
	if (field_has(sets, "changed")) {
		_cleanup_free_ char *ago = text_ago(p, field_int(sets, "changed"));
		print_raw(p, " (last change %s)", ago);
	}
	if (foreign) {
		_cleanup_free_ char *text = text_count(foreign, "foreign element", "s");
		print_raw(p, "; %s kept", text);
	}
	print_raw(p, "\n");
}

/* A line a device group, as many as fit a glance. */
static void devices_lines(struct printer *p, const json_t *status)
{
	size_t count = field_count(status, "devices");

	for (size_t i = 0; i < count && i < DEVICES_SHOWN; i++) {
		const json_t *d = field_item(status, "devices", i);
		_cleanup_free_ char *packets = text_count(field_int(d, "hour"), "packet", "s");
		label(p, "devices");
		print_text(p, field_text(d, "name"));
		print_raw(p, " (");
		print_text(p, field_text(d, "mode"));
		if (field_has(d, "trouble"))
			print_raw(p, "): what is not allowed is not seen\n");
		else
			print_raw(p, "): %s not allowed in the last hour\n", packets);
	}
	if (count > DEVICES_SHOWN) {
		_cleanup_free_ char *more =
			text_count((int64_t)(count - DEVICES_SHOWN), "more group", "s");
		label(p, "devices");
		print_raw(p, "and %s: see \"allowsyncctl refused\"\n", more);
	}
}

static void degraded_lines(struct printer *p, const json_t *status)
{
	size_t count = field_count(status, "degraded");

	for (size_t i = 0; count > 1 && i < count; i++) {
		const json_t *d = field_item(status, "degraded", i);
		label(p, "degraded");
		print_text(p, field_text(d, "what"));
		if (field_has(d, "since")) {
			_cleanup_free_ char *since = text_clock(p, field_int(d, "since"));
			print_raw(p, " (since %s)", since);
		}
		print_raw(p, "\n");
	}
}

static void lines_of(struct printer *p, const json_t *status, const char *key, const char *name)
{
	for (size_t i = 0; i < field_count(status, key); i++)
		line(p, name, field_item_text(status, key, i));
}

static enum tint state_tint(const char *state)
{
	if (str_eq(state, "ok"))
		return TINT_GOOD;
	if (str_eq(state, "waiting"))
		return TINT_NONE;
	return str_eq(state, "ineffective") ? TINT_BAD : TINT_WARN;
}

/* "degraded since 02:10:00: the first problem (and 2 more)"; without problems "ok (a note)". */
static void add_state(const struct printer *p, struct table *t, const json_t *object, bool reasons)
{
	const char *state = field_text(object, "state");
	size_t problems = field_count(object, "problems"), notes = field_count(object, "notes");
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;

	strbuf_append(&b, state);
	if (field_has(object, "since")) {
		_cleanup_free_ char *clock = text_clock(p, field_int(object, "since"));
		strbuf_appendf(&b, " since %s", clock);
	}
	if (reasons && problems)
		strbuf_appendf(&b, ": %s", field_item_text(object, "problems", 0));
	if (reasons && problems > 1)
		strbuf_appendf(&b, " (and %zu more)", problems - 1);
	if (reasons && !problems && notes)
		strbuf_appendf(&b, " (%s)", field_item_text(object, "notes", 0));
	table_add_tinted(t, state_tint(state), strbuf_text(&b));
}

static void add_changed(const struct printer *p, struct table *t, const json_t *object)
{
	if (field_has(object, "changed"))
		table_take(t, TINT_NONE, text_ago(p, field_int(object, "changed")));
	else
		table_add(t, "-");
}

void view_vendors(struct printer *p, const struct json_t *vendors)
{
	static const char *const headings[] = {
		"VENDOR", "PAGE READ", "NAMES", "ADDR", "STATIC", "LAST CHANGE", "STATE", NULL};
	_cleanup_(table_done) struct table t;
	size_t i;
	const json_t *v;

	table_init(&t, headings, "llrrrll");
	json_array_foreach(vendors, i, v) {
		table_add(&t, field_text(v, "name"));
		table_add(&t, field_has(v, "read") ? field_text(v, "read") : "-");
		table_add_int(&t, field_int(v, "names"));
		table_add_int(&t, field_int(v, "addresses"));
		table_add_int(&t, field_int(v, "static"));
		add_changed(p, &t, v);
		add_state(p, &t, v, true);
	}
	table_print(p, &t);
}

void view_status(struct printer *p, const struct json_t *status)
{
	headline(p, status);
	effect_lines(p, status);
	rules_lines(p, status);
	config_line(p, field_object(status, "config"));
	resolver_line(p, field_object(status, "resolver"));
	sets_line(p, field_object(status, "sets"));
	devices_lines(p, status);
	degraded_lines(p, status);
	for (size_t i = 0; i < field_count(status, "paused"); i++) {
		label(p, "paused");
		print_text(p, field_item_text(status, "paused", i));
		print_raw(p, ": not kept true; \"allowsyncctl resume\" goes on\n");
	}
	lines_of(p, status, "undone", "undone");
	lines_of(p, status, "notes", "note");
	if (field_count(status, "vendors")) {
		print_raw(p, "\n");
		view_vendors(p, field_object(status, "vendors"));
	}
}

static void set_lines(struct printer *p, const json_t *set, const char *key)
{
	for (size_t i = 0; i < field_count(set, key); i++) {
		print_text(p, field_text(set, "set"));
		print_raw(p, ": ");
		print_text(p, field_item_text(set, key, i));
		print_raw(p, "\n");
	}
}

/* The rule, and how many there are besides. */
static void add_used_by(struct table *t, const json_t *effect)
{
	int64_t rules = field_int(effect, "rules");

	if (!field_has(effect, "used")) {
		table_add(t, "-");
	} else if (is_unused(effect)) {
		table_add_tinted(t, TINT_BAD, "no rule");
	} else {
		_cleanup_free_ char *more =
			rules > 1 ? xasprintf(" +%lld", (long long)rules - 1) : xstrdup("");
		_cleanup_free_ char *text = xasprintf("%s%s", field_text(effect, "rule"), more);
		table_add(t, text);
	}
}

void view_sets(struct printer *p, const struct json_t *sets)
{
	static const char *const headings[] = {"SET", "NFTABLES", "TYPE", "VENDORS", "ELEMENTS",
		"FOREIGN", "USED BY", "LAST CHANGE", "STATE", NULL};
	_cleanup_(table_done) struct table t;
	size_t i;
	const json_t *s;

	table_init(&t, headings, "llllrrlll");
	json_array_foreach(sets, i, s) {
		_cleanup_free_ char *vendors = field_join(s, "vendors", ",");
		table_add(&t, field_has(s, "name") ? field_text(s, "name") : "-");
		table_add(&t, field_text(s, "set"));
		table_add(&t, field_has(s, "type") ? field_text(s, "type") : "-");
		table_add(&t, *vendors ? vendors : "-");
		table_add_int(&t, field_int(s, "elements"));
		table_add_int(&t, field_int(s, "foreign"));
		add_used_by(&t, field_object(s, "effect"));
		add_changed(p, &t, s);
		add_state(p, &t, s, false);
	}
	table_print(p, &t);
	json_array_foreach(sets, i, s) {
		set_lines(p, s, "problems");
		set_lines(p, s, "notes");
		if (field_has(s, "awaited")) {
			print_text(p, field_text(s, "set"));
			print_raw(p, ": elements of an earlier run stay until these have been "
				     "answered: ");
			print_text(p, field_text(s, "awaited"));
			print_raw(p, "\n");
		}
	}
}
