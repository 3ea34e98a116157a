/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A vendor's page as a whole: what its profile says besides endpoints, and what is made of it. */
#include "base/strbuf.h"
#include "core/ruleset.h"
#include "daemon/commands_private.h"
#include "daemon/commands_show_page.h"

#include "build_config.h"

#include <jansson.h>
#include <string.h>

void show_put_strings(json_t *json, const char *key, const struct strings *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->count; i++)
		json_array_append_new(list, show_text(s->items[i]));
	json_object_set_new(json, key, list);
}

void show_put_ranges(json_t *json, const char *key, const struct addr_range *ranges, size_t count)
{
	json_t *list = json_array();
	char text[ADDR_RANGE_TEXT_SIZE];

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, show_text(addr_range_format(&ranges[i], text)));
	json_object_set_new(json, key, list);
}

bool show_is_packaged(const struct source *at)
{
	return str_starts(at->file, ALLOWSYNCD_VENDOR_DIR "/");
}

void show_put_place(json_t *json, const char *key, const struct source *at)
{
	_cleanup_free_ char *text = xasprintf("%s:%u", at->file, at->line);

	show_put_text(json, key, text);
}

void show_put_amended(json_t *json, const struct profile_texts *amended)
{
	json_t *list = json_array();

	for (size_t i = 0; i < amended->count; i++) {
		json_t *item = json_object();
		show_put_text(item, "key", amended->items[i].text);
		show_put_place(item, "place", &amended->items[i].at);
		json_array_append_new(list, item);
	}
	json_object_set_new(json, "amended", list);
}

static json_t *show_parts(
	const struct strings *all, const struct strings *chosen, const struct strings *by_default)
{
	json_t *list = json_array();

	for (size_t i = 0; i < all->count; i++) {
		const char *name = all->items[i];
		bool otherwise = !by_default->count || strings_has(by_default, name);
		json_t *part = json_object();
		show_put_text(part, "name", name);
		json_object_set_new(part, "chosen",
			json_boolean(chosen->count ? strings_has(chosen, name) : otherwise));
		json_object_set_new(part, "by_default", json_boolean(otherwise));
		json_array_append_new(list, part);
	}
	return list;
}

static json_t *show_variables(const struct config_vendor *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->profile->variable_count; i++) {
		const struct profile_variable *variable = &v->profile->variables[i];
		json_t *json = json_object();
		show_put_text(json, "name", variable->name);
		show_put_text(json, "title", variable->title);
		show_put_text(json, "kind",
			variable->is_address ? "address"
			: variable->is_host  ? "host"
					     : "text");
		show_put_strings(json, "values", &v->values[i]);
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *page_devices(const struct config *c, const struct config_vendor *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->devices_count; i++) {
		const struct config_devices *d = &c->devices[i];
		if (!strings_has(&d->vendors, v->name))
			continue;
		json_t *json = json_object();
		show_put_text(json, "name", d->name);
		show_put_text(json, "mode", d->enforce ? "enforce" : "report");
		json_array_append_new(list, json);
	}
	return list;
}

void show_add_undone(json_t *list, const struct config_undone *u)
{
	const char *text = strstr(u->text, "] ");
	size_t len = u->endpoint ? strlen(u->endpoint->name) : 0;

	text = text ? text + 2 : u->text;
	if (len && strncmp(text, u->endpoint->name, len) == 0 && str_starts(text + len, ": "))
		text += len + 2;
	json_array_append_new(list, show_text(text));
}

static void put_seconds(json_t *json, const char *key, uint32_t seconds)
{
	if (seconds)
		show_put_count(json, key, seconds);
}

struct json_t *show_page(
	const struct world *w, const struct show_context *c, const struct config_vendor *v)
{
	static const struct strings all = {0};
	const struct profile *p = v->profile;
	json_t *json = json_object(), *undone = json_array();

	json_object_set_new(json, "vendor", show_vendor(w, c, v));
	show_put_text(json, "page", p->page);
	put_seconds(json, "refresh_max", p->refresh_max_s);
	put_seconds(json, "revoke_within", p->revoke_within_s);
	put_seconds(json, "tcp_timeout_min", p->tcp_timeout_min_s);
	put_seconds(json, "udp_timeout_min", p->udp_timeout_min_s);
	show_put_strings(json, "notes", &p->notes);
	show_put_amended(json, &p->amended);
	json_object_set_new(json, "roles", show_parts(&p->roles, &v->roles, &p->default_roles));
	json_object_set_new(json, "regions", show_parts(&p->regions, &v->regions, &all));
	json_object_set_new(json, "variables", show_variables(v));
	if (ruleset_marks_vendor(w->config, v)) {
		_cleanup_free_ char *mark =
			xasprintf("0x%08x/0x%08x", w->config->mark.value, w->config->mark.mask);
		show_put_text(json, "mark", mark);
	}
	if (v->has_dscp)
		show_put_count(json, "dscp", v->dscp);
	json_object_set_new(json, "devices", page_devices(w->config, v));
	show_put_ranges(json, "allow_private", v->allow_private, v->allow_private_count);
	show_put_strings(json, "allow_shared", &v->allow_shared);
	for (size_t i = 0; i < w->config->undone_count; i++) {
		const struct config_undone *u = &w->config->undone[i];
		if (str_eq(u->vendor, v->name) && !u->endpoint)
			show_add_undone(undone, u);
	}
	json_object_set_new(json, "undone", undone);
	return commands_object("vendor", json);
}
