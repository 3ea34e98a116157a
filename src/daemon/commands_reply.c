/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every method needs: its parameters, the ages that replies show, errors with one text. */
#include "allowsync/name.h"
#include "daemon/commands_private.h"
#include "daemon/engine.h"
#include "edge/control.h"
#include "edge/loop.h"

#include <jansson.h>
#include <time.h>

struct show_context commands_context(const struct commands *c)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (struct show_context){
		.clock = {loop_now_ms(), (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000},
		.history = engine_history(c->engine),
		.resolver = engine_resolver(c->engine),
		.rules = engine_rules(c->engine),
		.refusals = engine_refusals(c->engine),
		.silent_ms = engine_silent_ms(c->engine),
		.started_ms = engine_started_ms(c->engine),
		.commits = engine_commit_count(c->engine),
		.dumps = engine_dump_count(c->engine),
	};
}

const char *commands_parameter(const struct control_call *call, const char *key)
{
	return json_string_value(json_object_get(control_call_parameters(call), key));
}

json_t *commands_object(const char *key, json_t *value)
{
	json_t *object = json_object();

	json_object_set_new(object, key, value);
	return object;
}

void commands_fail(struct control_call *call, const char *error, const char *key, const char *text)
{
	control_call_error(call, error, commands_object(key, show_text(text)));
}

const struct name *commands_find_name(
	struct commands *c, struct control_call *call, const char *key, const char *text)
{
	char normal[NAME_TEXT_MAX + 1];

	if (name_normalize(text, normal)) {
		control_call_invalid(call, key);
		return NULL;
	}
	const struct name *n = names_find(&engine_world(c->engine)->names, normal);
	if (!n)
		commands_fail(call, ERROR("NoSuchName"), "name", normal);
	return n;
}
