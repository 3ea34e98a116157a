/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edge/nflog_msg: what a logged packet tells, however little of it is there, and what is asked of
 * the kernel. */
#include "edge/nflog_msg.h"

#include "tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdlib.h>

#define OURS "allowsync machines report: "

/* A datagram in the making; what lies behind it is an allocation's end when it is read. */
static uint32_t words[4096 / 4];
static uint8_t *const bytes = (uint8_t *)words;
static size_t len, message;

static void put(const void *data, size_t n)
{
	if (n)
		memcpy(bytes + len, data, n);
	len += n;
	while (len % 4)
		bytes[len++] = 0;
}

static void begin_message(uint16_t type, uint16_t group)
{
	message = len;
	put(&(struct nlmsghdr){.nlmsg_type = type, .nlmsg_seq = 7}, sizeof(struct nlmsghdr));
	put(&(struct nfgenmsg){.nfgen_family = AF_INET, .res_id = htons(group)},
		sizeof(struct nfgenmsg));
}

static void end_message(void)
{
	uint32_t size = (uint32_t)(len - message);

	memcpy(bytes + message, &size, sizeof(size));
}

static void attr(uint16_t type, const void *data, size_t n)
{
	put(&(struct nlattr){.nla_type = type, .nla_len = (uint16_t)(4 + n)}, 4);
	put(data, n);
}

static struct nflog_msg got[8];
static size_t got_count;

static void on_message(void *userdata, const struct nflog_msg *m)
{
	if (got_count < 8)
		got[got_count] = *m;
	got_count++;
}

static int decode(void)
{
	uint8_t *copy = malloc(len ? len : 1);

	memcpy(copy, bytes, len);
	got_count = 0;
	int r = nflog_msg_decode(copy, len, on_message, NULL);
	free(copy);
	return r;
}

static uint32_t be32(uint32_t v)
{
	return htonl(v);
}

/* A message with all that the kernel says of a forwarded packet. */
static void packet_message(const char *prefix, const void *payload, size_t n)
{
	struct nfulnl_msg_packet_hw hw = {.hw_addrlen = htons(6), .hw_addr = {2, 0, 0, 1, 2, 0xab}};
	uint32_t in = be32(3), out = be32(4), mark = be32(0x100000);

	begin_message(NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET, 4747);
	attr(NFULA_PACKET_HDR, &(struct nfulnl_msg_packet_hdr){.hook = 2},
		sizeof(struct nfulnl_msg_packet_hdr));
	attr(NFULA_PREFIX, prefix, strlen(prefix) + 1);
	attr(NFULA_IFINDEX_INDEV, &in, 4);
	attr(NFULA_IFINDEX_OUTDEV, &out, 4);
	attr(NFULA_MARK, &mark, 4);
	attr(NFULA_HWADDR, &hw, sizeof(hw));
	if (payload)
		attr(NFULA_PAYLOAD, payload, n);
	end_message();
}

static const struct refused_packet *read_packet(const void *payload, size_t n)
{
	len = 0;
	packet_message(OURS, payload, n);
	CHECK_INT(decode(), 0);
	CHECK_INT(got_count, 1);
	CHECK_INT(got[0].kind, NFLOG_MSG_PACKET);
	return &got[0].packet;
}

static const char *describe(const struct refused_packet *p)
{
	static char text[256];
	char source[ADDR_TEXT_SIZE], destination[ADDR_TEXT_SIZE], service[SERVICE_TEXT_SIZE];

	if (!p->has_addresses) {
		snprintf(text, sizeof(text), "-");
		return text;
	}
	snprintf(text, sizeof(text), "%s > %s %s", addr_format(&p->source, source),
		addr_format(&p->destination, destination), service_format(&p->service, service));
	return text;
}

