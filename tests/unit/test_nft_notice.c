/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notifications made by hand with libmnl: of each sort, and such as the kernel should not send. */
#include "edge/nft_notice.h"

#include "tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

static uint64_t space[512];

static struct {
	size_t count;
	struct nft_notice last;
	char process[128];
} told;

static void on_notice(void *userdata, const struct nft_notice *n)
{
	told.count++;
	told.last = *n;
	snprintf(told.process, sizeof(told.process), "%s", n->process);
}

static struct nlmsghdr *start(unsigned subsystem, unsigned message)
{
	memset(space, 0, sizeof(space));
	memset(&told, 0, sizeof(told));
	struct nlmsghdr *h = mnl_nlmsg_put_header(space);
	h->nlmsg_type = (uint16_t)(subsystem << 8 | message);
	h->nlmsg_pid = 4000000001;
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = NFPROTO_INET;
	return h;
}

static int decode(const struct nlmsghdr *h)
{
	return nft_notice_decode(h, h->nlmsg_len, on_notice, NULL);
}

/* A table's name is the first attribute of them all, and the next is the name of a set. */
static struct nlmsghdr *named(unsigned message)
{
	struct nlmsghdr *h = start(NFNL_SUBSYS_NFTABLES, message);
	mnl_attr_put_strz(h, NFTA_SET_TABLE, "t");
	mnl_attr_put_strz(h, NFTA_SET_NAME, "s");
	return h;
}

static void put_key(struct nlmsghdr *h, size_t key_len)
{
	static const uint8_t bytes[64] = {10, 0, 0, 1};
	struct nlattr *element = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	struct nlattr *key = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY);
	mnl_attr_put(h, NFTA_DATA_VALUE, key_len, bytes);
	mnl_attr_nest_end(h, key);
	mnl_attr_nest_end(h, element);
}

static void test_each_message_tells_its_kind(void)
{
	static const struct {
		unsigned message;
		enum nft_notice_kind kind;
	} all[] = {
		{NFT_MSG_NEWTABLE, NFT_NOTICE_TABLE},
		{NFT_MSG_DELTABLE, NFT_NOTICE_TABLE},
		{26, NFT_NOTICE_TABLE}, /* DESTROYTABLE, and so on */
		{NFT_MSG_NEWCHAIN, NFT_NOTICE_RULE},
		{NFT_MSG_DELCHAIN, NFT_NOTICE_RULE},
		{27, NFT_NOTICE_RULE},
		{NFT_MSG_NEWRULE, NFT_NOTICE_RULE},
		{NFT_MSG_DELRULE, NFT_NOTICE_RULE},
		{28, NFT_NOTICE_RULE},
		{NFT_MSG_NEWSET, NFT_NOTICE_SET},
		{NFT_MSG_DELSET, NFT_NOTICE_SET},
		{29, NFT_NOTICE_SET},
		{NFT_MSG_NEWSETELEM, NFT_NOTICE_ADDED},
		{NFT_MSG_DELSETELEM, NFT_NOTICE_DELETED},
		{30, NFT_NOTICE_DELETED},
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct nlmsghdr *h = named(all[i].message);
		if (i >= 3 && i < 6) { /* a chain's name comes after its handle */
			mnl_attr_put_strz(h, NFTA_CHAIN_NAME, "c");
		} else {
			struct nlattr *list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
			put_key(h, 4);
			mnl_attr_nest_end(h, list);
		}
		CHECK_INT(decode(h), 0);
		CHECK_INT(told.count, 1);
		CHECK_INT(told.last.kind, all[i].kind);
		if (all[i].kind == NFT_NOTICE_RULE)
			CHECK_STR(told.last.chain, i < 6 ? "c" : "s");
		else
			CHECK(!told.last.chain);
		CHECK_INT(told.last.nf_family, NFPROTO_INET);
		CHECK_INT(told.last.portid, 4000000001);
		CHECK_STR(told.last.table, "t");
		bool has_set = all[i].kind == NFT_NOTICE_SET || all[i].kind == NFT_NOTICE_ADDED ||
			       all[i].kind == NFT_NOTICE_DELETED;
		CHECK(has_set ? strcmp(told.last.set, "s") == 0 : !told.last.set);
	}
}

static void test_other_messages_are_passed_over(void)
{
	struct nlmsghdr *h = named(NFT_MSG_NEWOBJ);
	CHECK_INT(decode(h), 0);
	h = named(33);
	CHECK_INT(decode(h), 0);
	h = start(NFNL_SUBSYS_CTNETLINK, NFT_MSG_NEWGEN);
	CHECK_INT(decode(h), 0);
	h = start(0, NLMSG_ERROR);
	CHECK_INT(decode(h), 0);
	CHECK_INT(told.count, 0);
}

static void test_an_empty_list_tells_nothing_and_a_missing_one_is_an_error(void)
{
	struct nlmsghdr *h = named(NFT_MSG_NEWSETELEM);
	struct nlattr *list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	mnl_attr_nest_end(h, list);
	CHECK_INT(decode(h), 0);
	CHECK_INT(decode(named(NFT_MSG_NEWSETELEM)), -EBADMSG);
	CHECK_INT(told.count, 0);
}

