/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What others did to our sets. */
#include "daemon/watch.h"

#include "base/strbuf.h"
#include "core/ruleset.h"
#include "daemon/sync_private.h"
#include "edge/nft_monitor.h"

#include <linux/netfilter.h>
#include <string.h>
#include <syslog.h>

static bool is_about(const struct world_set *set, const struct nft_notice *n)
{
	return n->nf_family == set->id.nf_family && str_eq(n->table, set->id.table) &&
	       (!n->set || str_eq(n->set, set->id.name));
}

static void note_foreign(struct world_set *set, const struct element_key *key)
{
	struct touched *t = &set->touched;

	if (t->foreign_count < FOREIGN_NOTED_MAX)
		t->foreign[t->foreign_count++] = *key;
}

static void mark_want(const struct want *want, void *userdata)
{
	struct world_set *set = userdata;

	wanted_mark_dirty(&set->wanted, &want->key, want->owners[0], "refill", 0);
}

/* Plans anew what is wanted there. False: nothing is. */
static bool mark_wants(struct world_set *set, const struct element_key *key)
{
	const struct want *want = wanted_find(&set->wanted, key);

	if (set->wanted.ranged) {
		struct wanted_piece piece;
		if (!wanted_piece_over(&set->wanted, key, &piece))
			return false;
		wanted_each_in(&set->wanted, key, mark_want, set);
		return true;
	}
	if (want)
		mark_want(want, set);
	return want;
}

static void on_added(struct world_set *set, const struct live_element *e, uint64_t now_ms)
{
	bool denied = set->keeper && e->expires && set->kind.layout == SET_LAYOUT_ADDR;

	set->touched.added++;
	if (!e->ours) {
		note_foreign(set, &e->key);
		if (e->expires)
			mark_wants(set, &e->key); /* to be seen to when it has expired */
		return;
	}
	/* Ours, be it from a restored ruleset: it may be unwanted, of another size, or have another
	 * life than it should. */
	/* Denied, by the text of another time: wanted from the turn on that follows. */
	if (denied && denylist_hear(&set->denied, &e->key, e->left_s * UINT64_C(1000), now_ms))
		set->denied_news = true;
	if (!mark_wants(set, &e->key) && set->settled && !denied)
		wanted_mark_dirty(&set->wanted, &e->key, NULL, "refill", 0);
	if (set->kind.fuse_ms)
		set->renew_ms = 1;
}

static void on_removed(struct world_set *set, const struct live_element *e)
{
	set->touched.deleted++;
	if (set->frozen)
		return; /* resume looks again */
	if (set->full)
		set->plan_all = true; /* there is room now */
	if (mark_wants(set, &e->key))
		set->touched.undone += e->ours;
	else if (set->live.boxed)
		set->plan_all = true; /* what is wanted may have been inside it */
}

static void look_now(struct world_set *set, uint64_t now_ms)
{
	set->look_ms = now_ms;
	set->look_failures = 0;
}

static void take_news(
	struct world_set *set, enum live_news news, const struct live_element *e, uint64_t now_ms)
{
	switch (news) {
	case LIVE_NEWS_ADDED:
		on_added(set, e, now_ms);
		break;
	case LIVE_NEWS_REMOVED:
		on_removed(set, e);
		break;
	case LIVE_NEWS_STRANGE:
		break;
	case LIVE_NEWS_UNSURE:
		look_now(set, now_ms);
		break;
	case LIVE_NEWS_NONE:
		break;
	}
}

/* Older than what was looked at. */
static bool is_seen(const struct world_set *set, const struct nft_notice *n)
{
	return set->catches_up &&
	       (int16_t)(n->generation_16 - (uint16_t)set->looked_generation) <= 0;
}

static void on_entry(struct world_set *set, const struct nft_notice *n, uint64_t now_ms)
{
	bool added = n->kind == NFT_NOTICE_ADDED;
	struct live_element e;

	if (n->strange) {
		set->strange += added;
		return;
	}
	enum live_news news =
		live_hear(&set->live, &set->touched.ear, &set->kind, &n->entry, added, &e);
	set->strange += added && news == LIVE_NEWS_STRANGE;
	take_news(set, news, &e, now_ms);
}

/* "nft (pid 4711)" */
static char *who(const struct nft_notice *n)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;

	if (n->process && *n->process)
		strbuf_append_escaped(&b, n->process, strlen(n->process));
	else
		strbuf_append(&b, "somebody");
	if (n->pid)
		strbuf_appendf(&b, " (pid %u)", n->pid);
	return strbuf_take(&b);
}

