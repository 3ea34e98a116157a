# SPDX-License-Identifier: GPL-2.0-or-later
"""More addresses than there may be: who makes room, what is not taken, and what is said of it."""
import recipes
from recipes import ADDR4, PORTS4, resolve, status
from test_commit import NAME, OTHER, addresses, begin, give


def limited(daemon):
    return [e["MESSAGE"] for e in daemon.events("limited")]


def keys(vendor, linger="1h", **more):
    """The vendor's section with these keys."""
    return (recipes.resolver(linger) + recipes.vendors("acme") + vendor + "\n"
            + recipes.sets("s acme"))


def begin_with(make_lab, vendor, *names):
    lab = make_lab(ruleset=recipes.table(f"s {ADDR4}"), cache=False)
    daemon = lab.daemon(keys(vendor))
    daemon.profile("acme", recipes.profile({"name": list(names or [NAME])}))
    daemon.start()
    return lab, daemon


def test_a_name_over_its_bound_lets_go_of_what_was_seen_least_recently(make_lab):
    lab, daemon = begin_with(make_lab, "max-addresses-per-name = 8")
    a = addresses(1, 16)
    give(lab, daemon, *a[:4])
    give(lab, daemon, *a[4:8])
    assert set(lab.elements("s")) == set(a[:8]) and not limited(daemon)
    give(lab, daemon, *a[6:10])
    assert set(lab.elements("s")) == set(a[2:10]), "of four that are as old the first two went"
    (said,) = limited(daemon)
    assert said.startswith(f"acme: {NAME} has more addresses than max-addresses-per-name 8: ")
    last = daemon.events("changed")[-1]
    assert last["ALLOWSYNC_REASON"] == "answer, limit"
    s = status(daemon)
    assert s["state"] == "degraded" and any(
        "a.example.com has reached max-addresses-per-name 8" in d["what"] for d in s["degraded"])


def test_what_stands_stays_where_nothing_lingers(make_lab):
    lab, daemon = begin_with(make_lab, "max-addresses-per-name = 8")
    a = addresses(1, 16)
    give(lab, daemon, *a[4:10])
    for _ in range(2):
        give(lab, daemon, *a[:12])
    assert set(lab.elements("s")) == set(a[4:10] + a[:2])
    assert len(limited(daemon)) == 1 and daemon.ctl("status").returncode == 1
    # An eighth is free as soon as one has left.
    daemon.configure(keys("max-addresses-per-name = 8", linger="0"))
    daemon.reload()
    give(lab, daemon, *a[4:10])
    assert set(lab.elements("s")) == set(a[4:10])
    assert limited(daemon)[1:] == [
        f"acme: {NAME} has room for more addresses again (6, max-addresses-per-name 8)"]
    assert daemon.ctl("status").returncode == 0


def test_a_vendor_over_its_bound_makes_room_among_all_its_names(make_lab):
    lab, daemon = begin_with(make_lab, "max-addresses = 8", NAME, OTHER)
    a, b = addresses(1, 8), addresses(2, 8)
    give(lab, daemon, *a[:4])
    give(lab, daemon, *b[:3], name=OTHER)
    give(lab, daemon, *a[2:4])
    give(lab, daemon, *b[:5], name=OTHER)
    assert set(lab.elements("s")) == set(a[1:4] + b[:5]), "what the other name no longer has left"
    give(lab, daemon, *a[2:6])
    assert set(lab.elements("s")) == set(a[2:5] + b[:5]), "and then there is no more"
    (said,) = limited(daemon)
    assert said.startswith("acme: its names have more addresses than max-addresses 8: ")
    assert any("its names have reached max-addresses 8" in d["what"]
               for d in status(daemon)["degraded"])
    # Reloads count anew, and tell nothing twice; with more room all is there.
    daemon.reload()
    resolve(daemon)
    assert len(limited(daemon)) == 1 and set(lab.elements("s")) == set(a[2:5] + b[:5])
    daemon.configure(keys("max-addresses = 16"))
    daemon.reload()
    resolve(daemon)
    assert set(lab.elements("s")) == set(a[2:6] + b[:5])
    (_, over) = limited(daemon)
    assert over.startswith("acme: its names have room for more addresses again (")
    assert daemon.ctl("status").returncode == 0


def test_an_answer_that_is_too_large_is_an_alarm_also_beside_a_good_one(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}")
    give(lab, daemon, "45.1.0.1", "2a00:1::1")
    lab.dns.edit([(NAME, "AAAA", [f"2a00:1::{i:x}" for i in range(1, 514)], 60)])
    for _ in range(2):
        resolve(daemon)
    (said,) = daemon.events("answer-refused")
    assert said["MESSAGE"] == (
        f"acme: {NAME} answered with more than 512 addresses: not used, 1 address kept")
    assert said["PRIORITY"] == "4" and not daemon.events("name-failing")
    give(lab, daemon, "45.1.0.1", "2a00:1::1")
    assert len(daemon.events("answer-refused")) == 2


def test_a_full_set_lets_go_of_what_lingers_and_of_nothing_else(make_lab):
    lab = make_lab(ruleset=recipes.table(f"s {ADDR4}", f"p {PORTS4}", f"free {ADDR4}"), cache=False)
    daemon = lab.daemon(recipes.resolver("1h") + recipes.vendors("acme") + recipes.sets("s acme")
                        + "max-elements = 6\n" + recipes.sets("p acme") + "max-elements = 12\n"
                        + recipes.sets("free acme"))
    daemon.profile("acme", recipes.profile({"name": NAME, "allow": "tcp/443, udp/53"}))
    daemon.start()
    a = addresses(1, 16)
    give(lab, daemon, *a[:2])
    give(lab, daemon, *a[2:4])
    give(lab, daemon, *a[4:7])
    assert set(lab.elements("s")) == set(lab.elements("free")) == set(a[1:7]), "the oldest went"
    assert set(lab.elements("p")) == {f"{x} . {s}" for x in a[1:7] for s in ("tcp . 443", "udp . 53")}
    assert daemon.ctl("status").returncode == 0 and not daemon.events("set-degraded")
    assert {e["ALLOWSYNC_REASON"] for e in daemon.events("changed")} >= {"answer, limit"}
    # All that lingers, and it is not enough: what stands stays, in a set that has room all is there.
    give(lab, daemon, *a[6:14])
    assert set(lab.elements("free")) == set(a[6:14])
    assert len(lab.elements("s")) == 6 and a[6] in lab.elements("s") and set(lab.elements("s")) < set(a[6:14])
    assert len(lab.elements("p")) == 12
    assert [e["MESSAGE"].split("set inet filter ")[1] for e in daemon.events("set-degraded")] == [
        f"{name}: it is full: not all that it should hold fits into max-elements {n}; looking again"
        for name, n in (("s", 6), ("p", 12))]
    assert daemon.ctl("status").returncode == 1
    give(lab, daemon, *a[6:10])
    assert len(daemon.events("set-recovered")) == 2
    assert set(lab.elements("s")) >= set(a[6:10])
    assert daemon.ctl("status").returncode == 0
