/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole sets, as at a start and when fuses are renewed: what is done with all elements at once, the
 * way the daemon does it, beside the same by bytes and by nft. In a network namespace of its own.
 */
#include "edge/loop.h"
#include "edge/nft_monitor.h"
#include "nft.h"
#include "samples.h"
#include "subject.h"

#include <sched.h>

enum {
	AT_START = 100000,
	RENEWED = 10000,
	PIECE = 50000, /* as the daemon cuts */
	LOAD_ROUNDS = 8,
	DUMP_ROUNDS = 9,
	RENEW_ROUNDS = 30,
	SETTLE_MS = 300, /* the kernel frees and rehashes behind our backs */
	FUSE_MS = 3600 * 1000,
};

static char table[] = "t", name[] = "s";
static struct nft_conn *conn;
static struct loop *loop;
static int raw;

static void start_empty(const char *flags)
{
	char text[128];
	nft_wait(nft_spawn_text("flush ruleset\n"));
	snprintf(text, sizeof(text), "table inet t { set s { type ipv4_addr; %s }; }\n", flags);
	nft_wait(nft_spawn_text(text));
	nanosleep(&(struct timespec){.tv_nsec = SETTLE_MS * 1000000L}, NULL);
}

/* --- somebody listens --- */

static struct {
	size_t added, deleted, generations, lost;
} heard;

static void on_notice(void *userdata, const struct nft_notice *n)
{
	heard.added += n->kind == NFT_NOTICE_ADDED;
	heard.deleted += n->kind == NFT_NOTICE_DELETED;
	heard.generations += n->kind == NFT_NOTICE_GENERATION;
	heard.lost += n->kind == NFT_NOTICE_LOST;
}

static struct nft_monitor *listen_as_daemon(void)
{
	struct nft_monitor *m;
	memset(&heard, 0, sizeof(heard));
	if (nft_monitor_new(loop, on_notice, NULL, &m) != 0)
		die("monitor");
	return m;
}

/* --- a piece at a time, with our monitor read in between --- */

static void commit_pieces(struct subject *s, const struct plan *p, struct nft_monitor *monitor)
{
	struct plan_cut cut = PLAN_CUT_NULL;
	struct plan piece;
	size_t done = 0, all = plan_work_count(p);
	while (plan_next_piece(p, PIECE, &cut, &piece)) {
		subject_commit(s, &piece);
		done += plan_work_count(&piece);
		plan_piece_done(&piece);
		/* What comes after the last commit costs none. */
		if (done < all)
			nft_monitor_drain(monitor);
	}
}

/* --- load --- */

static struct element_key *keys_of(const struct subject *s, uint32_t count)
{
	struct element_key *keys = xcalloc(count, sizeof(*keys));
	for (uint32_t i = 0; i < count; i++)
		keys[i] = subject_key(s, i);
	return keys;
}

static double load_ours(const struct element_key *keys)
{
	struct nft_monitor *monitor = listen_as_daemon();
	struct subject s;
	struct plan p = PLAN_NULL;
	subject_open(&s, conn, table, name, 0);
	subject_hold(&s, keys, AT_START);
	subject_follow(&s);
	struct planning in = subject_planning(&s);
	double begin = now_us();
	plan_whole(&p, &in);
	commit_pieces(&s, &p, monitor);
	plan_done(&p);
	/* The daemon plans until nothing is left. */
	plan_whole(&p, &in);
	wanted_clear_dirty(&s.wanted);
	double took = now_us() - begin;
	nft_monitor_drain(monitor);
	if (!plan_is_empty(&p) || heard.added != AT_START || heard.generations != 2 || heard.lost)
		die("our load");
	plan_done(&p);
	subject_close(&s);
	nft_monitor_free(monitor);
	return took;
}

static double load_raw(const struct batch *b)
{
	int listener = raw_open(NFNLGRP_NFTABLES);
	double begin = now_us();
	batch_commit(raw, b);
	double took = now_us() - begin;
	close(listener);
	return took;
}

static double load_nft(char *file)
{
	int listener = raw_open(NFNLGRP_NFTABLES);
	double begin = now_us();
	nft_wait(nft_spawn(file, NULL));
	double took = now_us() - begin;
	close(listener);
	return took;
}

