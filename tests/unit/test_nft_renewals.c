/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long elements last, in the real nf_tables: with a fuse and without, and how much of it is
 * left once they are renewed. And the probe for what the kernel makes of renewals. */
#include "nft_lab.h"

#include "core/planning.h"

#include <sys/utsname.h>

static struct nft_conn *conn;
static char table_name[] = "t", set_name[] = "s";
static const struct set_id id = {NFPROTO_INET, table_name, set_name};
static struct set_kind kind;
static struct live copy;

/* One of each: its type and flags, and an element in it. */
static const struct {
	const char *type, *element;
	struct addr_range addr;
} sorts[] = {
	{"type ipv4_addr; flags timeout;", "10.0.0.0", {{FAMILY_V4, {10}}, {FAMILY_V4, {10}}}},
	{"type ipv4_addr; flags interval,timeout;", "10.0.0.0/24",
		{{FAMILY_V4, {10}}, {FAMILY_V4, {10, 0, 0, 255}}}},
	{"type ipv4_addr; flags interval,timeout;", "255.0.0.0/8",
		{{FAMILY_V4, {255}}, {FAMILY_V4, {255, 255, 255, 255}}}},
	{"type ipv4_addr . inet_service; flags timeout;", "10.0.0.0 . 443",
		{{FAMILY_V4, {10}}, {FAMILY_V4, {10}}}},
	{"type ipv4_addr . inet_service; flags interval,timeout;", "10.0.0.0 . 443",
		{{FAMILY_V4, {10}}, {FAMILY_V4, {10}}}},
	{"type ipv4_addr . inet_proto . inet_service; flags interval,timeout;",
		"10.0.0.0 . tcp . 443", {{FAMILY_V4, {10}}, {FAMILY_V4, {10}}}},
};

static struct element_key key_of(size_t sort)
{
	struct element_value v = {.addr = sorts[sort].addr};

	if (kind.layout != SET_LAYOUT_ADDR)
		v.port_first = v.port_last = 443;
	if (kind.layout == SET_LAYOUT_ADDR_PROTO_SERVICE)
		v.protocol_first = v.protocol_last = IPPROTO_TCP;
	return element_key_encode(&kind, &v);
}

/* A set of that sort; `rest` may give it a default, and an element. */
static void make(size_t sort, const char *rest)
{
	CHECK(lab_nft("flush ruleset\ntable inet t {\n set s {\n %s %s\n }\n}\n", sorts[sort].type,
		rest));
	CHECK_INT(nft_conn_read_set(conn, &id, &kind), 0);
	CHECK(!kind.unusable && kind.has_timeout);
}

/* "5s", "59m59s980ms" */
static long parse_ms(const char *text)
{
	static const struct {
		const char *unit;
		long ms;
	} units[] = {{"ms", 1}, {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}};
	long ms = 0;

	while (*text >= '0' && *text <= '9') {
		char *unit;
		long n = strtol(text, &unit, 10);
		for (size_t i = 0; i < ARRAY_LEN(units); i++) {
			size_t len = strlen(units[i].unit);
			if (strncmp(unit, units[i].unit, len) == 0) {
				ms += n * units[i].ms;
				text = unit + len;
				break;
			}
		}
	}
	return ms;
}

/* What nft lists of the only element: -1: nothing of the sort. */
static long listed_ms(const char *word)
{
	const char *text = lab_output("nft list set inet t s");
	const char *elements = strstr(text, "elements"), *at;

	CHECK(elements && lab_count(elements, "comment \"allowsyncd\"") == 1);
	at = strstr(elements, word);
	return at ? parse_ms(at + strlen(word) + 1) : -1;
}

static void check_one(size_t sort, bool expires)
{
	struct element_key k = key_of(sort);
	uint32_t generation;
	size_t strange;

	CHECK_INT(nft_conn_dump(conn, &id, &kind, &copy, &generation, &strange), 0);
	CHECK_INT(strange, 0);
	CHECK_INT(live_count(&copy), 1);
	const struct live_element *e = live_find(&copy, &k);
	CHECK(e && e->ours);
	CHECK_INT(e->expires, expires);
}

static void add_one(size_t sort)
{
	struct element_key k = key_of(sort);
	struct plan p = PLAN_NULL;

	plan_add(plan_for_set(&p, 0, &id, &kind), &k);
	CHECK_INT(lab_commit(conn, &p).outcome, NFT_COMMIT_DONE);
	plan_done(&p);
}

