/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people see: each print/NAME.json through its view must give print/NAME.txt, byte for byte.
 * The view is the name's first word. `test_print DIRECTORY write` writes the texts anew: read the
 * difference before it is committed. */
#include "ctl/views.h"

#include "tap.h"

#include <dirent.h>
#include <jansson.h>
#include <stdlib.h>

enum { NOW = 1795198100 }; /* 2026-11-20 18:08:20 UTC */

static const char *directory;
static bool writing;
static char current[128]; /* name of the case */

static void view_why_plain(struct printer *p, const struct json_t *reply)
{
	view_why(p, "what.was.asked", reply);
}

static const struct {
	const char *word;
	void (*fn)(struct printer *p, const struct json_t *json);
} views[] = {
	{"status", view_status},
	{"vendors", view_vendors},
	{"page", view_page},
	{"names", view_names},
	{"name", view_name},
	{"sets", view_sets},
	{"why", view_why_plain},
	{"diff", view_diff},
	{"rules", view_rules},
	{"event", view_event},
	{"resolved", view_resolved},
	{"refused", view_refused},
};

static char *read_text(const char *ending)
{
	_cleanup_free_ char *file = xasprintf("%s/%s%s", directory, current, ending);
	struct strbuf b = STRBUF_NULL;
	char bytes[4096];
	size_t n;
	FILE *f = fopen(file, "re");

	if (!f)
		return NULL;
	while ((n = fread(bytes, 1, sizeof(bytes), f)))
		strbuf_append_bytes(&b, bytes, n);
	fclose(f);
	return strbuf_take(&b);
}

static char *render(bool colour)
{
	_cleanup_free_ char *file = xasprintf("%s/%s.json", directory, current);
	struct printer p = {.colour = colour, .now = NOW};
	json_t *json = json_load_file(file, 0, NULL);
	size_t len = strcspn(current, "-");
	bool found = false;

	for (size_t i = 0; json && i < ARRAY_LEN(views); i++) {
		if (strlen(views[i].word) == len && strncmp(views[i].word, current, len) == 0) {
			views[i].fn(&p, json);
			found = true;
		}
	}
	json_decref(json);
	return found ? strbuf_take(&p.out) : NULL;
}

static void write_text(const char *text)
{
	_cleanup_free_ char *file = xasprintf("%s/%s.txt", directory, current);
	FILE *f = fopen(file, "we");

	if (f) {
		fputs(text, f);
		fclose(f);
	}
}

/* Only printable ASCII and newlines ever; with colours only the sequences of ours besides. */
static bool is_harmless(const char *text, bool colour)
{
	for (; *text; text++) {
		if (colour && *text == '\033') {
			text += strspn(text + 1, "[0123456789") + 1;
			if (*text != 'm')
				return false;
			continue;
		}
		if (*text != '\n' && *text != '\t' && (*text < ' ' || *text > '~'))
			return false;
	}
	return true;
}

static void reply_is_shown_as_recorded(void)
{
	_cleanup_free_ char *got = render(false), *want = NULL;

	CHECK(got);
	if (writing)
		write_text(got);
	want = read_text(".txt");
	CHECK(want);
	if (strcmp(got, want) != 0)
		printf("# %s: got\n%s", current, got);
	CHECK(strcmp(got, want) == 0);
}

static void reply_reaches_the_terminal_escaped(void)
{
	_cleanup_free_ char *plain = render(false), *coloured = render(true);

	CHECK(is_harmless(plain, false));
	CHECK(is_harmless(coloured, true));
}

/* A daemon of another version may say anything: no crash, for any field of any other type. */
static void broken_replies_are_shown_somehow(void)
{
	static const char *const odd[] = {
		"{}", "[]", "[{}]", "[[]]", "[1, null, \"x\"]", "{\"vendors\": 1, \"sets\": {}}"};

	for (size_t i = 0; i < ARRAY_LEN(views); i++) {
		for (size_t k = 0; k < ARRAY_LEN(odd); k++) {
			struct printer p = {.now = NOW};
			json_t *json = json_loads(odd[k], 0, NULL);
			views[i].fn(&p, json);
			json_decref(json);
			strbuf_done(&p.out);
		}
	}
}

static void spans_are_in_the_unit_that_tells_most(void)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} cases[] = {
		{-5, "0 s"},
		{0, "0 s"},
		{119, "119 s"},
		{120, "2 min"},
		{7199, "119 min"},
		{7200, "2 h"},
		{172799, "47 h"},
		{172800, "2 d"},
		{86400 * 400, "400 d"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_free_ char *text = text_span(cases[i].seconds);
		CHECK_STR(text, cases[i].text);
	}
}

static int is_json(const struct dirent *d)
{
	const char *dot = strrchr(d->d_name, '.');

	return dot && strcmp(dot, ".json") == 0;
}

int main(int argc, char **argv)
{
	struct dirent **entries;

	directory = argc > 1 ? argv[1] : "tests/unit/print";
	writing = argc > 2 && strcmp(argv[2], "write") == 0;
	setenv("TZ", "UTC", 1);
	int n = scandir(directory, &entries, is_json, alphasort);
	if (n < 1)
		return 1;
	for (int i = 0; i < n; i++) {
		snprintf(current, sizeof(current), "%.*s", (int)strlen(entries[i]->d_name) - 5,
			entries[i]->d_name);
		printf("# %s\n", current);
		TAP_RUN(reply_is_shown_as_recorded);
		TAP_RUN(reply_reaches_the_terminal_escaped);
		free(entries[i]);
	}
	free(entries);
	TAP_RUN(broken_replies_are_shown_somehow);
	TAP_RUN(spans_are_in_the_unit_that_tells_most);
	return tap_done();
}
