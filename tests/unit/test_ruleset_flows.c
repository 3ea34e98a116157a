/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the managed table does to flows that it allows, as far as no golden file shows it. */
#include "../config/config_lab.h"

#include "core/ruleset.h"
#include "nft_lab.h"

static bool has_kernel;
static struct strings outside;
static const struct timeouts usual = {
	{120, 60, 432000, 120, 60, 30, 120, 10, 120, 300, 300, 30, 120}};
static struct ruleset_facts machine = {.outside = &outside};
static char *root;

static void begin(const char *main_text, const char *profile)
{
	if (root)
		lab_free(root);
	root = lab_new();
	lab_write(root, ALLOWSYNCD_CONF_DIR "/allowsyncd.conf", main_text);
	lab_write(root, ALLOWSYNCD_CONF_DIR "/vendors/acme.conf", profile);
}

/* The caller frees it. */
static char *text_of_root(void)
{
	struct diag_list diags = DIAG_LIST_NULL;
	struct config *config;

	config_load(root, &diags, &config);
	CHECK_INT(diags.errors, 0);
	char *text = ruleset_text(config, &machine);
	config_free(config);
	diag_list_done(&diags);
	return text;
}

/* Content that changes has another name, what is not used any more goes, what stays is not touched,
 * and what others called so neither. */
static void a_reload_replaces_policies_whose_content_changed(void)
{
	static const char *const minimum = "[profile]\nudp-timeout-min = %ds\n[endpoint e]\n"
					   "name = a.example\nallow = udp/1\n";
	char *standing[] = {(char[]){"v_udp.600.00000000"}, (char[]){"v_tcp.9.abc"},
		(char[]){"v_udp.hers"}, (char[]){"hers"}, (char[]){"v_udp.6;}"}};
	_cleanup_free_ char *ten = xasprintf(minimum, 600), *five = xasprintf(minimum, 300);

	machine.timeouts = usual;
	begin("[vendor acme]\n", ten);
	_cleanup_free_ char *before = text_of_root();
	CHECK(before && strstr(before, "unreplied : 600, replied : 600"));
	CHECK(!strstr(before, "delete"));
	begin("[vendor acme]\n", five);
	machine.policies = (struct strings){standing, ARRAY_LEN(standing), 0};
	_cleanup_free_ char *after = text_of_root();
	/* Of a protocol that is not known nothing is deleted. */
	machine.timeouts.s[TIMEOUTS_TCP_CLOSE] = 0;
	_cleanup_free_ char *unknown = text_of_root();
	machine.policies = (struct strings){0};
	CHECK_INT(lab_count(after, "delete ct timeout inet allowsync "), 2);
	CHECK(strstr(after, "delete ct timeout inet allowsync v_udp.600.00000000\n"));
	CHECK(strstr(after, "delete ct timeout inet allowsync v_tcp.9.abc\n"));
	CHECK_INT(lab_count(unknown, "delete ct timeout inet allowsync v_udp.600.00000000\n"), 1);
	CHECK_INT(lab_count(unknown, "delete"), 1);
	if (!has_kernel)
		TAP_SKIP("needs root");
	CHECK(unshare(CLONE_NEWNET) == 0);
	CHECK(lab_nft("%s", before));
	CHECK(lab_nft("table inet allowsync {\nct timeout hers {\nprotocol udp\n}\n}\n"));
	char first[64];
	CHECK(sscanf(strstr(before, "ct timeout v_"), "ct timeout %60s", first) == 1);
	standing[0] = first;
	machine.policies = (struct strings){standing, ARRAY_LEN(standing), 0};
	_cleanup_free_ char *next = text_of_root();
	CHECK(lab_nft("%s", next));
	CHECK(lab_nft("%s", next)); /* it is gone already */
	machine.policies = (struct strings){0};
	const char *list = lab_output("nft list ruleset");
	CHECK_INT(lab_count(list, "ct timeout v_"), 1);
	/* nft 1.1 counts in minutes. */
	CHECK_INT(lab_count(list, "unreplied : 300, replied : 300") +
			  lab_count(list, "unreplied : 5m, replied : 5m"),
		1);
	CHECK_INT(lab_count(list, "ct timeout hers"), 1);
}

int main(void)
{
	has_kernel = geteuid() == 0 && unshare(CLONE_NEWNET) == 0;
	TAP_RUN(a_reload_replaces_policies_whose_content_changed);
	if (root)
		lab_free(root);
	return tap_done();
}
