/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "edge/varlink.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "tap.h"

#include <errno.h>
#include <jansson.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char two_frames[] = "{\"method\":\"io.allowsync.GetStatus\"}\0{\"a\":\"\\u00e4\"}";

static void frames_come_out_whole_at_every_split(void)
{
	for (size_t split = 0; split <= sizeof(two_frames); split++) {
		_cleanup_(varlink_frames_done) struct varlink_frames f;
		const char *text;
		size_t len, count = 0;
		varlink_frames_init(&f, 1000);
		for (int half = 0; half < 2; half++) {
			varlink_frames_add(&f, two_frames + (half ? split : 0),
				half ? sizeof(two_frames) - split : split);
			int r;
			while ((r = varlink_frames_next(&f, &text, &len)) == 0) {
				CHECK_INT(strlen(text), len);
				CHECK_STR(text, count ? "{\"a\":\"\\u00e4\"}"
						      : "{\"method\":\"io.allowsync.GetStatus\"}");
				count++;
			}
			CHECK_INT(r, -EAGAIN);
		}
		CHECK_INT(count, 2);
		CHECK_INT(varlink_frames_pending(&f), 0);
	}
}

static void frames_come_out_whole_byte_by_byte(void)
{
	_cleanup_(varlink_frames_done) struct varlink_frames f;
	const char *text;
	size_t len, count = 0;

	varlink_frames_init(&f, 1000);
	for (size_t i = 0; i < sizeof(two_frames); i++) {
		varlink_frames_add(&f, two_frames + i, 1);
		bool ended = !two_frames[i];
		CHECK_INT(varlink_frames_next(&f, &text, &len), ended ? 0 : -EAGAIN);
		count += ended;
	}
	CHECK_INT(count, 2);
}

/* At the limit, one byte more, and one byte more without an end in sight. */
static void a_frame_over_the_limit_is_refused(void)
{
	static const char text[] = "0123456789";
	const char *got;
	size_t len;

	for (size_t size = 7; size <= 10; size++) {
		_cleanup_(varlink_frames_done) struct varlink_frames f;
		varlink_frames_init(&f, 8);
		varlink_frames_add(&f, text, size);
		CHECK_INT(varlink_frames_next(&f, &got, &len),
			size <= 8 ? -EAGAIN : VARLINK_E_TOO_BIG);
		varlink_frames_add(&f, "", 1);
		CHECK_INT(varlink_frames_next(&f, &got, &len), size <= 8 ? 0 : VARLINK_E_TOO_BIG);
	}
}

static void an_empty_frame_is_a_frame_and_malformed(void)
{
	_cleanup_(varlink_frames_done) struct varlink_frames f;
	const char *text;
	size_t len;
	json_t *json;

	varlink_frames_init(&f, 8);
	varlink_frames_add(&f, "\0", 1);
	CHECK_INT(varlink_frames_next(&f, &text, &len), 0);
	CHECK_INT(len, 0);
	CHECK_INT(varlink_parse(text, len, &json), VARLINK_E_MALFORMED);
}

static int parse(const char *text)
{
	json_t *json = NULL;
	int r = varlink_parse(text, strlen(text), &json);

	json_decref(json);
	return r;
}

static char *nested(unsigned levels)
{
	struct strbuf b = STRBUF_NULL;

	strbuf_append(&b, "{\"a\":");
	for (unsigned i = 1; i < levels; i++)
		strbuf_append_char(&b, '[');
	for (unsigned i = 1; i < levels; i++)
		strbuf_append_char(&b, ']');
	if (levels == 1)
		strbuf_append_char(&b, '1');
	strbuf_append_char(&b, '}');
	return strbuf_take(&b);
}

static void depth_is_limited(void)
{
	for (unsigned levels = 1; levels < 40; levels++) {
		_cleanup_free_ char *text = nested(levels);
		CHECK_INT(parse(text), levels <= VARLINK_DEPTH_MAX ? 0 : VARLINK_E_MALFORMED);
	}
	_cleanup_free_ char *deep = nested(60000);
	CHECK_INT(parse(deep), VARLINK_E_MALFORMED);
	/* Brackets inside a string are text, also behind an escaped quote. */
	CHECK_INT(parse("{\"a\":\"[[[[[[[[[[[[[[[[[[[[[\"}"), 0);
	CHECK_INT(parse("{\"a\":\"\\\"[[[[[[[[[[[[[[[[[[[[[\"}"), 0);
	/* Side by side is not deep. */
	CHECK_INT(parse("{\"a\":[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]}"), 0);
}

