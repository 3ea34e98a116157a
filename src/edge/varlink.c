/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Varlink frames, calls and replies, and the calling side of a connection. */
#include "edge/varlink.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void varlink_frames_init(struct varlink_frames *f, size_t max)
{
	*f = (struct varlink_frames){.max = max};
}

void varlink_frames_add(struct varlink_frames *f, const void *bytes, size_t len)
{
	if (f->at) {
		memmove(f->data, f->data + f->at, f->len - f->at);
		f->len -= f->at;
		f->scanned -= f->at;
		f->at = 0;
	}
	f->data = mem_grow(f->data, &f->capacity, f->len + len, 1);
	memcpy(f->data + f->len, bytes, len);
	f->len += len;
}

int varlink_frames_next(struct varlink_frames *f, const char **ret_text, size_t *ret_len)
{
	size_t left = f->len - f->scanned;
	const char *end = left ? memchr(f->data + f->scanned, '\0', left) : NULL;
	size_t len = end ? (size_t)(end - (f->data + f->at)) : f->len - f->at;

	if (len > f->max)
		return VARLINK_E_TOO_BIG;
	if (!end) {
		f->scanned = f->len;
		return -EAGAIN;
	}
	*ret_text = f->data + f->at;
	*ret_len = len;
	f->at += len + 1;
	f->scanned = f->at;
	return 0;
}

size_t varlink_frames_pending(const struct varlink_frames *f)
{
	return f->len - f->at;
}

void varlink_frames_done(struct varlink_frames *f)
{
	free(f->data);
	*f = (struct varlink_frames){.max = f->max};
}

/* The parser recurses; so the levels are counted before it sees the text. */
static bool depth_ok(const char *text, size_t len)
{
	unsigned depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > VARLINK_DEPTH_MAX)
				return false;
		} else if ((c == '}' || c == ']') && depth) {
			depth--;
		}
	}
	return true;
}

int varlink_parse(const char *text, size_t len, struct json_t **ret)
{
	json_error_t error;

	if (!depth_ok(text, len))
		return VARLINK_E_MALFORMED;
	json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!json)
		return VARLINK_E_MALFORMED;
	if (!json_is_object(json)) {
		json_decref(json);
		return VARLINK_E_MALFORMED;
	}
	*ret = json;
	return 0;
}

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

size_t varlink_method_interface(const char *method)
{
	size_t len = strlen(method);
	size_t dots = 0, last = 0;

	if (len > VARLINK_METHOD_MAX)
		return 0;
	for (size_t i = 0; i < len; i++) {
		char c = method[i];
		if (c == '.') {
			if (i == 0 || method[i - 1] == '.')
				return 0;
			dots++;
			last = i;
		} else if (!is_alpha(c) && !is_digit(c) && !(c == '-' && i > 0)) {
			return 0;
		}
	}
	/* An interface has a dot itself; a member begins with an upper-case letter. */
	if (dots < 2 || last + 1 == len || method[last + 1] < 'A' || method[last + 1] > 'Z')
		return 0;
	return memchr(method + last, '-', len - last) ? 0 : last;
}

/* False when the field is there with another type; null counts as absent. */
static bool get_bool(const json_t *object, const char *key, bool *ret)
{
	const json_t *value = json_object_get(object, key);

	if (!value || json_is_null(value)) {
		*ret = false;
		return true;
	}
	*ret = json_is_true(value);
	return json_is_boolean(value);
}

/* NULL when it is there and no object. */
static json_t *get_parameters(const json_t *object)
{
	json_t *value = json_object_get(object, "parameters");

	if (!value || json_is_null(value))
		return json_object();
	return json_is_object(value) ? json_incref(value) : NULL;
}

int varlink_call_parse(const char *text, size_t len, struct varlink_call *ret)
{
	struct varlink_call call = VARLINK_CALL_NULL;
	json_t *json;
	int r = varlink_parse(text, len, &json);

	if (r)
		return r;
	const char *method = json_string_value(json_object_get(json, "method"));
	call.parameters = get_parameters(json);
	if (!method || !varlink_method_interface(method) || !call.parameters ||
		!get_bool(json, "more", &call.more) || !get_bool(json, "oneway", &call.oneway) ||
		!get_bool(json, "upgrade", &call.upgrade) || (call.more && call.oneway)) {
		json_decref(call.parameters);
		json_decref(json);
		return VARLINK_E_MALFORMED;
	}
	call.method = xstrdup(method);
	json_decref(json);
	*ret = call;
	return 0;
}

void varlink_call_done(struct varlink_call *c)
{
	free(c->method);
	json_decref(c->parameters);
	*c = VARLINK_CALL_NULL;
}

