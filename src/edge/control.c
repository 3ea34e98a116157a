/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket: clients, their limits, and the calls they make. */
#include "edge/control.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "edge/control_listen.h"
#include "edge/loop.h"
#include "edge/varlink.h"

#include "build_config.h"
#include "io_allowsync_varlink.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ROOM = 256 * 1024,   /* unread output below which lists go on and further calls are taken */
	ACCEPTS_A_TURN = 16, /* and calls: nobody keeps the loop for himself */
	CALLS_A_TURN = 16,
	ACCEPT_PAUSE_MS = 1000, /* without descriptors */
	UNHEARD_MS = 1000,      /* how often a client that is not read from is looked at */
};

struct control_call {
	struct client *client;
	struct varlink_call call;
	control_call_fn gone, room;
	void *gone_userdata, *room_userdata;
};

struct client {
	struct control *control;
	struct client *next;
	int fd;
	struct loop_io *io;
	struct ucred peer;
	struct varlink_frames input;
	uint64_t partial_ms; /* since when a frame is half there; 0: none */
	struct strbuf output;
	size_t sent;         /* of the output */
	uint64_t blocked_ms; /* since when nothing of it was taken; 0: nothing waits */
	struct control_call *call;
	bool half_closed; /* will not send any more, may still read */
	bool dead;        /* to be freed by the next sweep */
};

struct control {
	struct loop *loop;
	struct listener *listener;
	struct loop_io *accept_io;
	struct loop_timer *accept_again;
	struct loop_timer *sweep; /* frees the dead, looks at deadlines, goes on with calls */
	struct client *clients;
	unsigned client_count;
	struct control_limits limits;
	control_call_fn fn;
	void *userdata;
	bool sweep_soon;
};

static void sweep_soon(struct control *c)
{
	if (!c->sweep_soon)
		loop_timer_arm(c->sweep, 0);
	c->sweep_soon = true;
}

/* Nothing is freed here: whoever calls may still be using it. */
static void kill_client(struct client *k)
{
	if (k->dead)
		return;
	k->dead = true;
	loop_io_set(k->io, 0);
	sweep_soon(k->control);
}

static size_t unread(const struct client *k)
{
	return k->output.len - k->sent;
}

static bool client_has_room(const struct client *k)
{
	return unread(k) < ROOM;
}

/* Reading goes on during a call, to see the client leave, until a whole frame waits. */
static bool wants_input(const struct client *k)
{
	return !k->half_closed && varlink_frames_pending(&k->input) <= k->control->limits.frame_max;
}

static void update_io(struct client *k)
{
	if (!k->dead)
		loop_io_set(
			k->io, (wants_input(k) ? LOOP_READ : 0u) | (unread(k) ? LOOP_WRITE : 0u));
}

/* Consumes the text. Sent by the loop, never from here: a reply must not find its client gone. */
static void queue(struct client *k, char *text, size_t len)
{
	if (!k->dead && unread(k) + len > k->control->limits.output_max)
		kill_client(k);
	if (!k->dead) {
		if (!unread(k))
			k->blocked_ms = loop_now_ms();
		if (k->sent > k->output.len / 2) {
			memmove(k->output.data, k->output.data + k->sent, unread(k));
			k->output.len -= k->sent;
			k->sent = 0;
		}
		strbuf_append_bytes(&k->output, text, len);
		update_io(k);
		/* The sweep knows no deadline for this client yet. */
		sweep_soon(k->control);
	}
	free(text);
}

static void free_call(struct control_call *call)
{
	call->client->call = NULL;
	varlink_call_done(&call->call);
	free(call);
}

static void free_client(struct client *k)
{
	if (k->call) {
		if (k->call->gone)
			k->call->gone(k->call->gone_userdata, k->call);
		free_call(k->call);
	}
	loop_io_free(k->io);
	close(k->fd);
	varlink_frames_done(&k->input);
	strbuf_done(&k->output);
	free(k);
}

const char *control_call_method(const struct control_call *call)
{
	return call->call.method;
}

