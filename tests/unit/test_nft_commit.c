/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commits against the real nf_tables: what changes is one transaction, what fails changes nothing
 * and says which set it was, what is read is never torn. */
#include "nft_lab.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

static struct nft_conn *conn;
static char table_name[] = "t", name_a[] = "a", name_b[] = "b", name_c[] = "c";
static const struct set_id set_a = {NFPROTO_INET, table_name, name_a};
static const struct set_id set_b = {NFPROTO_INET, table_name, name_b};
static const struct set_id set_c = {NFPROTO_INET, table_name, name_c};
static const struct set_kind v4 = {.layout = SET_LAYOUT_ADDR, .family = FAMILY_V4};

/* Sets a and b with 192.0.2.1 in each; b with these properties. */
static bool make_sets(const char *more)
{
	return lab_nft("flush ruleset\ntable inet t {\n"
		       " set a { type ipv4_addr; elements = { 192.0.2.1 }; }\n"
		       " set b { type ipv4_addr; %s elements = { 192.0.2.1 }; }\n}\n",
		more);
}

static uint32_t generation_now(void)
{
	uint32_t g = 0;
	return nft_conn_generation(conn, &g) == 0 ? g : 0;
}

/* Right after a big load the kernel rehashes, and dumps are torn for a while. */
static size_t count_in(const struct set_id *id)
{
	struct live l = LIVE_NULL;
	uint32_t generation;
	size_t strange, n = SIZE_MAX;
	int r = NFT_CONN_E_BUSY;
	for (int i = 0; i < 100 && r == NFT_CONN_E_BUSY; i++)
		r = nft_conn_dump(conn, id, &v4, &l, &generation, &strange);
	if (r == 0)
		n = live_count(&l) + strange;
	live_done(&l);
	return n;
}

static void add(struct plan *p, size_t index, const struct set_id *id, const char *addr)
{
	struct element_key k = lab_key(addr);
	plan_add(plan_for_set(p, index, id, &v4), &k);
}

static void take(struct plan *p, size_t index, const struct set_id *id, const char *addr)
{
	struct element_key k = lab_key(addr);
	plan_delete(plan_for_set(p, index, id, &v4), &k);
}

static void test_a_change_of_two_sets_is_one_generation(void)
{
	CHECK(make_sets(""));
	int listener = lab_listen();
	CHECK(listener >= 0);
	uint32_t before = generation_now();
	uint64_t commits = nft_conn_commit_count(conn);
	struct plan p = PLAN_NULL;
	add(&p, 0, &set_a, "192.0.2.2");
	take(&p, 0, &set_a, "192.0.2.1");
	add(&p, 1, &set_b, "192.0.2.2");
	take(&p, 1, &set_b, "192.0.2.1");
	struct nft_commit_result r = lab_commit(conn, &p);
	plan_done(&p);
	struct lab_news n = lab_hear(listener);
	close(listener);
	CHECK_INT(r.outcome, NFT_COMMIT_DONE);
	CHECK_INT(n.generations, 1);
	CHECK_INT(n.adds, 2);
	CHECK_INT(n.deletes, 2);
	CHECK_INT(n.others, 0);
	CHECK_INT(r.generation, before + 1);
	CHECK_INT(r.generation, generation_now());
	CHECK_INT(nft_conn_commit_count(conn), commits + 1);
}

static void test_what_is_there_already_makes_no_generation(void)
{
	CHECK(make_sets(""));
	int listener = lab_listen();
	uint32_t before = generation_now();
	struct plan p = PLAN_NULL;
	add(&p, 0, &set_a, "192.0.2.1");
	p.sets[0].renews = true;
	struct nft_commit_result r = lab_commit(conn, &p);
	/* Who did not expect it there must look first: it may be somebody else's. */
	p.sets[0].renews = false;
	struct nft_commit_result unexpected = lab_commit(conn, &p);
	plan_done(&p);
	struct lab_news n = lab_hear(listener);
	close(listener);
	CHECK_INT(r.outcome, NFT_COMMIT_DONE);
	CHECK_INT(n.generations + n.adds, 0);
	CHECK_INT(r.generation, before);
	CHECK_INT(unexpected.outcome, NFT_COMMIT_REFUSED);
	CHECK_INT(unexpected.error, EEXIST);
	CHECK(unexpected.has_set);
}

