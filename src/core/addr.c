/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IP addresses and ranges: text, order, membership. */
#include "allowsync/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *family_name(enum family f)
{
	return f == FAMILY_V4 ? "ipv4" : "ipv6";
}

size_t addr_len(enum family f)
{
	return f == FAMILY_V4 ? 4 : 16;
}

struct addr addr_from_bytes(enum family f, const void *bytes)
{
	struct addr a;

	memset(&a, 0, sizeof(a));
	a.family = (uint8_t)f;
	memcpy(a.bytes, bytes, addr_len(f));
	return a;
}

bool addr_parse(const char *text, struct addr *ret)
{
	uint8_t bytes[16];

	if (inet_pton(AF_INET, text, bytes) == 1)
		*ret = addr_from_bytes(FAMILY_V4, bytes);
	else if (inet_pton(AF_INET6, text, bytes) == 1)
		*ret = addr_from_bytes(FAMILY_V6, bytes);
	else
		return false;
	return true;
}

const char *addr_format(const struct addr *a, char *text)
{
	/* ADDR_TEXT_SIZE is above INET6_ADDRSTRLEN: it cannot fail */
	if (!inet_ntop(a->family == FAMILY_V4 ? AF_INET : AF_INET6, a->bytes, text, ADDR_TEXT_SIZE))
		text[0] = '\0';
	return text;
}

int addr_cmp(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
	return addr_cmp(a, b) == 0;
}

bool addr_is_link_local(const struct addr *a)
{
	return a->family == FAMILY_V6 && a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

bool addr_is_loopback(const struct addr *a)
{
	static const uint8_t loopback6[16] = {[15] = 1};

	if (a->family == FAMILY_V4)
		return a->bytes[0] == 127;
	return memcmp(a->bytes, loopback6, sizeof(loopback6)) == 0;
}

/* The network's last address; false when a bit behind the prefix is set. */
static bool prefix_last(const struct addr *first, unsigned bits, struct addr *ret)
{
	struct addr last = *first;

	for (unsigned i = bits; i < addr_len(first->family) * 8; i++) {
		uint8_t mask = (uint8_t)(0x80 >> (i % 8));
		if (last.bytes[i / 8] & mask)
			return false;
		last.bytes[i / 8] |= mask;
	}
	*ret = last;
	return true;
}

/* Digits only, no sign, no blank, no leading zero: strtoul takes all of these. */
static bool parse_bits(const char *text, unsigned max, unsigned *ret)
{
	unsigned n = 0;

	if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		n = n * 10 + (unsigned)(*text - '0');
		if (n > max)
			return false;
	}
	*ret = n;
	return true;
}

bool addr_range_parse(const char *text, struct addr_range *ret)
{
	char copy[ADDR_RANGE_TEXT_SIZE];
	struct addr_range r;
	size_t len = strlen(text);

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len + 1);

	char *slash = strchr(copy, '/'), *dash = strchr(copy, '-');
	if (slash) {
		unsigned bits;
		*slash = '\0';
		if (!addr_parse(copy, &r.first) ||
			!parse_bits(slash + 1, (unsigned)addr_len(r.first.family) * 8, &bits) ||
			!prefix_last(&r.first, bits, &r.last))
			return false;
	} else if (dash) {
		*dash = '\0';
		if (!addr_parse(copy, &r.first) || !addr_parse(dash + 1, &r.last) ||
			r.first.family != r.last.family || addr_cmp(&r.first, &r.last) > 0)
			return false;
	} else {
		if (!addr_parse(copy, &r.first))
			return false;
		r.last = r.first;
	}
	*ret = r;
	return true;
}

const char *addr_range_format(const struct addr_range *r, char *text)
{
	char first[ADDR_TEXT_SIZE], last[ADDR_TEXT_SIZE];

	addr_format(&r->first, first);
	if (addr_range_is_single(r)) {
		memcpy(text, first, strlen(first) + 1);
		return text;
	}
	for (unsigned bits = 0; bits < addr_len(r->first.family) * 8; bits++) {
		struct addr end;
		if (prefix_last(&r->first, bits, &end) && addr_eq(&end, &r->last)) {
			snprintf(text, ADDR_RANGE_TEXT_SIZE, "%s/%u", first, bits);
			return text;
		}
	}
	snprintf(text, ADDR_RANGE_TEXT_SIZE, "%s-%s", first, addr_format(&r->last, last));
	return text;
}

bool addr_range_is_single(const struct addr_range *r)
{
	return addr_eq(&r->first, &r->last);
}

bool addr_range_has(const struct addr_range *r, const struct addr *a)
{
	return a->family == r->first.family && addr_cmp(&r->first, a) <= 0 &&
	       addr_cmp(a, &r->last) <= 0;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct addr_range *x = a, *y = b;

	return addr_cmp(&x->first, &y->first);
}

size_t addr_ranges_settle(struct addr_range *ranges, size_t count)
{
	size_t kept = 0;

	if (count)
		qsort(ranges, count, sizeof(*ranges), compare_ranges);
	for (size_t i = 0; i < count; i++) {
		struct addr_range *last = kept ? &ranges[kept - 1] : NULL;
		if (!last || !addr_range_has(last, &ranges[i].first))
			ranges[kept++] = ranges[i];
		else if (addr_cmp(&ranges[i].last, &last->last) > 0)
			last->last = ranges[i].last;
	}
	return kept;
}

bool addr_ranges_have(const struct addr_range *ranges, size_t count, const struct addr *a)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct addr_range *r = &ranges[middle];
		if (addr_range_has(r, a))
			return true;
		if (addr_cmp(a, &r->first) < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}
