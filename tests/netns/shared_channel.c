/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shared_channel SERVER NAME COUNT
 *
 * A client as c-ares makes it easy to write: one channel for everything. Asks SERVER for the A of
 * NAME COUNT times at once, all from one port, which stays, and says "asked". Prints the first
 * address that it is told, and ends. */
#include <ares.h>
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>

enum { TYPE_A = 1, CLASS_IN = 1, A_DAY_MS = 24 * 3600 * 1000 };

static bool done;

static void on_answer(void *userdata, int status, int timeouts, unsigned char *message, int len)
{
	struct ares_addrttl found;
	int count = 1;
	char text[INET_ADDRSTRLEN];

	if (done || status == ARES_EDESTRUCTION)
		return;
	if (status != ARES_SUCCESS ||
		ares_parse_a_reply(message, len, NULL, &found, &count) != ARES_SUCCESS || !count) {
		fprintf(stderr, "shared_channel: %s\n", ares_strerror(status));
		exit(1);
	}
	done = true;
	puts(inet_ntop(AF_INET, &found.ipaddr, text, sizeof(text)));
}

int main(int argc, char *argv[])
{
	ares_channel channel;
	struct ares_options o = {.timeout = A_DAY_MS, .tries = 1};
	char lookups[] = "b";
	fd_set readable, writable;

	o.lookups = lookups;
	if (argc != 4 || ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS ||
		ares_init_options(&channel, &o,
			ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS) != ARES_SUCCESS ||
		ares_set_servers_csv(channel, argv[1]) != ARES_SUCCESS)
		return 2;
	for (long i = strtol(argv[3], NULL, 10); i > 0; i--)
		ares_query(channel, argv[2], CLASS_IN, TYPE_A, on_answer, NULL);
	puts("asked");
	fflush(stdout);
	while (!done) {
		FD_ZERO(&readable);
		FD_ZERO(&writable);
		int n = ares_fds(channel, &readable, &writable);
		if (select(n, &readable, &writable, NULL, NULL) > 0)
			ares_process(channel, &readable, &writable);
	}
	ares_destroy(channel);
	return 0;
}
