#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interfaces of this gateway, their addresses and default routes, and the neighbours' MAC
 * addresses, as core/host.h has them: read once, and without a loop. Needs no capability. */

struct host;

void own_net_links_read(struct host *ret);
