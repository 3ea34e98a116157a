/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Durations with their units, numbers, words. */
#include "core/values.h"

#include "allowsync/name.h"
#include "base/strbuf.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *unit;
	uint64_t ms;
} units[] = {
	{"ms", 1},
	{"s", 1000},
	{"min", 60 * 1000},
	{"h", 3600 * 1000},
	{"d", 24 * 3600 * 1000},
};

/* Digits only; at most 9 of them, so that nothing overflows. Returns how many there were. */
static size_t parse_digits(const char *text, uint64_t *ret)
{
	size_t n = strspn(text, "0123456789");
	uint64_t value = 0;

	if (n == 0 || n > 9)
		return 0;
	for (size_t i = 0; i < n; i++)
		value = value * 10 + (uint64_t)(text[i] - '0');
	*ret = value;
	return n;
}

const char *duration_parse(const char *text, uint64_t *ret_ms)
{
	uint64_t n;
	size_t digits = parse_digits(text, &n);
	const char *unit = text + digits;

	if (digits == 0)
		return "is no duration (500ms, 5s, 10min, 1h, 7d)";
	while (*unit == ' ')
		unit++;
	if (!*unit && n == 0) {
		*ret_ms = 0;
		return NULL;
	}
	if (!*unit)
		return "needs a unit (ms, s, min, h, d)";
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (str_eq(unit, units[i].unit)) {
			*ret_ms = n * units[i].ms;
			return NULL;
		}
	}
	return "has no unit that is known (ms, s, min, h, d)";
}

const char *duration_format(uint64_t seconds, char *text)
{
	size_t i = ARRAY_LEN(units) - 1;

	while (i > 1 && (seconds == 0 || seconds * 1000 % units[i].ms))
		i--;
	snprintf(text, 32, "%llu%s", (unsigned long long)(seconds * 1000 / units[i].ms),
		units[i].unit);
	return text;
}

static void complain(const struct section *s, const char *key, const struct profile_text *value,
	struct diag_list *diags, const char *why)
{
	diag_add(diags, DIAG_ERROR, value->at, s->text, key, "\"%s\" %s", value->text, why);
}

bool value_duration_ms(const struct section *s, const char *key, uint32_t min_ms, uint32_t max_ms,
	struct diag_list *diags, uint32_t *ret)
{
	const struct profile_text *value = section_scalar(s, key);
	uint64_t ms;
	char why[64];

	if (!value)
		return false;
	const char *fault = duration_parse(value->text, &ms);
	if (!fault && (ms < min_ms || ms > max_ms)) {
		snprintf(why, sizeof(why), "is out of bounds (%ums to %us)", min_ms, max_ms / 1000);
		fault = why;
	}
	if (fault) {
		complain(s, key, value, diags, fault);
		return false;
	}
	*ret = (uint32_t)ms;
	return true;
}

bool value_duration_s(const struct section *s, const char *key, uint32_t min_s,
	struct diag_list *diags, uint32_t *ret)
{
	const struct profile_text *value = section_scalar(s, key);
	uint64_t ms;
	char why[64];

	if (!value)
		return false;
	const char *fault = duration_parse(value->text, &ms);
	if (!fault && ms % 1000)
		fault = "is not in whole seconds";
	if (!fault && (ms / 1000 < min_s || ms / 1000 > VALUES_DURATION_MAX_S)) {
		snprintf(why, sizeof(why), "is out of bounds (%us to %dd)", min_s,
			VALUES_DURATION_MAX_S / 86400);
		fault = why;
	}
	if (fault) {
		complain(s, key, value, diags, fault);
		return false;
	}
	*ret = (uint32_t)(ms / 1000);
	return true;
}

bool value_number(const struct section *s, const char *key, unsigned min, unsigned max,
	struct diag_list *diags, unsigned *ret)
{
	const struct profile_text *value = section_scalar(s, key);
	uint64_t n;

	if (!value)
		return false;
	size_t digits = parse_digits(value->text, &n);
	if (digits == 0 || value->text[digits] || n < min || n > max) {
		diag_add(diags, DIAG_ERROR, value->at, s->text, key,
			"\"%s\" is no number from %u to %u", value->text, min, max);
		return false;
	}
	*ret = (unsigned)n;
	return true;
}