struct json_t *control_call_parameters(const struct control_call *call)
{
	return call->call.parameters;
}

bool control_call_wants_more(const struct control_call *call)
{
	return call->call.more;
}

uid_t control_call_uid(const struct control_call *call)
{
	return call->client->peer.uid;
}

pid_t control_call_pid(const struct control_call *call)
{
	return call->client->peer.pid;
}

void control_call_on_gone(struct control_call *call, control_call_fn fn, void *userdata)
{
	call->gone = fn;
	call->gone_userdata = userdata;
}

void control_call_on_room(struct control_call *call, control_call_fn fn, void *userdata)
{
	call->room = fn;
	call->room_userdata = userdata;
	sweep_soon(call->client->control);
}

bool control_call_has_room(const struct control_call *call)
{
	return !call->client->dead && client_has_room(call->client);
}

/* Consumes the text. */
static void answer(struct control_call *call, char *text, size_t len, bool last)
{
	struct client *k = call->client;

	if (call->call.oneway)
		free(text);
	else
		queue(k, text, len);
	/* A call whose client is dead is ended here all the same: its owner is done with it. */
	if (last) {
		free_call(call);
		sweep_soon(k->control);
	}
}

void control_call_reply(struct control_call *call, struct json_t *parameters, bool continues)
{
	size_t len;
	char *text = varlink_reply_format(parameters, continues, &len);

	answer(call, text, len, !continues);
}

void control_call_error(struct control_call *call, const char *error, struct json_t *parameters)
{
	size_t len;
	char *text = varlink_error_format(error, parameters, &len);

	answer(call, text, len, true);
}

void control_call_invalid(struct control_call *call, const char *parameter)
{
	control_call_error(
		call, CONTROL_E_INVALID_PARAMETER, json_pack("{s:s}", "parameter", parameter));
}

static void get_info(struct control_call *call)
{
	control_call_reply(call,
		json_pack("{s:s, s:s, s:s, s:s, s:[s, s]}", "vendor", "allowsyncd", "product",
			"allowsyncd", "version", ALLOWSYNCD_VERSION, "url", "", "interfaces",
			"org.varlink.service", CONTROL_INTERFACE),
		false);
}

static void get_interface_description(struct control_call *call)
{
	const json_t *value = json_object_get(call->call.parameters, "interface");
	const char *name = json_string_value(value);

	if (!name)
		control_call_invalid(call, "interface");
	else if (str_eq(name, CONTROL_INTERFACE))
		control_call_reply(
			call, json_pack("{s:s}", "description", IO_ALLOWSYNC_VARLINK), false);
	else if (str_eq(name, "org.varlink.service"))
		control_call_reply(call,
			json_pack("{s:s}", "description", ORG_VARLINK_SERVICE_VARLINK), false);
	else
		control_call_error(call, "org.varlink.service.InterfaceNotFound",
			json_pack("{s:O}", "interface", value));
}

/* The method is well-formed. */
static void dispatch(struct control *c, struct control_call *call)
{
	const char *method = call->call.method;
	size_t len = varlink_method_interface(method);
	_cleanup_free_ char *interface = xstrndup(method, len);

	if (call->call.upgrade)
		control_call_error(call, "org.varlink.service.MethodNotImplemented",
			json_pack("{s:s}", "method", method));
	else if (str_eq(method, "org.varlink.service.GetInfo"))
		get_info(call);
	else if (str_eq(method, "org.varlink.service.GetInterfaceDescription"))
		get_interface_description(call);
	else if (str_eq(interface, CONTROL_INTERFACE))
		c->fn(c->userdata, call);
	else if (str_eq(interface, "org.varlink.service"))
		control_call_error(
			call, CONTROL_E_METHOD_NOT_FOUND, json_pack("{s:s}", "method", method));
	else
		control_call_error(call, "org.varlink.service.InterfaceNotFound",
			json_pack("{s:s}", "interface", interface));
}

