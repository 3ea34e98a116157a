/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The grammars of DNS names and of identifiers. Written out byte by byte: <ctype.h> asks the
 * locale. */
#include "allowsync/name.h"

#include <string.h>

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* `max` leaves room for what the caller puts before the name. */
static const char *normalize(const char *text, char *ret, size_t max, const char *one_label)
{
	size_t len = strlen(text);
	size_t labels = 0, label_start = 0;
	bool only_digits = true;

	if (len && text[len - 1] == '.')
		len--;
	if (len == 0)
		return "is empty";
	if (len > max)
		return "is longer than 253 characters";
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (c == '\\')
			return "has an escape, which no host name needs";
		if (c == '*')
			return "has a \"*\" that is not its whole first label";
		if (c != '.' && c != '-' && c != '_' && !is_lower(c) && !is_upper(c) &&
			!is_digit(c))
			return "has a character that no host name has";
	}
	for (size_t i = 0; i <= len; i++) {
		if (i < len && text[i] != '.') {
			if (!is_digit(text[i]))
				only_digits = false;
			continue;
		}
		if (i == label_start)
			return "has an empty label";
		if (i - label_start > LABEL_MAX)
			return "has a label of more than 63 characters";
		if (text[label_start] == '-' || text[i - 1] == '-')
			return "has a label that begins or ends with a hyphen";
		labels++;
		label_start = i + 1;
		if (i < len)
			only_digits = true;
	}
	if (only_digits)
		return "ends in a number: neither a name nor an address";
	if (labels < 2)
		return one_label;
	for (size_t i = 0; i < len; i++)
		ret[i] = is_upper(text[i]) ? (char)(text[i] - 'A' + 'a') : text[i];
	ret[len] = '\0';
	return NULL;
}

const char *name_normalize(const char *text, char *ret)
{
	return normalize(text, ret, NAME_TEXT_MAX,
		"has one label only: names are whole, no search list is used");
}

const char *name_normalize_wildcard(const char *text, char *ret)
{
	if (text[0] != '*' || text[1] != '.')
		return "is no wildcard: these begin with \"*.\"";
	const char *why = normalize(text + 2, ret + 2, NAME_TEXT_MAX - 2,
		"is a wildcard over a whole top-level domain, which is never taken");
	if (why)
		return why;
	ret[0] = '*';
	ret[1] = '.';
	return NULL;
}

bool identifier_ok(const char *text)
{
	size_t i;

	if (!is_lower(text[0]))
		return false;
	for (i = 1; text[i]; i++) {
		if (i == IDENTIFIER_MAX)
			return false;
		if (!is_lower(text[i]) && !is_digit(text[i]) && text[i] != '_' && text[i] != '-')
			return false;
	}
	return true;
}

bool nft_identifier_ok(const char *text)
{
	enum { MAX = 128 };
	size_t i;

	if (!is_lower(text[0]) && !is_upper(text[0]) && text[0] != '_' && text[0] != '.')
		return false;
	for (i = 1; text[i]; i++) {
		if (i == MAX)
			return false;
		if (!is_lower(text[i]) && !is_upper(text[i]) && !is_digit(text[i]) &&
			!strchr("_./-", text[i]))
			return false;
	}
	return true;
}
