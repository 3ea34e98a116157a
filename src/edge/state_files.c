/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that are replaced whole. */
#include "edge/state_files.h"

#include "base/strbuf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One at a time, and nobody's glob finds it. */
#define ASIDE ".new"

enum { DIRECTORY_MODE = 0755, FILE_MODE = 0644 };

static void close_fdp(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static int open_directory(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The umask is tight: the modes are set by hand. */
static int make_one(const char *directory)
{
	if (mkdir(directory, DIRECTORY_MODE) < 0)
		return errno == EEXIST ? 0 : -errno;
	return chmod(directory, DIRECTORY_MODE) < 0 ? -errno : 0;
}

int state_files_make_directory(const char *directory)
{
	_cleanup_free_ char *path = xstrdup(directory);
	struct stat st;

	if (stat(directory, &st) == 0)
		return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
	for (char *at = path; (at = strchr(at + 1, '/'));) {
		*at = '\0';
		int r = stat(path, &st) == 0 ? 0 : make_one(path);
		if (r < 0)
			return r;
		*at = '/';
	}
	return make_one(path);
}

/* Does the file hold just that? */
static bool holds(int dir, const char *name, const char *text, size_t len)
{
	_cleanup_(close_fdp) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	char piece[4096];
	size_t at = 0;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size != (off_t)len ||
		(st.st_mode & 0777) != FILE_MODE)
		return false;
	while (at < len) {
		ssize_t n = read(fd, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || (size_t)n > len - at || memcmp(piece, text + at, (size_t)n) != 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

static int write_all(int fd, const char *text, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = write(fd, text + at, len - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += (size_t)n;
	}
	return 0;
}

static int write_aside(int dir, const char *text, size_t len)
{
	if (unlinkat(dir, ASIDE, 0) < 0 && errno != ENOENT)
		return -errno;
	_cleanup_(close_fdp) int fd =
		openat(dir, ASIDE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return -errno;
	int r = write_all(fd, text, len);
	if (r == 0 && (fchmod(fd, FILE_MODE) < 0 || fsync(fd) < 0))
		r = -errno;
	return r;
}

int state_files_put(const char *directory, const char *name, const char *text)
{
	size_t len = strlen(text);
	_cleanup_(close_fdp) int dir = open_directory(directory);

	if (dir < 0)
		return dir;
	if (holds(dir, name, text, len))
		return 0;
	int r = write_aside(dir, text, len);
	if (r == 0 && renameat(dir, ASIDE, dir, name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(dir, ASIDE, 0);
	return r;
}

int state_files_remove(const char *directory, const char *name)
{
	_cleanup_(close_fdp) int dir = open_directory(directory);

	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	return unlinkat(dir, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static bool ends_in(const char *text, const char *suffix)
{
	size_t len = strlen(text), tail = strlen(suffix);

	return len > tail && str_eq(text + len - tail, suffix);
}

int state_files_list(const char *directory, const char *suffix, struct strings *ret)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	struct stat st;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != '.' && ends_in(entry->d_name, suffix) &&
			fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISREG(st.st_mode))
			strings_add(ret, entry->d_name);
	}
	closedir(dir);
	return 0;
}

int state_files_get(const char *directory, const char *name, size_t max, char **ret)
{
	_cleanup_(close_fdp) int dir = open_directory(directory);
	char text[256];

	if (dir < 0)
		return dir;
	_cleanup_(close_fdp) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, text, sizeof(text));
	if (n < 0)
		return -errno;
	if ((size_t)n == sizeof(text) || (size_t)n > max)
		return -EMSGSIZE;
	text[n] = '\0';
	if (n == 0 || strlen(text) != (size_t)n || strchr(text, '\n') != text + n - 1)
		return -EBADMSG;
	text[n - 1] = '\0';
	*ret = xstrdup(text);
	return 0;
}

/* nftw() has no room for userdata. */
static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path) < 0 && errno != ENOENT ? -errno : 0;
}

int state_files_remove_directories(const char *directory, const char *but)
{
	enum { FILES_OPEN = 16 };
	DIR *dir = opendir(directory);
	struct dirent *entry;
	struct stat st;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (r == 0 && (entry = readdir(dir))) {
		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, "..") ||
			str_eq(entry->d_name, but) ||
			fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
			!S_ISDIR(st.st_mode))
			continue;
		_cleanup_free_ char *path = xasprintf("%s/%s", directory, entry->d_name);
		r = nftw(path, remove_one, FILES_OPEN, FTW_DEPTH | FTW_PHYS);
	}
	closedir(dir);
	return r < 0 ? r : 0;
}
