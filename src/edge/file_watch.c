/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inotify on the directories that lead to a file: the links on the way are looked up anew after
 * each change. */
#include "edge/file_watch.h"

#include "base/mem.h"
#include "base/strbuf.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum {
	LINKS_MAX = 16,
	MASK = IN_CREATE | IN_DELETE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO |
	       IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR,
};

struct file_watch {
	struct loop *loop;
	char *path;
	loop_fn fn;
	void *userdata;
	int fd;
	struct loop_io *io;
	struct loop_timer *timer;
	bool armed;
	char *names[LINKS_MAX]; /* that count, in whichever of the directories */
	size_t name_count;
};

static void forget(struct file_watch *w)
{
	w->io = loop_io_free(w->io);
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
	while (w->name_count)
		free(w->names[--w->name_count]);
}

/* Watches the directory of `path`; where there is none, the nearest one above. */
static void watch_directory(struct file_watch *w, const char *path)
{
	_cleanup_free_ char *directory = xstrdup(path);

	while (w->name_count < LINKS_MAX) {
		char *slash = strrchr(directory, '/');
		const char *above = slash == directory ? "/" : slash ? directory : ".";

		w->names[w->name_count++] = xstrdup(slash ? slash + 1 : directory);
		if (slash)
			*slash = '\0';
		if (inotify_add_watch(w->fd, above, MASK) >= 0 || !slash || slash == directory)
			return;
	}
}

/* What a link at `path` points to, as a path; NULL: it is none. */
static char *follow(const char *path)
{
	char target[PATH_MAX];
	ssize_t len = readlink(path, target, sizeof(target) - 1);
	const char *slash = strrchr(path, '/');

	if (len <= 0)
		return NULL;
	target[len] = '\0';
	if (target[0] == '/' || !slash)
		return xstrdup(target);
	return xasprintf("%.*s/%s", (int)(slash - path), path, target);
}

static void on_io(void *userdata, int fd, unsigned events);

static int look(struct file_watch *w)
{
	_cleanup_free_ char *path = xstrdup(w->path);

	forget(w);
	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->fd < 0)
		return -errno;
	while (w->name_count < LINKS_MAX) {
		watch_directory(w, path);
		char *target = follow(path);
		if (!target)
			break;
		free(path);
		path = target;
	}
	w->io = loop_io_new(w->loop, w->fd, LOOP_READ, on_io, w);
	return 0;
}

static bool concerns(const struct file_watch *w, const struct inotify_event *e)
{
	if (!e->len)
		return true; /* the directory itself, or a queue that ran over */
	for (size_t i = 0; i < w->name_count; i++)
		if (str_eq(w->names[i], e->name))
			return true;
	return false;
}

static void on_io(void *userdata, int fd, unsigned events)
{
	struct file_watch *w = userdata;
	union {
		struct inotify_event event; /* for its alignment */
		char bytes[4096];
	} b;
	bool changed = false;
	ssize_t len;

	while ((len = read(fd, &b, sizeof(b))) > 0) {
		for (ssize_t at = 0; at < len;) {
			const struct inotify_event *e = (const void *)(b.bytes + at);
			changed = changed || concerns(w, e);
			at += (ssize_t)(sizeof(*e) + e->len);
		}
	}
	/* Not moved by what follows: a file that never rests is read all the same. */
	if (changed && !w->armed) {
		w->armed = true;
		loop_timer_arm(w->timer, FILE_WATCH_DELAY_MS);
	}
}

static void on_timer(void *userdata)
{
	struct file_watch *w = userdata;

	/* First watching, then reading: nothing falls in between. */
	w->armed = look(w) < 0;
	if (w->armed)
		loop_timer_arm(w->timer, 10 * FILE_WATCH_DELAY_MS);
	w->fn(w->userdata);
}

int file_watch_new(
	struct loop *l, const char *path, loop_fn fn, void *userdata, struct file_watch **ret)
{
	struct file_watch *w = xcalloc(1, sizeof(*w));

	w->loop = l;
	w->path = xstrdup(path);
	w->fn = fn;
	w->userdata = userdata;
	w->fd = -1;
	w->timer = loop_timer_new(l, on_timer, w);
	int r = look(w);
	if (r < 0) {
		file_watch_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

struct file_watch *file_watch_free(struct file_watch *w)
{
	if (!w)
		return NULL;
	forget(w);
	loop_timer_free(w->timer);
	free(w->path);
	free(w);
	return NULL;
}
