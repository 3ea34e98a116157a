/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What c-ares does with its sockets by itself: 1.18 leaves all of it to whoever does a part. */
#include "edge/slot_sockets.h"

#include "allowsync/config.h"
#include "base/mem.h"
#include "core/dns_wire.h"

#include <ares.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* 1.34 has other functions. */
#define HAVE_SOCKET_FUNCTIONS_EX (ARES_VERSION >= 0x012200)
/* 1.22 reads answers whole. Before, c-ares looks no further than their question. */
#define HAVE_PARSER (ARES_VERSION >= 0x011600)

#ifdef ARES_FLAG_DNS0x20
#define EXACT true
#else
#define EXACT false
#endif

enum {
	/* Then others in the loop have their turn. */
	UNMATCHED_AT_ONCE = 64,
	KEPT_MAX = 2 * (2 + 65535), /* of a stream; one question needs half of it */
	/* The first byte of an address that stands in for a link-local one (RFC 4193). */
	STAND_IN = 0xfd,
};

static int bind_to_source(int fd, int domain, const struct config_source *source)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	enum family family = domain == AF_INET ? FAMILY_V4 : FAMILY_V6;
	const uint8_t *addr = source->addr[family].bytes;

	if (!source->given[family])
		return 0;
	memcpy(&in.sin_addr, addr, sizeof(in.sin_addr));
	memcpy(&in6.sin6_addr, addr, sizeof(in6.sin6_addr));
	return family == FAMILY_V4 ? bind(fd, (const struct sockaddr *)&in, sizeof(in))
				   : bind(fd, (const struct sockaddr *)&in6, sizeof(in6));
}

/* c-ares before 1.24 cannot say which interface a link-local server is on. */
static int bind_to_scope(int fd, const char *scope)
{
	if (!scope[0])
		return 0;
	return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, scope, (socklen_t)strlen(scope));
}

static ares_socket_t on_socket(int domain, int type, int protocol, void *userdata)
{
	struct slot_sockets *s = userdata;
	int fd = socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol), yes = 1;

	if (type == SOCK_STREAM) {
		s->tcp = true;
		s->kept_len = 0;
	}
	if (fd < 0)
		return ARES_SOCKET_BAD;
	if (bind_to_source(fd, domain, s->source) < 0 || bind_to_scope(fd, s->server->scope) < 0) {
		int e = errno;
		close(fd);
		errno = e;
		return ARES_SOCKET_BAD;
	}
	if (type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	else
		s->udp = fd;
	return fd;
}

static int on_close(ares_socket_t fd, void *userdata)
{
	return close(fd);
}

/* A socket takes from anybody until it is connected. */
static bool is_from(const struct config_server *server, const struct sockaddr *from)
{
	const struct sockaddr_in *in = (const void *)from;
	const struct sockaddr_in6 *in6 = (const void *)from;
	struct addr addr;

	if (from->sa_family == AF_INET)
		addr = addr_from_bytes(FAMILY_V4, &in->sin_addr);
	else
		addr = addr_from_bytes(FAMILY_V6, &in6->sin6_addr);
	/* The ports are in the same place. */
	return addr_eq(&addr, &server->addr) && ntohs(in->sin_port) == server->port;
}

/* Whom c-ares takes it from. */
static void say_known(const struct config_server *server, struct sockaddr *from)
{
	struct sockaddr_in6 *in6 = (void *)from;
	const char *scope;

	if (from->sa_family == AF_INET6)
		in6->sin6_addr.s6_addr[0] = slot_sockets_known_as(server, &scope).bytes[0];
}

static void keep(struct slot_sockets *s, const void *bytes, size_t len)
{
	if (len > KEPT_MAX - s->kept_len)
		len = KEPT_MAX - s->kept_len;
	if (s->kept_len + len > s->kept_capacity) {
		s->kept_capacity = s->kept_len + len;
		s->kept = xreallocarray(s->kept, s->kept_capacity, 1);
	}
	memcpy(s->kept + s->kept_len, bytes, len);
	s->kept_len += len;
}

static ssize_t receive_stream(struct slot_sockets *s, int fd, void *bytes, size_t size, int flags)
{
	ssize_t len = recv(fd, bytes, size, flags);

	if (len > 0)
		keep(s, bytes, (size_t)len);
	return len;
}

/* A bare header answers (query.h), but not for any c-ares. */
static bool can_read(const uint8_t *message, size_t len)
{
#if HAVE_PARSER
	ares_dns_record_t *record = NULL;
	bool can = ares_dns_parse(message, len, 0, &record) == ARES_SUCCESS;

	ares_dns_record_destroy(record);
	return can;
#else
	return query_is_repeated_in(message);
#endif
}

/* Of an answer; the length of what c-ares is given of it, 0: nothing. */
static size_t pass_on(struct slot_sockets *s, uint8_t *message, size_t len)
{
	keep(s, message, len);
	s->withheld = false;
	if (can_read(message, len))
		return len;
	/* Truncated anywhere: it has only to see that it is. */
	if (query_is_repeated_in(message) && message[2] << 8 & DNS_FLAG_TC)
		return query_strip_answer(&s->query, message);
	s->withheld = true;
	return 0;
}

