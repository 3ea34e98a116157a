/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A vendor's page line by line: what is carried out, what is not and why, and every note. */
#include "ctl/views.h"

#include <jansson.h>
#include <string.h>

static void label(struct printer *p, const char *text)
{
	print_raw(p, "  %-9s ", text);
}

/* Not where there is nothing to say. */
static void line(struct printer *p, const char *name, const char *text)
{
	if (!*text)
		return;
	label(p, name);
	print_text(p, text);
	print_raw(p, "\n");
}

static void lines_of(
	struct printer *p, const json_t *object, const char *key, const char *name, enum tint tint)
{
	for (size_t i = 0; i < field_count(object, key); i++) {
		_cleanup_free_ char *text = text_escape(field_item_text(object, key, i));
		label(p, name);
		print_tinted(p, tint, "%s", text);
		print_raw(p, "\n");
	}
}

static void list_line(struct printer *p, const json_t *object, const char *key, const char *name)
{
	_cleanup_free_ char *all = field_join(object, key, ", ");

	line(p, name, all);
}

static void amended_lines(struct printer *p, const json_t *object)
{
	for (size_t i = 0; i < field_count(object, "amended"); i++) {
		const json_t *a = field_item(object, "amended", i);
		label(p, "amended");
		print_text(p, field_text(a, "key"));
		print_raw(p, " =: set by the admin (");
		print_text(p, field_text(a, "place"));
		print_raw(p, ")\n");
	}
}

/* --- the page as a whole --- */

static void state_lines(struct printer *p, const json_t *vendor)
{
	const char *state = field_text(vendor, "state");

	label(p, "vendor");
	print_text(p, field_text(vendor, "name"));
	print_raw(p, ": ");
	if (strcmp(state, "ok") == 0) {
		print_tinted(p, TINT_GOOD, "ok");
	} else {
		_cleanup_free_ char *text = text_escape(state);
		print_tinted(
			p, strcmp(state, "ineffective") == 0 ? TINT_BAD : TINT_WARN, "%s", text);
	}
	print_raw(p, "\n");
	lines_of(p, vendor, "problems", "problem", TINT_WARN);
}

static void asks_line(struct printer *p, const json_t *page, const char *key, const char *text)
{
	if (!field_has(page, key))
		return;
	_cleanup_free_ char *span = text_span(field_int(page, key));
	label(p, "asks");
	print_raw(p, "%s %s\n", text, span);
}

static void part_lines(struct printer *p, const json_t *page, const char *key, const char *name)
{
	for (size_t i = 0; i < field_count(page, key); i++) {
		const json_t *part = field_item(page, key, i);
		bool by_default = field_bool(part, "by_default");
		label(p, name);
		print_text(p, field_text(part, "name"));
		if (field_bool(part, "chosen"))
			print_raw(p, ": chosen%s\n", by_default ? ", as by default" : "");
		else
			print_raw(p, ": not chosen%s\n",
				by_default ? ", though it is by default" : "");
	}
}

static void variable_lines(struct printer *p, const json_t *page)
{
	for (size_t i = 0; i < field_count(page, "variables"); i++) {
		const json_t *v = field_item(page, "variables", i);
		label(p, "variable");
		print_text(p, field_text(v, "name"));
		if (field_count(v, "values")) {
			_cleanup_free_ char *values = field_join(v, "values", ", ");
			print_raw(p, " = ");
			print_text(p, values);
		} else {
			print_raw(p, ": not set");
		}
		if (field_has(v, "title")) {
			print_raw(p, " (");
			print_text(p, field_text(v, "title"));
			print_raw(p, ")");
		}
		print_raw(p, "\n");
	}
}

static void device_lines(struct printer *p, const json_t *page)
{
	for (size_t i = 0; i < field_count(page, "devices"); i++) {
		const json_t *d = field_item(page, "devices", i);
		label(p, "devices");
		print_text(p, field_text(d, "name"));
		print_raw(p, ": ");
		print_text(p, field_text(d, "mode"));
		print_raw(p, "\n");
	}
}

static void print_page(struct printer *p, const json_t *page)
{
	const json_t *vendor = field_object(page, "vendor");
	bool titled = field_has(vendor, "title");

	print_text(p, field_text(vendor, titled ? "title" : "name"));
	print_raw(p, "\n");
	state_lines(p, vendor);
	line(p, "page", field_text(page, "page"));
	line(p, "read", field_text(vendor, "read"));
	line(p, "profile", field_text(vendor, "profile"));
	amended_lines(p, page);
	asks_line(p, page, "refresh_max", "names to be asked again within");
	asks_line(p, page, "revoke_within", "removed addresses to be gone within");
	asks_line(p, page, "tcp_timeout_min", "idle TCP connections to be kept for");
	asks_line(p, page, "udp_timeout_min", "idle UDP flows to be kept for");
	part_lines(p, page, "roles", "role");
	part_lines(p, page, "regions", "region");
	variable_lines(p, page);
	line(p, "mark", field_text(page, "mark"));
	if (field_has(page, "dscp")) {
		label(p, "dscp");
		print_raw(p, "%lld\n", (long long)field_int(page, "dscp"));
	}
	device_lines(p, page);
	list_line(p, page, "allow_private", "private");
	list_line(p, page, "allow_shared", "shared");
	lines_of(p, page, "notes", "note", TINT_NONE);
	lines_of(p, vendor, "notes", "note", TINT_NONE);
	lines_of(p, page, "undone", "undone", TINT_WARN);
}

/* --- its endpoints --- */

