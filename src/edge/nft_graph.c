/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The graph of a table, and the walk through it. */
#include "edge/nft_graph.h"

#include "base/mem.h"
#include "edge/nft_rule_msg.h"
#include "edge/nft_socket.h"

#include <string.h>

static struct nft_node *node_get(struct nft_graph *g, char sort, const char *name)
{
	_cleanup_free_ char *key = xasprintf("%c%s", sort, name);
	struct nft_node *n = map_get(&g->nodes, key, strlen(key));
	if (!n && g->nodes.count >= NFT_GRAPH_MAX) {
		g->too_many = true;
		return NULL;
	}
	if (!n) {
		n = xcalloc(1, sizeof(*n));
		n->key = key;
		key = NULL;
		map_put(&g->nodes, n->key, strlen(n->key), n);
	}
	return n;
}

struct nft_node *nft_graph_chain(struct nft_graph *g, const char *name)
{
	return node_get(g, 'c', name);
}

struct nft_node *nft_graph_map(struct nft_graph *g, const char *name)
{
	return node_get(g, 'm', name);
}

void nft_graph_lead(struct nft_node *from, struct nft_node *to)
{
	if (from && to)
		map_put(&from->leads_to, to->key, strlen(to->key), to);
}

void nft_graph_reach(struct nft_graph *g, struct nft_node *n)
{
	if (n->reached)
		return;
	n->reached = true;
	n->next_reached = g->reached;
	g->reached = n;
}

static void on_target(void *userdata, const char *chain)
{
	struct nft_graph *g = userdata;
	nft_graph_lead(g->from, nft_graph_chain(g, chain));
}

static bool on_elements(void *userdata, const struct nft_msg *m)
{
	struct nft_graph *g = userdata;
	nft_rule_decode_targets(m, on_target, g);
	return !g->too_many;
}

static int read_map(struct nft_graph *g, struct nft_node *map)
{
	uint32_t request[NFT_MSG_REQUEST_MAX / sizeof(uint32_t)];
	char *table = xstrdup(g->table);
	struct set_id id = {g->nf_family, table, map->key + 1};
	size_t len = nft_msg_encode_dump(request, g->socket->seq, &id);
	free(table);
	g->from = map;
	int r = len ? nft_socket_dump(g->socket, request, len, NFT_MSG_KIND_ELEMENTS, g->generation,
			      on_elements, g)
		    : 0;
	map->elements_read = r == 0;
	return r;
}

int nft_graph_follow(struct nft_graph *g)
{
	while (g->reached) {
		struct nft_node *n = g->reached, *next;
		g->reached = n->next_reached;
		if (n->key[0] == 'm' && !n->elements_read) {
			int r = read_map(g, n);
			if (r != 0)
				return r;
		}
		for (size_t at = 0; (next = map_next(&n->leads_to, &at));)
			nft_graph_reach(g, next);
	}
	return 0;
}

void nft_graph_restart(struct nft_graph *g)
{
	struct nft_node *n;
	for (size_t at = 0; (n = map_next(&g->nodes, &at));)
		n->reached = false;
	g->reached = NULL;
}

void nft_graph_done(struct nft_graph *g)
{
	struct nft_node *n;
	for (size_t at = 0; (n = map_next(&g->nodes, &at));) {
		map_done(&n->leads_to);
		free(n->key);
		free(n);
	}
	map_done(&g->nodes);
}
