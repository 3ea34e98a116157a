/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Elements of sets as files. A change is seen by comparing marks, so nothing has to tell of it. */
#include "daemon/saved.h"

#include "base/strbuf.h"
#include "core/planning.h"
#include "core/saved_text.h"
#include "edge/state_files.h"

#include <string.h>
#include <syslog.h>

enum {
	DELAY_MS = 100,              /* after a change: a burst is one file */
	INTERVAL_MS = 1000,          /* between two files of a set */
	ELEMENTS_PER_SECOND = 10000, /* large sets are written less often */
	RETRY_MS = 60000,            /* after a failure */
	/* What is denied has the time that is left in the text, and begins with that when it is
	 * loaded: each loss of power may add so much to it, but never takes any. */
	DENIED_MS = 3600000
};

/* What the text depends on, or changes along with it. */
struct mark {
	uint64_t last_change_ms;
	size_t wanted, ours, dirty;
	enum set_layout layout;
	bool present, settled, paused;
};

struct saved_set {
	char *name; /* of the file */
	struct mark mark;
	uint64_t due_ms; /* 0: as it should be */
	uint64_t not_before_ms;
	uint64_t again_ms; /* written anew then, though nothing changed; 0: no need */
};

static struct mark mark_of(const struct world_set *set)
{
	struct mark m;

	memset(&m, 0, sizeof(m)); /* it is compared byte by byte */
	m.last_change_ms = set->last_change_ms;
	m.wanted = wanted_count(&set->wanted);
	m.ours = set->live.ours;
	m.dirty = set->wanted.dirty_count;
	m.layout = set->kind.layout;
	m.present = set->present;
	m.settled = set->settled;
	m.paused = set->paused || set->frozen;
	return m;
}

char *saved_directory(const char *state_directory)
{
	return xasprintf("%s/elements.d", state_directory);
}

void saved_init(struct saved *s, const char *state_directory, sync_event_fn emit, void *userdata)
{
	*s = (struct saved){
		.directory = saved_directory(state_directory),
		.emit = emit,
		.userdata = userdata,
	};
}

static void forget_sets(struct saved *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->sets[i].name);
	free(s->sets);
	s->sets = NULL;
	s->count = 0;
}

/* Said once, until it is another one or over. */
static void take_result(struct saved *s, const struct world *w, int r)
{
	if (r >= 0 || r == s->error) {
		if (r >= 0)
			s->error = 0;
		return;
	}
	s->error = r;
	_cleanup_free_ char *m = xasprintf("%s: %s; the sets are kept true all the same, but a "
					   "load of the ruleset starts with "
					   "what the files there held before, or empty",
		s->directory, strerror(-r));
	s->emit(s->userdata, &(struct event){
				     .kind = EVENT_STATE_FAILED,
				     .priority = LOG_WARNING,
				     .message = m,
				     .config = w->config->digest,
			     });
}

static bool is_named(const struct saved *s, const char *name)
{
	for (size_t i = 0; i < s->count; i++) {
		if (str_eq(s->sets[i].name, name))
			return true;
	}
	return false;
}

/* Also what an earlier run left for a set that has left since. */
static int remove_strangers(struct saved *s)
{
	_cleanup_(strings_done) struct strings names = {0};
	int r = state_files_list(s->directory, SAVED_SUFFIX, &names);

	for (size_t i = 0; i < names.count; i++) {
		if (!is_named(s, names.items[i])) {
			int one = state_files_remove(s->directory, names.items[i]);
			r = r < 0 ? r : one;
		}
	}
	return r;
}

static void take_config(struct saved *s, const struct world *w)
{
	forget_sets(s);
	memcpy(s->digest, w->config->digest, sizeof(s->digest));
	s->count = w->config->set_count;
	s->sets = xcalloc(s->count, sizeof(*s->sets));
	for (size_t i = 0; i < s->count; i++)
		s->sets[i].name = saved_text_file_name(&w->sets[i].id);
	int r = state_files_make_directory(s->directory);
	take_result(s, w, r < 0 ? r : remove_strangers(s));
}

struct keys {
	struct element_key *items;
	size_t count, capacity, room;
};

/* A text of more than the set's size would fail the whole load. */
static size_t room_of(const struct world_set *set)
{
	size_t others = live_count(&set->live) - set->live.ours;

	size_t limit = set_kind_limit(&set->kind);

	if (!limit)
		return SIZE_MAX;
	return limit > others ? limit - others : 0;
}

static void take_key(struct keys *k, const struct element_key *key)
{
	if (k->count >= k->room)
		return;
	VEC_GROW(k->items, k->capacity, k->count);
	k->items[k->count++] = *key;
}

/* What a commit of everything would leave there of ours: around what is not, as nft refuses a load
 * in which ranges overlap. */
static void collect_ranges(struct keys *k, const struct world_set *set)
{
	_cleanup_(plan_done) struct plan p = PLAN_NULL;
	_cleanup_(map_done) struct map gone = MAP_NULL;
	const struct planning in = {
		.set_index = set->index,
		.id = &set->id,
		.kind = &set->kind,
		.wanted = &set->wanted,
		.live = &set->live,
		.delete_unowned = set->settled,
	};
	const struct live_element *e;

	k->room = SIZE_MAX;
	plan_whole(&p, &in);
	const struct plan_set *part = p.count ? &p.sets[0] : NULL;
	for (size_t i = 0; part && i < part->delete_count; i++)
		map_put(&gone, part->deletes[i].bytes, part->deletes[i].len, &part->deletes[i]);
	for (size_t at = 0; (e = live_next(&set->live, &at));) {
		if (e->ours && !map_get(&gone, e->key.bytes, e->key.len))
			take_key(k, &e->key);
	}
	for (size_t i = 0; part && i < part->add_count; i++)
		take_key(k, &part->adds[i]);
}

