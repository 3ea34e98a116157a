/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names: the list, one of them, and what asking them again gave. */
#include "core/negatives.h"
#include "ctl/views.h"

#include <jansson.h>
#include <string.h>

static const char *const families[] = {"ipv4", "ipv6"};
static const char *const types[] = {"A", "AAAA"};

static enum tint state_tint(const char *state)
{
	if (strcmp(state, "ok") == 0)
		return TINT_GOOD;
	return strcmp(state, "stopped") == 0 ? TINT_WARN : TINT_NONE;
}

/* "ok", "stopped, A timeout since 02:10:00", "stopped, A nxdomain since 02:10:00 (denial 2 of 3)"
 */
static char *state_text(const struct printer *p, const json_t *name)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;
	const char *state = field_text(name, "state");

	strbuf_append(&b, strcmp(state, "never") == 0 ? "has never resolved" : state);
	for (int i = 0; i < 2; i++) {
		const json_t *f = field_object(name, families[i]);
		const json_t *denials = field_object(f, "denials");
		bool failing = field_has(f, "failing");
		bool denied = failing && field_has(f, "denials");
		if (!field_int(f, "failures") && !denied)
			continue;
		strbuf_appendf(&b, ", %s %s", types[i], field_text(f, "outcome"));
		if (failing) {
			_cleanup_free_ char *since = text_clock(p, field_int(f, "failing"));
			strbuf_appendf(&b, " since %s", since);
		}
		if (denied)
			strbuf_appendf(&b, " (denial %lld of %d)",
				(long long)field_int(denials, "count"), NEGATIVES_NEEDED);
	}
	return strbuf_take(&b);
}

/* The soonest of both families; 0: a question is under way. */
static int64_t next_of(const json_t *name)
{
	int64_t next = 0;

	for (int i = 0; i < 2; i++) {
		int64_t when = field_int(field_object(name, families[i]), "next");
		if (when && (!next || when < next))
			next = when;
	}
	return next;
}

void view_names(struct printer *p, const struct json_t *names)
{
	static const char *const headings[] = {
		"NAME", "ENDPOINT", "A", "AAAA", "TTL", "NEXT", "STATE", NULL};
	_cleanup_(table_done) struct table t;
	size_t i;
	const json_t *n;

	table_init(&t, headings, "llrrrll");
	json_array_foreach(names, i, n) {
		const json_t *v4 = field_object(n, "ipv4"), *v6 = field_object(n, "ipv6");
		_cleanup_free_ char *endpoints = field_join(n, "endpoints", ",");
		_cleanup_free_ char *state = state_text(p, n);
		const json_t *ttl = field_has(v4, "ttl") ? v4 : v6;
		int64_t next = next_of(n);
		table_add(&t, field_text(n, "name"));
		table_add(&t, endpoints);
		table_add_int(&t, (int64_t)field_count(v4, "addresses"));
		table_add_int(&t, (int64_t)field_count(v6, "addresses"));
		if (field_has(ttl, "ttl"))
			table_add_int(&t, field_int(ttl, "ttl"));
		else
			table_add(&t, "-");
		table_take(&t, TINT_NONE, next ? text_ahead(p, next) : xstrdup("asking"));
		table_add_tinted(&t, state_tint(field_text(n, "state")), state);
	}
	table_print(p, &t);
}

static void print_address(struct printer *p, const json_t *a)
{
	_cleanup_free_ char *first = text_ago(p, field_int(a, "first_seen"));
	_cleanup_free_ char *last = text_ago(p, field_int(a, "last_seen"));
	_cleanup_free_ char *address = text_escape(field_text(a, "address"));

	print_raw(p, "        %-15s  TTL %lld s, first seen %s, last %s", address,
		(long long)field_int(a, "ttl"), first, last);
	if (field_has(a, "missing")) {
		_cleanup_free_ char *missing = text_clock(p, field_int(a, "missing"));
		_cleanup_free_ char *leaves = text_ahead(p, field_int(a, "leaves"));
		print_raw(p, "; ");
		print_tinted(
			p, TINT_WARN, "missing since the answer of %s, leaves %s", missing, leaves);
	}
	if (field_has(a, "not_for")) {
		_cleanup_free_ char *whom = field_join(a, "not_for", ", ");
		_cleanup_free_ char *text = text_escape(whom);
		print_raw(p, "; ");
		print_tinted(p, TINT_WARN, "not for %s", text);
	}
	print_raw(p, "\n");
}

