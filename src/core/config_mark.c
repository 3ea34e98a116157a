/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [mark]: the bits by which the admin's chain knows what the vendors allow, and on the way out by
 * which interfaces. */
#include "base/strbuf.h"
#include "core/config_parts.h"
#include "core/ruleset.h"
#include "core/values.h"

#include <string.h>

static bool hex(struct config_builder *b, const struct section *s, const char *key, uint32_t *ret)
{
	const struct profile_text *value = section_scalar(s, key);
	size_t len = value ? strlen(value->text) : 0;

	if (!value)
		return false;
	if (!str_starts(value->text, "0x") || len <= 2 || len > 10 ||
		strspn(value->text + 2, "0123456789abcdefABCDEF") != len - 2) {
		BUILD_ERROR(b, value->at, s, key,
			"\"%s\" is no number of up to 32 bits (0x00100000)", value->text);
		return false;
	}
	*ret = (uint32_t)strtoul(value->text, NULL, 16);
	return true;
}

/* It becomes text inside quotes, where nft takes a final asterisk for "whatever follows". */
static bool interface_ok(const char *text)
{
	enum { MAX = 15 }; /* IFNAMSIZ without its NUL */
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++) {
		if (text[i] <= ' ' || text[i] > '~' || strchr("\"*\\/:", text[i]))
			return false;
	}
	return len <= MAX && !str_eq(text, ".") && !str_eq(text, "..");
}

void config_read_interfaces(
	struct config_builder *b, const struct section *s, const char *key, struct strings *ret)
{
	const struct profile_texts *list = section_list(s, key);

	for (size_t i = 0; i < list->count; i++) {
		if (!interface_ok(list->items[i].text))
			BUILD_ERROR(b, list->items[i].at, s, key, "\"%s\" is no interface",
				list->items[i].text);
		else if (!strings_has(ret, list->items[i].text))
			strings_add(ret, list->items[i].text);
	}
}

void config_build_mark(struct config_builder *b, const struct section *s)
{
	static const char *const no_yes[] = {"no", "yes", NULL};
	struct config_mark *mark = &b->config->mark;
	size_t errors = b->diags->errors;
	bool has_value = hex(b, s, "value", &mark->value);
	bool has_mask = hex(b, s, "mask", &mark->mask);

	unsigned load;

	if (value_word(s, "load", no_yes, b->diags, &load))
		mark->load = load;
	if (!has_mask)
		mark->mask = mark->value;
	/* the test of a value 0 would be passed by every packet that nobody marked */
	if (has_value && !mark->value)
		BUILD_ERROR(b, section_scalar(s, "value")->at, s, "value",
			"sets no bit: each unmarked packet would pass for an allowed one");
	else if (b->diags->errors == errors && (mark->value & ~mark->mask))
		BUILD_ERROR(b, section_scalar(s, "mask")->at, s, "mask",
			"0x%08x lacks bits of the value 0x%08x", mark->mask, mark->value);
	config_read_interfaces(b, s, "towards", &mark->towards);
}

void config_look_at_mark(struct config_builder *b, const struct section *s)
{
	const struct config *c = b->config;

	for (size_t i = 0; i < c->vendor_count; i++) {
		if (ruleset_has_vendor(c, &c->vendors[i]))
			return;
	}
	BUILD_WARNING(
		b, s->at, s, NULL, "ineffective: no vendor is without a [set], nor in [devices]");
}
