/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options, the check, the release without a daemon, and the start of the engine. */
#include "build_config.h"
#include "daemon/accepted.h"
#include "daemon/commands.h"
#include "daemon/engine.h"
#include "daemon/faults.h"
#include "daemon/host_check.h"
#include "daemon/release.h"
#include "edge/config_files.h"
#include "edge/journal.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <syslog.h>

struct options {
	struct engine_options engine;
	const char *socket;
	bool check, host, release;
	const char *release_target;
};

static const char usage_text[] =
	"Usage: allowsyncd [OPTION...]\n"
	"Keeps nftables sets in step with what DNS says of vendors' names.\n"
	"\n"
	"  --check             read the configuration, print every fault, and end\n"
	"  --host              with --check: look also at what else on this machine decides\n"
	"                      over the vendors' packets\n"
	"  --release [TARGET]  without a running daemon: remove the daemon's own elements\n"
	"                      from one set or one vendor's sets, or from all, and end\n"
	"  --root DIR          read the configuration below DIR\n"
	"  --state DIR         where elements are saved for the ruleset to include\n"
	"                      (default " ALLOWSYNCD_STATE_DIR ", below the root)\n"
	"  --socket PATH       control socket (default " ALLOWSYNCD_SOCKET ")\n"
	"  --resolv-conf PATH  where servers are listed when the configuration names none\n"
	"  --stderr            log to stderr even where the journal listens\n"
	"  --version, --help\n"
	"\n"
	"Exit status: 0 fine, 1 --host found what may break something, 78 the configuration\n"
	"has errors, 64 usage, 70 anything else.\n"
	"See allowsyncd(8), allowsyncd.conf(5).\n";

/* True: go on. */
static bool parse_options(int argc, char **argv, struct options *o, int *ret_status)
{
	enum {
		CHECK = 256,
		HOST,
		RELEASE,
		ROOT,
		STATE,
		SOCKET,
		RESOLV_CONF,
		STDERR,
		VERSION,
		HELP
	};
	static const struct option longs[] = {
		{"check", no_argument, NULL, CHECK},
		{"host", no_argument, NULL, HOST},
		{"release", no_argument, NULL, RELEASE},
		{"root", required_argument, NULL, ROOT},
		{"state", required_argument, NULL, STATE},
		{"socket", required_argument, NULL, SOCKET},
		{"resolv-conf", required_argument, NULL, RESOLV_CONF},
		{"stderr", no_argument, NULL, STDERR},
		{"version", no_argument, NULL, VERSION},
		{"help", no_argument, NULL, HELP},
		{0},
	};
	int c;

	*ret_status = EX_USAGE;
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case CHECK:
			o->check = true;
			break;
		case HOST:
			o->host = true;
			break;
		case RELEASE:
			o->release = true;
			break;
		case ROOT:
			o->engine.root = optarg;
			break;
		case STATE:
			o->engine.state = optarg;
			break;
		case SOCKET:
			o->socket = optarg;
			break;
		case RESOLV_CONF:
			o->engine.resolv_conf = optarg;
			break;
		case STDERR:
			o->engine.force_stderr = true;
			break;
		case VERSION:
			puts("allowsyncd " ALLOWSYNCD_VERSION);
			*ret_status = EX_OK;
			return false;
		case HELP:
			fputs(usage_text, stdout);
			*ret_status = EX_OK;
			return false;
		default:
			fputs("Try 'allowsyncd --help'.\n", stderr);
			return false;
		}
	}
	if (o->host && !o->check) {
		fputs("allowsyncd: --host is for --check\n", stderr);
		return false;
	}
	if (o->release && optind < argc)
		o->release_target = argv[optind++];
	if (optind < argc) {
		fprintf(stderr, "allowsyncd: unexpected argument '%s'\n", argv[optind]);
		return false;
	}
	return true;
}

static void count(FILE *to, size_t n, const char *what)
{
	fprintf(to, "%zu %s%s", n, what, n == 1 ? "" : "s");
}

