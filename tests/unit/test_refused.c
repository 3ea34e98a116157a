/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/refused under a clock of the test's own: what is told of refused packets and when, that no
 * packet is lost from the sums, and that neither memory nor what is told grows without bound. */
#include "core/refused.h"

#include "base/mem.h"
#include "tap.h"

#include <netinet/in.h>

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

static const char *const groups[] = {"machines", "phones"};
static struct refused r;
static uint64_t now;

static void begin(void)
{
	if (r.groups)
		refused_done(&r);
	now = 1000000007;
	refused_init(&r);
	refused_set_groups(&r, groups, 2, now);
}

static struct refused_packet packet(const char *source, const char *destination, uint16_t port)
{
	struct refused_packet p = {.group = "machines",
		.has_addresses = true,
		.has_mac = true,
		.mac = {2, 0, 0, 0, 0, 1},
		.service = {.kind = SERVICE_PORTS,
			.protocol = IPPROTO_TCP,
			.port_first = port,
			.port_last = port}};

	CHECK(addr_parse(source, &p.source));
	CHECK(addr_parse(destination, &p.destination));
	return p;
}

static void take(const struct refused_packet *p)
{
	CHECK(refused_take(&r, p, now));
}

static void take_port(uint16_t port)
{
	struct refused_packet p = packet("10.91.0.2", "45.1.0.3", port);

	take(&p);
}

/* What is told now of single flows; how many packets of them in `packets`. */
static uint64_t packets;
static size_t tell(void)
{
	const struct refused_flow *f;
	size_t n = 0;

	packets = 0;
	while ((f = refused_next_to_tell(&r))) {
		packets += f->count;
		n++;
	}
	return n;
}

static size_t flows(void)
{
	size_t n = 0;

	for (const struct refused_flow *f = NULL; (f = refused_each(&r, f));)
		n++;
	return n;
}

static void test_the_first_packet_is_told_at_once_and_its_like_are_not(void)
{
	begin();
	for (int i = 0; i < 5; i++)
		take_port(443);
	CHECK_INT(refused_next_ms(&r, now), now);
	CHECK_INT(tell(), 1);
	CHECK_INT(packets, 5);
	now += MINUTE;
	for (int i = 0; i < 100; i++)
		take_port(443);
	CHECK_INT(tell(), 0);
	CHECK_INT(flows(), 1);
	CHECK_INT(refused_each(&r, NULL)->count, 105);
	CHECK_INT(refused_each(&r, NULL)->last_ms - refused_each(&r, NULL)->first_ms, MINUTE);
}

static void test_what_tells_flows_apart(void)
{
	begin();
	struct refused_packet p = packet("10.91.0.2", "45.1.0.3", 443), one = p;
	take(&p);
	CHECK(addr_parse("10.91.0.3", &p.source));
	take(&p);
	p = one;
	CHECK(addr_parse("45.1.0.4", &p.destination));
	take(&p);
	p = one;
	p.service.port_first = p.service.port_last = 444;
	take(&p);
	p = one;
	p.service.protocol = IPPROTO_UDP;
	take(&p);
	p = one;
	p.mac[5] = 2;
	take(&p);
	p = one;
	p.mode = REFUSED_DENY;
	take(&p);
	p = one;
	strcpy(p.group, "phones");
	take(&p);
	p = one;
	p.service =
		(struct service){.kind = SERVICE_ICMP, .protocol = IPPROTO_ICMP, .icmp_type = 8};
	take(&p);
	p.service.icmp_type = 13;
	take(&p);
	CHECK_INT(flows(), 10);
	CHECK_INT(tell(), 10);
	/* By which interface it came does not. */
	p = one;
	p.in_index = 7;
	take(&p);
	CHECK_INT(flows(), 10);
	CHECK_INT(refused_each(&r, NULL)->last.in_index, 7);
}

