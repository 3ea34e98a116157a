/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stands in a table, and sets that nft cannot read, on the real nf_tables in a private network
 * namespace. */
#include "edge/nft_standing.h"

#include "base/strbuf.h"
#include "edge/nft_socket.h"
#include "nft_lab.h"

#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>

static struct nft_standing *standing;

/* "chains a, b; sets c" */
static const char *look(const char *table)
{
	static char text[1024];
	_cleanup_(strings_done) struct strings chains = {0}, sets = {0}, policies = {0};
	int r = nft_standing_look(standing, NFPROTO_INET, table, "v_", &chains, &sets, &policies);
	_cleanup_free_ char *c = strings_join(&chains, ", "), *s = strings_join(&sets, ", ");
	_cleanup_free_ char *p = strings_join(&policies, ", ");
	snprintf(text, sizeof(text), "%d chains %s; sets %s%s%s", r, c, s,
		policies.count ? "; policies " : "", p);
	return text;
}

static void what_begins_so_is_found(void)
{
	CHECK_STR(look("t"), "0 chains ; sets ");
	CHECK(lab_nft("table inet t {\nset v_a { type ipv4_addr; }\nset b { type ipv4_addr; }\n"
		      "chain v_c { ip daddr @v_a accept\n}\nchain d { }\nchain v_e { jump v_c\n}\n"
		      "}\ntable inet u { set v_f { type ipv4_addr; }\nchain v_g { }\n}\n"
		      "table ip t { set v_h { type ipv4_addr; }\nchain v_i { }\n}\n"));
	CHECK_STR(look("t"), "0 chains v_c, v_e; sets v_a");
	CHECK_STR(look("none"), "0 chains ; sets ");
}

static void policies_are_found_and_no_other_objects(void)
{
	CHECK(lab_nft("flush ruleset\ntable inet t {\ncounter v_a { }\n"
		      "ct timeout v_b.c {\nprotocol udp\n}\nct timeout v_d {\nprotocol tcp\n}\n"
		      "ct timeout hers {\nprotocol tcp\n}\nct timeout v_e {\nprotocol udp\n}\n"
		      "chain theirs { ct timeout set \"v_e\"\n}\n"
		      "chain v_f { ct timeout set \"v_d\"\n}\n}\n"
		      "table inet u {\nct timeout v_g {\nprotocol udp\n}\n}\n"
		      "table ip t {\nct timeout v_h {\nprotocol udp\n}\n}\n"));
	CHECK_STR(look("t"), "0 chains v_f; sets ; policies v_b.c, v_d");
}

static void what_others_rules_use_is_left_out(void)
{
	CHECK(lab_nft("flush ruleset\ntable inet t {\nset v_a { type ipv4_addr; }\n"
		      "set v_b { type ipv4_addr; }\nmap v_m { type ipv4_addr : verdict; }\n"
		      "chain v_c { }\nchain v_d { ip daddr @v_b accept\n}\n"
		      "chain theirs { ip daddr @v_a jump v_c\n}\n}\n"
		      "table inet u { set v_b { type ipv4_addr; }\nchain x { ip daddr @v_b "
		      "accept\n}\n}\n"));
	CHECK_STR(look("t"), "0 chains v_d; sets v_b, v_m");
}

/* One that nft has no words for: each element remembers when it was last matched. */
static void add_set_with_last(uint8_t nf_family, const char *table, const char *name, bool many)
{
	static uint32_t buf[1024];
	struct nft_socket s;
	CHECK(nft_socket_open(&s) == 0);
	struct mnl_nlmsg_batch *b = mnl_nlmsg_batch_start(buf, sizeof(buf));
	for (int i = 0; i < 3; i++) {
		struct nlmsghdr *h = mnl_nlmsg_put_header(mnl_nlmsg_batch_current(b));
		struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
		h->nlmsg_type = i == 1 ? NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSET
				: i    ? NFNL_MSG_BATCH_END
				       : NFNL_MSG_BATCH_BEGIN;
		h->nlmsg_flags = NLM_F_REQUEST | (i == 1 ? NLM_F_CREATE : 0);
		g->nfgen_family = i == 1 ? nf_family : NFPROTO_UNSPEC;
		g->res_id = htobe16(i == 1 ? 0 : NFNL_SUBSYS_NFTABLES);
		if (i == 1) {
			mnl_attr_put_strz(h, NFTA_SET_TABLE, table);
			mnl_attr_put_strz(h, NFTA_SET_NAME, name);
			mnl_attr_put_u32(h, NFTA_SET_FLAGS, htobe32(many ? NFT_SET_EXPR : 0));
			mnl_attr_put_u32(h, NFTA_SET_KEY_TYPE, htobe32(7));
			mnl_attr_put_u32(h, NFTA_SET_KEY_LEN, htobe32(4));
			mnl_attr_put_u32(h, NFTA_SET_ID, htobe32(1));
			struct nlattr *list =
				many ? mnl_attr_nest_start(h, NFTA_SET_EXPRESSIONS) : NULL;
			if (many) {
				struct nlattr *one = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
				mnl_attr_put_strz(h, NFTA_EXPR_NAME, "counter");
				mnl_attr_nest_end(h, one);
			}
			struct nlattr *one =
				mnl_attr_nest_start(h, many ? NFTA_LIST_ELEM : NFTA_SET_EXPR);
			mnl_attr_put_strz(h, NFTA_EXPR_NAME, "last");
			mnl_attr_nest_end(h, one);
			if (many)
				mnl_attr_nest_end(h, list);
		}
		mnl_nlmsg_batch_next(b);
	}
	CHECK(nft_socket_send(&s, mnl_nlmsg_batch_head(b), mnl_nlmsg_batch_size(b)) == 0);
	mnl_nlmsg_batch_stop(b);
	struct nft_msg_reader errors; /* nothing else is answered */
	CHECK(nft_socket_receive_now(&s, &errors) == -EAGAIN);
	nft_socket_close(&s);
}

static void a_set_that_nft_falls_over_is_named(void)
{
	char *found;

	for (int many = 0; many < 2; many++) {
		CHECK(unshare(CLONE_NEWNET) == 0);
		standing = nft_standing_free(standing);
		standing = nft_standing_new();
		CHECK(lab_nft("table inet t { set v_a { type ipv4_addr; counter; }\n}\n"
			      "table ip theirs { set b { type ipv4_addr; }\n}\n"));
		CHECK_INT(nft_standing_find_last(standing, &found), 0);
		CHECK(!found);
		add_set_with_last(NFPROTO_IPV4, "theirs", "a b", many);
		CHECK_INT(nft_standing_find_last(standing, &found), 0);
		CHECK_STR(found, "ip theirs a b");
		free(found);
		CHECK_STR(look("t"), "0 chains ; sets v_a");
	}
}

int main(void)
{
	if (!lab_enter())
		return 0;
	standing = nft_standing_new();
	TAP_RUN(what_begins_so_is_found);
	TAP_RUN(policies_are_found_and_no_other_objects);
	TAP_RUN(what_others_rules_use_is_left_out);
	TAP_RUN(a_set_that_nft_falls_over_is_named);
	nft_standing_free(standing);
	return tap_done();
}
