# SPDX-License-Identifier: GPL-2.0-or-later
"""From what is wanted to the kernel: one transaction a change, and what happens when one fails."""
import ipaddress

import pytest

import recipes
from recipes import ADDR4, ADDR6, PORTS4, PORTS6, becomes, resolve, set_of, status

NAME, OTHER = "a.example.com", "b.example.com"
ACME = recipes.profile({"name": NAME})


def begin(make_lab, *declarations, takes="acme", more="", profile=ACME, linger="0", start=True):
    """A lab with a table of these sets, and a daemon that fills each of them."""
    lab = make_lab(ruleset=recipes.table(*declarations), cache=False)
    names = [d.split()[1] if d.startswith("map ") else d.split()[0] for d in declarations]
    daemon = lab.daemon(recipes.resolver(linger) + recipes.vendors("acme") + more
                        + recipes.sets(*(f"{n} {takes}" for n in names)))
    daemon.profile("acme", profile)
    if start:
        daemon.start()
    return lab, daemon


def addresses(network, count):
    return [f"45.{network}.{i // 250}.{i % 250 + 1}" for i in range(count)]


def give(lab, daemon, *values, name=NAME):
    """DNS says this, and the daemon has heard it."""
    lab.dns.edit([(name, kind, [v for v in values if (":" in v) == (kind == "AAAA")], 60)
                  for kind in ("A", "AAAA")])
    resolve(daemon)


def keys(table, name, elements):
    return sorted((table, name, ipaddress.ip_address(e).packed) for e in elements)


# --- one transaction a change

def test_fifty_addresses_changed_at_once_are_one_transaction(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}")
    monitor = lab.monitor()
    give(lab, daemon, *addresses(1, 50))
    give(lab, daemon, *addresses(2, 50))
    first, second = monitor.changes()
    assert sorted(first.added) == keys("filter", "s", addresses(1, 50)) and not first.removed
    assert sorted(second.added) == keys("filter", "s", addresses(2, 50))
    assert sorted(second.removed) == sorted(first.added)
    assert len(monitor.read()) == 2 and not first.other + second.other
    entries = daemon.events("changed")
    assert [e["ALLOWSYNC_GENERATION"] for e in entries] == [str(first.number), str(second.number)]


def test_all_sets_change_in_one_transaction(make_lab):
    """At the start what is static, then one answer that feeds several sets, then a reload."""
    lab, daemon = begin(
        make_lab, f"s {ADDR4}", f"p {PORTS4}", f"six {ADDR6}", start=False,
        profile=recipes.profile({"name": NAME, "allow": "tcp/443, udp/123",
                                 "address": "45.7.7.7, 2a00:1::7"}))
    monitor = lab.monitor()
    daemon.start()
    resolve(daemon)
    (first,) = monitor.changes()
    assert sorted(k[1] for k in first.added) == ["p", "p", "s", "six"]
    give(lab, daemon, "45.7.7.8")
    second = monitor.changes()[1]
    assert sorted(k[1] for k in second.added) == ["p", "p", "s"]
    daemon.profile("acme", recipes.profile({"address": "45.7.7.9"}))
    daemon.reload()
    assert len(monitor.changes()) == len(monitor.read()) == 3
    third = monitor.changes()[2]
    assert sorted(k[1] for k in third.added) == ["p", "s"]
    assert sorted(third.removed) == sorted(first.added + second.added)


def test_nothing_is_sent_when_nothing_changed(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}")
    give(lab, daemon, "45.1.0.1", "45.1.0.2")
    before, monitor = status(daemon)["sets"], lab.monitor()
    lab.dns.set(NAME, "A", ["45.1.0.2", "45.1.0.1"], 30)
    for _ in range(3):
        resolve(daemon)
    assert status(daemon)["sets"]["commits"] == before["commits"]
    assert status(daemon)["sets"]["dumps"] == before["dumps"]
    assert not monitor.read() and len(daemon.events("changed")) == 1