static void print_heading(struct printer *p, const json_t *e)
{
	const char *state = field_text(e, "state");

	print_raw(p, "\n");
	print_text(p, field_text(e, "name"));
	print_raw(p, ": ");
	if (strcmp(state, "chosen") == 0) {
		if (field_count(e, "sets") || field_bool(e, "by_rule"))
			print_tinted(p, TINT_GOOD, "chosen");
		else
			print_tinted(p, TINT_BAD, "chosen, and not carried out");
	} else if (strcmp(state, "denied") == 0) {
		print_tinted(p, TINT_WARN, "denied");
	} else {
		_cleanup_free_ char *lacks = field_join(e, "lacks", "; ");
		print_raw(p, "not chosen (");
		print_text(p, lacks);
		print_raw(p, ")");
	}
	print_raw(p, "\n");
}

static const char *direction_text(const char *direction)
{
	if (strcmp(direction, "in") == 0)
		return ", inbound";
	return strcmp(direction, "both") == 0 ? ", outbound and inbound" : ", outbound";
}

static void print_services(struct printer *p, const json_t *e)
{
	_cleanup_free_ char *services = field_join(e, "services", ", ");

	label(p, "services");
	print_text(p, services);
	print_raw(p, "%s\n", direction_text(field_text(e, "direction")));
}

static void print_source(struct printer *p, const json_t *e)
{
	const char *source = field_text(e, "source");

	if (strcmp(source, "admin") == 0) {
		label(p, "source");
		print_raw(p, "set by the admin (");
		print_text(p, field_text(e, "place"));
		print_raw(p, ")\n");
	} else if (strcmp(source, "stated") == 0) {
		line(p, "source", "stated on the page");
	}
	if (field_has(e, "inferred")) {
		label(p, "source");
		print_raw(p, "inferred: ");
		print_text(p, field_text(e, "inferred"));
		print_raw(p, "\n");
	}
	amended_lines(p, e);
}

static void print_name_state(struct printer *p, const json_t *d)
{
	const char *state = field_text(d, "state");
	long long v4 = (long long)field_int(d, "ipv4"), v6 = (long long)field_int(d, "ipv6");

	print_raw(p, ": ");
	if (!*state)
		print_raw(p, "not asked for");
	else if (strcmp(state, "never") == 0)
		print_raw(p, "has never resolved");
	else if (strcmp(state, "stopped") == 0)
		print_tinted(p, TINT_WARN, "stopped resolving");
	else
		print_text(p, strcmp(state, "pending") == 0 ? "not answered yet" : state);
	if (v4 || v6)
		print_raw(p, ", %lld IPv4 and %lld IPv6 addresses", v4, v6);
	if (field_has(d, "refused")) {
		_cleanup_free_ char *why = text_escape(field_text(d, "refused"));
		print_raw(p, ", ");
		print_tinted(p, TINT_WARN, "addresses that DNS gives are not used (%s)", why);
	}
}

static void print_destination(struct printer *p, const json_t *d)
{
	static const char *const kinds[] = {"name", "wildcard", "address", "entry"};
	const char *kind = field_text(d, "kind"), *shown = "address";

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(kinds[i], kind) == 0)
			shown = kinds[i];
	}
	label(p, shown);
	print_text(p, field_text(d, "text"));
	if (strcmp(kind, "any") == 0)
		print_raw(p, " destination");
	if (strcmp(kind, "name") == 0)
		print_name_state(p, d);
	if (field_has(d, "set_by")) {
		print_raw(p, " (set by the admin: ");
		print_text(p, field_text(d, "set_by"));
		print_raw(p, ")");
	}
	print_raw(p, "\n");
}

static void print_destinations(struct printer *p, const json_t *object, const char *key)
{
	for (size_t i = 0; i < field_count(object, key); i++)
		print_destination(p, field_item(object, key, i));
}

static void set_lines(struct printer *p, const json_t *e)
{
	bool denied = strcmp(field_text(e, "state"), "denied") == 0;

	for (size_t i = 0; i < field_count(e, "sets"); i++) {
		const json_t *s = field_item(e, "sets", i);
		const char *state = field_text(s, "state");
		label(p, denied ? "denied by" : "into");
		print_text(p, field_text(s, "set"));
		if (field_has(s, "type")) {
			print_raw(p, " (");
			print_text(p, field_text(s, "type"));
			print_raw(p, ")");
		}
		if (strcmp(state, "ok") != 0) {
			_cleanup_free_ char *text = text_escape(state);
			print_raw(p, ": ");
			print_tinted(p, TINT_WARN, "%s", text);
		}
		print_raw(p, "\n");
	}
}

/* With its destinations, of which more may follow. */
static void print_endpoint(struct printer *p, const json_t *e)
{
	print_heading(p, e);
	print_services(p, e);
	print_source(p, e);
	list_line(p, e, "roles", "role");
	list_line(p, e, "regions", "region");
	if (field_has(e, "replaced_by")) {
		label(p, "replaced");
		print_raw(p, "by ");
		print_text(p, field_text(e, "replaced_by"));
		print_raw(p, "\n");
	}
	list_line(p, e, "expect", "expect");
	set_lines(p, e);
	if (field_bool(e, "by_rule"))
		line(p, "into", "a rule of the table inet allowsync, without a set");
	lines_of(p, e, "undone", "undone", TINT_WARN);
	lines_of(p, e, "warnings", "warning", TINT_WARN);
	lines_of(p, e, "notes", "note", TINT_NONE);
	print_destinations(p, e, "destinations");
}

void view_page(struct printer *p, const struct json_t *replies)
{
	size_t i;
	const json_t *reply;

	json_array_foreach(replies, i, reply) {
		if (field_has(reply, "vendor"))
			print_page(p, field_object(reply, "vendor"));
		if (field_has(reply, "endpoint"))
			print_endpoint(p, field_object(reply, "endpoint"));
		print_destinations(p, reply, "more");
	}
}
