#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --check --host: what on this gateway breaks which vendor, with the remedies. */

struct config;

/* Prints to stdout. Returns the exit status: 0, or 1 when there is more than notes. */
int host_check(const struct config *c);