/* 10.91.0.2 to 45.1.0.3; what follows the header is `more`. */
static size_t ipv4(
	uint8_t *p, uint8_t protocol, uint16_t fragment, size_t options, const void *more, size_t n)
{
	static const uint8_t addresses[] = {10, 91, 0, 2, 45, 1, 0, 3};
	size_t head = 20 + options;

	memset(p, 0, head);
	p[0] = (uint8_t)(0x40 | head / 4);
	p[6] = (uint8_t)(fragment >> 8);
	p[7] = (uint8_t)fragment;
	p[8] = 63;
	p[9] = protocol;
	memcpy(p + 12, addresses, sizeof(addresses));
	memcpy(p + head, more, n);
	return head + n;
}

/* fd91::2 to 2a00:1::8 */
static size_t ipv6(uint8_t *p, uint8_t next, const void *more, size_t n)
{
	memset(p, 0, 40);
	p[0] = 0x60;
	p[6] = next;
	p[8] = 0xfd;
	p[9] = 0x91;
	p[23] = 2;
	p[24] = 0x2a;
	p[27] = 1;
	p[39] = 8;
	memcpy(p + 40, more, n);
	return 40 + n;
}

static const uint8_t ports[] = {0xc0, 0x01, 0x01, 0xbb, 0, 0, 0, 0}; /* 49153 to 443 */
static uint8_t payload[1024];

static void test_a_whole_message_tells_everything(void)
{
	const struct refused_packet *p =
		read_packet(payload, ipv4(payload, IPPROTO_TCP, 0x4000, 0, ports, 8));

	CHECK_INT(got[0].group, 4747);
	CHECK_STR(p->group, "machines");
	CHECK_INT(p->mode, REFUSED_REPORT);
	CHECK_STR(describe(p), "10.91.0.2 > 45.1.0.3 tcp/443");
	CHECK(p->has_mac);
	CHECK(memcmp(p->mac, "\x02\x00\x00\x01\x02\xab", 6) == 0);
	CHECK_INT(p->in_index, 3);
	CHECK_INT(p->out_index, 4);
}

static void test_ipv4_of_each_protocol(void)
{
	static const struct {
		uint8_t protocol;
		const char *service;
	} cases[] = {{IPPROTO_TCP, "tcp/443"}, {IPPROTO_UDP, "udp/443"}, {IPPROTO_SCTP, "sctp/443"},
		{IPPROTO_DCCP, "dccp/443"}, {IPPROTO_UDPLITE, "udplite/443"}, {IPPROTO_GRE, "gre"},
		{IPPROTO_ESP, "esp"}, {200, "200"}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct refused_packet *p =
			read_packet(payload, ipv4(payload, cases[i].protocol, 0, 0, ports, 8));
		char want[80];
		snprintf(want, sizeof(want), "10.91.0.2 > 45.1.0.3 %s", cases[i].service);
		CHECK_STR(describe(p), want);
	}
}

static void test_options_of_ipv4_are_stepped_over(void)
{
	const struct refused_packet *p =
		read_packet(payload, ipv4(payload, IPPROTO_UDP, 0, 40, ports, 8));

	CHECK_STR(describe(p), "10.91.0.2 > 45.1.0.3 udp/443");
}

static void test_icmp_has_its_type(void)
{
	const struct refused_packet *p =
		read_packet(payload, ipv4(payload, IPPROTO_ICMP, 0, 0, "\x08\0\0\0", 4));

	CHECK_STR(describe(p), "10.91.0.2 > 45.1.0.3 icmp/echo-request");
	p = read_packet(payload, ipv6(payload, IPPROTO_ICMPV6, "\x80\0\0\0", 4));
	CHECK_STR(describe(p), "fd91::2 > 2a00:1::8 icmpv6/echo-request");
}

