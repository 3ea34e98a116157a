/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the configuration to names, owners and sets; and from one world to the next. */
#include "daemon/world.h"

#include "base/strbuf.h"
#include "core/ruleset.h"
#include "daemon/quota.h"
#include "daemon/screening.h"

#include <string.h>

static struct owner *new_owner(struct world *w, const struct world_set *set,
	const struct config_vendor *v, const struct endpoint *e, const char *name)
{
	struct owner *o = xcalloc(1, sizeof(*o));

	*o = (struct owner){
		.vendor = v->name,
		.from = v,
		.endpoint = e,
		.name = name,
		.set_index = set->index,
	};
	VEC_GROW(w->owners, w->owner_capacity, w->owner_count);
	w->owners[w->owner_count++] = o;
	return o;
}

static struct owner *add_owner(struct world *w, struct world_set *set,
	const struct config_vendor *v, const struct endpoint *e, const char *name)
{
	struct owner *o = new_owner(w, set, v, e, name);

	VEC_GROW(set->owners, set->owner_capacity, set->owner_count);
	set->owners[set->owner_count++] = o;
	return o;
}

static void feed(struct name *n, struct owner *o)
{
	if (!n->userdata)
		n->userdata = xcalloc(1, sizeof(struct name_feeds));
	struct name_feeds *feeds = n->userdata;
	VEC_GROW(feeds->owners, feeds->capacity, feeds->count);
	feeds->owners[feeds->count++] = o;
}

/* An endpoint that no set takes is not asked for: its answers would go nowhere. */
static void bind_endpoint(struct world *w, struct world_set *set, const struct config_vendor *v,
	const struct config_endpoint *e, uint64_t now_ms)
{
	bool any = false;

	for (size_t i = 0; config_set_takes_names(set->config) && i < e->names.count; i++) {
		struct name *n = names_add(&w->names, e->names.items[i], &v->bounds, now_ms);
		feed(n, add_owner(w, set, v, e->endpoint, n->text));
	}
	for (size_t i = 0; i < e->address_count; i++)
		any = any || config_set_takes_range(set->config, &e->addresses[i].range);
	if (any)
		add_owner(w, set, v, e->endpoint, NULL);
}

static void bind_set(struct world *w, struct world_set *set, uint64_t now_ms)
{
	for (size_t i = 0; i < w->config->vendor_count; i++) {
		const struct config_vendor *v = &w->config->vendors[i];
		if (!strings_has(&set->config->vendors, v->name))
			continue;
		for (size_t j = 0; j < v->endpoint_count; j++) {
			if (config_set_takes(set->config, v, &v->endpoints[j]))
				bind_endpoint(w, set, v, &v->endpoints[j], now_ms);
		}
	}
	if (!set->config->denies || !config_set_takes_names(set->config) || !set->owner_count)
		return;
	const struct owner *any = set->owners[0]; /* all are of one endpoint (core/ruleset.h) */
	set->keeper = new_owner(w, set, any->from, any->endpoint, NULL);
	set->keeper->keeps = true;
	w->denies = true;
}

static void set_init(struct world_set *s, size_t index, const struct set_id *id,
	const struct config_set *config, uint64_t now_ms)
{
	*s = (struct world_set){
		.config = config,
		.index = index,
		.id = {id->nf_family, xstrdup(id->table), xstrdup(id->name)},
		.text = set_id_format(id),
		.look_ms = now_ms,
		.answers_came = true,
	};
}

struct world *world_new(struct config *config, uint64_t seed, uint64_t now_ms)
{
	struct world *w = xcalloc(1, sizeof(*w));

	w->config = config;
	w->loaded_ms = now_ms;
	names_init(&w->names, seed);
	w->sets = xcalloc(config->set_count, sizeof(*w->sets));
	w->set_count = config->set_count;
	w->vendor_paused = xcalloc(config->vendor_count, sizeof(bool));
	w->rules_released = xcalloc(config->vendor_count, sizeof(bool));
	w->loads = xcalloc(config->vendor_count, sizeof(*w->loads));
	for (size_t i = 0; i < w->set_count; i++) {
		const struct config_set *c = &config->sets[i];
		set_init(&w->sets[i], i, &c->id, c, now_ms);
		bind_set(w, &w->sets[i], now_ms);
	}
	return w;
}

static struct world_set *find_by_id(const struct world *w, const struct set_id *id)
{
	for (size_t i = 0; i < w->set_count; i++) {
		if (set_id_eq(&w->sets[i].id, id))
			return &w->sets[i];
	}
	return NULL;
}