static void write_file(const char *file, const struct subject *s, const struct element_key *keys)
{
	char text[ELEMENT_TEXT_SIZE];
	FILE *f = fopen(file, "we");
	if (!f)
		die(file);
	fprintf(f, "add element inet %s %s {\n", s->id.table, s->id.name);
	for (uint32_t i = 0; i < AT_START; i++)
		fprintf(f, "%s comment \"" ELEMENT_TAG "\",\n",
			element_key_format(&s->kind, &keys[i], text));
	fprintf(f, "}\n");
	if (fclose(f) != 0)
		die(file);
}

static void measure_load(void)
{
	char file[] = "/tmp/bench_bulk.XXXXXX";
	struct samples samples[3] = {0};
	struct subject s;
	int fd = mkostemp(file, O_CLOEXEC);
	if (fd < 0)
		die(file);
	close(fd);
	start_empty("");
	subject_open(&s, conn, table, name, 0);
	struct element_key *keys = keys_of(&s, AT_START);
	struct batch b = batch_make(&s, NULL, 0, keys, AT_START);
	write_file(file, &s, keys);
	subject_close(&s);
	for (int round = 0; round < LOAD_ROUNDS; round++)
		for (int turn = 0; turn < 3; turn++) {
			int side = round % 2 ? 2 - turn : turn;
			start_empty("");
			double took = side == 0   ? load_ours(keys)
				      : side == 1 ? load_raw(&b)
						  : load_nft(file);
			samples_add(&samples[side], took / 1e3);
		}
	unlink(file);
	double ours = samples_median(&samples[0]), theirs = samples_median(&samples[1]),
	       nft = samples_median(&samples[2]);
	printf("load.1e5 %.1f ms raw %.1f %.2f # ours/raw, at most 1.2\n", ours, theirs,
		ours / theirs);
	printf("load.1e5 %.1f ms nft-file %.1f %.2f # theirs/ours, at least 1.8\n", ours, nft,
		nft / ours);
	printf("load.1e5.raw %.1f ms nft-file %.1f %.2f # the same by bytes\n", theirs, nft,
		nft / theirs);
	fflush(stdout);
	for (int side = 0; side < 3; side++)
		samples_done(&samples[side]);
	batch_done(&b);
	free(keys);
}

/* --- reconcile --- */

/* Nothing is to be done, once all has been read. */
static double reconcile_ours(struct subject *s)
{
	struct plan p = PLAN_NULL;
	size_t strange = 0;
	live_done(&s->live);
	struct planning in = subject_planning(s);
	double begin = now_us();
	if (nft_conn_dump(conn, &s->id, &s->kind, &s->live, &s->generation, &strange) != 0)
		die("our dump");
	plan_whole(&p, &in);
	double took = now_us() - begin;
	if (!plan_is_empty(&p) || strange || live_count(&s->live) != AT_START)
		die("our reconciliation");
	plan_done(&p);
	return took;
}

/* Only walks the messages. */
static double dump_raw(const struct subject *s)
{
	static _Alignas(8) uint8_t buf[65536];
	_Alignas(8) uint8_t request[256] = {0};
	const struct nlmsghdr *h = raw_elements(request, NFT_MSG_GETSETELEM, NLM_F_DUMP,
		s->id.nf_family, 1, s->id.table, s->id.name);
	size_t bytes = 0;
	double begin = now_us();
	if (send(raw, h, h->nlmsg_len, 0) < 0)
		die("dump");
	for (bool more = true; more;) {
		ssize_t n = recv(raw, buf, sizeof(buf), 0);
		if (n < 0)
			die("dump");
		int left = (int)n;
		for (h = (const void *)buf; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			if (h->nlmsg_type == NLMSG_ERROR)
				die("dump");
			bytes += h->nlmsg_len;
			more = h->nlmsg_type != NLMSG_DONE;
		}
	}
	double took = now_us() - begin;
	if (bytes < (size_t)AT_START * 16)
		die("not all elements were dumped");
	return took;
}

