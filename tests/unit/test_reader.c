/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checking reader, alone and with inih behind it: what passes comes out as it was written, and
 * what inih would read otherwise does not pass. */
#include "core/reader.h"

#include "base/strbuf.h"
#include "edge/config_files.h"
#include "tap.h"

/* "section|key=value@line;..." of all entries. */
static const char *read_all(const char *text, size_t len, size_t *ret_errors, bool *ret_damaged)
{
	static struct strbuf b;
	struct diag_list diags = DIAG_LIST_NULL;
	struct reader_file file;

	strbuf_clear(&b);
	strbuf_append(&b, "");
	config_read_text(text, len, "x.conf", &diags, &file);
	for (size_t i = 0; i < file.count; i++) {
		const struct reader_entry *e = &file.entries[i];
		strbuf_appendf(&b, "%s|%s=%s@%u;", e->section, e->key ? e->key : "",
			e->value ? e->value : "", e->line);
	}
	*ret_errors = diags.errors;
	*ret_damaged = file.damaged;
	reader_file_done(&file);
	diag_list_done(&diags);
	return strbuf_text(&b);
}

static const char *entries_of(const char *text)
{
	size_t errors;
	bool damaged;
	const char *entries = read_all(text, strlen(text), &errors, &damaged);

	CHECK_INT(errors, 0);
	CHECK(!damaged);
	return entries;
}

static size_t errors_of_bytes(const char *text, size_t len)
{
	struct diag_list diags = DIAG_LIST_NULL;
	bool fine = reader_check(text, len, "x.conf", &diags);
	size_t errors = diags.errors, through_inih;
	bool damaged;

	diag_list_done(&diags);
	CHECK_INT(fine, errors == 0);
	read_all(text, len, &through_inih, &damaged);
	CHECK_INT(through_inih, errors);
	CHECK_INT(damaged, errors != 0);
	return errors;
}

static size_t errors_of(const char *text)
{
	return errors_of_bytes(text, strlen(text));
}

static void test_entries_keep_their_lines(void)
{
	CHECK_STR(entries_of("# first\n\n[vendor ixon]\nrole = a, b\nrole=c\n\n[resolver]\nx=\n"),
		"vendor ixon|=@3;vendor ixon|role=a, b@4;vendor ixon|role=c@5;resolver|=@7;"
		"resolver|x=@8;");
}

static void test_a_section_without_keys_is_not_lost(void)
{
	CHECK_STR(entries_of("[vendor ixon]\n[vendor digi]\n"), "vendor ixon|=@1;vendor digi|=@2;");
}

static void test_blanks_in_a_header_are_squeezed(void)
{
	CHECK_STR(entries_of("[ \t vendor \t  ixon ]\na\t =  b c\t\n"),
		"vendor ixon|=@1;vendor ixon|a=b c@2;");
}

static void test_an_empty_file_has_no_entries(void)
{
	CHECK_STR(entries_of(""), "");
	CHECK_STR(entries_of("\n\n   \n# only this\n; and this\n  # and this\n"), "");
}

static void test_a_value_keeps_what_is_no_comment(void)
{
	CHECK_STR(entries_of("[a]\nk = x;y#z [b] = : c\n"), "a|=@1;a|k=x;y#z [b] = : c@2;");
}

static void test_the_longest_line_passes_whole(void)
{
	char text[400], want[400];
	char value[READER_LINE_MAX];

	memset(value, 'v', sizeof(value));
	value[READER_LINE_MAX - 2] = '\0'; /* with "k=" */
	snprintf(text, sizeof(text), "[a]\nk=%s\nl=1\n", value);
	snprintf(want, sizeof(want), "a|=@1;a|k=%s@2;a|l=1@3;", value);
	CHECK_STR(entries_of(text), want);
	snprintf(text, sizeof(text), "[a]\nk=v%s\nl=1\n", value);
	CHECK_INT(errors_of(text), 1);
	snprintf(text, sizeof(text), "[a]\n#%s=%s\nl=1\n", value, "0123456789");
	CHECK_INT(errors_of(text), 1);
}

static void test_a_cut_tail_is_never_a_key(void)
{
	struct strbuf b = STRBUF_NULL;
	size_t errors;
	bool damaged;

	/* every length around inih's buffer */
	for (size_t pad = 170; pad < 260; pad++) {
		strbuf_clear(&b);
		strbuf_append(&b, "[a]\nk=");
		for (size_t i = 0; i < pad; i++)
			strbuf_append_char(&b, 'x');
		strbuf_append(&b, " smuggled=1\n");
		const char *entries = read_all(strbuf_text(&b), b.len, &errors, &damaged);
		CHECK(!strstr(entries, "|smuggled"));
		CHECK_INT(errors, pad + strlen("k= smuggled=1") > READER_LINE_MAX);
	}
	strbuf_done(&b);
}

