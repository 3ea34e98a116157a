#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Families of names: time{1..4}.google.com, {a|b}.example.com, sip-{region}.example.com. */
#include "allowsync/profile.h"

enum { EXPAND_MAX = 1000, EXPAND_TEXT_MAX = 255 };

/* What a word in braces stands for: its values (none: the whole text expands to nothing), or NULL
 * when there is no such word. */
typedef const struct strings *(*expand_words_fn)(void *userdata, const char *word);

/* Adds what `text` stands for to `ret`: every combination, in order. NULL: fine; else why not,
 * which the caller frees, and `ret` may hold a part. */
char *expand(const char *text, expand_words_fn words, void *userdata, struct strings *ret);
/* The next word in braces at or behind *at ("{1..4}" and "{a|b}" are none); false: no more. */
bool expand_next_word(const char *text, size_t *at, char ret_word[32]);
