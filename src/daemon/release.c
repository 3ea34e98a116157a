/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Release from the dump. */
#include "daemon/release.h"

#include "allowsync/config.h"
#include "base/strbuf.h"
#include "core/host.h"
#include "core/planning.h"
#include "core/ruleset.h"
#include "core/saved_text.h"
#include "daemon/rules.h"
#include "daemon/saved.h"
#include "edge/flow_timeouts.h"
#include "edge/loop.h"
#include "edge/nft_conn.h"
#include "edge/nft_standing.h"
#include "edge/nft_text.h"
#include "edge/own_net_links.h"
#include "edge/state_files.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static bool is_target(const struct config_set *s, const char *text, const char *target)
{
	return !target || str_eq(text, target) || str_eq(s->name, target) ||
	       strings_has(&s->vendors, target);
}

/* False, and said, when others use the set as well. */
static bool may_empty(const struct config_set *s, const char *text, const char *target)
{
	if (!target || str_eq(text, target) || str_eq(s->name, target) || s->vendors.count == 1)
		return true;
	fprintf(stderr,
		"%s is shared with other vendors, and no running daemon can tell whose its "
		"elements "
		"are: name the set instead\n",
		text);
	return false;
}

static int empty_set(struct nft_conn *conn, const struct set_id *id, const char *text)
{
	_cleanup_(live_done) struct live live = LIVE_NULL;
	_cleanup_(plan_done) struct plan plan = PLAN_NULL;
	_cleanup_(wanted_done) struct wanted nothing = WANTED_NULL;
	struct nft_commit_result result;
	struct set_kind kind;
	uint32_t generation;
	size_t strange;

	int r = nft_conn_read_set(conn, id, &kind);
	if (r == 0 && kind.unusable) {
		printf("%s: %s: holds nothing of ours\n", text, kind.unusable);
		return EX_OK;
	}
	if (r == 0)
		r = nft_conn_dump(conn, id, &kind, &live, &generation, &strange);
	if (r == NFT_CONN_E_MISSING) {
		printf("%s: no such table or set\n", text);
		return EX_OK;
	}
	if (r != 0) {
		fprintf(stderr, "%s: cannot be read: %s\n", text,
			r < 0 ? strerror(-r) : "the ruleset changes too fast");
		return EX_SOFTWARE;
	}
	plan_whole(&plan, &(struct planning){
				  .id = id,
				  .kind = &kind,
				  .wanted = &nothing,
				  .live = &live,
				  .delete_unowned = true,
			  });
	/* Ranges are deleted by where they begin: only those that were looked at. */
	plan.has_generation = kind.interval;
	plan.generation = generation;
	nft_conn_commit(conn, &plan, &result);
	if (result.outcome != NFT_COMMIT_DONE) {
		fprintf(stderr, "%s: not released: %s\n", text, strerror(result.error));
		return EX_SOFTWARE;
	}
	size_t gone = plan_change_count(&plan);
	printf("%s: %zu element%s removed\n", text, gone, gone == 1 ? "" : "s");
	return EX_OK;
}

/* The next load of the ruleset would bring them back. */
static int remove_file(const struct set_id *id, const char *state_directory)
{
	_cleanup_free_ char *directory = saved_directory(state_directory);
	_cleanup_free_ char *name = saved_text_file_name(id);
	int r = state_files_remove(directory, name);

	if (r == 0)
		return EX_OK;
	fprintf(stderr, "%s/%s: %s\n", directory, name, strerror(-r));
	return EX_SOFTWARE;
}

/* --- the rules of the managed table --- */

struct loading {
	struct loop *loop;
	bool done;
};

static void on_end(void *userdata, const struct nft_text_end *end)
{
	struct loading *l = userdata;

	l->done = end->outcome == NFT_TEXT_DONE;
	if (!l->done)
		fprintf(stderr,
			"inet " RULESET_TABLE ": the rules stay, as nft ended with %d: %s\n",
			end->status, end->said);
	loop_stop(l->loop);
}

