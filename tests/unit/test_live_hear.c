/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/live_feed over many transactions: a kernel of a few lines tells what it does, as the real
 * one would. Whoever hears it either has the same as the kernel, or says that it is unsure. */
#include "core/live_feed.h"

#include "small_space.h"

#include <stdlib.h>

enum { NEWS_MAX = 4096 };

/* A range of the kernel, by where it begins. */
struct stands {
	bool there, ours, expires;
	unsigned last;
};

/* What was told of one transaction. */
struct news {
	struct set_entry entry;
	bool added;
};

static struct {
	const struct space *space;
	struct stands at[SPACE];
	bool alone[SPACE];        /* ends without a start, by their number */
	bool stale[SPACE][SPACE]; /* expired since the last look, so the copy may have it */
	struct news news[NEWS_MAX];
	size_t news_count;
} kernel;

static struct live copy;
static struct live_ear ear;

static bool has_end(unsigned last)
{
	return !(kernel.space->is_last && last == SPACE - 1);
}

static struct set_entry start_of(unsigned first)
{
	const struct stands *r = &kernel.at[first];
	struct addr a = space_addr(kernel.space, first);

	return (struct set_entry){.key = element_key_addr(&a),
		.ours = r->ours,
		.expires = r->expires,
		.is_open = !has_end(r->last)};
}

static struct set_entry end_at(unsigned number)
{
	struct addr a = space_addr(kernel.space, number);

	return (struct set_entry){.key = element_key_addr(&a), .is_end = true};
}

static void tell(struct set_entry entry, bool added)
{
	CHECK(kernel.news_count < NEWS_MAX);
	kernel.news[kernel.news_count++] = (struct news){entry, added};
}

static bool is_free(unsigned first, unsigned last)
{
	for (unsigned i = 0; i <= last; i++) {
		if (kernel.at[i].there && kernel.at[i].last >= first)
			return false;
	}
	return true;
}

static void add(unsigned first, unsigned last)
{
	if (!is_free(first, last))
		return;
	/* What expired is cleared away where it is in the way. */
	for (unsigned i = first + 1; i <= last; i++)
		kernel.alone[i] = false;
	kernel.at[first] = (struct stands){.there = true,
		.ours = random_below(2),
		.expires = random_below(3) == 0,
		.last = last};
	tell(start_of(first), true);
	if (!has_end(last))
		return;
	/* An end that stands there already is not told, unless it went with its start. */
	bool is_told = last + 1 == SPACE || !kernel.alone[last + 1] || random_below(2);
	for (unsigned i = 0; i < SPACE; i++)
		is_told |= kernel.stale[first][i];
	if (is_told)
		tell(end_at(last + 1), true);
	if (last + 1 < SPACE)
		kernel.alone[last + 1] = false;
}

static void take(unsigned first, bool end_first)
{
	struct stands *r = &kernel.at[first];

	if (!r->there)
		return;
	if (end_first && has_end(r->last))
		tell(end_at(r->last + 1), false);
	tell(start_of(first), false);
	if (!end_first && has_end(r->last))
		tell(end_at(r->last + 1), false);
	r->there = false;
}

static void change_timeout(unsigned first)
{
	struct stands *r = &kernel.at[first];

	if (!r->there)
		return;
	r->expires = !r->expires;
	tell(start_of(first), true);
}

static void flush_from_behind(void)
{
	for (unsigned i = SPACE; i > 0; i--) {
		take(i - 1, true);
		if (kernel.alone[i - 1])
			tell(end_at(i - 1), false);
		kernel.alone[i - 1] = false;
	}
}

/* As no nft does it: the starts before all the ends. */
static void take_two_at_once(unsigned one, unsigned other)
{
	struct stands a = kernel.at[one], b = kernel.at[other];

	if (one == other || !a.there || !b.there || !has_end(a.last) || !has_end(b.last))
		return;
	tell(start_of(one), false);
	tell(start_of(other), false);
	tell(end_at(a.last + 1), false);
	tell(end_at(b.last + 1), false);
	kernel.at[one].there = kernel.at[other].there = false;
}

static void operate(void)
{
	unsigned first = random_below(SPACE), len = random_below(5);
	unsigned last = first + len < SPACE ? first + len : SPACE - 1;

	switch (random_below(24)) {
	case 0:
		flush_from_behind();
		break;
	case 1:
		take_two_at_once(first, random_below(SPACE));
		break;
	case 2: /* replaced by a larger one, as with auto-merge */
		for (unsigned i = 0; i <= last; i++) {
			if (kernel.at[i].there && kernel.at[i].last >= first)
				take(i, false);
		}
		add(first, last);
		break;
	case 3:
		if (kernel.space->is_first && !kernel.alone[0])
			tell(end_at(0), true);
		kernel.alone[0] |= kernel.space->is_first;
		break;
	case 4:
	case 5:
	case 6:
		change_timeout(first);
		break;
	case 7:
	case 8:
	case 9:
	case 10:
	case 11:
		take(first, random_below(2));
		break;
	default:
		add(first, random_below(8) ? last : SPACE - 1);
		break;
	}
}