static void test_the_rest_is_summed_up_after_an_hour(void)
{
	struct refused_sum s;

	begin();
	take_port(443);
	CHECK_INT(tell(), 1);
	now += 10 * MINUTE;
	uint64_t since = now;
	for (int i = 0; i < 7; i++)
		take_port(443);
	CHECK_INT(refused_next_ms(&r, now), since + HOUR);
	now = since + HOUR - 1;
	CHECK(!refused_next_sum(&r, now, &s));
	now++;
	CHECK(refused_next_sum(&r, now, &s));
	CHECK_STR(s.group->name, "machines");
	CHECK_INT(s.count, 7);
	CHECK_INT(s.since_ms, since);
	CHECK_INT(s.flows, 1);
	CHECK_INT(s.loose, 0);
	CHECK_INT(s.top_count, 1);
	CHECK_INT(s.top_counts[0], 7);
	CHECK(!refused_next_sum(&r, now, &s));
	/* And not again while nothing comes. */
	now += HOUR;
	CHECK(!refused_next_sum(&r, now, &s));
	CHECK_INT(tell(), 0);
}

static void test_a_sum_counts_devices_and_destinations_and_names_the_most(void)
{
	struct refused_sum s;
	char source[32], destination[32];

	begin();
	for (int i = 0; i < REFUSED_TOLD_AT_ONCE; i++)
		take_port((uint16_t)(1000 + i));
	CHECK_INT(tell(), REFUSED_TOLD_AT_ONCE);
	/* Three devices to twenty destinations each, ten of them the same; 1 to 60 packets each. */
	for (int d = 0; d < 3; d++) {
		for (int i = 0; i < 20; i++) {
			snprintf(source, sizeof(source), "10.91.0.%d", 10 + d);
			snprintf(destination, sizeof(destination), "45.2.%d.%d", i < 10 ? 9 : d, i);
			struct refused_packet p = packet(source, destination, 80);
			for (int k = 0; k <= (d * 20 + i) * 7 % 60; k++)
				take(&p);
		}
	}
	CHECK_INT(tell(), 0);
	now += HOUR;
	CHECK(refused_next_sum(&r, now, &s));
	CHECK_INT(s.flows, 60);
	CHECK_INT(s.devices, 3);
	CHECK_INT(s.destinations, 10 + 3 * 10);
	CHECK_INT(s.count, 60 * 61 / 2);
	CHECK_INT(s.top_count, REFUSED_TOP);
	for (int i = 0; i < REFUSED_TOP; i++)
		CHECK_INT(s.top_counts[i], 60 - i);
}

static void test_a_flow_that_had_no_room_is_told_when_it_goes_on(void)
{
	begin();
	for (int i = 0; i < REFUSED_TOLD_AT_ONCE; i++)
		take_port((uint16_t)(1000 + i));
	take_port(443);
	CHECK_INT(tell(), REFUSED_TOLD_AT_ONCE);
	now += MINUTE;
	take_port(443);
	CHECK_INT(tell(), 1);
	CHECK_INT(packets, 2);
}

/* One that a sum named is known, the others are not. */
static void test_what_a_sum_names_is_not_told_again(void)
{
	struct refused_sum s;

	begin();
	for (int i = 0; i < REFUSED_TOLD_AT_ONCE; i++)
		take_port((uint16_t)(1000 + i));
	for (int i = 0; i < 3; i++)
		take_port(443);
	for (int i = 0; i < REFUSED_TOP; i++)
		take_port((uint16_t)(2000 + i));
	CHECK_INT(tell(), REFUSED_TOLD_AT_ONCE);
	now += HOUR;
	CHECK(refused_next_sum(&r, now, &s));
	CHECK_INT(s.flows, REFUSED_TOP + 1);
	take_port(443);
	CHECK_INT(tell(), 0);
	take_port(2000);
	take_port(2000 + REFUSED_TOP - 1);
	CHECK_INT(tell(), 1);
}

static void test_groups_have_room_of_their_own(void)
{
	begin();
	for (int i = 0; i < 3 * REFUSED_TOLD_AT_ONCE; i++)
		take_port((uint16_t)(1000 + i));
	struct refused_packet p = packet("10.91.0.2", "45.1.0.3", 443);
	strcpy(p.group, "phones");
	take(&p);
	CHECK_INT(tell(), REFUSED_TOLD_AT_ONCE + 1);
}

