#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The DNS servers that a resolver asks, in their order, and which of them rest because they have
 * been silent. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config_resolver;
struct config_server;

enum { SERVERS_MAX = 64 }; /* as many as a mask of 64 bits holds */

struct server_health {
	unsigned silent;        /* questions in a row */
	uint64_t rest_until_ms; /* once they are too many */
};

struct servers {
	struct config_server *items;
	struct server_health *healths;
	char **texts; /* "127.0.0.1", "[::1]:5353" */
	size_t count;
	size_t skipped; /* in resolv.conf, and not to be asked */
	char *list;     /* the texts, with commas */
};

/* Those of the configuration, or resolv.conf's when it names none. Negative: -errno. */
int servers_read(
	const struct config_resolver *config, const char *resolv_conf, struct servers *ret);
/* Silent to everything of late. When `tries`, the caller is going to ask it if not, and every so
 * often it is not, so that somebody finds out whether it is back. */
bool servers_is_resting(struct servers *s, size_t i, bool tries);
void servers_note_answer(struct servers *s, size_t i);
void servers_note_silence(struct servers *s, size_t i);
void servers_done(struct servers *s);
