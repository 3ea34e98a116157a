#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the resolver share. */
#include "edge/resolver.h"
#include "edge/resolver_lanes.h"
#include "edge/resolver_question.h"
#include "edge/servers.h"

struct resolver {
	struct loop *loop;
	resolver_reply_fn fn;
	resolver_news_fn news_fn; /* may be NULL */
	void *userdata;
	struct servers servers;
	size_t unreachable;
	uint32_t timeout_ms, hurry_ms;
	unsigned tries;
	uint64_t
		patience_ms; /* of who waits again, once those that wait now have had their turns */
	unsigned max_rate;   /* 0: without a limit */
	struct queue queues[RANK_COUNT];
	size_t slow;       /* in flight from others than the first rank */
	struct map silent; /* keys of questions that ended in silence: the same text, owned */
	struct lanes lanes;
	struct loop_timer *tend; /* grows and shrinks */
	bool growing;
	struct queue over;        /* have an end, which is still to be told */
	bool paced;               /* some wait for what servers may take, not for slots */
	struct loop_timer *pace;  /* one of them may go */
	struct loop_timer *later; /* tells it, and replies when there is no server to ask */
	size_t kept;              /* bytes in polls */
	struct resolver_stats stats;
};

/* resolver.c */
/* After something was noted of a server's health. */
void resolver_tell_news(struct resolver *r, size_t server);
/* Behind the others of its rank. */
void resolver_push(struct resolver *r, struct question *q);
/* Is it to be quick, as others wait for their first query? */
bool resolver_is_hurried(const struct resolver *r, const struct question *q);

/* resolver_reply.c */
/* The time of a question for all servers has come: its parts are next in the queue. */
void resolver_begin_poll(struct resolver *r, struct question *q);
/* A question is over; `message` NULL: with the best that there was. */
void resolver_finish(struct resolver *r, struct question *q, const uint8_t *message, size_t len);
