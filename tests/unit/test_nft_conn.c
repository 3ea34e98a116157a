/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The real nf_tables, in a private network namespace: sets of every sort are read, filled, changed
 * and emptied, and nft says the same of them. */
#include "nft_lab.h"

#include <errno.h>
#include <sys/utsname.h>

static struct nft_conn *conn;

/* Makes `table FAMILY t { set s { DEFINITION } }` anew. */
static bool make_set(const char *family, const char *definition)
{
	return lab_nft("flush ruleset\ntable %s t {\n set s {\n %s\n }\n}\n", family, definition);
}

static struct set_id id_of(const char *family)
{
	static char table[] = "t", name[] = "s";
	return (struct set_id){nf_family_parse(family), table, name};
}

static const char *listing(const char *family)
{
	char command[64];
	snprintf(command, sizeof(command), "nft -y list set %s t s", family);
	return lab_output(command);
}

/* The dump holds exactly these, all ours and permanent. */
static bool holds(const struct set_id *id, const struct set_kind *kind,
	const struct element_key *keys, size_t count)
{
	struct live l = LIVE_NULL;
	uint32_t generation;
	size_t strange, found = 0;
	int r = nft_conn_dump(conn, id, kind, &l, &generation, &strange);
	for (size_t i = 0; i < count; i++) {
		const struct live_element *e = live_find(&l, &keys[i]);
		found += e && e->ours && !e->expires;
	}
	bool same = r == 0 && strange == 0 && live_count(&l) == count && found == count;
	live_done(&l);
	return same;
}

/* And so does what nft lists. */
static bool nft_lists(const char *family, const struct set_kind *kind,
	const struct element_key *keys, size_t count)
{
	const char *text = listing(family);
	for (size_t i = 0; i < count; i++) {
		char key[ELEMENT_TEXT_SIZE];
		if (!strstr(text, element_key_format(kind, &keys[i], key)))
			return false;
	}
	return lab_count(text, "comment \"allowsyncd\"") == count && !strstr(text, "expires");
}

static void check_life(
	const char *family, const struct set_kind *kind, const struct element_key keys[3])
{
	struct set_id id = id_of(family);
	struct plan p = PLAN_NULL;
	struct plan_set *s = plan_for_set(&p, 0, &id, kind);
	plan_add(s, &keys[0]);
	plan_add(s, &keys[1]);
	CHECK_INT(lab_commit(conn, &p).outcome, NFT_COMMIT_DONE);
	plan_done(&p);
	CHECK(holds(&id, kind, keys, 2));
	CHECK(nft_lists(family, kind, keys, 2));

	p = PLAN_NULL;
	s = plan_for_set(&p, 0, &id, kind);
	plan_delete(s, &keys[0]);
	plan_add(s, &keys[2]);
	CHECK_INT(lab_commit(conn, &p).outcome, NFT_COMMIT_DONE);
	plan_done(&p);
	CHECK(holds(&id, kind, keys + 1, 2));
	CHECK(nft_lists(family, kind, keys + 1, 2));

	p = PLAN_NULL;
	s = plan_for_set(&p, 0, &id, kind);
	plan_delete(s, &keys[1]);
	plan_delete(s, &keys[2]);
	CHECK_INT(lab_commit(conn, &p).outcome, NFT_COMMIT_DONE);
	plan_done(&p);
	CHECK(holds(&id, kind, keys, 0));
	CHECK(nft_lists(family, kind, keys, 0));
}

