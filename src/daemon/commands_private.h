#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the commands share. */
#include "daemon/commands_show.h"

#include <stdint.h>

struct control;
struct control_call;
struct engine;
struct json_t;

struct commands {
	struct engine *engine;
	struct control *control;
	uint64_t costly_ms; /* when somebody without that right last made one of those calls */
};

#define ERROR(name) CONTROL_INTERFACE "." name

struct show_context commands_context(const struct commands *c);
/* NULL when it is absent; that it is a string has been checked. */
const char *commands_parameter(const struct control_call *call, const char *key);
/* The name as we hold it. NULL: the call is answered with an error. */
const struct name *commands_find_name(
	struct commands *c, struct control_call *call, const char *key, const char *text);
/* Consumes the value. */
struct json_t *commands_object(const char *key, struct json_t *value);
/* Ends the call with an error that has one text. */
void commands_fail(struct control_call *call, const char *error, const char *key, const char *text);

/* Calls that outlive their handlers: lists, waits and streams. */
/* Consumes the items; each is a reply. */
void commands_list(struct commands *c, struct control_call *call, struct json_t *items);
void commands_list_names(struct commands *c, struct control_call *call);
void commands_show_vendor(struct commands *c, struct control_call *call);
void commands_diff(struct commands *c, struct control_call *call);
void commands_resolve(struct commands *c, struct control_call *call);
void commands_monitor(struct commands *c, struct control_call *call);
