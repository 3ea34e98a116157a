/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waits for questions, each by name and family. */
#include "daemon/waits.h"

#include "base/map.h"
#include "base/mem.h"

#include <string.h>

struct engine_wait {
	struct engine_wait *next;
	struct map pending; /* "name/family" -> the same text, owned */
	wait_done_fn done;
	void *userdata;
};

struct engine_wait *waits_add(struct waits *ws, wait_done_fn done, void *userdata)
{
	struct engine_wait *w = xcalloc(1, sizeof(*w));

	w->done = done;
	w->userdata = userdata;
	w->next = ws->first;
	ws->first = w;
	return w;
}

void wait_for(struct engine_wait *w, const char *name, enum family family)
{
	char *key = xasprintf("%s/%s", name, family_name(family));

	free(map_put(&w->pending, key, strlen(key), key));
}

static void wait_free(struct engine_wait *w)
{
	char *key;

	for (size_t at = 0; (key = map_next(&w->pending, &at));)
		free(key);
	map_done(&w->pending);
	free(w);
}

void waits_on_reply(struct waits *ws, const char *name, enum family family)
{
	_cleanup_free_ char *key = xasprintf("%s/%s", name, family_name(family));

	for (struct engine_wait **at = &ws->first; *at;) {
		struct engine_wait *w = *at;
		free(map_remove(&w->pending, key, strlen(key)));
		if (w->pending.count) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		w->done(w->userdata);
		wait_free(w);
	}
}

void waits_cancel(struct waits *ws, struct engine_wait *w)
{
	for (struct engine_wait **at = &ws->first; *at; at = &(*at)->next) {
		if (*at == w) {
			*at = w->next;
			wait_free(w);
			return;
		}
	}
}

void waits_end_all(struct waits *ws)
{
	while (ws->first) {
		struct engine_wait *w = ws->first;
		ws->first = w->next;
		w->done(w->userdata);
		wait_free(w);
	}
}
