/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a profile says, checked whole: each line of it once, with every variable standing in. */
#include "core/profile_build.h"

#include "allowsync/name.h"
#include "base/strbuf.h"
#include "core/config_build.h"
#include "core/expand.h"
#include "core/sections.h"
#include "core/values.h"

#include <string.h>

static const struct key_def profile_keys[] = {
	{"title", KEY_SCALAR},
	{"page", KEY_SCALAR},
	{"read", KEY_SCALAR},
	{"role", KEY_LIST},
	{"default-role", KEY_LIST},
	{"region", KEY_LIST},
	{"refresh-max", KEY_SCALAR},
	{"revoke-within", KEY_SCALAR},
	{"tcp-timeout-min", KEY_SCALAR},
	{"udp-timeout-min", KEY_SCALAR},
	{"note", KEY_LINES},
	{NULL, 0},
};
static const struct key_def variable_keys[] = {
	{"title", KEY_SCALAR},
	{"kind", KEY_SCALAR},
	{NULL, 0},
};
static const struct key_def endpoint_keys[] = {
	{"role", KEY_LIST},
	{"region", KEY_LIST},
	{"direction", KEY_SCALAR},
	{"default", KEY_SCALAR},
	{"name", KEY_LIST},
	{"address", KEY_LIST},
	{"expect", KEY_LIST},
	{"allow", KEY_LIST},
	{"replaced-by", KEY_SCALAR},
	{"inferred", KEY_SCALAR},
	{"note", KEY_LINES},
	{"warning", KEY_LINES},
	{NULL, 0},
};
static const struct section_def profile_sections[] = {
	{"profile", false, false, profile_keys},
	{"variable", true, false, variable_keys},
	{"endpoint", true, false, endpoint_keys},
	{NULL, false, false, NULL},
};

enum { PROFILE_ENDPOINTS_MAX = 1000 };

struct build {
	struct profile *profile;
	struct sections sections;
	struct diag_list *diags;
};

#define ERROR(b, at, s, key, ...)                                                                  \
	diag_add((b)->diags, DIAG_ERROR, (at), (s)->text, (key), __VA_ARGS__)

static char *scalar_copy(const struct section *s, const char *key)
{
	const struct profile_text *value = section_scalar(s, key);

	return value ? xstrdup(value->text) : NULL;
}

static void lines_copy(const struct section *s, const char *key, struct strings *ret)
{
	const struct profile_texts *list = section_list(s, key);

	for (size_t i = 0; i < list->count; i++)
		strings_add(ret, list->items[i].text);
}

/* What files behind the first say of the section: an admin's, as a rule. */
static void note_amended(const struct section *s, struct profile_texts *ret)
{
	for (size_t i = 0; i < s->key_count; i++) {
		const struct section_key *key = &s->keys[i];
		if (str_eq(key->at.file, s->at.file))
			continue;
		VEC_GROW(ret->items, ret->capacity, ret->count);
		ret->items[ret->count++] = (struct profile_text){xstrdup(key->name), key->at};
	}
}

/* The words of a list must be among those that [profile] declares. */
static void check_declared(struct build *b, const struct section *s, const char *key,
	const char *what, const struct strings *declared)
{
	const struct profile_texts *list = section_list(s, key);

	for (size_t i = 0; i < list->count; i++) {
		const char *text = list->items[i].text;
		if (!identifier_ok(text) || strings_has(declared, text) || b->sections.damaged)
			continue;
		_cleanup_free_ char *all = strings_join(declared, ", ");
		ERROR(b, list->items[i].at, s, key, "\"%s\": [profile] %s has %s", text, what,
			declared->count ? all : "none");
	}
}

static void build_profile(struct build *b, const struct section *s)
{
	struct profile *p = b->profile;
	const struct profile_text *read = section_scalar(s, "read");

	p->title = scalar_copy(s, "title");
	p->page = scalar_copy(s, "page");
	p->read = scalar_copy(s, "read");
	if (read && !date_ok(read->text))
		ERROR(b, read->at, s, "read", "\"%s\" is no date (YYYY-MM-DD)", read->text);
	value_identifiers(s, "role", b->diags, &p->roles);
	value_identifiers(s, "region", b->diags, &p->regions);
	value_identifiers(s, "default-role", b->diags, &p->default_roles);
	check_declared(b, s, "default-role", "role", &p->roles);
	value_duration_s(s, "refresh-max", 1, b->diags, &p->refresh_max_s);
	value_duration_s(s, "revoke-within", 1, b->diags, &p->revoke_within_s);
	value_duration_s(s, "tcp-timeout-min", 1, b->diags, &p->tcp_timeout_min_s);
	value_duration_s(s, "udp-timeout-min", 1, b->diags, &p->udp_timeout_min_s);
	lines_copy(s, "note", &p->notes);
	note_amended(s, &p->amended);
}

