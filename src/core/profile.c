/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The profile as a value: lookup and life. */
#include "allowsync/profile.h"

#include "base/strbuf.h"

void strings_add(struct strings *s, const char *text)
{
	VEC_GROW(s->items, s->capacity, s->count);
	s->items[s->count++] = xstrdup(text);
}

bool strings_has(const struct strings *s, const char *text)
{
	for (size_t i = 0; i < s->count; i++) {
		if (str_eq(s->items[i], text))
			return true;
	}
	return false;
}

char *strings_join(const struct strings *s, const char *separator)
{
	struct strbuf b = STRBUF_NULL;

	for (size_t i = 0; i < s->count; i++) {
		if (i)
			strbuf_append(&b, separator);
		strbuf_append(&b, s->items[i]);
	}
	return strbuf_take(&b);
}

void strings_done(struct strings *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->items[i]);
	free(s->items);
	*s = (struct strings){0};
}

struct endpoint *profile_endpoint(const struct profile *p, const char *name)
{
	for (size_t i = 0; i < p->endpoint_count; i++) {
		if (str_eq(p->endpoints[i].name, name))
			return &p->endpoints[i];
	}
	return NULL;
}

bool endpoint_overlaps(const struct endpoint *a, const struct endpoint *b)
{
	for (size_t i = 0; i < a->service_count; i++) {
		for (size_t k = 0; k < b->service_count; k++) {
			if (service_overlaps(&a->services[i], &b->services[k]))
				return true;
		}
	}
	return false;
}

struct profile_variable *profile_variable(const struct profile *p, const char *name)
{
	for (size_t i = 0; i < p->variable_count; i++) {
		if (str_eq(p->variables[i].name, name))
			return &p->variables[i];
	}
	return NULL;
}

static void texts_done(struct profile_texts *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->items[i].text);
	free(t->items);
}

static void endpoint_done(struct endpoint *e)
{
	free(e->name);
	strings_done(&e->roles);
	strings_done(&e->regions);
	texts_done(&e->names);
	texts_done(&e->addresses);
	free(e->expect);
	free(e->services);
	free(e->replaced_by);
	free(e->inferred);
	strings_done(&e->notes);
	strings_done(&e->warnings);
	texts_done(&e->amended);
}

struct profile *profile_free(struct profile *p)
{
	if (!p)
		return NULL;
	free(p->name);
	free(p->file);
	free(p->title);
	free(p->page);
	free(p->read);
	strings_done(&p->roles);
	strings_done(&p->default_roles);
	strings_done(&p->regions);
	strings_done(&p->notes);
	texts_done(&p->amended);
	for (size_t i = 0; i < p->variable_count; i++) {
		free(p->variables[i].name);
		free(p->variables[i].title);
	}
	free(p->variables);
	for (size_t i = 0; i < p->endpoint_count; i++)
		endpoint_done(&p->endpoints[i]);
	free(p->endpoints);
	free(p);
	return NULL;
}
