/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Broken configurations and every word that is said of them. broken/NAME.conf is a main file,
 * broken/NAME/ a configuration directory; broken/NAME.expected holds all messages. With --print
 * NAME the messages are printed instead, to write that file from (and to read it critically). */
#include "config_lab.h"

#include <dirent.h>

static char *read_whole(const char *path)
{
	struct strbuf b = STRBUF_NULL;
	char buffer[4096];
	size_t n;
	FILE *f = fopen(path, "r");

	if (!f)
		lab_fail("open", path);
	while ((n = fread(buffer, 1, sizeof(buffer), f)) > 0)
		strbuf_append_bytes(&b, buffer, n);
	fclose(f);
	return strbuf_take(&b);
}

/* What config_load() says of one case. */
static char *messages_of(const char *source, const char *name)
{
	_cleanup_free_ char *file = xasprintf("%s/tests/config/broken/%s.conf", source, name);
	_cleanup_free_ char *directory = xasprintf("%s/tests/config/broken/%s", source, name);
	_cleanup_free_ char *packaged = xasprintf("%s/conf/vendors", source);
	struct diag_list diags = DIAG_LIST_NULL;
	struct config *config;
	struct stat st;
	char *root = lab_new();

	if (stat(directory, &st) == 0)
		lab_link(root, ALLOWSYNCD_CONF_DIR, directory);
	else
		lab_link(root, ALLOWSYNCD_CONF_DIR "/allowsyncd.conf", file);
	lab_link(root, ALLOWSYNCD_VENDOR_DIR, packaged);
	config_load(root, &diags, &config);
	char *messages = lab_messages(root, &diags);
	if (!diags.errors) {
		free(messages);
		messages = xstrdup("(no error)\n");
	}
	config_free(config);
	diag_list_done(&diags);
	lab_free(root);
	return messages;
}

static int only_expected(const struct dirent *d)
{
	const char *dot = strrchr(d->d_name, '.');

	return dot && str_eq(dot, ".expected");
}

static void print_commented(const char *title, const char *text)
{
	printf("# %s\n", title);
	while (*text) {
		size_t len = strcspn(text, "\n");
		printf("#   %.*s\n", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

int main(int argc, char **argv)
{
	struct dirent **entries;
	int failures = 0;

	if (argc == 4 && str_eq(argv[2], "--print")) {
		_cleanup_free_ char *messages = messages_of(argv[1], argv[3]);
		fputs(messages, stdout);
		return 0;
	}
	if (argc != 2) {
		printf("Bail out! usage: %s SOURCE [--print NAME]\n", argv[0]);
		return 1;
	}
	_cleanup_free_ char *directory = xasprintf("%s/tests/config/broken", argv[1]);
	int n = scandir(directory, &entries, only_expected, alphasort);
	if (n < 0)
		lab_fail("scandir", directory);
	for (int i = 0; i < n; i++) {
		char *name = entries[i]->d_name;
		_cleanup_free_ char *path = xasprintf("%s/%s", directory, name);
		_cleanup_free_ char *expected = read_whole(path);
		*strrchr(name, '.') = '\0';
		_cleanup_free_ char *got = messages_of(argv[1], name);
		bool same = str_eq(got, expected);
		printf("%s %d - %s\n", same ? "ok" : "not ok", i + 1, name);
		if (!same) {
			print_commented("expected:", expected);
			print_commented("got:", got);
			failures++;
		}
		free(entries[i]);
	}
	free(entries);
	printf("1..%d\n", n);
	/* the directory must not have been emptied by mistake */
	return failures || n < 30;
}
