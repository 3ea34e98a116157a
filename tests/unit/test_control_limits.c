/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hostile clients: each costs only itself. */
#include "control_server.h"

static void a_frame_over_the_limit_ends_the_client_alone(void)
{
	struct control_limits limits = usual;
	char block[8192];

	limits.frame_max = sizeof(block);
	start(&limits);
	int good = dial(), fd = dial();
	memset(block, ' ', sizeof(block));
	/* As many as it takes: it stops reading, and closes. */
	while (send(fd, block, sizeof(block), MSG_NOSIGNAL) > 0)
		;
	CHECK_STR(hear(fd), "");
	CHECK_echo(good);
	close(fd);
	close(good);
	stop();
}

static void half_a_frame_is_dropped_after_the_idle_time(void)
{
	struct control_limits limits = usual;

	limits.idle_ms = 100;
	start(&limits);
	int good = dial(), fd = dial();
	say_bytes(fd, "{\"meth", 6);
	CHECK_STR(hear(fd), "");
	/* Having said nothing, or all, is no half frame. */
	CHECK_echo(good);
	close(fd);
	close(good);
	stop();
}

static void half_a_frame_that_was_completed_is_forgotten(void)
{
	static const char call[] = ECHO("1");
	struct control_limits limits = usual;

	limits.idle_ms = 100;
	start(&limits);
	int fd = dial();
	say_bytes(fd, call, 9);
	/* So that it is read as a half: another client is answered in between. */
	int other = dial();
	CHECK_echo(other);
	say_bytes(fd, call + 9, sizeof(call) - 9);
	CHECK_STR(hear(fd), "{\"parameters\":{\"n\":1}}");
	CHECK_INT(read_note(PATIENCE_MS), 'c');
	struct pollfd p = {.fd = fd, .events = POLLIN};
	CHECK_INT(poll(&p, 1, 400), 0);
	CHECK_echo(fd);
	close(other);
	close(fd);
	stop();
}

static void trickling_does_not_prolong_half_a_frame(void)
{
	struct control_limits limits = usual;

	limits.idle_ms = 100;
	start(&limits);
	int fd = dial();
	struct pollfd p = {.fd = fd, .events = POLLIN};
	/* A byte whenever 10 ms have passed in silence; it ends all the same. */
	for (int i = 0; i < 10000 && poll(&p, 1, 10) == 0; i++)
		(void)!send(fd, " ", 1, MSG_NOSIGNAL);
	CHECK_STR(hear(fd), "");
	close(fd);
	stop();
}

static void half_a_frame_during_a_call_waits_for_its_end(void)
{
	struct control_limits limits = usual;

	limits.idle_ms = 100;
	start(&limits);
	int fd = dial();
	static const char text[] = MORE("Never", "{}") "\0{\"meth";
	say_bytes(fd, text, sizeof(text) - 1);
	CHECK_INT(read_note(PATIENCE_MS), 'c');
	struct pollfd p = {.fd = fd, .events = POLLIN};
	CHECK_INT(poll(&p, 1, 400), 0);
	close(fd);
	CHECK_INT(read_note(PATIENCE_MS), 'g');
	stop();
}

static void a_client_that_does_not_read_is_dropped_and_its_call_gone(void)
{
	struct control_limits limits = usual;

	limits.idle_ms = 100;
	start(&limits);
	int good = dial(), fd = dial();
	say(fd, MORE("List", "{\"n\":100000}"));
	CHECK_INT(read_note(PATIENCE_MS), 'c');
	CHECK_INT(read_note(PATIENCE_MS), 'g');
	CHECK_echo(good);
	close(fd);
	close(good);
	stop();
}

static void output_over_the_limit_drops_the_client_alone(void)
{
	struct control_limits limits = usual;

	limits.output_max = 1 << 20;
	start(&limits);
	int good = dial(), fd = dial();
	say(fd, MORE("Flood", "{}"));
	CHECK_INT(read_note(PATIENCE_MS), 'c');
	CHECK_INT(read_note(PATIENCE_MS), 'g');
	CHECK_echo(good);
	close(fd);
	close(good);
	stop();
}

static void a_long_list_arrives_whole_at_a_slow_reader(void)
{
	enum { N = 1200 };
	struct control_limits limits = usual;

	limits.output_max = 512 * 1024; /* less than half of the list */
	start(&limits);
	int fd = dial();
	say(fd, MORE("List", "{\"n\":1200}"));
	for (int i = 1; i <= N; i++) {
		struct varlink_reply r;
		const char *text = hear(fd);
		CHECK_INT(varlink_reply_parse(text, strlen(text), &r), 0);
		bool right = json_integer_value(json_object_get(r.parameters, "n")) == i &&
			     r.continues == (i < N);
		varlink_reply_done(&r);
		CHECK(right);
	}
	CHECK_INT(read_note(PATIENCE_MS), 'c');
	CHECK_echo(fd);
	close(fd);
	stop();
}

