#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names under a clock of the test's own, with answers in one line. */
#include "core/names.h"

#include "tap.h"

#include <stdio.h>

enum { S = 1000, MINUTE = 60 * S, HOUR = 60 * MINUTE };

static const struct config_bounds defaults = {.refresh_min_s = CONFIG_REFRESH_MIN_S,
	.refresh_max_s = CONFIG_REFRESH_MAX_S,
	.linger_s = -1};

static struct names names;
static struct name_changes changes;
static uint64_t now;

static inline void reset(void)
{
	names_done(&names);
	name_changes_done(&changes);
	names_init(&names, 42);
	now = 1000 * S;
}

static inline struct name *begin(const char *text, struct config_bounds bounds)
{
	reset();
	return names_add(&names, text, &bounds, now);
}

static inline struct config_bounds with_linger(int64_t linger_s)
{
	struct config_bounds b = defaults;

	b.linger_s = linger_s;
	return b;
}

static inline struct addr v4(unsigned number)
{
	return (struct addr){
		.family = FAMILY_V4, .bytes = {45, 0, (uint8_t)(number >> 8), (uint8_t)number}};
}

/* An OK answer with the numbered addresses (ascending, ended by 0), each with this TTL. */
static inline void answer_with(struct name_family *f, uint32_t ttl_s, const unsigned *numbers)
{
	struct answer_address addresses[64];
	struct answer a = {
		.outcome = ANSWER_OK, .family = f->family, .addresses = addresses, .ttl_s = ttl_s};

	for (; numbers[a.count]; a.count++) {
		addresses[a.count].addr = v4(numbers[a.count]);
		addresses[a.count].addr.family = (uint8_t)f->family;
		addresses[a.count].ttl_s = ttl_s;
	}
	names_apply(&names, f, &a, "192.0.2.53", now, &changes);
}

#define ANSWER(f, ttl_s, ...) answer_with((f), (ttl_s), (const unsigned[]){__VA_ARGS__, 0})

static inline void fail_with(struct name_family *f, enum answer_outcome outcome)
{
	struct answer a = {.outcome = outcome, .family = f->family};

	names_apply(&names, f, &a, NULL, now, &changes);
}

static inline void negative(struct name_family *f, enum answer_outcome outcome, uint32_t ttl_s)
{
	struct answer a = {.outcome = outcome, .family = f->family, .ttl_s = ttl_s};

	names_apply(&names, f, &a, "192.0.2.53", now, &changes);
}

/* All servers deny it, to a question of this moment. */
static inline void deny(struct name_family *f, enum answer_outcome outcome, uint32_t ttl_s)
{
	struct answer a = {.outcome = outcome, .family = f->family, .ttl_s = ttl_s, .of_all = true};

	f->sent_ms = now;
	names_apply(&names, f, &a, "192.0.2.53", now, &changes);
}

static inline const struct name_address *find(const struct name_family *f, unsigned number)
{
	struct addr a = v4(number);

	return name_address_find(f, &a);
}

/* The changes so far as "+1 -2", and forgets them. */
static inline const char *told(void)
{
	static char text[512];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < changes.count && len < sizeof(text) - 16; i++) {
		const struct name_change *c = &changes.items[i];
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%c%u", i ? " " : "",
			c->entered ? '+' : '-',
			c->address.addr.bytes[2] << 8 | c->address.addr.bytes[3]);
	}
	changes.count = 0;
	return text;
}

static inline void expire(void)
{
	names_expire(&names, now, &changes);
}
