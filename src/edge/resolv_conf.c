/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads "nameserver ADDRESS[%INTERFACE]" lines. */
#include "edge/resolv_conf.h"

#include "base/mem.h"
#include "base/strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DNS_PORT = 53 };

struct servers {
	struct config_server *items;
	size_t count, capacity;
	size_t skipped;
};

static int read_regular(int fd, struct strbuf *text)
{
	struct stat st;
	char buf[4096];

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		if (text->len + (size_t)n > RESOLV_CONF_SIZE_MAX)
			return -EFBIG;
		strbuf_append_bytes(text, buf, (size_t)n);
	}
}

static bool read_scope(const char *text, char *ret)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (*text >= '0' && *text <= '9' && *end == '\0')
		return number <= 0x7fffffff && if_indextoname((unsigned)number, ret);
	if (*text == '\0' || strlen(text) >= IF_NAMESIZE)
		return false;
	memcpy(ret, text, strlen(text) + 1);
	return true;
}

/* 0.0.0.0 and :: mean this machine; answers come from its loopback address. */
static void make_askable(struct addr *a)
{
	static const struct addr none;

	if (memcmp(a->bytes, none.bytes, sizeof(none.bytes)) == 0)
		addr_parse(a->family == FAMILY_V4 ? "127.0.0.1" : "::1", a);
}

static bool read_server(char *text, struct config_server *ret)
{
	struct config_server server = {.port = DNS_PORT};
	char *scope = strchr(text, '%');

	if (scope)
		*scope++ = '\0';
	if (!addr_parse(text, &server.addr))
		return false;
	make_askable(&server.addr);
	/* An interface says nothing about an address that is not tied to one. */
	if (addr_is_link_local(&server.addr) && (!scope || !read_scope(scope, server.scope)))
		return false;
	*ret = server;
	return true;
}

static void add_server(struct servers *s, char *text)
{
	struct config_server server;

	if (!read_server(text, &server)) {
		s->skipped++;
		return;
	}
	for (size_t i = 0; i < s->count; i++)
		if (addr_eq(&s->items[i].addr, &server.addr) &&
			str_eq(s->items[i].scope, server.scope))
			return;
	if (s->count == CONFIG_SERVERS_MAX) {
		s->skipped++;
		return;
	}
	VEC_GROW(s->items, s->capacity, s->count);
	s->items[s->count++] = server;
}

static void read_line(struct servers *s, char *line)
{
	static const char keyword[] = "nameserver";
	size_t len = strlen(keyword);

	if (!str_starts(line, keyword) || (line[len] != ' ' && line[len] != '\t'))
		return;
	char *text = line + len + strspn(line + len, " \t");
	text[strcspn(text, " \t\r")] = '\0';
	add_server(s, text);
}

int resolv_conf_read(const char *path, struct config_server **ret_servers, size_t *ret_count,
	size_t *ret_skipped)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_NULL;
	struct servers s = {0};
	/* Non-blocking, as it may turn out to be a FIFO. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int r = fd < 0 ? -errno : read_regular(fd, &text);

	if (fd >= 0)
		close(fd);
	if (r < 0 && r != -ENOENT)
		return r;
	/* A NUL ends the text: what is behind it is not a line that anybody wrote. */
	char *rest = text.data, *line;
	while ((line = strsep(&rest, "\n")))
		read_line(&s, line);
	*ret_servers = s.items;
	*ret_count = s.count;
	*ret_skipped = s.skipped;
	return 0;
}
