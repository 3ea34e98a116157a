/* SPDX-License-Identifier: GPL-2.0-or-later */
/* This router's own addresses and networks, as lab_ip(8) makes and takes them in a private network
 * namespace. */
#include "allowsync/profile.h"
#include "base/strbuf.h"
#include "edge/loop.h"
#include "edge/own_net.h"
#include "nft_lab.h"

#include <stdlib.h>
#include <sys/wait.h>

enum { SOON_MS = 5000, LINGER_MS = 400, MANY = 2000 };

static struct loop *loop;
static struct own_net *net;
static struct loop_timer *deadline;
static bool late;

static struct {
	struct strbuf text;
	size_t calls, count;
	bool sorted;
} told;

static void on_ranges(void *userdata, const struct addr_range *ranges, size_t count)
{
	char text[ADDR_RANGE_TEXT_SIZE];

	told.calls++;
	told.count = count;
	told.sorted = true;
	strbuf_clear(&told.text);
	for (size_t i = 0; i < count; i++) {
		strbuf_appendf(&told.text, "%s ", addr_range_format(&ranges[i], text));
		if (i && addr_cmp(&ranges[i - 1].last, &ranges[i].first) >= 0)
			told.sorted = false;
	}
}

static void on_deadline(void *userdata)
{
	late = true;
}

static const char *awaited;
static size_t awaited_calls;

static bool has_come(void)
{
	return awaited ? strcmp(strbuf_text(&told.text), awaited) == 0
		       : told.calls >= awaited_calls;
}

static void turn(void *userdata)
{
	if (late || has_come())
		loop_stop(loop);
}

static void run_loop(uint64_t ms)
{
	late = false;
	loop_timer_arm(deadline, ms);
	if (loop_run(loop, turn, NULL) < 0)
		late = true;
	loop_timer_disarm(deadline);
}

/* What is told in the end is this. */
static bool comes(const char *text)
{
	awaited = text;
	run_loop(SOON_MS);
	if (late)
		printf("# \"%s\", not \"%s\"\n", strbuf_text(&told.text), text);
	return !late;
}

/* Nothing is told, for a while that has room for a reading. */
static bool stays(void)
{
	size_t calls = told.calls;
	awaited = NULL;
	awaited_calls = calls + 1;
	run_loop(LINGER_MS);
	return late && told.calls == calls;
}

/* Each case begins with nothing but a link that is up. */
static void fresh(void)
{
	net = own_net_free(net);
	strbuf_clear(&told.text);
	told.calls = 0;
	(void)!system("ip -batch - >/dev/null 2>&1 <<'E'\nlink del lan\nE\n"
		      "ip -batch - >/dev/null 2>&1 <<'E'\nlink del wan\nE");
	CHECK(lab_ip(
		"link add lan type veth peer name lan1\nlink add wan type veth peer name wan1\n"
		"link set lan1 up\nlink set wan1 up\nlink set lan up\nlink set wan up\n"));
	CHECK_INT(own_net_new(loop, on_ranges, NULL, &net), 0);
	awaited = NULL;
	awaited_calls = 1;
	run_loop(SOON_MS);
	CHECK_INT(told.calls, 1);
	CHECK_INT(told.count, 0);
}

static void test_an_empty_list_is_told_from_the_loop_and_once(void)
{
	fresh();
	CHECK(stays());
	net = own_net_free(net);
	told.calls = 0;
	CHECK_INT(own_net_new(loop, on_ranges, NULL, &net), 0);
	CHECK_INT(told.calls, 0);
	net = own_net_free(net); /* before it has begun */
}

static void test_what_is_there_at_the_start_is_told(void)
{
	fresh();
	CHECK(lab_ip("addr add 192.0.2.5/24 dev lan\n"));
	net = own_net_free(net);
	told.calls = 0;
	CHECK_INT(own_net_new(loop, on_ranges, NULL, &net), 0);
	CHECK(comes("192.0.2.0/24 "));
	CHECK_INT(told.calls, 1);
}

static void test_addresses_come_and_go_with_their_prefixes(void)
{
	fresh();
	CHECK(lab_ip("addr add 192.0.2.5/24 dev lan\n"));
	CHECK(comes("192.0.2.0/24 "));
	CHECK(lab_ip("addr add 2001:db8:1::5/64 dev lan nodad\n"));
	CHECK(comes("192.0.2.0/24 2001:db8:1::/64 "));
	/* In one that is there. */
	CHECK(lab_ip("addr add 192.0.2.77/32 dev lan\naddr add 192.0.2.130/25 dev wan\n"));
	CHECK(stays());
	CHECK(lab_ip("addr del 192.0.2.5/24 dev lan\n"));
	CHECK(comes("192.0.2.77 192.0.2.128/25 2001:db8:1::/64 "));
	CHECK(lab_ip("addr flush dev lan\naddr flush dev wan\n"));
	CHECK(comes(""));
}