/* One entry a transaction, whatever it did to how many sets, and to the rules of our own table. */
static void tell(
	const struct sync *s, const struct world *w, const struct nft_notice *n, bool rules)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;
	_cleanup_free_ char *by = who(n);
	size_t undone = 0, sets = 0;
	const char *first = NULL;
	bool replaced = false;

	for (size_t i = 0; i < w->set_count; i++) {
		const struct touched *t = &w->sets[i].touched;
		if (!t->replaced && !t->undone)
			continue;
		undone += t->undone;
		replaced = replaced || t->replaced;
		first = first ? first : w->sets[i].text;
		sets++;
	}
	if (!sets && !rules)
		return;
	strbuf_appendf(&b, "%s ", by);
	if (replaced)
		strbuf_append(&b, "made, removed or replaced set ");
	else if (sets)
		strbuf_appendf(&b, "removed %zu element%s of ours from set ", undone,
			undone == 1 ? "" : "s");
	strbuf_append(&b, sets ? first : "");
	if (sets > 1)
		strbuf_appendf(&b, " and %zu more", sets - 1);
	if (rules)
		strbuf_appendf(&b, "%schanged the rules of table inet " RULESET_TABLE,
			sets ? ", and " : "");
	if (sets)
		strbuf_append(&b, replaced ? "; filling what is there" : "; putting them back");
	if (rules)
		strbuf_append(&b, sets ? " and loading the rules again" : "; loading them again");
	s->emit(s->userdata, &(struct event){
				     .kind = EVENT_RULESET_CHANGED,
				     .priority = LOG_NOTICE,
				     .message = strbuf_text(&b),
				     .set = sets == 1 ? first : NULL,
				     .reason = by,
				     .generation = n->generation,
				     .config = w->config->digest,
			     });
}

/* True: from now on repairs wait. */
static bool hold_back(struct world_set *set, uint64_t now_ms)
{
	return (set->touched.undone || set->touched.replaced) &&
	       undoing_note(&set->undoing, &set->hold_ms, now_ms);
}

static void tell_rules_hold(const struct sync *s, const struct world *w, const struct nft_notice *n)
{
	_cleanup_free_ char *by = who(n);
	_cleanup_free_ char *m = xasprintf(
		"%s keeps undoing the rules of table inet " RULESET_TABLE ": they are loaded again "
		"after a second, then after longer and longer pauses of up to %d s",
		by, UNDOING_PAUSE_MAX_MS / 1000);

	s->emit(s->userdata, &(struct event){
				     .kind = EVENT_RULESET_CHANGED,
				     .priority = LOG_WARNING,
				     .message = m,
				     .reason = by,
				     .generation = n->generation,
				     .config = w->config->digest,
			     });
}

static void tell_hold(const struct sync *s, const struct world *w, struct world_set *set,
	const struct nft_notice *n, uint64_t now_ms)
{
	_cleanup_free_ char *by = who(n);
	_cleanup_free_ char *m =
		xasprintf("%s keeps undoing set %s: it is put right after a second, then after "
			  "longer and longer pauses of up to %d s",
			by, set->text, UNDOING_PAUSE_MAX_MS / 1000);
	_cleanup_free_ char *why = xasprintf(
		"%s keeps undoing what is put right in it", *n->process ? n->process : "somebody");

	s->emit(s->userdata, &(struct event){
				     .kind = EVENT_RULESET_CHANGED,
				     .priority = LOG_WARNING,
				     .message = m,
				     .set = set->text,
				     .reason = by,
				     .generation = n->generation,
				     .config = w->config->digest,
			     });
	sync_degrade(s, w, set, now_ms, why);
}

/* The transaction is over, as far as this set goes. */
static void end_entries(struct world_set *set, const struct nft_notice *n, uint64_t now_ms)
{
	struct live_element e;

	enum live_news news = live_hear_end(&set->live, &set->touched.ear, &e);
	take_news(set, news, &e, now_ms);
	if (set->touched.added && world_set_removes_foreign(set))
		set->plan_all = true;
	if (!set->touched.foreign_count)
		return;
	_cleanup_free_ char *by = who(n);
	for (size_t i = 0; i < set->touched.foreign_count; i++)
		world_set_note_stranger(set, &set->touched.foreign[i], by, now_ms);
}

