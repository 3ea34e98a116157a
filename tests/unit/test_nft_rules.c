/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which rules use a set and whether packets come by them, on the real nf_tables in a private
 * network namespace; and the same bytes damaged. */
#include "edge/nft_rules.h"

#include "allowsync/profile.h"
#include "base/mem.h"
#include "edge/nft_socket.h"
#include "nft_lab.h"

#include <errno.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>

static struct nft_rules *rules;
static struct nft_socket sock;

static struct set_id id(const char *family, char *table, char *name)
{
	return (struct set_id){nf_family_parse(family), table, name};
}

static char *show(const struct nft_use *u)
{
	static const char *const kinds[] = {"lookup", "inverted", "map", "vmap", "update"};
	static char text[400];
	snprintf(text, sizeof(text), "%zu %s %s%s%s%s", u->set, u->chain, kinds[u->kind],
		u->end ? " " : "",
		u->end == NFT_RULE_END_OTHER ? "other" : nft_rule_end_name(u->end),
		u->reached ? "" : ", unreached");
	return text;
}

/* Each use as a line, "" when there is none. */
static const char *look(const struct set_id *const *ids, size_t count)
{
	static char text[4096];
	struct nft_uses uses = NFT_USES_NULL;
	int r = nft_rules_look(rules, ids, count, &uses);
	size_t len = 0;
	text[0] = '\0';
	if (r != 0)
		snprintf(text, sizeof(text), "error %d", r);
	for (size_t i = 0; i < uses.count; i++)
		len += (size_t)snprintf(
			text + len, sizeof(text) - len, "%s\n", show(&uses.items[i]));
	nft_uses_done(&uses);
	return text;
}

static char filter[] = "filter", other[] = "other", a[] = "a", b[] = "b", v[] = "v",
	    both[] = "both";

static const char *uses_of_a(const char *chains)
{
	struct set_id s = id("inet", filter, a);
	const struct set_id *ids[] = {&s};
	if (!lab_nft(
		    "flush ruleset\ntable inet filter {\nset a { type ipv4_addr; flags dynamic; }\n"
		    "set b { type ipv4_addr; }\nmap v { type ipv4_addr : verdict; }\n%s\n}\n",
		    chains))
		return "nft fails";
	return look(ids, 1);
}

#define FORWARD "chain forward { type filter hook forward priority 0; policy drop;\n"

