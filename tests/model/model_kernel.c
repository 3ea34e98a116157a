/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything below `wanted` against the real kernel: random answers, reloads, edits of others with
 * nft, flushes, tables made anew and lost notices, and after each step a plain reckoning of what
 * should stand in each set. The time is the test's own. */
#include "model_world.h"

#include <stdarg.h>

/* --- the others' side --- */

_printf_(1, 2) static bool nft(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	_cleanup_free_ char *text = xvasprintf(fmt, ap);
	va_end(ap);
	fflush(stdout);
	FILE *f = popen("nft -f - 2>/dev/null", "w");
	CHECK(f);
	fputs(text, f);
	bool done = pclose(f) == 0;
	strbuf_appendf(&m.trace, "# nft %s: %s\n", done ? "did" : "refused", text);
	return done;
}

static void declare(struct strbuf *b)
{
	strbuf_append(b, "table inet t {\n");
	for (size_t i = 0; i < SETS; i++)
		strbuf_appendf(b, "set %s { %s\n}\n", sets[i].name, sets[i].declaration);
	strbuf_append(b, "}\n");
}

static const struct set_kind *kind_of(size_t set)
{
	return &m.world->sets[set].kind;
}

/* "45.0.0.7", "45.0.0.16/28 . tcp . 443", "45.0.0.5-45.0.0.9": random, as fits the set. */
static char *random_element(size_t set)
{
	const struct set_kind *kind = kind_of(set);
	unsigned first = random_below(ADDRESSES), last = first, service = random_below(SERVICES);
	struct element_value v;

	if (kind->interval && random_below(2))
		last = first + random_below(12);
	if (last >= ADDRESSES)
		last = ADDRESSES - 1;
	v = (struct element_value){.addr = {address(first), address(last)}};
	if (kind->layout != SET_LAYOUT_ADDR) {
		v.port_first = v.port_last = services[service].port;
		if (kind->interval && random_below(2))
			v.port_first = 1;
	}
	if (kind->layout == SET_LAYOUT_ADDR_PROTO_SERVICE)
		v.protocol_first = v.protocol_last = services[service].protocol;
	struct element_key key = element_key_encode(kind, &v);
	char text[ELEMENT_TEXT_SIZE];
	return xstrdup(element_key_format(kind, &key, text));
}

static void edit_add(const char *comment)
{
	size_t set = random_below(SETS);
	_cleanup_free_ char *element = random_element(set);

	nft("add element inet t %s { %s%s }\n", sets[set].name, element, comment);
}

/* One that stands there, ours or not, as the copy has it: seldom wrong, and then nft refuses. */
static void edit_delete(void)
{
	size_t set = random_below(SETS), at = 0, skip;
	const struct live *l = &m.world->sets[set].live;
	const struct live_element *e = NULL;
	char text[ELEMENT_TEXT_SIZE];

	if (!live_count(l))
		return;
	skip = random_below((unsigned)live_count(l));
	for (size_t i = 0; i <= skip; i++)
		e = live_next(l, &at);
	nft("delete element inet t %s { %s }\n", sets[set].name,
		element_key_format(kind_of(set), &e->key, text));
}

static void make_tables(bool flush)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;

	if (flush)
		strbuf_append(&b, "flush ruleset\n");
	strbuf_append(&b, "table inet busy { set x { type ipv4_addr; }; }\n");
	declare(&b);
	CHECK(nft("%s", strbuf_text(&b)));
	m.table_is_there = true;
}

/* Somebody else's transaction, so that a gap in the numbers shows. */
static void touch_busy(void)
{
	CHECK(nft("add element inet busy x { 192.0.2.1 }\nflush set inet busy x\n"));
}

