/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Many changes that come together (100 added, 100 deleted, in one transaction, somebody listening)
 * from our decision to the commit, beside a batch encoded beforehand: in hash sets, where an
 * operation is also compared with one of a one-address change, and in a set of address ranges,
 * whose every transaction costs the kernel what the whole set does. At last, that a thousand
 * changes dump nothing. In a network namespace of its own. */
#include "nft.h"
#include "samples.h"
#include "subject.h"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MANY = 100, KINDS = 2, ROUNDS = 30, STEADY = 1000 };

enum side { SIDE_OURS, SIDE_RAW, SIDE_COUNT };

/* Bursts, and single changes: as many of each as a block has. */
static const struct {
	uint32_t swaps, keys;
} shapes[KINDS] = {{4, MANY}, {32, 1}};
enum { SWAPS_MAX = 32 };

static struct nft_conn *conn;
static int listener, raw;

static double change(enum side side, struct subject *s, const struct swap *w, int back)
{
	double begin = now_us();
	if (side == SIDE_OURS)
		swap_ours(s, w, back);
	else
		swap_raw(raw, w, back);
	double took = now_us() - begin;
	raw_drain(listener);
	return took;
}

/* The first quarter is not counted: the caches are the other side's. */
static void block(enum side side, struct subject *s, const struct swap *swaps, uint32_t count,
	struct samples *samples)
{
	subject_follow(s);
	for (uint32_t n = 0; n < 2 * count; n++) {
		double took = change(side, s, &swaps[n % count], n >= count);
		if (n >= count / 2)
			samples_add(samples, took);
	}
}

/* Whatever the burst, one transaction. */
static void check_generation(struct subject *s, const struct swap *w)
{
	for (int back = 0; back < 2; back++) {
		subject_follow(s);
		uint32_t before = s->generation;
		swap_ours(s, w, back);
		subject_follow(s);
		if (s->generation != before + 1)
			die("not one transaction");
	}
}

static void check_steady(struct subject *s, const struct swap *swaps, uint32_t count)
{
	uint64_t dumps = nft_conn_dump_count(conn), commits = nft_conn_commit_count(conn);
	subject_follow(s);
	for (uint32_t n = 0; n < STEADY; n++)
		swap_ours(s, &swaps[n % count], n / count % 2);
	raw_drain(listener);
	dumps = nft_conn_dump_count(conn) - dumps;
	commits = nft_conn_commit_count(conn) - commits;
	printf("steady.dumps %llu dumps changes %llu 0.00 # exactly 0\n", (unsigned long long)dumps,
		(unsigned long long)commits);
	if (dumps != 0 || commits != STEADY)
		die("dumps in steady state");
}

static void measure(uint32_t count, bool ranges)
{
	static char table[] = "t", name[] = "s";
	static struct swap swaps[KINDS][SWAPS_MAX];
	struct samples samples[KINDS][SIDE_COUNT] = {0};
	struct subject s;
	nft_wait(nft_spawn_text("flush ruleset\n"));
	nft_wait(nft_spawn_text(
		ranges ? "table inet t { set s { type ipv4_addr; flags interval; }; }\n"
		       : "table inet t { set s { type ipv4_addr; }; }\n"));
	subject_open(&s, conn, table, name, 0);
	subject_fill(&s, count);
	raw_drain(listener);
	for (int k = 0; k < KINDS; k++)
		for (uint32_t i = 0; i < shapes[k].swaps; i++)
			swap_make(&swaps[k][i], &s, count, i, shapes[k].swaps, shapes[k].keys);
	check_generation(&s, &swaps[0][0]);
	raw_drain(listener);
	/* There and back, so that each side comes first as often. */
	for (int round = 0; round < ROUNDS; round++)
		for (int turn = 0; turn < KINDS * SIDE_COUNT; turn++) {
			int at = round % 2 ? KINDS * SIDE_COUNT - 1 - turn : turn;
			int k = at / SIDE_COUNT;
			enum side side = (enum side)(at % SIDE_COUNT);
			block(side, &s, swaps[k], shapes[k].swaps, &samples[k][side]);
		}
	double ours = samples_median(&samples[0][SIDE_OURS]),
	       theirs = samples_median(&samples[0][SIDE_RAW]),
	       our_one = samples_median(&samples[1][SIDE_OURS]),
	       their_one = samples_median(&samples[1][SIDE_RAW]);
	printf("%s.%s %.1f us raw %.1f %.2f # ours/raw, at most %s\n", ranges ? "interval" : "many",
		samples_label(count), ours, theirs, ours / theirs, ranges ? "1.2" : "1.3");
	if (!ranges) {
		printf("many.%s.each %.3f us one-address-change %.3f %.2f"
		       " # an operation of these/of those, at least 3.5\n",
			samples_label(count), ours / (2 * MANY), our_one / 2,
			our_one * MANY / ours);
		printf("many.%s.each-raw %.3f us one-address-change %.3f %.2f # the same by "
		       "bytes\n",
			samples_label(count), theirs / (2 * MANY), their_one / 2,
			their_one * MANY / theirs);
		check_steady(&s, swaps[1], shapes[1].swaps);
	}
	fflush(stdout);
	for (int k = 0; k < KINDS; k++) {
		for (uint32_t i = 0; i < shapes[k].swaps; i++)
			swap_done(&swaps[k][i]);
		for (int side = 0; side < SIDE_COUNT; side++)
			samples_done(&samples[k][side]);
	}
	subject_close(&s);
}

/* In a process and a network namespace of its own: what an earlier one leaves of its heap, or in
 * the kernel, has no part in it. */
static void measure_apart(uint32_t count, bool ranges)
{
	int status;
	pid_t pid = fork();
	if (pid < 0)
		die("fork");
	if (pid > 0) {
		if (waitpid(pid, &status, 0) != pid || status != 0)
			exit(1);
		return;
	}
	if (unshare(CLONE_NEWNET) != 0)
		die("a network namespace of its own");
	if (nft_conn_new(&conn) != 0)
		die("connection");
	listener = raw_open(NFNLGRP_NFTABLES);
	raw = raw_open(0);
	measure(count, ranges);
	nft_conn_free(conn);
	exit(0);
}

int main(void)
{
	measure_apart(10000, false);
	measure_apart(100000, false);
	measure_apart(10000, true);
	return 0;
}
