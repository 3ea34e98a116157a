#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What device groups were refused, gathered by device, destination and service; and what of it is
 * to be told. Pure: the times are arguments (monotonic milliseconds).
 *
 * The first packet of each such flow is to be told at once, as far as its group may tell
 * (REFUSED_TOLD_A_MINUTE); one that could not be told then is when the next of its packets comes
 * and there is room. All that was told of no flow is summed up an hour after the first packet of
 * it. A flow is forgotten a day after its last packet, or when there are too many: the least
 * recently seen goes, and its packets stay in the sums. */
#include "allowsync/addr.h"
#include "allowsync/service.h"
#include "base/map.h"
#include "core/token_bucket.h"

enum {
	REFUSED_FLOWS_MAX = 4096,
	REFUSED_NAME_SIZE = 32, /* of a group, with its NUL */
	REFUSED_MAC_TEXT_SIZE = 18,
	REFUSED_TOLD_A_MINUTE = 2,
	REFUSED_TOLD_AT_ONCE = 20, /* when it was quiet before */
	REFUSED_SUM_MS = 3600 * 1000,
	REFUSED_KEEP_MS = 24 * 3600 * 1000,
	REFUSED_TOP = 8, /* flows that a sum names */
	REFUSED_MINUTES = 60,
};

enum refused_mode {
	REFUSED_REPORT,  /* it passed, as far as allowsyncd's rules are concerned */
	REFUSED_ENFORCE, /* it was rejected */
	REFUSED_DENY,    /* likewise, as a vendor's denied endpoint */
};

/* One packet that a rule has logged. What could not be read of it is zero. */
struct refused_packet {
	char group[REFUSED_NAME_SIZE];
	enum refused_mode mode;
	bool has_addresses; /* else there is neither of them, nor a service */
	struct addr source, destination;
	bool has_mac;
	uint8_t mac[6]; /* of whoever sent it to this router */
	/* PORTS with the destination's; ICMP; PROTOCOL where there are none, or where they were not
	 * in what was logged, as in all fragments but the first. */
	struct service service;
	uint32_t in_index, out_index; /* of interfaces; 0: not said */
};

struct refused_link {
	struct refused_link *next, *before;
};

struct refused_group {
	char name[REFUSED_NAME_SIZE];
	struct token_bucket bucket;
	uint64_t count;    /* packets since the start */
	uint64_t sum_ms;   /* the sum is due then; 0: nothing to sum up */
	uint64_t since_ms; /* what it counts begins there */
	uint64_t loose;    /* packets of it whose flow is forgotten, or could not be read */
	/* A ring: packets in each of the last minutes, up to `minute`. */
	uint32_t minutes[REFUSED_MINUTES];
	uint64_t minute;
	bool stays; /* while the groups are exchanged */
};

enum { REFUSED_KEY_SIZE = sizeof(void *) + 3 + 6 + 4 + 2 * sizeof(struct addr) };

struct refused_flow {
	struct refused_link by_age, to_tell;
	uint8_t key[REFUSED_KEY_SIZE];
	struct refused_group *group;
	struct refused_packet last; /* its last packet */
	uint64_t count;             /* packets */
	uint64_t untold;            /* of them, since it was last told or summed up */
	uint64_t first_ms, last_ms;
	bool told; /* by itself, or by name in a sum */
};

struct refused {
	struct refused_group **groups;
	size_t group_count;
	struct map flows;            /* by key */
	struct refused_link by_age;  /* a ring, the most recently seen first */
	struct refused_link to_tell; /* likewise, in the order of their coming */
	uint64_t forgotten;          /* flows, for want of room */
	uint64_t strange;            /* packets of groups that there are not */
};

void refused_init(struct refused *r);
/* The groups from now on. Of those that stay all is kept; of the others nothing, so what is to be
 * told of them comes first. */
void refused_set_groups(struct refused *r, const char *const *names, size_t count, uint64_t now_ms);
/* False: it is of no such group. */
bool refused_take(struct refused *r, const struct refused_packet *p, uint64_t now_ms);
/* A flow that is to be told now, and then is; NULL: there is none. */
const struct refused_flow *refused_next_to_tell(struct refused *r);

/* What is to be summed up of a group. */
struct refused_sum {
	const struct refused_group *group;
	uint64_t since_ms;
	uint64_t count; /* packets; never 0 */
	/* What they are of, but for `loose` packets, of which that is not known (any more). */
	size_t flows, devices, destinations;
	uint64_t loose;
	/* Those with the most packets, and how many; the most first. */
	struct refused_flow *top[REFUSED_TOP];
	uint64_t top_counts[REFUSED_TOP];
	size_t top_count;
};
/* False: none is due. Else it is the caller's until the next call here; its packets are told. */
bool refused_next_sum(struct refused *r, uint64_t now_ms, struct refused_sum *ret);
/* All sums are due now, as before an end or a reload. */
void refused_hurry(struct refused *r, uint64_t now_ms);
/* Forgets what is too old; returns when one of these has something to do: UINT64_MAX, never. */
uint64_t refused_next_ms(struct refused *r, uint64_t now_ms);

/* Flows from the most recently seen on; NULL at the end. `before`: NULL to begin. */
const struct refused_flow *refused_each(const struct refused *r, const struct refused_flow *before);
const struct refused_group *refused_group_find(const struct refused *r, const char *name);
/* Packets of the group within the last hour, to the minute. */
uint64_t refused_in_hour(const struct refused_group *g, uint64_t now_ms);
/* "report", "enforce", "deny". */
const char *refused_mode_name(enum refused_mode m);
bool refused_mode_parse(const char *text, size_t len, enum refused_mode *ret);
/* "00:22:4d:01:02:03"; returns `text`, which has room for REFUSED_MAC_TEXT_SIZE. */
const char *refused_mac_format(const uint8_t mac[6], char *text);
/* Of either case. */
bool refused_mac_parse(const char *text, uint8_t ret[6]);
void refused_done(struct refused *r);
