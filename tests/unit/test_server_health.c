/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a server rests and for how long, and what is said of it, under a clock of the test's own. */
#include "core/server_health.h"

#include "tap.h"

static struct server_health h;
static uint64_t now_ms;

static void begin(void)
{
	h = (struct server_health){0};
	now_ms = 5000000;
}

static void note(enum server_outcome outcome, unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		server_health_note(&h, outcome, ++now_ms);
}

static void test_untried_until_something_comes(void)
{
	begin();
	CHECK_INT(server_health_state(&h), SERVER_UNTRIED);
	CHECK(!server_health_rests(&h));
	CHECK(!server_health_take_probe(&h, now_ms));
	CHECK(!server_health_answered_lately(&h, now_ms));
	note(SERVER_GOOD, 1);
	CHECK_INT(server_health_state(&h), SERVER_OK);
	CHECK_INT(h.good_ms, now_ms);
	CHECK_INT(h.failing_ms, 0);
}

static void test_three_silences_in_a_row_make_it_rest(void)
{
	static const enum server_outcome outcomes[] = {SERVER_SILENT, SERVER_UNREACHABLE};

	for (size_t i = 0; i < 2; i++) {
		begin();
		note(outcomes[i], 2);
		CHECK(!server_health_rests(&h));
		note(SERVER_SERVFAIL, 1); /* it is there */
		note(outcomes[i], 2);
		CHECK(!server_health_rests(&h));
		note(outcomes[i], 1);
		CHECK(server_health_rests(&h));
		CHECK_INT(server_health_state(&h), SERVER_RESTING);
	}
}

static void test_after_much_silence_in_haste_one_question_has_all_its_time(void)
{
	begin();
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned j = 0; j < SERVER_HASTY_MAX; j++) {
			CHECK(!server_health_take_time(&h));
			server_health_note_hasty(&h);
		}
		CHECK(server_health_take_time(&h));
		CHECK_INT(server_health_state(&h), SERVER_UNTRIED);
	}
	/* Whatever it says: it is there. */
	static const enum server_outcome outcomes[] = {SERVER_GOOD, SERVER_SERVFAIL};
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned j = 0; j < SERVER_HASTY_MAX; j++)
			server_health_note_hasty(&h);
		note(outcomes[i], 1);
		CHECK(!server_health_take_time(&h));
	}
	/* It is known to be silent. */
	note(SERVER_SILENT, SERVER_SILENT_MAX);
	for (unsigned j = 0; j < SERVER_HASTY_MAX; j++)
		server_health_note_hasty(&h);
	CHECK(!server_health_take_time(&h));
}

static void test_failing_since_the_first_that_was_not_good(void)
{
	begin();
	note(SERVER_GOOD, 1);
	note(SERVER_SILENT, 1);
	uint64_t since_ms = now_ms;
	CHECK_INT(server_health_state(&h), SERVER_OK);
	note(SERVER_SERVFAIL, 1);
	CHECK_INT(server_health_state(&h), SERVER_OK);
	note(SERVER_SERVFAIL, 1);
	CHECK_INT(server_health_state(&h), SERVER_FAILING);
	CHECK_INT(h.failing_ms, since_ms);
	CHECK_INT(h.outcome, SERVER_SERVFAIL);
	note(SERVER_GOOD, 1);
	CHECK_INT(server_health_state(&h), SERVER_OK);
	CHECK_INT(h.failing_ms, 0);
	/* One that never gave a good answer has nothing to lose. */
	begin();
	note(SERVER_REFUSED, 1);
	CHECK_INT(server_health_state(&h), SERVER_FAILING);
}

static void test_probes_come_in_ever_longer_intervals(void)
{
	uint64_t interval_ms = SERVER_REST_FIRST_MS;

	begin();
	note(SERVER_SILENT, SERVER_SILENT_MAX);
	for (unsigned i = 0; i < 12; i++) {
		CHECK(!server_health_take_probe(&h, now_ms + interval_ms - 1));
		CHECK(server_health_take_probe(&h, now_ms + interval_ms));
		now_ms += interval_ms;
		/* One at a time. */
		CHECK(!server_health_take_probe(&h, now_ms));
		server_health_note(&h, SERVER_SILENT, now_ms);
		CHECK(server_health_rests(&h));
		interval_ms *= 2;
		if (interval_ms > SERVER_REST_MAX_MS)
			interval_ms = SERVER_REST_MAX_MS;
	}
	CHECK_INT(interval_ms, SERVER_REST_MAX_MS);
}

static void test_a_probe_without_an_end_is_followed_by_another(void)
{
	begin();
	note(SERVER_SILENT, SERVER_SILENT_MAX);
	now_ms += SERVER_REST_FIRST_MS;
	CHECK(server_health_take_probe(&h, now_ms));
	CHECK(!server_health_take_probe(&h, now_ms + SERVER_REST_FIRST_MS - 1));
	CHECK(server_health_take_probe(&h, now_ms + SERVER_REST_FIRST_MS));
}

