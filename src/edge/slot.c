/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One c-ares channel with one server and one query in flight. c-ares moves the bytes; what to ask
 * whom, for how long, and what the bytes mean, is decided elsewhere. */
#include "edge/slot.h"

#include "allowsync/config.h"
#include "base/mem.h"
#include "core/server_edns.h"
#include "edge/loop.h"
#include "edge/slot_sockets.h"

#include <ares.h>
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

/* 1.24 reads servers with a scope; 1.28 deprecates queries as bytes. */
#define HAVE_SCOPED_SERVERS (ARES_VERSION >= 0x011800)
#define HAVE_DNSREC         (ARES_VERSION >= 0x011c00)

enum {
	TYPE_A = 1,
	TYPE_AAAA = 28,
	CLASS_IN = 1,
	TYPE_OPT = 41,
	OPT_SIZE = 11,
	/* c-ares has no say in deadlines: ours always comes first. */
	CARES_TIMEOUT_MS = 24 * 3600 * 1000,
};

struct watch {
	struct loop_io *io;
	int fd;
};

struct slot {
	struct loop *loop;
	slot_fn fn;
	void *userdata;
	struct config_source source;
	struct slot_sockets sockets;
	ares_channel channel;
	bool edns;                   /* it takes answers longer than 512 bytes */
	bool spoiled;                /* perhaps not any more: not to be used again */
	struct config_server server; /* which the channel is set to; port 0: none yet */
	struct loop_timer *timer;
	struct watch *watches; /* UDP, then TCP beside it: a few at most */
	size_t watch_count, watch_capacity;
	bool busy, ended;
	struct slot_result result;
};

/* Tells the owner, once c-ares has returned: only then are the sockets closed, and the next
 * question gets a port of its own. */
static void settle(struct slot *s)
{
	if (!s->ended)
		return;
	s->busy = s->ended = false;
	s->result.tcp = s->sockets.tcp;
	s->result.unmatched = s->sockets.unmatched;
	loop_timer_disarm(s->timer);
	s->fn(s->userdata, &s->result);
}

static void on_io(void *userdata, int fd, unsigned events)
{
	struct slot *s = userdata;
	const uint8_t *message;
	size_t len;

	slot_sockets_before_read(&s->sockets);
	ares_process_fd(s->channel, events & LOOP_READ ? fd : ARES_SOCKET_BAD,
		events & LOOP_WRITE ? fd : ARES_SOCKET_BAD);
	/* Not every answer is one for c-ares, and none of others would be better. */
	if (!s->ended && slot_sockets_answer(&s->sockets, false, &message, &len))
		ares_cancel(s->channel);
	settle(s);
}

static void on_socket_state(void *userdata, ares_socket_t fd, int readable, int writable)
{
	struct slot *s = userdata;
	unsigned events = (readable ? LOOP_READ : 0) | (writable ? LOOP_WRITE : 0);
	size_t i = 0;

	while (i < s->watch_count && s->watches[i].fd != fd)
		i++;
	if (!events) {
		if (i == s->watch_count)
			return;
		loop_io_free(s->watches[i].io);
		s->watches[i] = s->watches[--s->watch_count];
		return;
	}
	if (i < s->watch_count) {
		loop_io_set(s->watches[i].io, events);
		return;
	}
	VEC_GROW(s->watches, s->watch_capacity, s->watch_count);
	s->watches[s->watch_count++] = (struct watch){
		.io = loop_io_new(s->loop, fd, events, on_io, s),
		.fd = fd,
	};
}

static void end_with(struct slot *s, enum slot_outcome outcome, const uint8_t *message, size_t len)
{
	s->ended = true;
	s->spoiled =
		s->edns && !(outcome == SLOT_ANSWERED && server_reply_judge(message, len).has_opt);
	s->result.outcome = outcome;
	s->result.message = message;
	s->result.len = len;
}

static enum slot_outcome outcome_of(int status)
{
	switch (status) {
	case ARES_ECANCELLED:
	case ARES_ETIMEOUT:
	/* Over TCP: what cannot be read, and is not whole or no answer to the query. */
	case ARES_EBADRESP:
		return SLOT_TIMEOUT;
	case ARES_ECONNREFUSED:
		return SLOT_UNREACHABLE;
	default:
		return SLOT_FAILED;
	}
}

/* `taken`: with what c-ares takes for the answer. It is read as it came. */
static void end_query(struct slot *s, int status, bool taken)
{
	const uint8_t *message;
	size_t len;

	if (status == ARES_EDESTRUCTION)
		return;
	if (slot_sockets_answer(&s->sockets, taken, &message, &len))
		end_with(s, SLOT_ANSWERED, message, len);
	else
		end_with(s, outcome_of(status), NULL, 0);
}

#if HAVE_DNSREC

static void on_answer(
	void *userdata, ares_status_t status, size_t timeouts, const ares_dns_record_t *record)
{
	end_query(userdata, (int)status, record);
}