static void no_turn(void *userdata)
{
}

static int load_rules(const char *text)
{
	struct loading l = {0};

	int r = loop_new(&l.loop);
	if (r < 0)
		return EX_SOFTWARE;
	struct nft_text *nft = nft_text_new(l.loop, NFT_TEXT_PROGRAM, on_end, &l);
	r = nft_text_load(nft, text);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", NFT_TEXT_PROGRAM, strerror(-r));
	else
		loop_run(l.loop, no_turn, NULL);
	nft_text_free(nft);
	loop_free(l.loop);
	return l.done ? EX_OK : EX_SOFTWARE;
}

/* Names of the interfaces with a default route. */
static void find_outside(struct strings *ret)
{
	struct host host = {0};

	own_net_links_read(&host);
	for (size_t i = 0; i < host.interface_count; i++) {
		const struct host_interface *n = &host.interfaces[i];
		if (n->default_route[FAMILY_V4] || n->default_route[FAMILY_V6])
			strings_add(ret, n->name);
	}
	host_done(&host);
}

/* Those of one vendor, or all of them. The sets stay, empty. */
static int release_rules(const struct config *config, const char *target)
{
	_cleanup_(ruleset_standing_done) struct ruleset_standing standing = {0};
	_cleanup_(strings_done) struct strings sets = {0}, policies = {0};
	bool *without = xcalloc(config->vendor_count + 1, sizeof(*without)), any = false;
	struct nft_standing *s = nft_standing_new();
	int status = EX_OK;

	for (size_t i = 0; i < config->vendor_count; i++) {
		const struct config_vendor *v = &config->vendors[i];
		without[i] = !target || str_eq(v->name, target);
		any = any || (without[i] && ruleset_has_vendor(config, v));
	}
	int r = any ? nft_standing_look(s, nf_family_parse("inet"), RULESET_TABLE, RULESET_PREFIX,
			      &standing.chains, &sets, &policies)
		    : 0;
	if (r != 0) {
		fprintf(stderr, "inet " RULESET_TABLE ": cannot be read: %s\n",
			r < 0 ? strerror(-r) : "the ruleset changes too fast");
		status = EX_SOFTWARE;
	} else if (standing.chains.count) {
		_cleanup_(strings_done) struct strings outside = {0};
		struct ruleset_facts facts = {
			.outside = &outside, .without = without, .policies = policies};
		flow_timeouts_read(&facts.timeouts);
		find_outside(&outside);
		_cleanup_free_ char *text = ruleset_text_rules(config, &facts, &standing);
		status = load_rules(text);
	}
	nft_standing_free(s);
	free(without);
	return status;
}

int release_without_daemon(
	const struct config *config, const char *target, const char *state_directory)
{
	struct nft_conn *conn = NULL;
	size_t found = 0;
	int status = EX_OK;

	int r = nft_conn_new(&conn);
	if (r < 0) {
		fprintf(stderr, "netlink socket to nf_tables: %s\n", strerror(-r));
		return EX_SOFTWARE;
	}
	for (size_t i = 0; i < config->set_count; i++) {
		const struct config_set *s = &config->sets[i];
		_cleanup_free_ char *text = set_id_format(&s->id);
		if (!is_target(s, text, target))
			continue;
		found++;
		int one = may_empty(s, text, target) ? empty_set(conn, &s->id, text) : EX_USAGE;
		if (one == EX_OK)
			one = remove_file(&s->id, state_directory);
		if (one != EX_OK)
			status = one;
	}
	nft_conn_free(conn);
	if (config->mark.load && release_rules(config, target) != EX_OK)
		status = EX_SOFTWARE;
	if (!target && state_files_remove(state_directory, RULES_FILE) < 0)
		status = EX_SOFTWARE;
	if (target && !found) {
		fprintf(stderr, "%s: neither a set nor a vendor with a set in the configuration\n",
			target);
		return EX_USAGE;
	}
	return status;
}
