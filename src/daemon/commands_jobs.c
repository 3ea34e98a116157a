/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls that outlive their handlers: lists that are sent as the client reads, waits for DNS,
 * streams of events. Each ends with its last reply or with its client. */
#include "base/strbuf.h"
#include "daemon/commands_private.h"
#include "daemon/engine.h"
#include "edge/control.h"

#include <jansson.h>
#include <string.h>

enum {
	PIECE = 500,         /* elements in one reply of Diff */
	FAILING_SHOWN = 100, /* names in the reply of Resolve */
};

/* A call that outlives its handler. */
struct job {
	struct commands *commands;
	struct control_call *call;
	/* A list: what is still to be sent, as objects or as names to be looked up when it is their
	 * turn (there may be very many, and a reload in between). */
	json_t *items;
	struct strings names;
	char *vendor; /* or as the lines of its page */
	struct show_page_at page_at;
	size_t at;
	json_t *held; /* the last one sent is different, so one is held back */
	/* A wait for answers of DNS. */
	struct engine_wait *wait;
	char *name; /* NULL: all */
	/* A stream of events. */
	void *subscription;
};

static void job_free(struct job *j)
{
	if (j->wait)
		engine_resolve_cancel(j->commands->engine, j->wait);
	if (j->subscription)
		engine_unsubscribe(j->commands->engine, j->subscription);
	json_decref(j->items);
	json_decref(j->held);
	strings_done(&j->names);
	free(j->vendor);
	free(j->name);
	free(j);
}

static void on_gone(void *userdata, struct control_call *call)
{
	job_free(userdata);
}

static struct job *job_new(struct commands *c, struct control_call *call)
{
	struct job *j = xcalloc(1, sizeof(*j));

	j->commands = c;
	j->call = call;
	control_call_on_gone(call, on_gone, j);
	return j;
}

static json_t *page_next(struct job *j, const struct world *w)
{
	const struct config_vendor *v = config_vendor_find(w->config, j->vendor);
	struct show_context context = commands_context(j->commands);

	if (!v) /* since a reload */
		return NULL;
	return j->at++ ? show_page_next(w, v, &j->page_at) : show_page(w, &context, v);
}

/* The next reply of a list, or NULL. */
static json_t *list_next(struct job *j)
{
	const struct world *w = engine_world(j->commands->engine);

	if (j->items)
		return j->at < json_array_size(j->items)
			       ? json_incref(json_array_get(j->items, j->at++))
			       : NULL;
	if (j->vendor)
		return page_next(j, w);
	while (j->at < j->names.count) {
		const struct name *n = names_find(&w->names, j->names.items[j->at++]);
		struct show_context context = commands_context(j->commands);
		if (n)
			return commands_object("name", show_name(w, &context, n));
	}
	return NULL;
}

static void list_step(void *userdata, struct control_call *call)
{
	struct job *j = userdata;

	while (control_call_has_room(call)) {
		json_t *next = list_next(j);
		json_t *held = j->held;
		j->held = next;
		if (held || !next)
			control_call_reply(call, held, next != NULL);
		if (!next) {
			job_free(j);
			return;
		}
	}
}