static void test_each_element_of_a_list_is_told_and_long_keys_are_strange(void)
{
	struct nlmsghdr *h = named(NFT_MSG_NEWSETELEM);
	struct nlattr *list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	put_key(h, 4);
	put_key(h, ELEMENT_KEY_PART_MAX);
	mnl_attr_nest_end(h, list);
	CHECK_INT(decode(h), 0);
	CHECK_INT(told.count, 2);
	CHECK(!told.last.strange);
	CHECK_INT(told.last.entry.key.len, ELEMENT_KEY_PART_MAX);

	static const size_t strange[] = {0, ELEMENT_KEY_PART_MAX + 1, 64};
	for (size_t i = 0; i < 3; i++) {
		h = named(NFT_MSG_DELSETELEM);
		list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
		put_key(h, strange[i]);
		mnl_attr_nest_end(h, list);
		CHECK_INT(decode(h), 0);
		CHECK_INT(told.count, 1);
		CHECK(told.last.strange);
		CHECK_INT(told.last.entry.key.len, 0);
	}
}

static void test_a_message_without_the_names_it_should_have_is_an_error(void)
{
	CHECK_INT(decode(start(NFNL_SUBSYS_NFTABLES, NFT_MSG_DELTABLE)), -EBADMSG);
	struct nlmsghdr *h = start(NFNL_SUBSYS_NFTABLES, NFT_MSG_DELSET);
	mnl_attr_put_strz(h, NFTA_SET_TABLE, "t");
	CHECK_INT(decode(h), -EBADMSG);
	h = start(NFNL_SUBSYS_NFTABLES, NFT_MSG_DELTABLE);
	mnl_attr_put(h, NFTA_TABLE_NAME, 4, "endl");
	CHECK_INT(decode(h), -EBADMSG);
	CHECK_INT(told.count, 0);
}

static void test_a_generation_needs_its_number_and_nothing_else(void)
{
	struct nlmsghdr *h = start(NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWGEN);
	mnl_attr_put_u32(h, NFTA_GEN_PROC_PID, htonl(7));
	CHECK_INT(decode(h), -EBADMSG);
	CHECK_INT(told.count, 0);
	h = start(NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWGEN);
	mnl_attr_put_u32(h, NFTA_GEN_ID, htonl(0xfffffffe));
	CHECK_INT(decode(h), 0);
	CHECK_INT(told.last.generation, 0xfffffffe);
	CHECK_INT(told.last.pid, 0);
	CHECK(!told.last.table && !told.last.set);
	CHECK_STR(told.process, "");
}

static void test_the_name_of_a_process_is_bounded_and_printable(void)
{
	char name[200];
	memset(name, 'x', sizeof(name));
	struct nlmsghdr *h = start(NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWGEN);
	mnl_attr_put_u32(h, NFTA_GEN_ID, htonl(1));
	mnl_attr_put(h, NFTA_GEN_PROC_NAME, sizeof(name), name);
	CHECK_INT(decode(h), 0);
	CHECK_INT(strlen(told.process), 63);

	h = start(NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWGEN);
	mnl_attr_put_u32(h, NFTA_GEN_ID, htonl(1));
	mnl_attr_put_u32(h, NFTA_GEN_PROC_PID, htonl(42));
	mnl_attr_put(h, NFTA_GEN_PROC_NAME, 7, "a\n\177\200 ~\037");
	CHECK_INT(decode(h), 0);
	CHECK_INT(told.last.pid, 42);
	CHECK_STR(told.process, "a??? ~?");
}

static void test_what_is_whole_is_told_before_what_is_damaged(void)
{
	struct nlmsghdr *h = named(NFT_MSG_NEWSET);
	size_t one = h->nlmsg_len;
	struct nlmsghdr *next = (void *)((uint8_t *)space + one);
	*next = (struct nlmsghdr){.nlmsg_len = 4096, .nlmsg_type = h->nlmsg_type};
	CHECK_INT(nft_notice_decode(space, one + 64, on_notice, NULL), -EBADMSG);
	CHECK_INT(told.count, 1);
	/* Too short for what every message of nf_tables starts with. */
	next->nlmsg_len = sizeof(*next);
	told.count = 0;
	CHECK_INT(nft_notice_decode(space, one + sizeof(*next), on_notice, NULL), -EBADMSG);
	CHECK_INT(told.count, 1);
}

int main(void)
{
	TAP_RUN(test_each_message_tells_its_kind);
	TAP_RUN(test_other_messages_are_passed_over);
	TAP_RUN(test_an_empty_list_tells_nothing_and_a_missing_one_is_an_error);
	TAP_RUN(test_each_element_of_a_list_is_told_and_long_keys_are_strange);
	TAP_RUN(test_a_message_without_the_names_it_should_have_is_an_error);
	TAP_RUN(test_a_generation_needs_its_number_and_nothing_else);
	TAP_RUN(test_the_name_of_a_process_is_bounded_and_printable);
	TAP_RUN(test_what_is_whole_is_told_before_what_is_damaged);
	return tap_done();
}
