/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The resolver's questions: from which port, how many at a time, to whom, and how they come back.
 */
#include "resolver_fixture.h"

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

enum {
	CHILD_NO_NAMESPACE = 77,
	ENOUGH_OF_20 = 17, /* distinct random numbers: fewer come once in 10^12 runs */
};

static size_t distinct(const uint16_t *v, size_t n)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		size_t j = 0;

		while (j < i && v[j] != v[i])
			j++;
		found += j == i;
	}
	return found;
}

static void test_one_question_is_answered(void)
{
	begin(1, NEVER_MS);
	serve("127.0.0.1", NULL);
	start();
	ask("ok.example.test", 5);
	run(1);
	CHECK_INT(f.replies[0].cookie, 5);
	CHECK_INT(parse(0, "ok.example.test")->count, 1);
	char want[32];
	snprintf(want, sizeof(want), "127.0.0.1:%u", f.servers[0]->port);
	CHECK_STR(f.replies[0].server, want);
	CHECK_STR(resolver_server_list(f.resolver), want);
	CHECK_INT(strcasecmp(f.servers[0]->notes[0].name, "ok.example.test"), 0);
	const struct resolver_stats *s = resolver_stats(f.resolver);
	CHECK_INT(s->lookups, 1);
	CHECK_INT(s->queries, 1);
	CHECK_INT(s->failed, 0);
	CHECK_INT(s->tcp, 0);
	CHECK_INT(s->in_flight, 0);
	CHECK_INT(s->waiting, 0);
}

static void test_v6_addresses_are_asked_for(void)
{
	begin(1, NEVER_MS);
	serve("127.0.0.1", NULL);
	start();
	resolver_ask(f.resolver, "ok.example.test", FAMILY_V6, RESOLVER_FIRST, NULL);
	run(1);
	struct answer a;
	answer_parse(f.replies[0].message, f.replies[0].len, "ok.example.test", FAMILY_V6, &a);
	CHECK_INT(a.outcome, ANSWER_OK);
	CHECK_INT(a.count, 1);
	answer_done(&a);
}

static void test_each_of_20_questions_has_a_new_port_and_id(void)
{
	uint16_t ports[20], ids[20];

	begin(1, NEVER_MS);
	serve("127.0.0.1", NULL);
	start();
	f.on_reply = ask_again;
	ask("ok.example.test", 0);
	run(20);
	for (size_t i = 0; i < 20; i++) {
		ports[i] = f.servers[0]->notes[i].port;
		ids[i] = f.servers[0]->notes[i].id;
	}
	CHECK(resolver_stats(f.resolver)->slots <= 2);
	CHECK(distinct(ports, 20) >= ENOUGH_OF_20);
	CHECK(distinct(ids, 20) >= ENOUGH_OF_20);
}

static void test_questions_from_the_queue_have_new_ports_too(void)
{
	static uint16_t ports[400];

	begin(1, NEVER_MS);
	serve("127.0.0.1", NULL);
	start();
	for (size_t i = 0; i < ARRAY_LEN(ports); i++)
		ask("ok.example.test", i);
	run(ARRAY_LEN(ports));
	for (size_t i = 0; i < ARRAY_LEN(ports); i++)
		ports[i] = f.servers[0]->notes[i].port;
	/* Of 28 000 ports; 3 fewer are to be expected. */
	CHECK(distinct(ports, ARRAY_LEN(ports)) >= ARRAY_LEN(ports) - 40);
}

static bool eight_are_held(void)
{
	return f.servers[0]->held_count == 8;
}

static void test_questions_at_the_same_time_have_ports_of_their_own(void)
{
	uint16_t ports[8];

	begin(1, NEVER_MS);
	serve("127.0.0.1", "hold");
	start();
	for (size_t i = 0; i < 8; i++)
		ask("ok.example.test", i);
	f.is_done = eight_are_held;
	run(0);
	for (size_t i = 0; i < 8; i++)
		ports[i] = f.servers[0]->notes[i].port;
	CHECK_INT(distinct(ports, 8), 8);
	CHECK_INT(resolver_stats(f.resolver)->in_flight, 8);
}

static void test_truncated_answer_comes_whole_over_tcp(void)
{
	begin(1, NEVER_MS);
	serve("127.0.0.1", NULL);
	start();
	ask("many.example.test", 0);
	run(1);
	CHECK_INT(parse(0, "many.example.test")->count, RESPONDER_MANY);
	CHECK_INT(f.servers[0]->note_count, 2);
	CHECK(f.servers[0]->notes[1].tcp);
	CHECK_INT(resolver_stats(f.resolver)->tcp, 1);
	CHECK_INT(resolver_stats(f.resolver)->queries, 1);
}

