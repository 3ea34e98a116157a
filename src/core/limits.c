/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who makes room, and what is not taken. */
#include "core/limits.h"

#include "base/mem.h"
#include "core/lifetimes.h"

#include <string.h>

static int compare_ms(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* When each of those that linger was last seen, sorted. */
static uint64_t *times_seen(
	struct name_family *const *families, size_t family_count, size_t *ret_count)
{
	uint64_t *seen = NULL;
	size_t count = 0, capacity = 0;

	for (size_t i = 0; i < family_count; i++) {
		for (size_t j = 0; j < families[i]->count; j++) {
			const struct name_address *a = &families[i]->addresses[j];
			if (!a->missing_ms)
				continue;
			VEC_GROW(seen, capacity, count);
			seen[count++] = a->last_ms;
		}
	}
	if (count)
		qsort(seen, count, sizeof(*seen), compare_ms);
	*ret_count = count;
	return seen;
}

struct leaving {
	uint64_t last_ms; /* those seen before that leave, */
	size_t at_last;   /* and so many of those seen then */
};

static bool leaves(const struct name_address *a, void *userdata)
{
	struct leaving *l = userdata;

	if (!a->missing_ms || a->last_ms > l->last_ms)
		return false;
	if (a->last_ms < l->last_ms)
		return true;
	return l->at_last && l->at_last--;
}

size_t limits_make_room(struct name_family *const *families, size_t family_count, size_t count,
	struct name_changes *changes)
{
	size_t lingering;

	if (!count)
		return 0;
	_cleanup_free_ uint64_t *seen = times_seen(families, family_count, &lingering);
	if (count > lingering)
		count = lingering;
	if (!count)
		return 0;
	struct leaving l = {.last_ms = seen[count - 1]};
	for (size_t i = count; i > 0 && seen[i - 1] == l.last_ms; i--)
		l.at_last++;
	for (size_t i = 0; i < family_count; i++)
		lifetimes_remove(families[i], leaves, &l, "limit", changes);
	return count;
}

static bool is_it(const struct name_address *a, void *userdata)
{
	return addr_eq(&a->addr, userdata);
}

size_t limits_take_back(struct name_changes *changes, size_t from, size_t count)
{
	struct name_changes unsaid = NAME_CHANGES_NULL;
	size_t taken = 0;

	for (size_t i = changes->count; i > from && taken < count; i--) {
		struct name_change *c = &changes->items[i - 1];
		if (!c->entered)
			continue;
		lifetimes_remove(c->family, is_it, &c->address.addr, "limit", &unsaid);
		memmove(c, c + 1, (changes->count - i) * sizeof(*c));
		changes->count--;
		taken++;
	}
	name_changes_done(&unsaid);
	return taken;
}

bool limits_is_over(bool before, size_t wanted, size_t count, size_t max)
{
	size_t spare = max / 8;

	if (!spare)
		spare = max > 1; /* a cap of one has no room to spare */
	return wanted > max || (before && count > max - spare);
}

void limits_fit_name(
	struct name_family *f, size_t from, uint64_t now_ms, struct name_changes *changes)
{
	size_t max = f->name->bounds.addresses_max, wanted = f->count;

	max = max ? max : CONFIG_NAME_ADDRESSES_MAX;
	if (wanted > max) {
		size_t over = wanted - max;
		over -= limits_make_room(&f, 1, over, changes);
		limits_take_back(changes, from, over);
	}
	if (!limits_is_over(f->limited_ms, wanted, f->count, max))
		f->limited_ms = 0;
	else if (!f->limited_ms)
		f->limited_ms = now_ms ? now_ms : 1;
}
