#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the configuration from disk: /etc/allowsyncd and /usr/share/allowsyncd below `root`. The
 * only place that knows inih. */
#include "allowsync/config.h"

/* Reads and checks everything. `root`: "" or a directory to read below (for --root). `*ret_config`
 * is always set, and is fit to run when `diags` has no errors. Nothing is printed. */
void config_load(const char *root, struct diag_list *diags, struct config **ret_config);

/* Entries of one text through the checking reader and inih (for the fuzzers and the tests too). */
struct reader_file;
void config_read_text(const char *text, size_t len, const char *name, struct diag_list *diags,
	struct reader_file *ret);
