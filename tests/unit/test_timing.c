/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the TTLs in a message to when it is asked again, and to how long addresses linger. */
#include "names_fixture.h"
#include "packet.h"

#include "base/mem.h"

static struct packet p;

/* What the message in `p` makes of the name. */
static void apply_packet(struct name *n)
{
	struct name_family *f = &n->families[FAMILY_V4];
	struct answer a;

	while (names_take_due(&names, now))
		;
	answer_parse(p.bytes, p.len, n->text, FAMILY_V4, &a);
	names_apply(&names, f, &a, "192.0.2.53", now, &changes);
	answer_done(&a);
}

/* How long after the answer it is asked for again. */
static uint64_t pause_ms(const struct name *n)
{
	const struct name_family *f = &n->families[FAMILY_V4];

	CHECK(heap_has(&f->ask));
	return f->ask.due_ms - now;
}

static void check_pause(uint64_t got_ms, uint64_t want_s)
{
	uint64_t jitter_ms = want_s * S / 20 < 500 ? want_s * S / 20 : 500;

	CHECK(got_ms >= want_s * S);
	CHECK(got_ms <= want_s * S + jitter_ms);
}

static void one_record(uint32_t ttl_s)
{
	packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
	packet_a(&p, "x.y", 0x2d000001, ttl_s);
}

static void asked_again_after_its_ttl_between_the_bounds(void)
{
	static const struct {
		uint32_t sent, min_s, max_s, again_s;
	} table[] = {
		{0, 5, 3600, 5},
		{0, 1, 3600, 1},
		{1, 5, 3600, 5},
		{1, 1, 3600, 1},
		{4, 5, 3600, 5},
		{5, 5, 3600, 5},
		{6, 5, 3600, 6},
		{60, 5, 3600, 60},
		{3599, 5, 3600, 3599},
		{3600, 5, 3600, 3600},
		{3601, 5, 3600, 3600},
		{86400, 5, 3600, 3600},
		{86400, 5, 7200, 7200},
		{0x7fffffff, 5, 3600, 3600},
		/* RFC 2181 section 8: with the top bit it counts as 0. */
		{0x80000000, 5, 3600, 5},
		{0x80000000, 1, 3600, 1},
		{0x80000e10, 5, 3600, 5},
		{0xffffffff, 5, 3600, 5},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct config_bounds b = defaults;
		b.refresh_min_s = table[i].min_s;
		b.refresh_max_s = table[i].max_s;
		struct name *n = begin("x.y", b);
		one_record(table[i].sent);
		apply_packet(n);
		check_pause(pause_ms(n), table[i].again_s);
		CHECK_INT(n->families[FAMILY_V4].count, 1);
	}
}

static void smallest_ttl_of_an_answer_says_when_and_the_largest_how_long(void)
{
	static const struct {
		uint32_t ttls[3], cname, again_s, linger_s;
	} table[] = {
		{{1, 60, 3600}, 0xffff, 5, 3600},
		{{300, 300, 301}, 0xffff, 300, 301},
		{{30, 40, 50}, 0xffff, 30, 60},
		{{0, 0, 0}, 0xffff, 5, 60},
		{{0x7fffffff, 0x7fffffff, 0x7fffffff}, 0xffff, 3600, 3600},
		{{0x80000000, 600, 600}, 0xffff, 5, 600},
		{{86400, 600, 700}, 0xffff, 600, 3600},
		/* That of the chain which leads to them bounds all. */
		{{600, 600, 600}, 20, 20, 60},
		{{600, 600, 600}, 500, 500, 500},
		{{600, 600, 600}, 0x80000258, 5, 60},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct name *n = begin("x.y", defaults);
		packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
		packet_cname(&p, "x.y", "z.y", table[i].cname == 0xffff ? 86400 : table[i].cname);
		for (unsigned k = 0; k < 3; k++)
			packet_a(&p, "z.y", 0x2d000001 + k, table[i].ttls[k]);
		apply_packet(n);
		check_pause(pause_ms(n), table[i].again_s);
		CHECK_INT(names_linger_ms(&n->families[FAMILY_V4], now), table[i].linger_s * S);
		/* Each address leaves by its own clock, whatever the others' TTLs are. */
		packet_begin(&p, FLAGS_RECURSED, "x.y", TYPE_A);
		packet_a(&p, "x.y", 0x2d000002, 60);
		now += 5 * S;
		apply_packet(n);
		uint64_t leaves_ms = now + (table[i].linger_s > 60 ? table[i].linger_s : 60) * S;
		names_expire(&names, leaves_ms - 1, &changes);
		CHECK_INT(n->families[FAMILY_V4].count, 3);
	}
}

/* A cache shows what is left of a TTL: it is asked again when that is over, not a whole TTL later,
 * and the linger rests on the largest that was seen of late. */
static void remaining_ttls_of_a_cache_are_followed(void)
{
	struct name *n = begin("x.y", defaults);

	for (uint32_t left = 300; left > 17; left -= 17) {
		one_record(left);
		apply_packet(n);
		check_pause(pause_ms(n), left);
		CHECK_INT(names_linger_ms(&n->families[FAMILY_V4], now), 300 * S);
		now += 17 * S;
	}
	one_record(1); /* at its last second */
	apply_packet(n);
	check_pause(pause_ms(n), 5);
	CHECK_INT(names_linger_ms(&n->families[FAMILY_V4], now), 300 * S);
}

static void negative_ttls_have_bounds_of_their_own(void)
{
	static const struct {
		uint32_t soa, minimum, again_s;
	} table[] = {
		{60, 60, 60},
		{60, 20, 20},
		{20, 60, 20},
		{3600, 3600, 900}, /* at most 15 min */
		{0x7fffffff, 0x7fffffff, 900},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct name *n = begin("x.y", defaults);
		packet_begin(&p, FLAGS_RECURSED | RCODE_NXDOMAIN, "x.y", TYPE_A);
		packet_soa(&p, "y", table[i].soa, table[i].minimum);
		apply_packet(n);
		check_pause(pause_ms(n), table[i].again_s);
	}
}

int main(void)
{
	TAP_RUN(asked_again_after_its_ttl_between_the_bounds);
	TAP_RUN(smallest_ttl_of_an_answer_says_when_and_the_largest_how_long);
	TAP_RUN(remaining_ttls_of_a_cache_are_followed);
	TAP_RUN(negative_ttls_have_bounds_of_their_own);
	names_done(&names);
	name_changes_done(&changes);
	return tap_done();
}
