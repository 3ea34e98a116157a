/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies that lengthen what the kernel has. */
#include "core/timeouts.h"

#include "base/strbuf.h"
#include "tap.h"

#include <netinet/in.h>

static const struct timeouts kernel = {{1, 2, 300, 4, 5, 6, 7, 8, 9, 10, 11, /* UDP */ 30, 120}};

/* Until the next call. */
static const char *policy(uint8_t protocol, uint32_t min_s)
{
	static struct strbuf b;

	strbuf_clear(&b);
	timeouts_append_policy(&b, &kernel, protocol, min_s);
	return strbuf_text(&b);
}

static char *name(const struct timeouts *t, uint8_t protocol, uint32_t min_s)
{
	struct strbuf b = STRBUF_NULL;

	timeouts_append_name(&b, t, protocol, min_s);
	return strbuf_take(&b);
}

static void policy_names_every_state_and_shortens_none(void)
{
	CHECK_STR(policy(IPPROTO_TCP, 600),
		"{ syn_sent : 1, syn_recv : 2, established : 600, fin_wait : 4, close_wait : 5, "
		"last_ack : 6, time_wait : 7, close : 8, syn_sent2 : 9, retrans : 10, unack : 11 "
		"}");
	CHECK_STR(policy(IPPROTO_UDP, 60), "{ unreplied : 60, replied : 120 }");
	CHECK_STR(policy(IPPROTO_UDP, 1), "{ unreplied : 30, replied : 120 }");
	CHECK(strstr(policy(IPPROTO_TCP, 299), "established : 300,"));
}

static void policy_stays_within_what_a_kernel_counts(void)
{
	CHECK_STR(policy(IPPROTO_UDP, UINT32_MAX), "{ unreplied : 2147483, replied : 2147483 }");
}

static void kernel_is_below_where_an_idle_flow_would_end_sooner(void)
{
	CHECK(!timeouts_are_below(&kernel, IPPROTO_TCP, 300));
	CHECK(timeouts_are_below(&kernel, IPPROTO_TCP, 301));
	CHECK(!timeouts_are_below(&kernel, IPPROTO_UDP, 30));
	CHECK(timeouts_are_below(&kernel, IPPROTO_UDP, 31));
	CHECK(timeouts_are_below(&kernel, IPPROTO_UDP, 121));
}

static void one_state_that_is_not_known_makes_the_protocol_unknown(void)
{
	struct timeouts t = kernel;

	CHECK(timeouts_are_known(&t, IPPROTO_TCP) && timeouts_are_known(&t, IPPROTO_UDP));
	t.s[TIMEOUTS_TCP_UNACK] = 0;
	CHECK(!timeouts_are_known(&t, IPPROTO_TCP) && timeouts_are_known(&t, IPPROTO_UDP));
	t.s[TIMEOUTS_UDP_REPLIED] = 0;
	CHECK(!timeouts_are_known(&t, IPPROTO_UDP));
}

static void name_differs_where_any_state_does(void)
{
	_cleanup_free_ char *first = name(&kernel, IPPROTO_TCP, 600);
	_cleanup_free_ char *same = name(&kernel, IPPROTO_TCP, 600);

	CHECK(str_starts(first, "tcp.600."));
	CHECK_INT(strlen(first), strlen("tcp.600.") + 8);
	CHECK_STR(same, first);
	for (int i = 0; i < TIMEOUTS_STATES; i++) {
		struct timeouts t = kernel;
		t.s[i]++;
		_cleanup_free_ char *other = name(&t, IPPROTO_TCP, 600);
		/* UDP's are no part of it; nor is what is raised to the minimum anyway */
		CHECK(str_eq(other, first) ==
			(i >= TIMEOUTS_UDP_UNREPLIED || i == TIMEOUTS_TCP_ESTABLISHED));
	}
	_cleanup_free_ char *longer = name(&kernel, IPPROTO_TCP, 601);
	_cleanup_free_ char *udp = name(&kernel, IPPROTO_UDP, 600);
	CHECK(!str_eq(longer, first) && str_starts(udp, "udp.600."));
}

int main(void)
{
	TAP_RUN(policy_names_every_state_and_shortens_none);
	TAP_RUN(policy_stays_within_what_a_kernel_counts);
	TAP_RUN(kernel_is_below_where_an_idle_flow_would_end_sooner);
	TAP_RUN(one_state_that_is_not_known_makes_the_protocol_unknown);
	TAP_RUN(name_differs_where_any_state_does);
	return tap_done();
}
