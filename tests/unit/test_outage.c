/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/outage: one name's silence told from everybody's. */
#include "core/outage.h"

#include "tap.h"

static struct outage o;
static uint64_t since;

static void begin(void)
{
	o = OUTAGE_NULL;
	since = 0;
	CHECK_INT(outage_note_answer(&o, 1000, &since), OUTAGE_NONE);
}

static void silence_while_others_are_answered_is_the_names_own(void)
{
	begin();
	CHECK_INT(outage_note_answer(&o, 8000, &since), OUTAGE_NONE);
	CHECK_INT(outage_note_silence(&o, "a", false, 4000, 9000), OUTAGE_OF_NAME);
	CHECK_INT(outage_note_silence(&o, "a", true, 5000, 9000), OUTAGE_OF_NAME);
	/* Asked after that answer, so that it says little. */
	CHECK_INT(outage_note_silence(&o, "b", false, 8900, 9000), OUTAGE_SUSPECTED);
}

static void answers_long_before_say_nothing_of_a_silence(void)
{
	begin();
	CHECK_INT(outage_note_answer(&o, 8000, &since), OUTAGE_NONE);
	/* It waited in a queue while others were answered. */
	CHECK_INT(outage_note_silence(&o, "a", false, 4000, 9001), OUTAGE_SUSPECTED);
	begin();
	CHECK_INT(outage_note_answer(&o, 8000, &since), OUTAGE_NONE);
	CHECK_INT(outage_note_silence(&o, "a", false, 7900, 8199), OUTAGE_SUSPECTED);
	begin();
	CHECK_INT(outage_note_answer(&o, 8000, &since), OUTAGE_NONE);
	CHECK_INT(outage_note_silence(&o, "a", false, 7900, 8100), OUTAGE_OF_NAME);
}

static void silence_to_a_second_name_is_an_outage(void)
{
	begin();
	CHECK_INT(outage_note_silence(&o, "a", false, 2000, 3000), OUTAGE_SUSPECTED);
	CHECK_INT(outage_note_silence(&o, "a", false, 2000, 3500), OUTAGE_UNDECIDED); /* its AAAA */
	CHECK_INT(outage_note_silence(&o, "a", false, 3500, 3900), OUTAGE_UNDECIDED);
	CHECK_INT(outage_note_silence(&o, "b", false, 3000, 4000), OUTAGE_BEGINS);
	CHECK_INT(outage_note_silence(&o, "c", false, 2000, 4000), OUTAGE_GOES_ON);
	CHECK_INT(outage_note_silence(&o, "a", false, 900, 4000), OUTAGE_GOES_ON);
	CHECK_INT(o.ended_ms, 0);
	CHECK_INT(outage_note_answer(&o, 9000, &since), OUTAGE_ENDS);
	CHECK_INT(since, 3000);
	CHECK_INT(o.ended_ms, 9000);
	CHECK_INT(outage_note_answer(&o, 9001, &since), OUTAGE_NONE);
	CHECK_INT(o.ended_ms, 9000);
}

static void silence_that_was_asked_into_an_outage_is_no_news_after_it(void)
{
	silence_to_a_second_name_is_an_outage();
	CHECK_INT(outage_note_silence(&o, "c", false, 8999, 9500), OUTAGE_GOES_ON);
	CHECK(!o.on);
	CHECK_INT(outage_note_answer(&o, 9600, &since), OUTAGE_NONE);
	CHECK_INT(outage_note_silence(&o, "c", false, 9300, 9700), OUTAGE_OF_NAME);
}

static void silence_to_what_was_asked_with_the_first_decides_nothing(void)
{
	begin();
	CHECK_INT(outage_note_silence(&o, "a", false, 2000, 3000), OUTAGE_SUSPECTED);
	CHECK_INT(outage_note_silence(&o, "b", false, 2000, 3000), OUTAGE_UNDECIDED);
	CHECK_INT(outage_note_silence(&o, "c", false, 2999, 3999), OUTAGE_UNDECIDED);
	CHECK_INT(outage_note_answer(&o, 4000, &since), OUTAGE_CLEARED);
	CHECK_INT(o.ended_ms, 0);
}

static void silence_to_the_only_name_is_an_outage(void)
{
	begin();
	/* What it became alone for by a reload counts as well. */
	CHECK_INT(outage_note_silence(&o, "a", false, 1500, 2500), OUTAGE_SUSPECTED);
	CHECK_INT(outage_note_silence(&o, "a", true, 2000, 3000), OUTAGE_BEGINS);
	CHECK_INT(outage_note_answer(&o, 9000, &since), OUTAGE_ENDS);
	CHECK_INT(since, 2500);
	CHECK_INT(outage_note_silence(&o, "a", true, 9500, 10001), OUTAGE_BEGINS);
}

static void answer_clears_the_suspicion(void)
{
	begin();
	CHECK_INT(outage_note_silence(&o, "a", false, 2000, 3000), OUTAGE_SUSPECTED);
	CHECK_INT(outage_note_answer(&o, 3500, &since), OUTAGE_CLEARED);
	CHECK_INT(outage_note_answer(&o, 3600, &since), OUTAGE_NONE);
	CHECK_INT(outage_note_silence(&o, "b", false, 2000, 4000), OUTAGE_OF_NAME);
	CHECK_INT(outage_note_silence(&o, "b", false, 3700, 5000), OUTAGE_SUSPECTED);
	CHECK_INT(outage_note_silence(&o, "a", false, 5000, 6000), OUTAGE_BEGINS);
}

static void silence_from_the_start_is_an_outage(void)
{
	o = OUTAGE_NULL;
	CHECK_INT(outage_note_silence(&o, "a", false, 0, 0), OUTAGE_SUSPECTED);
	CHECK_INT(outage_note_silence(&o, "b", false, 1, 2), OUTAGE_BEGINS);
	CHECK_INT(outage_note_answer(&o, 100, &since), OUTAGE_ENDS);
	CHECK_INT(since, 1);
}

static void next_outage_begins_anew(void)
{
	silence_to_a_second_name_is_an_outage();
	CHECK_INT(outage_note_silence(&o, "a", false, 9500, 9900), OUTAGE_SUSPECTED);
	CHECK_INT(outage_note_silence(&o, "b", false, 9900, 9950), OUTAGE_BEGINS);
	CHECK_INT(outage_note_answer(&o, 9960, &since), OUTAGE_ENDS);
	CHECK_INT(since, 9900);
}

int main(void)
{
	TAP_RUN(silence_while_others_are_answered_is_the_names_own);
	TAP_RUN(answers_long_before_say_nothing_of_a_silence);
	TAP_RUN(silence_to_a_second_name_is_an_outage);
	TAP_RUN(silence_that_was_asked_into_an_outage_is_no_news_after_it);
	TAP_RUN(silence_to_what_was_asked_with_the_first_decides_nothing);
	TAP_RUN(silence_to_the_only_name_is_an_outage);
	TAP_RUN(answer_clears_the_suspicion);
	TAP_RUN(silence_from_the_start_is_an_outage);
	TAP_RUN(next_outage_begins_anew);
	return tap_done();
}
