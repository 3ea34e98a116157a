/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why something is allowed or not; what would change; what happens. */
#include "core/negatives.h"
#include "ctl/views.h"

#include <jansson.h>
#include <string.h>

/* One owner: who, by what, and how long still. */
static void print_owner(struct printer *p, const json_t *o, bool denied)
{
	_cleanup_free_ char *services = field_join(o, "services", ", ");
	const json_t *seen = field_object(o, "seen");

	print_raw(p, "    ");
	print_text(p, field_text(o, "vendor"));
	print_raw(p, "/");
	print_text(p, field_text(o, "endpoint"));
	print_raw(p, " (");
	print_text(p, services);
	print_raw(p, ")  ");
	if (!field_has(o, "name")) {
		print_raw(p, "static, from the vendor's page\n");
		return;
	}
	print_text(p, field_text(o, "name"));
	if (seen) {
		_cleanup_free_ char *first = text_ago(p, field_int(seen, "first_seen"));
		_cleanup_free_ char *last = text_ago(p, field_int(seen, "last_seen"));
		print_raw(p, ", TTL %lld s, first seen %s, last %s",
			(long long)field_int(seen, "ttl"), first, last);
	}
	print_raw(p, "\n        ");
	if (field_has(o, "chain")) {
		print_raw(p, "via ");
		print_text(p, field_text(o, "chain"));
		print_raw(p, ", ");
	}
	print_raw(p, "asked of ");
	print_text(p, field_has(o, "server") ? field_text(o, "server") : "nobody yet");
	if (denied) {
		print_raw(p, "\n"); /* how long it stays is another matter */
	} else if (field_has(seen, "leaves")) {
		_cleanup_free_ char *missing = text_clock(p, field_int(seen, "missing"));
		_cleanup_free_ char *leaves = text_ahead(p, field_int(seen, "leaves"));
		print_raw(p, "; ");
		print_tinted(
			p, TINT_WARN, "missing since the answer of %s, leaves %s", missing, leaves);
		print_raw(p, "\n");
	} else if (field_has(o, "denials")) {
		const json_t *denials = field_object(o, "denials");
		_cleanup_free_ char *since = text_clock(p, field_int(denials, "since"));
		print_raw(p, "; ");
		print_tinted(p, TINT_WARN, "denied since %s, leaves when that is confirmed", since);
		print_raw(p, " (denial %lld of %d)\n", (long long)field_int(denials, "count"),
			NEGATIVES_NEEDED);
	} else {
		_cleanup_free_ char *span = text_span(field_int(o, "linger"));
		print_raw(p, "; leaves %s after the first answer without it\n", span);
	}
}

/* Since when an address is denied, and until when. */
static void print_denied(struct printer *p, const json_t *d, bool given)
{
	_cleanup_free_ char *last = text_ago(p, field_int(d, "last_seen"));
	_cleanup_free_ char *until = text_ahead(p, field_int(d, "until"));

	print_raw(p, "    denied by ");
	print_text(p, field_text(d, "vendor"));
	print_raw(p, "/");
	print_text(p, field_text(d, "endpoint"));
	print_raw(p, " ");
	if (field_has(d, "since")) {
		_cleanup_free_ char *since = text_clock(p, field_int(d, "since"));
		print_raw(p, "since %s, ", since);
	} else {
		print_raw(p, "since an earlier run, ");
	}
	print_raw(p, "last given %s", last);
	if (field_has(d, "name")) {
		print_raw(p, " by ");
		print_text(p, field_text(d, "name"));
	}
	if (given)
		print_raw(p, "; leaves 30 d after that, and it is given still\n");
	else
		print_raw(p, "; leaves %s, unless it is given again\n", until);
}

/* What the rules make of it. */
static void print_effect(struct printer *p, const json_t *effect)
{
	_cleanup_free_ char *text = text_escape(field_text(effect, "text"));
	bool looked = field_has(effect, "used"), used = field_bool(effect, "used");

	print_raw(p, "    ");
	if (!looked)
		print_tinted(p, TINT_FAINT, "whether a rule uses the set was not looked at");
	else
		print_tinted(p, used ? TINT_NONE : TINT_BAD, "%s", text);
	print_raw(p, "\n");
}

/* Not ours. */
static void print_stranger(struct printer *p, const json_t *e, size_t owners)
{
	if (field_has(e, "added_by")) {
		_cleanup_free_ char *ago = text_ago(p, field_int(e, "added"));
		print_raw(p, " (put there by ");
		print_text(p, field_text(e, "added_by"));
		print_raw(p, " %s", ago);
	} else {
		print_raw(p, " (not put there by us");
	}
	print_raw(p, "%s)", owners ? ", but wanted as well" : "; kept");
}

static void print_element(struct printer *p, const json_t *e)
{
	bool present = field_bool(e, "present"), ours = field_bool(e, "ours");
	size_t owners = field_count(e, "owners");

	print_text(p, field_text(e, "element"));
	if (present && field_bool(e, "denies")) {
		print_tinted(p, TINT_WARN, " is denied to device groups, in ");
		print_text(p, field_text(e, "set"));
	} else if (present) {
		print_tinted(p, TINT_GOOD, " is in ");
		print_text(p, field_text(e, "set"));
	} else {
		print_tinted(p, TINT_BAD, " should be in ");
		print_text(p, field_text(e, "set"));
		print_raw(p, ", and is not yet: see \"allowsyncctl sets\"");
	}
	if (present && !ours)
		print_stranger(p, e, owners);
	if (present && ours && !owners && !field_has(e, "denied"))
		print_raw(p, " (from an earlier run; leaves when the names have been answered)");
	print_raw(p, "\n");
	print_effect(p, field_object(e, "effect"));
	for (size_t i = 0; i < owners; i++)
		print_owner(p, field_item(e, "owners", i), field_has(e, "denied"));
	if (field_has(e, "denied"))
		print_denied(p, field_object(e, "denied"), owners);
	if (field_int(e, "omitted"))
		print_raw(p, "    and %lld more owners\n", (long long)field_int(e, "omitted"));
}

