#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answer firewall: a public name has no business to point inside (DNS rebinding), nor to places
 * that are nobody's. Addresses that DNS gives are judged here before anything else sees them; those
 * that the admin or a profile writes down are not. */
#include "allowsync/answer.h"

#include <stdbool.h>
#include <stddef.h>

/* NULL: a public address. Else what it is, a static text: "private", "loopback". Special-purpose
 * ranges of IPv4 (RFC 6890 and later), of IPv6 all but 2000::/3 and some ranges in it. An address
 * of 64:ff9b::/96 (NAT64) is judged by the IPv4 address in it; ::ffff:0:0/96 is never one of DNS.
 */
const char *screen_address(const struct addr *a);
/* Can an exception be made for it? Not for IPv4 addresses in the clothes of IPv6. */
bool screen_can_allow(const struct addr *a);

/* Where this router is itself: sorted, none in another; borrowed. */
struct screen_own {
	const struct addr_range *ranges;
	size_t count;
};

/* What the owner of a name is allowed besides, and held to: both as addr_ranges_settle() leaves
 * them; borrowed. */
struct screen_terms {
	const struct addr_range *allow; /* allow-private */
	size_t allow_count;
	const struct addr_range *expect; /* none: whatever is public */
	size_t expect_count;
};

#define SCREEN_UNEXPECTED "not in expect"

/* May an owner on these terms have this address? NULL: it may; else the rule against it, a static
 * text: what screen_address() says, "this router's own network" (also in the form of NAT64),
 * SCREEN_UNEXPECTED. `allow` lifts
 * the first two, never the last: what is expected is said elsewhere. */
const char *screen_judge(
	const struct addr *a, const struct screen_own *own, const struct screen_terms *terms);

struct screening {
	size_t refused;    /* how many; 0: the rest does not count */
	struct addr first; /* the first of them, and the rule against it */
	const char *rule;
	bool blocked; /* all there is are addresses that resolvers give for names that they block */
};

/* NULL: somebody may have it; else the rule against it. */
typedef const char *(*screen_judge_fn)(void *userdata, const struct addr *a);
/* Takes what is refused out of an OK answer. What is left makes it partial; if nothing is, it
 * becomes ANSWER_SCREENED. Other answers stay as they are. */
void screen_answer(struct answer *a, screen_judge_fn judge, void *userdata, struct screening *ret);