static bool add_opt(ares_dns_record_t *query)
{
	ares_dns_rr_t *opt;

	return ares_dns_record_rr_add(&opt, query, ARES_SECTION_ADDITIONAL, "", ARES_REC_TYPE_OPT,
		       ARES_CLASS_IN, 0) == ARES_SUCCESS &&
	       ares_dns_rr_set_u16(opt, ARES_RR_OPT_UDP_SIZE, SERVER_EDNS_SIZE) == ARES_SUCCESS &&
	       ares_dns_rr_set_u8(opt, ARES_RR_OPT_VERSION, 0) == ARES_SUCCESS &&
	       ares_dns_rr_set_u16(opt, ARES_RR_OPT_FLAGS, 0) == ARES_SUCCESS;
}

/* c-ares gives the query a random id of its own. */
static bool send_query(struct slot *s, const char *name, enum family family)
{
	ares_dns_rec_type_t type = family == FAMILY_V4 ? ARES_REC_TYPE_A : ARES_REC_TYPE_AAAA;
	ares_dns_record_t *query = NULL;
	bool done = ares_dns_record_create(&query, 0, ARES_FLAG_RD, ARES_OPCODE_QUERY,
			    ARES_RCODE_NOERROR) == ARES_SUCCESS &&
		    ares_dns_record_query_add(query, name, type, ARES_CLASS_IN) == ARES_SUCCESS &&
		    (!s->edns || add_opt(query)) &&
		    ares_send_dnsrec(s->channel, query, on_answer, s, NULL) == ARES_SUCCESS;

	ares_dns_record_destroy(query);
	return done;
}

#else

static void on_answer(void *userdata, int status, int timeouts, unsigned char *message, int len)
{
	end_query(userdata, status, message);
}

static uint8_t *put16(uint8_t *at, unsigned v)
{
	*at++ = (uint8_t)(v >> 8);
	*at++ = (uint8_t)v;
	return at;
}

/* RFC 6891 section 6.1.2: the root, OPT, our size, no flags, no options. */
static uint8_t *put_opt(uint8_t *at)
{
	*at++ = 0;
	at = put16(at, TYPE_OPT);
	at = put16(at, SERVER_EDNS_SIZE);
	at = put16(at, 0);
	at = put16(at, 0);
	return put16(at, 0);
}

/* A query as bytes; 0 when the name is none. */
static size_t encode_query(
	const char *name, enum family family, bool edns, uint16_t id, uint8_t *ret)
{
	uint8_t *at = ret;

	if (strlen(name) > NAME_TEXT_MAX)
		return 0;
	at = put16(at, id);
	at = put16(at, 0x0100); /* RD */
	at = put16(at, 1);
	at = put16(at, 0);
	at = put16(at, 0);
	at = put16(at, edns);
	while (*name) {
		size_t len = strcspn(name, ".");

		if (len == 0 || len > LABEL_MAX)
			return 0;
		*at++ = (uint8_t)len;
		memcpy(at, name, len);
		at += len;
		name += len + (name[len] == '.');
	}
	*at++ = 0;
	at = put16(at, family == FAMILY_V4 ? TYPE_A : TYPE_AAAA);
	at = put16(at, CLASS_IN);
	if (edns)
		at = put_opt(at);
	return (size_t)(at - ret);
}

/* c-ares 1.18 sends the id that it finds in the packet; its own would come from RC4, or from rand()
 * where it cannot read /dev/urandom. */
static bool send_query(struct slot *s, const char *name, enum family family)
{
	uint8_t query[QUERY_MAX + OPT_SIZE];
	uint16_t id;

	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return false;
	size_t len = encode_query(name, family, s->edns, id, query);
	if (len == 0)
		return false;
	ares_send(s->channel, query, (int)len, on_answer, s);
	return true;
}

#endif

static bool server_eq(const struct config_server *a, const struct config_server *b)
{
	return addr_eq(&a->addr, &b->addr) && a->port == b->port && strcmp(a->scope, b->scope) == 0;
}

#if HAVE_SCOPED_SERVERS

static bool set_server(struct slot *s, const struct config_server *server)
{
	char text[ADDR_TEXT_SIZE + 32], known[ADDR_TEXT_SIZE];
	const char *scope;
	struct addr addr = slot_sockets_known_as(server, &scope);

	snprintf(text, sizeof(text), "[%s]:%u%s%s", addr_format(&addr, known), server->port,
		scope[0] ? "%" : "", scope);
	if (ares_set_servers_ports_csv(s->channel, text) != ARES_SUCCESS)
		return false;
	/* What it does not take is left out without a word. */
	char *taken = ares_get_servers_csv(s->channel);
	bool done = taken && taken[0];
	ares_free_string(taken);
	return done;
}

#else

static bool set_server(struct slot *s, const struct config_server *server)
{
	struct ares_addr_port_node node = {
		.family = server->addr.family == FAMILY_V4 ? AF_INET : AF_INET6,
		.udp_port = server->port,
		.tcp_port = server->port,
	};

	memcpy(&node.addr, server->addr.bytes, addr_len(server->addr.family));
	return ares_set_servers_ports(s->channel, &node) == ARES_SUCCESS;
}

#endif

