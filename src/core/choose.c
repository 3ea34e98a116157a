/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which endpoints of its profile a vendor gets, or denies, and what their lines come to with the
 * admin's regions and variables. */
#include "core/config_parts.h"

#include "allowsync/name.h"
#include "base/map.h"
#include "base/strbuf.h"
#include "core/expand.h"

#include <string.h>

struct choice {
	struct config_builder *b;
	const struct section *s;
	const struct profile *profile;
	struct config_vendor *vendor;
	struct strings endpoints, denied; /* as the admin names them */
	bool *faulty; /* of each variable of the profile: one of its values is wrong */
	struct strings expansion_regions; /* what {region} means for the endpoint at hand */
};

/* The admin's words of a list; those that are not in `known` are errors that tell what there is. */
static void take_known(
	struct choice *c, const char *key, const struct strings *known, struct strings *ret)
{
	const struct profile_texts *list = section_list(c->s, key);

	for (size_t i = 0; i < list->count; i++) {
		const struct profile_text *item = &list->items[i];
		if (strings_has(known, item->text)) {
			if (!strings_has(ret, item->text))
				strings_add(ret, item->text);
			continue;
		}
		_cleanup_free_ char *all = strings_join(known, ", ");
		BUILD_ERROR(c->b, item->at, c->s, key, "\"%s\": the profile has %s%s", item->text,
			known->count ? "" : "no ", known->count ? all : key);
	}
}

static void endpoint_names(const struct profile *p, struct strings *ret)
{
	for (size_t i = 0; i < p->endpoint_count; i++)
		strings_add(ret, p->endpoints[i].name);
}

static void check_denied(struct choice *c)
{
	const struct profile_texts *list = section_list(c->s, "deny");

	for (size_t i = 0; i < list->count; i++) {
		const struct profile_text *item = &list->items[i];
		const struct endpoint *e = profile_endpoint(c->profile, item->text);
		if (strings_has(&c->endpoints, item->text))
			BUILD_ERROR(c->b, item->at, c->s, "deny",
				"\"%s\" is both asked for by endpoint = and denied", item->text);
		else if (e && !(e->direction & DIRECTION_OUT))
			BUILD_ERROR(c->b, item->at, c->s, "deny",
				"\"%s\" is inbound: only what goes out can be denied", item->text);
	}
}

/* NULL: this value may stand for the variable; else why not. */
static const char *value_fault(const struct profile_variable *v, const char *text)
{
	struct addr_range range;
	char name[NAME_TEXT_MAX + 1];

	if (v->is_address || v->is_host) {
		if (addr_range_parse(text, &range))
			return NULL;
		if (v->is_address)
			return "is no address, prefix or range";
		return name_normalize(text, name);
	}
	if (strlen(text) > NAME_TEXT_MAX)
		return "is longer than a name can be";
	for (const char *p = text; *p; p++) {
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
			    (*p >= '0' && *p <= '9') || *p == '-' || *p == '_' || *p == '.'))
			return "is no part of a name";
	}
	return NULL;
}

static void take_variable(struct choice *c, size_t index)
{
	const struct profile_variable *v = &c->profile->variables[index];
	const struct profile_texts *list = section_list(c->s, v->name);

	for (size_t i = 0; i < list->count; i++) {
		const struct profile_text *item = &list->items[i];
		const char *why = value_fault(v, item->text);
		if (why) {
			BUILD_ERROR(c->b, item->at, c->s, v->name, "\"%s\" %s", item->text, why);
			c->faulty[index] = true;
		}
		if (!strings_has(&c->vendor->values[index], item->text))
			strings_add(&c->vendor->values[index], item->text);
	}
}

/* Keys that are neither [vendor]'s nor the profile's. */
static void refuse_unknown_keys(struct choice *c)
{
	_cleanup_(strings_done) struct strings known = {0};

	for (const struct key_def *k = c->s->def->keys; k->name; k++)
		strings_add(&known, k->name);
	for (size_t i = 0; i < c->profile->variable_count; i++)
		strings_add(&known, c->profile->variables[i].name);
	for (size_t i = 0; i < c->s->key_count; i++) {
		const struct section_key *key = &c->s->keys[i];
		if (!key->def && !profile_variable(c->profile, key->name))
			BUILD_ERROR(c->b, key->at, c->s, key->name, "no such key%s",
				near_string(key->name, &known).text);
	}
}

