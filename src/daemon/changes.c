/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a commit changed, told by owner. */
#include "daemon/changes.h"

#include "base/strbuf.h"

#include <string.h>
#include <syslog.h>

/* The changes of one set that are due to one owner. */
struct group {
	const struct owner *owner; /* NULL: an element of an earlier run that nobody wants */
	const char *why_added, *why_removed;
	struct strbuf added, removed;             /* elements, for the fields */
	struct strbuf added_short, removed_short; /* addresses, for the sentence */
	size_t added_count, removed_count;        /* addresses or ranges of them */
	struct addr_range last_added, last_removed;
};

struct groups {
	struct group **items;
	size_t count, capacity;
	struct map by_owner;
};

enum { SENTENCE_ADDRESSES_MAX = 8 };

/* Of elements that others put there. */
static const struct owner others;

static struct group *group_for(struct groups *g, const struct owner *owner)
{
	struct group *group = map_get(&g->by_owner, &owner, sizeof(owner));

	if (!group) {
		group = xcalloc(1, sizeof(*group));
		group->owner = owner;
		map_put(&g->by_owner, &group->owner, sizeof(group->owner), group);
		VEC_GROW(g->items, g->capacity, g->count);
		g->items[g->count++] = group;
	}
	return group;
}

static void groups_done(struct groups *g)
{
	for (size_t i = 0; i < g->count; i++) {
		struct group *group = g->items[i];
		strbuf_done(&group->added);
		strbuf_done(&group->removed);
		strbuf_done(&group->added_short);
		strbuf_done(&group->removed_short);
		free(group);
	}
	free(g->items);
	map_done(&g->by_owner);
}

/* A set of ports has an address several times in a row: the sentence names it once. */
static void put(struct strbuf *full, struct strbuf *brief, size_t *count, struct addr_range *last,
	char sign, const char *element, const struct addr_range *a)
{
	char text[ADDR_RANGE_TEXT_SIZE];

	strbuf_appendf(full, "%s%s", full->len ? ", " : "", element);
	if (*count && addr_eq(&a->first, &last->first) && addr_eq(&a->last, &last->last))
		return;
	*last = *a;
	if ((*count)++ < SENTENCE_ADDRESSES_MAX)
		strbuf_appendf(brief, " %c%s", sign, addr_range_format(a, text));
}

static void remember(const struct sync *s, const struct world_set *set, const struct group *g,
	const char *element, const struct addr_range *a, uint64_t missing_ms, uint64_t now_ms)
{
	const struct owner *o = g->owner == &others ? NULL : g->owner;

	history_add(s->history, &(struct removal){
					.set = set->text,
					.element = (char *)(uintptr_t)element,
					.addr = *a,
					.vendor = (char *)(uintptr_t)(o ? o->vendor : NULL),
					.endpoint = o && o->endpoint ? o->endpoint->name : NULL,
					.name = (char *)(uintptr_t)(o ? o->name : NULL),
					.reason = g->why_removed,
					.at = time(NULL),
					.at_ms = now_ms,
					.missing_ms = missing_ms,
				});
}

static const char *unowned_reason(const struct world_set *set)
{
	if (set->paused)
		return "release";
	return set->config ? "unowned" : "reload";
}

static void tell_group(const struct sync *s, const struct world *w, const struct world_set *set,
	const struct group *g, uint32_t generation)
{
	const struct owner *o = g->owner == &others ? NULL : g->owner;
	_cleanup_(strbuf_done) struct strbuf m = STRBUF_NULL;

	if (o && o->name)
		strbuf_appendf(&m, "%s: %s", o->vendor, o->name);
	else if (o && o->keeps)
		strbuf_appendf(&m, "%s: %s (denied for 30 days)", o->vendor,
			o->endpoint ? o->endpoint->name : "");
	else if (o)
		strbuf_appendf(
			&m, "%s: %s (static)", o->vendor, o->endpoint ? o->endpoint->name : "");
	else if (g->owner)
		strbuf_append(&m, "put there by others:");
	else
		strbuf_append(&m, "left by an earlier run:");
	strbuf_append(&m, strbuf_text(&g->added_short));
	if (g->added_count > SENTENCE_ADDRESSES_MAX)
		strbuf_appendf(&m, " +%zu more", g->added_count - SENTENCE_ADDRESSES_MAX);
	strbuf_append(&m, strbuf_text(&g->removed_short));
	if (g->removed_count > SENTENCE_ADDRESSES_MAX)
		strbuf_appendf(&m, " -%zu more", g->removed_count - SENTENCE_ADDRESSES_MAX);
	strbuf_appendf(&m, " in %s", set->text);
	const struct name *n = o && o->name ? names_find(&w->names, o->name) : NULL;
	uint32_t ttl_s = 0;
	if (n) {
		const struct name_family *f = &n->families[set->kind.family];
		ttl_s = f->ttl_s;
		strbuf_appendf(&m, " (%zu address%s, TTL %u s)", f->count,
			f->count == 1 ? "" : "es", ttl_s);
	}
	const char *reason = g->why_added ? g->why_added : g->why_removed;
	_cleanup_free_ char *both = NULL;
	if (g->why_added && g->why_removed && !str_eq(g->why_added, g->why_removed))
		reason = both = xasprintf("%s, %s", g->why_added, g->why_removed);
	s->emit(s->userdata, &(struct event){
				     .kind = EVENT_CHANGED,
				     .priority = LOG_NOTICE,
				     .message = strbuf_text(&m),
				     .vendor = o ? o->vendor : NULL,
				     .endpoint = o && o->endpoint ? o->endpoint->name : NULL,
				     .name = o ? o->name : NULL,
				     .set = set->text,
				     .added = g->added.len ? strbuf_text(&g->added) : NULL,
				     .removed = g->removed.len ? strbuf_text(&g->removed) : NULL,
				     .ttl_s = ttl_s,
				     .reason = reason,
				     .generation = generation,
				     .config = w->config->digest,
			     });
}

