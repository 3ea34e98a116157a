/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks at the kernel's sets: what kind they are of, and what is in them. */
#include "base/strbuf.h"
#include "daemon/refresh.h"
#include "daemon/sync_private.h"
#include "edge/nft_conn.h"
#include "edge/nft_monitor.h"

#include <string.h>
#include <syslog.h>

enum { LOOK_FIRST_MS = 1000, LOOK_MAX_MS = 10000, LOOSE_TRIES = 5, DIRTY_MAX = 65536 };

/* The first failure is looked into at once, further ones with back-off. */
void sync_look_later(struct world_set *set, uint64_t now_ms)
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

static bool has_same_keys(const struct set_kind *a, const struct set_kind *b)
{
	return a->layout == b->layout && a->family == b->family && a->interval == b->interval &&
	       a->auto_merge == b->auto_merge && a->protocol == b->protocol;
}

/* What the set can hold, and what the configuration makes of it. */
static void take_kind(
	const struct sync *s, struct world *w, struct world_set *set, const struct set_kind *kind)
{
	struct set_kind before = set->kind;
	bool known = before.layout != SET_LAYOUT_UNKNOWN;

	set->kind = *kind;
	set->kind.protocol = set->config ? set->config->protocol : 0;
	set->kind.most = set->config ? set->config->elements_max : 0;
	set->kind.fuse_ms = refresh_fuse_ms(set);
	/* Its two ends each, and nft's at address 0. */
	if (set->halves_size && set_kind_has_ranges(&set->kind) && set->kind.size)
		set->kind.size = set->kind.size > 3 ? (set->kind.size - 1) / 2 : 1;
	bool same = has_same_keys(&before, &set->kind);
	if (same && before.fuse_ms == set->kind.fuse_ms &&
		before.has_timeout == set->kind.has_timeout)
		return;
	if (!same) {
		if (known)
			wanted_done(&set->wanted); /* recreated with another type: other keys */
		wanted_set_kind(&set->wanted, &set->kind);
	}
	set->renew_ms = 0;
	refresh_fill_set(w, set);
	sync_tell_misfits(s, w, set);
}

/* As measured on Linux 6.18: a range costs each commit a walk over all of them, and a concatenated
 * one each deletion. */
enum { RANGE_NS = 36, BOX_NS = 2100, RANGES_MANY = 10000 };

static char *describe_cost(const struct world_set *set)
{
	size_t count = live_count(&set->live);
	size_t wanted = wanted_count(&set->wanted);

	if (wanted > count)
		count = wanted;
	if (set_kind_has_boxes(&set->kind))
		return xasprintf("flag interval on a concatenation: each element that leaves costs "
				 "the kernel about %.1f ms with %zu of them; without that flag it "
				 "is a few microseconds with any number",
			(double)count * BOX_NS / 1e6, count);
	if (set_kind_has_ranges(&set->kind) && count >= RANGES_MANY)
		return xasprintf(
			"flag interval: each change costs the kernel about %.1f ms with "
			"%zu elements; without that flag it is a few microseconds with any "
			"number",
			(double)count * RANGE_NS / 1e6, count);
	return NULL;
}

static void note_cost(const struct sync *s, const struct world *w, struct world_set *set)
{
	char *before = set->costly;

	set->costly = describe_cost(set);
	if (set->costly && !before) {
		_cleanup_free_ char *m = xasprintf("set %s: %s", set->text, set->costly);
		sync_tell_set(s, w, set, EVENT_SET_COSTLY, LOG_WARNING, m);
	}
	free(before);
}

/* Those that are about to be made (daemon/rules.c) are no trouble yet: NULL. */
static const char *why_missing(const struct world *w, const struct world_set *set)
{
	if (!set->config || !set->config->managed)
		return "there is no such table or set";
	return w->config->mark.load
		       ? NULL
		       : "there is no such table or set: load what allowsyncctl rules prints";
}

/* `why` NULL: it is not to be told. */
static void absent(const struct sync *s, struct world *w, struct world_set *set, uint64_t now_ms,
	const char *why)
{
	set->present = false;
	live_clear(&set->live);
	if (why)
		sync_degrade(s, w, set, now_ms, why);
	if (!set->look_failures)
		set->look_failures = 1;
	sync_look_later(set, now_ms);
}

