#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is told of answers that change much (core/turnover.h), at most once an hour for a name. */
#include "daemon/sync.h"

struct answer;

/* NULL: it is not to be told. */
struct alarms {
	char *replaced, *moved;
};

/* Before the answer, which is screened already, is taken. What it finds has to be told. */
struct alarms alarms_look(const struct name_family *f, const struct answer *a, uint64_t now_ms);
/* After it was taken. Ends `alarms`. */
void alarms_tell(const struct sync *s, const struct world *w, const struct name_family *f,
	struct alarms *alarms);
