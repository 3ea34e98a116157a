/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/rotation: which changes are told by themselves, which are summed up, and that none is lost.
 */
#include "core/rotation.h"

#include "random.h"
#include "tap.h"

#include <stdlib.h>

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };

static struct rotations r;
static uint64_t now;

static void begin(void)
{
	rotations_done(&r);
	now = 1000000;
}

static enum rotation_verdict change_of(const char *name, const char *added, const char *removed)
{
	return rotations_take(&r,
		&(struct event){.kind = EVENT_CHANGED,
			.vendor = "acme",
			.name = name,
			.set = "inet filter s",
			.added = added,
			.removed = removed,
			.reason = added ? removed ? "answer, linger" : "answer" : "linger",
			.ttl_s = 5,
			.generation = 7},
		"2026-11-20T09:18:02Z", now);
}

static enum rotation_verdict change(void)
{
	return change_of("a.example.com", "45.1.1.1", NULL);
}

/* Makes it one that is gathered. */
static void begin_to_gather(void)
{
	for (int i = 0; i < ROTATION_CHANGES; i++)
		CHECK_INT(change(), ROTATION_TELL);
	CHECK_INT(change(), ROTATION_BEGINS);
}

/* Tells all that is due; how many changes that were. */
static size_t tell(void)
{
	struct rotation *o;
	size_t n = 0;

	while ((o = rotations_next_due(&r, now))) {
		n += o->count;
		rotations_told(&r, o, now);
	}
	return n;
}

static void changes_that_are_few_are_told_by_themselves(void)
{
	begin();
	for (int i = 0; i < 100; i++) {
		CHECK_INT(change(), ROTATION_TELL);
		now += HOUR / ROTATION_CHANGES;
		CHECK_INT(tell(), 0);
	}
}

static void one_more_within_an_hour_begins_and_the_next_is_gathered(void)
{
	begin();
	for (int i = 0; i < ROTATION_CHANGES; i++) {
		CHECK_INT(change(), ROTATION_TELL);
		now += HOUR / ROTATION_CHANGES - 1;
	}
	CHECK_INT(change(), ROTATION_BEGINS);
	CHECK_INT(change(), ROTATION_GATHERED);
}

static void each_name_set_and_endpoint_is_judged_by_itself(void)
{
	struct event e = {.kind = EVENT_CHANGED,
		.vendor = "acme",
		.endpoint = "e0",
		.name = "a.example.com",
		.set = "inet filter s",
		.added = "45.1.1.1",
		.reason = "answer"};

	begin();
	for (int i = 0; i < ROTATION_CHANGES; i++)
		CHECK_INT(rotations_take(&r, &e, "t", now), ROTATION_TELL);
	struct event other = e;
	other.name = "b.example.com";
	CHECK_INT(rotations_take(&r, &other, "t", now), ROTATION_TELL);
	other = e;
	other.set = "inet filter other";
	CHECK_INT(rotations_take(&r, &other, "t", now), ROTATION_TELL);
	other = e;
	other.vendor = "digi";
	CHECK_INT(rotations_take(&r, &other, "t", now), ROTATION_TELL);
	other = e;
	other.endpoint = "e1";
	CHECK_INT(rotations_take(&r, &other, "t", now), ROTATION_TELL);
	CHECK_INT(rotations_take(&r, &e, "t", now), ROTATION_BEGINS);
}

static void only_what_dns_makes_of_a_name_is_gathered(void)
{
	static const struct {
		const char *name, *reason;
		bool gathered;
	} table[] = {
		{"a.example.com", "answer", true},
		{"a.example.com", "linger", true},
		{"a.example.com", "answer, linger", true},
		{"a.example.com", "answer, limit", true},
		{"a.example.com", "denied", true},
		{"a.example.com", "refill", false},
		{"a.example.com", "reload", false},
		{"a.example.com", "answer, reload", false},
		{"a.example.com", "release", false},
		{"a.example.com", "answers", false},
		{"a.example.com", NULL, false},
		{NULL, "answer", false},
	};

	begin();
	begin_to_gather();
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		enum rotation_verdict v = rotations_take(&r,
			&(struct event){.vendor = "acme",
				.name = table[i].name,
				.set = "inet filter s",
				.added = "45.1.1.1",
				.reason = table[i].reason},
			"t", now);
		CHECK_INT(v, table[i].gathered ? ROTATION_GATHERED : ROTATION_TELL);
	}
}

