#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One question at a time to one DNS server, over c-ares: the only place that knows it. A slot is
 * kept and used again, for whichever server; its socket lives as long as the question, so that each
 * question leaves from a port of its own. What comes to that port and is no answer to the question
 * is passed over, and counted. */
#include "allowsync/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config_server;
struct config_source;
struct loop;
struct slot;

enum slot_outcome {
	SLOT_ANSWERED,    /* a message with our id and our question came, or a bare error */
	SLOT_TIMEOUT,     /* nothing came that answers it */
	SLOT_UNREACHABLE, /* the network says that nobody is there */
	SLOT_FAILED,      /* the name cannot be asked, or the library is at a loss */
};

struct slot_result {
	enum slot_outcome outcome;
	const uint8_t *message; /* ANSWERED: as it came; valid until the slot is used again */
	size_t len;
	bool tcp;           /* it went, or was to go, over TCP in the end */
	uint64_t unmatched; /* datagrams that came in the server's name and answered nothing */
};
/* The slot is idle again and may be used from here; it must not be freed. */
typedef void (*slot_fn)(void *userdata, const struct slot_result *result);

/* Asks from the addresses in `source`, which is copied; where this machine does not have them (any
 * more), every server is SLOT_UNREACHABLE. Negative: -errno. */
int slot_new(struct loop *l, const struct config_source *source, slot_fn fn, void *userdata,
	struct slot **ret);
/* False: the library knows no way to this server, now at least. Only when idle. */
bool slot_can_ask(struct slot *s, const struct config_server *server);
/* Asks `server` for A or AAAA of `name`, which is absolute whatever it looks like. `fn` is called
 * once, from the loop and never from in here, `timeout_ms` from now at the latest; the way over TCP
 * after a truncated answer is included. With `edns` answers up to SERVER_EDNS_SIZE come over UDP;
 * an answer without an OPT record may be one that the library got when it asked once more without.
 * Only when idle. */
void slot_ask(struct slot *s, const struct config_server *server, const char *name,
	enum family family, bool edns, uint32_t timeout_ms);
/* A question under way ends without a call. Takes NULL; returns NULL. */
struct slot *slot_free(struct slot *s);
