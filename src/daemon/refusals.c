/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From logged packets to entries of the journal. */
#include "daemon/refusals.h"

#include "allowsync/event.h"
#include "base/strbuf.h"
#include "edge/loop.h"
#include "edge/nflog.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

enum { RETRY_MS = 5000 };

static void on_packet(void *userdata, uint16_t number, const struct refused_packet *p)
{
	struct refusals *r = userdata;

	refused_take(&r->book, p, loop_now_ms());
}

/* --- the logs --- */

const struct refusals_log *refusals_log_find(const struct refusals *r, unsigned number)
{
	for (size_t i = 0; i < r->log_count; i++) {
		if (r->logs[i].number == number)
			return &r->logs[i];
	}
	return NULL;
}

const char *refusals_log_text(const struct refusals_log *log)
{
	return log->error == EBUSY ? "another program reads it" : strerror(log->error);
}

static void tell_log(const struct refusals *r, const struct refusals_log *log, int error)
{
	_cleanup_free_ char *m =
		error ? xasprintf("NFLOG group %u: %s; what device groups are refused is not seen",
				log->number, refusals_log_text(log))
		      : xasprintf("NFLOG group %u can be read again", log->number);

	r->emit(r->userdata, &(struct event){
				     .kind = error ? EVENT_LOG_FAILED : EVENT_LOG_RECOVERED,
				     .priority = error ? LOG_WARNING : LOG_NOTICE,
				     .message = m,
			     });
}

/* Said when it begins to fail, fails for another reason, and is good again. */
static void note_log(struct refusals *r, struct refusals_log *log, int error, uint64_t now_ms)
{
	int before = log->error;

	log->error = error;
	if (!error)
		log->since_ms = 0;
	else if (!before)
		log->since_ms = now_ms;
	if (error)
		r->retry_ms = now_ms + RETRY_MS;
	if (error != before)
		tell_log(r, log, error);
}

static void bind_log(struct refusals *r, struct refusals_log *log, uint64_t now_ms)
{
	int e = r->nflog ? 0 : nflog_new(r->loop, on_packet, r, &r->nflog);

	if (e == 0)
		e = nflog_bind(r->nflog, log->number);
	note_log(r, log, -e, now_ms);
}

static void try_again(struct refusals *r, uint64_t now_ms)
{
	r->retry_ms = 0;
	for (size_t i = 0; i < r->log_count; i++) {
		if (r->logs[i].error)
			bind_log(r, &r->logs[i], now_ms);
	}
}

static bool logs_to(const struct config *c, unsigned number)
{
	for (size_t i = 0; i < c->devices_count; i++) {
		if (c->devices[i].log_group == number)
			return true;
	}
	return false;
}

/* Those that are bound stay so: nothing that comes meanwhile is lost. */
static void set_logs(struct refusals *r, const struct config *c, uint64_t now_ms)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->log_count; i++) {
		if (logs_to(c, r->logs[i].number))
			r->logs[kept++] = r->logs[i];
		else if (!r->logs[i].error)
			nflog_unbind(r->nflog, r->logs[i].number);
	}
	r->log_count = kept;
	try_again(r, now_ms);
	r->logs = xreallocarray(r->logs, kept + c->devices_count + 1, sizeof(*r->logs));
	for (size_t i = 0; i < c->devices_count; i++) {
		uint16_t number = (uint16_t)c->devices[i].log_group;
		if (refusals_log_find(r, number))
			continue;
		r->logs[r->log_count] = (struct refusals_log){.number = number};
		bind_log(r, &r->logs[r->log_count++], now_ms);
	}
	if (!r->log_count)
		r->nflog = nflog_free(r->nflog);
}

void refusals_set_config(struct refusals *r, const struct config *c, uint64_t now_ms)
{
	const char **names = xcalloc(c->devices_count + 1, sizeof(*names));

	for (size_t i = 0; i < c->devices_count; i++)
		names[i] = c->devices[i].name;
	refused_set_groups(&r->book, names, c->devices_count, now_ms);
	free(names);
	set_logs(r, c, now_ms);
}

/* --- what is told --- */

static bool holds(const struct world *w, const char *name, const struct addr *a)
{
	const struct name *n = names_find(&w->names, name);

	if (!n)
		return false;
	const struct name_family *f = &n->families[a->family];
	for (size_t i = 0; i < f->count; i++) {
		if (addr_eq(&f->addresses[i].addr, a))
			return true;
	}
	return false;
}

const struct removal *refusals_left(
	const struct world *w, const struct history *h, const struct addr *destination)
{
	const struct removal *r;

	for (size_t i = 0; (r = history_get(h, i)); i++) {
		if (r->name && addr_range_has(&r->addr, destination))
			return holds(w, r->name, destination) ? NULL : r;
	}
	return NULL;
}