static void test_only_the_first_fragment_has_ports(void)
{
	static const uint8_t first[] = {IPPROTO_UDP, 0, 0, 1, 0, 0, 0, 9, 0xc0, 1, 1, 0xbb};
	static const uint8_t later[] = {IPPROTO_UDP, 0, 0, 8, 0, 0, 0, 9, 0xc0, 1, 1, 0xbb};
	const struct refused_packet *p =
		read_packet(payload, ipv4(payload, IPPROTO_UDP, 0x2000, 0, ports, 8));

	CHECK_STR(describe(p), "10.91.0.2 > 45.1.0.3 udp/443");
	p = read_packet(payload, ipv4(payload, IPPROTO_UDP, 0x2001, 0, ports, 8));
	CHECK_STR(describe(p), "10.91.0.2 > 45.1.0.3 udp");
	p = read_packet(payload, ipv4(payload, IPPROTO_ICMP, 1, 0, ports, 8));
	CHECK_STR(describe(p), "10.91.0.2 > 45.1.0.3 icmp");
	p = read_packet(payload, ipv6(payload, IPPROTO_FRAGMENT, first, sizeof(first)));
	CHECK_STR(describe(p), "fd91::2 > 2a00:1::8 udp/443");
	p = read_packet(payload, ipv6(payload, IPPROTO_FRAGMENT, later, sizeof(later)));
	CHECK_STR(describe(p), "fd91::2 > 2a00:1::8 udp");
}

static void test_extension_headers_of_ipv6_are_stepped_over(void)
{
	uint8_t more[64] = {0};
	/* Hop-by-hop options of 16 bytes, a routing header of 8, authentication of 16, then TCP. */
	more[0] = IPPROTO_ROUTING;
	more[1] = 1;
	more[16] = IPPROTO_AH;
	more[24] = IPPROTO_TCP;
	more[25] = 2;
	memcpy(more + 40, ports, 8);
	const struct refused_packet *p =
		read_packet(payload, ipv6(payload, IPPROTO_HOPOPTS, more, 48));

	CHECK_STR(describe(p), "fd91::2 > 2a00:1::8 tcp/443");
	/* Cut within them. */
	p = read_packet(payload, ipv6(payload, IPPROTO_HOPOPTS, more, 30));
	CHECK_STR(describe(p), "fd91::2 > 2a00:1::8 ah");
}

static void test_a_chain_of_headers_ends(void)
{
	uint8_t more[512] = {0};

	for (size_t i = 0; i < sizeof(more); i += 8)
		more[i] = IPPROTO_DSTOPTS;
	const struct refused_packet *p =
		read_packet(payload, ipv6(payload, IPPROTO_DSTOPTS, more, sizeof(more)));
	CHECK_STR(describe(p), "fd91::2 > 2a00:1::8 60");
	/* Be it that there is an end. */
	more[8 * 8] = IPPROTO_TCP;
	memcpy(more + 9 * 8, ports, 8);
	p = read_packet(payload, ipv6(payload, IPPROTO_DSTOPTS, more, 10 * 8));
	CHECK_STR(describe(p), "fd91::2 > 2a00:1::8 60");
}

static void test_what_is_cut_off_is_not_guessed(void)
{
	size_t n = ipv4(payload, IPPROTO_TCP, 0, 0, ports, 8);

	CHECK_STR(describe(read_packet(payload, 24)), "10.91.0.2 > 45.1.0.3 tcp/443");
	CHECK_STR(describe(read_packet(payload, 23)), "10.91.0.2 > 45.1.0.3 tcp");
	CHECK_STR(describe(read_packet(payload, 20)), "10.91.0.2 > 45.1.0.3 tcp");
	for (size_t i = 0; i < 20; i++)
		CHECK_STR(describe(read_packet(payload, i)), "-");
	/* A header that says to be longer than the packet, and one shorter than it can be. */
	payload[0] = 0x4f;
	CHECK_STR(describe(read_packet(payload, n)), "10.91.0.2 > 45.1.0.3 tcp");
	payload[0] = 0x44;
	CHECK_STR(describe(read_packet(payload, n)), "-");
	/* Neither IPv4 nor IPv6. */
	payload[0] = 0x05;
	CHECK_STR(describe(read_packet(payload, n)), "-");
	ipv6(payload, IPPROTO_TCP, ports, 8);
	CHECK_STR(describe(read_packet(payload, 39)), "-");
	CHECK_STR(describe(read_packet(payload, 40)), "fd91::2 > 2a00:1::8 tcp");
}

