/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The copy of a set of the kernel. */
#include "core/live.h"

#include "base/mem.h"

#include <string.h>

/* An element, and where it is in the order of a ranged set. */
struct entry {
	struct live_element element;
	const struct range *range;
};

void live_begin(struct live *l, const struct set_kind *kind)
{
	live_clear(l);
	l->ranged = set_kind_has_ranges(kind);
	l->boxed = set_kind_has_boxes(kind);
}

static bool is_single(const struct element_key *key)
{
	return memcmp(key->bytes, key->bytes + key->len / 2, key->len / 2) == 0;
}

static void index_put(struct live *l, struct entry *entry)
{
	struct live_element *e = &entry->element;

	if (l->ranged)
		entry->range = ranges_put(&l->order, &e->key, e);
	if (l->boxed && !is_single(&e->key))
		map_put(&l->boxes, e->key.bytes, e->key.len, e);
}

static void index_remove(struct live *l, const struct entry *entry)
{
	const struct element_key *key = &entry->element.key;

	if (l->ranged)
		ranges_remove(&l->order, entry->range);
	if (l->boxed)
		map_remove(&l->boxes, key->bytes, key->len);
}

static struct entry *find(const struct live *l, const struct element_key *key)
{
	return map_get(&l->elements, key->bytes, key->len);
}

void live_put(struct live *l, const struct live_element *e)
{
	struct entry *entry = find(l, &e->key);

	if (entry) {
		l->ours -= entry->element.ours;
		entry->element = *e;
	} else {
		entry = xcalloc(1, sizeof(*entry));
		entry->element = *e;
		map_put(&l->elements, entry->element.key.bytes, entry->element.key.len, entry);
		index_put(l, entry);
	}
	l->ours += e->ours;
}

void live_remove(struct live *l, const struct element_key *key)
{
	struct entry *entry = map_remove(&l->elements, key->bytes, key->len);

	if (!entry)
		return;
	index_remove(l, entry);
	l->ours -= entry->element.ours;
	free(entry);
}

const struct live_element *live_find(const struct live *l, const struct element_key *key)
{
	const struct entry *entry = find(l, key);

	return entry ? &entry->element : NULL;
}

const struct live_element *live_find_covering(
	const struct live *l, const struct set_kind *kind, const struct element_key *key)
{
	const struct live_element *e = live_find(l, key);

	if (e)
		return e;
	if (l->ranged) {
		const struct range *r = ranges_overlapping(&l->order, key);
		return r && range_holds(range_key(r), key) ? range_item(r) : NULL;
	}
	for (size_t at = 0; (e = map_next(&l->boxes, &at));) {
		if (element_key_covers(kind, &e->key, key))
			return e;
	}
	return NULL;
}

const struct live_element *live_next(const struct live *l, size_t *at)
{
	const struct entry *entry = map_next(&l->elements, at);

	return entry ? &entry->element : NULL;
}

size_t live_count(const struct live *l)
{
	return l->elements.count;
}

void live_clear(struct live *l)
{
	struct entry *entry;

	ranges_done(&l->order);
	map_done(&l->boxes);
	for (size_t at = 0; (entry = map_next(&l->elements, &at));)
		free(entry);
	map_done(&l->elements);
	l->ours = 0;
}

void live_done(struct live *l)
{
	live_clear(l);
}

/* The kernel has been over its own copy since they were planned, and ours is in no cache. */
static void warm(const struct live *l, const struct element_key *keys, size_t count)
{
	enum { AT_ONCE = 256 };
	const struct element_key *some[AT_ONCE];

	for (size_t i = 0; l->ranged && i < count;) {
		size_t n = 0;
		while (i < count && n < AT_ONCE)
			some[n++] = &keys[i++];
		ranges_warm(&l->order, some, n);
	}
}

void live_apply(struct live *l, const struct plan_set *s)
{
	warm(l, s->deletes, s->delete_count);
	warm(l, s->adds, s->add_count);
	for (size_t i = 0; i < s->delete_count; i++)
		live_remove(l, &s->deletes[i]);
	for (size_t i = 0; i < s->add_count; i++)
		live_put(l, &(struct live_element){
				    .key = s->adds[i],
				    .ours = true,
				    .expires = plan_add_life_ms(s, i) > 0,
			    });
	for (size_t i = 0; i < s->renewal_count; i++)
		live_put(l, &(struct live_element){
				    .key = s->renewals[i],
				    .ours = true,
				    .expires = plan_renewal_life_ms(s, i) > 0,
			    });
}