TWINS = [
    "a { typeof ip daddr; }",
    "b { typeof ip daddr . meta l4proto . th dport; counter; }",
    "c { typeof ip6 saddr; flags timeout; }",
    "d { type ipv4_addr; flags timeout, dynamic; }",
    "e { type ipv6_addr . inet_proto . inet_service; timeout 1d; counter; }",
    "f { type ipv4_addr; size 65535; counter; }",
]


def test_sets_of_every_making_are_filled(make_lab):
    """By typeof, with and without timeout, counter, size: what the kernel says of it counts."""
    lab, daemon = begin(make_lab, *TWINS)
    give(lab, daemon, "45.1.0.1", "2a00:1::1")
    assert {n: set(lab.elements(n)) for n in "abcdef"} == {
        "a": {"45.1.0.1"}, "b": {"45.1.0.1 . tcp . 443"}, "c": {"2a00:1::1"}, "d": {"45.1.0.1"},
        "e": {"2a00:1::1 . tcp . 443"}, "f": {"45.1.0.1"}}
    assert daemon.ctl("status").returncode == 0
    give(lab, daemon, "45.1.0.2", "2a00:1::2")
    assert {k for n in "abcdef" for k in lab.elements(n)} == {
        "45.1.0.2", "45.1.0.2 . tcp . 443", "2a00:1::2", "2a00:1::2 . tcp . 443"}


def test_tables_of_every_family_are_reached(make_lab):
    lab = make_lab(cache=False, ruleset="".join(
        f"table {f} t {{\n\tset s {kind}\n}}\n" for f, kind in
        (("ip", ADDR4), ("ip6", ADDR6), ("inet", PORTS4))))
    daemon = lab.daemon(recipes.resolver() + recipes.vendors("acme") + "".join(
        f"[set {f}]\nfamily = {f}\ntable = t\nset = s\nvendor = acme\n" for f in
        ("ip", "ip6", "inet")))
    daemon.profile("acme", ACME)
    daemon.start()
    give(lab, daemon, "45.1.0.1", "2a00:1::1")
    assert [set(lab.elements("s", "t", f)) for f in ("ip", "ip6", "inet")] == [
        {"45.1.0.1"}, {"2a00:1::1"}, {"45.1.0.1 . tcp . 443"}]


# --- batches that fail

def test_an_element_gone_behind_our_back_is_no_obstacle(make_lab):
    """A delete of what is not there would fail the whole batch, and keep everything else out."""
    lab, daemon = begin(make_lab, f"s {ADDR4}", f"p {PORTS4}")
    give(lab, daemon, "45.1.0.1", "45.1.0.2")
    lab.gateway.nft("delete element inet filter s { 45.1.0.2 }")
    monitor = lab.monitor()
    give(lab, daemon, "45.1.0.1", "45.1.0.3")
    becomes(lambda: set(lab.elements("s")) == {"45.1.0.1", "45.1.0.3"}, "planned again")
    assert set(lab.elements("p")) == {"45.1.0.1 . tcp . 443", "45.1.0.3 . tcp . 443"}
    # The other set's part is whole, and is sent in the same turn.
    (other,) = [g for g in monitor.changes() if any(k[1] == "p" for k in g.added)]
    assert [k[1] for k in other.added + other.removed].count("p") == 2
    assert not daemon.events("set-degraded")
    assert daemon.ctl("status").returncode == 0


def test_an_element_added_behind_our_back_stays_foreign(make_lab):
    """It is not taken for ours because DNS gives it as well a moment later."""
    lab, daemon = begin(make_lab, f"s {ADDR4}", f"p {PORTS4}")
    give(lab, daemon, "45.1.0.1")
    lab.gateway.nft("add element inet filter s { 45.1.0.2 }")
    give(lab, daemon, "45.1.0.1", "45.1.0.2", "45.1.0.3")
    becomes(lambda: set(lab.elements("s")) == {f"45.1.0.{i}" for i in (1, 2, 3)}, "planned again")
    give(lab, daemon, "45.1.0.3")
    becomes(lambda: set(lab.elements("s")) == {"45.1.0.2", "45.1.0.3"}, "only ours have left")
    assert set(lab.elements("p")) == {"45.1.0.3 . tcp . 443"}
    assert set_of(daemon, "s")["foreign"] == 1 and daemon.ctl("status").returncode == 0
    assert len(daemon.events("foreign")) == 1


