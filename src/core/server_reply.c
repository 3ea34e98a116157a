/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Header and OPT record of an answer. */
#include "core/server_reply.h"

#include "base/cursor.h"
#include "core/dns_wire.h"

enum {
	RECORDS_MAX = 1 << 16, /* no message has room for more */
};

static void skip_name(struct cursor *c)
{
	for (;;) {
		uint8_t len = cursor_u8(c);

		if (c->failed || len == 0)
			return;
		if (len & DNS_POINTER) {
			cursor_skip(c, 1);
			return;
		}
		cursor_skip(c, len);
	}
}

unsigned server_reply_extended_rcode(const uint8_t *message, size_t len, bool *ret_has_opt)
{
	struct cursor c = cursor_over(message, len);
	unsigned questions, records = 0;

	if (ret_has_opt)
		*ret_has_opt = false;
	cursor_skip(&c, 4);
	questions = cursor_u16(&c);
	for (unsigned i = 0; i < 3; i++)
		records += cursor_u16(&c);
	for (unsigned i = 0; i < questions && !c.failed; i++) {
		skip_name(&c);
		cursor_skip(&c, 4);
	}
	for (unsigned i = 0; i < records && i < RECORDS_MAX && !c.failed; i++) {
		skip_name(&c);
		uint16_t type = cursor_u16(&c);
		cursor_skip(&c, 2);
		uint32_t ttl = cursor_u32(&c);
		cursor_skip(&c, cursor_u16(&c));
		if (type != DNS_TYPE_OPT || c.failed)
			continue;
		if (ret_has_opt)
			*ret_has_opt = true;
		return ttl >> 24;
	}
	return 0;
}

/* Nothing found, by a server that neither knows the name's zone nor asks others for us. */
static bool is_referral(unsigned flags, unsigned answers)
{
	return (flags & DNS_FLAG_RCODE) == DNS_RCODE_NOERROR &&
	       !(flags & (DNS_FLAG_AA | DNS_FLAG_RA)) && !answers;
}

struct server_reply server_reply_judge(const uint8_t *message, size_t len)
{
	struct server_reply r = {.outcome = SERVER_MALFORMED};
	struct cursor c = cursor_over(message, len);

	if (len < DNS_HEADER_SIZE)
		return r;
	cursor_skip(&c, 2);
	unsigned flags = cursor_u16(&c);
	cursor_skip(&c, 2);
	unsigned answers = cursor_u16(&c);
	if (!(flags & DNS_FLAG_QR) || flags & DNS_FLAG_OPCODE)
		return r;
	r.rcode = server_reply_extended_rcode(message, len, &r.has_opt) << 4 |
		  (flags & DNS_FLAG_RCODE);
	switch (r.rcode) {
	case DNS_RCODE_NOERROR:
	case DNS_RCODE_NXDOMAIN:
		if (!(flags & DNS_FLAG_TC) && !is_referral(flags, answers))
			r.outcome = SERVER_GOOD;
		break;
	case DNS_RCODE_SERVFAIL:
		r.outcome = SERVER_SERVFAIL;
		break;
	case DNS_RCODE_REFUSED:
		r.outcome = SERVER_REFUSED;
		break;
	case DNS_RCODE_FORMERR:
	case DNS_RCODE_NOTIMP:
	case RCODE_BADVERS:
		r.no_edns = true;
		break;
	default:
		break;
	}
	return r;
}
