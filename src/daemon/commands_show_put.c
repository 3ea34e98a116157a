/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts, times and counts in an object. */
#include "base/strbuf.h"
#include "daemon/commands_show.h"

#include <jansson.h>
#include <string.h>

int64_t show_time(const struct show_clock *clock, uint64_t ms)
{
	return (clock->wall_ms + (int64_t)(ms - clock->now_ms)) / 1000;
}

struct json_t *show_text(const char *text)
{
	json_t *json = json_string(text ? text : "");

	if (!json) {
		_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;
		strbuf_append_escaped(&b, text, strlen(text));
		json = json_string(strbuf_text(&b));
	}
	return json;
}

void show_add_text(struct json_t *array, char *text)
{
	json_array_append_new(array, show_text(text));
	free(text);
}

void show_put_text(struct json_t *object, const char *key, const char *text)
{
	if (text)
		json_object_set_new(object, key, show_text(text));
}

void show_put_time(
	struct json_t *object, const char *key, const struct show_clock *clock, uint64_t ms)
{
	if (ms)
		json_object_set_new(object, key, json_integer(show_time(clock, ms)));
}

void show_put_count(struct json_t *object, const char *key, uint64_t n)
{
	json_object_set_new(object, key, json_integer((json_int_t)n));
}
