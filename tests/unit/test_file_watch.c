/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file as those that write resolv.conf treat it. */
#include "edge/file_watch.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct loop *loop;
static struct file_watch *watch;
static struct loop_timer *limit;
static char directory[] = "/tmp/file_watch.XXXXXX";
static unsigned calls;

static void on_change(void *userdata)
{
	calls++;
	loop_stop(loop);
}

static void on_limit(void *userdata)
{
	loop_stop(loop);
}

static void nothing(void *userdata)
{
}

/* How often it was told within that time, or until the first. */
static unsigned told(uint64_t limit_ms)
{
	calls = 0;
	loop_timer_arm(limit, limit_ms);
	CHECK_INT(loop_run(loop, nothing, NULL), 0);
	return calls;
}

static void put(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	CHECK(fd >= 0);
	CHECK_INT(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void begin(const char *path)
{
	watch = file_watch_free(watch);
	CHECK_INT(file_watch_new(loop, path, on_change, NULL, &watch), 0);
}

enum { SOON_MS = 20000, NEVER_MS = 3 * FILE_WATCH_DELAY_MS };

static void test_writing_replacing_removing_and_making_are_told_once_each(void)
{
	put("a", "1");
	begin("a");
	put("a", "2");
	put("a", "3");
	CHECK_INT(told(SOON_MS), 1);
	CHECK_INT(told(NEVER_MS), 0);
	put("a.new", "4");
	CHECK_INT(rename("a.new", "a"), 0);
	CHECK_INT(told(SOON_MS), 1);
	CHECK_INT(unlink("a"), 0);
	CHECK_INT(told(SOON_MS), 1);
	put("a", "5");
	CHECK_INT(told(SOON_MS), 1);
	CHECK_INT(told(NEVER_MS), 0);
}

static void test_other_files_are_no_concern(void)
{
	put("a", "1");
	begin("a");
	put("b", "1");
	CHECK_INT(unlink("b"), 0);
	CHECK_INT(told(NEVER_MS), 0);
}

static void test_links_and_their_targets_are_followed(void)
{
	mkdir("one", 0755);
	mkdir("two", 0755);
	put("one/x", "1");
	put("two/y", "1");
	CHECK_INT(symlink("one/x", "link"), 0);
	_cleanup_free_ char *absolute = xasprintf("%s/link", directory);
	begin(absolute);
	put("one/x", "2");
	CHECK_INT(told(SOON_MS), 1);
	CHECK_INT(symlink("two/y", "link.new"), 0);
	CHECK_INT(rename("link.new", "link"), 0);
	CHECK_INT(told(SOON_MS), 1);
	put("one/x", "3");
	CHECK_INT(told(NEVER_MS), 0);
	put("two/y", "2");
	CHECK_INT(told(SOON_MS), 1);
	/* What a link says counts from where the link is. */
	CHECK_INT(symlink("y", "two/beside"), 0);
	_cleanup_free_ char *beside = xasprintf("%s/two/beside", directory);
	begin(beside);
	put("y", "no concern");
	CHECK_INT(told(NEVER_MS), 0);
	put("two/y", "3");
	CHECK_INT(told(SOON_MS), 1);
	begin(absolute);
	/* A loop of links is no endless one here. */
	CHECK_INT(unlink("link"), 0);
	CHECK_INT(symlink("link", "link"), 0);
	CHECK_INT(told(SOON_MS), 1);
}

/* One that is still being written, one that others may read from now on. */
static void test_writing_without_an_end_and_permissions_are_told(void)
{
	put("open", "1");
	begin("open");
	int fd = open("open", O_WRONLY | O_APPEND | O_CLOEXEC);
	CHECK_INT(write(fd, "2", 1), 1);
	CHECK_INT(told(SOON_MS), 1);
	close(fd);
	told(NEVER_MS);
	CHECK_INT(chmod("open", 0600), 0);
	CHECK_INT(told(SOON_MS), 1);
}

static void test_a_file_or_its_directory_moved_away_is_told(void)
{
	CHECK_INT(mkdir("place", 0755), 0);
	put("place/file", "1");
	begin("place/file");
	CHECK_INT(rename("place/file", "place/other"), 0);
	CHECK_INT(told(SOON_MS), 1);
	CHECK_INT(rename("place/other", "place/file"), 0);
	CHECK_INT(told(SOON_MS), 1);
	CHECK_INT(rename("place", "elsewhere"), 0);
	CHECK_INT(told(SOON_MS), 1);
	CHECK_INT(rename("elsewhere", "place"), 0);
	CHECK_INT(told(SOON_MS), 1);
}

static void test_a_directory_may_come_later(void)
{
	begin("late/deep/file");
	mkdir("late", 0755);
	CHECK_INT(told(SOON_MS), 1);
	mkdir("late/deep", 0755);
	CHECK_INT(told(SOON_MS), 1);
	put("late/deep/file", "1");
	CHECK_INT(told(SOON_MS), 1);
}

static void test_a_file_that_never_rests_is_told_all_the_same(void)
{
	put("a", "1");
	begin("a");
	unsigned before = 0;
	for (unsigned i = 0; i < 60 && !before; i++) {
		put("a", "2");
		before = told(20);
	}
	CHECK_INT(before, 1);
}

int main(void)
{
	if (!mkdtemp(directory) || chdir(directory) < 0 || loop_new(&loop) < 0)
		return 1;
	limit = loop_timer_new(loop, on_limit, NULL);
	TAP_RUN(test_writing_replacing_removing_and_making_are_told_once_each);
	TAP_RUN(test_other_files_are_no_concern);
	TAP_RUN(test_links_and_their_targets_are_followed);
	TAP_RUN(test_writing_without_an_end_and_permissions_are_told);
	TAP_RUN(test_a_file_or_its_directory_moved_away_is_told);
	TAP_RUN(test_a_directory_may_come_later);
	TAP_RUN(test_a_file_that_never_rests_is_told_all_the_same);
	file_watch_free(watch);
	loop_timer_free(limit);
	loop_free(loop);
	_cleanup_free_ char *clean = xasprintf("rm -rf '%s'", directory);
	return system(clean) ? 1 : tap_done();
}