def test_a_full_set_is_degraded_alone(make_lab):
    lab, daemon = begin(make_lab, "small { type ipv4_addr; size 2; }", f"large {ADDR4}")
    give(lab, daemon, "45.1.0.1", "45.1.0.2")
    give(lab, daemon, "45.1.0.2", "45.1.0.3", "45.1.0.4")
    assert set(lab.elements("large")) == {"45.1.0.2", "45.1.0.3", "45.1.0.4"}, "in the same turn"
    becomes(lambda: daemon.events("set-degraded"), "said")
    # What was there and is wanted still has not moved.
    assert "45.1.0.2" in lab.elements("small") and "45.1.0.1" not in lab.elements("small")
    (said,) = daemon.events("set-degraded")
    assert said["ALLOWSYNC_SET"] == "inet filter small" and "full" in said["MESSAGE"]
    assert daemon.ctl("status").returncode == 1
    assert set_of(daemon, "small")["state"] == "degraded"
    assert set_of(daemon, "large")["state"] == "ok"
    # Others' changes go on, and it is tried again: when it fits it is in step.
    give(lab, daemon, "45.1.0.3", "45.1.0.4")
    becomes(lambda: set(lab.elements("small")) == {"45.1.0.3", "45.1.0.4"}, "tried again")
    assert set(lab.elements("large")) == {"45.1.0.3", "45.1.0.4"}
    becomes(lambda: daemon.events("set-recovered"), "said as well")
    assert daemon.ctl("status").returncode == 0
    assert len(daemon.events("set-degraded")) == len(daemon.events("set-recovered")) == 1


def test_a_set_that_others_filled_up_is_left_as_it_was(make_lab):
    """The kernel refuses the batch; nothing of it happens, and the others' part is sent again."""
    lab, daemon = begin(make_lab, "small { type ipv4_addr; size 3; }", f"large {ADDR4}")
    give(lab, daemon, "45.1.0.1", "45.1.0.2")
    lab.gateway.nft("add element inet filter small { 45.99.0.1 }")
    monitor = lab.monitor()
    give(lab, daemon, "45.1.0.1", "45.1.0.2", "45.1.0.3")
    assert "45.1.0.3" in lab.elements("large")
    becomes(lambda: daemon.events("set-degraded"), "looked at and said")
    assert set(lab.elements("small")) == {"45.1.0.1", "45.1.0.2", "45.99.0.1"}
    assert {k[1] for g in monitor.changes() for k in g.added + g.removed} == {"large"}
    assert daemon.ctl("status").returncode == 1 and set_of(daemon, "small")["foreign"] == 1
    lab.gateway.nft("delete element inet filter small { 45.99.0.1 }")
    becomes(lambda: set(lab.elements("small")) == {"45.1.0.1", "45.1.0.2", "45.1.0.3"},
            "room is found")


def test_a_deleted_table_is_found_again_and_refilled(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}", f"p {PORTS4}")
    give(lab, daemon, "45.1.0.1")
    lab.gateway.nft("delete table inet filter")
    give(lab, daemon, "45.1.0.1", "45.1.0.2")
    becomes(lambda: len(daemon.events("set-degraded")) == 2, "noticed")
    assert daemon.ctl("status").returncode == 1
    assert "no such table or set" in set_of(daemon, "s")["problems"][0]
    assert not status(daemon)["sets"]["in_step"]
    lab.gateway.nft(recipes.table(f"s {ADDR4}", f"p {PORTS4}"))
    becomes(lambda: (set(lab.elements("s")), set(lab.elements("p")))
            == ({"45.1.0.1", "45.1.0.2"}, {"45.1.0.1 . tcp . 443", "45.1.0.2 . tcp . 443"}),
            "refilled from what is known")
    becomes(lambda: len(daemon.events("set-recovered")) == 2, "said")
    assert daemon.ctl("status").returncode == 0
    assert len(daemon.events("set-degraded")) == 2, "said once"