/* The old world's owners die with it, but the journal still has to say through whom an element
 * leaves: a copy that owns its texts. */
struct retired {
	struct owner owner; /* first: freed through it */
	struct endpoint endpoint;
};

static struct owner *retire(struct world *w, struct world_set *set, const struct owner *o)
{
	struct retired *r = xcalloc(1, sizeof(*r));

	r->endpoint.name = o->endpoint ? xstrdup(o->endpoint->name) : NULL;
	r->owner = (struct owner){
		.vendor = xstrdup(o->vendor),
		.endpoint = o->endpoint ? &r->endpoint : NULL,
		.name = o->name ? xstrdup(o->name) : NULL,
		.set_index = set->index,
		.keeps = o->keeps,
		.retired = true,
	};
	VEC_GROW(w->owners, w->owner_capacity, w->owner_count);
	w->owners[w->owner_count++] = &r->owner;
	return &r->owner;
}

static void free_owner(struct owner *o)
{
	if (o->retired) {
		struct retired *r = CONTAINER_OF(o, struct retired, owner);
		free(r->endpoint.name);
		free((void *)(uintptr_t)o->vendor);
		free((void *)(uintptr_t)o->name);
	}
	free(o);
}

/* What the old set wanted: the last of each key's owners is taken along as the one who lets go. The
 * new owners have not taken hold yet, so whoever still wants a key simply takes it again. */
static void carry_wants(struct world *w, struct world_set *set, const struct world_set *old)
{
	_cleanup_(map_done) struct map retired = MAP_NULL;
	const struct want *want;

	for (size_t at = 0; (want = wanted_next(&old->wanted, &at));) {
		struct owner *from = want->owners[want->count - 1];
		struct owner *to = map_get(&retired, &from, sizeof(from));
		if (!to) {
			to = retire(w, set, from);
			/* The key is the pointer itself, which stands in the old want. */
			map_put(&retired, &want->owners[want->count - 1], sizeof(from), to);
		}
		wanted_mark_dirty(&set->wanted, &want->key, to, "reload", 0);
	}
}

/* What is heard of the kernel's set goes on where it was: nothing has to be looked at. */
static void carry_copy(struct world_set *set, struct world_set *old)
{
	if (!old->present || !old->looked || old->look_ms || old->peek_ms)
		return;
	set->carried = true;
	set->live = old->live;
	old->live = LIVE_NULL;
	set->read_kind = old->read_kind;
	set->strange = old->strange;
	set->halves_size = old->halves_size;
	set->catches_up = old->catches_up;
	set->looked_generation = old->looked_generation;
	set->touched.ear = old->touched.ear;
}

static void carry_set(struct world *w, struct world_set *set, struct world_set *old)
{
	carry_wants(w, set, old);
	set->settled = old->settled;
	set->unowned_leave_ms = old->unowned_leave_ms;
	set->last_change_ms = old->last_change_ms;
	set->foreign_reported = old->foreign_reported;
	set->strangers = old->strangers;
	old->strangers = MAP_NULL;
	carry_copy(set, old);
	if (set->keeper) {
		set->denied = old->denied;
		old->denied = DENYLIST_NULL;
		set->denied_news = true;
	}
	set->effect = old->effect;
	if (old->effect.rule)
		set->effect.rule = xstrdup(old->effect.rule);
	if (old->degraded) {
		set->degraded = xstrdup(old->degraded);
		set->degraded_ms = old->degraded_ms;
	}
}

