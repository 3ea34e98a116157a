#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The DNS servers that a resolver asks, in their order, and how they are. */
#include "allowsync/config.h"
#include "core/server_edns.h"
#include "core/server_health.h"
#include "core/server_news.h"
#include "core/server_unmatched.h"
#include "core/token_bucket.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SERVERS_MAX = CONFIG_SERVERS_MAX };

struct servers {
	struct config_server *items;
	struct server_health *healths;
	struct server_edns *edns;
	struct server_news *news;
	struct server_unmatched *unmatched;
	struct token_bucket *buckets;
	unsigned *in_flight;
	unsigned max_in_flight; /* at each of them */
	char **texts;           /* "127.0.0.1", "[::1]:5353" */
	size_t count;
	size_t skipped; /* in resolv.conf, and not to be asked */
	char *list;     /* the texts, with commas */
};

/* Those of the configuration, or resolv.conf's when it names none. Negative: -errno. */
int servers_read(const struct config_resolver *config, const char *resolv_conf, uint64_t now_ms,
	struct servers *ret);
/* Do all rest that are not in the mask `skip`? */
bool servers_all_rest(const struct servers *s, uint64_t skip);
/* Those that gave a good answer within the last hour, as a mask. */
uint64_t servers_heard_lately(const struct servers *s, uint64_t now_ms);
/* May one more question go to that server now? */
bool servers_can_take(const struct servers *s, size_t server, uint64_t now_ms);
/* One goes, and is over. */
void servers_note_asked(struct servers *s, size_t server, uint64_t now_ms);
void servers_note_over(struct servers *s, size_t server);
/* How those servers are that both have, and how they are to be asked. */
void servers_carry(struct servers *to, const struct servers *from);
void servers_done(struct servers *s);
