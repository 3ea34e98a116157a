/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a one-address change costs (one added, one deleted, in one transaction, somebody listening)
 * from our decision to the commit, beside a batch encoded beforehand, libnftables with a context
 * kept open, and `nft -f -` until the address is visible. In a network namespace of its own. */
#include "core/planning.h"
#include "edge/nft_conn.h"
#include "raw.h"

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef HAVE_LIBNFTABLES
#include <nftables/libnftables.h>
#endif

enum {
	PAIRS = 32, /* addresses that change places with another, spread over the set */
	WARM = 8,   /* samples of a block that are not counted: the caches are the other side's */
	ROUNDS = 60,
	SPAWN_PAIRS = 1, /* starting a process is slow enough to be measured less often */
	SAMPLES_MAX = ROUNDS * 2 * PAIRS,
};

/* --- who takes part --- */

enum side { SIDE_OURS, SIDE_RAW, SIDE_LIBNFTABLES, SIDE_NFT, SIDE_COUNT };

struct pair {
	struct element_key in, out;      /* what stands in the set, what does not */
	char text[2][512];               /* there and back, for nft */
	_Alignas(8) uint8_t raw[2][512]; /* and as bytes */
	size_t raw_len[2];
};

static struct {
	struct set_id id;
	struct set_kind kind;
	struct nft_conn *conn;
	struct wanted wanted;
	struct live live;
	struct owner owner;
	struct pair pairs[PAIRS];
	int listener, raw;
#ifdef HAVE_LIBNFTABLES
	struct nft_ctx *context;
#endif
	double samples[SIDE_COUNT][SAMPLES_MAX];
	size_t counts[SIDE_COUNT];
} b;
static const struct planning all = {
	.id = &b.id, .kind = &b.kind, .wanted = &b.wanted, .live = &b.live};

static void drain(int fd)
{
	static uint8_t buf[65536];
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0 || errno == ENOBUFS || errno == EINTR)
		;
}

/* --- the batch encoded beforehand: the same change, the same comment --- */

static struct nlmsghdr *raw_element(
	uint8_t *at, unsigned message, unsigned flags, uint32_t seq, const struct element_key *key)
{
	struct nlmsghdr *h =
		raw_elements(at, message, flags, b.id.nf_family, seq, b.id.table, b.id.name);
	struct nlattr *list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	raw_put_element(
		h, key->bytes, key->len, message == NFT_MSG_NEWSETELEM ? ELEMENT_TAG : NULL);
	mnl_attr_nest_end(h, list);
	return h;
}

static size_t raw_encode(uint8_t *at, const struct element_key *out, const struct element_key *in)
{
	uint8_t *start = at;
	at = raw_begin(at);
	at += raw_element(at, NFT_MSG_DELSETELEM, 0, 2, out)->nlmsg_len;
	at += raw_element(at, NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_ACK, 3, in)->nlmsg_len;
	at = raw_end(at);
	return (size_t)(at - start);
}

static void raw_change(const struct pair *p, int back)
{
	static uint8_t answer[65536];
	if (send(b.raw, p->raw[back], p->raw_len[back], 0) < 0)
		die("raw send");
	if (recv(b.raw, answer, sizeof(answer), 0) < (ssize_t)sizeof(struct nlmsghdr))
		die("raw recv");
	struct nlmsgerr e;
	memcpy(&e, answer + sizeof(struct nlmsghdr), sizeof(e));
	errno = -e.error;
	if (e.error)
		die("raw batch");
}

/* --- ours: from what the names say to the kernel, and our copy of it --- */

static void our_change(const struct pair *p, int back)
{
	struct plan plan = PLAN_NULL;
	struct nft_commit_result r;
	wanted_hold(&b.wanted, back ? &p->in : &p->out, &b.owner, "answer", 60);
	wanted_release(&b.wanted, back ? &p->out : &p->in, &b.owner, "answer");
	plan_dirty(&plan, &all);
	nft_conn_commit(b.conn, &plan, &r);
	errno = r.error;
	if (r.outcome != NFT_COMMIT_DONE || plan_change_count(&plan) != 2 || r.generation == 0)
		die("our commit");
	live_apply(&b.live, &plan.sets[0]);
	wanted_clear_dirty(&b.wanted);
	plan_done(&plan);
}

