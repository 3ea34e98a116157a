#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads the rules of the managed table (core/ruleset.h), and again whenever somebody else undoes
 * them. Always in three steps, so that no packet meets a rule whose set is not filled: a child
 * makes the sets; they are filled like any other; a child swaps the chains, and deletes what is no
 * longer wanted. */
#include "core/timeouts.h"
#include "daemon/sync.h"
#include "daemon/watch.h"
#include "edge/nft_text.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct nft_standing;

enum rules_state {
	RULES_NONE,    /* there are to be none, and none are there */
	RULES_BY_HAND, /* load = no: the admin's */
	RULES_PAUSED,  /* left as they are */
	RULES_WAITING, /* on the way; `why`: what for */
	RULES_FAILED,  /* `why`; tried again */
	RULES_IN_FORCE,
};

struct rules {
	enum rules_state state;
	uint64_t since_ms;
	char *why; /* NULL where there is nothing to say */

	char *state_directory;
	int kept_error; /* told already; 0: all is well */
	bool no_file;   /* there is none, as there should be */
	struct nft_text *nft;
	struct nft_standing *standing;
	enum rules_step {
		RULES_STEP_NONE,
		RULES_STEP_SETS,
		RULES_STEP_WAIT,
		RULES_STEP_RULES
	} step;
	bool again;        /* the steps are to be taken, from the first one on */
	bool in_force;     /* `loaded` is, as far as was heard */
	bool tidies;       /* once the sets that left are empty, they are to be deleted */
	char *loaded;      /* the text of the last step, without what it deleted; NULL: none yet */
	char *loading;     /* likewise, under way */
	char *deleted;     /* names of what the load under way deletes; NULL: nothing */
	uint64_t due_ms;   /* not begun before that */
	uint64_t names_ms; /* names that were never asked are waited for until then */
	uint64_t next_ms;
	bool sets_go_on;          /* some kept what they no longer should have, until now */
	unsigned failures;        /* in a row */
	struct timeouts timeouts; /* the kernel's, when the steps were begun */
	char *told;               /* the failure that was last told */
	/* The child under way has ended so. */
	bool ended;
	struct nft_text_end end;
	char *said;
};

/* `nft` is the program (edge/nft_text.h), borrowed. What is in force is kept as RULES_FILE in the
 * directory `state`, which is copied, for a boot before anything else. */
#define RULES_FILE "rules.nft"
void rules_init(
	struct rules *r, struct loop *l, const char *nft, const char *state, uint64_t now_ms);
void rules_done(struct rules *r);
/* After the sets' turn: takes the next step, when it is time for it. */
void rules_turn(
	struct rules *r, struct sync *s, struct watch *watch, struct world *w, uint64_t now_ms);
/* When there is something to do by the clock; UINT64_MAX: never. */
uint64_t rules_next_ms(const struct rules *r);
/* The world has another configuration: before the sets' next turn. */
void rules_on_reload(struct rules *r, struct world *w, uint64_t now_ms);
/* After a release or a resume, which change what is to be there. */
void rules_again(struct rules *r);
/* Are they those of the world's configuration, as far as is known? The admin's are taken for it. */
bool rules_stand(const struct rules *r);
/* Do they stand, as far as is known: those that mark? */
bool rules_mark(const struct rules *r, const struct world *w);
const char *rules_state_name(enum rules_state s);
/* "in force", "waiting for the first answer for a.example.com", "failed: nft ..."; the caller frees
 * it. */
char *rules_text(const struct rules *r);
