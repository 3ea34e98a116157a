/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/cursor: no read leaves the data, and one failure is remembered. */
#include "base/cursor.h"

#include "tap.h"

#include <stdlib.h>

static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 0xff, 0xfe};

static void reads_in_network_order(void)
{
	struct cursor c = cursor_over(bytes, sizeof(bytes));

	CHECK_INT(cursor_u8(&c), 1);
	CHECK_INT(cursor_u16(&c), 0x0203);
	CHECK_INT(cursor_u32(&c), 0x040506ff);
	CHECK_INT(cursor_left(&c), 1);
	CHECK_INT(cursor_u8(&c), 0xfe);
	CHECK_INT(cursor_left(&c), 0);
	CHECK(!c.failed);
}

static void top_bits_are_no_signs(void)
{
	static const uint8_t ones[] = {0xff, 0xff, 0xff, 0xff, 0x80, 0, 0x80, 0, 0, 0};
	struct cursor c = cursor_over(ones, sizeof(ones));

	CHECK_INT(cursor_u32(&c), 0xffffffffLL);
	CHECK_INT(cursor_u16(&c), 0x8000);
	CHECK_INT(cursor_u32(&c), 0x80000000LL);
}

static void read_past_the_end_gives_zero_and_sticks(void)
{
	struct cursor c = cursor_over(bytes, 3);

	CHECK_INT(cursor_u32(&c), 0);
	CHECK(c.failed);
	CHECK_INT(cursor_u8(&c), 0);
	CHECK(!cursor_bytes(&c, 0));
	CHECK_INT(cursor_left(&c), 0);
}

static void failed_read_takes_nothing(void)
{
	struct cursor c = cursor_over(bytes, 3);

	CHECK_INT(cursor_u8(&c), 1);
	cursor_skip(&c, 3);
	CHECK(c.failed);
	CHECK_INT(c.at, 1);
}

static void huge_length_does_not_wrap(void)
{
	struct cursor c = cursor_over(bytes, sizeof(bytes));

	CHECK_INT(cursor_u8(&c), 1);
	CHECK(!cursor_bytes(&c, (size_t)-1));
	CHECK(c.failed);
}

static void bytes_point_into_the_data(void)
{
	struct cursor c = cursor_over(bytes, sizeof(bytes));

	cursor_skip(&c, 2);
	CHECK(cursor_bytes(&c, 3) == bytes + 2);
	CHECK(cursor_bytes(&c, 0) == bytes + 5);
	CHECK(cursor_bytes(&c, 3) == bytes + 5);
	CHECK(!c.failed);
}

static void empty_data_fails_at_the_first_byte(void)
{
	struct cursor c = cursor_over(NULL, 0);

	CHECK_INT(cursor_left(&c), 0);
	CHECK(!c.failed);
	CHECK_INT(cursor_u8(&c), 0);
	CHECK(c.failed);
}

/* On the heap, so that a sanitizer sees a byte too many. */
static void every_cut_of_a_message_stays_inside(void)
{
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		uint8_t *cut = malloc(len ? len : 1);
		memcpy(cut, bytes, len);
		struct cursor c = cursor_over(cut, len);
		cursor_u16(&c);
		cursor_u32(&c);
		cursor_u16(&c);
		bool failed = c.failed;
		free(cut);
		CHECK_INT(failed, len < 8);
	}
}

int main(void)
{
	TAP_RUN(reads_in_network_order);
	TAP_RUN(top_bits_are_no_signs);
	TAP_RUN(read_past_the_end_gives_zero_and_sticks);
	TAP_RUN(failed_read_takes_nothing);
	TAP_RUN(huge_length_does_not_wrap);
	TAP_RUN(bytes_point_into_the_data);
	TAP_RUN(empty_data_fails_at_the_first_byte);
	TAP_RUN(every_cut_of_a_message_stays_inside);
	return tap_done();
}