static void build_variable(struct build *b, const struct section *s)
{
	static const char *const kinds[] = {"text", "address", "host", NULL};
	struct profile *p = b->profile;
	unsigned kind = 0;

	if (str_eq(s->name, "region") || config_vendor_has_key(s->name)) {
		ERROR(b, s->at, s, NULL, "\"%s\" has a meaning of its own: take another name",
			s->name);
		return;
	}
	value_word(s, "kind", kinds, b->diags, &kind);
	VEC_GROW(p->variables, p->variable_capacity, p->variable_count);
	p->variables[p->variable_count++] = (struct profile_variable){
		.name = xstrdup(s->name),
		.title = scalar_copy(s, "title"),
		.is_address = kind == 1,
		.is_host = kind == 2,
		.at = s->at,
	};
}

/* For the check: every declared region, and a stand-in for every text. */
static const struct strings *stand_in(void *userdata, const char *word)
{
	static char x[] = "x";
	static char *items[] = {x};
	static const struct strings text = {items, 1, 1};
	const struct profile *p = userdata;

	if (str_eq(word, "region"))
		return &p->regions;
	const struct profile_variable *v = profile_variable(p, word);
	return v && !v->is_address && !v->is_host ? &text : NULL;
}

/* "{ray_addresses}" -> the variable; NULL: not one whole word in braces, or no such variable. */
static const struct profile_variable *whole_variable(const struct profile *p, const char *text)
{
	size_t len = strlen(text), at = 0;
	char word[32];

	if (text[0] != '{' || !expand_next_word(text, &at, word) || at != len ||
		strlen(word) != len - 2)
		return NULL;
	return profile_variable(p, word);
}

static void check_name(struct build *b, const struct section *s, const struct profile_text *name)
{
	_cleanup_(strings_done) struct strings names = {0};
	char normal[NAME_TEXT_MAX + 1];
	struct addr_range range;

	const struct profile_variable *v = whole_variable(b->profile, name->text);
	if (v && v->is_host)
		return;
	if (v && v->is_address) {
		ERROR(b, name->at, s, "name",
			"%s holds addresses: it belongs behind address =", name->text);
		return;
	}
	if (addr_range_parse(name->text, &range)) {
		ERROR(b, name->at, s, "name", "\"%s\" is an address: write address = %s",
			name->text, name->text);
		return;
	}
	_cleanup_free_ char *fault = expand(name->text, stand_in, b->profile, &names);
	if (fault) {
		ERROR(b, name->at, s, "name", "\"%s\": %s", name->text, fault);
		return;
	}
	if (!names.count)
		ERROR(b, name->at, s, "name", "\"%s\": [profile] has no region", name->text);
	for (size_t i = 0; i < names.count; i++) {
		const char *why = str_starts(names.items[i], "*.")
					  ? name_normalize_wildcard(names.items[i], normal)
					  : name_normalize(names.items[i], normal);
		if (why) {
			ERROR(b, name->at, s, "name", "\"%s\" %s", names.items[i], why);
			return;
		}
	}
}

static void check_address(
	struct build *b, const struct section *s, const struct profile_text *address)
{
	struct addr_range range;
	char normal[NAME_TEXT_MAX + 1];

	if (addr_range_parse(address->text, &range))
		return;
	if (address->text[0] == '{') {
		const struct profile_variable *v = whole_variable(b->profile, address->text);
		if (v && (v->is_address || v->is_host))
			return;
		ERROR(b, address->at, s, "address", "\"%s\": no variable of kind address or host",
			address->text);
		return;
	}
	ERROR(b, address->at, s, "address", "\"%s\" is no address%s", address->text,
		name_normalize(address->text, normal)
			? strchr(address->text, '/')
				  ? " or prefix (no bit may be set behind the prefix)"
				  : ""
			: ": write it as a name");
}

static void copy_texts(const struct profile_texts *from, struct profile_texts *to)
{
	for (size_t i = 0; i < from->count; i++) {
		VEC_GROW(to->items, to->capacity, to->count);
		to->items[to->count++] =
			(struct profile_text){xstrdup(from->items[i].text), from->items[i].at};
	}
}

