/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads a DNS message: a bounded walk over bytes from outside, with only what the question reaches
 * through its CNAME chain taken out. */
#include "allowsync/answer.h"

#include "allowsync/name.h"
#include "base/cursor.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "core/dns_wire.h"
#include "core/server_reply.h"

#include <string.h>

enum {
	JUMPS_MAX = 127, /* one before each label of the longest name */
	WIRE_MAX = 255,  /* octets of a name, RFC 1035 section 2.3.4 */
};

/* A name as text in lower case, "." for the root. One with other bytes than letters, digits,
 * hyphens and underscores has no text ("") and so equals nothing: a dot inside a label cannot pass
 * for two labels. */
struct text {
	char s[WIRE_MAX + 1];
};

struct record {
	size_t owner, data; /* where in the message */
	uint32_t ttl_s;
	uint16_t type, class, len;
};

struct message {
	const uint8_t *bytes;
	size_t len;
	uint16_t flags;
	struct record *answers; /* the answer section */
	size_t answer_count, answer_capacity;
	struct record soa; /* of the authority section, the first; type 0: none */
	bool has_ns;       /* in the authority section */
};

static char lower(uint8_t b)
{
	if (b >= 'A' && b <= 'Z')
		return (char)(b + ('a' - 'A'));
	if ((b >= 'a' && b <= 'z') || (b >= '0' && b <= '9') || b == '-' || b == '_')
		return (char)b;
	return 0;
}

/* Reads the name at the cursor and leaves the cursor behind it. Each pointer must lead before the
 * run of labels that it ends, so that the walk goes strictly backwards and comes to an end. */
static bool read_name(struct cursor *c, struct text *ret)
{
	struct cursor at = *c;
	size_t run = c->at, used = 0, wire = 1;
	unsigned jumps = 0;
	bool odd = false;

	for (;;) {
		uint8_t len = cursor_u8(&at);

		if (at.failed)
			break;
		if ((len & DNS_POINTER) == DNS_POINTER) {
			size_t to = (size_t)(len & ~DNS_POINTER) << 8 | cursor_u8(&at);

			if (at.failed || to >= run || to < DNS_HEADER_SIZE || jumps == JUMPS_MAX)
				break;
			if (jumps++ == 0)
				c->at = at.at;
			at.at = run = to;
			continue;
		}
		if (len & DNS_POINTER)
			break;
		if (len == 0) {
			if (jumps == 0)
				c->at = at.at;
			if (used == 0)
				ret->s[used++] = '.';
			ret->s[odd ? 0 : used] = '\0';
			return true;
		}
		const uint8_t *label = cursor_bytes(&at, len);
		wire += (size_t)len + 1;
		if (!label || wire > WIRE_MAX)
			break;
		if (used > 0)
			ret->s[used++] = '.';
		for (size_t i = 0; i < len; i++) {
			char l = lower(label[i]);

			odd = odd || !l;
			ret->s[used++] = l;
		}
	}
	c->failed = true;
	return false;
}

static bool read_record(struct cursor *c, struct record *ret)
{
	struct text owner;

	ret->owner = c->at;
	if (!read_name(c, &owner))
		return false;
	ret->type = cursor_u16(c);
	ret->class = cursor_u16(c);
	ret->ttl_s = cursor_u32(c);
	if (ret->ttl_s > ANSWER_TTL_MAX)
		ret->ttl_s = 0;
	ret->len = cursor_u16(c);
	ret->data = c->at;
	cursor_skip(c, ret->len);
	return !c->failed;
}

static const char *read_sections(struct message *m, struct cursor *c, const uint16_t counts[3])
{
	struct record r;

	/* The counts are only promises: the bytes end the loops, and bound what is kept. */
	for (unsigned i = 0; i < counts[0]; i++) {
		if (!read_record(c, &r))
			return "the answer section is cut or broken";
		VEC_GROW(m->answers, m->answer_capacity, m->answer_count);
		m->answers[m->answer_count++] = r;
	}
	for (unsigned i = 0; i < counts[1]; i++) {
		if (!read_record(c, &r))
			return "the authority section is cut or broken";
		if (r.class != DNS_CLASS_IN)
			continue;
		if (r.type == DNS_TYPE_SOA && !m->soa.type)
			m->soa = r;
		if (r.type == DNS_TYPE_NS)
			m->has_ns = true;
	}
	for (unsigned i = 0; i < counts[2]; i++)
		if (!read_record(c, &r))
			return "the additional section is cut or broken";
	return NULL;
}

