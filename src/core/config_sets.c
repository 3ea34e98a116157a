/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [set NAME]: which of the admin's sets takes what. */
#include "core/config_parts.h"

#include "base/strbuf.h"
#include "core/ruleset.h"
#include "core/values.h"

#include <netinet/in.h>

static bool required(struct config_builder *b, const struct section *s, const char *key)
{
	if (section_key(s, key))
		return true;
	if (!b->sections.damaged)
		BUILD_ERROR(b, s->at, s, NULL, "has no %s =", key);
	return false;
}

static char *nft_identifier(struct config_builder *b, const struct section *s, const char *key)
{
	const struct profile_text *value = section_scalar(s, key);

	if (!required(b, s, key))
		return NULL;
	if (!nft_identifier_ok(value->text)) {
		BUILD_ERROR(b, value->at, s, key, "\"%s\" is no name that nft takes", value->text);
		return NULL;
	}
	return xstrdup(value->text);
}

void config_read_vendors(struct config_builder *b, const struct section *s, struct strings *ret)
{
	const struct profile_texts *list = section_list(s, "vendor");
	_cleanup_(strings_done) struct strings known = {0};

	required(b, s, "vendor");
	for (size_t i = 0; i < b->config->vendor_count; i++)
		strings_add(&known, b->config->vendors[i].name);
	for (size_t i = 0; i < list->count; i++) {
		const struct profile_text *item = &list->items[i];
		if (strings_has(&known, item->text)) {
			if (!strings_has(ret, item->text))
				strings_add(ret, item->text);
		} else if (!b->sections.damaged) {
			BUILD_ERROR(b, item->at, s, "vendor", "\"%s\": there is no [vendor %s]%s",
				item->text, item->text, near_string(item->text, &known).text);
		}
	}
}

enum finding { FOUND, NOT_CHOSEN, UNKNOWN };

/* Do the set's vendors have it; for the message: what they have, and which one has this. */
static enum finding find_endpoint(const struct config *c, const struct config_set *set,
	const char *name, struct strings *ret_known, const char **ret_vendor)
{
	enum finding best = UNKNOWN;

	for (size_t i = 0; i < set->vendors.count; i++) {
		const struct config_vendor *v = config_vendor_find(c, set->vendors.items[i]);
		if (!v->profile)
			return FOUND; /* it has its own error */
		for (size_t k = 0; k < v->profile->endpoint_count; k++) {
			if (!strings_has(ret_known, v->profile->endpoints[k].name))
				strings_add(ret_known, v->profile->endpoints[k].name);
		}
		if (profile_endpoint(v->profile, name) && best == UNKNOWN) {
			best = NOT_CHOSEN;
			*ret_vendor = v->name;
		}
		for (size_t k = 0; k < v->endpoint_count; k++) {
			if (!v->endpoints[k].denied && str_eq(v->endpoints[k].endpoint->name, name))
				return FOUND;
		}
	}
	return best;
}

static enum finding find_role(const struct config *c, const struct config_set *set,
	const char *name, struct strings *ret_known, const char **ret_vendor)
{
	enum finding best = UNKNOWN;

	for (size_t i = 0; i < set->vendors.count; i++) {
		const struct config_vendor *v = config_vendor_find(c, set->vendors.items[i]);
		if (!v->profile)
			return FOUND;
		for (size_t k = 0; k < v->profile->roles.count; k++) {
			if (!strings_has(ret_known, v->profile->roles.items[k]))
				strings_add(ret_known, v->profile->roles.items[k]);
		}
		if (strings_has(&v->profile->roles, name) && best == UNKNOWN) {
			best = NOT_CHOSEN;
			*ret_vendor = v->name;
		}
		for (size_t k = 0; k < v->endpoint_count; k++) {
			if (strings_has(&v->endpoints[k].endpoint->roles, name))
				return FOUND;
		}
	}
	return best;
}