static void what_is_no_clean_object_is_malformed(void)
{
	static const char *const bad[] = {
		"",
		" ",
		"x",
		"{",
		"{}x",
		"{}{}",
		"[]",
		"\"a\"",
		"1",
		"null",
		"{\"a\":1,\"a\":2}",
		"{\"a\":{\"b\":1,\"b\":1}}",
		"{\"a\":\"\xff\"}",
		"{\"a\":\"\xc0\x80\"}",
		"{\"a\":\"\xed\xa0\x80\"}",
		"{\"a\":\"\\u0000\"}",
		"{\"a\\u0000\":1}",
		"{\"a\":\"\n\"}",
		"{\"a\":01}",
		"{\"a\":99999999999999999999999}",
		"{'a':1}",
		"{\"a\":1,}",
		"\xef\xbb\xbf{}",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (parse(bad[i]) != VARLINK_E_MALFORMED)
			printf("# taken: %s\n", bad[i]);
		CHECK_INT(parse(bad[i]), VARLINK_E_MALFORMED);
	}
	CHECK_INT(parse("{}"), 0);
	CHECK_INT(parse(" {\"a\" : \"\xc3\xa4\"} "), 0);
}

static int parse_call(const char *text)
{
	struct varlink_call call = VARLINK_CALL_NULL;
	int r = varlink_call_parse(text, strlen(text), &call);

	CHECK(r ? !call.method : call.method && json_is_object(call.parameters));
	varlink_call_done(&call);
	return r;
}

