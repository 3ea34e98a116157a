/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The three steps, and when they are taken. */
#include "daemon/rules.h"

#include "base/strbuf.h"
#include "core/ruleset.h"
#include "daemon/refresh.h"
#include "daemon/rules_private.h"
#include "daemon/saved.h"
#include "edge/flow_timeouts.h"
#include "edge/nft_standing.h"
#include "edge/state_files.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <string.h>

enum {
	RETRY_FIRST_MS = 1000,
	RETRY_MAX_MS = 300000,
	RETRY_TABLE_MS = 1000, /* after others made or removed a table: it may have been why */
	BUSY_MS = 100,
	/* From the start, or a reload. A name that no server answers for must not keep the rules of
	 * all others waiting. */
	NAMES_WAIT_MS = 10000,
};

static void on_end(void *userdata, const struct nft_text_end *end)
{
	struct rules *r = userdata;

	free(r->said);
	r->said = xstrdup(end->said);
	r->end = *end;
	r->end.said = r->said;
	r->ended = true; /* the turn that follows has heard what it did */
}

void rules_init(
	struct rules *r, struct loop *l, const char *nft, const char *state, uint64_t now_ms)
{
	*r = (struct rules){
		.state_directory = xstrdup(state),
		.nft = nft_text_new(l, nft, on_end, r),
		.standing = nft_standing_new(),
		.since_ms = now_ms,
		.names_ms = now_ms + NAMES_WAIT_MS,
		.again = true,
	};
}

void rules_done(struct rules *r)
{
	nft_text_free(r->nft);
	nft_standing_free(r->standing);
	free(r->state_directory);
	free(r->why);
	free(r->loaded);
	free(r->loading);
	free(r->deleted);
	free(r->told);
	free(r->said);
}

static void set_state(struct rules *r, enum rules_state state, uint64_t now_ms)
{
	if (r->state != state)
		r->since_ms = now_ms;
	r->state = state;
}

/* Consumes the text. */
static void set_why(struct rules *r, char *why)
{
	free(r->why);
	r->why = why;
}

struct ruleset_facts rules_facts(const struct rules *r, const struct world *w)
{
	return (struct ruleset_facts){
		.outside = w->outside, .without = w->rules_released, .timeouts = r->timeouts};
}

/* --- the sets --- */

static bool is_in_table(const struct world_set *set)
{
	return set->id.nf_family == NFPROTO_INET && str_eq(set->id.table, RULESET_TABLE) &&
	       str_starts(set->id.name, RULESET_PREFIX);
}

static bool is_managed(const struct world_set *set)
{
	return set->config && set->config->managed;
}

/* Those that have left the configuration hold something of ours until it has been taken out. */
static bool has_left(const struct world_set *set)
{
	return !set->config && is_in_table(set);
}

static bool any_has_left(const struct world *w)
{
	for (size_t i = 0; i < w->set_count; i++) {
		if (has_left(&w->sets[i]))
			return true;
	}
	return false;
}

static void end_keeping(struct rules *r, struct world *w)
{
	for (size_t i = 0; i < w->set_count; i++) {
		r->sets_go_on = r->sets_go_on || w->sets[i].keeps;
		w->sets[i].keeps = w->sets[i].kept = false;
	}
}

/* An admin's hand is on all of them. */
static bool is_paused(const struct world *w)
{
	bool any = false;

	for (size_t i = 0; i < w->set_count; i++) {
		if (!is_managed(&w->sets[i]))
			continue;
		if (!w->sets[i].frozen)
			return false;
		any = true;
	}
	return any;
}

static const struct world_set *missing_set(const struct world *w)
{
	for (size_t i = 0; i < w->set_count; i++) {
		if (is_managed(&w->sets[i]) && !w->sets[i].present)
			return &w->sets[i];
	}
	return NULL;
}

static bool is_filled(const struct world_set *set)
{
	if (set->keeps && set->kept && set->kept_dirty == set->wanted.dirty_count)
		return true;
	return set->present && !set->look_ms && !set->hold_ms && !set->plan_all &&
	       !set->wanted.dirty_count;
}

/* What the rules still have to wait for; NULL: nothing. The caller frees it. */
static char *awaited(const struct rules *r, const struct world *w, uint64_t now_ms)
{
	for (size_t i = 0; i < w->set_count; i++) {
		const struct world_set *set = &w->sets[i];
		if (!is_managed(set) || set->frozen || set->paused)
			continue;
		if (!is_filled(set))
			return xasprintf("set %s%s%s", set->text,
				set->degraded ? ": " : " to be filled",
				set->degraded ? set->degraded : "");
		const char *name = now_ms < r->names_ms ? refresh_unasked(w, set) : NULL;
		if (name)
			return xasprintf("the first answer for %s", name);
	}
	return NULL;
}

