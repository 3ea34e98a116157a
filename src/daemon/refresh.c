/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From names to wanted sets. */
#include "daemon/refresh.h"

#include "base/strbuf.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>

static size_t expand(const struct world_set *set, const struct owner *o, const struct addr *a,
	struct element_key *ret)
{
	return element_expand(
		&set->kind, a, o->endpoint->services, o->endpoint->service_count, ret);
}

static void hold(
	struct world *w, struct owner *o, const struct addr *a, const char *reason, uint32_t ttl_s)
{
	struct world_set *set = &w->sets[o->set_index];
	struct element_key keys[SET_PORTS_MAX];

	if (owner_is_paused(w, o))
		return;
	size_t n = expand(set, o, a, keys);
	for (size_t i = 0; i < n; i++)
		wanted_hold(&set->wanted, &keys[i], o, reason, ttl_s);
}

static void let_go(struct world *w, struct owner *o, const struct addr *a, const char *reason,
	uint64_t missing_ms)
{
	struct world_set *set = &w->sets[o->set_index];
	struct element_key keys[SET_PORTS_MAX];
	size_t n = expand(set, o, a, keys);

	for (size_t i = 0; i < n; i++) {
		if (wanted_release(&set->wanted, &keys[i], o, reason))
			wanted_note_missing(&set->wanted, &keys[i], missing_ms);
	}
}

void refresh_apply(struct world *w, const struct name_changes *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		const struct name_change *c = &changes->items[i];
		const struct name_feeds *feeds = c->family->name->userdata;
		for (size_t j = 0; feeds && j < feeds->count; j++) {
			if (c->entered)
				hold(w, feeds->owners[j], &c->address.addr, c->reason,
					c->address.ttl_s);
			else
				let_go(w, feeds->owners[j], &c->address.addr, c->reason,
					c->address.missing_ms);
		}
	}
}

void refresh_on_answer(struct world *w, const struct name_family *f)
{
	const struct name_feeds *feeds = f->name->userdata;

	for (size_t i = 0; feeds && i < feeds->count; i++)
		w->sets[feeds->owners[i]->set_index].answers_came = true;
}

static const struct config_endpoint *endpoint_of(const struct world *w, const struct owner *o)
{
	const struct config_vendor *v = config_vendor_find(w->config, o->vendor);

	for (size_t i = 0; v && i < v->endpoint_count; i++) {
		if (v->endpoints[i].endpoint == o->endpoint)
			return &v->endpoints[i];
	}
	return NULL;
}

typedef void (*each_addr_fn)(
	struct world *w, struct owner *o, const struct addr *a, uint32_t ttl_s);

/* Every single address that the owner stands for now, in the family of its set. */
static void each_addr(struct world *w, struct owner *o, each_addr_fn fn)
{
	enum family family = w->sets[o->set_index].kind.family;

	if (o->name) {
		const struct name *n = names_find(&w->names, o->name);
		const struct name_family *f = &n->families[family];
		for (size_t i = 0; i < f->count; i++)
			fn(w, o, &f->addresses[i].addr, f->addresses[i].ttl_s);
		return;
	}
	const struct config_endpoint *e = endpoint_of(w, o);
	for (size_t i = 0; e && i < e->address_count; i++) {
		if (addr_range_is_single(&e->addresses[i].range))
			fn(w, o, &e->addresses[i].range.first, 0);
	}
}

static void hold_known(struct world *w, struct owner *o, const struct addr *a, uint32_t ttl_s)
{
	hold(w, o, a, o->name ? "answer" : "static", ttl_s);
}

static void let_go_paused(struct world *w, struct owner *o, const struct addr *a, uint32_t ttl_s)
{
	let_go(w, o, a, "release", 0);
}

void refresh_release_paused(struct world *w)
{
	for (size_t i = 0; i < w->owner_count; i++) {
		struct owner *o = w->owners[i];
		if (!o->retired && owner_is_paused(w, o))
			each_addr(w, o, let_go_paused);
	}
}

_printf_(3, 4) static void refuse(struct world_set *set, struct source at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *text = xvasprintf(fmt, ap);
	va_end(ap);
	VEC_GROW(set->refusals, set->refusal_capacity, set->refusal_count);
	set->refusals[set->refusal_count++] = (struct set_refusal){at, text};
}

/* A prefix is never enumerated: it needs a set of intervals. Of the other family it is no concern
 * of this set. */
static void refuse_ranges(struct world *w, struct world_set *set, const struct owner *o)
{
	const struct config_endpoint *e = endpoint_of(w, o);
	char text[ADDR_RANGE_TEXT_SIZE];

	for (size_t i = 0; e && i < e->address_count; i++) {
		const struct profile_address *a = &e->addresses[i];
		if (a->range.first.family != set->kind.family || addr_range_is_single(&a->range))
			continue;
		refuse(set, a->at,
			"[endpoint %s] address: %s needs flag interval, which set %s (%s) "
			"has not: this entry is left out",
			o->endpoint->name, addr_range_format(&a->range, text), set->text,
			set->config->name);
	}
}

