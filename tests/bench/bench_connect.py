#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a new TCP connection through the gateway takes with 1, 10 and 50 vendors, in rules that mark,
and in those that confine a group of devices, as the daemon has loaded them. The reference is what one
would write by hand for just that: one chain, with one set of all that is allowed, beside it in a lab
of its own. The vendors are taken by turns; the ratio is the median of those of the rounds, in each of
which both have their turn.

bench_connect.py BUILD    in mount and network namespaces of its own
"""
import os
import subprocess
import sys

os.environ["ALLOWSYNCD_BUILD"] = sys.argv[1]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/netns"))

import recipes  # noqa: E402
from ears import quantile  # noqa: E402
from lab import Lab  # noqa: E402
from spaces import isolate, wait_until  # noqa: E402

ROUNDS, CONNECTIONS, ADDRESSES = 1000, 20, 4
# Of the daemon's rules one should see no more than that a chain is added, and with many vendors less
# than what a gateway's time varies by anyway. In rules that mark, each packet that goes out is looked
# up for the vendors before its own, of which there are half as many as vendors here; what comes back
# is looked up for none, as no vendor has its port.
MAX = {1: 1.15, 10: 1.15, 50: 1.3}
CHAIN = """
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		%s
		drop
	}
}
"""
HOOK = "table inet filter {" + CHAIN % "meta mark & 0x00100000 == 0x00100000 accept"


def addresses(vendors):
    """Of each, in an order in which each one is as often the first."""
    return [f"45.20.{v}.{n + 1}" for n in range(ADDRESSES) for v in range(vendors)]


def by_hand(vendors):
    elements = ", ".join(f"{a} . tcp . 443, {a} . udp . 123" for a in addresses(vendors))
    return f"""table inet filter {{
	set allow4 {{
		type ipv4_addr . inet_proto . inet_service
		elements = {{ {elements} }}
	}}
	set allow6 {{ type ipv6_addr . inet_proto . inet_service; }}
""" + CHAIN % """ip daddr . meta l4proto . th dport @allow4 accept
		ip6 daddr . meta l4proto . th dport @allow6 accept"""


def gateway(mode, vendors):
    """A lab with the daemon's rules, which stay when it ends."""
    names = [f"n{v}.example.com" for v in range(vendors)]
    records = {n: {"A": (86400, addresses(vendors)[v::vendors])} for v, n in enumerate(names)}
    lab = Lab(records=records, ruleset=HOOK if mode == "mark" else "table inet filter { }",
              cache=False, ports=(80,))
    config = recipes.resolver() + recipes.vendors(*(f"vendor{v}" for v in range(vendors)))
    if mode == "devices":
        config += "[devices machines]\ninterface = lan\nmode = enforce\n" + "".join(
            f"vendor = vendor{v}\n" for v in range(vendors))
    daemon = lab.daemon(config)
    for v, name in enumerate(names):
        daemon.profile(f"vendor{v}", recipes.profile({"name": name, "allow": "tcp/443, udp/123"}))
    daemon.start()
    wait_until(lambda: recipes.status(daemon).get("rules", {}).get("state") == "in_force", 60,
               "the rules in force")
    for v in range(vendors):
        wait_until(lambda s=f"v_vendor{v}4": len(lab.elements(s, table="allowsync")) == 2 * ADDRESSES,
                   60, "all elements")
    daemon.stop()
    return lab


def compare(vendors, *labs):
    """Rounds of the microseconds of a connection in each."""
    command = [f"{sys.argv[1]}/tests/bench/bench_connect", str(ROUNDS), str(CONNECTIONS)]
    for lab in labs:
        command += [lab.device.name, lab.internet.name]
    output = subprocess.run(command, input="\n".join(addresses(vendors)) + "\n", text=True,
                            stdout=subprocess.PIPE, check=True).stdout
    return [[float(us) for us in line.split()] for line in output.splitlines()]


def main():
    isolate()
    for mode in ("mark", "devices"):
        for vendors, most in MAX.items():
            lab = hand = None
            try:
                lab = gateway(mode, vendors)
                hand = Lab(ruleset=by_hand(vendors), cache=False, ports=(80,))
                rounds = compare(vendors, lab, hand)
            finally:
                for one in filter(None, (lab, hand)):
                    one.close()
            ours, theirs = (quantile(us, 50) for us in zip(*rounds))
            ratio = quantile([a / b for a, b in rounds], 50)
            print(f"connect.{mode}.{vendors} {ours:.1f} us by-hand {theirs:.1f} {ratio:.2f}"
                  f" # of a new connection, {1e6 / ours:.0f} a second/{1e6 / theirs:.0f},"
                  f" at most {most}", flush=True)


if __name__ == "__main__":
    main()
