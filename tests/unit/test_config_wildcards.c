/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Wildcards over what many share: where they are refused, and what the admin's word opens. What is
 * wrong with a word is in tests/config/broken. The suffixes are such that old and new lists agree.
 */
#include "../config/config_lab.h"

#include "tap.h"

#define MAIN   ALLOWSYNCD_CONF_DIR "/allowsyncd.conf"
#define ADMINS ALLOWSYNCD_CONF_DIR "/vendors/"
#define SET    "[set s]\nfamily = ip\ntable = t\nset = s\nvendor = acme\n"

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

/* The messages that are about wildcards and are not "not carried out". */
static const char *said_of_wildcards(void)
{
	static struct strbuf b;
	_cleanup_free_ char *messages = lab_messages(root, &diags);

	strbuf_clear(&b);
	strbuf_append(&b, "");
	for (char *line = strtok(messages, "\n"); line; line = strtok(NULL, "\n")) {
		if (!strstr(line, "carried out by this version"))
			strbuf_appendf(&b, "%s\n", line);
	}
	return strbuf_text(&b);
}

/* With the packaged profile acme. */
static const char *load(const char *main_text, const char *profile)
{
	forget();
	root = lab_new();
	lab_write(root, ALLOWSYNCD_VENDOR_DIR "/acme.conf", profile);
	lab_write(root, MAIN, main_text);
	config_load(root, &diags, &config);
	return said_of_wildcards();
}

/* Of "*.SUFFIX" in a profile that [vendor acme] takes. */
static const char *said_of(const char *suffix)
{
	_cleanup_free_ char *profile =
		xasprintf("[endpoint a]\nallow = tcp/1\nname = *.%s\n", suffix);

	return load("[vendor acme]\n" SET, profile);
}

static void test_a_wildcard_over_a_public_suffix_is_refused(void)
{
	CHECK_STR(said_of("co.uk"),
		"@VENDORS@/acme.conf:3: [endpoint a] name: \"*.co.uk\" takes in names of others, "
		"as co.uk is a public suffix: where that is meant, \"allow-shared = *.co.uk\" in "
		"[vendor acme] says so\n");
	CHECK_INT(diags.errors, 1);
	static const char *const suffixes[] = {"GitHub.io.", "s3.amazonaws.com", "cloudfront.net",
		"eu-west-1.compute.amazonaws.com", "compute.amazonaws.com", "azurewebsites.net",
		"akamaiedge.net", "googleapis.com", "digitaloceanspaces.com", "duckdns.org",
		"foo.ck", "kawasaki.jp", "workers.dev"};
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		CHECK(strstr(said_of(suffixes[i]), " is a public suffix: "));
		CHECK_INT(diags.errors, 1);
	}
}

static void test_a_wildcard_over_a_cloud_or_a_part_of_it_is_refused(void)
{
	CHECK_STR(said_of("eu-west-1.redshift.amazonaws.com"),
		"@VENDORS@/acme.conf:3: [endpoint a] name: \"*.eu-west-1.redshift.amazonaws.com\" "
		"takes "
		"in names of others, as amazonaws.com is shared by its customers: where that is "
		"meant, \"allow-shared = *.eu-west-1.redshift.amazonaws.com\" in [vendor acme] "
		"says "
		"so\n");
	static const char *const suffixes[] = {"amazonaws.com", "amazonaws.com.cn", "windows.net",
		"core.windows.net", "database.windows.net", "cloudapp.azure.com",
		"storage.googleapis.com", "fastly.net", "com.edgekey.net", "a.akamaiedge.net",
		"westeurope-01.azurewebsites.net", "azurecr.io"};
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		CHECK(strstr(said_of(suffixes[i]), " is shared by its customers: "));
		CHECK_INT(diags.errors, 1);
	}
}

static void test_a_wildcard_below_somebodys_own_name_passes(void)
{
	static const char *const suffixes[] = {"ixon.cloud", "ixon.net", "ayayot.com",
		"acme.example", "acme.co.uk", "a.acme.co.uk", "acme.github.io",
		"bucket.s3.amazonaws.com", "d111111abcdef8.cloudfront.net", "www.ck",
		"notamazonaws.com"};

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		CHECK_STR(said_of(suffixes[i]), "");
		CHECK_INT(config->vendors[0].endpoints[0].wildcards.count, 1);
	}
}

static void test_a_name_that_is_no_wildcard_may_lie_anywhere(void)
{
	CHECK_STR(load("[vendor acme]\n" SET,
			  "[endpoint a]\nallow = tcp/1\nname = s3.amazonaws.com, co.uk, "
			  "acme.eu-west-1.redshift.amazonaws.com\n"),
		"");
	CHECK_INT(diags.count, 0);
	CHECK_INT(config->vendors[0].endpoints[0].names.count, 3);
}

