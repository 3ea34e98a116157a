/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names that are asked for, and when. Two heaps hold what falls due: questions, and ends of
 * linger; so a tick costs what is due, and the next one is known at once. */
#include "core/names.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "core/backoff.h"
#include "core/lifetimes.h"
#include "core/limits.h"

#include <string.h>

/* splitmix64: jitter wants no secrecy. */
static uint64_t draw(struct names *n)
{
	uint64_t z = n->random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Late, never early: a cache would give the old answer once more. */
static uint64_t with_jitter(struct names *n, uint64_t delay_ms)
{
	uint64_t most_ms = delay_ms / 20;

	if (most_ms > NAMES_JITTER_MAX_MS)
		most_ms = NAMES_JITTER_MAX_MS;
	return delay_ms + draw(n) % (most_ms + 1);
}

static uint64_t clamped_ms(const struct config_bounds *b, uint32_t ttl_s)
{
	uint32_t max_s = b->refresh_max_s;

	if (b->revoke_within_s && b->revoke_within_s < max_s)
		max_s = b->revoke_within_s;
	if (ttl_s < b->refresh_min_s)
		ttl_s = b->refresh_min_s;
	if (ttl_s > max_s)
		ttl_s = max_s;
	return ttl_s * UINT64_C(1000);
}

static uint64_t retry_ms(struct names *n, const struct name_family *f)
{
	unsigned nth = f->failed[f->outcome];
	uint64_t least_ms = backoff_least_ms(f->outcome, nth);

	return least_ms + draw(n) % (backoff_most_ms(f->outcome, nth) - least_ms + 1);
}

static void note_failure(struct name_family *f)
{
	f->failures++;
	if (f->failed[f->outcome] < UINT8_MAX)
		f->failed[f->outcome]++;
}

static void note_no_failure(struct name_family *f)
{
	f->failures = 0;
	memset(f->failed, 0, sizeof(f->failed));
}

void names_init(struct names *n, uint64_t seed)
{
	*n = (struct names){.random_state = seed};
}

static void family_done(struct name_family *f)
{
	free(f->addresses);
	free(f->chain);
	free(f->server);
}

void names_done(struct names *n)
{
	struct name *name;

	heap_done(&n->asks);
	heap_done(&n->leaves);
	for (size_t at = 0; (name = map_next(&n->by_text, &at));) {
		for (int i = 0; i < FAMILY_COUNT; i++)
			family_done(&name->families[i]);
		free(name->text);
		free(name);
	}
	map_done(&n->by_text);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void merge_linger(struct name *name, int64_t linger_s)
{
	int64_t *own = &name->bounds.linger_s;

	if (*own >= 0 && linger_s >= 0) {
		if (linger_s > *own)
			*own = linger_s;
		return;
	}
	/* One takes the default, whose length only the TTLs will tell. */
	int64_t explicit_s = *own > linger_s ? *own : linger_s;
	if (explicit_s > (int64_t)name->linger_least_s)
		name->linger_least_s = (uint32_t)explicit_s;
	*own = -1;
}

static void merge_bounds(struct name *name, const struct config_bounds *b)
{
	struct config_bounds *own = &name->bounds;

	own->refresh_min_s = smaller(own->refresh_min_s, b->refresh_min_s);
	own->refresh_max_s = smaller(own->refresh_max_s, b->refresh_max_s);
	if (!own->revoke_within_s)
		own->revoke_within_s = b->revoke_within_s;
	else if (b->revoke_within_s)
		own->revoke_within_s = smaller(own->revoke_within_s, b->revoke_within_s);
	if (!own->stale_max_s || (b->stale_max_s && b->stale_max_s < own->stale_max_s))
		own->stale_max_s = b->stale_max_s;
	if (b->addresses_max > own->addresses_max)
		own->addresses_max = b->addresses_max;
	merge_linger(name, b->linger_s);
}

struct name *names_add(
	struct names *n, const char *text, const struct config_bounds *bounds, uint64_t now_ms)
{
	struct name *name = names_find(n, text);

	if (name) {
		merge_bounds(name, bounds);
		return name;
	}
	name = xcalloc(1, sizeof(*name));
	name->text = xstrdup(text);
	name->bounds = *bounds;
	for (int i = 0; i < FAMILY_COUNT; i++) {
		struct name_family *f = &name->families[i];
		f->name = name;
		f->family = (enum family)i;
		heap_set(&n->asks, &f->ask, now_ms);
	}
	map_put(&n->by_text, name->text, strlen(name->text), name);
	return name;
}

struct name *names_find(const struct names *n, const char *text)
{
	return map_get(&n->by_text, text, strlen(text));
}

struct name *names_next(const struct names *n, size_t *at)
{
	return map_next(&n->by_text, at);
}

/* Puts the family into `leaves` for the first of its addresses that lingers, or takes it out. */
static void set_leave(struct names *n, struct name_family *f)
{
	uint64_t next_ms = lifetimes_next_ms(f);

	if (next_ms == UINT64_MAX)
		heap_remove(&n->leaves, &f->leave);
	else
		heap_set(&n->leaves, &f->leave, next_ms);
}

static void move_family(struct names *n, struct name_family *to, struct names *old,
	struct name_family *from, uint64_t now_ms)
{
	struct name *name = to->name;
	bool under_way = from->in_flight;
	uint64_t due_ms = heap_has(&from->ask) ? from->ask.due_ms : now_ms;

	heap_remove(&n->asks, &to->ask);
	heap_remove(&n->leaves, &to->leave);
	heap_remove(&old->asks, &from->ask);
	heap_remove(&old->leaves, &from->leave);
	family_done(to);
	*to = *from;
	to->name = name;
	to->in_flight = to->ask_again = false;
	*from = (struct name_family){.name = from->name, .family = from->family};

	/* The new bounds count from the last answer on; but nobody waits longer than before. */
	uint64_t limit_ms = now_ms + clamped_ms(&name->bounds, UINT32_MAX);
	if (to->asked && to->outcome == ANSWER_OK)
		limit_ms = to->asked_ms + clamped_ms(&name->bounds, to->ttl_s);
	if (due_ms > limit_ms + NAMES_JITTER_MAX_MS)
		due_ms = limit_ms > now_ms ? limit_ms : now_ms;
	heap_set(&n->asks, &to->ask, under_way ? now_ms : due_ms);
	lifetimes_relinger(to, now_ms);
	set_leave(n, to);
}

void names_carry_over(struct names *n, struct names *old, uint64_t now_ms)
{
	struct name *from;

	for (size_t at = 0; (from = names_next(old, &at));) {
		struct name *to = names_find(n, from->text);
		for (int i = 0; to && i < FAMILY_COUNT; i++)
			move_family(n, &to->families[i], old, &from->families[i], now_ms);
	}
}

uint64_t names_next_ms(const struct names *n)
{
	const struct heap_item *ask = heap_first(&n->asks), *leave = heap_first(&n->leaves);
	uint64_t next_ms = ask ? ask->due_ms : UINT64_MAX;

	return leave && leave->due_ms < next_ms ? leave->due_ms : next_ms;
}

struct name_family *names_take_due(struct names *n, uint64_t now_ms)
{
	struct heap_item *item = heap_first(&n->asks);

	if (!item || item->due_ms > now_ms)
		return NULL;
	heap_remove(&n->asks, item);
	struct name_family *f = CONTAINER_OF(item, struct name_family, ask);
	f->in_flight = true;
	f->sent_ms = now_ms;
	return f;
}

void names_ask_now(struct names *n, struct name_family *f, uint64_t now_ms)
{
	if (f->in_flight)
		f->ask_again = true;
	else if (f->ask.due_ms > now_ms)
		heap_set(&n->asks, &f->ask, now_ms);
}

static struct name_family *other_family(const struct name_family *f)
{
	return &f->name->families[f->family == FAMILY_V4 ? FAMILY_V6 : FAMILY_V4];
}

static bool has_outcome(const struct name_family *f, enum answer_outcome outcome)
{
	return f->asked && f->outcome == outcome;
}

static void set_text(char **text, const char *value)
{
	if (str_eq(*text, value))
		return;
	free(*text);
	*text = value ? xstrdup(value) : NULL;
}

static void note_chain(struct name_family *f, const struct answer *a)
{
	struct strbuf b = STRBUF_NULL;

	for (size_t i = 0; i < a->chain_len; i++) {
		if (i)
			strbuf_append(&b, " -> ");
		strbuf_append(&b, a->chain[i]);
	}
	set_text(&f->chain, b.len ? strbuf_text(&b) : NULL);
	strbuf_done(&b);
}

static void apply_addresses(struct names *n, struct name_family *f, const struct answer *a,
	uint64_t now_ms, struct name_changes *changes)
{
	uint32_t ttl_max_s = a->ttl_s;

	for (size_t i = 0; i < a->count; i++) {
		if (a->addresses[i].ttl_s > ttl_max_s)
			ttl_max_s = a->addresses[i].ttl_s;
	}
	lifetimes_note_ttl(f, ttl_max_s, now_ms);
	size_t from = changes->count;
	lifetimes_merge(f, a, now_ms, changes);
	limits_fit_name(f, from, now_ms, changes);
	set_leave(n, f);
	note_chain(f, a);
	f->answered = true;
	f->whole = f->whole || !a->partial;
	f->answered_ms = now_ms;
	f->ttl_s = a->ttl_s;
	note_no_failure(f);
	f->negatives = NEGATIVES_NULL;
}

/* For how long it is not to be asked again. Sooner would be a repetition out of a cache. */
static uint64_t apply_denial(struct names *n, struct name_family *f, const struct answer *a,
	uint64_t now_ms, struct name_changes *changes)
{
	uint32_t ttl_s = negatives_ttl_s(a->ttl_s, f->name->bounds.refresh_min_s);
	bool counts = a->outcome != ANSWER_OK && a->of_all && !a->partial;

	note_no_failure(f);
	if (counts && negatives_note(&f->negatives, ttl_s, f->sent_ms, now_ms)) {
		lifetimes_deny(f, f->negatives.first_ms, now_ms, changes);
		set_leave(n, f);
	}
	return ttl_s * UINT64_C(1000);
}

static void note_health(struct name_family *f, uint64_t now_ms)
{
	struct name_family *other = other_family(f);
	bool failing = f->outcome != ANSWER_OK;

	if (f->outcome == ANSWER_NODATA)
		failing = f->answered && !has_outcome(other, ANSWER_OK);
	if (!failing)
		f->failing_since_ms = 0;
	else if (!f->failing_since_ms)
		f->failing_since_ms = now_ms ? now_ms : 1;
	/* The other's NODATA is explained now. */
	if (f->outcome == ANSWER_OK && has_outcome(other, ANSWER_NODATA))
		other->failing_since_ms = 0;
}

void names_apply(struct names *n, struct name_family *f, const struct answer *a, const char *server,
	uint64_t now_ms, struct name_changes *changes)
{
	enum answer_outcome outcome = a->outcome;
	uint64_t delay_ms;
	bool again = f->ask_again;

	/* Must not be; to take it for an answer would begin to empty the name. */
	if (outcome == ANSWER_OK && !a->count)
		outcome = ANSWER_NODATA;
	f->in_flight = f->ask_again = false;
	f->asked = true;
	f->asked_ms = now_ms;
	f->outcome = outcome;
	if (server)
		set_text(&f->server, server);
	switch (outcome) {
	case ANSWER_OK:
		apply_addresses(n, f, a, now_ms, changes);
		delay_ms = with_jitter(n, clamped_ms(&f->name->bounds, a->ttl_s));
		break;
	case ANSWER_NODATA:
	case ANSWER_NXDOMAIN:
		delay_ms = with_jitter(n, apply_denial(n, f, a, now_ms, changes));
		break;
	default:
		note_failure(f);
		delay_ms = retry_ms(n, f);
		break;
	}
	note_health(f, now_ms);
	heap_set(&n->asks, &f->ask, again ? now_ms : now_ms + delay_ms);
}

/* Whether an answer is so near that an address should wait for it. */
static bool answer_is_near(const struct name_family *f, uint64_t now_ms)
{
	return f->in_flight || (heap_has(&f->ask) && f->ask.due_ms <= now_ms + NAMES_JITTER_MAX_MS);
}

void names_expire(struct names *n, uint64_t now_ms, struct name_changes *changes)
{
	struct heap_item *item;

	while ((item = heap_first(&n->leaves)) && item->due_ms <= now_ms) {
		struct name_family *f = CONTAINER_OF(item, struct name_family, leave);
		uint64_t until_ms = now_ms;
		if (answer_is_near(f, now_ms) && names_linger_ms(f, now_ms))
			until_ms =
				now_ms > NAMES_LEAVE_GRACE_MS ? now_ms - NAMES_LEAVE_GRACE_MS : 0;
		lifetimes_expire(f, until_ms, changes);
		set_leave(n, f);
		/* What waits for an answer comes up again when the grace is over. */
		if (heap_has(item) && item->due_ms <= now_ms)
			heap_set(&n->leaves, item, item->due_ms + NAMES_LEAVE_GRACE_MS);
	}
}

void names_drop(struct names *n, struct name_family *f, name_address_fn goes, void *userdata,
	const char *reason, struct name_changes *changes)
{
	lifetimes_drop(f, goes, userdata, reason, changes);
	set_leave(n, f);
}

enum name_health names_health(const struct name *name)
{
	const struct name_family *a = &name->families[FAMILY_V4];
	const struct name_family *aaaa = &name->families[FAMILY_V6];

	if (has_outcome(a, ANSWER_OK))
		return NAME_OK;
	/* No A is no trouble where AAAA is there; nor is one of which nothing was ever used, as of
	 * a vendor that is expected to have IPv6 only. */
	if (has_outcome(aaaa, ANSWER_OK) &&
		(!a->asked || a->outcome == ANSWER_NODATA ||
			(a->outcome == ANSWER_SCREENED && !a->answered)))
		return NAME_OK;
	if (a->answered || aaaa->answered)
		return NAME_STOPPED;
	return a->asked && aaaa->asked ? NAME_NEVER : NAME_PENDING;
}

const char *name_health_name(enum name_health h)
{
	switch (h) {
	case NAME_OK:
		return "ok";
	case NAME_NEVER:
		return "never";
	case NAME_STOPPED:
		return "stopped";
	case NAME_PENDING:
		break;
	}
	return "pending";
}

uint64_t names_failing_since_ms(const struct name *name)
{
	const struct name_family *a = &name->families[FAMILY_V4];
	const struct name_family *aaaa = &name->families[FAMILY_V6];

	if (names_health(name) != NAME_STOPPED)
		return 0;
	return a->failing_since_ms ? a->failing_since_ms : aaaa->failing_since_ms;
}

bool names_is_gone(const struct name *name)
{
	for (int i = 0; i < FAMILY_COUNT; i++) {
		const struct name_family *f = &name->families[i];
		if (f->answered && !negatives_are_confirmed(&f->negatives))
			return false;
	}
	return names_health(name) == NAME_STOPPED;
}

bool name_family_is_known(const struct name_family *f)
{
	return f->whole || negatives_are_confirmed(&f->negatives);
}

bool names_is_stale(const struct name_family *f, uint64_t now_ms)
{
	uint64_t stale_max_ms = f->name->bounds.stale_max_s * UINT64_C(1000);

	return stale_max_ms && f->count && f->outcome != ANSWER_OK &&
	       !negatives_are_confirmed(&f->negatives) && now_ms - f->answered_ms >= stale_max_ms;
}

bool names_asks_every(const struct name_family *f)
{
	bool denied = has_outcome(f, ANSWER_NODATA) || has_outcome(f, ANSWER_NXDOMAIN);

	return denied && !negatives_are_confirmed(&f->negatives) &&
	       (f->count || !name_family_is_known(f));
}