int varlink_reply_parse(const char *text, size_t len, struct varlink_reply *ret)
{
	struct varlink_reply reply = VARLINK_REPLY_NULL;
	json_t *json;
	int r = varlink_parse(text, len, &json);

	if (r)
		return r;
	const json_t *error = json_object_get(json, "error");
	reply.parameters = get_parameters(json);
	if (!reply.parameters || !get_bool(json, "continues", &reply.continues) ||
		(error && !json_is_string(error)) || (error && reply.continues)) {
		json_decref(reply.parameters);
		json_decref(json);
		return VARLINK_E_MALFORMED;
	}
	if (error)
		reply.error = xstrdup(json_string_value(error));
	json_decref(json);
	*ret = reply;
	return 0;
}

void varlink_reply_done(struct varlink_reply *r)
{
	free(r->error);
	json_decref(r->parameters);
	*r = VARLINK_REPLY_NULL;
}

/* Consumes the object. */
static char *frame_format(json_t *object, size_t *ret_len)
{
	char *text = json_dumps(object, JSON_COMPACT);

	if (!text)
		abort();
	json_decref(object);
	*ret_len = strlen(text) + 1;
	return text;
}

static void set_parameters(json_t *object, json_t *parameters)
{
	json_object_set_new(object, "parameters", parameters ? parameters : json_object());
}

char *varlink_call_format(const char *method, struct json_t *parameters, bool more, size_t *ret_len)
{
	json_t *object = json_object();

	json_object_set_new(object, "method", json_string(method));
	set_parameters(object, parameters);
	if (more)
		json_object_set_new(object, "more", json_true());
	return frame_format(object, ret_len);
}

char *varlink_reply_format(struct json_t *parameters, bool continues, size_t *ret_len)
{
	json_t *object = json_object();

	set_parameters(object, parameters);
	if (continues)
		json_object_set_new(object, "continues", json_true());
	return frame_format(object, ret_len);
}

char *varlink_error_format(const char *error, struct json_t *parameters, size_t *ret_len)
{
	json_t *object = json_object();

	json_object_set_new(object, "error", json_string(error));
	set_parameters(object, parameters);
	return frame_format(object, ret_len);
}

struct varlink_client {
	int fd;
	struct varlink_frames frames;
};

int varlink_connect(const char *path, struct varlink_client **ret)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (!*path || strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* While the backlog is full connect() waits as long as a send may: not for ever. */
	struct timeval patience = {.tv_sec = VARLINK_CONNECT_S};
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		int r = -errno;
		close(fd);
		return r;
	}
	struct varlink_client *c = xcalloc(1, sizeof(*c));
	c->fd = fd;
	varlink_frames_init(&c->frames, VARLINK_REPLY_MAX);
	*ret = c;
	return 0;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* 0 when the socket is ready (or broken, which shows at the next call). */
static int wait_for(int fd, short events, int timeout_ms, uint64_t start_ms)
{
	struct pollfd p = {.fd = fd, .events = events};

	for (;;) {
		int left = -1;
		if (timeout_ms >= 0) {
			uint64_t gone = now_ms() - start_ms;
			left = gone >= (uint64_t)timeout_ms ? 0 : timeout_ms - (int)gone;
		}
		int n = poll(&p, 1, left);
		if (n > 0)
			return 0;
		if (n == 0)
			return VARLINK_E_TIMEOUT;
		if (errno != EINTR)
			return -errno;
	}
}

int varlink_send(struct varlink_client *c, const char *method, struct json_t *parameters, bool more,
	int timeout_ms)
{
	uint64_t start_ms = now_ms();
	size_t len;
	_cleanup_free_ char *text = varlink_call_format(method, parameters, more, &len);

	for (size_t at = 0; at < len;) {
		ssize_t n = send(c->fd, text + at, len - at, MSG_NOSIGNAL);
		if (n >= 0) {
			at += (size_t)n;
			continue;
		}
		if (errno == EPIPE || errno == ECONNRESET)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		int r = wait_for(c->fd, POLLOUT, timeout_ms, start_ms);
		if (r)
			return r;
	}
	return 0;
}

int varlink_receive(struct varlink_client *c, int timeout_ms, struct varlink_reply *ret)
{
	uint64_t start_ms = now_ms();
	char bytes[16384];

	for (;;) {
		const char *text;
		size_t len;
		int r = varlink_frames_next(&c->frames, &text, &len);
		if (r == 0)
			return varlink_reply_parse(text, len, ret);
		if (r != -EAGAIN)
			return r;
		ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);
		if (n > 0) {
			varlink_frames_add(&c->frames, bytes, (size_t)n);
			continue;
		}
		if (n == 0 || errno == ECONNRESET)
			return VARLINK_E_CLOSED;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		r = wait_for(c->fd, POLLIN, timeout_ms, start_ms);
		if (r)
			return r;
	}
}

struct varlink_client *varlink_client_free(struct varlink_client *c)
{
	if (!c)
		return NULL;
	close(c->fd);
	varlink_frames_done(&c->frames);
	free(c);
	return NULL;
}
