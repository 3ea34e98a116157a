#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Removing our own elements while no daemon runs: from what the kernel holds, by the tag alone. */
struct config;

/* `target`: a set ("inet filter voip4", or its section's name), a vendor, or NULL for every set of
 * the configuration. A vendor is taken only where its sets are its own: the tag does not say whose
 * an element is. Prints what it does; returns an exit status. */
int release_without_daemon(
	const struct config *config, const char *target, const char *state_directory);