/* Beside somebody who changes the ruleset faster than it can be read; but not this set. */
static int dump_beside_others(struct sync *s, struct world_set *set, uint32_t *ret_generation)
{
	int r = NFT_CONN_E_BUSY;

	for (int try = 0; r == NFT_CONN_E_BUSY && try < LOOSE_TRIES; try++) {
		nft_monitor_drain(s->monitor);
		uint64_t heard = set->heard, lost = nft_monitor_lost_count(s->monitor);
		r = nft_conn_dump_loosely(s->conn, &set->id, &set->kind, &set->live, &set->strange);
		nft_monitor_drain(s->monitor);
		if (r == 0 && (set->heard != heard || nft_monitor_lost_count(s->monitor) != lost))
			r = NFT_CONN_E_BUSY;
	}
	*ret_generation = nft_monitor_generation(s->monitor);
	return r;
}

/* Why the set cannot be filled as it is configured; NULL: it can. */
static const char *why_unusable(const struct world_set *set, const struct set_kind *kind)
{
	if (kind->unusable)
		return kind->unusable;
	if (kind->layout == SET_LAYOUT_ADDR_SERVICE && set->config && !set->config->protocol)
		return "its keys have no protocol, so say proto = tcp (or udp), as its rule has it";
	return NULL;
}

/* What an earlier run denied goes on. What has no timeout is none of that: a static entry that
 * left. */
static void hear_denied(struct world *w, struct world_set *set, uint64_t now_ms)
{
	const struct live_element *e;

	for (size_t at = 0; (e = live_next(&set->live, &at));) {
		if (e->ours && e->expires && set->kind.layout == SET_LAYOUT_ADDR)
			denylist_hear(&set->denied, &e->key, e->left_s * UINT64_C(1000), now_ms);
	}
	set->denied_news = true;
	refresh_keep_denied(w, set);
}

/* Type and elements of one set. */
static int read_set(struct sync *s, struct world *w, struct world_set *set, uint64_t now_ms,
	uint32_t *ret_generation)
{
	struct set_kind kind = set->read_kind;
	bool carried = set->carried;
	int r = carried ? 0 : nft_conn_read_set(s->conn, &set->id, &kind);

	set->carried = false;
	if (r != 0)
		return r;
	set->read_kind = kind;
	set->read_kind.unusable = why_unusable(set, &kind);
	if (set->read_kind.unusable)
		return 0;
	take_kind(s, w, set, &kind);
	*ret_generation = s->generation;
	if (carried)
		return 0;
	r = nft_conn_dump(s->conn, &set->id, &set->kind, &set->live, ret_generation, &set->strange);
	if (r == NFT_CONN_E_BUSY)
		r = dump_beside_others(s, set, ret_generation);
	set->looked_generation = *ret_generation;
	set->catches_up = s->catches_up = true;
	set->touched.ear = LIVE_EAR_NULL;
	if (r == 0 && set->keeper)
		hear_denied(w, set, now_ms);
	return r;
}

/* From then on it is planned. */
static void look(struct sync *s, struct world *w, struct world_set *set, uint64_t now_ms)
{
	uint32_t generation;

	set->look_ms = set->peek_ms = 0;
	set->looked = false;
	int r = read_set(s, w, set, now_ms, &generation);
	if (r == NFT_CONN_E_BUSY) {
		sync_degrade(s, w, set, now_ms, "the ruleset changes too fast to be read");
		sync_look_later(set, now_ms);
	} else if (r == NFT_CONN_E_MISSING) {
		set->looked = true;
		absent(s, w, set, now_ms, why_missing(w, set));
	} else if (r < 0) {
		_cleanup_free_ char *why = xasprintf("cannot be read: %s", strerror(-r));
		absent(s, w, set, now_ms, why);
	} else if (set->read_kind.unusable) {
		_cleanup_free_ char *why = xasprintf(
			"%s: this version cannot fill such a set", set->read_kind.unusable);
		set->looked = true;
		absent(s, w, set, now_ms, why);
	} else {
		set->looked = true;
		set->present = true;
		set->plan_all = true;
		if (set->kind.fuse_ms && !set->renew_ms)
			set->renew_ms = now_ms;
		sync_take_generation(s, generation);
		note_cost(s, w, set);
	}
}

void sync_look_due(struct sync *s, struct world *w, uint64_t now_ms)
{
	for (size_t i = 0; i < w->set_count; i++) {
		struct world_set *set = &w->sets[i];
		bool peeks = set->peek_ms && set->peek_ms <= now_ms && !set->frozen;
		if (peeks || (set->look_ms && set->look_ms <= now_ms))
			look(s, w, set, now_ms);
	}
}

void sync_look_again(struct world *w, uint64_t now_ms)
{
	for (size_t i = 0; i < w->set_count; i++) {
		w->sets[i].look_ms = now_ms;
		w->sets[i].look_failures = 0;
	}
}
