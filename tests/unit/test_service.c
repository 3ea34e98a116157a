/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Services as text and back. */
#include "allowsync/service.h"

#include "tap.h"

#include <netinet/in.h>

static void test_text_round_trips(void)
{
	static const struct {
		const char *in, *out;
		unsigned ports;
	} cases[] = {
		{"tcp/443", "tcp/443", 1},
		{"udp/10000-20000", "udp/10000-20000", 10001},
		{"udp/1-65535", "udp/1-65535", 65535},
		{"tcp/5-5", "tcp/5", 1},
		{"sctp/1", "sctp/1", 1},
		{"dccp/2", "dccp/2", 1},
		{"udplite/65535", "udplite/65535", 1},
		{"tcp", "tcp", 0},
		{"6", "tcp", 0},
		{"gre", "gre", 0},
		{"47", "gre", 0},
		{"253", "253", 0},
		{"icmp", "icmp", 0},
		{"icmp/echo-request", "icmp/echo-request", 0},
		{"icmp/8", "icmp/echo-request", 0},
		{"icmp/42", "icmp/42", 0},
		{"icmpv6/echo-request", "icmpv6/echo-request", 0},
		{"icmpv6/128", "icmpv6/echo-request", 0},
		{"any", "any", 0},
	};
	char text[SERVICE_TEXT_SIZE];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct service s, again;
		const char *why = service_parse(cases[i].in, &s);
		if (why)
			printf("# %s: %s\n", cases[i].in, why);
		CHECK(!why);
		CHECK_STR(service_format(&s, text), cases[i].out);
		CHECK_INT(service_port_count(&s), cases[i].ports);
		CHECK(!service_parse(text, &again));
		CHECK(service_eq(&s, &again));
	}
}

static void test_fields_are_as_written(void)
{
	struct service s;

	CHECK(!service_parse("udp/10000-20000", &s));
	CHECK_INT(s.kind, SERVICE_PORTS);
	CHECK_INT(s.protocol, IPPROTO_UDP);
	CHECK_INT(s.port_first, 10000);
	CHECK_INT(s.port_last, 20000);
	CHECK(!service_parse("icmpv6/echo-request", &s));
	CHECK_INT(s.kind, SERVICE_ICMP);
	CHECK_INT(s.protocol, IPPROTO_ICMPV6);
	CHECK_INT(s.icmp_type, 128);
	CHECK(!service_parse("47", &s));
	CHECK_INT(s.kind, SERVICE_PROTOCOL);
	CHECK_INT(s.protocol, 47);
}

static void test_different_services_are_not_equal(void)
{
	static const char *const texts[] = {"tcp/443", "tcp/444", "tcp/443-444", "udp/443", "tcp",
		"icmp", "icmp/echo-request", "icmp/echo-reply", "icmpv6/129", "any"};
	enum { N = sizeof(texts) / sizeof(texts[0]) };
	struct service s[N];

	for (size_t i = 0; i < N; i++)
		CHECK(!service_parse(texts[i], &s[i]));
	for (size_t i = 0; i < N; i++) {
		for (size_t j = 0; j < N; j++)
			CHECK_INT(service_eq(&s[i], &s[j]), i == j);
	}
}

static void test_what_is_no_service_is_refused(void)
{
	static const char *const cases[] = {"", "/", "443", "0", "256", "-1", "+6", "06", "tcp/",
		"tcp/0", "tcp/65536", "tcp/443-", "tcp/-443", "tcp/443-442", "tcp/443-65536",
		"tcp/0443", "tcp/ 443", "tcp/443 ", "tcp/https", "tcp/443/udp", "TCP/443",
		"tpc/443", "gre/5", "icmp/", "icmp/ping", "icmp/256", "icmpv6/9999", "any/443",
		"47/1", "tcp/443,80", "tcp/1-2-3", "tcp/99999999999999999999"};
	struct service s;

	CHECK(!service_parse("tcp/1", &s));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* "443" is above 255: no protocol has that number */
		CHECK(service_parse(cases[i], &s));
		CHECK_INT(s.port_first, 1);
	}
}

int main(void)
{
	TAP_RUN(test_text_round_trips);
	TAP_RUN(test_fields_are_as_written);
	TAP_RUN(test_different_services_are_not_equal);
	TAP_RUN(test_what_is_no_service_is_refused);
	return tap_done();
}
