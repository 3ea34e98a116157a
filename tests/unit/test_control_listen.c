/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket itself: how it is made, kept and left. */
#include "control_server.h"

static int make(int fd, struct loop *l, struct control **ret)
{
	return control_new(l, fd, path, "no-such-group", on_call, NULL, ret);
}

static void the_socket_is_for_owner_and_group_and_goes_with_the_server(void)
{
	struct loop *l;
	struct control *c = NULL;
	struct stat st;
	mode_t mask = umask(0);

	CHECK_INT(loop_new(&l), 0);
	CHECK_INT(make(-1, l, &c), 0);
	CHECK_INT(umask(mask), 0);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_mode & 07777, 0660);
	control_free(c);
	CHECK_INT(stat(path, &st), -1);
	loop_free(l);
}

static void a_live_socket_is_not_stolen(void)
{
	struct loop *l;
	struct control *c = NULL, *other = NULL;

	CHECK_INT(loop_new(&l), 0);
	CHECK_INT(make(-1, l, &c), 0);
	CHECK_INT(make(-1, l, &other), -EADDRINUSE);
	CHECK_INT(access(path, F_OK), 0);
	control_free(c);
	loop_free(l);
}

static void a_stale_socket_is_replaced(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct loop *l;
	struct control *c = NULL;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	CHECK_INT(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	CHECK_INT(loop_new(&l), 0);
	CHECK_INT(make(-1, l, &c), 0);
	close(dial());
	control_free(c);
	loop_free(l);
}

static void a_file_in_the_way_is_left_alone(void)
{
	struct loop *l;
	struct control *c = NULL;
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	close(fd);
	CHECK_INT(loop_new(&l), 0);
	CHECK_INT(make(-1, l, &c), -EEXIST);
	CHECK_INT(access(path, F_OK), 0);
	unlink(path);
	loop_free(l);
}

static void somebody_elses_socket_is_not_removed_at_the_end(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct loop *l;
	struct control *c = NULL;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	CHECK_INT(loop_new(&l), 0);
	CHECK_INT(make(-1, l, &c), 0);
	unlink(path);
	CHECK_INT(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	control_free(c);
	CHECK_INT(access(path, F_OK), 0);
	unlink(path);
	close(fd);
	loop_free(l);
}

static void a_socket_that_is_handed_over_is_served(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, path);
	CHECK_INT(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	CHECK_INT(listen(fd, 8), 0);
	start_with(&usual, 0, fd);
	close(fd);
	fd = dial();
	CHECK_echo(fd);
	close(fd);
	stop();
	/* Whoever made it removes it. */
	CHECK_INT(access(path, F_OK), 0);
	unlink(path);
}

static void a_descriptor_that_does_not_listen_is_refused(void)
{
	struct loop *l;
	struct control *c = NULL;
	int fds[2];

	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	CHECK_INT(loop_new(&l), 0);
	CHECK_INT(make(fds[0], l, &c), -EINVAL);
	close(fds[1]);
	loop_free(l);
}

int main(void)
{
	if (!control_test_begin())
		return 1;
	TAP_RUN(the_socket_is_for_owner_and_group_and_goes_with_the_server);
	TAP_RUN(a_live_socket_is_not_stolen);
	TAP_RUN(a_stale_socket_is_replaced);
	TAP_RUN(a_file_in_the_way_is_left_alone);
	TAP_RUN(somebody_elses_socket_is_not_removed_at_the_end);
	TAP_RUN(a_socket_that_is_handed_over_is_served);
	TAP_RUN(a_descriptor_that_does_not_listen_is_refused);
	control_test_end();
	return tap_done();
}
