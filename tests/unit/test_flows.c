/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/flows: whose a flow is that stands, and whether its group may have it. The same questions as
 * the chains of ruleset_devices.c decide, which tests/netns/test_devices.py asks the kernel. */
#include "core/flows.h"

#include "../config/config_lab.h"
#include "tap.h"

#include <netinet/in.h>

static char *root;
static struct config *config;
static struct ruleset ruleset;
static struct strings outside, none;

static struct config *read_config(const char *main_text)
{
	struct diag_list diags = DIAG_LIST_NULL;
	struct config *c;

	if (root)
		lab_free(root);
	root = lab_new();
	lab_write(root, ALLOWSYNCD_CONF_DIR "/allowsyncd.conf", main_text);
	lab_write(root, ALLOWSYNCD_CONF_DIR "/vendors/acme.conf",
		"[profile]\n"
		"[endpoint web]\naddress = 45.1.0.1, 2a00:1::1\nallow = tcp/443, udp/443\n"
		"[endpoint many]\naddress = 45.1.0.2\nallow = udp/1000-2000\n"
		"[endpoint net]\naddress = 45.2.0.0/16\nallow = tcp/80\n"
		"[endpoint pings]\naddress = 45.1.0.3\nallow = icmp/echo-request\n"
		"[endpoint tunnel]\naddress = 45.1.0.4\nallow = gre\n"
		"[endpoint in]\ndirection = in\naddress = 45.1.0.5\nallow = tcp/443\n"
		"[endpoint any]\ndefault = no\naddress = any\nallow = udp/3478\n"
		"[endpoint clock]\ndefault = no\naddress = 45.1.0.6\nallow = udp/53, udp/123\n"
		"[endpoint no]\ndefault = no\naddress = 45.2.0.1\nallow = tcp/80\n");
	config_load(root, &diags, &c);
	for (size_t i = 0; i < diags.count && diags.errors; i++)
		printf("# %s\n", diags.items[i].text);
	CHECK_INT(diags.errors, 0);
	diag_list_done(&diags);
	return c;
}

static void begin(const char *main_text)
{
	ruleset_done(&ruleset);
	config_free(config);
	config = NULL;
	config = read_config(main_text);
	ruleset = ruleset_of(config);
}

/* Every set holds what is configured, as if all had been committed. */
static bool holds(void *userdata, const struct ruleset_set *s, const struct flow *f)
{
	for (size_t i = 0; i < s->vendor->endpoint_count; i++) {
		const struct config_endpoint *e = &s->vendor->endpoints[i];
		for (size_t k = 0; ruleset_set_takes(s, e) && k < e->address_count; k++) {
			bool ports = s->holds != RULESET_PORTS;
			for (size_t n = 0; n < e->endpoint->service_count; n++) {
				const struct service *v = &e->endpoint->services[n];
				ports = ports ||
					(v->protocol == f->protocol && f->port >= v->port_first &&
						f->port <= v->port_last);
			}
			if (ports && addr_range_has(&e->addresses[k].range, &f->destination))
				return true;
		}
	}
	return false;
}

static struct addr addr(const char *text)
{
	struct addr a;

	CHECK(addr_parse(text, &a));
	return a;
}

static struct flow flow(const char *to, uint8_t protocol, uint16_t port)
{
	bool six = strchr(to, ':');

	return (struct flow){.source = addr(six ? "fd91::2" : "10.91.0.2"),
		.destination = addr(to),
		.protocol = protocol,
		.port = port};
}

/* --- whose --- */

static const char *group(const char *source, const char *from, const char *to, const char *mac)
{
	struct flow f = {.source = addr(source), .destination = addr("45.9.9.9")};
	struct flow_path p = {from, to, mac};
	const struct config_devices *d = flows_group_of(config, &outside, &f, &p);

	return d ? d->name : "";
}

#define ACME  "[vendor acme]\n"
#define D(n)  "[devices " n "]\nvendor = acme\n"
#define MAC   "00:22:4d:01:02:03"
#define OTHER "00:22:4d:01:02:04"

static void group_is_known_by_all_that_it_names(void)
{
	begin(ACME D("a") "interface = lan\nmac = " MAC "\naddress = 10.91.0.0/28, fd91::/64\n" D(
		"b") "address = 10.91.0.0/16\nipv6 = ignore\n");
	CHECK_STR(group("10.91.0.2", "lan", "wan", MAC), "a");
	CHECK_STR(group("fd91::2", "lan", "wan", MAC), "a");
	/* each by itself lets it be the next group's, or nobody's */
	CHECK_STR(group("10.91.0.2", "lan2", "wan", MAC), "b");
	CHECK_STR(group("10.91.0.2", "lan", "wan", OTHER), "b");
	CHECK_STR(group("10.91.0.2", "lan", "wan", NULL), "b");
	CHECK_STR(group("10.91.1.2", "lan", "wan", MAC), "b");
	CHECK_STR(group("fd91::2", "lan", "wan", OTHER), "");
	CHECK_STR(group("10.92.0.2", "lan", "wan", MAC), "");
}

