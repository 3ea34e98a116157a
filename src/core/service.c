/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Services: protocol and ports, or an ICMP type, as text and back. */
#include "allowsync/service.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

struct word {
	const char *name;
	uint8_t number;
};

static const struct word protocols[] = {
	{"icmp", IPPROTO_ICMP},
	{"igmp", IPPROTO_IGMP},
	{"ipip", IPPROTO_IPIP},
	{"tcp", IPPROTO_TCP},
	{"udp", IPPROTO_UDP},
	{"dccp", IPPROTO_DCCP},
	{"ipv6", IPPROTO_IPV6},
	{"gre", IPPROTO_GRE},
	{"esp", IPPROTO_ESP},
	{"ah", IPPROTO_AH},
	{"icmpv6", IPPROTO_ICMPV6},
	{"sctp", IPPROTO_SCTP},
	{"udplite", IPPROTO_UDPLITE},
	{NULL, 0},
};

/* nft's own names for the types */
static const struct word icmp_types[] = {
	{"echo-reply", 0},
	{"destination-unreachable", 3},
	{"redirect", 5},
	{"echo-request", 8},
	{"router-advertisement", 9},
	{"router-solicitation", 10},
	{"time-exceeded", 11},
	{"parameter-problem", 12},
	{"timestamp-request", 13},
	{"timestamp-reply", 14},
	{NULL, 0},
};
static const struct word icmpv6_types[] = {
	{"destination-unreachable", 1},
	{"packet-too-big", 2},
	{"time-exceeded", 3},
	{"parameter-problem", 4},
	{"echo-request", 128},
	{"echo-reply", 129},
	{NULL, 0},
};

static const struct word *by_name(const struct word *words, const char *name, size_t len)
{
	for (; words->name; words++) {
		if (strlen(words->name) == len && memcmp(words->name, name, len) == 0)
			return words;
	}
	return NULL;
}

static const char *by_number(const struct word *words, uint8_t number)
{
	for (; words->name; words++) {
		if (words->number == number)
			return words->name;
	}
	return NULL;
}

/* Digits only, no sign, no blank, no leading zero; `*end` behind the last one. */
static bool parse_number(const char *text, unsigned max, unsigned *ret, const char **end)
{
	unsigned n = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		n = n * 10 + (unsigned)(*p - '0');
		if (n > max)
			return false;
	}
	if (p == text || (text[0] == '0' && p - text > 1))
		return false;
	*ret = n;
	*end = p;
	return true;
}

static bool has_ports(uint8_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
	       protocol == IPPROTO_DCCP || protocol == IPPROTO_UDPLITE;
}

static const struct word *type_names(uint8_t protocol)
{
	return protocol == IPPROTO_ICMP     ? icmp_types
	       : protocol == IPPROTO_ICMPV6 ? icmpv6_types
					    : NULL;
}

static const char *parse_ports(const char *text, struct service *s)
{
	unsigned first, last;
	const char *end;

	if (!parse_number(text, 65535, &first, &end) || first == 0)
		return "a port is a number from 1 to 65535";
	last = first;
	if (*end == '-' && (!parse_number(end + 1, 65535, &last, &end) || last == 0))
		return "a port is a number from 1 to 65535";
	if (*end != '\0')
		return "ports are written 443 or 10000-20000, one service each";
	if (last < first)
		return "the port range ends before it begins";
	s->kind = SERVICE_PORTS;
	s->port_first = (uint16_t)first;
	s->port_last = (uint16_t)last;
	return NULL;
}

static const char *parse_icmp(const char *text, struct service *s)
{
	const struct word *type = by_name(type_names(s->protocol), text, strlen(text));
	const char *end;
	unsigned n;

	if (type)
		n = type->number;
	else if (!parse_number(text, 255, &n, &end) || *end != '\0')
		return "no such ICMP type";
	s->kind = SERVICE_ICMP;
	s->icmp_type = (uint8_t)n;
	return NULL;
}

const char *service_parse(const char *text, struct service *ret)
{
	struct service s;
	const char *slash = strchr(text, '/'), *why = NULL, *end;
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	const struct word *protocol = by_name(protocols, text, len);
	unsigned n;

	memset(&s, 0, sizeof(s));
	if (strcmp(text, "any") == 0) {
		s.kind = SERVICE_ANY;
		*ret = s;
		return NULL;
	}
	if (protocol)
		s.protocol = protocol->number;
	else if (!slash && parse_number(text, 255, &n, &end) && *end == '\0' && n > 0)
		s.protocol = (uint8_t)n;
	else
		return "no such service (tcp/443, udp/10000-20000, icmp/echo-request, gre, any)";

	if (!slash)
		s.kind = SERVICE_PROTOCOL;
	else if (has_ports(s.protocol))
		why = parse_ports(slash + 1, &s);
	else if (type_names(s.protocol))
		why = parse_icmp(slash + 1, &s);
	else
		why = "this protocol has no ports";
	if (!why)
		*ret = s;
	return why;
}

const char *service_format(const struct service *s, char *text)
{
	const char *protocol = by_number(protocols, s->protocol), *type;
	char number[8];

	if (s->kind == SERVICE_ANY) {
		snprintf(text, SERVICE_TEXT_SIZE, "any");
		return text;
	}
	if (!protocol) {
		snprintf(number, sizeof(number), "%u", s->protocol);
		protocol = number;
	}
	switch (s->kind) {
	case SERVICE_PORTS:
		if (s->port_first == s->port_last)
			snprintf(text, SERVICE_TEXT_SIZE, "%s/%u", protocol, s->port_first);
		else
			snprintf(text, SERVICE_TEXT_SIZE, "%s/%u-%u", protocol, s->port_first,
				s->port_last);
		break;
	case SERVICE_ICMP:
		type = type_names(s->protocol) ? by_number(type_names(s->protocol), s->icmp_type)
					       : NULL;
		if (type)
			snprintf(text, SERVICE_TEXT_SIZE, "%s/%s", protocol, type);
		else
			snprintf(text, SERVICE_TEXT_SIZE, "%s/%u", protocol, s->icmp_type);
		break;
	default:
		snprintf(text, SERVICE_TEXT_SIZE, "%s", protocol);
	}
	return text;
}

bool service_eq(const struct service *a, const struct service *b)
{
	return a->kind == b->kind && a->protocol == b->protocol && a->icmp_type == b->icmp_type &&
	       a->port_first == b->port_first && a->port_last == b->port_last;
}

bool service_overlaps(const struct service *a, const struct service *b)
{
	if (a->kind == SERVICE_ANY || b->kind == SERVICE_ANY)
		return true;
	if (a->protocol != b->protocol)
		return false;
	if (a->kind == SERVICE_PROTOCOL || b->kind == SERVICE_PROTOCOL)
		return true;
	if (a->kind == SERVICE_ICMP)
		return a->icmp_type == b->icmp_type;
	return a->port_first <= b->port_last && b->port_first <= a->port_last;
}

unsigned service_port_count(const struct service *s)
{
	return s->kind == SERVICE_PORTS ? (unsigned)(s->port_last - s->port_first) + 1 : 0;
}