static int check(const struct diag_list *diags, const struct config *config)
{
	for (size_t i = 0; i < diags->count; i++) {
		_cleanup_free_ char *line = diag_format(&diags->items[i]);
		fprintf(stderr, "%s\n", line);
	}
	if (diags->errors) {
		count(stderr, diags->errors, "error");
		fputs("; a running daemon keeps the configuration it has\n", stderr);
		return EX_CONFIG;
	}
	fputs("configuration ", stdout);
	fputs(config->digest, stdout);
	fputs(" is fine: ", stdout);
	count(stdout, config->vendor_count, "vendor");
	fputs(", ", stdout);
	count(stdout, config->set_count, "set");
	if (diags->count) {
		fputs(", ", stdout);
		count(stdout, diags->count, "warning");
	}
	fputs("\n", stdout);
	return EX_OK;
}

static void to_journal(void *journal, const struct event *event)
{
	journal_send(journal, event);
}

static void tell_broken(struct journal *j, const struct diag_list *diags,
	const struct config *instead, const char *why_not)
{
	const char *s = diags->errors == 1 ? "" : "s";
	_cleanup_free_ char *m =
		instead ? xasprintf("the configuration has %zu error%s; the one accepted last, %s, "
				    "runs instead",
				  diags->errors, s, instead->digest)
			: xasprintf("not started: the configuration has %zu error%s%s%s; the sets "
				    "stay as they are",
				  diags->errors, s,
				  why_not ? ", and the copy kept of the last one " : "",
				  why_not ? why_not : "");

	journal_send(j, &(struct event){
				.kind = instead ? EVENT_CONFIG_INSTEAD : EVENT_CONFIG_BROKEN,
				.priority = LOG_ERR,
				.message = m,
				.config = instead ? instead->digest : NULL,
			});
}

/* What is there, or when that is broken what was accepted last; NULL: neither can be run. Takes the
 * config. */
static struct config *config_to_run(
	const struct options *o, const struct diag_list *diags, struct config *config)
{
	struct journal *j = journal_new(o->engine.force_stderr);

	faults_tell(diags, to_journal, j);
	if (diags->errors) {
		_cleanup_free_ char *why_not = NULL;
		config_free(config);
		config = accepted_load(o->engine.state,
			xasprintf("%zu error%s", diags->errors, diags->errors == 1 ? "" : "s"),
			&why_not);
		tell_broken(j, diags, config, why_not);
	}
	journal_free(j);
	return config;
}

static int run(const struct options *o, struct config *config)
{
	struct engine *e;

	if (engine_new(&o->engine, config, &e) < 0)
		return EX_SOFTWARE;
	struct commands *commands = commands_new(e, o->socket, ALLOWSYNCD_GROUP);
	int r = commands ? engine_run(e) : -EADDRINUSE;
	commands_free(commands);
	engine_free(e);
	return r < 0 ? EX_SOFTWARE : EX_OK;
}

int main(int argc, char **argv)
{
	struct options o = {
		.engine = {.root = "", .on_hup = engine_reload_on_hup},
		.socket = ALLOWSYNCD_SOCKET,
	};
	struct diag_list diags = DIAG_LIST_NULL;
	struct config *config = NULL;
	int status;

	umask(0077);
	signal(SIGPIPE, SIG_IGN);
	if (!parse_options(argc, argv, &o, &status))
		return status;
	_cleanup_free_ char *state = xasprintf("%s" ALLOWSYNCD_STATE_DIR, o.engine.root);
	if (!o.engine.state)
		o.engine.state = state;
	config_load(o.engine.root, &diags, &config);
	if (o.check) {
		status = check(&diags, config);
		if (status == EX_OK && o.host)
			status = host_check(config);
	} else {
		if (diags.errors || !o.release)
			config = config_to_run(&o, &diags, config);
		if (!config) {
			status = EX_CONFIG;
		} else if (o.release) {
			status = release_without_daemon(config, o.release_target, o.engine.state);
		} else {
			status = run(&o, config);
			config = NULL; /* the engine took it */
		}
	}
	config_free(config);
	diag_list_done(&diags);
	return status;
}
