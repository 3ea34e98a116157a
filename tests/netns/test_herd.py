# SPDX-License-Identifier: GPL-2.0-or-later
"""Ten thousand names that are due at once: all are answered, none is lost or asked twice, and the
server's socket never has more before it than it holds."""
import collections

import recipes
from faultdns import FaultDns
from recipes import ADDR4, becomes, resolve, status

FAULTS = "45.53.0.54"
NAMES = 10000
IN_FLIGHT_MAX = 64  # the resolver's slots


def snmp(node, name):
    """A counter of UDP over IPv4 in that namespace."""
    lines = node.run(["cat", "/proc/net/snmp"]).stdout.splitlines()
    names, values = (line.split() for line in lines if line.startswith("Udp:"))
    return int(values[names.index(name)])


def test_ten_thousand_names_due_at_once_are_each_asked_once(make_lab):
    lab = make_lab(ruleset=recipes.table(f"s {ADDR4}"), cache=False)
    dns = FaultDns(lab.internet, lab.directory, FAULTS, default="ttl-3600")
    daemon = lab.daemon(f"[resolver]\nserver = {FAULTS}\ntimeout = 20s\n" + recipes.vendors("acme")
                        + recipes.sets("s acme"), plain=True, fake_time=True)
    daemon.profile("acme", recipes.profile(
        {"name": [f"n{{{i}..{i + 999}}}.example.com" for i in range(0, NAMES, 1000)]}))
    errors = snmp(lab.internet, "RcvbufErrors")
    daemon.start(timeout=60)
    most = 0
    for herd in (1, 2):  # at the start, and an hour later, when all have run out
        def answered(herd=herd):
            nonlocal most
            resolver = status(daemon)["resolver"]
            most = max(most, resolver["in_flight"])
            return resolver["lookups"] == herd * 2 * NAMES and not resolver["in_flight"]

        becomes(answered, "all are answered", 120)
        assert status(daemon)["resolver"]["failed"] == 0
        # In whichever letters: newer c-ares asks in random ones (0x20).
        times = collections.Counter((q["name"].lower(), q["type"]) for q in dns.questions())
        assert len(times) == 2 * NAMES and set(times.values()) == {herd}
        assert not [q for q in dns.questions() if q["tcp"]]
        if herd == 1:
            daemon.jump(3602)
    print(f"{4 * NAMES} questions, at most {most} at a time")
    assert 0 < most <= IN_FLIGHT_MAX
    assert snmp(lab.internet, "RcvbufErrors") == errors
    assert daemon.ctl("status").returncode == 0
