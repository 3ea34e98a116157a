# SPDX-License-Identifier: GPL-2.0-or-later
"""Device groups: what the rules make of packets of a confined device, of its neighbours, and of what
comes in.

    device ---lan--- gateway ---wan--- internet
                        |
    other ----lan2------+
"""
import errno
import json
import os
import re
import socket
import subprocess

import pytest

import recipes
from lab import PORTS, SOURCE
from nflog import Log
from recipes import becomes, ctl_json, name_of, resolve, status
from spaces import Node, dns_query

HOSTS = {n: f"{n}.example.com" for n in ("a", "t")}
ACME = recipes.profile(
    {"endpoint": "web", "name": HOSTS["a"]},
    {"endpoint": "datagrams", "address": ["45.1.0.5", "2a00:1::5"], "allow": "udp/8884"},
    {"endpoint": "net", "address": "45.8.0.0/24", "allow": "tcp/80"},
    {"endpoint": "clock", "address": "45.1.0.6", "allow": "udp/123"},
    {"endpoint": "pings", "address": ["45.1.0.2", "2a00:1::2"],
     "allow": ["icmp/echo-request", "icmpv6/echo-request"]},
    {"endpoint": "tunnel", "default": "no", "name": HOSTS["t"], "allow": "tcp/18991"},
    {"endpoint": "resolver", "default": "no", "address": "45.53.0.53", "allow": "udp/53"},
    {"endpoint": "calls", "default": "no", "direction": "in",
     "address": ["45.6.0.0/24", "2a00:1::6"], "allow": ["tcp/5060", "udp/5060"]})
ALLOWED = [("tcp", "45.1.0.1", 443), ("tcp", "2a00:1::7", 443), ("udp", "45.1.0.5", 8884),
           ("udp", "2a00:1::5", 8884), ("tcp", "45.8.0.9", 80), ("udp", "45.1.0.6", 123)]
# Another port, address, protocol, family.
MISSES = [("tcp", "45.1.0.1", 80), ("tcp", "45.1.0.3", 443), ("udp", "45.1.0.1", 443),
          ("tcp", "2a00:1::7", 80), ("tcp", "2a00:1::8", 443), ("udp", "2a00:1::7", 443),
          ("udp", "45.1.0.5", 123), ("tcp", "45.1.0.5", 8884), ("tcp", "45.8.1.9", 80),
          ("udp", "2a00:1::6", 123)]
INSIDE = [("tcp", "10.93.0.2", 443), ("udp", "fd93::2", 443)]

# An admin's chain that drops: what is marked passes, the LAN, and other devices.
DROPS = """
table inet filter {
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		meta mark & 0x00100000 == 0x00100000 accept
		oifname { "lan", "lan2" } iifname { "lan", "lan2" } accept
		%s
	}
}
"""
OTHERS = 'iifname "lan2" accept'
PASSES = "table inet filter { }\n"
TRACKS = """
table inet filter {
	chain forward {
		type filter hook forward priority filter;
		ct state established accept
	}
}
"""


