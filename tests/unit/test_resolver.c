/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The resolver against servers on loopback that answer, lie or say nothing. */
#include "edge/resolver.h"

#include "allowsync/answer.h"
#include "base/mem.h"
#include "responder.h"
#include "tap.h"

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

enum {
	NEVER_MS = 3600 * 1000, /* a deadline that must not be needed: the test would not end */
	SOON_MS = 50,           /* one that must be */
	REPLIES_MAX = 2000,
	CHILD_NO_NAMESPACE = 77,
	CHILD_NO_SCOPES = 78,
	ENOUGH_OF_20 = 17, /* distinct random numbers: fewer come once in 10^12 runs */
};

struct reply {
	enum resolver_status status;
	uint8_t *message;
	size_t len;
	char server[80];
	size_t cookie;
};

static struct fixture {
	struct loop *loop;
	struct responder *servers[2];
	struct config_server config_servers[2];
	struct config_resolver config;
	struct resolver *resolver;
	struct reply replies[REPLIES_MAX];
	size_t count, want;
	bool asking;
	void (*on_reply)(void);
	bool (*is_done)(void);
	struct loop_timer *pulse;
} f;

/* Of the test before, too, when it was left by a failed check. */
static void end(void)
{
	resolver_free(f.resolver);
	for (size_t i = 0; i < ARRAY_LEN(f.servers); i++)
		responder_free(f.servers[i]);
	loop_timer_free(f.pulse);
	loop_free(f.loop);
	for (size_t i = 0; i < f.count; i++)
		free(f.replies[i].message);
	memset(&f, 0, sizeof(f));
}

static void begin(unsigned tries, uint32_t timeout_ms)
{
	end();
	f.config = (struct config_resolver){.tries = tries, .timeout_ms = timeout_ms};
	f.config.servers = f.config_servers;
	CHECK_INT(loop_new(&f.loop), 0);
}

static struct config_server *add_server(const char *addr, uint16_t port)
{
	struct config_server *s = &f.config_servers[f.config.server_count++];

	s->port = port;
	CHECK(addr_parse(addr, &s->addr));
	return s;
}

static struct responder *serve(const char *addr, const char *mode)
{
	struct responder *r = responder_new(f.loop, addr, 0);

	f.servers[f.config.server_count] = r;
	r->mode = mode;
	add_server(addr, r->port);
	return r;
}

static void on_reply(void *userdata, const struct resolver_reply *reply)
{
	struct reply *r = &f.replies[f.count++];

	if (f.asking) {
		printf("Bail out! a reply from inside resolver_ask()\n");
		exit(1);
	}
	r->status = reply->status;
	r->len = reply->status == RESOLVER_ANSWERED ? reply->len : 0;
	r->message = r->len ? xmemdup(reply->message, r->len) : NULL;
	r->cookie = (size_t)((const char *)reply->cookie - (const char *)&f);
	snprintf(r->server, sizeof(r->server), "%s", reply->server);
	if (f.on_reply)
		f.on_reply();
}

static void start(void)
{
	CHECK_INT(resolver_new(f.loop, &f.config, NULL, on_reply, NULL, &f.resolver), 0);
}

static void ask(const char *name, size_t cookie)
{
	f.asking = true;
	resolver_ask(f.resolver, name, FAMILY_V4, (char *)&f + cookie);
	f.asking = false;
}

static void turn(void *userdata)
{
	if (f.is_done ? f.is_done() : f.count >= f.want)
		loop_stop(f.loop);
}

static void run(size_t want)
{
	f.want = want;
	CHECK_INT(loop_run(f.loop, turn, NULL), 0);
	if (!f.is_done)
		CHECK_INT(f.count, want);
}

static struct answer parsed;