static void build_destinations(struct build *b, const struct section *s, struct endpoint *e)
{
	const struct profile_texts *names = section_list(s, "name");
	const struct profile_texts *addresses = section_list(s, "address");

	for (size_t i = 0; i < names->count; i++)
		check_name(b, s, &names->items[i]);
	copy_texts(names, &e->names);
	for (size_t i = 0; i < addresses->count; i++) {
		const struct profile_text *a = &addresses->items[i];
		if (str_eq(a->text, "any")) {
			e->any = true;
			continue;
		}
		check_address(b, s, a);
		VEC_GROW(e->addresses.items, e->addresses.capacity, e->addresses.count);
		e->addresses.items[e->addresses.count++] =
			(struct profile_text){xstrdup(a->text), a->at};
	}
	if (!names->count && !addresses->count && !b->sections.damaged)
		ERROR(b, s->at, s, NULL, "has neither name = nor address =");
}

static void build_services(struct build *b, const struct section *s, struct endpoint *e)
{
	const struct profile_texts *list = section_list(s, "allow");

	for (size_t i = 0; i < list->count; i++) {
		struct service service;
		const char *why = service_parse(list->items[i].text, &service);
		if (why) {
			ERROR(b, list->items[i].at, s, "allow", "\"%s\": %s", list->items[i].text,
				why);
			continue;
		}
		VEC_GROW(e->services, e->service_capacity, e->service_count);
		e->services[e->service_count++] = service;
	}
	if (!list->count && !b->sections.damaged)
		ERROR(b, s->at, s, NULL, "has no allow = (tcp/443)");
}

static void build_endpoint(struct build *b, const struct section *s)
{
	static const char *const yes_no[] = {"no", "yes", NULL};
	struct profile *p = b->profile;
	const struct profile_text *replaced_by = section_scalar(s, "replaced-by");
	struct endpoint e = {.name = xstrdup(s->name), .at = s->at, .direction = DIRECTION_OUT};
	char normal[NAME_TEXT_MAX + 1];
	unsigned by_default = 1;

	value_identifiers(s, "role", b->diags, &e.roles);
	check_declared(b, s, "role", "role", &p->roles);
	value_identifiers(s, "region", b->diags, &e.regions);
	check_declared(b, s, "region", "region", &p->regions);
	value_direction(s, "direction", b->diags, &e.direction);
	value_word(s, "default", yes_no, b->diags, &by_default);
	e.by_default = by_default;
	build_destinations(b, s, &e);
	value_ranges(s, "expect", b->diags, &e.expect, &e.expect_count, &e.expect_capacity);
	build_services(b, s, &e);
	if (replaced_by) {
		const char *why = name_normalize(replaced_by->text, normal);
		if (why)
			ERROR(b, replaced_by->at, s, "replaced-by", "\"%s\" %s", replaced_by->text,
				why);
		else
			e.replaced_by = xstrdup(normal);
	}
	e.inferred = scalar_copy(s, "inferred");
	lines_copy(s, "note", &e.notes);
	lines_copy(s, "warning", &e.warnings);
	note_amended(s, &e.amended);

	VEC_GROW(p->endpoints, p->endpoint_capacity, p->endpoint_count);
	p->endpoints[p->endpoint_count++] = e;
}

/* Declarations first: an endpoint may stand before the section that it needs. */
static void build_kind(
	struct build *b, const char *kind, void (*one)(struct build *b, const struct section *s))
{
	for (size_t i = 0; i < b->sections.count; i++) {
		if (str_eq(b->sections.items[i].def->kind, kind))
			one(b, &b->sections.items[i]);
	}
}

struct profile *profile_build(
	const char *name, const struct reader_file *files, size_t count, struct diag_list *diags)
{
	struct profile *p = xcalloc(1, sizeof(*p));
	struct build b = {p, sections_collect(files, count, profile_sections, diags), diags};

	p->name = xstrdup(name);
	p->file = xstrdup(count ? files[0].name : "");
	build_kind(&b, "profile", build_profile);
	build_kind(&b, "variable", build_variable);
	build_kind(&b, "endpoint", build_endpoint);
	if (!p->endpoint_count && !b.sections.damaged)
		diag_add(diags, DIAG_ERROR, (struct source){p->file, 0}, NULL, NULL,
			"the profile has no [endpoint]");
	if (p->endpoint_count > PROFILE_ENDPOINTS_MAX)
		diag_add(diags, DIAG_ERROR, (struct source){p->file, 0}, NULL, NULL,
			"the profile has more than %d endpoints", PROFILE_ENDPOINTS_MAX);
	sections_done(&b.sections);
	return p;
}
