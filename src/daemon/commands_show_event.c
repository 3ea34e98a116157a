/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An event as JSON. */
#include "daemon/commands_show.h"

#include "allowsync/event.h"
#include "base/mem.h"

#include <jansson.h>
#include <string.h>
#include <time.h>

static json_t *split_elements(const char *text)
{
	json_t *list = json_array();

	while (text && *text) {
		size_t len = strcspn(text, ",");
		_cleanup_free_ char *one = xstrndup(text, len);
		json_array_append_new(list, show_text(one));
		text += len;
		text += strspn(text, ", ");
	}
	return list;
}

static void put_int(json_t *object, const char *key, uint64_t value)
{
	if (value)
		json_object_set_new(object, key, json_integer((json_int_t)value));
}

struct json_t *show_event(const struct event *e)
{
	json_t *json = json_object();

	show_put_text(json, "kind", event_kind_name(e->kind));
	json_object_set_new(json, "time", json_integer((json_int_t)time(NULL)));
	json_object_set_new(json, "priority", json_integer(e->priority));
	show_put_text(json, "message", e->message ? e->message : "");
	show_put_text(json, "vendor", e->vendor);
	show_put_text(json, "endpoint", e->endpoint);
	show_put_text(json, "name", e->name);
	show_put_text(json, "server", e->server);
	show_put_text(json, "set", e->set);
	json_object_set_new(json, "added", split_elements(e->added));
	json_object_set_new(json, "removed", split_elements(e->removed));
	put_int(json, "ttl", e->ttl_s);
	show_put_text(json, "reason", e->reason);
	show_put_text(json, "result", e->result);
	put_int(json, "generation", e->generation);
	show_put_text(json, "devices", e->devices);
	show_put_text(json, "device", e->device);
	show_put_text(json, "mac", e->mac);
	show_put_text(json, "destination", e->destination);
	show_put_text(json, "service", e->service);
	put_int(json, "count", e->count);
	show_put_text(json, "config", e->config);
	show_put_text(json, "file", e->file);
	put_int(json, "line", e->line);
	return json;
}
