/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was made of each endpoint of a profile, and why: for whoever is shown the vendor's page. */
#include "../config/config_lab.h"

#include "tap.h"

#define MAIN     ALLOWSYNCD_CONF_DIR "/allowsyncd.conf"
#define PACKAGED ALLOWSYNCD_VENDOR_DIR "/a.conf"
#define DROP_IN  ALLOWSYNCD_CONF_DIR "/vendors/a.conf.d/own.conf"

static const char page[] = "[profile]\nrole = basic, extra\ndefault-role = basic\nregion = us, eu\n"
			   "note = of the page\n"
			   "[variable site]\n[variable peers]\nkind = host\n"
			   "[endpoint plain]\nname = a{1..2}.example\nallow = tcp/1\n"
			   "[endpoint own]\nrole = basic\nname = {site}.example\n"
			   "address = {peers}\nallow = tcp/1\n"
			   "[endpoint extra]\nrole = extra\nregion = eu\nname = {site}.example\n"
			   "allow = tcp/1\n"
			   "[endpoint both]\ndefault = no\nrole = extra\nname = b.example\n"
			   "allow = tcp/1\n"
			   "[endpoint quiet]\ndefault = no\nname = *.q.example\nallow = tcp/1\n"
			   "[endpoint in]\ndirection = in\nname = i.example\nallow = tcp/1\n";

static char *root;
static struct diag_list diags;
static struct config *config;

static const struct config_vendor *load(const char *section, const char *drop_in)
{
	config = config_free(config);
	diag_list_done(&diags);
	if (root)
		lab_free(root);
	root = lab_new();
	lab_write(root, PACKAGED, page);
	lab_write(root, MAIN, section);
	if (drop_in)
		lab_write(root, DROP_IN, drop_in);
	config_load(root, &diags, &config);
	return config->vendors;
}

static const struct config_choice *choice(const char *endpoint)
{
	const struct config_vendor *v = config->vendors;

	return &v->choices[profile_endpoint(v->profile, endpoint) - v->profile->endpoints];
}

static const struct config_endpoint *chosen(const char *endpoint)
{
	const struct config_vendor *v = config->vendors;

	for (size_t i = 0; i < v->endpoint_count; i++) {
		if (str_eq(v->endpoints[i].endpoint->name, endpoint))
			return &v->endpoints[i];
	}
	return NULL;
}

static void every_reason_is_kept_not_only_the_first(void)
{
	const struct config_vendor *v = load("[vendor a]\nregion = us\n", NULL);

	CHECK_INT(diags.errors, 0);
	CHECK_INT(choice("plain")->lacks, 0);
	CHECK_INT(choice("own")->lacks, CONFIG_LACK_VARIABLE);
	CHECK_INT(choice("own")->unset.count, 2);
	CHECK_STR(choice("own")->unset.items[0], "site");
	CHECK_STR(choice("own")->unset.items[1], "peers");
	CHECK_INT(choice("extra")->lacks,
		CONFIG_LACK_ROLE | CONFIG_LACK_REGION | CONFIG_LACK_VARIABLE);
	CHECK_INT(choice("quiet")->lacks, CONFIG_LACK_NAME);
	CHECK_INT(choice("both")->lacks, CONFIG_LACK_NAME | CONFIG_LACK_ROLE);
	CHECK_INT(v->endpoint_count, 2);
	CHECK(chosen("plain") && chosen("in"));
}

static void what_is_chosen_lacks_nothing(void)
{
	const struct config_vendor *v = load("[vendor a]\nrole = extra\nregion = eu\n"
					     "endpoint = quiet\nsite = s, t\npeers = 45.1.0.1\n",
		NULL);

	CHECK_INT(diags.errors, 0);
	CHECK(!choice("extra")->lacks && chosen("extra"));
	CHECK(!choice("quiet")->lacks && chosen("quiet"));
	CHECK_INT(choice("own")->lacks, CONFIG_LACK_ROLE);
	CHECK_INT(choice("own")->unset.count, 0);
	CHECK_INT(v->roles.count, 1);
	CHECK_STR(v->roles.items[0], "extra");
	CHECK_STR(v->regions.items[0], "eu");
	CHECK_INT(v->values[0].count, 2);
	CHECK_STR(v->values[0].items[1], "t");
	CHECK_STR(v->values[1].items[0], "45.1.0.1");
	load("[vendor a]\n", NULL);
	CHECK_INT(config->vendors->roles.count + config->vendors->regions.count, 0);
}

