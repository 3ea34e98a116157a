#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may be spoken with an address: a protocol and ports, or an ICMP type. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum service_kind {
	SERVICE_PORTS,    /* tcp, udp, sctp, dccp, udplite with a port range */
	SERVICE_PROTOCOL, /* a protocol as such: "gre", "tcp" without ports, "47" */
	SERVICE_ICMP,     /* icmp or icmpv6 with a type */
	SERVICE_ANY,      /* "any" */
};

struct service {
	uint8_t kind;
	uint8_t protocol; /* IPPROTO_* */
	uint8_t icmp_type;
	uint16_t port_first, port_last;
};

enum { SERVICE_TEXT_SIZE = 64 };

/* "tcp/443", "udp/10000-20000", "icmp/echo-request", "icmpv6/echo-request", "gre", "47", "any".
 * NULL: fine; else a sentence fragment that says why not. */
const char *service_parse(const char *text, struct service *ret);
/* Returns `text`, which has room for SERVICE_TEXT_SIZE. */
const char *service_format(const struct service *s, char *text);
bool service_eq(const struct service *a, const struct service *b);
/* Is there a packet that is of both? */
bool service_overlaps(const struct service *a, const struct service *b);
/* 0 for kinds without ports. */
unsigned service_port_count(const struct service *s);
