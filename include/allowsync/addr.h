#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One IP address, and ranges of them. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum family { FAMILY_V4, FAMILY_V6 };
enum { FAMILY_COUNT = 2, ADDR_TEXT_SIZE = 64, ADDR_RANGE_TEXT_SIZE = 2 * ADDR_TEXT_SIZE };

/* Unused bytes are zero, so that addresses compare with memcmp and serve as map keys. */
struct addr {
	uint8_t family; /* enum family */
	uint8_t bytes[16];
};

/* Both ends belong to it; one address is first == last. */
struct addr_range {
	struct addr first, last;
};

const char *family_name(enum family f); /* "ipv4", "ipv6" */
size_t addr_len(enum family f);         /* 4 or 16 */
struct addr addr_from_bytes(enum family f, const void *bytes);
/* Numeric text only (inet_pton's grammar, no zone). False: `ret` is untouched. */
bool addr_parse(const char *text, struct addr *ret);
/* Returns `text`, which has room for ADDR_TEXT_SIZE. RFC 5952. */
const char *addr_format(const struct addr *a, char *text);
int addr_cmp(const struct addr *a, const struct addr *b);
bool addr_eq(const struct addr *a, const struct addr *b);
/* fe80::/10: an IPv6 address that means nothing without its interface (RFC 4291 section 2.5.6). */
bool addr_is_link_local(const struct addr *a);
/* 127.0.0.0/8 and ::1. */
bool addr_is_loopback(const struct addr *a);

/* "192.0.2.1", "192.0.2.0/24" (host bits must be zero), "192.0.2.1-192.0.2.9", v6 likewise. */
bool addr_range_parse(const char *text, struct addr_range *ret);
/* The shortest of the three forms; `text` has room for ADDR_RANGE_TEXT_SIZE. */
const char *addr_range_format(const struct addr_range *r, char *text);
bool addr_range_is_single(const struct addr_range *r);
bool addr_range_has(const struct addr_range *r, const struct addr *a);
/* Sorts them and joins those that overlap, as addr_ranges_have() needs it. Returns how many are
 * left. */
size_t addr_ranges_settle(struct addr_range *ranges, size_t count);
/* Is it in one of these? Sorted, none overlaps another. */
bool addr_ranges_have(const struct addr_range *ranges, size_t count, const struct addr *a);
