#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When to ask again after an answer that was none. The pause doubles with each failure of the same
 * kind; those of another kind in between change nothing, and an answer ends all of it.
 *
 * outcome                        first  longest
 * timeout                        1 s    1 min
 * servfail, refused, malformed   1 s    5 min
 * screened                       5 s    5 min
 *
 * A link that is back should be noticed soon. A server that fails works on it, or will not answer:
 * resolvers keep a failure for a second at least, and five minutes at most (RFC 9520 section 3.2,
 * RFC 2308 section 7). An answer that points inside somebody has to mend, in a zone or a
 * configuration; a reload asks again at once. */
#include "allowsync/answer.h"

#include <stdint.h>

/* The least and the longest pause after such a failure, the `nth` of its kind since the last answer
 * (from 1): what lies between, an eighth at most, is for chance, so that names that failed together
 * do not ask together for ever. Never above the longest of the table. */
uint64_t backoff_least_ms(enum answer_outcome outcome, unsigned nth);
uint64_t backoff_most_ms(enum answer_outcome outcome, unsigned nth);
