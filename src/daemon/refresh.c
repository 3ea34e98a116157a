/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From names to wanted sets. */
#include "daemon/refresh.h"

#include "base/strbuf.h"
#include "core/limits.h"
#include "daemon/quota.h"
#include "daemon/refresh_private.h"
#include "daemon/screening.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>

static size_t expand(const struct world_set *set, const struct owner *o, const struct addr_range *r,
	struct element_key *ret)
{
	return element_expand(
		&set->kind, r, o->endpoint->services, o->endpoint->service_count, ret);
}

void refresh_hold(struct world *w, struct owner *o, const struct addr_range *r, const char *reason,
	uint32_t ttl_s)
{
	struct world_set *set = &w->sets[o->set_index];
	struct element_key keys[SET_PORTS_MAX];
	bool dns = o->name || o->keeps;

	if (owner_is_paused(w, o) || (dns && screening_rule(w, o, &r->first)))
		return;
	size_t n = expand(set, o, r, keys);
	for (size_t i = 0; i < n; i++)
		wanted_hold(&set->wanted, &keys[i], o, reason, ttl_s);
}

void refresh_let_go(struct world *w, struct owner *o, const struct addr_range *r,
	const char *reason, uint64_t missing_ms)
{
	struct world_set *set = &w->sets[o->set_index];
	struct element_key keys[SET_PORTS_MAX];
	size_t n = expand(set, o, r, keys);

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
		const struct addr_range r = {c->address.addr, c->address.addr};
		quota_count(w, c);
		for (size_t j = 0; feeds && j < feeds->count; j++) {
			if (c->entered)
				refresh_hold(w, feeds->owners[j], &r, c->reason, c->address.ttl_s);
			else
				refresh_let_go(
					w, feeds->owners[j], &r, c->reason, c->address.missing_ms);
		}
	}
}

/* Does something since the last answer? After a denial it is dated back to the first one. */
static bool begins_to_linger(const struct name_family *f)
{
	for (size_t i = 0; i < f->count; i++) {
		const struct name_address *a = &f->addresses[i];
		if (a->denied || (a->missing_ms && a->missing_ms >= f->asked_ms))
			return true;
	}
	return false;
}

