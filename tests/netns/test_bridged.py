# SPDX-License-Identifier: GPL-2.0-or-later
"""Device groups on a bridge of the gateway's whose packets pass the forward chains as well, as docker
has it (bridge-nf-call-iptables): what devices of one LAN say to each other is nobody's business."""
import re

import pytest

from test_devices import (ALLOWED, MISSES, all_are, begin, mac_of, outcomes, ping, refusals, refused)

FORWARD = """
table inet filter {
	chain forward {
		type filter hook forward priority filter; policy accept;
		iifname "br0" oifname "br0" counter comment "bridged"
	}
}
"""
KINDS = {
    "interface": lambda lab: "interface = br0\n",
    "address": lambda lab: "address = 10.91.0.0/28, fd91::1-fd91::f\n",
    "mac": lambda lab: f"mac = {mac_of(lab)}\n",
}
NEIGHBOUR = [("tcp", "10.91.0.9", 80), ("udp", "10.91.0.9", 8884), ("tcp", "fd91::9", 443)]


def bridge(lab):
    lab.gateway.ip("link add br0 type bridge", "link set br0 up",
                   *(f"addr flush dev {i}" for i in ("lan", "lan2")),
                   *(f"link set {i} master br0" for i in ("lan", "lan2")),
                   "addr add 10.91.0.1/24 dev br0", "addr add fd91::1/64 dev br0 nodad")
    lab.gateway.sysctl("net.bridge.bridge-nf-call-iptables=1", "net.bridge.bridge-nf-call-ip6tables=1")


def bridged_packets(lab):
    listed = lab.gateway.run(["nft", "list", "chain", "inet", "filter", "forward"]).stdout
    return int(re.search(r'packets (\d+) bytes \d+ comment "bridged"', listed)[1])


@pytest.mark.parametrize("kind", KINDS)
def test_confined_device_reaches_its_neighbours_on_the_bridge_and_its_vendor_alone(make_lab, kind):
    def keys(lab):
        bridge(lab)
        return KINDS[kind](lab) + "mode = enforce\n"

    lab, _, other = begin(make_lab, keys, FORWARD)
    other.ip("addr add 10.91.0.9/24 dev lan2", "addr add fd91::9/64 dev lan2 nodad")
    assert all_are("echo", lab.device, NEIGHBOUR) is True
    assert bridged_packets(lab) > 0, "they do not pass the forward chains"
    assert ping(lab.device, "10.91.0.1") == "echo" and ping(lab.device, "fd91::1") == "echo"
    assert refusals(lab) == 0
    assert all_are("echo", lab.device, ALLOWED) is True
    assert outcomes(lab.device, MISSES) == refused(MISSES)