/* From here on what is heard of these sets is news. */
static void catch_up(struct sync *s, struct world *w, uint32_t generation)
{
	bool all = true;

	for (size_t i = 0; s->catches_up && i < w->set_count; i++) {
		struct world_set *set = &w->sets[i];
		if (set->catches_up && (int32_t)(generation - set->looked_generation) >= 0)
			set->catches_up = false;
		all = all && !set->catches_up;
	}
	s->catches_up = s->catches_up && !all;
}

/* By either number: the kernel tells the first as the first pid namespace has it, and the second is
 * by custom the process's own, as its own namespace has it. */
static bool is_own_load(const struct watch *watch, const struct nft_notice *n)
{
	return watch->nft_pid && (n->pid == watch->nft_pid || n->portid == watch->nft_pid);
}

/* True: others changed the rules of our own table. */
static bool on_rules_transaction(struct watch *watch, const struct sync *s, const struct world *w,
	const struct nft_notice *n, bool own, uint64_t now_ms)
{
	bool undone = watch->rules_touched && !own, rules = undone && watch->minds_rules;

	watch->tables_changed = watch->tables_changed || (watch->table_touched && !own);
	watch->rules_undone = watch->rules_undone || undone;
	watch->rules_touched = watch->table_touched = false;
	if (!rules)
		return false;
	if (undoing_note(&watch->rules_undoing, &watch->rules_hold_ms, now_ms))
		tell_rules_hold(s, w, n);
	return true;
}

static void on_generation(struct watch *watch, struct sync *s, struct world *w,
	const struct nft_notice *n, uint64_t now_ms)
{
	bool own = is_own_load(watch, n), held = false;
	bool rules = on_rules_transaction(watch, s, w, n, own, now_ms);

	sync_take_generation(s, n->generation);
	catch_up(s, w, n->generation);
	if (!watch->touched && !rules)
		return;
	watch->touched = false;
	for (size_t i = 0; i < w->set_count; i++) {
		struct world_set *set = &w->sets[i];
		end_entries(set, n, now_ms);
		if (!own && hold_back(set, now_ms))
			tell_hold(s, w, set, n, now_ms);
		/* Not to be looked at each time either. */
		if (set->touched.replaced && set->hold_ms > now_ms)
			set->look_ms = set->hold_ms;
		held = held || set->hold_ms > now_ms;
	}
	held = held || watch->rules_hold_ms > now_ms;
	if (!held && !own)
		tell(s, w, n, rules);
	for (size_t i = 0; i < w->set_count; i++)
		w->sets[i].touched = (struct touched){0};
}

static void hear_rules(struct watch *watch, const struct nft_notice *n)
{
	bool ours = n->nf_family == NFPROTO_INET && str_eq(n->table, RULESET_TABLE);

	if (n->kind == NFT_NOTICE_TABLE)
		watch->table_touched = true;
	if (ours && (n->kind == NFT_NOTICE_TABLE ||
			    (n->kind == NFT_NOTICE_RULE && str_starts(n->chain, RULESET_PREFIX))))
		watch->rules_touched = true;
}

void watch_on_notice(struct watch *watch, struct sync *s, struct world *w,
	const struct nft_notice *n, uint32_t own_portid, uint64_t now_ms)
{
	if (n->kind == NFT_NOTICE_LOST) {
		sync_look_again(w, now_ms);
		watch->rules_undone = true;
		return;
	}
	if (n->kind == NFT_NOTICE_GENERATION) {
		on_generation(watch, s, w, n, now_ms);
		return;
	}
	if (n->kind == NFT_NOTICE_RULE || n->kind == NFT_NOTICE_TABLE || n->kind == NFT_NOTICE_SET)
		watch->rules_changed = true;
	hear_rules(watch, n);
	if (n->portid == own_portid || n->kind == NFT_NOTICE_RULE)
		return;
	for (size_t i = 0; i < w->set_count; i++) {
		struct world_set *set = &w->sets[i];
		if (!is_about(set, n))
			continue;
		watch->touched = true;
		set->heard++;
		if (is_seen(set, n))
			continue;
		if (n->kind == NFT_NOTICE_SET || n->kind == NFT_NOTICE_TABLE) {
			set->touched.replaced = true;
			look_now(set, now_ms);
		} else if (set->present) {
			on_entry(set, n, now_ms);
			if (s->doubts)
				look_now(set, now_ms);
		}
	}
}
