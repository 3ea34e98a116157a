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
};

/* A key as the kernel holds it: each field padded to 4 bytes with zeros (dirty padding would be
 * another key, that matches no packet). */
enum { ELEMENT_KEY_MAX = 24, ELEMENT_TEXT_SIZE = 96, SET_PORTS_MAX = 16 };
struct element_key {
	uint8_t len;
	uint8_t bytes[ELEMENT_KEY_MAX];
};

/* Which set: an admin's table and name. nf_family is NFPROTO_*. */
struct set_id {
	uint8_t nf_family;
	char *table;
	char *name;
};

/* What a set can hold, as read from the kernel. */
struct set_kind {
	enum set_layout layout;
	enum family family;
	uint32_t flags;       /* NFT_SET_* */
	bool has_timeout;     /* flag timeout */
	uint64_t timeout_ms;  /* the set's default; 0: none */
	uint32_t size;        /* 0: no limit */
	const char *unusable; /* why this version cannot fill it ("flag interval"); NULL: it can */
};

/* "inet", "ip", "ip6", else "unknown"; and back: 0 when unknown. */
const char *nf_family_name(uint8_t nf_family);
uint8_t nf_family_parse(const char *text);
/* "inet filter voip4"; the caller frees it. */
char *set_id_format(const struct set_id *id);
bool set_id_eq(const struct set_id *a, const struct set_id *b);
/* "ipv4_addr", "ipv4_addr . inet_proto . inet_service"; static text. */
const char *set_kind_type_name(const struct set_kind *kind);

struct element_key element_key_addr(const struct addr *a);
struct element_key element_key_service(const struct addr *a, uint8_t protocol, uint16_t port);
bool element_key_eq(const struct element_key *a, const struct element_key *b);
/* The same for qsort(): both point to struct element_key. */
int element_key_order(const void *a, const void *b);
int element_key_cmp(const struct element_key *a, const struct element_key *b);
/* False when the key does not fit the kind. ret_protocol/ret_port are 0 for SET_LAYOUT_ADDR. */
bool element_key_decode(const struct set_kind *kind, const struct element_key *key,
	struct addr *ret_addr, uint8_t *ret_protocol, uint16_t *ret_port);
/* In nft's syntax: "192.0.2.1", "192.0.2.1 . tcp . 443"; in hex when it does not fit the kind.
 * Returns `text`, which has room for ELEMENT_TEXT_SIZE. */
const char *element_key_format(
	const struct set_kind *kind, const struct element_key *key, char *text);

/* The keys that one address with these services means in a set of that kind, without duplicates:
 * one for SET_LAYOUT_ADDR, one a port for SET_LAYOUT_ADDR_PROTO_SERVICE; none when the family is
 * another. Services that the kind cannot hold are passed over here: set_kind_refuses() names them.
 * Returns how many; `ret` has room for SET_PORTS_MAX. */
size_t element_expand(const struct set_kind *kind, const struct addr *a,
	const struct service *services, size_t service_count, struct element_key *ret);
/* How many different ports these services name, each protocol for itself; counting ends at
 * SET_PORTS_MAX + 1. With more than SET_PORTS_MAX a set with ports gets none of them. */
unsigned element_ports_in_all(const struct service *services, size_t count);
/* NULL when the kind holds this service, given that all ports of the endpoint together are
 * `ports_in_all` (element_ports_in_all()); else why not ("an ICMP type has no port"; static text).
 * A kind that is not known refuses nothing: the set as a whole is the trouble then. */
const char *set_kind_refuses(
	const struct set_kind *kind, const struct service *s, unsigned ports_in_all);

/* The comment by which we know our own elements. */
#define ELEMENT_TAG "allowsyncd"
