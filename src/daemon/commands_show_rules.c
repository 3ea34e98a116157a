/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The managed table as JSON: its rules, and the effect of what they mark. */
#include "base/mem.h"
#include "daemon/commands_show.h"
#include "daemon/rules.h"

#include <jansson.h>

void show_put_rules(struct json_t *status, const struct world *w, const struct show_context *c)
{
	const struct rules *r = c->rules;
	const struct mark_effect *m = &w->mark;
	char value[24];

	if (r->state == RULES_NONE)
		return;
	json_t *rules = json_object();
	_cleanup_free_ char *text = rules_text(r);
	show_put_text(rules, "state", rules_state_name(r->state));
	show_put_text(rules, "text", text);
	show_put_time(rules, "since", &c->clock, r->since_ms);
	json_object_set_new(status, "rules", rules);
	if (!m->looked)
		return;
	json_t *mark = json_object();
	snprintf(value, sizeof(value), "0x%08x", w->config->mark.value);
	show_put_text(mark, "value", value);
	show_put_text(mark, "text", m->text);
	if (!m->idle)
		json_object_set_new(mark, "effective", json_boolean(!m->ineffective));
	json_object_set_new(status, "mark", mark);
}

char *show_rules_degraded(const struct show_context *c)
{
	const struct rules *r = c->rules;

	if (r->state != RULES_WAITING && r->state != RULES_FAILED)
		return NULL;
	_cleanup_free_ char *text = rules_text(r);
	return xasprintf("the rules of table inet allowsync: %s", text);
}

uint64_t show_rules_since_ms(const struct show_context *c)
{
	return c->rules->since_ms;
}

bool show_rules_failed(const struct show_context *c)
{
	return c->rules->state == RULES_FAILED;
}