static void test_the_admins_word_opens_that_wildcard_and_no_other(void)
{
	static const char profile[] = "[endpoint a]\nallow = tcp/1\nname = *.amazonaws.com, "
				      "*.s3.amazonaws.com, *.co.uk\n";

	CHECK_STR(load("[vendor acme]\nallow-shared = *.AmazonAWS.com., *.co.uk\n"
		       "allow-shared = *.s3.amazonaws.com\n" SET,
			  profile),
		"");
	CHECK_INT(diags.errors, 0);
	CHECK_INT(config->vendors[0].endpoints[0].wildcards.count, 3);

	/* neither what is wider, nor what is below */
	load("[vendor acme]\nallow-shared = *.s3.amazonaws.com, *.co.uk\n" SET, profile);
	CHECK_INT(diags.errors, 1);
	CHECK(strstr(said_of_wildcards(), "\"*.amazonaws.com\" takes in"));
	load("[vendor acme]\nallow-shared = *.amazonaws.com, *.co.uk\n" SET, profile);
	CHECK_INT(diags.errors, 1);
	CHECK(strstr(said_of_wildcards(), "\"*.s3.amazonaws.com\" takes in"));

	/* nor for another vendor */
	load("[vendor acme]\nallow-shared = *.amazonaws.com, *.co.uk, *.s3.amazonaws.com\n"
	     "[vendor b]\nprofile = acme\n" SET,
		profile);
	CHECK_INT(diags.errors, 3);
	CHECK(strstr(said_of_wildcards(), "\"allow-shared = *.co.uk\" in [vendor b]"));
}

static void test_a_profile_cannot_say_the_word(void)
{
	static const char profile[] = "[profile]\nallow-shared = *.co.uk\n"
				      "[endpoint a]\nallow = tcp/1\nname = *.co.uk\n"
				      "allow-shared = *.co.uk\n"
				      "[variable allow-shared]\n";

	const char *said = load("[vendor acme]\n" SET, profile);
	CHECK(strstr(said, "acme.conf:2: [profile] allow-shared: no such key"));
	CHECK(strstr(said, "acme.conf:6: [endpoint a] allow-shared: no such key"));
	CHECK(strstr(said, "acme.conf:7: [variable allow-shared] \"allow-shared\" has a meaning"));
	CHECK(strstr(said, "\"*.co.uk\" takes in names of others"));
}

static void test_what_is_judged_is_what_the_admins_values_make_of_it(void)
{
	static const char profile[] =
		"[profile]\nregion = us, eu\n[variable site]\n"
		"[endpoint a]\nallow = tcp/1\nname = *.{site}.uk\n"
		"[endpoint b]\nallow = tcp/1\nname = *.{region}.{redshift|x.s3}."
		"amazonaws.com\n";

	CHECK_STR(load("[vendor acme]\nsite = acme.co, co\nregion = eu\n"
		       "allow-shared = *.eu.x.s3.amazonaws.com\n" SET,
			  profile),
		"@VENDORS@/acme.conf:6: [endpoint a] name: \"*.co.uk\" takes in names of others, "
		"as "
		"co.uk is a public suffix: where that is meant, \"allow-shared = *.co.uk\" in "
		"[vendor acme] says so\n"
		"@VENDORS@/acme.conf:9: [endpoint b] name: \"*.eu.redshift.amazonaws.com\" takes "
		"in "
		"names of others, as amazonaws.com is shared by its customers: where that is "
		"meant, \"allow-shared = *.eu.redshift.amazonaws.com\" in [vendor acme] says so\n");
	CHECK_INT(diags.errors, 2);
	/* regions that nobody chose are nobody's error */
	CHECK_STR(
		load("[vendor acme]\nregion = eu\nallow-shared = *.eu.redshift.amazonaws.com\n" SET,
			profile),
		"");
}

#define UNCHOSEN                                                                                   \
	"[profile]\nregion = us, eu\n[variable site]\n"                                            \
	"[endpoint a]\nallow = tcp/1\nname = a.example\n"                                          \
	"[endpoint b]\ndefault = no\nallow = tcp/1\nname = *.{us|eu}.acme.example\n"               \
	"name = *.{region}.redshift.amazonaws.com, *.{site}.amazonaws.com\n"

static void test_what_no_vendor_has_chosen_is_a_warning(void)
{
	static const char said[] =
		"@VENDORS@/acme.conf:11: warning: [endpoint b] name: "
		"\"*.us.redshift.amazonaws.com\" "
		"takes in names of others, as amazonaws.com is shared by its customers: only a "
		"vendor that says \"allow-shared = *.us.redshift.amazonaws.com\" can choose it\n"
		"@VENDORS@/acme.conf:11: warning: [endpoint b] name: "
		"\"*.eu.redshift.amazonaws.com\" "
		"takes in names of others, as amazonaws.com is shared by its customers: only a "
		"vendor that says \"allow-shared = *.eu.redshift.amazonaws.com\" can choose it\n";

	CHECK_STR(load("[vendor acme]\n" SET, UNCHOSEN), said);
	CHECK_INT(diags.errors, 0);
	/* once, whoever has the profile */
	CHECK_STR(load("[vendor acme]\n[vendor b]\nprofile = acme\n[set s]\nfamily = ip\n"
		       "table = t\nset = s\nvendor = acme, b\n",
			  UNCHOSEN),
		said);
}

