/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configurations on disk that are fine, or nearly: order of files, lists and resets, drop-ins,
 * masks, replaced profiles, roots, bounds, and what is said to be idle. */
#include "../config/config_lab.h"

#include "core/config_parts.h"
#include "tap.h"

#include <linux/netfilter.h>

#define MAIN    ALLOWSYNCD_CONF_DIR "/allowsyncd.conf"
#define DROP_IN ALLOWSYNCD_CONF_DIR "/allowsyncd.conf.d/"
#define ADMINS  ALLOWSYNCD_CONF_DIR "/vendors/"
#define PACKAGE ALLOWSYNCD_VENDOR_DIR "/"

#define ACME                                                                                       \
	"[profile]\nread = 2026-01-01\nrole = phone, desk, lab\ndefault-role = phone\n"            \
	"region = us, eu\n"                                                                        \
	"[variable site]\n[variable ranges]\nkind = address\n[variable hosts]\nkind = host\n"      \
	"[endpoint phone]\nrole = phone\nname = phone.example\nallow = tcp/1\n"                    \
	"[endpoint desk]\nrole = desk\nname = desk.example\nallow = tcp/2\n"                       \
	"[endpoint both]\nrole = phone, desk\nname = both-{region}.example\nallow = tcp/3\n"       \
	"[endpoint us]\nregion = us\nname = us.example\nallow = tcp/4\n"                           \
	"[endpoint eu]\nregion = eu\nname = eu-{region}.example\nallow = tcp/5\n"                  \
	"[endpoint tunnel]\ndefault = no\nname = tunnel.example\nallow = tcp/6\n"                  \
	"[endpoint site]\nname = {site}.example\nallow = tcp/7\n"                                  \
	"[endpoint ranges]\naddress = {ranges}, {hosts}\nallow = tcp/8\n"                          \
	"[endpoint lab]\nrole = lab\nname = {site}.lab.example\nallow = tcp/9\n"

/* One lab at a time; the next one, or the end, cleans up. */
static char *root;
static struct diag_list diags;
static struct config *config;

static void forget(void)
{
	config = config_free(config);
	diag_list_done(&diags);
	if (root)
		lab_free(root);
	root = NULL;
}

static void lab_start(const char *main_text)
{
	forget();
	root = lab_new();
	lab_write(root, PACKAGE "acme.conf", ACME);
	if (main_text)
		lab_write(root, MAIN, main_text);
}

static char *load(void)
{
	static char *messages;

	config = config_free(config);
	diag_list_done(&diags);
	config_load(root, &diags, &config);
	free(messages);
	messages = lab_messages(root, &diags);
	return messages;
}

/* Names and addresses of the vendor's chosen endpoints: "phone=phone.example ..." */
static const char *chosen(const char *vendor)
{
	static struct strbuf b;
	const struct config_vendor *v = config_vendor_find(config, vendor);

	strbuf_clear(&b);
	strbuf_append(&b, "");
	for (size_t i = 0; v && i < v->endpoint_count; i++) {
		const struct config_endpoint *e = &v->endpoints[i];
		_cleanup_free_ char *names = strings_join(&e->names, ",");
		strbuf_appendf(&b, "%s%s=%s", i ? " " : "", e->endpoint->name, names);
		for (size_t k = 0; k < e->address_count; k++) {
			char text[ADDR_RANGE_TEXT_SIZE];
			strbuf_appendf(&b, "+%s", addr_range_format(&e->addresses[k].range, text));
		}
	}
	return strbuf_text(&b);
}

#define SET(name, vendor)                                                                          \
	"[set " name "]\nfamily = inet\ntable = filter\nset = " name "\nvendor = " vendor "\n"

