# SPDX-License-Identifier: GPL-2.0-or-later
"""foreign = remove: what others put into a set goes, unless it is wanted."""
import recipes
from recipes import ADDR4, PORTS4, becomes
from test_commit import begin, give

REMOVE = "foreign = remove\n"


def strict(make_lab, *declarations, start=True, **kw):
    lab, daemon = begin(make_lab, *declarations, start=False, **kw)
    text = recipes.resolver(kw.get("linger", "0")) + recipes.vendors("acme")
    for d in declarations:
        text += recipes.sets(f"{d.split()[0]} acme") + REMOVE
    daemon.configure(text)
    if start:
        daemon.start()
    return lab, daemon


def put(lab, name, element):
    lab.gateway.nft(f"add element inet filter {name} {{ {element} }}")


def test_what_others_add_is_removed_at_once_and_said(make_lab):
    lab, daemon = strict(make_lab, f"s {ADDR4}", f"p {PORTS4}")
    give(lab, daemon, "45.3.0.1")
    put(lab, "s", "45.99.0.1")
    put(lab, "p", "45.99.0.1 . udp . 53")
    becomes(lambda: set(lab.elements("s")) == {"45.3.0.1"}, "only ours")
    becomes(lambda: set(lab.elements("p")) == {"45.3.0.1 . tcp . 443"}, "only ours")
    entries = [e for e in daemon.events("changed") if e["ALLOWSYNC_REASON"] == "foreign"]
    assert {(e["ALLOWSYNC_SET"], e["ALLOWSYNC_REMOVED"]) for e in entries} == {
        ("inet filter s", "45.99.0.1"), ("inet filter p", "45.99.0.1 . udp . 53")}
    assert all("put there by others: -45.99.0.1" in e["MESSAGE"] for e in entries)
    becomes(lambda: recipes.set_of(daemon, "s")["foreign"] == 0, "none is counted")


def test_what_others_add_and_we_want_stays_as_it_is(make_lab):
    lab, daemon = strict(make_lab, f"s {ADDR4}", start=False)
    put(lab, "s", "45.3.0.1")
    put(lab, "s", "45.99.0.1")
    lab.dns.pause()
    try:
        daemon.start()
        # It may turn out wanted: nothing goes before DNS has spoken.
        daemon.ctl("diff")
        recipes.turn(daemon)
        assert set(lab.elements("s")) == {"45.3.0.1", "45.99.0.1"}
    finally:
        lab.dns.resume()
    monitor = lab.monitor()
    give(lab, daemon, "45.3.0.1")
    becomes(lambda: set(lab.elements("s")) == {"45.3.0.1"}, "the unwanted one is gone")
    assert "comment" not in lab.elements("s")["45.3.0.1"]
    assert {k[2][:4] for c in monitor.changes() for k in c.removed} == {bytes([45, 99, 0, 1])}
    assert recipes.set_of(daemon, "s")["foreign"] == 1


def test_reload_to_remove_removes_and_other_sets_are_kept(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}", f"t {ADDR4}")
    give(lab, daemon, "45.3.0.1")
    for name in ("s", "t"):
        put(lab, name, "45.99.0.1")
    assert len(lab.elements("s")) == len(lab.elements("t")) == 2
    daemon.configure(recipes.resolver() + recipes.vendors("acme") + recipes.sets("s acme") + REMOVE
                     + recipes.sets("t acme"))
    daemon.ctl("reload", check=True)
    becomes(lambda: set(lab.elements("s")) == {"45.3.0.1"}, "only ours")
    assert set(lab.elements("t")) == {"45.3.0.1", "45.99.0.1"}


def test_release_removes_ours_and_nothing_else(make_lab):
    lab, daemon = strict(make_lab, f"s {ADDR4}")
    give(lab, daemon, "45.3.0.1")
    daemon.ctl("release", "s", check=True)
    put(lab, "s", "45.99.0.1")
    daemon.ctl("diff")
    recipes.turn(daemon)
    assert set(lab.elements("s")) == {"45.99.0.1"}


def test_what_others_let_expire_is_put_there_by_us(make_lab):
    """The kernel says nothing when an element expires, and a wanted one was theirs until then."""
    lab, daemon = begin(make_lab, "s { type ipv4_addr; flags timeout; }",
                        "r { type ipv4_addr; flags interval, timeout; }")
    for name, element in (("s", "45.1.0.1"), ("r", "45.1.0.0/24")):
        lab.gateway.nft(f"add element inet filter {name} {{ {element} timeout 2s }}")
    give(lab, daemon, "45.1.0.1", "45.1.0.2")
    assert lab.elements("s")["45.1.0.1"].get("comment") != "allowsyncd"
    assert "45.1.0.1" not in lab.elements("r")
    for name in "sr":
        becomes(lambda: lab.elements(name).get("45.1.0.1", {}).get("comment") == "allowsyncd",
                "it is ours now", 30)
    assert set(lab.elements("s")) == set(lab.elements("r")) == {"45.1.0.1", "45.1.0.2"}
