/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which silence is told of, and how. */
#include "daemon/silence.h"

#include "base/mem.h"
#include "daemon/health.h"

#include <syslog.h>

static bool was_in_vain(const struct name_family *f)
{
	return f->asked && f->outcome == ANSWER_TIMEOUT;
}

/* Who is answered if anybody is: best one that was the last time, and is not being asked already.
 */
static unsigned worth(const struct name *n)
{
	const struct name_family *f = &n->families[FAMILY_V4];
	bool good = f->asked && !was_in_vain(f), fine = good && f->outcome == ANSWER_OK;

	return good * 4u + fine * 2u + !f->in_flight;
}

/* The answer to a question that is asked now decides. */
static void ask_another(struct world *w, const struct name *suspect, uint64_t now_ms)
{
	struct name *n, *witness = NULL;

	for (size_t at = 0; (n = names_next(&w->names, &at));) {
		if (n != suspect && (!witness || worth(n) > worth(witness)))
			witness = n;
	}
	if (witness)
		names_ask_now(&w->names, &witness->families[FAMILY_V4], now_ms);
}

static void keep_back(const struct name *n)
{
	struct name_feeds *feeds = n->userdata;

	if (feeds)
		feeds->kept_back = true;
}

/* What was kept back: told, or (an outage) forgotten. */
static void settle(const struct sync *s, const struct world *w, bool tell, uint64_t now_ms)
{
	static const struct answer silence = {.outcome = ANSWER_TIMEOUT};
	struct name *n;

	for (size_t at = 0; (n = names_next(&w->names, &at));) {
		struct name_feeds *feeds = n->userdata;
		if (!feeds || !feeds->kept_back)
			continue;
		const struct name_family *f = &n->families[FAMILY_V4];
		if (!was_in_vain(f))
			f = &n->families[FAMILY_V6];
		feeds->kept_back = false;
		if (tell && was_in_vain(f))
			health_tell(s, w, f, &silence, false, now_ms);
	}
}

static void emit(const struct sync *s, const struct world *w, enum event_kind kind, int priority,
	const char *message)
{
	s->emit(s->userdata, &(struct event){
				     .kind = kind,
				     .priority = priority,
				     .message = message,
				     .result = answer_outcome_name(ANSWER_TIMEOUT),
				     .config = w->config->digest,
			     });
}

static void tell_begin(const struct sync *s, const struct world *w, const char *servers)
{
	size_t names = w->names.by_text.count;
	_cleanup_free_ char *m =
		xasprintf("no DNS server answers (asked: %s): %zu name%s cannot be "
			  "looked up, what %s gave stays allowed",
			servers, names, names == 1 ? "" : "s", names == 1 ? "it" : "they");

	/* That there is none was said already. */
	if (*servers)
		emit(s, w, EVENT_DNS_SILENT, LOG_WARNING, m);
}

static void tell_end(const struct sync *s, const struct world *w, const struct name_family *heard,
	uint64_t since_ms, uint64_t now_ms)
{
	size_t in_vain = 1;
	struct name *n;

	for (size_t at = 0; (n = names_next(&w->names, &at));)
		in_vain += n != heard->name && (was_in_vain(&n->families[FAMILY_V4]) ||
						       was_in_vain(&n->families[FAMILY_V6]));
	_cleanup_free_ char *m = xasprintf(
		"DNS answers again, after %llu s of silence: %zu of %zu names had been asked in "
		"vain, and are asked again",
		(unsigned long long)((now_ms - since_ms) / 1000), in_vain, w->names.by_text.count);
	emit(s, w, EVENT_DNS_ANSWERS, LOG_NOTICE, m);
}

static bool on_silence(struct outage *o, const struct sync *s, struct world *w,
	const struct name_family *f, const char *servers, uint64_t now_ms)
{
	bool alone = w->names.by_text.count == 1;

	switch (outage_note_silence(o, f->name->text, alone, f->sent_ms, now_ms)) {
	case OUTAGE_OF_NAME:
		return false;
	case OUTAGE_SUSPECTED:
		keep_back(f->name);
		ask_another(w, f->name, now_ms);
		return true;
	case OUTAGE_UNDECIDED:
		keep_back(f->name);
		return true;
	case OUTAGE_BEGINS:
		settle(s, w, false, now_ms);
		tell_begin(s, w, servers);
		return true;
	case OUTAGE_GOES_ON:
		break;
	}
	return true;
}

/* Of a question that was asked before the last outage was over: what it is worth only the next one
 * tells. */
static bool is_from_an_outage(const struct outage *o, const struct name_family *f)
{
	return was_in_vain(f) &&
	       (f->asked_ms <= o->ended_ms || (!f->in_flight && f->sent_ms <= o->ended_ms));
}

bool silence_on_outcome(struct outage *o, const struct sync *s, struct world *w,
	const struct name_family *f, const struct answer *a, const char *servers, uint64_t now_ms)
{
	uint64_t since_ms = 0;

	if (a->outcome == ANSWER_TIMEOUT)
		return on_silence(o, s, w, f, servers, now_ms);
	switch (outage_note_answer(o, now_ms, &since_ms)) {
	case OUTAGE_NONE:
		break;
	case OUTAGE_CLEARED:
		settle(s, w, true, now_ms);
		break;
	case OUTAGE_ENDS:
		tell_end(s, w, f, since_ms, now_ms);
		break;
	}
	return is_from_an_outage(o, &f->name->families[FAMILY_V4]) ||
	       is_from_an_outage(o, &f->name->families[FAMILY_V6]);
}
