/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What cannot be come to from a chain on a hook sees no packet: the rules and chains of a table
 * become a graph (edge/nft_graph.h). */
#include "edge/nft_rules.h"

#include "allowsync/profile.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "edge/nft_graph.h"
#include "edge/nft_look.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <string.h>

struct nft_rules {
	uint64_t looks;
	struct nft_look look;
};

/* One table, being read. */
struct reading {
	const struct set_id *const *ids;
	size_t count;
	const struct set_id *table; /* any set's of it */
	struct nft_graph graph;
	struct nft_uses *uses;
	size_t first_use; /* of this table */
	bool too_many;
};

struct nft_rules *nft_rules_new(void)
{
	return xcalloc(1, sizeof(struct nft_rules));
}

struct nft_rules *nft_rules_free(struct nft_rules *r)
{
	if (!r)
		return NULL;
	nft_look_done(&r->look);
	free(r);
	return NULL;
}

static void forget_uses_from(struct nft_uses *u, size_t first)
{
	while (u->count > first)
		free(u->items[--u->count].chain);
}

void nft_uses_done(struct nft_uses *u)
{
	forget_uses_from(u, 0);
	free(u->items);
	*u = NFT_USES_NULL;
}

/* --- reading --- */

static bool is_same_table(const struct set_id *a, const struct set_id *b)
{
	return a->nf_family == b->nf_family && strcmp(a->table, b->table) == 0;
}

static bool on_chain(void *userdata, const struct nft_msg *m)
{
	struct reading *t = userdata;
	struct nft_chain c;
	if (nft_rule_decode_chain(m, &c) < 0)
		return false;
	if (!str_eq(c.table, t->table->table))
		return true;
	struct nft_node *n = nft_graph_chain(&t->graph, c.name);
	if (n && c.is_base)
		nft_graph_reach(&t->graph, n);
	return !t->graph.too_many;
}

static void add_use(
	struct reading *t, size_t set, const struct nft_rule *rule, const struct nft_ref *ref)
{
	struct nft_uses *u = t->uses;
	if (u->count >= NFT_RULES_MAX) {
		t->too_many = true;
		return;
	}
	VEC_GROW(u->items, u->capacity, u->count);
	u->items[u->count++] = (struct nft_use){
		.set = set,
		.kind = ref->kind,
		.end = rule->end,
		.chain = xstrdup(rule->chain),
		.handle = rule->handle,
	};
}

static bool on_rule(void *userdata, const struct nft_msg *m)
{
	struct reading *t = userdata;
	struct nft_rule rule;
	struct nft_ref ref;
	if (nft_rule_decode(m, &rule) < 0)
		return false;
	/* Kernels that know no filter give all tables'. */
	if (!str_eq(rule.table, t->table->table))
		return true;
	for (struct nft_attrs at = rule.expressions; nft_rule_next_ref(&at, &ref);) {
		if (ref.kind == NFT_REF_OBJECT)
			continue;
		if (ref.kind == NFT_REF_CHAIN || ref.kind == NFT_REF_VMAP) {
			nft_graph_lead(nft_graph_chain(&t->graph, rule.chain),
				ref.kind == NFT_REF_CHAIN ? nft_graph_chain(&t->graph, ref.name)
							  : nft_graph_map(&t->graph, ref.name));
			if (ref.kind == NFT_REF_CHAIN)
				continue;
		}
		for (size_t i = 0; i < t->count; i++) {
			if (is_same_table(t->ids[i], t->table) &&
				strcmp(t->ids[i]->name, ref.name) == 0)
				add_use(t, i, &rule, &ref);
		}
	}
	return !t->too_many && !t->graph.too_many;
}

typedef uint32_t request_buf[NFT_MSG_REQUEST_MAX / sizeof(uint32_t)];

