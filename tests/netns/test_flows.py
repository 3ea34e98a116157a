# SPDX-License-Identifier: GPL-2.0-or-later
"""What the rules do to flows that they allow: how long the gateway keeps them."""
import re
import socket

import pytest

import recipes
from recipes import becomes, resolve, status

NAME = "a.example.com"
SERVICES = ["tcp/443", "udp/8884"]
# Addresses that DNS gives, that stand alone, and of a net; and a neighbour's.
ALLOWED = ["45.1.0.1", "2a00:1::7", "45.1.0.9", "45.8.0.9", "2a00:1:0:2::9"]
OTHERS = ["45.1.0.3", "2a00:1::8"]
GROUP = "[devices machines]\ninterface = lan\nmode = enforce\nvendor = acme\n"
# As any admin's own chain does.
TRACKS = """
table inet filter {
	chain forward {
		type filter hook forward priority filter; policy accept;
		ct state established,related accept
	}
}
"""
MODES = {"marked": "", "of a group": GROUP}
# Each is neither the kernel's nor nft's own, which fills it in where a policy does not name it.
KERNEL = {"tcp_timeout_established": 1000, "tcp_timeout_fin_wait": 1100, "tcp_timeout_time_wait": 1200,
          "tcp_timeout_syn_sent": 1300, "udp_timeout": 500, "udp_timeout_stream": 900}


def acme(keys):
    return recipes.profile(
        {"endpoint": "web", "name": NAME, "address": "45.1.0.9", "allow": SERVICES},
        {"endpoint": "nets", "address": ["45.8.0.0/24", "2a00:1:0:2::/64"], "allow": SERVICES}).replace(
            "[profile]\n", f"[profile]\n{keys}")


def begin(make_lab, more="", keys="", vendor="", **kw):
    lab = make_lab(cache=False, ruleset=TRACKS)
    lab.dns.edit([(NAME, "A", ["45.1.0.1"], 60), (NAME, "AAAA", ["2a00:1::7"], 60)])
    daemon = lab.daemon(recipes.resolver() + "[vendor acme]\n" + vendor + more, **kw)
    daemon.profile("acme", acme(keys))
    daemon.start()
    resolve(daemon)
    becomes(lambda: in_force(daemon) and status(daemon)["state"] == "healthy", "rules, filled")
    return lab, daemon


def in_force(daemon):
    return status(daemon)["rules"]["state"] == "in_force"


def listing(lab):
    return lab.gateway.run(["nft", "list", "ruleset"]).stdout


