/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Device groups, and what they were refused. */
#include "base/strbuf.h"
#include "daemon/commands_show.h"
#include "daemon/refusals.h"
#include "edge/nflog.h"

#include <jansson.h>

static void put_interface(json_t *json, const char *key, uint32_t index)
{
	char name[IF_NAMESIZE];

	if (*nflog_interface(index, name))
		show_put_text(json, key, name);
}

struct json_t *show_refusal(
	const struct world *w, const struct show_context *c, const struct refused_flow *f)
{
	const struct refused_packet *p = &f->last;
	const struct removal *left = refusals_left(w, c->history, &p->destination);
	char address[ADDR_TEXT_SIZE], service[SERVICE_TEXT_SIZE], mac[REFUSED_MAC_TEXT_SIZE];
	json_t *json = json_object();

	show_put_text(json, "devices", f->group->name);
	show_put_text(json, "mode", refused_mode_name(p->mode));
	show_put_text(json, "device", addr_format(&p->source, address));
	if (p->has_mac)
		show_put_text(json, "mac", refused_mac_format(p->mac, mac));
	put_interface(json, "interface", p->in_index);
	put_interface(json, "towards", p->out_index);
	show_put_text(json, "destination", addr_format(&p->destination, address));
	show_put_text(json, "service", service_format(&p->service, service));
	show_put_count(json, "count", f->count);
	show_put_time(json, "first_seen", &c->clock, f->first_ms);
	show_put_time(json, "last_seen", &c->clock, f->last_ms);
	if (left)
		json_object_set_new(json, "left", show_removal(c, left));
	return json;
}

struct json_t *show_devices(const struct world *w, const struct show_context *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < w->config->devices_count; i++) {
		const struct config_devices *d = &w->config->devices[i];
		const struct refused_group *g = refused_group_find(&c->refusals->book, d->name);
		const struct refusals_log *log = refusals_log_find(c->refusals, d->log_group);
		json_t *json = json_object();
		show_put_text(json, "name", d->name);
		show_put_text(json, "mode", d->enforce ? "enforce" : "report");
		show_put_count(json, "log_group", d->log_group);
		if (log && log->error)
			show_put_text(json, "trouble", refusals_log_text(log));
		show_put_count(json, "hour", g ? refused_in_hour(g, c->clock.now_ms) : 0);
		show_put_count(json, "count", g ? g->count : 0);
		json_array_append_new(list, json);
	}
	return list;
}

struct json_t *show_refused(const struct show_context *c)
{
	const struct refusals *r = c->refusals;
	uint64_t strange = r->book.strange + (r->nflog ? nflog_strange_count(r->nflog) : 0);
	json_t *json = json_object();

	show_put_count(json, "flows", r->book.flows.count);
	show_put_count(json, "forgotten", r->book.forgotten);
	show_put_count(json, "strange", strange);
	show_put_count(json, "lost", r->nflog ? nflog_lost_count(r->nflog) : 0);
	return json;
}

void show_add_unread(struct json_t *list, const struct world *w, const struct show_context *c)
{
	for (size_t i = 0; i < w->config->devices_count; i++) {
		const struct config_devices *d = &w->config->devices[i];
		const struct refusals_log *log = refusals_log_find(c->refusals, d->log_group);
		if (!log || !log->error)
			continue;
		_cleanup_free_ char *what = xasprintf(
			"devices %s: what they are refused is not seen (NFLOG group %u: %s)",
			d->name, d->log_group, refusals_log_text(log));
		json_t *json = json_object();
		show_put_text(json, "what", what);
		show_put_time(json, "since", &c->clock, log->since_ms);
		json_array_append_new(list, json);
	}
}
