/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edge/state_files: files that are there whole or not at all. */
#include "edge/state_files.h"

#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char top[] = "/tmp/state_files.XXXXXX";
static char dir[sizeof(top) + 16];

static const char *path_of(const char *name)
{
	static char path[sizeof(dir) + 64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static const char *read_back(const char *name)
{
	static char text[256];
	FILE *f = fopen(path_of(name), "re");

	if (!f)
		return NULL;
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return text;
}

static struct stat stat_of(const char *name)
{
	struct stat st = {0};

	stat(name ? path_of(name) : dir, &st);
	return st;
}

static void directory_is_made_with_those_above_it_for_all_to_read(void)
{
	CHECK_INT(state_files_make_directory(dir), 0);
	CHECK_INT(state_files_make_directory(dir), 0);
	CHECK_INT(stat_of(NULL).st_mode & 07777, 0755);
}

static void text_is_put_for_all_to_read(void)
{
	CHECK_INT(state_files_put(dir, "a.nft", "one\n"), 0);
	CHECK_STR(read_back("a.nft"), "one\n");
	CHECK_INT(stat_of("a.nft").st_mode & 07777, 0644);
}

static void same_text_is_not_written_again(void)
{
	ino_t before = stat_of("a.nft").st_ino;

	CHECK_INT(state_files_put(dir, "a.nft", "one\n"), 0);
	CHECK(stat_of("a.nft").st_ino == before);
}

static void other_text_takes_its_place_in_one_step(void)
{
	int fd = open(path_of("a.nft"), O_RDONLY | O_CLOEXEC);
	char old[8] = "";

	CHECK_INT(state_files_put(dir, "a.nft", "two\n"), 0);
	CHECK_STR(read_back("a.nft"), "two\n");
	CHECK_INT(read(fd, old, sizeof(old) - 1), 4);
	CHECK_STR(old, "one\n");
	close(fd);
}

static void leftovers_of_a_crash_are_no_obstacle(void)
{
	fclose(fopen(path_of(".new"), "we"));
	CHECK_INT(state_files_put(dir, "a.nft", "three\n"), 0);
	CHECK(access(path_of(".new"), F_OK) < 0);
}

static void link_in_place_of_the_file_is_replaced_not_followed(void)
{
	CHECK_INT(state_files_put(dir, "victim", "kept\n"), 0);
	CHECK_INT(symlink("victim", path_of("b.nft")), 0);
	CHECK_INT(state_files_put(dir, "b.nft", "text\n"), 0);
	CHECK_STR(read_back("victim"), "kept\n");
	CHECK_STR(read_back("b.nft"), "text\n");
}

static void list_has_files_of_that_ending_only(void)
{
	struct strings names = {0};

	CHECK_INT(mkdir(path_of("d.nft"), 0700), 0);
	CHECK_INT(state_files_list(dir, ".nft", &names), 0);
	CHECK_INT(names.count, 2);
	CHECK(strings_has(&names, "a.nft") && strings_has(&names, "b.nft"));
	strings_done(&names);
}

static void removed_is_gone_and_gone_is_fine(void)
{
	CHECK_INT(state_files_remove(dir, "a.nft"), 0);
	CHECK_INT(state_files_remove(dir, "a.nft"), 0);
	CHECK(!read_back("a.nft"));
	CHECK_INT(state_files_remove("/nowhere/at/all", "a.nft"), 0);
}

static void what_is_in_the_way_is_an_error(void)
{
	char below[sizeof(dir) + 64];

	snprintf(below, sizeof(below), "%s/victim/elements.d", dir);
	CHECK_INT(state_files_make_directory(below), -ENOTDIR);
	CHECK_INT(state_files_put(below, "a.nft", "x"), -ENOTDIR);
	CHECK_INT(state_files_put(dir, "d.nft", "x"), -EISDIR);
	CHECK(access(path_of(".new"), F_OK) < 0);
}

int main(void)
{
	umask(0077);
	if (!mkdtemp(top))
		return 1;
	snprintf(dir, sizeof(dir), "%s/state/sub.d", top);
	TAP_RUN(directory_is_made_with_those_above_it_for_all_to_read);
	TAP_RUN(text_is_put_for_all_to_read);
	TAP_RUN(same_text_is_not_written_again);
	TAP_RUN(other_text_takes_its_place_in_one_step);
	TAP_RUN(leftovers_of_a_crash_are_no_obstacle);
	TAP_RUN(link_in_place_of_the_file_is_replaced_not_followed);
	TAP_RUN(list_has_files_of_that_ending_only);
	TAP_RUN(removed_is_gone_and_gone_is_fine);
	TAP_RUN(what_is_in_the_way_is_an_error);
	char command[64];
	snprintf(command, sizeof(command), "rm -r %s", top);
	return system(command) ? 1 : tap_done();
}
