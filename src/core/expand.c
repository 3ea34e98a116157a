/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Expansion of braces, bounded: a line of a profile cannot ask for more than EXPAND_MAX names. */
#include "core/expand.h"

#include "allowsync/name.h"
#include "base/strbuf.h"

#include <stdio.h>
#include <string.h>

/* Up to five digits, no leading zero; returns what is behind them, or NULL. */
static const char *digits(const char *p, unsigned *ret)
{
	size_t n = strspn(p, "0123456789");

	if (n == 0 || n > 5 || (n > 1 && *p == '0'))
		return NULL;
	*ret = 0;
	for (size_t i = 0; i < n; i++)
		*ret = *ret * 10 + (unsigned)(p[i] - '0');
	return p + n;
}

/* "1..4" -> "1", "2", "3", "4"; 1: it is none; 0: done; -1: it is wrong. */
static int numbers(const char *text, struct strings *ret)
{
	unsigned first = 0, last = 0;
	char number[16];

	if (!strstr(text, ".."))
		return 1;
	const char *p = digits(text, &first);
	if (!p || !str_starts(p, ".."))
		return -1;
	p = digits(p + 2, &last);
	if (!p || *p || last < first || last - first >= EXPAND_MAX)
		return -1;
	for (unsigned n = first; n <= last; n++) {
		snprintf(number, sizeof(number), "%u", n);
		strings_add(ret, number);
	}
	return 0;
}

/* "a|b|c"; false: an empty alternative. */
static bool alternatives(const char *text, struct strings *ret)
{
	for (;;) {
		size_t len = strcspn(text, "|");
		if (len == 0)
			return false;
		_cleanup_free_ char *one = xstrndup(text, len);
		strings_add(ret, one);
		if (!text[len])
			return true;
		text += len + 1;
	}
}

/* What stands between braces -> `ret`. */
static char *group_values(
	const char *inside, expand_words_fn words, void *userdata, struct strings *ret)
{
	int rc = numbers(inside, ret);

	if (rc < 0)
		return xasprintf("{%s} is no range of numbers (at most %d)", inside, EXPAND_MAX);
	if (rc == 0)
		return NULL;
	if (strchr(inside, '|')) {
		if (!alternatives(inside, ret))
			return xasprintf("{%s} has an empty alternative", inside);
		return NULL;
	}
	const struct strings *values = identifier_ok(inside) ? words(userdata, inside) : NULL;
	if (!values)
		return xasprintf("{%s}: no such variable", inside);
	for (size_t i = 0; i < values->count; i++)
		strings_add(ret, values->items[i]);
	return NULL;
}

/* Every text of `so_far` with every one of `values` behind it. False: too many, or too long. */
static bool multiply(struct strings *so_far, const struct strings *values)
{
	struct strings product = {0};
	bool fits = so_far->count * values->count <= EXPAND_MAX;

	for (size_t i = 0; fits && i < so_far->count; i++) {
		for (size_t k = 0; fits && k < values->count; k++) {
			_cleanup_free_ char *text =
				xasprintf("%s%s", so_far->items[i], values->items[k]);
			fits = strlen(text) <= EXPAND_TEXT_MAX;
			strings_add(&product, text);
		}
	}
	strings_done(so_far);
	*so_far = product;
	return fits;
}

static char *expand_into(
	const char *text, expand_words_fn words, void *userdata, struct strings *so_far)
{
	strings_add(so_far, "");
	while (*text) {
		_cleanup_(strings_done) struct strings values = {0};
		size_t plain = strcspn(text, "{}");
		char *why = NULL;

		if (plain) {
			_cleanup_free_ char *part = xstrndup(text, plain);
			strings_add(&values, part);
			text += plain;
		} else {
			size_t len = *text == '{' ? strcspn(text + 1, "{}") : 0;
			if (*text != '{' || text[1 + len] != '}')
				return xstrdup("a brace without its other one ({1..4}, {a|b}, "
					       "{variable})");
			_cleanup_free_ char *inside = xstrndup(text + 1, len);
			why = group_values(inside, words, userdata, &values);
			text += len + 2;
		}
		if (why)
			return why;
		if (!multiply(so_far, &values))
			return xasprintf("expands to more than %d names, or to longer ones than "
					 "there can be",
				EXPAND_MAX);
	}
	return NULL;
}

char *expand(const char *text, expand_words_fn words, void *userdata, struct strings *ret)
{
	_cleanup_(strings_done) struct strings all = {0};
	char *why = expand_into(text, words, userdata, &all);

	for (size_t i = 0; !why && i < all.count; i++)
		strings_add(ret, all.items[i]);
	return why;
}

bool expand_next_word(const char *text, size_t *at, char ret_word[32])
{
	for (;;) {
		const char *open = strchr(text + *at, '{');
		const char *end = open ? strchr(open, '}') : NULL;
		if (!end)
			return false;
		size_t len = (size_t)(end - open) - 1;
		*at = (size_t)(end - text) + 1;
		if (len > IDENTIFIER_MAX)
			continue;
		memcpy(ret_word, open + 1, len);
		ret_word[len] = '\0';
		if (identifier_ok(ret_word))
			return true;
	}
}
