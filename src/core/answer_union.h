#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What several servers say to one question, as one answer. */
#include "allowsync/answer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `parts`: what each had to say, in the servers' order; borrowed. `every`: all servers that were
 * heard within the hour are among them, and said something good. None at all: ANSWER_TIMEOUT.
 *
 * Not added up, it is what one question that goes from server to server would have brought: the
 * first that is no failure, else the first SERVFAIL, else the first.
 *
 * Added up, it has the addresses of all that are OK; each with the largest TTL that anybody gave,
 * so that its own clock ends with the last of them; the answer's ttl_s is the smallest, as whoever
 * gave that has something new first; the chain is the first one's. It is partial where one that is
 * missing might have said more. More than ANSWER_ADDRESSES_MAX in all are ANSWER_MALFORMED. Without
 * any OK, it is the first that is no failure, and so on.
 *
 * A denial (NODATA, NXDOMAIN) is of_all when none is OK, and `every`; its ttl_s is then the largest
 * of all denials: after that no cache repeats itself.
 *
 * `ret` is to be ended with answer_done(); `ret_from` has a bit for each part that it came from. */
void answer_union(const struct answer *parts, size_t count, bool add_up, bool every,
	struct answer *ret, uint64_t *ret_from);
