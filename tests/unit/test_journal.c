/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Journal entries, read back from a socket where journald would listen, and lines on stderr. */
#include "edge/journal.h"

#include "base/strbuf.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

static int journal_socket = -1;
static char sent[1 << 16];

/* What `fn` writes to stderr. */
static const char *stderr_of(void (*fn)(struct journal *), bool native)
{
	static char text[4096];
	int pipefd[2], saved = dup(STDERR_FILENO);
	struct stat st;
	char stream[64];
	ssize_t n;

	CHECK(pipe2(pipefd, O_CLOEXEC | O_NONBLOCK) == 0);
	dup2(pipefd[1], STDERR_FILENO);
	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino + (native ? 0 : 1));
	setenv("JOURNAL_STREAM", stream, 1);
	struct journal *j = journal_new(false);
	fn(j);
	journal_free(j);
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = read(pipefd[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	close(pipefd[0]);
	close(pipefd[1]);
	return text;
}

/* The datagram that journald would have got, fields separated by newlines. */
static const char *entry_of(void (*fn)(struct journal *))
{
	ssize_t n;

	stderr_of(fn, true);
	n = recv(journal_socket, sent, sizeof(sent) - 1, MSG_DONTWAIT);
	CHECK(n > 0);
	sent[n] = '\0';
	return sent;
}

static bool has_field(const char *entry, const char *field)
{
	char line[512];

	snprintf(line, sizeof(line), "\n%s\n", field);
	return strstr(entry, line) || strncmp(entry, line + 1, strlen(line) - 1) == 0;
}

static void change(struct journal *j)
{
	struct event e = {
		.kind = EVENT_CHANGED,
		.priority = LOG_NOTICE,
		.message = "ixon: whitelist.ixon.cloud +45.9.9.10 (31 addresses, TTL 300 s)",
		.vendor = "ixon",
		.endpoint = "servers",
		.name = "whitelist.ixon.cloud",
		.set = "inet filter voip4",
		.added = "45.9.9.10",
		.removed = "45.9.9.9",
		.ttl_s = 300,
		.reason = "answer",
		.generation = 17,
		.config = "4f2a91",
	};

	journal_send(j, &e);
}

static void hostile(struct journal *j)
{
	struct event e = {
		.kind = EVENT_ANSWER_REFUSED,
		.priority = LOG_WARNING,
		.message = "a\n<0>b\x1b[2J\xe2\x80\xae"
			   "c\\027",
		.name = "x\nALLOWSYNC_VENDOR=root",
	};

	journal_send(j, &e);
}

static void bare(struct journal *j)
{
	struct event e = {.kind = EVENT_STARTED, .priority = LOG_INFO};

	journal_send(j, &e);
}

static void plain_line(struct journal *j)
{
	journal_log(j, LOG_ERR, "cannot open %s:\n%d", "x", 7);
}

static void line_has_priority_prefix(void)
{
	CHECK_STR(stderr_of(change, false),
		"<5>ixon: whitelist.ixon.cloud +45.9.9.10 (31 addresses, TTL 300 s)\n");
}

static void line_stays_one_line_of_plain_ascii(void)
{
	CHECK_STR(stderr_of(hostile, false), "<4>a\\010<0>b\\027[2J\\226\\128\\174c\\027\n");
}

static void log_line_stays_one_line(void)
{
	CHECK_STR(stderr_of(plain_line, false), "<3>cannot open x:\\0107\n");
}

static void forced_stderr_ignores_the_journal(void)
{
	struct stat st;
	char stream[64];
	int pipefd[2], saved = dup(STDERR_FILENO);
	char text[128];

	CHECK(pipe2(pipefd, O_CLOEXEC | O_NONBLOCK) == 0);
	dup2(pipefd[1], STDERR_FILENO);
	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	struct journal *j = journal_new(true);
	journal_log(j, LOG_INFO, "here");
	journal_free(j);
	dup2(saved, STDERR_FILENO);
	close(saved);
	ssize_t n = read(pipefd[0], text, sizeof(text) - 1);
	close(pipefd[0]);
	close(pipefd[1]);
	CHECK(n > 0);
	text[n] = '\0';
	CHECK_STR(text, "<6>here\n");
}

static void no_stream_variable_means_stderr(void)
{
	unsetenv("JOURNAL_STREAM");
	struct journal *j = journal_new(false);
	journal_log(j, LOG_DEBUG, "on stderr");
	journal_free(j);
	CHECK(recv(journal_socket, sent, sizeof(sent), MSG_DONTWAIT) < 0);
}

static void entry_has_every_field(void)
{
	const char *e = entry_of(change);
	char id[64];

	CHECK(has_field(
		e, "MESSAGE=ixon: whitelist.ixon.cloud +45.9.9.10 (31 addresses, TTL 300 s)"));
	snprintf(id, sizeof(id), "MESSAGE_ID=%s", event_message_id(EVENT_CHANGED));
	CHECK(has_field(e, id));
	CHECK(has_field(e, "PRIORITY=5"));
	CHECK(has_field(e, "ALLOWSYNC_EVENT=changed"));
	CHECK(has_field(e, "ALLOWSYNC_VENDOR=ixon"));
	CHECK(has_field(e, "ALLOWSYNC_ENDPOINT=servers"));
	CHECK(has_field(e, "ALLOWSYNC_NAME=whitelist.ixon.cloud"));
	CHECK(has_field(e, "ALLOWSYNC_SET=inet filter voip4"));
	CHECK(has_field(e, "ALLOWSYNC_ADDED=45.9.9.10"));
	CHECK(has_field(e, "ALLOWSYNC_REMOVED=45.9.9.9"));
	CHECK(has_field(e, "ALLOWSYNC_TTL=300"));
	CHECK(has_field(e, "ALLOWSYNC_REASON=answer"));
	CHECK(has_field(e, "ALLOWSYNC_GENERATION=17"));
	CHECK(has_field(e, "ALLOWSYNC_CONFIG=4f2a91"));
	CHECK(!strstr(e, "ALLOWSYNC_RESULT="));
}

static void entry_cannot_be_given_fields_by_dns(void)
{
	const char *e = entry_of(hostile);

	CHECK(has_field(e, "ALLOWSYNC_NAME=x\\010ALLOWSYNC_VENDOR=root"));
	CHECK(!has_field(e, "ALLOWSYNC_VENDOR=root"));
	CHECK(has_field(e, "MESSAGE=a\\010<0>b\\027[2J\\226\\128\\174c\\027"));
}

static void entry_without_message_says_its_kind(void)
{
	CHECK(has_field(entry_of(bare), "MESSAGE=started"));
}

static void log_line_becomes_an_entry(void)
{
	const char *e = entry_of(plain_line);

	CHECK(has_field(e, "MESSAGE=cannot open x:\\0107"));
	CHECK(has_field(e, "PRIORITY=3"));
}

/* A private /run with a socket of our own where libsystemd sends to. */
static int listen_as_journald(void)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket"};

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0)
		return -errno;
	if (mkdir("/run/systemd", 0755) < 0 || mkdir("/run/systemd/journal", 0755) < 0)
		return -errno;
	journal_socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bind(journal_socket, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return -errno;
	return 0;
}

int main(void)
{
	TAP_RUN(line_has_priority_prefix);
	TAP_RUN(line_stays_one_line_of_plain_ascii);
	TAP_RUN(log_line_stays_one_line);
	TAP_RUN(forced_stderr_ignores_the_journal);
	if (listen_as_journald() == 0) {
		TAP_RUN(no_stream_variable_means_stderr);
		TAP_RUN(entry_has_every_field);
		TAP_RUN(entry_cannot_be_given_fields_by_dns);
		TAP_RUN(entry_without_message_says_its_kind);
		TAP_RUN(log_line_becomes_an_entry);
	} else {
		printf("ok %u - entries # SKIP a private /run needs root\n", ++tap_number);
	}
	return tap_done();
}
