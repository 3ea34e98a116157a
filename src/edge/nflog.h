#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that rules log to groups of NFLOG: one netlink socket for all groups that are bound.
 * Needs CAP_NET_ADMIN. The kernel gives each group to one socket only, and takes it back as that
 * closes. */
#include "core/refused.h"

#include <net/if.h>
#include <stdint.h>

struct loop;
struct nflog;

enum { NFLOG_BUFFER = 1 << 20 }; /* bytes, forced: holds some hundred datagrams */

/* A packet that our rules logged to `group`; those of other rules are counted only. From the loop,
 * a bounded number a round, and from nflog_bind() and nflog_unbind(). */
typedef void (*nflog_fn)(void *userdata, uint16_t group, const struct refused_packet *p);

/* Bound to no group yet. Negative: -errno. */
int nflog_new(struct loop *l, nflog_fn fn, void *userdata, struct nflog **ret);
/* -EBUSY: another program has the group (the kernel says the same without the capability).
 * -ENOBUFS: what came of it was lost, it may be tried again. Other -errno: as the kernel says. One
 * that is bound already may be bound again. */
int nflog_bind(struct nflog *n, uint16_t group);
/* Lets go of it; what is in the kernel's queue of it is lost. */
void nflog_unbind(struct nflog *n, uint16_t group);
/* How often packets were lost because they were not read in time. */
uint64_t nflog_lost_count(const struct nflog *n);
/* Packets that others' rules logged to our groups, or that could not be read. */
uint64_t nflog_strange_count(const struct nflog *n);
/* For tests, which make its buffer small; it stays the object's. */
int nflog_fd(const struct nflog *n);
/* Not from inside a call back. Takes NULL; returns NULL. */
struct nflog *nflog_free(struct nflog *n);

/* The interface's name, or "" where there is none (any more). Returns `text`. */
const char *nflog_interface(uint32_t index, char text[IF_NAMESIZE]);