/* Takes calls out of the input, one after the other; a breach of protocol ends the client. */
static void take_calls(struct client *k)
{
	unsigned taken = 0;

	while (!k->dead && !k->call && client_has_room(k)) {
		const char *text;
		size_t len;
		int r = varlink_frames_next(&k->input, &text, &len);
		if (r == -EAGAIN)
			break;
		if (r) {
			kill_client(k);
			return;
		}
		k->partial_ms = 0;
		struct control_call *call = xcalloc(1, sizeof(*call));
		call->client = k;
		if (varlink_call_parse(text, len, &call->call)) {
			free(call);
			kill_client(k);
			return;
		}
		k->call = call;
		dispatch(k->control, call);
		/* The sweep that each last reply asks for goes on. */
		if (++taken == CALLS_A_TURN)
			break;
	}
	/* The clock of half a frame starts with the client's first chance to end it. */
	if (!k->call && varlink_frames_pending(&k->input) && !k->partial_ms) {
		k->partial_ms = loop_now_ms();
		sweep_soon(k->control);
	}
	if (k->half_closed && !k->call && !unread(k) && taken < CALLS_A_TURN)
		kill_client(k);
	update_io(k);
}

/* Has the other end gone altogether, or only said that it will send no more? */
static bool peer_is_gone(int fd)
{
	struct pollfd p = {.fd = fd};

	return poll(&p, 1, 0) == 1 && p.revents & (POLLHUP | POLLERR);
}

static void read_client(struct client *k)
{
	char bytes[16384];
	ssize_t n = recv(k->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 || (n == 0 && peer_is_gone(k->fd))) {
		kill_client(k);
		return;
	}
	if (n == 0) {
		k->half_closed = true;
	} else {
		varlink_frames_add(&k->input, bytes, (size_t)n);
	}
	take_calls(k);
	/* From now on only the sweep can tell that it has left. */
	if (!k->dead && !wants_input(k))
		sweep_soon(k->control);
}

static void write_client(struct client *k)
{
	ssize_t n = send(k->fd, k->output.data + k->sent, unread(k), MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		kill_client(k);
		return;
	}
	k->sent += (size_t)n;
	k->blocked_ms = unread(k) ? loop_now_ms() : 0;
	if (!unread(k)) {
		strbuf_done(&k->output);
		k->sent = 0;
	}
	update_io(k);
	/* Lists that waited for room, calls that waited for lists. */
	if (client_has_room(k))
		sweep_soon(k->control);
}

static void on_client(void *userdata, int fd, unsigned events)
{
	struct client *k = userdata;

	if (!k->dead && (events & LOOP_WRITE) && unread(k))
		write_client(k);
	if (!k->dead && (events & LOOP_READ))
		read_client(k);
}

static uint64_t client_deadline(const struct client *k)
{
	uint64_t due_ms = UINT64_MAX;
	unsigned idle_ms = k->control->limits.idle_ms;

	if (k->partial_ms)
		due_ms = k->partial_ms + idle_ms;
	if (k->blocked_ms && k->blocked_ms + idle_ms < due_ms)
		due_ms = k->blocked_ms + idle_ms;
	return due_ms;
}

static void check_client(struct client *k, uint64_t now_ms)
{
	if (!k->dead && now_ms >= client_deadline(k))
		kill_client(k);
	if (!k->dead && !wants_input(k) && peer_is_gone(k->fd))
		kill_client(k);
	if (!k->dead && k->call && k->call->room && client_has_room(k))
		k->call->room(k->call->room_userdata, k->call);
	if (!k->dead)
		take_calls(k);
}

static void on_sweep(void *userdata)
{
	struct control *c = userdata;
	uint64_t now_ms = loop_now_ms(), due_ms = UINT64_MAX;

	c->sweep_soon = false;
	for (struct client *k = c->clients; k; k = k->next)
		check_client(k, now_ms);
	for (struct client **at = &c->clients; *at;) {
		struct client *k = *at;
		if (k->dead) {
			*at = k->next;
			c->client_count--;
			free_client(k);
			continue;
		}
		uint64_t client_ms = client_deadline(k);
		if (!wants_input(k) && client_ms > now_ms + UNHEARD_MS)
			client_ms = now_ms + UNHEARD_MS;
		if (client_ms < due_ms)
			due_ms = client_ms;
		at = &k->next;
	}
	if (!c->sweep_soon && due_ms != UINT64_MAX)
		loop_timer_arm(c->sweep, due_ms > now_ms ? due_ms - now_ms : 0);
}

