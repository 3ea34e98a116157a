# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole way: a record changes, the daemon notices, the device gets through or does not."""
import time

from spaces import wait_until

TTL, LINGER, SLACK = 3, 3, 2
NAME = "whitelist.ixon.cloud"

# linger is explicit, so that an address leaves within seconds.
RESOLVER = f"""
[resolver]
server = 127.0.0.1
refresh-min = 1s
linger = {LINGER}s
"""


def sets(*lines):
    """[set] sections from "section set vendor" triples in table inet filter."""
    text = ""
    for line in lines:
        section, name, vendors = line.split(" ", 2)
        text += f"\n[set {section}]\nfamily = inet\ntable = filter\nset = {name}\nvendor = {vendors}\n"
    return text


IXON = RESOLVER + "\n[vendor ixon]\n" + sets("v4 svc4 ixon", "v6 svc6 ixon")

ACME = """
[profile]
title = Acme
[endpoint a]
name = a.example.com
allow = tcp/443
[endpoint b]
name = b.example.com
allow = tcp/443
[endpoint c]
name = c.example.com
address = 45.7.7.7
allow = tcp/443
"""


def within(seconds, predicate, what):
    """Like wait_until, but says how long it took: the bound is part of the promise."""
    start = time.monotonic()
    value = wait_until(predicate, seconds, what)
    return value, time.monotonic() - start


def test_added_server_passes_within_ttl(lab):
    lab.dns.edit([(NAME, "A", ["45.9.9.1"], TTL), (NAME, "AAAA", ["2a00:1::1"], TTL)])
    lab.daemon(IXON).start()
    wait_until(lambda: lab.device.reaches("45.9.9.1") and lab.device.reaches("2a00:1::1"), 10)
    assert not lab.device.reaches("45.9.9.2") and not lab.device.reaches("2a00:1::2")
    lab.dns.edit([(NAME, "A", ["45.9.9.1", "45.9.9.2"], TTL),
                  (NAME, "AAAA", ["2a00:1::1", "2a00:1::2"], TTL)])
    within(TTL + SLACK, lambda: lab.device.reaches("45.9.9.2") and lab.device.reaches("2a00:1::2"),
           "the added server passes")


def test_removed_server_is_blocked_within_ttl_and_linger(lab):
    lab.dns.edit([(NAME, "A", ["45.9.9.1", "45.9.9.2"], TTL),
                  (NAME, "AAAA", ["2a00:1::1", "2a00:1::2"], TTL)])
    daemon = lab.daemon(IXON).start()
    wait_until(lambda: lab.device.reaches("45.9.9.2") and lab.device.reaches("2a00:1::2"), 10)
    open_flow = lab.device.connect("45.9.9.2", 443)
    lab.dns.edit([(NAME, "A", ["45.9.9.1"], TTL), (NAME, "AAAA", ["2a00:1::1"], TTL)])
    within(TTL + LINGER + SLACK,
           lambda: not lab.device.reaches("45.9.9.2") and not lab.device.reaches("2a00:1::2"),
           "the removed server is blocked")
    assert lab.device.reaches("45.9.9.1") and lab.device.reaches("2a00:1::1")
    open_flow.sendall(b"still here")
    assert open_flow.recv(64) == b"still here", "an established flow was cut"
    open_flow.close()
    removed = [e for e in daemon.events("changed") if "45.9.9.2" in e.get("ALLOWSYNC_REMOVED", "")]
    assert len(removed) == 1 and removed[0]["ALLOWSYNC_NAME"] == NAME


def test_five_hundred_addresses_over_tcp_arrive_whole(lab):
    many = [f"45.20.{i // 250}.{i % 250 + 1}" for i in range(500)]
    lab.dns.set(NAME, "A", many, 60)
    daemon = lab.daemon(IXON).start()
    wait_until(lambda: len(lab.elements("svc4")) >= 500, 15)
    assert set(lab.elements("svc4")) == {f"{a} . tcp . 443" for a in many}
    changes = [e for e in daemon.events("changed") if e["ALLOWSYNC_NAME"] == NAME]
    assert sum(len(e["ALLOWSYNC_ADDED"].split(", ")) for e in changes) == 500


