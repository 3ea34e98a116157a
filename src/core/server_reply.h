#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a message says about the server that sent it, before anybody reads what it says about the
 * name (answer_parse() does). */
#include "core/server_health.h"

#include <stddef.h>
#include <stdint.h>

enum { RCODE_BADVERS = 16 };

struct server_reply {
	enum server_outcome outcome; /* never SILENT or UNREACHABLE */
	unsigned rcode;              /* with the part that EDNS adds */
	bool has_opt;                /* it took part in EDNS */
	bool no_edns;                /* FORMERR, NOTIMP or BADVERS: ask without */
};

struct server_reply server_reply_judge(const uint8_t *message, size_t len);
/* The upper eight bits of the rcode, from the OPT record (RFC 6891 section 6.1.3); 0 without one.
 * `ret_has_opt` may be NULL. */
unsigned server_reply_extended_rcode(const uint8_t *message, size_t len, bool *ret_has_opt);
