/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Netlink attributes: libmnl's own walk trusts the lengths it meets. */
#include "edge/nft_attr.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

enum {
	MESSAGE_HEAD = sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg),
	ATTR_HEAD = sizeof(struct nlattr),
};

struct nft_attrs nft_attrs_of_message(const struct nlmsghdr *h)
{
	return (struct nft_attrs){(const uint8_t *)h + MESSAGE_HEAD, h->nlmsg_len - MESSAGE_HEAD};
}

struct nft_attrs nft_attrs_inside(const struct nlattr *a)
{
	return (struct nft_attrs){(const uint8_t *)a + ATTR_HEAD, (size_t)a->nla_len - ATTR_HEAD};
}

const struct nlattr *nft_attrs_next(struct nft_attrs *s)
{
	const struct nlattr *a = (const void *)s->at;
	if (s->left < ATTR_HEAD || a->nla_len < ATTR_HEAD || a->nla_len > s->left) {
		s->left = 0;
		return NULL;
	}
	size_t step = MNL_ALIGN((size_t)a->nla_len);
	if (step > s->left)
		step = s->left;
	s->at += step;
	s->left -= step;
	return a;
}

void nft_attrs_index(struct nft_attrs s, unsigned max, const struct nlattr **ret)
{
	memset(ret, 0, (max + 1) * sizeof(*ret));
	for (const struct nlattr *a; (a = nft_attrs_next(&s));)
		if (nft_attr_type(a) <= max && !ret[nft_attr_type(a)])
			ret[nft_attr_type(a)] = a;
}

unsigned nft_attr_type(const struct nlattr *a)
{
	return a->nla_type & NLA_TYPE_MASK;
}

bool nft_attr_u32(const struct nlattr *a, uint32_t *ret)
{
	if (!a || a->nla_len != ATTR_HEAD + sizeof(*ret))
		return false;
	uint32_t v;
	memcpy(&v, nft_attrs_inside(a).at, sizeof(v));
	*ret = ntohl(v);
	return true;
}

bool nft_attr_u64(const struct nlattr *a, uint64_t *ret)
{
	if (!a || a->nla_len != ATTR_HEAD + sizeof(*ret))
		return false;
	uint64_t v;
	memcpy(&v, nft_attrs_inside(a).at, sizeof(v));
	*ret = be64toh(v);
	return true;
}

const char *nft_attr_text(const struct nlattr *a)
{
	if (!a)
		return NULL;
	struct nft_attrs s = nft_attrs_inside(a);
	return memchr(s.at, '\0', s.left) ? (const char *)s.at : NULL;
}
