/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions wait in a queue for a slot; a slot takes one through rounds over the servers, in their
 * order, until one gives an answer that is worth something. */
#include "edge/resolver.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "edge/loop.h"
#include "edge/resolv_conf.h"
#include "edge/slot.h"

#include <errno.h>
#include <string.h>

enum {
	SLOTS_START = 8,
	SLOTS_MAX = 64,
	SLOTS_STEP = 8,
	/* How long a queue may stand before there are more slots, and how long slots that are not
	 * needed stay: one is 76 kB. */
	GROW_MS = 5,
	SHRINK_MS = 10000,
	SERVERS_MAX = 64, /* as many as `struct question` has bits for */
	/* A server that has let so many questions in a row run out is passed over, but for one
	 * question every so often: each would wait for it in vain, and the rest behind that one. */
	SILENT_MAX = 3,
	REST_MS = 10000,
	DNS_PORT = 53,
	HEADER_SIZE = 12,
	RCODE_NOERROR = 0,
	RCODE_SERVFAIL = 2,
	RCODE_NXDOMAIN = 3,
};

struct question {
	struct question *next;
	void *cookie;
	enum family family;
	unsigned round;
	size_t server;
	uint64_t answered; /* servers that gave an answer, if a poor one: not asked again */
	uint8_t *poor;     /* the best of those */
	size_t poor_len, poor_server;
	char name[];
};

struct health {
	unsigned silent;        /* questions in a row */
	uint64_t rest_until_ms; /* once they are too many */
};

/* A slot and what it is about. */
struct lane {
	struct resolver *resolver;
	struct slot *slot;
	struct question *question; /* NULL: idle, and in `idle` */
	struct lane *next_idle;
};

struct resolver {
	struct loop *loop;
	resolver_reply_fn fn;
	void *userdata;
	struct config_server *servers;
	struct health *healths; /* beside servers */
	char **server_texts;
	size_t server_count, skipped, unreachable;
	char *server_list;
	uint32_t timeout_ms;
	unsigned tries;
	struct question *first, **last; /* the queue */
	struct lane *lanes[SLOTS_MAX];
	struct lane *idle;
	struct loop_timer *tend; /* grows and shrinks */
	bool growing;
	struct loop_timer *nobody; /* replies when there is no server to ask */
	struct resolver_stats stats;
};

static void on_result(void *userdata, const struct slot_result *result);

/* --- slots --- */

static int add_lane(struct resolver *r)
{
	struct lane *l = xcalloc(1, sizeof(*l));
	int e = slot_new(r->loop, on_result, l, &l->slot);

	if (e < 0) {
		free(l);
		return e;
	}
	l->resolver = r;
	l->next_idle = r->idle;
	r->idle = l;
	r->lanes[r->stats.slots++] = l;
	return 0;
}

static void remove_idle_lane(struct resolver *r)
{
	struct lane *l = r->idle;
	size_t i = 0;

	r->idle = l->next_idle;
	while (r->lanes[i] != l)
		i++;
	r->lanes[i] = r->lanes[--r->stats.slots];
	slot_free(l->slot);
	free(l);
}

static struct lane *take_lane(struct resolver *r)
{
	if (!r->idle && r->stats.slots < SLOTS_START)
		add_lane(r);
	struct lane *l = r->idle;
	if (l)
		r->idle = l->next_idle;
	return l;
}

/* --- one question --- */

static void ask(struct lane *l)
{
	struct resolver *r = l->resolver;
	struct question *q = l->question;

	r->stats.queries++;
	slot_ask(l->slot, &r->servers[q->server], q->name, q->family, r->timeout_ms);
}

static bool is_resting(struct resolver *r, size_t server)
{
	struct health *h = &r->healths[server];
	uint64_t now_ms = loop_now_ms();

	if (h->silent < SILENT_MAX)
		return false;
	if (now_ms < h->rest_until_ms)
		return true;
	h->rest_until_ms = now_ms + REST_MS; /* this question finds out whether it is back */
	return false;
}

/* Where a question begins; when all rest, at the first as ever. */
static size_t first_server(struct resolver *r)
{
	for (size_t i = 0; i < r->server_count; i++)
		if (!is_resting(r, i))
			return i;
	return 0;
}

static void note_health(struct resolver *r, size_t server, enum slot_outcome outcome)
{
	struct health *h = &r->healths[server];

	if (outcome == SLOT_ANSWERED)
		h->silent = 0;
	else if (outcome == SLOT_TIMEOUT && h->silent < SILENT_MAX && ++h->silent == SILENT_MAX)
		h->rest_until_ms = loop_now_ms() + REST_MS;
}