static void test_environment_and_hosts_file_have_no_word(void)
{
	char path[] = "/tmp/hostaliasesXXXXXX";
	int fd = mkstemp(path);

	CHECK(fd >= 0);
	dprintf(fd, "alias elsewhere.example.test\n");
	close(fd);
	setenv("HOSTALIASES", path, 1);
	setenv("LOCALDOMAIN", "search.test", 1);
	setenv("RES_OPTIONS", "ndots:15 attempts:9 timeout:1 rotate", 1);
	begin(1, NEVER_MS);
	serve("127.0.0.1", "nx");
	start();
	ask("nosuch.example.test", 0);
	ask("alias", 0);
	ask("localhost", 0);
	run(3);
	unsetenv("HOSTALIASES");
	unsetenv("LOCALDOMAIN");
	unsetenv("RES_OPTIONS");
	unlink(path);
	CHECK_INT(f.servers[0]->note_count, 3);
	for (size_t i = 0; i < 3; i++) {
		const char *name = f.servers[0]->notes[i].name;
		CHECK(strcasecmp(name, "nosuch.example.test") == 0 ||
			strcasecmp(name, "alias") == 0 || strcasecmp(name, "localhost") == 0);
		CHECK_INT(f.replies[i].message[3] & 0x0f, 3);
	}
}

static void release(void *userdata)
{
	for (size_t i = 0; i < f.config.server_count; i++)
		responder_release(f.servers[i]);
	loop_timer_arm(f.pulse, 20);
}

static void test_1000_questions_at_once_are_all_answered_64_at_a_time(void)
{
	bool seen[1000] = {false};

	begin(1, NEVER_MS);
	serve("127.0.0.1", "hold");
	start();
	f.pulse = loop_timer_new(f.loop, release, NULL);
	loop_timer_arm(f.pulse, 20);
	for (size_t i = 0; i < 1000; i++)
		ask("ok.example.test", i);
	CHECK_INT(resolver_stats(f.resolver)->in_flight, 8);
	CHECK_INT(resolver_stats(f.resolver)->waiting, 992);
	run(1000);
	for (size_t i = 0; i < 1000; i++) {
		CHECK_INT(f.replies[i].status, RESOLVER_ANSWERED);
		CHECK(!seen[f.replies[i].cookie]);
		seen[f.replies[i].cookie] = true;
	}
	CHECK_INT(f.servers[0]->note_count, 1000);
	CHECK(f.servers[0]->held_most <= 64);
	CHECK(f.servers[0]->held_most > 8);
	CHECK(resolver_stats(f.resolver)->slots <= 64);
}

static void test_one_server_has_no_more_at_a_time_than_its_window(void)
{
	for (unsigned every = 0; every < 2; every++) {
		begin(1, NEVER_MS);
		f.breadth = every ? RESOLVER_EVERY : RESOLVER_FIRST;
		f.config.max_in_flight = 3;
		serve("127.0.0.1", "hold");
		serve("127.0.0.1", "servfail");
		start();
		f.pulse = loop_timer_new(f.loop, release, NULL);
		loop_timer_arm(f.pulse, 20);
		for (size_t i = 0; i < 100; i++)
			ask("ok.example.test", i);
		run(100);
		for (size_t i = 0; i < 100; i++)
			CHECK(f.replies[i].good[0]);
		CHECK_INT(f.servers[0]->note_count, 100);
		CHECK_INT(f.servers[0]->held_most, 3);
		CHECK_INT(resolver_stats(f.resolver)->waiting, 0);
	}
}

static void test_questions_that_move_on_wait_for_the_next_servers_window(void)
{
	begin(1, NEVER_MS);
	f.config.max_in_flight = 2;
	serve("127.0.0.1", "servfail");
	serve("127.0.0.1", "hold");
	start();
	f.pulse = loop_timer_new(f.loop, release, NULL);
	loop_timer_arm(f.pulse, 20);
	for (size_t i = 0; i < 100; i++)
		ask("ok.example.test", i);
	run(100);
	CHECK_INT(f.servers[1]->held_most, 2);
	CHECK_INT(resolver_stats(f.resolver)->failed, 0);
}

static bool two_have_moved_on(void)
{
	return f.servers[0]->note_count == 2;
}

static void test_the_room_of_what_moves_on_is_used_at_once(void)
{
	begin(1, NEVER_MS);
	f.config.max_in_flight = 1;
	serve("127.0.0.1", "servfail");
	serve("127.0.0.1", "hold");
	start();
	for (size_t i = 0; i < 3; i++)
		ask("ok.example.test", i);
	f.is_done = two_have_moved_on; /* while the first is held */
	run(0);
	CHECK_INT(f.count, 0);
}

