/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is read of a gateway, by edge/host_files, own_net_links and nft_host. Files are recorded
 * ones, as are messages of what this kernel may not have (flowtables); the rest is real, in a
 * network namespace. */
#include "edge/host_files.h"

#include "../config/config_lab.h"
#include "core/host.h"
#include "edge/nft_host.h"
#include "edge/nft_host_msg.h"
#include "edge/nft_msg.h"
#include "edge/own_net_links.h"

#include "nft_lab.h"

#include <endian.h>
#include <libmnl/libmnl.h>

static struct host host;
static bool in_namespace;

static void begin(void)
{
	host_done(&host);
}

/* Until the next call. */
static const char *all(const struct strings *s)
{
	static char *text;

	free(text);
	text = strings_join(s, "; ");
	return text;
}

static void files_of_a_busy_gateway_are_read(void)
{
	char *root = lab_new();

	begin();
	lab_write(root, "/proc/sys/net/ipv4/ip_forward", "1\n");
	lab_write(root, "/proc/sys/net/ipv6/conf/all/forwarding", "0\n");
	lab_write(root, "/proc/sys/net/bridge/bridge-nf-call-iptables", "1\n");
	lab_write(root, "/proc/sys/net/netfilter/nf_conntrack_helper", "1\n");
	lab_write(root, "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established", "432000\n");
	lab_write(root, "/proc/sys/net/netfilter/nf_conntrack_udp_timeout", "30\n");
	lab_write(root, "/proc/sys/net/netfilter/nf_conntrack_udp_timeout_stream", "120\n");
	lab_write(root, "/proc/sys/net/netfilter/nf_conntrack_count", "811\n");
	lab_write(root, "/proc/sys/net/netfilter/nf_conntrack_max", "262144\n");
	lab_write(root, "/proc/net/ip_tables_names", "nat\nfilter\n");
	lab_write(root, "/proc/net/ip6_tables_names", "");
	lab_write(root, "/sys/module/nf_nat_sip/refcnt", "0\n");
	host_files_read(root, &host);
	lab_free(root);
	CHECK(host.forwards[FAMILY_V4] && !host.forwards[FAMILY_V6]);
	CHECK(host.bridge_calls && host.helpers_assigned);
	CHECK_INT(host.timeouts.tcp_established_s, 432000);
	CHECK_INT(host.timeouts.udp_s, 30);
	CHECK_INT(host.timeouts.udp_stream_s, 120);
	CHECK_INT(host.flows, 811);
	CHECK_INT(host.flows_max, 262144);
	CHECK_STR(all(&host.modules), "nf_nat_sip");
	CHECK_STR(all(&host.unread),
		"rules of iptables-legacy (ip_tables_names), which nf_tables does not show");
}

static void files_that_are_missing_or_nonsense_are_not_known(void)
{
	char *root = lab_new();

	begin();
	lab_write(root, "/proc/sys/net/ipv4/ip_forward", "yes\n");
	lab_write(root, "/proc/sys/net/netfilter/nf_conntrack_udp_timeout", "-5\n");
	lab_write(root, "/proc/sys/net/netfilter/nf_conntrack_udp_timeout_stream",
		"99999999999999999999\n");
	lab_write(root, "/proc/sys/net/netfilter/nf_conntrack_max", "");
	host_files_read(root, &host);
	lab_free(root);
	CHECK(!host.forwards[FAMILY_V4] && !host.bridge_calls && !host.helpers_assigned);
	CHECK_INT(host.timeouts.udp_s, -1);
	CHECK_INT(host.timeouts.udp_stream_s, -1);
	CHECK_INT(host.flows_max, -1);
	CHECK_STR(all(&host.unread), "how long flows are kept (is nf_conntrack loaded?)");
}

/* --- messages --- */

static uint32_t buf[256];

static struct nlmsghdr *message(unsigned type, uint8_t nf_family)
{
	memset(buf, 0, sizeof(buf));
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = nf_family;
	return h;
}

static void take(size_t len, void (*fn)(const struct nft_msg *m, struct host *h))
{
	struct nft_msg_reader r = nft_msg_reader_over(buf, len);
	struct nft_msg m;

	while (nft_msg_next(&r, &m))
		fn(&m, &host);
}

static size_t flowtable(void)
{
	struct nlmsghdr *h = message(NFT_MSG_NEWFLOWTABLE, NFPROTO_INET);

	mnl_attr_put_strz(h, NFTA_FLOWTABLE_TABLE, "filter");
	mnl_attr_put_strz(h, NFTA_FLOWTABLE_NAME, "fa\033st");
	mnl_attr_put_u32(h, NFTA_FLOWTABLE_USE, htobe32(1));
	return h->nlmsg_len;
}

static void flowtable_is_named_and_its_name_escaped(void)
{
	begin();
	size_t len = flowtable();
	take(len, nft_host_msg_take_flowtable);
	take(len, nft_host_msg_take_flowtable);
	CHECK_STR(all(&host.flowtables), "inet filter fa\\027st");
}

static size_t helper(const char *kind)
{
	struct nlmsghdr *h = message(NFT_MSG_NEWOBJ, NFPROTO_IPV4);

	mnl_attr_put_strz(h, NFTA_OBJ_TABLE, "phones");
	mnl_attr_put_strz(h, NFTA_OBJ_NAME, "h");
	mnl_attr_put_u32(h, NFTA_OBJ_TYPE, htobe32(NFT_OBJECT_CT_HELPER));
	struct nlattr *data = mnl_attr_nest_start(h, NFTA_OBJ_DATA);
	mnl_attr_put_strz(h, NFTA_CT_HELPER_NAME, kind);
	mnl_attr_nest_end(h, data);
	return h->nlmsg_len;
}