static void test_a_small_configuration_has_no_complaints(void)
{
	lab_start("[resolver]\nserver = 127.0.0.1, [2001:db8::1]:5353, fe80::1%eth0\n"
		  "source = 192.0.2.7, 2001:db8::7\n"
		  "timeout = 500ms\ntries = 2\nunion = yes\n"
		  "max-in-flight = 5\nmax-rate = 100\n[control]\nadmins = root, alice\n"
		  "[vendor acme]\n" SET("a", "acme"));
	CHECK_STR(load(), "");
	CHECK_INT(config->resolver.server_count, 3);
	CHECK_INT(config->resolver.servers[0].port, 53);
	CHECK_INT(config->resolver.servers[1].port, 5353);
	CHECK_STR(config->resolver.servers[2].scope, "eth0");
	CHECK_INT(config->resolver.timeout_ms, 500);
	CHECK_INT(config->resolver.tries, 2);
	CHECK(config->resolver.add_up);
	CHECK_INT(config->resolver.max_in_flight, 5);
	CHECK_INT(config->resolver.max_rate, 100);
	for (int i = 0; i < FAMILY_COUNT; i++) {
		char text[ADDR_TEXT_SIZE];
		CHECK(config->resolver.source.given[i]);
		CHECK_STR(addr_format(&config->resolver.source.addr[i], text),
			i == FAMILY_V4 ? "192.0.2.7" : "2001:db8::7");
	}
	CHECK(strings_has(&config->admins, "alice"));
	CHECK_INT(config->set_count, 1);
	CHECK_INT(config->sets[0].id.nf_family, NFPROTO_INET);
	CHECK_STR(config->sets[0].id.table, "filter");
	CHECK_STR(config->sets[0].at.file, "allowsyncd.conf");
	CHECK_INT(config->sets[0].direction, DIRECTION_OUT);
	CHECK_INT(config->undone_count, 0);
	CHECK_INT(strlen(config->digest), 16);
}

static void test_defaults_stand_where_nothing_is_said(void)
{
	lab_start("");
	CHECK_STR(load(), "");
	CHECK_INT(config->resolver.server_count, 0);
	CHECK_INT(config->resolver.timeout_ms, 2000);
	CHECK_INT(config->resolver.tries, 3);
	CHECK(!config->resolver.add_up);
	CHECK_INT(config->resolver.max_in_flight, 64);
	CHECK_INT(config->resolver.max_rate, 0);
	CHECK(!config->resolver.source.given[FAMILY_V4]);
	CHECK(!config->resolver.source.given[FAMILY_V6]);
	CHECK_INT(config->bounds.refresh_min_s, 5);
	CHECK_INT(config->bounds.refresh_max_s, 3600);
	CHECK_INT(config->bounds.linger_s, -1);
	CHECK_INT(config->bounds.revoke_within_s, 0);
}

