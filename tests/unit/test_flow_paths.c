/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edge/flow_paths on the real kernel. */
#include "edge/flow_paths.h"

#include "allowsync/addr.h"
#include "nft_lab.h"

static struct flow_paths *paths;

static const char *leads(const char *text)
{
	struct addr a;

	CHECK(addr_parse(text, &a));
	const char *name = flow_paths_interface(paths, &a);
	return name ? name : "";
}

static const char *mac(const char *text)
{
	struct addr a;

	CHECK(addr_parse(text, &a));
	const char *found = flow_paths_mac(paths, &a);
	return found ? found : "";
}

static void address_leads_by_the_interface_of_its_route(void)
{
	CHECK_STR(leads("10.91.0.2"), "lan");
	CHECK_STR(leads("10.94.7.7"), "lan"); /* behind another router there */
	CHECK_STR(leads("45.1.0.1"), "wan");
	CHECK_STR(leads("fd91::2"), "lan");
	CHECK_STR(leads("2a00:1::1"), "wan");
	CHECK_STR(leads("10.91.0.2"), "lan"); /* as remembered */
}

static void own_addresses_and_those_without_a_route_lead_nowhere(void)
{
	CHECK_STR(leads("10.91.0.1"), "");
	CHECK_STR(leads("127.0.0.1"), "");
	CHECK_STR(leads("fd91::1"), "");
	CHECK_STR(leads("10.95.0.1"), "");
}

static void neighbours_have_their_mac_addresses(void)
{
	CHECK_STR(mac("10.91.0.2"), "00:22:4d:01:02:03");
	CHECK_STR(mac("fd91::2"), "00:22:4d:01:02:03");
	CHECK_STR(mac("10.91.0.3"), "");
	CHECK_STR(mac("45.1.0.1"), "");
}

/* The kernel makes the route of an IPv6 address a moment after the address. */
static bool await_local(const char *command)
{
	enum { TRIES = 1000, PAUSE_US = 10000 };

	for (unsigned i = 0; i < TRIES; i++) {
		if (strstr(lab_output(command), "local "))
			return true;
		usleep(PAUSE_US);
	}
	return false;
}

int main(void)
{
	if (!lab_enter())
		return 0;
	if (!lab_ip("link set lo up\n"
		    "link add lan type veth peer name lanp\nlink set lan up\nlink set lanp up\n"
		    "link add wan type veth peer name wanp\nlink set wan up\nlink set wanp up\n"
		    "addr add 10.91.0.1/24 dev lan\naddr add fd91::1/64 dev lan nodad\n"
		    "addr add 10.92.0.1/24 dev wan\naddr add fd92::1/64 dev wan nodad\n"
		    "route add 10.94.0.0/16 via 10.91.0.9\nroute add default via 10.92.0.2\n"
		    "route add default via fd92::2\nroute add unreachable 10.95.0.0/16\n"
		    "neigh add 10.91.0.2 lladdr 00:22:4D:01:02:03 dev lan\n"
		    "neigh add fd91::2 lladdr 00:22:4D:01:02:03 dev lan\n") ||
		!await_local("ip -6 route show table local fd91::1") ||
		!await_local("ip -6 route show table local fd92::1") || flow_paths_open(&paths) < 0)
		return 1;
	TAP_RUN(address_leads_by_the_interface_of_its_route);
	TAP_RUN(own_addresses_and_those_without_a_route_lead_nowhere);
	TAP_RUN(neighbours_have_their_mac_addresses);
	flow_paths_close(paths);
	return tap_done();
}
