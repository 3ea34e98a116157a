#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks DNS servers: a question in, the bytes of an answer out. Slots (edge/slot: one c-ares
 * channel, one query in flight, a new source port each) on the loop, 8 growing to 64; queues
 * before them; a deadline, retries and failover of its own.
 *
 * Silence is dear: it holds a slot for the whole timeout. So that names that nobody answers for
 * keep none from those that are answered, what met silence has at most half of the slots, and
 * anything else goes first:
 *  - a question has one round over the servers. While others wait for theirs, it has an eighth of
 *    the timeout a query (100 ms at least): n questions ahead are past in n / 32 such rounds. A
 *    few have all of it at a server that says nothing at all, until it is known whether it is dead.
 *  - after a silent round it waits in line for the others, `tries` in all, with all their time. It
 *    gives up when that takes too long. From its first query on a question takes no longer than
 *    2 * tries + 1 times the servers' timeouts together. (With a max_rate nobody is hurried, and it
 *    is first of all that rate that takes its time.)
 *  - one that ended in silence the last time has one round when those two leave a slot: behind n
 *    others of its kind, after n / 32 rounds. */
#include "allowsync/addr.h"
#include "allowsync/config.h"
#include "core/server_health.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct resolver;

enum resolver_status {
	RESOLVER_ANSWERED, /* bytes from a server, whatever the rcode */
	RESOLVER_TIMEOUT,  /* no server answered in time */
};

enum resolver_breadth {
	RESOLVER_FIRST, /* the servers in their order, until one gives a good answer */
	RESOLVER_EVERY, /* all servers at once, but for those that rest */
};

struct resolver_message {
	const uint8_t *bytes; /* the DNS message, valid during the call */
	size_t len;
	const char *server; /* "127.0.0.1", "[::1]:5353": who gave it */
	bool good;          /* SERVER_GOOD; else a poor one (SERVFAIL, REFUSED, ...) */
};

struct resolver_reply {
	void *cookie; /* as given with the question */
	enum resolver_status status;
	/* ANSWERED: at least one. FIRST: only one, the good one or the best that there was. EVERY:
	 * what each had to say, in the servers' order. */
	const struct resolver_message *messages;
	size_t count;
	const char *server; /* who gave the first of them, or was asked last; "": there is none */
	/* Every server that gave a good answer within the last hour gave one to this question. */
	bool every;
};
typedef void (*resolver_reply_fn)(void *userdata, const struct resolver_reply *reply);

enum resolver_news_kind {
	RESOLVER_SERVER_FAILING, /* while others do not (core/server_news) */
	RESOLVER_SERVER_BACK,
	RESOLVER_SERVER_UNMATCHED, /* much comes that answers nothing (core/server_unmatched) */
};
/* Of one server. Not the place to free the resolver. */
struct resolver_news {
	enum resolver_news_kind kind;
	const char *server;          /* valid as long as the resolver */
	enum server_outcome outcome; /* the last one */
	uint64_t failing_ms;         /* FAILING, BACK: since when nothing good came */
	uint64_t unmatched;          /* UNMATCHED: so many datagrams within a minute */
};
typedef void (*resolver_news_fn)(void *userdata, const struct resolver_news *news);

struct resolver_stats {
	/* Ever, over resolver_carry() too; and now. */
	uint64_t lookups, failed, queries, tcp;
	size_t in_flight, waiting, slots;
};

/* Servers that are a copy of the configuration's, or resolv.conf's when it names none (read once,
 * `resolv_conf` NULL: /etc/resolv.conf; when it does not exist there are none). A question goes
 * through at most `tries` rounds over the servers in their order, `timeout_ms` each; a server that
 * gave an answer, if a poor one (SERVFAIL, REFUSED), is not asked it again. Servers that rest
 * (core/server_health) are left out while another one is there; to find out whether one is back, a
 * question that was answered is sent to it as well, and its answer is used for nothing else.
 *
 * One server has no more than max_in_flight questions at a time and max_rate a second, whoever they
 * are for; the others wait.
 *
 * With RESOLVER_EVERY each server has its own `tries` rounds; but when one has given a good answer,
 * the question waits for another no longer than one whole timeout, and for one that rests not at
 * all. What servers said is kept until the last of them is through, 8 MB in all; above that it
 * counts as not said. Negative: -errno. */
int resolver_new(struct loop *l, const struct config_resolver *config, const char *resolv_conf,
	resolver_reply_fn fn, void *userdata, struct resolver **ret);
/* From now on `fn` is told, with the userdata of the replies. */
void resolver_watch_servers(struct resolver *r, resolver_news_fn fn);
/* How many servers it knows; 0 means that every question times out. */
size_t resolver_server_count(const struct resolver *r);
/* Servers that cannot be asked, which somebody should be told: in resolv.conf no address,
 * link-local without an interface, more than 8; and anywhere those that c-ares refuses, such as
 * link-local ones with c-ares 1.34.0 to 1.34.5. */
size_t resolver_skipped_count(const struct resolver *r);
/* "127.0.0.1, [::1]:5353"; valid as long as the resolver. */
const char *resolver_server_list(const struct resolver *r);
struct resolver_server {
	const char *text; /* valid as long as the resolver */
	struct addr addr;
	enum server_state state;
	enum server_outcome outcome; /* the last one */
	uint64_t failing_ms;         /* since when nothing good has come; 0: not so */
	uint64_t good_ms;            /* the last good answer; 0: none yet */
	bool plain;                  /* it is asked without EDNS */
	uint64_t unmatched;          /* datagrams in its name that answered nothing, ever */
};
/* The i-th of resolver_server_count(). */
void resolver_server(const struct resolver *r, size_t i, struct resolver_server *ret);
/* Asks for A or AAAA of `name` (normalized, absolute). The reply comes later, from the loop, once;
 * never from inside this call. */
void resolver_ask(struct resolver *r, const char *name, enum family family,
	enum resolver_breadth breadth, void *cookie);
const struct resolver_stats *resolver_stats(const struct resolver *r);
/* `to` comes after `from`, and goes on from its counters; of servers that both have, it takes over
 * how they are, and when they are all the same, which names were silent as well. `from` may be
 * NULL. */
void resolver_carry(struct resolver *to, struct resolver *from);
/* Questions under way end without a reply. Takes NULL; returns NULL. Not from inside a reply. */
struct resolver *resolver_free(struct resolver *r);
