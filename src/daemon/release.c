/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Release from the dump. */
#include "daemon/release.h"

#include "allowsync/config.h"
#include "base/strbuf.h"
#include "core/planning.h"
#include "core/saved_text.h"
#include "daemon/saved.h"
#include "edge/nft_conn.h"
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
	if (target && !found) {
		fprintf(stderr, "%s: neither a set nor a vendor with a set in the configuration\n",
			target);
		return EX_USAGE;
	}
	return status;
}