def test_a_set_emptied_by_others_is_refilled_by_diff_and_by_reload(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}")
    give(lab, daemon, "45.1.0.1", "45.1.0.2")
    for look in (lambda: daemon.ctl("diff"), daemon.reload):
        lab.gateway.nft("flush set inet filter s")
        look()
        becomes(lambda: set(lab.elements("s")) == {"45.1.0.1", "45.1.0.2"}, "refilled")


def test_a_set_that_is_missing_at_the_start_is_filled_when_it_is_made(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}", start=False)
    recipes.delete_set(lab, "s")
    daemon.start()
    give(lab, daemon, "45.1.0.1")
    assert daemon.ctl("status").returncode == 1
    becomes(lambda: "DEGRADED" in daemon.status, "the manager is told")
    recipes.add_set(lab, f"s {ADDR4}")
    becomes(lambda: set(lab.elements("s")) == {"45.1.0.1"}, "found and filled")
    assert daemon.ctl("status").returncode == 0
    becomes(lambda: "DEGRADED" not in daemon.status, "the manager is told again")


@pytest.mark.parametrize("then", [PORTS4, ADDR6, "{ type ipv4_addr; flags timeout; }", PORTS6])
def test_a_set_made_anew_with_another_type_gets_other_keys(make_lab, then):
    lab, daemon = begin(make_lab, f"s {ADDR4}")
    give(lab, daemon, "45.1.0.1", "2a00:1::1")
    assert set(lab.elements("s")) == {"45.1.0.1"}
    recipes.delete_set(lab, "s")
    recipes.add_set(lab, f"s {then}")
    give(lab, daemon, "45.1.0.1", "45.1.0.2", "2a00:1::1", "2a00:1::2")
    a = ["2a00:1::1", "2a00:1::2"] if "ipv6" in then else ["45.1.0.1", "45.1.0.2"]
    expected = {f"{x} . tcp . 443" if "inet_service" in then else x for x in a}
    daemon.ctl("diff")  # of the other family nothing else would make it look
    becomes(lambda: set(lab.elements("s")) == expected, "the keys of the new type")
    assert daemon.ctl("status").returncode == 0
    give(lab, daemon)  # no answer takes nothing away
    assert set(lab.elements("s")) == expected


# --- sets that cannot be filled

UNUSABLE = [
    "noproto { type ipv4_addr . inet_service; }",
    "map marks { type ipv4_addr : mark; }",
    "fixed { type ipv4_addr; flags constant; elements = { 45.99.0.1 }; }",
    "ports { type inet_service; }",
    "map verdicts { type ipv4_addr : verdict; }",
    "links { type ifname; }",
]


def test_sets_that_cannot_be_filled_are_degraded_and_the_others_work(make_lab):
    names = [d.split()[1] if d.startswith("map ") else d.split()[0] for d in UNUSABLE]
    text = recipes.table(f"good {ADDR4}", *UNUSABLE).replace("\tset map ", "\tmap ")
    lab = make_lab(ruleset=text, cache=False)
    daemon = lab.daemon(recipes.resolver() + recipes.vendors("acme")
                        + recipes.sets("good acme", *(f"{n} acme" for n in names)))
    daemon.profile("acme", ACME)
    before = {n: lab.gateway.run(["nft", "list", "ruleset"]).stdout.count(n) for n in names}
    monitor = lab.monitor()
    daemon.start()
    give(lab, daemon, "45.1.0.1")
    assert set(lab.elements("good")) == {"45.1.0.1"}
    assert {k[1] for g in monitor.changes() for k in g.added} == {"good"}
    assert before == {n: lab.gateway.run(["nft", "list", "ruleset"]).stdout.count(n) for n in names}
    for n in names:
        shown = set_of(daemon, n)
        assert shown["state"] == "degraded" and shown["problems"], n
        said = daemon.entries(ALLOWSYNC_EVENT="set-degraded", ALLOWSYNC_SET=f"inet filter {n}")
        assert len(said) == 1 and said[0]["ALLOWSYNC_LINE"], n
    assert "proto = tcp" in set_of(daemon, "noproto")["problems"][0]
    # Which section of which file, which set, which flag: in one sentence.
    (said,) = daemon.entries(ALLOWSYNC_EVENT="set-degraded", ALLOWSYNC_SET="inet filter fixed")
    assert said["MESSAGE"].startswith(f"allowsyncd.conf:{said['ALLOWSYNC_LINE']}: [set fixed]: "
                                      "set inet filter fixed: flag constant")
    assert "constant" in set_of(daemon, "fixed")["problems"][0]
    assert set_of(daemon, "good")["state"] == "ok"
    assert daemon.ctl("status").returncode == 1