static void only_what_leaves_towards_the_outside_is_a_groups(void)
{
	begin(ACME D("a") "interface = lan\n");
	CHECK_STR(group("10.91.0.2", "lan", "wan", NULL), "a");
	CHECK_STR(group("10.91.0.2", "lan", "lan2", NULL), "");
	CHECK_STR(group("10.91.0.2", NULL, "wan", NULL), "");
	CHECK_STR(group("10.91.0.2", "lan", NULL, NULL), "");
	begin(ACME "[mark]\ntowards = dmz\n" D("a") "interface = lan\n");
	CHECK_STR(group("10.91.0.2", "lan", "dmz", NULL), "a");
	CHECK_STR(group("10.91.0.2", "lan", "wan", NULL), "");
	begin(ACME "[mark]\ntowards = dmz\n" D("a") "interface = lan\ntowards = vpn\n");
	CHECK_STR(group("10.91.0.2", "lan", "vpn", NULL), "a");
	CHECK_STR(group("10.91.0.2", "lan", "dmz", NULL), "");
	/* Nobody knows where it is. */
	begin(ACME D("a") "interface = lan\n");
	struct strings known = outside;
	outside = none;
	const char *other = group("10.91.0.2", "lan", "lan2", NULL);
	const char *same = group("10.91.0.2", "lan", "lan", NULL);
	const char *own = group("10.91.0.2", "lan", NULL, NULL);
	outside = known;
	CHECK_STR(other, "a");
	CHECK_STR(same, "");
	CHECK_STR(own, "");
}

static void ipv6_is_the_groups_as_it_says(void)
{
	begin(ACME D("a") "interface = lan\n");
	CHECK_STR(group("fd91::2", "lan", "wan", NULL), "a");
	begin(ACME D("a") "interface = lan\nipv6 = ignore\n");
	CHECK_STR(group("fd91::2", "lan", "wan", NULL), "");
	CHECK_STR(group("10.91.0.2", "lan", "wan", NULL), "a");
	begin(ACME D("a") "interface = lan\naddress = 10.91.0.2\nipv6 = reject\n");
	CHECK_STR(group("fd91::2", "lan", "wan", NULL), "a");
	CHECK_STR(group("fd91::2", "lan2", "wan", NULL), "");
	CHECK_STR(group("10.91.0.3", "lan", "wan", NULL), "");
}

/* --- what it may --- */

static bool may(const struct flow *f)
{
	return flows_may_begin(config, &ruleset, &config->devices[0], f, holds, NULL);
}

static bool may_go(const char *to, uint8_t protocol, uint16_t port)
{
	struct flow f = flow(to, protocol, port);

	return may(&f);
}

static void vendor_is_reached_by_its_services_alone(void)
{
	begin(ACME D("a") "interface = lan\n");
	CHECK(may_go("45.1.0.1", IPPROTO_TCP, 443));
	CHECK(may_go("45.1.0.1", IPPROTO_UDP, 443));
	CHECK(may_go("2a00:1::1", IPPROTO_TCP, 443));
	CHECK(may_go("45.1.0.2", IPPROTO_UDP, 1000));
	CHECK(may_go("45.1.0.2", IPPROTO_UDP, 2000));
	CHECK(may_go("45.2.255.255", IPPROTO_TCP, 80));
	CHECK(may_go("45.1.0.4", IPPROTO_GRE, 0));
	CHECK(!may_go("45.1.0.1", IPPROTO_TCP, 80));
	CHECK(!may_go("45.1.0.2", IPPROTO_TCP, 1000));
	CHECK(!may_go("45.1.0.2", IPPROTO_UDP, 999));
	CHECK(!may_go("45.1.0.2", IPPROTO_UDP, 2001));
	CHECK(!may_go("45.2.0.9", IPPROTO_TCP, 81));
	CHECK(!may_go("45.3.0.0", IPPROTO_TCP, 80));
	CHECK(!may_go("45.1.0.4", IPPROTO_ESP, 0));
	CHECK(!may_go("2a00:1::2", IPPROTO_TCP, 443));
	/* it may come in, and is not to be called */
	CHECK(!may_go("45.1.0.5", IPPROTO_TCP, 443));
	CHECK(!may_go("45.9.9.9", IPPROTO_UDP, 3478));
	struct flow ping = flow("45.1.0.3", IPPROTO_ICMP, 0);
	ping.icmp_type = 8;
	CHECK(may(&ping));
	ping.icmp_type = 13;
	CHECK(!may(&ping));
}

