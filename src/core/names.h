#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every name we ask for: when to ask again, which addresses it holds and how long each stays. Pure:
 * the time is an argument (monotonic milliseconds). A and AAAA live apart. */
#include "allowsync/addr.h"
#include "allowsync/answer.h"
#include "allowsync/config.h"
#include "base/heap.h"
#include "base/map.h"
#include "core/negatives.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct name_address {
	struct addr addr;
	bool denied; /* it is missing because the name was denied, not because an answer lacks it */
	uint32_t ttl_s; /* as last seen */
	uint64_t first_ms, last_ms;
	uint64_t missing_ms; /* when the first answer that lacks it came, or the first of the
			      * denials that were confirmed; 0: DNS gives it */
	uint64_t leaves_ms;  /* missing_ms + linger; 0: DNS gives it */
};

struct name;

struct name_family {
	struct name *name;
	enum family family;
	struct heap_item ask;   /* in names.asks unless a question is under way */
	struct heap_item leave; /* in names.leaves while any address lingers: the earliest */
	struct name_address
		*addresses; /* sorted by addr_cmp: those DNS gives and those that linger */
	size_t count, capacity;
	enum answer_outcome outcome; /* of the last answer; meaningless before the first */
	bool in_flight;
	bool ask_again;   /* as soon as the one under way is answered */
	bool asked;       /* any outcome has come */
	bool answered;    /* an OK answer has come, in this process or before a reload */
	bool whole;       /* and one that was not partial */
	uint64_t sent_ms; /* when the last question was taken */
	uint64_t asked_ms, answered_ms; /* when the last outcome came, and the last OK one */
	struct negatives negatives;     /* since the last OK answer */
	/* 0: the last answer was one. NODATA is none only where there were addresses before and the
	 * other family has no OK answer either. */
	uint64_t failing_since_ms;
	unsigned failures; /* in a row, without any answer */
	/* The same by kind, 255 at most: what the back-off rests on. */
	uint8_t failed[ANSWER_OUTCOME_COUNT];
	uint32_t ttl_s; /* of the last OK answer */
	/* Largest TTL of the running hour and of the one before: what the default linger rests on.
	 */
	uint32_t ttl_max_s, ttl_max_before_s;
	uint64_t ttl_max_ms; /* when the running hour began */
	uint64_t limited_ms; /* since when it has more than there is room for; 0: it has not */
	char *chain;         /* "a.example -> b.example", of the last OK answer; NULL: none */
	char *server;        /* who gave the last answer; NULL before it */
};

struct name {
	char *text;
	struct config_bounds bounds;
	/* The longest explicit linger among those who want it, where another takes the default. */
	uint32_t linger_least_s;
	struct name_family families[FAMILY_COUNT];
	void *userdata; /* whoever made the name: what it feeds */
};

struct names {
	struct map by_text;
	struct heap asks, leaves;
	uint64_t random_state; /* for the jitter */
};

/* One address that entered or left; `address` is a copy. */
struct name_change {
	struct name_family *family;
	struct name_address address;
	bool entered;
	/* Static text: "answer", "linger", "denied", "limit" (core/limits.h), or what names_drop()
	 * says. */
	const char *reason;
};
struct name_changes {
	struct name_change *items;
	size_t count, capacity;
};
#define NAME_CHANGES_NULL ((struct name_changes){0})

enum {
	NAMES_JITTER_MAX_MS = 500, /* late by at most min(5 %, this) */
	NAMES_LINGER_MIN_S = 60,   /* bounds of the default linger */
	NAMES_LINGER_MAX_S = 3600,
	NAMES_TTL_MEMORY_S = 3600,   /* what "lately" means for the largest TTL */
	NAMES_LEAVE_GRACE_MS = 1000, /* an end of linger waits so long for an answer under way */
};

/* Judged by A, and by AAAA only for names that never gave an A: trouble with AAAA beside a good A
 * is none of the name's. */
