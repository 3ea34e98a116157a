/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An answer beside what was before. */
#include "core/turnover.h"

#include "base/strbuf.h"

#include <string.h>

static bool gives(const struct answer *a, const struct addr *addr)
{
	size_t low = 0, high = a->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int c = addr_cmp(&a->addresses[middle].addr, addr);
		if (c == 0)
			return true;
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

struct turnover turnover_of(const struct name_family *f, const struct answer *a)
{
	struct turnover t = {0};

	if (a->outcome != ANSWER_OK || a->partial)
		return t;
	for (size_t i = 0; i < f->count; i++) {
		if (f->addresses[i].missing_ms)
			continue;
		t.before++;
		t.gone += !gives(a, &f->addresses[i].addr);
	}
	t.given = a->count;
	for (size_t i = 0; i < a->count; i++)
		t.unknown += !name_address_find(f, &a->addresses[i].addr);
	return t;
}

bool turnover_is_most(const struct turnover *t)
{
	return t->before >= TURNOVER_MIN && t->gone > t->before / 2 && t->unknown > t->given / 2;
}

/* "b.c.example.net" -> "example.net" */
static const char *domain_of(const char *name)
{
	const char *domain = name, *next = name;

	for (const char *dot; (dot = strchr(next, '.')); next = dot + 1)
		domain = next;
	return domain;
}

bool turnover_moves_domain(const struct name_family *f, const struct answer *a)
{
	static const char arrow[] = " -> ";
	const char *before = f->chain ? f->chain : f->name->text;
	const char *now = a->chain_len ? a->chain[a->chain_len - 1] : f->name->text;

	if (a->outcome != ANSWER_OK || !f->answered)
		return false;
	for (const char *next; (next = strstr(before, arrow));)
		before = next + strlen(arrow);
	return !str_eq(domain_of(before), domain_of(now));
}
