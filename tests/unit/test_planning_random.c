/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/planning of address ranges, with random ones: what should stand there is drawn address by
 * address. */
#include "core/planning.h"

#include "small_space.h"

#include <stdlib.h>

#include <linux/netfilter.h>

static char table[] = "filter", name[] = "allowed";
static const struct set_id id = {NFPROTO_INET, table, name};
static struct owner owners[3];
static struct wanted w;
static struct live l;
static struct set_kind kind;
static struct planning in;
static const struct space *space;

/* Of each address: what covers it; and whether the one behind it is in the same piece. */
struct drawing {
	bool has[SPACE], joined[SPACE];
};

static void draw(struct drawing *d, const struct element_key *k)
{
	unsigned first = space_first(space, k), last = space_last(space, k);

	for (unsigned i = first; i <= last; i++) {
		d->has[i] = true;
		d->joined[i] |= i < last;
	}
}

static bool holds_whole(const struct drawing *d, const struct element_key *k)
{
	unsigned last = space_last(space, k);

	for (unsigned i = space_first(space, k); i <= last; i++) {
		if (!d->has[i] || (i < last && !d->joined[i]))
			return false;
	}
	return true;
}

static bool was_released(unsigned i)
{
	for (size_t j = 0; j < w.dirty_count; j++) {
		const struct want *want = w.dirty[j].want;
		if (!want->count && space_first(space, &want->key) <= i &&
			i <= space_last(space, &want->key))
			return true;
	}
	return false;
}

/* Of ours, it has to wait: all but what somebody let go. */
static void draw_kept(struct drawing *d, const struct element_key *k)
{
	unsigned last = space_last(space, k);

	for (unsigned i = space_first(space, k); i <= last && !in.delete_unowned; i++) {
		if (was_released(i))
			continue;
		d->has[i] = true;
		d->joined[i] |= i < last && !was_released(i + 1);
	}
}

/* What should stand there, as the rules have it: `ret_ours` in pieces, `ret_others` as they are. */
static void expect(struct drawing *ret_ours, struct drawing *ret_others)
{
	const struct live_element *e;
	const struct want *want;
	struct drawing wish = {0};

	memset(ret_ours, 0, sizeof(*ret_ours));
	memset(ret_others, 0, sizeof(*ret_others));
	for (size_t at = 0; (want = wanted_next(&w, &at));)
		draw(&wish, &want->key);
	for (unsigned i = 0; kind.auto_merge && i + 1 < SPACE; i++)
		wish.joined[i] = wish.has[i] && wish.has[i + 1];
	for (size_t at = 0; (e = live_next(&l, &at));) {
		if (!e->ours && (!in.remove_foreign || holds_whole(&wish, &e->key)))
			draw(ret_others, &e->key);
	}
	*ret_ours = wish;
	for (size_t at = 0; (e = live_next(&l, &at));) {
		if (e->ours)
			draw_kept(ret_ours, &e->key);
	}
	for (unsigned i = 0; i < SPACE; i++) {
		if (!ret_others->has[i])
			continue;
		ret_ours->has[i] = ret_ours->joined[i] = false;
		if (i)
			ret_ours->joined[i - 1] = false;
	}
}

/* One piece of the drawing, exactly? */
static bool is_piece(const struct drawing *d, const struct element_key *k)
{
	unsigned first = space_first(space, k), last = space_last(space, k);

	return holds_whole(d, k) && !d->joined[last] && (!first || !d->joined[first - 1]);
}

static bool is_in(const struct element_key *keys, size_t count, const struct element_key *k)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += element_key_eq(&keys[i], k);
	CHECK(n <= 1);
	return n == 1;
}

static void check_whole(const struct plan *p)
{
	static const struct plan_set none;
	const struct plan_set *s = p->count ? &p->sets[0] : &none;
	const struct live_element *e;
	struct drawing ours, others, stands = {0};
	size_t deleted = 0, renewed = 0;

	expect(&ours, &others);
	for (size_t at = 0; (e = live_next(&l, &at));) {
		bool stays = is_piece(e->ours ? &ours : &others, &e->key);
		CHECK(is_in(s->deletes, s->delete_count, &e->key) == !stays);
		CHECK(is_in(s->renewals, s->renewal_count, &e->key) ==
			(stays && e->ours && e->expires != (kind.fuse_ms > 0)));
		deleted += !stays;
		renewed += is_in(s->renewals, s->renewal_count, &e->key);
		if (stays && e->ours)
			draw(&stands, &e->key);
	}
	CHECK_INT(s->delete_count, deleted);
	CHECK_INT(s->renewal_count, renewed);
	for (size_t i = 0; i < s->add_count; i++) {
		const struct live_element *same = live_find(&l, &s->adds[i]);
		CHECK(is_piece(&ours, &s->adds[i]));
		/* To delete and add a key in one batch may let a packet miss it. */
		CHECK(!same || !same->ours);
		CHECK(!same || is_in(s->deletes, s->delete_count, &s->adds[i]));
		for (unsigned n = space_first(space, &s->adds[i]);
			n <= space_last(space, &s->adds[i]); n++)
			CHECK(!stands.has[n]);
		draw(&stands, &s->adds[i]);
	}
	CHECK(memcmp(stands.has, ours.has, sizeof(ours.has)) == 0);
	CHECK_INT(s->left_out, 0);
}