static void summary_has_each_change_with_its_time_and_generation(void)
{
	struct rotation *o;

	begin();
	begin_to_gather();
	CHECK_INT(change_of("a.example.com", "45.1.1.2, 45.1.1.3", "45.1.1.1"), ROTATION_GATHERED);
	CHECK_INT(change_of("a.example.com", NULL, "45.1.1.2"), ROTATION_GATHERED);
	now += HOUR - 1;
	CHECK(!rotations_next_due(&r, now));
	now += 1;
	CHECK((o = rotations_next_due(&r, now)));
	CHECK_STR(strbuf_text(&o->text), "2026-11-20T09:18:02Z 7 +45.1.1.1; "
					 "2026-11-20T09:18:02Z 7 +45.1.1.2, 45.1.1.3 -45.1.1.1; "
					 "2026-11-20T09:18:02Z 7 -45.1.1.2");
	CHECK_INT(o->count, 3);
	CHECK_INT(o->added, 3);
	CHECK_INT(o->removed, 2);
	CHECK_INT(o->generation, 7);
	CHECK_STR(o->vendor, "acme");
	CHECK_STR(o->name, "a.example.com");
	CHECK_STR(o->set, "inet filter s");
	CHECK(!o->endpoint);
	rotations_told(&r, o, now);
	CHECK(!rotations_next_due(&r, now));
	CHECK_INT(r.bytes, 0);
}

static void there_is_one_summary_an_hour_while_it_rotates(void)
{
	size_t changes = 0, told = 0, summaries = 0;
	struct rotation *o;

	begin();
	begin_to_gather();
	changes++;
	for (int minute = 1; minute <= 24 * 60; minute++) {
		now += MINUTE;
		while ((o = rotations_next_due(&r, now))) {
			CHECK(!rotation_ends(o, now));
			summaries++;
			told += o->count;
			rotations_told(&r, o, now);
		}
		CHECK_INT(change(), ROTATION_GATHERED);
		changes++;
	}
	rotations_hurry(&r, now);
	CHECK_INT(told + tell(), changes);
	CHECK_INT(summaries, 24);
}

static void calm_hour_is_the_last_one(void)
{
	struct rotation *o;

	begin();
	begin_to_gather();
	for (int i = 2; i < ROTATION_CHANGES / 2; i++)
		change();
	now += HOUR;
	CHECK((o = rotations_next_due(&r, now)));
	CHECK(rotation_ends(o, now));
	rotations_told(&r, o, now);
	CHECK_INT(r.by_key.count, 0);
	CHECK_INT(change(), ROTATION_TELL);
}

static void calm_hour_after_a_busy_one_is_the_last_one(void)
{
	struct rotation *o;

	begin();
	begin_to_gather();
	for (int i = 0; i < 50; i++)
		change();
	now += HOUR;
	CHECK_INT(tell(), 51);
	CHECK_INT(change(), ROTATION_GATHERED);
	now += HOUR;
	CHECK((o = rotations_next_due(&r, now)));
	CHECK(rotation_ends(o, now));
	rotations_told(&r, o, now);
	CHECK_INT(change(), ROTATION_TELL);
}

static void hour_with_half_as_many_goes_on(void)
{
	struct rotation *o;

	begin();
	begin_to_gather();
	for (int i = 1; i < ROTATION_CHANGES / 2; i++)
		change();
	now += HOUR;
	CHECK((o = rotations_next_due(&r, now)));
	CHECK(!rotation_ends(o, now));
	rotations_told(&r, o, now);
	CHECK_INT(change(), ROTATION_GATHERED);
	/* A summary that was told before its hour is over does not make it a calm one. */
	for (int i = 1; i < ROTATION_CHANGES / 2; i++)
		change();
	rotations_hurry(&r, now);
	CHECK_INT(tell(), ROTATION_CHANGES / 2);
	now += HOUR;
	CHECK_INT(tell(), 0);
	CHECK_INT(change(), ROTATION_GATHERED);
}

