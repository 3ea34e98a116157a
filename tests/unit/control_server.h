/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket in a process of its own, its clients here: raw sockets that behave well or
 * not. */
#include "edge/control.h"

#include "base/mem.h"
#include "edge/loop.h"
#include "edge/varlink.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000, NOBODY = 65534 };

static const struct control_limits usual = {
	.frame_max = CONTROL_FRAME_MAX,
	.output_max = CONTROL_OUTPUT_MAX,
	.clients_max = CONTROL_CLIENTS_MAX,
	.clients_uid = CONTROL_CLIENTS_UID,
	.clients_root = CONTROL_CLIENTS_ROOT,
	.idle_ms = CONTROL_IDLE_MS,
};

static char directory[] = "/tmp/test-control-XXXXXX";
static char path[64];

/* The server's side. What it has to say besides replies goes through a pipe, a letter each:
 * 'c' a call, 'g' a call that is gone. */
struct server {
	struct loop *loop;
	struct control *control;
	int notes;
};

struct later {
	struct server *server;
	struct control_call *call;
	struct loop_timer *timer;
	unsigned sent, total;
};

static inline void note(const struct server *s, char letter)
{
	if (write(s->notes, &letter, 1) != 1)
		_exit(3);
}

static inline void later_free(struct later *l)
{
	loop_timer_free(l->timer);
	free(l);
}

static inline void on_gone(void *userdata, struct control_call *call)
{
	struct later *l = userdata;

	note(l->server, 'g');
	later_free(l);
}

static inline void on_later(void *userdata)
{
	struct later *l = userdata;

	control_call_reply(l->call, json_pack("{s:s}", "said", "later"), false);
	later_free(l);
}

/* One reply of 1 kB after the other, the last one without `continues`. */
static inline void on_room(void *userdata, struct control_call *call)
{
	struct later *l = userdata;
	char text[1024];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	while (control_call_has_room(call)) {
		bool last = ++l->sent == l->total;
		control_call_reply(call, json_pack("{s:i,s:s}", "n", l->sent, "x", text), !last);
		if (last) {
			later_free(l);
			return;
		}
	}
}

/* Replies that nobody asked whether there is room for. */
static inline void flood(struct server *s, struct control_call *call, struct later *l)
{
	char text[4096];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	for (unsigned i = 0; i < 4096; i++)
		control_call_reply(call, json_pack("{s:s}", "x", text), true);
}

static inline void on_call(void *userdata, struct control_call *call)
{
	struct server *s = userdata;
	const char *method = strrchr(control_call_method(call), '.') + 1;
	struct json_t *parameters = control_call_parameters(call);

	note(s, 'c');
	if (strcmp(method, "Echo") == 0) {
		control_call_reply(call, json_incref(parameters), false);
		return;
	}
	if (strcmp(method, "Who") == 0) {
		control_call_reply(call,
			json_pack("{s:i,s:i}", "uid", control_call_uid(call), "pid",
				control_call_pid(call)),
			false);
		return;
	}
	struct later *l = xcalloc(1, sizeof(*l));
	*l = (struct later){.server = s, .call = call};
	control_call_on_gone(call, on_gone, l);
	if (strcmp(method, "Later") == 0) {
		l->timer = loop_timer_new(s->loop, on_later, l);
		loop_timer_arm(l->timer, 20);
	} else if (strcmp(method, "List") == 0) {
		l->total = (unsigned)json_integer_value(json_object_get(parameters, "n"));
		control_call_on_room(call, on_room, l);
	} else if (strcmp(method, "Flood") == 0) {
		flood(s, call, l);
	} else if (strcmp(method, "Never") != 0) {
		control_call_error(call, CONTROL_E_METHOD_NOT_FOUND, NULL);
		later_free(l);
	}
}

static inline void on_stop(void *userdata)
{
	struct server *s = userdata;

	loop_stop(s->loop);
}

static inline void no_turn(void *userdata)
{
}

