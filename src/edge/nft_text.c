/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A child with nothing of ours but the text: a fixed program, no environment to speak of, no
 * descriptor but its own three. Nothing here waits for it. */
#include "edge/nft_text.h"

#include "base/mem.h"
#include "edge/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct nft_text {
	struct loop *loop;
	const char *program;
	nft_text_fn fn;
	void *userdata;
	struct loop_timer *deadline;
	/* The child's. */
	pid_t pid; /* 0: there is none */
	bool late;
	int ended_fd, said_fd;
	struct loop_io *ended, *says;
	char said[NFT_TEXT_SAID_MAX + 1];
	size_t said_len;
};

/* Until nothing is there for now. What is too much is read all the same, or the child would wait
 * for room. */
static void read_said(struct nft_text *t)
{
	char piece[4096];
	ssize_t n;

	while ((n = read(t->said_fd, piece, sizeof(piece))) > 0 || (n < 0 && errno == EINTR)) {
		for (ssize_t i = 0; i < n && t->said_len < NFT_TEXT_SAID_MAX; i++) {
			if (piece[i])
				t->said[t->said_len++] = piece[i];
		}
	}
	t->said[t->said_len] = '\0';
	if (n == 0)
		t->says = loop_io_free(t->says); /* it has closed both */
}

static void on_said(void *userdata, int fd, unsigned events)
{
	read_said(userdata);
}

static void forget_child(struct nft_text *t)
{
	loop_timer_disarm(t->deadline);
	t->ended = loop_io_free(t->ended);
	t->says = loop_io_free(t->says);
	close(t->ended_fd);
	close(t->said_fd);
	t->pid = 0;
}

static void on_ended(void *userdata, int fd, unsigned events)
{
	struct nft_text *t = userdata;
	struct nft_text_end end = {.pid = t->pid, .said = t->said};
	int status = 0;

	if (waitpid(t->pid, &status, WNOHANG) == 0)
		return;
	read_said(t);
	if (t->late)
		end.outcome = NFT_TEXT_LATE;
	else if (WIFSIGNALED(status))
		end.outcome = NFT_TEXT_KILLED;
	else
		end.outcome = WEXITSTATUS(status) ? NFT_TEXT_REFUSED : NFT_TEXT_DONE;
	end.status = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
	forget_child(t);
	t->fn(t->userdata, &end);
}

static void kill_child(const struct nft_text *t)
{
	/* The group as well, which is its own: nothing of it is to go on. */
	kill(-t->pid, SIGKILL);
	kill(t->pid, SIGKILL);
}

static void on_deadline(void *userdata)
{
	struct nft_text *t = userdata;

	t->late = true;
	kill_child(t);
}

/* The whole of it in memory: the child reads when it likes. */
static int text_as_file(const char *text)
{
	int fd = memfd_create("nft", MFD_CLOEXEC);
	size_t len = strlen(text);

	if (fd < 0)
		return -errno;
	while (len) {
		ssize_t n = write(fd, text, len);
		if (n < 0 && errno != EINTR) {
			int r = -errno;
			close(fd);
			return r;
		}
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void set_attributes(posix_spawnattr_t *a)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(a);
	posix_spawnattr_setsigmask(a, &none);
	posix_spawnattr_setsigdefault(a, &all);
	/* What a terminal sends to the daemon is not for the child. */
	posix_spawnattr_setpgroup(a, 0);
	posix_spawnattr_setflags(
		a, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

static int spawn(const char *program, int in_fd, int out_fd, pid_t *ret)
{
	static char name[] = "nft", option[] = "-f", file[] = "-", locale[] = "LC_ALL=C";
	char *const argv[] = {name, option, file, NULL}, *const env[] = {locale, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in_fd, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out_fd, STDERR_FILENO);
	set_attributes(&attributes);
	int r = posix_spawn(ret, program, &actions, &attributes, argv, env);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static void watch_child(struct nft_text *t, int said_fd)
{
	t->late = false;
	t->said_len = 0;
	t->said[0] = '\0';
	t->said_fd = said_fd;
	t->says = loop_io_new(t->loop, t->said_fd, LOOP_READ, on_said, t);
	t->ended = loop_io_new(t->loop, t->ended_fd, LOOP_READ, on_ended, t);
	loop_timer_arm(t->deadline, NFT_TEXT_DEADLINE_MS);
}

/* Readable when the child has ended. Nobody else waits for it, so that its number is its own. */
static int open_ended(struct nft_text *t)
{
	t->ended_fd = pidfd_open(t->pid, 0); /* it closes on exec */
	if (t->ended_fd >= 0)
		return 0;
	int r = -errno;
	kill_child(t);
	waitpid(t->pid, NULL, 0);
	t->pid = 0;
	return r;
}

int nft_text_load(struct nft_text *t, const char *text)
{
	int said[2];

	if (t->pid)
		return -EBUSY;
	int in_fd = text_as_file(text);
	if (in_fd < 0)
		return in_fd;
	int r = pipe2(said, O_CLOEXEC) < 0 ? -errno : 0;
	if (r == 0) {
		fcntl(said[0], F_SETFL, O_NONBLOCK); /* our end alone */
		r = spawn(t->program, in_fd, said[1], &t->pid);
		if (r < 0)
			t->pid = 0;
		else
			r = open_ended(t);
		close(said[1]);
		if (r == 0)
			watch_child(t, said[0]);
		else
			close(said[0]);
	}
	close(in_fd);
	return r;
}

struct nft_text *nft_text_new(struct loop *l, const char *program, nft_text_fn fn, void *userdata)
{
	struct nft_text *t = xcalloc(1, sizeof(*t));

	t->loop = l;
	t->program = program;
	t->fn = fn;
	t->userdata = userdata;
	t->deadline = loop_timer_new(l, on_deadline, t);
	return t;
}

pid_t nft_text_pid(const struct nft_text *t)
{
	return t->pid;
}

struct nft_text *nft_text_free(struct nft_text *t)
{
	if (!t)
		return NULL;
	if (t->pid) {
		pid_t pid = t->pid;
		kill_child(t);
		forget_child(t);
		waitpid(pid, NULL, 0);
	}
	loop_timer_free(t->deadline);
	free(t);
	return NULL;
}