static void test_sets_of_every_sort_are_filled_changed_and_emptied(void)
{
	static const char *const families[] = {"ip", "ip6", "inet"};
	static const char *const types[] = {"type ipv4_addr;", "type ipv6_addr;",
		"type ipv4_addr . inet_proto . inet_service;",
		"type ipv6_addr . inet_proto . inet_service;"};
	static const struct {
		const char *text;
		uint64_t timeout_ms;
		uint32_t size;
		bool has_timeout;
	} flags[] = {
		{"", 0, 0, false},
		{"flags timeout;", 0, 0, true},
		{"timeout 1h;", 3600000, 0, true},
		{"counter;", 0, 0, false},
		{"flags timeout; counter; size 100;", 0, 100, true},
		{"timeout 10s; counter;", 10000, 0, true},
		{"size 100;", 0, 100, false},
		{"flags dynamic,timeout; timeout 1h; size 100;", 3600000, 100, true},
	};
	for (size_t i = 0; i < ARRAY_LEN(families) * ARRAY_LEN(types) * ARRAY_LEN(flags); i++) {
		const char *family = families[i % 3];
		size_t type = i / 3 % 4, flag = i / 12;
		char definition[160];
		snprintf(definition, sizeof(definition), "%s %s", types[type], flags[flag].text);
		CHECK(make_set(family, definition));
		struct set_id id = id_of(family);
		struct set_kind kind;
		CHECK_INT(nft_conn_read_set(conn, &id, &kind), 0);
		CHECK(!kind.unusable);
		CHECK_INT(kind.family, type % 2 ? FAMILY_V6 : FAMILY_V4);
		CHECK_INT(kind.layout, type / 2 ? SET_LAYOUT_ADDR_PROTO_SERVICE : SET_LAYOUT_ADDR);
		CHECK_INT(kind.has_timeout, flags[flag].has_timeout);
		CHECK_INT(kind.timeout_ms, flags[flag].timeout_ms);
		CHECK_INT(kind.size, flags[flag].size);

		const char *const v4[] = {"192.0.2.1", "192.0.2.2", "10.0.0.1"};
		const char *const v6[] = {"2001:db8::1", "2001:db8::2", "fd00::1"};
		const char *const *addr = type % 2 ? v6 : v4;
		struct element_key keys[3];
		for (int k = 0; k < 3; k++)
			keys[k] = type / 2 ? lab_service(addr[k], k ? IPPROTO_TCP : IPPROTO_UDP,
						     (uint16_t)(443 + 10000 * k))
					   : lab_key(addr[k]);
		check_life(family, &kind, keys);
	}
}

static void test_odd_names_are_reached(void)
{
	static const char *const names[] = {"a", "A-b_c.d/e", "x.y", "voip-4/eu.west",
		"Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaa"
		"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
		"bbb"
		"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
		"cc"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char text[256];
		snprintf(text, sizeof(text), "%s", names[i]);
		CHECK(lab_nft("flush ruleset\ntable inet %s { set %s { type ipv4_addr; }; }\n",
			text, text));
		struct set_id id = {NFPROTO_INET, text, text};
		struct set_kind kind;
		CHECK_INT(nft_conn_read_set(conn, &id, &kind), 0);
		struct plan p = PLAN_NULL;
		struct element_key k = lab_key("192.0.2.1");
		plan_add(plan_for_set(&p, 0, &id, &kind), &k);
		CHECK_INT(lab_commit(conn, &p).outcome, NFT_COMMIT_DONE);
		plan_done(&p);
		CHECK(holds(&id, &kind, &k, 1));
	}
}

static void test_typeof_sets_are_like_typed_ones(void)
{
	static const char *const definitions[] = {
		"typeof ip daddr;", "typeof ip daddr . meta l4proto . th dport;"};
	for (size_t i = 0; i < ARRAY_LEN(definitions); i++) {
		CHECK(make_set("inet", definitions[i]));
		struct set_id id = id_of("inet");
		struct set_kind kind;
		CHECK_INT(nft_conn_read_set(conn, &id, &kind), 0);
		CHECK(!kind.unusable);
		CHECK_INT(kind.layout, i ? SET_LAYOUT_ADDR_PROTO_SERVICE : SET_LAYOUT_ADDR);
	}
}