static ares_ssize_t on_receive(ares_socket_t fd, void *message, size_t size, int flags,
	struct sockaddr *from, ares_socklen_t *from_len, void *userdata)
{
	struct slot_sockets *s = userdata;

	/* c-ares asks whose it is only of a datagram. */
	if (!from)
		return receive_stream(s, fd, message, size, flags);
	ares_socklen_t room = *from_len;
	for (unsigned i = 0; i < UNMATCHED_AT_ONCE && (s->tcp || !s->kept_len); i++) {
		*from_len = room;
		ssize_t len = recvfrom(fd, message, size, flags, from, from_len);
		if (len < 0)
			return len;
		if (!is_from(s->server, from) ||
			!query_may_be_answered_by(&s->query, EXACT, message, (size_t)len))
			s->unmatched++;
		else if (!s->tcp && (len = (ssize_t)pass_on(s, message, (size_t)len))) {
			say_known(s->server, from);
			return len;
		}
	}
	errno = EAGAIN;
	return -1;
}

/* The id, and which letters are upper case, may be of c-ares' own making. */
static void note_query(struct slot_sockets *s, int fd, const void *message, size_t len)
{
	if (fd == s->udp)
		query_read(message, len, &s->query);
}

#if HAVE_SOCKET_FUNCTIONS_EX

static int on_connect(ares_socket_t fd, const struct sockaddr *to, ares_socklen_t to_len,
	unsigned flags, void *userdata)
{
	const struct config_server *server = ((struct slot_sockets *)userdata)->server;
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(server->port)};

	if (!server->scope[0])
		return connect(fd, to, to_len);
	memcpy(&in6.sin6_addr, server->addr.bytes, sizeof(in6.sin6_addr));
	in6.sin6_scope_id = if_nametoindex(server->scope);
	return connect(fd, (const struct sockaddr *)&in6, sizeof(in6));
}

static ares_ssize_t on_send(ares_socket_t fd, const void *message, size_t len, int flags,
	const struct sockaddr *to, ares_socklen_t to_len, void *userdata)
{
	note_query(userdata, fd, message, len);
	return sendto(fd, message, len, flags, to, to_len);
}

static int on_option(ares_socket_t fd, ares_socket_opt_t option, const void *value,
	ares_socklen_t len, void *userdata)
{
	errno = ENOSYS; /* none that is needed */
	return -1;
}

/* For the cookies of RFC 7873. */
static int on_name(ares_socket_t fd, struct sockaddr *name, ares_socklen_t *len, void *userdata)
{
	return getsockname(fd, name, len);
}

static const struct ares_socket_functions_ex functions = {
	.version = 1,
	.flags = ARES_SOCKFUNC_FLAG_NONBLOCKING,
	.asocket = on_socket,
	.aclose = on_close,
	.asetsockopt = on_option,
	.aconnect = on_connect,
	.arecvfrom = on_receive,
	.asendto = on_send,
	.agetsockname = on_name,
};

bool slot_sockets_use(struct slot_sockets *s, struct ares_channeldata *channel)
{
	return ares_set_socket_functions_ex(channel, &functions, s) == ARES_SUCCESS;
}

#else

static int on_connect(
	ares_socket_t fd, const struct sockaddr *to, ares_socklen_t to_len, void *userdata)
{
	return connect(fd, to, to_len);
}

static ares_ssize_t on_send(ares_socket_t fd, const struct iovec *parts, int count, void *userdata)
{
	/* A datagram is one part. */
	note_query(userdata, fd, parts->iov_base, parts->iov_len);
	return writev(fd, parts, count);
}

static const struct ares_socket_functions functions = {
	.asocket = on_socket,
	.aclose = on_close,
	.aconnect = on_connect,
	.arecvfrom = on_receive,
	.asendv = on_send,
};

bool slot_sockets_use(struct slot_sockets *s, struct ares_channeldata *channel)
{
	ares_set_socket_functions(channel, &functions, s);
	return true;
}

#endif

struct addr slot_sockets_known_as(const struct config_server *server, const char **ret_scope)
{
	struct addr known = server->addr;

	*ret_scope = server->scope;
#if HAVE_SOCKET_FUNCTIONS_EX
	*ret_scope = "";
	if (server->scope[0])
		known.bytes[0] = STAND_IN;
#endif
	return known;
}

void slot_sockets_init(struct slot_sockets *s, const struct config_source *source,
	const struct config_server *server)
{
	*s = (struct slot_sockets){.source = source, .server = server, .udp = -1};
}

void slot_sockets_begin(struct slot_sockets *s)
{
	s->udp = -1;
	s->query.len = 0;
	s->tcp = false;
	s->unmatched = 0;
	s->kept_len = 0;
}

void slot_sockets_before_read(struct slot_sockets *s)
{
	if (!s->tcp)
		s->kept_len = 0;
}

bool slot_sockets_answer(
	const struct slot_sockets *s, bool taken, const uint8_t **ret, size_t *ret_len)
{
	const uint8_t *message = NULL;
	size_t len = s->kept_len;

	if (s->tcp)
		message = query_find_answer(&s->query, s->kept, s->kept_len, &len);
	else if (len && (taken || s->withheld))
		message = s->kept;
	if (!message)
		return false;
	*ret = message;
	*ret_len = len;
	return true;
}

void slot_sockets_done(struct slot_sockets *s)
{
	free(s->kept);
}
