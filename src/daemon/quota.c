/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts what each vendor's names hold, so that an answer costs what it changes. */
#include "daemon/quota.h"

#include "base/strbuf.h"
#include "core/limits.h"
#include "daemon/health.h"

#include <syslog.h>

static struct vendor_load *load_of(const struct world *w, const struct config_vendor *v)
{
	return &w->loads[v - w->config->vendors];
}

/* A name that feeds several sets has several owners of one vendor. */
static void add(struct world *w, const struct name *n, size_t count, bool entered)
{
	const struct name_feeds *feeds = n->userdata;
	uint64_t round = ++w->load_rounds;

	for (size_t i = 0; feeds && i < feeds->count; i++) {
		struct vendor_load *load = load_of(w, feeds->owners[i]->from);
		if (load->round == round)
			continue;
		load->round = round;
		if (entered)
			load->addresses += count;
		else
			load->addresses -= count;
	}
}

void quota_count(struct world *w, const struct name_change *c)
{
	add(w, c->family->name, 1, c->entered);
}

void quota_count_all(struct world *w, const struct world *old)
{
	struct name *n;

	for (size_t i = 0; i < w->config->vendor_count; i++) {
		const struct config_vendor *v = &w->config->vendors[i];
		const struct config_vendor *before =
			old ? config_vendor_find(old->config, v->name) : NULL;
		w->loads[i] = (struct vendor_load){
			.limited_ms = before ? load_of(old, before)->limited_ms : 0};
	}
	for (size_t at = 0; (n = names_next(&w->names, &at));) {
		for (int i = 0; i < FAMILY_COUNT; i++)
			add(w, n, n->families[i].count, true);
	}
}

static bool is_of(const struct name *n, const struct config_vendor *v)
{
	const struct name_feeds *feeds = n->userdata;

	for (size_t i = 0; feeds && i < feeds->count; i++) {
		if (feeds->owners[i]->from == v)
			return true;
	}
	return false;
}

/* What the vendor's names hold once the changes are applied. */
static size_t total_of(const struct world *w, const struct config_vendor *v,
	const struct name_changes *changes, const struct name *n)
{
	size_t total = load_of(w, v)->addresses;

	for (size_t i = 0; i < changes->count; i++) {
		const struct name_change *c = &changes->items[i];
		if (c->family->name != n && !is_of(c->family->name, v))
			continue;
		total = c->entered ? total + 1 : total - 1;
	}
	return total;
}

/* Walks all of them: only where there is no room. */
static size_t make_room(
	struct world *w, const struct config_vendor *v, size_t count, struct name_changes *changes)
{
	struct name_family **families = NULL;
	size_t family_count = 0, capacity = 0;
	struct name *n;

	for (size_t at = 0; (n = names_next(&w->names, &at));) {
		for (int i = 0; i < FAMILY_COUNT && is_of(n, v); i++) {
			VEC_GROW(families, capacity, family_count);
			families[family_count++] = &n->families[i];
		}
	}
	size_t made = limits_make_room(families, family_count, count, changes);
	free(families);
	return made;
}

static void tell_vendor(const struct sync *s, const struct world *w, const struct config_vendor *v,
	const struct vendor_load *load, size_t total)
{
	_cleanup_free_ char *m =
		load->limited_ms
			? xasprintf("%s: its names have more addresses than max-addresses %u: what "
				    "DNS no longer gives leaves before its time, and where that is "
				    "not enough new ones are not allowed",
				  v->name, v->addresses_max)
			: xasprintf("%s: its names have room for more addresses again (%zu, "
				    "max-addresses %u)",
				  v->name, total, v->addresses_max);

	s->emit(s->userdata, &(struct event){
				     .kind = EVENT_LIMITED,
				     .priority = load->limited_ms ? LOG_WARNING : LOG_NOTICE,
				     .message = m,
				     .vendor = v->name,
				     .config = w->config->digest,
			     });
}

static void fit_vendor(const struct sync *s, struct world *w, const struct config_vendor *v,
	const struct name *n, struct name_changes *changes, uint64_t now_ms)
{
	struct vendor_load *load = load_of(w, v);
	size_t max = v->addresses_max, wanted = total_of(w, v, changes, n), total = wanted;

	/* A bound that a reload lowered is kept to from the next change on. */
	if (wanted > max && changes->count) {
		size_t over = wanted - max;
		over -= make_room(w, v, over, changes);
		limits_take_back(changes, 0, over);
		total = total_of(w, v, changes, n);
	}
	bool is_over = limits_is_over(load->limited_ms, wanted, total, max);
	if (is_over == (load->limited_ms != 0))
		return;
	load->limited_ms = is_over ? now_ms : 0;
	tell_vendor(s, w, v, load, total);
}

static void tell_name(const struct sync *s, const struct world *w, const struct name_family *f)
{
	struct name_feeds *feeds = f->name->userdata;
	unsigned max = f->name->bounds.addresses_max;

	if (feeds->limited[f->family] == (f->limited_ms != 0))
		return;
	feeds->limited[f->family] = f->limited_ms;
	_cleanup_free_ char *text =
		f->limited_ms
			? xasprintf(
				  "has more addresses than max-addresses-per-name %u: what DNS no "
				  "longer gives leaves before its time, and where that is not "
				  "enough new ones are not allowed",
				  max)
			: xasprintf("has room for more addresses again (%zu, "
				    "max-addresses-per-name %u)",
				  f->count, max);
	health_tell_name(
		s, w, f, NULL, EVENT_LIMITED, f->limited_ms ? LOG_WARNING : LOG_NOTICE, text);
}

void quota_fit(const struct sync *s, struct world *w, struct name_family *f,
	struct name_changes *changes, uint64_t now_ms)
{
	const struct name_feeds *feeds = f->name->userdata;
	const struct config_vendor *last = NULL;

	for (size_t i = 0; feeds && i < feeds->count; i++) {
		const struct config_vendor *v = feeds->owners[i]->from;
		if (v != last)
			fit_vendor(s, w, v, f->name, changes, now_ms);
		last = v;
	}
	if (feeds)
		tell_name(s, w, f);
}
