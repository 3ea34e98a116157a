/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What becomes of marked packets, on the real nf_tables in a private network namespace. */
#include "edge/nft_mark.h"

#include "base/mem.h"
#include "nft_lab.h"

#include <string.h>

static struct nft_mark *mark;
static struct nft_mark_question question;

/* "2 drop, 1 blocks: inet t forward by policy; off by ..." with handles as they are. */
static const char *look(void)
{
	static char text[512];
	struct nft_mark_answer a = NFT_MARK_ANSWER_NULL;
	int r = nft_mark_look(mark, &question, &a);
	if (r != 0)
		snprintf(text, sizeof(text), "error %d", r);
	else
		snprintf(text, sizeof(text), "%zu drop%s%s%s%s%s%s", a.dropping,
			a.blocking ? ", blocks: " : "", a.blocks ? a.blocks : "",
			a.by_policy ? " by policy" : "", a.too_early ? " too early" : "",
			a.accepts ? ", off by " : "", a.accepts ? a.accepts : "");
	nft_mark_answer_done(&a);
	return text;
}

#define FORWARD "chain forward { type filter hook forward priority 0; policy %s;\n%s\n}\n"

/* Whether the mark 0x00100000 gets through such a chain: "through", "blocked", "nothing drops". */
static const char *through(const char *policy, const char *rules, const char *more)
{
	question = (struct nft_mark_question){
		.value = 0x00100000, .ipv4 = true, .ipv6 = true, .priority = -10};
	if (!lab_nft("flush ruleset\ntable inet t {\n%s\n" FORWARD "}\n", more, policy, rules))
		return "nft fails";
	const char *text = look();
	if (strstr(text, "error"))
		return text;
	return strstr(text, "blocks") ? "blocked" : text[0] == '0' ? "nothing drops" : "through";
}

#define THEIRS "meta mark & 0x00100000 == 0x00100000"