bool value_word(const struct section *s, const char *key, const char *const *words,
	struct diag_list *diags, unsigned *ret)
{
	const struct profile_text *value = section_scalar(s, key);
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;

	if (!value)
		return false;
	for (unsigned i = 0; words[i]; i++) {
		if (str_eq(words[i], value->text)) {
			*ret = i;
			return true;
		}
		strbuf_appendf(&b, "%s%s", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
	}
	diag_add(diags, DIAG_ERROR, value->at, s->text, key, "\"%s\": %s", value->text,
		strbuf_text(&b));
	return false;
}

bool value_direction(
	const struct section *s, const char *key, struct diag_list *diags, enum direction *ret)
{
	static const char *const words[] = {"out", "in", "both", NULL};
	static const enum direction meaning[] = {DIRECTION_OUT, DIRECTION_IN, DIRECTION_BOTH};
	unsigned word;

	if (!value_word(s, key, words, diags, &word))
		return false;
	*ret = meaning[word];
	return true;
}

/* RFC 2474, 2597, 3246, 5865, 8622. */
static bool dscp_parse(const char *text, uint8_t *ret)
{
	static const struct {
		const char *name;
		uint8_t number;
	} others[] = {{"be", 0}, {"le", 1}, {"ef", 46}, {"va", 44}};
	const char *d = text + 2;
	uint64_t n;
	size_t digits = parse_digits(text, &n);

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		if (str_eq(text, others[i].name)) {
			*ret = others[i].number;
			return true;
		}
	}
	if (str_starts(text, "cs") && d[0] >= '0' && d[0] <= '7' && !d[1])
		n = 8 * (uint64_t)(d[0] - '0');
	else if (str_starts(text, "af") && d[0] >= '1' && d[0] <= '4' && d[1] >= '1' &&
		 d[1] <= '3' && !d[2])
		n = 8 * (uint64_t)(d[0] - '0') + 2 * (uint64_t)(d[1] - '0');
	else if (!digits || text[digits] || n > 63)
		return false;
	*ret = (uint8_t)n;
	return true;
}

bool value_dscp(const struct section *s, const char *key, struct diag_list *diags, uint8_t *ret)
{
	const struct profile_text *value = section_scalar(s, key);

	if (!value)
		return false;
	if (dscp_parse(value->text, ret))
		return true;
	complain(s, key, value, diags, "is no class of DiffServ (ef, af41, cs3, 0 to 63)");
	return false;
}

void value_identifiers(
	const struct section *s, const char *key, struct diag_list *diags, struct strings *ret)
{
	const struct profile_texts *list = section_list(s, key);

	for (size_t i = 0; i < list->count; i++) {
		if (!identifier_ok(list->items[i].text))
			complain(s, key, &list->items[i], diags,
				"is no name: a-z first, then a-z 0-9 - _, 31 in all");
		else if (!strings_has(ret, list->items[i].text))
			strings_add(ret, list->items[i].text);
	}
}

void value_ranges(const struct section *s, const char *key, struct diag_list *diags,
	struct addr_range **ret, size_t *ret_count, size_t *ret_capacity)
{
	const struct profile_texts *list = section_list(s, key);

	for (size_t i = 0; i < list->count; i++) {
		struct addr_range range;
		if (!addr_range_parse(list->items[i].text, &range)) {
			complain(s, key, &list->items[i], diags, "is no address, prefix or range");
			continue;
		}
		VEC_GROW(*ret, *ret_capacity, *ret_count);
		(*ret)[(*ret_count)++] = range;
	}
	*ret_count = addr_ranges_settle(*ret, *ret_count);
}

bool date_ok(const char *text)
{
	static const unsigned days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	unsigned field[3] = {0};

	for (size_t i = 0; i < 10; i++) {
		bool dash = i == 4 || i == 7;
		if (dash ? text[i] != '-' : text[i] < '0' || text[i] > '9')
			return false;
		if (!dash) {
			unsigned *f = &field[i < 4 ? 0 : i < 7 ? 1 : 2];
			*f = *f * 10 + (unsigned)(text[i] - '0');
		}
	}
	bool leap = (field[0] % 4 == 0 && field[0] % 100) || field[0] % 400 == 0;
	return !text[10] && field[1] >= 1 && field[1] <= 12 && field[2] >= 1 &&
	       field[2] <= days[field[1] - 1] + (leap && field[1] == 2);
}
