#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's side of the model: a world of its own making, whose names answer what the test says,
 * and whose time is the test's. */
#include "base/strbuf.h"
#include "config/config_lab.h"
#include "core/live.h"
#include "daemon/refresh.h"
#include "daemon/sync.h"
#include "daemon/watch.h"
#include "edge/loop.h"
#include "edge/nft_conn.h"
#include "edge/nft_monitor.h"
#include "random.h"

#include <netinet/in.h> /* before linux/netfilter.h */

#include "unit/nft_lab.h"

enum {
	ADDRESSES = 256, /* 45.0.0.0/24 is all there is */
	NAMES = 6,
	NAME_ADDRESSES = 12,
	STEPS = 400,
	STEPS_EXTENDED = 10000,
	STEP_MS = 700,
	ROUNDS_MAX = 200, /* until it has come to rest */
};

static const struct {
	uint8_t protocol;
	uint16_t port;
} services[] = {{IPPROTO_TCP, 443}, {IPPROTO_UDP, 53}};
enum { SERVICES = ARRAY_LEN(services) };

static const struct {
	const char *name, *declaration, *keys;
} sets[] = {
	{"plain", "type ipv4_addr;", ""},
	{"timed", "type ipv4_addr; flags timeout;", ""},
	{"fuse", "type ipv4_addr; timeout 1h; counter;", ""},
	{"full", "type ipv4_addr . inet_proto . inet_service;", ""},
	{"port", "type ipv4_addr . inet_service;", "proto = tcp\n"},
	{"ranges", "type ipv4_addr; flags interval;", ""},
	{"rangefuse", "type ipv4_addr; flags interval; timeout 1h;", ""},
	{"merged", "type ipv4_addr; flags interval; auto-merge;", ""},
	{"boxes", "type ipv4_addr . inet_proto . inet_service; flags interval;", ""},
	{"cleaned", "type ipv4_addr;", "foreign = remove\n"},
	{"trimmed", "type ipv4_addr; flags interval;", "foreign = remove\n"},
};
enum { SETS = ARRAY_LEN(sets) };

/* The static entries of one configuration or another. */
static const char *const statics[] = {
	"",
	"address = 45.0.0.32/27\n",
	"address = 45.0.0.64/26, 45.0.0.100-45.0.0.140, 45.0.0.7\n",
	"address = 45.0.0.0/24\n",
	"address = 45.0.0.0/30, 45.0.0.4/30, 45.0.0.252/30\n",
};

static struct {
	char *root;
	struct loop *loop;
	struct nft_monitor *monitor;
	struct nft_conn *witness;
	struct sync sync;
	struct watch watch;
	struct world *world;
	struct history history;
	uint64_t now_ms;
	size_t statics;
	bool held[NAMES][ADDRESSES];
	bool table_is_there;
	struct strbuf trace; /* of this step */
	struct live before[SETS];
	size_t ops[16], events[EVENT_KIND_COUNT];
} m;

/* --- the daemon's side --- */

static inline void on_event(void *userdata, const struct event *event)
{
	m.events[event->kind]++;
	strbuf_appendf(&m.trace, "#   %s\n", event->message);
}

static inline void on_notice(void *userdata, const struct nft_notice *n)
{
	if (m.world)
		watch_on_notice(
			&m.watch, &m.sync, m.world, n, nft_conn_portid(m.sync.conn), m.now_ms);
}

static inline struct config *load_config(void)
{
	_cleanup_(diag_list_done) struct diag_list diags = DIAG_LIST_NULL;
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;
	struct config *config;

	strbuf_append(&b, "[resolver]\nserver = 127.0.0.1\nlinger = 0\n"
			  "[vendor acme]\n[vendor other]\n");
	for (size_t i = 0; i < SETS; i++)
		strbuf_appendf(&b,
			"[set %s]\nfamily = inet\ntable = t\nset = %s\nvendor = acme, other\n%s",
			sets[i].name, sets[i].name, sets[i].keys);
	lab_write(m.root, ALLOWSYNCD_CONF_DIR "/allowsyncd.conf", strbuf_text(&b));
	_cleanup_free_ char *acme = xasprintf("[profile]\ntitle = Acme\n[endpoint e]\n"
					      "name = n{0..3}.example.com\n%s"
					      "allow = tcp/443, udp/53\n",
		statics[m.statics]);
	lab_write(m.root, ALLOWSYNCD_CONF_DIR "/vendors/acme.conf", acme);
	lab_write(m.root, ALLOWSYNCD_CONF_DIR "/vendors/other.conf",
		"[profile]\ntitle = Other\n[endpoint e]\nname = n{2..5}.example.com\n"
		"allow = tcp/443, udp/53\n");
	config_load(m.root, &diags, &config);
	_cleanup_free_ char *said = lab_messages(m.root, &diags);
	if (diags.errors)
		printf("# %s\n", said);
	CHECK_INT(diags.errors, 0);
	return config;
}

static inline struct addr address(unsigned n)
{
	uint8_t bytes[4] = {45, 0, 0, (uint8_t)n};

	return addr_from_bytes(FAMILY_V4, bytes);
}

static inline void answer(unsigned name)
{
	struct name_changes changes = NAME_CHANGES_NULL;
	struct answer_address addresses[ADDRESSES];
	struct answer a = {.outcome = ANSWER_OK, .addresses = addresses, .ttl_s = 60};
	_cleanup_free_ char *text = xasprintf("n%u.example.com", name);
	struct name *n = names_find(&m.world->names, text);

	for (unsigned i = 0; i < ADDRESSES; i++) {
		if (m.held[name][i])
			addresses[a.count++] = (struct answer_address){address(i), 60};
	}
	names_apply(&m.world->names, &n->families[FAMILY_V4], &a, "test", m.now_ms, &changes);
	refresh_apply(m.world, &changes);
	refresh_on_answer(m.world, &n->families[FAMILY_V4]);
	name_changes_done(&changes);
}

static inline bool is_at_rest(void)
{
	for (size_t i = 0; i < m.world->set_count; i++) {
		const struct world_set *s = &m.world->sets[i];
		if (!m.table_is_there && s->looked && !s->present)
			continue;
		if (s->look_ms || s->hold_ms || s->plan_all || s->wanted.dirty_count)
			return false;
	}
	return true;
}

static inline void come_to_rest(void)
{
	int rounds = 0;

	do {
		uint64_t next_ms = sync_next_ms(m.world);
		if (rounds && next_ms != UINT64_MAX && next_ms > m.now_ms)
			m.now_ms = next_ms;
		sync_turn(&m.sync, m.world, m.now_ms);
		nft_monitor_drain(m.monitor);
	} while (++rounds < ROUNDS_MAX && !is_at_rest());
	CHECK(is_at_rest());
}
