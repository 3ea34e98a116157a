/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions wait for a slot; a slot takes one through a round over the servers, in their order,
 * until one gives an answer that is worth something. Silence costs a slot its whole deadline, so
 * that what met it stands behind what has not, and gets half of the slots. */
#include "edge/resolver.h"

#include "base/map.h"
#include "base/mem.h"
#include "edge/loop.h"
#include "edge/servers.h"
#include "edge/slot.h"

#include <string.h>

enum {
	SLOTS_START = 8,
	SLOTS_MAX = 64,
	SLOTS_STEP = 8,
	/* How long a queue may stand before there are more slots, and how long slots that are not
	 * needed stay: one is 76 kB. */
	GROW_MS = 5,
	SHRINK_MS = 10000,
	/* While others wait for their first query, one has a part of the deadline, and the whole
	 * in a later query. Seldom less than any server on the way takes. */
	HURRY_PART = 8,
	HURRY_MIN_MS = 100,
	SILENT_NAMES_MAX = 1 << 16,
	HEADER_SIZE = 12,
	RCODE_NOERROR = 0,
	RCODE_SERVFAIL = 2,
	RCODE_NXDOMAIN = 3,
};

/* Who waits, the first ones first. */
enum rank {
	RANK_FRESH,
	RANK_AGAIN,  /* met silence in this question's rounds */
	RANK_SILENT, /* met nothing else the last time: one round */
	RANK_COUNT,
};

struct queue {
	struct question *first, **last;
};

struct question {
	struct question *next;
	void *cookie;
	enum family family;
	enum rank rank;
	unsigned round;
	size_t server, asked; /* to be asked in this round; asked last */
	bool begun, hurried;
	bool cut;            /* a hurried query had no answer: the round does not count */
	bool silent;         /* one with all its time had none */
	uint64_t give_up_ms; /* when it waits again */
	uint64_t answered;   /* servers that gave an answer, if a poor one: not asked again */
	uint8_t *poor;       /* the best of those */
	size_t poor_len, poor_server;
	char *name; /* the key's second part */
	size_t key_len;
	char key[];
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
	struct servers servers;
	size_t unreachable;
	uint32_t timeout_ms, hurry_ms;
	unsigned tries;
	uint64_t patience_ms; /* of who waits again */
	struct queue queues[RANK_COUNT];
	size_t slow;       /* in flight from others than the first rank */
	struct map silent; /* keys of questions that ended in silence: the same text, owned */
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
	q->asked = q->server;
	slot_ask(l->slot, &r->servers.items[q->server], q->name, q->family,
		q->hurried ? r->hurry_ms : r->timeout_ms);
}

/* Where a question begins; when all rest, at the first as ever. */
static size_t first_server(struct resolver *r, const struct question *q)
{
	size_t first = r->servers.count;
	/* What was in vain the last time as well is no way to learn that a server is back. */
	bool tries = q->rank != RANK_SILENT;

	for (size_t i = first; i-- > 0;)
		if (!(q->answered >> i & 1))
			first = i;
	for (size_t i = first; i < r->servers.count; i++)
		if (!(q->answered >> i & 1) && !servers_is_resting(&r->servers, i, tries))
			return i;
	return first;
}

/* Of silence, only what says more about the server than about the name or our haste. */
static void note_health(struct resolver *r, const struct question *q, enum slot_outcome outcome)
{
	if (outcome == SLOT_ANSWERED)
		servers_note_answer(&r->servers, q->asked);
	else if (outcome == SLOT_TIMEOUT && !q->hurried && q->rank != RANK_SILENT)
		servers_note_silence(&r->servers, q->asked);
}

