#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One table's chains and verdict maps, and who leads to whom: what cannot be come to from where one
 * begins sees none of its packets. */
#include "base/map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nft_socket;

enum { NFT_GRAPH_MAX = 100000 }; /* nodes */

/* A chain or a verdict map. Both have names, and the same name may be both. */
struct nft_node {
	char *key; /* 'c' or 'm', then the name */
	struct map leads_to;
	bool reached;
	struct nft_node *next_reached;
	bool elements_read; /* of a map */
	/* Whoever makes the graph notes here what it likes of the rules of a chain. */
	unsigned facts;
	uint64_t handle;
};

struct nft_graph {
	struct nft_socket *socket; /* by which maps are read; borrowed, like the table */
	uint8_t nf_family;
	const char *table;
	uint32_t generation;
	struct map nodes;
	struct nft_node *reached; /* and not gone on from yet */
	struct nft_node *from;    /* the verdict map whose elements come */
	bool too_many;            /* more than NFT_GRAPH_MAX */
};

/* Made when it is not there yet; NULL: there are too many. */
struct nft_node *nft_graph_chain(struct nft_graph *g, const char *name);
struct nft_node *nft_graph_map(struct nft_graph *g, const char *name);
/* Each may be NULL. */
void nft_graph_lead(struct nft_node *from, struct nft_node *to);
void nft_graph_reach(struct nft_graph *g, struct nft_node *n);
/* From what is reached to all that can be come to, by jump, goto and verdict maps. 0,
 * NFT_SOCKET_DUMP_TORN, -errno. */
int nft_graph_follow(struct nft_graph *g);
/* Nothing is reached. */
void nft_graph_restart(struct nft_graph *g);
void nft_graph_done(struct nft_graph *g);
