/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A profile, then a vendor that takes all of it: whatever passes must expand to good names. */
#include "base/mem.h"
#include "base/strbuf.h"
#include "core/config_build.h"
#include "core/profile_build.h"
#include "edge/config_files.h"
#include "edge/public_suffix.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond)                                                                              \
	do {                                                                                       \
		if (!(cond))                                                                       \
			abort();                                                                   \
	} while (0)

struct fed {
	struct reader_file *file;
};

static struct profile *get_profile(void *userdata, const char *name, struct diag_list *diags)
{
	struct fed *fed = userdata;

	return profile_build(name, fed->file, 1, diags);
}

/* [vendor acme] with every variable set and every endpoint named. */
static void ask_for_all(const struct profile *p, struct reader_file *file)
{
	const char *section = "vendor acme";

	file->name = xstrdup("allowsyncd.conf");
	reader_file_add(file, section, NULL, NULL, 1);
	for (size_t i = 0; i < p->endpoint_count; i++)
		reader_file_add(file, section, "endpoint", p->endpoints[i].name, 2);
	for (size_t i = 0; i < p->variable_count; i++) {
		const struct profile_variable *v = &p->variables[i];
		reader_file_add(file, section, v->name,
			v->is_address ? "192.0.2.1, 2001:db8::/32"
			: v->is_host  ? "192.0.2.0-192.0.2.9, host.example"
				      : "a, b",
			3);
	}
}

static void require_fit(const struct config *c)
{
	char name[NAME_TEXT_MAX + 1];
	const struct config_vendor *v = &c->vendors[0];

	REQUIRE(c->vendor_count == 1 && v->endpoint_count == v->profile->endpoint_count);
	for (size_t k = 0; k < v->endpoint_count; k++) {
		const struct config_endpoint *e = &v->endpoints[k];
		REQUIRE(e->endpoint->service_count);
		for (size_t n = 0; n < e->names.count; n++) {
			REQUIRE(!name_normalize(e->names.items[n], name));
			REQUIRE(str_eq(e->names.items[n], name));
		}
		for (size_t n = 0; n < e->wildcards.count; n++) {
			const char *w = e->wildcards.items[n];
			REQUIRE(!name_normalize_wildcard(w, name));
			REQUIRE(!str_eq(public_suffix_of(w + 2), w + 2));
		}
		for (size_t n = 0; n < e->address_count; n++)
			REQUIRE(addr_cmp(&e->addresses[n].range.first,
					&e->addresses[n].range.last) <= 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct diag_list diags = DIAG_LIST_NULL;
	struct reader_file file, main_file = {0};
	struct fed fed = {&file};
	char *text = xmemdup(data, size);

	config_read_text(text, size, "vendors/acme.conf", &diags, &file);
	struct profile *p = profile_build("acme", &file, 1, &diags);
	if (!diags.errors) {
		ask_for_all(p, &main_file);
		struct config *c = config_build(
			&main_file, 1, get_profile, &fed, NULL, public_suffix_of, &diags);
		/* a text variable can make a name too long, or the names be too many */
		if (!diags.errors)
			require_fit(c);
		config_free(c);
		reader_file_done(&main_file);
	}
	profile_free(p);
	reader_file_done(&file);
	diag_list_done(&diags);
	free(text);
	return 0;
}
