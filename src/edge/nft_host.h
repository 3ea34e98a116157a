#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of the whole ruleset matters to core/host.h: read once, and without a loop. Needs
 * CAP_NET_ADMIN. */

struct host;

void nft_host_read(struct host *ret);