/* It stays as its owner made it; and nft may refuse a load in which both overlap. */
static bool is_others(const struct world_set *set, const struct element_key *key)
{
	const struct live_element *e = live_find_covering(&set->live, &set->kind, key);

	return e && !e->ours;
}

/* First what stands there and stays, then what should: all that we want, and of an earlier run's
 * what waits for its names to be answered. */
static void collect(struct keys *k, const struct world_set *set)
{
	const struct live_element *e;
	const struct want *want;

	if (set_kind_has_ranges(&set->kind)) {
		collect_ranges(k, set);
		return;
	}
	k->room = room_of(set);
	for (size_t at = 0; (e = live_next(&set->live, &at));) {
		if (e->ours && (!set->settled || wanted_find(&set->wanted, &e->key)))
			take_key(k, &e->key);
	}
	for (size_t at = 0; (want = wanted_next(&set->wanted, &at));) {
		e = live_find(&set->live, &want->key);
		if ((!e || !e->ours) && !is_others(set, &want->key))
			take_key(k, &want->key);
	}
}

/* Is it known what belongs there? Until then the earlier run's file is the best there is. */
static bool is_known(const struct world_set *set)
{
	return set->kind.layout != SET_LAYOUT_UNKNOWN && (set->present || set->settled);
}

static void save(struct saved *s, const struct world *w, size_t i, uint64_t now_ms)
{
	const struct world_set *set = &w->sets[i];
	struct saved_set *saved = &s->sets[i];
	struct keys keys = {0};
	int r = 0;

	saved->due_ms = 0;
	saved->again_ms = denylist_count(&set->denied) ? now_ms + DENIED_MS : 0;
	if (set->paused || set->frozen) {
		r = state_files_remove(s->directory, saved->name);
	} else if (is_known(set)) {
		collect(&keys, set);
		_cleanup_free_ char *text = saved_text(
			&set->kind, keys.items, keys.count, world_set_lives(set), now_ms);
		r = state_files_make_directory(s->directory);
		if (r == 0)
			r = *text ? state_files_put(s->directory, saved->name, text)
				  : state_files_remove(s->directory, saved->name);
	}
	saved->not_before_ms =
		now_ms + INTERVAL_MS + (uint64_t)(keys.count / ELEMENTS_PER_SECOND) * 1000;
	if (r < 0) {
		saved->not_before_ms = now_ms + RETRY_MS;
		saved->due_ms = saved->not_before_ms;
	}
	take_result(s, w, r);
	free(keys.items);
}

static void notice_changes(struct saved *s, const struct world *w, uint64_t now_ms)
{
	for (size_t i = 0; i < s->count; i++) {
		struct saved_set *saved = &s->sets[i];
		struct mark m = mark_of(&w->sets[i]);
		bool again = saved->again_ms && saved->again_ms <= now_ms;
		if (!again && memcmp(&m, &saved->mark, sizeof(m)) == 0)
			continue;
		saved->again_ms = 0;
		/* What changes within the same millisecond has the same mark. */
		if (m.last_change_ms == now_ms)
			m.last_change_ms = 0;
		saved->mark = m;
		if (saved->due_ms)
			continue;
		saved->due_ms = now_ms + DELAY_MS;
		if (saved->due_ms < saved->not_before_ms)
			saved->due_ms = saved->not_before_ms;
	}
}

static bool save_one(struct saved *s, const struct world *w, uint64_t now_ms)
{
	for (size_t i = 0; i < s->count; i++) {
		if (s->sets[i].due_ms && s->sets[i].due_ms <= now_ms) {
			save(s, w, i, now_ms);
			return true;
		}
	}
	return false;
}

void saved_turn(struct saved *s, const struct world *w, uint64_t now_ms)
{
	if (!s->directory)
		return;
	if (!str_eq(s->digest, w->config->digest))
		take_config(s, w);
	notice_changes(s, w, now_ms);
	save_one(s, w, now_ms);
}

uint64_t saved_next_ms(const struct saved *s)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < s->count; i++) {
		if (s->sets[i].due_ms && s->sets[i].due_ms < next)
			next = s->sets[i].due_ms;
		if (s->sets[i].again_ms && s->sets[i].again_ms < next)
			next = s->sets[i].again_ms;
	}
	return next;
}

void saved_flush(struct saved *s, const struct world *w, uint64_t now_ms)
{
	if (!s->directory || !str_eq(s->digest, w->config->digest))
		return;
	notice_changes(s, w, now_ms);
	for (size_t i = 0; i < s->count && !s->error; i++) {
		if (s->sets[i].due_ms || s->sets[i].again_ms)
			save(s, w, i, now_ms);
	}
}

void saved_done(struct saved *s)
{
	forget_sets(s);
	free(s->directory);
	*s = (struct saved){0};
}