/* Nobody is told. */
static void expire_some(void)
{
	for (unsigned i = 0; i < SPACE; i++) {
		struct stands *r = &kernel.at[i];
		if (!r->there || !r->expires || random_below(3))
			continue;
		r->there = false;
		kernel.stale[i][r->last] = true;
		if (r->last + 1 < SPACE)
			kernel.alone[r->last + 1] = true;
	}
}

/* The copy from a dump in any order. */
static void look(void)
{
	struct set_kind kind = space_kind(kernel.space);
	struct set_entry entries[3 * SPACE];
	struct live_feed f;
	size_t count = 0;

	for (unsigned i = 0; i < SPACE; i++) {
		if (kernel.alone[i])
			entries[count++] = end_at(i);
		if (!kernel.at[i].there)
			continue;
		entries[count++] = start_of(i);
		/* The flag is nft's own: others leave it away. */
		entries[count - 1].is_open = entries[count - 1].is_open && random_below(2);
		if (has_end(kernel.at[i].last))
			entries[count++] = end_at(kernel.at[i].last + 1);
	}
	live_feed_init(&f, &kind, &copy);
	for (; count > 0; count--) {
		size_t i = random_below((unsigned)count);
		CHECK(live_feed_take(&f, &entries[i]));
		entries[i] = entries[count - 1];
	}
	CHECK(live_feed_finish(&f));
	CHECK_INT(f.strange, 0);
	live_feed_done(&f);
	memset(kernel.stale, 0, sizeof(kernel.stale));
}

/* True: it is unsure. */
static bool hear(void)
{
	struct set_kind kind = space_kind(kernel.space);
	struct live_element e;
	bool unsure = false;

	for (size_t i = 0; i < kernel.news_count; i++) {
		const struct news *n = &kernel.news[i];
		enum live_news news = live_hear(&copy, &ear, &kind, &n->entry, n->added, &e);
		CHECK(news != LIVE_NEWS_STRANGE);
		unsure |= news == LIVE_NEWS_UNSURE;
	}
	unsure |= live_hear_end(&copy, &ear, &e) == LIVE_NEWS_UNSURE;
	kernel.news_count = 0;
	return unsure;
}

/* What stands is in the copy, and nothing else but what expired. */
static void check_copy(void)
{
	const struct live_element *e;
	size_t found = 0, ours = 0;

	for (unsigned i = 0; i < SPACE; i++) {
		const struct stands *r = &kernel.at[i];
		struct element_key k = space_key(kernel.space, i, r->last);
		if (!r->there)
			continue;
		e = live_find(&copy, &k);
		CHECK(e);
		CHECK_INT(e->ours, r->ours);
		CHECK_INT(e->expires, r->expires);
		found++;
		kernel.stale[i][r->last] = false;
	}
	for (size_t at = 0; (e = live_next(&copy, &at));) {
		unsigned first = space_first(kernel.space, &e->key);
		unsigned last = space_last(kernel.space, &e->key);
		found -= kernel.at[first].there && kernel.at[first].last == last;
		CHECK(kernel.stale[first][last] ||
			(kernel.at[first].there && kernel.at[first].last == last));
		ours += e->ours;
	}
	CHECK_INT(found, 0);
	CHECK_INT(copy.ours, ours);
	CHECK_INT(copy.order.count, live_count(&copy));
}

static unsigned transactions, sure;

static void run(const struct space *s, bool some_expire)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.space = s;
	look();
	for (unsigned step = 0; step < 4000; step++) {
		if (some_expire && random_below(10) == 0)
			expire_some();
		for (unsigned n = 1 + random_below(4); n > 0; n--)
			operate();
		transactions++;
		if (hear()) {
			look();
			check_copy();
			continue;
		}
		sure++;
		check_copy();
	}
}

static void random_transactions_give_what_the_kernel_has(void)
{
	transactions = sure = 0;
	for (size_t i = 0; i < SPACES; i++)
		run(&spaces[i], false);
	/* Whoever is never sure is right, too. */
	CHECK(sure > transactions * 9 / 10);
}

/* The copy has what expired until it is looked at anew; but never another range in its place. */
static void random_transactions_over_what_expired_give_what_is_left(void)
{
	transactions = sure = 0;
	for (size_t i = 0; i < SPACES; i++)
		run(&spaces[i], true);
	CHECK(sure > transactions / 2);
}

int main(void)
{
	random_begin(13);
	TAP_RUN(random_transactions_give_what_the_kernel_has);
	TAP_RUN(random_transactions_over_what_expired_give_what_is_left);
	live_done(&copy);
	return tap_done();
}
