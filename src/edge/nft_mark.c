/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each table with a chain on the forward hook becomes a graph, and each such chain is walked from
 * for itself: an accept ends only the chain that it was come to from. */
#include "edge/nft_mark.h"

#include "base/strbuf.h"
#include "edge/nft_graph.h"
#include "edge/nft_look.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/netfilter.h>
#include <string.h>

enum { BASES_MAX = 1000 };

/* What the rules of a chain do with such packets. */
enum { FACT_DROPS = 1, FACT_LETS_OFF = 2 };

struct nft_mark {
	struct nft_look look;
};

/* A chain on the hook. */
struct base {
	uint8_t nf_family;
	char *table, *name;
	int32_t priority;
	bool drops;
};

struct reading {
	struct nft_socket *socket;
	uint32_t generation;
	const struct nft_mark_question *question;
	struct base *bases;
	size_t base_count, base_capacity;
	bool too_many;
	struct nft_graph graph; /* of the table being read */
	struct nft_mark_answer answer;
};

typedef uint32_t request_buf[NFT_MSG_REQUEST_MAX / sizeof(uint32_t)];

struct nft_mark *nft_mark_new(void)
{
	return xcalloc(1, sizeof(struct nft_mark));
}

struct nft_mark *nft_mark_free(struct nft_mark *m)
{
	if (!m)
		return NULL;
	nft_look_done(&m->look);
	free(m);
	return NULL;
}

void nft_mark_answer_done(struct nft_mark_answer *a)
{
	free(a->blocks);
	free(a->accepts);
	*a = NFT_MARK_ANSWER_NULL;
}

static void reading_done(struct reading *t)
{
	for (size_t i = 0; i < t->base_count; i++) {
		free(t->bases[i].table);
		free(t->bases[i].name);
	}
	free(t->bases);
	nft_graph_done(&t->graph);
	nft_mark_answer_done(&t->answer);
}

/* --- reading --- */

static bool is_asked_for(const struct nft_mark_question *q, const struct nft_chain *c)
{
	bool family = c->nf_family == NFPROTO_INET || (c->nf_family == NFPROTO_IPV4 && q->ipv4) ||
		      (c->nf_family == NFPROTO_IPV6 && q->ipv6);
	bool own = c->nf_family == NFPROTO_INET && str_eq(c->table, q->own_table) &&
		   str_starts(c->name, q->own_prefix);
	return c->is_base && c->hook == NF_INET_FORWARD && family && !own;
}

static bool on_chain(void *userdata, const struct nft_msg *m)
{
	struct reading *t = userdata;
	struct nft_chain c;
	if (nft_rule_decode_chain(m, &c) < 0)
		return false;
	if (!is_asked_for(t->question, &c))
		return true;
	if (t->base_count == BASES_MAX) {
		t->too_many = true;
		return false;
	}
	VEC_GROW(t->bases, t->base_capacity, t->base_count);
	t->bases[t->base_count++] = (struct base){
		.nf_family = c.nf_family,
		.table = xstrdup(c.table),
		.name = xstrdup(c.name),
		.priority = c.priority,
		.drops = c.drops,
	};
	return true;
}

static void note_rule(struct nft_node *chain, const struct nft_rule *rule, uint32_t value)
{
	enum nft_rule_mark mark = nft_rule_look_at_mark(rule, value);
	bool drops = rule->end == NFT_RULE_END_DROP;
	bool leads_off = rule->end == NFT_RULE_END_ACCEPT || rule->end == NFT_RULE_END_OTHER;

	if (drops && mark != NFT_RULE_MARK_OTHERS && !nft_rule_looks_at_state(rule))
		chain->facts |= FACT_DROPS;
	if ((drops && mark == NFT_RULE_MARK_OTHERS) || (leads_off && mark == NFT_RULE_MARK_ONLY)) {
		chain->facts |= FACT_LETS_OFF;
		chain->handle = chain->handle ? chain->handle : rule->handle;
	}
}

static bool on_rule(void *userdata, const struct nft_msg *m)
{
	struct reading *t = userdata;
	struct nft_rule rule;
	struct nft_ref ref;
	if (nft_rule_decode(m, &rule) < 0)
		return false;
	/* Kernels that know no filter give all tables'. */
	if (!str_eq(rule.table, t->graph.table))
		return true;
	struct nft_node *chain = nft_graph_chain(&t->graph, rule.chain);
	for (struct nft_attrs at = rule.expressions; nft_rule_next_ref(&at, &ref);) {
		if (ref.kind == NFT_REF_CHAIN)
			nft_graph_lead(chain, nft_graph_chain(&t->graph, ref.name));
		else if (ref.kind == NFT_REF_VMAP)
			nft_graph_lead(chain, nft_graph_map(&t->graph, ref.name));
	}
	if (chain)
		note_rule(chain, &rule, t->question->value);
	return !t->graph.too_many;
}

