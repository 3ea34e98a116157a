#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Wires the parts: timer -> names -> resolver -> answer -> names -> wanted -> plan -> commit ->
 * journal. Read engine.c first. */
#include "allowsync/diag.h"
#include "allowsync/event.h"
#include "allowsync/plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct engine;
struct history;
struct loop;
struct refusals;
struct resolver;
struct rules;
struct strings;
struct world;

struct engine_options {
	const char *root;                 /* "" or where to read the configuration below */
	const char *state;                /* the directory for what outlives the daemon */
	const char *resolv_conf;          /* NULL: /etc/resolv.conf */
	bool force_stderr;                /* log to stderr even where the journal listens */
	void (*on_hup)(struct engine *e); /* SIGHUP came; called between two turns */
};

/* Everything open; the sets not looked at and nothing asked yet. Takes the config. Faults
 * are logged. Negative: -errno. */
int engine_new(const struct engine_options *o, struct config *config, struct engine **ret);
/* Until a signal or a fault ends it; the sets stay as they are. */
int engine_run(struct engine *e);
struct engine *engine_free(struct engine *e);

/* For whatever else the loop is to serve; it stays the engine's. */
struct loop *engine_loop(struct engine *e);
/* To the journal and to all subscribers; `engine` is the engine (a sync_event_fn). */
void engine_emit(void *engine, const struct event *event);

/* For the verbs of the control socket. */
const struct world *engine_world(const struct engine *e);
const struct history *engine_history(const struct engine *e);
/* Interfaces with a default route, by name; valid until the next turn. */
const struct strings *engine_uplinks(const struct engine *e);
const struct rules *engine_rules(const struct engine *e);
/* The rules for the running configuration, on this machine as it is now; the caller frees it. */
char *engine_ruleset(const struct engine *e);
const struct resolver *engine_resolver(const struct engine *e);
const struct refusals *engine_refusals(const struct engine *e);
/* Since when no DNS server answers; 0: one does, or none was asked yet. */
uint64_t engine_silent_ms(const struct engine *e);
uint64_t engine_started_ms(const struct engine *e);
uint64_t engine_commit_count(const struct engine *e);
uint64_t engine_dump_count(const struct engine *e);
/* Names whose health changed, sets, commits: whoever wants to see every event. */
typedef void (*engine_event_fn)(void *userdata, const struct event *event);
void *engine_subscribe(struct engine *e, engine_event_fn fn, void *userdata);
void engine_unsubscribe(struct engine *e, void *subscription);

/* Reads aside, checks, swaps, commits: done when it returns. False: the old configuration stays and
 * `diags` has the errors. Warnings come along too. */
bool engine_reload(struct engine *e, struct diag_list *diags);
/* The same on SIGHUP, where nobody waits for the outcome but the journal. */
void engine_reload_on_hup(struct engine *e);
/* Looks at all sets again and gives what would change now; the next turn of the loop does it. */
int engine_diff(struct engine *e, struct plan *ret);
/* Asks for one name, or for all (NULL), now. `done` is called once, from the loop, when each has
 * its answer or its timeout; not when engine_resolve_cancel() comes before. NULL: no such name. */
typedef void (*engine_resolved_fn)(void *userdata);
struct engine_wait;
struct engine_wait *engine_resolve(
	struct engine *e, const char *name, engine_resolved_fn done, void *userdata);
void engine_resolve_cancel(struct engine *e, struct engine_wait *w);
/* Leaves one set, the sets of one vendor, or all (NULL) exactly as they are; or goes on there, also
 * after a release. Returns how many sets; -ENOENT: neither set nor vendor. */
int engine_pause(struct engine *e, const char *target, bool pause);
/* Removes own elements of one set ("inet filter x" or its section's name), of one vendor, or all
 * (NULL), and stays paused for them until the next reload. Returns how many went; -ENOENT: neither
 * set nor vendor; other -errno: the kernel refused. */
int engine_release(struct engine *e, const char *target);