# --- elements of others

def test_foreign_elements_are_kept_and_reported(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}", f"p {PORTS4}", start=False)
    lab.gateway.nft("""
        add element inet filter s { 45.99.0.1, 45.99.0.2 comment "printer" }
        add element inet filter s { 45.99.0.3 comment "allowsyncd too" }
        add element inet filter s { 45.99.0.4 comment "Allowsyncd" }
        add element inet filter p { 45.99.0.1 . tcp . 22 comment "allowsync" }""")
    theirs = lab.elements("s")
    daemon.start()
    give(lab, daemon, "45.1.0.1")
    give(lab, daemon, "45.1.0.2")
    assert set(lab.elements("s")) == set(theirs) | {"45.1.0.2"}
    assert {k: e for k, e in lab.elements("s").items() if k in theirs} == theirs
    assert set(lab.elements("p")) == {"45.99.0.1 . tcp . 22", "45.1.0.2 . tcp . 443"}
    said = {e["ALLOWSYNC_SET"]: e["MESSAGE"] for e in daemon.events("foreign")}
    assert set(said) == {"inet filter s", "inet filter p"}
    assert "4 elements" in said["inet filter s"] and "45.99.0.2" in said["inet filter s"]
    assert "45.99.0.1 . tcp . 22" in said["inet filter p"]
    assert set_of(daemon, "s")["foreign"] == 4 and status(daemon)["sets"]["foreign"] == 5
    assert daemon.ctl("status").returncode == 0, "no trouble of ours"
    # Said once, as long as it is the same.
    daemon.ctl("diff")
    daemon.reload()
    assert len(daemon.events("foreign")) == 2
    lab.gateway.nft("delete element inet filter p { 45.99.0.1 . tcp . 22 }")
    daemon.ctl("diff")
    assert len(daemon.events("foreign")) == 3 and set_of(daemon, "p")["foreign"] == 0


def test_a_foreign_element_that_is_wanted_as_well_stays_theirs(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}", start=False)
    lab.gateway.nft('add element inet filter s { 45.1.0.1 comment "mine" }')
    daemon.start()
    monitor = lab.monitor()
    give(lab, daemon, "45.1.0.1", "45.1.0.2")
    assert {k[2] for g in monitor.changes() for k in g.added} == {bytes([45, 1, 0, 2])}
    assert lab.elements("s")["45.1.0.1"]["comment"] == "mine"
    why = recipes.ctl_json(daemon, "why", "45.1.0.1")[0]
    assert why["allowed"] and not why["elements"][0]["ours"] and why["elements"][0]["owners"]
    give(lab, daemon, "45.1.0.2")
    assert set(lab.elements("s")) == {"45.1.0.1", "45.1.0.2"}
    assert daemon.ctl("diff").returncode == 0


# --- what a hash set cannot hold

CROWD = recipes.profile(
    {"endpoint": "net", "address": "199.7.172.0/22, 45.7.0.1, 45.7.1.0-45.7.1.9, 2a00:1:7::/48"},
    {"endpoint": "many", "address": "45.7.0.2", "allow": "udp/10000-20000"},
    {"endpoint": "ping", "address": "45.7.0.3", "allow": "tcp/443, icmp/echo-request"},
    {"endpoint": "gre", "name": NAME, "allow": "gre"},
    {"endpoint": "good", "name": OTHER, "allow": "tcp/1-15, udp/1"})


