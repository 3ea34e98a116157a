/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From wanted sets to the kernel's. */
#include "daemon/sync.h"

#include "base/strbuf.h"
#include "daemon/changes.h"
#include "daemon/refresh.h"
#include "edge/nft_conn.h"
#include "edge/nft_monitor.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

enum {
	LOOK_FIRST_MS = 1000,
	LOOK_MAX_MS = 10000,
	FOREIGN_SHOWN = 8,
	DIRTY_MAX = 65536,
	STALE_MAX = 3
};

static void tell_set(const struct sync *s, const struct world *w, const struct world_set *set,
	enum event_kind kind, int priority, const char *message)
{
	s->emit(s->userdata, &(struct event){
				     .kind = kind,
				     .priority = priority,
				     .message = message,
				     .set = set->text,
				     .config = w->config->digest,
				     .file = set->config ? set->config->at.file : NULL,
				     .line = set->config ? set->config->at.line : 0,
			     });
}

/* The first failure is looked into at once, further ones with back-off. */
static void look_later(struct world_set *set, uint64_t now_ms)
{
	uint64_t delay = 0;

	if (set->look_failures > 0) {
		unsigned shift = set->look_failures - 1 < 8 ? set->look_failures - 1 : 8;
		delay = (uint64_t)LOOK_FIRST_MS << shift;
		if (delay > LOOK_MAX_MS)
			delay = LOOK_MAX_MS;
	}
	set->look_failures++;
	set->look_ms = now_ms + delay;
	/* What comes and goes while nothing can be committed must not pile up: the plan that
	 * follows a look is over the whole set. */
	if (set->wanted.dirty_count > DIRTY_MAX)
		wanted_clear_dirty(&set->wanted);
}

/* Said once for each reason. */
static void degrade(const struct sync *s, const struct world *w, struct world_set *set,
	uint64_t now_ms, const char *why)
{
	if (str_eq(set->degraded, why))
		return;
	free(set->degraded);
	set->degraded = xstrdup(why);
	set->degraded_ms = now_ms;
	_cleanup_free_ char *m = xasprintf("set %s: %s; looking again", set->text, why);
	tell_set(s, w, set, EVENT_SET_DEGRADED, LOG_WARNING, m);
}

static void recover(const struct sync *s, const struct world *w, struct world_set *set)
{
	set->look_failures = 0;
	if (!set->degraded)
		return;
	_cleanup_free_ char *m =
		xasprintf("set %s is in step again (was: %s)", set->text, set->degraded);
	free(set->degraded);
	set->degraded = NULL;
	tell_set(s, w, set, EVENT_SET_RECOVERED, LOG_NOTICE, m);
}

static void tell_misfits(const struct sync *s, const struct world *w, const struct world_set *set)
{
	for (size_t i = 0; i < set->refusal_count; i++) {
		const struct set_refusal *r = &set->refusals[i];
		_cleanup_free_ char *m = xasprintf("%s:%u: %s", r->at.file, r->at.line, r->text);
		s->emit(s->userdata, &(struct event){
					     .kind = EVENT_SET_ENTRY_REFUSED,
					     .priority = LOG_WARNING,
					     .message = m,
					     .set = set->text,
					     .config = w->config->digest,
					     .file = r->at.file,
					     .line = r->at.line,
				     });
	}
	if (set->mixed) {
		_cleanup_free_ char *m = xasprintf(
			"set %s holds bare addresses, so each address is open to whatever its rule "
			"allows, but it takes endpoints of different services: %s; give them sets "
			"of their own, or a set of addr . proto . port",
			set->text, set->mixed);
		tell_set(s, w, set, EVENT_SET_MIXED, LOG_WARNING, m);
	}
}

static void take_kind(
	const struct sync *s, struct world *w, struct world_set *set, const struct set_kind *kind)
{
	bool same = set->kind.layout == kind->layout && set->kind.family == kind->family;
	bool known = set->kind.layout != SET_LAYOUT_UNKNOWN;

	set->kind = *kind;
	if (same)
		return;
	if (known)
		wanted_done(&set->wanted); /* recreated with another type: other keys */
	refresh_fill_set(w, set);
	tell_misfits(s, w, set);
}

