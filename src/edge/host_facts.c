/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small files, and dumps that are read to their end. */
#include "edge/host_facts.h"

#include "base/strbuf.h"
#include "core/host.h"
#include "edge/host_msg.h"
#include "edge/nft_rule_msg.h"
#include "edge/nft_socket.h"
#include "edge/own_net_found.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/netfilter.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FILE_MAX = 4096, DUMP_SIZE = 64 * 1024 };

_printf_(2, 3) static void unread(struct host *h, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	_cleanup_free_ char *text = xvasprintf(fmt, ap);
	va_end(ap);
	strings_add(&h->unread, text);
}

/* --- files --- */

/* False: it is not there, or empty. A line end at its end is taken off. */
static bool read_file(const char *root, const char *path, char ret[FILE_MAX])
{
	_cleanup_free_ char *whole = xasprintf("%s%s", root, path);
	int fd = open(whole, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	ssize_t n = read(fd, ret, FILE_MAX - 1);
	close(fd);
	if (n <= 0)
		return false;
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return true;
}

/* -1: not there, or no number. */
static int64_t read_number(const char *root, const char *path)
{
	char text[FILE_MAX], *end;

	if (!read_file(root, path, text))
		return -1;
	errno = 0;
	long long n = strtoll(text, &end, 10);
	return errno || end == text || *end || n < 0 ? -1 : n;
}

static bool is_there(const char *root, const char *path)
{
	_cleanup_free_ char *whole = xasprintf("%s%s", root, path);

	return access(whole, F_OK) == 0;
}

#define NETFILTER "/proc/sys/net/netfilter/"

void host_facts_read_files(const char *root, struct host *h)
{
	static const char *const modules[] = {"nf_conntrack_sip", "nf_nat_sip"};
	static const char *const old[] = {
		"/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"};
	char text[FILE_MAX];

	h->forwards[FAMILY_V4] = read_number(root, "/proc/sys/net/ipv4/ip_forward") > 0;
	h->forwards[FAMILY_V6] = read_number(root, "/proc/sys/net/ipv6/conf/all/forwarding") > 0;
	h->bridge_calls = read_number(root, "/proc/sys/net/bridge/bridge-nf-call-iptables") > 0;
	h->helpers_assigned = read_number(root, NETFILTER "nf_conntrack_helper") > 0;
	h->timeouts = (struct host_timeouts){
		.tcp_established_s =
			read_number(root, NETFILTER "nf_conntrack_tcp_timeout_established"),
		.udp_s = read_number(root, NETFILTER "nf_conntrack_udp_timeout"),
		.udp_stream_s = read_number(root, NETFILTER "nf_conntrack_udp_timeout_stream"),
	};
	h->flows = read_number(root, NETFILTER "nf_conntrack_count");
	h->flows_max = read_number(root, NETFILTER "nf_conntrack_max");
	if (h->timeouts.tcp_established_s < 0)
		unread(h, "how long flows are kept (is nf_conntrack loaded?)");
	for (size_t i = 0; i < ARRAY_LEN(modules); i++) {
		_cleanup_free_ char *path = xasprintf("/sys/module/%s", modules[i]);
		if (is_there(root, path))
			strings_add(&h->modules, modules[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(old); i++) {
		if (read_file(root, old[i], text))
			unread(h, "rules of iptables-legacy (%s), which nf_tables does not show",
				strrchr(old[i], '/') + 1);
	}
}

/* --- links, addresses, routes, neighbours --- */

struct links {
	struct host *host;
	struct own_net_found found;
	struct strings names; /* by index; "": none */
	uint32_t *indexes;
	size_t capacity;
};

static void take_link(struct links *l, const struct nlmsghdr *h)
{
	const struct ifinfomsg *i = mnl_nlmsg_get_payload(h);
	struct nlattr *a;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*i))
		return;
	mnl_attr_for_each(a, h, sizeof(*i))
	{
		if (mnl_attr_get_type(a) != IFLA_IFNAME ||
			mnl_attr_validate(a, MNL_TYPE_NUL_STRING) < 0)
			continue;
		struct host_interface *n = host_interface_add(l->host, mnl_attr_get_str(a));
		n->ethernet = i->ifi_type == ARPHRD_ETHER;
		VEC_GROW(l->indexes, l->capacity, l->names.count);
		l->indexes[l->names.count] = (uint32_t)i->ifi_index;
		strings_add(&l->names, n->name);
	}
}

static void take_neighbour(struct links *l, const struct nlmsghdr *h)
{
	const struct ndmsg *n = mnl_nlmsg_get_payload(h);
	struct nlattr *a;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*n) || n->ndm_state & (NUD_NOARP | NUD_FAILED))
		return;
	mnl_attr_for_each(a, h, sizeof(*n))
	{
		const uint8_t *b = mnl_attr_get_payload(a);
		if (mnl_attr_get_type(a) != NDA_LLADDR || mnl_attr_get_payload_len(a) != 6)
			continue;
		_cleanup_free_ char *mac = xasprintf(
			"%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
		if (!strings_has(&l->host->macs, mac))
			strings_add(&l->host->macs, mac);
	}
}

