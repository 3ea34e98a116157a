#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which way this machine sends packets to an address, and which MAC address is behind it: its
 * routes and neighbours, over rtnetlink. For one sweep over many addresses: answers are remembered,
 * and become old. Needs no capability; blocks for as long as the kernel takes. */

struct addr;
struct flow_paths;

/* Negative: -errno. */
int flow_paths_open(struct flow_paths **ret);
/* The name of the interface; NULL: the address is this machine's own, or there is no way to it.
 * Routes for certain sources or marks are not asked for. */
const char *flow_paths_interface(struct flow_paths *p, const struct addr *a);
/* "00:22:4d:01:02:03"; NULL: no neighbour that is known has it. */
const char *flow_paths_mac(const struct flow_paths *p, const struct addr *a);
/* Takes NULL; returns NULL. What it gave is gone then. */
struct flow_paths *flow_paths_close(struct flow_paths *p);
