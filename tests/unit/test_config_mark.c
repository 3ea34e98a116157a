/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [mark]: its values, and what it is for. What is wrong with one is in tests/config/broken. */
#include "../config/config_lab.h"

#include "tap.h"

#define MAIN    ALLOWSYNCD_CONF_DIR "/allowsyncd.conf"
#define DROP_IN ALLOWSYNCD_CONF_DIR "/allowsyncd.conf.d/mark.conf"
#define PACKAGE ALLOWSYNCD_VENDOR_DIR "/b.conf"
#define ADDRESS "[profile]\n[endpoint x]\naddress = 45.1.0.1\nallow = tcp/1\n"

static char *root;
static struct diag_list diags;
static struct config *config;

static void forget(void)
{
	config = config_free(config);
	diag_list_done(&diags);
}

static void load(void)
{
	forget();
	config_load(root, &diags, &config);
}

static void lab_start(const char *main_text)
{
	if (root)
		lab_free(root);
	root = lab_new();
	lab_write(root, PACKAGE,
		"[profile]\n[endpoint x]\naddress = any\nallow = tcp/1\n"
		"[endpoint i]\ndirection = in\naddress = any\nallow = tcp/1\n");
	lab_write(root, MAIN, main_text);
	load();
}

static void mark_has_a_value_within_its_mask(void)
{
	lab_start("[vendor b]\n");
	CHECK_INT(config->mark.value, 0x00100000);
	CHECK_INT(config->mark.mask, 0x00100000);
	CHECK_INT(config->mark.towards.count, 0);
	lab_start("[mark]\nvalue = 0x5\ntowards = wan0, ppp0, wan0\n");
	CHECK_INT(diags.errors, 0);
	CHECK_INT(config->mark.value, 0x5);
	CHECK_INT(config->mark.mask, 0x5);
	CHECK_INT(config->mark.towards.count, 2);
	lab_start("[mark]\nmask = 0xFFF00000\n");
	CHECK_INT(diags.errors, 0);
	CHECK_INT(config->mark.value, 0x00100000);
	CHECK_INT(config->mark.mask, 0xfff00000);
	lab_start("[mark]\nvalue = 0xffffffff\n");
	CHECK_INT(config->mark.mask, 0xffffffff);
}

static bool is_said(const char *what)
{
	_cleanup_free_ char *messages = lab_messages(root, &diags);

	return strstr(messages, what);
}

static void mark_is_for_vendors_without_a_set(void)
{
	lab_start("[vendor b]\n[mark]\ntowards = wan0\n");
	CHECK(!is_said("[mark]"));
	lab_start("[vendor b]\n[mark]\ntowards = wan0\n"
		  "[set s]\nfamily = ip\ntable = t\nset = s\nvendor = b\n");
	CHECK(is_said(
		"allowsyncd.conf:2: warning: [mark] ineffective: no vendor is without a [set]"));
	lab_start("[vendor b]\n[mark]\ntowards = wan0\n[devices d]\ninterface = lan\nvendor = b\n"
		  "[set s]\nfamily = ip\ntable = t\nset = s\nvendor = b\n");
	CHECK(diags.errors == 0 && !is_said("[mark]"));
}

static void any_destination_needs_interfaces_towards_the_outside(void)
{
	lab_start("[vendor b]\n");
	CHECK(is_said("[vendor b] x: any destination needs towards = in [mark]"));
	CHECK(!is_said("i: any destination"));
	CHECK_INT(config->undone_count, 2);
	lab_write(root, DROP_IN, "[mark]\ntowards = wan0\n");
	load();
	CHECK(!is_said("any destination"));
	CHECK_INT(config->undone_count, 1);
}

static void rules_are_loaded_unless_the_admin_does(void)
{
	static const char *const own[] = {"", "[mark]\nload = yes\n"};

	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		lab_start("[vendor b]\n");
		lab_write(root, PACKAGE, ADDRESS);
		lab_write(root, DROP_IN, own[i]);
		load();
		CHECK(config->mark.load);
		CHECK(!is_said("no [set] takes it"));
	}
	lab_write(root, DROP_IN, "[mark]\nload = no\n");
	load();
	CHECK(!config->mark.load);
	CHECK(is_said("[vendor b] no [set] takes it: to be marked by what allowsyncctl rules"));
}

int main(void)
{
	TAP_RUN(rules_are_loaded_unless_the_admin_does);
	TAP_RUN(mark_has_a_value_within_its_mask);
	TAP_RUN(mark_is_for_vendors_without_a_set);
	TAP_RUN(any_destination_needs_interfaces_towards_the_outside);
	forget();
	lab_free(root);
	return tap_done();
}
