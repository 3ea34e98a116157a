/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commits against the real nf_tables: what changes is one transaction, what fails changes nothing
 * and says which set it was, what is read is never torn. */
#include "nft_lab.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/wait.h>

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

/* Right after a big load dumps are torn for a while: the kernel is rehashing. */
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
	struct element_key there = lab_key("192.0.2.1");
	plan_renew(plan_for_set(&p, 0, &set_a, &v4), &there);
	struct nft_commit_result r = lab_commit(conn, &p);
	plan_done(&p);
	/* Who did not expect it there must look first: it may be somebody else's. */
	add(&p, 0, &set_a, "192.0.2.1");
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

/* So that one batch is enough to know all that have to be left out. */
static void test_every_set_that_is_refused_is_known_with_its_error(void)
{
	CHECK(make_sets("size 2;"));
	struct plan p = PLAN_NULL;
	add(&p, 5, &set_a, "192.0.2.2");
	take(&p, 6, &set_a, "192.0.2.9");
	add(&p, 7, &set_c, "192.0.2.2");
	add(&p, 8, &set_b, "192.0.2.2");
	add(&p, 8, &set_b, "192.0.2.3");
	struct nft_commit_result r = lab_commit(conn, &p);
	plan_done(&p);
	CHECK_INT(r.outcome, NFT_COMMIT_REFUSED);
	CHECK(r.has_set);
	CHECK_INT(r.set_index, 6);
	CHECK_INT(r.set_errors[0], 0);
	CHECK_INT(r.set_errors[1], ENOENT);
	CHECK_INT(r.set_errors[2], ENOENT);
	CHECK_INT(r.set_errors[3], ENFILE);
	CHECK_INT(count_in(&set_a), 1);
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

static void test_more_refusals_than_the_socket_holds_are_refusals_still(void)
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
		add(&p, i + 7, &set_c, "192.0.2.2");
	struct nft_commit_result r = lab_commit(small, &p);
	plan_done(&p);
	CHECK_INT(r.outcome, NFT_COMMIT_REFUSED);
	CHECK_INT(r.error, ENOENT);
	CHECK(r.has_set);
	CHECK_INT(r.set_index, 7);
	/* What was lost does not stay in the way. */
	uint32_t generation;
	CHECK_INT(nft_conn_generation(small, &generation), 0);
	CHECK_INT(generation, generation_now());
	p = PLAN_NULL;
	add(&p, 0, &set_a, "192.0.2.2");
	CHECK_INT(lab_commit(small, &p).outcome, NFT_COMMIT_DONE);
	plan_done(&p);
	nft_conn_free(small);
}

