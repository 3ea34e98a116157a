/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Feeds each file of the directories given to a fuzz target: what once broke it stays tried, with
 * every compiler and without a fuzzer. Prints TAP. */
#include "base/mem.h"
#include "base/strbuf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static unsigned number, failures;

static bool read_file(const char *path, struct strbuf *ret)
{
	char buf[65536];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		strbuf_append_bytes(ret, buf, (size_t)n);
	close(fd);
	return n == 0;
}

static void replay(const char *dir, const char *name)
{
	_cleanup_(strbuf_done) struct strbuf bytes = STRBUF_NULL;
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name);

	number++;
	if (!read_file(path, &bytes)) {
		printf("not ok %u - %s: %s\n", number, name, strerror(errno));
		failures++;
		return;
	}
	/* A copy of the exact size, so that the sanitizers see each byte read past the end. */
	uint8_t *copy = xmemdup(strbuf_text(&bytes), bytes.len);
	LLVMFuzzerTestOneInput(copy, bytes.len);
	free(copy);
	printf("ok %u - %s\n", number, name);
	fflush(stdout);
}

static int is_visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static bool replay_all(const char *dir)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, is_visible, alphasort);

	if (n <= 0) {
		printf("Bail out! %s: %s\n", dir, n < 0 ? strerror(errno) : "nothing in it");
		return false;
	}
	for (int i = 0; i < n; i++) {
		replay(dir, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return true;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!replay_all(argv[i]))
			return 1;
	printf("1..%u\n", number);
	return failures ? 1 : 0;
}
