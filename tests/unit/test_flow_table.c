/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edge/flow_table on the real kernel: flows over the loopback, and /proc as the witness. */
#include "edge/flow_table.h"

#include "core/flows.h"

/* before those of the kernel, which stand back for them */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "nft_lab.h"

enum { SERVER = 5353 };

static struct flow seen[64];
static size_t seen_count, asked;

/* From its own port `from`, if that is not 0; no answer is awaited. */
static void send_udp(const char *to, uint16_t from, uint16_t port)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(from)};
	bool is_six = inet_pton(AF_INET6, to, &six.sin6_addr) == 1;
	int fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	CHECK(is_six || inet_pton(AF_INET, to, &four.sin_addr) == 1);
	CHECK(!from || bind(fd, (const struct sockaddr *)&own, sizeof(own)) == 0);
	const struct sockaddr *peer =
		is_six ? (const struct sockaddr *)&six : (const struct sockaddr *)&four;
	CHECK(sendto(fd, "x", 1, 0, peer, is_six ? sizeof(six) : sizeof(four)) == 1);
	close(fd);
}

/* Lines of the kernel's own list that hold that. */
static size_t listed(const char *what)
{
	_cleanup_free_ char *command = xasprintf("grep -c '%s' /proc/self/net/nf_conntrack", what);

	return strtoul(lab_output(command), NULL, 10);
}

static bool note(void *userdata, const struct flow *f)
{
	if (seen_count < ARRAY_LEN(seen))
		seen[seen_count++] = *f;
	return false;
}

static bool has_port(void *userdata, const struct flow *f)
{
	const uint16_t *port = userdata;

	asked++;
	return f->port == *port;
}

static bool each(void *userdata, const struct flow *f)
{
	return true;
}

static void forget(void)
{
	size_t ended;

	CHECK_INT(flow_table_end(each, NULL, &ended), 0);
	CHECK_INT(listed("."), 0);
	seen_count = asked = 0;
}

static const struct flow *seen_with(uint8_t protocol, enum family family)
{
	for (size_t i = 0; i < seen_count; i++) {
		if (seen[i].protocol == protocol && seen[i].source.family == family)
			return &seen[i];
	}
	return NULL;
}

static const char *text(const struct addr *a)
{
	static char texts[2][ADDR_TEXT_SIZE];
	static size_t at;

	return addr_format(a, texts[at++ % 2]);
}

static void flows_are_shown_with_their_ends_of_both_families(void)
{
	size_t ended;

	forget();
	send_udp("127.0.0.1", 0, 1000);
	send_udp("::1", 0, 1001);
	lab_output("ping -q -c1 -W5 127.0.0.1; ping -q -c1 -W5 ::1");
	CHECK_INT(flow_table_end(note, NULL, &ended), 0);
	CHECK_INT(ended, 0);
	const struct flow *four = seen_with(IPPROTO_UDP, FAMILY_V4);
	const struct flow *six = seen_with(IPPROTO_UDP, FAMILY_V6);
	const struct flow *ping = seen_with(IPPROTO_ICMP, FAMILY_V4);
	const struct flow *ping6 = seen_with(IPPROTO_ICMPV6, FAMILY_V6);
	CHECK(four && six && ping && ping6);
	CHECK_STR(text(&four->source), "127.0.0.1");
	CHECK_STR(text(&four->destination), "127.0.0.1");
	CHECK_INT(four->port, 1000);
	CHECK_STR(text(&six->destination), "::1");
	CHECK_INT(six->port, 1001);
	CHECK_INT(ping->icmp_type, 8);
	CHECK_INT(ping6->icmp_type, 128);
	CHECK_INT(ping->port, 0);
	CHECK_INT(listed("udp.*dport=100[01]"), 2);
}

static void destination_is_the_one_behind_a_translation_and_source_the_one_before(void)
{
	size_t ended;

	forget();
	send_udp("10.9.9.9", 0, 53);
	CHECK_INT(flow_table_end(note, NULL, &ended), 0);
	CHECK_INT(seen_count, 1);
	CHECK_STR(text(&seen[0].destination), "127.0.0.1");
	CHECK_INT(seen[0].port, SERVER);
	CHECK_STR(text(&seen[0].source), "10.9.9.9");
	CHECK_INT(listed("dst=127.0.0.2 "), 1);
}

static void those_that_are_to_end_do_and_no_others(void)
{
	static uint16_t port = 2007;
	size_t ended;

	forget();
	for (uint16_t i = 2000; i < 2010; i++) {
		send_udp("127.0.0.1", 0, i);
		send_udp("::1", 0, i);
	}
	/* With the same ends but one. */
	send_udp("127.0.0.1", 3000, 2007);
	send_udp("127.0.0.1", 3000, 2008);
	CHECK_INT(listed("udp"), 22);
	CHECK_INT(flow_table_end(has_port, &port, &ended), 0);
	CHECK_INT(ended, 3);
	CHECK_INT(asked, 22);
	CHECK_INT(listed("udp"), 19);
	CHECK_INT(listed("dport=2007 "), 0);
	CHECK_INT(listed("sport=3000 dport=2008 "), 1);
}

/* More than are remembered at a time. */
static void many_end_in_rounds(void)
{
	enum { COUNT = 9000 };
	static uint16_t spared = 1;
	size_t ended;

	forget();
	for (uint16_t i = 0; i < COUNT; i++)
		send_udp("127.0.0.1", 0, (uint16_t)(10000 + i));
	send_udp("127.0.0.1", 0, spared);
	CHECK_INT(listed("udp"), COUNT + 1);
	CHECK_INT(flow_table_end(has_port, &spared, &ended), 0);
	CHECK_INT(ended, 1);
	CHECK_INT(flow_table_end(each, NULL, &ended), 0);
	CHECK_INT(ended, COUNT);
	CHECK_INT(listed("udp"), 0);
}

/* Its zone is a part of what a flow is called. */
static void flow_in_a_zone_ends_alone(void)
{
	static uint16_t port = 4001;
	size_t ended;

	forget();
	send_udp("127.0.0.1", 3001, 4000);
	send_udp("127.0.0.1", 3001, 4001);
	CHECK_INT(listed("dport=4001 .*zone=7 "), 1);
	CHECK_INT(flow_table_end(has_port, &port, &ended), 0);
	CHECK_INT(ended, 1);
	CHECK_INT(listed("udp"), 1);
	CHECK_INT(listed("dport=4000 "), 1);
}

int main(void)
{
	if (!lab_enter())
		return 0;
	if (!lab_ip("link set lo up\naddr add 10.9.9.9/32 dev lo\n") ||
		!lab_nft("table inet t {\n"
			 "chain raw { type filter hook output priority raw; "
			 "udp dport 4001 ct zone set 7\n}\n"
			 "chain out { type filter hook output priority 0; ct state new counter\n}\n"
			 "chain there { type nat hook output priority -100; "
			 "ip daddr 10.9.9.9 udp dport 53 dnat ip to 127.0.0.1:%d\n}\n"
			 "chain from { type nat hook postrouting priority 100; "
			 "ip saddr 10.9.9.9 snat ip to 127.0.0.2\n}\n"
			 "}\n",
			SERVER))
		return 1;
	TAP_RUN(flows_are_shown_with_their_ends_of_both_families);
	TAP_RUN(destination_is_the_one_behind_a_translation_and_source_the_one_before);
	TAP_RUN(those_that_are_to_end_do_and_no_others);
	TAP_RUN(many_end_in_rounds);
	TAP_RUN(flow_in_a_zone_ends_alone);
	return tap_done();
}
