# SPDX-License-Identifier: GPL-2.0-or-later
"""What allowsyncctl's verbs do to the sets, and that what they and the journal tell is so."""
import signal
import subprocess
import threading

import pytest

import recipes
from faultdns import FaultDns, address
from lab import build_dir
from recipes import (ADDR4, MANY, PORTS4, becomes, ctl_json, name_of, records_of_many, replay,
                     resolve, set_of, status, turn)
from varlink import Client

FAULTS = "45.53.0.54"
A, B, C = "a.example.com", "b.example.com", "c.example.com"
TABLE = recipes.table(f"one {ADDR4}", f"two {PORTS4}")
SETS = recipes.sets("one acme, other", "two acme")
CONFIG = recipes.resolver() + recipes.vendors("acme", "other") + SETS
ACME = recipes.profile({"endpoint": "servers", "name": [A, B], "address": "45.8.0.1"})
OTHER = recipes.profile({"endpoint": "x", "name": C, "address": "45.8.0.2"})


def begin(make_lab, config=CONFIG, **kw):
    lab = make_lab(ruleset=TABLE, cache=False, **kw)
    lab.dns.edit([(A, "A", ["45.1.0.1", "45.1.0.2"], 60), (B, "A", ["45.1.0.2"], 60),
                  (C, "A", ["45.1.0.2", "45.1.0.3"], 60)])
    daemon = lab.daemon(config)
    daemon.profile("acme", ACME)
    daemon.profile("other", OTHER)
    daemon.start()
    resolve(daemon)
    return lab, daemon


def begin_faulty(make_lab, linger="0"):
    """A daemon of fake time that asks the server which does as it is told and logs questions."""
    lab = make_lab(ruleset=TABLE, cache=False)
    dns = FaultDns(lab.internet, lab.directory, FAULTS, default="ttl-3600")
    daemon = lab.daemon(recipes.resolver(linger=linger, server=FAULTS, timeout="200ms", tries="1")
                        + recipes.vendors("acme", "other") + SETS, fake_time=True)
    daemon.profile("acme", ACME)
    daemon.profile("other", OTHER)
    daemon.start()
    resolve(daemon)
    return lab, dns, daemon


def both(lab):
    """The addresses in `one`; `two` is a part of it."""
    one, two = set(lab.elements("one")), {e.split(" . ")[0] for e in lab.elements("two")}
    return one, two


ALL = ({"45.1.0.1", "45.1.0.2", "45.1.0.3", "45.8.0.1", "45.8.0.2"},
       {"45.1.0.1", "45.1.0.2", "45.8.0.1"})


# --- resolve, why, diff, monitor

def test_what_changed_is_in_the_set_when_resolve_returns(make_lab):
    lab, daemon = begin(make_lab)
    assert both(lab) == ALL
    for i in range(10, 20):
        lab.dns.set(B, "A", [f"45.1.0.{i}"], 3600)
        daemon.ctl("resolve", B, check=True)
        assert f"45.1.0.{i}" in lab.elements("one") and f"45.1.0.{i - 1}" not in lab.elements("one")
    # The other names were not asked: their next question is where it was.
    lab.dns.set(A, "A", ["45.1.0.50"], 3600)
    daemon.ctl("resolve", B, check=True)
    assert "45.1.0.50" not in lab.elements("one")
    daemon.ctl("resolve", check=True)
    assert "45.1.0.50" in lab.elements("one")


def test_resolve_waits_for_an_answer_later_than_itself(make_lab):
    """A question that is under way already may bring what was true before."""
    lab, dns, daemon = begin_faulty(make_lab)
    dns.set(B, "slow-150")
    asked = len(dns.questions(B, "A"))
    first = threading.Thread(target=daemon.ctl, args=("resolve", B))
    first.start()
    becomes(lambda: len(dns.questions(B, "A")) > asked, "a question under way")
    dns.set(B, "many-2")
    daemon.ctl("resolve", B, check=True)
    assert {address(B, "A", i) for i in (1, 2)} <= set(lab.elements("one"))
    first.join()