static const struct answer *parse(size_t i, const char *name)
{
	answer_done(&parsed);
	CHECK_INT(f.replies[i].status, RESOLVER_ANSWERED);
	answer_parse(f.replies[i].message, f.replies[i].len, name, FAMILY_V4, &parsed);
	return &parsed;
}

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
	resolver_ask(f.resolver, "ok.example.test", FAMILY_V6, NULL);
	run(1);
	struct answer a;
	answer_parse(f.replies[0].message, f.replies[0].len, "ok.example.test", FAMILY_V6, &a);
	CHECK_INT(a.outcome, ANSWER_OK);
	CHECK_INT(a.count, 1);
	answer_done(&a);
}

static void ask_again(void)
{
	if (f.count < f.want)
		ask("ok.example.test", 0);
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

static void test_dead_first_server_is_passed_over(void)
{
	/* Many rounds: the second server's answer may be late on a slow machine, once. */
	begin(100, SOON_MS);
	struct responder *dead = serve("127.0.0.1", "silent"), *fine = serve("127.0.0.1", NULL);
	start();
	ask("ok.example.test", 0);
	run(1);
	CHECK_INT(parse(0, "ok.example.test")->count, 1);
	CHECK(strstr(f.replies[0].server, ":") != NULL);
	CHECK_INT(strtol(strchr(f.replies[0].server, ':') + 1, NULL, 10), fine->port);
	CHECK(dead->note_count >= 1);
}

static void test_servfail_and_refused_move_on_to_the_next_server_at_once(void)
{
	static const char *const modes[] = {"servfail", "refused"};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		begin(1, NEVER_MS);
		serve("127.0.0.1", modes[i]);
		serve("127.0.0.1", NULL);
		start();
		ask("ok.example.test", 0);
		run(1);
		CHECK_INT(parse(0, "ok.example.test")->outcome, ANSWER_OK);
		CHECK_INT(f.servers[0]->note_count, 1);
		CHECK_INT(resolver_stats(f.resolver)->queries, 2);
		CHECK_INT(resolver_stats(f.resolver)->failed, 0);
	}
}

static void test_closed_port_moves_on_to_the_next_server_at_once(void)
{
	begin(1, NEVER_MS);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage a = {0};
	socklen_t len = sizeof(a);
	((struct sockaddr_in *)&a)->sin_family = AF_INET;
	CHECK_INT(bind(fd, (void *)&a, sizeof(struct sockaddr_in)), 0);
	CHECK_INT(getsockname(fd, (void *)&a, &len), 0);
	close(fd); /* nobody is there now */
	add_server("127.0.0.1", responder_port_of(&a));
	serve("127.0.0.1", NULL);
	start();
	ask("ok.example.test", 0);
	run(1);
	CHECK_INT(parse(0, "ok.example.test")->outcome, ANSWER_OK);
}

static void test_nxdomain_ends_the_search(void)
{
	begin(3, NEVER_MS);
	serve("127.0.0.1", "nx");
	serve("127.0.0.1", NULL);
	start();
	ask("ok.example.test", 0);
	run(1);
	CHECK_INT(parse(0, "ok.example.test")->outcome, ANSWER_NXDOMAIN);
	CHECK_INT(f.servers[1]->note_count, 0);
	CHECK_INT(resolver_stats(f.resolver)->failed, 0);
}

static void test_poor_answers_are_given_when_there_is_nothing_better(void)
{
	begin(3, NEVER_MS);
	serve("127.0.0.1", "refused");
	struct responder *second = serve("127.0.0.1", "servfail");
	start();
	ask("ok.example.test", 0);
	run(1);
	CHECK_INT(parse(0, "ok.example.test")->outcome, ANSWER_SERVFAIL);
	CHECK_INT(strtol(strchr(f.replies[0].server, ':') + 1, NULL, 10), second->port);
	/* Each said what it had to say once. */
	CHECK_INT(f.servers[0]->note_count, 1);
	CHECK_INT(f.servers[1]->note_count, 1);
	CHECK_INT(resolver_stats(f.resolver)->failed, 1);
}