void world_carry_over(struct world *w, struct world *old, uint64_t now_ms)
{
	struct name *n;

	w->own = old->own;
	w->rules_awaited = old->rules_awaited;
	w->mark = old->mark;
	old->mark.text = NULL;
	w->collisions = old->collisions;
	old->collisions = (struct strings){0};
	names_carry_over(&w->names, &old->names, now_ms);
	for (size_t at = 0; (n = names_next(&w->names, &at));) {
		const struct name *before = names_find(&old->names, n->text);
		if (!before || !before->userdata || !n->userdata)
			continue;
		struct name_feeds *feeds = n->userdata;
		const struct name_feeds *told = before->userdata;
		feeds->reported = told->reported;
		feeds->gone = told->gone;
		feeds->kept_back = told->kept_back;
		memcpy(feeds->refused, told->refused, sizeof(feeds->refused));
		memcpy(feeds->stale, told->stale, sizeof(feeds->stale));
		feeds->replaced_ms = told->replaced_ms;
		feeds->moved_ms = told->moved_ms;
		memcpy(feeds->limited, told->limited, sizeof(feeds->limited));
		screening_carry_over(feeds, told);
	}
	quota_count_all(w, old);
	for (size_t i = 0; i < old->set_count; i++) {
		struct world_set *s = find_by_id(w, &old->sets[i].id);
		if (!s) {
			/* It left: emptied of ours, then forgotten. */
			w->sets = xreallocarray(w->sets, w->set_count + 1, sizeof(*w->sets));
			s = &w->sets[w->set_count];
			set_init(s, w->set_count++, &old->sets[i].id, NULL, now_ms);
			carry_set(w, s, &old->sets[i]);
			s->settled = true;
		} else {
			carry_set(w, s, &old->sets[i]);
		}
	}
}

static void set_done(struct world_set *s)
{
	free(s->id.table);
	free(s->id.name);
	free(s->text);
	wanted_done(&s->wanted);
	live_done(&s->live);
	denylist_done(&s->denied);
	free(s->owners);
	for (size_t i = 0; i < s->refusal_count; i++)
		free(s->refusals[i].text);
	free(s->refusals);
	free(s->mixed);
	free(s->costly);
	free(s->degraded);
	world_set_forget_strangers(s);
	free(s->effect.rule);
}

void world_set_forget_strangers(struct world_set *set)
{
	struct stranger *s;

	for (size_t at = 0; (s = map_next(&set->strangers, &at));) {
		free(s->by);
		free(s);
	}
	map_done(&set->strangers);
}

void world_set_note_stranger(
	struct world_set *set, const struct element_key *key, const char *by, uint64_t now_ms)
{
	if (set->strangers.count >= STRANGERS_MAX)
		world_set_forget_strangers(set);
	struct stranger *s = map_get(&set->strangers, key->bytes, key->len);
	if (!s) {
		s = xcalloc(1, sizeof(*s));
		s->key = *key;
		map_put(&set->strangers, s->key.bytes, s->key.len, s);
	}
	free(s->by);
	s->by = xstrdup(by);
	s->at_ms = now_ms;
}

const struct stranger *world_set_stranger(
	const struct world_set *set, const struct element_key *key)
{
	return map_get(&set->strangers, key->bytes, key->len);
}

void world_drop_last_set(struct world *w)
{
	set_done(&w->sets[--w->set_count]);
}

struct world *world_free(struct world *w)
{
	struct name *n;

	if (!w)
		return NULL;
	for (size_t at = 0; (n = names_next(&w->names, &at));) {
		struct name_feeds *feeds = n->userdata;
		if (feeds) {
			free(feeds->owners);
			free(feeds->refusals);
		}
		free(feeds);
	}
	names_done(&w->names);
	for (size_t i = 0; i < w->set_count; i++)
		set_done(&w->sets[i]);
	free(w->sets);
	for (size_t i = 0; i < w->owner_count; i++)
		free_owner(w->owners[i]);
	free(w->owners);
	free(w->vendor_paused);
	free(w->rules_released);
	free(w->mark.text);
	strings_done(&w->collisions);
	free(w->loads);
	config_free(w->config);
	free(w);
	return NULL;
}

struct world_set *world_set_find(const struct world *w, const char *text_or_section)
{
	for (size_t i = 0; i < w->set_count; i++) {
		const struct world_set *s = &w->sets[i];
		if (str_eq(s->text, text_or_section) ||
			(s->config && str_eq(s->config->name, text_or_section)))
			return &w->sets[i];
	}
	return NULL;
}

const struct denylist *world_set_lives(const struct world_set *set)
{
	return set->keeper && set->kind.fuse_ms ? &set->denied : NULL;
}

bool world_set_removes_foreign(const struct world_set *set)
{
	return set->config && set->config->remove_foreign && !set->paused &&
	       (set->settled || set->unowned_leave_ms);
}

/* Of that vendor, or of any (NULL): is there a managed set, and does one stand in the kernel?
 * Before it was looked at it may. */
static bool has_managed_set(const struct world *w, const struct config_vendor *v, bool *ret_stands)
{
	bool any = false;

	*ret_stands = false;
	for (size_t i = 0; i < w->set_count; i++) {
		const struct world_set *s = &w->sets[i];
		if (!s->config || !s->config->managed ||
			(v && !strings_has(&s->config->vendors, v->name)))
			continue;
		any = true;
		*ret_stands = *ret_stands || s->present || !s->looked;
	}
	return any;
}

