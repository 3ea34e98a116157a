#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which address has a right to stand, reckoned twice from the rule as it is written, and in two
 * ways, so that one mistake does not hide in both:
 *
 *	"An address in a new answer enters at once. One missing from an answer leaves `linger` after
 *	the first answer that lacks it. Timeout, SERVFAIL, REFUSED, malformed: nothing leaves.
 *	NXDOMAIN and NODATA: only when confirmed - three, each after the last one's negative TTL."
 *
 * The *clock* keeps for each address when it is to leave, and moves it as answers come. The
 * *chronicle* keeps the answers themselves and no address; asked about one, it reads backwards. */
#include "hours_world.h"

enum {
	NEGATIVE_CAP_S = 900,
	NEGATIVE_DEFAULT_S = 60, /* of a denial that says nothing */
	NEGATIVE_LEAST_S = 30,   /* whatever it says: zones that say a second prove nothing by it */
	LINGER_DEFAULT_S = 60,   /* no TTL here is longer than the least default */
	LEAVES_LATE_MS = 1000,   /* an address waits so long for an answer under way */
	PAGES = 640,
	DENIALS_KEPT = 128, /* in a row: far more than confirm anything */
};

/* After so many the addresses linger, from the first of them on; 0: no denial removes. */
static const unsigned denials_confirm = 3;
static const uint64_t NEVER = UINT64_MAX;

static inline uint64_t linger_by_rule_ms(const struct name *n)
{
	const struct config_bounds *b = &n->bounds;
	uint64_t linger_s = LINGER_DEFAULT_S;

	if (b->linger_s >= 0)
		return (uint64_t)b->linger_s * SECOND;
	if (b->revoke_within_s && linger_s > b->revoke_within_s - b->refresh_max_s)
		linger_s = b->revoke_within_s - b->refresh_max_s;
	return linger_s * SECOND;
}

/* A denial of a question that was asked earlier than that only repeats this one. */
static inline uint64_t denial_lasts_ms(const struct name *n, uint32_t ttl_s)
{
	if (!ttl_s)
		ttl_s = NEGATIVE_DEFAULT_S;
	if (ttl_s > NEGATIVE_CAP_S)
		ttl_s = NEGATIVE_CAP_S;
	if (ttl_s < NEGATIVE_LEAST_S)
		ttl_s = NEGATIVE_LEAST_S;
	return (ttl_s > n->bounds.refresh_min_s ? ttl_s : n->bounds.refresh_min_s) * UINT64_C(1000);
}

/* --- the clock --- */

struct clock {
	uint64_t until_ms[BITS]; /* NEVER: DNS gives it; 0: it never did, or it is long gone */
	unsigned denials;
	uint64_t first_denial_ms, counts_ms; /* the next one counts from then on */
};

static struct clock clocks[NAMES][FAMILY_COUNT];

/* What is known only now cannot have left before. */
static inline uint64_t not_before_now(uint64_t ms)
{
	return ms > world.now ? ms : world.now;
}

static inline void clock_missing(struct clock *c, uint32_t given, uint64_t leaves_ms)
{
	for (unsigned bit = 0; bit < BITS; bit++) {
		if (!(given & 1U << bit) && c->until_ms[bit] == NEVER)
			c->until_ms[bit] = leaves_ms;
	}
}

static inline void clock_denial(struct clock *c, const struct name *n, const struct told *t)
{
	if (c->denials && t->asked_ms < c->counts_ms)
		return;
	if (!c->denials++)
		c->first_denial_ms = world.now;
	c->counts_ms = world.now + denial_lasts_ms(n, t->ttl_s);
	if (denials_confirm && c->denials >= denials_confirm)
		clock_missing(c, 0, not_before_now(c->first_denial_ms + linger_by_rule_ms(n)));
}

static inline void clock_note(const struct name_family *f, const struct told *t)
{
	struct clock *c = &clocks[name_index(f)][f->family];
	uint64_t linger_ms = linger_by_rule_ms(f->name);

	if (is_denial(t->outcome))
		clock_denial(c, f->name, t);
	if (t->outcome != ANSWER_OK)
		return;
	c->denials = 0;
	for (unsigned bit = 0; bit < BITS; bit++) {
		if (t->mask & 1U << bit)
			c->until_ms[bit] = NEVER;
	}
	if (!t->partial)
		clock_missing(c, t->mask, world.now + linger_ms);
}

static inline uint64_t clock_until(unsigned name, int family, unsigned bit)
{
	return clocks[name][family].until_ms[bit];
}

/* --- the chronicle --- */

struct page {
	uint64_t at_ms, asked_ms;
	uint32_t mask, ttl_s;
	bool whole, denial; /* neither: some of the answer is not known */
};

struct chronicle {
	struct page pages[PAGES]; /* the oldest first */
	size_t count;
};

static struct chronicle chronicles[NAMES][FAMILY_COUNT];