/* "; a.example.com of acme had it until 2026-11-20T09:18:02Z (linger)" */
static void append_left(struct strbuf *b, const struct removal *left)
{
	char text[40];
	struct tm tm;

	if (!left || !gmtime_r(&left->at, &tm) ||
		!strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		return;
	strbuf_appendf(b, "; %s of %s had it until %s (%s)", left->name,
		left->vendor ? left->vendor : "?", text, left->reason);
}

static const char *what_became(enum refused_mode m)
{
	static const char *const words[] = {
		[REFUSED_REPORT] = "not allowed, and passes as mode = report",
		[REFUSED_ENFORCE] = "refused",
		[REFUSED_DENY] = "denied",
	};

	return words[m];
}

static void tell_flow(const struct refusals *r, const struct world *w, const struct history *h,
	const struct refused_flow *f)
{
	const struct refused_packet *p = &f->last;
	char source[ADDR_TEXT_SIZE], destination[ADDR_TEXT_SIZE], service[SERVICE_TEXT_SIZE];
	char mac[REFUSED_MAC_TEXT_SIZE], interface[IF_NAMESIZE];
	const struct removal *left = refusals_left(w, h, &p->destination);
	_cleanup_(strbuf_done) struct strbuf m = STRBUF_NULL;

	addr_format(&p->source, source);
	addr_format(&p->destination, destination);
	service_format(&p->service, service);
	refused_mac_format(p->mac, mac);
	nflog_interface(p->in_index, interface);
	strbuf_appendf(&m, "%s: %s", f->group->name, source);
	if (p->has_mac || *interface)
		strbuf_appendf(&m, " (%s%s%s)", p->has_mac ? mac : "",
			p->has_mac && *interface ? " on " : "", interface);
	strbuf_appendf(&m, " to %s %s: %s", destination, service, what_became(p->mode));
	append_left(&m, left);
	r->emit(r->userdata, &(struct event){
				     .kind = EVENT_REFUSED,
				     .priority = LOG_NOTICE,
				     .message = strbuf_text(&m),
				     .vendor = left ? left->vendor : NULL,
				     .endpoint = left ? left->endpoint : NULL,
				     .name = left ? left->name : NULL,
				     .reason = refused_mode_name(p->mode),
				     .devices = f->group->name,
				     .device = source,
				     .mac = p->has_mac ? mac : NULL,
				     .destination = destination,
				     .service = service,
				     .count = f->count,
				     .config = w->config->digest,
			     });
}

static void append_top(struct strbuf *b, const struct refused_sum *s)
{
	char source[ADDR_TEXT_SIZE], destination[ADDR_TEXT_SIZE], service[SERVICE_TEXT_SIZE];

	for (size_t i = 0; i < s->top_count; i++) {
		const struct refused_packet *p = &s->top[i]->last;
		strbuf_appendf(b, "%s %s to %s %s (%llu)", i ? "," : ":",
			addr_format(&p->source, source), addr_format(&p->destination, destination),
			service_format(&p->service, service), (unsigned long long)s->top_counts[i]);
	}
	if (s->flows > s->top_count)
		strbuf_appendf(b, ", and %zu more", s->flows - s->top_count);
}

static void tell_sum(const struct refusals *r, const struct world *w, const struct refused_sum *s,
	uint64_t now_ms)
{
	_cleanup_(strbuf_done) struct strbuf m = STRBUF_NULL;
	unsigned long long minutes = (now_ms - s->since_ms + 59999) / 60000;

	strbuf_appendf(&m, "%s: %llu more packet%s not allowed within %llu min", s->group->name,
		(unsigned long long)s->count, s->count == 1 ? "" : "s", minutes ? minutes : 1);
	if (s->flows)
		strbuf_appendf(&m, ", of %zu device%s to %zu destination%s", s->devices,
			s->devices == 1 ? "" : "s", s->destinations,
			s->destinations == 1 ? "" : "s");
	append_top(&m, s);
	if (s->loose)
		strbuf_appendf(&m, "; of %llu of them it is not known (any more)",
			(unsigned long long)s->loose);
	r->emit(r->userdata, &(struct event){
				     .kind = EVENT_REFUSED_SUM,
				     .priority = LOG_NOTICE,
				     .message = strbuf_text(&m),
				     .devices = s->group->name,
				     .count = s->count,
				     .config = w->config->digest,
			     });
}

void refusals_turn(
	struct refusals *r, const struct world *w, const struct history *h, uint64_t now_ms)
{
	const struct refused_flow *f;
	struct refused_sum sum;

	while ((f = refused_next_to_tell(&r->book)))
		tell_flow(r, w, h, f);
	while (refused_next_sum(&r->book, now_ms, &sum))
		tell_sum(r, w, &sum, now_ms);
	if (r->retry_ms && now_ms >= r->retry_ms)
		try_again(r, now_ms);
}

void refusals_flush(
	struct refusals *r, const struct world *w, const struct history *h, uint64_t now_ms)
{
	refused_hurry(&r->book, now_ms);
	refusals_turn(r, w, h, now_ms);
}

uint64_t refusals_next_ms(struct refusals *r, uint64_t now_ms)
{
	uint64_t next = refused_next_ms(&r->book, now_ms);

	return r->retry_ms && r->retry_ms < next ? r->retry_ms : next;
}

/* --- life --- */

void refusals_init(struct refusals *r, struct loop *l, refusals_emit_fn emit, void *userdata)
{
	refused_init(&r->book);
	r->loop = l;
	r->emit = emit;
	r->userdata = userdata;
}

void refusals_done(struct refusals *r)
{
	if (!r->loop)
		return;
	nflog_free(r->nflog);
	refused_done(&r->book);
	free(r->logs);
}
