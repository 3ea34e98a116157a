/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions wait for a slot; a slot takes one through a round over the servers, in their order,
 * until one gives an answer that is worth something. Silence costs a slot its whole deadline, so
 * that what met it stands behind what has not, and gets half of the slots. */
#include "edge/resolver.h"

#include "base/mem.h"
#include "edge/loop.h"
#include "edge/resolver_private.h"

#include <string.h>

enum {
	/* How long a queue may stand before there are more slots, and how long slots that are not
	 * needed stay: one is 76 kB. */
	GROW_MS = 5,
	SHRINK_MS = 10000,
	/* While others wait for their first query, one has a part of the deadline, and the whole
	 * in a later query. Seldom less than any server on the way takes. */
	HURRY_PART = 8,
	HURRY_MIN_MS = 100,
};

/* --- one question --- */

static void ask(struct lane *l)
{
	struct resolver *r = l->owner;
	struct question *q = l->question;

	r->stats.queries++;
	q->asked = q->server;
	q->asked_ms = loop_now_ms();
	servers_note_asked(&r->servers, q->server, q->asked_ms);
	if (q->hurried && server_health_take_time(&r->servers.healths[q->server]))
		q->hurried = false;
	q->edns = !(q->plain >> q->server & 1) &&
		  server_edns_take(&r->servers.edns[q->server], q->asked_ms);
	slot_ask(l->slot, &r->servers.items[q->server], q->name, q->family, q->edns,
		q->hurried ? r->hurry_ms : r->timeout_ms);
}

void resolver_tell_news(struct resolver *r, size_t server)
{
	const struct servers *s = &r->servers;
	bool alone = servers_all_rest(s, UINT64_C(1) << server);
	enum server_news_kind kind =
		server_news_look(&s->news[server], &s->healths[server], alone, loop_now_ms());

	if (kind == SERVER_NEWS_NONE || !r->news_fn)
		return;
	r->news_fn(r->userdata, &(struct resolver_news){
					.kind = kind == SERVER_NEWS_BACK ? RESOLVER_SERVER_BACK
									 : RESOLVER_SERVER_FAILING,
					.server = s->texts[server],
					.outcome = s->healths[server].outcome,
					.failing_ms = s->news[server].failing_ms,
				});
}

static void note_unmatched(struct resolver *r, size_t server, uint64_t count)
{
	struct server_unmatched *u = &r->servers.unmatched[server];

	if (!server_unmatched_note(u, count, loop_now_ms()) || !r->news_fn)
		return;
	r->news_fn(r->userdata, &(struct resolver_news){
					.kind = RESOLVER_SERVER_UNMATCHED,
					.server = r->servers.texts[server],
					.outcome = r->servers.healths[server].outcome,
					.unmatched = u->lately,
				});
}

/* Of silence, only what says more about the server than about the name or our haste. */
static void note_health(struct resolver *r, const struct question *q, enum server_outcome outcome)
{
	if (outcome == SERVER_SILENT && q->hurried)
		server_health_note_hasty(&r->servers.healths[q->asked]);
	if (outcome == SERVER_SILENT && !q->probe && (q->hurried || q->rank == RANK_SILENT))
		return;
	if (outcome == SERVER_SILENT)
		server_edns_note_silence(&r->servers.edns[q->asked], q->edns, q->asked_ms);
	server_health_note(&r->servers.healths[q->asked], outcome, loop_now_ms());
	resolver_tell_news(r, q->asked);
}

/* False: it is to be asked the same without EDNS. */
static bool note_edns(struct resolver *r, struct question *q, const struct slot_result *result)
{
	if (result->outcome != SLOT_ANSWERED)
		return true;
	struct server_reply reply = server_reply_judge(result->message, result->len);
	server_edns_note(&r->servers.edns[q->asked], q->edns, &reply, loop_now_ms());
	if (!q->edns || !reply.no_edns)
		return true;
	q->plain |= UINT64_C(1) << q->asked;
	return false;
}

void resolver_push(struct resolver *r, struct question *q)
{
	queue_push(&r->queues[q->rank], q);
	r->stats.waiting++;
}

