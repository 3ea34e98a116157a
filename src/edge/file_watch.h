#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells when a file may be another one or have another content: written, replaced, gone, back;
 * itself, or a symbolic link on the way to it. Needs no more than the right to read (inotify). */
#include "edge/loop.h"

struct file_watch;

enum { FILE_WATCH_DELAY_MS = 200 };

/* `fn` is called from the loop, FILE_WATCH_DELAY_MS after the first of several changes; maybe when
 * nothing has changed. Negative: -errno. */
int file_watch_new(
	struct loop *l, const char *path, loop_fn fn, void *userdata, struct file_watch **ret);
/* May be called from the callback only as its last act. Takes NULL; returns NULL. */
struct file_watch *file_watch_free(struct file_watch *w);