static int on_message(const struct nlmsghdr *h, void *userdata)
{
	struct links *l = userdata;

	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
		take_link(l, h);
		break;
	case RTM_NEWNEIGH:
		take_neighbour(l, h);
		break;
	case RTM_NEWADDR:
		own_net_found_take_addr(&l->found, h);
		break;
	case RTM_NEWROUTE:
		own_net_found_take_route(&l->found, h);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static int dump(struct mnl_socket *s, struct links *l, uint16_t type, uint8_t family)
{
	static uint32_t seq;
	uint32_t buf[DUMP_SIZE / sizeof(uint32_t)];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	unsigned portid = mnl_socket_get_portid(s);
	int r = MNL_CB_OK;

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = ++seq;
	/* Each begins with the family, and is zeros behind it: the longest serves for all. */
	struct ifinfomsg *i = mnl_nlmsg_put_extra_header(h, sizeof(*i));
	i->ifi_family = family;
	if (mnl_socket_sendto(s, h, h->nlmsg_len) < 0)
		return -errno;
	while (r == MNL_CB_OK) {
		ssize_t n = mnl_socket_recvfrom(s, buf, sizeof(buf));
		if (n < 0)
			return -errno;
		r = mnl_cb_run(buf, (size_t)n, seq, portid, on_message, l);
	}
	return r == MNL_CB_STOP ? 0 : -errno;
}

static struct host_interface *by_index(const struct links *l, uint32_t index)
{
	for (size_t i = 0; i < l->names.count; i++) {
		if (l->indexes[i] == index)
			return host_interface(l->host, l->names.items[i]);
	}
	return NULL;
}

static void settle(struct links *l)
{
	for (size_t i = 0; i < l->found.addr_count; i++) {
		struct host_interface *n = by_index(l, l->found.addrs[i].interface);
		if (!n)
			continue;
		VEC_GROW(n->addrs, n->addr_capacity, n->addr_count);
		n->addrs[n->addr_count++] = l->found.addrs[i].addr;
	}
	for (int f = 0; f < FAMILY_COUNT; f++) {
		for (size_t i = 0; i < l->found.default_count[f]; i++) {
			struct host_interface *n = by_index(l, l->found.defaults[f][i]);
			if (n)
				n->default_route[f] = true;
		}
	}
}

void host_facts_read_links(struct host *h)
{
	static const struct {
		uint16_t type;
		uint8_t family;
	} dumps[] = {{RTM_GETLINK, AF_UNSPEC}, {RTM_GETADDR, AF_INET}, {RTM_GETADDR, AF_INET6},
		{RTM_GETROUTE, AF_INET}, {RTM_GETROUTE, AF_INET6}, {RTM_GETNEIGH, AF_UNSPEC}};
	struct links l = {.host = h};
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int r = s && mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) == 0 ? 0 : -errno;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(dumps); i++)
		r = dump(s, &l, dumps[i].type, dumps[i].family);
	if (r < 0)
		unread(h, "links and routes: %s", strerror(-r));
	settle(&l);
	own_net_found_done(&l.found);
	strings_done(&l.names);
	free(l.indexes);
	if (s)
		mnl_socket_close(s);
}

/* --- rules --- */

static bool on_chain(void *userdata, const struct nft_msg *m)
{
	host_msg_take_chain(m, userdata);
	return true;
}

static bool on_rule(void *userdata, const struct nft_msg *m)
{
	host_msg_take_rule(m, userdata);
	return true;
}

static bool on_other(void *userdata, const struct nft_msg *m)
{
	host_msg_take_flowtable(m, userdata);
	host_msg_take_object(m, userdata);
	return true;
}

/* What the ruleset says while somebody changes it may be a mixture: it is a look, no basis. */
void host_facts_read_rules(struct host *h)
{
	uint32_t request[NFT_MSG_REQUEST_MAX / sizeof(uint32_t)];
	struct nft_socket *s = xcalloc(1, sizeof(*s));
	int r = nft_socket_open(s);

	if (r < 0) {
		unread(h, "the ruleset: %s", strerror(-r));
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
		len = host_msg_encode_dump_helpers(request, s->seq);
		r = nft_socket_dump(s, request, len, NFT_MSG_KIND_OTHER, 0, on_other, h);
	}
	if (r < 0)
		unread(h, "the ruleset: %s%s", strerror(-r),
			r == -EPERM ? " (CAP_NET_ADMIN is needed)" : "");
	len = host_msg_encode_dump_flowtables(request, s->seq);
	/* A kernel may be built without them. */
	r = r < 0 ? r : nft_socket_dump(s, request, len, NFT_MSG_KIND_OTHER, 0, on_other, h);
	nft_socket_close(s);
	free(s);
}

void host_facts_read(const char *root, struct host *ret)
{
	*ret = (struct host){.flows = -1, .flows_max = -1};
	host_facts_read_files(root, ret);
	host_facts_read_links(ret);
	host_facts_read_rules(ret);
}