/* --- the steps --- */

static void fail(struct rules *r, const struct sync *s, struct world *w, char *why, uint64_t now_ms)
{
	uint64_t wait_ms = RETRY_FIRST_MS;

	for (unsigned i = 0; i < r->failures && wait_ms < RETRY_MAX_MS; i++)
		wait_ms *= 2;
	r->failures++;
	r->due_ms = now_ms + (wait_ms < RETRY_MAX_MS ? wait_ms : RETRY_MAX_MS);
	r->again = true;
	r->step = RULES_STEP_NONE;
	set_state(r, RULES_FAILED, now_ms);
	set_why(r, why);
	rules_tell_failed(r, s, w);
	end_keeping(r, w); /* what is to leave must not wait for it */
}

static void load(struct rules *r, const struct sync *s, struct watch *watch, struct world *w,
	enum rules_step step, const char *text, uint64_t now_ms)
{
	int e = nft_text_load(r->nft, text);

	r->step = step;
	if (e < 0)
		fail(r, s, w, rules_why_no_child(e), now_ms);
	else
		watch->nft_pid = (uint32_t)nft_text_pid(r->nft);
}

/* Also where nothing was loaded: the file may be of another time. */
static void keep(struct rules *r, const struct sync *s, const struct world *w)
{
	const struct ruleset_facts facts = rules_facts(r, w);
	_cleanup_free_ char *elements = saved_directory(r->state_directory);
	_cleanup_free_ char *text =
		*r->loaded ? ruleset_text_kept(w->config, &facts, elements) : NULL;
	int e = text ? state_files_make_directory(r->state_directory) : *r->loaded ? -EINVAL : 0;

	if (text && e == 0)
		e = state_files_put(r->state_directory, RULES_FILE, text);
	if (!text)
		state_files_remove(r->state_directory, RULES_FILE);
	r->no_file = !text;
	if (e < 0 && e != r->kept_error)
		rules_tell_not_kept(s, w, r->state_directory, e);
	r->kept_error = e;
}

static void take_force(struct rules *r, const struct sync *s, struct world *w, uint64_t now_ms)
{
	bool stood = r->in_force;

	free(r->loaded);
	r->loaded = r->loading;
	r->loading = NULL;
	r->step = RULES_STEP_NONE;
	r->failures = 0;
	set_why(r, NULL);
	free(r->told);
	r->told = NULL;
	r->in_force = true;
	set_state(r, *r->loaded ? RULES_IN_FORCE : RULES_NONE, now_ms);
	end_keeping(r, w);
	keep(r, s, w);
	r->tidies = any_has_left(w);
	if (!stood || r->deleted)
		rules_tell_in_force(r, s, w, stood);
}

/* The names that the text deletes: "v_old4, v_older6"; NULL: none. */
static char *deletions_of(const char *text)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;
	const char *line = text;

	while (*line) {
		size_t len = strcspn(line, "\n");
		if (str_starts(line, "delete ")) {
			const char *name = line + len;
			while (name[-1] != ' ')
				name--;
			strbuf_append(&b, b.len ? ", " : "");
			strbuf_append_bytes(&b, name, (size_t)(line + len - name));
		}
		line += len + (line[len] == '\n');
	}
	return b.len ? strbuf_take(&b) : NULL;
}

/* What stands, but for the sets that are still being emptied. */
static int look_at_standing(const struct rules *r, const struct world *w,
	struct ruleset_standing *ret, struct strings *ret_policies)
{
	struct strings sets = {0};
	int e = nft_standing_look(r->standing, NFPROTO_INET, RULESET_TABLE, RULESET_PREFIX,
		&ret->chains, &sets, ret_policies);

	for (size_t i = 0; e == 0 && i < sets.count; i++) {
		bool left = false;
		for (size_t k = 0; k < w->set_count && !left; k++)
			left = has_left(&w->sets[k]) && str_eq(w->sets[k].id.name, sets.items[i]);
		if (!left)
			strings_add(&ret->sets, sets.items[i]);
	}
	strings_done(&sets);
	return e;
}

