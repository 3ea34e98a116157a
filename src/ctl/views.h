#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the daemon said, for people: replies of io.allowsync -> text. Pure, but for the time zone.
 */
#include "ctl/print.h"

struct json_t;

/* Lists of objects, as they came. */
void view_status(struct printer *p, const struct json_t *status);
void view_vendors(struct printer *p, const struct json_t *vendors);
/* One vendor's page: the replies of ShowVendor. */
void view_page(struct printer *p, const struct json_t *replies);
void view_sets(struct printer *p, const struct json_t *sets);
void view_refused(struct printer *p, const struct json_t *refusals);
void view_names(struct printer *p, const struct json_t *names);
void view_name(struct printer *p, const struct json_t *name);
/* `what`: as the user wrote it; `reply`: of Why. */
void view_why(struct printer *p, const char *what, const struct json_t *reply);
/* One piece of Diff, in nft's syntax. */
void view_diff(struct printer *p, const struct json_t *piece);
/* One piece of Rules: the lines as nft reads them. */
void view_rules(struct printer *p, const struct json_t *piece);
/* One line. */
void view_event(struct printer *p, const struct json_t *event);
/* `reply`: of Resolve, for all names. */
void view_resolved(struct printer *p, const struct json_t *reply);
