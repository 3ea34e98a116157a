/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The main file: reader, inih, sections, choice of endpoints. What passes must be fit to run. */
#include "base/mem.h"
#include "base/strbuf.h"
#include "core/config_build.h"
#include "core/profile_build.h"
#include "core/ruleset.h"
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

static const char acme[] =
	"[profile]\nread = 2026-01-01\nrole = phone, desk\ndefault-role = phone\n"
	"region = us, eu\nrevoke-within = 1h\ntcp-timeout-min = 10min\n"
	"[variable site]\n[variable ranges]\nkind = address\n[variable hosts]\nkind = host\n"
	"[endpoint phone]\nrole = phone\nname = a{1..4}.{region}.example\nallow = tcp/1\n"
	"[endpoint in]\ndirection = both\naddress = 192.0.2.0/24, any\nallow = udp/1-9\n"
	"[endpoint site]\nname = {site}.example, *.{site}.example\nallow = tcp/7\n"
	"[endpoint wild]\nname = *.{site}.amazonaws.com, *.{site}.uk\nallow = tcp/8\ndefault = no\n"
	"[endpoint hosts]\naddress = {ranges}, {hosts}\nallow = icmp/8\ndefault = no\n";

static struct profile *get_profile(void *userdata, const char *name, struct diag_list *diags)
{
	struct reader_file *file = userdata;

	/* it becomes a part of a path */
	REQUIRE(identifier_ok(name));
	return name[0] == 'x' ? NULL : profile_build(name, file, 1, diags);
}

static void require_fit(const struct config *c)
{
	char name[NAME_TEXT_MAX + 1];

	for (size_t i = 0; i < c->vendor_count; i++) {
		const struct config_vendor *v = &c->vendors[i];
		REQUIRE(v->profile && identifier_ok(v->name));
		REQUIRE(v->bounds.refresh_min_s >= 1);
		REQUIRE(v->bounds.refresh_min_s <= v->bounds.refresh_max_s);
		if (v->bounds.revoke_within_s && v->bounds.linger_s >= 0)
			REQUIRE((uint64_t)v->bounds.linger_s + v->bounds.refresh_max_s <=
				v->bounds.revoke_within_s);
		for (size_t k = 0; k < v->endpoint_count; k++) {
			const struct config_endpoint *e = &v->endpoints[k];
			for (size_t n = 0; n < e->names.count; n++) {
				REQUIRE(!name_normalize(e->names.items[n], name));
				REQUIRE(str_eq(e->names.items[n], name));
			}
			for (size_t n = 0; n < e->wildcards.count; n++) {
				const char *w = e->wildcards.items[n];
				REQUIRE(!name_normalize_wildcard(w, name));
				REQUIRE(!str_eq(public_suffix_of(w + 2), w + 2) ||
					strings_has(&v->allow_shared, w));
			}
		}
	}
	for (size_t i = 0; i < c->devices_count; i++) {
		const struct config_devices *d = &c->devices[i];
		REQUIRE(identifier_ok(d->name) && d->vendors.count);
		REQUIRE(d->interfaces.count || d->address_count || d->macs.count);
		REQUIRE((d->dns == CONFIG_REACH_ADDRESSES) == (d->dns_server_count != 0));
		for (size_t k = 0; k < d->vendors.count; k++)
			REQUIRE(config_vendor_find(c, d->vendors.items[k]));
	}
	for (size_t i = 0; i < c->set_count; i++) {
		const struct config_set *s = &c->sets[i];
		REQUIRE(s->id.nf_family && s->vendors.count && s->direction);
		REQUIRE(nft_identifier_ok(s->id.table) && nft_identifier_ok(s->id.name));
		for (size_t k = 0; k < s->vendors.count; k++)
			REQUIRE(config_vendor_find(c, s->vendors.items[k]));
	}
}

/* Whatever was accepted, its rules are lines of printable text. */
static void require_plain_rules(const struct config *c)
{
	char *uplink[] = {(char[]){"wan0"}};
	const struct strings outside = {uplink, c->devices_count % 2, 1};
	struct ruleset_facts facts = {.outside = &outside};

	for (size_t i = 0; i < TIMEOUTS_STATES; i++)
		facts.timeouts.s[i] = c->vendor_count % 2;
	char *text = ruleset_text(c, &facts);

	for (const char *p = text; *p; p++)
		REQUIRE(*p == '\n' || *p == '\t' || (*p >= ' ' && *p <= '~'));
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct diag_list diags = DIAG_LIST_NULL;
	struct reader_file file, profile;
	/* an exact copy: reading past the end must show */
	char *text = xmemdup(data, size);

	config_read_text(acme, sizeof(acme) - 1, "acme.conf", &diags, &profile);
	REQUIRE(diags.count == 0);
	config_read_text(text, size, "allowsyncd.conf", &diags, &file);
	REQUIRE(file.damaged == (diags.errors != 0));
	struct config *c =
		config_build(&file, 1, get_profile, &profile, NULL, public_suffix_of, &diags);
	if (!diags.errors) {
		require_fit(c);
		require_plain_rules(c);
	}
	for (size_t i = 0; i < diags.count; i++) {
		char *line = diag_format(&diags.items[i]);
		for (const char *p = line; *p; p++)
			REQUIRE(*p >= 0x20 && *p < 0x7f);
		free(line);
	}
	config_free(c);
	reader_file_done(&file);
	reader_file_done(&profile);
	diag_list_done(&diags);
	free(text);
	return 0;
}