def test_name_with_underscore_works(lab):
    lab.dns.set("cloud_ap.cloudtrax.com", "A", ["45.9.8.1"], TTL)
    lab.daemon(RESOLVER + "\n[vendor cloudtrax]\nrole = ap\n" + sets("v4 svc4 cloudtrax")).start()
    wait_until(lambda: lab.device.reaches("45.9.8.1"), 10)


def test_cname_into_a_rotating_pool_follows_it(lab):
    pool = "time.pool.example.net"
    lab.dns.edit([(NAME, "CNAME", [pool + "."], 60), (pool, "A", ["45.9.7.1", "45.9.7.2"], 2)])
    lab.daemon(IXON).start()
    wait_until(lambda: lab.device.reaches("45.9.7.1") and lab.device.reaches("45.9.7.2"), 10)
    # The TTL that counts is the least of the chain: the pool's.
    lab.dns.set(pool, "A", ["45.9.7.2", "45.9.7.3"], 2)
    within(2 + SLACK, lambda: lab.device.reaches("45.9.7.3"), "the pool's next server passes")
    lab.dns.set(pool, "A", ["45.9.7.3", "45.9.7.4"], 2)
    within(2 + SLACK, lambda: lab.device.reaches("45.9.7.4"), "and the one after")
    within(2 + LINGER + SLACK, lambda: not lab.device.reaches("45.9.7.1"), "the first has left")


def test_name_and_static_address_share_an_element(lab):
    """Losing the name does not remove what is static."""
    lab.dns.set("c.example.com", "A", ["45.7.7.7", "45.7.7.8"], TTL)
    daemon = lab.daemon(RESOLVER + "\n[vendor acme]\n" + sets("v4 svc4 acme"))
    daemon.profile("acme", ACME)
    daemon.start()
    wait_until(lambda: lab.device.reaches("45.7.7.8"), 10)
    assert lab.device.reaches("45.7.7.7")
    lab.dns.set("c.example.com", "A", ["45.7.7.9"], TTL)
    wait_until(lambda: lab.device.reaches("45.7.7.9") and not lab.device.reaches("45.7.7.8"), 15)
    assert lab.device.reaches("45.7.7.7")


def test_static_address_gone_leaves_what_a_name_wants(lab):
    lab.dns.set("c.example.com", "A", ["45.7.7.6", "45.7.7.7"], TTL)
    daemon = lab.daemon(RESOLVER + "\n[vendor acme]\n" + sets("v4 svc4 acme"))
    daemon.profile("acme", ACME)
    daemon.start()
    wait_until(lambda: lab.device.reaches("45.7.7.6"), 10, "the name's answer is in")
    monitor = lab.monitor()
    daemon.profile("acme", ACME.replace("address = 45.7.7.7\n", ""))
    daemon.reload()
    assert lab.device.reaches("45.7.7.7")
    # And when the name lets go of it as well, it leaves.
    lab.dns.set("c.example.com", "A", ["45.7.7.8"], TTL)
    wait_until(lambda: not lab.device.reaches("45.7.7.7"), 15)
    key = bytes([45, 7, 7, 7, 6, 0, 0, 0, 1, 187, 0, 0])
    touched = [g for g in monitor.changes() if ("filter", "svc4", key) in g.added + g.removed]
    assert len(touched) == 1, "the shared element went and came back"


def test_two_names_share_an_element(lab):
    lab.dns.edit([("a.example.com", "A", ["45.7.1.1"], TTL),
                  ("b.example.com", "A", ["45.7.1.1", "45.7.1.2"], TTL)])
    daemon = lab.daemon(RESOLVER + "\n[vendor acme]\n" + sets("v4 svc4 acme"))
    daemon.profile("acme", ACME)
    daemon.start()
    wait_until(lambda: lab.device.reaches("45.7.1.1") and lab.device.reaches("45.7.1.2"), 10)
    lab.dns.set("b.example.com", "A", ["45.7.1.3"], TTL)
    wait_until(lambda: lab.device.reaches("45.7.1.3") and not lab.device.reaches("45.7.1.2"), 15)
    assert lab.device.reaches("45.7.1.1"), "a.example.com still has it"
    lab.dns.set("a.example.com", "A", ["45.7.1.3"], TTL)
    wait_until(lambda: not lab.device.reaches("45.7.1.1"), 15)
    assert lab.device.reaches("45.7.1.3")


