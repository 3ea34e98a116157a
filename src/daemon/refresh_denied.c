/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is denied for longer than a name has it: from names to the lists of sets that deny, and from
 * there to wanted. */
#include "daemon/refresh_private.h"

static void keep(struct world *w, struct world_set *set, const struct addr *a)
{
	refresh_hold(w, set->keeper, &(struct addr_range){*a, *a}, "deny", 0);
}

void refresh_note_denied(
	struct world *w, struct world_set *set, const struct name_family *f, uint64_t since_ms)
{
	for (size_t i = 0; i < f->count; i++) {
		const struct name_address *a = &f->addresses[i];
		const struct element_key key = element_key_addr(&a->addr);
		if (a->last_ms < since_ms ||
			!denylist_note(&set->denied, &key, f->name->text, a->first_ms, a->last_ms))
			continue;
		keep(w, set, &a->addr);
	}
}

void refresh_keep_denied(struct world *w, struct world_set *set)
{
	const struct denied *d;

	for (size_t i = 0; i < set->owner_count; i++) {
		const char *text = set->owners[i]->name;
		const struct name *n = text ? names_find(&w->names, text) : NULL;
		if (n) /* it may have had them before it was denied */
			refresh_note_denied(w, set, &n->families[set->config->family], 0);
	}
	for (size_t at = 0; (d = denylist_next(&set->denied, &at));) {
		const struct addr a = denied_addr(d);
		keep(w, set, &a);
	}
}

/* By a name that has it still, or a static entry. */
static bool is_wanted_elsewhere(const struct world_set *set, const struct denied *d)
{
	const struct want *want = wanted_find(&set->wanted, &d->key);

	return want && (want->count > 1 || want->owners[0] != set->keeper);
}

static void let_go_denied(
	struct world *w, struct world_set *set, const struct denied *d, const char *reason)
{
	const struct addr a = denied_addr(d);
	/* What came before this machine's clock began cannot be told by it. */
	uint64_t last_ms = (int64_t)d->last_ms > 0 ? d->last_ms : 0;

	refresh_let_go(w, set->keeper, &(struct addr_range){a, a}, reason, last_ms);
	denylist_remove(&set->denied, d);
}

void refresh_expire_denied(struct world *w, struct world_set *set, uint64_t now_ms)
{
	const struct denied *d;

	while ((d = denylist_over(&set->denied, now_ms))) {
		if (is_wanted_elsewhere(set, d)) {
			denylist_stay(&set->denied, d, now_ms);
			set->renew_ms = 1;
		} else {
			let_go_denied(w, set, d, "linger");
		}
	}
}

void refresh_limit_denied(struct world *w, struct world_set *set, size_t max)
{
	const struct denied *d;

	/* The first one is over first, so it was seen least recently. */
	while (denylist_count(&set->denied) > max && (d = denylist_first(&set->denied))) {
		if (is_wanted_elsewhere(set, d))
			return;
		let_go_denied(w, set, d, "limit");
	}
}
