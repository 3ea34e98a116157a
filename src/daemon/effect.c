/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the rules that use a set to what they come to. */
#include "daemon/effect.h"

#include "base/strbuf.h"
#include "edge/nft_rules.h"

#include <inttypes.h>
#include <string.h>
#include <syslog.h>

/* Sets on their way out, and such as are not there, have no effect to speak of. */
static bool can_have_one(const struct world_set *set)
{
	return set->config && set->present;
}

/* Its rules are about to come. */
static bool is_early(const struct world *w, const struct world_set *set)
{
	return set->config && set->config->managed && w->rules_awaited;
}

/* Putting elements into it is no use that lets anything through. */
static bool matches_by_it(const struct nft_use *u)
{
	return u->kind != NFT_REF_UPDATE;
}

/* Of many uses the one that says most comes first. */
static int rank(const struct nft_use *u)
{
	if (!u->reached)
		return 0;
	if (u->kind == NFT_REF_LOOKUP && u->end == NFT_RULE_END_ACCEPT)
		return 3;
	return u->kind == NFT_REF_INVERTED && u->end == NFT_RULE_END_DROP ? 2 : 1;
}

static const char *what_it_does(const struct nft_use *u)
{
	bool inverted = u->kind == NFT_REF_INVERTED;

	switch (u->end) {
	case NFT_RULE_END_ACCEPT:
		return inverted ? "all else accepted by" : "accepted by";
	case NFT_RULE_END_DROP:
		return inverted ? "all else dropped by" : "dropped by";
	default:
		return inverted ? "all else matched by" : "matched by";
	}
}

/* Chains and tables may have any name. */
static char *rule_text(const struct world_set *set, const struct nft_use *u)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;

	strbuf_appendf(&b, "%s ", nf_family_name(set->id.nf_family));
	strbuf_append_escaped(&b, set->id.table, strlen(set->id.table));
	strbuf_append_char(&b, ' ');
	strbuf_append_escaped(&b, u->chain, strlen(u->chain));
	strbuf_appendf(&b, " handle %" PRIu64, u->handle);
	return strbuf_take(&b);
}

static void take_uses(struct world_set *set, const struct nft_uses *uses)
{
	const struct nft_use *best = NULL;
	size_t count = 0;

	for (size_t i = 0; i < uses->count; i++) {
		const struct nft_use *u = &uses->items[i];
		if (u->set != set->index || !matches_by_it(u))
			continue;
		count += u->reached;
		if (!best || rank(u) > rank(best))
			best = u;
	}
	free(set->effect.rule);
	set->effect.count = count;
	set->effect.rule = best ? rule_text(set, best) : NULL;
	set->effect.does = best ? what_it_does(best) : NULL;
}

static void tell(const struct world *w, struct world_set *set, sync_event_fn emit, void *userdata)
{
	bool ineffective = effect_is_missing(set);

	if (ineffective == set->effect.ineffective)
		return;
	set->effect.ineffective = ineffective;
	_cleanup_free_ char *text = effect_text(set);
	_cleanup_free_ char *m = xasprintf("set %s is %s: %s", set->text,
		ineffective ? "ineffective" : "effective again", text);
	emit(userdata, &(struct event){
			       .kind = ineffective ? EVENT_SET_INEFFECTIVE : EVENT_SET_EFFECTIVE,
			       .priority = ineffective ? LOG_WARNING : LOG_NOTICE,
			       .message = m,
			       .set = set->text,
			       .config = w->config->digest,
			       .file = set->config->at.file,
			       .line = set->config->at.line,
		       });
}

bool effect_look(struct world *w, struct nft_rules *r, sync_event_fn emit, void *userdata)
{
	struct nft_uses uses = NFT_USES_NULL;
	const struct set_id **ids = xcalloc(w->set_count + 1, sizeof(*ids));

	for (size_t i = 0; i < w->set_count; i++)
		ids[i] = &w->sets[i].id;
	int result = nft_rules_look(r, ids, w->set_count, &uses);
	free(ids);
	if (result != 0)
		return false;
	for (size_t i = 0; i < w->set_count; i++) {
		struct world_set *set = &w->sets[i];
		/* One that is not there may come with its rules: nothing is known until then. */
		set->effect.looked = can_have_one(set) && !is_early(w, set);
		if (!set->effect.looked)
			continue;
		take_uses(set, &uses);
		tell(w, set, emit, userdata);
	}
	nft_uses_done(&uses);
	return true;
}

bool effect_is_due(const struct world *w)
{
	for (size_t i = 0; i < w->set_count; i++) {
		if (can_have_one(&w->sets[i]) && !is_early(w, &w->sets[i]) &&
			!w->sets[i].effect.looked)
			return true;
	}
	return false;
}

bool effect_is_known(const struct world_set *set)
{
	return can_have_one(set) && set->effect.looked;
}

bool effect_is_missing(const struct world_set *set)
{
	return effect_is_known(set) && set->effect.count == 0;
}

char *effect_text(const struct world_set *set)
{
	const struct set_effect *e = &set->effect;

	if (!effect_is_known(set))
		return xstrdup("not looked at");
	if (!e->rule)
		return xstrdup("no rule uses it");
	if (e->count == 0)
		return xasprintf("no packet comes by the rule that uses it, %s", e->rule);
	if (e->count == 1)
		return xasprintf("%s %s", e->does, e->rule);
	return xasprintf("%s %s and %zu more rule%s", e->does, e->rule, e->count - 1,
		e->count == 2 ? "" : "s");
}