def test_entries_that_a_set_cannot_hold_are_said_once_and_left_out(make_lab):
    lab, daemon = begin(make_lab, f"p {PORTS4}", profile=CROWD)
    give(lab, daemon, "45.7.0.4")
    give(lab, daemon, "45.7.0.5", name=OTHER)
    elements = set(lab.elements("p"))
    assert elements == ({"45.7.0.1 . tcp . 443", "45.7.0.3 . tcp . 443", "45.7.0.5 . udp . 1"}
                        | {f"45.7.0.5 . tcp . {i}" for i in range(1, 16)})
    lines = {text: i for i, text in enumerate(CROWD.splitlines(), 1)}
    section = {e: lines[f"[endpoint {e}]"] for e in ("net", "many", "ping", "gre")}
    prefixes = lines["address = 199.7.172.0/22, 45.7.0.1, 45.7.1.0-45.7.1.9, 2a00:1:7::/48"]
    expected = {("199.7.172.0/22", prefixes), ("45.7.1.0-45.7.1.9", prefixes),
                ("udp/10000-20000", section["many"]), ("icmp/echo-request", section["ping"]),
                ("gre", section["gre"])}

    def said():
        found = []
        for e in daemon.events("set-entry-refused"):
            assert e["ALLOWSYNC_SET"] == "inet filter p" and "set inet filter p" in e["MESSAGE"]
            assert e["ALLOWSYNC_FILE"].endswith("vendors/acme.conf")
            line = int(e["ALLOWSYNC_LINE"])
            assert e["MESSAGE"].startswith(f"{e['ALLOWSYNC_FILE']}:{line}: ")
            found += [(text, at) for text, at in expected
                      if text in e["MESSAGE"] and line in (at, at + 1, at + 2)]
        return found

    assert sorted(said()) == sorted(expected)
    prefix = next(e for e in daemon.events("set-entry-refused") if "199.7.172.0/22" in e["MESSAGE"])
    assert "interval" in prefix["MESSAGE"]
    many = next(e for e in daemon.events("set-entry-refused") if "udp/10000" in e["MESSAGE"])
    assert "16 ports" in many["MESSAGE"]
    assert daemon.ctl("status").returncode == 1
    assert len(status(daemon)["degraded"]) == 5 and len(set_of(daemon, "p")["problems"]) == 5
    # Neither an answer nor a look says it again.
    give(lab, daemon, "45.7.0.6")
    daemon.ctl("diff")
    assert len(daemon.events("set-entry-refused")) == 5
    # In a set of addresses only ranges have no place.
    recipes.delete_set(lab, "p")
    recipes.add_set(lab, f"p {ADDR4}")
    daemon.ctl("diff")
    becomes(lambda: set(lab.elements("p")) == {f"45.7.0.{i}" for i in (1, 2, 3, 5, 6)}, "filled")
    assert len(status(daemon)["degraded"]) == 2


def test_a_plain_set_over_different_services_is_warned_of(make_lab):
    mixed = recipes.profile({"endpoint": "web", "name": NAME},
                            {"endpoint": "time", "name": OTHER, "allow": "udp/123"})
    lab, daemon = begin(make_lab, f"s {ADDR4}", f"p {PORTS4}", profile=mixed)
    (said,) = daemon.events("set-mixed")
    assert said["ALLOWSYNC_SET"] == "inet filter s"
    for text in ("acme/web", "tcp/443", "acme/time", "udp/123"):
        assert text in said["MESSAGE"]
    assert "acme/web" in daemon.ctl("status").stdout
    assert daemon.ctl("status").returncode == 0, "a warning, no trouble"
    # Endpoints of the same services may share one.
    daemon.profile("acme", mixed.replace("udp/123", "tcp/443"))
    daemon.reload()
    assert len(daemon.events("set-mixed")) == 1 and not set_of(daemon, "s")["notes"]
