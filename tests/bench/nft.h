#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft as a process. Whatever fails ends the program. */
#include "raw.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

static inline pid_t nft_spawn(char *file, posix_spawn_file_actions_t *actions)
{
	char name[] = "nft", option[] = "-f";
	char *argv[] = {name, option, file, NULL};
	pid_t pid;
	errno = posix_spawn(&pid, "/usr/sbin/nft", actions, NULL, argv, environ);
	if (errno)
		die("/usr/sbin/nft");
	return pid;
}

/* Text of no more than a pipe holds. */
static inline pid_t nft_spawn_text(const char *text)
{
	int pipe_ends[2];
	posix_spawn_file_actions_t actions;
	char dash[] = "-";
	if (pipe2(pipe_ends, O_CLOEXEC) != 0)
		die("pipe");
	if (write(pipe_ends[1], text, strlen(text)) < 0)
		die("write");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pipe_ends[0], 0);
	pid_t pid = nft_spawn(dash, &actions);
	posix_spawn_file_actions_destroy(&actions);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
	return pid;
}

static inline void nft_wait(pid_t pid)
{
	int status;
	errno = 0;
	if (waitpid(pid, &status, 0) != pid || status != 0)
		die("nft");
}