static void test_an_empty_plan_is_done_without_the_kernel(void)
{
	CHECK(make_sets(""));
	uint64_t commits = nft_conn_commit_count(conn);
	struct plan p = PLAN_NULL;
	plan_for_set(&p, 0, &set_c, &v4);
	struct nft_commit_result r = lab_commit(conn, &p);
	plan_done(&p);
	CHECK_INT(r.outcome, NFT_COMMIT_DONE);
	CHECK_INT(r.generation, 0);
	CHECK_INT(nft_conn_commit_count(conn), commits);
}

/* Refused with that error, naming set_index 8 (b or c), with a part for a before it and after it.
 */
static void check_refused(struct plan *p, int error)
{
	int listener = lab_listen();
	uint32_t before = generation_now();
	uint64_t commits = nft_conn_commit_count(conn);
	struct nft_commit_result r = lab_commit(conn, p);
	plan_done(p);
	struct lab_news n = lab_hear(listener);
	close(listener);
	CHECK_INT(r.outcome, NFT_COMMIT_REFUSED);
	CHECK_INT(r.error, error);
	CHECK(r.has_set);
	CHECK_INT(r.set_index, 8);
	CHECK_INT(n.generations + n.adds + n.deletes, 0);
	CHECK_INT(generation_now(), before);
	CHECK_INT(nft_conn_commit_count(conn), commits);
	CHECK_INT(count_in(&set_a), 1);
	CHECK_INT(count_in(&set_b), 1);
}

static void test_a_delete_of_what_is_absent_changes_nothing(void)
{
	CHECK(make_sets(""));
	struct plan p = PLAN_NULL;
	add(&p, 7, &set_a, "192.0.2.2");
	take(&p, 8, &set_b, "192.0.2.9");
	add(&p, 8, &set_b, "192.0.2.2");
	add(&p, 9, &set_a, "192.0.2.3");
	check_refused(&p, ENOENT);
}

static void test_a_full_set_changes_nothing_and_is_named(void)
{
	CHECK(make_sets("size 2;"));
	struct plan p = PLAN_NULL;
	add(&p, 7, &set_a, "192.0.2.2");
	add(&p, 8, &set_b, "192.0.2.2");
	add(&p, 8, &set_b, "192.0.2.3");
	add(&p, 9, &set_a, "192.0.2.3");
	check_refused(&p, ENFILE);
}

static void test_a_missing_set_changes_nothing_and_is_named(void)
{
	CHECK(make_sets(""));
	struct plan p = PLAN_NULL;
	add(&p, 7, &set_a, "192.0.2.2");
	add(&p, 8, &set_c, "192.0.2.2");
	add(&p, 9, &set_a, "192.0.2.3");
	check_refused(&p, ENOENT);
	/* Also where it is the first of the batch. */
	p = PLAN_NULL;
	add(&p, 8, &set_c, "192.0.2.2");
	add(&p, 9, &set_a, "192.0.2.3");
	check_refused(&p, ENOENT);
}

static void test_a_commit_after_a_refused_one_goes_through(void)
{
	CHECK(make_sets(""));
	struct plan p = PLAN_NULL;
	take(&p, 8, &set_b, "192.0.2.9");
	check_refused(&p, ENOENT);
	p = PLAN_NULL;
	add(&p, 8, &set_b, "192.0.2.9");
	CHECK_INT(lab_commit(conn, &p).outcome, NFT_COMMIT_DONE);
	plan_done(&p);
	CHECK_INT(count_in(&set_b), 2);
}

static void test_only_the_generation_that_was_planned_for_is_changed(void)
{
	CHECK(make_sets(""));
	struct plan p = PLAN_NULL;
	add(&p, 0, &set_a, "192.0.2.2");
	p.has_generation = true;
	p.generation = generation_now();
	CHECK(lab_nft("add element inet t b { 192.0.2.7 }\n"));
	struct nft_commit_result r = lab_commit(conn, &p);
	CHECK_INT(r.outcome, NFT_COMMIT_STALE);
	CHECK_INT(count_in(&set_a), 1);
	p.generation = generation_now();
	r = lab_commit(conn, &p);
	CHECK_INT(r.outcome, NFT_COMMIT_DONE);
	CHECK_INT(r.generation, p.generation + 1);
	CHECK_INT(count_in(&set_a), 2);
	plan_done(&p);
}

