/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The methods of io.allowsync: who may call them, what they want, what they answer. */
#include "daemon/commands.h"

#include "base/strbuf.h"
#include "daemon/commands_show.h"
#include "daemon/commands_why.h"
#include "daemon/engine.h"
#include "edge/control.h"
#include "edge/loop.h"
#include "edge/service.h"

#include <errno.h>
#include <jansson.h>
#include <pwd.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

enum {
	PIECE = 500,           /* elements in one reply of Diff */
	FAILING_SHOWN = 100,   /* names in the reply of Resolve */
	COSTLY_PAUSE_MS = 1000 /* between costly calls of those who may not change things */
};

#define ERROR(name) CONTROL_INTERFACE "." name

/* A call that outlives its handler. */
struct job {
	struct commands *commands;
	struct control_call *call;
	/* A list: what is still to be sent, as objects or as names to be looked up when it is their
	 * turn (there may be very many, and a reload in between). */
	json_t *items;
	struct strings names;
	size_t at;
	json_t *held; /* the last one sent is different, so one is held back */
	/* A wait for answers of DNS. */
	struct engine_wait *wait;
	char *name; /* NULL: all */
	/* A stream of events. */
	void *subscription;
};

struct commands {
	struct engine *engine;
	struct control *control;
	uint64_t costly_ms; /* when somebody without that right last made one of those calls */
};

static struct show_context context_of(const struct commands *c)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (struct show_context){
		.clock = {loop_now_ms(), (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000},
		.history = engine_history(c->engine),
		.resolver = engine_resolver(c->engine),
		.started_ms = engine_started_ms(c->engine),
		.commits = engine_commit_count(c->engine),
		.dumps = engine_dump_count(c->engine),
	};
}

/* NULL when it is absent; what it is has been checked. */
static const char *parameter(const struct control_call *call, const char *key)
{
	return json_string_value(json_object_get(control_call_parameters(call), key));
}

/* Consumes the value. */
static json_t *object_of(const char *key, json_t *value)
{
	json_t *object = json_object();

	json_object_set_new(object, key, value);
	return object;
}