static void test_the_longest_section_passes_whole(void)
{
	char name[READER_SECTION_MAX + 2], text[200], want[200];

	memset(name, 's', sizeof(name));
	name[READER_SECTION_MAX] = '\0';
	snprintf(text, sizeof(text), "[%s]\nk=1\n", name);
	snprintf(want, sizeof(want), "%s|=@1;%s|k=1@2;", name, name);
	CHECK_STR(entries_of(text), want);
	name[READER_SECTION_MAX] = 's';
	name[READER_SECTION_MAX + 1] = '\0';
	snprintf(text, sizeof(text), "[%s]\nk=1\n", name);
	CHECK_INT(errors_of(text), 1);
}

static void test_keys_behind_a_refused_header_belong_to_nobody(void)
{
	static const char text[] = "[a]\nk = 1\n[b\nk = 2\n[c]\nk = 3\n";
	size_t errors;
	bool damaged;

	CHECK_STR(read_all(text, strlen(text), &errors, &damaged), "a|=@1;a|k=1@2;c|=@5;c|k=3@6;");
	CHECK_INT(errors, 1);
	CHECK(damaged);
}

static void test_what_inih_reads_otherwise_is_refused(void)
{
	static const char *const cases[] = {
		"k = 1\n",               /* before any section */
		"[a]\nk = 1\n  l = 2\n", /* a continuation */
		"[a]\n l = 2\n",         /* indented, if not a continuation yet */
		"[a]\nk = 1 ; no\n",     /* cut */
		"[a]\nk = 1 # no\n",     /* kept */
		"[a]\nk = ; no\n",
		"[a]\nk =; no\n",
		"[a]\nk =# no\n",
		"[a]\nk\n",
		"[a]\nk: v\n", /* another separator */
		"[a]\nk:x = v\n",
		"[a]\n= v\n",
		"[a]\n  = v\n",
		"[a]\nk ;x = v\n",
		"[a]\nk = 1", /* cut file */
		"[a",
		"[a\n",
		"[a]b\n",
		"[a] # b\n",
		"[a]]\n",
		"[]\n",
		"[ ]\n",
		"[a ; b]\n",
		"[a]\nk = \"v\"\n",
		"\xef\xbb\xbf[a]\n",
		"[a]\nk = \xff\n",
		"[a]\r\n",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (errors_of(cases[i]) == 0)
			printf("# passed: %s\n", cases[i]);
		CHECK(errors_of(cases[i]) > 0);
	}
}

static void test_each_byte_value_in_a_value(void)
{
	for (int c = 0; c < 256; c++) {
		char text[] = {'[', 'a', ']', '\n', 'k', '=', 'x', (char)c, 'y', '\n'};
		bool fine = (c >= 0x20 && c < 0x7f) || c == '\t';
		if (c == '\n')
			continue; /* then "y" is a line without "=" */
		CHECK_INT(errors_of_bytes(text, sizeof(text)), !fine);
	}
}

static void test_each_byte_value_in_a_key(void)
{
	for (int c = 0; c < 256; c++) {
		char text[] = {'[', 'a', ']', '\n', 'k', (char)c, 'l', '=', 'x', '\n'};
		bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '=';
		CHECK_INT(errors_of_bytes(text, sizeof(text)), !fine);
	}
}

static void test_utf8_passes_and_its_likenesses_do_not(void)
{
	CHECK_INT(errors_of("[a]\nk = b\xc3\xbcrger \xe2\x82\xac \xf0\x9f\x98\x80\n"), 0);
	CHECK_INT(errors_of("[a]\nk = \xc0\xaf\n"), 1);
	CHECK_INT(errors_of("[a]\nk = \xe0\x80\xaf\n"), 1);
	CHECK_INT(errors_of("[a]\nk = \xed\xa0\x80\n"), 1);
	CHECK_INT(errors_of("[a]\nk = \xf4\x90\x80\x80\n"), 1);
	CHECK_INT(errors_of("[a]\nk = \xf0\x80\x80\x80\n"), 1);
	CHECK_INT(errors_of("[a]\nk = \xe2\x82\n"), 1);
}

int main(void)
{
	TAP_RUN(test_entries_keep_their_lines);
	TAP_RUN(test_a_section_without_keys_is_not_lost);
	TAP_RUN(test_blanks_in_a_header_are_squeezed);
	TAP_RUN(test_an_empty_file_has_no_entries);
	TAP_RUN(test_a_value_keeps_what_is_no_comment);
	TAP_RUN(test_the_longest_line_passes_whole);
	TAP_RUN(test_a_cut_tail_is_never_a_key);
	TAP_RUN(test_the_longest_section_passes_whole);
	TAP_RUN(test_keys_behind_a_refused_header_belong_to_nobody);
	TAP_RUN(test_what_inih_reads_otherwise_is_refused);
	TAP_RUN(test_each_byte_value_in_a_value);
	TAP_RUN(test_each_byte_value_in_a_key);
	TAP_RUN(test_utf8_passes_and_its_likenesses_do_not);
	return tap_done();
}
