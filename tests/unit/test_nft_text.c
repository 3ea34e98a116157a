/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text to nft through a child: with the real one in a private network namespace, and with programs
 * that do what nft should never do. */
#include "edge/nft_text.h"

#include "edge/loop.h"
#include "nft_lab.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct loop *loop;
static struct nft_text *nft;
static char directory[] = "/tmp/nft-text.XXXXXX", program[64];
static struct nft_text_end last;
static char said[NFT_TEXT_SAID_MAX + 1];
static size_t ends;
static const char *next_text;

static void on_end(void *userdata, const struct nft_text_end *end)
{
	last = *end;
	snprintf(said, sizeof(said), "%s", end->said);
	ends++;
	if (next_text) {
		const char *text = next_text;
		next_text = NULL;
		nft_text_load(nft, text);
	} else {
		loop_stop(loop);
	}
}

static void no_turn(void *userdata)
{
}

/* True: it came to an end, as told in `last`. */
static bool run(const char *text)
{
	size_t before = ends;

	if (nft_text_load(nft, text) < 0)
		return false;
	return loop_run(loop, no_turn, NULL) == 0 && ends > before;
}

static void use(const char *path)
{
	nft = nft_text_free(nft);
	nft = nft_text_new(loop, path, on_end, NULL);
}

/* A shell script in place of nft. */
static void use_script(const char *body)
{
	snprintf(program, sizeof(program), "%s/nft", directory);
	unlink(program);
	FILE *f = fopen(program, "we");
	fprintf(f, "#!/bin/sh\n%s\n", body);
	fclose(f);
	chmod(program, 0700);
	use(program);
}

static void text_is_loaded_whole(void)
{
	use(NFT_TEXT_PROGRAM);
	CHECK(run("table inet t { set s { type ipv4_addr; }\n}\n"));
	CHECK_INT(last.outcome, NFT_TEXT_DONE);
	CHECK_STR(said, "");
	CHECK_INT(nft_text_pid(nft), 0);
	CHECK_STR(lab_output("nft list tables"), "table inet t\n");
	/* larger than any pipe */
	enum { COUNT = 50000 };
	char *text = xcalloc(1, COUNT * 64 + 64), *at = text;
	at += sprintf(at, "flush ruleset\ntable inet u { chain c {\n");
	for (int i = 0; i < COUNT; i++)
		at += sprintf(at, "# %d: a comment to make it long\n", i);
	sprintf(at, "accept\n}\n}\n");
	CHECK(run(text));
	free(text);
	CHECK_INT(last.outcome, NFT_TEXT_DONE);
	CHECK(strstr(lab_output("nft list ruleset"), "accept"));
}

static void what_nft_says_is_told_and_nothing_is_loaded(void)
{
	use(NFT_TEXT_PROGRAM);
	CHECK(run("flush ruleset\ntable inet t { }\nadd rule inet t none accept\n"));
	CHECK_INT(last.outcome, NFT_TEXT_REFUSED);
	CHECK_INT(last.status, 1);
	CHECK(strstr(said, "Error: ") && strstr(said, "No such file or directory"));
	CHECK_INT(lab_count(lab_output("nft list tables"), "inet t\n"), 0);
}

static void its_notices_name_its_pid(void)
{
	use_script("echo $$; exit 3");
	CHECK(nft_text_load(nft, "") == 0);
	pid_t pid = nft_text_pid(nft);
	CHECK(pid > 0);
	CHECK_INT(nft_text_load(nft, ""), -EBUSY);
	CHECK_INT(loop_run(loop, no_turn, NULL), 0);
	CHECK_INT(last.pid, pid);
	CHECK_INT(atoi(said), pid);
	CHECK_INT(last.status, 3);
}

static void a_signal_is_told(void)
{
	use_script("kill -SEGV $$");
	CHECK(run(""));
	CHECK_INT(last.outcome, NFT_TEXT_KILLED);
	CHECK_INT(last.status, SIGSEGV);
}

