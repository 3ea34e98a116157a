#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checking reader that stands before inih: refuses what inih would cut, join or smuggle, with
 * the line; and the entries that come out behind it. */
#include "allowsync/diag.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	READER_LINE_MAX = 198,   /* inih's buffer is 200 bytes with newline and NUL */
	READER_SECTION_MAX = 48, /* inih cuts at 49, silently */
	READER_KEY_MAX = 48,
	READER_FILE_MAX = 1 << 20, /* bytes */
	READER_ENTRIES_MAX = 100000,
};

struct reader_entry {
	char *section; /* "vendor ixon", blanks squeezed */
	char *key;     /* NULL: the section's header itself */
	char *value;   /* NULL with the header */
	unsigned line;
};

/* One file as read. Each section header has an entry of its own, so that a section without keys
 * is not lost (inih tells nothing of it). */
struct reader_file {
	char *name; /* as messages name it, relative to its configuration directory */
	struct reader_entry *entries;
	size_t count, capacity;
	bool damaged; /* lines were refused: what seems to be missing may stand there */
};

enum reader_kind {
	READER_NOTHING, /* blank, a comment, or refused and reported */
	READER_SECTION,
	READER_KEY,
};

/* One line and how it is meant. inih must come to the same. */
struct reader_line {
	enum reader_kind kind;
	unsigned number;
	const char *text; /* into the file, `len` bytes without the newline */
	size_t len;
	char section[READER_SECTION_MAX + 1]; /* READER_SECTION: blanks squeezed */
	char key[READER_KEY_MAX + 1];         /* READER_KEY */
	char value[READER_LINE_MAX + 1];
};

struct reader {
	const char *text;
	size_t len, at;
	const char *file;
	struct diag_list *diags;
	unsigned line;
	char section[READER_SECTION_MAX + 1]; /* the last header; "" before the first */
	bool lost;   /* the last header was refused: whose keys are these? */
	bool failed; /* something was refused */
};

/* Every fault of form is an error in `diags` with its line: NUL or control bytes, not UTF-8, a line
 * too long, a last line without its newline, an indented line, a section header that is cut, too
 * long or followed by something, text behind a value that inih would take for a comment, a line
 * without '='. All is borrowed. */
struct reader reader_over(const char *text, size_t len, const char *file, struct diag_list *diags);
/* The next line; false at the end. A line that was refused comes as READER_NOTHING. */
bool reader_next(struct reader *r, struct reader_line *ret);
/* All lines at once. True: inih will read each line as it is meant. */
bool reader_check(const char *text, size_t len, const char *file, struct diag_list *diags);
/* "  vendor \t ixon " -> "vendor ixon"; `ret` has room for `size`. False: it does not fit. */
bool reader_squeeze(const char *text, size_t len, char *ret, size_t size);

/* Copies. */
void reader_file_add(struct reader_file *f, const char *section, const char *key, const char *value,
	unsigned line);
void reader_file_done(struct reader_file *f);
