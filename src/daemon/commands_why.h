#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why an address is in a set, or no longer. */
#include "daemon/commands_show.h"

struct why_question {
	const struct addr *addresses; /* sorted by addr_cmp */
	size_t count;
	const char *name;              /* asked by name: what left through it counts too; or NULL */
	const struct service *service; /* NULL: any */
};

/* The reply of io.allowsync.Why. */
struct json_t *why_answer(
	const struct world *w, const struct show_context *c, const struct why_question *q);
