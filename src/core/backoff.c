/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of pauses. */
#include "core/backoff.h"

struct pauses {
	uint32_t first_ms, longest_ms;
};

static struct pauses pauses_of(enum answer_outcome outcome)
{
	switch (outcome) {
	case ANSWER_SERVFAIL:
	case ANSWER_REFUSED:
	case ANSWER_MALFORMED:
		return (struct pauses){1000, 300000};
	case ANSWER_SCREENED:
		return (struct pauses){5000, 300000};
	case ANSWER_TIMEOUT:
	case ANSWER_OK: /* these are no failures */
	case ANSWER_NODATA:
	case ANSWER_NXDOMAIN:
		break;
	}
	return (struct pauses){1000, 60000};
}

uint64_t backoff_least_ms(enum answer_outcome outcome, unsigned nth)
{
	struct pauses p = pauses_of(outcome);
	uint64_t least_ms = p.first_ms, limit_ms = p.longest_ms - p.longest_ms / 8;

	for (unsigned i = 1; i < nth && least_ms < limit_ms; i++)
		least_ms *= 2;
	return least_ms < limit_ms ? least_ms : limit_ms;
}

uint64_t backoff_most_ms(enum answer_outcome outcome, unsigned nth)
{
	uint64_t least_ms = backoff_least_ms(outcome, nth);

	return least_ms + least_ms / 8;
}
