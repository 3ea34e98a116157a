/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules that mark: of each ruleset/NAME.conf exactly ruleset/NAME.nft must come out, and nft
 * must take it, keep it and give it back. `test_ruleset SOURCE write` writes the texts anew: read
 * the difference before it is committed. */
#include "../config/config_lab.h"

#include "core/config_build.h"
#include "core/profile_build.h"
#include "core/ruleset.h"
#include "edge/public_suffix.h"
#include "nft_lab.h"

#include <dirent.h>

#define MAIN   ALLOWSYNCD_CONF_DIR "/allowsyncd.conf"
#define ADMINS ALLOWSYNCD_CONF_DIR "/vendors/"

static const char *source, *current;
static bool writing, has_kernel;
static struct diag_list diags;
/* Of the machine: where its default routes lead. */
static char *uplinks[] = {(char[]){"ppp0"}, (char[]){"wwan0"}};
static struct strings outside = {uplinks, ARRAY_LEN(uplinks), ARRAY_LEN(uplinks)};
static const struct timeouts usual = {
	{120, 60, 432000, 120, 60, 30, 120, 10, 120, 300, 300, 30, 120}};
static const struct timeouts hasty = {{121, 61, 300, 400, 61, 31, 121, 11, 121, 301, 301, 33, 150}};
static struct ruleset_facts machine = {.outside = &outside};

/* NULL: refused, and `diags` says why. The caller frees it. */
static char *text_of_root(const char *root)
{
	struct config *config;
	char *text = NULL;

	diag_list_done(&diags);
	config_load(root, &diags, &config);
	if (!diags.errors)
		text = ruleset_text(config, &machine);
	config_free(config);
	return text;
}

static char *text_of_case(void)
{
	_cleanup_free_ char *conf = xasprintf("%s/tests/unit/ruleset/%s.conf", source, current);
	_cleanup_free_ char *vendors = xasprintf("%s/tests/unit/ruleset/vendors", source);
	_cleanup_free_ char *packaged = xasprintf("%s/conf/vendors", source);
	char *root = lab_new();

	outside.count = strstr(current, "no-route") ? 0 : ARRAY_LEN(uplinks);
	machine.timeouts = strstr(current, "timeouts-unknown") ? (struct timeouts){0}
			   : strstr(current, "timeouts")       ? hasty
							       : usual;
	lab_link(root, MAIN, conf);
	lab_link(root, ALLOWSYNCD_CONF_DIR "/vendors", vendors);
	lab_link(root, ALLOWSYNCD_VENDOR_DIR, packaged);
	char *text = text_of_root(root);
	if (!text) {
		_cleanup_free_ char *messages = lab_messages(root, &diags);
		printf("# %s\n", messages);
	}
	lab_free(root);
	return text;
}

static char *read_golden(const char *path)
{
	struct strbuf b = STRBUF_NULL;
	char bytes[4096];
	size_t n;
	FILE *f = fopen(path, "re");

	while (f && (n = fread(bytes, 1, sizeof(bytes), f)))
		strbuf_append_bytes(&b, bytes, n);
	if (f)
		fclose(f);
	strbuf_append(&b, "");
	return strbuf_take(&b);
}

static void text_is_as_recorded(void)
{
	_cleanup_free_ char *path = xasprintf("%s/tests/unit/ruleset/%s.nft", source, current);
	_cleanup_free_ char *text = text_of_case();
	_cleanup_(strbuf_done) struct strbuf got = STRBUF_NULL;

	CHECK(text);
	strbuf_append(&got, text);
	lab_replace(&got, ALLOWSYNCD_VENDOR_DIR, "@VENDORS@");
	if (writing) {
		FILE *f = fopen(path, "we");
		CHECK(f);
		fputs(strbuf_text(&got), f);
		fclose(f);
	}
	_cleanup_free_ char *want = read_golden(path);
	if (!str_eq(strbuf_text(&got), want))
		printf("# %s: got\n%s", current, strbuf_text(&got));
	CHECK(str_eq(strbuf_text(&got), want));
	/* and of the same files the same bytes, run after run */
	_cleanup_free_ char *again = text_of_case();
	CHECK_STR(again, text);
}

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

static _printf_(1, 2) bool checked(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	bool fine = lab_vfeed("nft -c -f -", fmt, args);
	va_end(args);
	return fine;
}

