/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What vendors allow to be spoken, as nft's matches. */
#include "base/strbuf.h"
#include "core/ruleset_parts.h"

#include <netinet/in.h>
#include <string.h>

struct ports {
	unsigned first, last;
};

static const struct {
	uint8_t protocol;
	const char *key;
} ported[] = {{IPPROTO_TCP, "tcp dport"}, {IPPROTO_UDP, "udp dport"}, {IPPROTO_SCTP, "sctp dport"},
	{IPPROTO_DCCP, "dccp dport"}, {IPPROTO_UDPLITE, "udplite dport"}};

static int by_first(const void *a, const void *b)
{
	const struct ports *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* nft refuses a list whose ranges overlap. Returns how many are left. */
static size_t join_ports(struct ports *ports, size_t count)
{
	size_t n = 0;

	if (count)
		qsort(ports, count, sizeof(*ports), by_first);
	for (size_t i = 0; i < count; i++) {
		if (n && ports[i].first <= ports[n - 1].last + 1) {
			if (ports[i].last > ports[n - 1].last)
				ports[n - 1].last = ports[i].last;
		} else {
			ports[n++] = ports[i];
		}
	}
	return n;
}

static void add_match(struct strings *matches, const char *key, const struct strings *items)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;

	if (!items->count)
		return;
	strbuf_appendf(&b, "%s ", key);
	ruleset_append_list(&b, items);
	strings_add(matches, strbuf_text(&b));
}

static void add_number(struct strings *items, unsigned a, unsigned b)
{
	_cleanup_free_ char *text = a == b ? xasprintf("%u", a) : xasprintf("%u-%u", a, b);

	strings_add(items, text);
}

/* Of that protocol; the caller frees them. */
static struct ports *ports_of(
	const struct service *services, size_t count, uint8_t protocol, size_t *ret_count)
{
	struct ports *ports = xcalloc(count + 1, sizeof(*ports));
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		if (services[i].kind == SERVICE_PORTS && services[i].protocol == protocol)
			ports[n++] = (struct ports){services[i].port_first, services[i].port_last};
	}
	*ret_count = join_ports(ports, n);
	return ports;
}

static void match_ports(
	struct strings *matches, const char *key, const struct ports *ports, size_t count)
{
	_cleanup_(strings_done) struct strings items = {0};

	for (size_t i = 0; i < count; i++)
		add_number(&items, ports[i].first, ports[i].last);
	add_match(matches, key, &items);
}

/* By number: nft takes its names from a file of the machine, where some mean another protocol. */
static void match_protocols(struct strings *matches, const struct endpoint *e, uint8_t passed_over)
{
	_cleanup_(strings_done) struct strings items = {0};
	bool seen[UINT8_MAX + 1] = {0};

	for (size_t i = 0; i < e->service_count; i++) {
		const struct service *s = &e->services[i];
		if (s->kind != SERVICE_PROTOCOL || s->protocol == passed_over || seen[s->protocol])
			continue;
		seen[s->protocol] = true;
		add_number(&items, s->protocol, s->protocol);
	}
	add_match(matches, "meta l4proto", &items);
}

static void match_types(
	struct strings *matches, const struct endpoint *e, uint8_t protocol, const char *key)
{
	_cleanup_(strings_done) struct strings items = {0};
	char text[SERVICE_TEXT_SIZE];

	for (size_t i = 0; i < e->service_count; i++) {
		const struct service *s = &e->services[i];
		if (s->kind != SERVICE_ICMP || s->protocol != protocol)
			continue;
		const char *type = strchr(service_format(s, text), '/') + 1;
		if (!strings_has(&items, type))
			strings_add(&items, type);
	}
	add_match(matches, key, &items);
}

void ruleset_match_services(const struct endpoint *e, int family, struct strings *ret)
{
	uint8_t passed_over = family == FAMILY_V4   ? IPPROTO_ICMPV6
			      : family == FAMILY_V6 ? IPPROTO_ICMP
						    : 0;

	for (size_t i = 0; i < e->service_count; i++) {
		if (e->services[i].kind == SERVICE_ANY) {
			strings_add(ret, "");
			return;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(ported); i++) {
		size_t count;
		_cleanup_free_ struct ports *ports =
			ports_of(e->services, e->service_count, ported[i].protocol, &count);
		match_ports(ret, ported[i].key, ports, count);
	}
	match_protocols(ret, e, passed_over);
	if (passed_over != IPPROTO_ICMP)
		match_types(ret, e, IPPROTO_ICMP, "icmp type");
	if (passed_over != IPPROTO_ICMPV6)
		match_types(ret, e, IPPROTO_ICMPV6, "icmpv6 type");
}

/* --- of several endpoints --- */

struct protocols {
	bool any;                    /* all of them */
	bool spoken[UINT8_MAX + 1];  /* at all */
	bool as_such[UINT8_MAX + 1]; /* whatever the port */
};

static struct protocols look_at_protocols(const struct service *services, size_t count)
{
	struct protocols p = {0};

	for (size_t i = 0; i < count; i++) {
		p.any = p.any || services[i].kind == SERVICE_ANY;
		p.spoken[services[i].protocol] = true;
		if (services[i].kind == SERVICE_PROTOCOL)
			p.as_such[services[i].protocol] = true;
	}
	return p;
}

static bool are_all_ports(const struct ports *ports, size_t count)
{
	return count == 1 && ports[0].first <= 1 && ports[0].last == UINT16_MAX;
}

void ruleset_match_others(const struct service *services, size_t count, struct strings *ret)
{
	const struct protocols protocols = look_at_protocols(services, count);
	_cleanup_(strings_done) struct strings numbers = {0};

	if (protocols.any)
		return;
	for (size_t i = 0; i < ARRAY_LEN(ported); i++) {
		size_t n;
		_cleanup_free_ struct ports *ports =
			ports_of(services, count, ported[i].protocol, &n);
		_cleanup_free_ char *key = xasprintf("%s !=", ported[i].key);
		if (!protocols.as_such[ported[i].protocol] && !are_all_ports(ports, n))
			match_ports(ret, key, ports, n);
	}
	for (unsigned i = 0; i < ARRAY_LEN(protocols.spoken); i++) {
		if (protocols.spoken[i])
			add_number(&numbers, i, i);
	}
	add_match(ret, "meta l4proto !=", &numbers);
}
