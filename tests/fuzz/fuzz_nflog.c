/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes for a datagram of NFLOG; what is read as packets is gathered as the daemon does. */
#include "edge/nflog_msg.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct seen {
	struct refused refused;
	uint64_t now_ms;
	size_t messages, taken;
};

static void check_packet(const struct refused_packet *p)
{
	static const struct addr none;
	char text[SERVICE_TEXT_SIZE];

	assert(*p->group && memchr(p->group, '\0', sizeof(p->group)));
	assert(p->mode <= REFUSED_DENY);
	if (!p->has_addresses) {
		assert(memcmp(&p->source, &none, sizeof(none)) == 0);
		assert(memcmp(&p->destination, &none, sizeof(none)) == 0);
		return;
	}
	assert(p->source.family == p->destination.family);
	assert(p->service.kind != SERVICE_ANY);
	assert(p->service.port_first == p->service.port_last);
	service_format(&p->service, text);
}

static void on_message(void *userdata, const struct nflog_msg *m)
{
	struct seen *s = userdata;

	s->messages++;
	assert(m->error <= 0 && m->error > -4096);
	if (m->kind != NFLOG_MSG_PACKET)
		return;
	check_packet(&m->packet);
	s->now_ms += 1000;
	s->taken += refused_take(&s->refused, &m->packet, s->now_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const groups[] = {"machines", "a"};
	struct seen s = {.now_ms = 1000000};
	struct refused_sum sum;
	const struct refused_flow *f;
	uint64_t told = 0;

	refused_init(&s.refused);
	refused_set_groups(&s.refused, groups, ARRAY_LEN(groups), s.now_ms);
	/* A copy of the exact size, aligned as the socket's buffer is. */
	uint8_t *datagram = xmemdup(data, len);
	nflog_msg_decode(datagram, len, on_message, &s);
	assert(s.messages <= len / 16);
	while ((f = refused_next_to_tell(&s.refused)))
		told += f->count;
	refused_hurry(&s.refused, s.now_ms);
	while (refused_next_sum(&s.refused, s.now_ms, &sum))
		told += sum.count;
	assert(told == s.taken);
	refused_done(&s.refused);
	free(datagram);
	return 0;
}