def has(rules, state, seconds):
    """Of the policy of a timeout: nft 1.1 counts in days to seconds."""
    parts = zip((86400, 3600, 60, 1), "dhms", (seconds, seconds % 86400, seconds % 3600, seconds % 60))
    text = "".join(f"{rest // unit}{letter}" for unit, letter, rest in parts if rest // unit)
    return f"{state} : {seconds}" in rules or f"{state} : {text}" in rules


def reload(lab, daemon, loaded):
    """Until rules are loaded that `loaded` takes."""
    assert daemon.ctl("reload").returncode == 0
    becomes(lambda: in_force(daemon) and loaded(listing(lab)), lambda: listing(lab))


def flows(lab):
    """{(protocol, destination): seconds left} of what the gateway has."""
    found = {}
    for line in lab.gateway.run(["cat", "/proc/net/nf_conntrack"]).stdout.splitlines():
        protocol, left = re.match(r"ipv[46] +\d+ (\w+) +\d+ (\d+) ", line).groups()
        destination = re.search(r"dst=(\S+)", line)[1]
        if ":" in destination:
            destination = socket.inet_ntop(socket.AF_INET6,
                                           socket.inet_pton(socket.AF_INET6, destination))
        found[protocol, destination] = int(left)
    return found


def ask(lab, address):
    """A datagram and its answer; the socket."""
    s = lab.device.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(10)
    s.connect((address, 8884))
    again(s)
    return s


def again(s):
    s.send(b"hi")
    assert s.recv(16) == b"hi"


# --- timeouts

MINIMA = "tcp-timeout-min = 10000s\nudp-timeout-min = 5000s\n"


@pytest.mark.parametrize("mode", MODES)
def test_flows_of_a_vendor_are_kept_for_longer_and_in_no_state_for_less(make_lab, mode):
    lab, daemon = begin(make_lab)
    lab.gateway.sysctl(*(f"net.netfilter.nf_conntrack_{k}={v}" for k, v in KERNEL.items()))
    daemon.profile("acme", acme(MINIMA))
    daemon.configure(recipes.resolver() + "[vendor acme]\n" + MODES[mode])
    reload(lab, daemon, lambda rules: has(rules, "established", 10000) and has(rules, "fin_wait", 1100)
           and ("v_group.machines" in rules) == (mode != "marked"))
    resolve(daemon)
    becomes(lambda: status(daemon)["state"] == "healthy", "filled")
    others = [] if MODES[mode] else OTHERS
    tcp = {a: lab.device.connect(a, 443, 10) for a in ALLOWED + others}
    udp = {a: ask(lab, a) for a in ALLOWED + others}
    left = flows(lab)
    for a in ALLOWED:
        assert KERNEL["tcp_timeout_established"] < left["tcp", a] <= 10000, left
        assert KERNEL["udp_timeout_stream"] < left["udp", a] <= 5000, left
    for a in others:
        assert left["tcp", a] <= KERNEL["tcp_timeout_established"], left
        assert left["udp", a] <= KERNEL["udp_timeout"], left
    # Those that end have what the kernel gives them.
    for s in tcp.values():
        s.close()
    becomes(lambda: all(200 < flows(lab)["tcp", a] <= KERNEL["tcp_timeout_time_wait"]
                        for a in ALLOWED), lambda: flows(lab))
    for s in udp.values():
        s.close()


def test_policies_outlive_a_reload_and_go_when_they_are_not_wanted_any_more(make_lab):
    lab, daemon = begin(make_lab, keys="udp-timeout-min = 5000s\n")
    first = ask(lab, "45.1.0.1")
    # Rules that are loaded anew, as somebody undid them.
    lab.gateway.nft("flush chain inet allowsync v_mark")
    becomes(lambda: in_force(daemon) and "@v_acme4" in listing(lab), "loaded again")
    again(first)
    assert flows(lab)["udp", "45.1.0.1"] > 3000
    # Another content: what begins then has it.
    daemon.profile("acme", acme("udp-timeout-min = 9000s\n"))
    reload(lab, daemon, lambda rules: has(rules, "replied", 9000))
    second = ask(lab, "45.1.0.9")
    assert flows(lab)["udp", "45.1.0.9"] > 7000
    listed = listing(lab)
    assert listed.count("ct timeout v_") == 1 and has(listed, "replied", 9000), listed
    # None: the kernel takes it from the flows that have it.
    daemon.profile("acme", acme("udp-timeout-min = 1s\n"))
    reload(lab, daemon, lambda rules: "ct timeout" not in rules)
    again(second)
    assert flows(lab)["udp", "45.1.0.9"] <= 180
    for s in first, second:
        s.close()


# As a kernel without nfnetlink_cttimeout: it knows no such subsystem (8).
NO_POLICIES = """
#include <dlfcn.h>
#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>
ssize_t sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *to,
	socklen_t to_len)
{
	ssize_t (*real)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
	*(void **)&real = dlsym(RTLD_NEXT, "sendto");
	const struct nlmsghdr *h = data;
	if (to && to->sa_family == AF_NETLINK && h->nlmsg_type >> 8 == 8) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return real(fd, data, len, flags, to, to_len);
}
"""


def test_kernel_that_tells_no_timeouts_has_the_rules_without_them_and_that_is_said(make_lab, tmp_path):
    lab, daemon = begin(make_lab, keys="udp-timeout-min = 5000s\n",
                        wrapper=recipes.preload(tmp_path, NO_POLICIES))
    assert "@v_acme4" in listing(lab) and "ct timeout" not in listing(lab)
    (loaded,) = daemon.events("rules-loaded")
    assert ("; timeouts of profiles are left out, as this kernel does not say how long it keeps "
            "flows") in loaded["MESSAGE"], loaded
    # Where nothing is left out, nothing is said.
    daemon.profile("acme", acme(""))
    daemon.configure(recipes.resolver() + "[vendor acme]\n[mark]\nvalue = 0x00200000\n")
    reload(lab, daemon, lambda rules: "0x00200000" in rules)
    assert "left out" not in daemon.events("rules-loaded")[-1]["MESSAGE"]
