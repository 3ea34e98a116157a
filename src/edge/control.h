#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket: Varlink clients, their credentials and limits. Calls go up through a
 * callback; answers come down whenever they are ready. A slow or hostile client costs only itself.
 */
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
	CONTROL_CLIENTS_UID = 32,     /* of one user other than root */
	CONTROL_CLIENTS_ROOT = 4,     /* places that only root may take */
	CONTROL_OUTPUT_MAX = 4 << 20, /* unread by the client: then it is dropped */
	CONTROL_IDLE_MS = 30000,      /* a client that has sent half a frame, or does not read */
};

/* Standard errors (org.varlink.service). */
#define CONTROL_E_METHOD_NOT_FOUND  "org.varlink.service.MethodNotFound"
#define CONTROL_E_INVALID_PARAMETER "org.varlink.service.InvalidParameter"
#define CONTROL_E_PERMISSION_DENIED "org.varlink.service.PermissionDenied"
#define CONTROL_E_EXPECTED_MORE     "org.varlink.service.ExpectedMore"
#define CONTROL_INTERFACE           "io.allowsync"

/* The constants above, for tests to make smaller. */
struct control_limits {
	size_t frame_max, output_max;
	unsigned clients_max, clients_uid, clients_root;
	unsigned idle_ms;
};

typedef void (*control_call_fn)(void *userdata, struct control_call *call);

/* `fd`: a listening socket (handed over, consumed), or -1: made at `path` with mode 0660 and, when
 * it exists, `group`; a stale socket is replaced, a live one is left alone (-EADDRINUSE). Calls of
 * `io.allowsync` go to `fn`, which must reply to each, now or later. Negative: -errno. */
int control_new(struct loop *l, int fd, const char *path, const char *group, control_call_fn fn,
	void *userdata, struct control **ret);
/* Counts from now on. */
void control_set_limits(struct control *c, const struct control_limits *limits);
/* Tells the calls under way that they are gone. Not from inside a callback of this module. Takes
 * NULL; returns NULL. */
struct control *control_free(struct control *c);

const char *control_call_method(const struct control_call *call); /* "io.allowsync.GetStatus" */
/* Borrowed; an object, never NULL. */
struct json_t *control_call_parameters(const struct control_call *call);
bool control_call_wants_more(const struct control_call *call);
uid_t control_call_uid(const struct control_call *call);
pid_t control_call_pid(const struct control_call *call);
/* Called when the client goes away before the last reply; the call is gone afterwards. Always from
 * the loop, never from inside another function of this module except control_free(). */
void control_call_on_gone(struct control_call *call, control_call_fn fn, void *userdata);
/* Called from the loop, again and again, while the client has room for more: how a long list is
 * sent without holding it all. Until the last reply, or NULL. */
void control_call_on_room(struct control_call *call, control_call_fn fn, void *userdata);
/* Room for another reply now? */
bool control_call_has_room(const struct control_call *call);
/* Consumes `parameters` (NULL: {}). Without `continues` the call is over and gone. A oneway call
 * swallows it. */
void control_call_reply(struct control_call *call, struct json_t *parameters, bool continues);
/* Ends the call with an error, "io.allowsync.NoSuchName"; consumes `parameters`. */
void control_call_error(struct control_call *call, const char *error, struct json_t *parameters);
/* Ends the call with InvalidParameter. */
void control_call_invalid(struct control_call *call, const char *parameter);
