/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/host: what of a gateway's own set-up is said to break which vendor. */
#include "core/host.h"

#include "../config/config_lab.h"

#include "tap.h"

#define MAIN ALLOWSYNCD_CONF_DIR "/allowsyncd.conf"

static char *root;
static struct diag_list diags;
static struct config *config;
static struct host host;
static struct host_findings findings;

/* Vendors: p speaks SIP, needs idle flows kept and sends in; q has nothing of the sort. */
static void begin(const char *main_text)
{
	host_findings_done(&findings);
	host_done(&host);
	config = config_free(config);
	diag_list_done(&diags);
	if (root)
		lab_free(root);
	root = lab_new();
	lab_write(root, ALLOWSYNCD_VENDOR_DIR "/p.conf",
		"[profile]\ntcp-timeout-min = 10min\nudp-timeout-min = 2min\n"
		"[endpoint sip]\ndirection = both\naddress = 45.1.0.0/24\nallow = tcp/5060-5066\n");
	lab_write(root, ALLOWSYNCD_VENDOR_DIR "/q.conf",
		"[endpoint web]\naddress = 45.2.0.1\nallow = tcp/443\n");
	lab_write(root, MAIN, main_text);
	config_load(root, &diags, &config);
	CHECK_INT(diags.errors, 0);
	/* One in which nothing is the matter. */
	host = (struct host){.forwards = {true, true},
		.timeouts = {432000, 120, 180},
		.flows = 10,
		.flows_max = 1000};
	struct host_interface *wan = host_interface_add(&host, "wan");
	struct addr a;
	CHECK(addr_parse("45.9.0.1", &a));
	wan->default_route[FAMILY_V4] = wan->ethernet = true;
	VEC_GROW(wan->addrs, wan->addr_capacity, wan->addr_count);
	wan->addrs[wan->addr_count++] = a;
	host_interface_add(&host, "lan")->ethernet = true;
}

/* All that is said, with its weight; "" for nothing. Until the next call. */
static const char *judged(void)
{
	static const char *const weights[] = {"note", "warning", "broken"};
	static char text[8192];
	size_t len = 0;

	host_findings_done(&findings);
	host_judge(&host, config, &findings);
	text[0] = '\0';
	for (size_t i = 0; i < findings.count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s: %s\n%s%s%s",
			weights[findings.items[i].weight], findings.items[i].what,
			findings.items[i].remedy ? "\t" : "",
			findings.items[i].remedy ? findings.items[i].remedy : "",
			findings.items[i].remedy ? "\n" : "");
	return text;
}

#define GROUP "[vendor p]\n[vendor q]\n[devices d]\ninterface = lan\nvendor = q\n"

static void gateway_without_fault_has_no_finding(void)
{
	begin(GROUP);
	CHECK_STR(judged(), "");
}

static void gateway_that_forwards_nothing_is_broken(void)
{
	begin(GROUP);
	host.forwards[FAMILY_V4] = host.forwards[FAMILY_V6] = false;
	CHECK_STR(judged(),
		"broken: this machine forwards no IPv4: no device behind it reaches any vendor\n"
		"\tsysctl net.ipv4.ip_forward=1, and in /etc/sysctl.d\n"
		"note: this machine forwards no IPv6: what vendors offer over it is not used\n");
}

static void chain_that_drops_is_shown_the_hook(void)
{
	begin("[vendor q]\n");
	strings_add(&host.dropping, "inet filter forward");
	CHECK_STR(judged(),
		"note: inet filter forward drops by policy: vendor q only gets through it by the "
		"mark (allowsyncctl status says whether it is tested)\n"
		"\tin that chain: meta mark & 0x00100000 == 0x00100000 accept\n");
	/* What an admin's own set takes needs no mark. */
	begin("[vendor q]\n[set s]\nfamily = inet\ntable = t\nset = s\nvendor = q\n");
	strings_add(&host.dropping, "inet filter forward");
	CHECK_STR(judged(), "");
}

static void managers_are_told_of_with_what_to_say_to_them(void)
{
	begin("[vendor q]\n");
	strings_add(&host.managers, "docker");
	strings_add(&host.managers, "ufw");
	strings_add(&host.managers, "firewalld");
	const char *text = judged();
	CHECK(strstr(text, "warning: docker has"));
	CHECK(strstr(text,
		"\tiptables -I DOCKER-USER -m mark --mark 0x00100000/0x00100000 -j ACCEPT\n"));
	CHECK(strstr(text, "warning: ufw has"));
	CHECK(strstr(text, "ufw-before-forward -m mark --mark 0x00100000/0x00100000 -j ACCEPT\n"));
	CHECK(strstr(text, "warning: firewalld has"));
	CHECK_INT(findings.count, 3);
}

