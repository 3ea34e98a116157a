/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes for a datagram of nf_tables, an answer or a notification: the first says what the set
 * is taken for, the rest is the datagram. What it says is taken for a dump; then the copy that this
 * gives hears the same again as notices. */
#include "edge/nft_msg.h"

#include "base/mem.h"
#include "core/live_feed.h"
#include "edge/nft_notice.h"
#include "edge/nft_rule_msg.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct seen {
	struct set_kind kind;
	struct live live;
	struct live_feed feed;
	struct live_ear ear;
	bool torn;
	size_t entries, notices;
};

/* What holds of every copy, whatever was read into it. */
static void check_copy(const struct seen *s)
{
	const struct live *l = &s->live;
	const struct live_element *e;
	const struct range *before = NULL;
	size_t ours = 0, boxes = 0, in_order = 0;
	for (size_t at = 0; (e = live_next(l, &at));) {
		struct element_value v;
		char text[ELEMENT_TEXT_SIZE];
		assert(element_key_decode(&s->kind, &e->key, &v));
		assert(v.addr.first.family == s->kind.family);
		assert(strncmp(element_key_format(&s->kind, &e->key, text), "0x", 2) != 0);
		assert(live_find(l, &e->key) == e);
		assert(live_find_covering(l, &s->kind, &e->key) == e);
		ours += e->ours;
		bool is_box = l->boxed && memcmp(e->key.bytes, e->key.bytes + e->key.len / 2,
						  e->key.len / 2) != 0;
		assert(!is_box || !e->ours);
		boxes += is_box;
	}
	assert(l->ours == ours);
	assert(l->boxes.count == boxes);
	for (const struct range *r = ranges_first(&l->order); r; before = r, r = ranges_next(r)) {
		assert(!before || range_place(range_key(before), range_key(r)) < 0);
		assert(range_item(r) == live_find(l, range_key(r)));
		in_order++;
	}
	assert(in_order == (l->ranged ? live_count(l) : 0) && l->order.count == in_order);
}

static void on_entry(const struct set_entry *e, void *userdata)
{
	struct seen *s = userdata;
	assert(e->key.len > 0 && e->key.len <= ELEMENT_KEY_PART_MAX);
	assert(e->last.len <= ELEMENT_KEY_PART_MAX);
	s->torn |= !live_feed_take(&s->feed, e);
	s->entries++;
}

static void hear(struct seen *s, const struct nft_notice *n)
{
	struct live_element told = {.key.len = 0};
	bool added = n->kind == NFT_NOTICE_ADDED;
	enum live_news news = live_hear(&s->live, &s->ear, &s->kind, &n->entry, added, &told);
	if (news == LIVE_NEWS_ADDED)
		assert(live_find(&s->live, &told.key));
	else if (news == LIVE_NEWS_REMOVED)
		assert(told.key.len && !live_find(&s->live, &told.key));
}

static void on_notice(void *userdata, const struct nft_notice *n)
{
	struct seen *s = userdata;
	struct live_element told;
	bool is_element = n->kind == NFT_NOTICE_ADDED || n->kind == NFT_NOTICE_DELETED;
	assert(n->kind != NFT_NOTICE_LOST);
	assert((n->table != NULL) == (n->kind != NFT_NOTICE_GENERATION));
	assert((n->set != NULL) == (is_element || n->kind == NFT_NOTICE_SET));
	assert(!n->table || strlen(n->table) < UINT16_MAX);
	assert(!n->set || strlen(n->set) < UINT16_MAX);
	assert(n->entry.key.len <= ELEMENT_KEY_PART_MAX);
	assert((n->entry.key.len > 0) == (is_element && !n->strange));
	for (const char *c = n->process; *c; c++)
		assert(*c >= ' ' && *c <= '~');
	if (is_element && !n->strange)
		hear(s, n);
	if (n->kind == NFT_NOTICE_GENERATION)
		live_hear_end(&s->live, &s->ear, &told);
	s->notices++;
}