static void print_removal(struct printer *p, const json_t *r)
{
	_cleanup_free_ char *left = text_clock(p, field_int(r, "left"));
	bool today = strlen(left) == strlen("00:00:00");

	print_raw(p, "  Left %s%s: ", today ? "today " : "", left);
	print_text(p, field_text(r, "element"));
	print_raw(p, " from ");
	print_text(p, field_text(r, "set"));
	print_raw(p, ", ");
	print_text(p, field_has(r, "vendor") ? field_text(r, "vendor") : "owner not known");
	if (field_has(r, "endpoint")) {
		print_raw(p, "/");
		print_text(p, field_text(r, "endpoint"));
	}
	if (field_has(r, "name")) {
		print_raw(p, " ");
		print_text(p, field_text(r, "name"));
	}
	print_raw(p, " (");
	if (field_has(r, "missing")) {
		_cleanup_free_ char *missing = text_clock(p, field_int(r, "missing"));
		_cleanup_free_ char *span =
			text_span(field_int(r, "left") - field_int(r, "missing"));
		print_raw(p,
			str_eq(field_text(r, "reason"), "denied")
				? "denied since %s, kept %s more"
				: "missing since the answer of %s, kept %s more",
			missing, span);
	} else {
		print_text(p, field_text(r, "reason"));
	}
	print_raw(p, ")\n");
}

static void print_uncovered(struct printer *p, const json_t *u)
{
	print_raw(p, "  ");
	print_text(p, field_text(u, "vendor"));
	print_raw(p, "/");
	print_text(p, field_text(u, "endpoint"));
	print_raw(p, " allows ");
	print_text(p, field_text(u, "range"));
	print_raw(p, " (");
	print_text(p, field_text(u, "place"));
	print_raw(p, "), which no set here can hold: it needs one of bare addresses with flag "
		     "interval\n");
}

/* Is it back, or wanted again? Then that it left once is no answer. */
static bool is_listed(const json_t *reply, const json_t *removal)
{
	for (size_t i = 0; i < field_count(reply, "elements"); i++) {
		const json_t *e = field_item(reply, "elements", i);
		if (str_eq(field_text(e, "element"), field_text(removal, "element")) &&
			str_eq(field_text(e, "set"), field_text(removal, "set")))
			return true;
	}
	return false;
}

void view_why(struct printer *p, const char *what, const struct json_t *reply)
{
	size_t elements = field_count(reply, "elements"), left = field_count(reply, "left");

	for (size_t i = 0; i < elements; i++)
		print_element(p, field_item(reply, "elements", i));
	if (!elements) {
		print_text(p, what);
		print_raw(p, " is in no set of ours.\n");
		if (!field_count(reply, "addresses"))
			print_raw(p, "  It holds no address now: see \"allowsyncctl show\".\n");
	}
	for (size_t i = 0; i < field_count(reply, "uncovered"); i++)
		print_uncovered(p, field_item(reply, "uncovered", i));
	for (size_t i = 0; i < left; i++) {
		if (!is_listed(reply, field_item(reply, "left", i)))
			print_removal(p, field_item(reply, "left", i));
	}
}

static void print_change(struct printer *p, const json_t *piece, const char *key)
{
	size_t count = field_count(piece, key);
	bool folded = count > 4;

	if (!count)
		return;
	print_raw(p, "%s element ", key);
	print_text(p, field_text(piece, "set"));
	print_raw(p, folded ? " {\n" : " { ");
	for (size_t i = 0; i < count; i++) {
		if (folded)
			print_raw(p, "\t");
		print_text(p, field_item_text(piece, key, i));
		if (i + 1 < count)
			print_raw(p, folded ? ",\n" : ", ");
	}
	print_raw(p, folded ? "\n}\n" : " }\n");
}

void view_diff(struct printer *p, const struct json_t *piece)
{
	print_change(p, piece, "delete");
	print_change(p, piece, "add");
	if (field_has(piece, "rules")) {
		print_raw(p, "# ");
		print_text(p, field_text(piece, "rules"));
		print_raw(p, "\n");
	}
}

void view_rules(struct printer *p, const struct json_t *piece)
{
	for (const char *text = field_text(piece, "text"); *text; text++) {
		bool plain = *text == '\n' || *text == '\t' || *text == '\\';
		if (plain)
			strbuf_append_char(&p->out, *text);
		else
			strbuf_append_escaped(&p->out, text, 1);
	}
}

void view_event(struct printer *p, const struct json_t *event)
{
	_cleanup_free_ char *clock = text_clock(p, field_int(event, "time"));
	_cleanup_free_ char *message = text_escape(field_text(event, "message"));
	int64_t priority = field_int(event, "priority");

	print_raw(p, "%s  ", clock);
	print_tinted(p,
		priority <= 3   ? TINT_BAD
		: priority == 4 ? TINT_WARN
				: TINT_NONE,
		"%s", message);
	print_raw(p, "\n");
}
