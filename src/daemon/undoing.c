/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long repairs wait. */
#include "daemon/undoing.h"

bool undoing_note(struct undoing *u, uint64_t *hold_ms, uint64_t now_ms)
{
	bool begins = !u->pause_ms;

	if (u->pause_ms && *hold_ms > now_ms)
		return false; /* not after a repair of ours */
	if (now_ms - u->since_ms > UNDOING_WINDOW_MS) {
		u->since_ms = now_ms;
		u->count = 0;
	}
	if (++u->count <= UNDOING_MAX && begins)
		return false;
	u->pause_ms = begins ? UNDOING_PAUSE_FIRST_MS : 2 * u->pause_ms;
	if (u->pause_ms > UNDOING_PAUSE_MAX_MS)
		u->pause_ms = UNDOING_PAUSE_MAX_MS;
	*hold_ms = now_ms + u->pause_ms;
	u->quiet_ms = *hold_ms + u->pause_ms + UNDOING_PAUSE_FIRST_MS;
	return begins;
}
