/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is denied, and until when. */
#include "core/denylist.h"

#include "base/mem.h"
#include "base/strbuf.h"

#include <stdlib.h>
#include <string.h>

#define S UINT64_C(1000)

static struct denied *find(const struct denylist *l, const struct element_key *key)
{
	return map_get(&l->by_key, key->bytes, key->len);
}

static struct denied *put(struct denylist *l, const struct element_key *key)
{
	struct denied *d = xcalloc(1, sizeof(*d));

	d->key = *key;
	map_put(&l->by_key, d->key.bytes, d->key.len, d);
	return d;
}

static void set_name(struct denied *d, const char *name)
{
	if (str_eq(d->name, name))
		return;
	free(d->name);
	d->name = xstrdup(name);
}

bool denylist_note(struct denylist *l, const struct element_key *key, const char *name,
	uint64_t first_ms, uint64_t last_ms)
{
	struct denied *d = find(l, key);
	bool new = !d;

	if (new) {
		d = put(l, key);
		d->first_ms = first_ms;
	} else if ((int64_t)(last_ms - d->last_ms) < 0) {
		return false;
	}
	d->last_ms = last_ms;
	set_name(d, name);
	d->fuse_ms = last_ms + DENYLIST_FUSE_S * S;
	heap_set(&l->overs, &d->over, last_ms + DENYLIST_KEEP_S * S);
	return new;
}

bool denylist_hear(
	struct denylist *l, const struct element_key *key, uint64_t left_ms, uint64_t now_ms)
{
	struct denied *d = find(l, key);
	bool new = !d;

	if (left_ms > DENYLIST_FUSE_S * S)
		left_ms = DENYLIST_FUSE_S * S;
	if (new) {
		uint64_t early_ms = left_ms < DENYLIST_EARLY_S * S ? left_ms : DENYLIST_EARLY_S * S;
		d = put(l, key);
		d->fuse_ms = now_ms + left_ms;
		d->last_ms = d->fuse_ms - DENYLIST_FUSE_S * S;
		heap_set(&l->overs, &d->over, d->fuse_ms - early_ms);
	}
	d->recorded_ms = now_ms + left_ms;
	return new;
}

void denylist_record(
	struct denylist *l, const struct element_key *key, uint64_t left_ms, uint64_t now_ms)
{
	struct denied *d = find(l, key);

	if (d)
		d->recorded_ms = left_ms ? now_ms + left_ms : 0;
}

struct addr denied_addr(const struct denied *d)
{
	struct addr a = {.family = d->key.len == 4 ? FAMILY_V4 : FAMILY_V6};

	memcpy(a.bytes, d->key.bytes, d->key.len);
	return a;
}

const struct denied *denylist_find(const struct denylist *l, const struct element_key *key)
{
	return find(l, key);
}

const struct denied *denylist_next(const struct denylist *l, size_t *at)
{
	return map_next(&l->by_key, at);
}

size_t denylist_count(const struct denylist *l)
{
	return l->by_key.count;
}

uint64_t denylist_left_ms(const struct denylist *l, const struct element_key *key, uint64_t now_ms)
{
	const struct denied *d = find(l, key);

	if (!d)
		return 0;
	return d->fuse_ms > now_ms + S ? d->fuse_ms - now_ms : S;
}

bool denylist_is_recorded(const struct denylist *l, const struct element_key *key, bool expires)
{
	const struct denied *d = find(l, key);
	uint64_t most_ms = DENYLIST_RENEW_S * S;

	if (!d || !expires)
		return !d && !expires;
	return d->recorded_ms <= d->fuse_ms + most_ms && d->fuse_ms <= d->recorded_ms + most_ms;
}

const struct denied *denylist_first(const struct denylist *l)
{
	struct heap_item *item = heap_first(&l->overs);

	return item ? CONTAINER_OF(item, struct denied, over) : NULL;
}

const struct denied *denylist_over(const struct denylist *l, uint64_t now_ms)
{
	const struct denied *d = denylist_first(l);

	return d && d->over.due_ms <= now_ms ? d : NULL;
}

uint64_t denylist_next_ms(const struct denylist *l)
{
	const struct denied *d = denylist_first(l);

	return d ? d->over.due_ms : UINT64_MAX;
}

void denylist_stay(struct denylist *l, const struct denied *d, uint64_t now_ms)
{
	struct denied *own = find(l, &d->key);

	heap_set(&l->overs, &own->over, now_ms + DENYLIST_STAY_S * S);
	own->fuse_ms = own->over.due_ms + DENYLIST_LAG_S * S;
}

static void free_denied(struct denied *d)
{
	free(d->name);
	free(d);
}

void denylist_remove(struct denylist *l, const struct denied *d)
{
	struct denied *own = map_remove(&l->by_key, d->key.bytes, d->key.len);

	heap_remove(&l->overs, &own->over);
	free_denied(own);
}

void denylist_done(struct denylist *l)
{
	struct denied *d;

	heap_done(&l->overs); /* it looks at what is in it */
	for (size_t at = 0; (d = map_next(&l->by_key, &at));)
		free_denied(d);
	map_done(&l->by_key);
	*l = DENYLIST_NULL;
}