bool world_vendor_is_ineffective(const struct world *w, const struct config_vendor *v)
{
	bool stand;

	if (has_managed_set(w, v, &stand))
		return !stand;
	if (ruleset_marks_any(w->config, v) && w->config->mark.load)
		return w->rules_awaited;
	/* All that it has is a rule without a set: only others' sets show whether that is loaded.
	 */
	if (ruleset_marks_any(w->config, v) && has_managed_set(w, NULL, &stand))
		return !stand;
	for (size_t i = 0; i < w->owner_count; i++) {
		if (!w->owners[i]->retired && str_eq(w->owners[i]->vendor, v->name))
			return false;
	}
	return true;
}

const char *world_vendor_lacks(const struct world *w, const struct config_vendor *v)
{
	bool stand;

	bool for_groups = config_has_devices_for(w->config, v->name);

	if (w->config->mark.load && has_managed_set(w, v, &stand))
		return for_groups ? "for [devices] only, and its sets in table inet " RULESET_TABLE
				    " are not there"
				  : "no [set] takes it, and its sets in table inet " RULESET_TABLE
				    " are not there";
	if (for_groups && has_managed_set(w, v, &stand))
		return "for [devices] only, and the rules of allowsyncctl rules are not loaded";
	return has_managed_set(w, v, &stand)
		       ? "no [set] takes it, and the rules of allowsyncctl rules are not loaded"
		       : "no [set] takes it";
}

char *world_summary(const struct world *w, bool silent)
{
	size_t elements = 0, degraded = 0, failing = 0, ineffective = 0, limited = 0;
	struct name *n;

	for (size_t i = 0; i < w->set_count; i++) {
		const struct world_set *set = &w->sets[i];
		elements += set->live.ours;
		degraded += set->degraded || set->refusal_count;
		ineffective +=
			set->config && set->present && set->effect.looked && !set->effect.count;
	}
	for (size_t i = 0; i < w->config->vendor_count; i++)
		limited += w->loads[i].limited_ms != 0;
	for (size_t at = 0; (n = names_next(&w->names, &at));) {
		failing += names_health(n) == NAME_STOPPED;
		limited += n->families[FAMILY_V4].limited_ms || n->families[FAMILY_V6].limited_ms;
	}
	return xasprintf("%svendors %zu, names %zu (%zu stopped resolving), sets %zu (%zu "
			 "degraded), elements %zu%s",
		ineffective || w->mark.ineffective ? "INEFFECTIVE (see allowsyncctl): "
		: w->rules_awaited || degraded || failing || limited || silent
			? "DEGRADED (see allowsyncctl): "
			: "",
		w->config->vendor_count, w->names.by_text.count, failing, w->config->set_count,
		degraded, elements, silent ? ", no DNS server answers" : "");
}

bool owner_is_paused(const struct world *w, const struct owner *o)
{
	return o->paused || w->sets[o->set_index].paused;
}

void history_add(struct history *h, const struct removal *r)
{
	if (!h->items)
		h->items = xcalloc(WORLD_HISTORY_MAX, sizeof(*h->items));
	struct removal *to = &h->items[h->next];
	free(to->set);
	free(to->element);
	free(to->vendor);
	free(to->endpoint);
	free(to->name);
	*to = *r;
	to->set = xstrdup(r->set);
	to->element = xstrdup(r->element);
	to->vendor = r->vendor ? xstrdup(r->vendor) : NULL;
	to->endpoint = r->endpoint ? xstrdup(r->endpoint) : NULL;
	to->name = r->name ? xstrdup(r->name) : NULL;
	h->next = (h->next + 1) % WORLD_HISTORY_MAX;
	if (h->count < WORLD_HISTORY_MAX)
		h->count++;
}

const struct removal *history_get(const struct history *h, size_t i)
{
	if (i >= h->count)
		return NULL;
	return &h->items[(h->next + WORLD_HISTORY_MAX - 1 - i) % WORLD_HISTORY_MAX];
}

void history_done(struct history *h)
{
	for (size_t i = 0; i < h->count; i++) {
		struct removal *r = &h->items[i];
		free(r->set);
		free(r->element);
		free(r->vendor);
		free(r->endpoint);
		free(r->name);
	}
	free(h->items);
	*h = (struct history){0};
}
