#pragma once
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The attributes of a netlink message, read without trust: a length that does not fit ends the
 * stretch. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nlattr;
struct nlmsghdr;

/* A stretch of attributes. */
struct nft_attrs {
	const uint8_t *at;
	size_t left;
};

/* `h` is at least as long as its own header and that of nf_tables. */
struct nft_attrs nft_attrs_of_message(const struct nlmsghdr *h);
struct nft_attrs nft_attrs_inside(const struct nlattr *a);
/* NULL at the end. */
const struct nlattr *nft_attrs_next(struct nft_attrs *s);
/* The first of each type; `ret` has `max` + 1 places. */
void nft_attrs_index(struct nft_attrs s, unsigned max, const struct nlattr **ret);

/* Without flags. */
unsigned nft_attr_type(const struct nlattr *a);
/* False when `a` is NULL or has another length. */
bool nft_attr_u32(const struct nlattr *a, uint32_t *ret);
bool nft_attr_u64(const struct nlattr *a, uint64_t *ret);
/* Points into the message; NULL when `a` is, or when no NUL ends it. */
const char *nft_attr_text(const struct nlattr *a);
