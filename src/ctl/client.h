#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One conversation with the daemon; what goes wrong is said on stderr and becomes an exit status.
 */
#include "ctl/print.h"

#include <stdbool.h>
#include <sysexits.h>

struct json_t;
struct varlink_client;

/* Exit statuses of our own; the others are sysexits.h's. */
enum {
	CTL_OK = 0,
	CTL_NO = 1,          /* degraded; not in any set; differences; no such thing */
	CTL_INEFFECTIVE = 2, /* status only */
	CTL_TROUBLE = 2,     /* diff only, as diff(1) */
	CTL_NOT_RUNNING = 3,
};

enum json_mode { JSON_MODE_OFF, JSON_MODE_SHORT, JSON_MODE_PRETTY };

struct ctl {
	const char *socket;
	const char *root; /* for the verbs that start the daemon's program; NULL: none */
	enum json_mode json;
	bool hook; /* rules: only the line for the admin's chain */
	bool host; /* check: this machine as well */
	struct printer printer;
	struct varlink_client *client;
};

enum { CTL_REPLY_MS = 30000, CTL_RESOLVE_MS = 300000, CTL_RELOAD_MS = 120000 };

/* One parameter of a call. What is not UTF-8 is sent escaped: it must not read as absent. */
struct json_t *client_parameter(const char *key, const char *text);

/* 0, -ENOENT or -ECONNREFUSED (nobody is there; nothing was said), or an exit status. */
int client_connect(struct ctl *c);
/* The same, where nobody being there is CTL_NOT_RUNNING and said. */
int client_open(struct ctl *c);
/* Consumes `parameters`. 0 or an exit status. */
int client_send(struct ctl *c, const char *method, struct json_t *parameters, bool more);
/* Waits for one reply (-1: for ever). 0: `*ret` is the caller's. */
int client_receive(struct ctl *c, int timeout_ms, struct json_t **ret, bool *ret_continues);
/* Connects, asks, reads the one reply. 0 or an exit status. */
int client_call(struct ctl *c, const char *method, struct json_t *parameters, int timeout_ms,
	struct json_t **ret);
/* Connects, asks for a list, hands each object called `key` (NULL: each reply) to `fn`. Consumes
 * `parameters`. 0 or an exit status. */
typedef void (*client_item_fn)(void *userdata, const struct json_t *item);
int client_list(struct ctl *c, const char *method, struct json_t *parameters, const char *key,
	client_item_fn fn, void *userdata);
void client_close(struct ctl *c);

/* JSON to stdout in the mode asked for; ASCII only, so that no terminal is at risk. */
void client_print_json(const struct ctl *c, const struct json_t *json);
/* What has been printed so far, to stdout. */
void client_flush(struct ctl *c);