static void flows_forgotten_sooner_than_a_vendor_needs_are_told_with_the_sysctl(void)
{
	begin("[vendor p]\n[vendor q]\n");
	host.timeouts = (struct host_timeouts){599, 119, 119};
	CHECK_STR(judged(),
		"warning: vendor p needs idle TCP flows to be kept for 10min; this machine forgets "
		"them after 599s\n"
		"\tsysctl net.netfilter.nf_conntrack_tcp_timeout_established=600\n"
		"warning: vendor p needs idle UDP flows to be kept for 2min; this machine forgets "
		"them after 119s\n"
		"\tsysctl net.netfilter.nf_conntrack_udp_timeout_stream=120\n"
		"warning: vendor p needs idle one-way UDP flows to be kept for 2min; this machine "
		"forgets them after 119s\n"
		"\tsysctl net.netfilter.nf_conntrack_udp_timeout=120\n");
	/* The rules lengthen them, but not what a [set] takes. */
	host.lengthens = true;
	CHECK_STR(judged(), "");
	begin("[vendor p]\n[set s]\nfamily = ip\ntable = t\nset = s\nvendor = p\n");
	host.lengthens = true;
	host.timeouts = (struct host_timeouts){599, 119, 119};
	judged();
	CHECK_INT(findings.count, 3);
	host.timeouts = (struct host_timeouts){600, 120, 120};
	CHECK_STR(judged(), "");
	host.timeouts = (struct host_timeouts){-1, -1, -1};
	CHECK_STR(judged(), "");
}

static void table_of_flows_that_is_nearly_full_is_told(void)
{
	begin("[vendor q]\n");
	host.flows = 799;
	CHECK_STR(judged(), "");
	host.flows = 800;
	CHECK(strstr(judged(), "warning: the table of flows is nearly full (800 of 1000)"));
	host.flows_max = -1;
	CHECK_STR(judged(), "");
}

static void rule_that_does_not_track_is_told(void)
{
	begin("[vendor q]\n");
	strings_add(&host.untracking, "ip raw prerouting handle 7");
	CHECK(str_starts(judged(), "warning: rule ip raw prerouting handle 7 takes flows out of"));
}

static void flowtable_weighs_more_where_devices_are_confined(void)
{
	begin("[vendor q]\n");
	strings_add(&host.flowtables, "inet filter fast");
	CHECK(str_starts(judged(), "note: flowtable inet filter fast: "));
	begin(GROUP);
	strings_add(&host.flowtables, "inet filter fast");
	CHECK(str_starts(judged(), "warning: flowtable inet filter fast: "));
	CHECK(strstr(judged(), "; device groups have vendor q\n"));
}

static void sip_is_a_matter_of_vendors_that_speak_it(void)
{
	begin("[vendor q]\n");
	strings_add(&host.modules, "nf_nat_sip");
	strings_add(&host.helpers, "ip phones h");
	host.helpers_assigned = true;
	CHECK_STR(judged(), "");
	begin("[vendor p]\n");
	strings_add(&host.modules, "nf_nat_sip");
	CHECK(str_starts(judged(), "note: nf_nat_sip is loaded; it does nothing to vendor p"));
	host.helpers_assigned = true;
	CHECK(str_starts(judged(), "warning: nf_nat_sip reads all traffic of port 5060"));
	host.helpers_assigned = false;
	strings_add(&host.helpers, "ip phones h");
	CHECK(str_starts(judged(),
		"warning: ct helper ip phones h rewrites SIP: vendor p uses port "
		"5060, and breaks by it\n"));
}

static void uplink_with_an_address_that_is_not_public_is_told(void)
{
	begin("[vendor q]\n");
	CHECK(addr_parse("100.64.0.9", &host.interfaces[0].addrs[0]));
	CHECK(str_starts(judged(), "note: wan leads out with the address 100.64.0.9 ("));
	begin("[vendor p]\n");
	CHECK(addr_parse("192.168.1.2", &host.interfaces[0].addrs[0]));
	CHECK(str_starts(
		judged(), "warning: wan leads out with the address 192.168.1.2 (private)"));
	CHECK(strstr(judged(), ", and what vendor p must be able to send in ends there\n"));
	host.interfaces[0].default_route[FAMILY_V4] = false;
	CHECK_STR(judged(), "");
}

