#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When to ask again after an answer that was none. The pause doubles with each failure of the same
 * kind in a row, and begins anew when the outcome is another one:
 *
 *	outcome                        first   longest
 *	timeout                        1 s     1 min    a link that is back should be noticed soon
 *	servfail, refused, malformed   1 s     5 min    a server works on it, or will not: resolvers
 *	                                                keep a failure for 1 s at least and 5 min at
 *	                                                most (RFC 9520 section 3.2, RFC 2308 section
 *7) screened                       5 s     5 min    somebody has to mend a zone or a configuration;
 *	                                                a reload asks again at once
 */
#include "allowsync/answer.h"

#include <stdint.h>

/* The least and the longest pause after such a failure, the `nth` in a row of its kind (from 1):
 * what lies between, an eighth at most, is for chance, so that names that failed together do not
 * ask together for ever. Never above the longest of the table. */
uint64_t backoff_least_ms(enum answer_outcome outcome, unsigned nth);
uint64_t backoff_most_ms(enum answer_outcome outcome, unsigned nth);
