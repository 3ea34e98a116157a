#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Single values of the configuration: read, and complained of where they stand. Each returns false
 * when the key was not said or is wrong, and then leaves `ret` alone. */
#include "core/sections.h"

#include <stdint.h>

enum { VALUES_DURATION_MAX_S = 366 * 24 * 3600 };

/* "500ms", "5s", "10min", "1h", "7d"; "0" stands bare. NULL: fine; else why not. */
const char *duration_parse(const char *text, uint64_t *ret_ms);
/* "90s", "10min", "1h": the largest unit that fits whole. `text` has room for 32. */
const char *duration_format(uint64_t seconds, char *text);

bool value_duration_ms(const struct section *s, const char *key, uint32_t min_ms, uint32_t max_ms,
	struct diag_list *diags, uint32_t *ret);
/* Whole seconds; above VALUES_DURATION_MAX_S is an error. */
bool value_duration_s(const struct section *s, const char *key, uint32_t min_s,
	struct diag_list *diags, uint32_t *ret);
bool value_number(const struct section *s, const char *key, unsigned min, unsigned max,
	struct diag_list *diags, unsigned *ret);
/* One of the words of a NULL-ended list: its index. */
bool value_word(const struct section *s, const char *key, const char *const *words,
	struct diag_list *diags, unsigned *ret);
/* "out", "in", "both". */
bool value_direction(
	const struct section *s, const char *key, struct diag_list *diags, enum direction *ret);
/* A class of DiffServ by its name ("ef", "af41", "cs3") or number (0 to 63). */
bool value_dscp(const struct section *s, const char *key, struct diag_list *diags, uint8_t *ret);
/* A list of identifiers, without duplicates; what is none is reported and left out. */
void value_identifiers(
	const struct section *s, const char *key, struct diag_list *diags, struct strings *ret);
/* A list of addresses, prefixes and ranges, added to what *ret holds, and settled
 * (addr_ranges_settle()); what is none is reported and left out. */
void value_ranges(const struct section *s, const char *key, struct diag_list *diags,
	struct addr_range **ret, size_t *ret_count, size_t *ret_capacity);
/* A year, month and day that there can be. */
bool date_ok(const char *text);
