#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answer firewall (core/screen.h) among vendors that share a name: each of them has what it may
 * have, by its own allow-private and its endpoint's expect. */
#include "core/screen.h"
#include "daemon/sync.h"
#include "daemon/world.h"

/* May the owner, one with a name, have this address? NULL: it may; else the rule against it. */
const char *screening_rule(const struct world *w, const struct owner *o, const struct addr *a);
/* Takes out of the answer what none of its name's owners may have. */
void screening_take_out(const struct world *w, const struct name_family *f, struct answer *a,
	struct screening *ret);
/* Takes out of all names what none of their owners may have any more. Those that lost something, or
 * of whose answers something is refused, are asked again now: it may be otherwise. */
void screening_drop(struct world *w, uint64_t now_ms, struct name_changes *changes);

/* What to write where this address is meant for that owner all the same: "allow-private = 10.1.2.3
 * in [vendor acme]"; the caller frees it. NULL: there is no such exception. */
char *screening_advice(const struct owner *o, const struct addr *a, const char *rule);

/* After an answer was taken: which of its addresses are not used, when that begins, changes or is
 * over. True: that it is not used, or not wholly, was told now. */
bool screening_tell(const struct sync *s, const struct world *w, const struct name_family *f,
	const struct answer *a, const struct screening *screening);
/* After an OK answer was taken: which of the name's addresses some endpoint may not have though
 * others may. When that begins, changes or is over. */
void screening_tell_owners(const struct sync *s, const struct world *w, struct name_family *f);
/* Are they of one endpoint of one vendor, in different sets? */
bool screening_is_same_party(const struct owner *a, const struct owner *b);
/* Is this owner, one of these, the first of its party? It is told and shown for all of them. */
bool screening_speaks(const struct name_feeds *feeds, const struct owner *o);
/* It is told that this owner may not have all of the name's addresses. */
void screening_note(
	struct name_feeds *feeds, const struct owner *o, enum family family, const char *rule);
/* What was told so of `before`, that is told of `feeds` now: a reload is no news. */
void screening_carry_over(struct name_feeds *feeds, const struct name_feeds *before);
