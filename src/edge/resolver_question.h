#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The questions of a resolver: how far each has come, the queues in which they wait, and which
 * names met nothing but silence. Only resolver.c uses it. */
#include "allowsync/addr.h"
#include "base/map.h"
#include "core/server_reply.h"
#include "edge/servers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who waits, the first ones first. */
enum rank {
	RANK_FRESH,
	RANK_AGAIN,  /* met silence in this question's rounds */
	RANK_SILENT, /* met nothing else the last time: one round; and probes */
	RANK_COUNT,
};

struct question {
	struct question *next;
	bool every;        /* it is for all servers: becomes a poll */
	struct poll *poll; /* this is one server's part of it; NULL: of none */
	void *cookie;
	enum family family;
	enum rank rank;
	unsigned round;
	size_t server, asked; /* to be asked in this round; asked last */
	uint64_t asked_ms;
	bool begun, hurried;
	bool edns;           /* it was asked last with EDNS */
	uint64_t plain;      /* servers that refused this question with EDNS */
	bool cut;            /* a hurried query had no answer: the round does not count */
	bool silent;         /* one with all its time had none */
	bool probe;          /* nobody waits for it: it is to tell whether a server is back */
	uint64_t give_up_ms; /* when it waits again */
	uint64_t skip;       /* servers not to be asked (again) */
	uint64_t beaten;     /* those that gave an answer, a poor one */
	uint8_t *poor;       /* the best of those */
	size_t poor_len, poor_server;
	enum server_outcome poor_outcome;
	char *name; /* the key's second part */
	size_t key_len;
	char key[];
};

/* A question that was put to several servers, as one question for each: its parts. */
struct poll {
	struct question *question; /* in no queue; owned */
	size_t parts;              /* that are there still: it ends with the last of them */
	uint64_t asked, good;      /* servers */
	bool to_resting;           /* of its own will: the others had nothing good to say */
	struct {
		uint8_t *message; /* NULL: none */
		size_t len;
	} said[SERVERS_MAX];
};

struct question *question_new(const char *name, enum family family, void *cookie);
/* With a poll's last part goes the poll. */
void question_free(struct question *q);
/* A poll of no part yet, for a question whose time has come. */
struct poll *poll_new(struct question *q);
/* The part of one server, to be asked it at once. */
struct question *poll_part(struct poll *p, size_t server, unsigned tries);
/* What has come of a part: a good message, or none (then a poor one may be in it). */
void poll_note(struct question *part, const uint8_t *message, size_t len);
/* The part waits to be asked again, and need not be any more: the rest is there, or its server
 * rests. */
bool poll_can_spare(const struct question *part, const struct servers *servers);
/* A poor answer of the server that was asked last, which is not asked again. Of one that is longer
 * than SERVER_EDNS_SIZE the header is kept: many questions may wait with one at a time. */
void question_keep_poor(
	struct question *q, enum server_outcome outcome, const uint8_t *message, size_t len);

/* A query with no answer. */
void question_note_silence(struct question *q);
/* Where it begins: servers that rest come last; when all rest, at the first as ever. */
size_t question_first_server(const struct question *q, const struct servers *servers);

enum next {
	NEXT_NOW,   /* in the same slot */
	NEXT_AGAIN, /* in a slot for those that meet silence */
	NEXT_NEVER, /* every server has had its turns */
};
/* After a query that brought nothing good: on to the next server, if there is one. A part of a poll
 * to which others have had a good answer waits for its server no longer than one whole timeout. */
enum next question_next(struct question *q, const struct servers *servers, unsigned tries);

struct queue {
	struct question *first, **last;
};
void queue_init(struct queue *q);
void queue_push(struct queue *q, struct question *question);
void queue_push_front(struct queue *q, struct question *question);
struct question *queue_pop(struct queue *q);

/* Questions by their keys; owned. */
bool silent_names_has(const struct map *m, const struct question *q);
void silent_names_add(struct map *m, const struct question *q);
void silent_names_remove(struct map *m, const struct question *q);
void silent_names_done(struct map *m);
