#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text for people: escaped, aligned, coloured on request. Everything that came from DNS, from a
 * file or from the daemon goes through here before it meets a terminal. */
#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;

enum tint { TINT_NONE, TINT_GOOD, TINT_WARN, TINT_BAD, TINT_BOLD, TINT_FAINT };

struct printer {
	struct strbuf out;
	bool colour;
	int64_t now; /* seconds since 1970 */
};

/* Trusted text of our own, as it is. */
_printf_(2, 3) void print_raw(struct printer *p, const char *fmt, ...);
/* The same in a colour. */
_printf_(3, 4) void print_tinted(struct printer *p, enum tint tint, const char *fmt, ...);
/* Text from outside, escaped; NULL prints nothing. */
void print_text(struct printer *p, const char *text);
/* Escaped; the caller frees it. */
char *text_escape(const char *text);

/* "31 s", "4 min", "3 h", "6 d": of a duration in seconds; the caller frees it. */
char *text_span(int64_t seconds);
/* "4 min ago", "in 3 h" */
char *text_ago(const struct printer *p, int64_t when);
char *text_ahead(const struct printer *p, int64_t when);
/* "09:18:02", "yesterday 09:18:02", "2026-11-18 09:18:02"; local time. */
char *text_clock(const struct printer *p, int64_t when);
/* "1 name", "2 names"; `plural` is what a number other than 1 adds. */
char *text_count(int64_t n, const char *noun, const char *plural);

/* Fields of what the daemon said; what is missing or of another type reads as "", 0, false, [] (a
 * daemon of another version must not crash us). */
const char *field_text(const struct json_t *object, const char *key);
int64_t field_int(const struct json_t *object, const char *key);
bool field_bool(const struct json_t *object, const char *key);
bool field_has(const struct json_t *object, const char *key);
size_t field_count(const struct json_t *object, const char *key);
/* The i-th of an array; NULL beyond. */
const struct json_t *field_item(const struct json_t *object, const char *key, size_t i);
const char *field_item_text(const struct json_t *object, const char *key, size_t i);
const struct json_t *field_object(const struct json_t *object, const char *key);
/* "a, b, c", not escaped; the caller frees it. */
char *field_join(const struct json_t *object, const char *key, const char *separator);

/* Columns as wide as their widest cell, the last one open. */
struct cell {
	char *text;
	enum tint tint;
};
struct table {
	size_t columns;
	const char *right; /* a letter a column: 'r' aligns to the right */
	struct cell *cells;
	size_t count, capacity;
};
/* `headings`: NULL-terminated, static. */
void table_init(struct table *t, const char *const *headings, const char *right);
/* The text is escaped here. */
void table_add(struct table *t, const char *text);
void table_add_tinted(struct table *t, enum tint tint, const char *text);
void table_add_int(struct table *t, int64_t n);
/* Consumes the text, which is our own. */
void table_take(struct table *t, enum tint tint, char *text);
void table_print(struct printer *p, const struct table *t);
void table_done(struct table *t);
