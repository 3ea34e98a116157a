/* SPDX-License-Identifier: GPL-2.0-or-later */
/* New TCP connections through the gateways of labs, taken by turns: in each round so many in each
 * lab, from its device to its internet, at the addresses that standard input has, one a line. One
 * thread has both ends: what a connection takes is the work of its packets, and no waking up of
 * anybody. Prints the microseconds of a connection, a line for each round, a column for each lab.
 */
#include "base/mem.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PORT = 443, BACKLOG = 128, LABS_MAX = 8 };

struct lab {
	int device, listener; /* network namespace; socket in the internet's */
};

static void must(bool well, const char *what)
{
	if (well)
		return;
	perror(what);
	exit(1);
}

static int open_namespace(const char *name)
{
	_cleanup_free_ char *path = xasprintf("/run/netns/%s", name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	must(fd >= 0, path);
	return fd;
}

static void enter(int namespace)
{
	must(setns(namespace, CLONE_NEWNET) == 0, "setns");
}

static struct lab open_lab(const char *device, const char *internet)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	int namespace = open_namespace(internet), one = 1;
	enter(namespace);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(s >= 0, "socket");
	must(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0, "SO_REUSEADDR");
	must(bind(s, (struct sockaddr *)&any, sizeof(any)) == 0 && listen(s, BACKLOG) == 0, "bind");
	close(namespace);
	return (struct lab){open_namespace(device), s};
}

/* It is reset at the end, so that neither side keeps it. */
static void connect_once(const struct lab *l, const struct sockaddr_in *to)
{
	const struct linger reset = {.l_onoff = 1};
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(s >= 0, "socket");
	must(connect(s, (const struct sockaddr *)to, sizeof(*to)) == 0, "connect");
	int peer = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC);
	must(peer >= 0, "accept");
	must(setsockopt(s, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) == 0, "SO_LINGER");
	close(s);
	close(peer);
}

static double now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

struct addresses {
	struct sockaddr_in *items;
	size_t count, capacity;
};

static void read_addresses(struct addresses *a)
{
	char line[64];
	while (fgets(line, sizeof(line), stdin)) {
		struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT)};
		line[strcspn(line, "\n")] = '\0';
		must(inet_pton(AF_INET, line, &to.sin_addr) == 1, line);
		VEC_GROW(a->items, a->capacity, a->count);
		a->items[a->count++] = to;
	}
	must(a->count, "addresses");
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc >= 5 ? strtoul(argv[1], NULL, 10) : 0;
	unsigned long connections = argc >= 5 ? strtoul(argv[2], NULL, 10) : 0;
	size_t count = argc >= 5 ? (size_t)(argc - 3) / 2 : 0;
	struct addresses addresses = {0};
	struct lab labs[LABS_MAX];
	double us[LABS_MAX];
	size_t next = 0;

	if (!rounds || !connections || argc % 2 == 0 || count > LABS_MAX) {
		fprintf(stderr, "usage: bench_connect ROUNDS CONNECTIONS {DEVICE INTERNET}... < "
				"ADDRESSES\n");
		return 2;
	}
	read_addresses(&addresses);
	for (size_t i = 0; i < count; i++)
		labs[i] = open_lab(argv[3 + 2 * i], argv[4 + 2 * i]);
	for (unsigned long r = 0; r < rounds; r++) {
		for (size_t i = 0; i < count; i++) {
			size_t at = (i + r) % count; /* each one comes first as often */
			enter(labs[at].device);
			double begin = now_us();
			for (unsigned long n = 0; n < connections; n++)
				connect_once(
					&labs[at], &addresses.items[(next + n) % addresses.count]);
			us[at] = (now_us() - begin) / (double)connections;
		}
		next = (next + connections) % addresses.count;
		for (size_t i = 0; i < count; i++)
			printf("%.3f%c", us[i], i + 1 < count ? ' ' : '\n');
	}
	free(addresses.items);
	return 0;
}
