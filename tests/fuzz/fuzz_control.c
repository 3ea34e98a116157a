/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes for a control connection: the first says how they are cut into pieces as they arrive;
 * the rest is read as a client's calls and, with another limit, as a service's replies. */
#include "base/mem.h"
#include "edge/varlink.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>

enum { FRAME_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What was understood must be said again in the same words. */
static void check_call(const struct varlink_call *c)
{
	struct varlink_call again;
	size_t len;

	assert(varlink_method_interface(c->method) > 2);
	assert(strlen(c->method) <= VARLINK_METHOD_MAX);
	assert(json_is_object(c->parameters));
	assert(!(c->more && c->oneway));
	char *text = varlink_call_format(c->method, json_incref(c->parameters), c->more, &len);
	assert(text[len - 1] == '\0' && strlen(text) == len - 1);
	assert(varlink_call_parse(text, len - 1, &again) == 0);
	assert(strcmp(again.method, c->method) == 0 && again.more == c->more);
	assert(json_equal(again.parameters, c->parameters));
	varlink_call_done(&again);
	free(text);
}

static void check_reply(const struct varlink_reply *r)
{
	struct varlink_reply again;
	size_t len;

	assert(json_is_object(r->parameters));
	assert(!(r->error && r->continues));
	char *text = varlink_reply_format(json_incref(r->parameters), r->continues, &len);
	assert(varlink_reply_parse(text, len - 1, &again) == 0);
	assert(json_equal(again.parameters, r->parameters) && again.continues == r->continues);
	varlink_reply_done(&again);
	free(text);
}

static int take_frame(const char *text, size_t len, bool call)
{
	struct varlink_call c = VARLINK_CALL_NULL;
	struct varlink_reply reply = VARLINK_REPLY_NULL;
	/* A copy of the exact size, so that the sanitizers see each byte read past the end. */
	char *copy = xmemdup(text, len);
	int r = call ? varlink_call_parse(copy, len, &c) : varlink_reply_parse(copy, len, &reply);

	free(copy);
	assert(r == 0 || r == VARLINK_E_MALFORMED);
	if (r)
		return r;
	if (call)
		check_call(&c);
	else
		check_reply(&reply);
	varlink_call_done(&c);
	varlink_reply_done(&reply);
	return 0;
}

/* The frames that come out do not depend on the pieces in which they came: `*ret_sum` is over all.
 */
static void converse(const uint8_t *data, size_t len, size_t piece, bool call, uint32_t *ret_sum)
{
	struct varlink_frames f;
	int r = -EAGAIN;

	*ret_sum = 0;
	varlink_frames_init(&f, FRAME_MAX);
	for (size_t at = 0; at < len && r == -EAGAIN; at += piece) {
		const char *text;
		size_t frame_len;
		varlink_frames_add(&f, data + at, len - at < piece ? len - at : piece);
		while ((r = varlink_frames_next(&f, &text, &frame_len)) == 0) {
			assert(frame_len <= FRAME_MAX && text[frame_len] == '\0');
			assert(!memchr(text, '\0', frame_len));
			*ret_sum = *ret_sum * 31 + (uint32_t)frame_len + 1;
			if (take_frame(text, frame_len, call))
				break;
		}
		assert(varlink_frames_pending(&f) <= len);
	}
	varlink_frames_done(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint32_t whole, pieces;

	if (len == 0)
		return 0;
	converse(data + 1, len - 1, len, true, &whole);
	converse(data + 1, len - 1, data[0] ? data[0] : 1, true, &pieces);
	assert(whole == pieces);
	converse(data + 1, len - 1, len, false, &whole);
	return 0;
}
