# SPDX-License-Identifier: GPL-2.0-or-later
"""proto = in [set]: services of one protocol only."""
import pytest

import recipes
from recipes import resolve, set_of, status
from test_commit import give

MIXED = recipes.profile(
    {"endpoint": "web", "name": "a.example.com", "allow": "tcp/443, tcp/8443, udp/443",
     "address": "45.7.0.1"},
    {"endpoint": "time", "name": "b.example.com", "allow": "udp/123", "address": "45.7.0.2"},
    {"endpoint": "ping", "address": "45.7.0.3", "allow": "icmp/echo-request"},
    {"endpoint": "vpn", "address": "45.7.0.4", "allow": "gre, sctp/9"})
KINDS = {
    "addr": "type ipv4_addr;", "ranges": "type ipv4_addr; flags interval;",
    "merge": "type ipv4_addr; flags interval; auto-merge;",
    "full": "type ipv4_addr . inet_proto . inet_service;",
    "boxes": "type ipv4_addr . inet_proto . inet_service; flags interval;",
    "port": "type ipv4_addr . inet_service;",
    "portboxes": "type ipv4_addr . inet_service; flags interval;",
    "portof": "typeof ip daddr . tcp dport;",
}
SERVICES = {"tcp": {"45.1.0.1": (443, 8443), "45.7.0.1": (443, 8443)},
            "udp": {"45.1.0.1": (443,), "45.7.0.1": (443,), "45.2.0.1": (123,), "45.7.0.2": (123,)},
            "sctp": {"45.7.0.4": (9,)}}


def expected(name, protocol):
    services = SERVICES[protocol]
    if name in ("addr", "ranges"):
        return set(services)
    if name == "merge":
        return {"tcp": {"45.1.0.1", "45.7.0.1"}, "sctp": {"45.7.0.4"},
                "udp": {"45.1.0.1", "45.2.0.1", "45.7.0.1-45.7.0.2"}}[protocol]
    middle = f" . {protocol}" if name in ("full", "boxes") else ""
    return {f"{a}{middle} . {p}" for a, ports in services.items() for p in ports}


def begin(make_lab, protocol, names=tuple(KINDS)):
    lab = make_lab(ruleset=recipes.table(*(f"{n} {{ {KINDS[n]} }}" for n in names)), cache=False)
    daemon = lab.daemon(config(protocol, names))
    daemon.profile("acme", MIXED)
    daemon.start()
    give(lab, daemon, "45.1.0.1")
    give(lab, daemon, "45.2.0.1", name="b.example.com")
    return lab, daemon


def config(protocol, names=tuple(KINDS)):
    more = f"\nproto = {protocol}" if protocol else ""
    return recipes.resolver() + recipes.vendors("acme") + recipes.sets(
        *(f"{n} acme{more}" for n in names))


@pytest.mark.parametrize("protocol", ["tcp", "udp", "sctp"])
def test_set_with_proto_takes_services_of_that_protocol_only(make_lab, protocol):
    lab, daemon = begin(make_lab, protocol)
    for n in KINDS:
        assert set(lab.elements(n)) == expected(n, protocol), n
    # What is not for it is neither refused nor degrades anything, except what could be meant: GRE
    # and ICMP are of other protocols as well.
    assert not daemon.events("set-entry-refused") and not daemon.events("set-degraded")
    assert daemon.ctl("status").returncode == 0
    # In bare addresses the services differ for UDP only.
    mixed = {e["ALLOWSYNC_SET"] for e in daemon.events("set-mixed")}
    assert mixed == ({f"inet filter {n}" for n in ("addr", "ranges", "merge")}
                     if protocol == "udp" else set())


def test_reload_to_another_proto_changes_the_elements(make_lab):
    lab, daemon = begin(make_lab, "tcp")
    for protocol in ("udp", "sctp", "tcp"):
        daemon.configure(config(protocol))
        daemon.ctl("reload", check=True)
        for n in KINDS:
            assert set(lab.elements(n)) == expected(n, protocol), (protocol, n)
        assert daemon.ctl("status").returncode == 0


def test_why_matches_the_protocol_that_the_configuration_says(make_lab):
    _, daemon = begin(make_lab, "tcp", ["port"])
    assert recipes.ctl_json(daemon, "why", "45.1.0.1", "tcp/443")[0]["allowed"]
    assert not recipes.ctl_json(daemon, "why", "45.1.0.1", "udp/443")[0]["allowed"]


def test_addr_and_service_without_proto_is_degraded_and_told_what_to_write(make_lab):
    names = ["port", "portboxes", "portof", "addr"]
    lab, daemon = begin(make_lab, None, names)
    assert lab.elements("addr")
    for n in names[:3]:
        assert not lab.elements(n)
        (said,) = daemon.entries(ALLOWSYNC_EVENT="set-degraded", ALLOWSYNC_SET=f"inet filter {n}")
        line = config(None, names).splitlines().index(f"[set {n}]") + 1
        assert said["MESSAGE"].startswith(f"allowsyncd.conf:{line}: [set {n}]: ")
        assert int(said["ALLOWSYNC_LINE"]) == line
        assert "proto = tcp" in said["MESSAGE"]
        assert set_of(daemon, n)["state"] == "degraded"
        assert "proto = tcp" in set_of(daemon, n)["problems"][0]
        assert any(f"inet filter {n}" in d["what"] and "proto = tcp" in d["what"]
                   for d in status(daemon)["degraded"])
    assert "proto = tcp" in daemon.ctl("sets").stdout
    shown = daemon.ctl("status")
    assert shown.returncode == 1 and "proto = tcp" in shown.stdout
    # And that is all it takes.
    daemon.configure(config("tcp", names))
    daemon.ctl("reload", check=True)
    resolve(daemon)
    for n in names:
        assert set(lab.elements(n)) == expected(n, "tcp"), n
    assert daemon.ctl("status").returncode == 0 and len(daemon.events("set-recovered")) == 3