/* --- nft as a process --- */

static bool is_visible(const struct element_key *key)
{
	static uint8_t buf[65536];
	_Alignas(8) uint8_t request[256];
	struct nlmsghdr *h = raw_element(request, NFT_MSG_GETSETELEM, 0, 1, key);
	if (send(b.raw, h, h->nlmsg_len, 0) < 0 || recv(b.raw, buf, sizeof(buf), 0) < 0)
		die("get");
	struct nlmsghdr answer;
	memcpy(&answer, buf, sizeof(answer));
	return answer.nlmsg_type != NLMSG_ERROR;
}

static pid_t spawn_nft(const char *text)
{
	int pipe_ends[2];
	pid_t pid;
	posix_spawn_file_actions_t actions;
	char name[] = "nft", option[] = "-f", dash[] = "-";
	char *argv[] = {name, option, dash, NULL};
	if (pipe2(pipe_ends, O_CLOEXEC) != 0)
		die("pipe");
	if (write(pipe_ends[1], text, strlen(text)) < 0)
		die("write");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pipe_ends[0], 0);
	errno = posix_spawn(&pid, "/usr/sbin/nft", &actions, NULL, argv, environ);
	if (errno)
		die("/usr/sbin/nft");
	posix_spawn_file_actions_destroy(&actions);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
	return pid;
}

static void wait_nft(pid_t pid)
{
	int status;
	errno = 0;
	if (waitpid(pid, &status, 0) != pid || status != 0)
		die("nft");
}

/* --- rounds --- */

static bool takes_part(enum side side)
{
#ifndef HAVE_LIBNFTABLES
	if (side == SIDE_LIBNFTABLES)
		return false;
#endif
	return true;
}

static double change(enum side side, const struct pair *p, int back)
{
	pid_t pid = 0;
	double begin = now_us();
	switch (side) {
	case SIDE_OURS:
		our_change(p, back);
		break;
	case SIDE_RAW:
		raw_change(p, back);
		break;
	case SIDE_LIBNFTABLES:
#ifdef HAVE_LIBNFTABLES
		if (nft_run_cmd_from_buffer(b.context, p->text[back]) != 0)
			die("libnftables");
#endif
		break;
	default:
		pid = spawn_nft(p->text[back]);
		while (!is_visible(back ? &p->in : &p->out))
			;
		break;
	}
	double took = now_us() - begin;
	if (pid)
		wait_nft(pid);
	drain(b.listener);
	return took;
}

/* There with every pair, then back with every pair: the set is as before. */
static void block(enum side side)
{
	int pairs = side == SIDE_NFT ? SPAWN_PAIRS : PAIRS, warm = side == SIDE_NFT ? 0 : WARM;
	for (int back = 0, n = 0; back < 2; back++)
		for (int i = 0; i < pairs; i++, n++) {
			double took = change(side, &b.pairs[i], back);
			if (n >= warm)
				b.samples[side][b.counts[side]++] = took;
		}
}

static int compare(const void *x, const void *y)
{
	double a = *(const double *)x, c = *(const double *)y;
	return (a > c) - (a < c);
}

static double median(enum side side)
{
	qsort(b.samples[side], b.counts[side], sizeof(double), compare);
	return b.samples[side][b.counts[side] / 2];
}

/* Scattered over 10/8, each number its own. */
static struct element_key nth(uint32_t n)
{
	uint32_t at = htonl(10u << 24 | (n * 2654435761u & 0xffffff));
	struct addr a = addr_from_bytes(FAMILY_V4, &at);
	return element_key_addr(&a);
}