static bool owner_is(const struct message *m, const struct record *r, const char *name)
{
	struct cursor c = cursor_over(m->bytes, m->len);
	struct text owner;

	c.at = r->owner;
	return r->class == DNS_CLASS_IN && read_name(&c, &owner) && strcmp(owner.s, name) == 0;
}

/* Is `zone` the name itself or a parent of it? */
static bool name_within(const char *name, const char *zone)
{
	size_t n = strlen(name), z = strlen(zone);

	if (strcmp(zone, ".") == 0)
		return true;
	return z > 0 && n >= z && strcmp(name + n - z, zone) == 0 &&
	       (n == z || name[n - z - 1] == '.');
}

/* How long a negative answer about `name` may be kept (RFC 2308 section 5). */
static bool read_soa(const struct message *m, const char *name, uint32_t *ret_ttl_s)
{
	struct cursor c = cursor_over(m->bytes, m->len);
	struct text zone, unused;

	if (!m->soa.type)
		return false;
	c.at = m->soa.owner;
	if (!read_name(&c, &zone) || !name_within(name, zone.s))
		return false;
	c.at = m->soa.data;
	if (!read_name(&c, &unused) || !read_name(&c, &unused))
		return false;
	cursor_skip(&c, 16); /* serial, refresh, retry, expire */
	uint32_t minimum = cursor_u32(&c);
	if (c.failed || c.at != m->soa.data + m->soa.len)
		return false;
	if (minimum > ANSWER_TTL_MAX)
		minimum = 0;
	*ret_ttl_s = minimum < m->soa.ttl_s ? minimum : m->soa.ttl_s;
	return true;
}

struct walk {
	const struct message *m;
	struct answer *a;
	struct text name; /* how far the chain has come */
	uint32_t ttl_s;   /* the smallest of the chain so far */
	size_t capacity;
};

static const char *take_addresses(struct walk *w)
{
	uint16_t type = w->a->family == FAMILY_V4 ? DNS_TYPE_A : DNS_TYPE_AAAA;

	for (size_t i = 0; i < w->m->answer_count; i++) {
		const struct record *r = &w->m->answers[i];

		if (r->type != type || !owner_is(w->m, r, w->name.s))
			continue;
		if (r->len != addr_len(w->a->family))
			return "an address record of a wrong length";
		VEC_GROW(w->a->addresses, w->capacity, w->a->count);
		w->a->addresses[w->a->count++] = (struct answer_address){
			.addr = addr_from_bytes(w->a->family, w->m->bytes + r->data),
			.ttl_s = r->ttl_s < w->ttl_s ? r->ttl_s : w->ttl_s,
		};
	}
	return NULL;
}

/* One step along the chain; `ret_moved` is false at its end. */
static const char *follow_cname(struct walk *w, bool *ret_moved)
{
	struct text target = {{0}};
	uint32_t ttl_s = w->ttl_s;
	bool moved = false;

	for (size_t i = 0; i < w->m->answer_count; i++) {
		const struct record *r = &w->m->answers[i];
		struct cursor c = cursor_over(w->m->bytes, w->m->len);
		struct text to;

		if (r->type != DNS_TYPE_CNAME || !owner_is(w->m, r, w->name.s))
			continue;
		c.at = r->data;
		if (!read_name(&c, &to) || c.at != r->data + r->len)
			return "a broken CNAME record";
		if (!to.s[0] || strlen(to.s) > NAME_TEXT_MAX)
			return "a CNAME to a name with bytes that names do not have";
		if (moved && strcmp(to.s, target.s) != 0)
			return "two CNAMEs of one name";
		target = to;
		moved = true;
		if (r->ttl_s < ttl_s)
			ttl_s = r->ttl_s;
	}
	*ret_moved = moved;
	if (!moved)
		return NULL;
	w->name = target;
	w->ttl_s = ttl_s;
	return NULL;
}

