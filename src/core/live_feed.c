/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries become elements. */
#include "core/live_feed.h"

#include "base/mem.h"

#include <string.h>

static struct live_element element_of(const struct set_entry *e)
{
	return (struct live_element){
		.key = e->key, .ours = e->ours, .expires = e->expires, .left_s = e->left_s};
}

/* Of everything but ranges of addresses, where it takes two. */
static bool make_element(
	const struct set_kind *kind, const struct set_entry *e, struct live_element *ret)
{
	struct live_element made = element_of(e);
	const struct element_key *last = e->last.len ? &e->last : &e->key;
	struct element_value unused;

	if (e->is_end || (e->last.len && !kind->interval))
		return false;
	if (kind->interval) {
		size_t len = set_kind_key_len(kind);
		if (e->key.len != len || last->len != len)
			return false;
		memcpy(made.key.bytes + len, last->bytes, len);
		made.key.len = (uint8_t)(2 * len);
		/* We put single keys there only: whoever made this only copied our comment. */
		made.ours = made.ours && element_key_eq(&e->key, last);
	}
	if (!element_key_decode(kind, &made.key, &unused))
		return false;
	*ret = made;
	return true;
}

/* --- a dump --- */

void live_feed_init(struct live_feed *f, const struct set_kind *kind, struct live *live)
{
	live_begin(live, kind);
	*f = (struct live_feed){.kind = kind, .live = live};
}

bool live_feed_take(struct live_feed *f, const struct set_entry *e)
{
	struct live_element made;

	if (set_kind_has_ranges(f->kind)) {
		if (e->key.len != set_kind_key_len(f->kind) || e->last.len) {
			f->strange++;
		} else {
			VEC_GROW(f->entries, f->capacity, f->count);
			f->entries[f->count++] = *e;
		}
		return true;
	}
	if (!make_element(f->kind, e, &made)) {
		f->strange++;
		return true;
	}
	size_t before = live_count(f->live);
	live_put(f->live, &made);
	return live_count(f->live) > before;
}

/* By address; where a range ends and the next one starts, the end comes first. */
static int compare_entries(const void *a, const void *b)
{
	const struct set_entry *x = a, *y = b;
	int r = element_key_cmp(&x->key, &y->key);

	return r ? r : (int)y->is_end - (int)x->is_end;
}

/* To packets a start without an end of its own reaches to whatever comes next. It is never ours,
 * and cannot be deleted as a range; but what it holds is taken. */
bool live_feed_finish(struct live_feed *f)
{
	const struct element_key none = {0};

	if (f->count)
		qsort(f->entries, f->count, sizeof(*f->entries), compare_entries);
	for (size_t i = 0; i < f->count; i++) {
		const struct set_entry *e = &f->entries[i];
		const struct set_entry *next = i + 1 < f->count ? e + 1 : NULL;
		if (next && compare_entries(e, next) == 0)
			return false;
		if (e->is_end)
			continue;
		struct live_element made = element_of(e);
		bool whole = next ? next->is_end : true;
		if (!range_from_ends(&e->key, next ? &next->key : &none, &made.key)) {
			f->strange++;
			continue;
		}
		if (!whole) {
			f->strange++;
			made.ours = false;
		}
		live_put(f->live, &made);
	}
	return true;
}

void live_feed_done(struct live_feed *f)
{
	free(f->entries);
	*f = (struct live_feed){0};
}

/* --- notices --- */

static enum live_news put_range(struct live *l, const struct set_entry *start,
	const struct element_key *behind, struct live_element *ret)
{
	struct live_element made = element_of(start);

	if (!range_from_ends(&start->key, behind, &made.key) ||
		ranges_overlapping(&l->order, &made.key))
		return LIVE_NEWS_UNSURE;
	live_put(l, &made);
	*ret = made;
	return LIVE_NEWS_ADDED;
}

/* The range of the copy that begins there, or ends before there. */
static struct live_element *range_at(
	const struct live *l, const struct set_entry *e, struct element_key *ret_behind)
{
	struct element_key span, start;

	ret_behind->len = 0;
	if (!range_from_ends(&e->key, &(struct element_key){0}, &span))
		return NULL;
	if (e->is_end) {
		/* Just the address before it. */
		memcpy(span.bytes + e->key.len, span.bytes, e->key.len);
		span = range_widen(&span);
		memcpy(span.bytes + e->key.len, span.bytes, e->key.len);
	} else {
		memcpy(span.bytes + e->key.len, span.bytes, e->key.len);
	}
	const struct range *r = ranges_overlapping(&l->order, &span);
	if (!r)
		return NULL;
	range_to_ends(range_key(r), &start, ret_behind);
	const struct element_key *at = e->is_end ? ret_behind : &start;
	return element_key_eq(at, &e->key) ? range_item(r) : NULL;
}

