/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [devices NAME] and what [vendor] denies: their values, and what is said of them. What is wrong
 * with one is in tests/config/broken. */
#include "../config/config_lab.h"

#include "tap.h"

#define MAIN    ALLOWSYNCD_CONF_DIR "/allowsyncd.conf"
#define PACKAGE ALLOWSYNCD_VENDOR_DIR "/b.conf"
#define D       "[devices d]\nvendor = b\n"

static char *root;
static struct diag_list diags;
static struct config *config;

static void forget(void)
{
	config = config_free(config);
	diag_list_done(&diags);
}

static const struct config_devices *load(const char *main_text)
{
	forget();
	if (root)
		lab_free(root);
	root = lab_new();
	lab_write(root, PACKAGE,
		"[profile]\nrole = r, s, t\n"
		"[endpoint x]\nrole = r\nname = x.example, y.example\naddress = 45.1.0.0/16\n"
		"allow = tcp/1-100\n"
		"[endpoint i]\nrole = s\ndirection = in\naddress = any\nallow = tcp/1\n"
		"[endpoint src]\nrole = s\ndirection = in\nname = s.example\nallow = tcp/1\n"
		"[endpoint both]\nrole = s\ndirection = both\nname = z.example\nallow = tcp/1\n"
		"[endpoint any]\nrole = t\naddress = any\nallow = udp/1\nwarning = old\n"
		"[endpoint no]\ndefault = no\nname = no.example, y.example\nallow = tcp/50\n"
		"[endpoint other]\ndefault = no\nname = x.example\nallow = tcp/101, udp/50, icmp\n"
		"[endpoint nets]\ndefault = no\naddress = 45.1.9.0-45.1.9.7\nallow = tcp\n");
	lab_write(root, MAIN, main_text);
	config_load(root, &diags, &config);
	return config->devices_count ? &config->devices[0] : NULL;
}

static bool is_said(const char *what)
{
	_cleanup_free_ char *messages = lab_messages(root, &diags);

	return strstr(messages, what);
}

static void group_has_defaults(void)
{
	const struct config_devices *d =
		load("[vendor b]\nrole = r\n[devices d]\ninterface = lan\nvendor = b\n");

	CHECK_INT(diags.errors, 0);
	CHECK_INT(config->devices_count, 1);
	CHECK(str_eq(d->name, "d") && d->at.line == 3);
	CHECK_INT(d->interfaces.count, 1);
	CHECK_INT(d->address_count + d->macs.count + d->towards.count, 0);
	CHECK(!d->enforce && !d->keep_flows);
	CHECK_INT(d->dns, CONFIG_REACH_PROFILE);
	CHECK_INT(d->ntp, CONFIG_REACH_PROFILE);
	CHECK_INT(d->ipv6, CONFIG_IPV6_LIKE_IPV4);
	CHECK_INT(d->log_group, 4747);
}

static void group_has_what_is_said(void)
{
	const struct config_devices *d =
		load("[vendor b]\nrole = r\n" D "interface = lan, vlan20, lan\n"
		     "mac = 00:22:4D:01:02:AF, 00:22:4d:01:02:af\n"
		     "address = 10.0.0.0/24, 10.0.0.7, fd00::1\n"
		     "towards = wan0\nmode = enforce\nflows = keep\n"
		     "dns = 9.9.9.9, 2620:fe::fe, 9.9.9.9\nntp = any\n"
		     "log-group = 1\n");
	char text[ADDR_RANGE_TEXT_SIZE];

	CHECK_INT(diags.errors, 0);
	CHECK_INT(d->interfaces.count, 2);
	CHECK_INT(d->macs.count, 1);
	CHECK_STR(d->macs.items[0], "00:22:4d:01:02:af");
	CHECK_INT(d->address_count, 2); /* one that is in another is no second one */
	CHECK_STR(addr_range_format(&d->addresses[0], text), "10.0.0.0/24");
	CHECK_STR(addr_range_format(&d->addresses[1], text), "fd00::1");
	CHECK_STR(d->towards.items[0], "wan0");
	CHECK(d->enforce && d->keep_flows);
	CHECK_INT(d->dns, CONFIG_REACH_ADDRESSES);
	CHECK_INT(d->dns_server_count, 2);
	CHECK_INT(d->ntp, CONFIG_REACH_ANY);
	CHECK_INT(d->log_group, 1);
	d = load("[vendor b]\nrole = r\n" D "interface = lan\ndns = gateway\nntp = gateway\n");
	CHECK(d->dns == CONFIG_REACH_GATEWAY && d->ntp == CONFIG_REACH_GATEWAY);
	d = load("[vendor b]\nrole = r\n" D "interface = lan\ndns = any\nntp = profile\n");
	CHECK(d->dns == CONFIG_REACH_ANY && d->ntp == CONFIG_REACH_PROFILE);
}

