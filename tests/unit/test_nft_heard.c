/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whoever only hears what nf_tables tells of a set with flag interval has what stands there, or
 * knows that it may not be so: nft and we change it at random, and dumps are compared with it. */
#include "edge/loop.h"
#include "edge/nft_monitor.h"
#include "nft_lab.h"

#include "base/strbuf.h"
#include "core/live_feed.h"
#include "random.h"

static struct loop *loop;
static struct nft_monitor *monitor;
static struct nft_conn *conn;
static char table_name[] = "t", set_name[] = "s";
static const struct set_id id = {NFPROTO_INET, table_name, set_name};

static struct set_kind kind;
static struct live copy, dumped;
static struct live_ear ear;
static bool unsure;
static size_t heard, was_unsure;

static void on_notice(void *userdata, const struct nft_notice *n)
{
	struct live_element e;
	enum live_news news = LIVE_NEWS_NONE;

	if (n->kind == NFT_NOTICE_ADDED || n->kind == NFT_NOTICE_DELETED)
		news = n->strange ? LIVE_NEWS_STRANGE
				  : live_hear(&copy, &ear, &kind, &n->entry,
					    n->kind == NFT_NOTICE_ADDED, &e);
	else if (n->kind == NFT_NOTICE_GENERATION)
		news = live_hear_end(&copy, &ear, &e);
	else
		unsure = true;
	unsure |= news == LIVE_NEWS_UNSURE || news == LIVE_NEWS_STRANGE;
	heard++;
}

static void dump(struct live *l)
{
	uint32_t generation;
	size_t strange;

	CHECK_INT(nft_conn_dump(conn, &id, &kind, l, &generation, &strange), 0);
	CHECK_INT(strange, 0);
}

static void begin(const char *definition)
{
	CHECK(lab_nft("flush ruleset\ntable inet t {\n set s {\n %s\n }\n}\n", definition));
	CHECK_INT(nft_conn_read_set(conn, &id, &kind), 0);
	monitor = nft_monitor_free(monitor);
	CHECK_INT(nft_monitor_new(loop, on_notice, NULL, &monitor), 0);
	dump(&copy);
	unsure = false;
	heard = was_unsure = 0;
}

static void check_copy(void)
{
	const struct live_element *e, *same;

	nft_monitor_drain(monitor);
	if (unsure) {
		dump(&copy);
		was_unsure++;
		unsure = false;
		return;
	}
	dump(&dumped);
	CHECK_INT(live_count(&copy), live_count(&dumped));
	CHECK_INT(copy.ours, dumped.ours);
	CHECK_INT(copy.boxes.count, dumped.boxes.count);
	for (size_t at = 0; (e = live_next(&dumped, &at));) {
		same = live_find(&copy, &e->key);
		CHECK(same);
		CHECK_INT(same->ours, e->ours);
		CHECK_INT(same->expires, e->expires);
	}
}

/* One that stands there, or NULL. */
static const struct live_element *pick(void)
{
	const struct live_element *e = NULL;
	unsigned n = random_below((unsigned)live_count(&copy) + 1);

	for (size_t at = 0; n > 0 && (e = live_next(&copy, &at)); n--)
		;
	return e;
}

static struct element_key random_key(void)
{
	static const uint8_t nets[][3] = {{0, 0, 0}, {10, 0, 0}, {10, 0, 1}, {255, 255, 255}};
	struct element_value v = {.port_first = 80};
	uint8_t bytes[4];
	unsigned last = random_below(6) ? random_below(5) : random_below(255);

	memcpy(bytes, nets[random_below(4)], 3);
	bytes[3] = (uint8_t)(random_below(3) ? 4 * random_below(12) : 250 + random_below(6));
	v.addr.first = addr_from_bytes(FAMILY_V4, bytes);
	bytes[3] = (uint8_t)(bytes[3] + last < 255 ? bytes[3] + last : 255);
	v.addr.last = addr_from_bytes(FAMILY_V4, bytes);
	v.port_last = (uint16_t)(v.port_first + random_below(2));
	return element_key_encode(&kind, &v);
}

static void put_line(struct strbuf *b, const char *verb, const struct element_key *k)
{
	static const char *const rests[] = {
		"", " comment \"allowsyncd\"", " timeout 1h", " timeout 2h comment \"allowsyncd\""};
	char text[ELEMENT_TEXT_SIZE];
	bool adds = *verb == 'a';

	strbuf_appendf(b, "%s element inet t s { %s%s }\n", verb,
		element_key_format(&kind, k, text), adds ? rests[random_below(4)] : "");
}