static void clients_over_the_limit_are_turned_away_aloud(void)
{
	struct control_limits limits = usual;
	int fds[CONTROL_CLIENTS_MAX];

	limits.clients_uid = CONTROL_CLIENTS_MAX;
	limits.clients_root = 0;
	start(&limits);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = dial();
		CHECK_echo(fds[i]);
	}
	int one_more = dial();
	CHECK_STR(hear(one_more), "{\"error\":\"io.allowsync.TooManyClients\",\"parameters\":{"
				  "\"reason\":\"all places are taken\"}}");
	CHECK_STR(hear(one_more), "");
	close(one_more);
	/* A place that was left is free again; the server has noticed when it says so. */
	say(fds[1], MORE("Never", "{}"));
	CHECK_INT(read_note(PATIENCE_MS), 'c');
	close(fds[1]);
	CHECK_INT(read_note(PATIENCE_MS), 'g');
	fds[1] = dial();
	CHECK_echo(fds[1]);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	stop();
}

/* In a child that is nobody: 0, or the line at which it went wrong. */
static int as_nobody(int (*fn)(void))
{
	int status;

	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		if (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))
			_exit(1);
		_exit(fn());
	}
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int try_dial(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) ? -errno : fd;
}

static int nobody_asks_who_he_is(void)
{
	char want[128];
	int fd = try_dial();

	snprintf(want, sizeof(want), "{\"parameters\":{\"uid\":%d,\"pid\":%d}}", NOBODY, getpid());
	if (fd < 0 || send(fd, CALL("Who"), sizeof(CALL("Who")), 0) < 0)
		return 10;
	return strcmp(hear(fd), want) ? 11 : 0;
}

static int nobody_is_refused_by_mode(void)
{
	return try_dial() == -EACCES ? 0 : 10;
}

static int nobody_gets_two_places_of_four(void)
{
	for (int i = 0; i < 2; i++) {
		int fd = try_dial();
		if (fd < 0 || send(fd, ECHO("1"), sizeof(ECHO("1")), 0) < 0 ||
			!strstr(hear(fd), "parameters"))
			return 10;
	}
	return strstr(hear(try_dial()), "too many connections of one user") ? 0 : 11;
}

static int nobody_leaves_the_last_place_to_root(void)
{
	return strstr(hear(try_dial()), "all places are taken") ? 0 : 10;
}

static void a_caller_is_known_by_its_credentials(void)
{
	if (getuid() != 0)
		TAP_SKIP("needs root, to be somebody else");
	start(&usual);
	CHECK_INT(as_nobody(nobody_is_refused_by_mode), 0);
	CHECK_INT(chmod(path, 0666), 0);
	CHECK_INT(as_nobody(nobody_asks_who_he_is), 0);
	stop();
}

static void one_user_cannot_take_all_places(void)
{
	struct control_limits limits = usual;

	if (getuid() != 0)
		TAP_SKIP("needs root, to be somebody else");
	limits.clients_max = 6;
	limits.clients_uid = 2;
	limits.clients_root = 1;
	start(&limits);
	CHECK_INT(chmod(path, 0666), 0);
	CHECK_INT(as_nobody(nobody_gets_two_places_of_four), 0);
	int fds[5];
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = dial();
		CHECK_STR((say(fds[i], ECHO("1")), hear(fds[i])), "{\"parameters\":{\"n\":1}}");
	}
	CHECK_INT(as_nobody(nobody_leaves_the_last_place_to_root), 0);
	int last = dial();
	CHECK_STR((say(last, ECHO("1")), hear(last)), "{\"parameters\":{\"n\":1}}");
	close(last);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	stop();
}

static void without_descriptors_clients_wait_and_are_served_later(void)
{
	int fds[24];

	start_with(&usual, 24, -1);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = dial();
	/* The last ones are in the backlog. As the first leave, they get their turn. */
	for (size_t i = 0; i < 12; i++)
		close(fds[i]);
	for (size_t i = 12; i < ARRAY_LEN(fds); i++) {
		CHECK_STR((say(fds[i], ECHO("1")), hear(fds[i])), "{\"parameters\":{\"n\":1}}");
		close(fds[i]);
	}
	stop();
}

int main(void)
{
	if (!control_test_begin())
		return 1;
	TAP_RUN(a_frame_over_the_limit_ends_the_client_alone);
	TAP_RUN(half_a_frame_is_dropped_after_the_idle_time);
	TAP_RUN(half_a_frame_that_was_completed_is_forgotten);
	TAP_RUN(trickling_does_not_prolong_half_a_frame);
	TAP_RUN(half_a_frame_during_a_call_waits_for_its_end);
	TAP_RUN(a_client_that_does_not_read_is_dropped_and_its_call_gone);
	TAP_RUN(output_over_the_limit_drops_the_client_alone);
	TAP_RUN(a_long_list_arrives_whole_at_a_slow_reader);
	TAP_RUN(clients_over_the_limit_are_turned_away_aloud);
	TAP_RUN(a_caller_is_known_by_its_credentials);
	TAP_RUN(one_user_cannot_take_all_places);
	TAP_RUN(without_descriptors_clients_wait_and_are_served_later);
	control_test_end();
	return tap_done();
}