static bool use_server(struct slot *s, const struct config_server *server)
{
	if (server_eq(&s->server, server))
		return true;
	s->server = *server;
	if (set_server(s, server))
		return true;
	s->server.port = 0; /* to be set again, when things may be otherwise */
	return false;
}

/* Everything that c-ares would otherwise look up is given, so that neither resolv.conf nor the
 * environment (LOCALDOMAIN, RES_OPTIONS, HOSTALIASES) nor a hosts file has a word. */
static int open_channel(struct slot *s, bool edns)
{
	struct in_addr nobody = {htonl(INADDR_LOOPBACK)}; /* replaced before the first question */
	char lookups[] = "b", no_file[] = "/dev/null";
	struct ares_options o = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP,
		.timeout = CARES_TIMEOUT_MS,
		.tries = 1,
		.ndots = 1,
		.servers = &nobody,
		.nservers = 1,
		.lookups = lookups,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = s,
		.resolvconf_path = no_file,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
		   ARES_OPT_SERVERS | ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS | ARES_OPT_SORTLIST |
		   ARES_OPT_SOCK_STATE_CB | ARES_OPT_RESOLVCONF | ARES_OPT_NOROTATE;

#ifdef ARES_FLAG_NO_DFLT_SVR
	o.flags |= ARES_FLAG_NO_DFLT_SVR;
#endif
#ifdef ARES_FLAG_DNS0x20
	o.flags |= ARES_FLAG_DNS0x20;
#endif
#ifdef ARES_OPT_HOSTS_FILE
	o.hosts_path = no_file;
	mask |= ARES_OPT_HOSTS_FILE;
#endif
#ifdef ARES_OPT_UDP_MAX_QUERIES
	o.udp_max_queries = 1;
	mask |= ARES_OPT_UDP_MAX_QUERIES;
#endif
#ifdef ARES_OPT_QUERY_CACHE
	/* Off: a name is asked because what is known of it has run out. */
	o.qcache_max_ttl = 0;
	mask |= ARES_OPT_QUERY_CACHE;
#endif
	/* Else answers over 512 bytes would be asked for again over TCP, or cut. */
	if (edns) {
		o.flags |= ARES_FLAG_EDNS;
		o.ednspsz = SERVER_EDNS_SIZE;
		mask |= ARES_OPT_EDNSPSZ;
	}
	int status = ares_init_options(&s->channel, &o, mask);
	if (status != ARES_SUCCESS)
		return status == ARES_ENOMEM ? -ENOMEM : -EIO;
	if (!slot_sockets_use(&s->sockets, s->channel)) {
		ares_destroy(s->channel);
		s->channel = NULL;
		return -EIO;
	}
	s->edns = edns;
	s->spoiled = false;
	s->server.port = 0;
	return 0;
}

/* c-ares 1.18 asks again by itself, without EDNS, when FORMERR came; from then on the channel knows
 * nothing of EDNS any more. There it is a flag of the channel, and not of the query. What came in
 * between is not told: whatever ends without an OPT record may be that. */
static bool use_channel(struct slot *s, bool edns)
{
	if (s->channel && s->edns == edns && !s->spoiled)
		return true;
	if (s->channel)
		ares_destroy(s->channel);
	s->channel = NULL;
	return open_channel(s, edns) == 0;
}

bool slot_can_ask(struct slot *s, const struct config_server *server)
{
	assert(!s->busy);
	return use_channel(s, s->edns) && use_server(s, server);
}

void slot_ask(struct slot *s, const struct config_server *server, const char *name,
	enum family family, bool edns, uint32_t timeout_ms)
{
	assert(!s->busy);
	s->busy = true;
	s->ended = false;
	s->result = (struct slot_result){0};
	slot_sockets_begin(&s->sockets);
	if (!(use_channel(s, edns) && use_server(s, server) && send_query(s, name, family)) &&
		!s->ended)
		end_with(s, SLOT_FAILED, NULL, 0);
	/* What has failed at once is told from the loop as well. */
	loop_timer_arm(s->timer, s->ended ? 0 : timeout_ms);
}

static void on_timer(void *userdata)
{
	struct slot *s = userdata;

	if (!s->ended)
		ares_cancel(s->channel);
	settle(s);
}

int slot_new(struct loop *l, const struct config_source *source, slot_fn fn, void *userdata,
	struct slot **ret)
{
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		return -EIO;
	struct slot *s = xcalloc(1, sizeof(*s));

	s->loop = l;
	s->source = *source;
	slot_sockets_init(&s->sockets, &s->source, &s->server);
	s->fn = fn;
	s->userdata = userdata;
	s->timer = loop_timer_new(l, on_timer, s);
	int r = open_channel(s, true);
	if (r < 0) {
		slot_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

struct slot *slot_free(struct slot *s)
{
	if (!s)
		return NULL;
	/* Calls on_answer for what is under way, and on_socket_state for each socket. */
	if (s->channel)
		ares_destroy(s->channel);
	ares_library_cleanup();
	loop_timer_free(s->timer);
	free(s->watches);
	slot_sockets_done(&s->sockets);
	free(s);
	return NULL;
}