static void test_every_field_but_the_prefix_may_be_missing(void)
{
	len = 0;
	begin_message(NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET, 1);
	attr(NFULA_PREFIX, OURS, sizeof(OURS));
	end_message();
	CHECK_INT(decode(), 0);
	CHECK_INT(got[0].kind, NFLOG_MSG_PACKET);
	const struct refused_packet *p = &got[0].packet;
	CHECK_STR(p->group, "machines");
	CHECK(!p->has_addresses && !p->has_mac && !p->in_index && !p->out_index);
	len = 0;
	begin_message(NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET, 1);
	end_message();
	CHECK_INT(decode(), 0);
	CHECK_INT(got[0].kind, NFLOG_MSG_STRANGE);
}

static void test_a_hardware_address_of_another_length_is_none(void)
{
	static const uint16_t lengths[] = {0, 4, 8, 20, 0xffff};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct nfulnl_msg_packet_hw hw = {.hw_addrlen = htons(lengths[i])};
		len = 0;
		begin_message(NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET, 1);
		attr(NFULA_PREFIX, OURS, sizeof(OURS));
		attr(NFULA_HWADDR, &hw, sizeof(hw));
		end_message();
		decode();
		CHECK_INT(got[0].kind, NFLOG_MSG_PACKET);
		CHECK(!got[0].packet.has_mac);
	}
	/* An attribute that is too short for one. */
	len = 0;
	begin_message(NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET, 1);
	attr(NFULA_PREFIX, OURS, sizeof(OURS));
	attr(NFULA_HWADDR, "\0\x06\0\0\x02\0\0\x01", 8);
	end_message();
	decode();
	CHECK(!got[0].packet.has_mac);
}

static void test_other_prefixes_are_strange(void)
{
	static const char *const prefixes[] = {"", "allowsync", "allowsync ", "allowsync machines",
		"allowsync machines ", "allowsync machines report",
		"allowsync machines report:", "allowsync machines report: x",
		"allowsync machines reports: ", "allowsync  report: ", "allowsync machines pass: ",
		"Allowsync machines report: ",
		"allowsync a-name-of-more-than-31-characters report: "};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		len = 0;
		packet_message(prefixes[i], NULL, 0);
		CHECK_INT(decode(), 0);
		CHECK_INT(got[0].kind, NFLOG_MSG_STRANGE);
	}
	/* One that no NUL ends. */
	len = 0;
	begin_message(NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET, 1);
	attr(NFULA_PREFIX, OURS, sizeof(OURS) - 1);
	end_message();
	decode();
	CHECK_INT(got[0].kind, NFLOG_MSG_STRANGE);
}

static void test_each_mode_is_known(void)
{
	static const char *const prefixes[] = {"allowsync a report: ", "allowsync a enforce: ",
		"allowsync a-name_of-31-characters-in-al deny: "};

	for (size_t i = 0; i < 3; i++) {
		len = 0;
		packet_message(prefixes[i], NULL, 0);
		decode();
		CHECK_INT(got[0].kind, NFLOG_MSG_PACKET);
		CHECK_INT(got[0].packet.mode, i);
	}
	CHECK_STR(got[0].packet.group, "a-name_of-31-characters-in-al");
}

static void test_several_messages_come_in_one_datagram(void)
{
	len = 0;
	for (int i = 0; i < 3; i++)
		packet_message(OURS, payload, ipv4(payload, IPPROTO_TCP, 0, 0, ports, 8));
	/* As the kernel ends it. */
	put(&(struct nlmsghdr){.nlmsg_len = 20, .nlmsg_type = NLMSG_DONE}, 16);
	put("\0\0\0", 4);
	CHECK_INT(decode(), 0);
	CHECK_INT(got_count, 4);
	for (int i = 0; i < 3; i++)
		CHECK_STR(describe(&got[i].packet), "10.91.0.2 > 45.1.0.3 tcp/443");
	CHECK_INT(got[3].kind, NFLOG_MSG_OTHER);
}