/* False: every server has had its turns. */
static bool next_server(const struct resolver *r, struct question *q)
{
	do {
		if (++q->server < r->server_count)
			continue;
		q->server = 0;
		q->round++;
	} while (q->round < r->tries && q->answered >> q->server & 1);
	return q->round < r->tries;
}

static unsigned rcode_of(const uint8_t *message)
{
	return message[3] & 0x0f;
}

/* Nothing found, by a server that neither knows the name's zone nor asks others for us. */
static bool is_referral(const uint8_t *message)
{
	bool authoritative = message[2] & 0x04, recurses = message[3] & 0x80;

	return rcode_of(message) == RCODE_NOERROR && !authoritative && !recurses &&
	       message[6] == 0 && message[7] == 0;
}

/* Worth an end to the search: a whole answer to a query that says something about the name. */
static bool is_good(const struct slot_result *result)
{
	if (result->outcome != SLOT_ANSWERED || result->len < HEADER_SIZE)
		return false;
	bool answer = (result->message[2] & 0xfa) == 0x80; /* QR, opcode 0, not TC */
	unsigned rcode = rcode_of(result->message);
	return answer && (rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN) &&
	       !is_referral(result->message);
}

/* SERVFAIL says that somebody tried, and is better than a refusal; else the first counts. */
static void keep_poor(struct question *q, const struct slot_result *result)
{
	if (result->outcome != SLOT_ANSWERED || result->len < HEADER_SIZE)
		return;
	q->answered |= UINT64_C(1) << q->server;
	if (q->poor && (rcode_of(q->poor) == RCODE_SERVFAIL ||
			       rcode_of(result->message) != RCODE_SERVFAIL))
		return;
	free(q->poor);
	q->poor = xmemdup(result->message, result->len);
	q->poor_len = result->len;
	q->poor_server = q->server;
}

static void free_question(struct question *q)
{
	free(q->poor);
	free(q);
}

/* `message` NULL: with the best that there was. */
static void reply(struct resolver *r, struct question *q, const uint8_t *message, size_t len)
{
	struct resolver_reply reply = {
		.cookie = q->cookie,
		.status = RESOLVER_ANSWERED,
		.message = message,
		.len = len,
		.server = r->server_count ? r->server_texts[q->server] : "",
	};

	if (!message) {
		r->stats.failed++;
		reply.message = q->poor;
		reply.len = q->poor_len;
		if (q->poor)
			reply.server = r->server_texts[q->poor_server];
		else
			reply.status = RESOLVER_TIMEOUT;
	}
	r->fn(r->userdata, &reply);
	free_question(q);
}

/* --- the queue --- */

static void push(struct resolver *r, struct question *q)
{
	*r->last = q;
	r->last = &q->next;
	r->stats.waiting++;
}

static struct question *pop(struct resolver *r)
{
	struct question *q = r->first;

	r->first = q->next;
	if (!r->first)
		r->last = &r->first;
	q->next = NULL;
	r->stats.waiting--;
	return q;
}

static void dispatch(struct resolver *r)
{
	if (r->server_count == 0) {
		loop_timer_arm(r->nobody, 0);
		return;
	}
	while (r->first) {
		struct lane *l = take_lane(r);

		if (!l)
			break;
		l->question = pop(r);
		l->question->server = first_server(r);
		r->stats.in_flight++;
		ask(l);
	}
	if (r->first && !r->growing && r->stats.slots < SLOTS_MAX) {
		r->growing = true;
		loop_timer_arm(r->tend, GROW_MS);
	}
}

static void on_tend(void *userdata)
{
	struct resolver *r = userdata;

	if (r->growing && r->first) {
		size_t want = r->stats.slots + SLOTS_STEP;

		while (r->stats.slots < want && r->stats.slots < SLOTS_MAX)
			if (add_lane(r) < 0)
				break;
		r->growing = false;
		dispatch(r); /* and again, when this was not enough */
		if (r->growing)
			return;
	} else if (!r->growing) {
		while (r->idle && !r->first && r->stats.slots > SLOTS_START)
			remove_idle_lane(r);
	}
	r->growing = false;
	if (r->stats.slots > SLOTS_START)
		loop_timer_arm(r->tend, SHRINK_MS);
}

static void on_result(void *userdata, const struct slot_result *result)
{
	struct lane *l = userdata;
	struct resolver *r = l->resolver;
	struct question *q = l->question;
	bool good = is_good(result);

	if (result->tcp)
		r->stats.tcp++;
	note_health(r, q->server, result->outcome);
	if (!good) {
		size_t asked = q->server;

		keep_poor(q, result);
		if (next_server(r, q)) {
			ask(l);
			return;
		}
		q->server = asked;
	}
	/* Replying first: what it points to belongs to the slot. */
	l->question = NULL;
	r->stats.in_flight--;
	reply(r, q, good ? result->message : NULL, good ? result->len : 0);
	l->next_idle = r->idle;
	r->idle = l;
	dispatch(r);
}

