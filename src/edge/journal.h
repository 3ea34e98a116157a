#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events to the journal as native structured entries; where stderr is not the journal's, as one
 * line with a <N> prefix (sd_journal_send succeeds silently where no journal runs). */
#include "allowsync/event.h"

struct journal;

/* Decides once where entries go: $JOURNAL_STREAM against stderr. `force_stderr`: not the journal.
 */
struct journal *journal_new(bool force_stderr);
void journal_send(struct journal *j, const struct event *e);
/* A line without an event of its own, for debugging and fatal errors. */
__attribute__((format(printf, 3, 4))) void journal_log(
	struct journal *j, int priority, const char *fmt, ...);
struct journal *journal_free(struct journal *j);
