/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What well-behaved clients get, and what happens when they leave. */
#include "control_server.h"

static void a_call_is_answered(void)
{
	start(&usual);
	int fd = dial();
	CHECK_echo(fd);
	CHECK_echo(fd);
	close(fd);
	stop();
}

static void a_call_in_single_bytes_is_answered(void)
{
	static const char call[] = ECHO("1");

	start(&usual);
	int fd = dial();
	for (size_t i = 0; i < sizeof(call); i++)
		say_bytes(fd, call + i, 1);
	CHECK_STR(hear(fd), "{\"parameters\":{\"n\":1}}");
	close(fd);
	stop();
}

static void pipelined_calls_are_answered_in_order_one_at_a_time(void)
{
	static const char calls[] =
		ECHO("1") "\0" CALL("Later") "\0" ECHO("2") "\0" CALL("Later") "\0" ECHO("3");

	start(&usual);
	int fd = dial();
	say_bytes(fd, calls, sizeof(calls));
	CHECK_STR(hear(fd), "{\"parameters\":{\"n\":1}}");
	CHECK_STR(hear(fd), "{\"parameters\":{\"said\":\"later\"}}");
	CHECK_STR(hear(fd), "{\"parameters\":{\"n\":2}}");
	CHECK_STR(hear(fd), "{\"parameters\":{\"said\":\"later\"}}");
	CHECK_STR(hear(fd), "{\"parameters\":{\"n\":3}}");
	close(fd);
	stop();
}

static void many_pipelined_calls_are_all_answered(void)
{
	enum { CALLS = 400 };

	start(&usual);
	int fd = dial();
	for (int i = 0; i < CALLS; i++)
		say(fd, ECHO("5"));
	for (int i = 0; i < CALLS; i++)
		CHECK_STR(hear(fd), "{\"parameters\":{\"n\":5}}");
	close(fd);
	stop();
}

static void a_oneway_call_is_not_answered(void)
{
	start(&usual);
	int fd = dial();
	say(fd, "{\"method\":\"io.allowsync.Echo\",\"oneway\":true,\"parameters\":{\"n\":1}}");
	say(fd, "{\"method\":\"io.allowsync.Nonsense\",\"oneway\":true}");
	say(fd, ECHO("2"));
	CHECK_STR(hear(fd), "{\"parameters\":{\"n\":2}}");
	close(fd);
	stop();
}

static void what_follows_a_oneway_call_is_taken_when_it_is_over(void)
{
	start(&usual);
	int fd = dial();
	say(fd, "{\"method\":\"io.allowsync.Later\",\"oneway\":true}");
	CHECK_INT(read_note(PATIENCE_MS), 'c');
	say(fd, ECHO("2"));
	CHECK_STR(hear(fd), "{\"parameters\":{\"n\":2}}");
	close(fd);
	stop();
}

static void many_oneway_calls_are_all_taken(void)
{
	enum { CALLS = 100 };
	static const char call[] = "{\"method\":\"io.allowsync.Echo\",\"oneway\":true}";
	char all[CALLS * sizeof(call)];

	start(&usual);
	int fd = dial();
	for (size_t i = 0; i < CALLS; i++)
		memcpy(all + i * sizeof(call), call, sizeof(call));
	say_bytes(fd, all, sizeof(all));
	for (int i = 0; i < CALLS; i++)
		CHECK_INT(read_note(PATIENCE_MS), 'c');
	CHECK_echo(fd);
	close(fd);
	stop();
}

static void the_service_describes_itself(void)
{
	struct varlink_reply r;

	start(&usual);
	int fd = dial();
	say(fd, "{\"method\":\"org.varlink.service.GetInfo\"}");
	const char *text = hear(fd);
	CHECK_INT(varlink_reply_parse(text, strlen(text), &r), 0);
	CHECK_STR(json_string_value(json_object_get(r.parameters, "product")), "allowsyncd");
	CHECK_INT(json_array_size(json_object_get(r.parameters, "interfaces")), 2);
	varlink_reply_done(&r);
	say(fd, "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{"
		"\"interface\":\"io.allowsync\"}}");
	text = hear(fd);
	CHECK_INT(varlink_reply_parse(text, strlen(text), &r), 0);
	const char *idl = json_string_value(json_object_get(r.parameters, "description"));
	CHECK(idl && strstr(idl, "\ninterface io.allowsync\n"));
	CHECK(strstr(idl, "\nmethod Why("));
	varlink_reply_done(&r);
	close(fd);
	stop();
}

