/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Datagrams that come to the port of a question and are no answer to it: passed over, and counted.
 */
#include "core/server_unmatched.h"
#include "resolver_fixture.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

enum { LONG_MS = 200 }; /* that must be waited for, and is long enough for any answer */

static struct packet p;

/* Instead of the library's: sockets stay open to everybody, and what goes over TCP is noted. */
static bool open_to_all;
static struct sockaddr_in asked;
static unsigned over_tcp;

int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t len)
{
	if (!open_to_all)
		return (int)syscall(SYS_connect, fd, to.__sockaddr__, len);
	memcpy(&asked, to.__sockaddr__, sizeof(asked));
	return 0;
}

ssize_t sendto(
	int fd, const void *bytes, size_t len, int flags, __CONST_SOCKADDR_ARG to, socklen_t to_len)
{
	int type = 0;
	socklen_t size = sizeof(type);

	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
	over_tcp += type == SOCK_STREAM;
	if (open_to_all && !to.__sockaddr__)
		return syscall(SYS_sendto, fd, bytes, len, flags, &asked, sizeof(asked));
	return syscall(SYS_sendto, fd, bytes, len, flags, to.__sockaddr__, to_len);
}

/* Of older c-ares; one part is all that there is. */
ssize_t writev(int fd, const struct iovec *parts, int count)
{
	return sendto(fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL, NULL, 0);
}

static unsigned told;
static uint64_t told_count;
static char told_server[80];

static void on_news(void *userdata, const struct resolver_news *n)
{
	if (n->kind != RESOLVER_SERVER_UNMATCHED)
		return;
	told++;
	told_count = n->unmatched;
	snprintf(told_server, sizeof(told_server), "%s", n->server);
}

static bool is_held(void)
{
	return f.servers[0]->held_count > 0;
}

/* A question is open, at a server that waits. */
static const struct responder_held *open_question(const char *name)
{
	size_t before = f.servers[0]->held_count;

	CHECK_INT(before, 0);
	ask(name, 0);
	f.is_done = is_held;
	run(0);
	f.is_done = NULL;
	return &f.servers[0]->held[0];
}

static const struct responder_held *begin_question(const char *server)
{
	told = 0;
	begin(1, NEVER_MS);
	serve(server, "hold");
	start();
	resolver_watch_servers(f.resolver, on_news);
	return open_question("ok.example.test");
}

static void send_from(int fd, const void *bytes, size_t len)
{
	const struct responder_held *q = &f.servers[0]->held[0];

	CHECK_INT(sendto(fd, bytes, len, 0, (const void *)&q->from, q->from_len), len);
}

/* From the server. */
static void throw_in(const void *bytes, size_t len)
{
	send_from(f.servers[0]->udp, bytes, len);
}

/* "name has 45.102.102.102", as somebody would have us believe. */
static void forge(const char *name, unsigned type, uint16_t id)
{
	packet_begin(&p, FLAGS_RECURSED, name, type);
	packet_a(&p, name, 0x2d666666, 86400);
	p.bytes[0] = (uint8_t)(id >> 8);
	p.bytes[1] = (uint8_t)id;
}

static void throw_wrong_ids(unsigned count)
{
	const struct responder_held *q = &f.servers[0]->held[0];

	for (unsigned i = 1; i <= count; i++) {
		forge(q->name, q->type, (uint16_t)(q->id + i));
		throw_in(p.bytes, p.len);
	}
}

static uint64_t unmatched(void)
{
	struct resolver_server s;

	resolver_server(f.resolver, 0, &s);
	return s.unmatched;
}

static void is_right(size_t i)
{
	const struct answer *a = parse(i, "ok.example.test");

	CHECK_INT(a->outcome, ANSWER_OK);
	CHECK_INT(a->count, 1);
	CHECK_INT(a->addresses[0].addr.bytes[0], 45);
	CHECK_INT(a->addresses[0].addr.bytes[3], 1);
}

static void release_and_wait(void)
{
	responder_release(f.servers[0]);
	run(f.count + 1);
}

