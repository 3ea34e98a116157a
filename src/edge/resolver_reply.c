/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What comes of questions: from one server's answer, or from those of all, to the reply. */
#include "edge/loop.h"
#include "edge/resolver_private.h"

enum {
	KEPT_MAX = 8 << 20, /* bytes of answers that wait for those of other servers */
};

static void note_beaten(struct resolver *r, const struct question *q)
{
	for (size_t i = 0; q->beaten && i < r->servers.count; i++) {
		if (!(q->beaten >> i & 1))
			continue;
		server_health_note_beaten(&r->servers.healths[i], loop_now_ms());
		resolver_tell_news(r, i);
	}
}

/* What was answered just now also goes to servers whose rest has been long enough. Nobody waits
 * for that. */
static void probe(struct resolver *r, const struct question *q)
{
	for (size_t i = 0; i < r->servers.count; i++) {
		if (!server_health_take_probe(&r->servers.healths[i], loop_now_ms()))
			continue;
		struct question *p = question_new(q->name, q->family, NULL);
		p->probe = true;
		p->rank = RANK_SILENT;
		p->skip = ~(UINT64_C(1) << i);
		resolver_push(r, p);
	}
}

/* `good`: the servers that gave a good answer. */
static void tell(struct resolver *r, const struct question *q,
	const struct resolver_message *messages, size_t count, uint64_t good)
{
	struct resolver_reply reply = {
		.cookie = q->cookie,
		.status = count ? RESOLVER_ANSWERED : RESOLVER_TIMEOUT,
		.messages = messages,
		.count = count,
		.server = r->servers.count ? r->servers.texts[q->asked] : "",
		.every = !(servers_heard_lately(&r->servers, loop_now_ms()) & ~good),
	};

	if (count)
		reply.server = messages[0].server;
	if (!good && q->silent)
		silent_names_add(&r->silent, q);
	else if (good || !q->cut)
		silent_names_remove(&r->silent, q);
	if (good) {
		note_beaten(r, q);
		probe(r, q);
	} else {
		r->stats.failed++;
	}
	r->fn(r->userdata, &reply);
}

/* `message` NULL: with the best that there was. */
static void tell_first(
	struct resolver *r, const struct question *q, const uint8_t *message, size_t len)
{
	struct resolver_message m = {.bytes = message, .len = len, .good = message};
	size_t server = q->asked;

	if (!message && q->poor) {
		m.bytes = q->poor;
		m.len = q->poor_len;
		server = q->poor_server;
	}
	if (m.bytes)
		m.server = r->servers.texts[server];
	tell(r, q, &m, m.bytes ? 1 : 0, message ? UINT64_C(1) << server : 0);
}

/* --- all servers at once --- */

static void tell_poll(struct resolver *r, const struct poll *p)
{
	struct resolver_message messages[SERVERS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < r->servers.count; i++) {
		if (!p->said[i].message)
			continue;
		r->kept -= p->said[i].len;
		messages[count++] = (struct resolver_message){
			.bytes = p->said[i].message,
			.len = p->said[i].len,
			.server = r->servers.texts[i],
			.good = p->good >> i & 1,
		};
	}
	tell(r, p->question, messages, count, p->good);
}

/* Those in the mask are next. */
static void push_parts(struct resolver *r, struct poll *p, uint64_t servers)
{
	for (size_t i = r->servers.count; i-- > 0;) {
		if (!(servers >> i & 1))
			continue;
		struct question *part = poll_part(p, i, r->tries);
		queue_push_front(&r->queues[part->rank], part);
		r->stats.waiting++;
	}
}

void resolver_begin_poll(struct resolver *r, struct question *q)
{
	bool any = servers_all_rest(&r->servers, 0);
	uint64_t servers = 0;

	for (size_t i = 0; i < r->servers.count; i++)
		if (any || !server_health_rests(&r->servers.healths[i]))
			servers |= UINT64_C(1) << i;
	q->hurried = resolver_is_hurried(r, q);
	push_parts(r, poll_new(q), servers);
}

/* Those that rest are asked where all others gave poor answers, as with one question for all. */
static uint64_t resting_to_ask(const struct resolver *r, const struct poll *p)
{
	uint64_t all = (UINT64_C(1) << r->servers.count) - 1;

	return p->good || p->asked & ~p->question->beaten ? 0 : all & ~p->asked;
}

static void end_part(struct resolver *r, struct question *part, const uint8_t *message, size_t len)
{
	struct poll *p = part->poll;
	size_t size = message ? len : part->poor_len;

	if (r->kept + size > KEPT_MAX) {
		message = NULL;
		free(part->poor);
		part->poor = NULL;
		size = 0;
	}
	poll_note(part, message, len);
	r->kept += size;
	if (p->parts == 1 && resting_to_ask(r, p)) {
		p->to_resting = true;
		push_parts(r, p, resting_to_ask(r, p));
	} else if (p->parts == 1) {
		tell_poll(r, p);
	}
	question_free(part);
}

void resolver_finish(struct resolver *r, struct question *q, const uint8_t *message, size_t len)
{
	if (q->poll) {
		end_part(r, q, message, len);
		return;
	}
	if (!q->probe)
		tell_first(r, q, message, len);
	question_free(q);
}
