#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A root directory below /tmp with a configuration in it, for config_load(). */
#include "base/mem.h"
#include "base/strbuf.h"
#include "build_config.h"
#include "edge/config_files.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static inline void lab_fail(const char *what, const char *path)
{
	printf("Bail out! %s %s: %s\n", what, path, strerror(errno));
	exit(1);
}

/* The caller frees it. */
static inline char *lab_new(void)
{
	char *root = xstrdup("/tmp/allowsyncd-config-XXXXXX");

	if (!mkdtemp(root))
		lab_fail("mkdtemp", root);
	return root;
}

static inline void lab_make_parents(const char *path)
{
	_cleanup_free_ char *copy = xstrdup(path);

	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			lab_fail("mkdir", copy);
		*slash = '/';
	}
}

/* `path` is the one on the running system: ALLOWSYNCD_CONF_DIR "/allowsyncd.conf". */
static inline void lab_write_bytes(const char *root, const char *path, const char *text, size_t len)
{
	_cleanup_free_ char *full = xasprintf("%s%s", root, path);

	lab_make_parents(full);
	FILE *f = fopen(full, "w");
	if (!f || fwrite(text, 1, len, f) != len || fclose(f) != 0)
		lab_fail("write", full);
}

static inline void lab_write(const char *root, const char *path, const char *text)
{
	lab_write_bytes(root, path, text, strlen(text));
}

static inline void lab_link(const char *root, const char *path, const char *target)
{
	_cleanup_free_ char *full = xasprintf("%s%s", root, path);

	lab_make_parents(full);
	if (symlink(target, full) < 0)
		lab_fail("symlink", full);
}

static inline int lab_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static inline void lab_free(char *root)
{
	nftw(root, lab_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(root);
}

static inline void lab_replace(struct strbuf *b, const char *from, const char *to)
{
	struct strbuf out = STRBUF_NULL;
	const char *p = strbuf_text(b), *hit;

	while ((hit = strstr(p, from))) {
		strbuf_append_bytes(&out, p, (size_t)(hit - p));
		strbuf_append(&out, to);
		p = hit + strlen(from);
	}
	strbuf_append(&out, p);
	strbuf_done(b);
	*b = out;
}

/* Every diagnostic on a line of its own, with the paths that differ from build to build named. */
static inline char *lab_messages(const char *root, const struct diag_list *diags)
{
	struct strbuf b = STRBUF_NULL;

	for (size_t i = 0; i < diags->count; i++) {
		_cleanup_free_ char *line = diag_format(&diags->items[i]);
		strbuf_appendf(&b, "%s\n", line);
	}
	strbuf_append(&b, "");
	lab_replace(&b, ALLOWSYNCD_VENDOR_DIR, "@VENDORS@");
	lab_replace(&b, ALLOWSYNCD_CONF_DIR, "@CONF@");
	lab_replace(&b, root, "@ROOT@");
	return strbuf_take(&b);
}
