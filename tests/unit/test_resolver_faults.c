/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The resolver against servers that refuse, lie or say nothing, and its own end. */
#include "resolver_fixture.h"

static void test_dead_first_server_is_passed_over(void)
{
	/* Many rounds: the second server's answer may be late on a slow machine, once. */
	begin(100, SOON_MS);
	struct responder *dead = serve("127.0.0.1", "silent"), *fine = serve("127.0.0.1", NULL);
	start();
	ask("ok.example.test", 0);
	run(1);
	CHECK_INT(parse(0, "ok.example.test")->count, 1);
	CHECK(strstr(f.replies[0].server, ":") != NULL);
	CHECK_INT(strtol(strchr(f.replies[0].server, ':') + 1, NULL, 10), fine->port);
	CHECK(dead->note_count >= 1);
}

static size_t in_vain; /* questions to the first server, until three were answered */

static void ask_the_next(void)
{
	if (f.count == 3)
		in_vain = f.servers[0]->note_count;
	if (f.count < f.want)
		ask("ok.example.test", 0);
}

static void ask_one_after_the_other(size_t want)
{
	start();
	f.on_reply = ask_the_next;
	ask("ok.example.test", 0);
	run(want);
}

static void test_silent_first_server_costs_no_more_than_a_few_questions(void)
{
	/* Many rounds: the second server's answer may be late on a slow machine, once. */
	begin(100, SOON_MS);
	serve("127.0.0.1", "silent");
	serve("127.0.0.1", NULL);
	ask_one_after_the_other(6);
	CHECK(in_vain >= 3);
	CHECK_INT(parse(5, "ok.example.test")->count, 1);
	CHECK_INT(f.servers[0]->note_count, in_vain);
}

static void ask_until_the_first_answers(void)
{
	uint64_t first = f.servers[0]->note_count;

	/* Whatever is asked of the first one is no concern of who asks. */
	CHECK_INT(f.replies[f.count - 1].status, RESOLVER_ANSWERED);
	if (in_vain == 0 && f.count == 6) {
		in_vain = first;
		f.servers[0]->mode = NULL;
	}
	loop_timer_arm(f.pulse, 10);
}

static void ask_one(void *userdata)
{
	ask("ok.example.test", 0);
}

static bool first_answers(void)
{
	char want[32];

	snprintf(want, sizeof(want), "127.0.0.1:%u", f.servers[0]->port);
	return f.count && strcmp(f.replies[f.count - 1].server, want) == 0;
}

static void test_a_server_that_is_back_is_found_by_questions_that_others_answer(void)
{
	struct resolver_server s;

	in_vain = 0;
	begin(100, SOON_MS);
	serve("127.0.0.1", "silent");
	serve("127.0.0.1", NULL);
	start();
	resolver_server(f.resolver, 0, &s);
	CHECK_INT(s.state, SERVER_UNTRIED);
	f.pulse = loop_timer_new(f.loop, ask_one, NULL);
	f.on_reply = ask_until_the_first_answers;
	f.is_done = first_answers;
	ask("ok.example.test", 0);
	run(0);
	/* One as a probe, and the one that was answered; no more were tried in vain. */
	CHECK_INT(f.servers[0]->note_count, in_vain + 2);
	resolver_server(f.resolver, 0, &s);
	CHECK_INT(s.state, SERVER_OK);
	CHECK(s.good_ms);
	CHECK_INT(resolver_stats(f.resolver)->lookups, f.count);
	CHECK_INT(resolver_stats(f.resolver)->failed, 0);
}

static void test_a_server_that_refuses_what_others_answer_rests(void)
{
	static const char *const modes[] = {"servfail", "refused", "referral"};
	static const enum server_outcome outcomes[] = {
		SERVER_SERVFAIL, SERVER_REFUSED, SERVER_MALFORMED};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		struct resolver_server s;

		begin(1, NEVER_MS);
		serve("127.0.0.1", modes[i]);
		serve("127.0.0.1", NULL);
		ask_one_after_the_other(6);
		CHECK_INT(f.servers[0]->note_count, SERVER_BEATEN_MAX);
		resolver_server(f.resolver, 0, &s);
		CHECK_INT(s.state, SERVER_RESTING);
		CHECK_INT(s.outcome, outcomes[i]);
		CHECK(s.failing_ms);
		/* Another resolver with the same servers knows. */
		struct resolver *before = f.resolver;
		start();
		resolver_carry(f.resolver, before);
		resolver_free(before);
		ask("ok.example.test", 0);
		run(7);
		CHECK_INT(f.servers[0]->note_count, SERVER_BEATEN_MAX);
	}
}