static void test_servfail_is_kept_over_silence(void)
{
	begin(2, SOON_MS);
	serve("127.0.0.1", "silent");
	serve("127.0.0.1", "servfail");
	start();
	ask("ok.example.test", 0);
	run(1);
	CHECK_INT(parse(0, "ok.example.test")->outcome, ANSWER_SERVFAIL);
	CHECK_INT(f.servers[0]->note_count, 2);
}

static void test_silence_ends_after_all_rounds(void)
{
	begin(3, SOON_MS);
	serve("127.0.0.1", "silent");
	serve("127.0.0.1", "silent");
	start();
	ask("ok.example.test", 0);
	run(1);
	CHECK_INT(f.replies[0].status, RESOLVER_TIMEOUT);
	CHECK_INT(resolver_stats(f.resolver)->queries, 6);
	CHECK_INT(resolver_stats(f.resolver)->failed, 1);
	CHECK_INT(strtol(strchr(f.replies[0].server, ':') + 1, NULL, 10), f.servers[1]->port);
}

static void test_wrong_id_and_wrong_question_are_no_answer(void)
{
	static const char *const modes[] = {"wrongid", "wrongname"};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		begin(1, SOON_MS);
		serve("127.0.0.1", modes[i]);
		start();
		ask("ok.example.test", 0);
		run(1);
		CHECK_INT(f.replies[0].status, RESOLVER_TIMEOUT);
	}
	begin(1, NEVER_MS);
	serve("127.0.0.1", "forged"); /* both, then the right one */
	start();
	ask("ok.example.test", 0);
	run(1);
	CHECK_INT(parse(0, "ok.example.test")->outcome, ANSWER_OK);
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
	responder_release(f.servers[0]);
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

static bool some_have_arrived(void)
{
	return f.servers[0]->note_count >= 8;
}

static void test_freed_with_questions_under_way_no_reply_comes(void)
{
	begin(3, NEVER_MS);
	serve("127.0.0.1", "silent");
	start();
	for (size_t i = 0; i < 100; i++)
		ask("ok.example.test", i);
	f.is_done = some_have_arrived;
	run(0);
	f.resolver = resolver_free(f.resolver);
	CHECK_INT(f.count, 0);
	CHECK(!resolver_free(NULL));
}

static void test_freed_in_the_middle_of_tcp(void)
{
	begin(3, NEVER_MS);
	serve("127.0.0.1", NULL);
	f.servers[0]->conn = 0; /* accepts nobody */
	start();
	ask("many.example.test", 0);
	f.is_done = some_have_arrived;
	f.servers[0]->note_count = 7;
	run(0);
	f.resolver = resolver_free(f.resolver);
	f.servers[0]->conn = -1;
	CHECK_INT(f.count, 0);
}

static void test_no_server_is_a_timeout_from_the_loop(void)
{
	begin(3, NEVER_MS);
	CHECK_INT(resolver_new(f.loop, &f.config, "/nonexistent/resolv.conf", on_reply, NULL,
			  &f.resolver),
		0);
	CHECK_INT(resolver_server_count(f.resolver), 0);
	CHECK_STR(resolver_server_list(f.resolver), "");
	f.on_reply = ask_again;
	ask("ok.example.test", 0);
	run(3);
	CHECK_INT(f.replies[2].status, RESOLVER_TIMEOUT);
	CHECK_STR(f.replies[2].server, "");
}

