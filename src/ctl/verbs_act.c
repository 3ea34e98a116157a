/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verbs that do or follow: diff, resolve, monitor, reload, release, check. */
#include "ctl/verbs.h"
#include "ctl/views.h"

#include "build_config.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct differing {
	struct ctl *ctl;
	bool any, trouble;
};

static void on_piece(void *userdata, const struct json_t *piece)
{
	struct differing *d = userdata;
	bool any = field_count(piece, "add") + field_count(piece, "delete") ||
		   field_has(piece, "rules");

	if (field_has(piece, "problem")) {
		_cleanup_free_ char *set = text_escape(field_text(piece, "set"));
		_cleanup_free_ char *problem = text_escape(field_text(piece, "problem"));
		fprintf(stderr, "allowsyncctl: %s%s%s%s\n", *set ? "set " : "", set,
			*set ? ": " : "", problem);
		d->trouble = true;
	} else if (!any) {
		return;
	}
	d->any = d->any || any;
	if (d->ctl->json != JSON_MODE_OFF)
		client_print_json(d->ctl, piece);
	else
		view_diff(&d->ctl->printer, piece);
	client_flush(d->ctl);
}

int verb_diff(struct ctl *c, int argc, char **argv)
{
	struct differing d = {.ctl = c};
	int r = client_list(c, "Diff", NULL, NULL, on_piece, &d);

	/* A status below 3 is taken: it speaks of the difference. */
	if (r)
		return r < CTL_NOT_RUNNING || r == EX_OSERR ? CTL_TROUBLE : r;
	if (d.trouble)
		return CTL_TROUBLE;
	return d.any ? CTL_NO : CTL_OK;
}

int verb_resolve(struct ctl *c, int argc, char **argv)
{
	json_t *parameters = argc ? client_parameter("name", argv[0]) : NULL, *reply;
	int r = client_call(c, "Resolve", parameters, CTL_RESOLVE_MS, &reply);

	if (r)
		return r;
	const json_t *name = json_object_get(reply, "name");
	if (c->json != JSON_MODE_OFF)
		client_print_json(c, reply);
	else if (name)
		view_name(&c->printer, name);
	else
		view_resolved(&c->printer, reply);
	client_flush(c);
	r = field_count(reply, "failing") ? CTL_NO : CTL_OK;
	json_decref(reply);
	return r;
}

static void print_event(struct ctl *c, const json_t *event)
{
	if (c->json != JSON_MODE_OFF) {
		client_print_json(c, event);
	} else {
		c->printer.now = (int64_t)time(NULL);
		view_event(&c->printer, event);
	}
	client_flush(c);
}

int verb_monitor(struct ctl *c, int argc, char **argv)
{
	bool continues = true;
	int r = client_open(c);

	if (!r)
		r = client_send(c, "Monitor", NULL, true);
	while (!r && continues) {
		json_t *reply;
		r = client_receive(c, -1, &reply, &continues);
		if (r)
			break;
		const json_t *event = json_object_get(reply, "event");
		if (event)
			print_event(c, event);
		json_decref(reply);
	}
	return r;
}

int verb_reload(struct ctl *c, int argc, char **argv)
{
	json_t *reply;
	int r = client_call(c, "Reload", NULL, CTL_RELOAD_MS, &reply);

	if (r)
		return r;
	if (c->json != JSON_MODE_OFF) {
		client_print_json(c, reply);
	} else {
		for (size_t i = 0; i < field_count(reply, "warnings"); i++) {
			_cleanup_free_ char *safe =
				text_escape(field_item_text(reply, "warnings", i));
			fprintf(stderr, "%s\n", safe);
		}
		print_raw(&c->printer, "configuration ");
		print_text(&c->printer, field_text(reply, "digest"));
		print_raw(&c->printer, " is in force\n");
	}
	client_flush(c);
	json_decref(reply);
	return CTL_OK;
}

/* Becomes the daemon's program: the one beside this program (a build tree, another prefix), else
 * the installed one. Returns only when it cannot. */
static int become_daemon(const struct ctl *c, const char *option, const char *argument)
{
	static const char name[] = "allowsyncd";
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - sizeof(name) - 1);
	const char *argv[6] = {name, option};
	size_t argc = 2;

	if (c->root) {
		argv[argc++] = "--root";
		argv[argc++] = c->root;
	}
	if (argument)
		argv[argc++] = argument;
	argv[argc] = NULL;
	char *const *args = (char *const *)(uintptr_t)argv;
	fflush(stdout);
	if (n > 0) {
		self[n] = '\0';
		char *slash = strrchr(self, '/');
		memcpy(slash + 1, name, sizeof(name));
		execv(self, args);
	}
	if (n <= 0 || errno == ENOENT)
		execv(ALLOWSYNCD_SBINDIR "/allowsyncd", args);
	fprintf(stderr, "allowsyncctl: cannot run %s: %s\n", name, strerror(errno));
	return EX_UNAVAILABLE;
}

int verb_release(struct ctl *c, int argc, char **argv)
{
	json_t *parameters, *reply;
	bool continues;
	int r = client_connect(c);

	if (r < 0)
		return become_daemon(c, "--release", argc ? argv[0] : NULL);
	if (r)
		return r;
	parameters = argc ? client_parameter("target", argv[0]) : NULL;
	r = client_send(c, "Release", parameters, false);
	if (!r)
		r = client_receive(c, CTL_REPLY_MS, &reply, &continues);
	if (r)
		return r;
	if (c->json != JSON_MODE_OFF) {
		client_print_json(c, reply);
	} else {
		_cleanup_free_ char *count =
			text_count(field_int(reply, "removed"), "element", "s");
		print_raw(&c->printer, "%s removed; ", count);
		print_text(&c->printer, argc ? argv[0] : "everything");
		print_raw(&c->printer, " stays released until \"allowsyncctl reload\"\n");
	}
	client_flush(c);
	json_decref(reply);
	return CTL_OK;
}

static int pause_or_resume(
	struct ctl *c, int argc, char **argv, const char *method, const char *done)
{
	json_t *reply;
	int r = client_call(
		c, method, argc ? client_parameter("target", argv[0]) : NULL, CTL_REPLY_MS, &reply);

	if (r)
		return r;
	if (c->json != JSON_MODE_OFF) {
		client_print_json(c, reply);
	} else {
		_cleanup_free_ char *count = text_count(field_int(reply, "sets"), "set", "s");
		print_raw(&c->printer, "%s %s\n", count, done);
	}
	client_flush(c);
	json_decref(reply);
	return CTL_OK;
}

int verb_pause(struct ctl *c, int argc, char **argv)
{
	return pause_or_resume(
		c, argc, argv, "Pause", "paused until \"allowsyncctl resume\", or reload");
}

int verb_resume(struct ctl *c, int argc, char **argv)
{
	return pause_or_resume(c, argc, argv, "Resume", "resumed");
}

int verb_check(struct ctl *c, int argc, char **argv)
{
	return become_daemon(c, "--check", c->host ? "--host" : NULL);
}