static void nft_takes_it_and_gives_it_back(void)
{
	if (!has_kernel)
		TAP_SKIP("needs root");
	_cleanup_free_ char *text = text_of_case();
	CHECK(text);
	CHECK(unshare(CLONE_NEWNET) == 0);
	CHECK(checked("%s", text));
	CHECK_STR(lab_output("nft list ruleset"), "");
	CHECK(lab_nft("%s", text));
	_cleanup_free_ char *first = listed();
	CHECK(strstr(first, "\"name\": \"" RULESET_CHAIN "\""));
	CHECK_STR(lab_output("nft list tables"), "table inet allowsync\n");
	CHECK(lab_nft("%s", text)); /* once more: nothing is there twice */
	_cleanup_free_ char *second = listed();
	CHECK_STR(second, first);
	_cleanup_free_ char *plain = xstrdup(lab_output("nft list ruleset"));
	CHECK(unshare(CLONE_NEWNET) == 0);
	CHECK(lab_nft("%s", plain));
	_cleanup_free_ char *back = listed();
	CHECK_STR(back, first);
}

/* --- what no golden file shows --- */

static char *root;

static void begin(const char *main_text, const char *profile)
{
	if (root)
		lab_free(root);
	root = lab_new();
	lab_write(root, MAIN, main_text);
	lab_write(root, ADMINS "acme.conf", profile);
}

/* '\1' is replaced. */
#define X           "\1"
#define GROUP(name) "[devices " name "]\nvendor = acme\n"
#define ENDPOINT    "[profile]\n[endpoint e]\nallow = tcp/443\n"

/* The daemon fills what the text declares, and each endpoint's part of it. */
static void sets_of_the_text_are_the_configurations(void)
{
	static const struct {
		const char *name, *endpoints;
		enum config_content content;
	} want[] = {
		{"v_acme4", "few, both", CONFIG_CONTENT_EXACT},
		{"v_acme6", "few", CONFIG_CONTENT_EXACT},
		{"v_acme.few.nets4", "few", CONFIG_CONTENT_NETS},
		{"v_acme.ping4", "ping", CONFIG_CONTENT_EXACT},
	};
	struct config *config;

	begin("[vendor acme]\n",
		"[profile]\n[endpoint few]\nname = a.example\naddress = 45.9.0.0/16\n"
		"allow = tcp/1-16\n"
		"[endpoint both]\ndirection = both\naddress = 45.1.0.2\nallow = tcp/1\n"
		"[endpoint in]\ndirection = in\naddress = 45.1.0.3\nallow = tcp/1\n"
		"[endpoint ping]\nname = b.example\nallow = icmp/echo-request\n");
	_cleanup_free_ char *text = text_of_root(root);
	config_load(root, &diags, &config);
	size_t count = config->set_count, same = 0;
	for (size_t i = 0; i < count && i < ARRAY_LEN(want); i++) {
		const struct config_set *s = &config->sets[i];
		_cleanup_free_ char *line = xasprintf("\tset %s {\n", s->id.name);
		_cleanup_free_ char *endpoints = strings_join(&s->endpoints, ", ");
		same += s->managed && strstr(text, line) && str_eq(s->id.name, want[i].name) &&
			str_eq(endpoints, want[i].endpoints) && s->content == want[i].content &&
			str_eq(s->id.table, RULESET_TABLE) && s->direction == DIRECTION_OUT;
	}
	config_free(config);
	CHECK_INT(count, ARRAY_LEN(want));
	CHECK_INT(lab_count(text, "\tset v_"), count);
	CHECK_INT(same, count);
}

static void rules_do_not_grow_with_addresses(void)
{
	struct strbuf many = STRBUF_NULL;

	begin("[vendor acme]\n", ENDPOINT "name = a.example\naddress = 45.1.0.1, 45.9.0.0/16\n");
	_cleanup_free_ char *few = text_of_root(root);
	strbuf_append(&many, ENDPOINT);
	for (int i = 0; i < 2000; i++)
		strbuf_appendf(&many, "name = a%d.example\naddress = 45.1.%d.%d, 45.9.%d.0/24\n", i,
			i / 250, i % 250, i % 250);
	begin("[vendor acme]\n", strbuf_text(&many));
	_cleanup_free_ char *lots = text_of_root(root);
	strbuf_done(&many);
	CHECK(few);
	CHECK_STR(lots, few);
}