static void ipv6_of_a_group_is_said_or_follows(void)
{
	CHECK_INT(load("[vendor b]\n" D "address = 10.0.0.1\nipv6 = ignore\n")->ipv6,
		CONFIG_IPV6_IGNORE);
	CHECK_INT(diags.errors, 0);
	CHECK_INT(load("[vendor b]\n" D "mac = 00:22:4d:01:02:03\naddress = 10.0.0.1\n"
		       "ipv6 = reject\n")
			  ->ipv6,
		CONFIG_IPV6_REJECT);
	CHECK_INT(diags.errors, 0);
	load("[vendor b]\n" D "interface = lan\naddress = 10.0.0.1\n");
	CHECK(is_said("allowsyncd.conf:5: [devices d] address: names IPv4 only"));
	load("[vendor b]\n" D "address = fd00::1\n");
	CHECK_INT(diags.errors, 0);
	CHECK(is_said("warning: [devices d] address: names IPv6 only"));
}

static void too_many_groups_are_refused(void)
{
	struct strbuf text = STRBUF_NULL;

	strbuf_append(&text, "[vendor b]\n");
	for (int i = 0; i < CONFIG_DEVICES_MAX; i++)
		strbuf_appendf(&text, "[devices d%d]\nvendor = b\ninterface = lan\n", i);
	load(strbuf_text(&text));
	CHECK_INT(diags.errors, 0);
	CHECK_INT(config->devices_count, CONFIG_DEVICES_MAX);
	strbuf_append(&text, "[devices more]\nvendor = b\ninterface = lan\n");
	load(strbuf_text(&text));
	CHECK_INT(diags.errors, 1);
	CHECK(is_said("[devices more] more than 256 groups"));
	strbuf_clear(&text);
	for (int i = 0; i < 100; i++)
		strbuf_appendf(&text, "[vendor v%d]\nprofile = b\n", i);
	for (int i = 0; i < 101; i++) {
		strbuf_appendf(&text, "[devices d%d]\ninterface = lan\n", i);
		for (int k = 0; k < 100; k++)
			strbuf_appendf(&text, "vendor = v%d\n", k);
	}
	load(strbuf_text(&text));
	CHECK_INT(diags.errors, 1);
	CHECK(is_said("[devices d100] vendor: more than 10000 vendors"));
	strbuf_done(&text);
}

/* --- what of the vendors is for whom --- */

static const struct config_set *managed(const char *name)
{
	for (size_t i = 0; i < config->set_count; i++) {
		if (config->sets[i].managed && str_eq(config->sets[i].id.name, name))
			return &config->sets[i];
	}
	return NULL;
}

/* The endpoints that the set takes, "x both ". */
static const char *taken_by(const struct config_set *s)
{
	static char text[256];
	struct strbuf b = STRBUF_NULL;
	const struct config_vendor *v = &config->vendors[0];

	for (size_t i = 0; s && i < v->endpoint_count; i++) {
		if (config_set_takes(s, v, &v->endpoints[i]))
			strbuf_appendf(&b, "%s ", v->endpoints[i].endpoint->name);
	}
	snprintf(text, sizeof(text), "%s", strbuf_text(&b));
	strbuf_done(&b);
	return text;
}

#define SET "[set s]\nfamily = ip\ntable = t\nset = s\nvendor = b\n"

static void vendor_of_a_group_has_managed_sets_beside_a_set(void)
{
	load("[vendor b]\nrole = r, s\n" SET D "interface = lan\n");
	CHECK_INT(diags.errors, 0);
	CHECK_STR(taken_by(managed("v_b.x4")), "x ");
	CHECK_STR(taken_by(managed("v_b.x.nets4")), "x ");
	CHECK_STR(taken_by(managed("v_b4")), "both ");
	CHECK_STR(taken_by(managed("v_b.both.in4")), "both ");
	CHECK_STR(taken_by(managed("v_b.src.in6")), "src ");
	CHECK(!managed("v_b.i.in4")); /* of any source: a rule alone */
	CHECK_STR(taken_by(&config->sets[0]), "x both ");
	load("[vendor b]\nrole = r, s\n" SET);
	CHECK_INT(config->set_count, 1);
}

