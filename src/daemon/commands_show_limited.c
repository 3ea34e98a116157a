/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bounds on addresses that are reached. */
#include "base/strbuf.h"
#include "daemon/commands_show.h"

void show_count_limited(struct limited *l, const struct name *n)
{
	uint64_t since_ms = 0;

	for (int i = 0; i < FAMILY_COUNT; i++) {
		uint64_t ms = n->families[i].limited_ms;
		if (ms && (!since_ms || ms < since_ms))
			since_ms = ms;
	}
	if (!since_ms)
		return;
	if (!l->names++)
		l->first = n;
	if (!l->names_ms || since_ms < l->names_ms)
		l->names_ms = since_ms;
}

char *show_limited(const struct limited *l, const struct config_vendor *v)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;

	if (l->vendor_ms)
		strbuf_appendf(&b, "its names have reached max-addresses %u", v->addresses_max);
	if (l->names)
		strbuf_appendf(&b, "%s%s has reached max-addresses-per-name %u", b.len ? "; " : "",
			l->first->text, l->first->bounds.addresses_max);
	if (l->names > 1)
		strbuf_appendf(&b, ", and so %s %zu more name%s", l->names == 2 ? "has" : "have",
			l->names - 1, l->names == 2 ? "" : "s");
	if (!b.len)
		return NULL;
	strbuf_append(&b, ": new addresses are only allowed as far as others make room");
	return strbuf_take(&b);
}

uint64_t show_limited_ms(const struct limited *l)
{
	return !l->names_ms || (l->vendor_ms && l->vendor_ms < l->names_ms) ? l->vendor_ms
									    : l->names_ms;
}
