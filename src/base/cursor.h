#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bounded reader over bytes from outside, with a sticky error: read many fields, test once. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor {
	const uint8_t *data;
	size_t len;
	size_t at;
	bool failed; /* something was read past the end; all later reads give 0 */
};

struct cursor cursor_over(const void *data, size_t len);
uint8_t cursor_u8(struct cursor *c);
/* Network byte order. */
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
/* `len` bytes inside the data, or NULL. */
const uint8_t *cursor_bytes(struct cursor *c, size_t len);
void cursor_skip(struct cursor *c, size_t len);
size_t cursor_left(const struct cursor *c);
