/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The form of a configuration file, line by line. inih (55 and 59 differ) cuts long lines and reads
 * the tail as a new one, joins indented lines, stops at NUL, takes " ;" for a comment and keeps
 * "#" in the value: none of that gets past here. */
#include "core/reader.h"

#include <string.h>

struct reader reader_over(const char *text, size_t len, const char *file, struct diag_list *diags)
{
	return (struct reader){.text = text, .len = len, .file = file, .diags = diags};
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool reader_squeeze(const char *text, size_t len, char *ret, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (is_blank(text[i])) {
			if (n == 0 || ret[n - 1] == ' ')
				continue;
		}
		if (n + 1 >= size)
			return false;
		ret[n++] = is_blank(text[i]) ? ' ' : text[i];
	}
	if (n && ret[n - 1] == ' ')
		n--;
	ret[n] = '\0';
	return true;
}

/* How many bytes the sequence at `s` has; 0: not UTF-8 (overlong, surrogate, cut). */
static size_t utf8_length(const unsigned char *s, size_t left)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (n == 0 || s[0] > 0xf4 || left < n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
		(s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

#define FAULT(r, key, ...)                                                                         \
	do {                                                                                       \
		diag_add((r)->diags, DIAG_ERROR, (struct source){(r)->file, (r)->line},            \
			(r)->section[0] ? (r)->section : NULL, (key), __VA_ARGS__);                \
		(r)->failed = true;                                                                \
	} while (0)

static bool check_bytes(struct reader *r, const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;

	for (size_t i = 0; i < len;) {
		size_t n = utf8_length(s + i, len - i);
		if (s[i] == '\r') {
			FAULT(r, NULL,
				"the line has a carriage return: lines end in a newline alone");
			return false;
		}
		if ((s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f) {
			FAULT(r, NULL, "the line has a control character (0x%02x)", s[i]);
			return false;
		}
		if (n == 0) {
			FAULT(r, NULL, "the line is not UTF-8 (byte 0x%02x)", s[i]);
			return false;
		}
		i += n;
	}
	return true;
}

static bool read_section(struct reader *r, struct reader_line *line)
{
	const char *end = memchr(line->text, ']', line->len);

	/* whatever follows belongs to this header, known or not */
	r->section[0] = '\0';
	r->lost = true;
	if (!end) {
		FAULT(r, NULL, "the section header has no \"]\"");
		return false;
	}
	if (end != line->text + line->len - 1) {
		FAULT(r, NULL,
			"something stands behind the section header: comments stand on lines of "
			"their own");
		return false;
	}
	size_t len = (size_t)(end - line->text) - 1;
	if (len > READER_SECTION_MAX) {
		FAULT(r, NULL, "the section name is too long (%zu bytes; %d are the most)", len,
			READER_SECTION_MAX);
		return false;
	}
	if (memchr(line->text, ';', line->len) || memchr(line->text, '#', line->len)) {
		FAULT(r, NULL, "a section name has no \";\" and no \"#\"");
		return false;
	}
	reader_squeeze(line->text + 1, len, line->section, sizeof(line->section));
	if (!line->section[0]) {
		FAULT(r, NULL, "the section has no name");
		return false;
	}
	memcpy(r->section, line->section, sizeof(r->section));
	r->lost = false;
	return true;
}

static bool key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

static bool read_key(struct reader *r, struct reader_line *line)
{
	const char *text = line->text, *end = text + line->len, *p = text;

	while (p < end && *p != '=' && *p != ':')
		p++;
	if (p == end) {
		FAULT(r, NULL, "no \"=\": a line is a [section], key = value, or a # comment");
		return false;
	}
	if (*p == ':') {
		FAULT(r, NULL, "\":\" behind the key: write key = value");
		return false;
	}
	const char *key_end = p;
	while (key_end > text && is_blank(key_end[-1]))
		key_end--;
	size_t key_len = (size_t)(key_end - text);
	if (key_len == 0) {
		FAULT(r, NULL, "no key before \"=\"");
		return false;
	}
	if (key_len > READER_KEY_MAX) {
		FAULT(r, NULL, "the key is too long (%zu bytes; %d are the most)", key_len,
			READER_KEY_MAX);
		return false;
	}
	for (const char *k = text; k < key_end; k++) {
		if (!key_char(*k)) {
			FAULT(r, NULL, "a key has letters, digits, \"-\" and \"_\" only");
			return false;
		}
	}
	memcpy(line->key, text, key_len);
	line->key[key_len] = '\0';

	const char *value = p + 1;
	while (value < end && is_blank(*value))
		value++;
	for (const char *v = value; v < end; v++) {
		if ((*v == ';' || *v == '#') && (v == value || is_blank(v[-1]))) {
			FAULT(r, line->key,
				"\"%c\" behind the value: comments stand on lines of their own",
				*v);
			return false;
		}
	}
	if (value < end && *value == '"') {
		FAULT(r, line->key, "values are written without quotes");
		return false;
	}
	memcpy(line->value, value, (size_t)(end - value));
	line->value[end - value] = '\0';
	if (!r->section[0] && !r->lost) {
		FAULT(r, line->key, "stands before the first [section]");
		return false;
	}
	return !r->lost;
}

static enum reader_kind read_line(struct reader *r, struct reader_line *line)
{
	if (line->len > READER_LINE_MAX) {
		bool header = line->text[0] == '[';
		FAULT(r, NULL, "the line has %zu bytes, %d are the most: repeat the key for a list",
			line->len, READER_LINE_MAX);
		if (header) {
			r->section[0] = '\0';
			r->lost = true;
		}
		return READER_NOTHING;
	}
	if (r->line == 1 && line->len >= 3 && memcmp(line->text, "\xef\xbb\xbf", 3) == 0) {
		FAULT(r, NULL, "the file begins with a byte order mark: save the file without it");
		line->text += 3;
		line->len -= 3;
	}
	if (!check_bytes(r, line->text, line->len)) {
		if (line->text[0] == '[') {
			r->section[0] = '\0';
			r->lost = true;
		}
		return READER_NOTHING;
	}
	while (line->len && is_blank(line->text[line->len - 1]))
		line->len--;
	if (line->len == 0)
		return READER_NOTHING;

	const char *start = line->text;
	while (is_blank(*start))
		start++;
	if (*start == '#' || *start == ';')
		return READER_NOTHING;
	if (start > line->text) {
		FAULT(r, NULL, "the line is indented: it would continue the line before");
		if (*start == '[') {
			r->section[0] = '\0';
			r->lost = true;
		}
		return READER_NOTHING;
	}
	if (*start == '[')
		return read_section(r, line) ? READER_SECTION : READER_NOTHING;
	return read_key(r, line) ? READER_KEY : READER_NOTHING;
}

bool reader_next(struct reader *r, struct reader_line *ret)
{
	if (r->at >= r->len)
		return false;

	const char *start = r->text + r->at;
	const char *newline = memchr(start, '\n', r->len - r->at);
	size_t len = newline ? (size_t)(newline - start) : r->len - r->at;

	r->at += len + 1;
	r->line++;
	memset(ret, 0, sizeof(*ret));
	ret->number = r->line;
	ret->text = start;
	ret->len = len;
	ret->kind = read_line(r, ret);
	if (!newline) {
		FAULT(r, NULL, "the last line has no newline: is the file cut?");
		ret->kind = READER_NOTHING;
	}
	return true;
}

bool reader_check(const char *text, size_t len, const char *file, struct diag_list *diags)
{
	struct reader r = reader_over(text, len, file, diags);
	struct reader_line line;

	while (reader_next(&r, &line))
		;
	return !r.failed;
}

void reader_file_add(struct reader_file *f, const char *section, const char *key, const char *value,
	unsigned line)
{
	VEC_GROW(f->entries, f->capacity, f->count);
	f->entries[f->count++] = (struct reader_entry){
		.section = xstrdup(section),
		.key = key ? xstrdup(key) : NULL,
		.value = value ? xstrdup(value) : NULL,
		.line = line,
	};
}

void reader_file_done(struct reader_file *f)
{
	for (size_t i = 0; i < f->count; i++) {
		free(f->entries[i].section);
		free(f->entries[i].key);
		free(f->entries[i].value);
	}
	free(f->entries);
	free(f->name);
	*f = (struct reader_file){0};
}
