/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions that are put to all servers: what comes back, and what a server that is dead costs. */
#include "resolver_fixture.h"

static void begin_every(unsigned tries, uint32_t timeout_ms)
{
	begin(tries, timeout_ms);
	f.breadth = RESOLVER_EVERY;
}

static const struct reply *last(void)
{
	return &f.replies[f.count - 1];
}

static const struct reply *ask_one(void)
{
	ask("ok.example.test", 0);
	run(f.count + 1);
	return last();
}

static void test_every_server_is_asked_and_the_reply_is_one(void)
{
	begin_every(1, NEVER_MS);
	serve("127.0.0.1", NULL);
	serve("127.0.0.1", "nx");
	serve("127.0.0.1", NULL);
	start();
	const struct reply *r = ask_one();
	CHECK_INT(r->status, RESOLVER_ANSWERED);
	CHECK_INT(r->said, 3);
	for (size_t i = 0; i < 3; i++) {
		CHECK_INT(r->who[i], f.servers[i]->port);
		CHECK(r->good[i]);
		CHECK_INT(f.servers[i]->note_count, 1);
	}
	CHECK(r->every);
	CHECK_INT(parse(0, "ok.example.test")->outcome, ANSWER_OK);
	const struct resolver_stats *s = resolver_stats(f.resolver);
	CHECK_INT(s->lookups, 1);
	CHECK_INT(s->queries, 3);
	CHECK_INT(s->failed, 0);
	CHECK_INT(s->in_flight, 0);
	CHECK_INT(s->waiting, 0);
}

static void test_a_thousand_names_come_back_with_what_both_said(void)
{
	static bool seen[1000];

	memset(seen, 0, sizeof(seen));
	begin_every(3, NEVER_MS);
	serve("127.0.0.1", NULL);
	serve("127.0.0.1", NULL);
	start();
	for (size_t i = 0; i < 1000; i++)
		ask("ok.example.test", i);
	run(1000);
	for (size_t i = 0; i < 1000; i++) {
		CHECK_INT(f.replies[i].said, 2);
		CHECK(!seen[f.replies[i].cookie]);
		seen[f.replies[i].cookie] = true;
	}
}

static void test_poor_answers_are_among_them_and_marked(void)
{
	begin_every(3, NEVER_MS);
	serve("127.0.0.1", "servfail");
	serve("127.0.0.1", NULL);
	start();
	const struct reply *r = ask_one();
	CHECK_INT(r->said, 2);
	CHECK(!r->good[0] && r->good[1]);
	/* It never had anything good to say. */
	CHECK(r->every);
	CHECK_INT(f.servers[0]->note_count, 1);
}

static void test_a_server_that_was_heard_lately_and_fails_is_missing(void)
{
	static const char *const modes[] = {"servfail", "refused", "referral", "silent"};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		begin_every(1, i == 3 ? SOON_MS : NEVER_MS);
		serve("127.0.0.1", NULL);
		serve("127.0.0.1", NULL);
		start();
		do
			ask_one();
		while (!last()->every || last()->said < 2); /* a slow machine */
		f.servers[1]->mode = modes[i];
		const struct reply *r = ask_one();
		CHECK(!r->every);
	}
}

static void test_one_that_is_dead_is_waited_for_once_and_then_rests(void)
{
	struct resolver_server s;

	begin_every(100, 1000);
	serve("127.0.0.1", "silent");
	serve("127.0.0.1", NULL);
	start();
	for (size_t i = 0; i < SERVER_SILENT_MAX; i++) {
		const struct reply *r = ask_one();
		CHECK_INT(r->said, 1);
		CHECK_INT(r->who[0], f.servers[1]->port);
		CHECK(r->every); /* it was never heard */
		CHECK_INT(f.servers[0]->note_count, i + 1);
	}
	resolver_server(f.resolver, 0, &s);
	CHECK_INT(s.state, SERVER_RESTING);
	uint64_t queries = resolver_stats(f.resolver)->queries;
	CHECK_INT(ask_one()->said, 1);
	CHECK_INT(resolver_stats(f.resolver)->queries, queries + 1);
}

