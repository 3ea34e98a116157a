/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From changes to summaries, and their words. */
#include "daemon/summaries.h"

#include "base/mem.h"

#include <syslog.h>
#include <time.h>

/* The wall clock: this is read beside the times of journal entries. */
static void format_now(char *text, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;

	if (!gmtime_r(&now, &tm) || !strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &tm))
		text[0] = '\0';
}

bool summaries_take(struct summaries *s, const struct event *change, uint64_t now_ms)
{
	char at[40];

	format_now(at, sizeof(at));
	enum rotation_verdict v = rotations_take(&s->rotations, change, at, now_ms);
	if (v == ROTATION_BEGINS) {
		_cleanup_free_ char *m = xasprintf(
			"%s: %s changes often in %s (%d times within an hour): its changes are "
			"summed up by the hour from now on",
			change->vendor, change->name, change->set, ROTATION_CHANGES + 1);
		s->emit(s->userdata, &(struct event){
					     .kind = EVENT_ROTATING,
					     .priority = LOG_NOTICE,
					     .message = m,
					     .vendor = change->vendor,
					     .endpoint = change->endpoint,
					     .name = change->name,
					     .set = change->set,
					     .ttl_s = change->ttl_s,
					     .config = change->config,
				     });
	}
	return v != ROTATION_TELL;
}

static void tell(struct summaries *s, const struct rotation *o, const char *config, uint64_t now_ms)
{
	uint64_t minutes = (now_ms - o->since_ms + 30000) / 60000;
	_cleanup_free_ char *m =
		xasprintf("%s: %s: %zu change%s in %llu min, +%zu -%zu in %s (TTL %u s)%s",
			o->vendor, o->name, o->count, o->count == 1 ? "" : "s",
			(unsigned long long)minutes, o->added, o->removed, o->set, o->ttl_s,
			rotation_ends(o, now_ms) ? "; each is told by itself again" : "");

	s->emit(s->userdata, &(struct event){
				     .kind = EVENT_SUMMARY,
				     .priority = LOG_NOTICE,
				     .message = m,
				     .vendor = o->vendor,
				     .endpoint = o->endpoint,
				     .name = o->name,
				     .set = o->set,
				     .changes = strbuf_text(&o->text),
				     .ttl_s = o->ttl_s,
				     .generation = o->generation,
				     .config = config,
			     });
}

void summaries_turn(struct summaries *s, const char *config, uint64_t now_ms)
{
	struct rotation *o;

	while ((o = rotations_next_due(&s->rotations, now_ms))) {
		tell(s, o, config, now_ms);
		rotations_told(&s->rotations, o, now_ms);
	}
}

void summaries_flush(struct summaries *s, const char *config, uint64_t now_ms)
{
	rotations_hurry(&s->rotations, now_ms);
	summaries_turn(s, config, now_ms);
}

uint64_t summaries_next_ms(const struct summaries *s)
{
	return rotations_next_ms(&s->rotations);
}

void summaries_done(struct summaries *s)
{
	rotations_done(&s->rotations);
}
