#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the text of the managed table is made of. Only ruleset_text.c and its parts use it. */
#include "core/ruleset.h"

struct strbuf;

/* ruleset_text.c. `then`: what a rule does with what it matches. */

/* "443", "{ 80, 443 }" */
void ruleset_append_list(struct strbuf *b, const struct strings *items);
/* The same of interfaces, inside quotes. */
void ruleset_append_names(struct strbuf *b, const struct strings *names);
/* "meta mark set meta mark | 0x00100000 accept". The caller frees it. */
char *ruleset_marking(const struct config_mark *m, const char *verdict);
/* A comment for those who read the text: what the endpoint allows, and where that is written. */
void ruleset_describe(
	struct strbuf *b, const struct config_vendor *v, const struct config_endpoint *e);
/* One for each way to say its services; `s` NULL: with any address. */
void ruleset_append_rules(struct strbuf *b, const struct config_vendor *v,
	const struct config_endpoint *e, const struct ruleset_set *s, const char *then);
/* All that the vendor allows outwards, by these sets of it. */
void ruleset_append_vendor(struct strbuf *b, const struct config *c, const struct config_vendor *v,
	const struct ruleset_set *sets, size_t count, const char *then);

/* ruleset_services.c */

/* Each way to say the endpoint's services: "tcp dport 443", "icmp type echo-request"; "": with all
 * of them. Of that family; -1: of both. */
void ruleset_match_services(const struct endpoint *e, int family, struct strings *ret);
/* What is none of these, as far as that can be said: "tcp dport != { 80, 443 }", "meta l4proto !=
 * 6", in this order. None where there are no services. */
void ruleset_match_others(const struct service *services, size_t count, struct strings *ret);

/* ruleset.c */

/* Does it have an inbound endpoint; and does any group let that in? */
bool ruleset_has_inbound(const struct config_vendor *v);
bool ruleset_comes_in(const struct config *c, const struct config_vendor *v);
/* Do its rules see only what goes to the outside? Else "to anybody" is "from anybody to us" too. */
bool ruleset_knows_outside(const struct config *c, const struct config_vendor *v);
/* The vendor's sets outwards; they stand together. Returns how many. */
size_t ruleset_outward(
	const struct ruleset *r, const struct config_vendor *v, const struct ruleset_set **ret);

/* ruleset_devices.c: are there groups to be confined? They are whatever becomes of one of their
 * vendors; but with all vendors left out everything is let go. */
bool ruleset_confines(const struct config *c, const struct ruleset_facts *f);
/* The chains that confine. Nothing where there are no groups. */
void ruleset_append_devices(struct strbuf *b, const struct config *c, const struct ruleset *r,
	const struct ruleset_facts *f);

/* ruleset_dscp.c: the chain that sets classes of DiffServ. Nothing where no vendor has one. */
void ruleset_append_dscp(struct strbuf *b, const struct config *c, const struct ruleset *r,
	const struct ruleset_facts *f);

/* ruleset_flows.c: what becomes of the flows that the vendors allow. */

/* What a rule of the vendor's does: its policies, the mark, the verdict. The caller frees it. */
char *ruleset_allowing(const struct config *c, const struct ruleset_facts *f,
	const struct config_vendor *v, const char *verdict);
/* The ct timeout objects of all vendors; and comments on what a kernel does not let be done. */
void ruleset_append_policies(
	struct strbuf *b, const struct config *c, const struct ruleset_facts *f);
/* Statements that delete those of `f` that no vendor needs; between the tables. */
void ruleset_append_unused(struct strbuf *b, const struct config *c, const struct ruleset_facts *f);
