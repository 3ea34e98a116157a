/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/server_news: what is told of a server, and how often. */
#include "core/server_news.h"

#include "tap.h"

static struct server_health h;
static struct server_news n;
static uint64_t now_ms;
static unsigned failing, back;
static bool alone;

static void begin(void)
{
	h = (struct server_health){0};
	n = (struct server_news){0};
	now_ms = 1000; /* just booted */
	failing = back = 0;
	alone = false;
}

static void note(enum server_outcome outcome, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		now_ms += 10;
		server_health_note(&h, outcome, now_ms);
		enum server_news_kind kind = server_news_look(&n, &h, alone, now_ms);
		failing += kind == SERVER_NEWS_FAILING;
		back += kind == SERVER_NEWS_BACK;
	}
}

static void test_a_rest_is_told_once_and_its_end_once(void)
{
	begin();
	note(SERVER_GOOD, 5);
	note(SERVER_SILENT, 1);
	uint64_t since_ms = now_ms;
	note(SERVER_SILENT, 1);
	CHECK_INT(failing, 0);
	note(SERVER_SILENT, 50);
	CHECK_INT(failing, 1);
	CHECK_INT(n.failing_ms, since_ms);
	CHECK_INT(back, 0);
	note(SERVER_GOOD, 50);
	CHECK_INT(failing, 1);
	CHECK_INT(back, 1);
	CHECK_INT(n.failing_ms, since_ms);
}

static void test_a_poor_answer_is_not_the_end(void)
{
	begin();
	note(SERVER_SILENT, 5);
	note(SERVER_SERVFAIL, 5);
	CHECK(!server_health_rests(&h));
	CHECK_INT(back, 0);
	note(SERVER_GOOD, 1);
	CHECK_INT(back, 1);
}

static void test_one_that_comes_and_goes_is_told_of_every_ten_minutes_at_most(void)
{
	begin();
	for (unsigned i = 0; i < 1000; i++) {
		note(SERVER_SILENT, 3);
		note(SERVER_GOOD, 3);
	}
	CHECK_INT(failing, 1);
	CHECK_INT(back, 1);
	now_ms += SERVER_NEWS_QUIET_MS;
	note(SERVER_SILENT, 3);
	CHECK_INT(failing, 2);
	note(SERVER_GOOD, 3);
	CHECK_INT(back, 2);
}

static void test_a_rest_behind_another_is_told_when_it_lasts(void)
{
	begin();
	note(SERVER_SILENT, 3);
	note(SERVER_GOOD, 3);
	note(SERVER_SILENT, 3);
	CHECK_INT(failing, 1);
	now_ms += SERVER_NEWS_QUIET_MS - 100;
	note(SERVER_SILENT, 1);
	CHECK_INT(failing, 1);
	now_ms += 100;
	note(SERVER_SILENT, 5);
	CHECK_INT(failing, 2);
	note(SERVER_GOOD, 1);
	CHECK_INT(back, 2);
}

static void test_silence_of_all_is_told_of_none(void)
{
	begin();
	alone = true;
	note(SERVER_SILENT, 50);
	note(SERVER_GOOD, 1);
	CHECK_INT(failing, 0);
	CHECK_INT(back, 0);
	/* The others are back, this one is not. */
	now_ms += SERVER_NEWS_QUIET_MS;
	note(SERVER_SILENT, 50);
	CHECK_INT(failing, 0);
	alone = false;
	note(SERVER_SILENT, 1);
	CHECK_INT(failing, 1);
	alone = true;
	note(SERVER_GOOD, 1);
	CHECK_INT(back, 1);
}

static void test_one_that_others_better_is_told_of(void)
{
	begin();
	for (unsigned i = 0; i < SERVER_BEATEN_MAX; i++) {
		note(SERVER_REFUSED, 1);
		server_health_note_beaten(&h, now_ms);
	}
	CHECK_INT(server_news_look(&n, &h, alone, now_ms), SERVER_NEWS_FAILING);
	CHECK_INT(server_news_look(&n, &h, alone, now_ms), SERVER_NEWS_NONE);
}

int main(void)
{
	TAP_RUN(test_a_rest_is_told_once_and_its_end_once);
	TAP_RUN(test_a_poor_answer_is_not_the_end);
	TAP_RUN(test_one_that_comes_and_goes_is_told_of_every_ten_minutes_at_most);
	TAP_RUN(test_a_rest_behind_another_is_told_when_it_lasts);
	TAP_RUN(test_silence_of_all_is_told_of_none);
	TAP_RUN(test_one_that_others_better_is_told_of);
	return tap_done();
}