/* Generations wrap around. */
void sync_take_generation(struct sync *s, uint32_t generation)
{
	if (!s->generation || (int32_t)(generation - s->generation) > 0)
		s->generation = generation;
}

void sync_tell_foreign(const struct sync *s, const struct world *w, struct world_set *set)
{
	size_t foreign = live_count(&set->live) - set->live.ours, shown = 0;
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;
	const struct live_element *e;
	char text[ELEMENT_TEXT_SIZE];

	if (foreign == set->foreign_reported)
		return;
	set->foreign_reported = foreign;
	if (foreign)
		strbuf_appendf(&b, "set %s: %zu element%s not put there by us, %s:", set->text,
			foreign, foreign == 1 ? "" : "s",
			set->config && set->config->remove_foreign ? "removed unless wanted"
								   : "kept");
	else
		strbuf_appendf(&b, "set %s: every element is ours again", set->text);
	for (size_t at = 0; foreign && shown < FOREIGN_SHOWN && (e = live_next(&set->live, &at));) {
		if (!e->ours && shown++ < FOREIGN_SHOWN)
			strbuf_appendf(&b, "%s %s", shown > 1 ? "," : "",
				element_key_format(&set->kind, &e->key, text));
	}
	if (foreign > FOREIGN_SHOWN)
		strbuf_append(&b, ", ...");
	tell_set(s, w, set, EVENT_FOREIGN, LOG_NOTICE, strbuf_text(&b));
}

static void absent(const struct sync *s, struct world *w, struct world_set *set, uint64_t now_ms,
	const char *why)
{
	set->present = false;
	live_clear(&set->live);
	degrade(s, w, set, now_ms, why);
	if (!set->look_failures)
		set->look_failures = 1;
	look_later(set, now_ms);
}

/* Reads type and elements of one set; from then on it is planned. */
static void look(struct sync *s, struct world *w, struct world_set *set, uint64_t now_ms)
{
	struct set_kind kind;
	uint32_t generation;

	set->look_ms = 0;
	set->looked = false;
	int r = nft_conn_read_set(s->conn, &set->id, &kind);
	if (r == 0 && !kind.unusable) {
		take_kind(s, w, set, &kind);
		r = nft_conn_dump(s->conn, &set->id, &kind, &set->live, &generation, &set->strange);
	}
	if (r == NFT_CONN_E_BUSY) {
		degrade(s, w, set, now_ms, "the ruleset changes too fast to be read");
		look_later(set, now_ms);
	} else if (r == NFT_CONN_E_MISSING) {
		set->looked = true;
		absent(s, w, set, now_ms, "there is no such table or set");
	} else if (r < 0) {
		_cleanup_free_ char *why = xasprintf("cannot be read: %s", strerror(-r));
		absent(s, w, set, now_ms, why);
	} else if (kind.unusable) {
		_cleanup_free_ char *why =
			xasprintf("%s: this version cannot fill such a set", kind.unusable);
		set->looked = true;
		absent(s, w, set, now_ms, why);
	} else {
		set->looked = true;
		set->present = true;
		set->plan_all = true;
		sync_take_generation(s, generation);
		sync_tell_foreign(s, w, set);
	}
}

/* May it hold unowned elements that wait for names to be answered? */
static bool is_settling(const struct world_set *set)
{
	return !set->settled && set->present && set->config;
}

/* Has everything that might own the unowned been heard? */
static void settle(struct world *w, struct world_set *set, uint64_t now_ms)
{
	uint64_t unused_ms;

	if (!is_settling(set))
		return;
	if (!set->unowned_leave_ms) {
		if (!set->answers_came)
			return;
		set->answers_came = false;
		if (!refresh_unowned_leave_ms(w, set, now_ms, &set->unowned_leave_ms))
			return;
		set->plan_all = set->plan_all || world_set_removes_foreign(set);
	}
	if (now_ms < set->unowned_leave_ms)
		return;
	/* A reload may have brought names that are still awaited. */
	if (!refresh_unowned_leave_ms(w, set, now_ms, &unused_ms)) {
		set->unowned_leave_ms = 0;
		return;
	}
	set->settled = true;
	set->plan_all = true;
}