static enum live_news close_start(struct live *l, struct live_ear *ear, struct live_element *ret)
{
	struct set_entry start = ear->start;

	ear->start.key.len = 0;
	if (!start.key.len)
		return LIVE_NEWS_NONE;
	return start.is_open ? put_range(l, &start, &(struct element_key){0}, ret)
			     : LIVE_NEWS_UNSURE;
}

static bool is_zero(const struct element_key *key)
{
	static const uint8_t zeros[ELEMENT_KEY_PART_MAX];

	return memcmp(key->bytes, zeros, key->len) == 0;
}

/* Without a start before it that waits for one. What expires is not told, so the copy may have a
 * range that is gone; another one in its place, that begins there as well, ends elsewhere. */
static enum live_news hear_end_alone(
	const struct live *l, struct live_ear *ear, const struct set_entry *e)
{
	struct element_key again = ear->again, behind;

	ear->again.len = 0;
	if (is_zero(&e->key))
		return LIVE_NEWS_NONE; /* nft's own */
	bool known = again.len ? element_key_eq(&again, &e->key) : range_at(l, e, &behind) != NULL;
	return known ? LIVE_NEWS_NONE : LIVE_NEWS_UNSURE;
}

static enum live_news hear_added(
	struct live *l, struct live_ear *ear, const struct set_entry *e, struct live_element *ret)
{
	struct element_key behind;
	struct live_element *old;

	if (e->is_end) {
		struct set_entry start = ear->start;
		ear->start.key.len = 0;
		return start.key.len ? put_range(l, &start, &e->key, ret)
				     : hear_end_alone(l, ear, e);
	}
	ear->again.len = 0;
	enum live_news before = close_start(l, ear, ret);
	if (before == LIVE_NEWS_UNSURE)
		return before;
	old = range_at(l, e, &behind);
	if (old && e->is_open && behind.len)
		return LIVE_NEWS_UNSURE; /* another one, that has no end to tell */
	if (old && e->ours && !old->ours)
		return LIVE_NEWS_UNSURE; /* another one; or without an end of its own */
	if (old) {
		/* The same range again, with another timeout: its end is not told. Or another one,
		 * in the place of one that expired. Its comment is told in both cases. */
		struct live_element changed = {
			.key = old->key,
			.ours = e->ours,
			.expires = e->expires,
			.left_s = e->left_s,
		};
		live_put(l, &changed);
		ear->again = behind;
		*ret = changed;
		return LIVE_NEWS_ADDED;
	}
	ear->start = *e;
	return before;
}

static enum live_news hear_deleted(
	struct live *l, struct live_ear *ear, const struct set_entry *e, struct live_element *ret)
{
	struct element_key behind;
	struct live_element *old = range_at(l, e, &behind);

	if (e->is_end) {
		bool expected = ear->awaited.len && element_key_eq(&ear->awaited, &e->key);
		if (expected) {
			ear->awaited.len = 0;
			return LIVE_NEWS_NONE;
		}
		if (!old)
			return LIVE_NEWS_NONE;
		/* The start of the one before never came: it had expired. */
		enum live_news news = ear->early.len ? LIVE_NEWS_UNSURE : LIVE_NEWS_NONE;
		ear->early = e->key;
		return news;
	}
	if (!old || ear->awaited.len)
		return LIVE_NEWS_UNSURE;
	if (ear->early.len && !element_key_eq(&ear->early, &behind))
		return LIVE_NEWS_UNSURE;
	if (!ear->early.len)
		ear->awaited = behind;
	ear->early.len = 0;
	*ret = *old;
	live_remove(l, &ret->key);
	return LIVE_NEWS_REMOVED;
}

enum live_news live_hear(struct live *l, struct live_ear *ear, const struct set_kind *kind,
	const struct set_entry *e, bool added, struct live_element *ret)
{
	struct live_element made;

	if (set_kind_has_ranges(kind)) {
		if (e->key.len != set_kind_key_len(kind) || e->last.len)
			return LIVE_NEWS_STRANGE;
		return added ? hear_added(l, ear, e, ret) : hear_deleted(l, ear, e, ret);
	}
	if (!make_element(kind, e, &made))
		return LIVE_NEWS_STRANGE;
	if (added) {
		live_put(l, &made);
	} else {
		const struct live_element *old = live_find(l, &made.key);
		if (!old)
			return LIVE_NEWS_NONE;
		made = *old;
		live_remove(l, &made.key);
	}
	*ret = made;
	return added ? LIVE_NEWS_ADDED : LIVE_NEWS_REMOVED;
}

enum live_news live_hear_end(struct live *l, struct live_ear *ear, struct live_element *ret)
{
	bool open = ear->awaited.len || ear->early.len;
	enum live_news news = close_start(l, ear, ret);

	*ear = LIVE_EAR_NULL;
	return open ? LIVE_NEWS_UNSURE : news;
}
