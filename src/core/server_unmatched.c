/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counted by the minute. */
#include "core/server_unmatched.h"

bool server_unmatched_note(struct server_unmatched *u, uint64_t count, uint64_t now_ms)
{
	if (!count)
		return false;
	u->count += count;
	if (now_ms - u->begun_ms >= SERVER_UNMATCHED_MINUTE_MS) {
		u->begun_ms = now_ms;
		u->lately = 0;
	}
	u->lately += count;
	if (u->lately < SERVER_UNMATCHED_MANY)
		return false;
	bool told = u->many_ms && now_ms - u->many_ms < SERVER_UNMATCHED_QUIET_MS;
	u->many_ms = now_ms;
	return !told;
}
