/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which owner may have which address, and what is said of it. */
#include "daemon/screening.h"

#include "base/strbuf.h"

const char *screening_rule(const struct world *w, const struct owner *o, const struct addr *a)
{
	const struct screen_terms terms = {
		.allow = o->from->allow_private,
		.allow_count = o->from->allow_private_count,
		.expect = o->endpoint->expect,
		.expect_count = o->endpoint->expect_count,
	};

	return screen_judge(a, &w->own, &terms);
}

struct judging {
	const struct world *world;
	const struct name_feeds *feeds;
};

/* What one of them may have the name may have. */
static const char *judge_for_all(void *userdata, const struct addr *a)
{
	const struct judging *j = userdata;
	const char *first = NULL;

	for (size_t i = 0; j->feeds && i < j->feeds->count; i++) {
		const char *rule = screening_rule(j->world, j->feeds->owners[i], a);
		if (!rule)
			return NULL;
		first = first ? first : rule;
	}
	return first;
}

void screening_take_out(
	const struct world *w, const struct name_family *f, struct answer *a, struct screening *ret)
{
	struct judging j = {w, f->name->userdata};

	screen_answer(a, judge_for_all, &j, ret);
}

static bool goes(void *userdata, const struct addr *a)
{
	return judge_for_all(userdata, a);
}

void screening_drop(struct world *w, uint64_t now_ms, struct name_changes *changes)
{
	struct name *n;

	for (size_t at = 0; (n = names_next(&w->names, &at));) {
		const struct name_feeds *feeds = n->userdata;
		struct judging j = {w, feeds};
		for (int i = 0; feeds && i < FAMILY_COUNT; i++) {
			struct name_family *f = &n->families[i];
			size_t before = f->count;
			names_drop(&w->names, f, goes, &j, "screened", changes);
			if (feeds->refused[i] || f->count < before)
				names_ask_now(&w->names, f, now_ms);
		}
	}
}

char *screening_advice(const struct owner *o, const struct addr *a, const char *rule)
{
	char text[ADDR_TEXT_SIZE];

	addr_format(a, text);
	if (str_eq(rule, SCREEN_UNEXPECTED))
		return xasprintf("expect = %s in [endpoint %s] of vendors/%s.conf.d/*.conf", text,
			o->endpoint->name, o->from->profile->name);
	if (!screen_can_allow(a))
		return NULL;
	return xasprintf("allow-private = %s in [vendor %s]", text, o->vendor);
}

bool screening_is_same_party(const struct owner *a, const struct owner *b)
{
	return str_eq(a->vendor, b->vendor) && str_eq(a->endpoint->name, b->endpoint->name);
}

bool screening_speaks(const struct name_feeds *feeds, const struct owner *o)
{
	size_t i = 0;

	while (!screening_is_same_party(feeds->owners[i], o))
		i++;
	return feeds->owners[i] == o;
}

void screening_note(
	struct name_feeds *feeds, const struct owner *o, enum family family, const char *rule)
{
	VEC_GROW(feeds->refusals, feeds->refusal_capacity, feeds->refusal_count);
	feeds->refusals[feeds->refusal_count++] = (struct feed_refusal){o, family, rule};
}

void screening_carry_over(struct name_feeds *feeds, const struct name_feeds *before)
{
	for (size_t i = 0; i < before->refusal_count; i++) {
		const struct feed_refusal *r = &before->refusals[i];
		for (size_t j = 0; j < feeds->count; j++) {
			if (!screening_is_same_party(feeds->owners[j], r->owner))
				continue;
			screening_note(feeds, feeds->owners[j], r->family, r->rule);
			break;
		}
	}
}
