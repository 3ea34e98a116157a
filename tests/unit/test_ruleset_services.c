/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What leaves the chain that marks at once: all that no rule in it is for, and nothing else. */
#include "../config/config_lab.h"

#include "core/ruleset_parts.h"
#include "tap.h"

#define HEAD(lines)                                                                                \
	"policy accept;\n\n\t\t# only ports and protocols that a vendor below has\n" lines "\n\t"

static char *root;

/* "tcp/443 udp/5-9" as `ruleset_match_others` says it. The caller frees it. */
static char *others_of(const char *list)
{
	_cleanup_(strings_done) struct strings others = {0};
	struct service services[16];
	char text[32];
	size_t count = 0;
	int n;

	for (; sscanf(list, " %31s%n", text, &n) == 1; list += n) {
		CHECK(count < ARRAY_LEN(services));
		CHECK(!service_parse(text, &services[count++]));
	}
	ruleset_match_others(services, count, &others);
	return strings_join(&others, "; ");
}

static void what_is_none_of_the_services_is_said(void)
{
	static const struct {
		const char *services, *others;
	} cases[] = {
		{"", ""},
		{"tcp/443", "tcp dport != 443; meta l4proto != 6"},
		{"udp/9 tcp/443 tcp/80", "tcp dport != { 80, 443 }; udp dport != 9; "
					 "meta l4proto != { 6, 17 }"},
		/* what overlaps or touches is one */
		{"tcp/5-9 tcp/7-12 tcp/13 tcp/15 tcp/5-9", "tcp dport != { 5-13, 15 }; "
							   "meta l4proto != 6"},
		{"sctp/1 dccp/2 udplite/3", "sctp dport != 1; dccp dport != 2; udplite dport != 3; "
					    "meta l4proto != { 33, 132, 136 }"},
		/* ICMP has types, and they are not looked at */
		{"icmp/echo-request icmpv6/echo-request tcp/1",
			"tcp dport != 1; meta l4proto != { 1, 6, 58 }"},
		{"gre gre 253", "meta l4proto != { 47, 253 }"},
		/* all ports of a protocol, in each way that there is */
		{"tcp tcp/443 udp/1", "udp dport != 1; meta l4proto != { 6, 17 }"},
		{"tcp/443 tcp udp/1", "udp dport != 1; meta l4proto != { 6, 17 }"},
		{"udp/1-65535 tcp/1", "tcp dport != 1; meta l4proto != { 6, 17 }"},
		{"udp/1-999 udp/1000-65535", "meta l4proto != 17"},
		{"udp/2-65535", "udp dport != 2-65535; meta l4proto != 17"},
		{"udp/1-65534", "udp dport != 1-65534; meta l4proto != 17"},
		{"tcp/443 any udp/1", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_free_ char *others = others_of(cases[i].services);
		CHECK_STR(others, cases[i].others);
	}
}

/* The caller frees it. */
static char *text_of(const char *main_text, const bool *without)
{
	const struct ruleset_facts facts = {.without = without};
	struct diag_list diags = DIAG_LIST_NULL;
	struct config *config;

	lab_write(root, ALLOWSYNCD_CONF_DIR "/allowsyncd.conf", main_text);
	config_load(root, &diags, &config);
	CHECK_INT(diags.errors, 0);
	char *text = ruleset_text(config, &facts);
	config_free(config);
	diag_list_done(&diags);
	return text;
}

static void write_profile(const char *name, const char *endpoints)
{
	_cleanup_free_ char *path = xasprintf(ALLOWSYNCD_CONF_DIR "/vendors/%s.conf", name);
	_cleanup_free_ char *text = xasprintf("[profile]\n%s", endpoints);

	lab_write(root, path, text);
}

static void only_what_has_a_rule_in_the_chain_counts(void)
{
	static const char *const vendors = "[vendor web]\n[vendor voice]\n[vendor confined]\n"
					   "[vendor attached]\n"
					   "[devices d]\ninterface = lan\nvendor = confined\n"
					   "[set s]\nfamily = inet\ntable = t\nset = s\n"
					   "vendor = attached\n";
	const bool released[] = {false, true, false, false};

	root = lab_new();
	write_profile("web", "[endpoint a]\nname = a.example\nallow = tcp/443\n"
			     "[endpoint in]\ndirection = in\nname = b.example\nallow = tcp/1\n"
			     "[endpoint wild]\nname = *.a.example\nallow = tcp/2\n"
			     "[endpoint any]\naddress = any\nallow = tcp/3\n");
	write_profile("voice",
		"[endpoint nets]\naddress = 45.1.0.0/16\nallow = udp/5060\n"
		"[endpoint media]\nname = c.example\nallow = udp/10000-20000, icmp/echo-request\n");
	write_profile("confined", "[endpoint e]\nname = d.example\nallow = tcp/5\n");
	write_profile("attached", "[endpoint e]\nname = e.example\nallow = tcp/6\n");
	_cleanup_free_ char *all = text_of(vendors, NULL);
	_cleanup_free_ char *fewer = text_of(vendors, released);
	_cleanup_free_ char *outside =
		text_of("[vendor web]\n[vendor voice]\n[mark]\ntowards = wan\n", NULL);
	_cleanup_free_ char *none = text_of(
		"[vendor confined]\n[devices d]\ninterface = lan\nvendor = confined\n", NULL);
	lab_free(root);
	CHECK(strstr(all, HEAD("\t\ttcp dport != 443 return\n"
			       "\t\tudp dport != { 5060, 10000-20000 } return\n"
			       "\t\tmeta l4proto != { 1, 6, 17 } return\n")));
	CHECK(strstr(fewer, HEAD("\t\ttcp dport != 443 return\n"
				 "\t\tmeta l4proto != 6 return\n")));
	CHECK(strstr(outside, "\t\toifname != \"wan\" return\n"
			      "\n\t\t# only ports and protocols that a vendor below has\n"
			      "\t\ttcp dport != { 3, 443 } return\n"));
	CHECK(strstr(none, "policy accept;\n\t}\n"));
}

int main(void)
{
	TAP_RUN(what_is_none_of_the_services_is_said);
	TAP_RUN(only_what_has_a_rule_in_the_chain_counts);
	return tap_done();
}