/* A batch of nft's; it may well be refused. */
static void change_by_nft(void)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;

	for (unsigned n = 1 + random_below(3); n > 0; n--) {
		const struct live_element *there = pick();
		struct element_key k = random_key();
		unsigned what = random_below(12);
		if (what == 0) {
			strbuf_append(&b, "flush set inet t s\n");
		} else if (there && what < 5) {
			put_line(&b, "delete", &there->key);
			if (what == 1) {
				put_line(&b, "add", &there->key);
			} else if (what == 2) {
				struct element_key joined = k;
				if (kind.layout == SET_LAYOUT_ADDR)
					range_join(&joined, &there->key);
				put_line(&b, "add", &joined);
			}
		} else if (there && what == 5) {
			put_line(&b, "add", &there->key);
		} else {
			put_line(&b, "add", &k);
		}
	}
	FILE *f = popen("nft -f - 2>/dev/null", "w");
	CHECK(f);
	fputs(strbuf_text(&b), f);
	pclose(f);
}

static void change_by_us(void)
{
	struct plan p = {.replaces = random_below(2)};
	struct plan_set *s = plan_for_set(&p, 0, &id, &kind);
	const struct live_element *there;

	kind.fuse_ms = random_below(2) ? 3600000 : 0;
	s->kind = kind;
	for (unsigned n = 1 + random_below(3); n > 0; n--) {
		struct element_key k = random_key();
		/* Of what overlaps the kernel refuses all but one (see test_nft_ranges.c), and so
		 * it is not planned. */
		if (random_below(2) && !ranges_overlapping(&copy.order, &k) && !s->add_count)
			plan_add(s, &k);
		else if ((there = pick()))
			plan_delete(s, &there->key);
	}
	if (!s->delete_count && (there = pick()))
		plan_renew(s, &there->key);
	lab_commit(conn, &p);
	plan_done(&p);
}

static void change_at_random(const char *definition)
{
	enum { ROUNDS = 150 };

	begin(definition);
	for (unsigned round = 0; round < ROUNDS; round++) {
		if (random_below(3))
			change_by_nft();
		else
			change_by_us();
		check_copy();
	}
	printf("# %zu notices, %zu of %d times unsure\n", heard, was_unsure, ROUNDS);
	CHECK(heard > ROUNDS);
	CHECK(was_unsure < ROUNDS / 10);
}

static void test_ranges_are_heard_right(void)
{
	change_at_random("type ipv4_addr; flags interval,timeout;");
}

static void test_ranges_that_nft_merges_are_heard_right(void)
{
	change_at_random("type ipv4_addr; flags interval,timeout; auto-merge;");
}

static void test_boxes_are_heard_right(void)
{
	change_at_random("type ipv4_addr . inet_service; flags interval,timeout;");
}

/* The copy does not know, and says so at the latest when something takes the place. */
static void test_what_takes_the_place_of_what_expired_is_heard_right_or_unsure(void)
{
	static const char *const others[] = {"10.0.0.0/25", "10.0.0.0/24", "10.0.0.0/23",
		"10.0.0.0-255.255.255.255", "10.0.0.128/25", "10.0.0.10", "9.0.0.0-10.0.3.0"};

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		begin("type ipv4_addr; flags interval,timeout;");
		CHECK(lab_nft("add element inet t s { 10.0.0.0/24 timeout 100ms comment "
			      "\"allowsyncd\", 10.0.9.0/24 }\n"));
		nft_monitor_drain(monitor);
		CHECK_INT(live_count(&copy), 2);
		CHECK_INT(copy.ours, 1);
		usleep(200 * 1000);
		if (i == 3)
			CHECK(lab_nft("delete element inet t s { 10.0.9.0/24 }\n"));
		CHECK(lab_nft("add element inet t s { %s }\n", others[i]));
		check_copy();
	}
}

int main(void)
{
	if (!lab_enter())
		return 0;
	random_begin(16);
	if (loop_new(&loop) != 0 || nft_conn_new(&conn) != 0)
		return 1;
	TAP_RUN(test_ranges_are_heard_right);
	TAP_RUN(test_ranges_that_nft_merges_are_heard_right);
	TAP_RUN(test_boxes_are_heard_right);
	TAP_RUN(test_what_takes_the_place_of_what_expired_is_heard_right_or_unsure);
	live_done(&copy);
	live_done(&dumped);
	nft_monitor_free(monitor);
	nft_conn_free(conn);
	loop_free(loop);
	return tap_done();
}
