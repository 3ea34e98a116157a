/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/event: each kind has a name and an id of its own. */
#include "allowsync/event.h"

#include "tap.h"

static void every_kind_has_a_name(void)
{
	for (int k = 0; k < EVENT_KIND_COUNT; k++) {
		const char *name = event_kind_name((enum event_kind)k);
		CHECK(name && *name);
		CHECK_INT(strspn(name, "abcdefghijklmnopqrstuvwxyz-"), strlen(name));
	}
}

static void every_id_is_32_hex_digits(void)
{
	for (int k = 0; k < EVENT_KIND_COUNT; k++) {
		const char *id = event_message_id((enum event_kind)k);
		CHECK(id);
		CHECK_INT(strlen(id), 32);
		CHECK_INT(strspn(id, "0123456789abcdef"), 32);
	}
}

static void no_two_kinds_share_a_name_or_an_id(void)
{
	for (int k = 0; k < EVENT_KIND_COUNT; k++) {
		for (int other = 0; other < k; other++) {
			CHECK(strcmp(event_kind_name((enum event_kind)k),
				      event_kind_name((enum event_kind)other)) != 0);
			CHECK(strcmp(event_message_id((enum event_kind)k),
				      event_message_id((enum event_kind)other)) != 0);
		}
	}
}

/* People filter by these: a change of order in the enum must not move them. */
static void ids_stay_with_their_kinds(void)
{
	CHECK_STR(event_message_id(EVENT_STARTED), "524a35d99af545ec80ae1d493f015e82");
	CHECK_STR(event_message_id(EVENT_CHANGED), "6c47b6ddc0f84ec1bda2cd39791f9c47");
	CHECK_STR(event_message_id(EVENT_NAME_FAILING), "46678e22a8af443a8d00f283ffa86b45");
	CHECK_STR(event_message_id(EVENT_NAME_GONE), "cc88263dc0f54af9b5915ea9d45a4e66");
	CHECK_STR(event_message_id(EVENT_SET_DEGRADED), "8cd74a56434f44fbbba25cbc643b8ffb");
	CHECK_STR(event_message_id(EVENT_CONTROL_FAILED), "9a8ff21537934a7693d0791be6a73e8c");
	CHECK_STR(event_message_id(EVENT_REFUSED), "35921a72bad942db8caa8af8f3bd3dc6");
	CHECK_STR(event_kind_name(EVENT_CHANGED), "changed");
	CHECK_STR(event_kind_name(EVENT_SET_ENTRY_REFUSED), "set-entry-refused");
}

int main(void)
{
	TAP_RUN(every_kind_has_a_name);
	TAP_RUN(every_id_is_32_hex_digits);
	TAP_RUN(no_two_kinds_share_a_name_or_an_id);
	TAP_RUN(ids_stay_with_their_kinds);
	return tap_done();
}
