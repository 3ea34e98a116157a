/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a configuration may say already and this version does not carry out: checked all the same,
 * and said to be idle. */
#include "core/config_parts.h"

#include "base/strbuf.h"
#include "core/ruleset.h"
#include "core/values.h"

#include <stdarg.h>

/* Consumes the text. */
static void add(struct config_builder *b, const struct config_vendor *v, const struct endpoint *e,
	struct source at, const struct section *s, char *text)
{
	struct config *c = b->config;

	BUILD_WARNING(b, at, s, NULL, "%s", text);
	VEC_GROW(c->undone, c->undone_capacity, c->undone_count);
	c->undone[c->undone_count++] = (struct config_undone){
		at, xasprintf("[%s] %s", s->text, text), v ? v->name : NULL, e};
	free(text);
}

void config_undone_add(
	struct config_builder *b, struct source at, const struct section *s, const char *fmt, ...)
{
	bool is_vendor = str_eq(s->def->kind, "vendor");
	va_list ap;

	va_start(ap, fmt);
	add(b, is_vendor ? config_vendor_find(b->config, s->name) : NULL, NULL, at, s,
		xvasprintf(fmt, ap));
	va_end(ap);
}

void config_undone_endpoint(struct config_builder *b, const struct config_vendor *v,
	const struct endpoint *e, struct source at, const struct section *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(b, v, e, at, s, xvasprintf(fmt, ap));
	va_end(ap);
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

	if (config_has_set_for(b->config, v->name))
		config_undone_endpoint(b, v, e->endpoint, v->at, s,
			"%s: any destination is a rule, no element: not carried out by this "
			"version",
			name);
	else if (ruleset_marks_vendor(b->config, v) && (e->endpoint->direction & DIRECTION_OUT) &&
		 !b->config->mark.towards.count)
		config_undone_endpoint(b, v, e->endpoint, v->at, s, "%s: %s", name,
			ruleset_leaves_out(b->config, v, e));
}

/* A policy is set by a rule, and those that use a [set] are the admin's. */
static void undone_timeout(struct config_builder *b, const struct config_vendor *v,
	const struct section *s, const char *key, uint32_t min_s)
{
	char text[32];

	if (min_s && config_has_set_for(b->config, v->name))
		config_undone_add(b, v->at, s,
			"%s %s: not for what a [set] takes, only by the rules that the daemon "
			"loads (allowsyncctl check --host says what this machine has)",
			key, duration_format(min_s, text));
}

void config_undone_vendor(
	struct config_builder *b, const struct config_vendor *v, const struct section *s)
{
	undone_timeout(b, v, s, "tcp-timeout-min", v->profile->tcp_timeout_min_s);
	undone_timeout(b, v, s, "udp-timeout-min", v->profile->udp_timeout_min_s);
	if (v->has_dscp && !ruleset_has_vendor(b->config, v))
		config_undone_add(b, v->at, s,
			"dscp: is set by the rules of vendors that no [set] takes, or [devices] "
			"does");
	for (size_t i = 0; i < v->endpoint_count; i++) {
		const struct config_endpoint *e = &v->endpoints[i];
		const char *name = e->endpoint->name;
		for (size_t w = 0; w < e->endpoint->warnings.count && !e->denied; w++)
			BUILD_WARNING(
				b, v->at, s, NULL, "%s: %s", name, e->endpoint->warnings.items[w]);
		if (e->wildcards.count) {
			_cleanup_free_ char *all = strings_join(&e->wildcards, ", ");
			config_undone_endpoint(b, v, e->endpoint, v->at, s,
				"%s: wildcards are not carried out by this version (%s)", name,
				all);
		}
		if (e->denied) {
			config_look_at_denied(b, v, e, s);
			continue;
		}
		if (e->endpoint->any)
			undone_any(b, v, e, s);
		if ((e->endpoint->direction & DIRECTION_IN) && !taken_inbound(b->config, v, e) &&
			!config_has_devices_for(b->config, v->name))
			config_undone_endpoint(b, v, e->endpoint, v->at, s,
				"%s: inbound, and no [set] with direction = in takes it, nor "
				"[devices]",
				name);
	}
}
