/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Servers by number: their texts and their health. */
#include "edge/servers.h"

#include "allowsync/config.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "edge/loop.h"
#include "edge/resolv_conf.h"

#include <errno.h>
#include <string.h>

enum {
	/* A server that has let so many questions in a row run out is passed over, but for one
	 * question every so often: each would wait for it in vain, and the rest behind that one. */
	SILENT_MAX = 3,
	REST_MS = 10000,
	DNS_PORT = 53,
};

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

int servers_read(const struct config_resolver *config, const char *resolv_conf, struct servers *ret)
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
	for (size_t i = 0; i < s.count; i++) {
		if (s.items[i].port == 0)
			s.items[i].port = DNS_PORT;
		s.texts[i] = server_text(&s.items[i]);
		strbuf_appendf(&list, "%s%s", i ? ", " : "", s.texts[i]);
	}
	s.list = xstrdup(strbuf_text(&list));
	*ret = s;
	return 0;
}

bool servers_is_resting(struct servers *s, size_t i, bool tries)
{
	struct server_health *h = &s->healths[i];
	uint64_t now_ms = loop_now_ms();

	if (h->silent < SILENT_MAX)
		return false;
	if (now_ms < h->rest_until_ms || !tries)
		return true;
	h->rest_until_ms = now_ms + REST_MS;
	return false;
}

void servers_note_answer(struct servers *s, size_t i)
{
	s->healths[i].silent = 0;
}

void servers_note_silence(struct servers *s, size_t i)
{
	struct server_health *h = &s->healths[i];

	if (h->silent < SILENT_MAX && ++h->silent == SILENT_MAX)
		h->rest_until_ms = loop_now_ms() + REST_MS;
}

void servers_done(struct servers *s)
{
	for (size_t i = 0; s->texts && i < s->count; i++)
		free(s->texts[i]);
	free(s->texts);
	free(s->healths);
	free(s->items);
	free(s->list);
	*s = (struct servers){0};
}
