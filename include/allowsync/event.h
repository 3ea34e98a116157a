#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Things that happened, as values: the journal, the monitor and the memory of `why` all read the
 * same one. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum event_kind {
	EVENT_STARTED,
	EVENT_STOPPED,
	EVENT_CHANGED,        /* elements of one set, for one owner */
	EVENT_ROTATING,       /* a name does so often: it is summed up by the hour from now on */
	EVENT_SUMMARY,        /* what came together; the changes themselves are in `changes` */
	EVENT_RELOADED,       /* new configuration in force */
	EVENT_RELOAD_REFUSED, /* the old one stays */
	EVENT_CONFIG_BROKEN,  /* at start: nothing to run */
	EVENT_CONFIG_INSTEAD, /* at start: the one accepted last runs, as what is there is broken */
	EVENT_CONFIG_DIAG,    /* one error or warning in it */
	EVENT_NAME_FAILING,   /* a name that resolved before stopped */
	EVENT_NAME_RECOVERED,
	EVENT_NAME_GONE,       /* one that DNS denies for certain: its addresses leave */
	EVENT_NAME_STALE,      /* one that stopped long ago (stale-max), and is still allowed */
	EVENT_NAME_NEVER,      /* a name that has never resolved: a note */
	EVENT_DNS_SILENT,      /* no server answers, whatever the name */
	EVENT_DNS_ANSWERS,     /* one does again */
	EVENT_ANSWER_REFUSED,  /* an answer that is not used */
	EVENT_ANSWER_REPLACED, /* an answer with almost nothing of what was before */
	EVENT_ALIAS_MOVED,     /* a name's chain of aliases ends in another domain */
	EVENT_LIMITED,         /* a name or a vendor has more addresses than it may have */
	EVENT_DENY_COLLIDES,   /* an address is denied and allowed to the same devices */
	EVENT_SET_DEGRADED,    /* missing, unusable, full */
	EVENT_SET_RECOVERED,
	EVENT_SET_ENTRY_REFUSED, /* an entry that the set cannot hold */
	EVENT_SET_MIXED,         /* endpoints of different services in a plain address set */
	EVENT_SET_INEFFECTIVE,   /* no rule uses it: whatever it holds is without effect */
	EVENT_SET_EFFECTIVE,     /* one does again */
	EVENT_RULESET_CHANGED,   /* somebody else made, removed or emptied a set of ours */
	EVENT_RULES_LOADED,      /* those of the managed table are in force, or removed */
	EVENT_RULES_FAILED,      /* they could not be loaded */
	EVENT_MARK_INEFFECTIVE,  /* what they mark is dropped all the same */
	EVENT_MARK_EFFECTIVE,    /* it is accepted again */
	EVENT_FOREIGN,           /* elements that are not ours */
	EVENT_SET_COSTLY,        /* of a kind in which each change costs the kernel much */
	EVENT_COMMIT_SPLIT,      /* a change too large for one transaction */
	EVENT_COMMIT_FAILED,
	EVENT_RELEASED,
	EVENT_SERVER_FAILING, /* a DNS server gives no answers that are worth something */
	EVENT_SERVER_RECOVERED,
	EVENT_SERVER_UNMATCHED, /* much comes in its name that answers nothing: somebody forges */
	EVENT_SERVER_REMOTE,    /* one is asked over networks that are not this router's */
	EVENT_RESOLVER,         /* the list of servers is empty, or changed */
	EVENT_CONTROL_FAILED,   /* the control socket cannot be had */
	EVENT_PAUSED,           /* or resumed, by an admin */
	EVENT_FLOWS_ENDED,      /* of a device group that is enforced from now on */
	EVENT_STATE_FAILED,     /* the files in the state directory cannot be kept */
	EVENT_REFUSED,          /* a packet of a device group, the first of its like */
	EVENT_REFUSED_SUM,      /* the others of an hour */
	EVENT_LOG_FAILED,       /* what is refused cannot be read */
	EVENT_LOG_RECOVERED,
	EVENT_KIND_COUNT,
};

/* Strings are borrowed for the time of the call; NULL or 0: does not apply. */
struct event {
	enum event_kind kind;
	int priority;        /* LOG_ERR ... LOG_INFO */
	const char *message; /* a sentence, plain ASCII */
	const char *vendor, *endpoint, *name;
	const char *server;          /* "127.0.0.1" */
	const char *set;             /* "inet filter voip4" */
	const char *added, *removed; /* elements in nft's syntax, separated by ", " */
	const char *changes;         /* of a summary, as in core/rotation.h */
	uint32_t ttl_s;
	/* "answer", "linger", "denied", "deny", "screened", "reload", "release", "refill", ...
	 */
	const char *reason;
	const char *result;  /* an outcome: "timeout", "nxdomain", ... */
	uint32_t generation; /* of nf_tables, after the commit; 0: unknown */
	/* Of refused packets: the group, whose they were, where they were to go, and how many. */
	const char *devices, *device, *mac;
	const char *destination, *service;
	uint64_t count;
	const char *config; /* digest in force */
	const char *file;   /* configuration place */
	unsigned line;
};

/* "changed", "reloaded", ...: for the monitor. */
const char *event_kind_name(enum event_kind k);
/* The stable MESSAGE_ID, 32 hex digits; the catalog explains each. */
const char *event_message_id(enum event_kind k);
