/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes for a datagram of nf_tables, an answer or a notification: the first says what the set
 * is taken for, the rest is the datagram. */
#include "edge/nft_msg.h"

#include "base/mem.h"
#include "edge/nft_notice.h"
#include "edge/nft_rule_msg.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct seen {
	struct set_kind kind;
	size_t elements, notices;
};

static void on_element(const struct live_element *e, void *userdata)
{
	struct seen *s = userdata;
	struct addr addr;
	uint8_t protocol;
	uint16_t port;
	char text[ELEMENT_TEXT_SIZE];
	assert(element_key_decode(&s->kind, &e->key, &addr, &protocol, &port));
	assert(addr.family == s->kind.family);
	element_key_format(&s->kind, &e->key, text);
	s->elements++;
}

static void on_notice(void *userdata, const struct nft_notice *n)
{
	struct seen *s = userdata;
	bool is_element = n->kind == NFT_NOTICE_ADDED || n->kind == NFT_NOTICE_DELETED;
	assert(n->kind != NFT_NOTICE_LOST);
	assert((n->table != NULL) == (n->kind != NFT_NOTICE_GENERATION));
	assert((n->set != NULL) == (is_element || n->kind == NFT_NOTICE_SET));
	assert(!n->table || strlen(n->table) < UINT16_MAX);
	assert(!n->set || strlen(n->set) < UINT16_MAX);
	assert(n->element.key.len <= ELEMENT_KEY_MAX);
	assert((n->element.key.len > 0) == (is_element && !n->strange));
	for (const char *c = n->process; *c; c++)
		assert(*c >= ' ' && *c <= '~');
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
	size_t refs = 0;
	if (m->kind == NFT_MSG_KIND_RULE && nft_rule_decode(m, &rule) == 0) {
		assert(strlen(rule.table) < len && strlen(rule.chain) < len);
		for (struct nft_attrs at = rule.expressions; nft_rule_next_ref(&at, &ref); refs++)
			assert(strlen(ref.name) < len);
	} else if (m->kind == NFT_MSG_KIND_CHAIN && nft_rule_decode_chain(m, &chain) == 0) {
		assert(strlen(chain.table) < len && strlen(chain.name) < len);
	} else if (m->kind == NFT_MSG_KIND_TABLE) {
		nft_rule_table_is_dormant(m);
	} else if (m->kind == NFT_MSG_KIND_ELEMENTS) {
		nft_rule_decode_targets(m, on_target, &refs);
	}
	assert(refs <= len / 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	struct seen s = {.kind.family = data[0] & 1 ? FAMILY_V6 : FAMILY_V4,
		.kind.layout = data[0] & 2 ? SET_LAYOUT_ADDR_PROTO_SERVICE : SET_LAYOUT_ADDR};
	/* A copy of the exact size, aligned as the connection's buffer is. */
	uint8_t *datagram = xmemdup(data + 1, len - 1);
	struct nft_msg_reader r = nft_msg_reader_over(datagram, len - 1);
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
			nft_msg_decode_elements(&m, &s.kind, on_element, &s, &strange);
		read_rule(&m, len);
	}
	assert(messages <= len / 16);
	assert(s.elements + strange <= len / 4);
	nft_notice_decode(datagram, len - 1, on_notice, &s);
	assert(s.notices <= len / 4);
	free(datagram);
	return 0;
}
