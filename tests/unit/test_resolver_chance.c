/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whatever servers do, and whoever is swapped meanwhile: each question has one reply. */
#include "resolver_fixture.h"

#include "edge/resolver_private.h"

enum { COUNT = 500 };

static unsigned seen[COUNT];
static size_t next_cookie;

static unsigned chance(unsigned n)
{
	return (unsigned)rand() % n;
}

static const char *any_mode(void)
{
	static const char *const modes[] = {NULL, NULL, NULL, "silent", "servfail", "refused",
		"referral", "nx", "badvers", "hold", "second", "forged", "manyfail", "many"};

	return modes[chance(ARRAY_LEN(modes))];
}

static void ask_any(size_t cookie)
{
	static const char *const labels[] = {"ok", "ok", "ok", "silent", "servfail", "nx", "second",
		"hold", "many", "thirty", "badvers", "manyfail"};
	char name[64];

	snprintf(name, sizeof(name), "%s.n%u.test", labels[chance(ARRAY_LEN(labels))], chance(5));
	f.breadth = chance(2) ? RESOLVER_EVERY : RESOLVER_FIRST;
	ask(name, cookie);
}

static void count_reply(void)
{
	const struct reply *r = &f.replies[f.count - 1];

	seen[r->cookie]++;
	if (next_cookie < COUNT && chance(4))
		ask_any(next_cookie++);
}

static void limit_any(void)
{
	f.config.max_in_flight = chance(2) ? 1 + chance(4) : 0;
	f.config.max_rate = chance(3) ? 0 : 300;
	f.config.server_count = 1 + chance(SERVED_MAX);
}

/* As when resolv.conf changes. */
static void swap(void)
{
	struct resolver *before = f.resolver;

	limit_any();
	start();
	resolver_carry(f.resolver, before);
	resolver_free(before);
	for (size_t i = 0; i < next_cookie; i++)
		if (!seen[i])
			ask_any(i);
}

static void change(struct responder *r)
{
	if (chance(2))
		responder_release(r);
	if (r->note_count > RESPONDER_NOTES_MAX / 2)
		r->note_count = 0;
	if (chance(8))
		return;
	r->mode = any_mode();
	r->edns = chance(EDNS_FORMERR_ONCE + 1);
}

static void pulse(void *userdata)
{
	for (size_t i = 0; i < SERVED_MAX; i++)
		change(f.servers[i]);
	if (chance(30) == 0 && next_cookie < COUNT)
		swap();
	if (next_cookie < COUNT)
		ask_any(next_cookie++);
	loop_timer_arm(f.pulse, chance(10));
}

static bool is_idle(void)
{
	const struct resolver_stats *s = resolver_stats(f.resolver);

	for (size_t i = 0; i < COUNT; i++)
		if (!seen[i])
			return false;
	return s->in_flight == 0 && s->waiting == 0;
}

static void begin_any(unsigned seed)
{
	printf("# seed %u\n", seed);
	srand(seed);
	begin(1 + chance(3), 20 + chance(200));
	memset(seen, 0, sizeof(seen));
	next_cookie = 0;
	for (unsigned i = 0; i < SERVED_MAX; i++)
		serve("127.0.0.1", any_mode());
	limit_any();
	start();
	f.on_reply = count_reply;
	f.is_done = is_idle;
	f.pulse = loop_timer_new(f.loop, pulse, NULL);
	pulse(NULL);
}

static void test_each_question_has_one_reply(void)
{
	for (unsigned seed = 0; seed < 6; seed++) {
		begin_any(seed);
		for (unsigned i = chance(COUNT / 3); i > 0; i--)
			ask_any(next_cookie++);
		run(0);
		for (size_t i = 0; i < COUNT; i++)
			CHECK_INT(seen[i], 1);
		CHECK_INT(f.resolver->kept, 0);
		CHECK_INT(f.resolver->slow, 0);
		for (size_t i = 0; i < f.resolver->servers.count; i++)
			CHECK_INT(f.resolver->servers.in_flight[i], 0);
	}
}

int main(void)
{
	TAP_RUN(test_each_question_has_one_reply);
	end();
	return tap_done();
}