void commands_list(struct commands *c, struct control_call *call, json_t *items)
{
	struct job *j = job_new(c, call);

	j->items = items;
	control_call_on_room(call, list_step, j);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void commands_list_names(struct commands *c, struct control_call *call)
{
	const struct world *w = engine_world(c->engine);
	struct job *j = job_new(c, call);
	const struct name *n;

	for (size_t at = 0; (n = names_next(&w->names, &at));)
		strings_add(&j->names, n->text);
	if (j->names.count)
		qsort(j->names.items, j->names.count, sizeof(char *), compare_texts);
	control_call_on_room(call, list_step, j);
}

void commands_show_vendor(struct commands *c, struct control_call *call)
{
	const char *vendor = commands_parameter(call, "vendor");

	if (!vendor) {
		control_call_invalid(call, "vendor");
		return;
	}
	if (!config_vendor_find(engine_world(c->engine)->config, vendor)) {
		commands_fail(call, ERROR("NoSuchVendor"), "vendor", vendor);
		return;
	}
	struct job *j = job_new(c, call);
	j->vendor = xstrdup(vendor);
	control_call_on_room(call, list_step, j);
}

/* Pieces that a client can take in, deletes first as in the batch. */
static void add_pieces(
	json_t *items, const struct plan_set *s, struct element_key *keys, size_t count, bool adds)
{
	_cleanup_free_ char *set = set_id_format(s->id);
	char text[ELEMENT_TEXT_SIZE];

	if (count)
		qsort(keys, count, sizeof(*keys), element_key_order);
	for (size_t at = 0; at < count; at += PIECE) {
		json_t *object = json_object(), *list = json_array();
		for (size_t i = at; i < count && i < at + PIECE; i++)
			json_array_append_new(
				list, show_text(element_key_format(&s->kind, &keys[i], text)));
		show_put_text(object, "set", set);
		json_object_set_new(object, adds ? "add" : "delete", list);
		json_object_set_new(object, adds ? "delete" : "add", json_array());
		json_array_append_new(items, object);
	}
}

/* No difference must not be read out of a set that nobody could look at. */
static void add_problems(json_t *items, const struct world *w, const struct plan *p)
{
	for (size_t i = 0; i < w->set_count; i++) {
		const struct world_set *set = &w->sets[i];
		bool trouble = set->look_ms;
		for (size_t j = 0; j < p->count; j++)
			trouble |= p->sets[j].set_index == i && p->sets[j].left_out;
		if (!trouble)
			continue;
		json_t *object = json_pack("{s:[], s:[]}", "add", "delete");
		show_put_text(object, "set", set->text);
		show_put_text(
			object, "problem", set->degraded ? set->degraded : "cannot be looked at");
		json_array_append_new(items, object);
	}
}

/* Nor out of sets whose rules are not in force. */
static void add_rules(json_t *items, const struct commands *c)
{
	struct show_context context = commands_context(c);
	_cleanup_free_ char *text = show_rules_degraded(&context);

	if (!text)
		return;
	json_t *object = json_pack("{s:[], s:[]}", "add", "delete");
	show_put_text(object, show_rules_failed(&context) ? "problem" : "rules", text);
	json_array_append_new(items, object);
}

void commands_diff(struct commands *c, struct control_call *call)
{
	_cleanup_(plan_done) struct plan p = PLAN_NULL;
	int r = engine_diff(c->engine, &p);

	if (r < 0) {
		commands_fail(call, ERROR("KernelFailed"), "message", strerror(-r));
		return;
	}
	json_t *items = json_array();
	for (size_t i = 0; i < p.count; i++) {
		struct plan_set *s = &p.sets[i];
		add_pieces(items, s, s->deletes, s->delete_count, false);
		add_pieces(items, s, s->adds, s->add_count, true);
	}
	add_problems(items, engine_world(c->engine), &p);
	add_rules(items, c);
	if (!json_array_size(items))
		json_array_append_new(items, json_pack("{s:[], s:[]}", "add", "delete"));
	commands_list(c, call, items);
}

static bool is_failing(const struct name *n)
{
	return names_health(n) == NAME_STOPPED || names_health(n) == NAME_NEVER;
}

static void on_resolved(void *userdata)
{
	struct job *j = userdata;
	const struct world *w = engine_world(j->commands->engine);
	struct show_context context = commands_context(j->commands);
	json_t *reply = json_object(), *failing = json_array();
	const struct name *n = j->name ? names_find(&w->names, j->name) : NULL;
	size_t asked = j->name ? n != NULL : 0, at = 0;

	if (n) {
		json_object_set_new(reply, "name", show_name(w, &context, n));
		if (is_failing(n))
			json_array_append_new(failing, show_text(n->text));
	}
	while (!j->name && (n = names_next(&w->names, &at))) {
		asked++;
		if (is_failing(n) && json_array_size(failing) < FAILING_SHOWN)
			json_array_append_new(failing, show_text(n->text));
	}
	json_object_set_new(reply, "asked", json_integer((json_int_t)asked));
	json_object_set_new(reply, "failing", failing);
	control_call_reply(j->call, reply, false);
	j->wait = NULL; /* it ends itself */
	job_free(j);
}

void commands_resolve(struct commands *c, struct control_call *call)
{
	const char *text = commands_parameter(call, "name");
	const struct name *n = text ? commands_find_name(c, call, "name", text) : NULL;

	if (text && !n)
		return;
	struct job *j = job_new(c, call);
	j->name = n ? xstrdup(n->text) : NULL;
	j->wait = engine_resolve(c->engine, j->name, on_resolved, j);
	if (!j->wait) /* there is not one name */
		on_resolved(j);
}

static void on_event(void *userdata, const struct event *e)
{
	struct job *j = userdata;

	control_call_reply(j->call, commands_object("event", show_event(e)), true);
}

void commands_monitor(struct commands *c, struct control_call *call)
{
	struct job *j = job_new(c, call);

	j->subscription = engine_subscribe(c->engine, on_event, j);
	control_call_reply(call, NULL, true);
}