static void what_is_left_out_of_an_endpoint_leaves_out_no_more(void)
{
	static const char *const configs[] = {"[vendor acme]\n[mark]\ntowards = wan\n",
		"[vendor acme]\n" GROUP("d") "interface = lan\n"};

	for (size_t i = 0; i < ARRAY_LEN(configs); i++) {
		begin(configs[i], ENDPOINT "address = any\nname = *.a.example\n");
		_cleanup_free_ char *text = text_of_root(root);
		CHECK(text);
		CHECK_INT(lab_count(text, "not in these rules: acme/e"), 1);
		CHECK_INT(lab_count(text, "\t\ttcp dport 443 meta mark set"), 1);
	}
}

/* Lines that begin so, each with its name, and none twice: nft would take two for one. */
static bool are_distinct(const char *text, const char *kind)
{
	_cleanup_(strings_done) struct strings seen = {0};
	bool distinct = true;

	for (const char *at = text; (at = strstr(at, kind)); at += strlen(kind)) {
		_cleanup_free_ char *line = xstrndup(at, strcspn(at + 1, "\n") + 1);
		if (strings_has(&seen, line))
			printf("# twice: %s\n", line);
		distinct = distinct && !strings_has(&seen, line);
		strings_add(&seen, line);
	}
	return distinct && seen.count;
}

