/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A change of sets as a value. */
#include "allowsync/plan.h"

#include "base/mem.h"
#include "base/strbuf.h"

#include <string.h>

struct plan_set *plan_for_set(
	struct plan *p, size_t set_index, const struct set_id *id, const struct set_kind *kind)
{
	/* From the end: planners go set by set. */
	for (size_t i = p->count; i > 0; i--) {
		if (p->sets[i - 1].set_index == set_index)
			return &p->sets[i - 1];
	}
	VEC_GROW(p->sets, p->capacity, p->count);
	struct plan_set *s = &p->sets[p->count++];
	*s = (struct plan_set){.id = id, .kind = *kind, .set_index = set_index};
	return s;
}

void plan_add(struct plan_set *s, const struct element_key *key)
{
	VEC_GROW(s->adds, s->add_capacity, s->add_count);
	s->adds[s->add_count++] = *key;
}

void plan_delete(struct plan_set *s, const struct element_key *key)
{
	VEC_GROW(s->deletes, s->delete_capacity, s->delete_count);
	s->deletes[s->delete_count++] = *key;
}

size_t plan_change_count(const struct plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->count; i++)
		n += p->sets[i].add_count + p->sets[i].delete_count;
	return n;
}

bool plan_is_empty(const struct plan *p)
{
	return plan_change_count(p) == 0;
}

static void format_line(struct strbuf *out, const char *verb, const char *set_text,
	const struct set_kind *kind, const struct element_key *keys, size_t count)
{
	char text[ELEMENT_TEXT_SIZE];

	if (!count)
		return;
	_cleanup_free_ struct element_key *sorted = xmemdup(keys, count * sizeof(*keys));
	qsort(sorted, count, sizeof(*sorted), element_key_order);
	strbuf_appendf(out, "%s element %s { ", verb, set_text);
	for (size_t i = 0; i < count; i++) {
		if (i)
			strbuf_append(out, ", ");
		strbuf_append(out, element_key_format(kind, &sorted[i], text));
	}
	strbuf_append(out, " }\n");
}

struct named_set {
	char *text;
	const struct plan_set *set;
};

static int compare_named(const void *a, const void *b)
{
	const struct named_set *x = a, *y = b;

	return strcmp(x->text, y->text);
}

char *plan_format(const struct plan *p)
{
	struct strbuf out = STRBUF_NULL;

	_cleanup_free_ struct named_set *sets = xcalloc(p->count, sizeof(*sets));
	for (size_t i = 0; i < p->count; i++)
		sets[i] = (struct named_set){set_id_format(p->sets[i].id), &p->sets[i]};
	qsort(sets, p->count, sizeof(*sets), compare_named);
	for (size_t i = 0; i < p->count; i++) {
		const struct plan_set *s = sets[i].set;
		format_line(&out, "delete", sets[i].text, &s->kind, s->deletes, s->delete_count);
		format_line(&out, "add", sets[i].text, &s->kind, s->adds, s->add_count);
		free(sets[i].text);
	}
	return strbuf_take(&out);
}

void plan_done(struct plan *p)
{
	for (size_t i = 0; i < p->count; i++) {
		free(p->sets[i].adds);
		free(p->sets[i].deletes);
	}
	free(p->sets);
	*p = PLAN_NULL;
}