static void inbound_needs_more_than_a_mac_address(void)
{
	static const char *const known[] = {"interface = lan\n", "address = 10.0.0.1, fd00::1\n",
		"mac = 00:22:4d:01:02:03\naddress = 10.0.0.1, fd00::1\n"};
	static const char *const unknown[] = {
		"mac = 00:22:4d:01:02:03\n", "interface = lan\nmac = 00:22:4d:01:02:03\n"};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		_cleanup_free_ char *text = xasprintf("[vendor b]\nrole = s\n" D "%s", known[i]);
		load(text);
		CHECK_INT(diags.errors, 0);
		CHECK(managed("v_b.both.in4") && !is_said("inbound"));
	}
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
		_cleanup_free_ char *text = xasprintf("[vendor b]\nrole = s\n" D "%s", unknown[i]);
		load(text);
		CHECK_INT(diags.errors, 0);
		CHECK(!managed("v_b.both.in4"));
		CHECK(is_said("[devices d] b/both is inbound, and on the way in no MAC address"));
		CHECK(is_said("[devices d] b/i is inbound, and on the way in no MAC address"));
	}
}

static void any_destination_of_a_group_needs_no_more(void)
{
	load("[vendor b]\nrole = t\n");
	CHECK(is_said("any: any destination needs towards = in [mark]"));
	load("[vendor b]\nrole = t\n" D "interface = lan\n");
	CHECK(!is_said("any destination") && is_said("any: old"));
}

static void denied_endpoint_is_in_no_set_but_its_own(void)
{
	load("[vendor b]\nrole = r\ndeny = no, nets\n" SET D "interface = lan\n");
	CHECK_INT(diags.errors, 0);
	CHECK_INT(config->vendors[0].endpoint_count, 3);
	CHECK_STR(taken_by(managed("v_b.no.deny4")), "no ");
	CHECK_STR(taken_by(managed("v_b.no.deny6")), "no ");
	CHECK_STR(taken_by(managed("v_b.nets.deny.nets4")), "nets ");
	CHECK(!managed("v_b.nets.deny4") && !managed("v_b.no4") && !managed("v_b4"));
	CHECK_STR(taken_by(&config->sets[0]), "x ");
	/* what would be there by default */
	load("[vendor b]\nrole = r\ndeny = x\n" D "interface = lan\n");
	CHECK_INT(diags.errors, 0);
	CHECK_STR(taken_by(managed("v_b.x.deny4")), "x ");
	CHECK(!managed("v_b.x4"));
	/* its warning is about allowing it */
	load("[vendor b]\nrole = r\ndeny = any\n" D "interface = lan\n");
	CHECK(diags.errors == 0 && !is_said("old") && !is_said("any destination"));
}

static void denial_that_meets_what_is_allowed_is_told(void)
{
	load("[vendor b]\nrole = r\ndeny = no, nets\n" D "interface = lan\n");
	CHECK(is_said("allowsyncd.conf:3: warning: [vendor b] deny: no: with y.example it denies "
		      "what b/x allows"));
	CHECK(is_said("deny: nets: with 45.1.9.0-45.1.9.7 it denies what b/x allows") ||
		is_said("deny: nets: with 45.1.9.0/29 it denies what b/x allows"));
	/* by another service, or to other devices */
	load("[vendor b]\nrole = r\ndeny = other\n" D "interface = lan\n");
	CHECK(diags.errors == 0 && !is_said("it denies"));
	load("[vendor b]\nrole = s\ndeny = no\n" D "interface = lan\n[vendor c]\nprofile = b\n"
	     "role = r\n[devices e]\nvendor = c\ninterface = lan\n");
	CHECK(diags.errors == 0 && !is_said("it denies"));
	load("[vendor b]\nrole = s\ndeny = no\n" D "interface = lan\n[vendor c]\nprofile = b\n"
	     "role = r\n[devices e]\nvendor = c, b\ninterface = lan\n");
	CHECK(is_said("deny: no: with y.example it denies what c/x allows"));
}