/* The chain with the addresses at every name on it. A name with a CNAME has no addresses in well
 * kept zones; where it has, they are said of a name that the question reaches, and count. */
static const char *walk_chain(struct walk *w, const char *question)
{
	struct answer *a = w->a;

	for (;;) {
		bool moved;
		const char *why = take_addresses(w);

		if (!why)
			why = follow_cname(w, &moved);
		if (why)
			return why;
		if (!moved)
			return NULL;
		if (strcmp(w->name.s, question) == 0)
			return "the CNAME chain is a loop";
		for (size_t i = 0; i < a->chain_len; i++)
			if (strcmp(w->name.s, a->chain[i]) == 0)
				return "the CNAME chain is a loop";
		if (a->chain_len == ANSWER_CHAIN_MAX)
			return "the CNAME chain is too long";
		a->chain[a->chain_len++] = xstrdup(w->name.s);
	}
}

static int compare_addresses(const void *x, const void *y)
{
	const struct answer_address *a = x, *b = y;

	return addr_cmp(&a->addr, &b->addr);
}

void answer_settle(struct answer *a, bool largest_ttl)
{
	size_t kept = 0;

	qsort(a->addresses, a->count, sizeof(*a->addresses), compare_addresses);
	for (size_t i = 0; i < a->count; i++) {
		const struct answer_address *one = &a->addresses[i];
		struct answer_address *last = kept ? &a->addresses[kept - 1] : NULL;
		if (!last || !addr_eq(&last->addr, &one->addr))
			a->addresses[kept++] = *one;
		else if ((one->ttl_s > last->ttl_s) == largest_ttl)
			last->ttl_s = one->ttl_s;
	}
	a->count = kept;
}

static const char *conclude_positive(struct walk *w)
{
	struct answer *a = w->a;

	answer_settle(a, false);
	if (a->count > ANSWER_ADDRESSES_MAX)
		return ANSWER_TOO_MANY;
	a->outcome = ANSWER_OK;
	a->ttl_s = ANSWER_TTL_MAX;
	for (size_t i = 0; i < a->count; i++)
		if (a->addresses[i].ttl_s < a->ttl_s)
			a->ttl_s = a->addresses[i].ttl_s;
	return NULL;
}

/* No address at the end of the chain. "There is none" is believed when an SOA says so, or a server
 * that recursed for us (RFC 2308 section 2.2, NODATA type 3; dnsmasq's cache answers so). All else
 * may be a chain cut short, or a referral from a server that does not recurse. */
static const char *conclude_nodata(struct walk *w, bool has_soa)
{
	const struct message *m = w->m;

	w->a->outcome = ANSWER_NODATA;
	if (has_soa)
		return NULL;
	if (w->a->chain_len > 0)
		return m->flags & DNS_FLAG_RA ? NULL : "the CNAME chain ends before an address";
	if (m->answer_count > 0)
		return "no record of the answer belongs to the question";
	if (m->has_ns && !(m->flags & DNS_FLAG_AA))
		return "a referral: the server does not resolve for us";
	return NULL;
}

static const char *conclude(struct walk *w)
{
	struct answer *a = w->a;
	bool nxdomain = (w->m->flags & DNS_FLAG_RCODE) == DNS_RCODE_NXDOMAIN;
	uint32_t soa_ttl_s = 0;

	if (nxdomain && a->count > 0)
		return "addresses of a name that is said not to exist";
	if (a->count > 0)
		return conclude_positive(w);

	bool has_soa = read_soa(w->m, w->name.s, &soa_ttl_s);
	/* The chain may lead elsewhere sooner than its end may come to be. */
	a->ttl_s = soa_ttl_s < w->ttl_s ? soa_ttl_s : w->ttl_s;
	/* The last moment of one out of a cache: nothing said how long would be another matter. */
	if (has_soa && !a->ttl_s)
		a->ttl_s = 1;
	if (!nxdomain)
		return conclude_nodata(w, has_soa);
	a->outcome = ANSWER_NXDOMAIN;
	return NULL;
}

