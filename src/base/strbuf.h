#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A string that grows; always NUL-terminated once something was appended. */
#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>

struct strbuf {
	char *data;
	size_t len;
	size_t capacity;
};
#define STRBUF_NULL ((struct strbuf){0})

void strbuf_append(struct strbuf *b, const char *s);
void strbuf_append_bytes(struct strbuf *b, const void *p, size_t len);
void strbuf_append_char(struct strbuf *b, char c);
_printf_(2, 3) void strbuf_appendf(struct strbuf *b, const char *fmt, ...);
/* For logs and terminals: bytes that are not printable ASCII, and the backslash, become \DDD
 * (decimal, as in RFC 1035 section 5.1). */
void strbuf_append_escaped(struct strbuf *b, const void *p, size_t len);
/* The text; "" when nothing was appended. Valid until the next change. */
const char *strbuf_text(const struct strbuf *b);
/* Gives the text to the caller (free() it) and leaves the buffer empty. */
char *strbuf_take(struct strbuf *b);
void strbuf_clear(struct strbuf *b);
void strbuf_done(struct strbuf *b);

bool str_eq(const char *a, const char *b);
bool str_starts(const char *s, const char *prefix);
/* Edit distance for "did you mean", capped at `limit` + 1. */
unsigned str_distance(const char *a, const char *b, unsigned limit);
