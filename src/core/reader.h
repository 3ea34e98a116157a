#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checking reader that stands before inih: refuses what inih would cut, join or smuggle, with
 * the line; and the entries that come out behind it. */
#include "allowsync/diag.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	READER_LINE_MAX = 198,     /* inih's buffer is 200 bytes with newline and NUL */
	READER_SECTION_MAX = 48,
	READER_FILE_MAX = 1 << 20, /* bytes */
	READER_ENTRIES_MAX = 100000,
};

struct reader_entry {
	char *section; /* "vendor ixon", blanks squeezed */
	char *key;
	char *value;
	unsigned line;
};

/* One file as read. A section without keys still has an entry, with key NULL. */
struct reader_file {
	char *name; /* as messages name it, relative to its configuration directory */
	struct reader_entry *entries;
	size_t count, capacity;
};

/* Every fault of form is an error in `diags` with its line: NUL or control bytes, not UTF-8, a line
 * too long, a last line without its newline, an indented line, a section header that is cut, too
 * long or followed by something, text after a value that inih would take for a comment, a line
 * without '='. True: inih will read each line as it is meant. */
bool reader_check(const char *text, size_t len, const char *file, struct diag_list *diags);
void reader_file_add(struct reader_file *f, const char *section, const char *key,
	const char *value, unsigned line);
void reader_file_done(struct reader_file *f);
