#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries of several files -> sections with their keys: merged, lists split and reset, unknown
 * sections and keys refused. What the values mean is the builders' business. */
#include "allowsync/profile.h"
#include "core/reader.h"

enum key_shape {
	KEY_SCALAR, /* the last one wins; an empty value takes it back */
	KEY_LIST,   /* by comma or by repeating the key; an empty value resets */
	KEY_LINES,  /* free text, repeatable; an empty value resets */
};

struct key_def {
	const char *name; /* NULL ends a table */
	enum key_shape shape;
};

struct section_def {
	const char *kind; /* NULL ends a table */
	bool named;       /* "[vendor NAME]", else "[resolver]" */
	bool open;        /* other keys are kept as lists for the builder to judge */
	const struct key_def *keys;
};

struct section_key {
	const struct key_def *def; /* NULL: one of an open section's own */
	char *name;
	struct source at; /* where it was last said */
	struct profile_texts values;
};

struct section {
	const struct section_def *def;
	char *text;       /* "vendor ixon" */
	const char *name; /* "ixon", inside `text`; "" when the kind has none */
	struct source at; /* its first header */
	struct section_key *keys;
	size_t key_count, key_capacity;
};

struct sections {
	struct section *items;
	size_t count, capacity;
	bool damaged; /* some line or section was refused: absence proves nothing */
};

enum { SECTIONS_MAX = 4096 };

/* Sources point into the files' names. Never fails: faults go to `diags`. */
struct sections sections_collect(const struct reader_file *files, size_t count,
	const struct section_def *defs, struct diag_list *diags);
void sections_done(struct sections *s);

/* The key as said, or NULL when it was not, or taken back. */
const struct section_key *section_key(const struct section *s, const char *name);
/* Its values; none when not said. */
const struct profile_texts *section_list(const struct section *s, const char *name);
/* The one value of a scalar, or NULL. */
const struct profile_text *section_scalar(const struct section *s, const char *name);

/* " (refresh-max?)" when one of the names is near, else "". */
struct near_name {
	char text[80];
};
struct near_name near_key(const char *name, const struct key_def *keys);
struct near_name near_string(const char *name, const struct strings *names);
