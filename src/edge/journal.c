/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events as journal entries, or as lines on stderr where that is all there is. */
#include "edge/journal.h"

#include "base/mem.h"
#include "base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

enum { FIELDS_MAX = 26 };

struct journal {
	bool native;
};

/* One entry in the making: each field is "NAME=value" in its own allocation. */
struct entry {
	struct iovec fields[FIELDS_MAX];
	size_t count;
};

struct journal *journal_new(bool force_stderr)
{
	struct journal *j = xcalloc(1, sizeof(*j));
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	/* Sending succeeds also when nobody listens: only a stderr that the service manager
	 * connected to the journal proves that there is one. */
	if (!force_stderr && stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
		fstat(STDERR_FILENO, &st) == 0)
		j->native = st.st_dev == dev && st.st_ino == ino;
	return j;
}

/* Makes printable ASCII of anything. Texts come escaped already as a rule: a backslash stays as it
 * is, so that doing it again changes nothing. */
static void append_ascii(struct strbuf *b, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c >= ' ' && c <= '~')
			strbuf_append_char(b, *s);
		else
			strbuf_appendf(b, "\\%03u", c);
	}
}

static void entry_add(struct entry *e, const char *field, const char *value)
{
	struct strbuf b = STRBUF_NULL;

	if (!value || !*value || e->count == FIELDS_MAX)
		return;
	strbuf_append(&b, field);
	strbuf_append_char(&b, '=');
	append_ascii(&b, value);
	e->fields[e->count].iov_len = b.len;
	e->fields[e->count].iov_base = strbuf_take(&b);
	e->count++;
}

static void entry_add_number(struct entry *e, const char *field, unsigned long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", value);
	entry_add(e, field, text);
}

static void entry_done(struct entry *e)
{
	for (size_t i = 0; i < e->count; i++)
		free(e->fields[i].iov_base);
}

/* One write a line: lines of several processes on one pipe do not mix. */
static void send_line(int priority, const char *message)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;

	strbuf_appendf(&b, "<%d>", priority);
	append_ascii(&b, message);
	strbuf_append_char(&b, '\n');
	/* A log that cannot be written has nowhere to say so. */
	if (write(STDERR_FILENO, b.data, b.len) < 0)
		return;
}

static void send_entry(struct journal *j, struct entry *e, int priority, const char *message)
{
	if (!j->native || sd_journal_sendv(e->fields, (int)e->count) < 0)
		send_line(priority, message);
	entry_done(e);
}

void journal_send(struct journal *j, const struct event *e)
{
	const char *message = e->message && *e->message ? e->message : event_kind_name(e->kind);
	int priority = e->priority & LOG_PRIMASK;
	struct entry x = {.count = 0};

	if (j->native) {
		entry_add(&x, "MESSAGE", message);
		entry_add(&x, "MESSAGE_ID", event_message_id(e->kind));
		entry_add_number(&x, "PRIORITY", (unsigned long)priority);
		entry_add(&x, "ALLOWSYNC_EVENT", event_kind_name(e->kind));
		entry_add(&x, "ALLOWSYNC_VENDOR", e->vendor);
		entry_add(&x, "ALLOWSYNC_ENDPOINT", e->endpoint);
		entry_add(&x, "ALLOWSYNC_NAME", e->name);
		entry_add(&x, "ALLOWSYNC_SERVER", e->server);
		entry_add(&x, "ALLOWSYNC_SET", e->set);
		entry_add(&x, "ALLOWSYNC_ADDED", e->added);
		entry_add(&x, "ALLOWSYNC_REMOVED", e->removed);
		entry_add(&x, "ALLOWSYNC_CHANGES", e->changes);
		if (e->ttl_s)
			entry_add_number(&x, "ALLOWSYNC_TTL", e->ttl_s);
		entry_add(&x, "ALLOWSYNC_REASON", e->reason);
		entry_add(&x, "ALLOWSYNC_RESULT", e->result);
		if (e->generation)
			entry_add_number(&x, "ALLOWSYNC_GENERATION", e->generation);
		entry_add(&x, "ALLOWSYNC_DEVICES", e->devices);
		entry_add(&x, "ALLOWSYNC_DEVICE", e->device);
		entry_add(&x, "ALLOWSYNC_MAC", e->mac);
		entry_add(&x, "ALLOWSYNC_DESTINATION", e->destination);
		entry_add(&x, "ALLOWSYNC_SERVICE", e->service);
		if (e->count)
			entry_add_number(&x, "ALLOWSYNC_COUNT", e->count);
		entry_add(&x, "ALLOWSYNC_CONFIG", e->config);
		entry_add(&x, "ALLOWSYNC_FILE", e->file);
		if (e->line)
			entry_add_number(&x, "ALLOWSYNC_LINE", e->line);
	}
	send_entry(j, &x, priority, message);
}

void journal_log(struct journal *j, int priority, const char *fmt, ...)
{
	struct entry x = {.count = 0};
	va_list ap;

	va_start(ap, fmt);
	char *message = xvasprintf(fmt, ap);
	va_end(ap);
	priority &= LOG_PRIMASK;
	if (j->native) {
		entry_add(&x, "MESSAGE", message);
		entry_add_number(&x, "PRIORITY", (unsigned long)priority);
	}
	send_entry(j, &x, priority, message);
	free(message);
}

struct journal *journal_free(struct journal *j)
{
	free(j);
	return NULL;
}
