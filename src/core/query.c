/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes of a question, compared. */
#include "core/query.h"

#include "allowsync/name.h"
#include "base/cursor.h"
#include "core/dns_wire.h"

#include <string.h>

enum {
	QUESTION_TAIL = 4, /* type and class */
	QUESTIONS_AT = 4,  /* in the header: how many, */
	RECORDS_AT = 6,    /* and how many records */
};

bool query_read(const uint8_t *message, size_t len, struct query *ret)
{
	struct cursor c = cursor_over(message, len);
	uint8_t label;

	ret->len = 0;
	cursor_skip(&c, 4);
	unsigned questions = cursor_u16(&c);
	cursor_skip(&c, 6);
	do {
		label = cursor_u8(&c);
		cursor_skip(&c, label);
	} while (label && label <= LABEL_MAX && !c.failed);
	cursor_skip(&c, QUESTION_TAIL);
	if (c.failed || questions != 1 || label || c.at > QUERY_MAX)
		return false;
	memcpy(ret->bytes, message, c.at);
	ret->len = c.at;
	return true;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

/* Lengths of labels are below any letter. */
static bool same_name(const uint8_t *a, const uint8_t *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

bool query_may_be_answered_by(const struct query *q, bool exact, const uint8_t *message, size_t len)
{
	struct cursor c = cursor_over(message, len);

	if (!q->len || len < DNS_HEADER_SIZE || memcmp(message, q->bytes, 2) != 0)
		return false;
	cursor_skip(&c, 2);
	unsigned flags = cursor_u16(&c);
	unsigned questions = cursor_u16(&c);
	if (questions == 0)
		return (flags & DNS_FLAG_RCODE) != DNS_RCODE_NOERROR;
	if (questions != 1 || len < q->len)
		return false;
	const uint8_t *asked = q->bytes + DNS_HEADER_SIZE, *said = message + DNS_HEADER_SIZE;
	size_t name_len = q->len - DNS_HEADER_SIZE - QUESTION_TAIL;
	return (exact ? memcmp(asked, said, name_len) == 0 : same_name(asked, said, name_len)) &&
	       memcmp(asked + name_len, said + name_len, QUESTION_TAIL) == 0;
}

const uint8_t *query_find_answer(
	const struct query *q, const uint8_t *stream, size_t len, size_t *ret_len)
{
	struct cursor c = cursor_over(stream, len);

	for (;;) {
		size_t size = cursor_u16(&c);
		const uint8_t *message = cursor_bytes(&c, size);

		if (c.failed)
			return NULL;
		/* Letters are against those who do not see the query; they have no part in it. */
		if (query_may_be_answered_by(q, false, message, size)) {
			*ret_len = size;
			return message;
		}
	}
}

bool query_is_repeated_in(const uint8_t *message)
{
	return message[QUESTIONS_AT] || message[QUESTIONS_AT + 1];
}

size_t query_strip_answer(const struct query *q, uint8_t *message)
{
	memset(message + RECORDS_AT, 0, DNS_HEADER_SIZE - RECORDS_AT);
	return q->len;
}