def test_why_tells_of_each_owner_and_of_what_left(make_lab):
    lab, daemon = begin(make_lab, CONFIG.replace("linger = 0", "linger = 1h"))
    lab.dns.set(A, "A", ["45.1.0.1"], 60)
    resolve(daemon, A)
    why = ctl_json(daemon, "why", "45.1.0.2")[0]
    owners = {e["set"]: {(o["vendor"], o["endpoint"], o["name"], "leaves" in o["seen"])
                         for o in e["owners"]} for e in why["elements"]}
    assert owners == {
        "inet filter one": {("acme", "servers", A, True), ("acme", "servers", B, False),
                            ("other", "x", C, False)},
        "inet filter two": {("acme", "servers", A, True), ("acme", "servers", B, False)}}
    text = daemon.ctl("why", "45.1.0.2").stdout
    assert "missing since" in text and "first answer without it" in text and "tcp/443" in text
    static = ctl_json(daemon, "why", "45.8.0.1", "tcp/443")[0]
    assert static["allowed"] and "name" not in static["elements"][0]["owners"][0]
    assert not ctl_json(daemon, "why", "45.8.0.1", "udp/53")[0]["elements"][1:]
    # By name: all its addresses.
    assert ctl_json(daemon, "why", A)[0]["addresses"] == ["45.1.0.1", "45.1.0.2"]
    # A released vendor lets go; another's name that gives the same keeps it.
    daemon.ctl("release", "acme", check=True)
    gone = ctl_json(daemon, "why", "45.1.0.1")[0]
    assert not gone["allowed"] and {r["set"] for r in gone["left"]} == {"inet filter one",
                                                                      "inet filter two"}
    assert {(r["vendor"], r["name"], r["reason"]) for r in gone["left"]} == {("acme", A, "release")}
    unknown = daemon.ctl("why", "45.66.66.66")
    assert unknown.returncode == 1 and "in no set" in unknown.stdout


def test_diff_tells_what_the_next_turn_does(make_lab):
    lab, daemon = begin(make_lab)
    assert daemon.ctl("diff").returncode == 0
    client = Client(daemon.socket)
    assert client.list("Diff") == [{"add": [], "delete": []}]

    def ask():
        """It finds the question and what happened together when it wakes up; it may have mended the
        sets before it answers."""
        becomes(lambda: both(lab) == ALL, "in step")
        daemon.process.send_signal(signal.SIGSTOP)
        lab.gateway.nft("""
            delete element inet filter one { 45.1.0.1, 45.1.0.3 }
            delete element inet filter two { 45.8.0.1 . tcp . 443 }
            add element inet filter two { 45.99.0.1 . tcp . 443 comment "allowsyncd" }""")
        client.send("Diff", more=True)
        daemon.process.send_signal(signal.SIGCONT)
        pieces, continues = [], True
        while continues:
            reply, continues = client.receive("Diff")
            pieces.append(reply)
        return pieces[0].get("set") and pieces

    pieces = becomes(ask, "it answers first")
    client.close()
    assert [(p["set"], p["delete"], p["add"]) for p in pieces] == [
        ("inet filter one", [], ["45.1.0.1", "45.1.0.3"]),
        ("inet filter two", ["45.99.0.1 . tcp . 443"], []),
        ("inet filter two", [], ["45.8.0.1 . tcp . 443"])]
    becomes(lambda: both(lab) == ALL, "and it does what it said")
    assert daemon.ctl("diff").returncode == 0


def test_monitor_sees_every_change_until_it_is_interrupted(make_lab):
    lab, daemon = begin(make_lab, records=records_of_many(500))
    p = subprocess.Popen(lab.gateway.command(
        [f"{build_dir()}/src/allowsyncctl", "--socket", daemon.socket, "monitor"]),
        stdout=subprocess.PIPE, text=True)
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(p.stdout))
    reader.start()
    # It has subscribed when it shows anything at all.
    becomes(lambda: daemon.reload() or lines, "the first line", 30)
    lab.dns.edit([(A, "A", [], 60), (A, "CNAME", [f"{MANY}."], 60)])
    resolve(daemon, A)
    lab.dns.edit([(A, "CNAME", [], 60), (A, "A", ["45.1.0.1"], 60)])
    resolve(daemon, A)
    becomes(lambda: any("-45.20.0.1" in line for line in lines), "the removal")
    assert any("+45.20.0.1" in line and "more" in line for line in lines)
    p.terminate()
    p.wait(10)
    reader.join()
    turn(daemon)
    assert daemon.ctl("status").returncode == 0