/* False: every server has had its turns. */
static bool next_server(const struct resolver *r, struct question *q)
{
	do {
		if (++q->server < r->servers.count)
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

static void forget_silent(struct resolver *r, const struct question *q)
{
	free(map_remove(&r->silent, q->key, q->key_len));
}

static void forget_all_silent(struct resolver *r)
{
	char *key;

	for (size_t at = 0; (key = map_next(&r->silent, &at));)
		free(key);
	map_done(&r->silent);
	r->silent = MAP_NULL;
}

/* Names that nobody asks for any more are never forgotten one by one. */
static void remember_silent(struct resolver *r, const struct question *q)
{
	char *key = xmemdup(q->key, q->key_len);

	if (r->silent.count >= SILENT_NAMES_MAX)
		forget_all_silent(r);
	free(map_put(&r->silent, key, q->key_len, key));
}

/* `message` NULL: with the best that there was. */
static void reply(struct resolver *r, struct question *q, const uint8_t *message, size_t len)
{
	struct resolver_reply reply = {
		.cookie = q->cookie,
		.status = RESOLVER_ANSWERED,
		.message = message,
		.len = len,
		.server = r->servers.count ? r->servers.texts[q->asked] : "",
	};

	if (!message && q->silent)
		remember_silent(r, q);
	else if (message || !q->cut)
		forget_silent(r, q);
	if (!message) {
		r->stats.failed++;
		reply.message = q->poor;
		reply.len = q->poor_len;
		if (q->poor)
			reply.server = r->servers.texts[q->poor_server];
		else
			reply.status = RESOLVER_TIMEOUT;
	}
	r->fn(r->userdata, &reply);
	free_question(q);
}

/* --- the queues --- */

static void push(struct resolver *r, struct question *q)
{
	struct queue *queue = &r->queues[q->rank];

	*queue->last = q;
	queue->last = &q->next;
	r->stats.waiting++;
}

static struct question *pop(struct resolver *r, enum rank rank)
{
	struct queue *queue = &r->queues[rank];
	struct question *q = queue->first;

	queue->first = q->next;
	if (!queue->first)
		queue->last = &queue->first;
	q->next = NULL;
	r->stats.waiting--;
	return q;
}

static bool has_room(const struct resolver *r, enum rank rank)
{
	/* Slots to start with are made as they are needed. */
	size_t slots = r->stats.slots < SLOTS_START ? SLOTS_START : r->stats.slots;

	return rank == RANK_FRESH || r->slow < slots / 2;
}

/* RANK_COUNT: nobody may go. */
static enum rank next_rank(const struct resolver *r)
{
	enum rank rank = RANK_FRESH;

	while (rank < RANK_COUNT && !(r->queues[rank].first && has_room(r, rank)))
		rank++;
	return rank;
}

static void begin(struct resolver *r, struct question *q)
{
	if (q->begun)
		return;
	q->begun = true;
	q->hurried =
		q->rank == RANK_FRESH && r->queues[RANK_FRESH].first && r->hurry_ms < r->timeout_ms;
	if (q->rank == RANK_SILENT)
		q->round = r->tries - 1;
	q->server = first_server(r, q);
}

static void dispatch(struct resolver *r)
{
	enum rank rank;

	if (r->servers.count == 0) {
		loop_timer_arm(r->nobody, 0);
		return;
	}
	while ((rank = next_rank(r)) < RANK_COUNT) {
		struct lane *l = take_lane(r);

		if (!l)
			break;
		l->question = pop(r, rank);
		r->stats.in_flight++;
		r->slow += rank != RANK_FRESH;
		begin(r, l->question);
		ask(l);
	}
	if (r->stats.waiting && !r->growing && r->stats.slots < SLOTS_MAX) {
		r->growing = true;
		loop_timer_arm(r->tend, GROW_MS);
	}
}

/* What had a query, and has waited for another for too long. */
static void give_up_old(struct resolver *r)
{
	const struct question *q;

	while ((q = r->queues[RANK_AGAIN].first) && loop_now_ms() >= q->give_up_ms)
		reply(r, pop(r, RANK_AGAIN), NULL, 0);
}

static void on_tend(void *userdata)
{
	struct resolver *r = userdata;

	if (r->growing && r->stats.waiting) {
		size_t want = r->stats.slots + SLOTS_STEP;

		while (r->stats.slots < want && r->stats.slots < SLOTS_MAX)
			if (add_lane(r) < 0)
				break;
		r->growing = false;
		dispatch(r); /* and again, when this was not enough */
		if (r->growing)
			return;
	} else if (!r->growing) {
		while (r->idle && r->stats.slots > SLOTS_START && r->stats.slots > 2 * r->slow)
			remove_idle_lane(r);
	}
	r->growing = false;
	if (r->stats.slots > SLOTS_START)
		loop_timer_arm(r->tend, SHRINK_MS);
}

enum next {
	NEXT_NOW,   /* in the same slot */
	NEXT_AGAIN, /* in a slot for those that meet silence */
	NEXT_NEVER,
};

static enum next plan_next(const struct resolver *r, struct question *q)
{
	unsigned round = q->round;
	bool more = next_server(r, q);

	if (q->round == round)
		return NEXT_NOW;
	if (q->cut) {
		q->begun = q->cut = q->hurried = false;
		q->round = 0;
		return NEXT_AGAIN;
	}
	if (!more)
		return NEXT_NEVER;
	return q->silent && q->rank == RANK_FRESH ? NEXT_AGAIN : NEXT_NOW;
}

static void wait_again(struct resolver *r, struct question *q)
{
	q->rank = RANK_AGAIN;
	q->give_up_ms = loop_now_ms() + r->patience_ms;
	push(r, q);
}

static void note_silence(struct question *q)
{
	if (q->hurried)
		q->cut = true;
	else
		q->silent = true;
}

static void on_result(void *userdata, const struct slot_result *result)
{
	struct lane *l = userdata;
	struct resolver *r = l->resolver;
	struct question *q = l->question;
	enum rank rank = q->rank;
	bool good = is_good(result);
	enum next next = NEXT_NEVER;

	if (result->tcp)
		r->stats.tcp++;
	note_health(r, q, result->outcome);
	if (!good) {
		keep_poor(q, result);
		if (result->outcome == SLOT_TIMEOUT)
			note_silence(q);
		next = plan_next(r, q);
	}
	if (next == NEXT_NOW) {
		ask(l);
		return;
	}
	l->question = NULL;
	r->stats.in_flight--;
	r->slow -= rank != RANK_FRESH;
	/* Replying first: what it points to belongs to the slot. */
	if (next == NEXT_AGAIN)
		wait_again(r, q);
	else
		reply(r, q, good ? result->message : NULL, good ? result->len : 0);
	l->next_idle = r->idle;
	r->idle = l;
	give_up_old(r);
	dispatch(r);
}

static void on_nobody(void *userdata)
{
	struct resolver *r = userdata;

	/* Not those that a reply asks: they are for the next time. */
	for (size_t n = r->stats.waiting; n > 0; n--)
		reply(r, pop(r, RANK_FRESH), NULL, 0);
}

void resolver_ask(struct resolver *r, const char *name, enum family family, void *cookie)
{
	size_t len = strlen(name);
	struct question *q = xcalloc(1, sizeof(*q) + 1 + len + 1);

	q->cookie = cookie;
	q->family = family;
	q->key_len = 1 + len;
	q->key[0] = family == FAMILY_V4 ? '4' : '6';
	q->name = q->key + 1;
	memcpy(q->name, name, len + 1);
	q->rank = map_get(&r->silent, q->key, q->key_len) ? RANK_SILENT : RANK_FRESH;
	r->stats.lookups++;
	push(r, q);
	dispatch(r);
}

/* --- life --- */

static void probe_servers(struct resolver *r)
{
	for (size_t i = 0; i < r->servers.count; i++)
		if (!slot_can_ask(r->idle->slot, &r->servers.items[i]))
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
	for (enum rank rank = 0; rank < RANK_COUNT; rank++)
		r->queues[rank].last = &r->queues[rank].first;
	r->tend = loop_timer_new(l, on_tend, r);
	r->nobody = loop_timer_new(l, on_nobody, r);
	int e = servers_read(config, resolv_conf, &r->servers);
	/* The first slot at once: where there can be none, it is known from the start. */
	if (e == 0)
		e = add_lane(r);
	if (e < 0) {
		resolver_free(r);
		return e;
	}
	probe_servers(r);
	r->patience_ms = (uint64_t)r->tries * r->servers.count * r->timeout_ms;
	*ret = r;
	return 0;
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
	/* Other servers may know more. */
	if (strcmp(to->servers.list, from->servers.list) != 0)
		return;
	forget_all_silent(to);
	to->silent = from->silent;
	from->silent = MAP_NULL;
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
	for (enum rank rank = 0; rank < RANK_COUNT; rank++)
		while (r->queues[rank].first)
			free_question(pop(r, rank));
	forget_all_silent(r);
	loop_timer_free(r->tend);
	loop_timer_free(r->nobody);
	servers_done(&r->servers);
	free(r);
	return NULL;
}
