/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refresh-min, refresh-max, linger, revoke-within, stale-max, max-addresses-per-name: read, and
 * made to agree. */
#include "core/config_parts.h"

#include "core/values.h"

enum { NAME_ADDRESSES_LARGEST = 100000 };

struct bounds_said config_read_bounds(struct config_builder *b, const struct section *s)
{
	struct bounds_said said = {0};
	uint32_t linger;

	said.refresh_min =
		value_duration_s(s, "refresh-min", 1, b->diags, &said.bounds.refresh_min_s);
	said.refresh_max =
		value_duration_s(s, "refresh-max", 1, b->diags, &said.bounds.refresh_max_s);
	said.linger = value_duration_s(s, "linger", 0, b->diags, &linger);
	said.bounds.linger_s = said.linger ? (int64_t)linger : -1;
	said.revoke_within =
		value_duration_s(s, "revoke-within", 1, b->diags, &said.bounds.revoke_within_s);
	said.stale_max = value_duration_s(s, "stale-max", 1, b->diags, &said.bounds.stale_max_s);
	said.addresses_max = value_number(s, "max-addresses-per-name", 1, NAME_ADDRESSES_LARGEST,
		b->diags, &said.bounds.addresses_max);
	return said;
}

/* The line that has the last word on a key: the vendor's own, else the section's first. */
static struct source line_of(const struct section *s, const char *key)
{
	const struct profile_text *value = section_scalar(s, key);

	return value ? value->at : s->at;
}

/* `said`: which values the admin gave, here or for all. Only these are refused; defaults give way.
 */
static void settle(struct config_builder *b, const struct section *s,
	const struct bounds_said *said, struct config_bounds *v)
{
	char refresh[32], linger[32], revoke[32];

	duration_format(v->revoke_within_s, revoke);
	if (said->refresh_min && said->refresh_max && v->refresh_min_s > v->refresh_max_s) {
		BUILD_ERROR(b, line_of(s, "refresh-max"), s, "refresh-max",
			"%s is below refresh-min %s", duration_format(v->refresh_max_s, refresh),
			duration_format(v->refresh_min_s, linger));
		return;
	}
	if (v->refresh_min_s > v->refresh_max_s) {
		if (said->refresh_min)
			v->refresh_max_s = v->refresh_min_s;
		else
			v->refresh_min_s = v->refresh_max_s;
	}
	if (!v->revoke_within_s)
		return;

	/* the shortest refresh that the admin lets us have */
	uint64_t least = said->refresh_max   ? v->refresh_max_s
			 : said->refresh_min ? v->refresh_min_s
					     : 1;
	if (said->linger && least + (uint64_t)v->linger_s > v->revoke_within_s) {
		duration_format((uint64_t)v->linger_s, linger);
		if (said->refresh_max || said->refresh_min)
			BUILD_ERROR(b, line_of(s, "linger"), s, "linger",
				"%s and %s %s together exceed revoke-within %s", linger,
				said->refresh_max ? "refresh-max" : "refresh-min",
				duration_format(least, refresh), revoke);
		else
			BUILD_ERROR(b, line_of(s, "linger"), s, "linger",
				"%s leaves no time to ask within revoke-within %s", linger, revoke);
		return;
	}
	if (said->linger && said->refresh_max)
		return;
	uint32_t most = v->revoke_within_s / 2;
	if (said->linger && v->revoke_within_s - (uint32_t)v->linger_s < most)
		most = v->revoke_within_s - (uint32_t)v->linger_s;
	if (most == 0)
		most = 1;
	if (v->refresh_max_s > most)
		v->refresh_max_s = most;
	if (v->refresh_max_s < v->refresh_min_s) {
		if (said->refresh_min)
			v->refresh_max_s = v->refresh_min_s;
		else
			v->refresh_min_s = v->refresh_max_s;
	}
}

static uint32_t smaller_said(uint32_t a, uint32_t b)
{
	return a == 0 ? b : b == 0 || a < b ? a : b;
}

void config_settle_bounds(struct config_builder *b, const struct section *s,
	const struct bounds_said *general, const struct profile *profile,
	const struct bounds_said *own, struct config_bounds *ret)
{
	struct bounds_said said = *general;
	struct config_bounds v = {CONFIG_REFRESH_MIN_S, CONFIG_REFRESH_MAX_S, -1, 0,
		CONFIG_STALE_MAX_S, CONFIG_NAME_ADDRESSES_MAX};

	if (said.refresh_min)
		v.refresh_min_s = said.bounds.refresh_min_s;
	if (said.refresh_max)
		v.refresh_max_s = said.bounds.refresh_max_s;
	if (said.linger)
		v.linger_s = said.bounds.linger_s;
	if (said.revoke_within)
		v.revoke_within_s = said.bounds.revoke_within_s;
	if (said.stale_max)
		v.stale_max_s = said.bounds.stale_max_s;
	if (said.addresses_max)
		v.addresses_max = said.bounds.addresses_max;
	if (profile) {
		/* a profile makes it stricter, never slacker */
		if (profile->refresh_max_s && profile->refresh_max_s < v.refresh_max_s) {
			v.refresh_max_s = profile->refresh_max_s;
			said.refresh_max = false;
		}
		v.revoke_within_s = smaller_said(v.revoke_within_s, profile->revoke_within_s);
	}
	if (own) {
		if (own->refresh_min)
			v.refresh_min_s = own->bounds.refresh_min_s;
		if (own->refresh_max)
			v.refresh_max_s = own->bounds.refresh_max_s;
		if (own->linger)
			v.linger_s = own->bounds.linger_s;
		if (own->revoke_within)
			v.revoke_within_s = own->bounds.revoke_within_s;
		if (own->stale_max)
			v.stale_max_s = own->bounds.stale_max_s;
		if (own->addresses_max)
			v.addresses_max = own->bounds.addresses_max;
		said.refresh_min |= own->refresh_min;
		said.refresh_max |= own->refresh_max;
		said.linger |= own->linger;
		said.revoke_within |= own->revoke_within;
	}
	settle(b, s, &said, &v);
	*ret = v;
}
