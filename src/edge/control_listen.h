#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The listening end of the control socket: made under a tight umask, or handed over. */

struct listener;

/* As control_new(). */
int listener_new(int fd, const char *path, const char *group, struct listener **ret);
int listener_fd(const struct listener *s);
/* Removes the socket from the file system if it is still the one that was made. Takes NULL. */
struct listener *listener_free(struct listener *s);
