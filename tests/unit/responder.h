#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A DNS server in the test's own loop, UDP and TCP on one port. The first label of a question says
 * how it is answered; every question is noted. */
#include "base/mem.h"
#include "edge/loop.h"
#include "packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RESPONDER_NOTES_MAX = 4096, RESPONDER_MANY = 500, RESPONDER_THIRTY = 30 };

/* What a server makes of EDNS. */
enum responder_edns {
	EDNS_PASSED_OVER, /* answers as if it was not there */
	EDNS_SPOKEN,
	EDNS_DROPPED, /* no answer to such questions */
	EDNS_FORMERR,
	EDNS_FORMERR_BARE, /* nothing but the header */
	EDNS_NOTIMP,
	EDNS_BADVERS,
	EDNS_FORMERR_ONCE, /* and no word to the question without */
};

struct responder_note {
	uint16_t id, port;
	bool tcp;
	char from[INET6_ADDRSTRLEN];
	uint16_t edns; /* the size that the OPT record says; 0: without EDNS */
	char name[256];
};

struct responder_held {
	struct sockaddr_storage from;
	socklen_t from_len;
	uint16_t id;
	uint16_t type;
	uint16_t edns;
	bool cookie; /* with one, RFC 7873 */
	char name[256];
};

struct responder {
	struct loop *loop;
	int udp, tcp, conn;
	struct loop_io *udp_io, *tcp_io, *conn_io;
	uint16_t port;
	enum responder_edns edns;
	const char *mode; /* instead of the question's first label, when not NULL */
	void (*change)(struct packet *p, bool tcp); /* of an answer, at the end */
	struct responder_note notes[RESPONDER_NOTES_MAX];
	size_t note_count;
	/* Questions of the mode "hold" wait for responder_release(). */
	struct responder_held held[RESPONDER_NOTES_MAX];
	size_t held_count, held_most;
};

