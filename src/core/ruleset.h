#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The managed table: rules that mark what the vendors allow which no [set] takes, and rules that
 * confine device groups to theirs. It opens nothing: an accept ends its own base chain only, so the
 * admin's own chain has to accept what is marked. The rules are text for `nft -f -`; their sets are
 * filled like any other.
 *
 *     content                                        carried by
 *     exact addresses, SET_PORTS_MAX ports at most   v_VENDOR4: addr . inet_proto . inet_service
 *     exact addresses, any other service             v_VENDOR.ENDPOINT4: addresses; the rule has it
 *     static prefixes and ranges                     v_VENDOR.ENDPOINT.nets4: likewise, interval
 *     any destination                                rules alone
 *
 * and v_...6 for IPv6. For device groups also: v_VENDOR.ENDPOINT.in4 and .in.nets4 of the sources
 * that may come in, v_VENDOR.ENDPOINT.deny4 and .deny.nets4 of what is denied. No name has a full
 * stop of its own, so no two sets have one name; what a set holds follows from its name, so that
 * its flags never change; no keyword begins with "v_". */
#include "allowsync/config.h"
#include "core/timeouts.h"

#include <stdbool.h>
#include <stddef.h>

#define RULESET_TABLE   "allowsync"
#define RULESET_PREFIX  "v_" /* of everything in it */
#define RULESET_CHAIN   RULESET_PREFIX "mark"
#define RULESET_CONFINE RULESET_PREFIX "confine"
#define RULESET_DSCP    RULESET_PREFIX "dscp"
#define RULESET_GROUP   RULESET_PREFIX "group." /* and the group's name */
#define RULESET_REFUSE  ".refuse"               /* behind that */

enum ruleset_holds { RULESET_PORTS, RULESET_ADDRESSES, RULESET_NETS };
enum ruleset_way { RULESET_OUT, RULESET_IN, RULESET_DENY };

/* A set of the managed table. Borrowed from the configuration, but for the name. */
struct ruleset_set {
	char *name;
	enum ruleset_way way;
	enum ruleset_holds holds; /* RULESET_PORTS: outwards only */
	enum family family;
	const struct config_vendor *vendor;
	const struct config_endpoint *endpoint; /* NULL: RULESET_PORTS, all of the vendor's */
};

struct ruleset {
	/* By vendor and endpoint as the configuration has them: outwards first, then the others. */
	struct ruleset_set *sets;
	size_t count, capacity;
};

/* The sets that there are to be: more for more vendors and endpoints, never for more addresses. */
struct ruleset ruleset_of(const struct config *c);
void ruleset_done(struct ruleset *r);
/* What such a set holds of that endpoint of its vendor: its names, and the single static addresses
 * or the other ones? False: nothing. */
bool ruleset_set_takes(const struct ruleset_set *s, const struct config_endpoint *e);

/* The same set as the daemon fills it. Owns what is in it. */
struct config_set ruleset_set_config(const struct ruleset_set *s);

/* Are there sets of the vendor's in the managed table: no [set] takes it, or a [devices] does? */
bool ruleset_has_vendor(const struct config *c, const struct config_vendor *v);
/* Is what it allows marked for every host: no [set] takes it, and no [devices]? */
bool ruleset_marks_vendor(const struct config *c, const struct config_vendor *v);
/* Is there a rule of the vendor's without a set, to any destination? */
bool ruleset_marks_any(const struct config *c, const struct config_vendor *v);
/* Can the group be known on the way in, where packets do not have its MAC addresses? */
bool ruleset_lets_in(const struct config_devices *d);
/* The interfaces to the outside, for that group. `outside`: as ruleset_facts has it. */
const struct strings *ruleset_towards(
	const struct config *c, const struct strings *outside, const struct config_devices *d);
/* NULL: all that the endpoint allows outwards is carried out by the rules; else what is not, and
 * why (static text). */
const char *ruleset_leaves_out(
	const struct config *c, const struct config_vendor *v, const struct config_endpoint *e);

/* What is known only where the rules are to stand. Borrowed. */
struct ruleset_facts {
	/* Names of the interfaces with a default route, for groups that do not say where the
	 * outside is; keep those that were there before while none is: without any, such a group
	 * counts whatever leaves by another interface than its own as outward, so that its LAN
	 * traffic is cut rather than its confinement lifted. NULL: none. */
	const struct strings *outside;
	/* Vendors, by their places in the configuration, whose rules are left out; NULL: none. */
	const bool *without;
	/* Where they are not known, no policy lengthens them: one might shorten them, or the kernel
	 * has no policies, and would refuse the whole table. */
	struct timeouts timeouts;
	/* Names of the ct timeout objects in the table: those of ours that are not used any more
	 * are deleted, whether or not they still stand then. */
	struct strings policies;
};

/* Are there policies that a vendor asks for, and that are left out as the kernel's timeouts are not
 * known? */
bool ruleset_lengthens_not(const struct config *c, const struct ruleset_facts *f);

/* All of the table, to be loaded by `nft -f -` in one: what stands in the sets stays. The same
 * configuration and facts give the same bytes. The caller frees it. */
char *ruleset_text(const struct config *c, const struct ruleset_facts *f);

/* The same for a boot, before anything else is there: each set includes the file of its elements
 * (core/saved_text.h) in that directory, where there is one. NULL: the directory's name cannot
 * stand in the text. The caller frees it. */
char *ruleset_text_kept(
	const struct config *c, const struct ruleset_facts *f, const char *elements_directory);

/* What stands in the table by names that begin with RULESET_PREFIX, and that no rule of another
 * chain refers to. */
struct ruleset_standing {
	struct strings chains, sets;
};

/* The same in two steps, so that no packet meets a rule whose set was not filled before. First the
 * sets, but for those of ruleset_of() that are there; NULL: all. Loaded over what is there it
 * changes nothing, but the kernel announces it like a change. "": there are none. The caller frees
 * both. */
char *ruleset_text_sets(const struct config *c, const bool *there);
/* Then, in one load: the chains emptied and filled, and of what stands all that the configuration
 * does not have (any more) deleted; what is not ours in the table is not touched. "": nothing is to
 * be there, and nothing is. */
char *ruleset_text_rules(const struct config *c, const struct ruleset_facts *f,
	const struct ruleset_standing *standing);
void ruleset_standing_done(struct ruleset_standing *s);
/* Is it ours, and a name that nft takes for nothing else? Whoever is not nft may give any. */
bool ruleset_name_ok(const char *name);
/* "meta mark & 0x00100000 == 0x00100000 accept": for the admin's own chain. The caller frees it. */
char *ruleset_hook(const struct config *c);