static void test_one_server_has_no_more_a_second_than_its_rate(void)
{
	enum { COUNT = 50, RATE = 100, BURST = RATE / 10 };

	for (unsigned every = 0; every < 2; every++) {
		begin(1, NEVER_MS);
		f.breadth = every ? RESOLVER_EVERY : RESOLVER_FIRST;
		f.config.max_rate = RATE;
		serve("127.0.0.1", NULL);
		serve("127.0.0.1", NULL);
		start();
		uint64_t start_ms = loop_now_ms();
		for (size_t i = 0; i < COUNT; i++)
			ask("ok.example.test", i);
		CHECK(resolver_stats(f.resolver)->queries <= 2 * BURST);
		run(COUNT);
		CHECK(loop_now_ms() - start_ms >= (COUNT - BURST) * 1000 / RATE);
		CHECK_INT(f.servers[0]->note_count, COUNT);
		CHECK_INT(f.servers[1]->note_count, every ? COUNT : 0);
	}
}

static void test_with_a_rate_what_was_lost_once_is_asked_again_behind_all_others(void)
{
	enum { COUNT = 120, RATE = 100, WAIT_MS = 250 };

	begin(2, WAIT_MS);
	f.config.max_rate = RATE;
	serve("127.0.0.1", NULL);
	start();
	ask("second.example.test", COUNT);
	for (size_t i = 0; i < COUNT; i++)
		ask("ok.example.test", i);
	run(COUNT + 1);
	/* It waited for longer than two timeouts, and was not given up. */
	for (size_t i = 0; i <= COUNT; i++)
		CHECK_INT(f.replies[i].status, RESOLVER_ANSWERED);
	CHECK_INT(f.replies[COUNT].cookie, COUNT);
}

static void test_with_a_rate_a_slow_server_has_all_its_time(void)
{
	enum { RATE = 100, SLOW_MS = 100 };

	begin(1, 16 * SLOW_MS); /* an eighth of it is too short */
	f.config.max_rate = RATE;
	serve("127.0.0.1", "hold");
	start();
	f.pulse = loop_timer_new(f.loop, release, NULL);
	loop_timer_arm(f.pulse, 3 * SLOW_MS);
	for (size_t i = 0; i < 12; i++)
		ask("ok.example.test", i);
	run(12);
	for (size_t i = 0; i < 12; i++)
		CHECK_INT(f.replies[i].status, RESOLVER_ANSWERED);
	CHECK_INT(f.servers[0]->note_count, 12);
}

static void test_servers_have_texts_by_which_people_know_them(void)
{
	begin(1, NEVER_MS);
	add_server("127.0.0.1", 53);
	memcpy(add_server("fe80::1", 5353)->scope, "eth0", 5);
	start();
	CHECK_INT(resolver_server_count(f.resolver), 2);
	CHECK_STR(resolver_server_list(f.resolver), "127.0.0.1, [fe80::1%eth0]:5353");
	begin(1, NEVER_MS);
	add_server("45.0.0.1", 5353);
	memcpy(add_server("fe80::1", 0)->scope, "eth0", 5);
	start();
	CHECK_STR(resolver_server_list(f.resolver), "45.0.0.1:5353, fe80::1%eth0");
}

/* In a network namespace of its own, with fe80::1 on its loopback interface. */
static void ask_link_local(void)
{
	struct ifreq up = {.ifr_name = "lo"};
	/* What the kernel reads, and as much as valgrind believes that it does. */
	union {
		struct ifreq any;
		struct {
			struct in6_addr addr;
			uint32_t prefix_len;
			int index;
		} v6;
	} in6 = {.any = {.ifr_name = ""}};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	up.ifr_flags = IFF_UP;
	in6.v6.prefix_len = 64;
	in6.v6.index = (int)if_nametoindex("lo");
	CHECK_INT(inet_pton(AF_INET6, "fe80::1", &in6.v6.addr), 1);
	CHECK_INT(ioctl(fd, SIOCSIFFLAGS, &up), 0);
	CHECK_INT(ioctl(fd, SIOCSIFADDR, &in6), 0);
	/* The kernel takes an address into use a little later. */
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = in6.v6.addr};
	a.sin6_scope_id = (uint32_t)in6.v6.index;
	for (unsigned tries = 0; bind(fd, (void *)&a, sizeof(a)) < 0; tries++) {
		CHECK(tries < 10000);
		usleep(1000);
	}
	close(fd);
	begin(1, NEVER_MS);
	f.servers[0] = responder_new(f.loop, "fe80::1", if_nametoindex("lo"));
	memcpy(add_server("fe80::1", f.servers[0]->port)->scope, "lo", 3);
	start();
	CHECK_INT(resolver_skipped_count(f.resolver), 0);
	ask("many.example.test", 0);
	run(1);
	CHECK_INT(parse(0, "many.example.test")->count, RESPONDER_MANY);
}

