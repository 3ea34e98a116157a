/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The listening end of the control socket. */
#include "edge/control_listen.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 64 };

struct listener {
	int fd;
	char *path; /* NULL: not ours to remove */
	dev_t dev;
	ino_t inode;
};

/* 0: the path is free (what was there was a socket that nobody listens on). */
static int clear_path(const struct sockaddr_un *address)
{
	struct stat st;

	if (lstat(address->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	int r = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? errno : 0;
	close(fd);
	/* A full backlog (EAGAIN) is somebody too. */
	if (r != ECONNREFUSED && r != ENOENT)
		return r == 0 || r == EAGAIN ? -EADDRINUSE : -r;
	return unlink(address->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

/* Open to nobody until owner and mode are as they should be. */
static int make_socket(int fd, const struct sockaddr_un *address, const char *group)
{
	mode_t mask = umask(0777);
	int r = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;

	umask(mask);
	if (r)
		return r;
	const struct group *g = group ? getgrnam(group) : NULL;
	/* Only root and members may give it to the group; others keep it for themselves. */
	if (g && lchown(address->sun_path, (uid_t)-1, g->gr_gid) < 0 && errno != EPERM)
		r = -errno;
	if (!r && chmod(address->sun_path, 0660) < 0)
		r = -errno;
	if (!r && listen(fd, BACKLOG) < 0)
		r = -errno;
	if (r)
		unlink(address->sun_path);
	return r;
}

static int open_path(const char *path, const char *group, struct listener *s)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;

	if (!*path || strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	int r = clear_path(&address);
	if (r)
		return r;
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return -errno;
	r = make_socket(s->fd, &address, group);
	if (r)
		return r;
	if (lstat(path, &st) == 0) {
		s->path = xstrdup(path);
		s->dev = st.st_dev;
		s->inode = st.st_ino;
	}
	return 0;
}

static int take_over(int fd)
{
	int listening = 0;
	socklen_t len = sizeof(listening);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0)
		return -errno;
	if (!listening)
		return -EINVAL;
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
		fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

int listener_new(int fd, const char *path, const char *group, struct listener **ret)
{
	struct listener *s = xcalloc(1, sizeof(*s));

	s->fd = fd;
	int r = fd >= 0 ? take_over(fd) : open_path(path, group, s);
	if (r) {
		listener_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

int listener_fd(const struct listener *s)
{
	return s->fd;
}

struct listener *listener_free(struct listener *s)
{
	struct stat st;

	if (!s)
		return NULL;
	if (s->path && lstat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->inode)
		unlink(s->path);
	if (s->fd >= 0)
		close(s->fd);
	free(s->path);
	free(s);
	return NULL;
}
