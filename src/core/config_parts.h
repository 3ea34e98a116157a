#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the builder of the configuration is made of. Only config_build.c and its parts use it. */
#include "core/config_build.h"
#include "core/sections.h"

struct config_builder {
	struct config *config;
	struct sections sections;
	config_suffix_fn public_suffix;
	struct diag_list *diags;
};

/* One value of a bound, and whether somebody said it. */
struct bounds_said {
	bool refresh_min, refresh_max, linger, revoke_within, stale_max, addresses_max;
	struct config_bounds bounds;
};

#define BUILD_ERROR(b, at, s, key, ...)                                                            \
	diag_add((b)->diags, DIAG_ERROR, (at), (s)->text, (key), __VA_ARGS__)
#define BUILD_WARNING(b, at, s, key, ...)                                                          \
	diag_add((b)->diags, DIAG_WARNING, (at), (s)->text, (key), __VA_ARGS__)

/* config_resolver.c */
void config_build_resolver(struct config_builder *b, const struct section *s);
void config_build_control(struct config_builder *b, const struct section *s);
/* NULL: "192.0.2.1", "192.0.2.1:5353", "[2001:db8::1]:53", "fe80::1%eth0" is fine; else why not. */
const char *config_server_parse(const char *text, struct config_server *ret);

/* config_bounds.c */
struct bounds_said config_read_bounds(struct config_builder *b, const struct section *s);
/* What [resolver] said, what the profile asks for, what [vendor] said; NULL section: only the first
 * (which is then checked by itself). */
void config_settle_bounds(struct config_builder *b, const struct section *s,
	const struct bounds_said *general, const struct profile *profile,
	const struct bounds_said *own, struct config_bounds *ret);

/* choose.c: the endpoints that the section asks for, expanded. */
void config_choose(struct config_builder *b, struct config_vendor *v, const struct section *s);

/* config_wildcards.c: those over what many share */
void config_build_allow_shared(
	struct config_builder *b, struct config_vendor *v, const struct section *s);
/* An error, unless the vendor allows it. `wildcard`: normalized, from that line of the profile. */
void config_check_wildcard(struct config_builder *b, const struct config_vendor *v,
	const struct endpoint *e, const char *wildcard, struct source at);
/* Warnings on those that no vendor has chosen, and on what allows none. */
void config_look_at_wildcards(
	struct config_builder *b, const struct config_vendor *v, const struct section *s);

/* config_sets.c */
void config_build_set(struct config_builder *b, const struct section *s);
/* Of "vendor =", which must be there; each must have a section. */
void config_read_vendors(struct config_builder *b, const struct section *s, struct strings *ret);
/* Those for the vendors that no [set] takes; once nothing else is wrong. */
void config_add_managed_sets(struct config_builder *b);
/* Warnings on what is in no set. */
void config_look_at_effect(struct config_builder *b);

/* config_mark.c */
void config_build_mark(struct config_builder *b, const struct section *s);
/* A warning where nothing is left to be marked. */
void config_look_at_mark(struct config_builder *b, const struct section *s);
/* A list of names of interfaces. */
void config_read_interfaces(
	struct config_builder *b, const struct section *s, const char *key, struct strings *ret);

/* config_devices.c */
void config_build_devices(struct config_builder *b, const struct section *s);
/* Once all groups are built: what [vendor] denies needs one. */
void config_check_denied(struct config_builder *b, const struct section *s);
/* What of the group, or of the vendor's denied endpoints, is not carried out. */
void config_look_at_devices(struct config_builder *b, const struct section *s);
void config_look_at_denied(struct config_builder *b, const struct config_vendor *v,
	const struct config_endpoint *e, const struct section *s);

/* config_undone.c: what is read, checked, and not carried out by this version. */
void config_undone_vendor(
	struct config_builder *b, const struct config_vendor *v, const struct section *s);
/* The text goes to the status, and as a warning to the diagnostics. */
_printf_(4, 5) void config_undone_add(
	struct config_builder *b, struct source at, const struct section *s, const char *fmt, ...);
/* The same of one endpoint. */
_printf_(6, 7) void config_undone_endpoint(struct config_builder *b, const struct config_vendor *v,
	const struct endpoint *e, struct source at, const struct section *s, const char *fmt, ...);