static inline void responder_check(bool fine, const char *what)
{
	if (fine)
		return;
	printf("Bail out! responder: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Without case: newer c-ares asks in random letters (0x20). */
static inline bool responder_is(const char *mode, const char *word)
{
	size_t len = strcspn(mode, ".");

	return len == strlen(word) && strncasecmp(mode, word, len) == 0;
}

static inline void responder_address(struct packet *p, const char *name, unsigned type, unsigned i)
{
	packet_record(p, SECTION_ANSWER, name, type, 60, type == TYPE_A ? 4 : 16);
	if (type == TYPE_A) {
		packet_u32(p, 0x2d000000 + i);
		return;
	}
	packet_u32(p, 0x2a000001);
	packet_u32(p, 0);
	packet_u32(p, 0);
	packet_u32(p, i);
}

/* False: nothing is to be sent. */
static inline bool responder_answer(
	const char *mode, const char *name, unsigned type, uint16_t id, bool tcp, struct packet *p)
{
	unsigned flags = FLAGS_RECURSED, count = 1;

	if (responder_is(mode, "silent"))
		return false;
	bool many = responder_is(mode, "many") || responder_is(mode, "manyfail");
	if (many)
		count = RESPONDER_MANY;
	if (responder_is(mode, "thirty"))
		count = RESPONDER_THIRTY;
	if (many && !tcp)
		flags |= FLAGS_TC;
	if (responder_is(mode, "servfail") || responder_is(mode, "manyfail"))
		flags |= RCODE_SERVFAIL;
	if (responder_is(mode, "refused"))
		flags |= RCODE_REFUSED;
	if (responder_is(mode, "referral"))
		flags = 0x8100;
	if (responder_is(mode, "nx"))
		flags |= RCODE_NXDOMAIN;
	if (flags != FLAGS_RECURSED && !(many && tcp))
		count = 0;
	packet_begin(p, flags, responder_is(mode, "wrongname") ? "other.test" : name, type);
	for (unsigned i = 0; i < count; i++)
		responder_address(p, name, type, i + 1);
	if (responder_is(mode, "wrongid"))
		id ^= 0x5555;
	p->bytes[0] = (uint8_t)(id >> 8);
	p->bytes[1] = (uint8_t)id;
	return true;
}

/* What the server makes of EDNS in the question, to its finished answer. False: no answer. */
static inline bool responder_edns(enum responder_edns edns, unsigned size, struct packet *p)
{
	static const uint8_t rcodes[] = {[EDNS_FORMERR] = 1,
		[EDNS_FORMERR_BARE] = 1,
		[EDNS_NOTIMP] = 4,
		[EDNS_BADVERS] = 0,
		[EDNS_FORMERR_ONCE] = 1};

	if (!size && edns == EDNS_FORMERR_ONCE)
		return false;
	if (!size || edns == EDNS_PASSED_OVER)
		return true;
	if (edns == EDNS_DROPPED)
		return false;
	if (edns != EDNS_SPOKEN) {
		size_t end = 12;
		while (p->bytes[end])
			end += (size_t)p->bytes[end] + 1;
		p->len = edns == EDNS_FORMERR_BARE ? 12 : end + 5;
		p->bytes[3] = (uint8_t)((p->bytes[3] & 0xf0) | rcodes[edns]);
		memset(p->bytes + 6, 0, 6);
		p->bytes[5] = edns != EDNS_FORMERR_BARE;
	}
	if (edns == EDNS_SPOKEN || edns == EDNS_BADVERS) {
		packet_count(p, SECTION_ADDITIONAL);
		packet_u8(p, 0);
		packet_u16(p, 41);
		packet_u16(p, 1232);
		packet_u32(p, edns == EDNS_BADVERS ? 1u << 24 : 0);
		packet_u16(p, 0);
	}
	return true;
}

/* A name "badvers" knows better. */
static inline enum responder_edns responder_edns_for(const struct responder *r, const char *mode)
{
	return responder_is(mode, "badvers") ? EDNS_BADVERS : r->edns;
}

static inline uint16_t responder_port_of(const struct sockaddr_storage *a)
{
	const struct sockaddr_in *in = (const void *)a;
	const struct sockaddr_in6 *in6 = (const void *)a;

	return ntohs(a->ss_family == AF_INET ? in->sin_port : in6->sin6_port);
}

/* Notes the question; false when it is none. */
static inline bool responder_read(struct responder *r, const uint8_t *b, size_t len,
	const struct sockaddr_storage *from, bool tcp, struct responder_held *ret)
{
	size_t at = 12, used = 0;

	if (len < 12 + 5 || r->note_count == RESPONDER_NOTES_MAX)
		return false;
	while (at < len && b[at] && used + b[at] + 2 < sizeof(ret->name)) {
		if (used)
			ret->name[used++] = '.';
		memcpy(ret->name + used, b + at + 1, b[at]);
		used += b[at];
		at += (size_t)b[at] + 1;
	}
	ret->name[used] = '\0';
	ret->id = (uint16_t)(b[0] << 8 | b[1]);
	ret->type = (uint16_t)(b[at + 1] << 8 | b[at + 2]);
	at += 5;
	ret->edns = 0;
	ret->cookie = false;
	if (len >= at + 11 && b[11] == 1 && b[at + 2] == 41) {
		ret->edns = (uint16_t)(b[at + 3] << 8 | b[at + 4]);
		ret->cookie = len >= at + 15 && b[at + 12] == 10;
	}
	struct responder_note *n = &r->notes[r->note_count++];
	n->id = ret->id;
	n->port = tcp ? 0 : responder_port_of(from);
	if (from->ss_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)from)->sin_addr, n->from,
			sizeof(n->from));
	else
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)from)->sin6_addr, n->from,
			sizeof(n->from));
	n->tcp = tcp;
	n->edns = ret->edns;
	memcpy(n->name, ret->name, sizeof(n->name));
	return true;
}

static inline void responder_send(
	struct responder *r, const struct responder_held *q, const char *mode)
{
	static struct packet p;

	if (!responder_answer(mode, q->name, q->type, q->id, false, &p) ||
		!responder_edns(responder_edns_for(r, mode), q->edns, &p))
		return;
	if (r->change)
		r->change(&p, false);
	responder_check(sendto(r->udp, p.bytes, p.len, 0, (const void *)&q->from, q->from_len) ==
					(ssize_t)p.len ||
				errno == ECONNREFUSED,
		"sendto");
}

static inline bool responder_knows(const struct responder *r, const char *name)
{
	size_t times = 0;

	for (size_t i = 0; i < r->note_count; i++)
		times += strcasecmp(r->notes[i].name, name) == 0;
	return times > 1;
}