/* NULL: there is a place; else why not. */
static const char *refuse_client(const struct control *c, uid_t uid)
{
	unsigned same = 0;

	if (c->client_count >= c->limits.clients_max)
		return "all places are taken";
	if (uid == 0)
		return NULL;
	if (c->client_count + c->limits.clients_root >= c->limits.clients_max)
		return "all places are taken";
	for (const struct client *k = c->clients; k; k = k->next)
		same += k->peer.uid == uid && !k->dead;
	return same >= c->limits.clients_uid ? "too many connections of one user" : NULL;
}

/* Says why before it closes, as the reply to whatever would have been asked. */
static void turn_away(int fd, const char *why)
{
	size_t len;
	_cleanup_free_ char *text = varlink_error_format(
		CONTROL_INTERFACE ".TooManyClients", json_pack("{s:s}", "reason", why), &len);

	(void)!send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

static void add_client(struct control *c, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || len != sizeof(peer)) {
		close(fd);
		return;
	}
	const char *why = refuse_client(c, peer.uid);
	if (why) {
		turn_away(fd, why);
		return;
	}
	struct client *k = xcalloc(1, sizeof(*k));
	k->control = c;
	k->fd = fd;
	k->peer = peer;
	varlink_frames_init(&k->input, c->limits.frame_max);
	k->io = loop_io_new(c->loop, fd, LOOP_READ, on_client, k);
	k->next = c->clients;
	c->clients = k;
	c->client_count++;
}

static void on_accept(void *userdata, int fd, unsigned events)
{
	struct control *c = userdata;

	for (unsigned i = 0; i < ACCEPTS_A_TURN; i++) {
		int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (client >= 0) {
			add_client(c, client);
			continue;
		}
		/* Without descriptors the socket stays readable: wait rather than spin. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			loop_io_set(c->accept_io, 0);
			loop_timer_arm(c->accept_again, ACCEPT_PAUSE_MS);
		}
		if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

static void on_accept_again(void *userdata)
{
	struct control *c = userdata;

	loop_io_set(c->accept_io, LOOP_READ);
}

int control_new(struct loop *l, int fd, const char *path, const char *group, control_call_fn fn,
	void *userdata, struct control **ret)
{
	struct listener *listener;
	int r = listener_new(fd, path, group, &listener);

	if (r)
		return r;
	struct control *c = xcalloc(1, sizeof(*c));
	*c = (struct control){
		.loop = l,
		.listener = listener,
		.limits =
			{
				.frame_max = CONTROL_FRAME_MAX,
				.output_max = CONTROL_OUTPUT_MAX,
				.clients_max = CONTROL_CLIENTS_MAX,
				.clients_uid = CONTROL_CLIENTS_UID,
				.clients_root = CONTROL_CLIENTS_ROOT,
				.idle_ms = CONTROL_IDLE_MS,
			},
		.fn = fn,
		.userdata = userdata,
	};
	c->sweep = loop_timer_new(l, on_sweep, c);
	c->accept_again = loop_timer_new(l, on_accept_again, c);
	c->accept_io = loop_io_new(l, listener_fd(listener), LOOP_READ, on_accept, c);
	*ret = c;
	return 0;
}

void control_set_limits(struct control *c, const struct control_limits *limits)
{
	c->limits = *limits;
}

struct control *control_free(struct control *c)
{
	if (!c)
		return NULL;
	loop_io_free(c->accept_io);
	while (c->clients) {
		struct client *k = c->clients;
		c->clients = k->next;
		k->dead = true;
		free_client(k);
	}
	loop_timer_free(c->accept_again);
	loop_timer_free(c->sweep);
	listener_free(c->listener);
	free(c);
	return NULL;
}