static void change_wanted(unsigned most)
{
	for (unsigned n = random_below(most + 1); n > 0; n--) {
		struct element_key k = space_random(space);
		struct owner *o = &owners[random_below(ARRAY_LEN(owners))];
		const struct want *want;
		/* What is held already, every other time. */
		size_t at = 0, skip = w.wants.count ? random_below((unsigned)w.wants.count) : 0;
		while (random_below(2) && (want = wanted_next(&w, &at))) {
			k = want->key;
			if (!skip--)
				break;
		}
		if (random_below(w.count > 8 ? 3 : 2))
			wanted_release(&w, &k, o, "linger");
		else
			wanted_hold(&w, &k, o, "answer", 60);
	}
}

static void change_live(void)
{
	for (unsigned n = random_below(4); n > 0; n--) {
		struct element_key k = space_random(space);
		const struct range *r = ranges_overlapping(&l.order, &k);
		if (!r)
			live_put(&l, &(struct live_element){.key = k,
					     .ours = random_below(2),
					     .expires = random_below(4) == 0});
		else if (random_below(2))
			live_remove(&l, &(struct element_key[]){*range_key(r)}[0]);
	}
}

static void begin_in(const struct space *s)
{
	space = s;
	wanted_done(&w);
	kind = space_kind(s);
	kind.auto_merge = random_below(2);
	kind.fuse_ms = random_below(3) == 0 ? 60000 : 0;
	live_begin(&l, &kind);
	wanted_set_kind(&w, &kind);
	in = (struct planning){.id = &id, .kind = &kind, .wanted = &w, .live = &l};
}

static void random_plans_over_the_whole_set_follow_the_rules(void)
{
	for (unsigned round = 0; round < 60; round++) {
		begin_in(&spaces[round % SPACES]);
		for (unsigned step = 0; step < 100; step++) {
			change_wanted(random_below(4) ? 4 : 20);
			change_live();
			in.delete_unowned = random_below(2);
			in.remove_foreign = random_below(4) == 0;
			struct plan p = PLAN_NULL;
			plan_whole(&p, &in);
			check_whole(&p);
			/* A commit that fails leaves everything as it is. */
			if (random_below(3)) {
				if (p.count)
					live_apply(&l, &p.sets[0]);
				wanted_clear_dirty(&w);
				struct plan again = PLAN_NULL;
				plan_whole(&again, &in);
				CHECK(plan_is_empty(&again));
				plan_done(&again);
			}
			plan_done(&p);
		}
	}
}

static bool same_keys(
	const struct element_key *a, size_t a_count, const struct element_key *b, size_t b_count)
{
	size_t found = 0;

	for (size_t i = 0; i < a_count; i++)
		found += is_in(b, b_count, &a[i]);
	return a_count == b_count && found == a_count;
}

/* Where nothing else is to be done. */
static void random_plans_of_what_changed_are_those_over_the_whole_set(void)
{
	static const struct plan_set none;

	for (unsigned round = 0; round < 120; round++) {
		begin_in(&spaces[round % SPACES]);
		for (unsigned step = 0; step < 100; step++) {
			struct plan p = PLAN_NULL, all = PLAN_NULL;
			if (step % 10 == 0) {
				change_live();
				plan_whole(&p, &in);
				if (p.count)
					live_apply(&l, &p.sets[0]);
				wanted_clear_dirty(&w);
				plan_done(&p);
			}
			change_wanted(5);
			plan_dirty(&p, &in);
			plan_whole(&all, &in);
			const struct plan_set *s = p.count ? &p.sets[0] : &none;
			const struct plan_set *t = all.count ? &all.sets[0] : &none;
			CHECK(same_keys(s->adds, s->add_count, t->adds, t->add_count));
			CHECK(same_keys(s->deletes, s->delete_count, t->deletes, t->delete_count));
			CHECK(same_keys(
				s->renewals, s->renewal_count, t->renewals, t->renewal_count));
			if (random_below(3)) {
				if (p.count)
					live_apply(&l, &p.sets[0]);
				wanted_clear_dirty(&w);
			}
			plan_done(&p);
			plan_done(&all);
		}
	}
}

/* However little room there is, what is planned fits, and what it was not planned for is counted.
 */
static void random_plans_fit_and_count_what_they_leave_out(void)
{
	for (unsigned round = 0; round < 60; round++) {
		begin_in(&spaces[round % SPACES]);
		for (unsigned step = 0; step < 100; step++) {
			struct plan p = PLAN_NULL, all = PLAN_NULL;
			change_wanted(4);
			change_live();
			in.delete_unowned = random_below(2);
			plan_whole(&all, &in);
			kind.size = 1 + random_below(12);
			plan_whole(&p, &in);
			CHECK_INT(p.count, all.count);
			if (p.count) {
				const struct plan_set *s = &p.sets[0], *t = &all.sets[0];
				size_t stay = live_count(&l) - s->delete_count;
				size_t room = kind.size > stay ? kind.size - stay : 0;
				CHECK_INT(s->delete_count, t->delete_count);
				CHECK_INT(s->renewal_count, t->renewal_count);
				CHECK_INT(s->add_count, t->add_count < room ? t->add_count : room);
				CHECK_INT(s->add_count + s->left_out, t->add_count);
				for (size_t i = 0; i < s->add_count; i++)
					CHECK(is_in(t->adds, t->add_count, &s->adds[i]));
				live_apply(&l, s);
			}
			kind.size = 0;
			wanted_clear_dirty(&w);
			plan_done(&p);
			plan_done(&all);
		}
	}
}

int main(void)
{
	random_begin(14);
	TAP_RUN(random_plans_over_the_whole_set_follow_the_rules);
	TAP_RUN(random_plans_of_what_changed_are_those_over_the_whole_set);
	TAP_RUN(random_plans_fit_and_count_what_they_leave_out);
	wanted_done(&w);
	live_done(&l);
	return tap_done();
}