static void take_parts(struct config_builder *b, const struct section *s,
	const struct config_set *set, const char *key,
	enum finding (*find)(const struct config *c, const struct config_set *set, const char *name,
		struct strings *ret_known, const char **ret_vendor),
	struct strings *ret)
{
	const struct profile_texts *list = section_list(s, key);

	for (size_t i = 0; i < list->count && set->vendors.count; i++) {
		const struct profile_text *item = &list->items[i];
		_cleanup_(strings_done) struct strings known = {0};
		const char *vendor = NULL;
		enum finding found = find(b->config, set, item->text, &known, &vendor);
		_cleanup_free_ char *all = strings_join(&known, ", ");
		_cleanup_free_ char *vendors = strings_join(&set->vendors, ", ");
		if (found == UNKNOWN)
			BUILD_ERROR(b, item->at, s, key, "\"%s\": %s %s %s", item->text, vendors,
				set->vendors.count > 1 ? "have" : "has",
				known.count ? all : "none");
		else if (found == NOT_CHOSEN)
			BUILD_ERROR(b, item->at, s, key,
				"\"%s\" is not chosen in [vendor %s]: say %s = %s there",
				item->text, vendor, key, item->text);
		if (!strings_has(ret, item->text))
			strings_add(ret, item->text);
	}
}

static bool removes_foreign(struct config_builder *b, const struct section *s)
{
	static const char *const words[] = {"keep", "remove", NULL};
	unsigned word;

	return value_word(s, "foreign", words, b->diags, &word) && word == 1;
}

static uint8_t protocol(struct config_builder *b, const struct section *s)
{
	static const char *const words[] = {"tcp", "udp", "sctp", "dccp", "udplite", NULL};
	static const uint8_t numbers[] = {
		IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_DCCP, IPPROTO_UDPLITE};
	unsigned word;

	return value_word(s, "proto", words, b->diags, &word) ? numbers[word] : 0;
}

static int64_t fuse(struct config_builder *b, const struct section *s)
{
	const struct profile_text *value = section_scalar(s, "fuse");
	uint32_t seconds;

	if (!value)
		return -1;
	if (str_eq(value->text, "no"))
		return 0;
	return value_duration_s(s, "fuse", CONFIG_FUSE_MIN_S, b->diags, &seconds) ? (int64_t)seconds
										  : -1;
}

static void check_duplicate(
	struct config_builder *b, const struct section *s, const struct config_set *set)
{
	const struct config *c = b->config;

	for (size_t i = 0; i < c->set_count; i++) {
		const struct config_set *other = &c->sets[i];
		if (!other->id.table || !other->id.name || !set_id_eq(&other->id, &set->id))
			continue;
		_cleanup_free_ char *id = set_id_format(&set->id);
		BUILD_ERROR(b, s->at, s, NULL, "%s is filled by [set %s] already (%s:%u)", id,
			other->name, other->at.file, other->at.line);
		return;
	}
}

static void check_managed(
	struct config_builder *b, const struct section *s, const struct config_set *set)
{
	if (set->id.nf_family == nf_family_parse("inet") && str_eq(set->id.table, RULESET_TABLE) &&
		str_starts(set->id.name, RULESET_PREFIX))
		BUILD_ERROR(b, s->at, s, NULL,
			"sets " RULESET_PREFIX "... in table inet " RULESET_TABLE
			" are the daemon's own");
}

enum { ELEMENTS_LARGEST = 10000000 };