static void test_a_scan_of_all_ports_is_bounded_and_counted(void)
{
	struct refused_sum s;
	uint64_t told = 0, single = 0, sums = 0, summed = 0, loose = 0, begun;

	begin();
	begun = now;
	/* Ten a second, as the rules let through. */
	for (unsigned port = 1; port <= 65535; port++) {
		take_port((uint16_t)port);
		single += tell();
		told += packets;
		now += 100;
		if (refused_next_ms(&r, now) <= now && refused_next_sum(&r, now, &s)) {
			sums++;
			summed += s.count;
			loose += s.loose;
		}
		CHECK(r.flows.count <= REFUSED_FLOWS_MAX);
	}
	refused_hurry(&r, now);
	while (refused_next_sum(&r, now, &s)) {
		summed += s.count;
		loose += s.loose;
	}
	CHECK_INT(told + summed, 65535);
	CHECK_INT(flows(), REFUSED_FLOWS_MAX);
	CHECK_INT(r.forgotten, 65535 - REFUSED_FLOWS_MAX);
	CHECK(loose > 0);
	uint64_t minutes = (now - begun) / MINUTE;
	CHECK(single <= REFUSED_TOLD_AT_ONCE + REFUSED_TOLD_A_MINUTE * (minutes + 1));
	CHECK_INT(sums, minutes / 60);
	CHECK_INT(refused_group_find(&r, "machines")->count, 65535);
}

static void test_the_least_recently_seen_leaves_first(void)
{
	begin();
	for (int i = 0; i < REFUSED_FLOWS_MAX; i++)
		take_port((uint16_t)(1 + i));
	now += MINUTE;
	take_port(1);
	take_port(50000);
	CHECK_INT(flows(), REFUSED_FLOWS_MAX);
	bool first = false, second = false;
	for (const struct refused_flow *f = NULL; (f = refused_each(&r, f));) {
		first |= f->last.service.port_first == 1;
		second |= f->last.service.port_first == 2;
	}
	CHECK(first && !second);
	CHECK_INT(refused_each(&r, NULL)->last.service.port_first, 50000);
	/* What was waiting to be told went with its flow, into the sum; the last one took its
	 * place. */
	struct refused_sum s;
	CHECK_INT(tell(), REFUSED_TOLD_AT_ONCE);
	refused_hurry(&r, now);
	CHECK(refused_next_sum(&r, now, &s));
	CHECK_INT(s.loose, 1);
	CHECK_INT(s.count + packets, REFUSED_FLOWS_MAX + 2);
}

static void test_a_flow_is_forgotten_after_a_day(void)
{
	struct refused_sum s;

	begin();
	take_port(443);
	CHECK_INT(tell(), 1);
	CHECK_INT(refused_next_ms(&r, now), now + DAY);
	now += DAY - 1;
	refused_next_ms(&r, now);
	CHECK_INT(flows(), 1);
	now++;
	CHECK_INT(refused_next_ms(&r, now), UINT64_MAX);
	CHECK_INT(flows(), 0);
	CHECK_INT(r.forgotten, 0);
	CHECK(!refused_next_sum(&r, now + HOUR, &s));
	take_port(443);
	CHECK_INT(tell(), 1);
}

static void test_packets_without_addresses_are_counted(void)
{
	struct refused_packet p = {.group = "phones"};
	struct refused_sum s;

	begin();
	take(&p);
	take(&p);
	CHECK_INT(tell(), 0);
	CHECK_INT(flows(), 0);
	now += HOUR;
	CHECK(refused_next_sum(&r, now, &s));
	CHECK_STR(s.group->name, "phones");
	CHECK_INT(s.count, 2);
	CHECK_INT(s.loose, 2);
	CHECK_INT(s.flows, 0);
}

static void test_other_groups_are_not_taken(void)
{
	struct refused_packet p = packet("10.91.0.2", "45.1.0.3", 443);

	begin();
	strcpy(p.group, "machine");
	CHECK(!refused_take(&r, &p, now));
	CHECK_INT(r.strange, 1);
	CHECK_INT(flows(), 0);
}

