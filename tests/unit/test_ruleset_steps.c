/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules that mark in two steps, as the daemon loads them: they come to the same as the text in
 * one, and what an earlier configuration left goes with the second. */
#include "../config/config_lab.h"

#include "core/ruleset.h"
#include "nft_lab.h"

#define MAIN   ALLOWSYNCD_CONF_DIR "/allowsyncd.conf"
#define ADMINS ALLOWSYNCD_CONF_DIR "/vendors/"
#define TWO                                                                                        \
	"[profile]\n[endpoint e]\nallow = tcp/443\nname = a.example\n"                             \
	"[endpoint ping]\nname = b.example\nallow = icmp/echo-request\n"

#define ENDPOINT "[endpoint e]\nallow = udp/1\nname = a.example\n"

static char *root;
static bool has_kernel;
static struct diag_list diags;

static const struct ruleset_facts facts;

/* What the kernel holds, without the handles that it counts up. */
static char *listed(void)
{
	struct strbuf b = STRBUF_NULL;
	const char *p = lab_output("nft -j list ruleset"), *hit;

	while ((hit = strstr(p, "\"handle\": "))) {
		strbuf_append_bytes(&b, p, (size_t)(hit - p));
		p = hit + strlen("\"handle\": ");
		p += strspn(p, "0123456789");
	}
	strbuf_append(&b, p);
	return strbuf_take(&b);
}

static struct config *config_of(const char *main_text)
{
	struct config *config;

	if (root)
		lab_free(root);
	root = lab_new();
	lab_write(root, MAIN, main_text);
	lab_write(root, ADMINS "acme.conf", TWO);
	diag_list_done(&diags);
	config_load(root, &diags, &config);
	return config;
}

static void standing(struct ruleset_standing *s, const char *chain, const char *set)
{
	*s = (struct ruleset_standing){0};
	if (chain)
		strings_add(&s->chains, chain);
	if (set)
		strings_add(&s->sets, set);
}

static void two_steps_come_to_the_same_as_one(void)
{
	_cleanup_(ruleset_standing_done) struct ruleset_standing none = {0}, there = {0};

	if (!has_kernel)
		TAP_SKIP("needs root");
	struct config *config = config_of("[vendor acme]\n[mark]\ntowards = wan0\n");
	_cleanup_free_ char *whole = ruleset_text(config, &facts),
			    *sets = ruleset_text_sets(config, NULL);
	_cleanup_free_ char *rules = ruleset_text_rules(config, &facts, &none);
	const bool two_are_there[] = {true, false, true};
	_cleanup_free_ char *third = ruleset_text_sets(config, two_are_there);
	CHECK_INT(lab_count(third, "\tset "), 1);
	CHECK_INT(lab_count(third, "\tset v_acme6 {\n"), 1);
	standing(&there, RULESET_CHAIN, "v_acme4");
	_cleanup_free_ char *again = ruleset_text_rules(config, &facts, &there);
	config_free(config);
	CHECK(unshare(CLONE_NEWNET) == 0);
	CHECK(lab_nft("%s", whole));
	_cleanup_free_ char *want = listed();
	CHECK(unshare(CLONE_NEWNET) == 0);
	CHECK(lab_nft("%s", sets));
	CHECK_INT(lab_count(lab_output("nft list ruleset"), "chain"), 0);
	CHECK(lab_nft("add element inet allowsync v_acme4 { 45.1.0.1 . tcp . 443 }\n"));
	CHECK(lab_nft("%s", rules));
	/* and over what stands */
	CHECK(lab_nft("%s", sets));
	CHECK(lab_nft("%s", again));
	CHECK_INT(lab_count(lab_output("nft list ruleset"), "45.1.0.1 . tcp . 443"), 1);
	CHECK(lab_nft("flush set inet allowsync v_acme4\n"));
	_cleanup_free_ char *got = listed();
	CHECK_STR(got, want);
}

static void what_is_not_wanted_goes_and_what_is_not_ours_stays(void)
{
	_cleanup_(ruleset_standing_done) struct ruleset_standing there = {0};

	if (!has_kernel)
		TAP_SKIP("needs root");
	CHECK(unshare(CLONE_NEWNET) == 0);
	CHECK(lab_nft(
		"table inet allowsync {\nset v_old4 { type ipv4_addr; }\n"
		"set theirs { type ipv4_addr; }\nchain v_old { ip daddr @v_old4 accept\n}\n"
		"chain v_mark { type filter hook forward priority filter - 10; jump v_old\n}\n"
		"chain theirs { ip daddr @theirs accept\n}\n}\n"));
	standing(&there, RULESET_CHAIN, "v_old4");
	strings_add(&there.chains, "v_old");
	struct config *config = config_of("[vendor acme]\n");
	_cleanup_free_ char *sets = ruleset_text_sets(config, NULL);
	_cleanup_free_ char *rules = ruleset_text_rules(config, &facts, &there);
	const bool without[] = {true};
	_cleanup_free_ char *nothing =
		ruleset_text_rules(config, &(struct ruleset_facts){.without = without}, &there);
	config_free(config);
	CHECK(lab_nft("%s%s", sets, rules));
	const char *list = lab_output("nft list ruleset");
	CHECK(!strstr(list, "v_old") && strstr(list, "chain v_mark") && strstr(list, "@v_acme4"));
	CHECK(strstr(list, "chain theirs") && strstr(list, "ip daddr @theirs accept"));
	/* Of released vendors the sets stay. */
	CHECK(!strstr(nothing, "{"));
	CHECK(strstr(nothing, "delete chain inet allowsync v_mark\n"));
	CHECK(!strstr(nothing, "v_acme4"));
}

