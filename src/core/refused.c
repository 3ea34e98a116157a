/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Refused packets, gathered: flows in a map, and in a ring by age. */
#include "core/refused.h"

#include "base/mem.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { MINUTE_MS = 60 * 1000 };

#define FLOW(link, member) CONTAINER_OF(link, struct refused_flow, member)

/* --- rings --- */

static void link_init(struct refused_link *l)
{
	l->next = l->before = l;
}

/* A ring of its own afterwards: taking it out again changes nothing. */
static void link_take_out(struct refused_link *l)
{
	l->before->next = l->next;
	l->next->before = l->before;
	link_init(l);
}

static void link_put_behind(struct refused_link *at, struct refused_link *l)
{
	l->before = at;
	l->next = at->next;
	at->next->before = l;
	at->next = l;
}

static bool is_linked(const struct refused_link *l)
{
	return l->next != l;
}

/* --- words --- */

static const char *const modes[] = {"report", "enforce", "deny"};

const char *refused_mode_name(enum refused_mode m)
{
	return modes[m];
}

bool refused_mode_parse(const char *text, size_t len, enum refused_mode *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (strlen(modes[i]) == len && memcmp(modes[i], text, len) == 0) {
			*ret = (enum refused_mode)i;
			return true;
		}
	}
	return false;
}