static void calls_are_taken_by_their_grammar(void)
{
	static const char *const good[] = {
		"{\"method\":\"org.varlink.service.GetInfo\"}",
		"{\"method\":\"a.b.C\",\"parameters\":{}}",
		"{\"method\":\"a.b.C\",\"parameters\":null,\"more\":null}",
		"{\"method\":\"a.b.C\",\"more\":true}",
		"{\"method\":\"a.b.C\",\"oneway\":true,\"more\":false}",
		"{\"method\":\"a.b.C\",\"upgrade\":true}",
		"{\"method\":\"a.b-c.D1\",\"unknown\":[1]}",
	};
	static const char *const bad[] = {
		"{}",
		"{\"method\":1}",
		"{\"method\":null}",
		"{\"method\":\"\"}",
		"{\"method\":\"GetInfo\"}",
		"{\"method\":\"a.B\"}",
		"{\"method\":\"a..B\"}",
		"{\"method\":\".a.B\"}",
		"{\"method\":\"a.b.\"}",
		"{\"method\":\"a.b.c\"}",
		"{\"method\":\"a.b.1\"}",
		"{\"method\":\"a.b.C-d\"}",
		"{\"method\":\"a.b.C d\"}",
		"{\"method\":\"a.b/c.D\"}",
		"{\"method\":\"a.b.\xc3\x84\"}",
		"{\"method\":\"a.b.C\",\"parameters\":[]}",
		"{\"method\":\"a.b.C\",\"parameters\":\"x\"}",
		"{\"method\":\"a.b.C\",\"more\":1}",
		"{\"method\":\"a.b.C\",\"more\":\"true\"}",
		"{\"method\":\"a.b.C\",\"oneway\":{}}",
		"{\"method\":\"a.b.C\",\"more\":true,\"oneway\":true}",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		CHECK_INT(parse_call(good[i]), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (parse_call(bad[i]) != VARLINK_E_MALFORMED)
			printf("# taken: %s\n", bad[i]);
		CHECK_INT(parse_call(bad[i]), VARLINK_E_MALFORMED);
	}
}

static void a_method_name_has_a_longest_length(void)
{
	char name[VARLINK_METHOD_MAX + 2] = "a.b.C";

	memset(name + 5, 'd', sizeof(name) - 6);
	name[VARLINK_METHOD_MAX] = '\0';
	CHECK_INT(varlink_method_interface(name), 3);
	name[VARLINK_METHOD_MAX] = 'd';
	CHECK_INT(varlink_method_interface(name), 0);
}

static void a_call_survives_the_wire(void)
{
	struct varlink_call call;
	size_t len;
	_cleanup_free_ char *text = varlink_call_format(
		"io.allowsync.ShowName", json_pack("{s:s}", "name", "a.b"), true, &len);

	CHECK_INT(text[len - 1], 0);
	CHECK_INT(strlen(text) + 1, len);
	CHECK_INT(varlink_call_parse(text, len - 1, &call), 0);
	CHECK_STR(call.method, "io.allowsync.ShowName");
	CHECK_STR(json_string_value(json_object_get(call.parameters, "name")), "a.b");
	CHECK(call.more && !call.oneway && !call.upgrade);
	varlink_call_done(&call);
}

static void a_reply_survives_the_wire(void)
{
	struct varlink_reply reply;
	size_t len;
	_cleanup_free_ char *text = varlink_reply_format(json_pack("{s:i}", "n", 7), true, &len);

	CHECK_INT(varlink_reply_parse(text, len - 1, &reply), 0);
	CHECK(!reply.error && reply.continues);
	CHECK_INT(json_integer_value(json_object_get(reply.parameters, "n")), 7);
	varlink_reply_done(&reply);

	_cleanup_free_ char *error = varlink_error_format("io.allowsync.NoSuchName", NULL, &len);
	CHECK_INT(varlink_reply_parse(error, len - 1, &reply), 0);
	CHECK_STR(reply.error, "io.allowsync.NoSuchName");
	CHECK(json_is_object(reply.parameters));
	varlink_reply_done(&reply);
}

static void a_reply_of_another_shape_is_malformed(void)
{
	static const char *const bad[] = {
		"{\"error\":1}",
		"{\"parameters\":1}",
		"{\"continues\":\"yes\"}",
		"{\"error\":\"a.b.C\",\"continues\":true}",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct varlink_reply reply;
		CHECK_INT(varlink_reply_parse(bad[i], strlen(bad[i]), &reply), VARLINK_E_MALFORMED);
	}
}

static char directory[] = "/tmp/test-varlink-XXXXXX";
static struct sockaddr_un address = {.sun_family = AF_UNIX};

static int listen_here(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	unlink(address.sun_path);
	CHECK_INT(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	CHECK_INT(listen(fd, 4), 0);
	return fd;
}

static void a_client_reads_replies_in_pieces(void)
{
	static const char replies[] = "{\"parameters\":{\"n\":1},\"continues\":true}\0"
				      "{\"parameters\":{\"n\":2}}";
	struct varlink_client *c;
	struct varlink_reply reply;
	char call[256];
	int fd = listen_here();

	CHECK_INT(varlink_connect(address.sun_path, &c), 0);
	int peer = accept(fd, NULL, NULL);
	CHECK_INT(varlink_send(c, "a.b.C", NULL, true, 1000), 0);
	CHECK(recv(peer, call, sizeof(call), 0) > 0);
	CHECK_STR(call, "{\"method\":\"a.b.C\",\"parameters\":{},\"more\":true}");
	/* The first reply and half of the second; then the rest. */
	CHECK_INT(send(peer, replies, 50, 0), 50);
	CHECK_INT(varlink_receive(c, 1000, &reply), 0);
	CHECK(reply.continues);
	varlink_reply_done(&reply);
	CHECK_INT(varlink_receive(c, 0, &reply), VARLINK_E_TIMEOUT);
	CHECK_INT(send(peer, replies + 50, sizeof(replies) - 50, 0), sizeof(replies) - 50);
	CHECK_INT(varlink_receive(c, 1000, &reply), 0);
	CHECK(!reply.continues);
	CHECK_INT(json_integer_value(json_object_get(reply.parameters, "n")), 2);
	varlink_reply_done(&reply);
	close(peer);
	CHECK_INT(varlink_receive(c, 1000, &reply), VARLINK_E_CLOSED);
	varlink_client_free(c);
	close(fd);
}

static void what_a_server_said_before_it_closed_is_still_read(void)
{
	struct varlink_client *c;
	struct varlink_reply reply;
	int fd = listen_here();

	CHECK_INT(varlink_connect(address.sun_path, &c), 0);
	int peer = accept(fd, NULL, NULL);
	CHECK_INT(send(peer, "{\"error\":\"a.b.C\"}", 18, 0), 18);
	close(peer);
	CHECK_INT(varlink_send(c, "a.b.C", NULL, false, 1000), 0);
	CHECK_INT(varlink_receive(c, 1000, &reply), 0);
	CHECK_STR(reply.error, "a.b.C");
	varlink_reply_done(&reply);
	varlink_client_free(c);
	close(fd);
}

static void connecting_to_nobody_says_why(void)
{
	struct varlink_client *c = NULL;
	char path[200];
	int fd = listen_here();

	close(fd);
	CHECK_INT(varlink_connect(address.sun_path, &c), -ECONNREFUSED);
	unlink(address.sun_path);
	CHECK_INT(varlink_connect(address.sun_path, &c), -ENOENT);
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	CHECK_INT(varlink_connect(path, &c), -ENAMETOOLONG);
	CHECK_INT(varlink_connect("", &c), -ENAMETOOLONG);
	CHECK(!c);
}

int main(void)
{
	if (!mkdtemp(directory))
		return 1;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", directory);
	TAP_RUN(frames_come_out_whole_at_every_split);
	TAP_RUN(frames_come_out_whole_byte_by_byte);
	TAP_RUN(a_frame_over_the_limit_is_refused);
	TAP_RUN(an_empty_frame_is_a_frame_and_malformed);
	TAP_RUN(depth_is_limited);
	TAP_RUN(what_is_no_clean_object_is_malformed);
	TAP_RUN(calls_are_taken_by_their_grammar);
	TAP_RUN(a_method_name_has_a_longest_length);
	TAP_RUN(a_call_survives_the_wire);
	TAP_RUN(a_reply_survives_the_wire);
	TAP_RUN(a_reply_of_another_shape_is_malformed);
	TAP_RUN(a_client_reads_replies_in_pieces);
	TAP_RUN(what_a_server_said_before_it_closed_is_still_read);
	TAP_RUN(connecting_to_nobody_says_why);
	unlink(address.sun_path);
	rmdir(directory);
	return tap_done();
}