/* ICMPv6 in a set of IPv4 addresses is no loss, nor the other way round. */
static bool is_of_other_family(const struct service *s, enum family family)
{
	return s->kind == SERVICE_ICMP &&
	       s->protocol == (family == FAMILY_V4 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

static void refuse_services(struct world_set *set, const struct endpoint *e)
{
	unsigned ports = element_ports_in_all(e->services, e->service_count);
	char text[SERVICE_TEXT_SIZE];

	for (size_t i = 0; i < e->service_count; i++) {
		const char *why = set_kind_refuses(&set->kind, &e->services[i], ports);
		if (why && !is_of_other_family(&e->services[i], set->kind.family))
			refuse(set, e->at,
				"[endpoint %s] allow: %s cannot stand in set %s (%s), type "
				"%s: %s: this entry is left out",
				e->name, service_format(&e->services[i], text), set->text,
				set->config->name, set_kind_type_name(&set->kind), why);
	}
	if (e->any)
		refuse(set, e->at,
			"[endpoint %s] address: any destination cannot stand in set %s "
			"(%s): this entry is left out",
			e->name, set->text, set->config->name);
}

static bool same_services(const struct endpoint *a, const struct endpoint *b)
{
	if (a->service_count != b->service_count)
		return false;
	for (size_t i = 0; i < a->service_count; i++) {
		bool found = false;
		for (size_t j = 0; j < b->service_count; j++)
			found = found || service_eq(&a->services[i], &b->services[j]);
		if (!found)
			return false;
	}
	return true;
}

/* The endpoints that this set takes, each once. */
static size_t endpoints_of(const struct world_set *set, const struct owner **ret)
{
	size_t n = 0;

	for (size_t i = 0; i < set->owner_count; i++) {
		size_t j = 0;
		while (j < n && ret[j]->endpoint != set->owners[i]->endpoint)
			j++;
		if (j == n)
			ret[n++] = set->owners[i];
	}
	return n;
}

static char *describe_mixed(const struct owner **owners, size_t count)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;
	bool mixed = false;
	char text[SERVICE_TEXT_SIZE];

	for (size_t i = 0; i < count; i++) {
		const struct endpoint *e = owners[i]->endpoint;
		mixed = mixed || !same_services(e, owners[0]->endpoint);
		strbuf_appendf(&b, "%s%s/%s (", i ? ", " : "", owners[i]->vendor, e->name);
		for (size_t j = 0; j < e->service_count; j++)
			strbuf_appendf(
				&b, "%s%s", j ? " " : "", service_format(&e->services[j], text));
		strbuf_append(&b, ")");
	}
	return mixed ? strbuf_take(&b) : NULL;
}

static void look_for_misfits(struct world *w, struct world_set *set)
{
	_cleanup_free_ const struct owner **owners = xcalloc(set->owner_count, sizeof(*owners));
	size_t n = endpoints_of(set, owners);

	for (size_t i = 0; i < set->refusal_count; i++)
		free(set->refusals[i].text);
	set->refusal_count = 0;
	free(set->mixed);
	set->mixed = set->kind.layout == SET_LAYOUT_ADDR ? describe_mixed(owners, n) : NULL;
	for (size_t i = 0; i < n; i++)
		refuse_services(set, owners[i]->endpoint);
	for (size_t i = 0; i < set->owner_count; i++) {
		if (!set->owners[i]->name)
			refuse_ranges(w, set, set->owners[i]);
	}
}

void refresh_fill_set(struct world *w, struct world_set *set)
{
	if (!set->config)
		return;
	look_for_misfits(w, set);
	for (size_t i = 0; i < set->owner_count; i++)
		each_addr(w, set->owners[i], hold_known);
}

/* NULL: a static entry. */
static const struct name_family *family_of(
	const struct world *w, const struct world_set *set, const struct owner *o)
{
	return o->name ? &names_find(&w->names, o->name)->families[set->kind.family] : NULL;
}

static bool is_awaited(const struct world *w, const struct world_set *set, size_t owner)
{
	const struct name_family *f = family_of(w, set, set->owners[owner]);

	return f && !name_family_is_known(f);
}

bool refresh_unowned_leave_ms(
	const struct world *w, struct world_set *set, uint64_t now_ms, uint64_t *ret_ms)
{
	uint64_t linger_ms = 0;

	/* What is known stays so as a rule: goes on where it ended last time, since this is asked
	 * after each answer. */
	for (size_t i = set->awaited_at; i < set->owner_count; i++) {
		set->awaited_at = i;
		if (is_awaited(w, set, i))
			return false;
	}
	for (size_t i = 0; i < set->owner_count; i++) {
		const struct name_family *f = family_of(w, set, set->owners[i]);
		set->awaited_at = i;
		if (is_awaited(w, set, i))
			return false;
		uint64_t l = f ? names_linger_ms(f, now_ms) : 0;
		if (l > linger_ms)
			linger_ms = l;
	}
	*ret_ms = now_ms + linger_ms;
	return true;
}

char *refresh_awaited(const struct world *w, const struct world_set *set)
{
	enum { SHOWN = 5 };
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;
	size_t n = 0;

	for (size_t i = 0; i < set->owner_count; i++) {
		if (!is_awaited(w, set, i))
			continue;
		const struct name_family *f = family_of(w, set, set->owners[i]);
		if (n++ < SHOWN)
			strbuf_appendf(&b, "%s%s (%s)", n > 1 ? ", " : "", f->name->text,
				f->asked ? answer_outcome_name(f->outcome) : "not answered yet");
	}
	if (n > SHOWN)
		strbuf_appendf(&b, " and %zu more", n - SHOWN);
	return strbuf_take(&b);
}