static void on_nobody(void *userdata)
{
	struct resolver *r = userdata;

	/* Not those that a reply asks: they are for the next time. */
	for (size_t n = r->stats.waiting; n > 0; n--)
		reply(r, pop(r), NULL, 0);
}

void resolver_ask(struct resolver *r, const char *name, enum family family, void *cookie)
{
	size_t len = strlen(name);
	struct question *q = xcalloc(1, sizeof(*q) + len + 1);

	q->cookie = cookie;
	q->family = family;
	memcpy(q->name, name, len + 1);
	r->stats.lookups++;
	push(r, q);
	dispatch(r);
}

/* --- life --- */

static char *server_text(const struct config_server *s)
{
	char addr[ADDR_TEXT_SIZE];
	const char *scope_mark = s->scope[0] ? "%" : "";

	addr_format(&s->addr, addr);
	if (s->port == DNS_PORT)
		return xasprintf("%s%s%s", addr, scope_mark, s->scope);
	if (s->addr.family == FAMILY_V4)
		return xasprintf("%s:%u", addr, s->port);
	return xasprintf("[%s%s%s]:%u", addr, scope_mark, s->scope, s->port);
}

static void name_servers(struct resolver *r)
{
	_cleanup_(strbuf_done) struct strbuf list = STRBUF_NULL;

	r->server_texts = xcalloc(r->server_count + 1, sizeof(*r->server_texts));
	r->healths = xcalloc(r->server_count, sizeof(*r->healths));
	for (size_t i = 0; i < r->server_count; i++) {
		if (r->servers[i].port == 0)
			r->servers[i].port = DNS_PORT;
		r->server_texts[i] = server_text(&r->servers[i]);
		strbuf_appendf(&list, "%s%s", i ? ", " : "", r->server_texts[i]);
	}
	r->server_list = xstrdup(strbuf_text(&list));
}

static void probe_servers(struct resolver *r)
{
	for (size_t i = 0; i < r->server_count; i++)
		if (!slot_can_ask(r->idle->slot, &r->servers[i]))
			r->unreachable++;
}

static int take_servers(
	struct resolver *r, const struct config_resolver *config, const char *resolv_conf)
{
	if (config->server_count > SERVERS_MAX)
		return -E2BIG;
	if (config->server_count == 0)
		return resolv_conf_read(resolv_conf ? resolv_conf : "/etc/resolv.conf", &r->servers,
			&r->server_count, &r->skipped);
	r->servers = xreallocarray(NULL, config->server_count, sizeof(*r->servers));
	memcpy(r->servers, config->servers, config->server_count * sizeof(*r->servers));
	r->server_count = config->server_count;
	return 0;
}

int resolver_new(struct loop *l, const struct config_resolver *config, const char *resolv_conf,
	resolver_reply_fn fn, void *userdata, struct resolver **ret)
{
	struct resolver *r = xcalloc(1, sizeof(*r));

	r->loop = l;
	r->fn = fn;
	r->userdata = userdata;
	r->timeout_ms = config->timeout_ms;
	r->tries = config->tries;
	r->last = &r->first;
	r->tend = loop_timer_new(l, on_tend, r);
	r->nobody = loop_timer_new(l, on_nobody, r);
	int e = take_servers(r, config, resolv_conf);
	/* The first slot at once: where there can be none, it is known from the start. */
	if (e == 0)
		e = add_lane(r);
	if (e < 0) {
		resolver_free(r);
		return e;
	}
	name_servers(r);
	probe_servers(r);
	*ret = r;
	return 0;
}

size_t resolver_server_count(const struct resolver *r)
{
	return r->server_count;
}

size_t resolver_skipped_count(const struct resolver *r)
{
	return r->skipped + r->unreachable;
}

const char *resolver_server_list(const struct resolver *r)
{
	return r->server_list;
}

const struct resolver_stats *resolver_stats(const struct resolver *r)
{
	return &r->stats;
}

struct resolver *resolver_free(struct resolver *r)
{
	if (!r)
		return NULL;
	for (size_t i = 0; i < r->stats.slots; i++) {
		slot_free(r->lanes[i]->slot);
		if (r->lanes[i]->question)
			free_question(r->lanes[i]->question);
		free(r->lanes[i]);
	}
	while (r->first)
		free_question(pop(r));
	loop_timer_free(r->tend);
	loop_timer_free(r->nobody);
	if (r->server_texts)
		for (size_t i = 0; i < r->server_count; i++)
			free(r->server_texts[i]);
	free(r->server_texts);
	free(r->server_list);
	free(r->servers);
	free(r->healths);
	free(r);
	return NULL;
}
