/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sections and keys, before they mean anything. */
#include "core/sections.h"

#include "allowsync/name.h"
#include "base/strbuf.h"

#include <stdio.h>
#include <string.h>

/* Keeps the nearest of the candidates offered to it. */
struct nearest {
	const char *name;
	unsigned distance, limit;
};

static void nearest_offer(struct nearest *n, const char *name, const char *candidate)
{
	unsigned distance = str_distance(name, candidate, n->limit);

	/* the word itself is no suggestion (a masked profile) */
	if (distance && distance < n->distance) {
		n->distance = distance;
		n->name = candidate;
	}
}

static struct nearest nearest_for(const char *name)
{
	/* a short word is near to everything */
	unsigned limit = strlen(name) < 4 ? 1 : strlen(name) < 8 ? 2 : 3;

	return (struct nearest){.limit = limit, .distance = limit + 1};
}

static struct near_name nearest_text(const struct nearest *n)
{
	struct near_name ret = {""};

	if (n->name)
		snprintf(ret.text, sizeof(ret.text), " (%s?)", n->name);
	return ret;
}

struct near_name near_key(const char *name, const struct key_def *keys)
{
	struct nearest n = nearest_for(name);

	for (; keys->name; keys++)
		nearest_offer(&n, name, keys->name);
	return nearest_text(&n);
}

struct near_name near_string(const char *name, const struct strings *names)
{
	struct nearest n = nearest_for(name);

	for (size_t i = 0; i < names->count; i++)
		nearest_offer(&n, name, names->items[i]);
	return nearest_text(&n);
}

static struct near_name near_section(const char *kind, const struct section_def *defs)
{
	struct nearest n = nearest_for(kind);

	for (; defs->kind; defs++)
		nearest_offer(&n, kind, defs->kind);
	return nearest_text(&n);
}

static void texts_clear(struct profile_texts *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->items[i].text);
	t->count = 0;
}

