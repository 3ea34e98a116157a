#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes DNS messages for tests, right ones and wrong ones. */
#include <stdint.h>
#include <string.h>

enum { TYPE_A = 1, TYPE_NS = 2, TYPE_CNAME = 5, TYPE_SOA = 6, TYPE_TXT = 16, TYPE_AAAA = 28 };
enum { FLAGS_RECURSED = 0x8180, FLAGS_AUTHORITATIVE = 0x8500, FLAGS_TC = 0x0200 };
enum { RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3, RCODE_REFUSED = 5 };
enum packet_section { SECTION_ANSWER = 6, SECTION_AUTHORITY = 8, SECTION_ADDITIONAL = 10 };

struct packet {
	size_t len;
	uint8_t bytes[65536];
};

static inline void packet_u8(struct packet *p, unsigned v)
{
	p->bytes[p->len++] = (uint8_t)v;
}

static inline void packet_u16(struct packet *p, unsigned v)
{
	packet_u8(p, v >> 8);
	packet_u8(p, v & 0xff);
}

static inline void packet_u32(struct packet *p, uint32_t v)
{
	packet_u16(p, v >> 16);
	packet_u16(p, v & 0xffff);
}

static inline void packet_bytes(struct packet *p, const void *bytes, size_t len)
{
	memcpy(p->bytes + p->len, bytes, len);
	p->len += len;
}

/* Without compression; "" is the root. */
static inline void packet_name(struct packet *p, const char *name)
{
	while (*name) {
		size_t len = strcspn(name, ".");

		packet_u8(p, (unsigned)len);
		packet_bytes(p, name, len);
		name += len + (name[len] == '.');
	}
	packet_u8(p, 0);
}

/* Header and question. */
static inline void packet_begin(struct packet *p, unsigned flags, const char *name, unsigned type)
{
	p->len = 0;
	packet_u16(p, 0x1234);
	packet_u16(p, flags);
	packet_u16(p, 1);
	packet_u16(p, 0);
	packet_u32(p, 0);
	packet_name(p, name);
	packet_u16(p, type);
	packet_u16(p, 1);
}

static inline void packet_count(struct packet *p, enum packet_section s)
{
	unsigned n = (unsigned)(p->bytes[s] << 8 | p->bytes[s + 1]) + 1;

	p->bytes[s] = (uint8_t)(n >> 8);
	p->bytes[s + 1] = (uint8_t)n;
}

static inline void packet_record_rest(struct packet *p, unsigned type, uint32_t ttl, unsigned len)
{
	packet_u16(p, type);
	packet_u16(p, 1);
	packet_u32(p, ttl);
	packet_u16(p, len);
}

/* A record up to its data. */
static inline void packet_record(struct packet *p, enum packet_section s, const char *owner,
	unsigned type, uint32_t ttl, unsigned len)
{
	packet_count(p, s);
	packet_name(p, owner);
	packet_record_rest(p, type, ttl, len);
}

/* The owner is bytes as they are. */
static inline void packet_a_raw(
	struct packet *p, const void *owner, size_t owner_len, uint32_t addr, uint32_t ttl)
{
	packet_count(p, SECTION_ANSWER);
	packet_bytes(p, owner, owner_len);
	packet_record_rest(p, TYPE_A, ttl, 4);
	packet_u32(p, addr);
}

static inline void packet_a(struct packet *p, const char *owner, uint32_t addr, uint32_t ttl)
{
	packet_record(p, SECTION_ANSWER, owner, TYPE_A, ttl, 4);
	packet_u32(p, addr);
}

/* CNAME, NS. */
static inline void packet_to(struct packet *p, enum packet_section s, const char *owner,
	unsigned type, const char *to, uint32_t ttl)
{
	packet_record(p, s, owner, type, ttl, (unsigned)strlen(to) + 2);
	packet_name(p, to);
}

static inline void packet_cname(struct packet *p, const char *owner, const char *to, uint32_t ttl)
{
	packet_to(p, SECTION_ANSWER, owner, TYPE_CNAME, to, ttl);
}

static inline void packet_soa(struct packet *p, const char *zone, uint32_t ttl, uint32_t minimum)
{
	packet_record(p, SECTION_AUTHORITY, zone, TYPE_SOA, ttl, 6 + 3 + 20);
	packet_name(p, "ns.x");
	packet_name(p, "h");
	for (unsigned i = 0; i < 4; i++)
		packet_u32(p, i);
	packet_u32(p, minimum);
}
