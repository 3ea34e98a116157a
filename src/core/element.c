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

/* The fields of each layout, in order. */
enum field { FIELD_NONE, FIELD_ADDR, FIELD_PROTO, FIELD_SERVICE };
enum { FIELDS_MAX = 3 };
static const struct {
	enum field fields[FIELDS_MAX];
	const char *name_v4, *name_v6;
} layouts[] = {
	[SET_LAYOUT_UNKNOWN] = {{FIELD_NONE}, "unknown", "unknown"},
	[SET_LAYOUT_ADDR] = {{FIELD_ADDR}, "ipv4_addr", "ipv6_addr"},
	[SET_LAYOUT_ADDR_PROTO_SERVICE] = {{FIELD_ADDR, FIELD_PROTO, FIELD_SERVICE},
		"ipv4_addr . inet_proto . inet_service", "ipv6_addr . inet_proto . inet_service"},
	[SET_LAYOUT_ADDR_SERVICE] = {{FIELD_ADDR, FIELD_SERVICE}, "ipv4_addr . inet_service",
		"ipv6_addr . inet_service"},
};

static enum field field_at(const struct set_kind *kind, size_t i)
{
	return i < FIELDS_MAX ? layouts[kind->layout].fields[i] : FIELD_NONE;
}

static bool has_field(const struct set_kind *kind, enum field field)
{
	for (size_t i = 0; i < FIELDS_MAX; i++) {
		if (layouts[kind->layout].fields[i] == field)
			return true;
	}
	return false;
}

static size_t field_len(const struct set_kind *kind, enum field field)
{
	return field == FIELD_ADDR ? addr_len(kind->family) : FIELD_LEN;
}

const char *set_kind_type_name(const struct set_kind *kind)
{
	return kind->family == FAMILY_V6 ? layouts[kind->layout].name_v6
					 : layouts[kind->layout].name_v4;
}

bool set_kind_has_ranges(const struct set_kind *kind)
{
	return kind->interval && kind->layout == SET_LAYOUT_ADDR;
}

uint32_t set_kind_limit(const struct set_kind *kind)
{
	if (!kind->size || (kind->most && kind->most < kind->size))
		return kind->most;
	return kind->size;
}

bool set_kind_has_boxes(const struct set_kind *kind)
{
	return kind->interval && kind->layout != SET_LAYOUT_ADDR;
}

size_t set_kind_key_len(const struct set_kind *kind)
{
	size_t len = 0;

	for (size_t i = 0; field_at(kind, i) != FIELD_NONE; i++)
		len += field_len(kind, field_at(kind, i));
	return len;
}

static void encode_part(const struct set_kind *kind, const struct addr *a, uint8_t protocol,
	uint16_t port, struct element_key *key)
{
	for (size_t i = 0; field_at(kind, i) != FIELD_NONE; i++) {
		uint8_t *at = key->bytes + key->len;
		switch (field_at(kind, i)) {
		case FIELD_ADDR:
			memcpy(at, a->bytes, addr_len(kind->family));
			break;
		case FIELD_PROTO:
			at[0] = protocol;
			break;
		case FIELD_SERVICE:
			at[0] = (uint8_t)(port >> 8);
			at[1] = (uint8_t)port;
			break;
		case FIELD_NONE:
			break;
		}
		key->len += (uint8_t)field_len(kind, field_at(kind, i));
	}
}

struct element_key element_key_encode(const struct set_kind *kind, const struct element_value *v)
{
	struct element_key key = {0};

	encode_part(kind, &v->addr.first, v->protocol_first, v->port_first, &key);
	if (kind->interval)
		encode_part(kind, &v->addr.last, v->protocol_last, v->port_last, &key);
	return key;
}

struct element_key element_key_addr(const struct addr *a)
{
	const struct set_kind kind = {.layout = SET_LAYOUT_ADDR, .family = (enum family)a->family};

	return element_key_encode(&kind, &(struct element_value){.addr = {*a, *a}});
}

struct element_key element_key_service(const struct addr *a, uint8_t protocol, uint16_t port)
{
	const struct set_kind kind = {
		.layout = SET_LAYOUT_ADDR_PROTO_SERVICE, .family = (enum family)a->family};

	return element_key_encode(
		&kind, &(struct element_value){
			       .addr = {*a, *a}, .protocol_first = protocol, .port_first = port});
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

/* Any byte of the padding makes it another key than the one it would look like. */
static bool is_clean(const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (at[i])
			return false;
	}
	return true;
}

static bool decode_part(const struct set_kind *kind, const uint8_t *at, struct addr *ret_addr,
	uint8_t *ret_protocol, uint16_t *ret_port)
{
	*ret_protocol = 0;
	*ret_port = 0;
	for (size_t i = 0; field_at(kind, i) != FIELD_NONE; i++) {
		switch (field_at(kind, i)) {
		case FIELD_ADDR:
			*ret_addr = addr_from_bytes(kind->family, at);
			break;
		case FIELD_PROTO:
			if (!is_clean(at + 1, FIELD_LEN - 1))
				return false;
			*ret_protocol = at[0];
			break;
		case FIELD_SERVICE:
			if (!is_clean(at + 2, FIELD_LEN - 2))
				return false;
			*ret_port = (uint16_t)(at[0] << 8 | at[1]);
			break;
		case FIELD_NONE:
			break;
		}
		at += field_len(kind, field_at(kind, i));
	}
	return true;
}

