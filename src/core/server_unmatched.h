#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Datagrams that came in a DNS server's name and answered nothing that it was asked: how many, and
 * when that is worth telling. A few come from servers and networks that err; many, from somebody
 * who guesses. Pure: the time is an argument (monotonic milliseconds). */
#include <stdbool.h>
#include <stdint.h>

enum {
	SERVER_UNMATCHED_MANY = 100, /* within a minute */
	SERVER_UNMATCHED_MINUTE_MS = 60 * 1000,
	SERVER_UNMATCHED_QUIET_MS = 3600 * 1000, /* without many, before they are told of again */
};

struct server_unmatched {
	uint64_t count;    /* ever */
	uint64_t lately;   /* of the last minute that was counted */
	uint64_t begun_ms; /* that minute: with the first of them */
	uint64_t many_ms;  /* when there were many, the last time; 0: never */
};

/* So many more. True: that is to be told now; how many came within a minute is in `lately`. */
bool server_unmatched_note(struct server_unmatched *u, uint64_t count, uint64_t now_ms);
