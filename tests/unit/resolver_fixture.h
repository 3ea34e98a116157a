#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A resolver with up to four servers of the test's own, and the replies it gave. */
#include "edge/resolver.h"

#include "allowsync/answer.h"
#include "base/mem.h"
#include "responder.h"
#include "tap.h"

enum {
	NEVER_MS = 3600 * 1000, /* a deadline that must not be needed: the test would not end */
	SOON_MS = 50,           /* one that must be */
	REPLIES_MAX = 2000,
	SERVED_MAX = 4,
};

struct reply {
	enum resolver_status status;
	uint8_t *message; /* the first */
	size_t len;
	size_t said;              /* messages */
	uint16_t who[SERVED_MAX]; /* their servers' ports */
	bool good[SERVED_MAX], every;
	char server[80];
	size_t cookie;
};

static struct fixture {
	struct loop *loop;
	struct responder *servers[SERVED_MAX];
	struct config_server config_servers[SERVED_MAX];
	struct config_resolver config;
	struct resolver *resolver;
	struct reply replies[REPLIES_MAX];
	size_t count, want;
	enum resolver_breadth breadth;
	bool asking;
	void (*on_reply)(void);
	bool (*is_done)(void);
	struct loop_timer *pulse;
} f;

static struct answer parsed;

/* Of the test before, too, when it was left by a failed check. */
static inline void end(void)
{
	resolver_free(f.resolver);
	for (size_t i = 0; i < ARRAY_LEN(f.servers); i++)
		responder_free(f.servers[i]);
	loop_timer_free(f.pulse);
	loop_free(f.loop);
	for (size_t i = 0; i < f.count; i++)
		free(f.replies[i].message);
	answer_done(&parsed);
	memset(&f, 0, sizeof(f));
}

static inline void begin(unsigned tries, uint32_t timeout_ms)
{
	end();
	f.config = (struct config_resolver){.tries = tries, .timeout_ms = timeout_ms};
	f.config.servers = f.config_servers;
	CHECK_INT(loop_new(&f.loop), 0);
}

static inline struct config_server *add_server(const char *addr, uint16_t port)
{
	struct config_server *s = &f.config_servers[f.config.server_count++];

	s->port = port;
	CHECK(addr_parse(addr, &s->addr));
	return s;
}

static inline struct responder *serve(const char *addr, const char *mode)
{
	struct responder *r = responder_new(f.loop, addr, 0);

	f.servers[f.config.server_count] = r;
	r->mode = mode;
	add_server(addr, r->port);
	return r;
}

static inline void on_reply(void *userdata, const struct resolver_reply *reply)
{
	struct reply *r = &f.replies[f.count++];

	if (f.asking) {
		printf("Bail out! a reply from inside resolver_ask()\n");
		exit(1);
	}
	r->status = reply->status;
	r->said = reply->count;
	r->every = reply->every;
	r->len = reply->count ? reply->messages[0].len : 0;
	r->message = r->len ? xmemdup(reply->messages[0].bytes, r->len) : NULL;
	for (size_t i = 0; i < reply->count; i++) {
		r->who[i] = (uint16_t)strtol(strrchr(reply->messages[i].server, ':') + 1, NULL, 10);
		r->good[i] = reply->messages[i].good;
	}
	r->cookie = (size_t)((const char *)reply->cookie - (const char *)&f);
	snprintf(r->server, sizeof(r->server), "%s", reply->server);
	if (f.on_reply)
		f.on_reply();
}

static inline void start(void)
{
	CHECK_INT(resolver_new(f.loop, &f.config, NULL, on_reply, NULL, &f.resolver), 0);
}

static inline void ask(const char *name, size_t cookie)
{
	f.asking = true;
	resolver_ask(f.resolver, name, FAMILY_V4, f.breadth, (char *)&f + cookie);
	f.asking = false;
}

static inline void turn(void *userdata)
{
	if (f.is_done ? f.is_done() : f.count >= f.want)
		loop_stop(f.loop);
}

static inline void run(size_t want)
{
	f.want = want;
	CHECK_INT(loop_run(f.loop, turn, NULL), 0);
	if (!f.is_done)
		CHECK_INT(f.count, want);
}

static inline const struct answer *parse(size_t i, const char *name)
{
	answer_done(&parsed);
	CHECK_INT(f.replies[i].status, RESOLVER_ANSWERED);
	answer_parse(f.replies[i].message, f.replies[i].len, name, FAMILY_V4, &parsed);
	return &parsed;
}

static inline bool has_v6(void)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r = bind(fd, (const void *)&a, sizeof(a));

	close(fd);
	return r == 0;
}

static inline void ask_again(void)
{
	if (f.count < f.want)
		ask("ok.example.test", 0);
}
