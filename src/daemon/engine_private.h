#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the engine share. */
#include "core/outage.h"
#include "daemon/endings.h"
#include "daemon/engine.h"
#include "daemon/refusals.h"
#include "daemon/rules.h"
#include "daemon/saved.h"
#include "daemon/summaries.h"
#include "daemon/sync.h"
#include "daemon/waits.h"
#include "daemon/watch.h"
#include "daemon/world.h"
#include "edge/resolver.h"

struct subscription {
	struct subscription *next;
	engine_event_fn fn;
	void *userdata;
};

/* A question that the resolver has. The name may be gone, or another object, when the reply comes.
 */
struct question {
	struct question *next, **back;
	char *name;
	enum family family;
	enum resolver_breadth breadth;
};

struct engine {
	struct engine_options options;
	struct loop *loop;
	struct loop_timer *timer, *watchdog;
	struct loop_signal *sigterm, *sigint, *sighup;
	struct journal *journal;
	struct nft_conn *conn;
	struct resolver *resolver;
	struct file_watch *resolv_conf;
	struct world *world;
	struct history history;
	struct sync sync;
	struct watch watch;
	struct nft_rules *reader; /* of rules that use sets */
	struct nft_mark *mark_reader;
	struct rules rules;
	struct own_net *own_net;
	struct addr_range *own_ranges; /* as it last told */
	bool own_told;                 /* it has, if of none */
	char *remote;                  /* the servers outside, as they were last told; NULL: none */
	struct endings endings;
	uint64_t effect_ms; /* look then which rules use the sets; 0: no need */
	struct subscription *subscriptions;
	struct waits waits;
	struct saved saved;
	struct summaries summaries;
	struct refusals refusals;
	struct outage outage;
	struct question *questions;
	uint64_t started_ms;
	bool ready;
	bool news;          /* an event was told since the status was */
	bool reload_wanted; /* SIGHUP came */
	char *status;       /* last told to the service manager */
	uint64_t status_ms; /* not told again before that */
};

/* A resolver for that configuration, whose replies come to the engine. Negative: -errno. */
int engine_open_resolver(struct engine *e, const struct config *c, struct resolver **ret);
/* Ends the resolver and forgets its questions; takes the new one's place. */
void engine_take_resolver(struct engine *e, struct resolver *r);
/* Who is asked, or where this router is, may have changed: tells of servers that are neither on
 * this machine nor in a network of its own, once. */
void engine_tell_remote_servers(struct engine *e);
/* From now on, when resolv.conf names other servers and the configuration none, there is another
 * resolver, which is asked everything that is under way. */
void engine_watch_resolv_conf(struct engine *e);
/* Keeps a copy of the configuration that is in force, for a start with broken files. */
void engine_keep_config(struct engine *e);
/* One question is over. */
void engine_forget_question(struct question *q);
/* A resolver_reply_fn: from the answer to the wanted sets. */
void engine_on_reply(void *engine, const struct resolver_reply *reply);
/* A loop_fn, after each round of events: asks what is due, lets go of what is over, commits. */
void engine_turn(void *engine);
