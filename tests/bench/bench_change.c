/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a one-address change costs (one added, one deleted, in one transaction, somebody listening)
 * from our decision to the commit, beside a batch encoded beforehand, libnftables with a context
 * kept open, and `nft -f -` until the address is visible. The largest set and the smallest are
 * measured in turn, in the same minutes. In a network namespace of its own. */
#include "nft.h"
#include "samples.h"
#include "subject.h"

#include <sched.h>
#ifdef HAVE_LIBNFTABLES
#include <nftables/libnftables.h>
#endif

enum {
	PAIRS = 32, /* addresses that change places with another, spread over the set */
	WARM = 8,   /* samples of a block that are not counted: the caches are the other side's */
	ROUNDS = 60,
	SPAWN_PAIRS = 1, /* starting a process is slow enough to be measured less often */
	SMALLEST = 100,
	LARGEST = 1000000,
};

/* --- who takes part --- */

enum side { SIDE_OURS, SIDE_RAW, SIDE_LIBNFTABLES, SIDE_NFT, SIDE_COUNT };

struct filled {
	uint32_t count;
	struct subject subject;
	struct swap pairs[PAIRS];
	char text[PAIRS][2][512]; /* there and back, for nft */
	struct samples samples[SIDE_COUNT];
};

static struct {
	struct nft_conn *conn;
	int listener, raw;
#ifdef HAVE_LIBNFTABLES
	struct nft_ctx *context;
#endif
} b;

/* --- nft --- */

static bool is_visible(const struct subject *s, const struct element_key *key)
{
	static uint8_t buf[65536];
	_Alignas(8) uint8_t request[256] = {0};
	struct nlmsghdr *h = raw_elements(
		request, NFT_MSG_GETSETELEM, 0, s->id.nf_family, 1, s->id.table, s->id.name);
	struct nlattr *list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	batch_put_element(h, &s->kind, key, false);
	mnl_attr_nest_end(h, list);
	if (send(b.raw, h, h->nlmsg_len, 0) < 0 || recv(b.raw, buf, sizeof(buf), 0) < 0)
		die("get");
	struct nlmsghdr answer;
	memcpy(&answer, buf, sizeof(answer));
	return answer.nlmsg_type != NLMSG_ERROR;
}