static bool deletes_unowned(const struct world_set *set)
{
	return set->settled || set->paused || !set->config;
}

static void plan_one(struct plan *p, const struct world_set *set, bool all)
{
	if (!set->present || set->frozen)
		return;
	if (all && world_set_removes_foreign(set))
		plan_foreign(p, set->index, &set->id, &set->kind, &set->wanted, &set->live);
	if (all)
		plan_whole(p, set->index, &set->id, &set->kind, &set->wanted, &set->live,
			deletes_unowned(set));
	else
		plan_dirty(p, set->index, &set->id, &set->kind, &set->wanted, &set->live);
}

void sync_plan(const struct world *w, struct plan *ret)
{
	*ret = PLAN_NULL;
	for (size_t i = 0; i < w->set_count; i++) {
		if (w->sets[i].looked)
			plan_one(ret, &w->sets[i], true);
	}
}

static const struct plan_set *part_of(const struct plan *p, size_t set_index)
{
	for (size_t i = 0; i < p->count; i++) {
		if (p->sets[i].set_index == set_index)
			return &p->sets[i];
	}
	return NULL;
}

/* Looking again finds the room that there may be by then. */
static void full(const struct sync *s, struct world *w, struct world_set *set, uint64_t now_ms)
{
	_cleanup_free_ char *why = xasprintf(
		"it is full: not all that it should hold fits into size %u", set->kind.size);

	degrade(s, w, set, now_ms, why);
	if (!set->look_failures)
		set->look_failures = 1;
	look_later(set, now_ms);
}

static void committed(const struct sync *s, struct world *w, struct world_set *set,
	const struct plan_set *part, uint32_t generation, uint64_t now_ms)
{
	if (part && part->add_count + part->delete_count) {
		changes_tell(s, w, set, part, generation, now_ms);
		live_apply(&set->live, part);
		set->last_change_ms = now_ms;
		if (set->config && set->config->remove_foreign)
			sync_tell_foreign(s, w, set);
	}
	wanted_clear_dirty(&set->wanted);
	set->plan_all = false;
	if (part && part->left_out)
		full(s, w, set, now_ms);
	else
		recover(s, w, set);
}

static void refused(
	const struct sync *s, struct world *w, struct world_set *set, int error, uint64_t now_ms)
{
	_cleanup_free_ char *why = xasprintf("the kernel refused the change: %s%s", strerror(error),
		error == ENFILE ? " (the set is full)" : "");

	if (set->look_failures) {
		degrade(s, w, set, now_ms, why);
	} else {
		_cleanup_free_ char *m =
			xasprintf("set %s: %s; nothing was changed, looking again", set->text, why);
		tell_set(s, w, set, EVENT_COMMIT_FAILED, LOG_INFO, m);
	}
	look_later(set, now_ms);
}

static bool is_planned(const struct world_set *set, uint64_t now_ms)
{
	return !set->look_ms && set->hold_ms <= now_ms && !set->frozen;
}

/* Every set that is present and not to be looked at first, on top of what was last heard. */
static void plan_turn(
	const struct sync *s, const struct world *w, bool guarded, uint64_t now_ms, struct plan *p)
{
	*p = PLAN_NULL;
	for (size_t i = 0; i < w->set_count; i++) {
		const struct world_set *set = &w->sets[i];
		if (is_planned(set, now_ms) && (set->plan_all || set->wanted.dirty_count))
			plan_one(p, set, set->plan_all);
	}
	p->has_generation = guarded && s->generation;
	p->generation = s->generation;
}

