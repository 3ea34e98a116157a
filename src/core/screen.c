/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ranges that are for special purposes, and answers without them. */
#include "core/screen.h"

#include "base/mem.h"

#include <string.h>

struct special {
	uint8_t prefix[16];
	uint8_t len; /* bits */
	const char *rule;
};

/* IANA's registry, and what routers never forward. */
static const struct special special4[] = {
	{{0}, 8, "this network"},
	{{10}, 8, "private"},
	{{100, 64}, 10, "shared by carriers"},
	{{127}, 8, "loopback"},
	{{169, 254}, 16, "link-local"},
	{{172, 16}, 12, "private"},
	{{192, 0, 0}, 24, "for protocols"},
	{{192, 0, 2}, 24, "for documentation"},
	{{192, 88, 99}, 24, "former 6to4 relays"},
	{{192, 168}, 16, "private"},
	{{198, 18}, 15, "for benchmarks"},
	{{198, 51, 100}, 24, "for documentation"},
	{{203, 0, 113}, 24, "for documentation"},
	{{224}, 4, "multicast"},
	{{240}, 4, "reserved"},
};

/* Inside 2000::/3, beside which there is nothing public. */
static const struct special special6[] = {
	{{0x20, 0x01}, 23, "for protocols"},
	{{0x20, 0x01, 0x0d, 0xb8}, 32, "for documentation"},
	{{0x20, 0x02}, 16, "6to4"},
	{{0x3f, 0xff}, 20, "for documentation"},
};

/* Only for the sake of a better word; the rest of what is not 2000::/3 is "not public". */
static const struct special outside6[] = {
	{{[15] = 1}, 128, "loopback"},
	{{0}, 128, "unspecified"},
	{{[10] = 0xff, [11] = 0xff}, 96, "an IPv4 address in IPv6"},
	{{0xfc}, 7, "private"},
	{{0xfe, 0x80}, 10, "link-local"},
	{{0xff}, 8, "multicast"},
};

static const uint8_t public6[] = {0x20}, nat64[12] = {0x00, 0x64, 0xff, 0x9b};
enum { PUBLIC6_LEN = 3, NAT64_LEN = 96 };

static bool is_in(const uint8_t *address, const uint8_t *prefix, unsigned len)
{
	unsigned whole = len / 8, rest = len % 8;
	uint8_t mask = (uint8_t)(0xff00 >> rest);

	return memcmp(address, prefix, whole) == 0 &&
	       (!rest || ((address[whole] ^ prefix[whole]) & mask) == 0);
}

static const char *look_up(const struct special *table, size_t count, const uint8_t *address)
{
	for (size_t i = 0; i < count; i++) {
		if (is_in(address, table[i].prefix, table[i].len))
			return table[i].rule;
	}
	return NULL;
}

static bool is_mapped(const struct addr *a)
{
	return a->family == FAMILY_V6 && is_in(a->bytes, outside6[2].prefix, outside6[2].len);
}

const char *screen_address(const struct addr *a)
{
	const char *rule;

	if (a->family == FAMILY_V4)
		return look_up(special4, ARRAY_LEN(special4), a->bytes);
	if (is_in(a->bytes, nat64, NAT64_LEN))
		return look_up(special4, ARRAY_LEN(special4), a->bytes + sizeof(nat64));
	if (is_in(a->bytes, public6, PUBLIC6_LEN))
		return look_up(special6, ARRAY_LEN(special6), a->bytes);
	rule = look_up(outside6, ARRAY_LEN(outside6), a->bytes);
	return rule ? rule : "not public";
}

bool screen_can_allow(const struct addr *a)
{
	return !is_mapped(a);
}

/* 0.0.0.0, ::, 127.0.0.1 and ::1. */
static bool is_for_blocked_names(const struct addr *a)
{
	static const uint8_t none[16], home4[4] = {127, 0, 0, 1}, home6[16] = {[15] = 1};
	size_t len = addr_len((enum family)a->family);

	return memcmp(a->bytes, none, len) == 0 ||
	       memcmp(a->bytes, a->family == FAMILY_V4 ? home4 : home6, len) == 0;
}

/* NAT64 leads to the IPv4 address in it. */
static bool is_own(const struct screen_own *own, const struct addr *a)
{
	if (addr_ranges_have(own->ranges, own->count, a))
		return true;
	if (a->family != FAMILY_V6 || !is_in(a->bytes, nat64, NAT64_LEN))
		return false;
	const struct addr inner = addr_from_bytes(FAMILY_V4, a->bytes + sizeof(nat64));
	return addr_ranges_have(own->ranges, own->count, &inner);
}

const char *screen_judge(
	const struct addr *a, const struct screen_own *own, const struct screen_terms *terms)
{
	const char *rule = screen_address(a);

	if (!rule && is_own(own, a))
		rule = "this router's own network";
	if (rule &&
		(!screen_can_allow(a) || !addr_ranges_have(terms->allow, terms->allow_count, a)))
		return rule;
	if (terms->expect_count && !addr_ranges_have(terms->expect, terms->expect_count, a))
		return SCREEN_UNEXPECTED;
	return NULL;
}

void screen_answer(struct answer *a, screen_judge_fn judge, void *userdata, struct screening *ret)
{
	size_t kept = 0;

	*ret = (struct screening){.blocked = true};
	if (a->outcome != ANSWER_OK)
		return;
	for (size_t i = 0; i < a->count; i++) {
		const struct addr *one = &a->addresses[i].addr;
		const char *rule = judge(userdata, one);
		if (!rule) {
			a->addresses[kept++] = a->addresses[i];
			continue;
		}
		if (!ret->refused++) {
			ret->first = *one;
			ret->rule = rule;
		}
		ret->blocked = ret->blocked && is_for_blocked_names(one);
	}
	ret->blocked = ret->blocked && ret->refused && !kept;
	a->count = kept;
	a->partial = (a->partial || ret->refused) && kept;
	if (ret->refused && !kept) {
		a->outcome = ANSWER_SCREENED;
		a->why = ret->rule;
	}
}