static void test_lengths_that_lie_are_seen(void)
{
	len = 0;
	packet_message(OURS, payload, ipv4(payload, IPPROTO_TCP, 0, 0, ports, 8));
	size_t whole = len;
	for (len = 1; len < whole; len++)
		CHECK_INT(decode(), -EBADMSG);
	len = whole;
	uint32_t wrong[] = {0, 15, (uint32_t)whole + 1, UINT32_MAX};
	for (size_t i = 0; i < 4; i++) {
		memcpy(bytes, &wrong[i], 4);
		CHECK_INT(decode(), -EBADMSG);
	}
	/* A message without room for its own header is passed over. */
	memcpy(bytes, &(uint32_t){16}, 4);
	len = 16;
	CHECK_INT(decode(), 0);
	CHECK_INT(got[0].kind, NFLOG_MSG_OTHER);
}

static void acknowledge(int error)
{
	len = 0;
	begin_message(NLMSG_ERROR, 0);
	len = sizeof(struct nlmsghdr);
	put(&error, sizeof(error));
	end_message();
	CHECK_INT(decode(), 0);
	CHECK_INT(got[0].kind, NFLOG_MSG_ACK);
	CHECK_INT(got[0].seq, 7);
}

static void test_acknowledgements(void)
{
	acknowledge(0);
	CHECK_INT(got[0].error, 0);
	acknowledge(-EPERM);
	CHECK_INT(got[0].error, -EPERM);
	acknowledge(5);
	CHECK_INT(got[0].error, -EPROTO);
	acknowledge(-2000000000);
	CHECK_INT(got[0].error, -EPROTO);
}

static void test_requests_are_as_the_kernel_reads_them(void)
{
	static const uint8_t bind[] = {28, 0, 0, 0, 1, 4, 5, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12,
		0x8b, 5, 0, 1, 0, 1, 0, 0, 0};
	static const uint8_t mode[] = {48, 0, 0, 0, 1, 4, 5, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12,
		0x8b, 10, 0, 2, 0, 0, 0, 0, 128, 2, 0, 0, 0, 8, 0, 5, 0, 0, 0, 0, 16, 8, 0, 4, 0, 0,
		0, 0, 10};
	uint32_t request[NFLOG_MSG_REQUEST_MAX / 4];

	CHECK_INT(nflog_msg_encode_bind(request, 9, 4747), sizeof(bind));
	CHECK(memcmp(request, bind, sizeof(bind)) == 0);
	CHECK_INT(nflog_msg_encode_unbind(request, 9, 4747), sizeof(bind));
	CHECK_INT(((uint8_t *)request)[24], 2);
	CHECK_INT(nflog_msg_encode_mode(request, 9, 4747), sizeof(mode));
	CHECK(memcmp(request, mode, sizeof(mode)) == 0);
}

int main(void)
{
	TAP_RUN(test_a_whole_message_tells_everything);
	TAP_RUN(test_ipv4_of_each_protocol);
	TAP_RUN(test_options_of_ipv4_are_stepped_over);
	TAP_RUN(test_icmp_has_its_type);
	TAP_RUN(test_only_the_first_fragment_has_ports);
	TAP_RUN(test_extension_headers_of_ipv6_are_stepped_over);
	TAP_RUN(test_a_chain_of_headers_ends);
	TAP_RUN(test_what_is_cut_off_is_not_guessed);
	TAP_RUN(test_every_field_but_the_prefix_may_be_missing);
	TAP_RUN(test_a_hardware_address_of_another_length_is_none);
	TAP_RUN(test_other_prefixes_are_strange);
	TAP_RUN(test_each_mode_is_known);
	TAP_RUN(test_several_messages_come_in_one_datagram);
	TAP_RUN(test_lengths_that_lie_are_seen);
	TAP_RUN(test_acknowledgements);
	TAP_RUN(test_requests_are_as_the_kernel_reads_them);
	return tap_done();
}