/* True: something is left to be committed, without the set that was refused. */
static bool take_result(const struct sync *s, struct world *w, const struct plan *p,
	const struct nft_commit_result *result, uint64_t now_ms)
{
	bool more = false;

	for (size_t i = 0; i < w->set_count; i++) {
		struct world_set *set = &w->sets[i];
		const struct plan_set *part = part_of(p, i);
		if (!is_planned(set, now_ms) || !set->present)
			continue;
		if (result->outcome == NFT_COMMIT_DONE) {
			if (set->plan_all || set->wanted.dirty_count)
				committed(s, w, set, part, result->generation, now_ms);
		} else if (result->has_set && result->outcome == NFT_COMMIT_REFUSED) {
			if (result->set_index == i)
				refused(s, w, set, result->error, now_ms);
			more = true;
		} else if (part) {
			refused(s, w, set, result->error ? result->error : ERESTART, now_ms);
		}
	}
	return more;
}

/* A commit builds on the generation that the copies show: somebody else's change in between makes
 * it stale, not wrong. Beside a neighbour that is always faster it goes on unguarded: in a hash set
 * the worst is a refusal, and then a look. */
static void commit_turn(struct sync *s, struct world *w, uint64_t now_ms)
{
	size_t refusals = 0, stale = 0;

	/* Each refusal leaves at least one set out. */
	while (refusals++ <= w->set_count) {
		_cleanup_(plan_done) struct plan p;
		struct nft_commit_result result;

		plan_turn(s, w, stale < STALE_MAX, now_ms, &p);
		nft_conn_commit(s->conn, &p, &result);
		if (result.outcome == NFT_COMMIT_STALE && p.has_generation) {
			nft_monitor_drain(s->monitor);
			stale++;
			refusals--;
			continue;
		}
		if (result.outcome == NFT_COMMIT_DONE && result.generation)
			sync_take_generation(s, result.generation);
		if (!take_result(s, w, &p, &result, now_ms))
			return;
	}
}

/* A set that left the configuration is forgotten once it holds nothing of ours, or is gone. */
static void forget_left(struct world *w)
{
	while (w->set_count > w->config->set_count) {
		struct world_set *set = &w->sets[w->set_count - 1];
		if (!set->looked || (set->present && set->live.ours))
			return;
		world_drop_last_set(w);
	}
}

void sync_look_due(struct sync *s, struct world *w, uint64_t now_ms)
{
	for (size_t i = 0; i < w->set_count; i++) {
		if (w->sets[i].look_ms && w->sets[i].look_ms <= now_ms)
			look(s, w, &w->sets[i], now_ms);
	}
}

void sync_turn(struct sync *s, struct world *w, uint64_t now_ms)
{
	bool dirty = false;

	sync_look_due(s, w, now_ms);
	/* After the looks: what they found is then no older than the generation that is heard. */
	nft_monitor_drain(s->monitor);
	for (size_t i = 0; i < w->set_count; i++) {
		struct world_set *set = &w->sets[i];
		settle(w, set, now_ms);
		if (set->hold_ms <= now_ms)
			set->hold_ms = 0;
		if (set->frozen && set->wanted.dirty_count > DIRTY_MAX)
			wanted_clear_dirty(&set->wanted); /* all of it is planned afterwards */
		dirty = dirty || (!set->frozen && (set->plan_all || set->wanted.dirty_count));
	}
	if (dirty)
		commit_turn(s, w, now_ms);
	forget_left(w);
}

uint64_t sync_next_ms(const struct world *w)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < w->set_count; i++) {
		const struct world_set *set = &w->sets[i];
		if (set->look_ms && set->look_ms < next)
			next = set->look_ms;
		if (set->hold_ms && set->hold_ms < next)
			next = set->hold_ms;
		if (is_settling(set) && set->unowned_leave_ms && set->unowned_leave_ms < next)
			next = set->unowned_leave_ms;
	}
	return next;
}

void sync_look_again(struct world *w, uint64_t now_ms)
{
	for (size_t i = 0; i < w->set_count; i++) {
		w->sets[i].look_ms = now_ms;
		w->sets[i].look_failures = 0;
	}
}