static void on_target(void *userdata, const char *chain)
{
	size_t *targets = userdata;
	assert(strlen(chain) < UINT16_MAX);
	(*targets)++;
}

/* What rules, chains and verdict maps refer to. */
static void read_rule(const struct nft_msg *m, size_t len)
{
	struct nft_rule rule;
	struct nft_ref ref;
	struct nft_chain chain;
	struct nft_rule_set set;
	size_t refs = 0;
	if (m->kind == NFT_MSG_KIND_RULE && nft_rule_decode(m, &rule) == 0) {
		assert(strlen(rule.table) < len && strlen(rule.chain) < len);
		for (struct nft_attrs at = rule.expressions; nft_rule_next_ref(&at, &ref); refs++)
			assert(strlen(ref.name) < len);
		nft_rule_look_at_mark(&rule, 0x00100000);
		nft_rule_looks_at_state(&rule);
	} else if (m->kind == NFT_MSG_KIND_CHAIN && nft_rule_decode_chain(m, &chain) == 0) {
		assert(strlen(chain.table) < len && strlen(chain.name) < len);
	} else if (m->kind == NFT_MSG_KIND_SET && nft_rule_decode_set(m, &set) == 0) {
		assert(strlen(set.table) < len && strlen(set.name) < len);
	} else if (m->kind == NFT_MSG_KIND_TABLE) {
		nft_rule_table_is_dormant(m);
	} else if (m->kind == NFT_MSG_KIND_ELEMENTS) {
		nft_rule_decode_targets(m, on_target, &refs);
	}
	assert(refs <= len / 4);
}

static size_t read_answers(struct seen *s, const uint8_t *datagram, size_t len)
{
	struct nft_msg_reader r = nft_msg_reader_over(datagram, len);
	size_t messages = 0, strange = 0;
	for (struct nft_msg m; nft_msg_next(&r, &m); messages++) {
		uint32_t generation;
		struct set_kind kind;
		assert(m.error >= 0 && m.error < 4096);
		if (m.kind == NFT_MSG_KIND_GENERATION)
			nft_msg_decode_generation(&m, &generation);
		else if (m.kind == NFT_MSG_KIND_SET && nft_msg_decode_set(&m, &kind) == 0)
			assert(kind.unusable || kind.layout != SET_LAYOUT_UNKNOWN);
		else if (m.kind == NFT_MSG_KIND_ELEMENTS)
			nft_msg_decode_entries(&m, on_entry, s, &strange);
		read_rule(&m, len + 1);
	}
	assert(messages <= len / 16);
	return strange;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const enum set_layout layouts[] = {SET_LAYOUT_ADDR, SET_LAYOUT_ADDR_PROTO_SERVICE,
		SET_LAYOUT_ADDR_SERVICE, SET_LAYOUT_ADDR};
	if (len == 0)
		return 0;
	struct seen s = {.kind.family = data[0] & 1 ? FAMILY_V6 : FAMILY_V4,
		.kind.layout = layouts[data[0] >> 1 & 3],
		.kind.interval = data[0] & 8};
	/* A copy of the exact size, aligned as the connection's buffer is. */
	uint8_t *datagram = xmemdup(data + 1, len - 1);
	live_feed_init(&s.feed, &s.kind, &s.live);
	size_t strange = read_answers(&s, datagram, len - 1);
	assert(s.entries + strange <= len / 4);
	s.torn |= !live_feed_finish(&s.feed);
	assert(live_count(&s.live) + s.feed.strange <= s.entries * 2);
	live_feed_done(&s.feed);
	check_copy(&s);
	if (s.torn)
		live_begin(&s.live, &s.kind);

	nft_notice_decode(datagram, len - 1, on_notice, &s);
	assert(s.notices <= len / 4);
	check_copy(&s);
	struct live_element told;
	live_hear_end(&s.live, &s.ear, &told);
	check_copy(&s);
	live_done(&s.live);
	free(datagram);
	return 0;
}
