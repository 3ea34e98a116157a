/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses that are not used, or not by all. */
#include "base/strbuf.h"
#include "daemon/commands_show.h"
#include "daemon/screening.h"

#include <jansson.h>

void show_put_refused(struct json_t *object, const struct name_family *f)
{
	const struct name_feeds *feeds = f->name->userdata;

	if (feeds)
		show_put_text(object, "refused", feeds->refused[f->family]);
}

const char *show_refused_rule(const struct name *n)
{
	const struct name_feeds *feeds = n->userdata;

	if (!feeds)
		return NULL;
	return feeds->refused[FAMILY_V4] ? feeds->refused[FAMILY_V4] : feeds->refused[FAMILY_V6];
}

void show_put_not_for(
	struct json_t *object, const struct world *w, const struct name *n, const struct addr *a)
{
	const struct name_feeds *feeds = n->userdata;
	json_t *list = json_array();

	for (size_t i = 0; feeds && i < feeds->count; i++) {
		const struct owner *o = feeds->owners[i];
		const char *rule = screening_rule(w, o, a);
		if (!rule || !screening_speaks(feeds, o))
			continue;
		_cleanup_free_ char *text =
			xasprintf("%s/%s (%s)", o->vendor, o->endpoint->name, rule);
		json_array_append_new(list, show_text(text));
	}
	if (json_array_size(list))
		json_object_set_new(object, "not_for", list);
	else
		json_decref(list);
}