static void test_an_interface_with_a_default_route_has_only_its_address(void)
{
	fresh();
	CHECK(lab_ip("addr add 192.0.2.5/24 dev lan\naddr add 198.51.100.7/24 dev wan\n"));
	CHECK(comes("192.0.2.0/24 198.51.100.0/24 "));
	CHECK(lab_ip("route add default via 198.51.100.1\n"));
	CHECK(comes("192.0.2.0/24 198.51.100.7 "));
	/* It moves. */
	CHECK(lab_ip("route replace default via 192.0.2.1\n"));
	CHECK(comes("192.0.2.5 198.51.100.0/24 "));
	/* Two of them, of different metric. */
	CHECK(lab_ip("route add default via 198.51.100.1 metric 100\n"));
	CHECK(comes("192.0.2.5 198.51.100.7 "));
	CHECK(lab_ip("route del default via 192.0.2.1\n"));
	CHECK(comes("192.0.2.0/24 198.51.100.7 "));
}

static void test_the_families_are_judged_apart(void)
{
	fresh();
	CHECK(lab_ip("addr add 198.51.100.7/24 dev wan\naddr add 2001:db8:2::7/64 dev wan nodad\n"
		     "route add default via 2001:db8:2::1\n"));
	CHECK(comes("198.51.100.0/24 2001:db8:2::7 "));
	CHECK(lab_ip("route add default via 198.51.100.1\n"));
	CHECK(comes("198.51.100.7 2001:db8:2::7 "));
	CHECK(lab_ip("-6 route del default\n") || lab_ip("route del default via 2001:db8:2::1\n"));
	CHECK(comes("198.51.100.7 2001:db8:2::/64 "));
}

static void test_default_routes_of_every_form_are_seen(void)
{
	static const char both[] = "192.0.2.0/24 198.51.100.0/24 ";
	static const char neither[] = "192.0.2.5 198.51.100.7 ";
	static const char wan[] = "192.0.2.0/24 198.51.100.7 ";
	static const struct {
		const char *route, *list;
	} forms[] = {
		{"default nexthop via 192.0.2.1 nexthop via 198.51.100.1", neither},
		{"default dev wan scope link", wan},
		{"default via 198.51.100.1 table 100", wan},
		{"0.0.0.0/0 via inet6 fe80::1 dev wan", wan},
		{"unreachable default metric 4000", both},
		{"blackhole default", both},
		{"0.0.0.0/1 via 198.51.100.1", both},
	};
	fresh();
	CHECK(lab_ip("addr add 192.0.2.5/24 dev lan\naddr add 198.51.100.7/24 dev wan\n"));
	CHECK(comes(both));
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		printf("# %s\n", forms[i].route);
		CHECK(lab_ip("route add %s\n", forms[i].route));
		CHECK(forms[i].list == both ? stays() : comes(forms[i].list));
		CHECK(lab_ip("route del %s\n", forms[i].route));
		CHECK(comes(both));
	}
	CHECK(lab_ip("nexthop add id 7 via 198.51.100.1 dev wan\nroute add default nhid 7\n"));
	CHECK(comes(wan));
}

static const char *uplinks(void)
{
	static char text[64];
	_cleanup_free_ char *all = strings_join(own_net_uplinks(net), " ");

	snprintf(text, sizeof(text), "%s", all);
	return text;
}

static bool uplinks_come(const char *names)
{
	while (strcmp(uplinks(), names) != 0) {
		awaited = NULL;
		awaited_calls = told.calls + 1;
		run_loop(SOON_MS);
		if (late) {
			printf("# \"%s\", not \"%s\"\n", uplinks(), names);
			return false;
		}
	}
	return true;
}

static void test_uplinks_are_the_interfaces_with_a_default_route(void)
{
	fresh();
	CHECK_STR(uplinks(), "");
	CHECK(lab_ip("addr add 192.0.2.5/32 dev wan\naddr add 2001:db8:1::5/128 dev lan nodad\n"));
	CHECK(comes("192.0.2.5 2001:db8:1::5 "));
	CHECK_STR(uplinks(), "");
	/* no range changes by that */
	CHECK(lab_ip("route add default dev wan scope link\n"));
	CHECK(uplinks_come("wan"));
	CHECK(lab_ip("route add default dev lan table 100\nroute add default dev wan metric 9\n"));
	CHECK(uplinks_come("lan wan"));
	CHECK(lab_ip("route del default dev wan scope link\nroute del default dev wan metric 9\n"));
	CHECK(uplinks_come("lan"));
	/* none: the last one counts, until there is another */
	CHECK(lab_ip("route del default dev lan table 100\n"));
	CHECK(stays());
	CHECK_STR(uplinks(), "lan");
	CHECK(lab_ip("route add ::/0 dev wan\n"));
	CHECK(uplinks_come("wan"));
}