static void test_elements_of_others_are_told_from_ours(void)
{
	CHECK(make_set("inet", "type ipv4_addr; flags timeout; elements = { 192.0.2.1, "
			       "192.0.2.2 comment \"admin\", 192.0.2.3 comment \"allowsyncd2\", "
			       "192.0.2.4 timeout 1h, 192.0.2.5 comment \"allowsyncd\" }"));
	struct set_id id = id_of("inet");
	struct set_kind kind;
	CHECK_INT(nft_conn_read_set(conn, &id, &kind), 0);
	struct plan p = PLAN_NULL;
	struct element_key k = lab_key("192.0.2.6");
	plan_add(plan_for_set(&p, 0, &id, &kind), &k);
	CHECK_INT(lab_commit(conn, &p).outcome, NFT_COMMIT_DONE);
	plan_done(&p);

	struct live l = LIVE_NULL;
	uint32_t generation, now;
	size_t strange;
	CHECK_INT(nft_conn_dump(conn, &id, &kind, &l, &generation, &strange), 0);
	CHECK_INT(live_count(&l), 6);
	CHECK_INT(l.ours, 2);
	CHECK_INT(strange, 0);
	for (int i = 1; i <= 6; i++) {
		char text[ADDR_TEXT_SIZE];
		snprintf(text, sizeof(text), "192.0.2.%d", i);
		k = lab_key(text);
		const struct live_element *e = live_find(&l, &k);
		CHECK(e);
		CHECK_INT(e->ours, i >= 5);
		CHECK_INT(e->expires, i == 4);
	}
	CHECK_INT(nft_conn_generation(conn, &now), 0);
	CHECK_INT(generation, now);
	live_done(&l);
}

static void test_ours_stay_for_ever_where_the_default_is_to_leave(void)
{
	CHECK(make_set("inet", "type ipv4_addr; timeout 1h; elements = { 192.0.2.1 }"));
	struct set_id id = id_of("inet");
	struct set_kind kind;
	CHECK_INT(nft_conn_read_set(conn, &id, &kind), 0);
	struct plan p = PLAN_NULL;
	struct element_key k = lab_key("192.0.2.2");
	plan_add(plan_for_set(&p, 0, &id, &kind), &k);
	CHECK_INT(lab_commit(conn, &p).outcome, NFT_COMMIT_DONE);
	plan_done(&p);
	const char *text = listing("inet");
	CHECK_INT(lab_count(text, "expires"), 1);
	const char *theirs = strstr(text, "192.0.2.1"), *mine = strstr(text, "192.0.2.2");
	CHECK(theirs && mine);
	const char *expires = strstr(text, "expires");
	CHECK(theirs < mine ? expires < mine : expires > theirs);
}

/* Kernels before 6.12 take a second addition without a word and change nothing. */
static bool kernel_updates_timeouts(void)
{
	struct utsname u;
	unsigned major = 0, minor = 0;
	return uname(&u) == 0 && sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	       (major > 6 || (major == 6 && minor >= 12));
}

static void test_adding_again_makes_an_expiring_element_permanent(void)
{
	static const char *const flags[] = {"flags timeout;", "timeout 2h;"};
	for (size_t i = 0; i < ARRAY_LEN(flags) && kernel_updates_timeouts(); i++) {
		char definition[200];
		snprintf(definition, sizeof(definition),
			"type ipv4_addr; %s elements = { 192.0.2.1 timeout 1h comment "
			"\"allowsyncd\" }",
			flags[i]);
		CHECK(make_set("inet", definition));
		struct set_id id = id_of("inet");
		struct set_kind kind;
		struct element_key k = lab_key("192.0.2.1");
		CHECK_INT(nft_conn_read_set(conn, &id, &kind), 0);
		CHECK(!holds(&id, &kind, &k, 1));
		struct plan p = PLAN_NULL;
		struct plan_set *s = plan_for_set(&p, 0, &id, &kind);
		plan_renew(s, &k);
		CHECK_INT(lab_commit(conn, &p).outcome, NFT_COMMIT_DONE);
		plan_done(&p);
		CHECK(holds(&id, &kind, &k, 1));
	}
}

