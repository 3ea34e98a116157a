/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Wildcards over what many share: refused, unless the admin names the wildcard itself. A profile
 * cannot say so; and no more is open by it than that one wildcard. */
#include "core/config_parts.h"

#include "base/strbuf.h"
#include "core/clouds.h"
#include "core/expand.h"

#include <string.h>

/* NULL: names below this one are its owner's. Else why they are not, which the caller frees. */
static char *shared_because(const struct config_builder *b, const char *name)
{
	const char *suffix = b->public_suffix(name);
	const char *cloud = clouds_find(name);

	if (str_eq(suffix, name))
		return xasprintf("%s is a public suffix", name);
	/* a public suffix further down in the cloud, and what is below that is one customer's */
	if (!cloud || strlen(suffix) > strlen(cloud))
		return NULL;
	return xasprintf("%s is shared by its customers", cloud);
}

void config_build_allow_shared(
	struct config_builder *b, struct config_vendor *v, const struct section *s)
{
	const struct profile_texts *list = section_list(s, "allow-shared");
	char name[NAME_TEXT_MAX + 1];

	if (list->count > CONFIG_ALLOW_SHARED_MAX) {
		BUILD_ERROR(b, list->items[CONFIG_ALLOW_SHARED_MAX].at, s, "allow-shared",
			"more than %d wildcards", CONFIG_ALLOW_SHARED_MAX);
		return;
	}
	for (size_t i = 0; i < list->count; i++) {
		const char *why = name_normalize_wildcard(list->items[i].text, name);
		if (why)
			BUILD_ERROR(b, list->items[i].at, s, "allow-shared", "\"%s\" %s",
				list->items[i].text, why);
		else if (!strings_has(&v->allow_shared, name))
			strings_add(&v->allow_shared, name);
	}
}

void config_check_wildcard(struct config_builder *b, const struct config_vendor *v,
	const struct endpoint *e, const char *wildcard, struct source at)
{
	_cleanup_free_ char *why = shared_because(b, wildcard + 2);
	_cleanup_free_ char *section = xasprintf("endpoint %s", e->name);

	if (why && !strings_has(&v->allow_shared, wildcard))
		diag_add(b->diags, DIAG_ERROR, at, section, "name",
			"\"%s\" takes in names of others, as %s: where that is meant, "
			"\"allow-shared = %s\" in [vendor %s] says so",
			wildcard, why, wildcard, v->name);
}

/* -------------------------------------------------------------------- what nobody has chosen */

/* Without the admin's values a variable stands for nothing. */
static const struct strings *words_of_profile(void *userdata, const char *word)
{
	static const struct strings none;
	const struct profile *p = userdata;

	return str_eq(word, "region") ? &p->regions : profile_variable(p, word) ? &none : NULL;
}

/* The wildcards that the line means by itself, normalized. */
static void wildcards_of_line(
	struct profile *p, const struct profile_text *line, struct strings *ret)
{
	_cleanup_(strings_done) struct strings names = {0};
	char name[NAME_TEXT_MAX + 1];

	if (!strchr(line->text, '*'))
		return;
	free(expand(line->text, words_of_profile, p, &names));
	for (size_t i = 0; i < names.count; i++) {
		if (!name_normalize_wildcard(names.items[i], name))
			strings_add(ret, name);
	}
}

static bool is_chosen(const struct config_vendor *v, const char *endpoint)
{
	for (size_t i = 0; i < v->endpoint_count; i++) {
		if (str_eq(v->endpoints[i].endpoint->name, endpoint))
			return true;
	}
	return false;
}

/* By any vendor that has the profile: each has a copy of its own. */
static bool somebody_chose(
	const struct config *c, const struct profile *p, const struct endpoint *e)
{
	for (size_t i = 0; i < c->vendor_count; i++) {
		if (str_eq(c->vendors[i].profile->name, p->name) &&
			is_chosen(&c->vendors[i], e->name))
			return true;
	}
	return false;
}

static bool somebody_says(const struct config *c, const char *wildcard)
{
	for (size_t i = 0; i < c->vendor_count; i++) {
		if (strings_has(&c->vendors[i].allow_shared, wildcard))
			return true;
	}
	return false;
}

static void look_at_line(struct config_builder *b, struct profile *p, const struct endpoint *e,
	const struct profile_text *line)
{
	_cleanup_(strings_done) struct strings wildcards = {0};
	_cleanup_free_ char *section = xasprintf("endpoint %s", e->name);

	wildcards_of_line(p, line, &wildcards);
	for (size_t i = 0; i < wildcards.count; i++) {
		const char *w = wildcards.items[i];
		_cleanup_free_ char *why = shared_because(b, w + 2);
		if (why && !somebody_says(b->config, w))
			diag_add(b->diags, DIAG_WARNING, line->at, section, "name",
				"\"%s\" takes in names of others, as %s: only a vendor that says "
				"\"allow-shared = %s\" can choose it",
				w, why, w);
	}
}

static bool is_first_of_its_profile(const struct config *c, const struct config_vendor *v)
{
	const struct config_vendor *first = c->vendors;

	while (!str_eq(first->profile->name, v->profile->name))
		first++;
	return first == v;
}

static bool profile_has_wildcard(struct profile *p, const char *wildcard)
{
	for (size_t i = 0; i < p->endpoint_count; i++) {
		for (size_t k = 0; k < p->endpoints[i].names.count; k++) {
			_cleanup_(strings_done) struct strings wildcards = {0};
			wildcards_of_line(p, &p->endpoints[i].names.items[k], &wildcards);
			if (strings_has(&wildcards, wildcard))
				return true;
		}
	}
	return false;
}

static bool has_wildcard(const struct config_vendor *v, const char *wildcard)
{
	for (size_t i = 0; i < v->endpoint_count; i++) {
		if (strings_has(&v->endpoints[i].wildcards, wildcard))
			return true;
	}
	return profile_has_wildcard(v->profile, wildcard);
}

void config_look_at_wildcards(
	struct config_builder *b, const struct config_vendor *v, const struct section *s)
{
	struct profile *p = v->profile;
	const struct profile_texts *list = section_list(s, "allow-shared");
	char name[NAME_TEXT_MAX + 1];

	for (size_t i = 0; i < list->count; i++) {
		if (!name_normalize_wildcard(list->items[i].text, name) && !has_wildcard(v, name))
			BUILD_WARNING(b, list->items[i].at, s, "allow-shared",
				"\"%s\": the profile has no such wildcard", list->items[i].text);
	}
	if (!is_first_of_its_profile(b->config, v))
		return;
	for (size_t i = 0; i < p->endpoint_count; i++) {
		const struct endpoint *e = &p->endpoints[i];
		if (somebody_chose(b->config, p, e))
			continue;
		for (size_t k = 0; k < e->names.count; k++)
			look_at_line(b, p, e, &e->names.items[k]);
	}
}