static const struct strings *variable_values(const struct choice *c, const char *name)
{
	for (size_t i = 0; i < c->profile->variable_count; i++) {
		if (str_eq(c->profile->variables[i].name, name))
			return &c->vendor->values[i];
	}
	return NULL;
}

static const struct strings *expansion_words(void *userdata, const char *word)
{
	struct choice *c = userdata;

	return str_eq(word, "region") ? &c->expansion_regions : variable_values(c, word);
}

/* Adds the variables of these lines that are not set. False: one has a wrong value. */
static bool look_at_variables(
	const struct choice *c, const struct profile_texts *lines, struct strings *unset)
{
	for (size_t i = 0; i < lines->count; i++) {
		size_t at = 0;
		char word[32];
		while (expand_next_word(lines->items[i].text, &at, word)) {
			const struct strings *values = variable_values(c, word);
			if (values && c->faulty[values - c->vendor->values])
				return false;
			if (values && !values->count && !strings_has(unset, word))
				strings_add(unset, word);
		}
	}
	return true;
}

static bool share(const struct strings *a, const struct strings *b)
{
	for (size_t i = 0; i < a->count; i++) {
		if (strings_has(b, a->items[i]))
			return true;
	}
	return false;
}

/* But for variables. `ret_explicit`: the admin names it, or one of its roles. */
static unsigned lacks(const struct choice *c, const struct endpoint *e, bool *ret_explicit)
{
	const struct strings *regions = &c->vendor->regions;
	const struct strings *roles =
		c->vendor->roles.count ? &c->vendor->roles : &c->profile->default_roles;
	bool by_name = strings_has(&c->endpoints, e->name) || strings_has(&c->denied, e->name);
	unsigned lacks = 0;

	*ret_explicit = by_name || share(&e->roles, &c->vendor->roles);
	if (by_name)
		return 0;
	if (!e->by_default)
		lacks |= CONFIG_LACK_NAME;
	if (e->roles.count && roles->count && !share(&e->roles, roles))
		lacks |= CONFIG_LACK_ROLE;
	if (e->regions.count && regions->count && !share(&e->regions, regions))
		lacks |= CONFIG_LACK_REGION;
	return lacks;
}

struct filling {
	struct choice *choice;
	struct config_endpoint *endpoint;
	struct map seen;   /* its names; they point into endpoint->names' strings */
	struct map ranges; /* its addresses: copies, as the list moves while it grows */
};

static void filling_done(struct filling *f)
{
	struct addr_range *r;

	for (size_t at = 0; (r = map_next(&f->ranges, &at));)
		free(r);
	map_done(&f->ranges);
	map_done(&f->seen);
}

static void add_name(struct filling *f, const char *text, const struct profile_text *from)
{
	struct config_endpoint *e = f->endpoint;
	char name[NAME_TEXT_MAX + 1];
	bool wildcard = str_starts(text, "*.");
	const char *why =
		wildcard ? name_normalize_wildcard(text, name) : name_normalize(text, name);

	if (why) {
		BUILD_ERROR(f->choice->b, f->choice->s->at, f->choice->s, NULL,
			"\"%s\" (%s:%u, endpoint %s) %s", text, from->at.file, from->at.line,
			e->endpoint->name, why);
		return;
	}
	if (map_get(&f->seen, name, strlen(name)))
		return;
	if (wildcard)
		config_check_wildcard(f->choice->b, f->choice->vendor, e->endpoint, name, from->at);
	struct strings *to = wildcard ? &e->wildcards : &e->names;
	if (wildcard) {
		VEC_GROW(e->wildcards_from, e->wildcards_from_capacity, to->count);
		e->wildcards_from[to->count] = from;
	} else {
		VEC_GROW(e->names_from, e->names_from_capacity, to->count);
		e->names_from[to->count] = from;
	}
	strings_add(to, name);
	char *copy = to->items[to->count - 1];
	map_put(&f->seen, copy, strlen(copy), copy);
}

static void add_address(
	struct filling *f, const struct addr_range *range, const struct profile_text *from)
{
	struct config_endpoint *e = f->endpoint;

	if (map_get(&f->ranges, range, sizeof(*range)))
		return;
	struct addr_range *copy = xmemdup(range, sizeof(*range));
	map_put(&f->ranges, copy, sizeof(*copy), copy);
	VEC_GROW(e->addresses, e->address_capacity, e->address_count);
	e->addresses[e->address_count++] = (struct profile_address){*range, from->at, from};
}

