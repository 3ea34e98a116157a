/* SPDX-License-Identifier: GPL-2.0-or-later */
/* allowsyncctl: options, and the verb that they are for. */
#include "ctl/verbs.h"

#include "build_config.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { HELP_COLUMN = 26 };

struct verb {
	const char *name, *arguments, *help;
	int least, most; /* arguments */
	verb_fn fn;
};

static const struct verb verbs[] = {
	{"status", "", "everything at a glance (also without a verb)", 0, 0, verb_status},
	{"vendors", "[VENDOR]", "how each vendor is doing; of one, its page line by line", 0, 1,
		verb_vendors},
	{"names", "", "every DNS name that is asked for", 0, 0, verb_names},
	{"show", "NAME", "all that is known of one name", 1, 1, verb_show},
	{"sets", "", "every set that is kept true", 0, 0, verb_sets},
	{"why", "[SOURCE] ADDRESS|NAME [PROTO/PORT]", "why it is in a set, or when and why it left",
		1, 3, verb_why},
	{"refused", "[DEVICE|GROUP]", "what devices of a group were refused, or would be", 0, 1,
		verb_refused},
	{"diff", "", "what would change now, in nft's syntax", 0, 0, verb_diff},
	{"rules", "[--hook]",
		"the daemon's own rules, as nft's text; --hook: what accepts the mark", 0, 0,
		verb_rules},
	{"resolve", "[NAME]", "ask DNS now, and wait for the answers", 0, 1, verb_resolve},
	{"monitor", "", "one line for everything that happens, until interrupted", 0, 0,
		verb_monitor},
	{"reload", "", "read the configuration again; done when it returns", 0, 0, verb_reload},
	{"release", "[SET|VENDOR]", "remove our own elements, and stay away until reload", 0, 1,
		verb_release},
	{"pause", "[SET|VENDOR]", "leave sets exactly as they are, until resume or reload", 0, 1,
		verb_pause},
	{"resume", "[SET|VENDOR]", "go on after pause or release", 0, 1, verb_resume},
	{"check", "[--host]", "check the configuration files; --host: and this machine", 0, 0,
		verb_check},
};

static void print_help(void)
{
	printf("Usage: allowsyncctl [OPTION...] [VERB]\n"
	       "Asks and tells the running allowsyncd.\n\n");
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		_cleanup_free_ char *left = xasprintf("%s %s", verbs[i].name, verbs[i].arguments);
		if (strlen(left) > HELP_COLUMN - 4)
			printf("  %s\n%*s%s\n", left, HELP_COLUMN, "", verbs[i].help);
		else
			printf("  %-*s%s\n", HELP_COLUMN - 2, left, verbs[i].help);
	}
	printf("\n"
	       "  -j                    JSON: pretty on a terminal, else short\n"
	       "  --json=short|pretty|off\n"
	       "  --socket PATH         where the daemon listens (default: $ALLOWSYNC_SOCKET,\n"
	       "                        else " ALLOWSYNCD_SOCKET ")\n"
	       "  --root DIR            for check, and release without a daemon: read the\n"
	       "                        configuration below DIR\n"
	       "  --help, --version\n\n"
	       "Exit status: status 0 healthy, 1 degraded, 2 ineffective or stale; why 0 allowed, "
	       "1 not;\n"
	       "diff 0 nothing, 1 something, 2 trouble; 3 the daemon is not running, 64 usage,\n"
	       "77 permission denied, 78 configuration refused. See allowsyncctl(8).\n");
}

static int usage(const char *text, const char *what)
{
	_cleanup_free_ char *safe = text_escape(what);

	fprintf(stderr, "allowsyncctl: %s%s (--help shows how)\n", text, safe);
	return EX_USAGE;
}

static bool parse_json(const char *text, enum json_mode *ret)
{
	if (strcmp(text, "short") == 0)
		*ret = JSON_MODE_SHORT;
	else if (strcmp(text, "pretty") == 0)
		*ret = JSON_MODE_PRETTY;
	else if (strcmp(text, "off") == 0)
		*ret = JSON_MODE_OFF;
	else
		return false;
	return true;
}

/* -1: go on; else the exit status. */
static int parse_options(int argc, char **argv, struct ctl *c)
{
	enum { JSON = 256, SOCKET, ROOT, HOOK, HOST, HELP, VERSION };
	static const struct option longs[] = {
		{"json", required_argument, NULL, JSON},
		{"socket", required_argument, NULL, SOCKET},
		{"root", required_argument, NULL, ROOT},
		{"hook", no_argument, NULL, HOOK},
		{"host", no_argument, NULL, HOST},
		{"help", no_argument, NULL, HELP},
		{"version", no_argument, NULL, VERSION},
		{0},
	};
	int o;

	while ((o = getopt_long(argc, argv, "jh", longs, NULL)) != -1) {
		switch (o) {
		case 'j':
			c->json = isatty(STDOUT_FILENO) ? JSON_MODE_PRETTY : JSON_MODE_SHORT;
			break;
		case JSON:
			if (!parse_json(optarg, &c->json))
				return usage("--json is short, pretty or off, not ", optarg);
			break;
		case SOCKET:
			c->socket = optarg;
			break;
		case ROOT:
			c->root = optarg;
			break;
		case HOOK:
			c->hook = true;
			break;
		case HOST:
			c->host = true;
			break;
		case 'h':
		case HELP:
			print_help();
			return CTL_OK;
		case VERSION:
			puts("allowsyncctl " ALLOWSYNCD_VERSION);
			return CTL_OK;
		default:
			return EX_USAGE;
		}
	}
	return -1;
}

static bool wants_colour(void)
{
	const char *none = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(none && *none) && term && strcmp(term, "dumb") != 0;
}

static int run_verb(struct ctl *c, int argc, char **argv)
{
	const char *name = argc ? argv[0] : "status";

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		const struct verb *v = &verbs[i];
		int given = argc ? argc - 1 : 0;
		if (strcmp(v->name, name) != 0)
			continue;
		if (c->hook && v->fn != verb_rules)
			return usage("--hook is for rules, not for ", name);
		if (c->host && v->fn != verb_check)
			return usage("--host is for check, not for ", name);
		if (given < v->least)
			return usage("missing after the verb: ", v->arguments);
		if (given > v->most)
			return usage("too many arguments: ", argv[v->most + 1]);
		return v->fn(c, given, argv + 1);
	}
	return usage("no such verb: ", name);
}

int main(int argc, char **argv)
{
	const char *socket = getenv("ALLOWSYNC_SOCKET");
	struct ctl c = {
		.socket = socket && *socket ? socket : ALLOWSYNCD_SOCKET,
		.printer = {.colour = wants_colour(), .now = (int64_t)time(NULL)},
	};
	int status = parse_options(argc, argv, &c);

	if (status >= 0)
		return status;
	status = run_verb(&c, argc - optind, argv + optind);
	client_close(&c);
	strbuf_done(&c.printer.out);
	if (fflush(stdout) != 0 || ferror(stdout))
		return status ? status : EX_IOERR;
	return status;
}