/* The kernel's timeouts are short, and then not known. */
static void policies_come_with_the_rules_and_go_after_them(void)
{
	_cleanup_(ruleset_standing_done) struct ruleset_standing there = {0};
	_cleanup_(strings_done) struct strings stands = {0};
	const bool without[] = {true};

	if (!has_kernel)
		TAP_SKIP("needs root");
	config_free(config_of("[vendor acme]\n"));
	lab_write(root, ADMINS "acme.conf", "[profile]\nudp-timeout-min = 10min\n" ENDPOINT);
	struct config *config;
	diag_list_done(&diags);
	config_load(root, &diags, &config);
	struct ruleset_facts known = {0};
	for (size_t i = 0; i < TIMEOUTS_STATES; i++)
		known.timeouts.s[i] = 60;
	CHECK(unshare(CLONE_NEWNET) == 0);
	CHECK(lab_nft("table inet allowsync {\n"
		      "ct timeout v_udp.9.abc {\nprotocol udp\npolicy = { replied : 9 }\n}\n"
		      "chain v_mark { type filter hook forward priority filter - 10; "
		      "ct timeout set \"v_udp.9.abc\"\n}\n}\n"));
	standing(&there, RULESET_CHAIN, NULL);
	strings_add(&stands, "v_udp.9.abc");
	_cleanup_free_ char *sets = ruleset_text_sets(config, NULL);
	known.policies = stands;
	_cleanup_free_ char *rules = ruleset_text_rules(config, &known, &there);
	CHECK(!ruleset_lengthens_not(config, &known));
	CHECK(lab_nft("%s", sets));
	CHECK(lab_nft("%s", rules));
	const char *list = lab_output("nft list ruleset");
	CHECK_INT(lab_count(list, "\tct timeout v_"), 1);
	/* nft 1.1 counts in minutes. */
	CHECK_INT(lab_count(list, "unreplied : 600, replied : 600") +
			  lab_count(list, "unreplied : 10m, replied : 10m"),
		1);
	CHECK_INT(lab_count(list, "ct timeout set"), 2); /* of IPv4 and IPv6 */
	/* Of a released vendor they go. */
	char name[64];
	CHECK(sscanf(strstr(list, "ct timeout v_"), "ct timeout %60s", name) == 1);
	strings_done(&stands);
	strings_add(&stands, name);
	known.policies = stands;
	known.without = without;
	_cleanup_free_ char *released = ruleset_text_rules(config, &known, &there);
	CHECK(lab_nft("%s", released));
	CHECK_INT(lab_count(lab_output("nft list ruleset"), "ct timeout"), 0);
	CHECK(ruleset_lengthens_not(config, &facts));
	_cleanup_free_ char *unknown = ruleset_text_rules(config, &facts, &there);
	CHECK(strstr(unknown, "# not in these rules: acme, udp-timeout-min 10min"));
	CHECK(!strstr(unknown, "ct timeout"));
	config_free(config);
}

static void nothing_to_mark_is_no_text(void)
{
	_cleanup_(ruleset_standing_done) struct ruleset_standing none = {0};

	struct config *config = config_of("[resolver]\ntries = 1\n");
	_cleanup_free_ char *sets = ruleset_text_sets(config, NULL);
	_cleanup_free_ char *rules = ruleset_text_rules(config, &facts, &none);
	config_free(config);
	CHECK_STR(sets, "");
	CHECK_STR(rules, "");
}

/* The kernel takes any name, and others may have made one in our table. */
static void names_that_stand_cannot_inject(void)
{
	struct config c = {.mark = {.value = 1, .mask = 1}};

	for (unsigned byte = 1; byte < 256; byte++) {
		_cleanup_(ruleset_standing_done) struct ruleset_standing there;
		_cleanup_free_ char *name = xasprintf("v_a%cb", (char)byte);
		standing(&there, name, name);
		_cleanup_free_ char *text = ruleset_text_rules(&c, &facts, &there);
		bool plain = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_./-",
			(int)byte);
		CHECK_INT(lab_count(text, "\n"), plain ? 3 : 0);
	}
	_cleanup_(ruleset_standing_done) struct ruleset_standing others;
	standing(&others, "forward", "theirs");
	_cleanup_free_ char *text = ruleset_text_rules(&c, &facts, &others);
	CHECK_STR(text, "");
}

int main(void)
{
	has_kernel = geteuid() == 0 && unshare(CLONE_NEWNET) == 0;
	TAP_RUN(two_steps_come_to_the_same_as_one);
	TAP_RUN(what_is_not_wanted_goes_and_what_is_not_ours_stays);
	TAP_RUN(policies_come_with_the_rules_and_go_after_them);
	TAP_RUN(nothing_to_mark_is_no_text);
	TAP_RUN(names_that_stand_cannot_inject);
	if (root)
		lab_free(root);
	diag_list_done(&diags);
	return tap_done();
}