static const char *read_question(struct cursor *c, const char *name, enum family family)
{
	struct text asked;

	if (!read_name(c, &asked))
		return "the question is cut or broken";
	uint16_t type = cursor_u16(c), class = cursor_u16(c);
	if (c->failed)
		return "the question is cut or broken";
	if (strcmp(asked.s, name) != 0 || class != DNS_CLASS_IN ||
		type != (family == FAMILY_V4 ? DNS_TYPE_A : DNS_TYPE_AAAA))
		return "the answer to another question";
	return NULL;
}

static const char *parse(struct message *m, const char *name, struct answer *a)
{
	struct cursor c = cursor_over(m->bytes, m->len);
	struct walk w = {.m = m, .a = a, .ttl_s = ANSWER_TTL_MAX};
	uint16_t counts[3];

	cursor_skip(&c, 2); /* whoever asked has matched the id */
	m->flags = cursor_u16(&c);
	uint16_t questions = cursor_u16(&c);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		counts[i] = cursor_u16(&c);
	if (c.failed)
		return "shorter than a header";
	if (!(m->flags & DNS_FLAG_QR))
		return "a question, not an answer";
	if (m->flags & DNS_FLAG_OPCODE)
		return "not the answer to a query";
	if (m->flags & DNS_FLAG_TC)
		return "truncated";

	unsigned rcode = server_reply_extended_rcode(m->bytes, m->len, NULL) << 4 |
			 (m->flags & DNS_FLAG_RCODE);
	bool failed = rcode != DNS_RCODE_NOERROR && rcode != DNS_RCODE_NXDOMAIN;
	/* Servers that could not read or would not look at a question send a bare header. */
	if (questions != 1 && !(failed && questions == 0))
		return "not exactly one question";
	const char *why = questions ? read_question(&c, name, a->family) : NULL;
	if (why)
		return why;
	if (failed) {
		a->outcome = rcode == DNS_RCODE_REFUSED ? ANSWER_REFUSED : ANSWER_SERVFAIL;
		return NULL;
	}

	why = read_sections(m, &c, counts);
	if (why)
		return why;
	if (strlen(name) >= sizeof(w.name.s))
		return "the answer to another question";
	memcpy(w.name.s, name, strlen(name) + 1);
	why = walk_chain(&w, name);
	return why ? why : conclude(&w);
}

void answer_parse(const uint8_t *message, size_t len, const char *name, enum family family,
	struct answer *ret)
{
	struct message m = {.bytes = message, .len = len};
	struct answer a = {.family = family};

	a.why = parse(&m, name, &a);
	free(m.answers);
	if (a.why) {
		a.outcome = ANSWER_MALFORMED;
		free(a.addresses);
		a.addresses = NULL;
		a.count = 0;
		a.ttl_s = 0;
	}
	*ret = a;
}

bool answer_is_too_large(const struct answer *a)
{
	return a->outcome == ANSWER_MALFORMED && a->why && str_starts(a->why, ANSWER_TOO_MANY);
}

void answer_done(struct answer *a)
{
	free(a->addresses);
	for (size_t i = 0; i < a->chain_len; i++)
		free(a->chain[i]);
	*a = ANSWER_NULL;
}

const char *answer_outcome_name(enum answer_outcome o)
{
	switch (o) {
	case ANSWER_OK:
		return "ok";
	case ANSWER_NODATA:
		return "nodata";
	case ANSWER_NXDOMAIN:
		return "nxdomain";
	case ANSWER_SERVFAIL:
		return "servfail";
	case ANSWER_REFUSED:
		return "refused";
	case ANSWER_TIMEOUT:
		return "timeout";
	case ANSWER_SCREENED:
		return "screened";
	case ANSWER_MALFORMED:
		return "malformed";
	}
	return "unknown";
}