static void test_ipv6_paths_are_seen(void)
{
	fresh();
	CHECK(lab_ip("addr add 2001:db8:1::5/64 dev lan nodad\naddr add 2001:db8:2::7/64 dev wan "
		     "nodad\n"));
	CHECK(comes("2001:db8:1::/64 2001:db8:2::/64 "));
	CHECK(lab_ip("route add default nexthop via 2001:db8:1::1 nexthop via 2001:db8:2::1\n"));
	CHECK(comes("2001:db8:1::5 2001:db8:2::7 "));
	CHECK(lab_ip("route del default nexthop via 2001:db8:1::1 nexthop via 2001:db8:2::1\n"));
	CHECK(comes("2001:db8:1::/64 2001:db8:2::/64 "));
}

/* The kernel says nothing of an IPv4 route that goes with its link. */
static void test_a_default_route_that_goes_with_its_link_is_missed(void)
{
	fresh();
	CHECK(lab_ip("addr add 198.51.100.7/24 dev wan\nroute add default via 198.51.100.1\n"));
	CHECK(comes("198.51.100.7 "));
	CHECK(lab_ip("link set wan down\n"));
	CHECK(comes("198.51.100.0/24 "));
	CHECK(lab_ip("link set wan up\nroute add default via 198.51.100.1\n"));
	CHECK(comes("198.51.100.7 "));
	CHECK(lab_ip("link del wan\n"));
	CHECK(comes(""));
}

static void test_a_link_of_two_is_told_with_both_ends(void)
{
	fresh();
	CHECK(lab_ip("addr add 192.0.2.5 peer 198.51.100.9/32 dev lan\n"
		     "addr add 2001:db8::5 peer 2001:db8::9/128 dev lan nodad\n"));
	CHECK(comes("192.0.2.5 198.51.100.9 2001:db8::5 2001:db8::9 "));
	CHECK(lab_ip("route add default dev lan\n"));
	CHECK(comes("192.0.2.5 2001:db8::5 2001:db8::9 "));
}

static void test_places_that_are_refused_anyway_are_not_in_it(void)
{
	fresh();
	CHECK(lab_ip(
		"link set lo up\naddr add 127.5.5.5/8 dev lan\naddr add fe80::99/64 dev lan nodad\n"
		"addr add 198.51.100.1/32 dev lo\n"));
	CHECK(comes("198.51.100.1 "));
	CHECK(lab_ip("addr del 198.51.100.1/32 dev lo\nlink set lo down\n"));
	CHECK(comes(""));
}

static void test_a_prefix_of_everything_is_only_its_address(void)
{
	fresh();
	CHECK(lab_ip(
		"addr add 192.0.2.5/0 dev lan noprefixroute\naddr add 2001:db8::5/0 dev lan nodad "
		"noprefixroute\n"));
	CHECK(comes("192.0.2.5 2001:db8::5 "));
}

static void add_many(bool add)
{
	FILE *f = popen("ip -batch -", "w");
	CHECK(f);
	for (int i = 0; i < MANY; i++)
		fprintf(f, "addr %s 10.%d.%d.1/24 dev lan\n", add ? "add" : "del", i / 250,
			i % 250);
	CHECK(pclose(f) == 0);
}

static void test_thousands_at_once_are_told_at_once(void)
{
	fresh();
	add_many(true);
	awaited = NULL;
	awaited_calls = 2;
	run_loop(SOON_MS);
	CHECK_INT(told.calls, 2);
	CHECK_INT(told.count, MANY);
	CHECK(told.sorted);
	CHECK_INT(own_net_lost_count(net), 0);
	CHECK(stays());
	CHECK(lab_ip("link del lan\n"));
	CHECK(comes(""));
	CHECK_INT(told.calls, 3);
}

