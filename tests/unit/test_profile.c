/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Profiles from text: what each key becomes, expansion, add-ons. */
#include "core/profile_build.h"

#include "base/strbuf.h"
#include "core/expand.h"
#include "core/values.h"
#include "edge/config_files.h"
#include "tap.h"

#include <netinet/in.h>

/* One profile at a time; freed by the next. */
static struct profile *profile;
static struct reader_file files[2];
static struct diag_list diags;

static void forget(void)
{
	profile = profile_free(profile);
	reader_file_done(&files[0]);
	reader_file_done(&files[1]);
	diag_list_done(&diags);
}

static struct profile *build(const char *text, const char *more)
{
	forget();
	config_read_text(text, strlen(text), "acme.conf", &diags, &files[0]);
	if (more)
		config_read_text(more, strlen(more), "acme.conf.d/more.conf", &diags, &files[1]);
	profile = profile_build("acme", files, more ? 2 : 1, &diags);
	for (size_t i = 0; i < diags.count; i++) {
		_cleanup_free_ char *line = diag_format(&diags.items[i]);
		printf("# %s\n", line);
	}
	return profile;
}

static void test_every_key_arrives(void)
{
	struct profile *p = build("[profile]\n"
				  "title = Acme\npage = How to\nread = 2026-11-20\n"
				  "role = phone, desktop\ndefault-role = phone\nregion = us, eu\n"
				  "refresh-max = 10min\nrevoke-within = 1h\n"
				  "tcp-timeout-min = 600s\nudp-timeout-min = 2min\n"
				  "note = one, with a comma\nnote = two\n"
				  "[variable site]\ntitle = which site\n"
				  "[variable ranges]\nkind = address\n"
				  "[variable hosts]\nkind = host\n"
				  "[endpoint a]\nrole = phone\nregion = eu\ndirection = both\n"
				  "default = no\nname = A.example, b{1..2}.example\n"
				  "name = {site}.example\naddress = 192.0.2.0/24, {ranges}, any\n"
				  "expect = 45.1.0.0/16, 45.0.0.0/16, 45.1.1.0/24\n"
				  "allow = tcp/443, udp/10000-20000\nreplaced-by = C.example.\n"
				  "inferred = because\nnote = x\nwarning = y\n",
		NULL);

	CHECK_INT(diags.count, 0);
	CHECK_STR(p->name, "acme");
	CHECK_STR(p->title, "Acme");
	CHECK_STR(p->page, "How to");
	CHECK_STR(p->read, "2026-11-20");
	CHECK_INT(p->roles.count, 2);
	CHECK_STR(p->default_roles.items[0], "phone");
	CHECK_STR(p->regions.items[1], "eu");
	CHECK_INT(p->refresh_max_s, 600);
	CHECK_INT(p->revoke_within_s, 3600);
	CHECK_INT(p->tcp_timeout_min_s, 600);
	CHECK_INT(p->udp_timeout_min_s, 120);
	CHECK_INT(p->notes.count, 2);
	CHECK_STR(p->notes.items[0], "one, with a comma");
	CHECK_INT(p->variable_count, 3);
	CHECK(!p->variables[0].is_address && !p->variables[0].is_host);
	CHECK(p->variables[1].is_address && p->variables[2].is_host);
	CHECK_STR(p->variables[0].title, "which site");

	struct endpoint *e = profile_endpoint(p, "a");
	CHECK(e && !profile_endpoint(p, "b"));
	CHECK_STR(e->roles.items[0], "phone");
	CHECK_STR(e->regions.items[0], "eu");
	CHECK_INT(e->direction, DIRECTION_BOTH);
	CHECK(!e->by_default && e->any);
	CHECK_INT(e->names.count, 3);
	CHECK_STR(e->names.items[1].text, "b{1..2}.example");
	CHECK_INT(e->names.items[2].at.line, 26);
	CHECK_STR(e->names.items[2].at.file, "acme.conf");
	CHECK_INT(e->addresses.count, 2);
	CHECK_INT(e->expect_count, 2);
	CHECK_INT(e->expect[0].first.bytes[1], 0);
	CHECK_INT(e->expect[1].last.bytes[3], 255);
	CHECK_INT(e->service_count, 2);
	CHECK_INT(e->services[1].port_last, 20000);
	CHECK_STR(e->replaced_by, "c.example");
	CHECK_STR(e->inferred, "because");
	CHECK_STR(e->notes.items[0], "x");
	CHECK_STR(e->warnings.items[0], "y");
}

static void test_defaults_are_out_and_chosen(void)
{
	struct profile *p = build("[endpoint a]\nname = a.example\nallow = tcp/1\n", NULL);

	CHECK_INT(diags.count, 0);
	CHECK_INT(p->endpoints[0].direction, DIRECTION_OUT);
	CHECK(p->endpoints[0].by_default && !p->endpoints[0].any);
	CHECK(!p->endpoints[0].inferred && !p->endpoints[0].replaced_by);
	CHECK(!p->title && !p->refresh_max_s);
}

