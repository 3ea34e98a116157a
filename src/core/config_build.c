/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration from its entries: the grammar of the main file, and the vendors. The parts are
 * in config_resolver.c, config_bounds.c, choose.c, config_wildcards.c, config_sets.c,
 * config_devices.c, config_mark.c and config_undone.c. */
#include "core/config_build.h"

#include "base/strbuf.h"
#include "core/config_parts.h"
#include "core/values.h"

static const struct key_def resolver_keys[] = {
	{"server", KEY_LIST},
	{"source", KEY_LIST},
	{"timeout", KEY_SCALAR},
	{"tries", KEY_SCALAR},
	{"max-in-flight", KEY_SCALAR},
	{"max-rate", KEY_SCALAR},
	{"union", KEY_SCALAR},
	{"refresh-min", KEY_SCALAR},
	{"refresh-max", KEY_SCALAR},
	{"linger", KEY_SCALAR},
	{"revoke-within", KEY_SCALAR},
	{"stale-max", KEY_SCALAR},
	{"max-addresses-per-name", KEY_SCALAR},
	{NULL, 0},
};
static const struct key_def control_keys[] = {
	{"admins", KEY_LIST},
	{NULL, 0},
};
static const struct key_def vendor_keys[] = {
	{"profile", KEY_SCALAR},
	{"role", KEY_LIST},
	{"region", KEY_LIST},
	{"endpoint", KEY_LIST},
	{"deny", KEY_LIST},
	{"dscp", KEY_SCALAR},
	{"allow-private", KEY_LIST},
	{"allow-shared", KEY_LIST},
	{"refresh-min", KEY_SCALAR},
	{"refresh-max", KEY_SCALAR},
	{"linger", KEY_SCALAR},
	{"revoke-within", KEY_SCALAR},
	{"stale-max", KEY_SCALAR},
	{"max-addresses", KEY_SCALAR},
	{"max-addresses-per-name", KEY_SCALAR},
	{NULL, 0},
};
static const struct key_def set_keys[] = {
	{"family", KEY_SCALAR},
	{"table", KEY_SCALAR},
	{"set", KEY_SCALAR},
	{"vendor", KEY_LIST},
	{"endpoint", KEY_LIST},
	{"role", KEY_LIST},
	{"direction", KEY_SCALAR},
	{"foreign", KEY_SCALAR},
	{"proto", KEY_SCALAR},
	{"fuse", KEY_SCALAR},
	{"max-elements", KEY_SCALAR},
	{NULL, 0},
};
static const struct key_def devices_keys[] = {
	{"interface", KEY_LIST},
	{"address", KEY_LIST},
	{"mac", KEY_LIST},
	{"vendor", KEY_LIST},
	{"towards", KEY_LIST},
	{"mode", KEY_SCALAR},
	{"flows", KEY_SCALAR},
	{"dns", KEY_LIST},
	{"ntp", KEY_SCALAR},
	{"ipv6", KEY_SCALAR},
	{"log-group", KEY_SCALAR},
	{NULL, 0},
};
static const struct key_def mark_keys[] = {
	{"value", KEY_SCALAR},
	{"mask", KEY_SCALAR},
	{"towards", KEY_LIST},
	{"load", KEY_SCALAR},
	{NULL, 0},
};
/* [vendor] is open: a profile's variables are keys there. */
static const struct section_def config_sections[] = {
	{"resolver", false, false, resolver_keys},
	{"control", false, false, control_keys},
	{"vendor", true, true, vendor_keys},
	{"set", true, false, set_keys},
	{"devices", true, false, devices_keys},
	{"mark", false, false, mark_keys},
	{NULL, false, false, NULL},
};

bool config_vendor_has_key(const char *key)
{
	for (const struct key_def *k = vendor_keys; k->name; k++) {
		if (str_eq(k->name, key))
			return true;
	}
	return false;
}

struct vendor_builder {
	struct config_builder *b;
	config_profile_fn get_profile;
	void *userdata;
	const struct strings *profile_names;
	struct bounds_said general;
	bool general_ok; /* else each vendor would repeat the same error */
	size_t names;
};

static struct profile *profile_of(struct vendor_builder *vb, const struct section *s)
{
	struct config_builder *b = vb->b;
	const struct profile_text *said = section_scalar(s, "profile");
	const char *name = said ? said->text : s->name;
	struct source at = said ? said->at : s->at;
	const char *key = said ? "profile" : NULL;
	struct near_name near = {""};

	/* before it becomes part of a path */
	if (!identifier_ok(name)) {
		BUILD_ERROR(b, at, s, key,
			"\"%s\" is no name: a-z first, then a-z 0-9 - _, %d in all", name,
			IDENTIFIER_MAX);
		return NULL;
	}
	struct profile *p = vb->get_profile(vb->userdata, name, b->diags);
	if (p)
		return p;
	if (vb->profile_names)
		near = near_string(name, vb->profile_names);
	BUILD_ERROR(b, at, s, key, "there is no profile \"%s\"%s", name, near.text);
	return NULL;
}

static void count_names(
	struct vendor_builder *vb, const struct config_vendor *v, const struct section *s)
{
	bool before = vb->names > CONFIG_NAMES_MAX;

	for (size_t i = 0; i < v->endpoint_count; i++)
		vb->names += v->endpoints[i].names.count + v->endpoints[i].wildcards.count;
	if (!before && vb->names > CONFIG_NAMES_MAX)
		BUILD_ERROR(vb->b, s->at, s, NULL, "more than %d names in all", CONFIG_NAMES_MAX);
}

static unsigned addresses_max(
	struct config_builder *b, const struct config_vendor *v, const struct section *s)
{
	enum { LARGEST = 10000000 };
	size_t names = 0;
	unsigned max;