def test_two_vendors_share_an_element(lab):
    profile = "[profile]\ntitle = {0}\n[endpoint x]\nname = {1}\nallow = tcp/443\n"
    lab.dns.edit([("a.example.com", "A", ["45.7.2.1"], TTL),
                  ("b.example.com", "A", ["45.7.2.1"], TTL)])
    config = RESOLVER + "\n[vendor one]\n[vendor two]\n" + sets("v4 svc4 one, two")
    daemon = lab.daemon(config)
    daemon.profile("one", profile.format("One", "a.example.com"))
    daemon.profile("two", profile.format("Two", "b.example.com"))
    daemon.start()
    wait_until(lambda: lab.device.reaches("45.7.2.1"), 10)
    lab.dns.set("a.example.com", "A", ["45.7.2.2"], TTL)
    wait_until(lambda: lab.device.reaches("45.7.2.2"), 10)
    time.sleep(TTL + LINGER + SLACK)  # nothing is awaited: it is to stay
    assert lab.device.reaches("45.7.2.1"), "vendor two still has it"
    daemon.configure(config.replace("[vendor two]\n", "").replace("one, two", "one"))
    daemon.reload()
    assert not lab.device.reaches("45.7.2.1")
    assert lab.device.reaches("45.7.2.2")


def test_outage_of_the_resolver_changes_nothing(lab):
    lab.dns.set(NAME, "A", ["45.9.9.1"], TTL)
    daemon = lab.daemon(IXON.replace("server = 127.0.0.1", "server = 127.0.0.1\ntimeout = 500ms")).start()
    wait_until(lambda: lab.device.reaches("45.9.9.1"), 10)
    monitor = lab.monitor()
    lab.cache.pause()
    wait_until(lambda: daemon.events("dns-silent"), 30, "the outage is noticed")
    lab.cache.resume()
    wait_until(lambda: daemon.events("dns-answers"), 90, "and its end")
    lab.cache.stop()
    time.sleep(TTL + LINGER + SLACK)
    assert lab.device.reaches("45.9.9.1") and not monitor.changes()


def test_one_negative_answer_removes_nothing_and_three_confirmed_ones_do(lab):
    lab.dns.set(NAME, "A", ["45.9.9.1"], TTL)
    daemon = lab.daemon(IXON, fake_time=True).start()
    wait_until(lambda: lab.device.reaches("45.9.9.1"), 10)
    monitor = lab.monitor()
    lab.dns.set(NAME, "A", [], TTL)
    wait_until(lambda: daemon.events("name-failing"), 10, "the first denial")
    for _ in range(5):
        daemon.ctl("resolve", NAME)
    assert lab.device.reaches("45.9.9.1") and not monitor.changes()
    daemon.jump(31)
    daemon.ctl("resolve", NAME)
    assert lab.device.reaches("45.9.9.1") and not monitor.changes()
    daemon.jump(31)
    daemon.ctl("resolve", NAME)
    wait_until(lambda: not lab.device.reaches("45.9.9.1"), 10, "the third has confirmed it")
    assert daemon.events("name-gone")
    lab.dns.set(NAME, "A", ["45.9.9.1"], TTL)
    wait_until(lambda: lab.device.reaches("45.9.9.1"), 10, "back with the first good answer")


def test_vendor_alone_needs_one_line_in_a_gateway_that_drops(make_lab):
    lab = make_lab(ruleset="table inet filter { chain forward { type filter hook forward priority 0; "
                           "policy drop;\nct state established,related accept\n}\n}\n")
    lab.dns.edit([(NAME, "A", ["45.9.9.1"], 60), (NAME, "AAAA", ["2a00:1::1"], 60)])
    daemon = lab.daemon("[resolver]\nserver = 127.0.0.1\n[vendor ixon]\n").start()
    wait_until(lambda: "drops by policy" in daemon.ctl("status").stdout, 20, "ineffective")
    assert daemon.ctl("status").returncode == 2 and not lab.device.reaches("45.9.9.1")
    line = daemon.ctl("rules", "--hook").stdout
    lab.gateway.nft(f"add rule inet filter forward {line}")
    wait_until(lambda: daemon.ctl("status").returncode == 0, 20, "healthy")
    assert lab.device.reaches("45.9.9.1") and lab.device.reaches("2a00:1::1")
    assert not lab.device.reaches("45.9.9.2")