static void test_sets_that_cannot_be_filled_say_why(void)
{
	static const struct {
		const char *definition, *why;
	} rows[] = {
		{"type ipv4_addr; flags constant; elements = { 192.0.2.1 }", "constant"},
		{"type ether_addr;", "type"},
		{"type ipv4_addr . ether_addr;", "type"},
		{"type ipv4_addr; limit rate 1/second;", "statement"},
	};
	struct set_id id = id_of("inet");
	struct set_kind kind;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK(make_set("inet", rows[i].definition));
		CHECK_INT(nft_conn_read_set(conn, &id, &kind), 0);
		CHECK(kind.unusable);
		CHECK(strstr(kind.unusable, rows[i].why));
	}
	CHECK(lab_nft("flush ruleset\ntable inet t { map s { type ipv4_addr : verdict; }; }\n"));
	CHECK_INT(nft_conn_read_set(conn, &id, &kind), 0);
	CHECK(kind.unusable && strstr(kind.unusable, "map"));
}

static void test_what_is_not_there_is_missing(void)
{
	CHECK(make_set("inet", "type ipv4_addr;"));
	char nowhere[] = "nowhere", endless[300];
	memset(endless, 'e', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	struct set_id here = id_of("inet"), ids[4] = {here, here, here, here};
	ids[0].table = nowhere;
	ids[1].name = nowhere;
	ids[2].name = endless;
	ids[3].nf_family = NFPROTO_IPV4;
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		struct set_kind kind = {.layout = SET_LAYOUT_ADDR, .family = FAMILY_V4}, read;
		CHECK_INT(nft_conn_read_set(conn, &ids[i], &read), NFT_CONN_E_MISSING);
		struct live l = LIVE_NULL;
		uint32_t generation;
		size_t strange;
		CHECK_INT(nft_conn_dump(conn, &ids[i], &kind, &l, &generation, &strange),
			NFT_CONN_E_MISSING);
		CHECK_INT(live_count(&l), 0);
		live_done(&l);
		CHECK(holds(&here, &kind, NULL, 0));
	}
}

static void test_keys_of_another_layout_are_counted_as_strange(void)
{
	CHECK(make_set("inet", "type ipv4_addr; elements = { 192.0.2.1, 192.0.2.2 }"));
	struct set_id id = id_of("inet");
	struct set_kind other = {.layout = SET_LAYOUT_ADDR, .family = FAMILY_V6};
	struct live l = LIVE_NULL;
	uint32_t generation;
	size_t strange;
	CHECK_INT(nft_conn_dump(conn, &id, &other, &l, &generation, &strange), 0);
	CHECK_INT(live_count(&l), 0);
	CHECK_INT(strange, 2);
	live_done(&l);
}

static void test_a_dump_forgets_what_stood_in_the_copy_before(void)
{
	CHECK(make_set("inet", "type ipv4_addr; elements = { 192.0.2.1 }"));
	struct set_id id = id_of("inet");
	struct set_kind kind;
	CHECK_INT(nft_conn_read_set(conn, &id, &kind), 0);
	struct live l = LIVE_NULL;
	struct live_element old = {.key = lab_key("192.0.2.9"), .ours = true};
	live_put(&l, &old);
	uint32_t generation;
	size_t strange;
	uint64_t before = nft_conn_dump_count(conn);
	CHECK_INT(nft_conn_dump(conn, &id, &kind, &l, &generation, &strange), 0);
	CHECK_INT(live_count(&l), 1);
	CHECK(!live_find(&l, &old.key));
	CHECK_INT(nft_conn_dump_count(conn), before + 1);
	live_done(&l);
}

int main(void)
{
	if (!lab_enter())
		return 0;
	if (nft_conn_new(&conn) != 0)
		return 1;
	TAP_RUN(test_sets_of_every_sort_are_filled_changed_and_emptied);
	TAP_RUN(test_odd_names_are_reached);
	TAP_RUN(test_typeof_sets_are_like_typed_ones);
	TAP_RUN(test_elements_of_others_are_told_from_ours);
	TAP_RUN(test_ours_stay_for_ever_where_the_default_is_to_leave);
	TAP_RUN(test_adding_again_makes_an_expiring_element_permanent);
	TAP_RUN(test_sets_that_cannot_be_filled_say_why);
	TAP_RUN(test_what_is_not_there_is_missing);
	TAP_RUN(test_keys_of_another_layout_are_counted_as_strange);
	TAP_RUN(test_a_dump_forgets_what_stood_in_the_copy_before);
	nft_conn_free(conn);
	return tap_done();
}