static void name_that_rests_is_forgotten(void)
{
	begin();
	CHECK_INT(change(), ROTATION_TELL);
	CHECK_INT(rotations_next_ms(&r), now + HOUR);
	now += HOUR;
	CHECK_INT(tell(), 0);
	CHECK_INT(r.by_key.count, 0);
	CHECK_INT(rotations_next_ms(&r), UINT64_MAX);
}

static void summary_that_is_too_large_is_due_at_once(void)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;

	begin();
	begin_to_gather();
	for (int i = 0; i < 400; i++)
		strbuf_appendf(&b, "%s45.1.%d.%d", i ? ", " : "", i / 200, i % 200);
	size_t changes = 1, told = 0;
	for (int i = 0; i < 100; i++) {
		change_of("a.example.com", strbuf_text(&b), NULL);
		changes++;
		struct rotation *o = rotations_next_due(&r, now);
		CHECK(!o || o->text.len < ROTATION_TEXT_MAX + b.len + 100);
		CHECK(o || r.bytes < ROTATION_TEXT_MAX);
		told += tell();
	}
	CHECK(told > changes / 2);
	now += HOUR;
	CHECK_INT(told + tell(), changes);
}

static void all_together_are_bounded(void)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;
	size_t told = 0, gathered = 0;
	char name[32];

	begin();
	for (int i = 0; i < 600; i++)
		strbuf_appendf(&b, "%s45.1.%d.%d", i ? ", " : "", i / 200, i % 200);
	for (int round = 0; round < ROTATION_CHANGES + 3; round++) {
		for (int i = 0; i < 2000; i++) {
			snprintf(name, sizeof(name), "n%d.example.com", i);
			gathered += change_of(name, strbuf_text(&b), NULL) != ROTATION_TELL;
			told += tell();
			CHECK(r.bytes <= ROTATION_ALL_MAX);
		}
	}
	CHECK(told > 0 && told < gathered);
	rotations_hurry(&r, now);
	CHECK_INT(told + tell(), gathered);
	CHECK_INT(r.bytes, 0);
}

/* A month of names that change their ways: each change is told once, by itself or in a summary. */
static void none_is_lost_or_told_twice(void)
{
	static const char *const names[] = {"a.example", "b.example", "c.example"};
	unsigned pause_s[ARRAY_LEN(names)] = {10, 600, 3600};
	uint64_t next[ARRAY_LEN(names)] = {0};
	size_t changes = 0, told = 0, by_itself = 0;

	begin();
	uint64_t end = now + 30 * 24 * (uint64_t)HOUR;
	while (now < end) {
		now += 5000;
		for (size_t i = 0; i < ARRAY_LEN(names); i++) {
			if (now < next[i])
				continue;
			next[i] = now + random_below(2000 * pause_s[i]);
			if (random_below(200) == 0)
				pause_s[i] = 1 + random_below(7200);
			changes++;
			by_itself += change_of(names[i], "45.1.1.1", NULL) == ROTATION_TELL;
		}
		told += tell();
		CHECK(rotations_next_ms(&r) > now);
	}
	rotations_hurry(&r, now);
	CHECK_INT(told + tell() + by_itself, changes);
	CHECK(by_itself > 100 && told > 100);
}

int main(void)
{
	random_begin(8);
	TAP_RUN(changes_that_are_few_are_told_by_themselves);
	TAP_RUN(one_more_within_an_hour_begins_and_the_next_is_gathered);
	TAP_RUN(each_name_set_and_endpoint_is_judged_by_itself);
	TAP_RUN(only_what_dns_makes_of_a_name_is_gathered);
	TAP_RUN(summary_has_each_change_with_its_time_and_generation);
	TAP_RUN(there_is_one_summary_an_hour_while_it_rotates);
	TAP_RUN(calm_hour_is_the_last_one);
	TAP_RUN(calm_hour_after_a_busy_one_is_the_last_one);
	TAP_RUN(hour_with_half_as_many_goes_on);
	TAP_RUN(name_that_rests_is_forgotten);
	TAP_RUN(summary_that_is_too_large_is_due_at_once);
	TAP_RUN(all_together_are_bounded);
	TAP_RUN(none_is_lost_or_told_twice);
	rotations_done(&r);
	return tap_done();
}