static void destinations_know_the_entry_they_come_from(void)
{
	load("[vendor a]\nsite = s\nendpoint = quiet\npeers = p.example, 45.1.0.1\n",
		"[endpoint plain]\nname = c.example\n");

	const struct config_endpoint *e = chosen("plain");
	CHECK_INT(e->names.count, 3);
	CHECK_STR(e->names_from[0]->text, "a{1..2}.example");
	CHECK(e->names_from[1] == e->names_from[0]);
	CHECK_STR(e->names_from[2]->text, "c.example");
	CHECK_STR(e->names_from[2]->at.file, "vendors/a.conf.d/own.conf");
	e = chosen("own");
	CHECK_STR(e->names.items[1], "p.example");
	CHECK_STR(e->names_from[0]->text, "{site}.example");
	CHECK_STR(e->names_from[1]->text, "{peers}");
	CHECK_STR(e->addresses[0].from->text, "{peers}");
	e = chosen("quiet");
	CHECK_INT(e->wildcards.count, 1);
	CHECK_STR(e->wildcards_from[0]->text, "*.q.example");
}

static void keys_of_further_files_are_known(void)
{
	const struct config_vendor *v = load("[vendor a]\n",
		"[profile]\nnote = mine\n[endpoint plain]\nallow =\nallow = tcp/2\ninferred = x\n"
		"[endpoint more]\nname = m.example\nallow = tcp/3\n");
	const struct profile_texts *plain = &profile_endpoint(v->profile, "plain")->amended;

	CHECK_INT(diags.errors, 0);
	CHECK_INT(plain->count, 2);
	CHECK_STR(plain->items[0].text, "allow");
	CHECK_INT(plain->items[0].at.line, 5);
	CHECK_STR(plain->items[0].at.file, "vendors/a.conf.d/own.conf");
	CHECK_STR(plain->items[1].text, "inferred");
	CHECK_INT(profile_endpoint(v->profile, "more")->amended.count, 0);
	CHECK_INT(profile_endpoint(v->profile, "own")->amended.count, 0);
	CHECK_INT(v->profile->amended.count, 1);
	CHECK_STR(v->profile->amended.items[0].text, "note");
}

/* The undone thing of that vendor and endpoint. */
static const char *undone(const char *vendor, const char *endpoint)
{
	for (size_t i = 0; i < config->undone_count; i++) {
		const struct config_undone *u = &config->undone[i];
		if (str_eq(u->vendor, vendor) &&
			(endpoint ? u->endpoint && str_eq(u->endpoint->name, endpoint)
				  : !u->endpoint))
			return u->text;
	}
	return "";
}

static void what_is_undone_knows_its_vendor_and_endpoint(void)
{
	load("[vendor a]\nendpoint = quiet\n"
	     "[set s]\nfamily = inet\ntable = t\nset = s\nvendor = a\n",
		"[profile]\ntcp-timeout-min = 10min\n");
	CHECK(strstr(undone("a", NULL), "tcp-timeout-min 10min"));
	CHECK(strstr(undone("a", "quiet"), "wildcards are not carried out"));
	CHECK(strstr(undone("a", "in"), "inbound, and no [set]"));
	CHECK_STR(undone("a", "plain"), "");
	load("[vendor a]\ndeny = plain\n"
	     "[devices d]\nvendor = a\ninterface = lan\nmac = 00:22:4d:01:02:03\n",
		NULL);
	CHECK_INT(diags.errors, 0);
	CHECK_STR(undone("a", "plain"), "");
	CHECK(strstr(undone("a", "in"), "a/in is inbound"));
	for (size_t i = 0; i < config->undone_count; i++)
		CHECK(config->undone[i].vendor || strstr(config->undone[i].text, "[devices d]"));
}

int main(void)
{
	TAP_RUN(every_reason_is_kept_not_only_the_first);
	TAP_RUN(what_is_chosen_lacks_nothing);
	TAP_RUN(destinations_know_the_entry_they_come_from);
	TAP_RUN(keys_of_further_files_are_known);
	TAP_RUN(what_is_undone_knows_its_vendor_and_endpoint);
	config_free(config);
	diag_list_done(&diags);
	lab_free(root);
	return tap_done();
}
