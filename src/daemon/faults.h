#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The faults of a configuration, as events. */
#include "allowsync/diag.h"
#include "allowsync/event.h"

/* One event a fault, in order, to `emit`. */
void faults_tell(const struct diag_list *diags,
	void (*emit)(void *userdata, const struct event *event), void *userdata);
