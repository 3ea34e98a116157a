/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of what is wrong with a configuration. */
#include "allowsync/diag.h"

#include "base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void diag_add(struct diag_list *list, enum diag_level level, struct source at, const char *section,
	const char *key, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);

	VEC_GROW(list->items, list->capacity, list->count);
	list->items[list->count++] = (struct diag){
		.level = level,
		.file = xstrdup(at.file ? at.file : ""),
		.line = at.line,
		.section = section ? xstrdup(section) : NULL,
		.key = key ? xstrdup(key) : NULL,
		.text = text,
	};
	if (level == DIAG_ERROR)
		list->errors++;
}

static void append_escaped(struct strbuf *b, const char *s)
{
	strbuf_append_escaped(b, s, strlen(s));
}

char *diag_format(const struct diag *d)
{
	struct strbuf b = STRBUF_NULL;

	if (d->file[0]) {
		append_escaped(&b, d->file);
		if (d->line)
			strbuf_appendf(&b, ":%u", d->line);
		strbuf_append(&b, ": ");
	}
	if (d->level == DIAG_WARNING)
		strbuf_append(&b, "warning: ");
	if (d->section) {
		strbuf_append_char(&b, '[');
		append_escaped(&b, d->section);
		strbuf_append(&b, "] ");
	}
	if (d->key) {
		append_escaped(&b, d->key);
		strbuf_append(&b, ": ");
	}
	append_escaped(&b, d->text);
	return strbuf_take(&b);
}

void diag_list_done(struct diag_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct diag *d = &list->items[i];
		free(d->file);
		free(d->section);
		free(d->key);
		free(d->text);
	}
	free(list->items);
	*list = DIAG_LIST_NULL;
}