static void no_two_sets_or_chains_have_one_name(void)
{
	static const char *const names[] = {"in", "deny", "out", "nets", "refuse", "mark", "group",
		"vendor", "confine", "a", "a4", "in4", "deny4"};
	struct strbuf main_text = STRBUF_NULL, profile = STRBUF_NULL, list = STRBUF_NULL;

	strbuf_append(&profile, "[profile]\n[endpoint denied]\naddress = 45.1.0.1, 45.2.0.0/16, "
				"2a00:1::1, 2a00:2::/32\nname = d.example\nallow = tcp/9\n");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		strbuf_appendf(&profile,
			"[endpoint %s]\ndirection = both\naddress = 45.1.0.1, 45.2.0.0/16, "
			"2a00:1::1, 2a00:2::/32\nname = n.example\nallow = tcp/%s\n",
			names[i], i % 2 ? "1" : "1-1000");
		strbuf_appendf(
			&main_text, "[vendor %s]\nprofile = acme\ndeny = denied\n", names[i]);
		strbuf_appendf(&list, "vendor = %s\n", names[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		strbuf_appendf(&main_text, "[devices %s]\ninterface = lan\n%s", names[i],
			strbuf_text(&list));
	begin(strbuf_text(&main_text), strbuf_text(&profile));
	_cleanup_free_ char *text = text_of_root(root);
	strbuf_done(&main_text);
	strbuf_done(&profile);
	strbuf_done(&list);
	CHECK(text);
	CHECK(are_distinct(text, "\n\tset ") && are_distinct(text, "\n\tchain "));
}

static void rules_of_groups_do_not_grow_with_what_vendors_have(void)
{
	static const char *const endpoints =
		"name = a.example\nallow = tcp/1-99\n[endpoint f]\nname = b.example\nallow = icmp\n"
		"[endpoint g]\ndirection = both\naddress = 45.9.0.0/16\nallow = tcp/7\n";
	_cleanup_free_ char *profile = xasprintf(ENDPOINT "%s", endpoints);
	size_t lines[2];

	for (size_t i = 0; i < 2; i++) {
		begin(i ? "[vendor acme]\n" GROUP("d") "interface = a\n" GROUP(
				  "e") "interface = b\n"
			: "[vendor acme]\n" GROUP("d") "interface = a\n",
			profile);
		_cleanup_free_ char *text = text_of_root(root);
		CHECK(text);
		lines[i] = lab_count(text, "meta mark set");
		CHECK_INT(lab_count(text, "jump v_vendor.acme.out"), i + 1);
	}
	CHECK(lines[0] > 4);
	CHECK_INT(lines[1], lines[0]);
}

static void a_reload_keeps_elements_and_replaces_rules(void)
{
	if (!has_kernel)
		TAP_SKIP("needs root");
	CHECK(unshare(CLONE_NEWNET) == 0);
	begin("[vendor acme]\n", ENDPOINT "name = a.example\n");
	_cleanup_free_ char *before = text_of_root(root);
	CHECK(before && lab_nft("%s", before));
	CHECK(lab_nft("add element inet allowsync v_acme4 { 45.1.0.1 . tcp . 443 }\n"));
	begin("[vendor acme]\n[mark]\nvalue = 0x2\n", ENDPOINT "name = a.example, b.example\n");
	_cleanup_free_ char *after = text_of_root(root);
	CHECK(after && lab_nft("%s", after));
	const char *list = lab_output("nft list ruleset");
	CHECK_INT(lab_count(list, "45.1.0.1 . tcp . 443"), 1);
	CHECK_INT(lab_count(list, "ip daddr"), 1);
	CHECK_INT(lab_count(list, "0x00000002"), 2); /* v4 and v6 */
	CHECK_INT(lab_count(list, "0x00100000"), 0);
}

static void hook_tests_the_bits_that_are_set(void)
{
	struct config c = {.mark = {.value = 0x5, .mask = 0xff}};
	_cleanup_free_ char *hook = ruleset_hook(&c);

	CHECK_STR(hook, "meta mark & 0x000000ff == 0x00000005 accept");
	if (!has_kernel)
		TAP_SKIP("needs root");
	CHECK(lab_nft(
		"table inet t { chain c { type filter hook forward priority 0; %s\n}\n}\n", hook));
}

/* --- every byte value in every string --- */

struct hole {
	const char *what, *main_text, *profile, *drop_in; /* drop_in: a file's name, NULL: none */
};
static const struct hole holes[] = {
	{"vendor", "[vendor a" X "]\nprofile = acme\n", ENDPOINT "name = a.example\n", NULL},
	{"vendor's first", "[vendor " X "a]\nprofile = acme\n", ENDPOINT "name = a.example\n",
		NULL},
	{"profile", "[vendor a]\nprofile = acme" X "\n", ENDPOINT "name = a.example\n", NULL},
	{"interface", "[vendor acme]\n[mark]\ntowards = wan" X "0\n", ENDPOINT "address = any\n",
		NULL},
	{"interface's last", "[vendor acme]\n[mark]\ntowards = wan" X "\n",
		ENDPOINT "address = any\n", NULL},
	{"value", "[vendor acme]\n[mark]\nvalue = 0x1" X "\n", ENDPOINT "name = a.example\n", NULL},
	{"mask", "[vendor acme]\n[mark]\nvalue = 0x1\nmask = 0x" X "1\n",
		ENDPOINT "name = a.example\n", NULL},
	{"endpoint", "[vendor acme]\n",
		"[profile]\n[endpoint e" X "]\nname = a.example\n"
		"allow = tcp/1\n",
		NULL},
	{"service", "[vendor acme]\n",
		"[profile]\n[endpoint e]\nname = a.example\n"
		"allow = tcp/1" X "\n",
		NULL},
	{"type", "[vendor acme]\n",
		"[profile]\n[endpoint e]\nname = a.example\n"
		"allow = icmp/echo-request" X "\n",
		NULL},
	{"name", "[vendor acme]\n", ENDPOINT "name = a" X ".example\n", NULL},
	{"address", "[vendor acme]\n", ENDPOINT "address = 45.1.0.1" X "\n", NULL},
	{"variable", "[vendor acme]\nv = 45.1.0.1" X "\n",
		ENDPOINT "address = {v}\n[variable v]\nkind = host\n", NULL},
	{"role", "[vendor acme]\nrole = r" X "\n",
		"[profile]\nrole = r" X "\n[endpoint e]\nrole = r" X "\nname = a.example\n"
		"allow = tcp/1\n",
		NULL},
	{"text", "[vendor acme]\n",
		"[profile]\ntitle = a" X "b\nnote = a" X "b\npage = " X "\n"
		"[endpoint e]\nname = a.example\nallow = tcp/1\ninferred = a" X "b\n"
		"warning = a" X "b\nreplaced-by = a" X "b.example\n",
		NULL},
	{"group", "[vendor acme]\n" GROUP("d" X) "interface = lan\n", ENDPOINT "name = a.example\n",
		NULL},
	{"group's first", "[vendor acme]\n" GROUP(X "d") "interface = lan\n",
		ENDPOINT "name = a.example\n", NULL},
	{"group's vendor", "[vendor acme]\n[devices d]\nvendor = acme" X "\ninterface = lan\n",
		ENDPOINT "name = a.example\n", NULL},
	{"group's interface", "[vendor acme]\n" GROUP("d") "interface = lan" X "1\n",
		ENDPOINT "name = a.example\n", NULL},
	{"group's interface's last", "[vendor acme]\n" GROUP("d") "interface = lan" X "\n",
		ENDPOINT "name = a.example\n", NULL},
	{"group's towards", "[vendor acme]\n" GROUP("d") "interface = lan\ntowards = " X "wan\n",
		ENDPOINT "name = a.example\n", NULL},
	{"group's MAC address", "[vendor acme]\n" GROUP("d") "mac = 00:22:4d:01:02:0" X "\n",
		ENDPOINT "name = a.example\n", NULL},
	{"group's address", "[vendor acme]\n" GROUP("d") "address = 10.0.0.1" X "\nipv6 = ignore\n",
		ENDPOINT "name = a.example\n", NULL},
	{"group's DNS", "[vendor acme]\n" GROUP("d") "interface = lan\ndns = 9.9.9.1" X "\n",
		ENDPOINT "name = a.example\n", NULL},
	{"group's log", "[vendor acme]\n" GROUP("d") "interface = lan\nlog-group = 1" X "\n",
		ENDPOINT "name = a.example\n", NULL},
	{"class", "[vendor acme]\ndscp = 1" X "\n", ENDPOINT "name = a.example\n", NULL},
	{"denied", "[vendor acme]\ndeny = e" X "\n" GROUP("d") "interface = lan\n",
		"[profile]\n[endpoint e" X "]\nname = a.example\nallow = tcp/1\n", NULL},
	{"source", "[vendor acme]\n" GROUP("d") "interface = lan\n",
		"[profile]\n[endpoint e]\ndirection = in\nname = a" X ".example\n"
		"address = 45.1.0.0/1" X "\nallow = tcp/1\n",
		NULL},
	{"group's drop-in", "[vendor acme]\n", ENDPOINT "name = a.example\n",
		"allowsyncd.conf.d/group" X "b.conf"},
	{"set",
		"[vendor acme]\n[vendor b]\nprofile = acme\n"
		"[set s]\nfamily = inet\ntable = t" X "\nset = s\nvendor = b\n",
		ENDPOINT "name = a.example\n", NULL},
	{"drop-in", "[vendor acme]\n", ENDPOINT "name = a.example\n",
		"allowsyncd.conf.d/a" X "b.conf"},
	{"profile's drop-in", "[vendor acme]\n", ENDPOINT "name = a.example\n",
		"vendors/acme.conf.d/a" X "b.conf"},
};

static struct strbuf filled(const char *template, unsigned byte)
{
	struct strbuf b = STRBUF_NULL;

	for (const char *p = template; *p; p++)
		strbuf_append_char(&b, *p == X[0] ? (char)byte : *p);
	strbuf_append(&b, "");
	return b;
}

static bool is_plain(const char *text)
{
	for (; *text; text++) {
		if (*text != '\n' && *text != '\t' && (*text < ' ' || *text > '~'))
			return false;
	}
	return true;
}

static bool refused_with_its_place(void)
{
	for (size_t i = 0; i < diags.count; i++) {
		const struct diag *d = &diags.items[i];
		if (d->level == DIAG_ERROR && d->file && d->line)
			return true;
	}
	return false;
}

/* The files of one configuration, in memory. */
struct content {
	struct reader_file main_files[2], profile_files[2];
	size_t main_count, profile_count;
};

static void read_into(struct reader_file *file, const struct strbuf *text, const char *name)
{
	config_read_text(text->data, text->len, name, &diags, file);
}

static struct profile *give_profile(void *userdata, const char *name, struct diag_list *to)
{
	const struct content *c = userdata;

	return str_eq(name, "acme") ? profile_build(name, c->profile_files, c->profile_count, to)
				    : NULL;
}

static char *text_with_hole(const struct hole *h, unsigned byte)
{
	_cleanup_(strbuf_done) struct strbuf main_text = filled(h->main_text, byte);
	_cleanup_(strbuf_done) struct strbuf profile = filled(h->profile, byte);
	struct content c = {.main_count = 1, .profile_count = 1};
	char *text = NULL;

	diag_list_done(&diags);
	read_into(&c.main_files[0], &main_text, "allowsyncd.conf");
	read_into(&c.profile_files[0], &profile, "vendors/acme.conf");
	if (h->drop_in) {
		bool of_profile = str_starts(h->drop_in, "vendors");
		_cleanup_(strbuf_done) struct strbuf name = filled(h->drop_in, byte);
		_cleanup_(strbuf_done) struct strbuf more =
			filled(of_profile ? "[endpoint d]\nname = d.example\nallow = udp/1-99\n"
				: strstr(h->drop_in, "group")
					? "[devices more]\nvendor = acme\ninterface = lan\n"
					: "[vendor more]\nprofile = acme\n",
				0);
		read_into(of_profile ? &c.profile_files[c.profile_count++]
				     : &c.main_files[c.main_count++],
			&more, strbuf_text(&name));
	}
	struct config *config = config_build(
		c.main_files, c.main_count, give_profile, &c, NULL, public_suffix_of, &diags);
	if (!diags.errors)
		text = ruleset_text(config, &machine);
	config_free(config);
	for (size_t i = 0; i < c.main_count; i++)
		reader_file_done(&c.main_files[i]);
	for (size_t i = 0; i < c.profile_count; i++)
		reader_file_done(&c.profile_files[i]);
	return text;
}

/* Accepted texts go to nft together: it must find nothing in them but our table. */
static void each_byte_is_refused_or_harmless(void)
{
	_cleanup_(strbuf_done) struct strbuf all = STRBUF_NULL;
	size_t accepted = 0, refused = 0;

	for (size_t i = 0; i < ARRAY_LEN(holes); i++) {
		size_t before = accepted;
		for (unsigned byte = 0; byte < 256; byte++) {
			if (holes[i].drop_in && (byte == 0 || byte == '/'))
				continue;
			_cleanup_free_ char *text = text_with_hole(&holes[i], byte);
			if (!text && !refused_with_its_place())
				printf("# %s, byte 0x%02x: no place\n", holes[i].what, byte);
			CHECK(text || refused_with_its_place());
			refused += !text;
			accepted += text != NULL;
			CHECK(!text || is_plain(text));
			if (text)
				strbuf_append(&all, text);
		}
		printf("# %s: %zu accepted\n", holes[i].what, accepted - before);
		CHECK(accepted > before);
	}
	CHECK(refused > accepted);
	if (!has_kernel)
		TAP_SKIP("needs root");
	CHECK(unshare(CLONE_NEWNET) == 0);
	CHECK(lab_nft("%s", strbuf_text(&all)));
	CHECK_STR(lab_output("nft list tables"), "table inet allowsync\n");
	const char *chains = lab_output("nft list chains");
	CHECK_INT(lab_count(chains, "chain " RULESET_CHAIN " {"), 1);
	CHECK_INT(lab_count(chains, "chain "), lab_count(chains, "\tchain " RULESET_PREFIX));
}

static int is_conf(const struct dirent *d)
{
	const char *dot = strrchr(d->d_name, '.');

	return dot && str_eq(dot, ".conf");
}

static void run_case(struct dirent *d)
{
	*strrchr(d->d_name, '.') = '\0';
	current = d->d_name;
	printf("# %s\n", current);
	TAP_RUN(text_is_as_recorded);
	TAP_RUN(nft_takes_it_and_gives_it_back);
	free(d);
}

int main(int argc, char **argv)
{
	struct dirent **entries;

	source = argc > 1 ? argv[1] : ".";
	writing = argc > 2 && str_eq(argv[2], "write");
	has_kernel = geteuid() == 0 && unshare(CLONE_NEWNET) == 0;
	_cleanup_free_ char *directory = xasprintf("%s/tests/unit/ruleset", source);
	int n = scandir(directory, &entries, is_conf, alphasort);
	if (n < 1)
		return 1;
	for (int i = 0; i < n; i++)
		run_case(entries[i]);
	free(entries);
	TAP_RUN(sets_of_the_text_are_the_configurations);
	TAP_RUN(rules_do_not_grow_with_addresses);
	TAP_RUN(what_is_left_out_of_an_endpoint_leaves_out_no_more);
	TAP_RUN(no_two_sets_or_chains_have_one_name);
	TAP_RUN(rules_of_groups_do_not_grow_with_what_vendors_have);
	TAP_RUN(a_reload_keeps_elements_and_replaces_rules);
	TAP_RUN(hook_tests_the_bits_that_are_set);
	TAP_RUN(each_byte_is_refused_or_harmless);
	if (root)
		lab_free(root);
	diag_list_done(&diags);
	return tap_done();
}