static void helper_of_sip_is_named_and_no_other(void)
{
	begin();
	take(helper("ftp"), nft_host_msg_take_object);
	CHECK_INT(host.helpers.count, 0);
	take(helper("sip"), nft_host_msg_take_object);
	CHECK_STR(all(&host.helpers), "ip phones h");
}

/* Cut anywhere, or with any byte changed, it says less or something else, and nothing is read that
 * is not there (which the sanitizers see). */
static void damaged_messages_are_passed_over(void)
{
	static void (*const fns[])(const struct nft_msg *m, struct host *h) = {
		nft_host_msg_take_chain, nft_host_msg_take_rule, nft_host_msg_take_flowtable,
		nft_host_msg_take_object};

	begin();
	for (size_t k = 0; k < ARRAY_LEN(fns); k++) {
		size_t len = k % 2 ? helper("sip") : flowtable();
		for (size_t i = 0; i < len; i++) {
			for (unsigned bit = 0; bit < 8; bit++) {
				((uint8_t *)buf)[i] ^= (uint8_t)(1u << bit);
				take(len, fns[k]);
				((uint8_t *)buf)[i] ^= (uint8_t)(1u << bit);
			}
			take(i, fns[k]);
		}
	}
	CHECK(host.flowtables.count && host.helpers.count);
}

/* --- the real kernel --- */

static void ruleset_is_read_from_the_kernel(void)
{
	if (!in_namespace)
		TAP_SKIP("needs root");
	begin();
	CHECK(lab_nft("flush ruleset\n"
		      "table inet filter {\nchain forward {\n"
		      "type filter hook forward priority 0; policy drop;\n}\n"
		      "chain input {\ntype filter hook input priority 0; policy drop;\n}\n"
		      "chain open {\ntype filter hook forward priority 5; policy accept;\n}\n}\n"
		      "table ip raw {\nchain prerouting {\n"
		      "type filter hook prerouting priority raw;\n"
		      "udp dport 53 notrack\n}\n}\n"
		      "table ip phones {\nct helper h {\ntype \"sip\" protocol udp;\n}\n"
		      "ct helper f {\ntype \"ftp\" protocol tcp;\n}\n}\n"
		      "table ip filter {\nchain DOCKER-USER {\n}\n"
		      "chain ufw-before-forward {\n}\nchain ufw-user-input {\n}\n}\n"
		      "table inet firewalld {\nchain x {\n}\n}\n"
		      "table bridge b {\nchain f {\n"
		      "type filter hook forward priority 0; policy drop;\n}\n}\n"));
	nft_host_read(&host);
	CHECK_STR(all(&host.unread), "");
	CHECK_STR(all(&host.dropping), "inet filter forward");
	CHECK_INT(host.untracking.count, 1);
	CHECK(str_starts(all(&host.untracking), "ip raw prerouting handle "));
	CHECK_STR(all(&host.helpers), "ip phones h");
	CHECK_INT(host.managers.count, 3);
	CHECK(strings_has(&host.managers, "docker") && strings_has(&host.managers, "ufw") &&
		strings_has(&host.managers, "firewalld"));
}

static void links_routes_and_neighbours_are_read_from_the_kernel(void)
{
	if (!in_namespace)
		TAP_SKIP("needs root");
	begin();
	CHECK(lab_ip("link set lo up\n"
		     "link add wan type veth peer name w\nlink set wan up\nlink set w up\n"
		     "addr add 45.9.0.1/24 dev wan\naddr add 2a00:1::5/64 dev wan nodad\n"
		     "route add default via 45.9.0.254 dev wan\n"
		     "neigh add 45.9.0.7 lladdr 00:11:22:33:44:5A dev wan\n"
		     "neigh add 2a00:1::7 lladdr 00:11:22:33:44:66 dev wan\n"));
	own_net_links_read(&host);
	CHECK_STR(all(&host.unread), "");
	const struct host_interface *wan = host_interface(&host, "wan");
	CHECK(wan && wan->ethernet);
	CHECK(wan->default_route[FAMILY_V4] && !wan->default_route[FAMILY_V6]);
	char text[ADDR_TEXT_SIZE];
	bool has = false;
	for (size_t i = 0; i < wan->addr_count; i++)
		has = has || str_eq(addr_format(&wan->addrs[i], text), "45.9.0.1");
	CHECK(has);
	CHECK(host_interface(&host, "lo") && !host_interface(&host, "lo")->ethernet &&
		!host_interface(&host, "gone"));
	CHECK_INT(host.macs.count, 2);
	CHECK(strings_has(&host.macs, "00:11:22:33:44:5a"));
	CHECK(strings_has(&host.macs, "00:11:22:33:44:66"));
}

int main(void)
{
	in_namespace = geteuid() == 0 && unshare(CLONE_NEWNET) == 0;
	TAP_RUN(files_of_a_busy_gateway_are_read);
	TAP_RUN(files_that_are_missing_or_nonsense_are_not_known);
	TAP_RUN(flowtable_is_named_and_its_name_escaped);
	TAP_RUN(helper_of_sip_is_named_and_no_other);
	TAP_RUN(damaged_messages_are_passed_over);
	TAP_RUN(ruleset_is_read_from_the_kernel);
	TAP_RUN(links_routes_and_neighbours_are_read_from_the_kernel);
	host_done(&host);
	all(&(struct strings){0});
	return tap_done();
}