def test_views_name_what_is_there(make_lab):
    lab, daemon = begin(make_lab)
    lab.dns.set(B, "A", [], 60)
    resolve(daemon)
    text = daemon.ctl("status").stdout
    assert "45.53.0.53" in text and "2 sets, 8 elements" in text and B in text
    assert "effect     inet filter one: " in text
    assert "its 1 address kept" in daemon.ctl("vendors").stdout
    names = daemon.ctl("names").stdout.splitlines()
    assert [line.split()[0] for line in names[1:]] == [A, B, C]
    shown = daemon.ctl("show", A).stdout
    assert "45.1.0.1" in shown and "acme/servers" in shown and "inet filter two" in shown
    listed = daemon.ctl("sets").stdout
    assert "inet filter one" in listed and "ipv4_addr . inet_proto . inet_service" in listed
    assert name_of(daemon, B)["state"] == "stopped"


# --- reload

def test_reload_purges_what_left_in_one_transaction(make_lab):
    """A vendor, an endpoint, an address and a set at once; what others want still has not moved."""
    lab, daemon = begin(make_lab)
    monitor = lab.monitor()
    daemon.configure(recipes.resolver() + recipes.vendors("acme") + recipes.sets("one acme"))
    daemon.profile("acme", recipes.profile({"endpoint": "servers", "name": A}))
    assert daemon.ctl("reload").returncode == 0
    assert both(lab) == ({"45.1.0.1", "45.1.0.2"}, set())
    (change,) = monitor.changes()
    assert not change.added
    assert {(k[1], k[2][:4]) for k in change.removed} == {
        ("one", bytes([45, 1, 0, 3])), ("one", bytes([45, 8, 0, 1])), ("one", bytes([45, 8, 0, 2])),
        ("two", bytes([45, 1, 0, 1])), ("two", bytes([45, 1, 0, 2])), ("two", bytes([45, 8, 0, 1]))}
    entries = [e for e in daemon.events("changed") if e["ALLOWSYNC_REASON"] == "reload"]
    assert {(e["ALLOWSYNC_VENDOR"], e["ALLOWSYNC_SET"]) for e in entries} == {
        ("other", "inet filter one"), ("acme", "inet filter one"), ("acme", "inet filter two")}
    assert status(daemon)["sets"]["count"] == 1
    assert [r["reason"] for r in ctl_json(daemon, "why", "45.1.0.3")[0]["left"]] == ["reload"]


def test_reload_fills_what_came_from_what_is_known(make_lab):
    lab, daemon = begin(make_lab, recipes.resolver() + recipes.vendors("acme")
                        + recipes.sets("one acme"))
    lab.dns.pause()
    try:
        monitor = lab.monitor()
        daemon.configure(recipes.resolver() + recipes.vendors("acme") + recipes.sets(
            "one acme", "two acme"))
        assert daemon.ctl("reload").returncode == 0
        assert both(lab)[1] == {"45.1.0.1", "45.1.0.2", "45.8.0.1"}
        assert len(monitor.changes()) == 1 and not monitor.changes()[0].removed
    finally:
        lab.dns.resume()


@pytest.mark.parametrize("way", ["reload", "SIGHUP"])
def test_broken_configuration_changes_nothing(make_lab, way):
    lab, daemon = begin(make_lab)
    before, monitor = status(daemon), lab.monitor()
    daemon.configure(CONFIG + "[vendor nobody]\n[set one]\nfamly = inet\n[set three]\n")
    daemon.write("etc/allowsyncd/vendors/other.conf", "[endpoint x]\nname = a b\n")
    if way == "SIGHUP":
        daemon.reload()
    else:
        r = daemon.ctl("reload")
        assert r.returncode == 78
        for text in ("allowsyncd.conf:", "famly", "nobody", "[set three]", "other.conf:2",
                     "the running configuration is unchanged"):
            assert text in r.stdout, r.stdout
    errors = [e for e in daemon.events("config-diag") if e["PRIORITY"] == "3"]
    assert len(errors) >= 5 and all(e["ALLOWSYNC_LINE"] for e in errors if "famly" in e["MESSAGE"])
    (refused,) = daemon.events("reload-refused")
    assert f"{len(errors)} errors" in refused["MESSAGE"]
    assert status(daemon)["config"]["digest"] == before["config"]["digest"]
    assert not monitor.read() and both(lab) == ALL
    # The old one lives on.
    lab.dns.set(C, "A", ["45.1.0.9"], 60)
    resolve(daemon)
    assert "45.1.0.9" in lab.elements("one") and "45.1.0.3" not in lab.elements("one")


