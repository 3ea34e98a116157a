/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Slots with what they are about. */
#include "edge/resolver_lanes.h"

#include "base/mem.h"
#include "edge/resolver_question.h"

#include <errno.h>

void lanes_init(struct lanes *ls, struct loop *l, const struct config_source *source, slot_fn fn,
	void *owner)
{
	*ls = (struct lanes){.loop = l, .source = *source, .fn = fn, .owner = owner};
}

int lanes_add(struct lanes *ls)
{
	if (ls->count == LANES_MAX)
		return -ENOSPC;
	struct lane *l = xcalloc(1, sizeof(*l));
	int e = slot_new(ls->loop, &ls->source, ls->fn, l, &l->slot);

	if (e < 0) {
		free(l);
		return e;
	}
	l->owner = ls->owner;
	ls->items[ls->count++] = l;
	lanes_give_back(ls, l);
	return 0;
}

bool lanes_remove_idle(struct lanes *ls)
{
	struct lane *l = ls->idle;
	size_t i = 0;

	if (!l)
		return false;
	ls->idle = l->next_idle;
	while (ls->items[i] != l)
		i++;
	ls->items[i] = ls->items[--ls->count];
	slot_free(l->slot);
	free(l);
	return true;
}

struct lane *lanes_take(struct lanes *ls)
{
	if (!ls->idle && ls->count < LANES_START)
		lanes_add(ls);
	struct lane *l = ls->idle;
	if (l)
		ls->idle = l->next_idle;
	return l;
}

void lanes_give_back(struct lanes *ls, struct lane *l)
{
	l->question = NULL;
	l->next_idle = ls->idle;
	ls->idle = l;
}

void lanes_done(struct lanes *ls)
{
	for (size_t i = 0; i < ls->count; i++) {
		struct lane *l = ls->items[i];

		slot_free(l->slot);
		if (l->question)
			question_free(l->question);
		free(l);
	}
	ls->count = 0;
	ls->idle = NULL;
}