static struct resolver_news news;
static char news_server[80];
static unsigned failing, back;

static void on_news(void *userdata, const struct resolver_news *n)
{
	news = *n;
	snprintf(news_server, sizeof(news_server), "%s", n->server);
	failing += n->kind == RESOLVER_SERVER_FAILING;
	back += n->kind == RESOLVER_SERVER_BACK;
}

static void stop_being_silent(void)
{
	if (failing)
		f.servers[0]->mode = NULL;
	loop_timer_arm(f.pulse, 10);
}

static bool is_back(void)
{
	return back > 0;
}

static void test_that_a_server_fails_is_told_once_and_its_return_once(void)
{
	char want[32];

	failing = back = 0;
	begin(100, SOON_MS);
	serve("127.0.0.1", "silent");
	serve("127.0.0.1", NULL);
	snprintf(want, sizeof(want), "127.0.0.1:%u", f.servers[0]->port);
	start();
	resolver_watch_servers(f.resolver, on_news);
	f.on_reply = ask_the_next;
	ask("ok.example.test", 0);
	run(10);
	CHECK_INT(failing, 1);
	CHECK_INT(back, 0);
	CHECK_STR(news_server, want);
	CHECK_INT(news.outcome, SERVER_SILENT);
	CHECK(news.failing_ms);
	/* The next resolver does not tell it again. */
	struct resolver *before = f.resolver;
	start();
	resolver_carry(f.resolver, before);
	resolver_free(before);
	resolver_watch_servers(f.resolver, on_news);
	f.on_reply = stop_being_silent;
	f.pulse = loop_timer_new(f.loop, ask_one, NULL);
	f.is_done = is_back;
	ask("ok.example.test", 0);
	run(0);
	CHECK_INT(failing, 1);
	CHECK_INT(back, 1);
	CHECK_STR(news_server, want);
	CHECK_INT(news.outcome, SERVER_GOOD);
	CHECK(news.failing_ms);
}

static void test_a_server_that_refuses_is_told_of(void)
{
	failing = back = 0;
	begin(1, NEVER_MS);
	serve("127.0.0.1", "refused");
	serve("127.0.0.1", NULL);
	start();
	resolver_watch_servers(f.resolver, on_news);
	f.on_reply = ask_the_next;
	ask("ok.example.test", 0);
	run(6);
	CHECK_INT(failing, 1);
	CHECK_INT(news.outcome, SERVER_REFUSED);
}

static void test_silence_of_all_servers_is_not_told_of_each(void)
{
	failing = back = 0;
	begin(3, SOON_MS);
	serve("127.0.0.1", "silent");
	start();
	resolver_watch_servers(f.resolver, on_news);
	f.on_reply = ask_the_next;
	ask("ok.example.test", 0);
	run(6);
	CHECK_INT(failing, 0);
}

static void test_what_nobody_can_answer_is_held_against_nobody(void)
{
	struct resolver_server s;

	begin(1, NEVER_MS);
	serve("127.0.0.1", "servfail");
	serve("127.0.0.1", "servfail");
	ask_one_after_the_other(6);
	CHECK_INT(f.servers[0]->note_count, 6);
	CHECK_INT(f.servers[1]->note_count, 6);
	resolver_server(f.resolver, 1, &s);
	CHECK_INT(s.state, SERVER_FAILING);
}

static void test_servers_that_are_all_silent_are_asked_all_the_same(void)
{
	begin(1, SOON_MS);
	serve("127.0.0.1", "silent");
	serve("127.0.0.1", "silent");
	ask_one_after_the_other(6);
	CHECK_INT(f.servers[0]->note_count, 6);
	CHECK_INT(f.servers[1]->note_count, 6);
	struct resolver_server s;
	resolver_server(f.resolver, 0, &s);
	CHECK_INT(s.state, SERVER_FAILING);
	CHECK_INT(s.outcome, SERVER_SILENT);
}

