/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys of the kernel's sets: made from addresses and services, read back, written for nft. */
#include "allowsync/element.h"

#include "base/mem.h"
#include "base/strbuf.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <linux/netfilter.h> /* behind netinet/in.h, or both define the same structs */

enum { FIELD_LEN = 4 }; /* a protocol or a port, padded */

static const struct {
	uint8_t nf_family;
	const char *name;
} nf_families[] = {
	{NFPROTO_INET, "inet"},
	{NFPROTO_IPV4, "ip"},
	{NFPROTO_IPV6, "ip6"},
};

/* Those that nft writes by name in every version; the rest it reads as numbers. */
static const struct {
	uint8_t protocol;
	const char *name;
} protocols[] = {
	{IPPROTO_ICMP, "icmp"},
	{IPPROTO_TCP, "tcp"},
	{IPPROTO_UDP, "udp"},
	{IPPROTO_DCCP, "dccp"},
	{IPPROTO_ICMPV6, "icmpv6"},
	{IPPROTO_SCTP, "sctp"},
	{IPPROTO_UDPLITE, "udplite"},
};

const char *nf_family_name(uint8_t nf_family)
{
	for (size_t i = 0; i < ARRAY_LEN(nf_families); i++) {
		if (nf_families[i].nf_family == nf_family)
			return nf_families[i].name;
	}
	return "unknown";
}

uint8_t nf_family_parse(const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(nf_families); i++) {
		if (str_eq(nf_families[i].name, text))
			return nf_families[i].nf_family;
	}
	return 0;
}

char *set_id_format(const struct set_id *id)
{
	return xasprintf("%s %s %s", nf_family_name(id->nf_family), id->table, id->name);
}

bool set_id_eq(const struct set_id *a, const struct set_id *b)
{
	return a->nf_family == b->nf_family && str_eq(a->table, b->table) &&
	       str_eq(a->name, b->name);
}

const char *set_kind_type_name(const struct set_kind *kind)
{
	bool v6 = kind->family == FAMILY_V6;

	switch (kind->layout) {
	case SET_LAYOUT_ADDR:
		return v6 ? "ipv6_addr" : "ipv4_addr";
	case SET_LAYOUT_ADDR_PROTO_SERVICE:
		return v6 ? "ipv6_addr . inet_proto . inet_service"
			  : "ipv4_addr . inet_proto . inet_service";
	case SET_LAYOUT_UNKNOWN:
		break;
	}
	return "unknown";
}

struct element_key element_key_addr(const struct addr *a)
{
	struct element_key key = {.len = (uint8_t)addr_len(a->family)};

	memcpy(key.bytes, a->bytes, key.len);
	return key;
}

struct element_key element_key_service(const struct addr *a, uint8_t protocol, uint16_t port)
{
	struct element_key key = element_key_addr(a);

	key.bytes[key.len] = protocol;
	key.bytes[key.len + FIELD_LEN] = (uint8_t)(port >> 8);
	key.bytes[key.len + FIELD_LEN + 1] = (uint8_t)port;
	key.len += 2 * FIELD_LEN;
	return key;
}

int element_key_order(const void *a, const void *b)
{
	return element_key_cmp(a, b);
}

int element_key_cmp(const struct element_key *a, const struct element_key *b)
{
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->bytes, b->bytes, a->len);
}

bool element_key_eq(const struct element_key *a, const struct element_key *b)
{
	return element_key_cmp(a, b) == 0;
}

bool element_key_decode(const struct set_kind *kind, const struct element_key *key,
	struct addr *ret_addr, uint8_t *ret_protocol, uint16_t *ret_port)
{
	size_t at = addr_len(kind->family);
	const uint8_t *b = key->bytes + at;

