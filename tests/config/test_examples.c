/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the manual pages and the first configuration show must load without an error. */
#include "config_lab.h"

static unsigned number, failures;

static bool loads(const char *source, const char *path, const char *text, const char *more_path,
	const char *more)
{
	_cleanup_free_ char *packaged = xasprintf("%s/conf/vendors", source);
	struct diag_list diags = DIAG_LIST_NULL;
	struct config *config;
	char *root = lab_new();

	lab_link(root, ALLOWSYNCD_VENDOR_DIR, packaged);
	lab_write(root, path, text);
	if (more)
		lab_write(root, more_path, more);
	config_load(root, &diags, &config);
	/* an example of nothing would pass as well */
	bool fine = diags.errors == 0 && (config->vendor_count || !str_starts(text, "[")) &&
		    (config->set_count || !strstr(text, "\n[set "));
	for (size_t i = 0; i < diags.count; i++) {
		_cleanup_free_ char *line = diag_format(&diags.items[i]);
		printf("# %s\n", line);
	}
	config_free(config);
	diag_list_done(&diags);
	lab_free(root);
	return fine;
}

static void tell(bool fine, const char *what)
{
	printf("%s %u - %s\n", fine ? "ok" : "not ok", ++number, what);
	failures += !fine;
}

/* The blocks between .nf and .fi that have a section header first, without their indentation. */
static void try_page(const char *source, const char *page, bool profile)
{
	_cleanup_free_ char *path = xasprintf("%s/packaging/man/%s", source, page);
	_cleanup_(strbuf_done) struct strbuf block = STRBUF_NULL;
	char line[512];
	bool inside = false;
	unsigned blocks = 0;
	FILE *f = fopen(path, "r");

	if (!f)
		lab_fail("open", path);
	while (fgets(line, sizeof(line), f)) {
		if (str_eq(line, ".nf\n")) {
			inside = true;
			strbuf_clear(&block);
		} else if (str_eq(line, ".fi\n")) {
			inside = false;
			if (!str_starts(strbuf_text(&block), "["))
				continue;
			blocks++;
			tell(profile ? loads(source, ALLOWSYNCD_CONF_DIR "/allowsyncd.conf",
					       "[vendor acme]\n",
					       ALLOWSYNCD_CONF_DIR "/vendors/acme.conf",
					       strbuf_text(&block))
				     : loads(source, ALLOWSYNCD_CONF_DIR "/allowsyncd.conf",
					       strbuf_text(&block), NULL, NULL),
				page);
		} else if (inside) {
			strbuf_append(&block, str_starts(line, "    ") ? line + 4 : line);
		}
	}
	fclose(f);
	if (!blocks)
		tell(false, page);
}

/* As it is, and with its "# [section]" and "# key = value" lines switched on. */
static void try_first_configuration(const char *source)
{
	_cleanup_free_ char *path = xasprintf("%s/conf/allowsyncd.conf", source);
	_cleanup_(strbuf_done) struct strbuf plain = STRBUF_NULL, on = STRBUF_NULL;
	char line[512] = "";
	FILE *f = fopen(path, "r");

	if (!f)
		lab_fail("open", path);
	while (fgets(line, sizeof(line) - 2, f)) {
		size_t key = strspn(line + 2, "abcdefghijklmnopqrstuvwxyz-");
		bool example = str_starts(line, "# [") ||
			       (str_starts(line, "# ") && key && str_starts(line + 2 + key, " = "));
		strbuf_append(&plain, line);
		strbuf_append(&on, example ? line + 2 : line);
	}
	fclose(f);
	tell(loads(source, ALLOWSYNCD_CONF_DIR "/allowsyncd.conf", strbuf_text(&plain), NULL, NULL),
		"allowsyncd.conf as it is");
	tell(strstr(strbuf_text(&on), "\n[set ixon4]\n") &&
			loads(source, ALLOWSYNCD_CONF_DIR "/allowsyncd.conf", strbuf_text(&on),
				NULL, NULL),
		"allowsyncd.conf with its examples");
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		printf("Bail out! usage: %s SOURCE\n", argv[0]);
		return 1;
	}
	try_page(argv[1], "allowsyncd.conf.5", false);
	try_page(argv[1], "allowsyncd-devices.5", false);
	try_page(argv[1], "allowsyncd-mark.5", false);
	try_page(argv[1], "allowsyncd-profile.5", true);
	try_first_configuration(argv[1]);
	printf("1..%u\n", number);
	return failures ? 1 : 0;
}