static void what_is_not_there_is_a_standard_error(void)
{
	start(&usual);
	int fd = dial();
	say(fd, "{\"method\":\"org.varlink.service.Nonsense\"}");
	CHECK_STR(hear(fd), "{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{"
			    "\"method\":\"org.varlink.service.Nonsense\"}}");
	say(fd, "{\"method\":\"org.example.Get\"}");
	CHECK_STR(hear(fd), "{\"error\":\"org.varlink.service.InterfaceNotFound\",\"parameters\":{"
			    "\"interface\":\"org.example\"}}");
	say(fd, "{\"method\":\"org.varlink.service.GetInterfaceDescription\"}");
	CHECK_STR(hear(fd), "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{"
			    "\"parameter\":\"interface\"}}");
	say(fd, "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{"
		"\"interface\":\"a.b\"}}");
	CHECK_STR(hear(fd), "{\"error\":\"org.varlink.service.InterfaceNotFound\",\"parameters\":{"
			    "\"interface\":\"a.b\"}}");
	say(fd, "{\"method\":\"io.allowsync.Echo\",\"upgrade\":true}");
	CHECK_STR(hear(fd), "{\"error\":\"org.varlink.service.MethodNotImplemented\","
			    "\"parameters\":{\"method\":\"io.allowsync.Echo\"}}");
	close(fd);
	stop();
}

static void a_breach_of_protocol_ends_the_client_alone(void)
{
	static const char *const breaches[] = {"", "x", "[]", "{}", "{\"method\":1}",
		"{\"method\":\"a\"}",
		"{\"method\":\"io.allowsync.Echo\",\"method\":\"io.allowsync.Echo\"}",
		"{\"method\":\"io.allowsync.Echo\",\"parameters\":{\"a\":\"\xff\"}}"};

	start(&usual);
	int good = dial();
	for (size_t i = 0; i < ARRAY_LEN(breaches); i++) {
		int fd = dial();
		say(fd, breaches[i]);
		CHECK_STR(hear(fd), "");
		close(fd);
	}
	CHECK_echo(good);
	close(good);
	stop();
}

static void a_client_that_leaves_takes_its_call_along(void)
{
	start(&usual);
	int fd = dial();
	say(fd, MORE("Never", "{}"));
	CHECK_INT(read_note(PATIENCE_MS), 'c');
	close(fd);
	CHECK_INT(read_note(PATIENCE_MS), 'g');
	stop();
}

static void a_client_that_leaves_while_it_floods_takes_its_call_along(void)
{
	struct control_limits limits = usual;
	char block[8192];

	limits.frame_max = sizeof(block);
	start(&limits);
	int fd = dial();
	say(fd, MORE("Never", "{}"));
	CHECK_INT(read_note(PATIENCE_MS), 'c');
	memset(block, ' ', sizeof(block));
	while (send(fd, block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
		;
	close(fd);
	CHECK_INT(read_note(PATIENCE_MS), 'g');
	stop();
}

static void a_half_closed_client_still_gets_its_answers(void)
{
	start(&usual);
	int fd = dial();
	say(fd, CALL("Later"));
	say(fd, ECHO("9"));
	shutdown(fd, SHUT_WR);
	CHECK_STR(hear(fd), "{\"parameters\":{\"said\":\"later\"}}");
	CHECK_STR(hear(fd), "{\"parameters\":{\"n\":9}}");
	CHECK_STR(hear(fd), "");
	close(fd);
	stop();
}

static void a_half_closed_client_with_a_stream_is_noticed_when_it_leaves(void)
{
	start(&usual);
	int fd = dial();
	say(fd, MORE("Never", "{}"));
	shutdown(fd, SHUT_WR);
	CHECK_INT(read_note(PATIENCE_MS), 'c');
	close(fd);
	CHECK_INT(read_note(PATIENCE_MS), 'g');
	stop();
}

static void calls_under_way_are_gone_when_the_server_ends(void)
{
	start(&usual);
	int fd = dial();
	say(fd, MORE("Never", "{}"));
	CHECK_INT(read_note(PATIENCE_MS), 'c');
	CHECK_INT(kill(server_pid, SIGTERM), 0);
	CHECK_INT(read_note(PATIENCE_MS), 'g');
	CHECK_STR(hear(fd), "");
	close(fd);
	int status;
	CHECK_INT(waitpid(server_pid, &status, 0), server_pid);
	server_pid = 0;
	close(notes_fd);
	CHECK_INT(status, 0);
}

int main(void)
{
	if (!control_test_begin())
		return 1;
	TAP_RUN(a_call_is_answered);
	TAP_RUN(a_call_in_single_bytes_is_answered);
	TAP_RUN(pipelined_calls_are_answered_in_order_one_at_a_time);
	TAP_RUN(many_pipelined_calls_are_all_answered);
	TAP_RUN(a_oneway_call_is_not_answered);
	TAP_RUN(what_follows_a_oneway_call_is_taken_when_it_is_over);
	TAP_RUN(many_oneway_calls_are_all_taken);
	TAP_RUN(the_service_describes_itself);
	TAP_RUN(what_is_not_there_is_a_standard_error);
	TAP_RUN(a_breach_of_protocol_ends_the_client_alone);
	TAP_RUN(a_client_that_leaves_takes_its_call_along);
	TAP_RUN(a_client_that_leaves_while_it_floods_takes_its_call_along);
	TAP_RUN(a_half_closed_client_still_gets_its_answers);
	TAP_RUN(a_half_closed_client_with_a_stream_is_noticed_when_it_leaves);
	TAP_RUN(calls_under_way_are_gone_when_the_server_ends);
	control_test_end();
	return tap_done();
}