def test_sighup_reloads(make_lab):
    lab, daemon = begin(make_lab)
    digest = status(daemon)["config"]["digest"]
    daemon.profile("other", recipes.profile({"endpoint": "x", "address": "45.8.0.9"}))
    daemon.reload()
    assert both(lab)[0] == {"45.1.0.1", "45.1.0.2", "45.8.0.1", "45.8.0.9"}
    assert status(daemon)["config"]["digest"] != digest
    assert daemon.events("reloaded")[0]["ALLOWSYNC_CONFIG"] == status(daemon)["config"]["digest"]


def test_reload_carries_clocks_over(make_lab):
    """No name is asked again because of it, and what lingers goes on lingering."""
    lab, dns, daemon = begin_faulty(make_lab, linger="1h")
    dns.set(A, "many-3")  # TTL 60
    resolve(daemon)
    dns.clear()
    resolve(daemon)
    lingering = {address(A, "A", i) for i in (2, 3)}
    daemon.jump(1800)
    turn(daemon)
    asked = len(dns.questions())
    for _ in range(3):
        assert daemon.ctl("reload").returncode == 0
    dns_after = dns.questions()[asked:]
    assert not dns_after, "a reload asks nothing that is known"
    assert lingering <= set(lab.elements("one"))
    daemon.jump(1790)
    turn(daemon)
    assert lingering <= set(lab.elements("one"))
    daemon.jump(12)
    turn(daemon)
    becomes(lambda: not lingering & set(lab.elements("one")), "an hour is over")
    # TTL 3600 ran out by now, too: all are asked again, as without reloads.
    becomes(lambda: {(q["name"].lower(), q["type"]) for q in dns.questions()[asked:]}
            == {(n, t) for n in (A, B, C) for t in ("A", "AAAA")}, "the questions that are due")


def test_reload_with_a_question_under_way_asks_it_again(make_lab):
    lab, dns, daemon = begin_faulty(make_lab)
    dns.set(B, "silent")
    asked = len(dns.questions(B, "A"))
    waiting = threading.Thread(target=daemon.ctl, args=("resolve", B))
    waiting.start()
    becomes(lambda: len(dns.questions(B, "A")) > asked, "a question under way")
    dns.set(B, "many-2")
    daemon.ctl("reload", check=True)
    waiting.join()
    becomes(lambda: {address(B, "A", i) for i in (1, 2)} <= set(lab.elements("one")), "answered")


def test_reload_takes_another_linger_and_server(make_lab):
    lab, dns, daemon = begin_faulty(make_lab, linger="1h")
    dns.set(A, "many-2")
    resolve(daemon)
    dns.clear()
    resolve(daemon)
    assert address(A, "A", 2) in lab.elements("one")
    daemon.configure(recipes.resolver(linger="1s") + recipes.vendors("acme", "other") + SETS)
    daemon.jump(60)
    assert daemon.ctl("reload").returncode == 0
    becomes(lambda: address(A, "A", 2) not in lab.elements("one"), "the shorter linger is over")
    assert status(daemon)["resolver"]["servers"].startswith("45.53.0.53")


# --- release

def test_release_of_a_vendor_holds_against_answers_until_reload(make_lab):
    lab, daemon = begin(make_lab)
    monitor = lab.monitor()
    lab.gateway.nft("add element inet filter one { 45.99.0.1 }")
    assert daemon.ctl("release", "acme").returncode == 0
    theirs = {"45.1.0.2", "45.1.0.3", "45.8.0.2", "45.99.0.1"}
    assert both(lab) == (theirs, set())
    assert len([g for g in monitor.changes() if g.program != "nft"]) == 1
    lab.dns.edit([(A, "A", ["45.1.0.7"], 60), (C, "A", ["45.1.0.2", "45.1.0.8"], 60)])
    resolve(daemon)
    daemon.ctl("diff")
    turn(daemon)
    assert both(lab) == (theirs - {"45.1.0.3"} | {"45.1.0.8"}, set())
    assert status(daemon)["paused"] == ["vendor acme"] and daemon.ctl("status").returncode == 1
    assert daemon.ctl("reload").returncode == 0
    assert both(lab) == ({"45.1.0.2", "45.1.0.7", "45.1.0.8", "45.8.0.1", "45.8.0.2", "45.99.0.1"},
                         {"45.1.0.2", "45.1.0.7", "45.8.0.1"})
    assert daemon.ctl("status").returncode == 0


