#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket: Varlink clients, their credentials and limits. Calls go up through a callback;
 * answers come down whenever they are ready. A slow or hostile client costs only itself. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct loop;
struct json_t;
struct control;
struct control_call; /* one method call; the control socket's until its last reply */

enum {
	CONTROL_FRAME_MAX = 64 * 1024, /* of a request */
	CONTROL_CLIENTS_MAX = 64,
	CONTROL_OUTPUT_MAX = 4 << 20, /* unread by the client: then it is dropped */
	CONTROL_IDLE_MS = 30000,      /* a client that has sent half a frame, or does not read */
};

typedef void (*control_call_fn)(void *userdata, struct control_call *call);

/* `fd`: a listening socket (handed over, consumed), or -1: made at `path` with mode 0660 and, when
 * it exists, `group`. Negative: -errno. */
int control_new(struct loop *l, int fd, const char *path, const char *group, control_call_fn fn,
	void *userdata, struct control **ret);
struct control *control_free(struct control *c);

const char *control_call_method(const struct control_call *call); /* "io.allowsync.GetStatus" */
/* Borrowed; an object, never NULL. */
struct json_t *control_call_parameters(const struct control_call *call);
bool control_call_wants_more(const struct control_call *call);
uid_t control_call_uid(const struct control_call *call);
pid_t control_call_pid(const struct control_call *call);
/* Called when the client goes away before the last reply; the call is gone afterwards. */
void control_call_on_gone(struct control_call *call, control_call_fn fn, void *userdata);
/* Consumes `parameters` (NULL: {}). Without `continues` the call is over and gone. A oneway call
 * swallows it. */
void control_call_reply(struct control_call *call, struct json_t *parameters, bool continues);
/* Ends the call with an error, "io.allowsync.NoSuchName"; consumes `parameters`. */
void control_call_error(struct control_call *call, const char *error, struct json_t *parameters);