void config_build_set(struct config_builder *b, const struct section *s)
{
	static const char *const families[] = {"inet", "ip", "ip6", NULL};
	struct config *c = b->config;
	struct config_set set = {.name = xstrdup(s->name), .at = s->at, .direction = DIRECTION_OUT};
	unsigned family;

	if (c->set_count == CONFIG_SETS_MAX) {
		BUILD_ERROR(b, s->at, s, NULL, "more than %d sets", CONFIG_SETS_MAX);
		free(set.name);
		return;
	}
	if (required(b, s, "family") && value_word(s, "family", families, b->diags, &family))
		set.id.nf_family = nf_family_parse(families[family]);
	set.id.table = nft_identifier(b, s, "table");
	set.id.name = nft_identifier(b, s, "set");
	config_read_vendors(b, s, &set.vendors);
	take_parts(b, s, &set, "endpoint", find_endpoint, &set.endpoints);
	take_parts(b, s, &set, "role", find_role, &set.roles);
	value_direction(s, "direction", b->diags, &set.direction);
	set.remove_foreign = removes_foreign(b, s);
	set.protocol = protocol(b, s);
	set.fuse_s = fuse(b, s);
	set.elements_max = CONFIG_SET_ELEMENTS_MAX;
	value_number(s, "max-elements", 1, ELEMENTS_LARGEST, b->diags, &set.elements_max);
	if (set.id.nf_family && set.id.table && set.id.name) {
		check_duplicate(b, s, &set);
		check_managed(b, s, &set);
	}

	VEC_GROW(c->sets, c->set_capacity, c->set_count);
	c->sets[c->set_count++] = set;
}

void config_add_managed_sets(struct config_builder *b)
{
	struct config *c = b->config;
	_cleanup_(ruleset_done) struct ruleset r = ruleset_of(c);

	if (r.count > CONFIG_MANAGED_SETS_MAX) {
		const struct config_vendor *v = r.sets[CONFIG_MANAGED_SETS_MAX].vendor;
		_cleanup_free_ char *section = xasprintf("vendor %s", v->name);
		diag_add(b->diags, DIAG_ERROR, v->at, section, NULL,
			"vendors without a [set], or of [devices], need more than %d sets of the "
			"daemon's own",
			CONFIG_MANAGED_SETS_MAX);
		return;
	}
	for (size_t i = 0; i < r.count; i++) {
		VEC_GROW(c->sets, c->set_capacity, c->set_count);
		c->sets[c->set_count++] = ruleset_set_config(&r.sets[i]);
	}
}

static bool has_managed_set(const struct config *c, const char *vendor)
{
	for (size_t i = 0; i < c->set_count; i++) {
		if (c->sets[i].managed && strings_has(&c->sets[i].vendors, vendor))
			return true;
	}
	return false;
}

static bool anything_for(const struct config *c, const struct config_set *s)
{
	for (size_t i = 0; i < c->vendor_count; i++) {
		for (size_t k = 0; k < c->vendors[i].endpoint_count; k++) {
			if (config_set_takes(s, &c->vendors[i], &c->vendors[i].endpoints[k]))
				return true;
		}
	}
	return false;
}

void config_look_at_effect(struct config_builder *b)
{
	const struct config *c = b->config;

	for (size_t i = 0; i < c->vendor_count; i++) {
		const struct config_vendor *v = &c->vendors[i];
		_cleanup_free_ char *section = xasprintf("vendor %s", v->name);
		if (!v->endpoint_count)
			diag_add(b->diags, DIAG_WARNING, v->at, section, NULL,
				"none of the profile's endpoints is chosen");
		else if (config_has_devices_for(c, v->name))
			; /* the group's own warning tells */
		else if (has_managed_set(c, v->name) && !c->mark.load)
			diag_add(b->diags, DIAG_WARNING, v->at, section, NULL,
				"no [set] takes it: to be marked by what allowsyncctl rules "
				"prints, "
				"once that is loaded");
		else if (!has_managed_set(c, v->name) && !config_has_set_for(c, v->name) &&
			 !ruleset_marks_any(c, v))
			diag_add(b->diags, DIAG_WARNING, v->at, section, NULL,
				"ineffective: no [set] takes it");
	}
	for (size_t i = 0; i < c->set_count; i++) {
		const struct config_set *s = &c->sets[i];
		_cleanup_free_ char *section = xasprintf("set %s", s->name);
		if (!anything_for(c, s))
			diag_add(b->diags, DIAG_WARNING, s->at, section, NULL,
				"ineffective: takes no endpoint of its vendors");
	}
}