/* Newer c-ares ask in random letters (0x20), which are part of the question. */
static bool mixes_letters(const char *name)
{
	return strpbrk(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

static void take_behind_wrong_ones(const char *server)
{
	static const uint8_t noise[300] = {0xff, 0xfe};
	const struct responder_held *q = begin_question(server);
	uint64_t count = 0;

	throw_in("", 0);
	throw_in("x", 1);
	throw_in(noise, 11);
	throw_in(noise, sizeof(noise));
	count += 4;
	throw_wrong_ids(3);
	count += 3;
	forge("other.example.test", q->type, q->id);
	throw_in(p.bytes, p.len);
	forge(q->name, TYPE_AAAA, q->id);
	throw_in(p.bytes, p.len);
	forge(q->name, q->type, q->id);
	throw_in(p.bytes, 12); /* our id, and nothing else */
	p.bytes[5] = 0;
	throw_in(p.bytes, 12);
	count += 4;
	if (mixes_letters(q->name)) {
		forge("ok.example.test", q->type, q->id);
		throw_in(p.bytes, p.len);
		count++;
	}
	release_and_wait();
	is_right(0);
	CHECK_INT(unmatched(), count);
	CHECK_INT(resolver_stats(f.resolver)->queries, 1);
	CHECK_INT(told, 0);
}

static void test_the_right_answer_behind_wrong_ones_is_taken(void)
{
	take_behind_wrong_ones("127.0.0.1");
}

static void test_the_right_answer_behind_wrong_ones_is_taken_over_v6(void)
{
	if (!has_v6())
		TAP_SKIP("::1 is not there");
	take_behind_wrong_ones("::1");
}

/* All of it is right but the port; then the address. */
static void send_as_others(void)
{
	const struct responder_held *q = &f.servers[0]->held[0];
	struct sockaddr_in other = {.sin_family = AF_INET};

	forge(q->name, q->type, q->id);
	other.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	other.sin_port = htons(f.servers[0]->port);
	for (unsigned i = 0; i < 2; i++) {
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (i == 1)
			CHECK_INT(bind(fd, (const void *)&other, sizeof(other)), 0);
		send_from(fd, p.bytes, p.len);
		close(fd);
	}
}

static void test_what_comes_from_others_does_not_even_arrive(void)
{
	begin_question("127.0.0.1");
	send_as_others();
	release_and_wait();
	is_right(0);
	CHECK_INT(unmatched(), 0);
}

/* As any is for a moment, when it has a port and no peer yet. */
static void test_what_comes_from_others_to_a_socket_without_a_peer_is_not_taken(void)
{
	open_to_all = true;
	begin_question("127.0.0.1");
	send_as_others();
	release_and_wait();
	open_to_all = false;
	is_right(0);
	CHECK_INT(unmatched(), 2);
}

static void test_many_at_once_are_all_counted_and_told_of_once(void)
{
	char want[32];

	begin_question("127.0.0.1");
	snprintf(want, sizeof(want), "127.0.0.1:%u", f.servers[0]->port);
	throw_wrong_ids(SERVER_UNMATCHED_MANY + 7);
	release_and_wait();
	is_right(0);
	CHECK_INT(unmatched(), SERVER_UNMATCHED_MANY + 7);
	CHECK_INT(told, 1);
	CHECK_INT(told_count, SERVER_UNMATCHED_MANY + 7);
	CHECK_STR(told_server, want);
	/* It goes on, with this resolver and the next one. */
	struct resolver *before = f.resolver;
	start();
	resolver_watch_servers(f.resolver, on_news);
	resolver_carry(f.resolver, before);
	resolver_free(before);
	open_question("ok.example.test");
	throw_wrong_ids(SERVER_UNMATCHED_MANY);
	release_and_wait();
	is_right(1);
	CHECK_INT(unmatched(), 2 * SERVER_UNMATCHED_MANY + 7);
	CHECK_INT(told, 1);
}

static void test_a_question_without_an_answer_counts_as_well(void)
{
	begin(1, LONG_MS);
	serve("127.0.0.1", "hold");
	start();
	open_question("ok.example.test");
	throw_wrong_ids(5);
	run(1);
	CHECK_INT(f.replies[0].status, RESOLVER_TIMEOUT);
	CHECK_INT(unmatched(), 5);
}

static void test_what_comes_before_a_long_answer_does_not_keep_it_from_tcp(void)
{
	const struct responder_held *q = begin_question("127.0.0.1");

	throw_wrong_ids(4);
	f.servers[0]->mode = "many";
	responder_send(f.servers[0], q, "many");
	throw_in("x", 1);
	run(1);
	CHECK_INT(parse(0, "ok.example.test")->count, RESPONDER_MANY);
	CHECK_INT(resolver_stats(f.resolver)->tcp, 1);
	CHECK(unmatched() >= 4); /* the one behind may come too late to be seen */
}

static bool is_over_tcp(void)
{
	return over_tcp > 0 || f.count > 0; /* or too late for that */
}

/* Whoever sends everything twice does so here. */
static void test_the_same_once_more_while_it_is_asked_over_tcp_is_not_counted(void)
{
	begin(1, LONG_MS);
	serve("127.0.0.1", "hold");
	f.servers[0]->conn = 0; /* accepts nobody */
	start();
	const struct responder_held *q = open_question("ok.example.test");
	over_tcp = 0;
	responder_send(f.servers[0], q, "many");
	f.is_done = is_over_tcp;
	run(0);
	f.is_done = NULL;
	responder_send(f.servers[0], q, "many");
	run(1);
	f.servers[0]->conn = -1;
	CHECK_INT(f.replies[0].status, RESOLVER_TIMEOUT);
	CHECK_INT(unmatched(), 0);
}

static void test_another_question_does_not_inherit_the_count(void)
{
	begin_question("127.0.0.1");
	throw_wrong_ids(4);
	release_and_wait();
	open_question("ok.example.test");
	release_and_wait();
	is_right(1);
	CHECK_INT(unmatched(), 4);
}

/* What was the answer to the one before, with the same question and from the same server. */
static void test_the_answer_to_an_earlier_question_is_none(void)
{
	const struct responder_held before = *begin_question("127.0.0.1");

	release_and_wait();
	const struct responder_held *q = open_question("ok.example.test");
	forge(q->name, q->type, before.id == q->id ? (uint16_t)~before.id : before.id);
	throw_in(p.bytes, p.len);
	release_and_wait();
	is_right(1);
	CHECK_INT(unmatched(), 1);
}

/* All kinds of servers that say what they make of EDNS, whichever way. */
static void test_servers_without_edns_are_not_counted(void)
{
	for (enum responder_edns edns = EDNS_PASSED_OVER; edns <= EDNS_FORMERR_ONCE; edns++) {
		begin(3, LONG_MS);
		serve("127.0.0.1", NULL)->edns = edns;
		start();
		for (size_t i = 0; i < 3; i++) {
			ask("ok.example.test", i);
			run(i + 1);
		}
		CHECK_INT(unmatched(), 0);
	}
}

static int newest_socket(const struct sockaddr *to)
{
	struct sockaddr_storage peer;

	for (int fd = 255; fd > 2; fd--) {
		socklen_t len = sizeof(peer);
		if (getpeername(fd, (void *)&peer, &len) == 0 &&
			memcmp(&peer, to, sizeof(struct sockaddr_in)) == 0)
			return fd;
	}
	return -1;
}

static void test_sockets_do_not_block_and_are_not_inherited(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET};

	begin_question("127.0.0.1");
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons(f.servers[0]->port);
	int fd = newest_socket((const void *)&to);
	CHECK(fd >= 0);
	CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	release_and_wait();
	CHECK_INT(newest_socket((const void *)&to), -1);
}

int main(void)
{
	TAP_RUN(test_the_right_answer_behind_wrong_ones_is_taken);
	TAP_RUN(test_the_right_answer_behind_wrong_ones_is_taken_over_v6);
	TAP_RUN(test_what_comes_from_others_does_not_even_arrive);
	TAP_RUN(test_what_comes_from_others_to_a_socket_without_a_peer_is_not_taken);
	TAP_RUN(test_many_at_once_are_all_counted_and_told_of_once);
	TAP_RUN(test_a_question_without_an_answer_counts_as_well);
	TAP_RUN(test_what_comes_before_a_long_answer_does_not_keep_it_from_tcp);
	TAP_RUN(test_the_same_once_more_while_it_is_asked_over_tcp_is_not_counted);
	TAP_RUN(test_another_question_does_not_inherit_the_count);
	TAP_RUN(test_the_answer_to_an_earlier_question_is_none);
	TAP_RUN(test_servers_without_edns_are_not_counted);
	TAP_RUN(test_sockets_do_not_block_and_are_not_inherited);
	end();
	return tap_done();
}
