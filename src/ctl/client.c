/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls to the daemon, and what their errors mean to the user. */
#include "ctl/client.h"

#include "edge/varlink.h"

#include "build_config.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define INTERFACE "io.allowsync."

static void complain(const char *text)
{
	_cleanup_free_ char *safe = text_escape(text);

	fprintf(stderr, "allowsyncctl: %s\n", safe);
}

_printf_(1, 2) static void complainf(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	complain(text);
	free(text);
}

struct json_t *client_parameter(const char *key, const char *text)
{
	json_t *object = json_object(), *value = json_string(text);
	_cleanup_free_ char *safe = text_escape(text);

	json_object_set_new(object, key, value ? value : json_string(safe));
	return object;
}

int client_connect(struct ctl *c)
{
	int r = varlink_connect(c->socket, &c->client);

	if (r == 0 || r == -ENOENT || r == -ECONNREFUSED)
		return r;
	if (r == -EACCES || r == -EPERM) {
		complainf("%s: permission denied; members of group %s may look, or be root",
			c->socket, ALLOWSYNCD_GROUP);
		return EX_NOPERM;
	}
	complainf("%s: %s", c->socket, strerror(-r));
	return r == -EAGAIN ? EX_TEMPFAIL : EX_UNAVAILABLE;
}

int client_open(struct ctl *c)
{
	int r = client_connect(c);

	if (r < 0) {
		complainf("allowsyncd is not running (nobody answers at %s)", c->socket);
		return CTL_NOT_RUNNING;
	}
	return r;
}

int client_send(struct ctl *c, const char *method, struct json_t *parameters, bool more)
{
	_cleanup_free_ char *full = xasprintf(INTERFACE "%s", method);
	int r = varlink_send(c->client, full, parameters, more, CTL_REPLY_MS);

	if (r == VARLINK_E_TIMEOUT) {
		complain("the daemon does not take the call");
		return EX_TEMPFAIL;
	}
	if (r) {
		complainf("%s: %s", c->socket, strerror(-r));
		return EX_UNAVAILABLE;
	}
	return 0;
}

struct meaning {
	const char *error;
	int status;
	const char *text, *key; /* the parameter to append; NULL: none */
};

static const struct meaning meanings[] = {
	{"org.varlink.service.PermissionDenied", EX_NOPERM,
		"permission denied: this is for root and the users named by admins = in "
		"allowsyncd.conf",
		NULL},
	{"org.varlink.service.InvalidParameter", EX_USAGE, "the daemon does not accept this",
		"parameter"},
	{"org.varlink.service.MethodNotFound", EX_UNAVAILABLE,
		"the daemon is of another version and does not know", "method"},
	{INTERFACE "NoSuchName", CTL_NO, "no set takes such a name", "name"},
	{INTERFACE "NoSuchVendor", CTL_NO, "the configuration has no such vendor", "vendor"},
	{INTERFACE "NoSuchTarget", CTL_NO, "neither a set nor a vendor", "target"},
	{INTERFACE "NoSuchDevice", CTL_NO, "neither an address, a MAC address nor a device group",
		"device"},
	{INTERFACE "KernelFailed", EX_OSERR, "the kernel refused", "message"},
	{INTERFACE "TooManyClients", EX_TEMPFAIL, "turned away", "reason"},
	{INTERFACE "TooBusy", EX_TEMPFAIL, "asked for by many at once; try again in a second",
		NULL},
};

static int explain_error(const struct varlink_reply *reply)
{
	if (strcmp(reply->error, INTERFACE "ReloadFailed") == 0) {
		size_t count = field_count(reply->parameters, "diags");
		_cleanup_free_ char *errors = text_count((int64_t)count, "error", "s");
		for (size_t i = 0; i < count; i++) {
			_cleanup_free_ char *safe =
				text_escape(field_item_text(reply->parameters, "diags", i));
			fprintf(stderr, "%s\n", safe);
		}
		fprintf(stderr, "%s; the running configuration is unchanged\n", errors);
		return EX_CONFIG;
	}
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++) {
		const struct meaning *m = &meanings[i];
		if (strcmp(m->error, reply->error) != 0)
			continue;
		if (m->key && *field_text(reply->parameters, m->key))
			complainf("%s: %s", m->text, field_text(reply->parameters, m->key));
		else
			complain(m->text);
		return m->status;
	}
	complainf("the daemon answered %s", reply->error);
	return EX_SOFTWARE;
}

int client_receive(struct ctl *c, int timeout_ms, struct json_t **ret, bool *ret_continues)
{
	struct varlink_reply reply = VARLINK_REPLY_NULL;
	int r = varlink_receive(c->client, timeout_ms, &reply);

	switch (r) {
	case 0:
		break;
	case VARLINK_E_TIMEOUT:
		complain("the daemon does not answer in time");
		return EX_TEMPFAIL;
	case VARLINK_E_CLOSED:
		complain("the daemon closed the connection");
		return EX_UNAVAILABLE;
	default:
		complain(r > 0 ? "what answers there is no allowsyncd" : strerror(-r));
		return EX_PROTOCOL;
	}
	if (reply.error) {
		int status = explain_error(&reply);
		varlink_reply_done(&reply);
		return status;
	}
	*ret = json_incref(reply.parameters);
	*ret_continues = reply.continues;
	varlink_reply_done(&reply);
	return 0;
}

int client_call(struct ctl *c, const char *method, struct json_t *parameters, int timeout_ms,
	struct json_t **ret)
{
	bool continues;
	int r = client_open(c);

	if (r) {
		json_decref(parameters);
		return r;
	}
	r = client_send(c, method, parameters, false);
	return r ? r : client_receive(c, timeout_ms, ret, &continues);
}

int client_list(struct ctl *c, const char *method, struct json_t *parameters, const char *key,
	client_item_fn fn, void *userdata)
{
	bool continues = true;
	int r = client_open(c);

	if (r)
		json_decref(parameters);
	else
		r = client_send(c, method, parameters, true);
	while (!r && continues) {
		json_t *reply;
		r = client_receive(c, CTL_REPLY_MS, &reply, &continues);
		if (r)
			break;
		const json_t *item = key ? json_object_get(reply, key) : reply;
		if (json_is_object(item))
			fn(userdata, item);
		json_decref(reply);
	}
	return r;
}

void client_close(struct ctl *c)
{
	c->client = varlink_client_free(c->client);
}

void client_print_json(const struct ctl *c, const struct json_t *json)
{
	size_t flags = JSON_ENSURE_ASCII | JSON_ENCODE_ANY;
	char *text = json_dumps(
		json, flags | (c->json == JSON_MODE_PRETTY ? JSON_INDENT(2) : JSON_COMPACT));

	puts(text ? text : "null");
	free(text);
}

void client_flush(struct ctl *c)
{
	fputs(strbuf_text(&c->printer.out), stdout);
	fflush(stdout);
	strbuf_clear(&c->printer.out);
}