static void group_on_interfaces_that_are_not_there_is_told(void)
{
	begin("[vendor q]\n[devices d]\ninterface = lan, gone\ntowards = wan, up\nvendor = q\n");
	CHECK_STR(judged(),
		"warning: [devices d] interface = gone: this machine has no such interface (yet)\n"
		"warning: [devices d] towards = up: this machine has no such interface (yet)\n");
}

static void group_of_mac_addresses_needs_neighbours_and_ethernet(void)
{
	begin("[vendor q]\n[devices d]\ninterface = lan\nmac = 00:11:22:33:44:5A, "
	      "00:11:22:33:44:66\n"
	      "vendor = q\n");
	strings_add(&host.macs, "00:11:22:33:44:5a");
	CHECK(str_starts(
		judged(), "note: [devices d] mac = 00:11:22:33:44:66: no neighbour has it"));
	CHECK_INT(findings.count, 1);
	host_interface(&host, "lan")->ethernet = false;
	CHECK(str_starts(
		judged(), "broken: [devices d] matches MAC addresses on lan, which has none"));
}

static void ipv6_that_a_group_ignores_is_told_where_it_leads_out(void)
{
	begin("[vendor q]\n[devices d]\ninterface = lan\nipv6 = ignore\nvendor = q\n");
	CHECK_STR(judged(), "");
	host.interfaces[0].default_route[FAMILY_V6] = true;
	CHECK(str_starts(
		judged(), "warning: [devices d] ignores IPv6, and this machine forwards it"));
	host.forwards[FAMILY_V6] = false;
	CHECK(!strstr(judged(), "ignores IPv6"));
}

static void group_without_an_outside_is_told(void)
{
	begin(GROUP);
	host.interfaces[0].default_route[FAMILY_V4] = false;
	CHECK(str_starts(judged(), "warning: [devices d] does not say where the outside is"));
	begin(GROUP "towards = wan\n");
	host.interfaces[0].default_route[FAMILY_V4] = false;
	CHECK_STR(judged(), "");
}

static void bridge_that_calls_the_chains_is_told_to_who_has_groups(void)
{
	begin("[vendor q]\n");
	host.bridge_calls = true;
	CHECK_STR(judged(), "");
	begin(GROUP);
	host.bridge_calls = true;
	CHECK(str_starts(judged(), "note: bridged packets pass the forward chains too"));
}

static void what_could_not_be_read_is_said_last(void)
{
	begin(GROUP);
	strings_add(&host.unread, "the ruleset: Operation not permitted");
	host.forwards[FAMILY_V4] = false;
	CHECK(strstr(judged(), "note: not looked at: the ruleset: Operation not permitted\n"));
	CHECK_INT(findings.items[0].weight, HOST_BROKEN);
}

int main(void)
{
	TAP_RUN(gateway_without_fault_has_no_finding);
	TAP_RUN(gateway_that_forwards_nothing_is_broken);
	TAP_RUN(chain_that_drops_is_shown_the_hook);
	TAP_RUN(managers_are_told_of_with_what_to_say_to_them);
	TAP_RUN(flows_forgotten_sooner_than_a_vendor_needs_are_told_with_the_sysctl);
	TAP_RUN(table_of_flows_that_is_nearly_full_is_told);
	TAP_RUN(rule_that_does_not_track_is_told);
	TAP_RUN(flowtable_weighs_more_where_devices_are_confined);
	TAP_RUN(sip_is_a_matter_of_vendors_that_speak_it);
	TAP_RUN(uplink_with_an_address_that_is_not_public_is_told);
	TAP_RUN(group_on_interfaces_that_are_not_there_is_told);
	TAP_RUN(group_of_mac_addresses_needs_neighbours_and_ethernet);
	TAP_RUN(ipv6_that_a_group_ignores_is_told_where_it_leads_out);
	TAP_RUN(group_without_an_outside_is_told);
	TAP_RUN(bridge_that_calls_the_chains_is_told_to_who_has_groups);
	TAP_RUN(what_could_not_be_read_is_said_last);
	host_findings_done(&findings);
	host_done(&host);
	config_free(config);
	diag_list_done(&diags);
	lab_free(root);
	return tap_done();
}
