#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A query as it was sent, and which messages may be the answer to it (RFC 5452 section 9.1). Told
 * from the id and the question alone, which somebody who has not seen the query must guess: what
 * else is wrong with a message that has both is the server's doing, and others say so. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	QUERY_NAME_MAX = 255, /* as bytes, RFC 1035 section 3.1 */
	QUERY_MAX = 12 + QUERY_NAME_MAX + 4,
};

struct query {
	uint8_t bytes[QUERY_MAX]; /* header and question */
	size_t len;               /* 0: there is none, and nothing answers it */
};

/* False: the message is not one of a single question; `ret` is none then. */
bool query_read(const uint8_t *message, size_t len, struct query *ret);
/* `exact`: the question counts letter by letter, upper case and lower (0x20). An error may come
 * without a question: servers that do not know EDNS may send nothing but the header. */
bool query_may_be_answered_by(
	const struct query *q, bool exact, const uint8_t *message, size_t len);
/* The first message in what came over TCP so far (RFC 1035 section 4.2.2) that may be the answer,
 * within `stream`; NULL: none of those that are whole. */
const uint8_t *query_find_answer(
	const struct query *q, const uint8_t *stream, size_t len, size_t *ret_len);
/* Of a message that may be the answer: it repeats the question; else it is a bare error. */
bool query_is_repeated_in(const uint8_t *message);
/* Of one that does: header and question alone, and no records counted. The new length. */
size_t query_strip_answer(const struct query *q, uint8_t *message);
