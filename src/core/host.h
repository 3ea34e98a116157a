#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What else on this gateway decides over the vendors' packets, and what of it breaks which vendor
 * or device group. The facts are gathered elsewhere; judging them is pure. */
#include "allowsync/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A netfilter flow that is idle for that long is forgotten: nf_conntrack's settings. */
struct host_timeouts {
	int64_t tcp_established_s, udp_s, udp_stream_s; /* -1: not known */
};

struct host_interface {
	char *name;
	bool ethernet; /* has MAC addresses */
	bool default_route[FAMILY_COUNT];
	struct addr *addrs;
	size_t addr_count, addr_capacity;
};

struct host {
	bool forwards[FAMILY_COUNT];
	bool bridge_calls;     /* bridged packets pass the forward chains of IP as well */
	bool helpers_assigned; /* by port, to every flow: net.netfilter.nf_conntrack_helper */
	struct host_timeouts timeouts;
	bool lengthens;           /* it takes policies by which the managed table lengthens them */
	int64_t flows, flows_max; /* in the table of flows; -1: not known */
	/* Texts for people, escaped where others chose them. */
	struct strings dropping;   /* base chains on the forward hook: "inet filter forward" */
	struct strings flowtables; /* "inet filter fast" */
	struct strings untracking; /* rules with notrack: "ip raw prerouting handle 7" */
	struct strings helpers;    /* ct helper objects of SIP: "ip filter phones" */
	struct strings modules;    /* loaded modules that read SIP: "nf_nat_sip" */
	struct strings managers;   /* "firewalld", "ufw", "docker" */
	struct strings macs;       /* of neighbours, in lower case */
	struct host_interface *interfaces;
	size_t interface_count, interface_capacity;
	struct strings unread; /* what could not be looked at, and why */
};

enum host_weight {
	HOST_NOTE,    /* to be known */
	HOST_WARNING, /* breaks something of a vendor's, or may */
	HOST_BROKEN,  /* as it is, nothing gets through, or nothing is confined */
};

struct host_finding {
	enum host_weight weight;
	char *what;   /* a sentence, with whom it concerns */
	char *remedy; /* what to do; NULL: nothing */
};

struct host_findings {
	struct host_finding *items; /* the heaviest first, else in the order of the checks */
	size_t count, capacity;
};

/* NULL when there is none of that name. */
struct host_interface *host_interface(const struct host *h, const char *name);
/* The same, made where it is not there. */
struct host_interface *host_interface_add(struct host *h, const char *name);
/* What could not be looked at. */
_printf_(2, 3) void host_unread(struct host *h, const char *fmt, ...);
void host_done(struct host *h);

/* Never the same thing twice; `ret` ends with host_findings_done(). */
void host_judge(const struct host *h, const struct config *c, struct host_findings *ret);
void host_findings_done(struct host_findings *f);
