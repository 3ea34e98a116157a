#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All that the daemon knows: one configuration, its names, its owners and its sets. A reload builds
 * another one aside and swaps. Plain data; refresh.c works above `wanted`, sync.c below. */
#include "allowsync/config.h"
#include "allowsync/element.h"
#include "core/denylist.h"
#include "core/live.h"
#include "core/live_feed.h"
#include "core/names.h"
#include "core/screen.h"
#include "core/wanted.h"
#include "daemon/undoing.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* An endpoint that may not have all addresses of its name, though others may: as it was told. */
struct feed_refusal {
	const struct owner *owner; /* the first of those of that vendor and endpoint */
	enum family family;
	const char *rule; /* static text */
};

/* What the names of a vendor hold together. */
struct vendor_load {
	size_t addresses;    /* one that two of them have counts twice */
	uint64_t limited_ms; /* since when they have more than max-addresses; 0: they have not */
	uint64_t round;      /* when it was last counted, in world.load_rounds */
};

/* What a name feeds: name.userdata. */
struct name_feeds {
	struct owner **owners;
	size_t count, capacity;
	enum name_health reported;         /* what the journal was last told */
	bool kept_back;                    /* its silence may be everybody's (daemon/silence.h) */
	bool gone, stale[FAMILY_COUNT];    /* so it was told */
	uint64_t replaced_ms, moved_ms;    /* when the alarm of that was last told; 0: never */
	bool limited[FAMILY_COUNT];        /* likewise: it has more addresses than it may have */
	const char *refused[FAMILY_COUNT]; /* why addresses of its answers are not used, as it was
					    * told; static text; NULL: all are */
	struct feed_refusal *refusals;
	size_t refusal_count, refusal_capacity;
};

/* An entry of the configuration that a set cannot hold: left out, and said. */
struct set_refusal {
	struct source at;
	char *text; /* "199.7.172.0/22: set inet filter voip4 has no flag interval" */
};

enum { FOREIGN_NOTED_MAX = 16, STRANGERS_MAX = 1024 };

/* What others did to a set in the transaction whose notices are coming in. */
struct touched {
	size_t added, deleted;
	size_t undone; /* of the deleted: what we want there */
	bool replaced;
	struct live_ear ear;
	/* Elements that were added and are not ours; a few of them, for who put them there. */
	struct element_key foreign[FOREIGN_NOTED_MAX];
	size_t foreign_count;
};

/* Who put an element there that is not ours. */
struct stranger {
	struct element_key key;
	char *by; /* "nft (pid 4711)" */
	uint64_t at_ms;
};

/* What the rules that stand do with a set. */
struct set_effect {
	bool looked;      /* the rest tells of the last look */
	bool ineffective; /* as it was last told */
	size_t count;     /* rules that match by the set and that packets come by */
	/* One of them, else one that no packet comes by; "inet filter forward handle 12" and
	 * "accepted by" (static text). NULL: there is none. */
	char *rule;
	const char *does;
};

/* What becomes of packets that the managed table marked. */
struct mark_effect {
	bool looked;      /* the rest tells of the last look */
	bool ineffective; /* some chain drops them all the same */
	bool idle;        /* no chain drops anything */
	bool told;        /* that it is ineffective */
	char *text;       /* which chain, and what to do; or which rule accepts them */
};

struct world_set {
	const struct config_set *config; /* NULL: left the configuration, is being emptied */
	size_t index;
	struct set_id id;          /* owned */
	char *text;                /* "inet filter voip4" */
	struct set_kind kind;      /* layout UNKNOWN until it was seen */
	struct set_kind read_kind; /* as the kernel has it, without what is configured */
	bool carried;              /* the copy is that of the configuration before, and true */
	bool present;              /* seen at the last look, and usable */
	bool looked;               /* the last look told what is there, be it nothing */
	bool paused; /* released by the admin: stays empty of ours until the next reload */
	bool frozen; /* paused by the admin: nothing is changed until resumed, or the next reload */
	struct wanted wanted;
	struct live live;
	struct owner **owners; /* every owner that may want something here; borrowed */
	size_t owner_count, owner_capacity;
	/* Of a set that denies names: the addresses that they ever had, and who wants them; it is
	 * not among the owners above. NULL: another set. */
	struct denylist denied;
	struct owner *keeper;
	bool denied_news; /* some came that may not be held yet, nor looked at for collisions */
	struct set_refusal *refusals;
	size_t refusal_count, refusal_capacity;
	char *mixed;    /* "cloudtrax/ap (tcp/443), ...": a plain set over different services */
	size_t strange; /* keys at the last dump that fit no layout */
	size_t foreign_reported;
	uint64_t foreign_next_ms; /* not told again before that */
	struct touched touched;
	struct undoing undoing;
	uint64_t hold_ms;     /* nothing is committed before that; 0: no wait */
	struct map strangers; /* key bytes -> struct stranger, of the newest foreign elements */
	uint64_t peek_ms;  /* look again then, as others' elements expire in silence; 0: no need */
	bool renews_late;  /* not all of them did, this time */
	uint64_t renew_ms; /* our elements get their timeout anew then; 0: they have none */
	bool halves_size;  /* its kernel counts the two ends of a range, each for itself */
	char *costly;      /* what each change costs the kernel, where that is much; else NULL */
	struct set_effect effect;