static void test_servfail_refused_and_referrals_move_on_to_the_next_server_at_once(void)
{
	static const char *const modes[] = {"servfail", "refused", "referral"};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		begin(1, NEVER_MS);
		serve("127.0.0.1", modes[i]);
		serve("127.0.0.1", NULL);
		start();
		ask("ok.example.test", 0);
		run(1);
		CHECK_INT(parse(0, "ok.example.test")->outcome, ANSWER_OK);
		CHECK_INT(f.servers[0]->note_count, 1);
		CHECK_INT(resolver_stats(f.resolver)->queries, 2);
		CHECK_INT(resolver_stats(f.resolver)->failed, 0);
	}
}

static void test_closed_port_moves_on_to_the_next_server_at_once(void)
{
	begin(1, NEVER_MS);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage a = {0};
	socklen_t len = sizeof(a);
	((struct sockaddr_in *)&a)->sin_family = AF_INET;
	CHECK_INT(bind(fd, (void *)&a, sizeof(struct sockaddr_in)), 0);
	CHECK_INT(getsockname(fd, (void *)&a, &len), 0);
	close(fd); /* nobody is there now */
	add_server("127.0.0.1", responder_port_of(&a));
	serve("127.0.0.1", NULL);
	start();
	ask("ok.example.test", 0);
	run(1);
	CHECK_INT(parse(0, "ok.example.test")->outcome, ANSWER_OK);
}

static void test_nxdomain_ends_the_search(void)
{
	begin(3, NEVER_MS);
	serve("127.0.0.1", "nx");
	serve("127.0.0.1", NULL);
	start();
	ask("ok.example.test", 0);
	run(1);
	CHECK_INT(parse(0, "ok.example.test")->outcome, ANSWER_NXDOMAIN);
	CHECK_INT(f.servers[1]->note_count, 0);
	CHECK_INT(resolver_stats(f.resolver)->failed, 0);
}

static void test_poor_answers_are_given_when_there_is_nothing_better(void)
{
	begin(3, NEVER_MS);
	serve("127.0.0.1", "refused");
	struct responder *second = serve("127.0.0.1", "servfail");
	start();
	ask("ok.example.test", 0);
	run(1);
	CHECK_INT(parse(0, "ok.example.test")->outcome, ANSWER_SERVFAIL);
	CHECK_INT(strtol(strchr(f.replies[0].server, ':') + 1, NULL, 10), second->port);
	/* Each said what it had to say once. */
	CHECK_INT(f.servers[0]->note_count, 1);
	CHECK_INT(f.servers[1]->note_count, 1);
	CHECK_INT(resolver_stats(f.resolver)->failed, 1);
}

static void test_servfail_is_kept_over_silence(void)
{
	begin(2, SOON_MS);
	serve("127.0.0.1", "silent");
	serve("127.0.0.1", "servfail");
	start();
	ask("ok.example.test", 0);
	run(1);
	CHECK_INT(parse(0, "ok.example.test")->outcome, ANSWER_SERVFAIL);
	CHECK_INT(f.servers[0]->note_count, 2);
}

static void test_silence_ends_after_all_rounds(void)
{
	begin(3, SOON_MS);
	serve("127.0.0.1", "silent");
	serve("127.0.0.1", "silent");
	start();
	ask("ok.example.test", 0);
	run(1);
	CHECK_INT(f.replies[0].status, RESOLVER_TIMEOUT);
	CHECK_INT(resolver_stats(f.resolver)->queries, 6);
	CHECK_INT(resolver_stats(f.resolver)->failed, 1);
	CHECK_INT(strtol(strchr(f.replies[0].server, ':') + 1, NULL, 10), f.servers[1]->port);
}

static void test_wrong_id_and_wrong_question_are_no_answer(void)
{
	static const char *const modes[] = {"wrongid", "wrongname"};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		begin(1, SOON_MS);
		serve("127.0.0.1", modes[i]);
		start();
		ask("ok.example.test", 0);
		run(1);
		CHECK_INT(f.replies[0].status, RESOLVER_TIMEOUT);
	}
	begin(1, NEVER_MS);
	serve("127.0.0.1", "forged"); /* both, then the right one */
	start();
	ask("ok.example.test", 0);
	run(1);
	CHECK_INT(parse(0, "ok.example.test")->outcome, ANSWER_OK);
}

static bool some_have_arrived(void)
{
	return f.servers[0]->note_count >= 8;
}