static void any_destination_takes_every_one(void)
{
	begin("[vendor acme]\nendpoint = any\n" D("a") "interface = lan\n");
	CHECK(may_go("45.9.9.9", IPPROTO_UDP, 3478));
	CHECK(may_go("2a00:9::9", IPPROTO_UDP, 3478));
	CHECK(!may_go("45.9.9.9", IPPROTO_UDP, 3479));
}

static void denial_comes_first(void)
{
	begin("[vendor acme]\ndeny = no\n" D("a") "interface = lan\ndns = any\n");
	CHECK(may_go("45.2.0.2", IPPROTO_TCP, 80));
	CHECK(!may_go("45.2.0.1", IPPROTO_TCP, 80));
	begin("[vendor acme]\ndeny = any\n" D("a") "interface = lan\n");
	CHECK(!may_go("45.9.9.9", IPPROTO_UDP, 3478));
	CHECK(may_go("45.2.0.1", IPPROTO_TCP, 80));
}

static void vendor_of_another_group_is_nothing_to_this_one(void)
{
	begin(ACME "[vendor other]\nprofile = acme\nendpoint = any\n" D(
		"a") "interface = lan\n"
		     "[devices b]\nvendor = other\ninterface = lan2\n");
	CHECK(!may_go("45.9.9.9", IPPROTO_UDP, 3478));
	struct flow f = flow("45.9.9.9", IPPROTO_UDP, 3478);
	CHECK(flows_may_begin(config, &ruleset, &config->devices[1], &f, holds, NULL));
}

static void dns_and_ntp_are_as_the_group_says(void)
{
	begin(ACME D("a") "interface = lan\n");
	CHECK(!may_go("9.9.9.9", IPPROTO_UDP, 53) && !may_go("9.9.9.9", IPPROTO_UDP, 123));
	begin(ACME D("a") "interface = lan\ndns = any\nntp = any\n");
	CHECK(may_go("9.9.9.9", IPPROTO_UDP, 53) && may_go("9.9.9.9", IPPROTO_TCP, 53));
	CHECK(may_go("9.9.9.9", IPPROTO_UDP, 123) && !may_go("9.9.9.9", IPPROTO_TCP, 123));
	CHECK(!may_go("9.9.9.9", IPPROTO_SCTP, 53));
	begin(ACME D("a") "interface = lan\ndns = 9.9.9.9\n");
	CHECK(may_go("9.9.9.9", IPPROTO_UDP, 53) && !may_go("9.9.9.8", IPPROTO_UDP, 53));
	/* also what a profile would allow */
	begin("[vendor acme]\nendpoint = clock\n" D("a") "interface = lan\n");
	CHECK(may_go("45.1.0.6", IPPROTO_UDP, 53) && may_go("45.1.0.6", IPPROTO_UDP, 123));
	begin("[vendor acme]\nendpoint = clock\n" D("a") "interface = lan\ndns = gateway\n");
	CHECK(!may_go("45.1.0.6", IPPROTO_UDP, 53) && may_go("45.1.0.6", IPPROTO_UDP, 123));
	begin("[vendor acme]\nendpoint = clock\n" D("a") "interface = lan\nntp = gateway\n");
	CHECK(may_go("45.1.0.6", IPPROTO_UDP, 53) && !may_go("45.1.0.6", IPPROTO_UDP, 123));
}

static void ipv6_that_is_rejected_may_nothing(void)
{
	begin(ACME D("a") "interface = lan\nipv6 = reject\ndns = any\n");
	CHECK(!may_go("2a00:1::1", IPPROTO_TCP, 443));
	CHECK(!may_go("2a00:1::1", IPPROTO_UDP, 53));
	CHECK(may_go("45.1.0.1", IPPROTO_TCP, 443));
}

int main(void)
{
	strings_add(&outside, "wan");
	TAP_RUN(group_is_known_by_all_that_it_names);
	TAP_RUN(only_what_leaves_towards_the_outside_is_a_groups);
	TAP_RUN(ipv6_is_the_groups_as_it_says);
	TAP_RUN(vendor_is_reached_by_its_services_alone);
	TAP_RUN(any_destination_takes_every_one);
	TAP_RUN(denial_comes_first);
	TAP_RUN(vendor_of_another_group_is_nothing_to_this_one);
	TAP_RUN(dns_and_ntp_are_as_the_group_says);
	TAP_RUN(ipv6_that_is_rejected_may_nothing);
	ruleset_done(&ruleset);
	config_free(config);
	strings_done(&outside);
	if (root)
		lab_free(root);
	return tap_done();
}