static void test_groups_that_stay_keep_what_is_theirs(void)
{
	static const char *const after[] = {"doors", "machines"};
	struct refused_packet p = packet("10.91.0.2", "45.1.0.3", 443);
	struct refused_sum s;

	begin();
	take_port(443);
	strcpy(p.group, "phones");
	take(&p);
	CHECK_INT(tell(), 2);
	take_port(443);
	take(&p);
	refused_set_groups(&r, after, 2, now);
	CHECK_INT(flows(), 1);
	CHECK_STR(refused_each(&r, NULL)->group->name, "machines");
	take_port(443);
	CHECK_INT(tell(), 0);
	CHECK_INT(refused_group_find(&r, "machines")->count, 3);
	CHECK(!refused_group_find(&r, "phones"));
	CHECK_INT(refused_group_find(&r, "doors")->count, 0);
	now += HOUR;
	CHECK(refused_next_sum(&r, now, &s));
	CHECK_INT(s.count, 2);
	CHECK(!refused_next_sum(&r, now, &s));
}

static void test_the_last_hour_slides_by_the_minute(void)
{
	begin();
	now = UINT64_C(1000) * HOUR;
	const struct refused_group *g = refused_group_find(&r, "machines");
	CHECK_INT(refused_in_hour(g, now), 0);
	take_port(1);
	now += 30 * MINUTE;
	take_port(1);
	take_port(1);
	CHECK_INT(refused_in_hour(g, now), 3);
	now += 29 * MINUTE;
	CHECK_INT(refused_in_hour(g, now), 3);
	now += MINUTE;
	CHECK_INT(refused_in_hour(g, now), 2);
	take_port(1);
	CHECK_INT(refused_in_hour(g, now), 3);
	now += 30 * MINUTE;
	CHECK_INT(refused_in_hour(g, now), 1);
	now += UINT64_C(1000) * HOUR;
	CHECK_INT(refused_in_hour(g, now), 0);
	take_port(1);
	CHECK_INT(refused_in_hour(g, now), 1);
}

static void test_mac_addresses_as_text(void)
{
	uint8_t mac[6] = {0};
	char text[REFUSED_MAC_TEXT_SIZE];

	CHECK(refused_mac_parse("00:22:4d:01:02:F3", mac));
	CHECK_STR(refused_mac_format(mac, text), "00:22:4d:01:02:f3");
	static const char *const wrong[] = {"", "00:22:4d:01:02", "00:22:4d:01:02:0",
		"00-22-4d-01-02-03", "00:22:4d:01:02:03:", "g0:22:4d:01:02:03",
		"00:22:4d:01:02:03 ", "10.91.0.2"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		CHECK(!refused_mac_parse(wrong[i], mac));
	CHECK_STR(refused_mac_format(mac, text), "00:22:4d:01:02:f3");
}

int main(void)
{
	TAP_RUN(test_the_first_packet_is_told_at_once_and_its_like_are_not);
	TAP_RUN(test_what_tells_flows_apart);
	TAP_RUN(test_the_rest_is_summed_up_after_an_hour);
	TAP_RUN(test_a_sum_counts_devices_and_destinations_and_names_the_most);
	TAP_RUN(test_a_flow_that_had_no_room_is_told_when_it_goes_on);
	TAP_RUN(test_what_a_sum_names_is_not_told_again);
	TAP_RUN(test_groups_have_room_of_their_own);
	TAP_RUN(test_a_scan_of_all_ports_is_bounded_and_counted);
	TAP_RUN(test_the_least_recently_seen_leaves_first);
	TAP_RUN(test_a_flow_is_forgotten_after_a_day);
	TAP_RUN(test_packets_without_addresses_are_counted);
	TAP_RUN(test_other_groups_are_not_taken);
	TAP_RUN(test_groups_that_stay_keep_what_is_theirs);
	TAP_RUN(test_the_last_hour_slides_by_the_minute);
	TAP_RUN(test_mac_addresses_as_text);
	refused_done(&r);
	return tap_done();
}