/* 0, NFT_SOCKET_DUMP_TORN, or -errno; -ENOENT: no such table. */
static int read_into(struct reading *t)
{
	request_buf request;
	struct nft_socket *s = t->graph.socket;
	struct nft_msg m;
	size_t len =
		nft_rule_encode_get_table(request, s->seq, t->table->nf_family, t->table->table);
	if (len == 0)
		return -ENOENT;
	int r = nft_socket_ask(s, request, len, NFT_MSG_KIND_TABLE, &m);
	if (r < 0)
		return r;
	bool dormant = nft_rule_table_is_dormant(&m);

	len = nft_rule_encode_dump_chains(request, s->seq, t->table->nf_family);
	r = nft_socket_dump(s, request, len, NFT_MSG_KIND_CHAIN, t->graph.generation, on_chain, t);
	if (r != 0)
		return r;
	len = nft_rule_encode_dump_rules(request, s->seq, t->table->nf_family, t->table->table);
	r = nft_socket_dump(s, request, len, NFT_MSG_KIND_RULE, t->graph.generation, on_rule, t);
	if (r != 0 || dormant)
		return r;
	r = nft_graph_follow(&t->graph);
	if (r != 0)
		return r;
	for (size_t i = t->first_use; i < t->uses->count; i++) {
		struct nft_use *u = &t->uses->items[i];
		const struct nft_node *n = nft_graph_chain(&t->graph, u->chain);
		u->reached = n && n->reached;
	}
	return 0;
}

/* What is asked for. */
struct question {
	struct nft_rules *rules;
	const struct set_id *const *ids;
	size_t count;
	struct nft_uses uses;
};

static int read_table(
	struct question *q, const struct set_id *table, struct nft_socket *s, uint32_t generation)
{
	struct reading t = {
		.ids = q->ids,
		.count = q->count,
		.table = table,
		.graph = {.socket = s,
			.nf_family = table->nf_family,
			.table = table->table,
			.generation = generation},
		.uses = &q->uses,
		.first_use = q->uses.count,
	};
	int r = read_into(&t);
	if (r == -ENOENT) /* then no rule uses anything in it */
		r = 0;
	if (t.too_many || t.graph.too_many)
		r = -EMSGSIZE;
	nft_graph_done(&t.graph);
	return r;
}

static int read_tables(struct nft_socket *s, uint32_t generation, void *userdata)
{
	struct question *q = userdata;
	q->rules->looks++;
	forget_uses_from(&q->uses, 0);
	for (size_t i = 0; i < q->count; i++) {
		bool done = false;
		for (size_t j = 0; j < i && !done; j++)
			done = is_same_table(q->ids[i], q->ids[j]);
		int r = done ? 0 : read_table(q, q->ids[i], s, generation);
		if (r != 0)
			return r;
	}
	return 0;
}

int nft_rules_look(struct nft_rules *rules, const struct set_id *const *ids, size_t count,
	struct nft_uses *ret)
{
	struct question q = {.rules = rules, .ids = ids, .count = count};
	int r = nft_look(&rules->look, read_tables, &q);
	if (r == 0)
		*ret = q.uses;
	else
		nft_uses_done(&q.uses);
	return r;
}

struct dropping {
	struct nft_rules *rules;
	const char *table;
	struct strings found;
};

static bool on_dropping(void *userdata, const struct nft_msg *m)
{
	struct dropping *d = userdata;
	struct nft_rule rule;

	if (nft_rule_decode(m, &rule) < 0)
		return false;
	/* Rules of a chain come together. */
	if (rule.end == NFT_RULE_END_DROP && str_eq(rule.table, d->table) &&
		!(d->found.count && str_eq(d->found.items[d->found.count - 1], rule.chain)))
		strings_add(&d->found, rule.chain);
	return d->found.count <= NFT_RULES_MAX;
}

static int read_dropping(struct nft_socket *s, uint32_t generation, void *userdata)
{
	request_buf request;
	struct dropping *d = userdata;
	d->rules->looks++;
	strings_done(&d->found);
	size_t len = nft_rule_encode_dump_rules(request, s->seq, NFPROTO_INET, d->table);
	int r = nft_socket_dump(s, request, len, NFT_MSG_KIND_RULE, generation, on_dropping, d);
	if (d->found.count > NFT_RULES_MAX)
		return -EMSGSIZE;
	return r == -ENOENT ? 0 : r;
}

int nft_rules_look_dropping(struct nft_rules *rules, const char *table, struct strings *ret)
{
	struct dropping d = {.rules = rules, .table = table};
	int r = nft_look(&rules->look, read_dropping, &d);
	for (size_t i = 0; r == 0 && i < d.found.count; i++)
		strings_add(ret, d.found.items[i]);
	strings_done(&d.found);
	return r;
}

uint64_t nft_rules_look_count(const struct nft_rules *r)
{
	return r->looks;
}
