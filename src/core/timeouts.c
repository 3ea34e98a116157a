/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Timeouts of flows, and which of two is longer. */
#include "core/timeouts.h"

#include "base/strbuf.h"

#include <inttypes.h>
#include <netinet/in.h>

static const struct {
	uint8_t protocol;
	bool idle; /* a minimum is for these */
	const char *word;
} states[TIMEOUTS_STATES] = {
	[TIMEOUTS_TCP_SYN_SENT] = {IPPROTO_TCP, false, "syn_sent"},
	[TIMEOUTS_TCP_SYN_RECV] = {IPPROTO_TCP, false, "syn_recv"},
	[TIMEOUTS_TCP_ESTABLISHED] = {IPPROTO_TCP, true, "established"},
	[TIMEOUTS_TCP_FIN_WAIT] = {IPPROTO_TCP, false, "fin_wait"},
	[TIMEOUTS_TCP_CLOSE_WAIT] = {IPPROTO_TCP, false, "close_wait"},
	[TIMEOUTS_TCP_LAST_ACK] = {IPPROTO_TCP, false, "last_ack"},
	[TIMEOUTS_TCP_TIME_WAIT] = {IPPROTO_TCP, false, "time_wait"},
	[TIMEOUTS_TCP_CLOSE] = {IPPROTO_TCP, false, "close"},
	[TIMEOUTS_TCP_SYN_SENT2] = {IPPROTO_TCP, false, "syn_sent2"},
	[TIMEOUTS_TCP_RETRANS] = {IPPROTO_TCP, false, "retrans"},
	[TIMEOUTS_TCP_UNACK] = {IPPROTO_TCP, false, "unack"},
	[TIMEOUTS_UDP_UNREPLIED] = {IPPROTO_UDP, true, "unreplied"},
	[TIMEOUTS_UDP_REPLIED] = {IPPROTO_UDP, true, "replied"},
};

static uint32_t bounded(uint32_t min_s)
{
	return min_s < TIMEOUTS_MAX_S ? min_s : TIMEOUTS_MAX_S;
}

bool timeouts_are_known(const struct timeouts *t, uint8_t protocol)
{
	for (int i = 0; i < TIMEOUTS_STATES; i++) {
		if (states[i].protocol == protocol && !t->s[i])
			return false;
	}
	return true;
}

bool timeouts_are_below(const struct timeouts *t, uint8_t protocol, uint32_t min_s)
{
	for (int i = 0; i < TIMEOUTS_STATES; i++) {
		if (states[i].protocol == protocol && states[i].idle && t->s[i] < bounded(min_s))
			return true;
	}
	return false;
}

void timeouts_append_policy(
	struct strbuf *b, const struct timeouts *t, uint8_t protocol, uint32_t min_s)
{
	const char *before = "{ ";

	for (int i = 0; i < TIMEOUTS_STATES; i++) {
		if (states[i].protocol != protocol)
			continue;
		bool more = states[i].idle && t->s[i] < bounded(min_s);
		strbuf_appendf(b, "%s%s : %" PRIu32, before, states[i].word,
			more ? bounded(min_s) : t->s[i]);
		before = ", ";
	}
	strbuf_append(b, " }");
}

void timeouts_append_name(
	struct strbuf *b, const struct timeouts *t, uint8_t protocol, uint32_t min_s)
{
	_cleanup_(strbuf_done) struct strbuf policy = STRBUF_NULL;
	uint32_t digest = UINT32_C(0x811c9dc5); /* FNV-1a */

	timeouts_append_policy(&policy, t, protocol, min_s);
	for (size_t i = 0; i < policy.len; i++)
		digest = (digest ^ (uint8_t)policy.data[i]) * UINT32_C(0x01000193);
	strbuf_appendf(b, "%s.%" PRIu32 ".%08" PRIx32, protocol == IPPROTO_TCP ? "tcp" : "udp",
		bounded(min_s), digest);
}