static void a_rule_for_the_mark_is_told_from_others(void)
{
	static const struct {
		const char *rule, *want;
	} rows[] = {
		{"", "blocked"},
		{THEIRS " accept", "through"},
		{"iifname lan " THEIRS " counter accept", "through"},
		{"meta mark 0x00100000 accept", "through"},
		{"meta mark & 0x00f00000 == 0x00100000 accept", "through"},
		{"meta mark & 0x00100000 != 0 accept", "through"},
		{"meta mark { 0x00100000, 0x5 } accept", "through"},
		{"meta mark 0x00000010-0x00200000 accept", "through"},
		{"ct mark & 0x00100000 == 0x00100000 accept", "through"},
		{THEIRS " return", "through"},
		{"meta mark vmap { 0x00100000 : accept }", "through"},
		{THEIRS " counter", "blocked"},
		{THEIRS " drop", "blocked"},
		{THEIRS " meta mark set 0", "blocked"},
		{"meta mark & 0x00200000 == 0x00200000 accept", "blocked"},
		{"meta mark & 0x00100000 == 0 accept", "blocked"},
		{"meta mark != 0x00100000 accept", "blocked"},
		{"meta mark & 0x1 == 0 accept", "blocked"},
		{"meta mark set 0x00100000 accept", "blocked"},
		{"meta priority 0x00100000 accept", "blocked"},
		{"tcp dport 443 accept", "blocked"},
		{"ct state established,related accept", "blocked"},
		{"accept", "blocked"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *got = through("drop", rows[i].rule, "");
		if (strcmp(got, rows[i].want))
			printf("# %s: %s\n", rows[i].rule, got);
		CHECK_STR(got, rows[i].want);
	}
}

static void rules_drop_as_policies_do(void)
{
	CHECK_STR(through("accept", "", ""), "nothing drops");
	CHECK_STR(through("accept", "ct state invalid drop", ""), "nothing drops");
	CHECK_STR(through("accept", "drop", ""), "blocked");
	CHECK_STR(through("accept", "iifname lan reject", ""), "blocked");
	CHECK_STR(through("accept", THEIRS " accept\nreject with tcp reset", ""), "through");
	/* one that spares what is marked */
	CHECK_STR(through("accept", "meta mark & 0x00100000 == 0 drop", ""), "nothing drops");
	CHECK_STR(
		through("accept", "meta mark & 0x00100000 != 0x00100000 drop\niifname x drop", ""),
		"through");
}

static void chains_that_are_led_to_count(void)
{
	const char *x = "chain x { " THEIRS " accept\n}\n";
	CHECK_STR(through("drop", "", x), "blocked");
	CHECK_STR(through("drop", "jump x", x), "through");
	CHECK_STR(through("drop", "meta l4proto vmap { tcp : goto x }", x), "through");
	CHECK_STR(
		through("drop", "jump y", "chain x { " THEIRS " accept\n}\nchain y { jump x\n}\n"),
		"through");
	CHECK_STR(through("accept", "jump y", "chain y { drop\n}\n"), "blocked");
	CHECK_STR(through("accept", "", "chain y { drop\n}\n"), "nothing drops");
	/* the accept of another chain on a hook is none of this one's */
	CHECK_STR(through("drop", "",
			  "chain before { type filter hook forward priority -5; " THEIRS
			  " accept\n}\n"),
		"blocked");
	CHECK_STR(through("accept", "",
			  "chain in { type filter hook input priority 0; policy drop;\n}\n"),
		"nothing drops");
}

static void it_is_said_which_chain(void)
{
	question = (struct nft_mark_question){.value = 0x00100000,
		.ipv4 = true,
		.ipv6 = true,
		.priority = -10,
		.own_table = "allowsync",
		.own_prefix = "v_"};
	CHECK(lab_nft("flush ruleset\ntable inet filter {\n" FORWARD
		      "}\ntable ip6 x { chain y { type filter hook forward priority 5; policy "
		      "drop;\n}\n}\n",
		"drop", THEIRS " accept"));
	const char *text = look();
	CHECK(strstr(
		text, "2 drop, blocks: ip6 x y by policy, off by inet filter forward handle "));
	question.ipv6 = false;
	text = look();
	CHECK(strstr(text, "1 drop, off by inet filter forward handle "));
	CHECK(lab_nft("flush ruleset\ntable inet early { chain c { type filter hook forward "
		      "priority -150; policy drop;\n" THEIRS " accept\n}\n}\n"));
	CHECK_STR(look(), "1 drop, blocks: inet early c by policy too early");
	CHECK(lab_nft(
		"flush ruleset\ntable inet early { chain c { type filter hook forward "
		"priority -150; tcp flags syn drop\n}\n}\n"
		"table inet asleep { flags dormant; chain c { type filter hook forward "
		"priority 0; policy drop;\n}\n}\n"
		"table inet allowsync { chain v_mark { type filter hook forward priority "
		"-10; drop\n}\nchain theirs { type filter hook forward priority 0; drop\n}\n}\n"));
	CHECK_STR(look(), "1 drop, blocks: inet allowsync theirs");
}

static void a_value_of_several_bits_is_tested_whole(void)
{
	question = (struct nft_mark_question){.value = 0x5, .ipv4 = true, .priority = -10};
	CHECK(lab_nft("flush ruleset\ntable ip t {\n" FORWARD "}\n", "drop",
		"meta mark & 0x000000ff == 0x00000005 accept"));
	CHECK(strstr(look(), "off by"));
	CHECK(lab_nft("flush ruleset\ntable ip t {\n" FORWARD "}\n", "drop",
		"meta mark & 0x000000ff == 0x00000004 accept"));
	CHECK(strstr(look(), "blocks"));
}

int main(void)
{
	if (!lab_enter())
		return 0;
	mark = nft_mark_new();
	TAP_RUN(a_rule_for_the_mark_is_told_from_others);
	TAP_RUN(rules_drop_as_policies_do);
	TAP_RUN(chains_that_are_led_to_count);
	TAP_RUN(it_is_said_which_chain);
	TAP_RUN(a_value_of_several_bits_is_tested_whole);
	nft_mark_free(mark);
	return tap_done();
}
