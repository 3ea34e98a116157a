/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set as JSON, and which rules use it. */
#include "daemon/commands_show.h"

#include "base/strbuf.h"
#include "daemon/effect.h"
#include "daemon/refresh.h"

#include <jansson.h>

static void add_problems(json_t *problems, const struct world_set *set)
{
	if (set->degraded)
		json_array_append_new(problems, show_text(set->degraded));
	for (size_t i = 0; i < set->refusal_count; i++) {
		const struct set_refusal *r = &set->refusals[i];
		show_add_text(problems, xasprintf("%s:%u: %s", r->at.file, r->at.line, r->text));
	}
}

struct json_t *show_effect(const struct world_set *set)
{
	json_t *json = json_object();
	_cleanup_free_ char *text = effect_text(set);

	show_put_text(json, "text", text);
	if (effect_is_known(set)) {
		json_object_set_new(json, "used", json_boolean(!effect_is_missing(set)));
		show_put_count(json, "rules", set->effect.count);
		show_put_text(json, "rule", set->effect.rule);
	}
	return json;
}

const char *show_set_state(const struct world_set *set)
{
	if (set->paused || set->frozen)
		return "paused";
	if (set->degraded || set->refusal_count)
		return "degraded";
	if (effect_is_missing(set))
		return "ineffective";
	return set->present ? "ok" : "waiting";
}

struct json_t *show_set(
	const struct world *w, const struct show_context *c, const struct world_set *set)
{
	json_t *json = json_object(), *vendors = json_array(), *problems = json_array();
	json_t *notes = json_array();
	size_t live = live_count(&set->live), wanted = wanted_count(&set->wanted);

	if (set->config)
		show_put_text(json, "name", set->config->name);
	show_put_text(json, "set", set->text);
	if (set->kind.layout != SET_LAYOUT_UNKNOWN)
		show_put_text(json, "type", set_kind_type_name(&set->kind));
	for (size_t i = 0; set->config && i < set->config->vendors.count; i++)
		json_array_append_new(vendors, show_text(set->config->vendors.items[i]));
	json_object_set_new(json, "vendors", vendors);
	show_put_text(json, "state", show_set_state(set));
	add_problems(problems, set);
	json_object_set_new(json, "problems", problems);
	show_put_time(json, "since", &c->clock, set->degraded ? set->degraded_ms : 0);
	if (set->mixed)
		show_add_text(
			notes, xasprintf("bare addresses of different services: %s", set->mixed));
	if (set->costly)
		json_array_append_new(notes, show_text(set->costly));
	if (set->denied.limited_ms)
		show_add_text(notes,
			xasprintf("its names have had more addresses within 30 days than "
				  "max-addresses %u: those given least recently are no longer "
				  "denied",
				set->keeper->from->addresses_max));
	if (set->strange)
		show_add_text(notes, xasprintf("%zu elements of an unknown form", set->strange));
	json_object_set_new(json, "notes", notes);
	show_put_count(json, "elements", set->live.ours);
	show_put_count(json, "wanted", wanted);
	show_put_count(json, "foreign", live - set->live.ours);
	json_object_set_new(json, "effect", show_effect(set));
	if (set->config && set->present && !set->settled && set->live.ours > wanted) {
		_cleanup_free_ char *awaited = refresh_awaited(w, set);
		show_put_text(json, "awaited", awaited);
	}
	show_put_time(json, "changed", &c->clock, set->last_change_ms);
	return json;
}