static void test_elements_last_as_long_as_their_fuse(void)
{
	static const struct {
		const char *rest;
		uint64_t fuse_ms;
	} rows[] = {
		{"", 0},
		{"", 20000},
		{"timeout 1h;", 0},
		{"timeout 1h;", 20000},
		{"timeout 20s;", 20000},
	};

	for (size_t i = 0; i < ARRAY_LEN(sorts) * ARRAY_LEN(rows); i++) {
		size_t sort = i % ARRAY_LEN(sorts);
		uint64_t fuse_ms = rows[i / ARRAY_LEN(sorts)].fuse_ms;
		make(sort, rows[i / ARRAY_LEN(sorts)].rest);
		kind.fuse_ms = fuse_ms;
		add_one(sort);
		long left = listed_ms("expires");
		check_one(sort, fuse_ms > 0);
		CHECK(fuse_ms ? left > 15000 && left <= 20000 : left == -1);
	}
}

static void test_element_whose_fuse_is_through_is_gone(void)
{
	make(1, "");
	kind.fuse_ms = 300;
	add_one(1);
	check_one(1, true);
	usleep(500 * 1000);
	uint32_t generation;
	size_t strange;
	CHECK_INT(nft_conn_dump(conn, &id, &kind, &copy, &generation, &strange), 0);
	CHECK_INT(live_count(&copy), 0);
	CHECK_INT(strange, 0);
	/* And can be added anew. */
	kind.fuse_ms = 20000;
	add_one(1);
	check_one(1, true);
}

static void renew(size_t sort, bool replaces)
{
	struct plan p = {.replaces = replaces};
	struct planning in = {.id = &id, .kind = &kind, .live = &copy};

	check_one(sort, true);
	plan_renew_all(&p, &in);
	CHECK_INT(plan_work_count(&p), 1);
	CHECK_INT(lab_commit(conn, &p).outcome, NFT_COMMIT_DONE);
	plan_done(&p);
}

/* Five seconds are left of twenty, then it is as new. */
static void test_renewed_elements_have_all_their_time_again(void)
{
	static const char *const rests[] = {"", "timeout 1h;", "timeout 20s;"};

	for (size_t i = 0; i < ARRAY_LEN(sorts) * ARRAY_LEN(rests) * 2; i++) {
		size_t sort = i / 2 % ARRAY_LEN(sorts);
		bool replaces = i % 2;
		char rest[192];
		if (!replaces && !nft_conn_renews(conn))
			continue;
		snprintf(rest, sizeof(rest),
			"%s elements = { %s timeout 20s expires 5s comment \"allowsyncd\" }",
			rests[i / 2 / ARRAY_LEN(sorts)], sorts[sort].element);
		make(sort, rest);
		kind.fuse_ms = 20000;
		CHECK(listed_ms("expires") <= 5000);
		renew(sort, replaces);
		CHECK(listed_ms("expires") > 15000);
		check_one(sort, true);
		/* Another fuse. */
		kind.fuse_ms = 600000;
		renew(sort, replaces);
		CHECK(listed_ms("expires") > 500000);
		/* None at all. */
		kind.fuse_ms = 0;
		renew(sort, replaces);
		CHECK_INT(listed_ms("expires"), -1);
		check_one(sort, false);
	}
}

static void test_permanent_elements_get_a_fuse(void)
{
	static const char *const rests[] = {"", "timeout 1h;"};

	for (size_t i = 0; i < ARRAY_LEN(sorts) * ARRAY_LEN(rests) * 2; i++) {
		size_t sort = i / 2 % ARRAY_LEN(sorts);
		bool replaces = i % 2;
		struct plan p = {.replaces = replaces};
		if (!replaces && !nft_conn_renews(conn))
			continue;
		make(sort, rests[i / 2 / ARRAY_LEN(sorts)]);
		add_one(sort);
		check_one(sort, false);
		kind.fuse_ms = 20000;
		struct element_key k = key_of(sort);
		plan_renew(plan_for_set(&p, 0, &id, &kind), &k);
		CHECK_INT(lab_commit(conn, &p).outcome, NFT_COMMIT_DONE);
		plan_done(&p);
		long left = listed_ms("expires");
		CHECK(left > 15000 && left <= 20000);
		check_one(sort, true);
	}
}