/* Of a range: a want in it that changed, else any. */
struct in_range {
	const struct wanted *wanted;
	const struct want *want;
	const struct dirty_key *dirty;
};

static void take_want(const struct want *want, void *userdata)
{
	struct in_range *in = userdata;
	const struct dirty_key *d = wanted_find_dirty(in->wanted, &want->key);

	if (!in->want || (d && !in->dirty)) {
		in->want = want;
		in->dirty = d;
	}
}

/* Why the element comes, and through whom. */
static const struct owner *cause_of_add(
	const struct wanted *w, const struct element_key *key, const char **ret_why)
{
	struct in_range in = {.wanted = w};

	if (w->ranged)
		wanted_each_in(w, key, take_want, &in);
	else
		in = (struct in_range){w, wanted_find(w, key), wanted_find_dirty(w, key)};
	*ret_why = in.dirty ? in.dirty->reason : "refill";
	if (in.dirty && in.dirty->cause && !in.dirty->cause->retired)
		return in.dirty->cause;
	return in.want ? in.want->owners[0] : NULL;
}

/* Through whom it goes: whoever let go of it. A range also goes when something in it was let go, or
 * when another piece takes its place, because of what came beside it. */
struct cause {
	const struct owner *owner; /* NULL: nobody's any more */
	const char *why;           /* NULL: not known */
	uint64_t missing_ms;
	bool stays; /* it only changes its shape: what is in it is wanted still */
};

static struct cause cause_of_delete(const struct wanted *w, const struct element_key *key)
{
	const struct dirty_key *d = wanted_find_dirty(w, key);
	struct in_range in = {.wanted = w};

	if (w->ranged && !d) {
		for (size_t i = 0; !d && i < w->dirty_count; i++) {
			const struct want *want = w->dirty[i].want;
			if (!want->count && want->key.len == key->len &&
				range_place(&want->key, key) == 0)
				d = &w->dirty[i];
		}
		wanted_each_in(w, key, take_want, &in);
	}
	if (d)
		return (struct cause){d->cause, d->reason, d->missing_ms, false};
	if (in.want)
		return (struct cause){in.want->owners[0], "reshaped", 0, true};
	return (struct cause){0};
}

void changes_tell(const struct sync *s, const struct world *w, const struct world_set *set,
	const struct plan_set *committed, uint32_t generation, uint64_t now_ms)
{
	_cleanup_(groups_done) struct groups groups = {0};
	char text[ELEMENT_TEXT_SIZE];
	struct element_value v;

	for (size_t i = 0; i < committed->add_count; i++) {
		const struct element_key *key = &committed->adds[i];
		const char *why;
		const struct owner *owner = cause_of_add(&set->wanted, key, &why);
		struct group *g = group_for(&groups, owner);
		g->why_added = why;
		if (element_key_decode(&set->kind, key, &v))
			put(&g->added, &g->added_short, &g->added_count, &g->last_added, '+',
				element_key_format(&set->kind, key, text), &v.addr);
	}
	for (size_t i = 0; i < committed->delete_count; i++) {
		const struct element_key *key = &committed->deletes[i];
		struct cause cause = cause_of_delete(&set->wanted, key);
		const struct live_element *e = live_find(&set->live, key);
		bool foreign = e && !e->ours;
		struct group *g = group_for(&groups, foreign ? &others : cause.owner);
		g->why_removed = foreign ? "foreign" : cause.why ? cause.why : unowned_reason(set);
		if (!element_key_decode(&set->kind, key, &v))
			continue;
		element_key_format(&set->kind, key, text);
		put(&g->removed, &g->removed_short, &g->removed_count, &g->last_removed, '-', text,
			&v.addr);
		if (!cause.stays)
			remember(s, set, g, text, &v.addr, cause.missing_ms, now_ms);
	}
	for (size_t i = 0; i < groups.count; i++)
		tell_group(s, w, set, groups.items[i], generation);
}
