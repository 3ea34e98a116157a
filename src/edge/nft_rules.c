/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What cannot be come to from a chain on a hook sees no packet: the rules and chains of a table
 * become a graph (edge/nft_graph.h). */
#include "edge/nft_rules.h"

#include "allowsync/profile.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "edge/nft_graph.h"
#include "edge/nft_socket.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <string.h>

enum { LOOK_TRIES = 4 };

struct nft_rules {
	bool open;
	uint64_t looks;
	struct nft_socket socket;
};

/* One table, being read. */
struct reading {
	struct nft_rules *rules;
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
	if (r->open)
		nft_socket_close(&r->socket);
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
	struct nft_socket *s = &t->rules->socket;
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

static int read_table(struct nft_rules *rules, const struct set_id *const *ids, size_t count,
	const struct set_id *table, uint32_t generation, struct nft_uses *uses)
{
	struct reading t = {
		.rules = rules,
		.ids = ids,
		.count = count,
		.table = table,
		.graph = {.socket = &rules->socket,
			.nf_family = table->nf_family,
			.table = table->table,
			.generation = generation},
		.uses = uses,
		.first_use = uses->count,
	};
	int r = read_into(&t);
	if (r == -ENOENT) /* then no rule uses anything in it */
		r = 0;
	if (t.too_many || t.graph.too_many)
		r = -EMSGSIZE;
	nft_graph_done(&t.graph);
	return r;
}

static int read_tables(struct nft_rules *rules, const struct set_id *const *ids, size_t count,
	uint32_t generation, struct nft_uses *uses)
{
	for (size_t i = 0; i < count; i++) {
		bool done = false;
		for (size_t j = 0; j < i && !done; j++)
			done = is_same_table(ids[i], ids[j]);
		int r = done ? 0 : read_table(rules, ids, count, ids[i], generation, uses);
		if (r != 0)
			return r;
	}
	return 0;
}

static int open_socket(struct nft_rules *rules)
{
	int r = rules->open ? 0 : nft_socket_open(&rules->socket);

	rules->open = r == 0;
	return r;
}

int nft_rules_look(struct nft_rules *rules, const struct set_id *const *ids, size_t count,
	struct nft_uses *ret)
{
	struct nft_uses uses = NFT_USES_NULL;
	uint32_t before, after;
	int r = open_socket(rules);
	if (r == 0)
		r = nft_socket_generation(&rules->socket, &before);
	for (int try = 0; r == 0 && try < LOOK_TRIES; try++, before = after) {
		rules->looks++;
		int read = read_tables(rules, ids, count, before, &uses);
		r = read < 0 ? read : nft_socket_generation(&rules->socket, &after);
		if (r == 0 && read == 0 && after == before) {
			*ret = uses;
			return 0;
		}
		forget_uses_from(&uses, 0);
	}
	nft_uses_done(&uses);
	return r ? r : NFT_RULES_E_BUSY;
}

struct dropping {
	const char *table;
	struct strings *to;
};

static bool on_dropping(void *userdata, const struct nft_msg *m)
{
	const struct dropping *d = userdata;
	struct nft_rule rule;

	if (nft_rule_decode(m, &rule) < 0)
		return false;
	/* Rules of a chain come together. */
	if (rule.end == NFT_RULE_END_DROP && str_eq(rule.table, d->table) &&
		!(d->to->count && str_eq(d->to->items[d->to->count - 1], rule.chain)))
		strings_add(d->to, rule.chain);
	return d->to->count <= NFT_RULES_MAX;
}

int nft_rules_look_dropping(struct nft_rules *rules, const char *table, struct strings *ret)
{
	request_buf request;
	uint32_t before, after;
	int r = open_socket(rules);

	if (r == 0)
		r = nft_socket_generation(&rules->socket, &before);
	for (int try = 0; r == 0 && try < LOOK_TRIES; try++, before = after) {
		struct strings found = {0};
		struct dropping d = {table, &found};
		size_t len =
			nft_rule_encode_dump_rules(request, rules->socket.seq, NFPROTO_INET, table);
		rules->looks++;
		int read = nft_socket_dump(
			&rules->socket, request, len, NFT_MSG_KIND_RULE, before, on_dropping, &d);
		r = read == -ENOENT ? 0 : read < 0 ? read : 0;
		if (found.count > NFT_RULES_MAX)
			r = -EMSGSIZE;
		if (r == 0)
			r = nft_socket_generation(&rules->socket, &after);
		bool whole = r == 0 && read <= 0 && after == before;
		for (size_t i = 0; whole && i < found.count; i++)
			strings_add(ret, found.items[i]);
		strings_done(&found);
		if (whole)
			return 0;
	}
	return r ? r : NFT_RULES_E_BUSY;
}

uint64_t nft_rules_look_count(const struct nft_rules *r)
{
	return r->looks;
}