static void test_thousands_of_elements_arrive_whole_in_one_generation(void)
{
	static const uint32_t counts[] = {5000, 100000};
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		CHECK(lab_nft("flush ruleset\ntable inet t { set a { type ipv4_addr; timeout 1h; "
			      "}; }\n"));
		struct set_kind kind;
		CHECK_INT(nft_conn_read_set(conn, &set_a, &kind), 0);
		int listener = lab_listen();
		struct plan p = PLAN_NULL;
		struct plan_set *s = plan_for_set(&p, 0, &set_a, &kind);
		for (uint32_t n = 0; n < counts[i]; n++) {
			struct element_key k = lab_nth(n);
			plan_add(s, &k);
		}
		CHECK_INT(lab_commit(conn, &p).outcome, NFT_COMMIT_DONE);
		struct lab_news news = lab_hear(listener);
		CHECK_INT(news.generations, 1);
		CHECK_INT(news.adds, counts[i]);
		CHECK_INT(count_in(&set_a), counts[i]);
		plan_done(&p);
		p = PLAN_NULL;
		s = plan_for_set(&p, 0, &set_a, &kind);
		for (uint32_t n = 0; n < counts[i]; n++) {
			struct element_key k = lab_nth(n);
			plan_delete(s, &k);
		}
		CHECK_INT(lab_commit(conn, &p).outcome, NFT_COMMIT_DONE);
		plan_done(&p);
		news = lab_hear(listener);
		close(listener);
		CHECK_INT(news.generations, 1);
		CHECK_INT(news.deletes, counts[i]);
		CHECK_INT(count_in(&set_a), 0);
	}
}

static void test_lost_answers_are_an_unknown_outcome_and_do_not_stay_in_the_way(void)
{
	CHECK(make_sets(""));
	/* The lowest free descriptor is the one that the new connection gets. */
	int fd = dup(0);
	close(fd);
	struct nft_conn *small;
	CHECK_INT(nft_conn_new(&small), 0);
	int least = 1;
	CHECK_INT(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least)), 0);
	struct plan p = PLAN_NULL;
	for (size_t i = 0; i < 200; i++)
		add(&p, i, &set_c, "192.0.2.2");
	struct nft_commit_result r = lab_commit(small, &p);
	plan_done(&p);
	CHECK_INT(r.outcome, NFT_COMMIT_UNKNOWN);
	CHECK_INT(r.error, ENOBUFS);
	uint32_t generation;
	CHECK_INT(nft_conn_generation(small, &generation), 0);
	CHECK_INT(generation, generation_now());
	p = PLAN_NULL;
	add(&p, 0, &set_a, "192.0.2.2");
	CHECK_INT(lab_commit(small, &p).outcome, NFT_COMMIT_DONE);
	plan_done(&p);
	nft_conn_free(small);
}

static void test_without_the_capability_everything_is_refused(void)
{
	CHECK(make_sets(""));
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		struct nft_conn *c;
		uint32_t generation;
		struct set_kind kind;
		struct plan p = PLAN_NULL;
		add(&p, 3, &set_a, "192.0.2.2");
		if (setresuid(65534, 65534, 65534) != 0 || nft_conn_new(&c) != 0)
			_exit(1);
		if (nft_conn_generation(c, &generation) != -EPERM)
			_exit(2);
		if (nft_conn_read_set(c, &set_a, &kind) != -EPERM)
			_exit(3);
		struct nft_commit_result r = lab_commit(c, &p);
		bool right = r.outcome == NFT_COMMIT_REFUSED && r.error == EPERM && !r.has_set;
		_exit(right ? 0 : 4);
	}
	int status;
	CHECK(child > 0 && waitpid(child, &status, 0) == child);
	CHECK_INT(status, 0);
	CHECK_INT(count_in(&set_a), 1);
}

/* --- dumps while others write --- */

enum { CROWD = 20000 };

static bool make_crowd(void)
{
	if (!make_sets(""))
		return false;
	struct plan p = PLAN_NULL;
	struct plan_set *s = plan_for_set(&p, 0, &set_a, &v4);
	for (uint32_t n = 0; n < CROWD; n++) {
		struct element_key k = lab_nth(n);
		plan_add(s, &k);
	}
	bool done = lab_commit(conn, &p).outcome == NFT_COMMIT_DONE;
	plan_done(&p);
	return done;
}

/* For ever: takes one element of a away and puts another there, in one batch, every `pause_us`. The
 * set never holds more nor fewer. */