/* Its end may still stand there when ours comes, at the same place or not. */
static void test_ranges_of_others_that_expired_are_no_hindrance(void)
{
	static const char *const theirs[] = {"10.0.0.0/24", "10.0.0.0-10.0.0.99",
		"10.0.0.100-10.0.0.255", "10.0.0.100-10.0.0.199", "9.0.0.0-10.0.0.255",
		"10.0.0.77-10.0.1.99", "9.255.255.255", "10.0.1.0", "10.0.0.0-255.255.255.255"};

	for (size_t i = 0; i < ARRAY_LEN(theirs); i++) {
		char rest[128];
		snprintf(rest, sizeof(rest), "elements = { %s timeout 100ms }", theirs[i]);
		make(1, rest);
		usleep(200 * 1000);
		add_one(1);
		check_one(1, false);
		CHECK(strstr(lab_output("nft list set inet t s"), "10.0.0.0/24 comment"));
	}
}

/* --- the probe --- */

static bool probe(void)
{
	struct nft_conn *c = NULL;

	CHECK_INT(nft_conn_new(&c), 0);
	bool renews = nft_conn_renews(c);
	bool again = nft_conn_renews(c);
	nft_conn_free(c);
	CHECK(renews == again);
	return renews;
}

static void test_the_probe_says_what_the_kernel_does_and_leaves_nothing(void)
{
	struct utsname u;
	unsigned major = 0, minor = 0;

	CHECK(lab_nft("flush ruleset\ntable inet t { set s { type ipv4_addr; }; }\n"));
	char before[1024];
	snprintf(before, sizeof(before), "%s", lab_output("nft list ruleset"));
	bool renews = probe();
	CHECK_STR(lab_output("nft list ruleset"), before);
	CHECK(uname(&u) == 0 && sscanf(u.release, "%u.%u", &major, &minor) == 2);
	CHECK_INT(renews, major > 6 || (major == 6 && minor >= 12));
}

static void test_the_probe_removes_what_an_earlier_one_left(void)
{
	static const char *const leftovers[] = {
		"",
		"set s { type ipv4_addr; flags timeout; elements = { 192.0.2.1 timeout 1h } }",
		"set s { type ipv6_addr; }",
		"set s { type ipv4_addr; flags interval; elements = { 192.0.2.0/24 } }",
		"map s { type ipv4_addr : verdict; elements = { 192.0.2.1 : drop } }",
	};
	bool expected = probe();

	for (size_t i = 0; i < ARRAY_LEN(leftovers); i++) {
		CHECK(lab_nft(
			"flush ruleset\ntable inet allowsyncd_probe {\n%s\n}\n", leftovers[i]));
		CHECK_INT(probe(), expected);
		CHECK_STR(lab_output("nft list ruleset"), "");
	}
}

static void test_a_connection_that_probed_goes_on_as_before(void)
{
	struct nft_conn *c = NULL;
	uint32_t generation, now;

	make(0, "");
	CHECK_INT(nft_conn_new(&c), 0);
	uint64_t commits = nft_conn_commit_count(c), dumps = nft_conn_dump_count(c);
	nft_conn_renews(c);
	CHECK_INT(nft_conn_commit_count(c), commits);
	CHECK_INT(nft_conn_dump_count(c), dumps);
	CHECK_INT(nft_conn_generation(c, &generation), 0);
	CHECK_INT(nft_conn_generation(conn, &now), 0);
	CHECK_INT(generation, now);
	struct element_key k = key_of(0);
	struct plan p = {.has_generation = true, .generation = now};
	plan_add(plan_for_set(&p, 0, &id, &kind), &k);
	CHECK_INT(lab_commit(c, &p).outcome, NFT_COMMIT_DONE);
	plan_done(&p);
	check_one(0, false);
	nft_conn_free(c);
}

int main(void)
{
	if (!lab_enter())
		return 0;
	if (nft_conn_new(&conn) != 0)
		return 1;
	TAP_RUN(test_elements_last_as_long_as_their_fuse);
	TAP_RUN(test_element_whose_fuse_is_through_is_gone);
	TAP_RUN(test_renewed_elements_have_all_their_time_again);
	TAP_RUN(test_permanent_elements_get_a_fuse);
	TAP_RUN(test_ranges_of_others_that_expired_are_no_hindrance);
	TAP_RUN(test_the_probe_says_what_the_kernel_does_and_leaves_nothing);
	TAP_RUN(test_the_probe_removes_what_an_earlier_one_left);
	TAP_RUN(test_a_connection_that_probed_goes_on_as_before);
	live_done(&copy);
	nft_conn_free(conn);
	return tap_done();
}
