/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a configuration may say already and this version does not carry out: checked all the same,
 * and said to be idle. */
#include "core/config_parts.h"

#include "base/strbuf.h"
#include "core/ruleset.h"
#include "core/values.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void config_undone_add(
	struct config_builder *b, struct source at, const struct section *s, const char *fmt, ...)
{
	struct config *c = b->config;
	char *text;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	BUILD_WARNING(b, at, s, NULL, "%s", text);
	VEC_GROW(c->undone, c->undone_capacity, c->undone_count);
	c->undone[c->undone_count++] =
		(struct config_undone){at, xasprintf("[%s] %s", s->text, text)};
	free(text);
}

static bool mac_ok(const char *text)
{
	for (size_t i = 0; i < 17; i++) {
		bool good = i % 3 == 2 ? text[i] == ':'
				       : text[i] && strchr("0123456789abcdefABCDEF", text[i]);
		if (!good)
			return false;
	}
	return text[17] == '\0';
}

static bool interface_ok(const char *text)
{
	size_t len = strlen(text);

	return len < 16 && !strpbrk(text, "/ \t:\"") && !str_eq(text, ".") && !str_eq(text, "..");
}

static bool address_ok(const char *text)
{
	struct addr_range range;

	return addr_range_parse(text, &range);
}

static void check_items(struct config_builder *b, const struct section *s, const char *key,
	bool (*ok)(const char *text), const char *why)
{
	const struct profile_texts *list = section_list(s, key);

	for (size_t i = 0; i < list->count; i++) {
		if (!ok(list->items[i].text))
			BUILD_ERROR(b, list->items[i].at, s, key, "\"%s\" %s", list->items[i].text,
				why);
	}
}

static void check_dns(struct config_builder *b, const struct section *s)
{
	const struct profile_text *value = section_scalar(s, "dns");
	struct addr a;

	if (value && !str_eq(value->text, "gateway") && !str_eq(value->text, "any") &&
		!addr_parse(value->text, &a))
		BUILD_ERROR(
			b, value->at, s, "dns", "\"%s\": gateway, any or an address", value->text);
}

void config_undone_devices(struct config_builder *b, const struct section *s)
{
	static const char *const modes[] = {"report", "enforce", NULL};
	static const char *const ntp[] = {"gateway", "profile", "any", NULL};
	static const char *const ipv6[] = {"reject", "ignore", NULL};
	const struct profile_text *mode = section_scalar(s, "mode");
	const struct profile_texts *vendors = section_list(s, "vendor");
	enum direction direction;
	unsigned word;

	if (value_word(s, "mode", modes, b->diags, &word) && word == 1)
		BUILD_ERROR(
			b, mode->at, s, "mode", "\"enforce\" is not carried out by this version");
	value_word(s, "ntp", ntp, b->diags, &word);
	value_word(s, "ipv6", ipv6, b->diags, &word);
	value_direction(s, "direction", b->diags, &direction);
	check_dns(b, s);
	check_items(b, s, "interface", interface_ok, "is no interface");
	check_items(b, s, "towards", interface_ok, "is no interface");
	check_items(b, s, "address", address_ok, "is no address");
	check_items(b, s, "mac", mac_ok, "is no MAC address (00:22:4d:01:02:03)");
	for (size_t i = 0; i < vendors->count; i++) {
		const struct profile_text *item = &vendors->items[i];
		if (!config_vendor_find(b->config, item->text) && !b->sections.damaged)
			BUILD_ERROR(b, item->at, s, "vendor", "\"%s\": there is no [vendor %s]",
				item->text, item->text);
	}
	config_undone_add(b, s->at, s, "device groups are not carried out by this version");
}

static bool taken_inbound(
	const struct config *c, const struct config_vendor *v, const struct config_endpoint *e)
{
	for (size_t i = 0; i < c->set_count; i++) {
		if ((c->sets[i].direction & DIRECTION_IN) && config_set_takes(&c->sets[i], v, e))
			return true;
	}
	return false;
}

static void undone_any(struct config_builder *b, const struct config_vendor *v,
	const struct config_endpoint *e, const struct section *s)
{
	const char *name = e->endpoint->name;

	if (!ruleset_has_vendor(b->config, v))
		config_undone_add(b, v->at, s,
			"%s: any destination is a rule, no element: not carried out by this "
			"version",
			name);
	else if ((e->endpoint->direction & DIRECTION_OUT) && !b->config->mark.towards.count)
		config_undone_add(b, v->at, s, "%s: %s", name, ruleset_leaves_out(b->config, e));
}

void config_undone_vendor(
	struct config_builder *b, const struct config_vendor *v, const struct section *s)
{
	const struct profile *p = v->profile;
	char text[32];

	if (p->tcp_timeout_min_s)
		config_undone_add(b, v->at, s, "tcp-timeout-min %s: %s",
			duration_format(p->tcp_timeout_min_s, text),
			"timeouts are not carried out by this version");
	if (p->udp_timeout_min_s)
		config_undone_add(b, v->at, s, "udp-timeout-min %s: %s",
			duration_format(p->udp_timeout_min_s, text),
			"timeouts are not carried out by this version");
	for (size_t i = 0; i < v->endpoint_count; i++) {
		const struct config_endpoint *e = &v->endpoints[i];
		const char *name = e->endpoint->name;
		for (size_t w = 0; w < e->endpoint->warnings.count; w++)
			BUILD_WARNING(
				b, v->at, s, NULL, "%s: %s", name, e->endpoint->warnings.items[w]);
		if (e->wildcards.count) {
			_cleanup_free_ char *all = strings_join(&e->wildcards, ", ");
			config_undone_add(b, v->at, s,
				"%s: wildcards are not carried out by this version (%s)", name,
				all);
		}
		if (e->endpoint->any)
			undone_any(b, v, e, s);
		if ((e->endpoint->direction & DIRECTION_IN) && !taken_inbound(b->config, v, e))
			config_undone_add(b, v->at, s,
				"%s: inbound, and no [set] with direction = in takes it", name);
	}
}
