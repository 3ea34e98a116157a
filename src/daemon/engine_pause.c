/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pause and resume: an admin's hand on the sets. */
#include "base/strbuf.h"
#include "daemon/engine_private.h"
#include "daemon/refresh.h"
#include "edge/loop.h"

#include <errno.h>
#include <syslog.h>

static bool is_meant(const struct world_set *set, const struct world_set *only, const char *target)
{
	if (!set->config)
		return false;
	return !target || set == only || (!only && strings_has(&set->config->vendors, target));
}

static bool is_known(const struct world *w, const struct world_set *only, const char *target)
{
	return !target || only || config_vendor_find(w->config, target);
}

/* A release of these is over: whoever wanted something there may again. */
static void unrelease(struct world *w, const struct world_set *only, const char *target)
{
	for (size_t i = 0; i < w->config->vendor_count; i++) {
		const char *vendor = w->config->vendors[i].name;
		if (!only && (!target || str_eq(vendor, target)))
			w->vendor_paused[i] = false;
		if (!target || str_eq(vendor, target) ||
			(only && only->config && only->config->managed &&
				strings_has(&only->config->vendors, vendor)))
			w->rules_released[i] = false;
	}
	for (size_t i = 0; i < w->owner_count; i++) {
		struct owner *o = w->owners[i];
		if (!o->retired && !only && (!target || str_eq(o->vendor, target)))
			o->paused = false;
	}
}

static void resume_set(struct world *w, struct world_set *set, uint64_t now_ms)
{
	set->frozen = false;
	set->paused = false;
	set->look_ms = now_ms;
	set->look_failures = 0;
	refresh_fill_set(w, set);
}

static void tell(struct engine *e, const char *target, const struct world_set *only, bool pause)
{
	_cleanup_free_ char *m = xasprintf("%s %s%s", pause ? "paused" : "resumed",
		target ? target : "everything",
		pause ? ": the sets stay as they are until allowsyncctl resume, or reload" : "");

	engine_emit(e, &(struct event){
			       .kind = EVENT_PAUSED,
			       .priority = LOG_WARNING,
			       .message = m,
			       .set = only ? only->text : NULL,
			       .vendor = target && !only ? target : NULL,
			       .reason = pause ? "pause" : "resume",
			       .config = e->world->config->digest,
		       });
}

int engine_pause(struct engine *e, const char *target, bool pause)
{
	struct world *w = e->world;
	struct world_set *only = target ? world_set_find(w, target) : NULL;
	uint64_t now_ms = loop_now_ms();
	int count = 0;

	if (!is_known(w, only, target))
		return -ENOENT;
	if (!pause)
		unrelease(w, only, target);
	for (size_t i = 0; i < w->set_count; i++) {
		struct world_set *set = &w->sets[i];
		if (!is_meant(set, only, target))
			continue;
		count++;
		if (pause)
			set->frozen = true;
		else
			resume_set(w, set, now_ms);
	}
	tell(e, target, only, pause);
	if (!pause)
		rules_again(&e->rules);
	if (!pause)
		sync_turn(&e->sync, w, now_ms);
	return count;
}