static void print_denials(struct printer *p, const json_t *f, const json_t *denials)
{
	_cleanup_free_ char *since = text_clock(p, field_int(denials, "since"));
	long long count = (long long)field_int(denials, "count");

	if (field_has(denials, "next")) {
		_cleanup_free_ char *next = text_clock(p, field_int(denials, "next"));
		print_raw(p, "        denial %lld of %d since %s, the next counts from %s on",
			count, NEGATIVES_NEEDED, since, next);
		if (field_count(f, "addresses"))
			print_raw(p, "; after the last these addresses leave");
	} else {
		print_raw(p, "        denied for certain: %lld times since %s", count, since);
	}
	print_raw(p, "\n");
}

static void print_family(struct printer *p, const char *type, const json_t *f)
{
	print_raw(p, "  %-4s  ", type);
	if (field_has(f, "outcome"))
		print_text(p, field_text(f, "outcome"));
	else
		print_raw(p, "no answer yet");
	if (field_has(f, "refused")) {
		_cleanup_free_ char *why = text_escape(field_text(f, "refused"));
		print_raw(p, ", ");
		print_tinted(p, TINT_WARN, "%saddresses are not used (%s)",
			strcmp(field_text(f, "outcome"), "ok") == 0 ? "some " : "", why);
	}
	if (field_has(f, "ttl"))
		print_raw(p, ", TTL %lld s", (long long)field_int(f, "ttl"));
	if (field_has(f, "asked")) {
		_cleanup_free_ char *ago = text_ago(p, field_int(f, "asked"));
		print_raw(p, ", asked %s", ago);
	}
	if (field_has(f, "server")) {
		print_raw(p, " of ");
		print_text(p, field_text(f, "server"));
	}
	if (field_has(f, "failing")) {
		_cleanup_free_ char *since = text_clock(p, field_int(f, "failing"));
		_cleanup_free_ char *tries = text_count(field_int(f, "failures"), "failure", "s");
		print_raw(p, ", ");
		if (field_int(f, "failures"))
			print_tinted(p, TINT_WARN, "%s in a row since %s", tries, since);
		else
			print_tinted(p, TINT_WARN, "failing since %s", since);
	}
	if (field_has(f, "next")) {
		_cleanup_free_ char *ahead = text_ahead(p, field_int(f, "next"));
		print_raw(p, ", again %s\n", ahead);
	} else {
		print_raw(p, ", being asked\n");
	}
	if (field_has(f, "denials"))
		print_denials(p, f, field_object(f, "denials"));
	if (field_has(f, "chain")) {
		print_raw(p, "        via ");
		print_text(p, field_text(f, "chain"));
		print_raw(p, "\n");
	}
	for (size_t i = 0; i < field_count(f, "addresses"); i++)
		print_address(p, field_item(f, "addresses", i));
}

/* No longer given, and denied still. */
static void print_denied(struct printer *p, const json_t *d)
{
	_cleanup_free_ char *address = text_escape(field_text(d, "address"));
	_cleanup_free_ char *last = text_ago(p, field_int(d, "last_seen"));
	_cleanup_free_ char *until = text_ahead(p, field_int(d, "until"));

	print_raw(p, "  denied still  %-15s  last given %s; leaves %s\n", address, last, until);
}

void view_name(struct printer *p, const struct json_t *name)
{
	_cleanup_free_ char *endpoints = field_join(name, "endpoints", ", ");
	_cleanup_free_ char *sets = field_join(name, "sets", ", ");
	const char *state = field_text(name, "state");
	_cleanup_free_ char *span = text_span(field_int(field_object(name, "ipv4"), "linger"));

	print_text(p, field_text(name, "name"));
	print_raw(p, ": ");
	print_tinted(p, state_tint(state), "%s",
		strcmp(state, "stopped") == 0   ? "stopped resolving"
		: strcmp(state, "never") == 0   ? "has never resolved"
		: strcmp(state, "pending") == 0 ? "not answered yet"
						: "ok");
	print_raw(p, "\n  of    ");
	print_text(p, endpoints);
	print_raw(p, "\n  into  ");
	print_text(p, sets);
	print_raw(p, "\n  stay  %s after the first answer without the address\n", span);
	for (int i = 0; i < 2; i++)
		print_family(p, types[i], field_object(name, families[i]));
	for (size_t i = 0; i < field_count(name, "denied"); i++)
		print_denied(p, field_item(name, "denied", i));
}

void view_resolved(struct printer *p, const struct json_t *reply)
{
	_cleanup_free_ char *asked = text_count(field_int(reply, "asked"), "name", "s");
	size_t failing = field_count(reply, "failing");

	print_raw(p, "%s asked, ", asked);
	if (!failing) {
		print_raw(p, "all answered\n");
		return;
	}
	print_raw(p, "these did not resolve:\n");
	for (size_t i = 0; i < failing; i++) {
		print_raw(p, "  ");
		print_text(p, field_item_text(reply, "failing", i));
		print_raw(p, "\n");
	}
}