bool element_key_decode(
	const struct set_kind *kind, const struct element_key *key, struct element_value *ret)
{
	size_t len = set_kind_key_len(kind);
	struct element_value v;

	if (!len || key->len != (kind->interval ? 2 * len : len))
		return false;
	if (!decode_part(kind, key->bytes, &v.addr.first, &v.protocol_first, &v.port_first) ||
		!decode_part(kind, key->bytes + (kind->interval ? len : 0), &v.addr.last,
			&v.protocol_last, &v.port_last))
		return false;
	if (addr_cmp(&v.addr.first, &v.addr.last) > 0 || v.protocol_first > v.protocol_last ||
		v.port_first > v.port_last)
		return false;
	*ret = v;
	return true;
}

bool element_key_covers(const struct set_kind *kind, const struct element_key *outer,
	const struct element_key *inner)
{
	struct element_value o, i;

	return element_key_decode(kind, outer, &o) && element_key_decode(kind, inner, &i) &&
	       addr_range_has(&o.addr, &i.addr.first) && addr_range_has(&o.addr, &i.addr.last) &&
	       o.protocol_first <= i.protocol_first && i.protocol_last <= o.protocol_last &&
	       o.port_first <= i.port_first && i.port_last <= o.port_last;
}

static void append_protocol(struct strbuf *b, uint8_t protocol)
{
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		if (protocols[i].protocol == protocol) {
			strbuf_append(b, protocols[i].name);
			return;
		}
	}
	strbuf_appendf(b, "%u", protocol);
}

static void append_value(
	struct strbuf *b, const struct set_kind *kind, const struct element_value *v)
{
	char text[ADDR_RANGE_TEXT_SIZE];

	for (size_t i = 0; field_at(kind, i) != FIELD_NONE; i++) {
		if (i)
			strbuf_append(b, " . ");
		switch (field_at(kind, i)) {
		case FIELD_ADDR:
			strbuf_append(b, addr_range_format(&v->addr, text));
			break;
		case FIELD_PROTO:
			append_protocol(b, v->protocol_first);
			if (v->protocol_last != v->protocol_first) {
				strbuf_append_char(b, '-');
				append_protocol(b, v->protocol_last);
			}
			break;
		case FIELD_SERVICE:
			strbuf_appendf(b, "%u", v->port_first);
			if (v->port_last != v->port_first)
				strbuf_appendf(b, "-%u", v->port_last);
			break;
		case FIELD_NONE:
			break;
		}
	}
}

const char *element_key_format(
	const struct set_kind *kind, const struct element_key *key, char *text)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;
	struct element_value v;

	if (element_key_decode(kind, key, &v)) {
		append_value(&b, kind, &v);
	} else {
		strbuf_append(&b, "0x");
		for (size_t i = 0; i < key->len && i < ELEMENT_KEY_MAX; i++)
			strbuf_appendf(&b, "%02x", key->bytes[i]);
	}
	snprintf(text, ELEMENT_TEXT_SIZE, "%s", strbuf_text(&b));
	return text;
}

/* One protocol and port; those of an endpoint, each once. */
struct port {
	uint8_t protocol;
	uint16_t port;
};

bool set_kind_passes_over(const struct set_kind *kind, const struct service *s)
{
	return kind->protocol && s->kind != SERVICE_ANY && s->protocol != kind->protocol;
}

/* Stops at one too many. */
static size_t collect_ports(const struct set_kind *kind, const struct service *services,
	size_t count, struct port ret[SET_PORTS_MAX + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		if (services[i].kind != SERVICE_PORTS || set_kind_passes_over(kind, &services[i]))
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

unsigned element_ports_in_all(
	const struct set_kind *kind, const struct service *services, size_t count)
{
	struct port ports[SET_PORTS_MAX + 1];

	return (unsigned)collect_ports(kind, services, count, ports);
}

static bool is_for_some(const struct set_kind *kind, const struct service *services, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!set_kind_passes_over(kind, &services[i]))
			return true;
	}
	return false;
}

size_t element_expand(const struct set_kind *kind, const struct addr_range *r,
	const struct service *services, size_t service_count, struct element_key *ret)
{
	struct port ports[SET_PORTS_MAX + 1];
	struct element_value v = {.addr = *r};

	if (kind->layout == SET_LAYOUT_UNKNOWN || r->first.family != kind->family)
		return 0;
	if (!set_kind_has_ranges(kind) && !addr_range_is_single(r))
		return 0;
	if (kind->layout == SET_LAYOUT_ADDR) {
		if (kind->protocol && !is_for_some(kind, services, service_count))
			return 0;
		ret[0] = element_key_encode(kind, &v);
		return 1;
	}
	size_t n = collect_ports(kind, services, service_count, ports);
	if (n > SET_PORTS_MAX)
		return 0;
	for (size_t i = 0; i < n; i++) {
		v.protocol_first = v.protocol_last = ports[i].protocol;
		v.port_first = v.port_last = ports[i].port;
		ret[i] = element_key_encode(kind, &v);
	}
	return n;
}

const char *set_kind_refuses(
	const struct set_kind *kind, const struct service *s, unsigned ports_in_all)
{
	if (!has_field(kind, FIELD_SERVICE) || set_kind_passes_over(kind, s))
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