static void texts_add(struct profile_texts *t, const char *text, size_t len, struct source at)
{
	VEC_GROW(t->items, t->capacity, t->count);
	t->items[t->count++] = (struct profile_text){xstrndup(text, len), at};
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* False: there is an empty item between commas. */
static bool add_items(struct profile_texts *t, const char *value, struct source at)
{
	bool whole = true;

	for (const char *p = value;; p++) {
		const char *end = p + strcspn(p, ","), *next = end;
		while (p < end && is_blank(*p))
			p++;
		while (end > p && is_blank(end[-1]))
			end--;
		if (p < end)
			texts_add(t, p, (size_t)(end - p), at);
		else
			whole = false;
		if (!*next)
			return whole;
		p = next;
	}
}

static const struct section_def *find_def(
	const struct section_def *defs, const char *text, size_t kind_len)
{
	for (; defs->kind; defs++) {
		if (strlen(defs->kind) == kind_len && memcmp(defs->kind, text, kind_len) == 0)
			return defs;
	}
	return NULL;
}

static struct section *find_section(struct sections *all, const char *text)
{
	for (size_t i = 0; i < all->count; i++) {
		if (str_eq(all->items[i].text, text))
			return &all->items[i];
	}
	return NULL;
}

/* A new section from its header, or NULL when that is refused. */
static struct section *open_section(struct sections *all, const char *text, struct source at,
	const struct section_def *defs, struct diag_list *diags)
{
	size_t kind_len = strcspn(text, " ");
	const char *name = text[kind_len] ? text + kind_len + 1 : "";
	const struct section_def *def = find_def(defs, text, kind_len);

	if (!def) {
		_cleanup_free_ char *kind = xstrndup(text, kind_len);
		diag_add(diags, DIAG_ERROR, at, text, NULL, "no such section%s",
			near_section(kind, defs).text);
		return NULL;
	}
	if (def->named && !name[0]) {
		diag_add(diags, DIAG_ERROR, at, text, NULL, "needs a name: [%s NAME]", def->kind);
		return NULL;
	}
	if (!def->named && name[0]) {
		diag_add(diags, DIAG_ERROR, at, text, NULL, "takes no name: [%s]", def->kind);
		return NULL;
	}
	if (def->named && !identifier_ok(name)) {
		diag_add(diags, DIAG_ERROR, at, text, NULL,
			"\"%s\" is no name: a-z first, then a-z 0-9 - _, %d in all", name,
			IDENTIFIER_MAX);
		return NULL;
	}
	if (all->count == SECTIONS_MAX) {
		diag_add(diags, DIAG_ERROR, at, text, NULL, "more than %d sections", SECTIONS_MAX);
		return NULL;
	}
	VEC_GROW(all->items, all->capacity, all->count);
	struct section *s = &all->items[all->count++];
	*s = (struct section){.def = def, .text = xstrdup(text), .at = at};
	s->name = s->text + (name - text);
	return s;
}

static const struct key_def *find_key_def(const struct section_def *def, const char *name)
{
	for (const struct key_def *k = def->keys; k->name; k++) {
		if (str_eq(k->name, name))
			return k;
	}
	return NULL;
}

static struct section_key *find_key(const struct section *s, const char *name)
{
	for (size_t i = 0; i < s->key_count; i++) {
		if (str_eq(s->keys[i].name, name))
			return &s->keys[i];
	}
	return NULL;
}

static void take_entry(
	struct section *s, const struct reader_entry *e, struct source at, struct diag_list *diags)
{
	enum { OPEN_KEYS_MAX = 256 };
	const struct key_def *def = find_key_def(s->def, e->key);
	struct section_key *key = find_key(s, e->key);

	if (!def && (!s->def->open || (!key && s->key_count == OPEN_KEYS_MAX))) {
		diag_add(diags, DIAG_ERROR, at, s->text, e->key, "no such key%s",
			near_key(e->key, s->def->keys).text);
		return;
	}
	if (!key) {
		VEC_GROW(s->keys, s->key_capacity, s->key_count);
		key = &s->keys[s->key_count++];
		*key = (struct section_key){.def = def, .name = xstrdup(e->key)};
	}
	key->at = at;
	enum key_shape shape = def ? def->shape : KEY_LIST;
	if (!e->value[0] || shape == KEY_SCALAR)
		texts_clear(&key->values);
	if (!e->value[0])
		return;
	if (shape != KEY_LIST)
		texts_add(&key->values, e->value, strlen(e->value), at);
	else if (!add_items(&key->values, e->value, at))
		diag_add(diags, DIAG_ERROR, at, s->text, e->key,
			"an empty item between commas (\"%s =\" alone resets the list)", e->key);
}

struct sections sections_collect(const struct reader_file *files, size_t count,
	const struct section_def *defs, struct diag_list *diags)
{
	struct sections all = {0};

	for (size_t f = 0; f < count; f++) {
		ssize_t current = -1; /* an index: the array moves */
		if (files[f].damaged)
			all.damaged = true;
		for (size_t i = 0; i < files[f].count; i++) {
			const struct reader_entry *e = &files[f].entries[i];
			struct source at = {files[f].name, e->line};
			if (!e->key) {
				struct section *s = find_section(&all, e->section);
				if (!s)
					s = open_section(&all, e->section, at, defs, diags);
				current = s ? s - all.items : -1;
				if (!s)
					all.damaged = true;
			} else if (current >= 0) {
				take_entry(&all.items[current], e, at, diags);
			}
		}
	}
	return all;
}

void sections_done(struct sections *all)
{
	for (size_t i = 0; i < all->count; i++) {
		struct section *s = &all->items[i];
		for (size_t k = 0; k < s->key_count; k++) {
			texts_clear(&s->keys[k].values);
			free(s->keys[k].values.items);
			free(s->keys[k].name);
		}
		free(s->keys);
		free(s->text);
	}
	free(all->items);
	*all = (struct sections){0};
}

const struct section_key *section_key(const struct section *s, const char *name)
{
	const struct section_key *key = find_key(s, name);

	return key && key->values.count ? key : NULL;
}

const struct profile_texts *section_list(const struct section *s, const char *name)
{
	static const struct profile_texts none;
	const struct section_key *key = find_key(s, name);

	return key ? &key->values : &none;
}

const struct profile_text *section_scalar(const struct section *s, const char *name)
{
	const struct section_key *key = section_key(s, name);

	return key ? &key->values.items[key->values.count - 1] : NULL;
}
