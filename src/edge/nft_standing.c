/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chains, sets, rules and ct timeout objects by name. */
#include "edge/nft_standing.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "edge/nft_host_msg.h"
#include "edge/nft_look.h"
#include "edge/nft_rule_msg.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <string.h>

struct nft_standing {
	struct nft_look look;
};

struct reading {
	uint8_t nf_family;
	const char *table, *prefix;
	struct strings chains, sets, policies;
	struct strings used_chains, used_sets, used_policies; /* by rules of other chains */
	char *last;
};

typedef uint32_t request_buf[NFT_MSG_REQUEST_MAX / sizeof(uint32_t)];

struct nft_standing *nft_standing_new(void)
{
	return xcalloc(1, sizeof(struct nft_standing));
}

struct nft_standing *nft_standing_free(struct nft_standing *s)
{
	if (!s)
		return NULL;
	nft_look_done(&s->look);
	free(s);
	return NULL;
}

static void forget(struct reading *t)
{
	strings_done(&t->chains);
	strings_done(&t->sets);
	strings_done(&t->policies);
	strings_done(&t->used_chains);
	strings_done(&t->used_sets);
	strings_done(&t->used_policies);
	free(t->last);
	t->last = NULL;
}

static bool on_chain(void *userdata, const struct nft_msg *m)
{
	struct reading *t = userdata;
	struct nft_chain c;
	if (nft_rule_decode_chain(m, &c) < 0)
		return false;
	if (str_eq(c.table, t->table) && str_starts(c.name, t->prefix))
		strings_add(&t->chains, c.name);
	return true;
}

static bool on_set(void *userdata, const struct nft_msg *m)
{
	struct reading *t = userdata;
	struct nft_rule_set s;
	if (nft_rule_decode_set(m, &s) < 0)
		return false;
	if (str_eq(s.table, t->table) && str_starts(s.name, t->prefix))
		strings_add(&t->sets, s.name);
	return true;
}

static bool on_object(void *userdata, const struct nft_msg *m)
{
	struct reading *t = userdata;
	const char *name = nft_host_msg_timeout_policy(m, t->nf_family, t->table);
	if (name && str_starts(name, t->prefix))
		strings_add(&t->policies, name);
	return true;
}

static bool on_rule(void *userdata, const struct nft_msg *m)
{
	struct reading *t = userdata;
	struct nft_rule rule;
	struct nft_ref ref;
	if (nft_rule_decode(m, &rule) < 0)
		return false;
	/* Kernels that know no filter give all tables'. */
	if (!str_eq(rule.table, t->table) || str_starts(rule.chain, t->prefix))
		return true;
	for (struct nft_attrs at = rule.expressions; nft_rule_next_ref(&at, &ref);) {
		struct strings *used = ref.kind == NFT_REF_CHAIN    ? &t->used_chains
				       : ref.kind == NFT_REF_OBJECT ? &t->used_policies
								    : &t->used_sets;
		if (str_starts(ref.name, t->prefix))
			strings_add(used, ref.name);
	}
	return true;
}

static int read_table(struct nft_socket *s, uint32_t generation, void *userdata)
{
	request_buf request;
	struct reading *t = userdata;
	forget(t);
	size_t len = nft_rule_encode_dump_chains(request, s->seq, t->nf_family);
	int r = nft_socket_dump(s, request, len, NFT_MSG_KIND_CHAIN, generation, on_chain, t);
	if (r != 0)
		return r;
	len = nft_rule_encode_dump_sets(request, s->seq, t->nf_family);
	r = nft_socket_dump(s, request, len, NFT_MSG_KIND_SET, generation, on_set, t);
	if (r != 0)
		return r;
	len = nft_host_msg_encode_dump_policies(request, s->seq);
	r = nft_socket_dump(s, request, len, NFT_MSG_KIND_OTHER, generation, on_object, t);
	if (r != 0)
		return r;
	len = nft_rule_encode_dump_rules(request, s->seq, t->nf_family, t->table);
	r = nft_socket_dump(s, request, len, NFT_MSG_KIND_RULE, generation, on_rule, t);
	return r == -ENOENT ? 0 : r; /* no such table */
}

static bool note_last(void *userdata, const struct nft_msg *m)
{
	struct reading *t = userdata;
	struct nft_rule_set s;
	if (nft_rule_decode_set(m, &s) < 0)
		return false;
	if (t->last || !s.has_last)
		return true;
	struct strbuf b = STRBUF_NULL;
	strbuf_appendf(&b, "%s ", nf_family_name(s.nf_family));
	strbuf_append_escaped(&b, s.table, strlen(s.table));
	strbuf_append_char(&b, ' ');
	strbuf_append_escaped(&b, s.name, strlen(s.name));
	t->last = strbuf_take(&b);
	return true;
}

static int read_last(struct nft_socket *s, uint32_t generation, void *userdata)
{
	request_buf request;
	struct reading *t = userdata;
	forget(t);
	size_t len = nft_rule_encode_dump_sets(request, s->seq, NFPROTO_UNSPEC);
	return nft_socket_dump(s, request, len, NFT_MSG_KIND_SET, generation, note_last, t);
}

static void take(struct strings *ret, const struct strings *names, const struct strings *used)
{
	for (size_t i = 0; i < names->count; i++) {
		if (!strings_has(used, names->items[i]))
			strings_add(ret, names->items[i]);
	}
}

int nft_standing_look(struct nft_standing *s, uint8_t nf_family, const char *table,
	const char *prefix, struct strings *ret_chains, struct strings *ret_sets,
	struct strings *ret_policies)
{
	struct reading t = {.nf_family = nf_family, .table = table, .prefix = prefix};
	int r = nft_look(&s->look, read_table, &t);
	if (r == 0) {
		take(ret_chains, &t.chains, &t.used_chains);
		take(ret_sets, &t.sets, &t.used_sets);
		take(ret_policies, &t.policies, &t.used_policies);
	}
	forget(&t);
	return r;
}

int nft_standing_find_last(struct nft_standing *s, char **ret)
{
	struct reading t = {0};
	int r = nft_look(&s->look, read_last, &t);
	if (r == 0) {
		*ret = t.last;
		t.last = NULL;
	}
	forget(&t);
	return r;
}