static void test_the_end_of_a_rule_is_told(void)
{
	static const struct {
		const char *rule, *want;
	} rows[] = {
		{"ip daddr @a accept", "0 forward lookup accept\n"},
		{"ip daddr @a tcp dport 443 counter log accept", "0 forward lookup accept\n"},
		{"ip daddr @a drop", "0 forward lookup drop\n"},
		{"ip daddr @a reject", "0 forward lookup drop\n"},
		{"ip daddr @a counter", "0 forward lookup\n"},
		{"ip daddr @a meta mark set 1", "0 forward lookup\n"},
		{"ip daddr @a return", "0 forward lookup other\n"},
		{"ip daddr @a continue", "0 forward lookup\n"},
		{"ip daddr @a ip saddr vmap { 10.0.0.1 : drop }", "0 forward lookup other\n"},
		{"ip daddr != @a drop", "0 forward inverted drop\n"},
		{"update @a { ip daddr } accept", "0 forward update accept\n"},
		{"ip saddr @a ip daddr @a accept",
			"0 forward lookup accept\n0 forward lookup accept\n"},
		{"ip daddr @b accept", ""},
		{"accept", ""},
		{"", ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[256];
		snprintf(text, sizeof(text), FORWARD "%s\n}\n", rows[i].rule);
		CHECK_STR(uses_of_a(text), rows[i].want);
	}
}

static void test_only_what_a_hook_leads_to_is_reached(void)
{
	CHECK_STR(uses_of_a("chain lone { ip daddr @a accept\n}\n"),
		"0 lone lookup accept, unreached\n");
	CHECK_STR(uses_of_a("chain x { ip daddr @a accept\n}\n"
			    "chain y { jump x\n}\n" FORWARD "accept\n}\n"),
		"0 x lookup accept, unreached\n");
	CHECK_STR(uses_of_a("chain x { ip daddr @a accept\n}\n"
			    "chain y { jump x\n}\n" FORWARD "tcp dport 1 goto y\n}\n"),
		"0 x lookup accept\n");
	/* By verdict maps with and without a name. */
	CHECK_STR(uses_of_a("chain x { ip daddr @a accept\n}\n" FORWARD
			    "meta l4proto vmap { tcp : jump x, udp : drop }\n}\n"),
		"0 x lookup accept\n");
	CHECK_STR(uses_of_a("chain x { ip daddr @a accept\n}\n" FORWARD "ip saddr vmap @v\n}\n"),
		"0 x lookup accept, unreached\n");
	CHECK_STR(uses_of_a("chain x { ip daddr @a accept\n}\n"
			    "map w { type ipv4_addr : verdict; flags interval; elements = { "
			    "10.0.0.0/24 : accept, 10.1.0.0/16 : goto x } }\n" FORWARD
			    "ip saddr vmap @w\n}\n"),
		"0 x lookup accept\n");
	CHECK_STR(uses_of_a("chain x { ip daddr @a accept\n}\n"
			    "map w { type ipv4_addr : verdict; elements = { 10.0.0.1 : jump x } }\n"
			    "chain z { ip saddr vmap @w\n}\n" FORWARD "accept\n}\n"),
		"0 x lookup accept, unreached\n");
	const char *anonymous = uses_of_a(FORWARD "tcp dport 1 jump { ip daddr @a accept\n}\n}\n");
	CHECK(strstr(anonymous, "__chain") && strstr(anonymous, " lookup accept\n"));
}

static void test_a_dormant_table_has_no_effect(void)
{
	CHECK_STR(uses_of_a("flags dormant\n" FORWARD "ip daddr @a accept\n}\n"),
		"0 forward lookup accept, unreached\n");
}

static void test_sets_of_the_same_name_are_told_apart(void)
{
	CHECK(lab_nft(
		"flush ruleset\n"
		"table inet filter { set a { type ipv4_addr; }\nset both { type ipv4_addr; }\n"
		"chain both { ip daddr @both accept\n}\n" FORWARD "jump both\n}\n}\n"
		"table ip filter { set a { type ipv4_addr; }\n" FORWARD "ip daddr @a drop\n}\n}\n"
		"table inet other { set a { type ipv4_addr; }\n" FORWARD "ip saddr @a\n}\n}\n"));
	struct set_id s[] = {id("inet", filter, a), id("ip", filter, a), id("inet", other, a),
		id("inet", filter, both), id("inet", filter, b), id("inet", v, a)};
	const struct set_id *ids[] = {&s[0], &s[1], &s[2], &s[3], &s[4], &s[5]};
	CHECK_STR(look(ids, 6), "3 both lookup accept\n1 forward lookup drop\n2 forward lookup\n");
	CHECK_STR(look(ids, 0), "");
}

static void test_handles_are_those_that_nft_lists(void)
{
	struct set_id s = id("inet", filter, a);
	const struct set_id *ids[] = {&s};
	struct nft_uses uses = NFT_USES_NULL;
	uses_of_a(FORWARD "accept\nip daddr @a accept\n}\n");
	CHECK_INT(nft_rules_look(rules, ids, 1, &uses), 0);
	CHECK_INT(uses.count, 1);
	char want[64];
	snprintf(want, sizeof(want), "ip daddr @a accept # handle %" PRIu64 "\n",
		uses.items[0].handle);
	nft_uses_done(&uses);
	CHECK(strstr(lab_output("nft -a list ruleset"), want));
}

static void test_thousands_of_rules_are_read_whole(void)
{
	enum { COUNT = 20000 };
	char *text = xcalloc(1, COUNT * 80 + 256), *at = text;
	at += sprintf(at, FORWARD);
	for (int i = 0; i < COUNT; i++)
		at += sprintf(at, "tcp dport %d ip daddr @%c accept\n", i, i % 100 ? 'b' : 'a');
	sprintf(at, "}\n");
	struct set_id s = id("inet", filter, a), t = id("inet", filter, b);
	const struct set_id *ids[] = {&s, &t};
	struct nft_uses uses = NFT_USES_NULL;
	CHECK(lab_nft("flush ruleset\ntable inet filter {\nset a { type ipv4_addr; }\n"
		      "set b { type ipv4_addr; }\n%s\n}\n",
		text));
	free(text);
	CHECK_INT(nft_rules_look(rules, ids, 2, &uses), 0);
	CHECK_INT(uses.count, COUNT);
	size_t of_a = 0;
	uint64_t handle = 0;
	for (size_t i = 0; i < uses.count; i++) {
		of_a += uses.items[i].set == 0;
		CHECK(uses.items[i].handle > handle && uses.items[i].reached);
		handle = uses.items[i].handle;
	}
	CHECK_INT(of_a, COUNT / 100);
	nft_uses_done(&uses);
	lab_nft("flush ruleset\n");
}

static void test_a_table_that_is_not_there_uses_nothing(void)
{
	CHECK(lab_nft("flush ruleset\n"));
	struct set_id s = id("inet", filter, a);
	const struct set_id *ids[] = {&s};
	CHECK_STR(look(ids, 1), "");
	char *name = xcalloc(1, 400);
	memset(name, 'x', 399);
	s.table = name;
	CHECK_STR(look(ids, 1), "");
	free(name);
}

static const char *dropping(const char *table)
{
	static char *text;
	struct strings chains = {0};
	CHECK_INT(nft_rules_look_dropping(rules, table, &chains), 0);
	free(text);
	text = strings_join(&chains, " ");
	strings_done(&chains);
	return text;
}

static void test_chains_that_drop_or_reject_are_named_once(void)
{
	CHECK(lab_nft("flush ruleset\n"));
	CHECK_STR(dropping("t"), "");
	CHECK(lab_nft("table inet t {\nchain a { counter\nmeta l4proto 6 reject with tcp reset\n"
		      "reject with icmpx admin-prohibited\n}\n"
		      "chain b { counter log group 1\n}\nchain c { tcp dport 1 drop\n}\n"
		      "chain d { accept\n}\nchain e { goto d\n}\n"
		      "chain f { type filter hook forward priority 0; policy drop;\n}\n}\n"
		      "table inet u { chain x { drop\n}\n}\ntable ip t { chain y { drop\n}\n}\n"));
	CHECK_STR(dropping("t"), "a c");
	CHECK_STR(dropping("u"), "x");
}

/* --- bytes --- */

static void decode_all(const void *datagram, size_t len)
{
	struct nft_msg_reader r = nft_msg_reader_over(datagram, len);
	struct nft_msg m;
	while (nft_msg_next(&r, &m)) {
		struct nft_rule rule;
		struct nft_ref ref;
		struct nft_chain chain;
		struct nft_rule_set set;
		if (m.kind == NFT_MSG_KIND_RULE && nft_rule_decode(&m, &rule) == 0) {
			size_t refs = 0;
			for (struct nft_attrs at = rule.expressions; nft_rule_next_ref(&at, &ref);)
				refs += strlen(ref.name) < len;
			CHECK(refs <= len / 4 && strlen(rule.chain) < len);
			nft_rule_look_at_mark(&rule, 0x00100000);
			nft_rule_looks_at_state(&rule);
		} else if (m.kind == NFT_MSG_KIND_CHAIN && nft_rule_decode_chain(&m, &chain) == 0) {
			CHECK(strlen(chain.name) < len);
		} else if (m.kind == NFT_MSG_KIND_SET && nft_rule_decode_set(&m, &set) == 0) {
			CHECK(strlen(set.name) < len);
		} else if (m.kind == NFT_MSG_KIND_TABLE) {
			nft_rule_table_is_dormant(&m);
		}
	}
}

static bool damage(void *userdata, const struct nft_msg *m)
{
	static const uint8_t values[] = {0, 1, 2, 3, 5, 0x80, 0xff};
	const struct nlmsghdr *h = m->header;
	size_t *messages = userdata;
	(*messages)++;
	for (size_t at = 0; at < h->nlmsg_len; at++) {
		/* Cut there, with a header that says so; and each byte changed. */
		uint8_t *copy = xmemdup(h, h->nlmsg_len);
		if (at >= sizeof(*h)) {
			uint8_t *cut = xmemdup(h, at);
			((struct nlmsghdr *)(void *)cut)->nlmsg_len = (uint32_t)at;
			decode_all(cut, at);
			free(cut);
		}
		for (size_t i = 0; i < sizeof(values); i++) {
			copy[at] = values[i];
			decode_all(copy, h->nlmsg_len);
		}
		free(copy);
	}
	return true;
}

static void test_damaged_answers_are_survived(void)
{
	uint32_t request[NFT_MSG_REQUEST_MAX / sizeof(uint32_t)], generation;
	size_t messages = 0;
	uses_of_a("chain x { ip daddr @a accept\n}\n" FORWARD
		  "ip daddr @a tcp dport 1 jump x\nip saddr vmap @v\nupdate @a { ip saddr }\n"
		  "ct state invalid meta mark & 0x00100000 == 0x00100000 ct mark 1-9 drop\n}\n");
	CHECK_INT(nft_socket_generation(&sock, &generation), 0);
	size_t len = nft_rule_encode_dump_rules(request, sock.seq, NFPROTO_INET, filter);
	CHECK_INT(nft_socket_dump(
			  &sock, request, len, NFT_MSG_KIND_RULE, generation, damage, &messages),
		0);
	CHECK_INT(messages, 5);
	len = nft_rule_encode_dump_chains(request, sock.seq, NFPROTO_INET);
	CHECK_INT(nft_socket_dump(
			  &sock, request, len, NFT_MSG_KIND_CHAIN, generation, damage, &messages),
		0);
	CHECK_INT(messages, 7);
	len = nft_rule_encode_dump_sets(request, sock.seq, NFPROTO_INET);
	CHECK_INT(nft_socket_dump(
			  &sock, request, len, NFT_MSG_KIND_SET, generation, damage, &messages),
		0);
	CHECK_INT(messages, 10);
	struct nft_msg m;
	len = nft_rule_encode_get_table(request, sock.seq, NFPROTO_INET, filter);
	CHECK_INT(nft_socket_ask(&sock, request, len, NFT_MSG_KIND_TABLE, &m), 0);
	damage(&messages, &m);
}

int main(void)
{
	if (!lab_enter())
		return 0;
	rules = nft_rules_new();
	if (nft_socket_open(&sock) < 0)
		return 1;
	TAP_RUN(test_the_end_of_a_rule_is_told);
	TAP_RUN(test_only_what_a_hook_leads_to_is_reached);
	TAP_RUN(test_a_dormant_table_has_no_effect);
	TAP_RUN(test_sets_of_the_same_name_are_told_apart);
	TAP_RUN(test_handles_are_those_that_nft_lists);
	TAP_RUN(test_thousands_of_rules_are_read_whole);
	TAP_RUN(test_a_table_that_is_not_there_uses_nothing);
	TAP_RUN(test_chains_that_drop_or_reject_are_named_once);
	TAP_RUN(test_damaged_answers_are_survived);
	nft_socket_close(&sock);
	nft_rules_free(rules);
	return tap_done();
}
