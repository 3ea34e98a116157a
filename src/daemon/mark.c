/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From what becomes of marked packets to what is said of it. */
#include "daemon/mark.h"

#include "base/strbuf.h"
#include "core/ruleset.h"
#include "edge/nft_mark.h"

#include <syslog.h>

enum { PRIORITY = -10 }; /* of the chain that marks: filter - 10 */

/* A family of which nothing is marked may be dropped as a whole. Before anything is known both
 * count. */
static void ask_for_families(const struct world *w, struct nft_mark_question *q)
{
	for (size_t i = 0; i < w->set_count; i++) {
		const struct world_set *set = &w->sets[i];
		if (!set->config || !set->config->managed || !wanted_count(&set->wanted))
			continue;
		q->ipv4 = q->ipv4 || set->kind.family == FAMILY_V4;
		q->ipv6 = q->ipv6 || set->kind.family == FAMILY_V6;
	}
	if (!q->ipv4 && !q->ipv6)
		q->ipv4 = q->ipv6 = true;
}

static char *describe_blocked(const struct config *c, const struct nft_mark_answer *a)
{
	_cleanup_free_ char *hook = ruleset_hook(c);
	struct strbuf b = STRBUF_NULL;

	strbuf_appendf(&b, "%s drops%s", a->blocks, a->by_policy ? " by policy" : "");
	if (a->too_early)
		strbuf_append(&b, " before the mark is set (at priority filter - 10): give it a "
				  "later priority, and add");
	else
		strbuf_append(&b, ", and no rule of it accepts what is marked; add");
	strbuf_appendf(&b, ": %s", hook);
	if (a->blocking > 1)
		strbuf_appendf(&b, " (and so in %zu more chain%s)", a->blocking - 1,
			a->blocking == 2 ? "" : "s");
	return strbuf_take(&b);
}

static char *describe(const struct config *c, const struct nft_mark_answer *a)
{
	if (a->blocking)
		return describe_blocked(c, a);
	if (a->accepts)
		return xasprintf("accepted by %s", a->accepts);
	return xstrdup("no chain on the forward hook drops, so that it makes no difference");
}

static void tell(struct world *w, sync_event_fn emit, void *userdata)
{
	struct mark_effect *e = &w->mark;

	if (e->ineffective == e->told)
		return;
	e->told = e->ineffective;
	_cleanup_free_ char *m = xasprintf("mark 0x%08x is %s: %s", w->config->mark.value,
		e->ineffective ? "ineffective" : "effective again", e->text);
	emit(userdata,
		&(struct event){
			.kind = e->ineffective ? EVENT_MARK_INEFFECTIVE : EVENT_MARK_EFFECTIVE,
			.priority = e->ineffective ? LOG_WARNING : LOG_NOTICE,
			.message = m,
			.config = w->config->digest,
		});
}

bool mark_look(struct world *w, struct nft_mark *m, bool marks, sync_event_fn emit, void *userdata)
{
	const struct config_mark *mark = &w->config->mark;
	struct nft_mark_question q = {
		.value = mark->value,
		.priority = PRIORITY,
		.own_table = RULESET_TABLE,
		.own_prefix = RULESET_PREFIX,
	};
	struct nft_mark_answer a = NFT_MARK_ANSWER_NULL;

	if (!marks) {
		w->mark.looked = w->mark.ineffective = false;
		return true;
	}
	ask_for_families(w, &q);
	if (nft_mark_look(m, &q, &a) != 0)
		return false;
	free(w->mark.text);
	w->mark = (struct mark_effect){
		.looked = true,
		.ineffective = a.blocking,
		.idle = !a.dropping,
		.told = w->mark.told,
		.text = describe(w->config, &a),
	};
	tell(w, emit, userdata);
	nft_mark_answer_done(&a);
	return true;
}