static void test_roles_regions_and_names_choose(void)
{
	static const struct {
		const char *keys, *chosen;
	} cases[] = {
		{"", "phone=phone.example both=both-us.example,both-eu.example us=us.example "
		     "eu=eu-eu.example"},
		{"role = desk\n", "desk=desk.example both=both-us.example,both-eu.example "
				  "us=us.example eu=eu-eu.example"},
		{"role = desk\nregion = eu\n",
			"desk=desk.example both=both-eu.example eu=eu-eu.example"},
		{"role = phone\nrole = desk\nregion = us\n",
			"phone=phone.example desk=desk.example both=both-us.example us=us.example"},
		{"endpoint = tunnel, desk\nregion = us\n",
			"phone=phone.example desk=desk.example both=both-us.example us=us.example "
			"tunnel=tunnel.example"},
		{"endpoint = us\nregion = eu\nrole = desk\n",
			"desk=desk.example both=both-eu.example us=us.example eu=eu-eu.example"},
		{"region = us\nsite = a, B, a\n",
			"phone=phone.example both=both-us.example us=us.example "
			"site=a.example,b.example"},
		{"region = us\nranges = 192.0.2.0/24\nhosts = 2001:db8::1, NTP.example\n",
			"phone=phone.example both=both-us.example us=us.example "
			"ranges=ntp.example+192.0.2.0/24+2001:db8::1"},
		{"region = us\nranges = 192.0.2.0/24\n",
			"phone=phone.example both=both-us.example us=us.example"},
		{"role = lab\nsite = x\nregion = us\n",
			"us=us.example site=x.example lab=x.lab.example"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *text =
			xasprintf("[vendor acme]\n%s%s", cases[i].keys, SET("a", "acme"));
		lab_start(text);
		CHECK_STR(load(), "");
		CHECK_STR(chosen("acme"), cases[i].chosen);
	}
}

static void test_an_unset_variable_is_missed_only_where_asked_for(void)
{
	lab_start("[vendor acme]\nrole = lab\n");
	CHECK_STR(load(), "allowsyncd.conf:1: [vendor acme] endpoint lab needs site =\n");
	lab_start("[vendor acme]\nendpoint = ranges\n");
	CHECK_STR(load(), "allowsyncd.conf:1: [vendor acme] endpoint ranges needs ranges =\n");
}

static void test_lists_grow_and_reset_and_the_last_scalar_wins(void)
{
	lab_start("[vendor acme]\nrole = lab, nonsense\nrole =\nrole = desk\nrole = phone\n"
		  "refresh-min = 7s\nrefresh-min = 9s\nregion = us\n" SET("a", "acme"));
	CHECK_STR(load(), "");
	CHECK_STR(chosen("acme"), "phone=phone.example desk=desk.example both=both-us.example "
				  "us=us.example");
	CHECK_INT(config->vendors[0].bounds.refresh_min_s, 9);
}

static void test_drop_ins_come_in_the_order_of_their_bytes(void)
{
	lab_start("[vendor acme]\nrole = desk\nregion = us\n" SET("a", "acme"));
	lab_write(root, DROP_IN "B.conf", "[resolver]\ntries = 4\n");
	lab_write(root, DROP_IN "10.conf", "[resolver]\ntries = 3\n[vendor acme]\nrole = phone\n");
	lab_write(root, DROP_IN "a.conf", "[resolver]\ntries = 5\n");
	lab_write(root, DROP_IN "z.conf~", "[nonsense]\n");
	lab_write(root, DROP_IN ".hidden.conf", "[nonsense]\n");
	lab_write(root, DROP_IN "README", "nonsense\n");
	lab_link(root, DROP_IN "m.conf", "/dev/null");
	CHECK_STR(load(), "");
	CHECK_INT(config->resolver.tries, 5);
	CHECK_STR(chosen("acme"), "phone=phone.example desk=desk.example both=both-us.example "
				  "us=us.example");
	CHECK_STR(config->files[0], "allowsyncd.conf");
	CHECK_STR(config->files[1], "allowsyncd.conf.d/10.conf");
	CHECK_STR(config->files[2], "allowsyncd.conf.d/B.conf");
	CHECK_STR(config->files[3], "allowsyncd.conf.d/a.conf");
	CHECK_STR(config->files[4], ALLOWSYNCD_VENDOR_DIR "/acme.conf");
	CHECK_INT(config->file_count, 5);
}

static void test_the_admins_profile_replaces_the_packaged_one(void)
{
	static const char own[] = "[profile]\nread = 2026-01-02\n"
				  "[endpoint own]\nname = own.example\nallow = tcp/1\n";
	lab_start("[vendor acme]\n" SET("a", "acme"));
	lab_write(root, ADMINS "acme.conf", own);
	CHECK_STR(load(), "");
	CHECK_STR(chosen("acme"), "own=own.example");
	CHECK_STR(config->vendors[0].profile->file, "vendors/acme.conf");

	/* the package learns of a newer page */
	lab_write(root, PACKAGE "acme.conf",
		"[profile]\nread = 2026-02-01\n[endpoint x]\nname = x.example\nallow = tcp/1\n");
	CHECK_STR(load(),
		"vendors/acme.conf: warning: replaces @VENDORS@/acme.conf, which is newer "
		"(read 2026-02-01, this one 2026-01-02)\n");
	CHECK_STR(chosen("acme"), "own=own.example");

	/* a broken packaged profile that nobody uses is nobody's error */
	lab_write(root, PACKAGE "acme.conf", "nonsense\n");
	CHECK_STR(load(), "");
}

static void test_add_ons_stand_behind_either_profile(void)
{
	lab_start("[vendor acme]\nendpoint = more\nrole = desk\nregion = us\n" SET("a", "acme"));
	lab_write(root, ADMINS "acme.conf.d/10.conf",
		"[endpoint more]\ndefault = no\nname = more.example\nallow = tcp/1\n");
	lab_write(root, ADMINS "acme.conf.d/20.conf", "[endpoint desk]\nname = desk2.example\n");
	CHECK_STR(load(), "");
	CHECK_STR(chosen("acme"), "desk=desk.example,desk2.example both=both-us.example "
				  "us=us.example more=more.example");
}

static void test_a_link_to_null_masks_a_profile(void)
{
	lab_start("[vendor acme]\n");
	lab_link(root, ADMINS "acme.conf", "/dev/null");
	lab_write(root, ADMINS "acme.conf.d/10.conf",
		"[endpoint more]\nname = more.example\nallow = tcp/1\n");
	CHECK_STR(load(), "allowsyncd.conf:1: [vendor acme] there is no profile \"acme\"\n"
			  "vendors/acme.conf: warning: a link to /dev/null masks this profile\n");
}

static void test_one_profile_serves_two_vendors(void)
{
	lab_start("[vendor us]\nprofile = acme\nregion = us\n[vendor eu]\nprofile = acme\n"
		  "region = eu\n" SET("a", "us, eu"));
	CHECK_STR(load(), "");
	CHECK_STR(chosen("us"), "phone=phone.example both=both-us.example us=us.example");
	CHECK_STR(chosen("eu"), "phone=phone.example both=both-eu.example eu=eu-eu.example");
}

static void test_only_regular_files_are_read(void)
{
	lab_start(NULL);
	_cleanup_free_ char *path = xasprintf("%s%s", root, MAIN);
	lab_make_parents(path);
	CHECK_STR(load(), "allowsyncd.conf: there is no @ROOT@@CONF@/allowsyncd.conf\n");
	CHECK_INT(mkfifo(path, 0600), 0);
	CHECK_STR(load(), "allowsyncd.conf: is a pipe, no file\n");
	unlink(path);
	CHECK_INT(mkdir(path, 0700), 0);
	CHECK_STR(load(), "allowsyncd.conf: is a directory, no file\n");
	rmdir(path);
	lab_link(root, MAIN, "/dev/zero");
	CHECK_STR(load(), "allowsyncd.conf: is a device, no file\n");
	unlink(path);
	lab_link(root, MAIN, "/dev/null");
	CHECK_STR(load(), "allowsyncd.conf: is a link to /dev/null\n");
	unlink(path);
	lab_link(root, MAIN, MAIN);
	lab_link(root, DROP_IN "loop.conf", "loop.conf");
	CHECK(strstr(load(), "allowsyncd.conf.d/loop.conf: cannot be read: Too many levels"));
}

static void test_a_file_may_have_a_mebibyte_and_no_more(void)
{
	struct strbuf b = STRBUF_NULL;

	lab_start(NULL);
	while (b.len < READER_FILE_MAX)
		strbuf_append(&b, "# 3456789012345\n");
	lab_write_bytes(root, MAIN, strbuf_text(&b), READER_FILE_MAX);
	CHECK_STR(load(), "");
	strbuf_append(&b, "#\n");
	lab_write_bytes(root, MAIN, strbuf_text(&b), b.len);
	CHECK_STR(load(), "allowsyncd.conf: is larger than 1048576 bytes\n");
	strbuf_done(&b);
}

static void test_a_root_with_a_slash_is_the_same_root(void)
{
	lab_start("[vendor acme]\n" SET("a", "acme"));
	load();
	_cleanup_free_ char *digest = xstrdup(config->digest);
	_cleanup_free_ char *slash = xasprintf("%s//", root);
	config = config_free(config);
	config_load(slash, &diags, &config);
	CHECK_INT(diags.count, 0);
	CHECK_STR(config->digest, digest);
}

static void test_the_digest_follows_every_file(void)
{
	lab_start("[vendor acme]\n" SET("a", "acme"));
	load();
	_cleanup_free_ char *first = xstrdup(config->digest);
	load();
	CHECK_STR(config->digest, first);
	lab_write(root, ADMINS "acme.conf.d/x.conf", "# nothing\n");
	load();
	CHECK(strcmp(config->digest, first) != 0);
	_cleanup_free_ char *second = xstrdup(config->digest);
	lab_write(root, ADMINS "acme.conf.d/x.conf", "# nothinG\n");
	load();
	CHECK(strcmp(config->digest, second) != 0);
}

static void test_bounds_come_from_vendor_then_profile_then_resolver(void)
{
	static const struct {
		const char *resolver, *profile, *vendor;
		struct config_bounds want;
	} cases[] = {
		{"", "", "", {5, 3600, -1, 0, 604800, 4096}},
		{"stale-max = 2d\n", "", "", {5, 3600, -1, 0, 172800, 4096}},
		{"stale-max = 2d\n", "", "stale-max = 1h\n", {5, 3600, -1, 0, 3600, 4096}},
		{"refresh-min = 10s\nlinger = 0\n", "", "", {10, 3600, 0, 0, 604800, 4096}},
		{"", "refresh-max = 10min\n", "", {5, 600, -1, 0, 604800, 4096}},
		{"refresh-max = 5min\n", "refresh-max = 10min\n", "",
			{5, 300, -1, 0, 604800, 4096}},
		{"refresh-max = 5min\n", "", "refresh-max = 2h\n", {5, 7200, -1, 0, 604800, 4096}},
		{"", "revoke-within = 1h\n", "", {5, 1800, -1, 3600, 604800, 4096}},
		{"revoke-within = 30min\n", "revoke-within = 1h\n", "",
			{5, 900, -1, 1800, 604800, 4096}},
		{"", "revoke-within = 1h\n", "revoke-within = 2h\n",
			{5, 3600, -1, 7200, 604800, 4096}},
		{"", "revoke-within = 1h\n", "refresh-max = 50min\nlinger = 10min\n",
			{5, 3000, 600, 3600, 604800, 4096}},
		{"", "revoke-within = 1h\n", "linger = 50min\n",
			{5, 600, 3000, 3600, 604800, 4096}},
		{"", "revoke-within = 1h\n", "linger = 5min\n", {5, 1800, 300, 3600, 604800, 4096}},
		{"", "revoke-within = 6s\n", "", {3, 3, -1, 6, 604800, 4096}},
		{"refresh-min = 2h\n", "", "", {7200, 7200, -1, 0, 604800, 4096}},
		{"", "", "refresh-max = 2s\n", {2, 2, -1, 0, 604800, 4096}},
		{"max-addresses-per-name = 9\n", "", "", {5, 3600, -1, 0, 604800, 9}},
		{"max-addresses-per-name = 9\n", "", "max-addresses-per-name = 7\n",
			{5, 3600, -1, 0, 604800, 7}},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *text = xasprintf("[resolver]\n%s[vendor b]\n%s%s",
			cases[i].resolver, cases[i].vendor, SET("b", "b"));
		_cleanup_free_ char *profile =
			xasprintf("[profile]\n%s[endpoint a]\nname = a.example\nallow = tcp/1\n",
				cases[i].profile);
		lab_start(text);
		lab_write(root, PACKAGE "b.conf", profile);
		CHECK_STR(load(), "");
		CHECK_INT(config->vendors[0].bounds.refresh_min_s, cases[i].want.refresh_min_s);
		CHECK_INT(config->vendors[0].bounds.refresh_max_s, cases[i].want.refresh_max_s);
		CHECK_INT(config->vendors[0].bounds.linger_s, cases[i].want.linger_s);
		CHECK_INT(config->vendors[0].bounds.revoke_within_s, cases[i].want.revoke_within_s);
		CHECK_INT(config->vendors[0].bounds.stale_max_s, cases[i].want.stale_max_s);
		CHECK_INT(config->vendors[0].bounds.addresses_max, cases[i].want.addresses_max);
	}
}

static void test_a_vendor_has_room_for_as_many_addresses_as_it_has_names(void)
{
	lab_start("[vendor b]\n[vendor c]\n[vendor d]\nprofile = b\nmax-addresses = 12\n"
		  "[set b]\nfamily = ip\ntable = t\nset = b\nvendor = b, c, d\n");
	lab_write(root, PACKAGE "b.conf", "[endpoint a]\nname = {1..256}.example\nallow = tcp/1\n");
	lab_write(root, PACKAGE "c.conf", "[endpoint a]\nname = {1..257}.example\nallow = tcp/1\n");
	CHECK_STR(load(), "");
	CHECK_INT(config->vendors[0].addresses_max, 16384);
	CHECK_INT(config->vendors[1].addresses_max, 257 * 64);
	CHECK_INT(config->vendors[2].addresses_max, 12);
}

static void test_sets_take_by_endpoint_role_and_direction(void)
{
	lab_start("[vendor acme]\nrole = phone, desk\nregion = us\n"
		  "[set a]\nfamily = ip\ntable = t\nset = a\nvendor = acme\nendpoint = phone, us\n"
		  "[set b]\nfamily = ip\ntable = t\nset = b\nvendor = acme\nrole = desk\n"
		  "[set c]\nfamily = ip6\ntable = t\nset = c\nvendor = acme\n");
	CHECK_STR(load(), "");
	static const char *const want[] = {"phone us ", "desk both us ", "phone desk both us "};
	for (size_t s = 0; s < 3; s++) {
		struct strbuf b = STRBUF_NULL;
		const struct config_vendor *v = &config->vendors[0];
		for (size_t i = 0; i < v->endpoint_count; i++) {
			if (config_set_takes(&config->sets[s], v, &v->endpoints[i]))
				strbuf_appendf(&b, "%s ", v->endpoints[i].endpoint->name);
		}
		CHECK_STR(strbuf_text(&b), want[s]);
		strbuf_done(&b);
	}
}

static void test_what_is_idle_is_said_and_kept_for_the_status(void)
{
	lab_start("[vendor b]\nendpoint = w\n[vendor c]\nprofile = acme\nregion = us\n"
		  "[mark]\nvalue = 0x00100000\n" SET("s", "b"));
	lab_write(root, PACKAGE "b.conf",
		"[profile]\ntcp-timeout-min = 10min\nudp-timeout-min = 120s\n"
		"[endpoint o]\nname = o.example\nallow = tcp/1\nwarning = old\n"
		"[endpoint i]\ndirection = in\nname = i.example\nallow = tcp/1\n"
		"[endpoint x]\ndirection = both\naddress = any\nallow = tcp/1\n"
		"[endpoint w]\ndefault = no\nname = *.w.example\nallow = tcp/1\n");
	CHECK_STR(load(),
		"allowsyncd.conf:1: warning: [vendor b] tcp-timeout-min 10min: not for what a "
		"[set] takes, only by the rules that the daemon loads (allowsyncctl check --host "
		"says what this machine has)\n"
		"allowsyncd.conf:1: warning: [vendor b] udp-timeout-min 2min: not for what a "
		"[set] takes, only by the rules that the daemon loads (allowsyncctl check --host "
		"says what this machine has)\n"
		"allowsyncd.conf:1: warning: [vendor b] o: old\n"
		"allowsyncd.conf:1: warning: [vendor b] i: inbound, and no [set] with direction = "
		"in "
		"takes it, nor [devices]\n"
		"allowsyncd.conf:1: warning: [vendor b] x: any destination is a rule, no element: "
		"not "
		"carried out by this version\n"
		"allowsyncd.conf:1: warning: [vendor b] x: inbound, and no [set] with direction = "
		"in "
		"takes it, nor [devices]\n"
		"allowsyncd.conf:1: warning: [vendor b] w: wildcards are not carried out by this "
		"version (*.w.example)\n");
	CHECK_INT(diags.errors, 0);
	CHECK_INT(config->undone_count, 6);
	CHECK_STR(config->undone[0].text,
		"[vendor b] tcp-timeout-min 10min: not for what a [set] takes, only by the rules "
		"that the daemon loads (allowsyncctl check --host says what this machine has)");
	CHECK_STR(config->undone[0].at.file, "allowsyncd.conf");
	CHECK_INT(config->undone[0].at.line, 1);

	/* Where no [set] takes it, rules keep its flows. */
	lab_write(root, PACKAGE "acme.conf",
		"[profile]\nregion = us\ntcp-timeout-min = 10min\n[endpoint o]\n"
		"name = o.example\nallow = tcp/1\n");
	CHECK(!strstr(load(), "[vendor c] tcp-timeout-min"));
	CHECK_INT(config->undone_count, 6);
	lab_write(root, DROP_IN "in.conf",
		"[set in]\nfamily = inet\ntable = t\nset = in\n"
		"vendor = b\ndirection = in\n");
	CHECK(!strstr(load(), "inbound"));
	CHECK_INT(config->undone_count, 4);
}

static void test_a_set_or_vendor_without_content_is_ineffective(void)
{
	lab_start("[vendor b]\n[vendor acme]\nregion = us\n"
		  "[set s]\nfamily = ip\ntable = t\nset = s\nvendor = b\n"
		  "[set t]\nfamily = ip\ntable = t\nset = t\nvendor = acme\ndirection = in\n");
	lab_write(root, PACKAGE "b.conf",
		"[endpoint o]\ndefault = no\nname = o.example\nallow = tcp/1\n");
	CHECK_STR(load(),
		"allowsyncd.conf:1: warning: [vendor b] none of the profile's endpoints is chosen\n"
		"allowsyncd.conf:4: warning: [set s] ineffective: takes no endpoint of its "
		"vendors\n"
		"allowsyncd.conf:9: warning: [set t] ineffective: takes no endpoint of its "
		"vendors\n");
}

static void test_names_are_bounded_in_all(void)
{
	struct strbuf b = STRBUF_NULL;

	lab_start(NULL);
	strbuf_append(&b, "[endpoint a]\nallow = tcp/1\n");
	for (int i = 0; i < 51; i++)
		strbuf_appendf(&b, "name = n{1..1000}.d%d.example\n", i);
	lab_write(root, PACKAGE "big.conf", strbuf_text(&b));
	lab_write(root, MAIN,
		"[vendor a]\nprofile = big\n[vendor b]\nprofile = big\n"
		"[vendor c]\nprofile = big\n");
	CHECK_STR(load(), "allowsyncd.conf:3: [vendor b] more than 100000 names in all\n");
	strbuf_done(&b);
}

static void test_each_byte_value_in_names_that_become_ours(void)
{
	lab_start(NULL);
	for (int c = 1; c < 256; c++) {
		bool identifier =
			(c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
		char text[64];
		snprintf(text, sizeof(text), "[vendor a%cme]\nprofile = acme\nregion = us\n", c);
		lab_write(root, MAIN, text);
		load();
		CHECK_INT(diags.errors == 0, identifier);
		CHECK_INT(config->vendor_count == 1 && diags.errors == 0, identifier);
	}
}

static void test_each_byte_value_in_the_admins_nft_names(void)
{
	lab_start(NULL);
	for (int c = 1; c < 256; c++) {
		bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') || (c && strchr("_./-", c));
		char text[128];
		snprintf(text, sizeof(text),
			"[vendor acme]\n[set a]\nfamily = ip\ntable = t%cx\nset = s\nvendor = "
			"acme\n",
			c);
		lab_write(root, MAIN, text);
		load();
		CHECK_INT(diags.errors == 0, fine);
	}
}

static void test_words_of_nft_name_vendors(void)
{
	lab_start("[vendor ip]\nprofile = acme\n[vendor log]\nprofile = acme\n"
		  "[vendor tcp]\nprofile = acme\n" SET("drop", "ip, log, tcp"));
	CHECK_STR(load(), "");
	CHECK_INT(config->vendor_count, 3);
}

static void test_servers_are_read_as_written(void)
{
	struct config_server s;

	CHECK(!config_server_parse("192.0.2.1", &s));
	CHECK_INT(s.port, 53);
	CHECK(!config_server_parse("192.0.2.1:5353", &s));
	CHECK_INT(s.port, 5353);
	CHECK(!config_server_parse("2001:db8::1", &s));
	CHECK_INT(s.addr.family, FAMILY_V6);
	CHECK_INT(s.port, 53);
	CHECK(!config_server_parse("[2001:db8::1]", &s));
	CHECK_INT(s.port, 53);
	CHECK(!config_server_parse("[fe80::1%br-lan]:54", &s));
	CHECK_INT(s.port, 54);
	CHECK_STR(s.scope, "br-lan");
	CHECK(config_server_parse("", &s));
	CHECK(config_server_parse("[", &s));
	CHECK(config_server_parse("[]", &s));
	CHECK(config_server_parse(":53", &s));
	CHECK(config_server_parse("192.0.2.1:", &s));
	CHECK(config_server_parse("192.0.2.1:65536", &s));
	CHECK(config_server_parse("[2001:db8::1]:", &s));
	CHECK(config_server_parse("fe80::1%name-too-long-for", &s));
}

int main(void)
{
	TAP_RUN(test_a_small_configuration_has_no_complaints);
	TAP_RUN(test_defaults_stand_where_nothing_is_said);
	TAP_RUN(test_roles_regions_and_names_choose);
	TAP_RUN(test_an_unset_variable_is_missed_only_where_asked_for);
	TAP_RUN(test_lists_grow_and_reset_and_the_last_scalar_wins);
	TAP_RUN(test_drop_ins_come_in_the_order_of_their_bytes);
	TAP_RUN(test_the_admins_profile_replaces_the_packaged_one);
	TAP_RUN(test_add_ons_stand_behind_either_profile);
	TAP_RUN(test_a_link_to_null_masks_a_profile);
	TAP_RUN(test_one_profile_serves_two_vendors);
	TAP_RUN(test_only_regular_files_are_read);
	TAP_RUN(test_a_file_may_have_a_mebibyte_and_no_more);
	TAP_RUN(test_a_root_with_a_slash_is_the_same_root);
	TAP_RUN(test_the_digest_follows_every_file);
	TAP_RUN(test_bounds_come_from_vendor_then_profile_then_resolver);
	TAP_RUN(test_a_vendor_has_room_for_as_many_addresses_as_it_has_names);
	TAP_RUN(test_sets_take_by_endpoint_role_and_direction);
	TAP_RUN(test_what_is_idle_is_said_and_kept_for_the_status);
	TAP_RUN(test_a_set_or_vendor_without_content_is_ineffective);
	TAP_RUN(test_names_are_bounded_in_all);
	TAP_RUN(test_each_byte_value_in_names_that_become_ours);
	TAP_RUN(test_each_byte_value_in_the_admins_nft_names);
	TAP_RUN(test_words_of_nft_name_vendors);
	TAP_RUN(test_servers_are_read_as_written);
	forget();
	return tap_done();
}
