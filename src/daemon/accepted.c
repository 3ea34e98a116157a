/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Written beside what counts, and then named by it; the rest is swept out. */
#include "daemon/accepted.h"

#include "base/strbuf.h"
#include "edge/config_files.h"
#include "edge/state_files.h"

#include <errno.h>
#include <string.h>

#define CURRENT "current"

static int put_file(const char *root, const struct config_text *t)
{
	_cleanup_free_ char *path = xasprintf("%s%s", root, t->path);
	char *name = strrchr(path, '/');

	*name++ = '\0';
	int r = state_files_make_directory(path);
	return r < 0 ? r : state_files_put(path, name, t->content);
}

int accepted_keep(const char *state, const struct config *c)
{
	_cleanup_free_ char *all = xasprintf("%s/" ACCEPTED_DIRECTORY, state);
	_cleanup_free_ char *root = xasprintf("%s/%s", all, c->digest);
	_cleanup_free_ char *line = xasprintf("%s\n", c->digest);
	int r = state_files_make_directory(root);

	for (size_t i = 0; r == 0 && i < c->text_count; i++)
		r = put_file(root, &c->texts[i]);
	if (r == 0)
		r = state_files_put(all, CURRENT, line);
	/* Whatever else is in there never counts again. */
	return r < 0 ? r : state_files_remove_directories(all, c->digest);
}

/* One word of hexadecimal digits, which is also the name of a directory. */
static bool is_digest(const char *text)
{
	return strlen(text) == sizeof(((struct config *)0)->digest) - 1 &&
	       strspn(text, "0123456789abcdef") == strlen(text);
}

struct config *accepted_load(const char *state, char *why, char **ret_why_not)
{
	_cleanup_free_ char *all = xasprintf("%s/" ACCEPTED_DIRECTORY, state), *reason = why;
	_cleanup_(diag_list_done) struct diag_list diags = DIAG_LIST_NULL;
	_cleanup_free_ char *digest = NULL;
	struct config *c = NULL;
	int r = state_files_get(all, CURRENT, sizeof(c->digest), &digest);

	*ret_why_not = NULL;
	if (r == -ENOENT)
		return NULL;
	if (r < 0 || !is_digest(digest)) {
		*ret_why_not =
			xasprintf("%s/" CURRENT ": %s", all, r < 0 ? strerror(-r) : "names none");
		return NULL;
	}
	_cleanup_free_ char *root = xasprintf("%s/%s", all, digest);
	config_load(root, &diags, &c);
	if (!str_eq(c->digest, digest))
		*ret_why_not = xasprintf("%s is damaged", root);
	else if (diags.errors)
		*ret_why_not = xasprintf("%s has %zu error%s by now", root, diags.errors,
			diags.errors == 1 ? "" : "s");
	if (*ret_why_not)
		return config_free(c);
	c->instead = reason;
	reason = NULL;
	return c;
}