static void test_silence_of_all_is_a_timeout_after_all_rounds(void)
{
	begin_every(3, SOON_MS);
	serve("127.0.0.1", "silent");
	serve("127.0.0.1", "silent");
	start();
	CHECK_INT(ask_one()->status, RESOLVER_TIMEOUT);
	CHECK_INT(last()->said, 0);
	CHECK_INT(f.servers[0]->note_count, 3);
	CHECK_INT(f.servers[1]->note_count, 3);
	CHECK_INT(resolver_stats(f.resolver)->failed, 1);
	/* A name that ended in silence has one round. */
	CHECK_INT(ask_one()->status, RESOLVER_TIMEOUT);
	CHECK_INT(f.servers[0]->note_count, 4);
	CHECK_INT(f.servers[1]->note_count, 4);
}

static void test_silence_of_one_is_not_held_against_the_name(void)
{
	begin_every(3, SOON_MS);
	serve("127.0.0.1", "silent");
	serve("127.0.0.1", "silent");
	start();
	ask_one(); /* one round the next time */
	f.servers[1]->mode = NULL;
	while (ask_one()->status != RESOLVER_ANSWERED)
		;
	/* All rounds again. */
	f.servers[1]->mode = "silent";
	size_t before = f.servers[1]->note_count;
	CHECK_INT(ask_one()->status, RESOLVER_TIMEOUT);
	CHECK_INT(f.servers[1]->note_count, before + 3);
}

static void test_one_that_rests_is_asked_where_the_others_know_nothing(void)
{
	struct resolver_server s;

	begin_every(1, 500);
	serve("127.0.0.1", "servfail");
	serve("127.0.0.1", NULL);
	start();
	for (size_t i = 0; i < SERVER_BEATEN_MAX; i++)
		ask_one();
	resolver_server(f.resolver, 0, &s);
	CHECK_INT(s.state, SERVER_RESTING);
	f.servers[0]->mode = NULL;
	f.servers[1]->mode = "refused";
	const struct reply *r = ask_one();
	CHECK_INT(r->said, 2);
	CHECK(r->good[0] && !r->good[1]);
	CHECK_INT(resolver_stats(f.resolver)->failed, 0);
}

static void test_with_one_answer_for_all_another_that_was_heard_is_missing(void)
{
	begin_every(1, NEVER_MS);
	serve("127.0.0.1", NULL);
	serve("127.0.0.1", NULL);
	start();
	f.breadth = RESOLVER_FIRST;
	CHECK(ask_one()->every);
	f.breadth = RESOLVER_EVERY;
	CHECK(ask_one()->every);
	f.breadth = RESOLVER_FIRST;
	CHECK(!ask_one()->every);
	CHECK_INT(last()->said, 1);
	begin(1, NEVER_MS);
	serve("127.0.0.1", NULL);
	start();
	CHECK(ask_one()->every);
	CHECK(ask_one()->every);
}

static void test_without_a_server_there_is_a_timeout(void)
{
	begin_every(3, NEVER_MS);
	CHECK_INT(resolver_new(f.loop, &f.config, "/nonexistent/resolv.conf", on_reply, NULL,
			  &f.resolver),
		0);
	CHECK_INT(ask_one()->status, RESOLVER_TIMEOUT);
	CHECK(last()->every);
}

static void test_health_goes_on_with_each_server_in_another_list(void)
{
	struct resolver_server s;

	begin_every(1, NEVER_MS);
	serve("127.0.0.1", NULL);
	serve("127.0.0.1", NULL);
	start();
	ask_one();
	struct resolver *before = f.resolver;
	f.config.servers = f.config_servers + 1;
	f.config.server_count = 1;
	start();
	resolver_carry(f.resolver, before);
	resolver_free(before);
	resolver_server(f.resolver, 0, &s);
	CHECK_INT(s.state, SERVER_OK);
	CHECK(s.good_ms);
}

static bool half_is_there(void)
{
	return f.servers[0]->note_count >= 4 && f.servers[1]->note_count >= 4;
}