/* --- judging --- */

static char *chain_text(const struct base *b, const char *chain)
{
	struct strbuf s = STRBUF_NULL;
	strbuf_appendf(&s, "%s ", nf_family_name(b->nf_family));
	strbuf_append_escaped(&s, b->table, strlen(b->table));
	strbuf_append_char(&s, ' ');
	strbuf_append_escaped(&s, chain, strlen(chain));
	return strbuf_take(&s);
}

static void note_blocking(struct reading *t, const struct base *b, bool early)
{
	struct nft_mark_answer *a = &t->answer;
	if (a->blocking++)
		return;
	a->blocks = chain_text(b, b->name);
	a->by_policy = b->drops;
	a->too_early = early;
}

/* What packets meet that come to this chain. */
static int judge(struct reading *t, const struct base *b)
{
	bool early = b->priority < t->question->priority;
	const struct nft_node *n, *off = NULL;
	unsigned facts = b->drops ? FACT_DROPS : 0;
	nft_graph_restart(&t->graph);
	struct nft_node *start = nft_graph_chain(&t->graph, b->name);
	if (!start)
		return -EMSGSIZE;
	nft_graph_reach(&t->graph, start);
	int r = nft_graph_follow(&t->graph);
	if (r != 0)
		return r;
	for (size_t at = 0; (n = map_next(&t->graph.nodes, &at));) {
		if (!n->reached)
			continue;
		facts |= n->facts;
		if (n->facts & FACT_LETS_OFF && (!off || n->handle < off->handle))
			off = n;
	}
	if (early ? !b->drops : !(facts & FACT_DROPS))
		return 0;
	t->answer.dropping++;
	if (early || !off) {
		note_blocking(t, b, early);
	} else if (!t->answer.accepts) {
		_cleanup_free_ char *chain = chain_text(b, off->key + 1);
		t->answer.accepts = xasprintf("%s handle %" PRIu64, chain, off->handle);
	}
	return 0;
}

static bool is_same_table(const struct base *a, const struct base *b)
{
	return a->nf_family == b->nf_family && str_eq(a->table, b->table);
}

/* All chains of the table that this one is the first of. */
static int read_table(struct reading *t, size_t first)
{
	request_buf request;
	struct nft_socket *s = t->socket;
	const struct base *b = &t->bases[first];
	struct nft_msg m;
	size_t len = nft_rule_encode_get_table(request, s->seq, b->nf_family, b->table);
	int r = len ? nft_socket_ask(s, request, len, NFT_MSG_KIND_TABLE, &m) : -ENOENT;
	if (r < 0 || nft_rule_table_is_dormant(&m))
		return r == -ENOENT ? 0 : r;
	nft_graph_done(&t->graph);
	t->graph = (struct nft_graph){
		.socket = s,
		.nf_family = b->nf_family,
		.table = b->table,
		.generation = t->generation,
	};
	len = nft_rule_encode_dump_rules(request, s->seq, b->nf_family, b->table);
	r = nft_socket_dump(s, request, len, NFT_MSG_KIND_RULE, t->generation, on_rule, t);
	for (size_t i = first; r == 0 && i < t->base_count; i++) {
		if (is_same_table(&t->bases[i], b))
			r = judge(t, &t->bases[i]);
	}
	return t->graph.too_many ? -EMSGSIZE : r;
}

static int read_all(struct nft_socket *s, uint32_t generation, void *userdata)
{
	request_buf request;
	struct reading *t = userdata;
	const struct nft_mark_question *q = t->question;
	reading_done(t);
	*t = (struct reading){.socket = s, .generation = generation, .question = q};
	size_t len = nft_rule_encode_dump_chains(request, s->seq, NFPROTO_UNSPEC);
	int r = nft_socket_dump(s, request, len, NFT_MSG_KIND_CHAIN, generation, on_chain, t);
	if (t->too_many)
		r = -EMSGSIZE;
	for (size_t i = 0; r == 0 && i < t->base_count; i++) {
		bool done = false;
		for (size_t k = 0; k < i && !done; k++)
			done = is_same_table(&t->bases[k], &t->bases[i]);
		r = done ? 0 : read_table(t, i);
	}
	return r;
}

int nft_mark_look(
	struct nft_mark *m, const struct nft_mark_question *q, struct nft_mark_answer *ret)
{
	struct reading t = {.question = q};
	int r = nft_look(&m->look, read_all, &t);
	if (r == 0) {
		*ret = t.answer;
		t.answer = NFT_MARK_ANSWER_NULL;
	}
	reading_done(&t);
	return r;
}