static void test_a_name_that_cannot_be_asked_fails_alone(void)
{
	static char overlong[300];

	memset(overlong, 'a', sizeof(overlong) - 1);
	begin(2, NEVER_MS);
	serve("127.0.0.1", NULL);
	start();
	ask("a..b", 0);
	ask(overlong, 1);
	ask(overlong + 299 - 64, 2);
	run(3);
	for (size_t i = 0; i < 3; i++)
		CHECK_INT(f.replies[i].status, RESOLVER_TIMEOUT);
	CHECK_INT(f.servers[0]->note_count, 0);
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
	struct {
		struct in6_addr addr;
		uint32_t prefix_len;
		int index;
	} in6 = {.prefix_len = 64, .index = (int)if_nametoindex("lo")};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	up.ifr_flags = IFF_UP;
	CHECK_INT(inet_pton(AF_INET6, "fe80::1", &in6.addr), 1);
	CHECK_INT(ioctl(fd, SIOCSIFFLAGS, &up), 0);
	CHECK_INT(ioctl(fd, SIOCSIFADDR, &in6), 0);
	/* The kernel takes an address into use a little later. */
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = in6.addr};
	a.sin6_scope_id = (uint32_t)in6.index;
	for (unsigned tries = 0; bind(fd, (void *)&a, sizeof(a)) < 0; tries++) {
		CHECK(tries < 10000);
		usleep(1000);
	}
	close(fd);
	begin(1, NEVER_MS);
	f.servers[0] = responder_new(f.loop, "fe80::1", if_nametoindex("lo"));
	memcpy(add_server("fe80::1", f.servers[0]->port)->scope, "lo", 3);
	start();
	if (resolver_skipped_count(f.resolver) > 0)
		longjmp(tap_escape, CHILD_NO_SCOPES);
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
	if (WEXITSTATUS(status) == CHILD_NO_SCOPES)
		TAP_SKIP("this c-ares knows no link-local servers");
	if (WEXITSTATUS(status) == CHILD_NO_NAMESPACE)
		TAP_SKIP("needs root for a network namespace of its own");
	CHECK_INT(WEXITSTATUS(status), 0);
}

static void test_v6_server_answers(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int r = bind(fd, (void *)&a, sizeof(a));

	close(fd);
	if (r < 0)
		TAP_SKIP("::1 is not there");
	begin(1, NEVER_MS);
	serve("::1", NULL);
	start();
	ask("many.example.test", 0);
	run(1);
	CHECK_INT(parse(0, "many.example.test")->count, RESPONDER_MANY);
}

int main(void)
{
	TAP_RUN(test_one_question_is_answered);
	TAP_RUN(test_v6_addresses_are_asked_for);
	TAP_RUN(test_each_of_20_questions_has_a_new_port_and_id);
	TAP_RUN(test_questions_from_the_queue_have_new_ports_too);
	TAP_RUN(test_questions_at_the_same_time_have_ports_of_their_own);
	TAP_RUN(test_truncated_answer_comes_whole_over_tcp);
	TAP_RUN(test_dead_first_server_is_passed_over);
	TAP_RUN(test_servfail_and_refused_move_on_to_the_next_server_at_once);
	TAP_RUN(test_closed_port_moves_on_to_the_next_server_at_once);
	TAP_RUN(test_nxdomain_ends_the_search);
	TAP_RUN(test_poor_answers_are_given_when_there_is_nothing_better);
	TAP_RUN(test_servfail_is_kept_over_silence);
	TAP_RUN(test_silence_ends_after_all_rounds);
	TAP_RUN(test_wrong_id_and_wrong_question_are_no_answer);
	TAP_RUN(test_environment_and_hosts_file_have_no_word);
	TAP_RUN(test_1000_questions_at_once_are_all_answered_64_at_a_time);
	TAP_RUN(test_freed_with_questions_under_way_no_reply_comes);
	TAP_RUN(test_freed_in_the_middle_of_tcp);
	TAP_RUN(test_no_server_is_a_timeout_from_the_loop);
	TAP_RUN(test_a_name_that_cannot_be_asked_fails_alone);
	TAP_RUN(test_servers_have_texts_by_which_people_know_them);
	TAP_RUN(test_v6_server_answers);
	TAP_RUN(test_link_local_server_answers);
	end();
	answer_done(&parsed);
	return tap_done();
}
