/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small files of a number or a few lines. */
#include "edge/host_files.h"

#include "base/strbuf.h"
#include "core/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX = 4096 };

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

void host_files_read(const char *root, struct host *h)
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
		host_unread(h, "how long flows are kept (is nf_conntrack loaded?)");
	for (size_t i = 0; i < ARRAY_LEN(modules); i++) {
		_cleanup_free_ char *path = xasprintf("/sys/module/%s", modules[i]);
		if (is_there(root, path))
			strings_add(&h->modules, modules[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(old); i++) {
		if (read_file(root, old[i], text))
			host_unread(h,
				"rules of iptables-legacy (%s), which nf_tables does not show",
				strrchr(old[i], '/') + 1);
	}
}
