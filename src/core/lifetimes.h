#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The addresses of one name and family: which enter, which linger, which leave. names.c says when.
 */
#include "core/names.h"

/* What an OK answer makes of them. */
void lifetimes_merge(struct name_family *f, const struct answer *a, uint64_t now_ms,
	struct name_changes *changes);
/* None of them is given since `since_ms`: a denial is confirmed. */
void lifetimes_deny(
	struct name_family *f, uint64_t since_ms, uint64_t now_ms, struct name_changes *changes);
typedef bool (*lifetimes_leaves_fn)(const struct name_address *a, void *userdata);
/* Takes out those for which `leaves` says so, asked in their order; without a reason
 * for the one that made each linger. */
void lifetimes_remove(struct name_family *f, lifetimes_leaves_fn leaves, void *userdata,
	const char *reason, struct name_changes *changes);
/* Takes out those whose linger ended at `until_ms` or before. */
void lifetimes_expire(struct name_family *f, uint64_t until_ms, struct name_changes *changes);
/* Takes out those that have to go, with that reason. */
void lifetimes_drop(struct name_family *f, name_address_fn goes, void *userdata, const char *reason,
	struct name_changes *changes);
/* Linger has another length now. */
void lifetimes_relinger(struct name_family *f, uint64_t now_ms);
/* When the first of those that linger leaves; UINT64_MAX: none does. */
uint64_t lifetimes_next_ms(const struct name_family *f);
/* For the default linger. */
void lifetimes_note_ttl(struct name_family *f, uint32_t ttl_s, uint64_t now_ms);
