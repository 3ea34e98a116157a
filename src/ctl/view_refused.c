/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What device groups were refused. */
#include "ctl/views.h"

#include <jansson.h>

/* "passed", "refused", "denied"; and whose the destination was. */
static void add_outcome(const struct printer *p, struct table *t, const json_t *r)
{
	const char *mode = field_text(r, "mode");
	const json_t *left = field_object(r, "left");
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;
	bool passed = str_eq(mode, "report");

	strbuf_append(&b, passed ? "passed" : str_eq(mode, "deny") ? "denied" : "refused");
	if (left) {
		_cleanup_free_ char *clock = text_clock(p, field_int(left, "left"));
		strbuf_appendf(&b, "; %s of %s had it until %s (%s)", field_text(left, "name"),
			field_text(left, "vendor"), clock, field_text(left, "reason"));
	}
	table_add_tinted(t, passed ? TINT_NONE : TINT_WARN, strbuf_text(&b));
}

void view_refused(struct printer *p, const struct json_t *refusals)
{
	static const char *const headings[] = {"GROUP", "DEVICE", "MAC", "DESTINATION", "SERVICE",
		"PACKETS", "FIRST", "LAST", "OUTCOME", NULL};
	_cleanup_(table_done) struct table t;
	size_t i;
	const json_t *r;

	table_init(&t, headings, "lllllrlll");
	if (!json_array_size(refusals)) {
		print_raw(p, "nothing was refused within the last day\n");
		return;
	}
	json_array_foreach(refusals, i, r) {
		table_add(&t, field_text(r, "devices"));
		table_add(&t, field_text(r, "device"));
		table_add(&t, field_has(r, "mac") ? field_text(r, "mac") : "-");
		table_add(&t, field_text(r, "destination"));
		table_add(&t, field_text(r, "service"));
		table_add_int(&t, field_int(r, "count"));
		table_take(&t, TINT_NONE, text_ago(p, field_int(r, "first_seen")));
		table_take(&t, TINT_NONE, text_ago(p, field_int(r, "last_seen")));
		add_outcome(p, &t, r);
	}
	table_print(p, &t);
}
