#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads rules as text, by a short-lived child `nft -f -`: what nft's own libraries stumble over in
 * somebody else's table is the child's end, and not the daemon's. */
#include <stdbool.h>
#include <sys/types.h>

struct loop;
struct nft_text;

#define NFT_TEXT_PROGRAM "/usr/sbin/nft"

enum {
	NFT_TEXT_DEADLINE_MS = 10000,
	NFT_TEXT_SAID_MAX = 4096, /* bytes of what the child says that are kept */
};

enum nft_text_outcome {
	NFT_TEXT_DONE,    /* loaded */
	NFT_TEXT_REFUSED, /* exit status `status`, not 0; nothing was loaded */
	NFT_TEXT_KILLED,  /* by the signal `status`; nothing or all was loaded */
	NFT_TEXT_LATE,    /* by us, at the deadline; likewise */
};

struct nft_text_end {
	enum nft_text_outcome outcome;
	int status;
	pid_t pid;
	const char *said; /* on both its outputs, the beginning of it; any bytes but NUL */
};
/* Called from the loop. Another text may be started from it. */
typedef void (*nft_text_fn)(void *userdata, const struct nft_text_end *end);

/* `program` is borrowed, and absolute; it is run as "nft -f -". */
struct nft_text *nft_text_new(struct loop *l, const char *program, nft_text_fn fn, void *userdata);
/* One at a time: -EBUSY. Other -errno: there is no child, and `fn` is not called (-ENOENT: there is
 * no such program). */
int nft_text_load(struct nft_text *t, const char *text);
/* Of the child under way; 0: there is none. The notices of what it loads have come when `fn` is
 * called, but may not have been read. */
pid_t nft_text_pid(const struct nft_text *t);
/* Ends a child under way. Takes NULL; returns NULL. */
struct nft_text *nft_text_free(struct nft_text *t);
