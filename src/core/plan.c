/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A change of sets as a value. */
#include "allowsync/plan.h"

#include "base/mem.h"
#include "base/strbuf.h"

#include <string.h>

struct plan_set *plan_for_set(
	struct plan *p, size_t set_index, const struct set_id *id, const struct set_kind *kind)
{
	/* From the end: planners go set by set. */
	for (size_t i = p->count; i > 0; i--) {
		if (p->sets[i - 1].set_index == set_index)
			return &p->sets[i - 1];
	}
	VEC_GROW(p->sets, p->capacity, p->count);
	struct plan_set *s = &p->sets[p->count++];
	*s = (struct plan_set){.id = id, .kind = *kind, .set_index = set_index};
	return s;
}

void plan_add(struct plan_set *s, const struct element_key *key)
{
	VEC_GROW(s->adds, s->add_capacity, s->add_count);
	s->adds[s->add_count++] = *key;
}

void plan_delete(struct plan_set *s, const struct element_key *key)
{
	VEC_GROW(s->deletes, s->delete_capacity, s->delete_count);
	s->deletes[s->delete_count++] = *key;
}

void plan_renew(struct plan_set *s, const struct element_key *key)
{
	VEC_GROW(s->renewals, s->renewal_capacity, s->renewal_count);
	s->renewals[s->renewal_count++] = *key;
}

void plan_add_for(struct plan_set *s, const struct element_key *key, uint64_t life_ms)
{
	VEC_GROW(s->add_lives_ms, s->add_life_capacity, s->add_count);
	s->add_lives_ms[s->add_count] = life_ms;
	plan_add(s, key);
}

void plan_renew_for(struct plan_set *s, const struct element_key *key, uint64_t life_ms)
{
	VEC_GROW(s->renewal_lives_ms, s->renewal_life_capacity, s->renewal_count);
	s->renewal_lives_ms[s->renewal_count] = life_ms;
	plan_renew(s, key);
}

uint64_t plan_add_life_ms(const struct plan_set *s, size_t i)
{
	return s->add_lives_ms ? s->add_lives_ms[i] : s->kind.fuse_ms;
}

uint64_t plan_renewal_life_ms(const struct plan_set *s, size_t i)
{
	return s->renewal_lives_ms ? s->renewal_lives_ms[i] : s->kind.fuse_ms;
}

size_t plan_change_count(const struct plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->count; i++)
		n += p->sets[i].add_count + p->sets[i].delete_count;
	return n;
}

static size_t work_of(const struct plan_set *s)
{
	return s->add_count + s->delete_count + s->renewal_count;
}

size_t plan_work_count(const struct plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->count; i++)
		n += work_of(&p->sets[i]);
	return n;
}

bool plan_is_empty(const struct plan *p)
{
	return plan_work_count(p) == 0;
}

static bool reaches_to_the_last(const struct element_key *key)
{
	for (size_t i = key->len / 2; i < key->len; i++) {
		if (key->bytes[i] != 0xff)
			return false;
	}
	return true;
}

bool plan_set_needs_generation(const struct plan *p, const struct plan_set *s)
{
	if (s->kind.interval && (s->delete_count || (p->replaces && s->renewal_count)))
		return true;
	for (size_t i = 0; set_kind_has_ranges(&s->kind) && i < s->add_count; i++) {
		if (reaches_to_the_last(&s->adds[i]))
			return true;
	}
	return false;
}

enum { PHASE_ADD, PHASE_BOTH, PHASE_RENEW, PHASE_DELETE, PHASE_COUNT };

/* Its adds may have no place before its deletes are through. */
static bool is_bound(const struct plan_set *s)
{
	return s->delete_count && s->add_count && (s->kind.interval || s->kind.size);
}

static size_t count_in(const struct plan_set *s, unsigned phase)
{
	switch (phase) {
	case PHASE_ADD:
		return is_bound(s) ? 0 : s->add_count;
	case PHASE_BOTH:
		return is_bound(s);
	case PHASE_RENEW:
		return s->renewal_count;
	default:
		return is_bound(s) ? 0 : s->delete_count;
	}
}

