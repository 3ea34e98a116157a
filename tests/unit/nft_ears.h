#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A monitor, and what it told, as text; a connection for changes of one's own. */
#include "base/strbuf.h"
#include "edge/loop.h"
#include "edge/nft_monitor.h"
#include "nft_lab.h"

enum {
	TEXT_MAX = 1 << 14, /* beyond that notices are only counted */
};

static struct loop *loop;
static struct nft_monitor *monitor;
static struct nft_conn *conn;

static struct {
	struct strbuf text;
	size_t added, deleted, strange, generations, lost, all;
	size_t after_lost; /* notices since the last LOST */
	uint32_t generation, pid;
	char process[64];
} told;

static inline void append_key(struct strbuf *b, char before, const struct element_key *key)
{
	if (key->len)
		strbuf_append_char(b, before);
	for (size_t i = 0; i < key->len; i++)
		strbuf_appendf(b, "%02x", key->bytes[i]);
}

static inline void on_notice(void *userdata, const struct nft_notice *n)
{
	static const char *const names[] = {"+", "-", "set", "table", "rule", "end", "lost"};
	struct strbuf *b = &told.text;

	told.all++;
	told.after_lost++;
	told.added += n->kind == NFT_NOTICE_ADDED;
	told.deleted += n->kind == NFT_NOTICE_DELETED;
	told.strange += n->strange;
	if (n->kind == NFT_NOTICE_LOST) {
		told.lost++;
		told.after_lost = 0;
	}
	if (n->kind == NFT_NOTICE_GENERATION) {
		told.generations++;
		told.generation = n->generation;
		told.pid = n->pid;
		snprintf(told.process, sizeof(told.process), "%s", n->process);
	}
	if (b->len > TEXT_MAX)
		return;
	strbuf_append(b, names[n->kind]);
	if (n->table)
		strbuf_appendf(b, " %s %s", nf_family_name(n->nf_family), n->table);
	if (n->set)
		strbuf_appendf(b, " %s", n->set);
	if (n->kind == NFT_NOTICE_ADDED || n->kind == NFT_NOTICE_DELETED) {
		append_key(b, ' ', &n->entry.key);
		append_key(b, '-', &n->entry.last);
		strbuf_append(b, n->strange ? " strange" : "");
		strbuf_append(b, n->entry.is_end ? " end" : "");
		strbuf_append(b, n->entry.is_open ? " open" : "");
		strbuf_append(b, n->entry.ours ? " ours" : "");
		strbuf_append(b, n->entry.expires ? " expires" : "");
	}
	if (n->portid && n->portid == nft_conn_portid(conn))
		strbuf_append(b, " (own)");
	strbuf_append(b, "\n");
}

static inline void forget(void)
{
	strbuf_done(&told.text);
	memset(&told, 0, sizeof(told));
}

/* All that was told since the last call. */
static inline const char *heard(void)
{
	static struct strbuf text;
	forget();
	nft_monitor_drain(monitor);
	strbuf_clear(&text);
	strbuf_append(&text, strbuf_text(&told.text));
	return strbuf_text(&text);
}

/* Each case has a ruleset and a monitor of its own. */
static inline void fresh(const char *ruleset)
{
	CHECK(lab_nft("flush ruleset\n%s", ruleset));
	monitor = nft_monitor_free(monitor);
	CHECK_INT(nft_monitor_new(loop, on_notice, NULL, &monitor), 0);
	forget();
}

static inline struct set_id id_of(const char *family, const char *set)
{
	static char table[] = "t", name[16];
	snprintf(name, sizeof(name), "%s", set);
	return (struct set_id){nf_family_parse(family), table, name};
}

static const struct set_kind kind_v4 = {.layout = SET_LAYOUT_ADDR, .family = FAMILY_V4};

/* Commits 10.x.y.z for the numbers from `first` on. */
static inline enum nft_commit commit_own(uint32_t first, size_t count, bool add)
{
	struct set_id id = id_of("inet", "s");
	struct plan p = PLAN_NULL;
	struct plan_set *s = plan_for_set(&p, 0, &id, &kind_v4);
	for (size_t i = 0; i < count; i++) {
		struct element_key key = lab_nth(first + (uint32_t)i);
		if (add)
			plan_add(s, &key);
		else
			plan_delete(s, &key);
	}
	enum nft_commit outcome = lab_commit(conn, &p).outcome;
	plan_done(&p);
	return outcome;
}

static const char plain[] = "table inet t { set s { type ipv4_addr; }\n}";

static inline bool ears_open(void)
{
	if (loop_new(&loop) == 0 && nft_conn_new(&conn) == 0)
		return true;
	printf("Bail out! no connection to nf_tables\n");
	return false;
}

static inline void ears_close(void)
{
	nft_monitor_free(monitor);
	nft_conn_free(conn);
	loop_free(loop);
	forget();
}
