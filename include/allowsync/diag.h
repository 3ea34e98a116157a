#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is wrong with a configuration, all of it, each with its place. */
#include "base/mem.h"

#include <stddef.h>

enum diag_level { DIAG_WARNING, DIAG_ERROR };

/* A place in a file. `file` is owned by whoever read it and lives as long as the configuration. */
struct source {
	const char *file;
	unsigned line;
};

struct diag {
	enum diag_level level;
	char *file;
	unsigned line; /* 0: the file as a whole */
	char *section; /* "vendor ixon"; NULL outside of any */
	char *key;     /* NULL: the section as a whole */
	char *text;
};

struct diag_list {
	struct diag *items;
	size_t count, capacity;
	size_t errors;
};
#define DIAG_LIST_NULL ((struct diag_list){0})

_printf_(6, 7) void diag_add(struct diag_list *list, enum diag_level level, struct source at,
	const char *section, const char *key, const char *fmt, ...);
/* "allowsyncd.conf:7: [resolver] refresh-mx: no such key (refresh-max?)"; warnings say so after the
 * place. The caller frees it. */
char *diag_format(const struct diag *d);
void diag_list_done(struct diag_list *list);
