/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long each address of a name stays. An address leaves only because an answer lacked it or the
 * name is denied for certain: no TTL that runs out and no failure takes one away. */
#include "core/lifetimes.h"

#include "base/mem.h"

#include <string.h>

static void add_change(struct name_changes *c, struct name_family *f,
	const struct name_address *address, bool entered, const char *reason)
{
	VEC_GROW(c->items, c->capacity, c->count);
	c->items[c->count++] = (struct name_change){
		.family = f, .address = *address, .entered = entered, .reason = reason};
}

void name_changes_done(struct name_changes *c)
{
	free(c->items);
	*c = NAME_CHANGES_NULL;
}

const struct name_address *name_address_find(const struct name_family *f, const struct addr *a)
{
	size_t low = 0, high = f->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int c = addr_cmp(&f->addresses[middle].addr, a);
		if (c == 0)
			return &f->addresses[middle];
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* The largest TTLs of the running hour and of the one before, as of now. */
static void ttl_maxima(
	const struct name_family *f, uint64_t now_ms, uint32_t *running, uint32_t *before)
{
	uint64_t memory_ms = NAMES_TTL_MEMORY_S * UINT64_C(1000);
	uint64_t age_ms = now_ms > f->ttl_max_ms ? now_ms - f->ttl_max_ms : 0;

	*running = age_ms < memory_ms ? f->ttl_max_s : 0;
	*before = age_ms < memory_ms       ? f->ttl_max_before_s
		  : age_ms < 2 * memory_ms ? f->ttl_max_s
					   : 0;
}

void lifetimes_note_ttl(struct name_family *f, uint32_t ttl_s, uint64_t now_ms)
{
	uint32_t running, before;

	ttl_maxima(f, now_ms, &running, &before);
	if (now_ms >= f->ttl_max_ms + NAMES_TTL_MEMORY_S * UINT64_C(1000))
		f->ttl_max_ms = now_ms;
	f->ttl_max_s = ttl_s > running ? ttl_s : running;
	f->ttl_max_before_s = before;
}

uint64_t names_linger_ms(const struct name_family *f, uint64_t now_ms)
{
	const struct config_bounds *b = &f->name->bounds;
	uint32_t running, before;

	if (b->linger_s >= 0)
		return (uint64_t)b->linger_s * 1000;
	ttl_maxima(f, now_ms, &running, &before);
	uint64_t linger_s = running > before ? running : before;
	if (linger_s < NAMES_LINGER_MIN_S)
		linger_s = NAMES_LINGER_MIN_S;
	if (linger_s > NAMES_LINGER_MAX_S)
		linger_s = NAMES_LINGER_MAX_S;
	if (b->revoke_within_s) {
		uint64_t left_s = b->revoke_within_s > b->refresh_max_s
					  ? b->revoke_within_s - b->refresh_max_s
					  : 0;
		if (linger_s > left_s)
			linger_s = left_s;
	}
	if (linger_s < f->name->linger_least_s)
		linger_s = f->name->linger_least_s;
	return linger_s * 1000;
}

void lifetimes_remove(struct name_family *f, lifetimes_leaves_fn leaves, void *userdata,
	const char *reason, struct name_changes *changes)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->count; i++) {
		const struct name_address *a = &f->addresses[i];
		if (leaves(a, userdata))
			add_change(changes, f, a, false,
				reason      ? reason
				: a->denied ? "denied"
					    : "linger");
		else
			f->addresses[kept++] = *a;
	}
	f->count = kept;
	if (!f->count) {
		free(f->addresses);
		f->addresses = NULL;
		f->capacity = 0;
	}
}

static bool linger_is_over(const struct name_address *a, void *until_ms)
{
	return a->missing_ms && a->leaves_ms <= *(uint64_t *)until_ms;
}

void lifetimes_expire(struct name_family *f, uint64_t until_ms, struct name_changes *changes)
{
	lifetimes_remove(f, linger_is_over, &until_ms, NULL, changes);
}

void lifetimes_deny(
	struct name_family *f, uint64_t since_ms, uint64_t now_ms, struct name_changes *changes)
{
	uint64_t linger_ms = names_linger_ms(f, now_ms);

	for (size_t i = 0; i < f->count; i++) {
		struct name_address *a = &f->addresses[i];
		if (a->missing_ms)
			continue;
		a->missing_ms = since_ms;
		a->leaves_ms = since_ms + linger_ms;
		a->denied = true;
	}
	if (!linger_ms)
		lifetimes_expire(f, now_ms, changes);
}

struct drop {
	name_address_fn goes;
	void *userdata;
};

static bool has_to_go(const struct name_address *a, void *userdata)
{
	const struct drop *d = userdata;

	return d->goes(d->userdata, &a->addr);
}

void lifetimes_drop(struct name_family *f, name_address_fn goes, void *userdata, const char *reason,
	struct name_changes *changes)
{
	struct drop d = {goes, userdata};

	lifetimes_remove(f, has_to_go, &d, reason, changes);
}

void lifetimes_merge(struct name_family *f, const struct answer *a, uint64_t now_ms,
	struct name_changes *changes)
{
	uint64_t linger_ms = names_linger_ms(f, now_ms);
	size_t capacity = f->count + a->count, n = 0, i = 0, j = 0;
	struct name_address *merged = xcalloc(capacity, sizeof(*merged));

	while (i < f->count || j < a->count) {
		if (j < a->count && a->addresses[j].addr.family != f->family) {
			j++;
			continue;
		}
		int c = i == f->count   ? 1
			: j == a->count ? -1
					: addr_cmp(&f->addresses[i].addr, &a->addresses[j].addr);
		struct name_address *m = &merged[n++];
		if (c < 0) {
			*m = f->addresses[i++];
			if (!m->missing_ms && !a->partial) {
				m->missing_ms = now_ms ? now_ms : 1;
				m->leaves_ms = m->missing_ms + linger_ms;
			}
			continue;
		}
		if (c == 0)
			*m = f->addresses[i++];
		else
			*m = (struct name_address){
				.addr = a->addresses[j].addr, .first_ms = now_ms};
		m->ttl_s = a->addresses[j++].ttl_s;
		m->last_ms = now_ms;
		m->missing_ms = m->leaves_ms = 0;
		m->denied = false;
		if (c > 0)
			add_change(changes, f, m, true, "answer");
	}
	free(f->addresses);
	/* Most answers change nothing: give back the room that the merging needed. */
	f->addresses = xreallocarray(merged, n, sizeof(*merged));
	f->count = f->capacity = n;
	if (!linger_ms)
		lifetimes_expire(f, now_ms, changes);
}

void lifetimes_relinger(struct name_family *f, uint64_t now_ms)
{
	uint64_t linger_ms = names_linger_ms(f, now_ms);

	for (size_t i = 0; i < f->count; i++) {
		if (f->addresses[i].missing_ms)
			f->addresses[i].leaves_ms = f->addresses[i].missing_ms + linger_ms;
	}
}

uint64_t lifetimes_next_ms(const struct name_family *f)
{
	uint64_t next_ms = UINT64_MAX;

	for (size_t i = 0; i < f->count; i++) {
		if (f->addresses[i].missing_ms && f->addresses[i].leaves_ms < next_ms)
			next_ms = f->addresses[i].leaves_ms;
	}
	return next_ms;
}
