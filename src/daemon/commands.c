/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The methods of io.allowsync: who may call them, what they want, what they answer. */
#include "daemon/commands.h"

#include "base/strbuf.h"
#include "core/ruleset.h"
#include "daemon/commands_private.h"
#include "daemon/commands_why.h"
#include "daemon/engine.h"
#include "daemon/refusals.h"
#include "edge/control.h"
#include "edge/loop.h"
#include "edge/service.h"

#include <errno.h>
#include <jansson.h>
#include <pwd.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

enum { COSTLY_PAUSE_MS = 1000 }; /* between costly calls of those who may not change things */

static void do_get_status(struct commands *c, struct control_call *call)
{
	struct show_context context = commands_context(c);

	control_call_reply(call,
		commands_object("status", show_status(engine_world(c->engine), &context)), false);
}

static void do_list_vendors(struct commands *c, struct control_call *call)
{
	const struct world *w = engine_world(c->engine);
	struct show_context context = commands_context(c);
	json_t *items = json_array();

	for (size_t i = 0; i < w->config->vendor_count; i++)
		json_array_append_new(
			items, commands_object(
				       "vendor", show_vendor(w, &context, &w->config->vendors[i])));
	commands_list(c, call, items);
}

static void do_list_sets(struct commands *c, struct control_call *call)
{
	const struct world *w = engine_world(c->engine);
	struct show_context context = commands_context(c);
	json_t *items = json_array();

	for (size_t i = 0; i < w->set_count; i++)
		json_array_append_new(
			items, commands_object("set", show_set(w, &context, &w->sets[i])));
	commands_list(c, call, items);
}

static void do_show_name(struct commands *c, struct control_call *call)
{
	const char *text = commands_parameter(call, "name");
	struct show_context context = commands_context(c);

	if (!text) {
		control_call_invalid(call, "name");
		return;
	}
	const struct name *n = commands_find_name(c, call, "name", text);
	if (n)
		control_call_reply(call,
			commands_object("name", show_name(engine_world(c->engine), &context, n)),
			false);
}

static void why_name(
	struct commands *c, struct control_call *call, const struct name *n, struct why_question *q)
{
	struct show_context context = commands_context(c);
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
	const char *destination = commands_parameter(call, "destination");
	const char *source = commands_parameter(call, "source");
	const char *service_text = commands_parameter(call, "service");
	struct show_context context = commands_context(c);
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
		const struct name *n = commands_find_name(c, call, "destination", destination);
		if (n)
			why_name(c, call, n, &q);
	}
}

/* Which flows are asked for: of a group, an address, a MAC address, or all. */
struct refused_filter {
	const struct refused_group *group;
	struct addr source;
	bool by_source, by_mac;
	uint8_t mac[6];
};

static bool passes(const struct refused_filter *q, const struct refused_flow *f)
{
	const struct refused_packet *p = &f->last;

	return (!q->group || f->group == q->group) &&
	       (!q->by_source || addr_eq(&p->source, &q->source)) &&
	       (!q->by_mac || (p->has_mac && memcmp(p->mac, q->mac, sizeof(q->mac)) == 0));
}

static void do_refused(struct commands *c, struct control_call *call)
{
	const char *device = commands_parameter(call, "device");
	const struct world *w = engine_world(c->engine);
	struct show_context context = commands_context(c);
	const struct refused *book = &context.refusals->book;
	struct refused_filter q = {0};

	if (device) {
		q.group = refused_group_find(book, device);
		q.by_source = !q.group && addr_parse(device, &q.source);
		q.by_mac = !q.group && refused_mac_parse(device, q.mac);
		if (!q.group && !q.by_source && !q.by_mac) {
			commands_fail(call, ERROR("NoSuchDevice"), "device", device);
			return;
		}
	}
	json_t *items = json_array();
	for (const struct refused_flow *f = NULL; (f = refused_each(book, f));) {
		if (passes(&q, f))
			json_array_append_new(
				items, commands_object("refusal", show_refusal(w, &context, f)));
	}
	commands_list(c, call, items);
}