static void swap_rules(struct rules *r, const struct sync *s, struct watch *watch, struct world *w,
	uint64_t now_ms)
{
	_cleanup_(ruleset_standing_done) struct ruleset_standing standing = {0}, none = {0};
	_cleanup_(strings_done) struct strings policies = {0};
	int e = look_at_standing(r, w, &standing, &policies);

	if (e < 0) {
		fail(r, s, w, xasprintf("the table cannot be read: %s", strerror(-e)), now_ms);
		return;
	}
	if (e > 0) { /* it changes too fast, for now */
		r->due_ms = now_ms + BUSY_MS;
		return;
	}
	struct ruleset_facts facts = rules_facts(r, w);
	free(r->loading);
	r->loading = ruleset_text_rules(w->config, &facts, &none);
	facts.policies = policies;
	_cleanup_free_ char *text = ruleset_text_rules(w->config, &facts, &standing);
	free(r->deleted);
	r->deleted = deletions_of(text);
	bool same = r->in_force && str_eq(r->loading, r->loaded);
	if ((same && !r->deleted) || !*text) {
		r->in_force = true; /* there is nothing to do, nor to say */
		take_force(r, s, w, now_ms);
	} else {
		r->in_force = same;
		load(r, s, watch, w, RULES_STEP_RULES, text, now_ms);
	}
}

/* Those of the sets that are not there. */
static char *text_of_missing_sets(const struct world *w)
{
	bool *there = xcalloc(w->set_count + 1, sizeof(*there));
	size_t n = 0;

	for (size_t i = 0; i < w->set_count; i++) {
		if (is_managed(&w->sets[i])) /* in the order of ruleset_of() */
			there[n++] = w->sets[i].present;
	}
	char *text = ruleset_text_sets(w->config, there);
	free(there);
	return text;
}

static void begin(struct rules *r, const struct sync *s, struct watch *watch, struct world *w,
	uint64_t now_ms)
{
	r->again = false;
	r->due_ms = 0;
	r->timeouts = (struct timeouts){0};
	flow_timeouts_read(&r->timeouts); /* what is not known is left out, and said */
	if (!r->in_force && !r->failures) {
		set_state(r, RULES_WAITING, now_ms);
		set_why(r, NULL);
	}
	if (missing_set(w)) {
		_cleanup_free_ char *text = text_of_missing_sets(w);
		load(r, s, watch, w, RULES_STEP_SETS, text, now_ms);
	} else {
		r->step = RULES_STEP_WAIT;
	}
}

static void wait_or_swap(struct rules *r, const struct sync *s, struct watch *watch,
	struct world *w, uint64_t now_ms)
{
	const struct world_set *missing = missing_set(w);
	char *why = awaited(r, w, now_ms);

	if (missing && missing->looked && missing->look_ms > now_ms && !missing->frozen) {
		/* somebody has removed it, a moment after it was made */
		r->again = true;
		r->due_ms = now_ms + RETRY_FIRST_MS;
	}
	if (why && now_ms >= r->names_ms)
		end_keeping(r, w); /* what is to leave does not wait for ever */
	if (!why) {
		swap_rules(r, s, watch, w, now_ms);
	} else if (r->failures) {
		free(why); /* that it failed says more */
	} else {
		set_why(r, why);
	}
}

/* All that the child did has been heard. */
static void take_end(struct rules *r, const struct sync *s, struct watch *watch, struct world *w,
	uint64_t now_ms)
{
	enum rules_step step = r->step;

	r->ended = false;
	watch->nft_pid = 0;
	r->step = RULES_STEP_NONE;
	if (r->end.outcome == NFT_TEXT_DONE && step == RULES_STEP_SETS)
		r->step = RULES_STEP_WAIT;
	else if (watch->rules_undone || r->again)
		r->again = true; /* whatever came of it, it is over */
	else if (r->end.outcome == NFT_TEXT_DONE)
		take_force(r, s, w, now_ms);
	else
		fail(r, s, w, rules_why_failed(r->standing, &r->end), now_ms);
}

/* Where the daemon is to keep its hands off: so it is then. */
static enum rules_state hands_off(const struct world *w)
{
	bool load = w->config->mark.load;

	for (size_t i = 0; i < w->config->vendor_count && !load; i++) {
		if (ruleset_has_vendor(w->config, &w->config->vendors[i]))
			return RULES_BY_HAND;
	}
	if (!load)
		return w->config->devices_count ? RULES_BY_HAND : RULES_NONE;
	return is_paused(w) ? RULES_PAUSED : RULES_IN_FORCE;
}

static void let_go(struct rules *r, const struct watch *watch, struct world *w,
	enum rules_state state, uint64_t now_ms)
{
	set_state(r, state, now_ms);
	set_why(r, NULL);
	/* What a boot loads is the admin's as well then. */
	if (state != RULES_PAUSED && !r->no_file)
		r->no_file = state_files_remove(r->state_directory, RULES_FILE) == 0;
	r->step = RULES_STEP_NONE;
	r->again = true; /* once it ends */
	r->in_force = r->in_force && state == RULES_PAUSED && !watch->rules_undone;
	r->failures = 0;
	end_keeping(r, w);
}

