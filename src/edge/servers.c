/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Servers by number. */
#include "edge/servers.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "edge/resolv_conf.h"

#include <errno.h>
#include <string.h>

enum { DNS_PORT = 53 };

static char *server_text(const struct config_server *s)
{
	char addr[ADDR_TEXT_SIZE];
	const char *scope_mark = s->scope[0] ? "%" : "";

	addr_format(&s->addr, addr);
	if (s->port == DNS_PORT)
		return xasprintf("%s%s%s", addr, scope_mark, s->scope);
	if (s->addr.family == FAMILY_V4)
		return xasprintf("%s:%u", addr, s->port);
	return xasprintf("[%s%s%s]:%u", addr, scope_mark, s->scope, s->port);
}

int servers_read(const struct config_resolver *config, const char *resolv_conf, uint64_t now_ms,
	struct servers *ret)
{
	_cleanup_(strbuf_done) struct strbuf list = STRBUF_NULL;
	struct servers s = {.count = config->server_count};

	if (s.count > SERVERS_MAX)
		return -E2BIG;
	if (s.count == 0) {
		int r = resolv_conf_read(resolv_conf ? resolv_conf : "/etc/resolv.conf", &s.items,
			&s.count, &s.skipped);
		if (r < 0)
			return r;
	} else {
		s.items = xreallocarray(NULL, s.count, sizeof(*s.items));
		memcpy(s.items, config->servers, s.count * sizeof(*s.items));
	}
	s.texts = xcalloc(s.count + 1, sizeof(*s.texts));
	s.healths = xcalloc(s.count + 1, sizeof(*s.healths));
	s.edns = xcalloc(s.count + 1, sizeof(*s.edns));
	s.news = xcalloc(s.count + 1, sizeof(*s.news));
	s.unmatched = xcalloc(s.count + 1, sizeof(*s.unmatched));
	s.buckets = xcalloc(s.count + 1, sizeof(*s.buckets));
	s.in_flight = xcalloc(s.count + 1, sizeof(*s.in_flight));
	s.max_in_flight = config->max_in_flight ? config->max_in_flight : CONFIG_IN_FLIGHT_MAX;
	for (size_t i = 0; i < s.count; i++) {
		token_bucket_init(&s.buckets[i], config->max_rate, now_ms);
		if (s.items[i].port == 0)
			s.items[i].port = DNS_PORT;
		s.texts[i] = server_text(&s.items[i]);
		strbuf_appendf(&list, "%s%s", i ? ", " : "", s.texts[i]);
	}
	s.list = xstrdup(strbuf_text(&list));
	*ret = s;
	return 0;
}

bool servers_all_rest(const struct servers *s, uint64_t skip)
{
	for (size_t i = 0; i < s->count; i++)
		if (!(skip >> i & 1) && !server_health_rests(&s->healths[i]))
			return false;
	return true;
}

uint64_t servers_heard_lately(const struct servers *s, uint64_t now_ms)
{
	uint64_t heard = 0;

	for (size_t i = 0; i < s->count; i++)
		if (server_health_answered_lately(&s->healths[i], now_ms))
			heard |= UINT64_C(1) << i;
	return heard;
}

bool servers_can_take(const struct servers *s, size_t server, uint64_t now_ms)
{
	return s->in_flight[server] < s->max_in_flight &&
	       token_bucket_has(&s->buckets[server], now_ms);
}

void servers_note_asked(struct servers *s, size_t server, uint64_t now_ms)
{
	s->in_flight[server]++;
	token_bucket_take(&s->buckets[server], now_ms);
}

void servers_note_over(struct servers *s, size_t server)
{
	s->in_flight[server]--;
}

void servers_carry(struct servers *to, const struct servers *from)
{
	for (size_t i = 0; i < to->count; i++) {
		size_t j = 0;

		while (j < from->count && strcmp(to->texts[i], from->texts[j]) != 0)
			j++;
		if (j == from->count)
			continue;
		to->healths[i] = from->healths[j];
		to->edns[i] = from->edns[j];
		to->news[i] = from->news[j];
		to->unmatched[i] = from->unmatched[j];
	}
}

void servers_done(struct servers *s)
{
	for (size_t i = 0; s->texts && i < s->count; i++)
		free(s->texts[i]);
	free(s->texts);
	free(s->healths);
	free(s->edns);
	free(s->news);
	free(s->unmatched);
	free(s->buckets);
	free(s->in_flight);
	free(s->items);
	free(s->list);
	*s = (struct servers){0};
}