static void test_silence_to_others_than_probes_makes_no_rest_longer(void)
{
	begin();
	note(SERVER_SILENT, SERVER_SILENT_MAX);
	uint64_t due_ms = now_ms + SERVER_REST_FIRST_MS;
	note(SERVER_SILENT, 500);
	CHECK(!server_health_take_probe(&h, due_ms - 1));
	CHECK(server_health_take_probe(&h, due_ms));
}

static void test_an_answer_ends_the_rest_and_its_length(void)
{
	begin();
	note(SERVER_SILENT, SERVER_SILENT_MAX);
	for (unsigned i = 0; i < 4; i++) {
		now_ms += SERVER_REST_MAX_MS;
		CHECK(server_health_take_probe(&h, now_ms));
		note(SERVER_SILENT, 1);
	}
	note(SERVER_GOOD, 1);
	CHECK(!server_health_rests(&h));
	note(SERVER_SILENT, SERVER_SILENT_MAX);
	CHECK(server_health_take_probe(&h, now_ms + SERVER_REST_FIRST_MS));
	/* A poor answer is a sign of life, too. */
	note(SERVER_REFUSED, 1);
	CHECK(!server_health_rests(&h));
}

static void test_servfail_is_held_against_it_only_where_others_did_better(void)
{
	begin();
	note(SERVER_SERVFAIL, 100);
	note(SERVER_REFUSED, 100);
	CHECK(!server_health_rests(&h));
	for (unsigned i = 0; i < SERVER_BEATEN_MAX; i++) {
		CHECK(!server_health_rests(&h));
		note(SERVER_SERVFAIL, 1);
		server_health_note_beaten(&h, now_ms);
	}
	CHECK(server_health_rests(&h));
	/* The same again, when it is asked for a try. */
	now_ms += SERVER_REST_FIRST_MS;
	CHECK(server_health_take_probe(&h, now_ms));
	note(SERVER_SERVFAIL, 1);
	CHECK(server_health_rests(&h));
	CHECK(!server_health_take_probe(&h, now_ms + 2 * SERVER_REST_FIRST_MS - 1));
	note(SERVER_GOOD, 1);
	CHECK(!server_health_rests(&h));
	CHECK_INT(server_health_state(&h), SERVER_OK);
	note(SERVER_SERVFAIL, 1);
	server_health_note_beaten(&h, now_ms);
	CHECK(!server_health_rests(&h));
}

static void test_lately_is_an_hour(void)
{
	begin();
	note(SERVER_GOOD, 1);
	uint64_t good_ms = now_ms;
	note(SERVER_SILENT, 10);
	CHECK(server_health_answered_lately(&h, good_ms + SERVER_RECENT_MS));
	CHECK(!server_health_answered_lately(&h, good_ms + SERVER_RECENT_MS + 1));
}

static void test_every_state_and_outcome_has_a_name(void)
{
	CHECK_STR(server_state_name(SERVER_UNTRIED), "untried");
	CHECK_STR(server_state_name(SERVER_OK), "ok");
	CHECK_STR(server_state_name(SERVER_FAILING), "failing");
	CHECK_STR(server_state_name(SERVER_RESTING), "resting");
	CHECK_STR(server_outcome_name(SERVER_GOOD), "good");
	CHECK_STR(server_outcome_name(SERVER_SERVFAIL), "SERVFAIL");
	CHECK_STR(server_outcome_name(SERVER_REFUSED), "REFUSED");
	CHECK_STR(server_outcome_name(SERVER_MALFORMED), "malformed");
	CHECK_STR(server_outcome_name(SERVER_SILENT), "silent");
	CHECK_STR(server_outcome_name(SERVER_UNREACHABLE), "unreachable");
}

int main(void)
{
	TAP_RUN(test_untried_until_something_comes);
	TAP_RUN(test_three_silences_in_a_row_make_it_rest);
	TAP_RUN(test_after_much_silence_in_haste_one_question_has_all_its_time);
	TAP_RUN(test_failing_since_the_first_that_was_not_good);
	TAP_RUN(test_probes_come_in_ever_longer_intervals);
	TAP_RUN(test_a_probe_without_an_end_is_followed_by_another);
	TAP_RUN(test_silence_to_others_than_probes_makes_no_rest_longer);
	TAP_RUN(test_an_answer_ends_the_rest_and_its_length);
	TAP_RUN(test_servfail_is_held_against_it_only_where_others_did_better);
	TAP_RUN(test_lately_is_an_hour);
	TAP_RUN(test_every_state_and_outcome_has_a_name);
	return tap_done();
}