static void test_no_warning_is_left_once_the_word_is_said(void)
{
	CHECK_STR(load("[vendor acme]\n"
		       "allow-shared = *.us.redshift.amazonaws.com, "
		       "*.eu.redshift.amazonaws.com\n" SET,
			  UNCHOSEN),
		"");
	/* of two with the profile one chooses it */
	CHECK_STR(load("[vendor acme]\n[vendor b]\nprofile = acme\nendpoint = b\nregion = us\n"
		       "site = x\nallow-shared = *.us.redshift.amazonaws.com, *.x.amazonaws.com\n"
		       "[set s]\nfamily = ip\ntable = t\nset = s\nvendor = acme, b\n",
			  UNCHOSEN),
		"");
}

static void test_a_word_for_nothing_is_a_warning(void)
{
	CHECK_STR(load("[vendor acme]\nallow-shared = *.amazonaws.com\n"
		       "allow-shared = *.eu.redshift.amazonaws.com, "
		       "*.us.redshift.amazonaws.com\n" SET,
			  UNCHOSEN),
		"allowsyncd.conf:2: warning: [vendor acme] allow-shared: \"*.amazonaws.com\": the "
		"profile has no such wildcard\n");
	CHECK_INT(diags.errors, 0);
}

static void test_an_admins_own_profile_and_add_on_are_judged_alike(void)
{
	load("[vendor own]\n[vendor acme]\n[set s]\nfamily = ip\ntable = t\nset = s\n"
	     "vendor = acme, own\n",
		"[endpoint a]\nallow = tcp/1\nname = a.example\n");
	lab_write(root, ADMINS "own.conf", "[endpoint o]\nallow = tcp/1\nname = *.co.uk\n");
	lab_write(root, ADMINS "acme.conf.d/10.conf", "[endpoint a]\nname = *.github.io\n");
	config = config_free(config);
	diag_list_done(&diags);
	config_load(root, &diags, &config);
	CHECK_INT(diags.errors, 2);
	CHECK(strstr(said_of_wildcards(), "vendors/own.conf:3: [endpoint o] name: \"*.co.uk\""));
	CHECK(strstr(said_of_wildcards(),
		"vendors/acme.conf.d/10.conf:2: [endpoint a] name: \"*.github.io\""));
}

static void test_wildcards_over_top_level_domains_have_no_word(void)
{
	static const char profile[] = "[endpoint a]\nallow = tcp/1\nname = *.com\n";

	load("[vendor acme]\nallow-shared = *.com\n" SET, profile);
	CHECK(strstr(said_of_wildcards(),
		"allowsyncd.conf:2: [vendor acme] allow-shared: \"*.com\" is a wildcard over a "
		"whole top-level domain, which is never taken\n"));
	CHECK(strstr(said_of_wildcards(),
		"acme.conf:3: [endpoint a] name: \"*.com\" is a wildcard over a whole top-level "
		"domain, which is never taken\n"));
}

static void test_wildcards_count_among_the_names(void)
{
	_cleanup_(strbuf_done) struct strbuf profile = STRBUF_NULL;

	strbuf_append(&profile, "[endpoint a]\nallow = tcp/1\n");
	for (int i = 0; i < 51; i++)
		strbuf_appendf(&profile, "name = %sn{1..1000}.d%d.example\n", i % 2 ? "*." : "", i);
	CHECK_STR(load("[vendor acme]\n[vendor b]\nprofile = acme\n[vendor c]\nprofile = acme\n",
			  strbuf_text(&profile)),
		"allowsyncd.conf:2: [vendor b] more than 100000 names in all\n");
}

int main(void)
{
	TAP_RUN(test_a_wildcard_over_a_public_suffix_is_refused);
	TAP_RUN(test_a_wildcard_over_a_cloud_or_a_part_of_it_is_refused);
	TAP_RUN(test_a_wildcard_below_somebodys_own_name_passes);
	TAP_RUN(test_a_name_that_is_no_wildcard_may_lie_anywhere);
	TAP_RUN(test_the_admins_word_opens_that_wildcard_and_no_other);
	TAP_RUN(test_a_profile_cannot_say_the_word);
	TAP_RUN(test_what_is_judged_is_what_the_admins_values_make_of_it);
	TAP_RUN(test_what_no_vendor_has_chosen_is_a_warning);
	TAP_RUN(test_no_warning_is_left_once_the_word_is_said);
	TAP_RUN(test_a_word_for_nothing_is_a_warning);
	TAP_RUN(test_an_admins_own_profile_and_add_on_are_judged_alike);
	TAP_RUN(test_wildcards_over_top_level_domains_have_no_word);
	TAP_RUN(test_wildcards_count_among_the_names);
	forget();
	return tap_done();
}
