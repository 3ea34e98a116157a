/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bounded reads. */
#include "base/cursor.h"

struct cursor cursor_over(const void *data, size_t len)
{
	return (struct cursor){.data = data, .len = len};
}

size_t cursor_left(const struct cursor *c)
{
	return c->failed ? 0 : c->len - c->at;
}

const uint8_t *cursor_bytes(struct cursor *c, size_t len)
{
	if (c->failed || len > c->len - c->at) {
		c->failed = true;
		return NULL;
	}
	const uint8_t *p = c->data + c->at;
	c->at += len;
	return p;
}

void cursor_skip(struct cursor *c, size_t len)
{
	cursor_bytes(c, len);
}

uint8_t cursor_u8(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 1);

	return p ? p[0] : 0;
}

uint16_t cursor_u16(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 2);

	return p ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

uint32_t cursor_u32(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 4);

	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}