static void lose_notices(void)
{
	uint8_t buf[65536];

	while (recv(nft_monitor_fd(m.monitor), buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	touch_busy();
}

/* --- what should be --- */

static bool is_wanted_range(size_t set, unsigned first, unsigned last)
{
	static const struct {
		size_t statics;
		unsigned first, last;
	} ranges[] = {{1, 32, 63}, {2, 64, 127}, {2, 100, 140}, {2, 7, 7}, {3, 0, 255}, {4, 0, 3},
		{4, 4, 7}, {4, 252, 255}};

	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		bool single = ranges[i].first == ranges[i].last;
		if (ranges[i].statics == m.statics &&
			(single || set_kind_has_ranges(kind_of(set))) && ranges[i].first <= first &&
			last <= ranges[i].last)
			return true;
	}
	for (unsigned n = 0; first == last && n < NAMES; n++) {
		if (m.held[n][first])
			return true;
	}
	return false;
}

static bool is_foreign(
	const struct live *there, const struct set_kind *kind, const struct element_key *key)
{
	const struct live_element *e;

	for (size_t at = 0; (e = live_next(there, &at));) {
		if (!e->ours && element_key_covers(kind, &e->key, key))
			return true;
	}
	return false;
}

static struct element_key range_of(const struct set_kind *kind, unsigned first, unsigned last)
{
	return element_key_encode(
		kind, &(struct element_value){.addr = {address(first), address(last)}});
}

static void expect(
	const struct live *there, const struct element_key *key, size_t set, size_t *count)
{
	const struct live_element *e = live_find(there, key);
	char text[ELEMENT_TEXT_SIZE];

	if (!e || !e->ours)
		printf("# %s: %s is not there\n", sets[set].name,
			element_key_format(kind_of(set), key, text));
	CHECK(e && e->ours);
	CHECK_INT(e->expires, kind_of(set)->fuse_ms > 0);
	(*count)++;
}

static void expect_ranges(size_t set, const struct live *there, size_t *count)
{
	const struct set_kind *kind = kind_of(set);
	unsigned first = ADDRESSES;

	for (unsigned i = 0; i <= ADDRESSES; i++) {
		struct element_key one = range_of(kind, i % ADDRESSES, i % ADDRESSES);
		bool here = i < ADDRESSES && is_wanted_range(set, i, i) &&
			    !is_foreign(there, kind, &one);
		/* Where two wants only touch, the piece ends. */
		bool joined =
			here && first < i && (kind->auto_merge || is_wanted_range(set, i - 1, i));
		if (first < ADDRESSES && !joined) {
			struct element_key piece = range_of(kind, first, i - 1);
			expect(there, &piece, set, count);
			first = ADDRESSES;
		}
		if (here && first == ADDRESSES)
			first = i;
	}
}

/* The kernel lets others put a box around what stands there already; then it stays. */
static bool was_ours(size_t set, const struct live *there, const struct element_key *key)
{
	const struct live_element *before = live_find(&m.before[set], key);
	const struct live_element *now = live_find(there, key);

	return kind_of(set)->interval && before && before->ours && now && now->ours;
}

static void expect_keys(size_t set, const struct live *there, size_t *count)
{
	const struct set_kind *kind = kind_of(set);
	size_t per_address = kind->layout == SET_LAYOUT_ADDR           ? 1
			     : kind->layout == SET_LAYOUT_ADDR_SERVICE ? 1
								       : SERVICES;

	for (unsigned i = 0; i < ADDRESSES; i++) {
		if (!is_wanted_range(set, i, i))
			continue;
		for (size_t s = 0; s < per_address; s++) {
			struct element_value v = {.addr = {address(i), address(i)}};
			if (kind->layout != SET_LAYOUT_ADDR)
				v.port_first = v.port_last = services[s].port;
			if (kind->layout == SET_LAYOUT_ADDR_PROTO_SERVICE)
				v.protocol_first = v.protocol_last = services[s].protocol;
			struct element_key key = element_key_encode(kind, &v);
			if (!is_foreign(there, kind, &key) || was_ours(set, there, &key))
				expect(there, &key, set, count);
		}
	}
}

static void witness(size_t set, struct live *ret)
{
	const struct world_set *s = &m.world->sets[set];
	uint32_t generation;
	size_t strange;

	CHECK_INT(nft_conn_dump(m.witness, &s->id, &s->kind, ret, &generation, &strange), 0);
	CHECK_INT(strange, 0);
}

static bool is_held_by_wants(size_t set, const struct element_key *key)
{
	struct element_value v;

	CHECK(element_key_decode(kind_of(set), key, &v));
	for (unsigned i = v.addr.first.bytes[3]; i <= v.addr.last.bytes[3]; i++) {
		if (!is_wanted_range(set, i, i))
			return false;
	}
	return true;
}

/* What was not ours before the daemon came by is there still. */
static void check_foreign(size_t set, const struct live *there)
{
	const struct live_element *e, *now;
	bool removes = m.world->sets[set].config->remove_foreign;
	size_t count = 0;

	for (size_t at = 0; (e = live_next(&m.before[set], &at));) {
		if (e->ours)
			continue;
		now = live_find(there, &e->key);
		if (removes && !is_held_by_wants(set, &e->key)) {
			CHECK(!now || now->ours);
			continue;
		}
		CHECK(now && !now->ours);
		count++;
	}
	CHECK_INT(live_count(there) - there->ours, count);
}

static void check_copy(size_t set, const struct live *there)
{
	const struct live *copy = &m.world->sets[set].live;
	const struct live_element *e, *same;

	CHECK_INT(live_count(copy), live_count(there));
	CHECK_INT(copy->ours, there->ours);
	for (size_t at = 0; (e = live_next(there, &at));) {
		same = live_find(copy, &e->key);
		CHECK(same && same->ours == e->ours && same->expires == e->expires);
	}
}

static void check_set(size_t set)
{
	struct live there = LIVE_NULL;
	size_t count = 0;

	witness(set, &there);
	if (set_kind_has_ranges(kind_of(set)))
		expect_ranges(set, &there, &count);
	else
		expect_keys(set, &there, &count);
	CHECK_INT(there.ours, count);
	check_foreign(set, &there);
	check_copy(set, &there);
	live_done(&there);
}

/* --- steps --- */

enum op {
	OP_ANSWER,
	OP_ADD,
	OP_ADD_TAGGED,
	OP_DELETE,
	OP_FLUSH,
	OP_FLUSH_RULESET,
	OP_DELETE_TABLE,
	OP_LOSE,
	OP_RELOAD,
	OP_COUNT
};
static const char *const op_names[] = {"answers", "foreign adds", "tagged adds", "deletes",
	"flushes", "rulesets", "tables deleted", "losses", "reloads"};
static const unsigned weights[] = {30, 15, 4, 15, 4, 2, 1, 4, 3};

static enum op random_op(void)
{
	unsigned all = 0, at;

	for (size_t i = 0; i < OP_COUNT; i++)
		all += weights[i];
	at = random_below(all);
	for (size_t i = 0;; at -= weights[i++]) {
		if (at < weights[i])
			return (enum op)i;
	}
}

static void new_answer(void)
{
	unsigned name = random_below(NAMES), count = 1 + random_below(NAME_ADDRESSES);

	strbuf_appendf(&m.trace, "# answer for n%u\n", name);
	/* Mostly neighbours, so that ranges touch. */
	unsigned base = random_below(ADDRESSES);
	if (random_below(2))
		memset(m.held[name], 0, sizeof(m.held[name]));
	for (unsigned i = 0; i < count; i++)
		m.held[name][(base + random_below(2 * NAME_ADDRESSES)) % ADDRESSES] = true;
	answer(name);
}

static void reload(void)
{
	struct world *old = m.world;

	m.statics = random_below(ARRAY_LEN(statics));
	strbuf_appendf(&m.trace, "# reload with %s", statics[m.statics]);
	m.world = world_new(load_config(), 1, m.now_ms);
	world_carry_over(m.world, old, m.now_ms);
	sync_turn(&m.sync, m.world, m.now_ms);
	world_free(old);
}

static void do_op(enum op op)
{
	m.ops[op]++;
	switch (op) {
	case OP_ANSWER:
		new_answer();
		break;
	case OP_ADD:
		edit_add("");
		break;
	case OP_ADD_TAGGED:
		edit_add(" comment \"" ELEMENT_TAG "\"");
		break;
	case OP_DELETE:
		edit_delete();
		break;
	case OP_FLUSH:
		nft("flush set inet t %s\n", sets[random_below(SETS)].name);
		break;
	case OP_FLUSH_RULESET:
		make_tables(true);
		break;
	case OP_DELETE_TABLE:
		nft("delete table inet t\n");
		m.table_is_there = false;
		break;
	case OP_LOSE:
		do_op(random_below(2) ? OP_ADD : OP_DELETE);
		lose_notices();
		break;
	case OP_RELOAD:
		reload();
		break;
	case OP_COUNT:
		break;
	}
}

static void snapshot(void)
{
	for (size_t i = 0; m.table_is_there && i < SETS; i++) {
		live_done(&m.before[i]);
		witness(i, &m.before[i]);
	}
}

static void step(void)
{
	/* Sometimes several before the daemon comes by; a reload is the daemon's own doing. */
	unsigned count = 1 + random_below(3);

	strbuf_done(&m.trace);
	m.trace = STRBUF_NULL;
	m.now_ms += STEP_MS;
	if (!m.table_is_there)
		make_tables(false);
	for (unsigned i = 0; i < count && m.table_is_there; i++) {
		enum op op = random_op();
		if (op == OP_RELOAD && i)
			continue;
		do_op(op);
	}
	snapshot();
	come_to_rest();
	for (size_t i = 0; m.table_is_there && i < SETS; i++)
		check_set(i);
}

static void sets_hold_what_they_should_whatever_others_do(void)
{
	const char *extended = getenv("ALLOWSYNCD_EXTENDED");
	size_t steps = extended && *extended ? STEPS_EXTENDED : STEPS;

	random_begin(20261125);
	m.root = lab_new();
	m.now_ms = 1000000;
	CHECK_INT(loop_new(&m.loop), 0);
	CHECK_INT(nft_conn_new(&m.witness), 0);
	CHECK_INT(nft_conn_new(&m.sync.conn), 0);
	CHECK_INT(nft_monitor_new(m.loop, on_notice, NULL, &m.monitor), 0);
	m.sync.monitor = m.monitor;
	m.sync.history = &m.history;
	m.sync.emit = on_event;
	make_tables(true);
	m.world = world_new(load_config(), 1, m.now_ms);
	/* All names are known: nothing of an earlier run is waited for. */
	for (unsigned n = 0; n < NAMES; n++) {
		m.held[n][n] = true;
		answer(n);
	}
	come_to_rest();
	for (size_t i = 0; i < steps; i++)
		step();
	for (size_t i = 0; i < OP_COUNT; i++)
		printf("# %s: %zu\n", op_names[i], m.ops[i]);
	printf("# steps: %zu, commits: %llu, dumps: %llu, losses heard: %llu\n", steps,
		(unsigned long long)nft_conn_commit_count(m.sync.conn),
		(unsigned long long)nft_conn_dump_count(m.sync.conn),
		(unsigned long long)nft_monitor_lost_count(m.monitor));
	for (size_t i = 0; i < OP_COUNT; i++)
		CHECK(m.ops[i] > 0);
	CHECK(nft_monitor_lost_count(m.monitor) > 0);
	CHECK(m.events[EVENT_CHANGED] > 0 && m.events[EVENT_RULESET_CHANGED] > 0);
}

int main(void)
{
	if (!lab_enter())
		return 0;
	TAP_RUN(sets_hold_what_they_should_whatever_others_do);
	if (tap_failures)
		printf("%s", strbuf_text(&m.trace));
	for (size_t i = 0; i < SETS; i++)
		live_done(&m.before[i]);
	strbuf_done(&m.trace);
	world_free(m.world);
	history_done(&m.history);
	nft_monitor_free(m.monitor);
	nft_conn_free(m.sync.conn);
	nft_conn_free(m.witness);
	loop_free(m.loop);
	lab_free(m.root);
	return tap_done();
}
