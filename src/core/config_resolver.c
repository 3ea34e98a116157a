/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [resolver] and [control]. */
#include "core/config_parts.h"

#include "base/strbuf.h"
#include "core/values.h"

#include <string.h>

enum { USER_MAX = 32 };

static bool parse_port(const char *text, uint16_t *ret)
{
	struct service s;
	_cleanup_free_ char *service = xasprintf("udp/%s", text);

	if (service_parse(service, &s) || s.port_first != s.port_last || strchr(text, '-'))
		return false;
	*ret = s.port_first;
	return true;
}

/* "ADDR" or "ADDR%INTERFACE" */
static const char *parse_host(char *text, struct config_server *s)
{
	static const char *const grammar =
		"is no server (192.0.2.1, 192.0.2.1:5353, [2001:db8::1]:53, fe80::1%eth0)";
	char *percent = strchr(text, '%');

	if (percent)
		*percent++ = '\0';
	if (!addr_parse(text, &s->addr))
		return grammar;
	if (percent && !addr_is_link_local(&s->addr))
		return "has an interface, and is not link-local";
	if (!percent && addr_is_link_local(&s->addr))
		return "is link-local: name the interface (fe80::1%eth0)";
	if (percent) {
		size_t len = strlen(percent);
		if (len == 0 || len >= sizeof(s->scope) || strpbrk(percent, "/ \t%"))
			return "has no interface behind the \"%\"";
		memcpy(s->scope, percent, len + 1);
	}
	return NULL;
}

const char *config_server_parse(const char *text, struct config_server *ret)
{
	struct config_server s = {.port = 53};
	_cleanup_free_ char *copy = xstrdup(text);
	char *host = copy, *port = NULL;

	if (copy[0] == '[') {
		char *end = strchr(copy, ']');
		if (!end || (end[1] && end[1] != ':'))
			return "is no server ([2001:db8::1]:53)";
		port = end[1] ? end + 2 : NULL;
		*end = '\0';
		host = copy + 1;
	} else if (strchr(copy, ':') && strchr(copy, ':') == strrchr(copy, ':')) {
		port = strchr(copy, ':');
		*port++ = '\0';
	}
	const char *why = parse_host(host, &s);
	if (!why && copy[0] == '[' && s.addr.family != FAMILY_V6)
		why = "has brackets, which are for IPv6";
	if (!why && port && !parse_port(port, &s.port))
		why = "has no port from 1 to 65535";
	if (!why)
		*ret = s;
	return why;
}

static bool server_eq(const struct config_server *a, const struct config_server *b)
{
	return addr_eq(&a->addr, &b->addr) && a->port == b->port && str_eq(a->scope, b->scope);
}

/* False: there are as many as there may be. */
static bool add_server(struct config_resolver *r, const struct config_server *server)
{
	for (size_t i = 0; i < r->server_count; i++) {
		if (server_eq(&r->servers[i], server))
			return true;
	}
	if (r->server_count == CONFIG_SERVERS_MAX)
		return false;
	VEC_GROW(r->servers, r->server_capacity, r->server_count);
	r->servers[r->server_count++] = *server;
	return true;
}

/* NULL: taken; else why not. */
static const char *add_source(struct config_source *s, const char *text)
{
	static const struct addr none;
	struct addr a;

	if (!addr_parse(text, &a))
		return "is no address";
	if (memcmp(a.bytes, none.bytes, sizeof(none.bytes)) == 0)
		return "is no address of one machine";
	if (addr_is_link_local(&a))
		return "is link-local, which cannot be a source";
	if (s->given[a.family] && !addr_eq(&s->addr[a.family], &a))
		return "is the second one of its family";
	s->given[a.family] = true;
	s->addr[a.family] = a;
	return NULL;
}

static bool has_server_of(const struct config_resolver *r, enum family family)
{
	for (size_t i = 0; i < r->server_count; i++)
		if (r->servers[i].addr.family == family)
			return true;
	/* resolv.conf's are not known here. */
	return r->server_count == 0;
}

static void build_source(struct config_builder *b, const struct section *s)
{
	const struct profile_texts *list = section_list(s, "source");
	struct addr a;

	for (size_t i = 0; i < list->count; i++) {
		const struct profile_text *item = &list->items[i];
		const char *why = add_source(&b->config->resolver.source, item->text);
		if (why)
			BUILD_ERROR(b, item->at, s, "source", "\"%s\" %s", item->text, why);
		else if (addr_parse(item->text, &a) &&
			 !has_server_of(&b->config->resolver, a.family))
			BUILD_WARNING(b, item->at, s, "source",
				"\"%s\" is not used: no server has an %s address", item->text,
				a.family == FAMILY_V4 ? "IPv4" : "IPv6");
	}
}

void config_build_resolver(struct config_builder *b, const struct section *s)
{
	static const char *const no_yes[] = {"no", "yes", NULL};
	unsigned add_up;
	struct config_resolver *r = &b->config->resolver;
	const struct profile_texts *list = section_list(s, "server");

	for (size_t i = 0; i < list->count; i++) {
		const struct profile_text *item = &list->items[i];
		struct config_server server;
		const char *why = config_server_parse(item->text, &server);
		if (why)
			BUILD_ERROR(b, item->at, s, "server", "\"%s\" %s", item->text, why);
		else if (!add_server(r, &server))
			BUILD_ERROR(b, item->at, s, "server", "more than %d servers",
				CONFIG_SERVERS_MAX);
	}
	build_source(b, s);
	value_duration_ms(s, "timeout", 100, 60000, b->diags, &r->timeout_ms);
	value_number(s, "tries", 1, 10, b->diags, &r->tries);
	value_number(s, "max-in-flight", 1, CONFIG_IN_FLIGHT_MAX, b->diags, &r->max_in_flight);
	value_number(s, "max-rate", 1, CONFIG_RATE_MAX, b->diags, &r->max_rate);
	if (value_word(s, "union", no_yes, b->diags, &add_up))
		r->add_up = add_up;
}

/* What useradd takes, and a dot; no blank, nothing that a terminal would act on. */
static bool user_ok(const char *name)
{
	size_t len = strlen(name);
	size_t good = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789_.-");

	return len <= USER_MAX && good == len && name[0] != '-' && name[0] != '.';
}

void config_build_control(struct config_builder *b, const struct section *s)
{
	const struct profile_texts *list = section_list(s, "admins");

	for (size_t i = 0; i < list->count; i++) {
		const struct profile_text *item = &list->items[i];
		if (!user_ok(item->text))
			BUILD_ERROR(b, item->at, s, "admins", "\"%s\" is no user name", item->text);
		else if (!strings_has(&b->config->admins, item->text))
			strings_add(&b->config->admins, item->text);
	}
}
