/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps of everything there is of a sort, in all families. */
#include "edge/nft_host.h"

#include "base/mem.h"
#include "core/host.h"
#include "edge/nft_host_msg.h"
#include "edge/nft_rule_msg.h"
#include "edge/nft_socket.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <string.h>

static bool on_chain(void *userdata, const struct nft_msg *m)
{
	nft_host_msg_take_chain(m, userdata);
	return true;
}

static bool on_rule(void *userdata, const struct nft_msg *m)
{
	nft_host_msg_take_rule(m, userdata);
	return true;
}

static bool on_other(void *userdata, const struct nft_msg *m)
{
	nft_host_msg_take_flowtable(m, userdata);
	nft_host_msg_take_object(m, userdata);
	return true;
}

/* What the ruleset says while somebody changes it may be a mixture: it is a look, no basis. */
void nft_host_read(struct host *h)
{
	uint32_t request[NFT_MSG_REQUEST_MAX / sizeof(uint32_t)];
	struct nft_socket *s = xcalloc(1, sizeof(*s));
	int r = nft_socket_open(s);

	if (r < 0) {
		host_unread(h, "the ruleset: %s", strerror(-r));
		free(s);
		return;
	}
	size_t len = nft_rule_encode_dump_chains(request, s->seq, NFPROTO_UNSPEC);
	r = nft_socket_dump(s, request, len, NFT_MSG_KIND_CHAIN, 0, on_chain, h);
	if (r >= 0) {
		len = nft_rule_encode_dump_rules(request, s->seq, NFPROTO_UNSPEC, NULL);
		r = nft_socket_dump(s, request, len, NFT_MSG_KIND_RULE, 0, on_rule, h);
	}
	if (r >= 0) {
		len = nft_host_msg_encode_dump_helpers(request, s->seq);
		r = nft_socket_dump(s, request, len, NFT_MSG_KIND_OTHER, 0, on_other, h);
	}
	if (r < 0)
		host_unread(h, "the ruleset: %s%s", strerror(-r),
			r == -EPERM ? " (CAP_NET_ADMIN is needed)" : "");
	len = nft_host_msg_encode_dump_flowtables(request, s->seq);
	/* A kernel may be built without them. */
	r = r < 0 ? r : nft_socket_dump(s, request, len, NFT_MSG_KIND_OTHER, 0, on_other, h);
	nft_socket_close(s);
	free(s);
}