static void measure_reconcile(void)
{
	struct samples ours = {0}, theirs = {0};
	struct subject s;
	start_empty("");
	struct nft_monitor *monitor = listen_as_daemon();
	subject_open(&s, conn, table, name, 0);
	subject_fill(&s, AT_START);
	/* It rehashes until long after, and a dump has to be repeated then. */
	nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
	nft_monitor_drain(monitor);
	uint64_t dumps = nft_conn_dump_count(conn);
	for (int round = 0; round < DUMP_ROUNDS; round++) {
		if (round % 2)
			samples_add(&ours, reconcile_ours(&s) / 1e3);
		samples_add(&theirs, dump_raw(&s) / 1e3);
		if (round % 2 == 0)
			samples_add(&ours, reconcile_ours(&s) / 1e3);
	}
	if (nft_conn_dump_count(conn) - dumps != DUMP_ROUNDS)
		printf("# a dump had to be repeated\n");
	double our = samples_median(&ours), their = samples_median(&theirs);
	printf("reconcile.1e5 %.1f ms raw-dump %.1f %.2f # ours/raw, at most 1.25\n", our, their,
		our / their);
	fflush(stdout);
	samples_done(&ours);
	samples_done(&theirs);
	subject_close(&s);
	nft_monitor_free(monitor);
}

/* --- renew --- */

static double renew_ours(struct subject *s, struct nft_monitor *monitor)
{
	struct plan p = PLAN_NULL;
	struct planning in = subject_planning(s);
	subject_follow(s);
	double begin = now_us();
	plan_renew_all(&p, &in);
	p.replaces = !nft_conn_renews(conn);
	commit_pieces(s, &p, monitor);
	double took = now_us() - begin;
	if (p.sets[0].renewal_count != RENEWED)
		die("our renewal");
	plan_done(&p);
	return took;
}

static double renew_raw(const struct batch *b)
{
	double begin = now_us();
	batch_commit(raw, b);
	return now_us() - begin;
}

static void measure_renewal(void)
{
	struct samples samples[2] = {0};
	struct subject s;
	start_empty("flags timeout;");
	struct nft_monitor *monitor = listen_as_daemon();
	subject_open(&s, conn, table, name, FUSE_MS);
	subject_fill(&s, RENEWED);
	if (!nft_conn_renews(conn))
		printf("# this kernel takes no new timeout for what is there: replaced instead\n");
	struct element_key *keys = keys_of(&s, RENEWED);
	struct batch b = batch_make(&s, NULL, 0, keys, RENEWED);
	nft_monitor_drain(monitor);
	memset(&heard, 0, sizeof(heard));
	uint64_t dumps = nft_conn_dump_count(conn);
	for (int round = 0; round < RENEW_ROUNDS; round++)
		for (int turn = 0; turn < 2; turn++) {
			int side = (round + turn) % 2;
			double took = side == 0 ? renew_ours(&s, monitor) : renew_raw(&b);
			samples_add(&samples[side], took / RENEWED);
			nft_monitor_drain(monitor);
		}
	dumps = nft_conn_dump_count(conn) - dumps;
	double ours = samples_median(&samples[0]), theirs = samples_median(&samples[1]);
	printf("renew.1e4 %.3f us/element raw %.3f %.2f # ours/raw, at most 1.2\n", ours, theirs,
		ours / theirs);
	printf("renew.dumps %llu dumps renewals %d 0.00 # exactly 0\n", (unsigned long long)dumps,
		RENEW_ROUNDS * RENEWED);
	printf("renew.deletes %zu deletes renewals %d 0.00 # exactly 0, where the kernel renews\n",
		heard.deleted, RENEW_ROUNDS * RENEWED);
	if (dumps || (heard.deleted && nft_conn_renews(conn)) || heard.lost ||
		heard.added != 2u * RENEW_ROUNDS * RENEWED)
		die("renewals are not what they should be");
	samples_done(&samples[0]);
	samples_done(&samples[1]);
	batch_done(&b);
	free(keys);
	subject_close(&s);
	nft_monitor_free(monitor);
}

int main(void)
{
	if (unshare(CLONE_NEWNET) != 0)
		die("a network namespace of its own");
	if (nft_conn_new(&conn) != 0 || loop_new(&loop) != 0)
		die("connection");
	raw = raw_open(0);
	measure_reconcile();
	measure_load();
	measure_renewal();
	nft_conn_free(conn);
	loop_free(loop);
	return 0;
}