static void test_what_waits_for_a_server_that_rests_by_now_waits_no_longer(void)
{
	enum { COUNT = 1500, EARLY = 150, LATE = COUNT - 300 };
	size_t late = 0, before = 0;

	/* While it is found out that one is dead, the others' questions to it are cut short, and
	 * stand in line behind everything else to be asked once more. */
	begin_every(3, 1000);
	serve("127.0.0.1", "silent");
	serve("127.0.0.1", NULL);
	start();
	for (size_t i = 0; i < COUNT; i++)
		ask("ok.example.test", i);
	run(COUNT);
	while (f.replies[late].cookie != LATE)
		late++;
	for (size_t i = 0; i < late; i++)
		before += f.replies[i].cookie < EARLY;
	CHECK(before > EARLY / 2);
}

enum { HELD_COUNT = 60 };

static bool all_but_one_have_answered(void)
{
	return f.servers[3]->held_count == HELD_COUNT &&
	       resolver_stats(f.resolver)->in_flight == HELD_COUNT &&
	       resolver_stats(f.resolver)->waiting == 0;
}

static void release(void *userdata)
{
	responder_release(f.servers[3]);
	loop_timer_arm(f.pulse, 20);
}

static void test_what_waits_for_other_servers_is_kept_up_to_8_mb(void)
{
	static const char name[] = "many.with-a-name-that-is-in-each-of-its-five-hundred-records."
				   "and-long-too.example.test";
	size_t large = 0;

	begin_every(1, NEVER_MS);
	for (unsigned i = 0; i < 3; i++)
		serve("127.0.0.1", NULL);
	serve("127.0.0.1", "hold");
	start();
	for (size_t i = 0; i < HELD_COUNT; i++)
		ask(name, i);
	f.is_done = all_but_one_have_answered;
	run(0);
	CHECK_INT(f.count, 0);
	f.is_done = NULL;
	f.pulse = loop_timer_new(f.loop, release, NULL);
	release(NULL);
	run(HELD_COUNT);
	for (size_t i = 0; i < HELD_COUNT; i++)
		for (size_t j = 0; j < f.replies[i].said; j++)
			large += f.replies[i].who[j] != f.servers[3]->port;
	CHECK(f.replies[0].said > 1);
	/* Newer c-ares writes messages anew, and those are too short for that. */
	size_t most = (8 << 20) / f.replies[0].len;
	CHECK_INT(large, most < 3 * HELD_COUNT ? most : 3 * HELD_COUNT);
	/* There is room again. */
	ask(name, 0);
	run(HELD_COUNT + 1);
	CHECK_INT(last()->said, 4);
	CHECK(last()->every);
}

static void test_freed_in_the_middle_no_reply_comes(void)
{
	begin_every(3, NEVER_MS);
	serve("127.0.0.1", NULL);
	serve("127.0.0.1", "silent");
	start();
	for (size_t i = 0; i < 100; i++)
		ask("ok.example.test", i);
	f.is_done = half_is_there;
	run(0);
	f.resolver = resolver_free(f.resolver);
	CHECK_INT(f.count, 0);
}

int main(void)
{
	TAP_RUN(test_every_server_is_asked_and_the_reply_is_one);
	TAP_RUN(test_a_thousand_names_come_back_with_what_both_said);
	TAP_RUN(test_poor_answers_are_among_them_and_marked);
	TAP_RUN(test_a_server_that_was_heard_lately_and_fails_is_missing);
	TAP_RUN(test_one_that_is_dead_is_waited_for_once_and_then_rests);
	TAP_RUN(test_silence_of_all_is_a_timeout_after_all_rounds);
	TAP_RUN(test_silence_of_one_is_not_held_against_the_name);
	TAP_RUN(test_one_that_rests_is_asked_where_the_others_know_nothing);
	TAP_RUN(test_with_one_answer_for_all_another_that_was_heard_is_missing);
	TAP_RUN(test_without_a_server_there_is_a_timeout);
	TAP_RUN(test_health_goes_on_with_each_server_in_another_list);
	TAP_RUN(test_what_waits_for_a_server_that_rests_by_now_waits_no_longer);
	TAP_RUN(test_what_waits_for_other_servers_is_kept_up_to_8_mb);
	TAP_RUN(test_freed_in_the_middle_no_reply_comes);
	end();
	return tap_done();
}