static void fill(uint32_t count)
{
	wait_nft(spawn_nft("flush ruleset\ntable inet t { set s { type ipv4_addr; }; }\n"));
	if (nft_conn_read_set(b.conn, &b.id, &b.kind) != 0)
		die("set");
	b.wanted = WANTED_NULL;
	b.live = LIVE_NULL;
	for (uint32_t i = 0; i < count; i++) {
		struct element_key k = nth(i);
		wanted_hold(&b.wanted, &k, &b.owner, "answer", 60);
	}
	struct plan plan = PLAN_NULL;
	struct nft_commit_result r;
	plan_dirty(&plan, &all);
	nft_conn_commit(b.conn, &plan, &r);
	if (r.outcome != NFT_COMMIT_DONE)
		die("load");
	live_apply(&b.live, &plan.sets[0]);
	wanted_clear_dirty(&b.wanted);
	plan_done(&plan);
	for (uint32_t i = 0; i < PAIRS; i++) {
		struct pair *p = &b.pairs[i];
		char in[ELEMENT_TEXT_SIZE], out[ELEMENT_TEXT_SIZE];
		p->in = nth(count / PAIRS * i);
		p->out = nth(count + i);
		element_key_format(&b.kind, &p->in, in);
		element_key_format(&b.kind, &p->out, out);
		for (int back = 0; back < 2; back++) {
			snprintf(p->text[back], sizeof(p->text[back]),
				"delete element inet t s { %s }\n"
				"add element inet t s { %s comment \"" ELEMENT_TAG "\" }\n",
				back ? out : in, back ? in : out);
			p->raw_len[back] = raw_encode(
				p->raw[back], back ? &p->out : &p->in, back ? &p->in : &p->out);
		}
	}
	drain(b.listener);
}

/* "1e5"; or the number itself. */
static const char *label(uint32_t count, char *text, size_t size)
{
	unsigned power = 0;
	uint32_t rest = count;
	for (; rest % 10 == 0 && rest > 1; rest /= 10)
		power++;
	snprintf(text, size, rest == 1 && power > 0 ? "1e%u" : "%u", rest == 1 ? power : count);
	return text;
}

static void measure(uint32_t count)
{
	static const char *const names[] = {"", "raw", "libnftables", "nft-until-visible"};
	static const char *const targets[] = {"", "ours/raw, at most 1.5",
		"theirs/ours, at least 4", "theirs/ours, at least 200"};
	char text[32];
	fill(count);
	memset(b.counts, 0, sizeof(b.counts));
	for (int round = 0; round < ROUNDS; round++)
		for (int turn = 0; turn < SIDE_COUNT; turn++) {
			/* Another one first each time: what a block leaves behind is the next
			 * one's. */
			enum side side = (enum side)((round + turn) % SIDE_COUNT);
			if (takes_part(side))
				block(side);
		}
	double ours = median(SIDE_OURS);
	for (enum side side = SIDE_RAW; side < SIDE_COUNT; side++) {
		if (!takes_part(side))
			continue;
		double theirs = median(side);
		printf("change.%s %.2f us %s %.2f %.2f # %s\n", label(count, text, sizeof(text)),
			ours, names[side], theirs, side == SIDE_RAW ? ours / theirs : theirs / ours,
			targets[side]);
	}
	fflush(stdout);
	wanted_done(&b.wanted);
	live_done(&b.live);
}

int main(int argc, char **argv)
{
	static char table[] = "t", name[] = "s";
	if (unshare(CLONE_NEWNET) != 0)
		die("a network namespace of its own");
	b.id = (struct set_id){NFPROTO_INET, table, name};
	b.owner = (struct owner){.vendor = "bench", .name = "bench.example"};
	if (nft_conn_new(&b.conn) != 0)
		die("connection");
	b.listener = raw_open(NFNLGRP_NFTABLES);
	b.raw = raw_open(0);
#ifdef HAVE_LIBNFTABLES
	b.context = nft_ctx_new(NFT_CTX_DEFAULT);
	nft_ctx_buffer_error(b.context);
	nft_ctx_buffer_output(b.context);
#else
	printf("# built without libnftables: not measured\n");
#endif
	static const uint32_t counts[] = {100, 10000, 100000};
	for (size_t i = 0; argc < 2 && i < sizeof(counts) / sizeof(counts[0]); i++)
		measure(counts[i]);
	for (int i = 1; i < argc; i++) {
		double count = strtod(argv[i], NULL);
		if (!(count >= PAIRS && count <= 1000000)) {
			fprintf(stderr, "usage: bench_change [ELEMENTS...] (from %d to 1e6)\n",
				PAIRS);
			return 2;
		}
		measure((uint32_t)count);
	}
#ifdef HAVE_LIBNFTABLES
	nft_ctx_free(b.context);
#endif
	nft_conn_free(b.conn);
	return 0;
}