/* It was about to be asked. */
static void push_first(struct resolver *r, struct question *q)
{
	queue_push_front(&r->queues[q->rank], q);
	r->stats.waiting++;
}

bool resolver_is_hurried(const struct resolver *r, const struct question *q)
{
	/* With a rate, it is not for slots that they wait. */
	return q->rank == RANK_FRESH && r->queues[RANK_FRESH].first && !r->max_rate &&
	       r->hurry_ms < r->timeout_ms;
}

/* --- the queues --- */

static struct question *pop(struct resolver *r, enum rank rank)
{
	r->stats.waiting--;
	return queue_pop(&r->queues[rank]);
}

static bool has_room(const struct resolver *r, enum rank rank)
{
	/* Slots to start with are made as they are needed. */
	size_t slots = r->lanes.count < LANES_START ? LANES_START : r->lanes.count;

	return rank == RANK_FRESH || r->slow < slots / 2;
}

/* May its server take one more? If not for its rate, `wait_ms` is no longer than it takes. */
static bool can_go(const struct resolver *r, const struct question *q, uint64_t *wait_ms)
{
	uint64_t now_ms = loop_now_ms();

	if (q->every || poll_can_spare(q, &r->servers))
		return true;
	size_t server = q->begun ? q->server : question_first_server(q, &r->servers);
	if (servers_can_take(&r->servers, server, now_ms))
		return true;
	uint64_t token_ms = token_bucket_wait_ms(&r->servers.buckets[server], now_ms);
	if (token_ms && token_ms < *wait_ms)
		*wait_ms = token_ms;
	return false;
}

/* RANK_COUNT: nobody may go. Behind one that may not, nobody of its rank may, so that the order
 * stays. It goes on with the end of another question, or in time. */
static enum rank next_rank(struct resolver *r)
{
	uint64_t wait_ms = UINT64_MAX;
	enum rank rank = RANK_FRESH;

	r->paced = false;
	for (; rank < RANK_COUNT; rank++) {
		if (!r->queues[rank].first || !has_room(r, rank))
			continue;
		if (can_go(r, r->queues[rank].first, &wait_ms))
			break;
		r->paced = true;
	}
	if (wait_ms != UINT64_MAX)
		loop_timer_arm(r->pace, wait_ms);
	return rank;
}

static void begin(struct resolver *r, struct question *q)
{
	if (q->begun)
		return;
	q->begun = true;
	q->hurried = resolver_is_hurried(r, q);
	if (q->rank == RANK_SILENT)
		q->round = r->tries - 1;
	q->server = question_first_server(q, &r->servers);
}

static void dispatch(struct resolver *r)
{
	enum rank rank;

	if (r->servers.count == 0) {
		loop_timer_arm(r->later, 0);
		return;
	}
	while ((rank = next_rank(r)) < RANK_COUNT) {
		const struct question *q = r->queues[rank].first;

		if (q->every) {
			resolver_begin_poll(r, pop(r, rank));
			continue;
		}
		if (poll_can_spare(q, &r->servers)) {
			queue_push(&r->over, pop(r, rank));
			loop_timer_arm(r->later, 0);
			continue;
		}
		struct lane *l = lanes_take(&r->lanes);

		if (!l)
			break;
		l->question = pop(r, rank);
		r->stats.in_flight++;
		r->slow += rank != RANK_FRESH;
		begin(r, l->question);
		ask(l);
	}
	r->stats.slots = r->lanes.count;
	if (r->stats.waiting && !r->paced && !r->growing && r->lanes.count < LANES_MAX) {
		r->growing = true;
		loop_timer_arm(r->tend, GROW_MS);
	}
}

/* What had a query, and has waited for another for too long, or for nothing. */
static void give_up_old(struct resolver *r)
{
	const struct question *q;

	while ((q = r->queues[RANK_AGAIN].first) &&
		(loop_now_ms() >= q->give_up_ms || poll_can_spare(q, &r->servers)))
		resolver_finish(r, pop(r, RANK_AGAIN), NULL, 0);
}

