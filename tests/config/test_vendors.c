/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The packaged profiles against what the vendors' pages say, written down by hand in vendors/, and
 * examples/ of vendors that do not exist, with what no real one here needs, against
 * examples/cases/: of each CASE.conf exactly the lines of CASE.expected must come out, in any
 * order: "ENDPOINT DESTINATION SERVICE DIRECTION stated|inferred [replaced-by NAME] [denied]". */
#include "config_lab.h"

#include <dirent.h>

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_lines(
	struct strings *lines, const struct config_endpoint *of, const char *destination)
{
	static const char *const directions[] = {"", "out", "in", "both"};
	const struct endpoint *e = of->endpoint;
	char service[SERVICE_TEXT_SIZE];

	for (size_t i = 0; i < e->service_count; i++) {
		_cleanup_free_ char *line = xasprintf("%s %s %s %s %s%s%s%s", e->name, destination,
			service_format(&e->services[i], service), directions[e->direction],
			e->inferred ? "inferred" : "stated", e->replaced_by ? " replaced-by " : "",
			e->replaced_by ? e->replaced_by : "", of->denied ? " denied" : "");
		strings_add(lines, line);
	}
}

static void collect(const struct config *c, struct strings *lines)
{
	char range[ADDR_RANGE_TEXT_SIZE];

	for (size_t v = 0; v < c->vendor_count; v++) {
		for (size_t i = 0; i < c->vendors[v].endpoint_count; i++) {
			const struct config_endpoint *e = &c->vendors[v].endpoints[i];
			for (size_t k = 0; k < e->names.count; k++)
				add_lines(lines, e, e->names.items[k]);
			for (size_t k = 0; k < e->wildcards.count; k++)
				add_lines(lines, e, e->wildcards.items[k]);
			for (size_t k = 0; k < e->address_count; k++)
				add_lines(
					lines, e, addr_range_format(&e->addresses[k].range, range));
			if (e->endpoint->any)
				add_lines(lines, e, "any");
		}
	}
	qsort(lines->items, lines->count, sizeof(char *), by_text);
}

static void read_expected(const char *path, struct strings *lines)
{
	char line[512];
	FILE *f = fopen(path, "r");

	if (!f)
		lab_fail("open", path);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] && line[0] != '#')
			strings_add(lines, line);
	}
	fclose(f);
	qsort(lines->items, lines->count, sizeof(char *), by_text);
}

static unsigned tell_missing(const char *what, const struct strings *in, const struct strings *of)
{
	unsigned n = 0;

	for (size_t i = 0; i < of->count; i++) {
		if (!strings_has(in, of->items[i])) {
			printf("# %s: %s\n", what, of->items[i]);
			n++;
		}
	}
	return n;
}

static bool case_holds(const char *profiles, const char *directory, const char *name)
{
	_cleanup_free_ char *conf = xasprintf("%s/%s.conf", directory, name);
	_cleanup_free_ char *expected_path = xasprintf("%s/%s.expected", directory, name);
	_cleanup_(strings_done) struct strings got = {0}, expected = {0};
	struct diag_list diags = DIAG_LIST_NULL;
	struct config *config;
	char *root = lab_new();

	lab_link(root, ALLOWSYNCD_CONF_DIR "/allowsyncd.conf", conf);
	lab_link(root, ALLOWSYNCD_VENDOR_DIR, profiles);
	config_load(root, &diags, &config);
	collect(config, &got);
	read_expected(expected_path, &expected);
	bool holds = diags.errors == 0;
	if (!holds) {
		_cleanup_free_ char *messages = lab_messages(root, &diags);
		for (char *line = strtok(messages, "\n"); line; line = strtok(NULL, "\n"))
			printf("# %s\n", line);
	}
	if (tell_missing("missing", &got, &expected) + tell_missing("too much", &expected, &got) ||
		got.count != expected.count)
		holds = false;
	config_free(config);
	diag_list_done(&diags);
	lab_free(root);
	return holds;
}

static int only_expected(const struct dirent *d)
{
	const char *dot = strrchr(d->d_name, '.');

	return dot && str_eq(dot, ".expected");
}

static int only_conf(const struct dirent *d)
{
	const char *dot = strrchr(d->d_name, '.');

	return dot && str_eq(dot, ".conf");
}

static unsigned number, failures;

/* Each profile there must have a case: what no case is for was looked at by nobody. */
static void try_all(const char *profiles, const char *directory)
{
	_cleanup_(strings_done) struct strings tried = {0};
	struct dirent **entries;
	int n = scandir(directory, &entries, only_expected, alphasort);

	if (n < 0)
		lab_fail("scandir", directory);
	for (int i = 0; i < n; i++) {
		char *name = entries[i]->d_name;
		*strrchr(name, '.') = '\0';
		bool holds = case_holds(profiles, directory, name);
		printf("%s %u - %s\n", holds ? "ok" : "not ok", ++number, name);
		failures += !holds;
		name[strcspn(name, "-")] = '\0';
		strings_add(&tried, name);
		free(entries[i]);
	}
	free(entries);
	n = scandir(profiles, &entries, only_conf, alphasort);
	if (n < 1)
		lab_fail("scandir", profiles);
	for (int i = 0; i < n; i++) {
		char *name = entries[i]->d_name;
		*strrchr(name, '.') = '\0';
		bool holds = strings_has(&tried, name);
		printf("%s %u - %s has a case\n", holds ? "ok" : "not ok", ++number, name);
		failures += !holds;
		free(entries[i]);
	}
	free(entries);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		printf("Bail out! usage: %s SOURCE\n", argv[0]);
		return 1;
	}
	_cleanup_free_ char *packaged = xasprintf("%s/conf/vendors", argv[1]);
	_cleanup_free_ char *pages = xasprintf("%s/tests/config/vendors", argv[1]);
	_cleanup_free_ char *examples = xasprintf("%s/tests/config/examples", argv[1]);
	_cleanup_free_ char *cases = xasprintf("%s/cases", examples);
	try_all(packaged, pages);
	try_all(examples, cases);
	printf("1..%u\n", number);
	return failures ? 1 : 0;
}