static void write_texts(struct filled *f)
{
	const struct set_id *id = &f->subject.id;
	for (int i = 0; i < PAIRS; i++) {
		char in[ELEMENT_TEXT_SIZE], out[ELEMENT_TEXT_SIZE];
		element_key_format(&f->subject.kind, f->pairs[i].in, in);
		element_key_format(&f->subject.kind, f->pairs[i].out, out);
		for (int back = 0; back < 2; back++)
			snprintf(f->text[i][back], sizeof(f->text[i][back]),
				"delete element inet %s %s { %s }\n"
				"add element inet %s %s { %s comment \"" ELEMENT_TAG "\" }\n",
				id->table, id->name, back ? out : in, id->table, id->name,
				back ? in : out);
	}
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

static double change(enum side side, struct filled *f, int pair, int back)
{
	const struct swap *p = &f->pairs[pair];
	pid_t pid = 0;
	double begin = now_us();
	switch (side) {
	case SIDE_OURS:
		swap_ours(&f->subject, p, back);
		break;
	case SIDE_RAW:
		swap_raw(b.raw, p, back);
		break;
	case SIDE_LIBNFTABLES:
#ifdef HAVE_LIBNFTABLES
		if (nft_run_cmd_from_buffer(b.context, f->text[pair][back]) != 0)
			die("libnftables");
#endif
		break;
	default:
		pid = nft_spawn_text(f->text[pair][back]);
		while (!is_visible(&f->subject, back ? p->in : p->out))
			;
		break;
	}
	double took = now_us() - begin;
	if (pid)
		nft_wait(pid);
	raw_drain(b.listener);
	return took;
}

/* There with every pair, then back with every pair: the set is as before. */
static void block(enum side side, struct filled *f)
{
	int pairs = side == SIDE_NFT ? SPAWN_PAIRS : PAIRS, warm = side == SIDE_NFT ? 0 : WARM;
	subject_follow(&f->subject);
	for (int back = 0, n = 0; back < 2; back++)
		for (int i = 0; i < pairs; i++, n++) {
			double took = change(side, f, i, back);
			if (n >= warm)
				samples_add(&f->samples[side], took);
		}
}

static void start_empty(const char *ruleset)
{
	nft_wait(nft_spawn_text("flush ruleset\n"));
	nft_wait(nft_spawn_text(ruleset));
	raw_drain(b.listener);
}

static void fill(struct filled *f, char *table, char *name, uint32_t count)
{
	*f = (struct filled){.count = count};
	subject_open(&f->subject, b.conn, table, name, 0);
	subject_fill(&f->subject, count);
	for (uint32_t i = 0; i < PAIRS; i++)
		swap_make(&f->pairs[i], &f->subject, count, i, PAIRS, 1);
	write_texts(f);
	raw_drain(b.listener);
}

static void empty(struct filled *f)
{
	subject_close(&f->subject);
	for (int i = 0; i < PAIRS; i++)
		swap_done(&f->pairs[i]);
	for (int i = 0; i < SIDE_COUNT; i++)
		samples_done(&f->samples[i]);
}

static void print(struct filled *f, enum side last)
{
	static const char *const names[] = {"", "raw", "libnftables", "nft-until-visible"};
	static const char *const targets[] = {"", "ours/raw, at most 1.5",
		"theirs/ours, at least 4", "theirs/ours, at least 200"};
	double ours = samples_median(&f->samples[SIDE_OURS]);
	for (enum side side = SIDE_RAW; side <= last; side++) {
		if (!takes_part(side))
			continue;
		double theirs = samples_median(&f->samples[side]);
		printf("change.%s %.2f us %s %.2f %.2f # %s\n", samples_label(f->count), ours,
			names[side], theirs, side == SIDE_RAW ? ours / theirs : theirs / ours,
			targets[side]);
	}
	fflush(stdout);
}

static void measure(uint32_t count)
{
	static char table[] = "t", name[] = "s";
	static struct filled f;
	start_empty("table inet t { set s { type ipv4_addr; }; }\n");
	fill(&f, table, name, count);
	/* There and back: what a block leaves behind is the next one's, and nft leaves much. Ours
	 * and the bytes follow each other, or themselves, alike. */
	for (int round = 0; round < ROUNDS; round++)
		for (int turn = 0; turn < SIDE_COUNT; turn++) {
			enum side side = (enum side)(round % 2 ? SIDE_COUNT - 1 - turn : turn);
			if (takes_part(side))
				block(side, &f);
		}
	print(&f, SIDE_NFT);
	empty(&f);
}

static double growth(struct filled *sizes, enum side side)
{
	return samples_median(&sizes[1].samples[side]) / samples_median(&sizes[0].samples[side]);
}

/* Both sets in one namespace, block by block in turn. */
static void measure_flat(void)
{
	static char table[] = "t", small[] = "small", large[] = "large";
	static struct filled f[2];
	start_empty(
		"table inet t { set small { type ipv4_addr; }; set large { type ipv4_addr; }; }\n");
	fill(&f[0], table, small, SMALLEST);
	fill(&f[1], table, large, LARGEST);
	for (int round = 0; round < 2 * ROUNDS; round++)
		for (int turn = 0; turn < 4; turn++) {
			int at = round % 2 ? 3 - turn : turn;
			block(at % 2 ? SIDE_RAW : SIDE_OURS, &f[at / 2]);
		}
	print(&f[1], SIDE_RAW);
	double ours = growth(f, SIDE_OURS), raw = growth(f, SIDE_RAW);
	printf("change.flat %.2f times raw %.2f %.2f # 1e6/1e2, at most 1.15; then ours/raw\n",
		ours, raw, ours / raw);
	empty(&f[0]);
	empty(&f[1]);
}

int main(int argc, char **argv)
{
	if (unshare(CLONE_NEWNET) != 0)
		die("a network namespace of its own");
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
	static const uint32_t counts[] = {SMALLEST, 1000, 10000, 100000};
	for (size_t i = 0; argc < 2 && i < sizeof(counts) / sizeof(counts[0]); i++)
		measure(counts[i]);
	if (argc < 2)
		measure_flat();
	for (int i = 1; i < argc; i++) {
		double count = strtod(argv[i], NULL);
		if (!(count >= PAIRS && count <= LARGEST)) {
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
