#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small pieces of the address spaces, with their addresses numbered: what is said of ranges in one
 * can be compared with plain tables. They lie where sums carry and where the spaces end. */
#include "allowsync/element.h"
#include "base/mem.h"
#include "random.h"
#include "tap.h"

enum { SPACE = 48 };

struct space {
	enum family family;
	uint8_t fill; /* of all bytes but the last four */
	uint32_t base;
	bool is_first, is_last; /* nothing is before it, or behind it */
};

static const struct space spaces[] = {
	{FAMILY_V4, 0, 0, true, false},
	{FAMILY_V4, 0, 0x0affffe8, false, false},
	{FAMILY_V4, 0, UINT32_MAX - SPACE + 1, false, true},
	{FAMILY_V6, 0, 0, true, false},
	{FAMILY_V6, 0x20, 0x0affffe8, false, false},
	{FAMILY_V6, 0xff, UINT32_MAX - SPACE + 1, false, true},
};
enum { SPACES = ARRAY_LEN(spaces) };

static inline struct set_kind space_kind(const struct space *s)
{
	return (struct set_kind){.layout = SET_LAYOUT_ADDR, .family = s->family, .interval = true};
}

static inline struct addr space_addr(const struct space *s, unsigned number)
{
	uint8_t bytes[16];
	size_t len = addr_len(s->family);
	uint32_t low = s->base + number;

	memset(bytes, s->fill, sizeof(bytes));
	for (size_t i = 1; i <= 4; i++, low >>= 8)
		bytes[len - i] = (uint8_t)low;
	return addr_from_bytes(s->family, bytes);
}

/* The range as a key of a set. */
static inline struct element_key space_key(const struct space *s, unsigned first, unsigned last)
{
	struct set_kind kind = space_kind(s);

	return element_key_encode(&kind,
		&(struct element_value){.addr = {space_addr(s, first), space_addr(s, last)}});
}

static inline unsigned space_number(const struct space *s, const uint8_t *address)
{
	uint32_t low = 0;

	for (size_t i = 4; i >= 1; i--)
		low = low << 8 | address[addr_len(s->family) - i];
	return low - s->base;
}

static inline unsigned space_first(const struct space *s, const struct element_key *key)
{
	return space_number(s, key->bytes);
}

static inline unsigned space_last(const struct space *s, const struct element_key *key)
{
	return space_number(s, key->bytes + key->len / 2);
}

/* Short ones most of the time. */
static inline struct element_key space_random(const struct space *s)
{
	unsigned first = random_below(SPACE);
	unsigned len = random_below(4) ? random_below(4) : random_below(SPACE);

	return space_key(s, first, first + len < SPACE ? first + len : SPACE - 1);
}
