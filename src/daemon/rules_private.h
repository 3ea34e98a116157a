#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What rules.c has rules_tell.c say. */
#include "core/ruleset.h"
#include "daemon/rules.h"

/* What the text of the rules is made with, but for what is only to be deleted. Borrowed. */
struct ruleset_facts rules_facts(const struct rules *r, const struct world *w);
/* Why the child has not done it; the caller frees it. `standing` may be looked through for what nft
 * falls over. */
char *rules_why_failed(struct nft_standing *standing, const struct nft_text_end *end);
/* There is no child; -errno. */
char *rules_why_no_child(int error);
/* `stood`: the same rules as before, and only something deleted. */
void rules_tell_in_force(
	const struct rules *r, const struct sync *s, const struct world *w, bool stood);
/* The file for a boot could not be written; -errno. */
void rules_tell_not_kept(
	const struct sync *s, const struct world *w, const char *directory, int error);
/* Once for each `why` in a row. */
void rules_tell_failed(struct rules *r, const struct sync *s, const struct world *w);
