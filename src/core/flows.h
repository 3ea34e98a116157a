#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flows that stand, beside what device groups may: a chain lets through what is established, so
 * those that it would refuse as new ones go on until somebody ends them. */
#include "core/ruleset.h"

#include <stdbool.h>
#include <stdint.h>

/* As the chains of the forward hook see the packets of whoever began it: behind any translation of
 * destinations, and before that of sources. */
struct flow {
	struct addr source, destination;
	uint8_t protocol;
	uint16_t port;     /* of the destination; 0: the protocol has none */
	uint8_t icmp_type; /* of its first packet */
};

/* Which way such packets go through this machine. */
struct flow_path {
	const char *from; /* the interface to the source; NULL: that is this machine, or nowhere */
	const char *to;   /* likewise to the destination */
	const char *mac;  /* the source's, as config_devices has them; NULL: not known */
};

/* Does the set hold the flow's destination, with its service where the set has ports? */
typedef bool (*flows_holds_fn)(void *userdata, const struct ruleset_set *s, const struct flow *f);

/* The group that its packets belong to, the first as the sections stand; NULL: none. `outside`: as
 * ruleset_facts has it. */
const struct config_devices *flows_group_of(const struct config *c, const struct strings *outside,
	const struct flow *f, const struct flow_path *p);
/* Would the group's chain let it begin? `r`: ruleset_of(c). */
bool flows_may_begin(const struct config *c, const struct ruleset *r,
	const struct config_devices *d, const struct flow *f, flows_holds_fn holds, void *userdata);
