/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verbs that look: status, vendors, names, show, sets, refused, rules, why. */
#include "ctl/verbs.h"
#include "ctl/views.h"

#include <jansson.h>
#include <string.h>

/* The object called `key` in the reply, as JSON or through `view`. */
static void show(struct ctl *c, const json_t *object,
	void (*view)(struct printer *p, const struct json_t *object))
{
	if (c->json != JSON_MODE_OFF) {
		client_print_json(c, object);
		return;
	}
	view(&c->printer, object);
	client_flush(c);
}

int verb_status(struct ctl *c, int argc, char **argv)
{
	json_t *reply;
	int r = client_call(c, "GetStatus", NULL, CTL_REPLY_MS, &reply);

	if (r)
		return r;
	const json_t *status = json_object_get(reply, "status");
	const char *state = field_text(status, "state");
	show(c, status, view_status);
	if (strcmp(state, "healthy") == 0)
		r = CTL_OK;
	else
		r = strcmp(state, "ineffective") == 0 || strcmp(state, "stale") == 0
			    ? CTL_INEFFECTIVE
			    : CTL_NO;
	json_decref(reply);
	return r;
}

struct collecting {
	struct ctl *ctl;
	json_t *items;
};

/* JSON goes out as it comes; a table needs to know its widths. */
static void collect(void *userdata, const struct json_t *item)
{
	struct collecting *to = userdata;

	if (to->ctl->json != JSON_MODE_OFF)
		client_print_json(to->ctl, item);
	else
		json_array_append(to->items, (json_t *)(uintptr_t)item);
}

static int list(struct ctl *c, const char *method, json_t *parameters, const char *key,
	void (*view)(struct printer *p, const struct json_t *list))
{
	struct collecting to = {c, json_array()};
	int r = client_list(c, method, parameters, key, collect, &to);

	if (!r && c->json == JSON_MODE_OFF) {
		view(&c->printer, to.items);
		client_flush(c);
	}
	json_decref(to.items);
	return r;
}

int verb_vendors(struct ctl *c, int argc, char **argv)
{
	if (argc)
		return list(c, "ShowVendor", client_parameter("vendor", argv[0]), NULL, view_page);
	return list(c, "ListVendors", NULL, "vendor", view_vendors);
}

int verb_names(struct ctl *c, int argc, char **argv)
{
	return list(c, "ListNames", NULL, "name", view_names);
}

int verb_sets(struct ctl *c, int argc, char **argv)
{
	return list(c, "ListSets", NULL, "set", view_sets);
}

int verb_refused(struct ctl *c, int argc, char **argv)
{
	return list(c, "Refused", argc ? client_parameter("device", argv[0]) : NULL, "refusal",
		view_refused);
}

int verb_show(struct ctl *c, int argc, char **argv)
{
	json_t *reply;
	int r = client_call(c, "ShowName", client_parameter("name", argv[0]), CTL_REPLY_MS, &reply);

	if (r)
		return r;
	show(c, json_object_get(reply, "name"), view_name);
	json_decref(reply);
	return CTL_OK;
}

static void on_rules(void *userdata, const struct json_t *piece)
{
	struct ctl *c = userdata;
	const char *hook = field_text(piece, "hook");

	if (c->hook != (*hook != '\0'))
		return;
	if (c->json != JSON_MODE_OFF) {
		client_print_json(c, piece);
		return;
	}
	if (c->hook) {
		print_text(&c->printer, hook);
		print_raw(&c->printer, "\n");
	}
	view_rules(&c->printer, piece);
	client_flush(c);
}

int verb_rules(struct ctl *c, int argc, char **argv)
{
	return client_list(c, "Rules", NULL, NULL, on_rules, c);
}

/* [SOURCE] DESTINATION|NAME [PROTO/PORT] */
int verb_why(struct ctl *c, int argc, char **argv)
{
	const char *service = argc > 1 && strchr(argv[argc - 1], '/') ? argv[--argc] : NULL;
	const char *destination = argv[argc - 1];
	json_t *parameters = client_parameter("destination", destination), *reply;

	if (service)
		json_object_update_new(parameters, client_parameter("service", service));
	if (argc > 1)
		json_object_update_new(parameters, client_parameter("source", argv[0]));
	int r = client_call(c, "Why", parameters, CTL_REPLY_MS, &reply);
	if (r)
		return r;
	r = field_bool(reply, "allowed") ? CTL_OK : CTL_NO;
	if (c->json != JSON_MODE_OFF)
		client_print_json(c, reply);
	else
		view_why(&c->printer, destination, reply);
	client_flush(c);
	json_decref(reply);
	return r;
}