/* In pieces that end where a line ends: of many vendors it is long. */
static void do_rules(struct commands *c, struct control_call *call)
{
	enum { PIECE_MAX = 16 * 1024 };
	const struct config *config = engine_world(c->engine)->config;
	_cleanup_free_ char *text = engine_ruleset(c->engine);
	_cleanup_free_ char *hook = ruleset_hook(config);
	json_t *items = json_array();

	json_array_append_new(items, commands_object("hook", show_text(hook)));
	for (const char *at = text; *at;) {
		size_t len = 0;
		do
			len += strcspn(at + len, "\n") + 1;
		while (at[len] && len + strcspn(at + len, "\n") < PIECE_MAX);
		_cleanup_free_ char *piece = xstrndup(at, len);
		json_array_append_new(items, commands_object("text", show_text(piece)));
		at += len;
	}
	commands_list(c, call, items);
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
			commands_object("diags", show_diags(&diags, DIAG_ERROR)));
		return;
	}
	json_t *reply = commands_object("warnings", show_diags(&diags, DIAG_WARNING));
	show_put_text(reply, "digest", engine_world(c->engine)->config->digest);
	control_call_reply(call, reply, false);
}

static void do_release(struct commands *c, struct control_call *call)
{
	const char *target = commands_parameter(call, "target");
	int r = engine_release(c->engine, target);

	if (r == -ENOENT)
		commands_fail(call, ERROR("NoSuchTarget"), "target", target ? target : "");
	else if (r < 0)
		commands_fail(call, ERROR("KernelFailed"), "message", strerror(-r));
	else
		control_call_reply(call, commands_object("removed", json_integer(r)), false);
}

static void pause_or_resume(struct commands *c, struct control_call *call, bool pause)
{
	const char *target = commands_parameter(call, "target");
	int r = engine_pause(c->engine, target, pause);

	if (r < 0)
		commands_fail(call, ERROR("NoSuchTarget"), "target", target ? target : "");
	else
		control_call_reply(call, commands_object("sets", json_integer(r)), false);
}

static void do_pause(struct commands *c, struct control_call *call)
{
	pause_or_resume(c, call, true);
}

static void do_resume(struct commands *c, struct control_call *call)
{
	pause_or_resume(c, call, false);
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
	{"ShowVendor", commands_show_vendor, false, false, true, {"vendor"}},
	{"ListNames", commands_list_names, false, false, true, {0}},
	{"ShowName", do_show_name, false, false, false, {"name"}},
	{"ListSets", do_list_sets, false, false, true, {0}},
	{"Why", do_why, false, false, false, {"destination", "source", "service"}},
	{"Diff", commands_diff, false, true, true, {0}},
	{"Resolve", commands_resolve, false, true, false, {"name"}},
	{"Refused", do_refused, false, false, true, {"device"}},
	{"Rules", do_rules, false, false, true, {0}},
	{"Monitor", commands_monitor, false, false, true, {0}},
	{"Reload", do_reload, true, false, false, {0}},
	{"Release", do_release, true, false, false, {"target"}},
	{"Pause", do_pause, true, false, false, {"target"}},
	{"Resume", do_resume, true, false, false, {"target"}},
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
	commands_fail(call, CONTROL_E_METHOD_NOT_FOUND, "method", control_call_method(call));
}

struct commands *commands_new(struct engine *e, const char *path, const char *group)
{
	struct commands *c = xcalloc(1, sizeof(*c));

	c->engine = e;
	int r = control_new(
		engine_loop(e), service_control_fd(), path, group, on_call, c, &c->control);
	if (r < 0) {
		_cleanup_free_ char *m = xasprintf("control socket %s: %s; %s", path, strerror(-r),
			r == -EADDRINUSE ? "another allowsyncd runs, so this one ends"
					 : "going on without");
		engine_emit(e, &(struct event){
				       .kind = EVENT_CONTROL_FAILED,
				       .priority = LOG_ERR,
				       .message = m,
			       });
	}
	return r == -EADDRINUSE ? commands_free(c) : c;
}

struct commands *commands_free(struct commands *c)
{
	if (!c)
		return NULL;
	control_free(c->control); /* ends the calls under way */
	free(c);
	return NULL;
}
