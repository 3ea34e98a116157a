/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text for people: escaping, times, tables. */
#include "ctl/print.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const tints[] = {
	[TINT_NONE] = "",
	[TINT_GOOD] = "\033[32m",
	[TINT_WARN] = "\033[33m",
	[TINT_BAD] = "\033[31m",
	[TINT_BOLD] = "\033[1m",
	[TINT_FAINT] = "\033[2m",
};

static void append_tinted(struct printer *p, enum tint tint, const char *text)
{
	bool colour = p->colour && tint != TINT_NONE;

	if (colour)
		strbuf_append(&p->out, tints[tint]);
	strbuf_append(&p->out, text);
	if (colour)
		strbuf_append(&p->out, "\033[0m");
}

void print_raw(struct printer *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	_cleanup_free_ char *text = xvasprintf(fmt, ap);
	va_end(ap);
	strbuf_append(&p->out, text);
}

void print_tinted(struct printer *p, enum tint tint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	_cleanup_free_ char *text = xvasprintf(fmt, ap);
	va_end(ap);
	append_tinted(p, tint, text);
}

void print_text(struct printer *p, const char *text)
{
	if (text)
		strbuf_append_escaped(&p->out, text, strlen(text));
}

char *text_escape(const char *text)
{
	struct strbuf b = STRBUF_NULL;

	strbuf_append_escaped(&b, text, strlen(text));
	return strbuf_take(&b);
}

char *text_span(int64_t seconds)
{
	if (seconds < 0)
		seconds = 0;
	if (seconds < 120)
		return xasprintf("%lld s", (long long)seconds);
	if (seconds < 120 * 60)
		return xasprintf("%lld min", (long long)(seconds / 60));
	if (seconds < 48 * 3600)
		return xasprintf("%lld h", (long long)(seconds / 3600));
	return xasprintf("%lld d", (long long)(seconds / 86400));
}

char *text_ago(const struct printer *p, int64_t when)
{
	_cleanup_free_ char *span = text_span(p->now - when);

	return xasprintf("%s ago", span);
}

char *text_ahead(const struct printer *p, int64_t when)
{
	_cleanup_free_ char *span = text_span(when - p->now);

	return when <= p->now ? xstrdup("now") : xasprintf("in %s", span);
}

char *text_clock(const struct printer *p, int64_t when)
{
	time_t t = (time_t)when, now = (time_t)p->now;
	struct tm tm, today, yesterday;
	char text[64] = "?";

	/* By the calendar: a day is not always 24 hours. */
	if (!localtime_r(&t, &tm) || !localtime_r(&now, &today))
		return xstrdup(text);
	yesterday = today;
	yesterday.tm_mday--;
	yesterday.tm_isdst = -1;
	mktime(&yesterday);
	if (tm.tm_year == today.tm_year && tm.tm_yday == today.tm_yday)
		strftime(text, sizeof(text), "%H:%M:%S", &tm);
	else if (tm.tm_year == yesterday.tm_year && tm.tm_yday == yesterday.tm_yday)
		strftime(text, sizeof(text), "yesterday %H:%M:%S", &tm);
	else
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	return xstrdup(text);
}

char *text_count(int64_t n, const char *noun, const char *plural)
{
	return xasprintf("%lld %s%s", (long long)n, noun, n == 1 ? "" : plural);
}

const char *field_text(const struct json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

int64_t field_int(const struct json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

bool field_bool(const struct json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

bool field_has(const struct json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return value && !json_is_null(value);
}

size_t field_count(const struct json_t *object, const char *key)
{
	return json_array_size(json_object_get(object, key));
}

const struct json_t *field_item(const struct json_t *object, const char *key, size_t i)
{
	return json_array_get(json_object_get(object, key), i);
}

const char *field_item_text(const struct json_t *object, const char *key, size_t i)
{
	const char *text = json_string_value(field_item(object, key, i));

	return text ? text : "";
}

const struct json_t *field_object(const struct json_t *object, const char *key)
{
	return json_object_get(object, key);
}

char *field_join(const struct json_t *object, const char *key, const char *separator)
{
	struct strbuf b = STRBUF_NULL;

	for (size_t i = 0; i < field_count(object, key); i++) {
		if (i)
			strbuf_append(&b, separator);
		strbuf_append(&b, field_item_text(object, key, i));
	}
	return strbuf_take(&b);
}

void table_init(struct table *t, const char *const *headings, const char *right)
{
	*t = (struct table){.right = right};
	while (headings[t->columns])
		table_take(t, TINT_BOLD, xstrdup(headings[t->columns++]));
}

void table_take(struct table *t, enum tint tint, char *text)
{
	VEC_GROW(t->cells, t->capacity, t->count);
	t->cells[t->count++] = (struct cell){text, tint};
}

void table_add_tinted(struct table *t, enum tint tint, const char *text)
{
	table_take(t, tint, text_escape(text));
}

void table_add(struct table *t, const char *text)
{
	table_add_tinted(t, TINT_NONE, text);
}

void table_add_int(struct table *t, int64_t n)
{
	table_take(t, TINT_NONE, xasprintf("%lld", (long long)n));
}

static size_t column_width(const struct table *t, size_t column)
{
	size_t width = 0;

	for (size_t i = column; i < t->count; i += t->columns) {
		size_t len = strlen(t->cells[i].text);
		if (len > width)
			width = len;
	}
	return width;
}

static void pad(struct printer *p, size_t n)
{
	while (n--)
		strbuf_append_char(&p->out, ' ');
}

void table_print(struct printer *p, const struct table *t)
{
	size_t *widths = xcalloc(t->columns, sizeof(*widths));

	for (size_t c = 0; c < t->columns; c++)
		widths[c] = column_width(t, c);
	for (size_t i = 0; i < t->count; i++) {
		size_t c = i % t->columns, len = strlen(t->cells[i].text);
		bool last = c + 1 == t->columns;
		if (t->right[c] == 'r')
			pad(p, widths[c] - len);
		append_tinted(p, t->cells[i].tint, t->cells[i].text);
		if (t->right[c] != 'r' && !last)
			pad(p, widths[c] - len);
		strbuf_append(&p->out, last ? "\n" : "  ");
	}
	free(widths);
}

void table_done(struct table *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->cells[i].text);
	free(t->cells);
	*t = (struct table){0};
}
