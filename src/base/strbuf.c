/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Growing strings and the few string helpers the rest needs. */
#include "base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void reserve(struct strbuf *b, size_t extra)
{
	if (extra > (size_t)-1 / 2 - b->len)
		abort();
	b->data = mem_grow(b->data, &b->capacity, b->len + extra, 1);
}

void strbuf_append_bytes(struct strbuf *b, const void *p, size_t len)
{
	reserve(b, len + 1);
	if (len)
		memcpy(b->data + b->len, p, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void strbuf_append(struct strbuf *b, const char *s)
{
	strbuf_append_bytes(b, s, strlen(s));
}

void strbuf_append_char(struct strbuf *b, char c)
{
	strbuf_append_bytes(b, &c, 1);
}

void strbuf_appendf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *s = xvasprintf(fmt, ap);
	va_end(ap);
	strbuf_append(b, s);
	free(s);
}

void strbuf_append_escaped(struct strbuf *b, const void *p, size_t len)
{
	const unsigned char *s = p;

	for (size_t i = 0; i < len; i++) {
		if (s[i] < 0x20 || s[i] > 0x7e || s[i] == '\\')
			strbuf_appendf(b, "\\%03u", s[i]);
		else
			strbuf_append_char(b, (char)s[i]);
	}
}

const char *strbuf_text(const struct strbuf *b)
{
	return b->data ? b->data : "";
}

char *strbuf_take(struct strbuf *b)
{
	char *s = b->data ? b->data : xstrdup("");

	*b = STRBUF_NULL;
	return s;
}

void strbuf_clear(struct strbuf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

void strbuf_done(struct strbuf *b)
{
	free(b->data);
	*b = STRBUF_NULL;
}

bool str_eq(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

unsigned str_distance(const char *a, const char *b, unsigned limit)
{
	enum { MAX = 64 };
	size_t la = strlen(a), lb = strlen(b);
	unsigned row[MAX + 1];

	if (la > MAX || lb > MAX)
		return limit + 1;
	for (size_t j = 0; j <= lb; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned diagonal = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned above = row[j];
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);
			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			diagonal = above;
		}
	}
	return row[lb] > limit ? limit + 1 : row[lb];
}