/* What is older than any linger is summed up by the last whole answer of that age. */
static inline void chronicle_forget(struct chronicle *c, uint64_t linger_ms)
{
	size_t first = 0;

	for (size_t i = 0; i < c->count; i++) {
		if (c->pages[i].whole && c->pages[i].at_ms + linger_ms + MINUTE < world.now)
			first = i;
	}
	memmove(c->pages, c->pages + first, (c->count - first) * sizeof(*c->pages));
	c->count -= first;
}

static inline size_t denials_at_the_end(const struct chronicle *c)
{
	size_t n = 0;

	while (n < c->count && c->pages[c->count - 1 - n].denial)
		n++;
	return n;
}

static inline void chronicle_note(const struct name_family *f, const struct told *t)
{
	struct chronicle *c = &chronicles[name_index(f)][f->family];
	struct page *last = c->count ? &c->pages[c->count - 1] : NULL;
	bool whole = t->outcome == ANSWER_OK && !t->partial, denial = is_denial(t->outcome);

	if (t->outcome != ANSWER_OK && !denial)
		return;
	if (whole && last && last->whole && last->mask == t->mask)
		return; /* the same once more */
	if (t->partial && last && !last->whole && !last->denial) {
		last->mask |= t->mask;
		return;
	}
	chronicle_forget(c, linger_by_rule_ms(f->name));
	if (denial && denials_at_the_end(c) >= DENIALS_KEPT)
		return;
	CHECK(c->count < PAGES);
	c->pages[c->count++] =
		(struct page){world.now, t->asked_ms, t->mask, t->ttl_s, whole, denial};
}

/* When what was last given before page `from` leaves because of the denials since; NEVER: not. */
static inline uint64_t denied_until(const struct chronicle *c, size_t from, const struct name *name)
{
	uint64_t since_ms = 0, over_ms = 0, linger_ms = linger_by_rule_ms(name);
	unsigned n = 0;

	for (size_t i = from; denials_confirm && i < c->count; i++) {
		const struct page *p = &c->pages[i];
		if (!p->denial) {
			n = 0;
			continue;
		}
		if (n && p->asked_ms < over_ms)
			continue;
		if (n == 0)
			since_ms = p->at_ms;
		over_ms = p->at_ms + denial_lasts_ms(name, p->ttl_s);
		if (++n == denials_confirm)
			return since_ms + linger_ms > p->at_ms ? since_ms + linger_ms : p->at_ms;
	}
	return NEVER;
}

/* Until when it may stand. */
static inline uint64_t chronicle_until(unsigned name, int family, unsigned bit)
{
	const struct chronicle *c = &chronicles[name][family];
	uint64_t linger_ms = linger_by_rule_ms(world.items[name].name), until_ms;
	size_t i = c->count;

	while (i > 0 && !(c->pages[i - 1].mask & 1U << bit))
		i--;
	if (i == 0)
		return 0;
	until_ms = denied_until(c, i, world.items[name].name);
	while (i < c->count && !c->pages[i].whole)
		i++;
	if (i < c->count && c->pages[i].at_ms + linger_ms < until_ms)
		until_ms = c->pages[i].at_ms + linger_ms;
	return until_ms;
}

/* --- both --- */

static inline void books_note(const struct name_family *f, const struct told *t)
{
	clock_note(f, t);
	chronicle_note(f, t);
}

/* Whether any name has a right to it at `at_ms`, by both; they must agree. */
static inline bool books_allow(int family, unsigned number, uint64_t at_ms)
{
	unsigned first = number < NAMES ? number / SHARED * SHARED : (number - NAMES) / BITS;
	unsigned names = number < NAMES ? SHARED : 1;
	unsigned bit = number < NAMES ? number % SHARED : (number - NAMES) % BITS;
	bool by_clock = false, by_chronicle = false;

	if (number >= NAMES && bit < SHARED)
		return false; /* nobody's number */
	for (unsigned n = first; n < first + names; n++) {
		by_clock |= at_ms < clock_until(n, family, bit);
		by_chronicle |= at_ms < chronicle_until(n, family, bit);
	}
	CHECK(by_clock == by_chronicle);
	return by_clock;
}

static inline void books_on_delete(int family, unsigned number)
{
	CHECK(!books_allow(family, number, world.now));
	CHECK(books_allow(family, number, world.now - LEAVES_LATE_MS - 1));
}

/* All that has a right stands, and nothing else does. */
static inline void books_check(void)
{
	for (int f = 0; f < FAMILY_COUNT; f++) {
		size_t standing = 0;
		for (unsigned number = 0; number < ADDRESSES; number++) {
			bool stands = world.sets[f].stands[number];
			standing += stands;
			if (books_allow(f, number, world.now))
				CHECK(stands);
			else if (stands)
				CHECK(books_allow(f, number, world.now - LEAVES_LATE_MS - 1));
		}
		CHECK(standing == world.sets[f].count);
		CHECK(standing == live_count(&world.sets[f].live));
		CHECK(standing == wanted_count(&world.sets[f].wanted));
	}
}