def echo_servers(node):
    p = node.popen(["/usr/bin/python3", os.path.join(SOURCE, "tests/netns/spaces.py")]
                   + [str(p) for p in PORTS], stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "ready\n"


def make_other(lab):
    other = lab.another_device()
    # Each refusal is to be seen.
    lab.gateway.sysctl("net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")
    echo_servers(other)
    return other


def mac_of(lab):
    return json.loads(lab.device.run(["ip", "-j", "link", "show", "lan"]).stdout)[0]["address"]


def group(keys, vendor="acme", name="machines"):
    return f"[devices {name}]\nvendor = {vendor}\n{keys}"


def begin(make_lab, keys, ruleset=DROPS % OTHERS, vendor="", more="", **kw):
    """A lab with another LAN, and a daemon whose rules are loaded and filled."""
    lab = make_lab(cache=False, ruleset=ruleset)
    other = make_other(lab)
    lab.dns.edit([(HOSTS["a"], "A", ["45.1.0.1"], 60), (HOSTS["a"], "AAAA", ["2a00:1::7"], 60),
                  (HOSTS["t"], "A", ["45.1.0.8"], 60)])
    if callable(keys):
        keys = keys(lab)
    daemon = lab.daemon(recipes.resolver() + "[vendor acme]\n" + vendor + group(keys) + more, **kw)
    daemon.profile("acme", ACME)
    daemon.profile("none", recipes.profile({"endpoint": "e", "address": "45.99.0.1"}))
    daemon.start()
    resolve(daemon)
    load(lab, daemon)
    return lab, daemon, other


def in_force(lab, daemon):
    """The rules are, and know where the outside is, which may not have been told at first."""
    return status(daemon)["rules"]["state"] == "in_force" and 'oifname "wan"' in lab.gateway.run(
        ["nft", "list", "table", "inet", "allowsync"]).stdout


def load(lab, daemon):
    becomes(lambda: in_force(lab, daemon) and status(daemon)["state"] == "healthy", "filled")


def configure(lab, daemon, keys, vendor=""):
    daemon.configure(recipes.resolver() + "[vendor acme]\n" + vendor + group(keys))
    assert daemon.ctl("reload").returncode == 0
    resolve(daemon)
    load(lab, daemon)


def listen(lab, daemon, keys, number, vendor=""):
    """What the rules that are loaded log to that group: the daemon leaves them alone, and reads
    another one, from now on."""
    daemon.configure(recipes.resolver() + "[vendor acme]\n" + vendor + group(keys + "log-group = 99\n")
                     + "[mark]\nload = no\n")
    assert daemon.ctl("reload").returncode == 0
    return Log(lab.gateway, number)


# --- what a device sees

ERRORS = {errno.ECONNREFUSED: "reset", errno.ECONNRESET: "reset", errno.EHOSTUNREACH: "prohibited",
          errno.EACCES: "prohibited"}


def ask(target, source, timeout):
    proto, address, port = target
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        try:
            if source:
                s.bind((source, 0))
            s.connect((address, port))
            s.send(b"hi")
            return "echo" if s.recv(16) == b"hi" else "something else"
        except socket.timeout:
            return "nothing"
        except OSError as e:
            return ERRORS.get(e.errno, e)


def outcomes(node, targets, source=None, timeout=5.0):
    """{target: "echo", "reset" (of the gateway's: all ports are open), "prohibited", "nothing"}"""
    return node.enter(lambda: {t: ask(t, source, timeout) for t in targets})


def all_are(word, node, targets, **kw):
    got = outcomes(node, targets, **kw)
    return [(t, v) for t, v in got.items() if v != word] == [] or got


def refused(targets):
    return {t: "reset" if t[0] == "tcp" else "prohibited" for t in targets}


def ping(node, address):
    """"echo", or what ping(8) says."""
    r = node.run(["ping", "-c1", "-W5", address], check=False)
    return "echo" if r.returncode == 0 else r.stdout


def refusals(lab, chain="v_group.machines.refuse"):
    """Packets that its rule counted."""
    listed = lab.gateway.run(["nft", "list", "chain", "inet", "allowsync", chain]).stdout
    return int(re.search(r"counter packets (\d+)", listed)[1])


# --- outwards

KINDS = {
    "interface": lambda lab: "interface = lan\n",
    "address": lambda lab: "address = 10.91.0.0/28, fd91::1-fd91::f\n",
    "mac": lambda lab: f"mac = {mac_of(lab)}\n",
    "all": lambda lab: f"interface = lan\naddress = 10.91.0.2, fd91::2\nmac = {mac_of(lab)}\n",
}


@pytest.mark.parametrize("kind", KINDS)
def test_enforced_group_reaches_its_vendor_alone(make_lab, kind):
    lab, _, other = begin(make_lab, lambda lab: KINDS[kind](lab) + "mode = enforce\n")
    assert all_are("echo", lab.device, ALLOWED) is True
    assert outcomes(lab.device, MISSES) == refused(MISSES)
    assert ping(lab.device, "45.1.0.2") == "echo" and ping(lab.device, "2a00:1::2") == "echo"
    assert "filtered" in ping(lab.device, "45.1.0.1")
    assert "prohibited" in ping(lab.device, "2a00:1::7")
    before = refusals(lab)
    assert before >= len(MISSES) + 2
    # Within the LAN, the router itself, and whoever is not of the group.
    assert all_are("echo", lab.device, INSIDE) is True
    assert ping(lab.device, "10.91.0.1") == "echo" and ping(lab.device, "fd91::1") == "echo"
    assert all_are("echo", other, ALLOWED + MISSES) is True
    assert refusals(lab) == before


@pytest.mark.parametrize("keys", [
    "interface = lan2\naddress = 10.91.0.2, fd91::2\n", "interface = lan\nmac = 02:00:00:00:00:01\n",
    "interface = lan\naddress = 10.91.0.3, fd91::3\n"])
def test_all_kinds_that_are_named_must_match(make_lab, keys):
    lab, _, _ = begin(make_lab, keys + "mode = enforce\n", PASSES)
    assert all_are("echo", lab.device, MISSES) is True
    assert refusals(lab) == 0


def test_reported_group_passes_and_is_logged(make_lab):
    lab, daemon, other = begin(make_lab, "interface = lan\nlog-group = 9\n", PASSES)
    log = listen(lab, daemon, "interface = lan\n", 9)
    assert all_are("echo", lab.device, ALLOWED + MISSES + INSIDE) is True
    assert all_are("echo", other, MISSES) is True
    assert sorted(p.service for p in log.read()) == sorted(MISSES)
    assert {p.prefix for p in log.packets} == {"allowsync machines report: "}
    assert {p.source for p in log.packets} == {"10.91.0.2", "fd91::2"}
    assert refusals(lab) == len(MISSES)
    log.close()


def test_log_is_bounded_and_the_count_is_not(make_lab):
    lab, daemon, _ = begin(make_lab, "interface = lan\nmode = enforce\n", PASSES)
    log, count = listen(lab, daemon, "interface = lan\nmode = enforce\n", 4747), 400

    def send():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for i in range(count):
                s.sendto(b"x" * 1000, ("45.1.0.3", 1000 + i))

    lab.device.enter(send)
    becomes(lambda: refusals(lab) >= count, "all were refused")
    assert refusals(lab) == count
    assert 0 < len(log.read()) < count
    assert {p.prefix for p in log.packets} == {"allowsync machines enforce: "}
    assert {p.size for p in log.packets} == {128}
    log.close()


def test_vendor_of_a_group_is_for_nobody_else(make_lab):
    lab, _, other = begin(make_lab, "interface = lan\nmode = report\n", DROPS % "")
    assert all_are("echo", lab.device, ALLOWED) is True
    assert outcomes(other, ALLOWED[:2], timeout=0.5) == {t: "nothing" for t in ALLOWED[:2]}


def test_first_group_that_a_packet_belongs_to_decides(make_lab):
    more = "[vendor none]\n" + group("interface = lan, lan2\nmode = enforce\n", "none", "rest")
    lab, _, other = begin(make_lab, "interface = lan\n", PASSES, more=more)
    assert all_are("echo", lab.device, ALLOWED + MISSES) is True
    assert outcomes(other, ALLOWED) == refused(ALLOWED)
    assert refusals(lab) == len(MISSES) and refusals(lab, "v_group.rest.refuse") == len(ALLOWED)


def leave(lab, daemon):
    """45.1.0.1 is not the vendor's any more."""
    lab.dns.set(HOSTS["a"], "A", ["45.1.0.4"], 60)
    resolve(daemon, HOSTS["a"])
    becomes(lambda: "45.1.0.1 . tcp . 443" not in lab.elements("v_acme4", table="allowsync"), "left")


def goes_on(flow, word=b"still here"):
    flow.sendall(word)
    return flow.recv(64) == word


def test_flow_that_stands_outlives_its_address_reloads_and_restarts(make_lab):
    lab, daemon, _ = begin(make_lab, "interface = lan\nmode = enforce\n", DROPS % OTHERS)
    becomes(lambda: daemon.events("flows-ended"), "those from before were ended")
    flow = lab.device.connect("45.1.0.1", 443)
    leave(lab, daemon)
    configure(lab, daemon, "interface = lan\nmode = enforce\n")
    looked(lab, daemon)
    assert [e["MESSAGE"].split(": ")[1] for e in daemon.events("flows-ended")] == [
        "0 flows ended that it may not have"]
    daemon.stop()
    daemon.start()
    resolve(daemon)
    configure(lab, daemon, "interface = lan\nmode = enforce\nlog-group = 9\n")
    assert outcomes(lab.device, [("tcp", "45.1.0.1", 443)]) == {("tcp", "45.1.0.1", 443): "reset"}
    looked(lab, daemon)
    assert goes_on(flow)
    flow.close()
    assert not daemon.events("flows-ended")


# --- flows that stand when a group begins to enforce

STANDING = [("tcp", "45.1.0.1", 443), ("tcp", "2a00:1::7", 443), ("udp", "45.1.0.5", 8884),
            ("tcp", "45.8.0.9", 80)]
ENDED = [("tcp", "45.1.0.3", 443), ("tcp", "2a00:1::8", 443), ("udp", "45.1.0.1", 443),
         ("tcp", "45.1.0.1", 80), ("udp", "2a00:1::6", 123)]


def open_flow(node, target):
    proto, address, port = target
    if proto == "tcp":
        s = node.connect(address, port, 10)
    else:
        s = node.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(10)
        s.connect((address, port))
    assert goes_on(s, b"hello")
    return s


def outcome(flow):
    try:
        return "echo" if goes_on(flow) else "something else"
    except OSError as e:
        return ERRORS.get(e.errno, e)


def looked(lab, daemon):
    """The daemon has looked at the rules since: a chain drops and knows no mark, then it is gone."""
    lab.gateway.nft("table inet hinder {\nchain f {\ntype filter hook forward priority 9\n"
                    "ip daddr 192.0.2.1 drop\n}\n}\n")
    becomes(lambda: daemon.ctl("status").returncode == 2, "the mark has no effect")
    lab.gateway.nft("delete table inet hinder")
    becomes(lambda: daemon.ctl("status").returncode == 0, "it is gone")


def test_flows_that_are_not_allowed_end_when_the_group_begins_to_enforce(make_lab):
    lab, daemon, other = begin(make_lab, lambda lab: KINDS["all"](lab), PASSES)
    flows = {t: open_flow(lab.device, t) for t in STANDING + ENDED + INSIDE}
    others = {t: open_flow(other, t) for t in ENDED}
    configure(lab, daemon, KINDS["all"](lab) + "mode = enforce\n")
    becomes(lambda: daemon.events("flows-ended"), "they were ended")
    assert {t: outcome(flows[t]) for t in ENDED} == refused(ENDED)
    assert {outcome(flows[t]) for t in STANDING + INSIDE} == {"echo"}
    assert {outcome(others[t]) for t in ENDED} == {"echo"}
    (event,) = daemon.events("flows-ended")
    assert event["MESSAGE"] == (f"[devices machines] is enforced: {len(ENDED)} flows ended that it "
                                "may not have")
    # Again, after it was only reported for a while.
    configure(lab, daemon, KINDS["all"](lab))
    looked(lab, daemon)
    again = open_flow(lab.device, ENDED[0])
    configure(lab, daemon, KINDS["all"](lab) + "mode = enforce\n")
    becomes(lambda: len(daemon.events("flows-ended")) == 2, "ended once more")
    assert outcome(again) == "reset"
    for s in [*flows.values(), *others.values(), again]:
        s.close()


def test_ending_waits_until_the_names_were_answered(make_lab):
    """Before, nobody knows which flows are allowed: 45.1.0.1 is, 45.1.0.3 is not."""
    lab = make_lab(cache=False, ruleset=PASSES)
    make_other(lab)
    lab.dns.edit([(HOSTS["a"], "A", ["45.1.0.1"], 60), (HOSTS["a"], "AAAA", ["2a00:1::7"], 60)])
    lab.dns.pause()
    config = recipes.resolver() + "[mark]\nload = no\n[vendor acme]\n" + group("interface = lan\n")
    daemon = lab.daemon(config)
    daemon.profile("acme", ACME)
    daemon.start()

    def load_and_be_seen():
        becomes(lambda: 'oifname "wan"' in daemon.ctl("rules").stdout, "the route is known")
        lab.gateway.nft(daemon.ctl("rules", check=True).stdout)
        becomes(lambda: "v_vendor.acme.out handle" in daemon.ctl("sets").stdout, "looked at")

    load_and_be_seen()
    flows = {t: open_flow(lab.device, t) for t in STANDING + ENDED}
    lab.gateway.nft("flush chain inet allowsync v_vendor.acme.out")
    becomes(lambda: "v_vendor.acme.out handle" not in daemon.ctl("sets").stdout, "looked again")
    daemon.configure(config + "mode = enforce\n")
    assert daemon.ctl("reload").returncode == 0
    load_and_be_seen()
    assert not daemon.events("flows-ended")
    assert {outcome(s) for s in flows.values()} == {"echo"}
    # And until the rules of the configuration as it is now are in force: it cannot load them yet.
    lab.gateway.nft("delete chain inet allowsync v_mark; add chain inet allowsync v_mark")
    daemon.configure(config.replace("load = no", "load = yes") + "mode = enforce\n")
    assert daemon.ctl("reload").returncode == 0
    lab.dns.resume()
    resolve(daemon)
    becomes(lambda: status(daemon)["rules"]["state"] == "failed", "they are not loaded")
    assert not daemon.events("flows-ended")
    assert {outcome(s) for s in flows.values()} == {"echo"}
    lab.gateway.nft("delete chain inet allowsync v_mark")
    becomes(lambda: daemon.events("flows-ended"), "they were ended")
    assert {t: outcome(flows[t]) for t in ENDED} == refused(ENDED)
    assert {outcome(flows[t]) for t in STANDING} == {"echo"}
    for s in flows.values():
        s.close()


def began_unanswered(make_lab, **kw):
    """A daemon that finds flows, no rules, and no DNS server that speaks; its group is enforced."""
    lab = make_lab(cache=False, ruleset=TRACKS)
    make_other(lab)
    flows = {t: open_flow(lab.device, t) for t in STANDING + ENDED}
    lab.dns.edit([(HOSTS["a"], "A", ["45.1.0.1"], 60), (HOSTS["a"], "AAAA", ["2a00:1::7"], 60)])
    lab.dns.pause()
    daemon = lab.daemon(recipes.resolver() + "[vendor acme]\n"
                        + group("interface = lan\nmode = enforce\n"), **kw)
    daemon.profile("acme", ACME)
    daemon.start()
    becomes(lambda: in_force(lab, daemon), "the rules are loaded")
    becomes(lambda: "v_vendor.acme.out handle" in daemon.ctl("sets").stdout, "looked at")
    return lab, daemon, flows


def test_flows_that_stood_before_the_first_rules_end_with_them(make_lab):
    lab, daemon, flows = began_unanswered(make_lab)
    lab.dns.resume()
    resolve(daemon)
    becomes(lambda: daemon.events("flows-ended"), "they were ended")
    (event,) = daemon.events("flows-ended")
    assert f" {len(ENDED)} flows ended" in event["MESSAGE"]
    assert {t: outcome(flows[t]) for t in ENDED} == refused(ENDED)
    assert {outcome(flows[t]) for t in STANDING} == {"echo"}
    for s in flows.values():
        s.close()


def test_ending_waits_a_minute_for_names_that_nobody_answers(make_lab):
    """Then it spares what they may have meant: flows whose services are the endpoint's."""
    _, daemon, flows = began_unanswered(make_lab, fake_time=True)
    daemon.jump(50)
    recipes.turn(daemon)
    assert not daemon.events("flows-ended")
    daemon.jump(11)
    recipes.turn(daemon)
    becomes(lambda: daemon.events("flows-ended"), "they were ended")
    named = [t for t in ENDED if t[0] == "tcp" and t[2] == 443]
    assert {t: outcome(flows[t]) for t in ENDED if t not in named} == refused(
        [t for t in ENDED if t not in named])
    assert {outcome(flows[t]) for t in STANDING + named} == {"echo"}
    for s in flows.values():
        s.close()


def test_flows_go_on_where_the_group_keeps_them(make_lab):
    lab, daemon, _ = begin(make_lab, "interface = lan\n", PASSES)
    flows = {t: open_flow(lab.device, t) for t in STANDING + ENDED}
    configure(lab, daemon, "interface = lan\nmode = enforce\nflows = keep\n")
    looked(lab, daemon)
    assert {outcome(s) for s in flows.values()} == {"echo"}
    assert not daemon.events("flows-ended")
    for s in flows.values():
        s.close()


def test_without_a_default_route_the_group_is_cut_off_and_not_let_go(make_lab):
    lab = make_lab(cache=False, ruleset=PASSES)
    make_other(lab)
    defaults = ["via 10.92.0.2", "via fd92::2"]
    lab.gateway.ip(*(f"route del default {d}" for d in defaults), "route add 45.0.0.0/8 via 10.92.0.2")
    lab.dns.set(HOSTS["a"], "A", ["45.1.0.1"], 60)
    daemon = lab.daemon(recipes.resolver() + "[vendor acme]\n" + group("interface = lan\n"
                                                                       "mode = enforce\n"))
    daemon.profile("acme", ACME)
    resolve(daemon.start())
    text = daemon.ctl("rules").stdout
    assert 'iifname "lan" oifname != "lan" goto v_group.machines' in text
    lab.gateway.nft(text)
    becomes(lambda: status(daemon)["state"] == "healthy", "filled")
    four = [t for t in MISSES if ":" not in t[1]]
    assert all_are("echo", lab.device, [ALLOWED[0]]) is True
    assert outcomes(lab.device, four + INSIDE) == refused(four + INSIDE)
    # It comes, and goes again: where it was is still the outside.
    lab.gateway.ip(*(f"route add default {d}" for d in defaults))
    load(lab, daemon)
    assert all_are("echo", lab.device, [ALLOWED[0]] + INSIDE) is True
    assert outcomes(lab.device, MISSES) == refused(MISSES)
    before = daemon.ctl("rules").stdout
    lab.gateway.ip(*(f"route del default {d}" for d in defaults), "addr add 46.7.7.1/24 dev lan2")
    # That has been read when an answer that points there is refused.
    lab.dns.set(HOSTS["a"], "A", ["46.7.7.9"], 60)
    becomes(lambda: resolve(daemon, HOSTS["a"]) and "this router's own network" in str(
        name_of(daemon, HOSTS["a"])), "read")
    assert daemon.ctl("rules").stdout == before


# --- denied

def test_denial_ends_a_flow_that_stands_in_either_mode(make_lab):
    lab, daemon, _ = begin(make_lab, "interface = lan\n", PASSES, vendor="endpoint = tunnel\n")
    tunnel, web = lab.device.connect("45.1.0.8", 18991), lab.device.connect("45.1.0.1", 443)
    configure(lab, daemon, "interface = lan\n", vendor="deny = tunnel\n")
    becomes(lambda: lab.elements("v_acme.tunnel.deny4", table="allowsync"), "the denial")
    log = listen(lab, daemon, "interface = lan\n", 4747, vendor="deny = tunnel\n")
    assert "45.1.0.8 . tcp . 18991" not in lab.elements("v_acme4", table="allowsync")
    tunnel.sendall(b"more")
    with pytest.raises(ConnectionResetError):
        tunnel.recv(64)
    web.sendall(b"still here")
    assert web.recv(64) == b"still here"
    assert outcomes(lab.device, [("tcp", "45.1.0.8", 18991), ("tcp", "45.1.0.8", 443)]) == {
        ("tcp", "45.1.0.8", 18991): "reset", ("tcp", "45.1.0.8", 443): "echo"}
    assert {(p.prefix, p.service) for p in log.read()} == {
        ("allowsync machines deny: ", ("tcp", "45.1.0.8", 18991)),
        ("allowsync machines report: ", ("tcp", "45.1.0.8", 443))}
    assert daemon.ctl("why", "45.1.0.8", "tcp/18991").returncode == 1
    assert "is denied to device groups" in daemon.ctl("why", "45.1.0.8").stdout
    assert refusals(lab, "v_group.machines.deny") >= 2
    log.close()


# --- DNS, NTP, IPv6

@pytest.mark.parametrize("dns, profile, passes", [
    ("gateway", True, False), ("profile", True, True), ("profile", False, False),
    ("any", False, True), ("45.53.0.53", False, True), ("45.53.0.54", True, False)])
def test_dns_of_a_group(make_lab, dns, profile, passes):
    lab, _, _ = begin(make_lab, f"interface = lan\nmode = enforce\ndns = {dns}\n",
                      vendor="endpoint = resolver\n" if profile else "")
    answer = dns_query(lab.device, "45.53.0.53", HOSTS["a"], timeout=5.0)
    assert (answer is not None) == passes
    assert (refusals(lab) > 0) != passes


@pytest.mark.parametrize("ntp, profiles, others", [("gateway", "prohibited", "prohibited"),
                                                   ("profile", "echo", "prohibited"),
                                                   ("any", "echo", "echo")])
def test_ntp_of_a_group(make_lab, ntp, profiles, others):
    lab, _, _ = begin(make_lab, f"interface = lan\nmode = enforce\nntp = {ntp}\n")
    both = [("udp", "45.1.0.6", 123), ("udp", "45.1.0.7", 123)]
    assert outcomes(lab.device, both) == dict(zip(both, [profiles, others]))
    assert all_are("echo", lab.device, ALLOWED[:-1]) is True


@pytest.mark.parametrize("keys", ["address = 10.91.0.2\n", ""])
def test_ipv6_of_a_group_without_addresses_of_it(make_lab, keys):
    four = [t for t in ALLOWED + MISSES if ":" not in t[1]]
    six = [t for t in ALLOWED + MISSES if ":" in t[1]]
    lab, daemon, _ = begin(make_lab, f"interface = lan\nmode = enforce\nipv6 = reject\n{keys}", PASSES)
    assert outcomes(lab.device, six) == refused(six)
    assert all_are("echo", lab.device, [t for t in four if t in ALLOWED] + INSIDE) is True
    configure(lab, daemon, f"interface = lan\nmode = enforce\nipv6 = ignore\n{keys}")
    assert all_are("echo", lab.device, six) is True
    assert outcomes(lab.device, [t for t in four if t in MISSES]) == refused(
        [t for t in four if t in MISSES])


# --- inwards

def test_vendor_comes_in_from_its_sources_to_the_devices_ports(make_lab):
    lab, daemon, _ = begin(make_lab, "interface = lan\nmode = enforce\n", DROPS % "",
                           vendor="endpoint = calls\n")
    echo_servers(lab.device)
    assert all_are("echo", lab.internet, [("tcp", "10.91.0.2", 5060), ("udp", "10.91.0.2", 5060)],
                   source="45.6.0.9") is True
    assert all_are("echo", lab.internet, [("udp", "fd91::2", 5060)], source="2a00:1::6") is True
    # Another port, source, device.
    for source, target in [("45.6.0.9", ("tcp", "10.91.0.2", 443)),
                           ("45.6.1.9", ("tcp", "10.91.0.2", 5060)),
                           ("2a00:1::9", ("udp", "fd91::2", 5060)),
                           ("45.6.0.9", ("tcp", "10.93.0.2", 5060))]:
        assert outcomes(lab.internet, [target], source, 0.5) == {target: "nothing"}
    # It is no way out.
    out = [("tcp", "45.6.0.9", 5060)]
    assert outcomes(lab.device, out) == refused(out)
    # What else the admin's own chain lets in is not refused, and is answered.
    lab.gateway.nft('insert rule inet filter forward iifname "wan" tcp dport 443 accept')
    assert all_are("echo", lab.internet, [("tcp", "10.91.0.2", 443)]) is True
    assert not [u for u in status(daemon)["undone"] if "inbound" in u]


def test_class_of_service_is_set_both_ways(make_lab):
    lab, _, _ = begin(make_lab, "interface = lan\n", PASSES, vendor="dscp = ef\n")
    near = [("tcp", "45.1.0.3", 443), ("tcp", "45.1.0.1", 80), ("udp", "2a00:1::7", 443)]
    rules = {}
    for node, end, port in ((lab.internet, "daddr", "dport"), (lab.device, "saddr", "sport")):
        text = ""
        for proto, address, number in ALLOWED + near:
            ip = "ip6" if ":" in address else "ip"
            for name, match in (("with", "ef"), ("without", "!= ef")):
                text += (f"{ip} {end} {address} {proto} {port} {number} {ip} dscp {match} counter "
                         f"comment \"{proto} {address} {number} {name}\"\n")
        node.nft("table inet seen { chain c { type filter hook input priority 0;\n" + text + "}\n}\n")
        rules[node] = text.count("comment")
    assert all_are("echo", lab.device, ALLOWED + near) is True
    for node, count in rules.items():
        listed = node.run(["nft", "list", "table", "inet", "seen"]).stdout
        seen = dict((c, int(n) > 0) for n, c in re.findall(
            r'counter packets (\d+) bytes \d+ comment "([^"]+)"', listed))
        assert len(seen) == count
        for target in ALLOWED + near:
            what = " ".join(str(w) for w in target)
            assert (seen[what + " with"], seen[what + " without"]) == (
                (False, True) if target in near else (True, False)), (node.name, target)


def test_nothing_of_a_group_that_is_enforced_is_left_undone(make_lab):
    _, daemon, _ = begin(make_lab, "interface = lan\nmode = enforce\n")
    assert status(daemon)["undone"] == []
    assert [v["state"] for v in ctl_json(daemon, "vendors")] == ["ok"]