	for (size_t i = 0; i < v->endpoint_count; i++)
		names += v->endpoints[i].names.count;
	if (names > CONFIG_NAMES_MAX)
		names = CONFIG_NAMES_MAX;
	max = (unsigned)names * CONFIG_VENDOR_ADDRESSES_A_NAME;
	if (max < CONFIG_VENDOR_ADDRESSES_MAX)
		max = CONFIG_VENDOR_ADDRESSES_MAX;
	value_number(s, "max-addresses", 1, LARGEST, b->diags, &max);
	return max;
}

static void build_vendor(struct vendor_builder *vb, const struct section *s)
{
	struct config_builder *b = vb->b;
	struct config *c = b->config;
	struct config_vendor v = {.name = xstrdup(s->name), .at = s->at};

	if (c->vendor_count == CONFIG_VENDORS_MAX) {
		BUILD_ERROR(b, s->at, s, NULL, "more than %d vendors", CONFIG_VENDORS_MAX);
		free(v.name);
		return;
	}
	struct bounds_said own = config_read_bounds(b, s);
	value_ranges(s, "allow-private", b->diags, &v.allow_private, &v.allow_private_count,
		&v.allow_private_capacity);
	config_build_allow_shared(b, &v, s);
	v.has_dscp = value_dscp(s, "dscp", b->diags, &v.dscp);
	v.profile = profile_of(vb, s);
	if (v.profile && vb->names <= CONFIG_NAMES_MAX)
		config_choose(b, &v, s);
	count_names(vb, &v, s);
	v.addresses_max = addresses_max(b, &v, s);
	if (vb->general_ok)
		config_settle_bounds(b, s, &vb->general, v.profile, &own, &v.bounds);
	VEC_GROW(c->vendors, c->vendor_capacity, c->vendor_count);
	c->vendors[c->vendor_count++] = v;
}

static void build_resolver(struct vendor_builder *vb, const struct section *s)
{
	struct config_builder *b = vb->b;
	size_t errors = b->diags->errors;

	config_build_resolver(b, s);
	vb->general = config_read_bounds(b, s);
	config_settle_bounds(b, s, &vb->general, NULL, NULL, &b->config->bounds);
	vb->general_ok = b->diags->errors == errors;
}

/* In this order, wherever they stand: sets need the vendors, vendors the general bounds. */
static void build_all(struct vendor_builder *vb)
{
	static const char *const order[] = {
		"resolver", "control", "vendor", "set", "devices", "mark"};
	struct config_builder *b = vb->b;

	for (size_t k = 0; k < ARRAY_LEN(order); k++) {
		for (size_t i = 0; i < b->sections.count; i++) {
			const struct section *s = &b->sections.items[i];
			if (!str_eq(s->def->kind, order[k]))
				continue;
			switch (k) {
			case 0:
				build_resolver(vb, s);
				break;
			case 1:
				config_build_control(b, s);
				break;
			case 2:
				build_vendor(vb, s);
				break;
			case 3:
				config_build_set(b, s);
				break;
			case 4:
				config_build_devices(b, s);
				break;
			default:
				config_build_mark(b, s);
			}
		}
	}
	for (size_t i = 0; i < b->sections.count; i++) {
		if (str_eq(b->sections.items[i].def->kind, "vendor"))
			config_check_denied(b, &b->sections.items[i]);
	}
}

/* Only once all is known to be right: before, half of it would be said for the wrong reason. */
static void look_back(struct config_builder *b)
{
	for (size_t i = 0; i < b->sections.count; i++) {
		const struct section *s = &b->sections.items[i];
		if (str_eq(s->def->kind, "vendor")) {
			const struct config_vendor *v = config_vendor_find(b->config, s->name);
			config_undone_vendor(b, v, s);
			config_look_at_wildcards(b, v, s);
		} else if (str_eq(s->def->kind, "devices")) {
			config_look_at_devices(b, s);
		} else if (str_eq(s->def->kind, "mark")) {
			config_look_at_mark(b, s);
		}
	}
	config_add_managed_sets(b);
	config_look_at_effect(b);
}

struct config *config_build(const struct reader_file *files, size_t count,
	config_profile_fn get_profile, void *userdata, const struct strings *profile_names,
	config_suffix_fn public_suffix, struct diag_list *diags)
{
	struct config *c = xcalloc(1, sizeof(*c));
	struct config_builder b = {.config = c, .diags = diags, .public_suffix = public_suffix};
	struct vendor_builder vb = {&b, get_profile, userdata, profile_names, .general_ok = true};
	size_t errors = diags->errors;

	c->resolver.timeout_ms = 2000;
	c->resolver.tries = 3;
	c->resolver.max_in_flight = CONFIG_IN_FLIGHT_MAX;
	c->mark = (struct config_mark){.value = CONFIG_MARK, .mask = CONFIG_MARK, .load = true};
	c->bounds = (struct config_bounds){CONFIG_REFRESH_MIN_S, CONFIG_REFRESH_MAX_S, -1, 0,
		CONFIG_STALE_MAX_S, CONFIG_NAME_ADDRESSES_MAX};

	/* the sources must outlive the files: let them point into the configuration's own names */
	struct reader_file *named = xcalloc(count + 1, sizeof(*named));
	for (size_t i = 0; i < count; i++) {
		VEC_GROW(c->files, c->file_capacity, c->file_count);
		c->files[c->file_count++] = xstrdup(files[i].name);
		named[i] = files[i];
		named[i].name = c->files[i];
	}
	b.sections = sections_collect(named, count, config_sections, diags);
	build_all(&vb);
	if (diags->errors == errors && !b.sections.damaged)
		look_back(&b);
	sections_done(&b.sections);
	free(named);
	return c;
}