static void a_program_that_is_not_there_is_an_error(void)
{
	use("/nowhere/nft");
	size_t before = ends;
	CHECK_INT(nft_text_load(nft, ""), -ENOENT);
	CHECK_INT(nft_text_pid(nft), 0);
	CHECK_INT(ends, before);
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void it_gets_nothing_but_the_text(void)
{
	/* What the test itself was given is no fault of the child's. */
	for (int fd = 3; fd < 1024; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	setenv("LEAKED", "yes", 1);
	signal(SIGPIPE, SIG_IGN);
	use_script("env | grep -v -e ^PWD= -e ^_=; cat; for f in /proc/$$/fd/[3-9]; do "
		   "[ -e $f ] && echo $f; done; grep -c 'SigIgn:.*0000000$' /proc/$$/status; "
		   "echo $0 \"$@\"");
	CHECK(run("the text\n"));
	/* The shell's own descriptors are from 10 on, the C library's signals beyond 31. */
	_cleanup_free_ char *want = xasprintf("LC_ALL=C\nthe text\n1\n%s -f -\n", program);
	CHECK_STR(said, want);
	unsetenv("LEAKED");
}

static void a_flood_of_words_is_cut_and_does_not_stop_it(void)
{
	use_script("i=0; while [ $i -lt 20000 ]; do echo 'a line of some length'; i=$((i+1)); "
		   "done; exit 5");
	CHECK(run(""));
	CHECK_INT(last.outcome, NFT_TEXT_REFUSED);
	CHECK_INT(last.status, 5);
	CHECK_INT(strlen(said), NFT_TEXT_SAID_MAX);
}

static void one_that_closed_its_outputs_is_waited_for(void)
{
	use_script("exec >&- 2>&-; sleep 0.2; exit 7");
	CHECK(run(""));
	CHECK_INT(last.status, 7);
}

static void one_that_leaves_somebody_behind_is_over(void)
{
	use_script("sleep 30 & echo $!; exit 0");
	CHECK(run(""));
	CHECK_INT(last.outcome, NFT_TEXT_DONE);
	kill(atoi(said), SIGKILL);
}

/* At the deadline, which is that of the header. */
static void one_that_hangs_is_killed(void)
{
	use_script("sleep 100000 & echo $!; wait");
	uint64_t start_ms = loop_now_ms();
	CHECK(run(""));
	CHECK_INT(last.outcome, NFT_TEXT_LATE);
	CHECK(loop_now_ms() - start_ms >= NFT_TEXT_DEADLINE_MS);
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	/* With what it had started: gone, or waited for by nobody. Nobody is told when. */
	_cleanup_free_ char *command =
		xasprintf("grep -s '^State:' /proc/%d/status | grep -v Z", atoi(said));
	for (int i = 0; i < 1000 && *lab_output(command); i++)
		usleep(10000);
	CHECK_STR(lab_output(command), "");
}

static void another_may_follow_from_the_callback(void)
{
	use_script("cat");
	next_text = "second";
	CHECK(run("first"));
	CHECK_STR(said, "second");
}

static void freeing_ends_the_child(void)
{
	use_script("sleep 100000");
	CHECK_INT(nft_text_load(nft, ""), 0);
	pid_t pid = nft_text_pid(nft);
	nft = nft_text_free(nft);
	CHECK(kill(pid, 0) < 0 && errno == ESRCH);
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

int main(void)
{
	if (!lab_enter())
		return 0;
	if (loop_new(&loop) < 0 || !mkdtemp(directory))
		return 1;
	TAP_RUN(text_is_loaded_whole);
	TAP_RUN(what_nft_says_is_told_and_nothing_is_loaded);
	TAP_RUN(its_notices_name_its_pid);
	TAP_RUN(a_signal_is_told);
	TAP_RUN(a_program_that_is_not_there_is_an_error);
	TAP_RUN(it_gets_nothing_but_the_text);
	TAP_RUN(a_flood_of_words_is_cut_and_does_not_stop_it);
	TAP_RUN(one_that_closed_its_outputs_is_waited_for);
	TAP_RUN(one_that_leaves_somebody_behind_is_over);
	TAP_RUN(one_that_hangs_is_killed);
	TAP_RUN(another_may_follow_from_the_callback);
	TAP_RUN(freeing_ends_the_child);
	nft_text_free(nft);
	loop_free(loop);
	unlink(program);
	rmdir(directory);
	return tap_done();
}