/* --- classes of DiffServ --- */

static void class_of_a_vendor_is_read_by_name_or_number(void)
{
	static const struct {
		const char *text;
		int number;
	} classes[] = {{"ef", 46}, {"va", 44}, {"be", 0}, {"le", 1}, {"cs0", 0}, {"cs7", 56},
		{"af11", 10}, {"af23", 22}, {"af41", 34}, {"af43", 38}, {"0", 0}, {"63", 63}};
	static const char *const others[] = {"EF", "cs8", "cs", "cs77", "af44", "af51", "af01",
		"af10", "af1", "af111", "64", "0x2e", "-1", "e", "ef1"};

	load("[vendor b]\n");
	CHECK(!config->vendors[0].has_dscp);
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		_cleanup_free_ char *text = xasprintf("[vendor b]\ndscp = %s\n", classes[i].text);
		load(text);
		CHECK_INT(diags.errors, 0);
		CHECK(config->vendors[0].has_dscp);
		CHECK_INT(config->vendors[0].dscp, classes[i].number);
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		_cleanup_free_ char *text = xasprintf("[vendor b]\ndscp = %s\n", others[i]);
		load(text);
		CHECK_INT(diags.errors, 1);
		CHECK(is_said("allowsyncd.conf:2: [vendor b] dscp: "));
	}
}

static void class_is_for_vendors_of_the_managed_table(void)
{
	load("[vendor b]\ndscp = ef\n");
	CHECK(!is_said("dscp"));
	load("[vendor b]\ndscp = ef\n" SET D "interface = lan\n");
	CHECK(diags.errors == 0 && !is_said("dscp"));
	load("[vendor b]\ndscp = ef\n" SET);
	CHECK(diags.errors == 0 && is_said("warning: [vendor b] dscp: is set by the rules of"));
}

/* --- what is not carried out --- */

static void what_is_not_carried_out_is_said(void)
{
	load("[vendor b]\nrole = r\ndeny = no\n" D "interface = lan\nlog-group = 9\n");
	CHECK_INT(config->undone_count, 0);
	CHECK(!is_said("confined by") && !is_said("no [set] takes it"));
	load("[mark]\nload = no\n[vendor b]\nrole = r\n" D "interface = lan\n");
	CHECK(is_said("allowsyncd.conf:5: warning: [devices d] confined by what allowsyncctl rules "
		      "prints, once that is loaded"));
	CHECK(!is_said("no [set] takes it"));
	load("[vendor b]\nrole = r\n" D "interface = lan\nmode = enforce\n");
	CHECK_INT(config->undone_count, 0);
}

static void interface_on_both_sides_is_told(void)
{
	load("[vendor b]\nrole = r\n" D "interface = lan, eth0\ntowards = eth0\n");
	CHECK(is_said(
		"allowsyncd.conf:3: warning: [devices d] interface: \"eth0\" is one towards"));
	CHECK(!is_said("\"lan\""));
	load("[vendor b]\nrole = r\n" D "interface = eth0\n[mark]\ntowards = eth0\n");
	CHECK(is_said("interface: \"eth0\" is one towards"));
	load("[vendor b]\nrole = r\n" D "interface = eth0\ntowards = w\n[mark]\ntowards = eth0\n");
	CHECK(!is_said("is one towards"));
}

int main(void)
{
	TAP_RUN(group_has_defaults);
	TAP_RUN(group_has_what_is_said);
	TAP_RUN(ipv6_of_a_group_is_said_or_follows);
	TAP_RUN(too_many_groups_are_refused);
	TAP_RUN(vendor_of_a_group_has_managed_sets_beside_a_set);
	TAP_RUN(inbound_needs_more_than_a_mac_address);
	TAP_RUN(any_destination_of_a_group_needs_no_more);
	TAP_RUN(denied_endpoint_is_in_no_set_but_its_own);
	TAP_RUN(denial_that_meets_what_is_allowed_is_told);
	TAP_RUN(class_of_a_vendor_is_read_by_name_or_number);
	TAP_RUN(class_is_for_vendors_of_the_managed_table);
	TAP_RUN(what_is_not_carried_out_is_said);
	TAP_RUN(interface_on_both_sides_is_told);
	forget();
	lab_free(root);
	return tap_done();
}
