/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which resolver the engine asks, and what is said of its servers. */
#include "base/strbuf.h"
#include "core/values.h"
#include "daemon/engine_private.h"
#include "edge/file_watch.h"
#include "edge/loop.h"

#include <string.h>
#include <syslog.h>

static char *describe_failing(const struct resolver_news *news, const char *time)
{
	_cleanup_free_ char *what = news->outcome == SERVER_SILENT ? xstrdup("keeps silent")
				    : news->outcome == SERVER_UNREACHABLE
					    ? xstrdup("cannot be reached")
					    : xasprintf("fails where others do not (%s)",
						      server_outcome_name(news->outcome));

	return xasprintf("DNS server %s %s, and has given no good answer for %s: it is left out "
			 "until it does",
		news->server, what, time);
}

static char *describe(const struct resolver_news *news)
{
	uint64_t failing_s = (loop_now_ms() - news->failing_ms) / 1000;
	char time[32];

	duration_format(failing_s ? failing_s : 1, time);
	switch (news->kind) {
	case RESOLVER_SERVER_FAILING:
		return describe_failing(news, time);
	case RESOLVER_SERVER_BACK:
		return xasprintf("DNS server %s answers again, after %s", news->server, time);
	case RESOLVER_SERVER_UNMATCHED:
		break;
	}
	return xasprintf("in the name of DNS server %s came %llu datagrams within a minute that "
			 "answer nothing it was asked: somebody sends forged answers, or some go "
			 "astray; none was used",
		news->server, (unsigned long long)news->unmatched);
}

static void on_news(void *userdata, const struct resolver_news *news)
{
	static const struct {
		enum event_kind event;
		int priority;
	} kinds[] = {
		[RESOLVER_SERVER_FAILING] = {EVENT_SERVER_FAILING, LOG_WARNING},
		[RESOLVER_SERVER_BACK] = {EVENT_SERVER_RECOVERED, LOG_NOTICE},
		[RESOLVER_SERVER_UNMATCHED] = {EVENT_SERVER_UNMATCHED, LOG_WARNING},
	};
	bool unmatched = news->kind == RESOLVER_SERVER_UNMATCHED;
	struct engine *e = userdata;
	_cleanup_free_ char *m = describe(news);

	engine_emit(e, &(struct event){
			       .kind = kinds[news->kind].event,
			       .priority = kinds[news->kind].priority,
			       .message = m,
			       .server = news->server,
			       .result = unmatched ? NULL : server_outcome_name(news->outcome),
			       .config = e->world->config->digest,
		       });
}

int engine_open_resolver(struct engine *e, const struct config *c, struct resolver **ret)
{
	int r = resolver_new(
		e->loop, &c->resolver, e->options.resolv_conf, engine_on_reply, e, ret);

	if (r == 0)
		resolver_watch_servers(*ret, on_news);
	return r;
}

static void tell(struct engine *e, int priority, const char *message)
{
	engine_emit(e, &(struct event){
			       .kind = EVENT_RESOLVER,
			       .priority = priority,
			       .message = message,
		       });
}

static char *describe_skipped(size_t n)
{
	return xasprintf("%zu resolver%s cannot be used and %s not asked", n, n == 1 ? "" : "s",
		n == 1 ? "is" : "are");
}

/* It gives answers, but only to this machine. */
static bool is_only_the_stub(const struct engine *e)
{
	return !e->world->config->resolver.server_count &&
	       str_eq(resolver_server_list(e->resolver), "127.0.0.53");
}

static void tell_of_stub(struct engine *e)
{
	if (is_only_the_stub(e))
		tell(e, LOG_NOTICE,
			"resolv.conf names 127.0.0.53 only, systemd-resolved on this machine, "
			"which "
			"devices cannot ask: better name the server that they ask (server = in "
			"[resolver])");
}

static bool is_near(const struct engine *e, const struct addr *a)
{
	return addr_is_loopback(a) || addr_is_link_local(a) ||
	       addr_ranges_have(e->world->own.ranges, e->world->own.count, a);
}

