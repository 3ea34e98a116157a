#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's table of flows (conntrack), over ctnetlink: goes through it, and ends some. Needs
 * CAP_NET_ADMIN; blocks for as long as the kernel takes. */
#include <stdbool.h>
#include <stddef.h>

struct flow;

/* True: it is to end. Not asked about flows that another one brought along (those of helpers): they
 * are its, and end with their own. */
typedef bool (*flow_table_fn)(void *userdata, const struct flow *f);

/* Asks `fn` about each flow of both families, and takes those out of the table that are to end: the
 * next packet of one is a new flow's. Such as end or begin meanwhile may be missed. Only ever names
 * whole entries to the kernel, each with its number. Gives how many were ended; -errno: not all
 * were looked at, or some that should did not end. */
int flow_table_end(flow_table_fn fn, void *userdata, size_t *ret_ended);
