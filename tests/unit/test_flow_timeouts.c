/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edge/flow_timeouts on the real kernel, with sysctl and nft as witnesses. */
#include "edge/flow_timeouts.h"

#include "allowsync/profile.h"
#include "core/timeouts.h"
#include "nft_lab.h"

static const struct {
	enum timeouts_state state;
	const char *sysctl;
} sysctls[] = {
	{TIMEOUTS_TCP_SYN_SENT, "tcp_timeout_syn_sent"},
	{TIMEOUTS_TCP_SYN_RECV, "tcp_timeout_syn_recv"},
	{TIMEOUTS_TCP_ESTABLISHED, "tcp_timeout_established"},
	{TIMEOUTS_TCP_FIN_WAIT, "tcp_timeout_fin_wait"},
	{TIMEOUTS_TCP_CLOSE_WAIT, "tcp_timeout_close_wait"},
	{TIMEOUTS_TCP_LAST_ACK, "tcp_timeout_last_ack"},
	{TIMEOUTS_TCP_TIME_WAIT, "tcp_timeout_time_wait"},
	{TIMEOUTS_TCP_CLOSE, "tcp_timeout_close"},
	{TIMEOUTS_TCP_RETRANS, "tcp_timeout_max_retrans"},
	{TIMEOUTS_TCP_UNACK, "tcp_timeout_unacknowledged"},
	{TIMEOUTS_UDP_UNREPLIED, "udp_timeout"},
	{TIMEOUTS_UDP_REPLIED, "udp_timeout_stream"},
};

static void every_state_is_as_the_kernel_has_it(void)
{
	struct timeouts t;

	for (size_t i = 0; i < ARRAY_LEN(sysctls); i++) {
		_cleanup_free_ char *command =
			xasprintf("sysctl -qw net.netfilter.nf_conntrack_%s=%zu", sysctls[i].sysctl,
				1001 + i);
		CHECK(system(command) == 0);
	}
	CHECK_INT(flow_timeouts_read(&t), 0);
	for (size_t i = 0; i < ARRAY_LEN(sysctls); i++)
		CHECK_INT(t.s[sysctls[i].state], 1001 + i);
	CHECK_INT(t.s[TIMEOUTS_TCP_SYN_SENT2], 120); /* it has no sysctl */
}

int main(void)
{
	if (!lab_enter())
		return 0;
	TAP_RUN(every_state_is_as_the_kernel_has_it);
	return tap_done();
}