static void test_an_add_on_adds_resets_and_replaces(void)
{
	struct profile *p = build("[profile]\nrole = x\n[endpoint a]\nname = a.example\n"
				  "allow = tcp/1\ninferred = guess\nexpect = 45.0.0.0/8\n"
				  "[endpoint c]\nname = c.example\nallow = tcp/1\n"
				  "expect = 45.0.0.0/8\n",
		"[endpoint a]\nname = b.example\nallow =\nallow = tcp/2\ninferred =\n"
		"expect =\n[endpoint c]\nexpect = 46.0.0.0/8\n"
		"[endpoint b]\naddress = 192.0.2.1\nallow = udp/5\nrole = x\n");

	CHECK_INT(diags.count, 0);
	CHECK_INT(p->endpoint_count, 3);
	CHECK_INT(p->endpoints[0].names.count, 2);
	CHECK_INT(p->endpoints[0].expect_count, 0);
	CHECK_INT(p->endpoints[1].expect_count, 2);
	CHECK_STR(p->endpoints[0].names.items[1].at.file, "acme.conf.d/more.conf");
	CHECK_INT(p->endpoints[0].service_count, 1);
	CHECK_INT(p->endpoints[0].services[0].port_first, 2);
	CHECK(!p->endpoints[0].inferred);
	CHECK_STR(p->endpoints[2].name, "b");
}

static void test_order_of_sections_does_not_matter(void)
{
	struct profile *p = build("[endpoint a]\nrole = r\nname = {v}.example\nallow = tcp/1\n"
				  "[variable v]\n[profile]\nrole = r\n",
		NULL);

	CHECK_INT(diags.count, 0);
	CHECK_INT(p->endpoint_count, 1);
}

static const struct strings *words(void *userdata, const char *word)
{
	static char us[] = "us", eu[] = "eu";
	static char *items[] = {us, eu};
	static const struct strings regions = {items, 2, 2}, none = {0};

	return str_eq(word, "region") ? &regions : str_eq(word, "unset") ? &none : NULL;
}

static const char *expanded(const char *text)
{
	static char joined[2000];
	struct strings names = {0};
	char *why = expand(text, words, NULL, &names);
	char *all = strings_join(&names, " ");

	snprintf(joined, sizeof(joined), "%s%s", why ? "!" : "", why ? why : all);
	free(all);
	free(why);
	strings_done(&names);
	return joined;
}

static void test_expansion_gives_every_combination(void)
{
	CHECK_STR(expanded("a.example"), "a.example");
	CHECK_STR(expanded("time{1..4}.google.com"),
		"time1.google.com time2.google.com time3.google.com time4.google.com");
	CHECK_STR(expanded("{a|b}{0..1}-{region}"),
		"a0-us a0-eu a1-us a1-eu b0-us b0-eu b1-us b1-eu");
	CHECK_STR(expanded("{9..11}"), "9 10 11");
	CHECK_STR(expanded("x{unset}"), "");
}

static void test_expansion_is_bounded(void)
{
	CHECK(strncmp(expanded("{0..999}"), "0 1 2", 5) == 0);
	CHECK(expanded("{0..1000}")[0] == '!');
	CHECK(expanded("{0..99999}")[0] == '!');
	CHECK(expanded("{0..31}{0..31}")[0] == '!');
	CHECK(expanded("{0..9}{0..9}{0..9}{0..9}{0..9}{0..9}{0..9}{0..9}{0..9}")[0] == '!');
	CHECK(expanded("{0..999999999999}")[0] == '!');
}

static void test_broken_braces_are_refused(void)
{
	static const char *const cases[] = {"{", "}", "{}", "{a", "a}", "{{a}}", "{1..}", "{..4}",
		"{1..2..3}", "{-1..2}", "{+1..2}", "{ 1..2}", "{2..1}", "{01..2}", "{a|}", "{|a}",
		"{|}", "{nothing}", "{Region}"};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK(expanded(cases[i])[0] == '!');
}

static void test_durations_need_their_unit(void)
{
	static const struct {
		const char *text;
		long long ms; /* -1: refused */
	} cases[] = {
		{"500ms", 500},
		{"5s", 5000},
		{"5 s", 5000},
		{"10min", 600000},
		{"1h", 3600000},
		{"7d", 604800000},
		{"0", 0},
		{"0s", 0},
		{"5", -1},
		{"", -1},
		{"s", -1},
		{"-5s", -1},
		{"+5s", -1},
		{"5m", -1},
		{"5S", -1},
		{"1h30min", -1},
		{"1.5h", -1},
		{"9999999999s", -1},
		{" 5s", -1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t ms = 1;
		const char *why = duration_parse(cases[i].text, &ms);
		CHECK_INT(!why, cases[i].ms >= 0);
		if (!why)
			CHECK_INT(ms, cases[i].ms);
	}
}

static void test_dates_are_real_days(void)
{
	CHECK(date_ok("2026-11-20"));
	CHECK(date_ok("2024-02-29"));
	CHECK(date_ok("2000-02-29"));
	CHECK(!date_ok("2026-02-29"));
	CHECK(!date_ok("1900-02-29"));
	CHECK(!date_ok("2026-13-01"));
	CHECK(!date_ok("2026-00-01"));
	CHECK(!date_ok("2026-01-00"));
	CHECK(!date_ok("2026-11-31"));
	CHECK(!date_ok("2026-1-1"));
	CHECK(!date_ok("2026-11-200"));
	CHECK(!date_ok(""));
	CHECK(!date_ok("20261120"));
}

int main(void)
{
	TAP_RUN(test_every_key_arrives);
	TAP_RUN(test_defaults_are_out_and_chosen);
	TAP_RUN(test_an_add_on_adds_resets_and_replaces);
	TAP_RUN(test_order_of_sections_does_not_matter);
	TAP_RUN(test_expansion_gives_every_combination);
	TAP_RUN(test_expansion_is_bounded);
	TAP_RUN(test_broken_braces_are_refused);
	TAP_RUN(test_durations_need_their_unit);
	TAP_RUN(test_dates_are_real_days);
	forget();
	return tap_done();
}
