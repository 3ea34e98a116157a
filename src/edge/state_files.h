#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small text files in a directory of the daemon's own, which root's tools read. */
#include "allowsync/profile.h"

/* Makes the directory, and those above it that are missing. Negative: -errno. */
int state_files_make_directory(const char *directory);
/* Puts the text into the file as a whole: written aside, on the disk, then renamed. A file that
 * holds it already is left as it is. Negative: -errno, and the old file is still there. */
int state_files_put(const char *directory, const char *name, const char *text);
/* No such file, or directory, is fine. Negative: -errno. */
int state_files_remove(const char *directory, const char *name);
/* The names of all regular files with that ending; none when there is no directory. */
int state_files_list(const char *directory, const char *suffix, struct strings *ret);
/* Reads a file of one line, without its end, that is no longer than `max` with it. Negative: -errno
 * (-ENOENT: there is none; -EMSGSIZE; -EBADMSG: not one line). The caller frees the text. */
int state_files_get(const char *directory, const char *name, size_t max, char **ret);
/* Removes the directories in there, with all that is in them, but for the one of that name. They
 * hold files and directories only, as this module makes them. Negative: -errno. */
int state_files_remove_directories(const char *directory, const char *but);