	/* A set of the managed table keeps what it no longer should have until the rules that go
	 * with the new configuration are in force; what is new comes in all the same. */
	bool keeps;
	bool kept; /* all of that is in, and so many keys were dirty then */
	size_t kept_dirty;

	bool full; /* not all that is wanted has room: plan over the whole set */
	/* Notices up to the generation that the last look showed are older than the copy. */
	bool catches_up;
	uint32_t looked_generation;
	uint64_t heard; /* how often others touched it */

	char *degraded;          /* why nothing or not all can be done; NULL: in step */
	uint64_t degraded_ms;    /* since when */
	uint64_t look_ms;        /* look again then; 0: no need */
	unsigned look_failures;  /* in a row: what the back-off rests on */
	bool plan_all;           /* plan over the whole set, not only its dirty keys */
	uint64_t last_change_ms; /* 0: none yet */

	/* Tagged elements of an earlier run that nobody wants (yet): kept until every name that
	 * feeds the set has been answered, then for a linger more. */
	bool settled;              /* over: what is ours and unwanted goes at once */
	bool answers_came;         /* since that was last looked at */
	uint64_t unowned_leave_ms; /* 0: names are still awaited */
	size_t awaited_at;         /* the owner whose name is, when last looked at */
};

/* The last elements that left, for `why`. */
enum { WORLD_HISTORY_MAX = 1000 };
struct removal {
	char *set, *element;
	struct addr_range addr;
	char *vendor, *endpoint, *name; /* NULL: not known, or static */
	const char *reason;             /* static text */
	time_t at;
	uint64_t at_ms;
	uint64_t missing_ms; /* monotonic: when DNS stopped giving it; 0: not through DNS */
};
struct history {
	struct removal *items; /* a ring */
	size_t next, count;
};

struct world {
	struct config *config;
	uint64_t loaded_ms;
	struct names names;
	struct screen_own own; /* borrowed from whoever listens for it */
	struct owner **owners;
	size_t owner_count, owner_capacity;
	struct world_set *sets;
	size_t set_count;
	bool *vendor_paused;           /* beside config->vendors */
	bool *rules_released;          /* likewise: its rules are taken out of the managed table */
	const struct strings *outside; /* interfaces with a default route; borrowed */
	struct mark_effect mark;
	bool rules_awaited;        /* the daemon is to load the rules, and they are not in force */
	struct vendor_load *loads; /* likewise */
	uint64_t load_rounds;
	bool denies;               /* some set does, names */
	struct strings collisions; /* that were told (daemon/denying.h) */
};

/* Names due at once, sets to be looked at; nothing is asked or opened here. Takes the config. */
struct world *world_new(struct config *config, uint64_t seed, uint64_t now_ms);
/* Brings over from `old` what outlives a reload: names' state and sets' copies. What `old` wanted
 * and `w` no longer does becomes dirty, sets that left come along to be emptied. `old` is only fit
 * for world_free() afterwards. */
void world_carry_over(struct world *w, struct world *old, uint64_t now_ms);
struct world *world_free(struct world *w);

/* Are elements of others to go now? Not before all names were asked: they may turn out wanted. */
bool world_set_removes_foreign(const struct world_set *set);
/* Who put that element there that is not ours; NULL: not known. Only so many are remembered. */
const struct stranger *world_set_stranger(
	const struct world_set *set, const struct element_key *key);
void world_set_note_stranger(
	struct world_set *set, const struct element_key *key, const char *by, uint64_t now_ms);
void world_set_forget_strangers(struct world_set *set);
/* How long each element of ours is to live in the kernel, by its key; NULL: all have the fuse of
 * its kind. */
const struct denylist *world_set_lives(const struct world_set *set);
struct world_set *world_set_find(const struct world *w, const char *text_or_section);
/* Forgets the last set, which must be one that left the configuration. */
void world_drop_last_set(struct world *w);
/* Is the vendor taken by no set at all, or are the rules not loaded that are to mark what it
 * allows? */
bool world_vendor_is_ineffective(const struct world *w, const struct config_vendor *v);
/* Which of the two it is; valid until the next turn. */
const char *world_vendor_lacks(const struct world *w, const struct config_vendor *v);
/* One line for the service manager; the caller frees it. `silent`: no DNS server answers. */
char *world_summary(const struct world *w, bool silent);
bool owner_is_paused(const struct world *w, const struct owner *o);

void history_add(struct history *h, const struct removal *r); /* copies the strings */
/* The i-th newest, or NULL. */
const struct removal *history_get(const struct history *h, size_t i);
void history_done(struct history *h);