static void test_an_answer_that_cannot_be_read_is_an_unknown_outcome(void)
{
	static const char long_answer[1 << 17];
	int fd = dup(0), pair[2];
	close(fd);
	struct nft_conn *deaf;
	CHECK_INT(nft_conn_new(&deaf), 0);
	CHECK_INT(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	CHECK_INT(send(pair[1], long_answer, sizeof(long_answer), 0), sizeof(long_answer));
	CHECK_INT(dup2(pair[0], fd), fd);
	struct plan p = PLAN_NULL;
	add(&p, 0, &set_a, "192.0.2.2");
	struct nft_commit_result r = lab_commit(deaf, &p);
	plan_done(&p);
	CHECK_INT(r.outcome, NFT_COMMIT_UNKNOWN);
	CHECK_INT(r.error, EMSGSIZE);
	nft_conn_free(deaf);
	close(pair[0]);
	close(pair[1]);
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

enum { CROWD = 20000, FLOCK = 100 };

/* Called before every receive but its own: a place between two messages of a dump. */
static void (*before_receive)(void);
/* That receive gives the datagram of the one before it once more. */
static size_t receives, repeat_at;

/* In place of libc's, for all that is linked into this program. */
ssize_t recv(int fd, void *buf, size_t size, int flags)
{
	static uint8_t last[65536];
	static ssize_t last_len;
	void (*hook)(void) = before_receive;
	if (hook) {
		before_receive = NULL;
		receives++;
		hook();
		before_receive = hook;
	}
	ssize_t len = syscall(SYS_recvfrom, fd, buf, size, flags, NULL, NULL);
	if (repeat_at && ++receives == repeat_at) {
		repeat_at = 0;
		memcpy(buf, last, (size_t)last_len);
		return last_len;
	}
	last_len = len > 0 && (size_t)len <= sizeof(last) ? len : 0;
	memcpy(last, buf, (size_t)last_len);
	return len;
}

/* Adds FLOCK elements to a in one batch, or takes them away: the set holds all of them or none. */
static struct nft_conn *writer;
static bool flock_is_there;

static bool move_flock(void)
{
	struct plan p = PLAN_NULL;
	struct plan_set *s = plan_for_set(&p, 0, &set_a, &v4);
	for (uint32_t n = 0; n < FLOCK; n++) {
		struct element_key k = lab_nth(CROWD + n);
		if (flock_is_there)
			plan_delete(s, &k);
		else
			plan_add(s, &k);
	}
	bool done = lab_commit(writer, &p).outcome == NFT_COMMIT_DONE;
	plan_done(&p);
	flock_is_there = !flock_is_there;
	return done;
}

static bool make_crowd(bool with_flock)
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
	flock_is_there = false;
	return done && (!with_flock || move_flock()) && count_in(&set_a) > CROWD;
}

static size_t crowd_now(bool with_flock)
{
	return CROWD + 1 + (with_flock ? FLOCK : 0);
}

static size_t move_at;

static void move_once(void)
{
	if (receives == move_at)
		move_flock();
}

static void move_always(void)
{
	move_flock();
}

/* A dump of that many elements comes in some 25 messages; the first receive is of the generation.
 */
static void check_torn_at(size_t message, bool flock)
{
	CHECK(make_crowd(flock));
	struct live l = LIVE_NULL;
	uint32_t generation;
	size_t strange;
	uint64_t before = nft_conn_dump_count(conn);
	receives = 0;
	move_at = 1 + message;
	before_receive = move_once;
	int r = nft_conn_dump(conn, &set_a, &v4, &l, &generation, &strange);
	before_receive = NULL;
	size_t count = live_count(&l);
	live_done(&l);
	CHECK_INT(r, 0);
	CHECK_INT(nft_conn_dump_count(conn) - before, 2);
	CHECK_INT(count, crowd_now(!flock));
	CHECK_INT(generation, generation_now());
}

static void test_a_dump_torn_by_additions_is_taken_again(void)
{
	check_torn_at(1, false);
	check_torn_at(3, false);
	check_torn_at(12, false);
}

static void test_a_dump_torn_by_deletions_is_taken_again(void)
{
	check_torn_at(1, true);
	check_torn_at(3, true);
	check_torn_at(12, true);
}

static void test_a_set_that_never_rests_is_busy(void)
{
	CHECK(make_crowd(false));
	struct live l = LIVE_NULL;
	uint32_t generation;
	size_t strange;
	uint64_t before = nft_conn_dump_count(conn);
	before_receive = move_always;
	int r = nft_conn_dump(conn, &set_a, &v4, &l, &generation, &strange);
	before_receive = NULL;
	size_t left = live_count(&l);
	live_done(&l);
	CHECK_INT(r, NFT_CONN_E_BUSY);
	CHECK_INT(nft_conn_dump_count(conn) - before, 5);
	CHECK_INT(left, 0);
	CHECK_INT(count_in(&set_a), crowd_now(flock_is_there));
}

/* Before the first message, between any two, after the last. */
static void test_whatever_a_dump_gives_is_of_the_generation_it_names(void)
{
	CHECK(make_crowd(false));
	for (move_at = 1; move_at < 40; move_at++) {
		struct live l = LIVE_NULL;
		uint32_t generation;
		size_t strange;
		receives = 0;
		before_receive = move_once;
		int r = nft_conn_dump(conn, &set_a, &v4, &l, &generation, &strange);
		before_receive = NULL;
		size_t count = live_count(&l);
		live_done(&l);
		CHECK_INT(r, 0);
		uint32_t now = generation_now();
		CHECK(generation == now || generation == now - 1);
		CHECK_INT(count, crowd_now(generation == now ? flock_is_there : !flock_is_there));
	}
}

static void replace_set(void)
{
	if (receives == move_at)
		(void)make_sets("");
}

static void test_a_set_that_is_replaced_under_a_dump_is_read_anew(void)
{
	CHECK(make_crowd(false));
	struct live l = LIVE_NULL;
	uint32_t generation;
	size_t strange;
	receives = 0;
	move_at = 6;
	before_receive = replace_set;
	int r = nft_conn_dump(conn, &set_a, &v4, &l, &generation, &strange);
	before_receive = NULL;
	size_t count = live_count(&l);
	live_done(&l);
	CHECK_INT(r, 0);
	CHECK_INT(count, 1);
}

/* When a load has made the table grow, the kernel rehashes it for a while after the commit. Nothing
 * changes, so the generation does not tell; but what was read comes again, in place of what was
 * not. Luck decides whether a dump falls into that: here it is made to. */
static void test_a_dump_that_repeats_itself_is_taken_again(void)
{
	CHECK(make_crowd(false));
	struct live l = LIVE_NULL;
	uint32_t generation;
	size_t strange;
	uint64_t before = nft_conn_dump_count(conn);
	receives = 0;
	repeat_at = 5;
	int r = nft_conn_dump(conn, &set_a, &v4, &l, &generation, &strange);
	bool repeated = repeat_at == 0;
	repeat_at = 0;
	size_t count = live_count(&l);
	live_done(&l);
	CHECK(repeated);
	CHECK_INT(r, 0);
	CHECK_INT(nft_conn_dump_count(conn) - before, 2);
	CHECK_INT(count, CROWD + 1);
}

int main(void)
{
	if (!lab_enter())
		return 0;
	if (nft_conn_new(&conn) != 0 || nft_conn_new(&writer) != 0)
		return 1;
	TAP_RUN(test_a_change_of_two_sets_is_one_generation);
	TAP_RUN(test_what_is_there_already_makes_no_generation);
	TAP_RUN(test_an_empty_plan_is_done_without_the_kernel);
	TAP_RUN(test_every_set_that_is_refused_is_known_with_its_error);
	TAP_RUN(test_a_delete_of_what_is_absent_changes_nothing);
	TAP_RUN(test_a_full_set_changes_nothing_and_is_named);
	TAP_RUN(test_a_missing_set_changes_nothing_and_is_named);
	TAP_RUN(test_a_commit_after_a_refused_one_goes_through);
	TAP_RUN(test_only_the_generation_that_was_planned_for_is_changed);
	TAP_RUN(test_thousands_of_elements_arrive_whole_in_one_generation);
	TAP_RUN(test_more_refusals_than_the_socket_holds_are_refusals_still);
	TAP_RUN(test_an_answer_that_cannot_be_read_is_an_unknown_outcome);
	TAP_RUN(test_without_the_capability_everything_is_refused);
	TAP_RUN(test_a_dump_torn_by_additions_is_taken_again);
	TAP_RUN(test_a_dump_torn_by_deletions_is_taken_again);
	TAP_RUN(test_whatever_a_dump_gives_is_of_the_generation_it_names);
	TAP_RUN(test_a_set_that_never_rests_is_busy);
	TAP_RUN(test_a_set_that_is_replaced_under_a_dump_is_read_anew);
	TAP_RUN(test_a_dump_that_repeats_itself_is_taken_again);
	nft_conn_free(writer);
	nft_conn_free(conn);
	return tap_done();
}