void refresh_on_answer(struct world *w, const struct name_family *f)
{
	const struct name_feeds *feeds = f->name->userdata;
	bool lingers = begins_to_linger(f);

	for (size_t i = 0; feeds && i < feeds->count; i++) {
		struct world_set *set = &w->sets[feeds->owners[i]->set_index];
		set->answers_came = true;
		/* It may make room for what was left out. */
		set->plan_all = set->plan_all || (set->full && lingers);
		if (set->keeper && set->config->family == f->family && f->outcome == ANSWER_OK)
			refresh_note_denied(w, set, f, f->asked_ms);
	}
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

typedef void (*each_range_fn)(
	struct world *w, struct owner *o, const struct addr_range *r, uint32_t ttl_s);

/* Everything that the owner stands for now, in the family of its set. */
static void each_range(struct world *w, struct owner *o, each_range_fn fn)
{
	enum family family = w->sets[o->set_index].kind.family;
	const struct denied *d;

	for (size_t at = 0; o->keeps && (d = denylist_next(&w->sets[o->set_index].denied, &at));) {
		const struct addr a = denied_addr(d);
		fn(w, o, &(struct addr_range){a, a}, 0);
	}
	if (o->keeps)
		return;
	if (o->name) {
		const struct name *n = names_find(&w->names, o->name);
		const struct name_family *f = &n->families[family];
		for (size_t i = 0; i < f->count; i++) {
			const struct name_address *a = &f->addresses[i];
			fn(w, o, &(struct addr_range){a->addr, a->addr}, a->ttl_s);
		}
		return;
	}
	const struct config_endpoint *e = endpoint_of(w, o);
	for (size_t i = 0; e && i < e->address_count; i++) {
		if (config_set_takes_range(w->sets[o->set_index].config, &e->addresses[i].range))
			fn(w, o, &e->addresses[i].range, 0);
	}
}

static void hold_known(struct world *w, struct owner *o, const struct addr_range *r, uint32_t ttl_s)
{
	refresh_hold(w, o, r, o->keeps ? "deny" : o->name ? "answer" : "static", ttl_s);
}

static void let_go_paused(
	struct world *w, struct owner *o, const struct addr_range *r, uint32_t ttl_s)
{
	refresh_let_go(w, o, r, "release", 0);
}

void refresh_release_paused(struct world *w)
{
	for (size_t i = 0; i < w->owner_count; i++) {
		struct owner *o = w->owners[i];
		if (!o->retired && owner_is_paused(w, o))
			each_range(w, o, let_go_paused);
	}
}

/* What is refused for one owner alone: it may have become so, or be so no longer. */
static void judge_again(
	struct world *w, struct owner *o, const struct addr_range *r, uint32_t ttl_s)
{
	if (screening_rule(w, o, &r->first))
		refresh_let_go(w, o, r, "screened", 0);
	else
		hold_known(w, o, r, ttl_s);
}

void refresh_judge_again(struct world *w, uint64_t now_ms)
{
	struct name_changes changes = NAME_CHANGES_NULL;

	screening_drop(w, now_ms, &changes);
	refresh_apply(w, &changes);
	name_changes_done(&changes);
	for (size_t i = 0; i < w->owner_count; i++) {
		struct owner *o = w->owners[i];
		bool known = w->sets[o->set_index].kind.layout != SET_LAYOUT_UNKNOWN;
		if (!o->retired && (o->name || o->keeps) && known)
			each_range(w, o, judge_again);
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

/* A prefix is never enumerated: it needs a set of ranges. Concatenated intervals would take one,
 * but each delete in there costs the kernel a walk over all of them, and takes whatever holds the
 * key. Of the other family it is no concern of this set. */
static void refuse_ranges(struct world *w, struct world_set *set, const struct owner *o)
{
	if (set_kind_has_ranges(&set->kind))
		return;
	const struct config_endpoint *e = endpoint_of(w, o);
	char text[ADDR_RANGE_TEXT_SIZE];

	for (size_t i = 0; e && i < e->address_count; i++) {
		const struct profile_address *a = &e->addresses[i];
		if (a->range.first.family != set->kind.family || addr_range_is_single(&a->range) ||
			!config_set_takes_range(set->config, &a->range))
			continue;
		if (set->kind.interval)
			refuse(set, a->at,
				"[endpoint %s] address: %s is more than one address, and set %s "
				"(%s) has concatenated intervals, which only get single ones: this "
				"entry is left out; it needs a set of bare addresses with flag "
				"interval",
				o->endpoint->name, addr_range_format(&a->range, text), set->text,
				set->config->name);
		else
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
	unsigned ports = element_ports_in_all(&set->kind, e->services, e->service_count);
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

/* Of those that this set is for. */
static bool has_services_of(
	const struct set_kind *kind, const struct endpoint *a, const struct endpoint *b)
{
	for (size_t i = 0; i < b->service_count; i++) {
		bool found = set_kind_passes_over(kind, &b->services[i]);
		for (size_t j = 0; j < a->service_count; j++)
			found = found || service_eq(&a->services[j], &b->services[i]);
		if (!found)
			return false;
	}
	return true;
}

static bool same_services(
	const struct set_kind *kind, const struct endpoint *a, const struct endpoint *b)
{
	return has_services_of(kind, a, b) && has_services_of(kind, b, a);
}

static bool is_passed_over(const struct set_kind *kind, const struct endpoint *e)
{
	for (size_t i = 0; i < e->service_count; i++) {
		if (!set_kind_passes_over(kind, &e->services[i]))
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

static char *describe_mixed(const struct world_set *set, const struct owner **owners, size_t count)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;
	const struct endpoint *first = NULL;
	bool mixed = false;
	char text[SERVICE_TEXT_SIZE];

	for (size_t i = 0; i < count; i++) {
		const struct endpoint *e = owners[i]->endpoint;
		if (is_passed_over(&set->kind, e))
			continue;
		mixed = mixed || (first && !same_services(&set->kind, e, first));
		strbuf_appendf(&b, "%s%s/%s (", first ? ", " : "", owners[i]->vendor, e->name);
		first = first ? first : e;
		for (size_t j = 0; j < e->service_count; j++)
			strbuf_appendf(
				&b, "%s%s", j ? " " : "", service_format(&e->services[j], text));
		strbuf_append(&b, ")");
	}
	return mixed ? strbuf_take(&b) : NULL;
}

/* Renewed three times within it; under that they would expire in between. */
enum { FUSE_MIN_MS = 3000 };

uint64_t refresh_fuse_ms(const struct world_set *set)
{
	uint64_t fuse_ms = set->kind.timeout_ms;

	if (!set->config || !set->kind.has_timeout)
		return 0;
	if (set->keeper)
		return DENYLIST_FUSE_S * UINT64_C(1000);
	if (set->config->fuse_s >= 0)
		fuse_ms = (uint64_t)set->config->fuse_s * 1000;
	return fuse_ms >= FUSE_MIN_MS ? fuse_ms : 0;
}

static void refuse_fuse(struct world_set *set)
{
	const struct config_set *c = set->config;
	uint64_t timeout_ms = set->kind.timeout_ms;

	if (c->fuse_s > 0 && !set->kind.has_timeout)
		refuse(set, c->at,
			"[set %s] fuse: set %s has no flag timeout: its elements are permanent",
			c->name, set->text);
	else if (c->fuse_s < 0 && timeout_ms && timeout_ms < FUSE_MIN_MS)
		refuse(set, c->at,
			"[set %s]: the timeout of set %s is under 3s, too short to be renewed in "
			"time: its elements are permanent",
			c->name, set->text);
}

static void look_for_misfits(struct world *w, struct world_set *set)
{
	_cleanup_free_ const struct owner **owners = xcalloc(set->owner_count, sizeof(*owners));
	size_t n = endpoints_of(set, owners);

	for (size_t i = 0; i < set->refusal_count; i++)
		free(set->refusals[i].text);
	set->refusal_count = 0;
	free(set->mixed);
	set->mixed = set->kind.layout == SET_LAYOUT_ADDR ? describe_mixed(set, owners, n) : NULL;
	refuse_fuse(set);
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
		each_range(w, set->owners[i], hold_known);
	if (set->keeper)
		refresh_keep_denied(w, set);
}

static int compare_pointers(const void *a, const void *b)
{
	uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;

	return x < y ? -1 : x > y;
}

/* What feeds the set by name, each once; and the most elements that one address of them is. */
static struct name_family **feeding(
	const struct world *w, const struct world_set *set, size_t *ret_count, size_t *ret_most)
{
	struct name_family **families = xcalloc(set->owner_count, sizeof(struct name_family *));
	struct element_key keys[SET_PORTS_MAX];
	size_t count = 0, kept = 0;

	*ret_most = 1;
	for (size_t i = 0; i < set->owner_count; i++) {
		const struct owner *o = set->owners[i];
		struct name_family *f =
			o->name ? &names_find(&w->names, o->name)->families[set->kind.family]
				: NULL;
		if (!f || !f->count)
			continue;
		const struct addr *a = &f->addresses[0].addr;
		size_t n = expand(set, o, &(struct addr_range){*a, *a}, keys);
		*ret_most = n > *ret_most ? n : *ret_most;
		families[count++] = f;
	}
	if (count)
		qsort(families, count, sizeof(struct name_family *), compare_pointers);
	for (size_t i = 0; i < count; i++) {
		if (!kept || families[kept - 1] != families[i])
			families[kept++] = families[i];
	}
	*ret_count = kept;
	return families;
}

bool refresh_make_room(struct world *w, struct world_set *set, size_t elements)
{
	struct name_changes changes = NAME_CHANGES_NULL;
	size_t count, most;
	struct name_family **families = feeding(w, set, &count, &most);

	size_t made = limits_make_room(families, count, (elements + most - 1) / most, &changes);
	refresh_apply(w, &changes);
	name_changes_done(&changes);
	free(families);
	return made;
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

static const char *why_awaited(const struct name_family *f)
{
	if (!f->asked)
		return "not answered yet";
	return f->outcome == ANSWER_OK ? "answered in part" : answer_outcome_name(f->outcome);
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

const char *refresh_unasked(const struct world *w, const struct world_set *set)
{
	for (size_t i = 0; i < set->owner_count; i++) {
		const struct name_family *f = family_of(w, set, set->owners[i]);
		if (f && !f->asked)
			return f->name->text;
	}
	return NULL;
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
			strbuf_appendf(
				&b, "%s%s (%s)", n > 1 ? ", " : "", f->name->text, why_awaited(f));
	}
	if (n > SHOWN)
		strbuf_appendf(&b, " and %zu more", n - SHOWN);
	return strbuf_take(&b);
}