static inline void responder_on_udp(void *userdata, int fd, unsigned events)
{
	struct responder *r = userdata;
	struct responder_held q;
	uint8_t b[1024];

	q.from_len = sizeof(q.from);
	ssize_t len = recvfrom(fd, b, sizeof(b), MSG_DONTWAIT, (void *)&q.from, &q.from_len);
	if (len < 0 || !responder_read(r, b, (size_t)len, &q.from, false, &q))
		return;
	const char *mode = r->mode ? r->mode : q.name;
	if (responder_is(mode, "hold")) {
		r->held[r->held_count++] = q;
		if (r->held_count > r->held_most)
			r->held_most = r->held_count;
		return;
	}
	if (responder_is(mode, "forged")) {
		responder_send(r, &q, "wrongid");
		responder_send(r, &q, "wrongname");
		mode = "ok";
	}
	/* Lost, and answered when it is asked once more. */
	if (responder_is(mode, "second"))
		mode = responder_knows(r, q.name) ? "ok" : "silent";
	responder_send(r, &q, mode);
}

static inline void responder_release(struct responder *r)
{
	for (size_t i = 0; i < r->held_count; i++)
		responder_send(r, &r->held[i], "ok");
	r->held_count = 0;
}

/* One connection at a time, one question on it: the client waits for nothing else. */
static inline void responder_on_conn(void *userdata, int fd, unsigned events)
{
	struct responder *r = userdata;
	static struct packet p;
	struct responder_held q;
	uint8_t b[1024];
	/* The length and the question come in one segment. */
	ssize_t len = recv(fd, b, sizeof(b), MSG_DONTWAIT);
	struct sockaddr_storage from = {0};
	socklen_t from_len = sizeof(from);

	getpeername(fd, (void *)&from, &from_len);
	if (len > 2 && responder_read(r, b + 2, (size_t)len - 2, &from, true, &q) &&
		responder_answer(r->mode ? r->mode : q.name, q.name, q.type, q.id, true, &p) &&
		responder_edns(r->edns, q.edns, &p)) {
		if (r->change)
			r->change(&p, true);
		uint8_t size[2] = {(uint8_t)(p.len >> 8), (uint8_t)p.len};

		responder_check(send(fd, size, 2, MSG_MORE) == 2, "send");
		responder_check(send(fd, p.bytes, p.len, 0) == (ssize_t)p.len, "send");
	}
	r->conn_io = loop_io_free(r->conn_io);
	close(fd);
	r->conn = -1;
}

static inline void responder_on_tcp(void *userdata, int fd, unsigned events)
{
	struct responder *r = userdata;

	if (r->conn >= 0)
		return;
	r->conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	responder_check(r->conn >= 0, "accept");
	r->conn_io = loop_io_new(r->loop, r->conn, LOOP_READ, responder_on_conn, r);
}

/* On `addr` ("127.0.0.1", "::1"), at a port that is free; `scope` for link-local ones, else 0. */
static inline struct responder *responder_new(struct loop *l, const char *addr, unsigned scope)
{
	struct responder *r = xcalloc(1, sizeof(*r));
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_scope_id = scope};
	bool v6 = inet_pton(AF_INET, addr, &in.sin_addr) != 1;
	struct sockaddr *sa = v6 ? (void *)&in6 : (void *)&in;
	socklen_t len = v6 ? sizeof(in6) : sizeof(in);

	r->loop = l;
	r->conn = -1;
	if (v6)
		responder_check(inet_pton(AF_INET6, addr, &in6.sin6_addr) == 1, addr);
	/* The port of the UDP socket may be taken for TCP: then another. */
	for (unsigned tries = 0; tries < 50; tries++) {
		struct sockaddr_storage bound = {0};
		socklen_t bound_len = sizeof(bound);

		in.sin_port = in6.sin6_port = 0;
		r->udp = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		responder_check(bind(r->udp, sa, len) == 0, "bind");
		getsockname(r->udp, (void *)&bound, &bound_len);
		r->port = responder_port_of(&bound);
		in.sin_port = in6.sin6_port = htons(r->port);
		r->tcp = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (bind(r->tcp, sa, len) == 0)
			break;
		close(r->udp);
		close(r->tcp);
		r->tcp = -1;
	}
	responder_check(r->tcp >= 0 && listen(r->tcp, 16) == 0, "listen");
	int size = 4 << 20;
	setsockopt(r->udp, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	r->udp_io = loop_io_new(l, r->udp, LOOP_READ, responder_on_udp, r);
	r->tcp_io = loop_io_new(l, r->tcp, LOOP_READ, responder_on_tcp, r);
	return r;
}

static inline struct responder *responder_free(struct responder *r)
{
	if (!r)
		return NULL;
	loop_io_free(r->udp_io);
	loop_io_free(r->tcp_io);
	loop_io_free(r->conn_io);
	close(r->udp);
	close(r->tcp);
	if (r->conn >= 0)
		close(r->conn);
	free(r);
	return NULL;
}