static pid_t start_writer(long pause_us)
{
	fflush(stdout);
	pid_t child = fork();
	if (child != 0)
		return child;
	struct nft_conn *c;
	if (nft_conn_new(&c) != 0)
		_exit(1);
	for (uint32_t n = 0;; n = (n + 1) % CROWD) {
		for (int back = 0; back < 2; back++) {
			struct plan p = PLAN_NULL;
			struct plan_set *s = plan_for_set(&p, 0, &set_a, &v4);
			struct element_key in = lab_nth(back ? n : CROWD + n);
			struct element_key out = lab_nth(back ? CROWD + n : n);
			plan_delete(s, &out);
			plan_add(s, &in);
			if (lab_commit(c, &p).outcome != NFT_COMMIT_DONE)
				_exit(1);
			plan_done(&p);
			struct timespec t = {0, pause_us * 1000};
			if (pause_us)
				nanosleep(&t, NULL);
		}
	}
}

static int stop_writer(pid_t child)
{
	int status = -1;
	bool gone = waitpid(child, &status, WNOHANG) == child;
	if (!gone) {
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
	}
	return gone ? 1 : 0;
}

static bool time_is_up(const struct timespec *begin)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - begin->tv_sec > 60;
}

static void test_a_set_that_never_rests_is_busy(void)
{
	CHECK(make_crowd());
	pid_t writer = start_writer(0);
	CHECK(writer > 0);
	struct timespec begin;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	uint64_t tries;
	size_t left;
	int r;
	do { /* the writer may take a while to start, or be kept from running */
		struct live l = LIVE_NULL;
		uint32_t generation;
		size_t strange;
		uint64_t before = nft_conn_dump_count(conn);
		r = nft_conn_dump(conn, &set_a, &v4, &l, &generation, &strange);
		tries = nft_conn_dump_count(conn) - before;
		left = live_count(&l);
		live_done(&l);
	} while (r == 0 && left == CROWD + 1 && !time_is_up(&begin));
	CHECK_INT(stop_writer(writer), 0);
	CHECK_INT(r, NFT_CONN_E_BUSY);
	CHECK_INT(tries, 5);
	CHECK_INT(left, 0);
	CHECK_INT(count_in(&set_a), CROWD + 1);
}

/* The pause between changes is found as one goes: so short that dumps are torn, so long that some
 * are not. */
static void test_a_torn_dump_is_taken_again_and_never_given_out(void)
{
	CHECK(make_crowd());
	struct timespec begin;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	bool retried = false, torn = false, failed = false;
	for (long pause_us = 1000; !retried && !torn && !failed; pause_us = pause_us * 3 / 2) {
		pid_t writer = start_writer(pause_us);
		for (int i = 0; i < 10 && !torn && !failed; i++) {
			struct live l = LIVE_NULL;
			uint32_t generation;
			size_t strange;
			uint64_t before = nft_conn_dump_count(conn);
			int r = nft_conn_dump(conn, &set_a, &v4, &l, &generation, &strange);
			retried |= r == 0 && nft_conn_dump_count(conn) - before > 1;
			torn = r == 0 && live_count(&l) != CROWD + 1;
			failed = r != 0 && r != NFT_CONN_E_BUSY;
			live_done(&l);
		}
		failed |= stop_writer(writer) != 0;
		failed |= time_is_up(&begin);
	}
	CHECK(!torn);
	CHECK(!failed);
	CHECK(retried);
}

int main(void)
{
	if (!lab_enter())
		return 0;
	if (nft_conn_new(&conn) != 0)
		return 1;
	TAP_RUN(test_a_change_of_two_sets_is_one_generation);
	TAP_RUN(test_what_is_there_already_makes_no_generation);
	TAP_RUN(test_an_empty_plan_is_done_without_the_kernel);
	TAP_RUN(test_a_delete_of_what_is_absent_changes_nothing);
	TAP_RUN(test_a_full_set_changes_nothing_and_is_named);
	TAP_RUN(test_a_missing_set_changes_nothing_and_is_named);
	TAP_RUN(test_a_commit_after_a_refused_one_goes_through);
	TAP_RUN(test_only_the_generation_that_was_planned_for_is_changed);
	TAP_RUN(test_thousands_of_elements_arrive_whole_in_one_generation);
	TAP_RUN(test_lost_answers_are_an_unknown_outcome_and_do_not_stay_in_the_way);
	TAP_RUN(test_without_the_capability_everything_is_refused);
	TAP_RUN(test_a_set_that_never_rests_is_busy);
	TAP_RUN(test_a_torn_dump_is_taken_again_and_never_given_out);
	nft_conn_free(conn);
	return tap_done();
}
