#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The world as JSON, in the types of io.allowsync. */
#include "daemon/world.h"

#include <stdint.h>
#include <time.h>

struct event;
struct json_t;
struct owner;
struct refused_flow;
struct refusals;
struct resolver;
struct rules;

/* Monotonic times become seconds since 1970 by this pair. */
struct show_clock {
	uint64_t now_ms; /* monotonic */
	int64_t wall_ms; /* at the same moment */
};

/* What the status needs besides the world. */
struct show_context {
	struct show_clock clock;
	const struct history *history;
	const struct resolver *resolver;
	const struct rules *rules;
	const struct refusals *refusals;
	uint64_t silent_ms; /* since when no server answers; 0: one does */
	uint64_t started_ms, commits, dumps;
};

int64_t show_time(const struct show_clock *clock, uint64_t ms);
/* Text that is not UTF-8 (or NULL) becomes its escaped form; always a string. */
struct json_t *show_text(const char *text);
/* Consumes the text. */
void show_add_text(struct json_t *array, char *text);
/* Left out when it is NULL; when it is 0. */
void show_put_text(struct json_t *object, const char *key, const char *text);
void show_put_time(
	struct json_t *object, const char *key, const struct show_clock *clock, uint64_t ms);
/* An address that is denied, or was until of late. */
struct json_t *show_denied(
	const struct show_context *c, const struct world_set *set, const struct denied *d);
/* "denied": what of it the name no longer has. */
void show_put_denied(struct json_t *object, const struct world *w, const struct show_context *c,
	const struct name *n);
/* Zero as well. */
void show_put_count(struct json_t *object, const char *key, uint64_t n);

/* The denials of the family, where there are any. */
void show_put_denials(
	struct json_t *object, const struct show_clock *clock, const struct name_family *f);

struct json_t *show_status(const struct world *w, const struct show_context *c);
struct json_t *show_vendor(
	const struct world *w, const struct show_context *c, const struct config_vendor *v);
struct json_t *show_set(
	const struct world *w, const struct show_context *c, const struct world_set *set);
/* As in the interface: "ok", "degraded"... */
const char *show_set_state(const struct world_set *set);
struct json_t *show_effect(const struct world_set *set);
struct json_t *show_name(const struct world *w, const struct show_context *c, const struct name *n);
struct json_t *show_address(const struct show_context *c, const struct name_address *a);
/* The servers, how they are, and what was asked of them. */
struct json_t *show_resolver(const struct world *w, const struct show_context *c);
/* "refused": why addresses of the family's answers are not used; left out when all are. */
void show_put_refused(struct json_t *object, const struct name_family *f);
/* The first of them, of either family; NULL: all are used. */
const char *show_refused_rule(const struct name *n);
/* "not_for": the name's endpoints that may not have the address, and why; left out when all may. */
void show_put_not_for(
	struct json_t *object, const struct world *w, const struct name *n, const struct addr *a);
/* What of a vendor has reached a bound on addresses. */
struct limited {
	size_t names;
	const struct name *first; /* of them */
	uint64_t names_ms;        /* since when the one that has for longest */
	uint64_t vendor_ms;       /* all its names together; 0: they have not */
};
void show_count_limited(struct limited *l, const struct name *n);
/* A sentence, which the caller frees, and since when that is so; NULL, 0: there is room. */
char *show_limited(const struct limited *l, const struct config_vendor *v);
uint64_t show_limited_ms(const struct limited *l);
/* "rules" and "mark", where anything is for the managed table. */
void show_put_rules(struct json_t *status, const struct world *w, const struct show_context *c);
/* Why its rules are not in force, where they should be: a sentence, which the caller frees, since
 * when, and whether a load failed. NULL: they are. */
char *show_rules_degraded(const struct show_context *c);
uint64_t show_rules_since_ms(const struct show_context *c);
bool show_rules_failed(const struct show_context *c);
/* An address that left. */
struct json_t *show_removal(const struct show_context *c, const struct removal *r);
struct json_t *show_refusal(
	const struct world *w, const struct show_context *c, const struct refused_flow *f);
/* A list: how much the device groups were refused of late. */
struct json_t *show_devices(const struct world *w, const struct show_context *c);
/* What is gathered of it, and what was lost. */
struct json_t *show_refused(const struct show_context *c);
/* Logs that cannot be read, to what is degraded. */
void show_add_unread(struct json_t *list, const struct world *w, const struct show_context *c);

/* A vendor's page, whole: what its profile says, and what is made of each line. First all but its
 * endpoints ("vendor"). */
struct json_t *show_page(
	const struct world *w, const struct show_context *c, const struct config_vendor *v);
/* How far it is told; {0} to begin with. A reload in between does no harm. */
struct show_page_at {
	size_t endpoint, destination;
};
/* Then, in the profile's order, one endpoint ("endpoint") after the other, those with very many
 * destinations in pieces ("more"); NULL: that was all. */
struct json_t *show_page_next(
	const struct world *w, const struct config_vendor *v, struct show_page_at *at);

struct json_t *show_event(const struct event *e);