static void on_tend(void *userdata)
{
	struct resolver *r = userdata;

	if (r->growing && r->stats.waiting) {
		size_t want = r->lanes.count + LANES_STEP;

		while (r->lanes.count < want && lanes_add(&r->lanes) == 0)
			;
		r->growing = false;
		dispatch(r); /* and again, when this was not enough */
		if (r->growing)
			return;
	} else if (!r->growing) {
		while (r->lanes.count > LANES_START && r->lanes.count > 2 * r->slow)
			if (!lanes_remove_idle(&r->lanes))
				break;
	}
	r->growing = false;
	r->stats.slots = r->lanes.count;
	if (r->lanes.count > LANES_START)
		loop_timer_arm(r->tend, SHRINK_MS);
}

static void wait_again(struct resolver *r, struct question *q)
{
	uint64_t turns_ms = r->max_rate ? r->stats.waiting * UINT64_C(1000) / r->max_rate : 0;

	q->rank = RANK_AGAIN;
	q->give_up_ms = loop_now_ms() + turns_ms + r->patience_ms;
	resolver_push(r, q);
}

static enum server_outcome outcome_of(const struct slot_result *result)
{
	switch (result->outcome) {
	case SLOT_ANSWERED:
		return server_reply_judge(result->message, result->len).outcome;
	case SLOT_UNREACHABLE:
		return SERVER_UNREACHABLE;
	case SLOT_TIMEOUT:
	case SLOT_FAILED:
		break;
	}
	return SERVER_SILENT;
}

/* Anything but a good answer. */
static enum next note_poor(struct resolver *r, struct question *q, enum server_outcome outcome,
	const struct slot_result *result)
{
	if (result->outcome == SLOT_ANSWERED && result->len)
		question_keep_poor(q, outcome, result->message, result->len);
	if (result->outcome == SLOT_TIMEOUT)
		question_note_silence(q);
	return question_next(q, &r->servers, r->tries);
}

static void on_result(void *userdata, const struct slot_result *result)
{
	struct lane *l = userdata;
	struct resolver *r = l->owner;
	struct question *q = l->question;
	enum rank rank = q->rank;
	enum server_outcome outcome = outcome_of(result);
	enum next next = NEXT_NOW;
	bool good = outcome == SERVER_GOOD;

	if (result->tcp)
		r->stats.tcp++;
	servers_note_over(&r->servers, q->asked);
	note_unmatched(r, q->asked, result->unmatched);
	if (note_edns(r, q, result)) {
		if (result->outcome != SLOT_FAILED)
			note_health(r, q, outcome);
		next = good ? NEXT_NEVER : note_poor(r, q, outcome, result);
	}
	if (next == NEXT_NOW && servers_can_take(&r->servers, q->server, loop_now_ms())) {
		ask(l);
		dispatch(r); /* the server before may have room */
		return;
	}
	r->stats.in_flight--;
	r->slow -= rank != RANK_FRESH;
	/* Telling first: what it points to belongs to the slot. */
	if (next == NEXT_NOW)
		push_first(r, q);
	else if (next == NEXT_AGAIN)
		wait_again(r, q);
	else
		resolver_finish(r, q, good ? result->message : NULL, good ? result->len : 0);
	lanes_give_back(&r->lanes, l);
	give_up_old(r);
	dispatch(r);
}

static void on_later(void *userdata)
{
	struct resolver *r = userdata;

	while (r->over.first)
		resolver_finish(r, queue_pop(&r->over), NULL, 0);
	if (r->servers.count > 0) {
		dispatch(r);
		return;
	}
	/* Not those that a reply asks: they are for the next time. */
	for (size_t n = r->stats.waiting; n > 0; n--)
		resolver_finish(r, pop(r, RANK_FRESH), NULL, 0);
}

void resolver_ask(struct resolver *r, const char *name, enum family family,
	enum resolver_breadth breadth, void *cookie)
{
	struct question *q = question_new(name, family, cookie);

	q->every = breadth == RESOLVER_EVERY;

	q->rank = silent_names_has(&r->silent, q) ? RANK_SILENT : RANK_FRESH;
	r->stats.lookups++;
	resolver_push(r, q);
	dispatch(r);
}