static void test_lost_news_are_made_good(void)
{
	fresh();
	int small = 1;
	CHECK_INT(setsockopt(own_net_fd(net), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	add_many(true);
	/* What comes last is lost for sure. */
	CHECK(lab_ip("addr add 192.0.2.5/24 dev wan\n"));
	awaited = NULL;
	awaited_calls = 2;
	run_loop(SOON_MS);
	CHECK(own_net_lost_count(net) > 0);
	CHECK_INT(told.count, MANY + 1);
	CHECK(strstr(strbuf_text(&told.text), " 192.0.2.0/24 "));
	CHECK(lab_ip("addr del 192.0.2.5/24 dev wan\n"));
	awaited_calls = 3;
	run_loop(SOON_MS);
	CHECK_INT(told.count, MANY);
}

static void test_changes_without_an_end_are_told_all_the_same(void)
{
	fresh();
	uint64_t begun = loop_now_ms(), last = begun;
	bool quiet = false; /* on a slow machine there is an end after all */
	for (int i = 0; told.calls < 2 && loop_now_ms() - begun < SOON_MS; i++) {
		CHECK(lab_ip("addr add 10.0.%d.1/24 dev lan\n", i % 250));
		quiet = quiet || loop_now_ms() - last >= OWN_NET_QUIET_MS;
		last = loop_now_ms();
		awaited = NULL;
		awaited_calls = 2;
		run_loop(OWN_NET_QUIET_MS / 2);
	}
	CHECK_INT(told.calls, 2);
	CHECK(quiet || loop_now_ms() - begun >= OWN_NET_PATIENCE_MS);
}

static void test_other_routes_in_motion_do_not_wake_it(void)
{
	fresh();
	CHECK(lab_ip("addr add 192.0.2.5/24 dev lan\n"));
	CHECK(comes("192.0.2.0/24 "));
	uint64_t count = own_net_read_count(net);
	int small = 1;
	CHECK_INT(setsockopt(own_net_fd(net), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	FILE *f = popen("ip -batch -", "w");
	CHECK(f);
	for (int i = 0; i < MANY; i++)
		fprintf(f, "route add 10.%d.%d.0/24 via 192.0.2.1\n", i / 250, i % 250);
	CHECK(pclose(f) == 0);
	CHECK(stays());
	CHECK_INT(own_net_lost_count(net), 0);
	CHECK_INT(own_net_read_count(net), count);
	CHECK(lab_ip("route add default via 192.0.2.1\n"));
	CHECK(comes("192.0.2.5 "));
}

static void test_nobody_but_the_kernel_is_heard(void)
{
	fresh();
	struct sockaddr_nl to;
	socklen_t len = sizeof(to);
	CHECK_INT(getsockname(own_net_fd(net), (struct sockaddr *)&to, &len), 0);
	struct nlmsghdr forged = {.nlmsg_len = sizeof(forged), .nlmsg_type = 16};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	CHECK(fd >= 0);
	ssize_t n = sendto(fd, &forged, sizeof(forged), 0, (const struct sockaddr *)&to, len);
	close(fd);
	CHECK(n < 0);
}

static void test_it_needs_no_capability(void)
{
	fresh();
	CHECK(lab_ip("addr add 192.0.2.5/24 dev lan\n"));
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		struct loop *own;
		struct own_net *n;
		loop_timer_disarm(deadline);
		if (setresuid(65534, 65534, 65534) != 0 || loop_new(&own) != 0)
			_exit(1);
		loop = own;
		deadline = loop_timer_new(own, on_deadline, NULL);
		if (own_net_new(own, on_ranges, NULL, &n) != 0)
			_exit(2);
		_exit(comes("192.0.2.0/24 ") ? 0 : 3);
	}
	int status;
	CHECK(child > 0 && waitpid(child, &status, 0) == child);
	CHECK_INT(status, 0);
}

int main(void)
{
	if (!lab_enter())
		return 0;
	if (loop_new(&loop) < 0)
		return 1;
	deadline = loop_timer_new(loop, on_deadline, NULL);
	TAP_RUN(test_an_empty_list_is_told_from_the_loop_and_once);
	TAP_RUN(test_what_is_there_at_the_start_is_told);
	TAP_RUN(test_addresses_come_and_go_with_their_prefixes);
	TAP_RUN(test_an_interface_with_a_default_route_has_only_its_address);
	TAP_RUN(test_the_families_are_judged_apart);
	TAP_RUN(test_default_routes_of_every_form_are_seen);
	TAP_RUN(test_uplinks_are_the_interfaces_with_a_default_route);
	TAP_RUN(test_ipv6_paths_are_seen);
	TAP_RUN(test_a_default_route_that_goes_with_its_link_is_missed);
	TAP_RUN(test_a_link_of_two_is_told_with_both_ends);
	TAP_RUN(test_places_that_are_refused_anyway_are_not_in_it);
	TAP_RUN(test_a_prefix_of_everything_is_only_its_address);
	TAP_RUN(test_thousands_at_once_are_told_at_once);
	TAP_RUN(test_lost_news_are_made_good);
	TAP_RUN(test_changes_without_an_end_are_told_all_the_same);
	TAP_RUN(test_other_routes_in_motion_do_not_wake_it);
	TAP_RUN(test_nobody_but_the_kernel_is_heard);
	TAP_RUN(test_it_needs_no_capability);
	own_net_free(net);
	loop_timer_free(deadline);
	loop_free(loop);
	strbuf_done(&told.text);
	return tap_done();
}
