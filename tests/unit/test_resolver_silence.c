/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names that nobody answers for, beside others: these must not wait for those. */
#include "resolver_fixture.h"

enum {
	SILENT_COUNT = 200,
	GOOD_COUNT = 20,
	GOOD_COOKIE = 1000, /* and above; below: silent ones */
};

static size_t good, silent;

static void tell_apart(void)
{
	const struct reply *r = &f.replies[f.count - 1];
	bool is_good = r->cookie >= GOOD_COOKIE;

	CHECK_INT(r->status, is_good ? RESOLVER_ANSWERED : RESOLVER_TIMEOUT);
	*(is_good ? &good : &silent) += 1;
}

static void begin_telling_apart(unsigned tries, uint32_t timeout_ms)
{
	begin(tries, timeout_ms);
	good = silent = 0;
	f.on_reply = tell_apart;
}

static void ask_silent(size_t count)
{
	char name[64];

	for (size_t i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "silent.n%zu.test", i);
		ask(name, i);
	}
}

static void ask_good(size_t count)
{
	for (size_t i = 0; i < count; i++)
		ask("ok.example.test", GOOD_COOKIE + i);
}

static uint64_t queries(void)
{
	return resolver_stats(f.resolver)->queries;
}

/* Another resolver that knows what the one before knew. */
static void start_again(uint32_t timeout_ms)
{
	struct resolver *before = f.resolver;

	f.config.timeout_ms = timeout_ms;
	start();
	resolver_carry(f.resolver, before);
	resolver_free(before);
}

/* All of them have been silent once. */
static void begin_with_known_silent(unsigned tries, size_t count)
{
	begin_telling_apart(tries, SOON_MS);
	serve("127.0.0.1", NULL);
	start();
	ask_silent(count);
	run(count);
	CHECK_INT(silent, count);
	silent = 0;
}

static bool all_good_and_all_slots(void)
{
	const struct resolver_stats *s = resolver_stats(f.resolver);

	/* Never all in use; else this would wait for ever. */
	return s->slots == 64 && (s->in_flight == 64 || (good == GOOD_COUNT && s->in_flight <= 32));
}

static void test_names_silent_before_have_half_of_the_slots_at_most(void)
{
	begin_with_known_silent(1, SILENT_COUNT);
	start_again(NEVER_MS);
	ask_silent(SILENT_COUNT);
	ask_good(GOOD_COUNT);
	f.is_done = all_good_and_all_slots;
	run(0);
	CHECK_INT(silent, 0);
	CHECK_INT(resolver_stats(f.resolver)->in_flight, 32);
	CHECK_INT(resolver_stats(f.resolver)->waiting, SILENT_COUNT - 32);
	/* Asked again and again, they are answered all the same. */
	good = 0;
	ask_good(GOOD_COUNT);
	run(0);
	CHECK_INT(silent, 0);
}

static bool all_good(void)
{
	return good == GOOD_COUNT;
}

static void test_silent_rounds_end_after_all_that_can_be_answered(void)
{
	begin_telling_apart(10, 800);
	serve("127.0.0.1", NULL);
	start();
	ask_silent(SILENT_COUNT);
	ask_good(GOOD_COUNT);
	f.is_done = all_good;
	run(0);
	CHECK_INT(silent, 0);
}

static void test_first_queries_are_short_while_others_wait(void)
{
	begin_telling_apart(1, 1600);
	serve("127.0.0.1", NULL);
	start();
	ask_silent(SILENT_COUNT);
	ask_good(GOOD_COUNT);
	f.is_done = all_good;
	run(0);
	/* All but those that came when nobody waited. */
	CHECK(silent <= 8);
}

static void test_a_short_query_is_asked_again_with_all_its_time(void)
{
	begin_telling_apart(1, 400);
	serve("127.0.0.1", NULL);
	start();
	ask_silent(20);
	run(20);
	/* 8 when nobody waited, 8 and 4 later; the last of each had none behind it. */
	CHECK(queries() > 20);
	CHECK(queries() < 40);
}

static void test_what_was_lost_once_does_not_wait_for_names_silent_before(void)
{
	begin_with_known_silent(3, SILENT_COUNT);
	start_again(300);
	ask_silent(SILENT_COUNT);
	ask("second.example.test", GOOD_COOKIE);
	size_t before = f.count;
	run(before + SILENT_COUNT + 1);
	CHECK_INT(good, 1);
	for (size_t i = before + SILENT_COUNT / 2; i < f.count; i++)
		CHECK(f.replies[i].cookie < GOOD_COOKIE);
}