static inline int serve(const struct control_limits *limits, int notes, int fd)
{
	struct server s = {.notes = notes};

	if (loop_new(&s.loop))
		return 1;
	struct loop_signal *stop = loop_signal_new(s.loop, SIGTERM, on_stop, &s);
	if (control_new(s.loop, fd, path, NULL, on_call, &s, &s.control))
		return 2;
	control_set_limits(s.control, limits);
	note(&s, 'r');
	loop_run(s.loop, no_turn, NULL);
	control_free(s.control);
	loop_signal_free(stop);
	loop_free(s.loop);
	return 0;
}

/* The clients' side. */
static pid_t server_pid;
static int notes_fd = -1;

static inline char read_note(int timeout_ms)
{
	struct pollfd p = {.fd = notes_fd, .events = POLLIN};
	char letter;

	if (poll(&p, 1, timeout_ms) != 1 || read(notes_fd, &letter, 1) != 1)
		return 0;
	return letter;
}

static inline void start_with(const struct control_limits *limits, unsigned descriptors, int fd)
{
	int pipes[2];

	/* What a case that failed has left. */
	if (server_pid) {
		kill(server_pid, SIGKILL);
		waitpid(server_pid, NULL, 0);
	}
	if (fd < 0)
		unlink(path);
	CHECK_INT(pipe2(pipes, O_CLOEXEC), 0);
	fflush(stdout);
	server_pid = fork();
	if (server_pid == 0) {
		struct rlimit r = {descriptors, descriptors};
		close(pipes[0]);
		if (descriptors)
			setrlimit(RLIMIT_NOFILE, &r);
		exit(serve(limits, pipes[1], fd));
	}
	close(pipes[1]);
	notes_fd = pipes[0];
	CHECK_INT(read_note(PATIENCE_MS), 'r');
}

static inline void start(const struct control_limits *limits)
{
	start_with(limits, 0, -1);
}

/* It ends in order, whatever its clients are doing (and the sanitizers have nothing to say). */
static inline void stop(void)
{
	int status;

	CHECK_INT(kill(server_pid, SIGTERM), 0);
	CHECK_INT(waitpid(server_pid, &status, 0), server_pid);
	server_pid = 0;
	close(notes_fd);
	notes_fd = -1;
	CHECK_INT(status, 0);
}

static inline int dial(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	CHECK_INT(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static inline void say_bytes(int fd, const char *bytes, size_t len)
{
	CHECK_INT(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

/* One frame. */
static inline void say(int fd, const char *text)
{
	say_bytes(fd, text, strlen(text) + 1);
}

/* The next frame, "" when the server has closed, "?" when it says nothing. */
static inline const char *hear(int fd)
{
	static char text[70000];
	size_t len = 0;

	while (len < sizeof(text) - 1) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (poll(&p, 1, PATIENCE_MS) != 1)
			return "?";
		ssize_t n = recv(fd, text + len, 1, 0);
		if (n <= 0)
			return "";
		if (!text[len++])
			return text;
	}
	return "?";
}

#define CALL(method) "{\"method\":\"io.allowsync." method "\"}"
#define MORE(method, parameters)                                                                   \
	"{\"method\":\"io.allowsync." method "\",\"more\":true,\"parameters\":" parameters "}"
#define ECHO(n) "{\"method\":\"io.allowsync.Echo\",\"parameters\":{\"n\":" n "}}"

static inline void CHECK_echo(int fd)
{
	say(fd, ECHO("7"));
	CHECK_STR(hear(fd), "{\"parameters\":{\"n\":7}}");
	CHECK_INT(read_note(PATIENCE_MS), 'c');
}

static inline bool control_test_begin(void)
{
	if (!mkdtemp(directory) || chmod(directory, 0755))
		return false;
	snprintf(path, sizeof(path), "%s/socket", directory);
	return true;
}

static inline void control_test_end(void)
{
	if (server_pid)
		kill(server_pid, SIGKILL);
	unlink(path);
	rmdir(directory);
}
