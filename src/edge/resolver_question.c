/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions, and what is remembered of them. */
#include "edge/resolver_question.h"

#include "base/mem.h"
#include "core/dns_wire.h"

#include <string.h>

enum { SILENT_NAMES_MAX = 1 << 16, DNS_COUNTS_SIZE = 8 };

struct question *question_new(const char *name, enum family family, void *cookie)
{
	size_t len = strlen(name);
	struct question *q = xcalloc(1, sizeof(*q) + 1 + len + 1);

	q->cookie = cookie;
	q->family = family;
	q->key_len = 1 + len;
	q->key[0] = family == FAMILY_V4 ? '4' : '6';
	q->name = q->key + 1;
	memcpy(q->name, name, len + 1);
	return q;
}

static void poll_free(struct poll *p)
{
	for (size_t i = 0; i < ARRAY_LEN(p->said); i++)
		free(p->said[i].message);
	question_free(p->question);
	free(p);
}

void question_free(struct question *q)
{
	if (q->poll && --q->poll->parts == 0)
		poll_free(q->poll);
	free(q->poor);
	free(q);
}

struct poll *poll_new(struct question *q)
{
	struct poll *p = xcalloc(1, sizeof(*p));

	p->question = q;
	return p;
}

struct question *poll_part(struct poll *p, size_t server, unsigned tries)
{
	const struct question *q = p->question;
	struct question *part = question_new(q->name, q->family, NULL);

	part->poll = p;
	part->rank = q->rank;
	part->hurried = q->hurried;
	part->skip = ~(UINT64_C(1) << server);
	part->server = part->asked = server;
	part->round = q->rank == RANK_SILENT ? tries - 1 : 0;
	part->begun = true;
	p->asked |= UINT64_C(1) << server;
	p->parts++;
	return part;
}

void poll_note(struct question *part, const uint8_t *message, size_t len)
{
	struct poll *p = part->poll;
	struct question *q = p->question;
	size_t server = part->asked;

	q->asked = server;
	q->silent = q->silent || part->silent;
	q->cut = q->cut || part->cut;
	q->beaten |= part->beaten;
	if (message) {
		p->good |= UINT64_C(1) << server;
		p->said[server].message = xmemdup(message, len);
		p->said[server].len = len;
	} else if (part->poor) {
		p->said[server].message = part->poor;
		p->said[server].len = part->poor_len;
		part->poor = NULL;
	}
}

bool poll_can_spare(const struct question *part, const struct servers *servers)
{
	const struct poll *p = part->poll;

	if (!p || part->rank != RANK_AGAIN)
		return false;
	if (p->good && part->silent)
		return true;
	return !p->to_resting && server_health_rests(&servers->healths[part->server]) &&
	       !servers_all_rest(servers, 0);
}

/* SERVFAIL says that somebody tried, and is better than a refusal; else the first counts. */
void question_keep_poor(
	struct question *q, enum server_outcome outcome, const uint8_t *message, size_t len)
{
	q->skip |= UINT64_C(1) << q->asked;
	q->beaten |= UINT64_C(1) << q->asked;
	if (q->poor && (q->poor_outcome == SERVER_SERVFAIL || outcome != SERVER_SERVFAIL))
		return;
	free(q->poor);
	q->poor_len = len <= SERVER_EDNS_SIZE ? len : DNS_HEADER_SIZE;
	q->poor = xmemdup(message, q->poor_len);
	if (q->poor_len < len) /* it has no sections */
		memset(q->poor + DNS_HEADER_SIZE - DNS_COUNTS_SIZE, 0, DNS_COUNTS_SIZE);
	q->poor_server = q->asked;
	q->poor_outcome = outcome;
}

void question_note_silence(struct question *q)
{
	if (q->hurried)
		q->cut = true;
	else
		q->silent = true;
}

size_t question_first_server(const struct question *q, const struct servers *servers)
{
	bool any = servers_all_rest(servers, q->skip);

	for (size_t i = 0; i < servers->count; i++)
		if (!(q->skip >> i & 1) && (any || !server_health_rests(&servers->healths[i])))
			return i;
	return 0;
}

/* False: every server has had its turns. */
static bool next_server(struct question *q, const struct servers *servers, unsigned tries)
{
	bool any = servers_all_rest(servers, q->skip);

	do {
		if (++q->server < servers->count)
			continue;
		q->server = 0;
		q->round++;
	} while (q->round < tries &&
		 (q->skip >> q->server & 1 ||
			 (!any && server_health_rests(&servers->healths[q->server]))));
	return q->round < tries;
}

enum next question_next(struct question *q, const struct servers *servers, unsigned tries)
{
	unsigned round = q->round;
	bool more = next_server(q, servers, tries);

	if (q->round == round)
		return NEXT_NOW;
	if (q->cut) {
		q->begun = q->cut = q->hurried = false;
		q->round = 0;
		return NEXT_AGAIN;
	}
	if (!more || (q->poll && q->poll->good && q->silent))
		return NEXT_NEVER;
	return q->silent && q->rank == RANK_FRESH ? NEXT_AGAIN : NEXT_NOW;
}

void queue_init(struct queue *q)
{
	q->first = NULL;
	q->last = &q->first;
}

void queue_push(struct queue *q, struct question *question)
{
	*q->last = question;
	q->last = &question->next;
}

void queue_push_front(struct queue *q, struct question *question)
{
	question->next = q->first;
	if (!q->first)
		q->last = &question->next;
	q->first = question;
}

struct question *queue_pop(struct queue *q)
{
	struct question *question = q->first;

	q->first = question->next;
	if (!q->first)
		q->last = &q->first;
	question->next = NULL;
	return question;
}

bool silent_names_has(const struct map *m, const struct question *q)
{
	return map_get(m, q->key, q->key_len);
}

/* Names that nobody asks for any more are never forgotten one by one. */
void silent_names_add(struct map *m, const struct question *q)
{
	char *key = xmemdup(q->key, q->key_len);

	if (m->count >= SILENT_NAMES_MAX)
		silent_names_done(m);
	free(map_put(m, key, q->key_len, key));
}

void silent_names_remove(struct map *m, const struct question *q)
{
	free(map_remove(m, q->key, q->key_len));
}

void silent_names_done(struct map *m)
{
	char *key;

	for (size_t at = 0; (key = map_next(m, &at));)
		free(key);
	map_done(m);
	*m = MAP_NULL;
}