static void job_free(struct job *j)
{
	if (j->wait)
		engine_resolve_cancel(j->commands->engine, j->wait);
	if (j->subscription)
		engine_unsubscribe(j->commands->engine, j->subscription);
	json_decref(j->items);
	json_decref(j->held);
	strings_done(&j->names);
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

/* The next reply of a list, or NULL. */
static json_t *list_next(struct job *j)
{
	const struct world *w = engine_world(j->commands->engine);

	if (j->items)
		return j->at < json_array_size(j->items)
			       ? json_incref(json_array_get(j->items, j->at++))
			       : NULL;
	while (j->at < j->names.count) {
		const struct name *n = names_find(&w->names, j->names.items[j->at++]);
		struct show_context context = context_of(j->commands);
		if (n)
			return object_of("name", show_name(w, &context, n));
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

/* Consumes the items; each is a reply. */
static void list_items(struct commands *c, struct control_call *call, json_t *items)
{
	struct job *j = job_new(c, call);

	j->items = items;
	control_call_on_room(call, list_step, j);
}

static void do_get_status(struct commands *c, struct control_call *call)
{
	struct show_context context = context_of(c);

	control_call_reply(
		call, object_of("status", show_status(engine_world(c->engine), &context)), false);
}

static void do_list_vendors(struct commands *c, struct control_call *call)
{
	const struct world *w = engine_world(c->engine);
	struct show_context context = context_of(c);
	json_t *items = json_array();

	for (size_t i = 0; i < w->config->vendor_count; i++)
		json_array_append_new(items,
			object_of("vendor", show_vendor(w, &context, &w->config->vendors[i])));
	list_items(c, call, items);
}

static void do_list_sets(struct commands *c, struct control_call *call)
{
	const struct world *w = engine_world(c->engine);
	struct show_context context = context_of(c);
	json_t *items = json_array();

	for (size_t i = 0; i < w->set_count; i++)
		json_array_append_new(items, object_of("set", show_set(w, &context, &w->sets[i])));
	list_items(c, call, items);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void do_list_names(struct commands *c, struct control_call *call)
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

static void no_such(struct control_call *call, const char *error, const char *key, const char *text)
{
	control_call_error(call, error, object_of(key, show_text(text)));
}

/* The name as we hold it. NULL: the call is answered with an error. */
static const struct name *find_name(
	struct commands *c, struct control_call *call, const char *key, const char *text)
{
	char normal[NAME_TEXT_MAX + 1];

	if (name_normalize(text, normal)) {
		control_call_invalid(call, key);
		return NULL;
	}
	const struct name *n = names_find(&engine_world(c->engine)->names, normal);
	if (!n)
		no_such(call, ERROR("NoSuchName"), "name", normal);
	return n;
}

static void do_show_name(struct commands *c, struct control_call *call)
{
	const char *text = parameter(call, "name");
	struct show_context context = context_of(c);

	if (!text) {
		control_call_invalid(call, "name");
		return;
	}
	const struct name *n = find_name(c, call, "name", text);
	if (n)
		control_call_reply(call,
			object_of("name", show_name(engine_world(c->engine), &context, n)), false);
}

static void why_name(
	struct commands *c, struct control_call *call, const struct name *n, struct why_question *q)
{
	struct show_context context = context_of(c);
	struct addr *addresses = NULL;
	size_t capacity = 0;

	for (int f = 0; f < FAMILY_COUNT; f++) {
		for (size_t i = 0; i < n->families[f].count; i++) {
			VEC_GROW(addresses, capacity, q->count);
			addresses[q->count++] = n->families[f].addresses[i].addr;
		}
	}
	q->name = n->text;
	q->addresses = addresses;
	control_call_reply(call, why_answer(engine_world(c->engine), &context, q), false);
	free(addresses);
}

static void do_why(struct commands *c, struct control_call *call)
{
	const char *destination = parameter(call, "destination");
	const char *source = parameter(call, "source");
	const char *service_text = parameter(call, "service");
	struct show_context context = context_of(c);
	struct why_question q = {0};
	struct service service;
	struct addr a, from;

	if (!destination) {
		control_call_invalid(call, "destination");
	} else if (source && !addr_parse(source, &from)) {
		control_call_invalid(call, "source");
	} else if (service_text && service_parse(service_text, &service)) {
		control_call_invalid(call, "service");
	} else {
		q.service = service_text ? &service : NULL;
		if (addr_parse(destination, &a)) {
			q.addresses = &a;
			q.count = 1;
			control_call_reply(
				call, why_answer(engine_world(c->engine), &context, &q), false);
			return;
		}
		const struct name *n = find_name(c, call, "destination", destination);
		if (n)
			why_name(c, call, n, &q);
	}
}

static int compare_keys(const void *a, const void *b)
{
	return element_key_cmp(a, b);
}

/* Pieces that a client can take in, deletes first as in the batch. */
static void add_pieces(
	json_t *items, const struct plan_set *s, struct element_key *keys, size_t count, bool adds)
{
	_cleanup_free_ char *set = set_id_format(s->id);
	char text[ELEMENT_TEXT_SIZE];

	if (count)
		qsort(keys, count, sizeof(*keys), compare_keys);
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

static void do_diff(struct commands *c, struct control_call *call)
{
	_cleanup_(plan_done) struct plan p = PLAN_NULL;
	int r = engine_diff(c->engine, &p);

	if (r < 0) {
		no_such(call, ERROR("KernelFailed"), "message", strerror(-r));
		return;
	}
	json_t *items = json_array();
	for (size_t i = 0; i < p.count; i++) {
		struct plan_set *s = &p.sets[i];
		add_pieces(items, s, s->deletes, s->delete_count, false);
		add_pieces(items, s, s->adds, s->add_count, true);
	}
	add_problems(items, engine_world(c->engine), &p);
	if (!json_array_size(items))
		json_array_append_new(items, json_pack("{s:[], s:[]}", "add", "delete"));
	list_items(c, call, items);
}

static bool is_failing(const struct name *n)
{
	return names_health(n) == NAME_STOPPED || names_health(n) == NAME_NEVER;
}

static void on_resolved(void *userdata)
{
	struct job *j = userdata;
	const struct world *w = engine_world(j->commands->engine);
	struct show_context context = context_of(j->commands);
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

static void do_resolve(struct commands *c, struct control_call *call)
{
	const char *text = parameter(call, "name");
	const struct name *n = text ? find_name(c, call, "name", text) : NULL;

	if (text && !n)
		return;
	struct job *j = job_new(c, call);
	j->name = n ? xstrdup(n->text) : NULL;
	j->wait = engine_resolve(c->engine, j->name, on_resolved, j);
	if (!j->wait) /* there is not one name */
		on_resolved(j);
}

static json_t *split_elements(const char *text)
{
	json_t *list = json_array();

	while (text && *text) {
		size_t len = strcspn(text, ",");
		_cleanup_free_ char *one = xstrndup(text, len);
		json_array_append_new(list, show_text(one));
		text += len;
		text += strspn(text, ", ");
	}
	return list;
}

static void put_int(json_t *object, const char *key, uint64_t value)
{
	if (value)
		json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void on_event(void *userdata, const struct event *e)
{
	struct job *j = userdata;
	json_t *json = json_object();

	show_put_text(json, "kind", event_kind_name(e->kind));
	json_object_set_new(json, "time", json_integer((json_int_t)time(NULL)));
	json_object_set_new(json, "priority", json_integer(e->priority));
	show_put_text(json, "message", e->message ? e->message : "");
	show_put_text(json, "vendor", e->vendor);
	show_put_text(json, "endpoint", e->endpoint);
	show_put_text(json, "name", e->name);
	show_put_text(json, "set", e->set);
	json_object_set_new(json, "added", split_elements(e->added));
	json_object_set_new(json, "removed", split_elements(e->removed));
	put_int(json, "ttl", e->ttl_s);
	show_put_text(json, "reason", e->reason);
	show_put_text(json, "result", e->result);
	put_int(json, "generation", e->generation);
	show_put_text(json, "config", e->config);
	show_put_text(json, "file", e->file);
	put_int(json, "line", e->line);
	control_call_reply(j->call, object_of("event", json), true);
}

static void do_monitor(struct commands *c, struct control_call *call)
{
	struct job *j = job_new(c, call);

	j->subscription = engine_subscribe(c->engine, on_event, j);
	control_call_reply(call, NULL, true);
}

static json_t *show_diags(const struct diag_list *diags, enum diag_level least)
{
	json_t *list = json_array();

	for (size_t i = 0; i < diags->count; i++) {
		_cleanup_free_ char *text = diag_format(&diags->items[i]);
		if (diags->items[i].level >= least)
			json_array_append_new(list, show_text(text));
	}
	return list;
}

static void do_reload(struct commands *c, struct control_call *call)
{
	_cleanup_(diag_list_done) struct diag_list diags = DIAG_LIST_NULL;

	if (!engine_reload(c->engine, &diags)) {
		control_call_error(call, ERROR("ReloadFailed"),
			object_of("diags", show_diags(&diags, DIAG_ERROR)));
		return;
	}
	json_t *reply = object_of("warnings", show_diags(&diags, DIAG_WARNING));
	show_put_text(reply, "digest", engine_world(c->engine)->config->digest);
	control_call_reply(call, reply, false);
}

static void do_release(struct commands *c, struct control_call *call)
{
	const char *target = parameter(call, "target");
	int r = engine_release(c->engine, target);

	if (r == -ENOENT)
		no_such(call, ERROR("NoSuchTarget"), "target", target ? target : "");
	else if (r < 0)
		no_such(call, ERROR("KernelFailed"), "message", strerror(-r));
	else
		control_call_reply(call, object_of("removed", json_integer(r)), false);
}

struct method {
	const char *name;
	void (*fn)(struct commands *c, struct control_call *call);
	bool changes;              /* for root and the admins */
	bool costly;               /* makes the kernel or the DNS servers work */
	bool streams;              /* wants `more` */
	const char *parameters[4]; /* all of them are optional strings to begin with */
};

static const struct method methods[] = {
	{"GetStatus", do_get_status, false, false, false, {0}},
	{"ListVendors", do_list_vendors, false, false, true, {0}},
	{"ListNames", do_list_names, false, false, true, {0}},
	{"ShowName", do_show_name, false, false, false, {"name"}},
	{"ListSets", do_list_sets, false, false, true, {0}},
	{"Why", do_why, false, false, false, {"destination", "source", "service"}},
	{"Diff", do_diff, false, true, true, {0}},
	{"Resolve", do_resolve, false, true, false, {"name"}},
	{"Monitor", do_monitor, false, false, true, {0}},
	{"Reload", do_reload, true, false, false, {0}},
	{"Release", do_release, true, false, false, {"target"}},
};

/* NULL: all are known and of the right type; else the one that is not. */
static const char *wrong_parameter(const struct method *m, json_t *parameters)
{
	const char *key;
	json_t *value;

	json_object_foreach(parameters, key, value) {
		bool known = false;
		for (size_t i = 0; i < ARRAY_LEN(m->parameters) && m->parameters[i]; i++)
			known = known || str_eq(m->parameters[i], key);
		if (!known || !(json_is_string(value) || json_is_null(value)))
			return key;
	}
	return NULL;
}

static bool may_change(const struct commands *c, uid_t uid)
{
	const struct strings *admins = &engine_world(c->engine)->config->admins;

	if (uid == 0)
		return true;
	for (size_t i = 0; i < admins->count; i++) {
		const struct passwd *p = getpwnam(admins->items[i]);
		if (p && p->pw_uid == uid)
			return true;
	}
	return false;
}

static bool too_busy(struct commands *c, uid_t uid)
{
	uint64_t now_ms = loop_now_ms();

	if (may_change(c, uid))
		return false;
	if (c->costly_ms && now_ms < c->costly_ms + COSTLY_PAUSE_MS)
		return true;
	c->costly_ms = now_ms;
	return false;
}

static void call_method(struct commands *c, struct control_call *call, const struct method *m)
{
	uid_t uid = control_call_uid(call);
	const char *wrong = wrong_parameter(m, control_call_parameters(call));

	if (m->changes && !may_change(c, uid))
		control_call_error(call, CONTROL_E_PERMISSION_DENIED, NULL);
	else if (wrong)
		control_call_invalid(call, wrong);
	else if (m->streams && !control_call_wants_more(call))
		control_call_error(call, CONTROL_E_EXPECTED_MORE, NULL);
	else if (m->costly && too_busy(c, uid))
		control_call_error(call, ERROR("TooBusy"), NULL);
	else
		m->fn(c, call);
}

static void on_call(void *userdata, struct control_call *call)
{
	struct commands *c = userdata;
	const char *name = strrchr(control_call_method(call), '.') + 1;

	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (str_eq(methods[i].name, name)) {
			call_method(c, call, &methods[i]);
			return;
		}
	}
	no_such(call, CONTROL_E_METHOD_NOT_FOUND, "method", control_call_method(call));
}

struct commands *commands_new(struct engine *e, const char *path, const char *group)
{
	struct commands *c = xcalloc(1, sizeof(*c));

	c->engine = e;
	int r = control_new(
		engine_loop(e), service_control_fd(), path, group, on_call, c, &c->control);
	if (r < 0) {
		_cleanup_free_ char *m =
			xasprintf("control socket %s: %s; going on without", path, strerror(-r));
		engine_emit(e, &(struct event){
				       .kind = EVENT_CONTROL_FAILED,
				       .priority = LOG_ERR,
				       .message = m,
			       });
	}
	return c;
}

struct commands *commands_free(struct commands *c)
{
	if (!c)
		return NULL;
	control_free(c->control); /* ends the calls under way */
	free(c);
	return NULL;
}
