/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Many changes of the real nf_tables at once: all are told, or that some were lost. */
#include "nft_ears.h"

enum { MANY = 20000 };

/* The text of MANY elements that others add, "add element inet t s { ... }". */
static char *many_elements(size_t count)
{
	struct strbuf b = STRBUF_NULL;
	strbuf_append(&b, "add element inet t s {");
	for (size_t i = 0; i < count; i++)
		strbuf_appendf(&b, "%s 10.9.%zu.%zu", i ? "," : "", i / 256, i % 256);
	strbuf_append(&b, " }\n");
	return strbuf_take(&b);
}

static void test_a_load_of_20000_elements_arrives_whole(void)
{
	_cleanup_free_ char *text = many_elements(MANY);
	fresh(plain);
	bool loaded = lab_nft("%s", text);
	heard();
	bool whole = loaded && told.added == MANY && told.generations == 1 && told.lost == 0;
	CHECK(whole);
	CHECK_INT(nft_monitor_lost_count(monitor), 0);
}

static size_t most_in_a_round, rounds, before_round;

static void on_turn(void *userdata)
{
	size_t now = told.all - before_round;
	if (now > most_in_a_round)
		most_in_a_round = now;
	before_round = told.all;
	rounds += now > 0;
	if (told.generations > 0)
		loop_stop(loop);
}

static void test_a_flood_leaves_the_loop_time_for_others(void)
{
	fresh(plain);
	CHECK_INT(commit_own(0, MANY, true), NFT_COMMIT_DONE);
	most_in_a_round = rounds = before_round = 0;
	CHECK_INT(loop_run(loop, on_turn, NULL), 0);
	CHECK_INT(told.added, MANY);
	CHECK_INT(told.lost, 0);
	CHECK(rounds >= 4);
	CHECK(most_in_a_round <= MANY / 4);
}

static void set_buffer(int bytes)
{
	CHECK_INT(setsockopt(nft_monitor_fd(monitor), SOL_SOCKET, SO_RCVBUFFORCE, &bytes,
			  sizeof(bytes)),
		0);
}

static void test_an_overflow_is_told_once_and_after_all_older_notices(void)
{
	fresh(plain);
	CHECK(lab_nft("add element inet t s { 10.200.0.0 }"));
	CHECK_STR(heard(), "+ inet t s 0ac80000\nend\n");
	set_buffer(16 * 1024);
	CHECK_INT(commit_own(0, MANY, true), NFT_COMMIT_DONE);
	/* Dropped as well, though there might be room for it: the older ones were not read yet. */
	CHECK(lab_nft("add element inet t s { 10.200.0.1 }"));
	heard();
	CHECK_INT(told.lost, 1);
	CHECK_INT(told.after_lost, 0);
	CHECK(told.added > 0 && told.added < MANY);
	CHECK_INT(told.generations, 0);
	CHECK_INT(nft_monitor_lost_count(monitor), 1);

	/* And then it goes on. */
	CHECK(lab_nft("add element inet t s { 10.200.0.2 }"));
	CHECK_STR(heard(), "+ inet t s 0ac80002\nend\n");
	CHECK_INT(commit_own(0, MANY, false), NFT_COMMIT_DONE);
	heard();
	CHECK_INT(told.lost, 1);
	CHECK_INT(nft_monitor_lost_count(monitor), 2);
}

static void on_turn_until_lost(void *userdata)
{
	if (told.lost > 0)
		loop_stop(loop);
}

static void test_the_loop_alone_tells_an_overflow(void)
{
	fresh(plain);
	set_buffer(256 * 1024);
	CHECK_INT(commit_own(0, MANY, true), NFT_COMMIT_DONE);
	CHECK_INT(loop_run(loop, on_turn_until_lost, NULL), 0);
	CHECK_INT(told.lost, 1);
	CHECK_INT(told.after_lost, 0);
	CHECK_STR(heard(), "");
}

static void test_a_missing_generation_tells_of_a_loss_that_nobody_reported(void)
{
	fresh(plain);
	int on = 1;
	CHECK_INT(setsockopt(nft_monitor_fd(monitor), SOL_NETLINK, NETLINK_NO_ENOBUFS, &on,
			  sizeof(on)),
		0);
	CHECK_INT(commit_own(0, 1, true), NFT_COMMIT_DONE);
	heard();
	set_buffer(8 * 1024);
	for (uint32_t i = 1; i <= 100; i++)
		CHECK_INT(commit_own(i, 1, true), NFT_COMMIT_DONE);
	heard();
	CHECK(told.generations > 0 && told.generations < 100);
	CHECK_INT(told.lost, 0);
	CHECK(lab_nft("add element inet t s { 10.200.0.1 }"));
	CHECK_STR(heard(), "+ inet t s 0ac80001\nlost\nend\n");
	CHECK(lab_nft("add element inet t s { 10.200.0.2 }"));
	CHECK_STR(heard(), "+ inet t s 0ac80002\nend\n");
}

int main(void)
{
	if (!lab_enter())
		return 0;
	if (!ears_open())
		return 1;
	TAP_RUN(test_a_load_of_20000_elements_arrives_whole);
	TAP_RUN(test_a_flood_leaves_the_loop_time_for_others);
	TAP_RUN(test_an_overflow_is_told_once_and_after_all_older_notices);
	TAP_RUN(test_the_loop_alone_tells_an_overflow);
	TAP_RUN(test_a_missing_generation_tells_of_a_loss_that_nobody_reported);
	ears_close();
	return tap_done();
}