/* One expanded text: an address, or a name; the profile's builder saw which may stand where. */
static void add_destination(struct filling *f, const char *text, const struct profile_text *from)
{
	struct addr_range range;

	if (addr_range_parse(text, &range))
		add_address(f, &range, from);
	else
		add_name(f, text, from);
}

static void fill_lines(struct filling *f, const struct profile_texts *lines)
{
	for (size_t i = 0; i < lines->count; i++) {
		const struct profile_text *line = &lines->items[i];
		_cleanup_(strings_done) struct strings texts = {0};
		_cleanup_free_ char *fault = expand(line->text, expansion_words, f->choice, &texts);
		if (fault)
			BUILD_ERROR(f->choice->b, f->choice->s->at, f->choice->s, NULL,
				"\"%s\" (%s:%u, endpoint %s): %s", line->text, line->at.file,
				line->at.line, f->endpoint->endpoint->name, fault);
		for (size_t k = 0; k < texts.count; k++)
			add_destination(f, texts.items[k], line);
	}
}

/* Chosen regions, or all, as far as the endpoint is for them. */
static void set_expansion_regions(struct choice *c, const struct endpoint *e)
{
	const struct strings *regions =
		c->vendor->regions.count ? &c->vendor->regions : &c->profile->regions;

	strings_done(&c->expansion_regions);
	for (size_t i = 0; i < regions->count; i++) {
		if (!e->regions.count || strings_has(&e->regions, regions->items[i]))
			strings_add(&c->expansion_regions, regions->items[i]);
	}
}

static void take_endpoint(struct choice *c, const struct endpoint *e)
{
	struct config_vendor *v = c->vendor;
	struct config_choice *choice = &v->choices[e - c->profile->endpoints];
	bool explicitly;

	choice->lacks = lacks(c, e, &explicitly);
	bool chosen = !choice->lacks;
	bool fine = look_at_variables(c, &e->names, &choice->unset) &&
		    look_at_variables(c, &e->addresses, &choice->unset);
	if (choice->unset.count)
		choice->lacks |= CONFIG_LACK_VARIABLE;
	if (!chosen || !fine)
		return; /* of a wrong value one error is enough */
	if (choice->unset.count) {
		const struct profile_variable *variable =
			profile_variable(c->profile, choice->unset.items[0]);
		if (explicitly)
			BUILD_ERROR(c->b, c->s->at, c->s, NULL, "endpoint %s needs %s =%s%s%s",
				e->name, variable->name, variable->title ? " (" : "",
				variable->title ? variable->title : "", variable->title ? ")" : "");
		return;
	}
	set_expansion_regions(c, e);
	VEC_GROW(v->endpoints, v->endpoint_capacity, v->endpoint_count);
	v->endpoints[v->endpoint_count++] =
		(struct config_endpoint){.endpoint = e, .denied = strings_has(&c->denied, e->name)};
	struct filling f = {c, &v->endpoints[v->endpoint_count - 1], MAP_NULL, MAP_NULL};
	fill_lines(&f, &e->names);
	fill_lines(&f, &e->addresses);
	filling_done(&f);
}

void config_choose(struct config_builder *b, struct config_vendor *v, const struct section *s)
{
	struct choice c = {.b = b, .s = s, .profile = v->profile, .vendor = v};
	_cleanup_(strings_done) struct strings names = {0};

	v->values = xcalloc(c.profile->variable_count + 1, sizeof(*v->values));
	v->choices = xcalloc(c.profile->endpoint_count + 1, sizeof(*v->choices));
	c.faulty = xcalloc(c.profile->variable_count + 1, sizeof(*c.faulty));
	endpoint_names(c.profile, &names);
	take_known(&c, "role", &c.profile->roles, &v->roles);
	take_known(&c, "region", &c.profile->regions, &v->regions);
	take_known(&c, "endpoint", &names, &c.endpoints);
	take_known(&c, "deny", &names, &c.denied);
	check_denied(&c);
	for (size_t i = 0; i < c.profile->variable_count; i++)
		take_variable(&c, i);
	refuse_unknown_keys(&c);
	for (size_t i = 0; i < c.profile->endpoint_count; i++)
		take_endpoint(&c, &c.profile->endpoints[i]);

	free(c.faulty);
	strings_done(&c.endpoints);
	strings_done(&c.denied);
	strings_done(&c.expansion_regions);
}
