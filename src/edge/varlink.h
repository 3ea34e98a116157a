#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Varlink (varlink.org): JSON objects, each ended by one NUL. Frames, calls and replies as values,
 * and the calling side of a connection. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;

/* Positive results of this module; the direct caller handles them. */
enum {
	VARLINK_E_MALFORMED =
		1,         /* not what the protocol allows: the connection is of no more use */
	VARLINK_E_TOO_BIG, /* a frame longer than the limit */
	VARLINK_E_CLOSED,  /* the other side has closed the connection */
	VARLINK_E_TIMEOUT, /* the deadline has passed */
};

enum {
	VARLINK_DEPTH_MAX = 16,       /* levels of JSON; the parser itself would go to 2000 */
	VARLINK_METHOD_MAX = 128,     /* bytes of a method's full name */
	VARLINK_CONNECT_S = 5,        /* how long a full backlog is waited for */
	VARLINK_REPLY_MAX = 16 << 20, /* bytes of one reply that a client accepts */
};

/* Collects bytes and gives frames back, never holding more than `max` of one frame. */
struct varlink_frames {
	char *data;
	size_t len, capacity;
	size_t at;      /* where the next frame begins */
	size_t scanned; /* no NUL before this place */
	size_t max;     /* of a frame, without its NUL */
};

void varlink_frames_init(struct varlink_frames *f, size_t max);
void varlink_frames_add(struct varlink_frames *f, const void *bytes, size_t len);
/* 0: one frame, without its NUL (which follows it), valid until the next varlink_frames_add();
 * -EAGAIN: not whole yet; VARLINK_E_TOO_BIG. */
int varlink_frames_next(struct varlink_frames *f, const char **ret_text, size_t *ret_len);
/* Bytes that no frame has been made of. */
size_t varlink_frames_pending(const struct varlink_frames *f);
void varlink_frames_done(struct varlink_frames *f);

/* One JSON object: UTF-8, no duplicate keys, no NUL in strings, at most VARLINK_DEPTH_MAX levels.
 * VARLINK_E_MALFORMED. */
int varlink_parse(const char *text, size_t len, struct json_t **ret);

/* What a client asks for. */
struct varlink_call {
	char *method;              /* "interface.Method", well-formed */
	struct json_t *parameters; /* an object, never NULL */
	bool more, oneway, upgrade;
};
#define VARLINK_CALL_NULL ((struct varlink_call){0})

/* VARLINK_E_MALFORMED. Unknown fields are passed over. */
int varlink_call_parse(const char *text, size_t len, struct varlink_call *ret);
void varlink_call_done(struct varlink_call *c);
/* "org.example.Method" -> length of "org.example"; 0: not of that form. */
size_t varlink_method_interface(const char *method);

/* What a service answers. */
struct varlink_reply {
	char *error;               /* "interface.Error"; NULL: none */
	struct json_t *parameters; /* an object, never NULL */
	bool continues;
};
#define VARLINK_REPLY_NULL ((struct varlink_reply){0})

/* VARLINK_E_MALFORMED. */
int varlink_reply_parse(const char *text, size_t len, struct varlink_reply *ret);
void varlink_reply_done(struct varlink_reply *r);

/* Frames as text; the NUL at the end of the text is the frame's own, counted in `ret_len`. Consume
 * `parameters` (NULL: {}). The caller frees the text. */
char *varlink_call_format(
	const char *method, struct json_t *parameters, bool more, size_t *ret_len);
char *varlink_reply_format(struct json_t *parameters, bool continues, size_t *ret_len);
char *varlink_error_format(const char *error, struct json_t *parameters, size_t *ret_len);

/* The calling side: one connection, one call at a time. */
struct varlink_client;

/* Negative: -errno (ENOENT, ECONNREFUSED: nobody is there; EACCES). */
int varlink_connect(const char *path, struct varlink_client **ret);
/* Consumes `parameters`. Negative: -errno; VARLINK_E_TIMEOUT. A connection that was closed shows
 * when the reply is read: the service may have said why. */
int varlink_send(struct varlink_client *c, const char *method, struct json_t *parameters, bool more,
	int timeout_ms);
/* The next reply, waiting at most that long (-1: for ever). VARLINK_E_* or negative. */
int varlink_receive(struct varlink_client *c, int timeout_ms, struct varlink_reply *ret);
/* Takes NULL; returns NULL. */
struct varlink_client *varlink_client_free(struct varlink_client *c);
