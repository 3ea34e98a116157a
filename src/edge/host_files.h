#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What /proc and /sys say of this gateway, for core/host.h. */

struct host;

/* `root`: what stands before /proc and /sys, for tests: "" else. */
void host_files_read(const char *root, struct host *ret);
