#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of the kernel, and the keys in them. */
#include "allowsync/addr.h"
#include "allowsync/service.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The layouts of a key that we can fill. */
enum set_layout {
	SET_LAYOUT_UNKNOWN,            /* not looked at yet, or none of the others */
	SET_LAYOUT_ADDR,               /* ipv4_addr, ipv6_addr */
	SET_LAYOUT_ADDR_PROTO_SERVICE, /* addr . inet_proto . inet_service */
	SET_LAYOUT_ADDR_SERVICE,       /* addr . inet_service */
};

/* A key as the kernel holds it: each field padded to 4 bytes with zeros (dirty padding would be
 * another key, that matches no packet). In a set with flag interval the first key of a range and
 * then its last one, which belongs to it: both the same for a single key. */
enum {
	ELEMENT_KEY_PART_MAX = 24,
	ELEMENT_KEY_MAX = 2 * ELEMENT_KEY_PART_MAX,
	ELEMENT_TEXT_SIZE = 192,
	SET_PORTS_MAX = 16,
};
struct element_key {
	uint8_t len;
	uint8_t bytes[ELEMENT_KEY_MAX];
};

/* What a key says. First and last are the same but in sets with flag interval. */
struct element_value {
	struct addr_range addr;
	uint8_t protocol_first, protocol_last; /* 0: the layout has none */
	uint16_t port_first, port_last;
};

/* An entry of a set of the kernel as its messages have it. In a set of address ranges a range is
 * two of them: its start and its end, which is the first address behind it. */
struct set_entry {
	struct element_key key;
	struct element_key last; /* of a concatenated range; no length: it has none */
	bool is_end;             /* only the end of a range that starts elsewhere */
	bool is_open;            /* said to reach to the last address: it has no end of its own */
	bool ours;               /* carries our tag */
	bool expires;            /* a timeout is running */
	uint32_t left_s;         /* so long still, rounded up */
};

/* Which set: an admin's table and name. nf_family is NFPROTO_*. */
struct set_id {
	uint8_t nf_family;
	char *table;
	char *name;
};

/* What a set can hold, as read from the kernel; and how the configuration has it filled. */
struct set_kind {
	enum set_layout layout;
	enum family family;
	uint32_t flags;       /* NFT_SET_* */
	bool interval;        /* flag interval: keys are ranges */
	bool auto_merge;      /* nft joins ranges that touch, when it writes them */
	bool has_timeout;     /* flag timeout */
	uint64_t timeout_ms;  /* the set's default; 0: none */
	uint32_t size;        /* 0: no limit */
	const char *unusable; /* why it cannot be filled ("flag constant"); NULL: it can */
	uint8_t protocol;     /* configured: only services of this IPPROTO_*; 0: of all */
	uint32_t most;        /* configured: not more elements in it; 0: no such bound */
	uint64_t fuse_ms; /* configured: our elements expire after that; 0: they are permanent */
};

/* "inet", "ip", "ip6", else "unknown"; and back: 0 when unknown. */
const char *nf_family_name(uint8_t nf_family);
uint8_t nf_family_parse(const char *text);
/* "inet filter voip4"; the caller frees it. */
char *set_id_format(const struct set_id *id);
bool set_id_eq(const struct set_id *a, const struct set_id *b);
/* "ipv4_addr", "ipv4_addr . inet_proto . inet_service"; static text. */
const char *set_kind_type_name(const struct set_kind *kind);
/* Elements that are ranges of addresses (an rbtree in the kernel, where they cannot overlap). */
bool set_kind_has_ranges(const struct set_kind *kind);
/* How many elements there may be in it, by its size and what is configured; 0: no limit. */
uint32_t set_kind_limit(const struct set_kind *kind);
/* Concatenations with flag interval (pipapo): only single keys are put there. */
bool set_kind_has_boxes(const struct set_kind *kind);
/* How long a single key is: half an element_key in a set with flag interval. 0: unknown. */
size_t set_kind_key_len(const struct set_kind *kind);

/* Of sets without flag interval. */
struct element_key element_key_addr(const struct addr *a);
struct element_key element_key_service(const struct addr *a, uint8_t protocol, uint16_t port);
bool element_key_eq(const struct element_key *a, const struct element_key *b);
/* The same for qsort(): both point to struct element_key. */
int element_key_order(const void *a, const void *b);
int element_key_cmp(const struct element_key *a, const struct element_key *b);
struct element_key element_key_encode(const struct set_kind *kind, const struct element_value *v);
/* False when the key does not fit the kind: another length, dirty padding, a last before its first.
 */
bool element_key_decode(
	const struct set_kind *kind, const struct element_key *key, struct element_value *ret);
/* Does the element `outer` hold all that `inner` does? Both fit the kind. */
bool element_key_covers(const struct set_kind *kind, const struct element_key *outer,
	const struct element_key *inner);
/* In nft's syntax: "192.0.2.1", "192.0.2.1 . tcp . 443", "192.0.2.0/24"; in hex when it does not
 * fit. Returns `text`, which has room for ELEMENT_TEXT_SIZE. */
const char *element_key_format(
	const struct set_kind *kind, const struct element_key *key, char *text);

/* The keys that these addresses with these services mean in a set of that kind, without duplicates:
 * one for SET_LAYOUT_ADDR, else one a port; none when the family is another, nor for more than one
 * address where the set has no ranges. Services that the kind cannot hold are passed over here:
 * set_kind_refuses() names them. Returns how many; `ret` has room for SET_PORTS_MAX. */
size_t element_expand(const struct set_kind *kind, const struct addr_range *r,
	const struct service *services, size_t service_count, struct element_key *ret);
/* Is the service of a protocol that the set is not for? */
bool set_kind_passes_over(const struct set_kind *kind, const struct service *s);
/* How many different ports these services name that a set of this kind is for, each protocol for
 * itself; counting ends at SET_PORTS_MAX + 1. With more than SET_PORTS_MAX a set with ports gets
 * none of them. */
unsigned element_ports_in_all(
	const struct set_kind *kind, const struct service *services, size_t count);
/* NULL when the kind holds this service, given that all ports of the endpoint together are
 * `ports_in_all` (element_ports_in_all()); else why not ("an ICMP type has no port"; static text).
 * A kind that is not known refuses nothing: the set as a whole is the trouble then. */
const char *set_kind_refuses(
	const struct set_kind *kind, const struct service *s, unsigned ports_in_all);

/* The comment by which we know our own elements. */
#define ELEMENT_TAG "allowsyncd"
