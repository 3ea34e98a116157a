#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A vendor's page in a form that a gateway can carry out. Grammar: allowsyncd-profile(5). */
#include "allowsync/addr.h"
#include "allowsync/diag.h"
#include "allowsync/service.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum direction { DIRECTION_OUT = 1, DIRECTION_IN = 2, DIRECTION_BOTH = 3 };

struct strings {
	char **items;
	size_t count, capacity;
};

/* A thing that a profile says and that has a line of its own in a file. */
struct profile_text {
	char *text;
	struct source at;
};
struct profile_texts {
	struct profile_text *items;
	size_t count, capacity;
};

struct profile_address {
	struct addr_range range;
	struct source at;
	const struct profile_text *from; /* the entry of the profile that it comes from */
};

struct endpoint {
	char *name;
	struct source at;
	struct strings roles;   /* none: part of every role */
	struct strings regions; /* none: part of every region */
	enum direction direction;
	bool by_default;            /* default = no: only when asked for by name */
	struct profile_texts names; /* as written; may hold {1..4}, {a|b}, {region}, {variable} */
	struct profile_texts addresses; /* as written: an address, prefix, range, or {variable} */
	bool any;                       /* address = any */
	/* Where its names' addresses have to lie, settled; none: anywhere. */
	struct addr_range *expect;
	size_t expect_count, expect_capacity;
	struct service *services;
	size_t service_count, service_capacity;
	char *replaced_by; /* a name; NULL: not deprecated */
	char *inferred;    /* why, when the page does not state it; NULL: stated */
	struct strings notes;
	struct strings warnings;      /* said whenever the endpoint is chosen */
	struct profile_texts amended; /* keys that a file behind the first says, and where */
};

struct profile_variable {
	char *name;
	char *title;
	bool is_address; /* kind = address: addresses, prefixes, ranges */
	bool is_host; /* kind = host: these, or DNS names; neither: kind = text, a part of a name */
	struct source at;
};

struct profile {
	char *name;
	char *file;
	char *title, *page, *read;
	struct strings roles, default_roles; /* default-role: taken when the admin names none */
	struct strings regions;
	uint32_t refresh_max_s;                        /* 0: not said */
	uint32_t revoke_within_s;                      /* 0: not said */
	uint32_t tcp_timeout_min_s, udp_timeout_min_s; /* 0: not said */
	struct strings notes;
	struct profile_texts amended; /* of [profile], likewise */
	struct profile_variable *variables;
	size_t variable_count, variable_capacity;
	struct endpoint *endpoints;
	size_t endpoint_count, endpoint_capacity;
};

void strings_add(struct strings *s, const char *text);
bool strings_has(const struct strings *s, const char *text);
/* "a, b, c"; the caller frees it. */
char *strings_join(const struct strings *s, const char *separator);
void strings_done(struct strings *s);

/* NULL when the profile has none of that name. */
struct endpoint *profile_endpoint(const struct profile *p, const char *name);
/* Have they traffic in common, wherever it goes to? */
bool endpoint_overlaps(const struct endpoint *a, const struct endpoint *b);
struct profile_variable *profile_variable(const struct profile *p, const char *name);
/* Takes NULL; returns NULL. */
struct profile *profile_free(struct profile *p);