void engine_tell_remote_servers(struct engine *e)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;
	struct resolver_server s;

	if (!e->own_told)
		return;
	for (size_t i = 0; i < resolver_server_count(e->resolver); i++) {
		resolver_server(e->resolver, i, &s);
		if (!is_near(e, &s.addr))
			strbuf_appendf(&b, "%s%s", b.len ? ", " : "", s.text);
	}
	if (str_eq(e->remote, b.len ? strbuf_text(&b) : NULL))
		return;
	free(e->remote);
	e->remote = b.len ? strbuf_take(&b) : NULL;
	if (!e->remote)
		return;
	_cleanup_free_ char *m = xasprintf(
		"DNS is asked outside (%s), neither on this machine nor in a network of its own: "
		"whoever is on the way there can forge what opens the firewall",
		e->remote);
	engine_emit(e, &(struct event){
			       .kind = EVENT_SERVER_REMOTE,
			       .priority = LOG_NOTICE,
			       .message = m,
			       .server = e->remote,
			       .config = e->world->config->digest,
		       });
}

void engine_take_resolver(struct engine *e, struct resolver *r)
{
	resolver_free(e->resolver);
	while (e->questions)
		engine_forget_question(e->questions);
	e->resolver = r;
	size_t skipped = r ? resolver_skipped_count(r) : 0;
	if (r && !resolver_server_count(r))
		tell(e, LOG_ERR,
			"no resolver that can be used, neither in [resolver] nor in resolv.conf: "
			"no name can be resolved");
	else if (skipped) {
		_cleanup_free_ char *left_out = describe_skipped(skipped);
		_cleanup_free_ char *m =
			xasprintf("%s; asked are: %s", left_out, resolver_server_list(r));
		tell(e, LOG_WARNING, m);
	}
	if (r) {
		tell_of_stub(e);
		engine_tell_remote_servers(e);
	}
}

/* The old list is what resolver_server_list() said. */
static void tell_switch(struct engine *e, const char *old)
{
	const char *now = resolver_server_list(e->resolver);
	size_t skipped = resolver_skipped_count(e->resolver);
	_cleanup_free_ char *left_out = describe_skipped(skipped);
	_cleanup_free_ char *m =
		xasprintf("resolv.conf has changed: asked %s now %s; before: %s%s%s%s",
			strchr(now, ',') ? "are" : "is",
			*now ? now : "nobody, no name can be resolved", *old ? old : "nobody",
			skipped ? " (" : "", skipped ? left_out : "", skipped ? ")" : "");

	tell(e, !*now ? LOG_ERR : skipped ? LOG_WARNING : LOG_NOTICE, m);
	tell_of_stub(e);
}

/* What failed with the old servers need not wait for its time. */
static void ask_failed_again(struct engine *e)
{
	struct name *n;

	for (size_t at = 0; (n = names_next(&e->world->names, &at));)
		for (int i = 0; i < FAMILY_COUNT; i++)
			if (n->families[i].failures && !n->families[i].in_flight)
				names_ask_now(&e->world->names, &n->families[i], loop_now_ms());
	loop_timer_arm(e->timer, 0);
}

static void on_resolv_conf(void *userdata)
{
	struct engine *e = userdata;
	struct resolver *r;

	if (e->world->config->resolver.server_count)
		return;
	/* What cannot be read now may be in the middle of being written. */
	if (engine_open_resolver(e, e->world->config, &r) < 0)
		return;
	if (str_eq(resolver_server_list(r), resolver_server_list(e->resolver)) &&
		resolver_skipped_count(r) == resolver_skipped_count(e->resolver)) {
		resolver_free(r);
		return;
	}
	_cleanup_free_ char *old = xstrdup(resolver_server_list(e->resolver));
	resolver_carry(r, e->resolver);
	resolver_free(e->resolver);
	e->resolver = r;
	for (struct question *q = e->questions; q; q = q->next)
		resolver_ask(r, q->name, q->family, q->breadth, q);
	ask_failed_again(e);
	tell_switch(e, old);
	engine_tell_remote_servers(e);
}

void engine_watch_resolv_conf(struct engine *e)
{
	const char *path = e->options.resolv_conf ? e->options.resolv_conf : "/etc/resolv.conf";
	int r = file_watch_new(e->loop, path, on_resolv_conf, e, &e->resolv_conf);

	if (r < 0) {
		_cleanup_free_ char *m = xasprintf(
			"changes of resolv.conf will only be seen at a reload: %s", strerror(-r));
		tell(e, LOG_WARNING, m);
	}
}
