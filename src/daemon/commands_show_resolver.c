/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The resolver, and what it keeps denying, as JSON. */
#include "daemon/commands_show.h"
#include "edge/resolver.h"

#include <jansson.h>

static json_t *show_server(const struct show_context *c, size_t i)
{
	json_t *json = json_object();
	struct resolver_server s;

	resolver_server(c->resolver, i, &s);
	show_put_text(json, "address", s.text);
	show_put_text(json, "state", server_state_name(s.state));
	if (s.state == SERVER_FAILING || s.state == SERVER_RESTING) {
		show_put_text(json, "trouble", server_outcome_name(s.outcome));
		show_put_time(json, "since", &c->clock, s.failing_ms);
	}
	show_put_time(json, "answered", &c->clock, s.good_ms);
	json_object_set_new(json, "edns", json_boolean(!s.plain));
	show_put_count(json, "unmatched", s.unmatched);
	return json;
}

struct json_t *show_resolver(const struct world *w, const struct show_context *c)
{
	const struct resolver_stats *s = resolver_stats(c->resolver);
	json_t *json = json_object(), *health = json_array();

	for (size_t i = 0; i < resolver_server_count(c->resolver); i++)
		json_array_append_new(health, show_server(c, i));
	show_put_text(json, "servers", resolver_server_list(c->resolver));
	json_object_set_new(json, "health", health);
	json_object_set_new(json, "union", json_boolean(w->config->resolver.add_up));
	show_put_count(json, "lookups", s->lookups);
	show_put_count(json, "failed", s->failed);
	show_put_count(json, "queries", s->queries);
	show_put_count(json, "tcp", s->tcp);
	show_put_count(json, "in_flight", s->in_flight);
	show_put_count(json, "waiting", s->waiting);
	return json;
}

void show_put_denials(
	struct json_t *object, const struct show_clock *clock, const struct name_family *f)
{
	const struct negatives *n = &f->negatives;

	if (!n->count)
		return;
	json_t *json = json_object();
	show_put_count(json, "count", n->count);
	show_put_time(json, "since", clock, n->first_ms);
	if (!negatives_are_confirmed(n))
		show_put_time(json, "next", clock, n->counts_ms);
	json_object_set_new(object, "denials", json);
}
