/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Elements as nft's text, and the name of the file for them. */
#include "core/saved_text.h"

#include "base/strbuf.h"

#include <stdio.h>
#include <string.h>

enum { CUT_LEN = 200 };

static void append_part(struct strbuf *b, const char *text, bool ends_at_hyphen)
{
	for (; *text; text++) {
		if (*text == '/' || (ends_at_hyphen && *text == '-'))
			strbuf_appendf(b, "%%%02x", (unsigned char)*text);
		else
			strbuf_append_char(b, *text);
	}
}

/* FNV-1a. */
static uint64_t checksum(const char *text)
{
	uint64_t sum = 0xcbf29ce484222325;

	for (; *text; text++)
		sum = (sum ^ (unsigned char)*text) * 0x100000001b3;
	return sum;
}

char *saved_text_file_name(const struct set_id *id)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_NULL;

	strbuf_appendf(&b, "%s-", nf_family_name(id->nf_family));
	append_part(&b, id->table, true);
	strbuf_append_char(&b, '-');
	append_part(&b, id->name, false);
	const char *text = strbuf_text(&b);
	if (b.len + strlen(SAVED_SUFFIX) > SAVED_NAME_MAX)
		return xasprintf("%.*s%%%%%016llx" SAVED_SUFFIX, CUT_LEN, text,
			(unsigned long long)checksum(text));
	return xasprintf("%s" SAVED_SUFFIX, text);
}

/* The set's own default needs no word; and what is permanent in spite of one cannot be said: the
 * daemon mends it when it comes by. */
static void append_life(struct strbuf *b, const struct set_kind *kind, uint64_t left_ms)
{
	if (!left_ms || !kind->fuse_ms)
		return;
	if (kind->fuse_ms != kind->timeout_ms || left_ms < kind->fuse_ms)
		strbuf_appendf(b, " timeout %llus", (unsigned long long)(kind->fuse_ms / 1000));
	if (left_ms < kind->fuse_ms)
		strbuf_appendf(b, " expires %llus", (unsigned long long)(left_ms / 1000));
}

char *saved_text(const struct set_kind *kind, struct element_key *keys, size_t count,
	const struct denylist *denied, uint64_t now_ms)
{
	struct strbuf b = STRBUF_NULL;
	char text[ELEMENT_TEXT_SIZE];

	if (!count)
		return xstrdup("");
	qsort(keys, count, sizeof(*keys), element_key_order);
	strbuf_append(&b, "elements = {\n");
	for (size_t i = 0; i < count; i++) {
		strbuf_appendf(&b, "\t%s", element_key_format(kind, &keys[i], text));
		append_life(&b, kind,
			denied ? denylist_left_ms(denied, &keys[i], now_ms) : kind->fuse_ms);
		strbuf_appendf(&b, " comment \"" ELEMENT_TAG "\"%s\n", i + 1 < count ? "," : "");
	}
	strbuf_append(&b, "}\n");
	return strbuf_take(&b);
}