@pytest.mark.parametrize("target", ["one", "inet filter one", None])
def test_release_of_sets_holds_against_answers_and_looks(make_lab, target):
    lab, daemon = begin(make_lab)
    assert daemon.ctl("release", *([target] if target else [])).returncode == 0
    lab.dns.set(A, "A", ["45.1.0.7"], 60)
    resolve(daemon)
    daemon.ctl("diff")
    turn(daemon)
    assert both(lab)[0] == set()
    assert both(lab)[1] == ({"45.1.0.7", "45.1.0.2", "45.8.0.1"} if target else set())
    assert set_of(daemon, "one")["state"] == "paused"
    assert daemon.ctl("reload").returncode == 0
    assert both(lab)[0] == {"45.1.0.7", "45.1.0.2", "45.1.0.3", "45.8.0.1", "45.8.0.2"}
    assert daemon.events("released")[0]["ALLOWSYNC_REASON"] == "release"


def test_release_takes_what_an_earlier_run_left_as_well(make_lab):
    lab, daemon = begin(make_lab)
    daemon.kill()
    lab.dns.pause()
    try:
        daemon.start()
        assert both(lab) == ALL
        assert daemon.ctl("release").returncode == 0
        assert both(lab) == (set(), set())
    finally:
        lab.dns.resume()


def test_release_without_a_daemon_takes_only_what_is_surely_the_vendors(make_lab):
    lab, daemon = begin(make_lab)
    lab.gateway.nft("add element inet filter two { 45.99.0.1 . udp . 53 }")
    daemon.stop()
    monitor = lab.monitor()
    r = daemon.ctl("--root", daemon.root, "release", "acme")
    assert r.returncode != 0 and "shared" in r.stdout and "two: 3 elements removed" in r.stdout
    assert set(lab.elements("two")) == {"45.99.0.1 . udp . 53"}
    assert both(lab)[0] == ALL[0] and len(monitor.changes()) == 1
    assert daemon.ctl("--root", daemon.root, "release", "nobody").returncode != 0
    assert daemon.ctl("--root", daemon.root, "release").returncode == 0
    assert not lab.elements("one") and len(lab.elements("two")) == 1
    # It comes back when a daemon does.
    daemon.start()
    resolve(daemon)
    assert both(lab) == (ALL[0], ALL[1] | {"45.99.0.1"})


# --- the journal

def test_replaying_the_journal_gives_the_sets(make_lab):
    """Everything that moves elements, and a second life of the daemon besides."""
    lab, daemon = begin(make_lab, records=records_of_many(300))
    since = daemon.started
    lab.dns.edit([(A, "A", [], 60), (A, "CNAME", [f"{MANY}."], 60), (B, "A", ["45.1.0.5"], 60)])
    resolve(daemon)
    assert len(lab.elements("two")) >= 300
    lab.dns.edit([(A, "CNAME", [], 60), (A, "A", ["45.1.0.1", "45.1.0.2"], 60),
                  (C, "A", ["45.1.0.2"], 60)])
    resolve(daemon)
    lab.gateway.nft("delete element inet filter one { 45.1.0.1 }")
    daemon.ctl("diff")
    becomes(lambda: "45.1.0.1" in lab.elements("one"), "refilled")
    daemon.ctl("release", "acme", check=True)
    daemon.ctl("reload", check=True)
    daemon.profile("other", recipes.profile({"endpoint": "x", "address": "45.8.0.9"}))
    daemon.ctl("reload", check=True)
    daemon.kill()
    lab.dns.edit([(A, "A", ["45.1.0.2", "45.1.0.6"], 60)])
    daemon.start()
    resolve(daemon)
    becomes(lambda: "45.1.0.1" not in lab.elements("one"), "what the first life left is gone")
    entries = lab.journal.entries(since, ALLOWSYNC_EVENT="changed")
    expected = {f"inet filter {n}": set(lab.elements(n)) for n in ("one", "two")}
    assert expected["inet filter one"] == {"45.1.0.2", "45.1.0.5", "45.1.0.6", "45.8.0.1",
                                           "45.8.0.9"}
    assert replay(entries) == expected
    for e in entries:
        assert e["MESSAGE_ID"] and e["ALLOWSYNC_REASON"] and e["ALLOWSYNC_CONFIG"]
        assert e["ALLOWSYNC_GENERATION"] and e["PRIORITY"] == "5"
        assert e["MESSAGE"].isascii()
