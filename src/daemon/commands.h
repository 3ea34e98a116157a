#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs of the control socket: what io.allowsync's methods do and say. */
struct commands;
struct engine;

/* Opens the control socket at `path` for `group` (or takes the one handed over by the service
 * manager) on the engine's loop. A socket that cannot be had is said in the journal, and the daemon
 * goes on with its work. NULL, and said as well: another daemon answers there; each would take the
 * other's elements for leftovers. */
struct commands *commands_new(struct engine *e, const char *path, const char *group);
/* Before the engine goes. Takes NULL; returns NULL. */
struct commands *commands_free(struct commands *c);
