/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What vendors allow to be spoken, as nft's matches. */
#include "base/strbuf.h"
#include "core/ruleset_parts.h"

#include <netinet/in.h>
#include <string.h>

struct ports {
	unsigned first, last;
};

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

	if (!strings_has(items, text))
		strings_add(items, text);
}

static void match_ports(
	struct strings *matches, const struct endpoint *e, uint8_t protocol, const char *key)
{
	_cleanup_(strings_done) struct strings items = {0};
	struct ports *ports = xcalloc(e->service_count + 1, sizeof(*ports));
	size_t count = 0;

	for (size_t i = 0; i < e->service_count; i++) {
		const struct service *s = &e->services[i];
		if (s->kind == SERVICE_PORTS && s->protocol == protocol)
			ports[count++] = (struct ports){s->port_first, s->port_last};
	}
	count = join_ports(ports, count);
	for (size_t i = 0; i < count; i++)
		add_number(&items, ports[i].first, ports[i].last);
	add_match(matches, key, &items);
	free(ports);
}

/* By number: nft takes its names from a file of the machine, where some mean another protocol. */
static void match_protocols(struct strings *matches, const struct endpoint *e, uint8_t passed_over)
{
	_cleanup_(strings_done) struct strings items = {0};

	for (size_t i = 0; i < e->service_count; i++) {
		const struct service *s = &e->services[i];
		if (s->kind == SERVICE_PROTOCOL && s->protocol != passed_over)
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
	static const struct {
		uint8_t protocol;
		const char *key;
	} ported[] = {{IPPROTO_TCP, "tcp dport"}, {IPPROTO_UDP, "udp dport"},
		{IPPROTO_SCTP, "sctp dport"}, {IPPROTO_DCCP, "dccp dport"},
		{IPPROTO_UDPLITE, "udplite dport"}};
	uint8_t passed_over = family == FAMILY_V4   ? IPPROTO_ICMPV6
			      : family == FAMILY_V6 ? IPPROTO_ICMP
						    : 0;

	for (size_t i = 0; i < e->service_count; i++) {
		if (e->services[i].kind == SERVICE_ANY) {
			strings_add(ret, "");
			return;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(ported); i++)
		match_ports(ret, e, ported[i].protocol, ported[i].key);
	match_protocols(ret, e, passed_over);
	if (passed_over != IPPROTO_ICMP)
		match_types(ret, e, IPPROTO_ICMP, "icmp type");
	if (passed_over != IPPROTO_ICMPV6)
		match_types(ret, e, IPPROTO_ICMPV6, "icmpv6 type");
}