static void test_silence_ends_though_there_are_too_few_slots_for_all_its_rounds(void)
{
	enum { TRIES = 3, COUNT = 600 };

	begin_telling_apart(TRIES, SOON_MS);
	serve("127.0.0.1", "silent");
	start();
	ask_silent(COUNT);
	run(COUNT);
	CHECK_INT(silent, COUNT);
	CHECK(queries() >= COUNT);
	CHECK(queries() < TRIES * COUNT);
	CHECK_INT(resolver_stats(f.resolver)->in_flight, 0);
	CHECK_INT(resolver_stats(f.resolver)->waiting, 0);
}

static void ask_until_answered(void)
{
	if (f.replies[f.count - 1].status == RESOLVER_TIMEOUT)
		ask("name.example.test", 0);
}

static bool is_answered(void)
{
	return f.count > 0 && f.replies[f.count - 1].status == RESOLVER_ANSWERED;
}

static void ask_in_vain(unsigned rounds)
{
	uint64_t before = queries();

	f.servers[0]->mode = "silent";
	ask("name.example.test", 0);
	run(f.count + 1);
	CHECK_INT(queries() - before, rounds);
}

static void test_a_name_silent_before_has_one_round_until_it_is_answered(void)
{
	begin(3, SOON_MS);
	serve("127.0.0.1", NULL);
	start();
	ask_in_vain(3);
	ask_in_vain(1);
	ask_in_vain(1);
	/* The other family is another question. */
	uint64_t before = queries();
	resolver_ask(f.resolver, "name.example.test", FAMILY_V6, RESOLVER_FIRST, &f);
	run(f.count + 1);
	CHECK_INT(queries() - before, 3);
	f.servers[0]->mode = "ok";
	f.on_reply = ask_until_answered;
	f.is_done = is_answered;
	ask("name.example.test", 0);
	run(0);
	f.on_reply = NULL;
	f.is_done = NULL;
	ask_in_vain(3);
}

static void test_counters_go_on_over_another_resolver(void)
{
	begin(3, SOON_MS);
	serve("127.0.0.1", NULL);
	start();
	resolver_carry(f.resolver, NULL);
	CHECK_INT(queries(), 0);
	ask_in_vain(3);
	f.servers[0]->mode = NULL;
	start_again(NEVER_MS);
	ask("many.example.test", 0);
	run(f.count + 1);
	const struct resolver_stats *s = resolver_stats(f.resolver);
	CHECK_INT(s->lookups, 2);
	CHECK_INT(s->failed, 1);
	CHECK_INT(s->queries, 4);
	CHECK_INT(s->tcp, 1);
	CHECK_INT(s->in_flight, 0);
	CHECK_INT(s->slots, 1);
}

static void test_other_servers_are_asked_without_prejudice(void)
{
	begin(3, SOON_MS);
	serve("127.0.0.1", NULL);
	start();
	ask_in_vain(3);
	start_again(SOON_MS);
	ask_in_vain(1);
	/* The same server under another name. */
	f.config.server_count = 0;
	add_server("127.0.0.2", f.servers[0]->port);
	start_again(SOON_MS);
	CHECK_INT(queries(), 4);
	ask("name.example.test", 0);
	run(f.count + 1);
	CHECK(queries() > 5);
}

static size_t to_ask;

static void ask_one_more(void)
{
	if (to_ask > 0)
		ask("ok.example.test", --to_ask);
}

static void test_a_dead_server_is_found_out_though_others_always_wait(void)
{
	enum { WAITING = 20, COUNT = 100 };

	for (unsigned every = 0; every < 2; every++) {
		struct resolver_server s;

		begin(3, 200);
		f.breadth = every ? RESOLVER_EVERY : RESOLVER_FIRST;
		f.config.max_in_flight = 1;
		serve("127.0.0.1", "silent");
		serve("127.0.0.1", NULL);
		start();
		f.on_reply = ask_one_more;
		to_ask = COUNT;
		for (size_t i = 0; i < WAITING; i++)
			ask_one_more();
		run(COUNT);
		resolver_server(f.resolver, 0, &s);
		CHECK_INT(s.state, SERVER_RESTING);
		CHECK(f.servers[0]->note_count < COUNT / 2);
	}
}

int main(void)
{
	TAP_RUN(test_names_silent_before_have_half_of_the_slots_at_most);
	TAP_RUN(test_silent_rounds_end_after_all_that_can_be_answered);
	TAP_RUN(test_first_queries_are_short_while_others_wait);
	TAP_RUN(test_a_short_query_is_asked_again_with_all_its_time);
	TAP_RUN(test_what_was_lost_once_does_not_wait_for_names_silent_before);
	TAP_RUN(test_silence_ends_though_there_are_too_few_slots_for_all_its_rounds);
	TAP_RUN(test_a_name_silent_before_has_one_round_until_it_is_answered);
	TAP_RUN(test_counters_go_on_over_another_resolver);
	TAP_RUN(test_other_servers_are_asked_without_prejudice);
	TAP_RUN(test_a_dead_server_is_found_out_though_others_always_wait);
	end();
	return tap_done();
}
