/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What others did to our sets. */
#include "daemon/watch.h"

#include "base/strbuf.h"
#include "edge/nft_monitor.h"

#include <string.h>
#include <syslog.h>

enum { UNDONE_MAX = 20, UNDONE_WINDOW_MS = 10000, HOLD_MS = 1000 };

static bool is_about(const struct world_set *set, const struct nft_notice *n)
{
	return n->nf_family == set->id.nf_family && str_eq(n->table, set->id.table) &&
	       (!n->set || str_eq(n->set, set->id.name));
}

static void on_added(struct world_set *set, const struct nft_notice *n)
{
	const struct element_key *key = &n->element.key;
	struct addr a;
	uint8_t protocol;
	uint16_t port;

	if (n->strange || !element_key_decode(&set->kind, key, &a, &protocol, &port)) {
		set->strange++;
		return;
	}
	live_put(&set->live, &n->element);
	set->touched.added++;
	/* Ours and unwanted (a restored ruleset), or ours and not permanent any more. */
	const struct want *want = wanted_find(&set->wanted, key);
	if (n->element.ours && ((!want && set->settled) || (want && n->element.expires)))
		wanted_mark_dirty(&set->wanted, key, want ? want->owners[0] : NULL, "refill", 0);
}

static void on_deleted(struct world_set *set, const struct nft_notice *n)
{
	const struct element_key *key = &n->element.key;
	const struct want *want = wanted_find(&set->wanted, key);

	if (n->strange || !live_find(&set->live, key))
		return;
	live_remove(&set->live, key);
	set->touched.deleted++;
	if (!want || set->frozen)
		return; /* resume looks again */
	set->touched.undone++;
	wanted_mark_dirty(&set->wanted, key, want->owners[0], "refill", 0);
}

static void look_now(struct world_set *set, uint64_t now_ms)
{
	set->touched.replaced = true;
	set->look_ms = now_ms;
	set->look_failures = 0;
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

/* One entry a transaction, whatever it did to how many sets. */
static void tell(const struct sync *s, const struct world *w, const struct nft_notice *n)
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
	if (!sets)
		return;
	strbuf_appendf(&b, "%s ", by);
	if (replaced)
		strbuf_append(&b, "made, removed or replaced set ");
	else
		strbuf_appendf(&b, "removed %zu element%s of ours from set ", undone,
			undone == 1 ? "" : "s");
	strbuf_append(&b, first);
	if (sets > 1)
		strbuf_appendf(&b, " and %zu more", sets - 1);
	strbuf_append(&b, replaced ? "; filling what is there" : "; putting them back");
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

/* Whoever undoes every repair is not to be raced: from then on one a second. True: say so. */
static bool hold_back(struct world_set *set, uint64_t now_ms)
{
	if (!set->touched.undone)
		return false;
	if (now_ms - set->undone_ms > UNDONE_WINDOW_MS) {
		set->undone_ms = now_ms;
		set->undone_count = 0;
	}
	if (++set->undone_count <= UNDONE_MAX)
		return false;
	set->hold_ms = now_ms + HOLD_MS;
	return set->undone_count == UNDONE_MAX + 1;
}

static void tell_hold(const struct sync *s, const struct world *w, const struct world_set *set,
	const struct nft_notice *n)
{
	_cleanup_free_ char *by = who(n);
	_cleanup_free_ char *m = xasprintf("%s keeps removing our elements from set %s: putting "
					   "them back once a second",
		by, set->text);

	s->emit(s->userdata, &(struct event){
				     .kind = EVENT_RULESET_CHANGED,
				     .priority = LOG_WARNING,
				     .message = m,
				     .set = set->text,
				     .reason = by,
				     .generation = n->generation,
				     .config = w->config->digest,
			     });
}

static void on_generation(struct watch *watch, struct sync *s, struct world *w,
	const struct nft_notice *n, uint64_t now_ms)
{
	bool held = false;

	sync_take_generation(s, n->generation);
	if (!watch->touched)
		return;
	watch->touched = false;
	for (size_t i = 0; i < w->set_count; i++) {
		struct world_set *set = &w->sets[i];
		if (hold_back(set, now_ms))
			tell_hold(s, w, set, n);
		held = held || set->hold_ms > now_ms;
	}
	if (!held)
		tell(s, w, n);
	for (size_t i = 0; i < w->set_count; i++) {
		struct world_set *set = &w->sets[i];
		if (set->touched.added || set->touched.deleted)
			sync_tell_foreign(s, w, set);
		if (set->touched.added && world_set_removes_foreign(set))
			set->plan_all = true;
		set->touched = (struct touched){0};
	}
}

void watch_on_notice(struct watch *watch, struct sync *s, struct world *w,
	const struct nft_notice *n, uint32_t own_portid, uint64_t now_ms)
{
	if (n->kind == NFT_NOTICE_LOST) {
		sync_look_again(w, now_ms);
		return;
	}
	if (n->kind == NFT_NOTICE_GENERATION) {
		on_generation(watch, s, w, n, now_ms);
		return;
	}
	if (n->kind == NFT_NOTICE_RULE || n->kind == NFT_NOTICE_TABLE || n->kind == NFT_NOTICE_SET)
		watch->rules_changed = true;
	if (n->portid == own_portid || n->kind == NFT_NOTICE_RULE)
		return;
	for (size_t i = 0; i < w->set_count; i++) {
		struct world_set *set = &w->sets[i];
		if (!is_about(set, n))
			continue;
		watch->touched = true;
		if (n->kind == NFT_NOTICE_SET || n->kind == NFT_NOTICE_TABLE)
			look_now(set, now_ms);
		else if (set->present && n->kind == NFT_NOTICE_ADDED)
			on_added(set, n);
		else if (set->present)
			on_deleted(set, n);
	}
}