const char *refused_mac_format(const uint8_t mac[6], char *text)
{
	snprintf(text, REFUSED_MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
		mac[2], mac[3], mac[4], mac[5]);
	return text;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

bool refused_mac_parse(const char *text, uint8_t ret[6])
{
	uint8_t mac[6];

	if (strlen(text) != REFUSED_MAC_TEXT_SIZE - 1)
		return false;
	for (size_t i = 0; i < 6; i++, text += 3) {
		int high = hex_digit(text[0]), low = hex_digit(text[1]);
		if (high < 0 || low < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return false;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(ret, mac, sizeof(mac));
	return true;
}

/* --- groups --- */

static struct refused_group *find(const struct refused *r, const char *name)
{
	for (size_t i = 0; i < r->group_count; i++) {
		if (strcmp(r->groups[i]->name, name) == 0)
			return r->groups[i];
	}
	return NULL;
}

const struct refused_group *refused_group_find(const struct refused *r, const char *name)
{
	return find(r, name);
}

/* Minutes that have passed begin at nothing. */
static void roll(struct refused_group *g, uint64_t now_ms)
{
	uint64_t now = now_ms / MINUTE_MS;

	if (now >= g->minute + REFUSED_MINUTES) {
		memset(g->minutes, 0, sizeof(g->minutes));
		g->minute = now;
	}
	while (g->minute < now)
		g->minutes[++g->minute % REFUSED_MINUTES] = 0;
}

uint64_t refused_in_hour(const struct refused_group *g, uint64_t now_ms)
{
	uint64_t now = now_ms / MINUTE_MS, n = 0;

	for (uint64_t i = 0; i < REFUSED_MINUTES && i <= g->minute; i++) {
		if (g->minute - i + REFUSED_MINUTES > now)
			n += g->minutes[(g->minute - i) % REFUSED_MINUTES];
	}
	return n;
}

static void open_sum(struct refused_group *g, uint64_t now_ms)
{
	if (g->sum_ms)
		return;
	g->since_ms = now_ms;
	g->sum_ms = now_ms + REFUSED_SUM_MS;
}

/* --- flows --- */

static void forget(struct refused *r, struct refused_flow *f, uint64_t now_ms)
{
	if (f->untold) {
		f->group->loose += f->untold;
		open_sum(f->group, now_ms);
	}
	link_take_out(&f->by_age);
	link_take_out(&f->to_tell);
	map_remove(&r->flows, f->key, sizeof(f->key));
	free(f);
}

static struct refused_flow *oldest(const struct refused *r)
{
	return is_linked(&r->by_age) ? FLOW(r->by_age.before, by_age) : NULL;
}

static void make_key(uint8_t key[REFUSED_KEY_SIZE], const struct refused_group *g,
	const struct refused_packet *p)
{
	const struct service *s = &p->service;
	uint8_t small[] = {(uint8_t)p->mode, p->has_mac, s->kind, p->mac[0], p->mac[1], p->mac[2],
		p->mac[3], p->mac[4], p->mac[5], s->protocol, s->icmp_type,
		(uint8_t)(s->port_first >> 8), (uint8_t)s->port_first};
	uint8_t *at = key;

	static_assert(sizeof(small) == REFUSED_KEY_SIZE - sizeof(void *) - 2 * sizeof(struct addr),
		"the key is full");
	memcpy(at, &g, sizeof(g));
	at += sizeof(g);
	memcpy(at, small, sizeof(small));
	at += sizeof(small);
	memcpy(at, &p->source, sizeof(p->source));
	at += sizeof(p->source);
	memcpy(at, &p->destination, sizeof(p->destination));
}

static struct refused_flow *flow_for(
	struct refused *r, struct refused_group *g, const struct refused_packet *p, uint64_t now_ms)
{
	uint8_t key[REFUSED_KEY_SIZE];

	make_key(key, g, p);
	struct refused_flow *f = map_get(&r->flows, key, sizeof(key));
	if (f)
		return f;
	if (r->flows.count >= REFUSED_FLOWS_MAX) {
		r->forgotten++;
		forget(r, oldest(r), now_ms);
	}
	f = xcalloc(1, sizeof(*f));
	memcpy(f->key, key, sizeof(key));
	link_init(&f->by_age);
	link_init(&f->to_tell);
	f->group = g;
	f->first_ms = now_ms;
	map_put(&r->flows, f->key, sizeof(f->key), f);
	return f;
}

bool refused_take(struct refused *r, const struct refused_packet *p, uint64_t now_ms)
{
	struct refused_group *g = find(r, p->group);

	if (!g) {
		r->strange++;
		return false;
	}
	roll(g, now_ms);
	g->minutes[g->minute % REFUSED_MINUTES]++;
	g->count++;
	if (!p->has_addresses) {
		g->loose++;
		open_sum(g, now_ms);
		return true;
	}
	struct refused_flow *f = flow_for(r, g, p, now_ms);
	f->last = *p;
	f->last_ms = now_ms;
	f->count++;
	f->untold++;
	link_take_out(&f->by_age);
	link_put_behind(&r->by_age, &f->by_age);
	if (is_linked(&f->to_tell))
		return true;
	if (!f->told && token_bucket_has(&g->bucket, now_ms)) {
		token_bucket_take(&g->bucket, now_ms);
		link_put_behind(r->to_tell.before, &f->to_tell);
	} else {
		open_sum(g, now_ms);
	}
	return true;
}

const struct refused_flow *refused_each(const struct refused *r, const struct refused_flow *before)
{
	struct refused_link *next = before ? before->by_age.next : r->by_age.next;

	return next == &r->by_age ? NULL : FLOW(next, by_age);
}

/* --- what is to be told --- */

const struct refused_flow *refused_next_to_tell(struct refused *r)
{
	if (!is_linked(&r->to_tell))
		return NULL;
	struct refused_flow *f = FLOW(r->to_tell.next, to_tell);
	link_take_out(&f->to_tell);
	f->told = true;
	f->untold = 0;
	return f;
}

static void put_into_top(struct refused_sum *s, struct refused_flow *f)
{
	size_t at = s->top_count < REFUSED_TOP ? s->top_count++ : REFUSED_TOP;

	for (; at > 0 && f->untold > s->top_counts[at - 1]; at--) {
		if (at == REFUSED_TOP)
			continue;
		s->top[at] = s->top[at - 1];
		s->top_counts[at] = s->top_counts[at - 1];
	}
	if (at == REFUSED_TOP)
		return;
	s->top[at] = f;
	s->top_counts[at] = f->untold;
}

static void sum_up(struct refused *r, struct refused_group *g, struct refused_sum *s)
{
	struct map devices = MAP_NULL, destinations = MAP_NULL;

	*s = (struct refused_sum){.group = g, .since_ms = g->since_ms, .count = g->loose};
	s->loose = g->loose;
	for (struct refused_link *l = r->by_age.next; l != &r->by_age; l = l->next) {
		struct refused_flow *f = FLOW(l, by_age);
		if (f->group != g || !f->untold || is_linked(&f->to_tell))
			continue;
		s->flows++;
		s->count += f->untold;
		map_put(&devices, &f->last.source, sizeof(f->last.source), f);
		map_put(&destinations, &f->last.destination, sizeof(f->last.destination), f);
		put_into_top(s, f);
		f->untold = 0;
	}
	for (size_t i = 0; i < s->top_count; i++)
		s->top[i]->told = true;
	s->devices = devices.count;
	s->destinations = destinations.count;
	map_done(&devices);
	map_done(&destinations);
	g->sum_ms = g->loose = 0;
}

bool refused_next_sum(struct refused *r, uint64_t now_ms, struct refused_sum *ret)
{
	for (size_t i = 0; i < r->group_count; i++) {
		struct refused_group *g = r->groups[i];
		if (!g->sum_ms || g->sum_ms > now_ms)
			continue;
		sum_up(r, g, ret);
		if (ret->count)
			return true;
	}
	return false;
}

void refused_hurry(struct refused *r, uint64_t now_ms)
{
	for (size_t i = 0; i < r->group_count; i++) {
		if (r->groups[i]->sum_ms)
			r->groups[i]->sum_ms = now_ms;
	}
}

uint64_t refused_next_ms(struct refused *r, uint64_t now_ms)
{
	uint64_t next = UINT64_MAX;
	struct refused_flow *f;

	while ((f = oldest(r)) && f->last_ms + REFUSED_KEEP_MS <= now_ms)
		forget(r, f, now_ms);
	if (f)
		next = f->last_ms + REFUSED_KEEP_MS;
	for (size_t i = 0; i < r->group_count; i++) {
		uint64_t sum_ms = r->groups[i]->sum_ms;
		if (sum_ms && sum_ms < next)
			next = sum_ms;
	}
	return is_linked(&r->to_tell) ? now_ms : next;
}

/* --- life --- */

void refused_init(struct refused *r)
{
	*r = (struct refused){.flows = MAP_NULL};
	link_init(&r->by_age);
	link_init(&r->to_tell);
}

static struct refused_group *group_new(const char *name, uint64_t now_ms)
{
	struct refused_group *g = xcalloc(1, sizeof(*g));

	snprintf(g->name, sizeof(g->name), "%s", name);
	token_bucket_init_minute(&g->bucket, REFUSED_TOLD_A_MINUTE, REFUSED_TOLD_AT_ONCE, now_ms);
	g->minute = now_ms / MINUTE_MS;
	return g;
}

void refused_set_groups(struct refused *r, const char *const *names, size_t count, uint64_t now_ms)
{
	struct refused_group **groups = xcalloc(count + 1, sizeof(struct refused_group *));

	for (size_t i = 0; i < count; i++) {
		groups[i] = find(r, names[i]);
		if (!groups[i])
			groups[i] = group_new(names[i], now_ms);
		groups[i]->stays = true;
	}
	for (struct refused_link *l = r->by_age.next, *next; l != &r->by_age; l = next) {
		next = l->next;
		if (!FLOW(l, by_age)->group->stays)
			forget(r, FLOW(l, by_age), now_ms);
	}
	for (size_t i = 0; i < r->group_count; i++) {
		if (!r->groups[i]->stays)
			free(r->groups[i]);
	}
	for (size_t i = 0; i < count; i++)
		groups[i]->stays = false;
	free(r->groups);
	r->groups = groups;
	r->group_count = count;
}

void refused_done(struct refused *r)
{
	refused_set_groups(r, NULL, 0, 0);
	map_done(&r->flows);
	free(r->groups);
	r->groups = NULL;
}
