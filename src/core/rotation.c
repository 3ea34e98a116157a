/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts changes, and gathers those of names that rotate. */
#include "core/rotation.h"

#include "base/mem.h"

#include <string.h>

/* Of one owner and set. Fields hold no newline. */
static char *key_of(const struct event *e)
{
	return xasprintf("%s\n%s\n%s\n%s", e->set, e->vendor ? e->vendor : "",
		e->endpoint ? e->endpoint : "", e->name);
}

static char *copy_of(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

static struct rotation *rotation_for(struct rotations *r, const struct event *e)
{
	_cleanup_free_ char *key = key_of(e);
	struct rotation *o = map_get(&r->by_key, key, strlen(key));

	if (o)
		return o;
	o = xcalloc(1, sizeof(*o));
	o->key = xstrdup(key);
	o->vendor = copy_of(e->vendor);
	o->endpoint = copy_of(e->endpoint);
	o->name = copy_of(e->name);
	o->set = copy_of(e->set);
	map_put(&r->by_key, o->key, strlen(o->key), o);
	return o;
}

static void rotation_free(struct rotation *o)
{
	free(o->key);
	free(o->vendor);
	free(o->endpoint);
	free(o->name);
	free(o->set);
	strbuf_done(&o->text);
	free(o);
}

static void forget(struct rotations *r, struct rotation *o)
{
	heap_remove(&r->due, &o->due);
	map_remove(&r->by_key, o->key, strlen(o->key));
	r->bytes -= o->text.len;
	rotation_free(o);
}

/* Only what DNS makes of a name: a refill, a reload or a release is worth an entry each time. */
static bool rotates(const struct event *e)
{
	static const char *const whole[] = {"answer", "linger", "denied", "limit"};

	if (!e->name || !e->set || !e->reason)
		return false;
	for (const char *at = e->reason; *at; at += strspn(at, ", ")) {
		size_t len = strcspn(at, ","), i = 0;
		while (i < ARRAY_LEN(whole) &&
			(strlen(whole[i]) != len || strncmp(at, whole[i], len) != 0))
			i++;
		if (i == ARRAY_LEN(whole))
			return false;
		at += len;
	}
	return true;
}

/* True: with this one there are too many within an hour. */
static bool note_time(struct rotation *o, uint64_t now_ms)
{
	uint64_t oldest_ms = o->recent_ms[o->recent_at];
	bool many = o->recent_count == ROTATION_CHANGES && now_ms - oldest_ms < ROTATION_HOUR_MS;

	o->recent_ms[o->recent_at] = now_ms;
	o->recent_at = (o->recent_at + 1) % ROTATION_CHANGES;
	if (o->recent_count < ROTATION_CHANGES)
		o->recent_count++;
	return many;
}

static size_t count_of(const char *elements)
{
	size_t n = elements && *elements;

	for (; elements && *elements; elements++)
		n += *elements == ',';
	return n;
}

static void gather(struct rotations *r, struct rotation *o, const struct event *e, const char *at,
	uint64_t now_ms)
{
	size_t before = o->text.len;

	if (!o->count)
		o->since_ms = now_ms;
	strbuf_appendf(&o->text, "%s%s %u", o->count ? "; " : "", at, e->generation);
	if (e->added && *e->added)
		strbuf_appendf(&o->text, " +%s", e->added);
	if (e->removed && *e->removed)
		strbuf_appendf(&o->text, " -%s", e->removed);
	o->count++;
	o->hour_count++;
	o->added += count_of(e->added);
	o->removed += count_of(e->removed);
	o->ttl_s = e->ttl_s;
	o->generation = e->generation;
	r->bytes += o->text.len - before;
	if (o->text.len >= ROTATION_TEXT_MAX || r->bytes >= ROTATION_ALL_MAX)
		heap_set(&r->due, &o->due, now_ms);
}

static void begin_hour(struct rotations *r, struct rotation *o, uint64_t now_ms)
{
	o->hour_ms = now_ms;
	o->hour_count = 0;
	heap_set(&r->due, &o->due, now_ms + ROTATION_HOUR_MS);
}

enum rotation_verdict rotations_take(
	struct rotations *r, const struct event *e, const char *at, uint64_t now_ms)
{
	if (!rotates(e))
		return ROTATION_TELL;
	struct rotation *o = rotation_for(r, e);
	bool many = note_time(o, now_ms), begins = many && !o->gathers;
	if (!o->gathers && !many) {
		heap_set(&r->due, &o->due, now_ms + ROTATION_HOUR_MS);
		return ROTATION_TELL;
	}
	if (begins) {
		o->gathers = true;
		begin_hour(r, o, now_ms);
	}
	gather(r, o, e, at, now_ms);
	return begins ? ROTATION_BEGINS : ROTATION_GATHERED;
}

uint64_t rotations_next_ms(const struct rotations *r)
{
	const struct heap_item *first = heap_first(&r->due);

	return first ? first->due_ms : UINT64_MAX;
}

void rotations_hurry(struct rotations *r, uint64_t now_ms)
{
	struct rotation *o;

	for (size_t at = 0; (o = map_next(&r->by_key, &at));) {
		if (o->count)
			heap_set(&r->due, &o->due, now_ms);
	}
}

static bool hour_is_over(const struct rotation *o, uint64_t now_ms)
{
	return now_ms >= o->hour_ms + ROTATION_HOUR_MS;
}

bool rotation_ends(const struct rotation *o, uint64_t now_ms)
{
	return hour_is_over(o, now_ms) && o->hour_count < ROTATION_CHANGES / 2;
}

/* Its summary is empty. */
static void go_on(struct rotations *r, struct rotation *o, uint64_t now_ms)
{
	if (!o->gathers || rotation_ends(o, now_ms))
		forget(r, o);
	else if (hour_is_over(o, now_ms))
		begin_hour(r, o, now_ms);
	else
		heap_set(&r->due, &o->due, o->hour_ms + ROTATION_HOUR_MS);
}

struct rotation *rotations_next_due(struct rotations *r, uint64_t now_ms)
{
	struct heap_item *item;

	while ((item = heap_first(&r->due)) && item->due_ms <= now_ms) {
		struct rotation *o = CONTAINER_OF(item, struct rotation, due);
		if (o->count)
			return o;
		go_on(r, o, now_ms);
	}
	return NULL;
}

void rotations_told(struct rotations *r, struct rotation *o, uint64_t now_ms)
{
	r->bytes -= o->text.len;
	strbuf_done(&o->text);
	o->count = o->added = o->removed = 0;
	go_on(r, o, now_ms);
}

void rotations_done(struct rotations *r)
{
	struct rotation *o;

	heap_done(&r->due);
	for (size_t at = 0; (o = map_next(&r->by_key, &at));)
		rotation_free(o);
	map_done(&r->by_key);
	*r = (struct rotations){0};
}