static void test_link_local_server_answers(void)
{
	end(); /* what parent and child would share */
	fflush(stdout);
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (unshare(CLONE_NEWNET) < 0)
			_exit(CHILD_NO_NAMESPACE);
		int failed = setjmp(tap_escape);
		if (!failed)
			ask_link_local();
		fflush(stdout);
		_exit(failed);
	}
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	if (WEXITSTATUS(status) == CHILD_NO_NAMESPACE)
		TAP_SKIP("needs root for a network namespace of its own");
	CHECK_INT(WEXITSTATUS(status), 0);
}

static void test_v6_server_answers(void)
{
	if (!has_v6())
		TAP_SKIP("::1 is not there");
	begin(1, NEVER_MS);
	serve("::1", NULL);
	start();
	ask("many.example.test", 0);
	run(1);
	CHECK_INT(parse(0, "many.example.test")->count, RESPONDER_MANY);
}

static void begin_from(const char *source, const char *server)
{
	struct addr a;

	begin(1, NEVER_MS);
	CHECK(addr_parse(source, &a));
	f.config.source.given[a.family] = true;
	f.config.source.addr[a.family] = a;
	serve(server, NULL);
	start();
}

static void test_questions_come_from_the_address_that_was_asked_for(void)
{
	begin_from("127.0.0.7", "127.0.0.1");
	ask("many.example.test", 0);
	run(1);
	CHECK_INT(f.servers[0]->note_count, 2); /* UDP, TCP */
	for (size_t i = 0; i < 2; i++)
		CHECK_STR(f.servers[0]->notes[i].from, "127.0.0.7");
	/* The other family is none of its business. */
	begin_from("2001:db8::7", "127.0.0.1");
	ask("ok.example.test", 0);
	run(1);
	CHECK_STR(f.servers[0]->notes[0].from, "127.0.0.1");
}

static void test_an_address_that_is_not_here_reaches_nobody(void)
{
	struct resolver_server s;

	begin_from("192.0.2.7", "127.0.0.1");
	ask("ok.example.test", 0);
	run(1);
	CHECK_INT(f.replies[0].status, RESOLVER_TIMEOUT);
	CHECK_INT(f.servers[0]->note_count, 0);
	resolver_server(f.resolver, 0, &s);
	CHECK_INT(s.outcome, SERVER_UNREACHABLE);
}

static void test_a_server_on_an_interface_that_is_not_here_reaches_nobody(void)
{
	begin(1, NEVER_MS);
	memcpy(add_server("fe80::1", 53)->scope, "nowhere0", 9);
	start();
	for (size_t i = 1; i <= 3; i++) {
		ask("ok.example.test", 0);
		run(i);
		CHECK_INT(f.replies[i - 1].status, RESOLVER_TIMEOUT);
	}
}

int main(void)
{
	TAP_RUN(test_one_question_is_answered);
	TAP_RUN(test_v6_addresses_are_asked_for);
	TAP_RUN(test_each_of_20_questions_has_a_new_port_and_id);
	TAP_RUN(test_questions_from_the_queue_have_new_ports_too);
	TAP_RUN(test_questions_at_the_same_time_have_ports_of_their_own);
	TAP_RUN(test_truncated_answer_comes_whole_over_tcp);
	TAP_RUN(test_environment_and_hosts_file_have_no_word);
	TAP_RUN(test_1000_questions_at_once_are_all_answered_64_at_a_time);
	TAP_RUN(test_one_server_has_no_more_at_a_time_than_its_window);
	TAP_RUN(test_questions_that_move_on_wait_for_the_next_servers_window);
	TAP_RUN(test_the_room_of_what_moves_on_is_used_at_once);
	TAP_RUN(test_one_server_has_no_more_a_second_than_its_rate);
	TAP_RUN(test_with_a_rate_what_was_lost_once_is_asked_again_behind_all_others);
	TAP_RUN(test_with_a_rate_a_slow_server_has_all_its_time);
	TAP_RUN(test_servers_have_texts_by_which_people_know_them);
	TAP_RUN(test_v6_server_answers);
	TAP_RUN(test_questions_come_from_the_address_that_was_asked_for);
	TAP_RUN(test_an_address_that_is_not_here_reaches_nobody);
	TAP_RUN(test_link_local_server_answers);
	TAP_RUN(test_a_server_on_an_interface_that_is_not_here_reaches_nobody);
	end();
	return tap_done();
}
