#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gathers core/host.h's facts of this machine: from /proc and /sys, over rtnetlink and, with
 * CAP_NET_ADMIN, from nf_tables. Once, and without a loop. */

struct host;

/* What cannot be read is named in ret->unread. `root`: what stands before /proc and /sys, for
 * tests:
 * "" else. `ret` ends with host_done(). */
void host_facts_read(const char *root, struct host *ret);
/* The parts of it. */
void host_facts_read_files(const char *root, struct host *ret);
void host_facts_read_links(struct host *ret);
void host_facts_read_rules(struct host *ret);