enum name_health {
	NAME_OK,
	NAME_NEVER,   /* asked for both families, and has never resolved: a note */
	NAME_STOPPED, /* resolved before, does not now: degradation */
	NAME_PENDING, /* answers are still awaited */
};

void names_init(struct names *n, uint64_t seed);
void names_done(struct names *n);
/* The name (normalized text), made and due at once when it is new; both families are asked. Bounds
 * of a name wanted twice: the shorter refresh and revocation, the longer linger, more addresses. */
struct name *names_add(
	struct names *n, const char *text, const struct config_bounds *bounds, uint64_t now_ms);
struct name *names_find(const struct names *n, const char *text);
struct name *names_next(const struct names *n, size_t *at);
/* Moves the state of every name that both know (addresses, clocks, what was answered) from `old`
 * to `n`, whose bounds count from now on. A question under way in `old` is due again in `n`. */
void names_carry_over(struct names *n, struct names *old, uint64_t now_ms);

/* When something is due next; UINT64_MAX: never. */
uint64_t names_next_ms(const struct names *n);
/* The next one to ask, marked as under way, or NULL. */
struct name_family *names_take_due(struct names *n, uint64_t now_ms);
/* Ask as soon as possible, whatever the clock says; and once more when a question is under way,
 * which may have been answered already with what was true before. */
void names_ask_now(struct names *n, struct name_family *f, uint64_t now_ms);
/* The answer to a question that was taken (one that comes twice or late does no harm). Adds what
 * enters to `changes`; what an OK answer lacks begins to linger (with linger 0 it leaves at once).
 * NODATA and NXDOMAIN are asked again after their own TTL (core/negatives.h); with the one that
 * confirms them everything lingers, as from the first of them on. Every other outcome removes
 * nothing, says nothing of denials, and is asked again with back-off (core/backoff.h). `server` may
 * be NULL: nobody answered. */
void names_apply(struct names *n, struct name_family *f, const struct answer *a, const char *server,
	uint64_t now_ms, struct name_changes *changes);
/* Adds to `changes` every address whose linger has run out. While the family's next answer is under
 * way or about to be asked for, it waits for that, up to NAMES_LEAVE_GRACE_MS: an address that
 * comes back with every second answer must not blink. */
void names_expire(struct names *n, uint64_t now_ms, struct name_changes *changes);
/* True: the address has to go. */
typedef bool (*name_address_fn)(void *userdata, const struct addr *a);
/* Takes every address that has to go out of the family at once, whatever DNS says of it and however
 * long it should stay, and adds it to `changes`, with that reason (static text). */
void names_drop(struct names *n, struct name_family *f, name_address_fn goes, void *userdata,
	const char *reason, struct name_changes *changes);
/* How long an address of that name would linger now. */
uint64_t names_linger_ms(const struct name_family *f, uint64_t now_ms);
enum name_health names_health(const struct name *name);
/* "ok", "never", "stopped", "pending". */
const char *name_health_name(enum name_health h);
/* Since when a NAME_STOPPED one fails; 0 for the others. */
uint64_t names_failing_since_ms(const struct name *name);
/* NAME_STOPPED for certain: whatever it held in either family is denied, and that is confirmed. */
bool names_is_gone(const struct name *name);
/* It has addresses, and no good answer has said so for longer than stale-max, nor is it denied for
 * certain. Nothing leaves because of it: it is for somebody to look at. */
bool names_is_stale(const struct name_family *f, uint64_t now_ms);
/* The next question must go to every server: one denies the family, something hangs on it, and it
 * takes all of them to confirm that. */
bool names_asks_every(const struct name_family *f);
const struct name_address *name_address_find(const struct name_family *f, const struct addr *a);
/* Has DNS said yet what this name holds? True after an OK answer from which nothing was taken out,
 * and when a denial is confirmed. */
bool name_family_is_known(const struct name_family *f);
void name_changes_done(struct name_changes *c);
