/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The copy of a set of the kernel, and what stands between it and what is wanted. */
#include "core/live.h"

#include "base/mem.h"

void live_put(struct live *l, const struct live_element *e)
{
	struct live_element *old = map_get(&l->elements, e->key.bytes, e->key.len);

	if (old) {
		l->ours -= old->ours;
		*old = *e;
	} else {
		struct live_element *copy = xmemdup(e, sizeof(*e));
		map_put(&l->elements, copy->key.bytes, copy->key.len, copy);
	}
	l->ours += e->ours;
}

void live_remove(struct live *l, const struct element_key *key)
{
	struct live_element *e = map_remove(&l->elements, key->bytes, key->len);

	if (!e)
		return;
	l->ours -= e->ours;
	free(e);
}

const struct live_element *live_find(const struct live *l, const struct element_key *key)
{
	return map_get(&l->elements, key->bytes, key->len);
}

const struct live_element *live_next(const struct live *l, size_t *at)
{
	return map_next(&l->elements, at);
}

size_t live_count(const struct live *l)
{
	return l->elements.count;
}

void live_clear(struct live *l)
{
	struct live_element *e;

	for (size_t at = 0; (e = map_next(&l->elements, &at));)
		free(e);
	map_done(&l->elements);
	l->ours = 0;
}

void live_done(struct live *l)
{
	live_clear(l);
}

/* The set's part of a plan, entered when there is something to put into it. */
struct target {
	struct plan *plan;
	size_t set_index;
	const struct set_id *id;
	const struct set_kind *kind;
	struct plan_set *set;
};

static struct plan_set *open_set(struct target *t)
{
	if (!t->set)
		t->set = plan_for_set(t->plan, t->set_index, t->id, t->kind);
	return t->set;
}

static void want_key(struct target *t, const struct live *l, const struct element_key *key)
{
	const struct live_element *e = live_find(l, key);

	bool renews = e && e->ours && e->expires;

	if (!e || renews)
		plan_add(open_set(t), key);
	if (renews)
		t->set->renews = true;
}

/* Leaves out what would not fit. What expires has its place already. */
static void fit(struct target *t, const struct live *l)
{
	struct plan_set *s = t->set;
	size_t kept = 0;

	if (!s || !t->kind->size)
		return;
	size_t stay = live_count(l) - s->delete_count;
	size_t room = t->kind->size > stay ? t->kind->size - stay : 0;
	for (size_t i = 0; i < s->add_count; i++) {
		bool there = live_find(l, &s->adds[i]);
		if (!there && !room) {
			s->left_out++;
			continue;
		}
		room -= !there;
		s->adds[kept++] = s->adds[i];
	}
	s->add_count = kept;
}

void plan_dirty(struct plan *p, size_t set_index, const struct set_id *id,
	const struct set_kind *kind, const struct wanted *w, const struct live *l)
{
	struct target t = {p, set_index, id, kind, NULL};

	for (size_t i = 0; i < w->dirty_count; i++) {
		const struct element_key *key = &w->dirty[i].key;
		if (wanted_find(w, key)) {
			want_key(&t, l, key);
			continue;
		}
		const struct live_element *e = live_find(l, key);
		if (e && e->ours)
			plan_delete(open_set(&t), key);
	}
	fit(&t, l);
}

void plan_whole(struct plan *p, size_t set_index, const struct set_id *id,
	const struct set_kind *kind, const struct wanted *w, const struct live *l,
	bool delete_unowned)
{
	struct target t = {p, set_index, id, kind, NULL};
	const struct live_element *e;
	const struct want *want;

	for (size_t at = 0; (e = live_next(l, &at));) {
		if (e->ours && !wanted_find(w, &e->key) &&
			(delete_unowned || wanted_is_dirty(w, &e->key)))
			plan_delete(open_set(&t), &e->key);
	}
	for (size_t at = 0; (want = wanted_next(w, &at));)
		want_key(&t, l, &want->key);
	fit(&t, l);
}

void plan_foreign(struct plan *p, size_t set_index, const struct set_id *id,
	const struct set_kind *kind, const struct wanted *w, const struct live *l)
{
	struct target t = {p, set_index, id, kind, NULL};
	const struct live_element *e;

	if (live_count(l) == l->ours)
		return;
	for (size_t at = 0; (e = live_next(l, &at));) {
		if (!e->ours && !wanted_find(w, &e->key))
			plan_delete(open_set(&t), &e->key);
	}
}

void live_apply(struct live *l, const struct plan_set *s)
{
	for (size_t i = 0; i < s->delete_count; i++)
		live_remove(l, &s->deletes[i]);
	for (size_t i = 0; i < s->add_count; i++)
		live_put(l, &(struct live_element){.key = s->adds[i], .ours = true});
}
