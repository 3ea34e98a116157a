/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration as a value: lookup and life. */
#include "allowsync/config.h"

#include "base/strbuf.h"

struct config_vendor *config_vendor_find(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->vendor_count; i++) {
		if (str_eq(c->vendors[i].name, name))
			return &c->vendors[i];
	}
	return NULL;
}

bool config_set_takes(
	const struct config_set *s, const struct config_vendor *v, const struct config_endpoint *e)
{
	const struct endpoint *p = e->endpoint;
	bool in_role = s->roles.count == 0 || p->roles.count == 0;

	for (size_t i = 0; i < p->roles.count && !in_role; i++)
		in_role = strings_has(&s->roles, p->roles.items[i]);
	return in_role && strings_has(&s->vendors, v->name) && s->denies == e->denied &&
	       (s->direction & p->direction) &&
	       (s->endpoints.count == 0 || strings_has(&s->endpoints, p->name));
}

bool config_has_set_for(const struct config *c, const char *vendor)
{
	for (size_t i = 0; i < c->set_count; i++) {
		if (!c->sets[i].managed && strings_has(&c->sets[i].vendors, vendor))
			return true;
	}
	return false;
}

bool config_has_devices_for(const struct config *c, const char *vendor)
{
	for (size_t i = 0; i < c->devices_count; i++) {
		if (strings_has(&c->devices[i].vendors, vendor))
			return true;
	}
	return false;
}

bool config_set_takes_names(const struct config_set *s)
{
	return s->content != CONFIG_CONTENT_NETS;
}

bool config_set_takes_range(const struct config_set *s, const struct addr_range *r)
{
	return s->content == CONFIG_CONTENT_ALL ||
	       addr_range_is_single(r) == (s->content == CONFIG_CONTENT_EXACT);
}

static void vendor_done(struct config_vendor *v)
{
	for (size_t i = 0; i < v->endpoint_count; i++) {
		strings_done(&v->endpoints[i].names);
		strings_done(&v->endpoints[i].wildcards);
		free(v->endpoints[i].addresses);
		free(v->endpoints[i].names_from);
		free(v->endpoints[i].wildcards_from);
	}
	for (size_t i = 0; v->profile && v->choices && i < v->profile->endpoint_count; i++)
		strings_done(&v->choices[i].unset);
	for (size_t i = 0; v->profile && v->values && i < v->profile->variable_count; i++)
		strings_done(&v->values[i]);
	free(v->choices);
	free(v->values);
	strings_done(&v->roles);
	strings_done(&v->regions);
	free(v->endpoints);
	free(v->allow_private);
	strings_done(&v->allow_shared);
	free(v->name);
	profile_free(v->profile);
}

static void devices_done(struct config_devices *d)
{
	free(d->name);
	strings_done(&d->interfaces);
	free(d->addresses);
	strings_done(&d->macs);
	strings_done(&d->towards);
	strings_done(&d->vendors);
	free(d->dns_servers);
}

struct config *config_free(struct config *c)
{
	if (!c)
		return NULL;
	free(c->resolver.servers);
	strings_done(&c->admins);
	for (size_t i = 0; i < c->vendor_count; i++)
		vendor_done(&c->vendors[i]);
	free(c->vendors);
	for (size_t i = 0; i < c->set_count; i++) {
		struct config_set *s = &c->sets[i];
		free(s->name);
		free(s->id.table);
		free(s->id.name);
		strings_done(&s->vendors);
		strings_done(&s->endpoints);
		strings_done(&s->roles);
	}
	free(c->sets);
	strings_done(&c->mark.towards);
	for (size_t i = 0; i < c->devices_count; i++)
		devices_done(&c->devices[i]);
	free(c->devices);
	for (size_t i = 0; i < c->undone_count; i++)
		free(c->undone[i].text);
	free(c->undone);
	for (size_t i = 0; i < c->file_count; i++)
		free(c->files[i]);
	free(c->files);
	for (size_t i = 0; i < c->text_count; i++) {
		free(c->texts[i].path);
		free(c->texts[i].content);
	}
	free(c->texts);
	free(c->instead);
	free(c);
	return NULL;
}
