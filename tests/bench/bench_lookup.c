/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lookups a second: the resolver on its loop beside a bare pool of c-ares channels on epoll with
 * the same policy (64 channels, one query in flight each, a new source port for every query). Both
 * ask the same server of this program's own, which runs on another core where there is one. */
#include "base/mem.h"
#include "edge/loop.h"
#include "edge/resolver.h"

#include <ares.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	WINDOW = 64,
	WAITING = 1000,  /* questions that the resolver always has */
	WARM_UP = 5000,  /* at least; and until it has all its slots */
	LOOKUPS = 25000, /* in a round */
	ROUNDS = 15,     /* of both in turn; the median counts */
	BATCH = 64,
	NAME_SIZE = 32,
	TIMEOUT_MS = 5000,
};

static uint16_t port;

static void fail(const char *what)
{
	fprintf(stderr, "bench_lookup: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pin(unsigned core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static const char *next_name(void)
{
	static char name[NAME_SIZE];
	static unsigned n;

	snprintf(name, sizeof(name), "n%u.example", n++ % 100000);
	return name;
}

/* --- the server --- */

/* The question comes back with one address behind it. */
static size_t answer(uint8_t *p, size_t len)
{
	static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 45, 0, 0, 1};

	p[2] = 0x81;
	p[3] = 0x80;
	p[7] = 1;
	memcpy(p + len, record, sizeof(record));
	return len + sizeof(record);
}

static void serve(int fd)
{
	static uint8_t bytes[BATCH][600];
	static struct sockaddr_in from[BATCH];
	static struct iovec parts[BATCH];
	static struct mmsghdr messages[BATCH];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		for (unsigned i = 0; i < BATCH; i++) {
			parts[i] = (struct iovec){bytes[i], 512};
			messages[i].msg_hdr = (struct msghdr){
				.msg_name = &from[i],
				.msg_namelen = sizeof(from[i]),
				.msg_iov = &parts[i],
				.msg_iovlen = 1,
			};
		}
		int n = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);

		for (int i = 0; i < n; i++)
			parts[i].iov_len = answer(bytes[i], messages[i].msg_len);
		if (n > 0)
			sendmmsg(fd, messages, (unsigned)n, 0);
	}
}

static pid_t start_server(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int size = 4 << 20;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (void *)&a, sizeof(a)) < 0 || getsockname(fd, (void *)&a, &len) < 0)
		fail("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	port = ntohs(a.sin_port);
	pid_t pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
			pin(1);
		serve(fd);
	}
	close(fd);
	return pid;
}

/* --- the resolver --- */

struct ours {
	struct loop *loop;
	struct resolver *resolver;
	unsigned answered, from;
	double from_s, took_s;
};

static void ours_ask(struct ours *o)
{
	resolver_ask(o->resolver, next_name(), FAMILY_V4, RESOLVER_FIRST, NULL);
}

static void ours_on_reply(void *userdata, const struct resolver_reply *reply)
{
	struct ours *o = userdata;

	if (reply->status != RESOLVER_ANSWERED)
		fail("a lookup of ours got no answer");
	o->answered++;
	if (o->from == 0 && o->answered >= WARM_UP &&
		resolver_stats(o->resolver)->slots == WINDOW) {
		o->from = o->answered;
		o->from_s = now_s();
	}
	if (o->from > 0 && o->answered == o->from + LOOKUPS) {
		o->took_s = now_s() - o->from_s;
		loop_stop(o->loop);
	}
	ours_ask(o);
}

static void no_turn(void *userdata)
{
}

static double ours(void)
{
	struct config_server server = {.port = port};
	struct config_resolver config = {
		.servers = &server, .server_count = 1, .timeout_ms = TIMEOUT_MS, .tries = 1};
	struct ours o = {0};

	addr_parse("127.0.0.1", &server.addr);
	if (loop_new(&o.loop) < 0 ||
		resolver_new(o.loop, &config, NULL, ours_on_reply, &o, &o.resolver) < 0)
		fail("resolver");
	for (unsigned i = 0; i < WAITING; i++)
		ours_ask(&o);
	loop_run(o.loop, no_turn, NULL);
	resolver_free(o.resolver);
	loop_free(o.loop);
	return LOOKUPS / o.took_s;
}

/* --- the pool --- */