static void borrow(
	struct plan *piece, const struct plan_set *s, unsigned phase, size_t at, size_t n)
{
	struct plan_set *to = plan_for_set(piece, s->set_index, s->id, &s->kind);

	if (phase == PHASE_ADD) {
		to->adds = s->adds + at;
		to->add_lives_ms = s->add_lives_ms ? s->add_lives_ms + at : NULL;
		to->add_count = n;
	} else if (phase == PHASE_RENEW) {
		to->renewals = s->renewals + at;
		to->renewal_lives_ms = s->renewal_lives_ms ? s->renewal_lives_ms + at : NULL;
		to->renewal_count = n;
	} else if (phase == PHASE_DELETE) {
		to->deletes = s->deletes + at;
		to->delete_count = n;
	} else {
		to->adds = s->adds;
		to->add_lives_ms = s->add_lives_ms;
		to->add_count = s->add_count;
		to->deletes = s->deletes;
		to->delete_count = s->delete_count;
	}
}

/* A set's keys of one phase are neighbours, so each set is at most once in a piece. */
bool plan_next_piece(const struct plan *p, size_t max, struct plan_cut *cut, struct plan *ret)
{
	size_t room = max;

	*ret = (struct plan){.has_generation = p->has_generation,
		.generation = p->generation,
		.replaces = p->replaces};
	for (; cut->phase < PHASE_COUNT && !ret->count; cut->phase++, cut->set = 0) {
		for (; cut->set < p->count; cut->set++, cut->at = 0) {
			const struct plan_set *s = &p->sets[cut->set];
			size_t all = count_in(s, cut->phase);
			size_t n = all - cut->at < room ? all - cut->at : room;
			if (!all)
				continue;
			borrow(ret, s, cut->phase, cut->at, n);
			room -= n;
			cut->at += n;
			if (!room || cut->phase == PHASE_BOTH) {
				if (cut->at == all) {
					cut->at = 0;
					cut->set++;
				}
				return true;
			}
		}
	}
	return ret->count > 0;
}

void plan_piece_done(struct plan *piece)
{
	free(piece->sets);
	*piece = PLAN_NULL;
}

static void format_line(struct strbuf *out, const char *verb, const char *set_text,
	const struct set_kind *kind, const struct element_key *keys, size_t count)
{
	char text[ELEMENT_TEXT_SIZE];

	if (!count)
		return;
	_cleanup_free_ struct element_key *sorted = xmemdup(keys, count * sizeof(*keys));
	qsort(sorted, count, sizeof(*sorted), element_key_order);
	strbuf_appendf(out, "%s element %s { ", verb, set_text);
	for (size_t i = 0; i < count; i++) {
		if (i)
			strbuf_append(out, ", ");
		strbuf_append(out, element_key_format(kind, &sorted[i], text));
	}
	strbuf_append(out, " }\n");
}

struct named_set {
	char *text;
	const struct plan_set *set;
};

static int compare_named(const void *a, const void *b)
{
	const struct named_set *x = a, *y = b;

	return strcmp(x->text, y->text);
}

char *plan_format(const struct plan *p)
{
	struct strbuf out = STRBUF_NULL;

	_cleanup_free_ struct named_set *sets = xcalloc(p->count, sizeof(*sets));
	for (size_t i = 0; i < p->count; i++)
		sets[i] = (struct named_set){set_id_format(p->sets[i].id), &p->sets[i]};
	qsort(sets, p->count, sizeof(*sets), compare_named);
	for (size_t i = 0; i < p->count; i++) {
		const struct plan_set *s = sets[i].set;
		format_line(&out, "delete", sets[i].text, &s->kind, s->deletes, s->delete_count);
		format_line(&out, "add", sets[i].text, &s->kind, s->adds, s->add_count);
		free(sets[i].text);
	}
	return strbuf_take(&out);
}

void plan_done(struct plan *p)
{
	for (size_t i = 0; i < p->count; i++) {
		free(p->sets[i].adds);
		free(p->sets[i].deletes);
		free(p->sets[i].renewals);
		free(p->sets[i].add_lives_ms);
		free(p->sets[i].renewal_lives_ms);
	}
	free(p->sets);
	*p = PLAN_NULL;
}