	if (kind->layout == SET_LAYOUT_ADDR) {
		if (key->len != at)
			return false;
		*ret_addr = addr_from_bytes(kind->family, key->bytes);
		*ret_protocol = 0;
		*ret_port = 0;
		return true;
	}
	if (kind->layout != SET_LAYOUT_ADDR_PROTO_SERVICE || key->len != at + 2 * FIELD_LEN)
		return false;
	/* With dirty padding it is another key than the one it would look like. */
	if (b[1] || b[2] || b[3] || b[6] || b[7])
		return false;
	*ret_addr = addr_from_bytes(kind->family, key->bytes);
	*ret_protocol = b[0];
	*ret_port = (uint16_t)(b[FIELD_LEN] << 8 | b[FIELD_LEN + 1]);
	return true;
}

static const char *format_protocol(uint8_t protocol, char text[8])
{
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		if (protocols[i].protocol == protocol)
			return protocols[i].name;
	}
	snprintf(text, 8, "%u", protocol);
	return text;
}

const char *element_key_format(
	const struct set_kind *kind, const struct element_key *key, char *text)
{
	char addr_text[ADDR_TEXT_SIZE], protocol_text[8];
	struct addr a;
	uint8_t protocol;
	uint16_t port;

	if (!element_key_decode(kind, key, &a, &protocol, &port)) {
		size_t len = (size_t)snprintf(text, ELEMENT_TEXT_SIZE, "0x");
		for (size_t i = 0; i < key->len && i < ELEMENT_KEY_MAX; i++)
			len += (size_t)snprintf(
				text + len, ELEMENT_TEXT_SIZE - len, "%02x", key->bytes[i]);
		return text;
	}
	addr_format(&a, addr_text);
	if (kind->layout == SET_LAYOUT_ADDR)
		snprintf(text, ELEMENT_TEXT_SIZE, "%s", addr_text);
	else
		snprintf(text, ELEMENT_TEXT_SIZE, "%s . %s . %u", addr_text,
			format_protocol(protocol, protocol_text), port);
	return text;
}

/* One protocol and port; those of an endpoint, each once. */
struct port {
	uint8_t protocol;
	uint16_t port;
};

/* Stops at one too many. */
static size_t collect_ports(
	const struct service *services, size_t count, struct port ret[SET_PORTS_MAX + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		if (services[i].kind != SERVICE_PORTS)
			continue;
		for (unsigned port = services[i].port_first; port <= services[i].port_last;
			port++) {
			size_t j = 0;
			while (j < n &&
				(ret[j].protocol != services[i].protocol || ret[j].port != port))
				j++;
			if (j < n)
				continue;
			ret[n++] = (struct port){services[i].protocol, (uint16_t)port};
			if (n > SET_PORTS_MAX)
				return n;
		}
	}
	return n;
}

unsigned element_ports_in_all(const struct service *services, size_t count)
{
	struct port ports[SET_PORTS_MAX + 1];

	return (unsigned)collect_ports(services, count, ports);
}

size_t element_expand(const struct set_kind *kind, const struct addr *a,
	const struct service *services, size_t service_count, struct element_key *ret)
{
	struct port ports[SET_PORTS_MAX + 1];

	if (kind->layout == SET_LAYOUT_UNKNOWN || a->family != kind->family)
		return 0;
	if (kind->layout == SET_LAYOUT_ADDR) {
		ret[0] = element_key_addr(a);
		return 1;
	}
	size_t n = collect_ports(services, service_count, ports);
	if (n > SET_PORTS_MAX)
		return 0;
	for (size_t i = 0; i < n; i++)
		ret[i] = element_key_service(a, ports[i].protocol, ports[i].port);
	return n;
}

const char *set_kind_refuses(
	const struct set_kind *kind, const struct service *s, unsigned ports_in_all)
{
	if (kind->layout != SET_LAYOUT_ADDR_PROTO_SERVICE)
		return NULL;
	switch ((enum service_kind)s->kind) {
	case SERVICE_PORTS:
		if (ports_in_all > SET_PORTS_MAX)
			return "more than 16 ports in all";
		return NULL;
	case SERVICE_PROTOCOL:
		return "a protocol without ports has no port";
	case SERVICE_ICMP:
		return "an ICMP type has no port";
	case SERVICE_ANY:
		return "\"any\" has no port";
	}
	return "unknown kind of service";
}