struct channel {
	struct pool *pool;
	ares_channel channel;
	bool answered;
};

struct pool {
	int epoll;
	struct channel channels[WINDOW];
	unsigned answered;
};

static void pool_on_socket(void *userdata, ares_socket_t fd, int readable, int writable)
{
	struct channel *c = userdata;
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = (uint64_t)fd << 32};

	/* The end of the descriptor takes it out of the epoll set. */
	if (!readable)
		return;
	e.data.u64 |= (uint64_t)(c - c->pool->channels);
	if (epoll_ctl(c->pool->epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		fail("epoll_ctl");
}

static void pool_on_answer(void *userdata, int status, int timeouts, unsigned char *b, int len)
{
	struct channel *c = userdata;

	if (status == ARES_EDESTRUCTION)
		return;
	if (status != ARES_SUCCESS)
		fail("a lookup of the pool got no answer");
	c->answered = true;
}

/* Deprecated in newer releases, and the same on all: what is measured is the pool, not the call. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static void pool_ask(struct channel *c)
{
	c->answered = false;
	ares_query(c->channel, next_name(), 1, 1, pool_on_answer, c);
}
#pragma GCC diagnostic pop

static void pool_open(struct pool *p, struct channel *c)
{
	char lookups[] = "b", text[32];
	struct ares_options o = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
		.timeout = TIMEOUT_MS,
		.tries = 1,
		.lookups = lookups,
		.sock_state_cb = pool_on_socket,
		.sock_state_cb_data = c,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
		   ARES_OPT_SOCK_STATE_CB;

#ifdef ARES_OPT_UDP_MAX_QUERIES
	o.udp_max_queries = 1;
	mask |= ARES_OPT_UDP_MAX_QUERIES;
#endif
#ifdef ARES_OPT_QUERY_CACHE
	mask |= ARES_OPT_QUERY_CACHE;
#endif
	c->pool = p;
	snprintf(text, sizeof(text), "127.0.0.1:%u", port);
	if (ares_init_options(&c->channel, &o, mask) != ARES_SUCCESS ||
		ares_set_servers_ports_csv(c->channel, text) != ARES_SUCCESS)
		fail("c-ares");
}

static void pool_until(struct pool *p, unsigned answered)
{
	while (p->answered < answered) {
		struct epoll_event events[WINDOW];
		int n = epoll_wait(p->epoll, events, WINDOW, -1);

		for (int i = 0; i < n; i++) {
			struct channel *c = &p->channels[events[i].data.u64 & 0xffffffff];

			ares_process_fd(c->channel, (ares_socket_t)(events[i].data.u64 >> 32),
				ARES_SOCKET_BAD);
			if (!c->answered)
				continue;
			p->answered++;
			pool_ask(c);
		}
	}
}

static double pool(void)
{
	struct pool p = {.epoll = epoll_create1(EPOLL_CLOEXEC)};

	for (unsigned i = 0; i < WINDOW; i++)
		pool_open(&p, &p.channels[i]);
	for (unsigned i = 0; i < WINDOW; i++)
		pool_ask(&p.channels[i]);
	pool_until(&p, WARM_UP);
	double from_s = now_s();
	pool_until(&p, WARM_UP + LOOKUPS);
	double took_s = now_s() - from_s;
	for (unsigned i = 0; i < WINDOW; i++)
		ares_destroy(p.channels[i].channel);
	close(p.epoll);
	return LOOKUPS / took_s;
}

static int compare(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return (a > b) - (a < b);
}

static double median(double *v)
{
	qsort(v, ROUNDS, sizeof(*v), compare);
	return v[ROUNDS / 2];
}

int main(void)
{
	double value[ROUNDS], reference[ROUNDS], ratio[ROUNDS];

	ares_library_init(ARES_LIB_INIT_ALL);
	pid_t server = start_server();
	pin(0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		value[i] = ours();
		reference[i] = pool();
		/* Of neighbours in time: whatever else runs here then hits both alike. */
		ratio[i] = value[i] / reference[i];
	}
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	printf("lookup.per_second %.0f q/s c-ares-pool %.0f %.2f # a new port for every query, "
	       "window "
	       "%d; target >= 0.80\n",
		median(value), median(reference), median(ratio), WINDOW);
	ares_library_cleanup();
	return 0;
}