/* --- life --- */

static void probe_servers(struct resolver *r)
{
	for (size_t i = 0; i < r->servers.count; i++)
		if (!slot_can_ask(r->lanes.idle->slot, &r->servers.items[i]))
			r->unreachable++;
}

int resolver_new(struct loop *l, const struct config_resolver *config, const char *resolv_conf,
	resolver_reply_fn fn, void *userdata, struct resolver **ret)
{
	struct resolver *r = xcalloc(1, sizeof(*r));

	r->loop = l;
	r->fn = fn;
	r->userdata = userdata;
	r->timeout_ms = config->timeout_ms;
	r->hurry_ms = r->timeout_ms / HURRY_PART;
	if (r->hurry_ms < HURRY_MIN_MS)
		r->hurry_ms = HURRY_MIN_MS;
	r->tries = config->tries;
	r->max_rate = config->max_rate;
	for (enum rank rank = 0; rank < RANK_COUNT; rank++)
		queue_init(&r->queues[rank]);
	lanes_init(&r->lanes, l, &config->source, on_result, r);
	r->tend = loop_timer_new(l, on_tend, r);
	queue_init(&r->over);
	r->later = loop_timer_new(l, on_later, r);
	r->pace = loop_timer_new(l, on_later, r);
	int e = servers_read(config, resolv_conf, loop_now_ms(), &r->servers);
	/* The first slot at once: where there can be none, it is known from the start. */
	if (e == 0)
		e = lanes_add(&r->lanes);
	if (e < 0) {
		resolver_free(r);
		return e;
	}
	r->stats.slots = r->lanes.count;
	probe_servers(r);
	r->patience_ms = (uint64_t)r->tries * r->servers.count * r->timeout_ms;
	*ret = r;
	return 0;
}

void resolver_watch_servers(struct resolver *r, resolver_news_fn fn)
{
	r->news_fn = fn;
}

size_t resolver_server_count(const struct resolver *r)
{
	return r->servers.count;
}

size_t resolver_skipped_count(const struct resolver *r)
{
	return r->servers.skipped + r->unreachable;
}

const char *resolver_server_list(const struct resolver *r)
{
	return r->servers.list;
}

void resolver_server(const struct resolver *r, size_t i, struct resolver_server *ret)
{
	const struct server_health *h = &r->servers.healths[i];

	*ret = (struct resolver_server){
		.text = r->servers.texts[i],
		.addr = r->servers.items[i].addr,
		.state = server_health_state(h),
		.outcome = h->outcome,
		.failing_ms = h->failing_ms,
		.good_ms = h->good_ms,
		.plain = r->servers.edns[i].again_ms,
		.unmatched = r->servers.unmatched[i].count,
	};
	/* They are asked all the same. */
	if (ret->state == SERVER_RESTING && servers_all_rest(&r->servers, 0))
		ret->state = SERVER_FAILING;
}

const struct resolver_stats *resolver_stats(const struct resolver *r)
{
	return &r->stats;
}

void resolver_carry(struct resolver *to, struct resolver *from)
{
	if (!from)
		return;
	to->stats.lookups += from->stats.lookups;
	to->stats.failed += from->stats.failed;
	to->stats.queries += from->stats.queries;
	to->stats.tcp += from->stats.tcp;
	servers_carry(&to->servers, &from->servers);
	/* Other servers may know more. */
	if (strcmp(to->servers.list, from->servers.list) != 0)
		return;
	silent_names_done(&to->silent);
	to->silent = from->silent;
	from->silent = MAP_NULL;
}

struct resolver *resolver_free(struct resolver *r)
{
	if (!r)
		return NULL;
	lanes_done(&r->lanes);
	for (enum rank rank = 0; rank < RANK_COUNT; rank++)
		while (r->queues[rank].first)
			question_free(pop(r, rank));
	silent_names_done(&r->silent);
	loop_timer_free(r->tend);
	while (r->over.first)
		question_free(queue_pop(&r->over));
	loop_timer_free(r->later);
	loop_timer_free(r->pace);
	servers_done(&r->servers);
	free(r);
	return NULL;
}