/* From the first step again; at once, unless somebody does so again and again. */
static void take_undone(struct rules *r, const struct watch *watch, uint64_t now_ms)
{
	r->again = true;
	r->in_force = false;
	r->step = RULES_STEP_NONE;
	if (watch->rules_hold_ms > now_ms && !r->failures) {
		set_state(r, RULES_WAITING, now_ms);
		set_why(r, xstrdup("a while, as somebody keeps undoing them"));
	}
}

static void take_steps(struct rules *r, const struct sync *s, struct watch *watch, struct world *w,
	uint64_t now_ms)
{
	enum rules_state off = hands_off(w);
	bool undone = watch->rules_undone && r->state != RULES_NONE;

	if (off != RULES_IN_FORCE)
		let_go(r, watch, w, off, now_ms);
	watch->rules_undone = false;
	if (off != RULES_IN_FORCE)
		return;
	if (undone)
		take_undone(r, watch, now_ms);
	if (watch->tables_changed && r->failures && r->due_ms > now_ms + RETRY_TABLE_MS)
		r->due_ms = now_ms + RETRY_TABLE_MS;
	if (r->tidies && !any_has_left(w)) {
		r->tidies = false;
		r->again = true;
	}
	if (r->again && now_ms >= r->due_ms && now_ms >= watch->rules_hold_ms)
		begin(r, s, watch, w, now_ms);
	if (r->step == RULES_STEP_WAIT && now_ms >= r->due_ms)
		r->due_ms = 0;
	if (r->step == RULES_STEP_WAIT && !r->due_ms)
		wait_or_swap(r, s, watch, w, now_ms);
}

static uint64_t next_of(
	struct rules *r, const struct watch *watch, const struct world *w, uint64_t now_ms)
{
	uint64_t next = UINT64_MAX, begin_ms = r->due_ms;

	if (r->sets_go_on) { /* what they kept is planned in their next turn */
		r->sets_go_on = false;
		return now_ms;
	}
	if (nft_text_pid(r->nft) || hands_off(w) != RULES_IN_FORCE)
		return next;
	if (begin_ms < watch->rules_hold_ms)
		begin_ms = watch->rules_hold_ms;
	if (r->again)
		next = begin_ms;
	else if (r->step == RULES_STEP_WAIT)
		next = r->due_ms ? r->due_ms : r->names_ms > now_ms ? r->names_ms : next;
	return next;
}

void rules_turn(
	struct rules *r, struct sync *s, struct watch *watch, struct world *w, uint64_t now_ms)
{
	if (r->ended)
		take_end(r, s, watch, w, now_ms);
	if (!nft_text_pid(r->nft))
		take_steps(r, s, watch, w, now_ms);
	watch->tables_changed = false;
	if (watch->rules_undoing.pause_ms && now_ms >= watch->rules_undoing.quiet_ms)
		watch->rules_undoing = (struct undoing){0};
	watch->minds_rules = r->state >= RULES_WAITING;
	w->rules_awaited = r->state == RULES_WAITING || r->state == RULES_FAILED;
	r->next_ms = next_of(r, watch, w, now_ms);
}

uint64_t rules_next_ms(const struct rules *r)
{
	return r->next_ms;
}

void rules_on_reload(struct rules *r, struct world *w, uint64_t now_ms)
{
	const struct ruleset_facts facts = rules_facts(r, w);
	struct ruleset_standing none = {0};
	_cleanup_free_ char *text = ruleset_text_rules(w->config, &facts, &none);

	r->again = true;
	r->due_ms = 0;
	r->names_ms = now_ms + NAMES_WAIT_MS;
	if (!w->config->mark.load || str_eq(text, r->loaded))
		return;
	for (size_t i = 0; r->in_force && i < w->set_count; i++) {
		struct world_set *set = &w->sets[i];
		/* In a set of ranges what is new may have to take the place of what leaves. */
		bool ranges = set->config && set->config->content == CONFIG_CONTENT_NETS;
		set->keeps = is_in_table(set) && !ranges;
	}
	r->in_force = false;
}

void rules_again(struct rules *r)
{
	r->again = true;
	r->due_ms = 0;
}

bool rules_stand(const struct rules *r)
{
	return r->state == RULES_BY_HAND ||
	       (r->in_force && (r->state == RULES_IN_FORCE || r->state == RULES_PAUSED));
}

bool rules_mark(const struct rules *r, const struct world *w)
{
	for (size_t i = 0; r->state == RULES_BY_HAND && i < w->set_count; i++) {
		if (is_managed(&w->sets[i]) && w->sets[i].present)
			return true;
	}
	return r->state == RULES_IN_FORCE || (r->state == RULES_PAUSED && r->in_force);
}
