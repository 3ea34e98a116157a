#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs: each takes its own arguments and returns an exit status. */
#include "ctl/client.h"

typedef int (*verb_fn)(struct ctl *c, int argc, char **argv);

int verb_status(struct ctl *c, int argc, char **argv);
int verb_vendors(struct ctl *c, int argc, char **argv);
int verb_names(struct ctl *c, int argc, char **argv);
int verb_show(struct ctl *c, int argc, char **argv);
int verb_sets(struct ctl *c, int argc, char **argv);
int verb_why(struct ctl *c, int argc, char **argv);
int verb_refused(struct ctl *c, int argc, char **argv);
int verb_rules(struct ctl *c, int argc, char **argv);
int verb_diff(struct ctl *c, int argc, char **argv);
int verb_resolve(struct ctl *c, int argc, char **argv);
int verb_monitor(struct ctl *c, int argc, char **argv);
int verb_reload(struct ctl *c, int argc, char **argv);
int verb_release(struct ctl *c, int argc, char **argv);
int verb_pause(struct ctl *c, int argc, char **argv);
int verb_resume(struct ctl *c, int argc, char **argv);
int verb_check(struct ctl *c, int argc, char **argv);
