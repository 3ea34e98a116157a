/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is denied for a while, and what collides with it. */
#include "daemon/denying.h"

#include "base/strbuf.h"
#include "core/limits.h"
#include "daemon/refresh.h"

#include <syslog.h>

/* --- collisions --- */

struct collision {
	const struct sync *sync;
	struct world *world;
	const struct addr *addr;
	const struct world_set *denies; /* it is wanted in there */
};

/* Of the endpoint that is denied, who gave the address: a name, maybe long ago; NULL: not known, or
 * a static entry. */
static const char *name_of_denied(const struct collision *c, const struct want *want)
{
	const struct denied *d = denylist_find(&c->denies->denied, &want->key);

	for (uint32_t i = 0; i < want->count; i++) {
		if (want->owners[i]->name)
			return want->owners[i]->name;
	}
	return d ? d->name : NULL;
}

/* "acme/tunnel (t.example.com)" */
static char *party_text(const struct owner *o, const char *name)
{
	return name ? xasprintf("%s/%s (%s)", o->vendor, o->endpoint->name, name)
		    : xasprintf("%s/%s", o->vendor, o->endpoint->name);
}

static void tell_collision(
	const struct collision *c, const struct want *denied, const struct owner *allowed)
{
	const struct owner *keeper = c->denies->keeper;
	const char *name = name_of_denied(c, denied);
	_cleanup_free_ char *no = party_text(keeper, name),
			    *yes = party_text(allowed, allowed->name);
	_cleanup_free_ char *both = xasprintf("%s, %s", no, yes);
	struct strings *told = &c->world->collisions;
	char text[ADDR_TEXT_SIZE];

	if (told->count >= DENYING_COLLISIONS_MAX || strings_has(told, both))
		return;
	strings_add(told, both);
	_cleanup_free_ char *m = xasprintf(
		"%s is denied by %s and allowed by %s: where both are for the same devices the "
		"denial stands first, so they lose what is allowed there",
		addr_format(c->addr, text), no, yes);
	c->sync->emit(c->sync->userdata, &(struct event){
						 .kind = EVENT_DENY_COLLIDES,
						 .priority = LOG_WARNING,
						 .message = m,
						 .vendor = keeper->vendor,
						 .endpoint = keeper->endpoint->name,
						 .name = name,
						 .set = c->denies->text,
						 .reason = yes,
						 .config = c->world->config->digest,
					 });
}

/* Wants of a set that allows. */
static void look_at_want(const struct want *want, void *userdata)
{
	const struct collision *c = userdata;
	const struct owner *keeper = c->denies->keeper;
	const struct element_key key = element_key_addr(c->addr);
	const struct want *denied = wanted_find(&c->denies->wanted, &key);

	for (uint32_t i = 0; denied && i < want->count; i++) {
		const struct owner *o = want->owners[i];
		if (endpoint_overlaps(o->endpoint, keeper->endpoint))
			tell_collision(c, denied, o);
	}
}

static void look_at_keys(const struct collision *c, const struct world_set *set)
{
	const struct addr_range r = {*c->addr, *c->addr};
	struct element_key keys[SET_PORTS_MAX];

	if (set->wanted.ranged) {
		const struct element_value v = {.addr = r};
		const struct element_key span = element_key_encode(&set->kind, &v);
		wanted_each_in(&set->wanted, &span, look_at_want, (void *)(uintptr_t)c);
		return;
	}
	/* Where elements have ports, each endpoint has some of its own. */
	for (size_t i = 0; i < set->owner_count; i++) {
		const struct endpoint *e = set->owners[i]->endpoint;
		if (i && set->owners[i - 1]->endpoint == e)
			continue;
		size_t n = element_expand(&set->kind, &r, e->services, e->service_count, keys);
		for (size_t k = 0; k < n; k++) {
			const struct want *want = wanted_find(&set->wanted, &keys[k]);
			if (want)
				look_at_want(want, (void *)(uintptr_t)c);
		}
	}
}

/* Is there a group that has both? */
static bool share_a_group(const struct config *c, const char *a, const char *b)
{
	for (size_t i = 0; i < c->devices_count; i++) {
		const struct strings *vendors = &c->devices[i].vendors;
		if (strings_has(vendors, a) && strings_has(vendors, b))
			return true;
	}
	return false;
}

static bool allows(const struct world_set *set, enum family family)
{
	const struct config_set *c = set->config;

	return c && c->managed && !c->denies && (c->direction & DIRECTION_OUT) &&
	       set->kind.layout != SET_LAYOUT_UNKNOWN && set->kind.family == family;
}

static void look_for_collisions(
	const struct sync *s, struct world *w, const struct world_set *denies, const struct addr *a)
{
	const struct collision c = {s, w, a, denies};

	for (size_t i = 0; i < w->set_count; i++) {
		const struct world_set *set = &w->sets[i];
		if (allows(set, (enum family)a->family) &&
			share_a_group(
				w->config, denies->keeper->vendor, set->config->vendors.items[0]))
			look_at_keys(&c, set);
	}
}

void denying_on_changes(const struct sync *s, struct world *w, const struct name_changes *changes)
{
	for (size_t i = 0; w->denies && i < changes->count; i++) {
		const struct addr *a = &changes->items[i].address.addr;
		const struct element_key key = element_key_addr(a);
		for (size_t k = 0; changes->items[i].entered && k < w->set_count; k++) {
			if (w->sets[k].keeper && wanted_find(&w->sets[k].wanted, &key))
				look_for_collisions(s, w, &w->sets[k], a);
		}
	}
}

static void look_at_all(const struct sync *s, struct world *w, const struct world_set *set)
{
	const struct denied *d;

	for (size_t at = 0; (d = denylist_next(&set->denied, &at));) {
		const struct addr a = denied_addr(d);
		if (wanted_find(&set->wanted, &d->key))
			look_for_collisions(s, w, set, &a);
	}
}

/* --- limits --- */

static void fit(const struct sync *s, struct world *w, struct world_set *set, uint64_t now_ms)
{
	size_t max = set->keeper->from->addresses_max, wanted = denylist_count(&set->denied);

	refresh_limit_denied(w, set, max);
	size_t count = denylist_count(&set->denied);
	bool is_over = limits_is_over(set->denied.limited_ms, wanted, count, max);
	if (is_over == (set->denied.limited_ms != 0))
		return;
	set->denied.limited_ms = is_over ? now_ms : 0;
	_cleanup_free_ char *m =
		is_over ? xasprintf("%s: %s has had more addresses within 30 days than "
				    "max-addresses %zu: those that DNS gave least recently are "
				    "no longer denied",
				  set->keeper->vendor, set->keeper->endpoint->name, max)
			: xasprintf("%s: %s has room for more addresses to be denied again (%zu, "
				    "max-addresses %zu)",
				  set->keeper->vendor, set->keeper->endpoint->name, count, max);
	s->emit(s->userdata, &(struct event){
				     .kind = EVENT_LIMITED,
				     .priority = is_over ? LOG_WARNING : LOG_NOTICE,
				     .message = m,
				     .vendor = set->keeper->vendor,
				     .endpoint = set->keeper->endpoint->name,
				     .set = set->text,
				     .config = w->config->digest,
			     });
}

void denying_turn(const struct sync *s, struct world *w, struct world_set *set, uint64_t now_ms)
{
	/* Also where there is no such set yet: what is over must not be due for ever. */
	refresh_expire_denied(w, set, now_ms);
	fit(s, w, set, now_ms);
	if (!set->denied_news)
		return;
	set->denied_news = false;
	refresh_keep_denied(w, set);
	look_at_all(s, w, set);
}
