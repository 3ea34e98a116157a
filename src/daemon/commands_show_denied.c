/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Denied addresses as JSON. */
#include "daemon/commands_show.h"

#include "base/strbuf.h"

#include <jansson.h>

enum { DENIED_MAX = 200 };

struct json_t *show_denied(
	const struct show_context *c, const struct world_set *set, const struct denied *d)
{
	const struct addr a = denied_addr(d);
	json_t *json = json_object();
	char text[ADDR_TEXT_SIZE];

	show_put_text(json, "address", addr_format(&a, text));
	show_put_text(json, "vendor", set->keeper->vendor);
	show_put_text(json, "endpoint", set->keeper->endpoint->name);
	show_put_text(json, "name", d->name);
	show_put_time(json, "since", &c->clock, d->first_ms);
	json_object_set_new(json, "last_seen", json_integer(show_time(&c->clock, d->last_ms)));
	json_object_set_new(json, "until", json_integer(show_time(&c->clock, d->over.due_ms)));
	return json;
}

static void add_denied(json_t *list, const struct show_context *c, const struct world_set *set,
	const struct name *n)
{
	const struct denied *d;

	for (size_t at = 0; (d = denylist_next(&set->denied, &at));) {
		const struct addr a = denied_addr(d);
		if (json_array_size(list) < DENIED_MAX && str_eq(d->name, n->text) &&
			!name_address_find(&n->families[a.family], &a))
			json_array_append_new(list, show_denied(c, set, d));
	}
}

void show_put_denied(struct json_t *object, const struct world *w, const struct show_context *c,
	const struct name *n)
{
	const struct name_feeds *feeds = n->userdata;
	json_t *list = json_array();

	for (size_t i = 0; feeds && i < feeds->count; i++)
		add_denied(list, c, &w->sets[feeds->owners[i]->set_index], n);
	if (json_array_size(list))
		json_object_set(object, "denied", list);
	json_decref(list);
}