static void test_freed_with_questions_under_way_no_reply_comes(void)
{
	begin(3, NEVER_MS);
	serve("127.0.0.1", "silent");
	start();
	for (size_t i = 0; i < 100; i++)
		ask("ok.example.test", i);
	f.is_done = some_have_arrived;
	run(0);
	f.resolver = resolver_free(f.resolver);
	CHECK_INT(f.count, 0);
	CHECK(!resolver_free(NULL));
}

static void test_freed_in_the_middle_of_tcp(void)
{
	begin(3, NEVER_MS);
	serve("127.0.0.1", NULL);
	f.servers[0]->conn = 0; /* accepts nobody */
	start();
	ask("many.example.test", 0);
	f.is_done = some_have_arrived;
	f.servers[0]->note_count = 7;
	run(0);
	f.resolver = resolver_free(f.resolver);
	f.servers[0]->conn = -1;
	CHECK_INT(f.count, 0);
}

static void test_no_server_is_a_timeout_from_the_loop(void)
{
	begin(3, NEVER_MS);
	CHECK_INT(resolver_new(f.loop, &f.config, "/nonexistent/resolv.conf", on_reply, NULL,
			  &f.resolver),
		0);
	CHECK_INT(resolver_server_count(f.resolver), 0);
	CHECK_STR(resolver_server_list(f.resolver), "");
	f.on_reply = ask_again;
	ask("ok.example.test", 0);
	run(3);
	CHECK_INT(f.replies[2].status, RESOLVER_TIMEOUT);
	CHECK_STR(f.replies[2].server, "");
}

static void test_a_name_that_cannot_be_asked_fails_alone(void)
{
	static char overlong[300];

	memset(overlong, 'a', sizeof(overlong) - 1);
	begin(2, NEVER_MS);
	serve("127.0.0.1", NULL);
	start();
	ask("a..b", 0);
	ask(overlong, 1);
	ask(overlong + 299 - 64, 2);
	run(3);
	for (size_t i = 0; i < 3; i++)
		CHECK_INT(f.replies[i].status, RESOLVER_TIMEOUT);
	CHECK_INT(f.servers[0]->note_count, 0);
}

static void test_of_a_long_failure_no_more_than_the_header_is_kept(void)
{
	begin(1, 300);
	serve("127.0.0.1", "manyfail");
	serve("127.0.0.1", "silent");
	start();
	ask("ok.example.test", 0);
	run(1);
	CHECK_INT(resolver_stats(f.resolver)->tcp, 1);
	CHECK_INT(parse(0, "ok.example.test")->outcome, ANSWER_SERVFAIL);
	CHECK_INT(f.replies[0].len, 12);
}

int main(void)
{
	TAP_RUN(test_dead_first_server_is_passed_over);
	TAP_RUN(test_silent_first_server_costs_no_more_than_a_few_questions);
	TAP_RUN(test_a_server_that_is_back_is_found_by_questions_that_others_answer);
	TAP_RUN(test_a_server_that_refuses_what_others_answer_rests);
	TAP_RUN(test_that_a_server_fails_is_told_once_and_its_return_once);
	TAP_RUN(test_a_server_that_refuses_is_told_of);
	TAP_RUN(test_silence_of_all_servers_is_not_told_of_each);
	TAP_RUN(test_what_nobody_can_answer_is_held_against_nobody);
	TAP_RUN(test_servers_that_are_all_silent_are_asked_all_the_same);
	TAP_RUN(test_servfail_refused_and_referrals_move_on_to_the_next_server_at_once);
	TAP_RUN(test_closed_port_moves_on_to_the_next_server_at_once);
	TAP_RUN(test_nxdomain_ends_the_search);
	TAP_RUN(test_poor_answers_are_given_when_there_is_nothing_better);
	TAP_RUN(test_servfail_is_kept_over_silence);
	TAP_RUN(test_silence_ends_after_all_rounds);
	TAP_RUN(test_wrong_id_and_wrong_question_are_no_answer);
	TAP_RUN(test_freed_with_questions_under_way_no_reply_comes);
	TAP_RUN(test_freed_in_the_middle_of_tcp);
	TAP_RUN(test_no_server_is_a_timeout_from_the_loop);
	TAP_RUN(test_a_name_that_cannot_be_asked_fails_alone);
	TAP_RUN(test_of_a_long_failure_no_more_than_the_header_is_kept);
	end();
	return tap_done();
}
