# SPDX-License-Identifier: GPL-2.0-or-later
"""Elements that end with the daemon: each has a timeout, which is renewed as long as it lives. The
kernel's clock cannot be faked, so where time has to pass the fuses are as short as they may be."""
import signal

import pytest

import recipes
from recipes import becomes, ctl_json, resolve, set_of, status
from test_commit import give

STATIC4, STATIC6 = "45.7.0.7", "2a00:1::7"
PREFIX4, PREFIX6 = "45.5.0.0/24", "2a00:1:5::/112"
ACME = recipes.profile({"name": "a.example.com", "address": f"{STATIC4}, {STATIC6}"})
NETS = recipes.profile({"address": f"{PREFIX4}, {PREFIX6}"})
SHORT = {
    "s { type ipv4_addr; timeout 10s; }": "",
    "f { type ipv4_addr; flags timeout; }": "fuse = 20s",
    "p { type ipv4_addr . inet_proto . inet_service; timeout 10s; }": "",
    "r { type ipv4_addr; flags interval; timeout 10s; }": "",
    "m { type ipv4_addr; flags interval, timeout; auto-merge; }": "fuse = 10s",
    "b { type ipv4_addr . inet_proto . inet_service; flags interval, timeout; }": "fuse = 10s",
    "s6 { type ipv6_addr; timeout 10s; }": "",
    "p6 { type ipv6_addr . inet_proto . inet_service; flags timeout; }": "fuse = 10s",
    "r6 { type ipv6_addr; flags interval; timeout 10s; }": "",
}


def name(declaration):
    return declaration.split()[0]


def config(sets):
    """sets: {declaration: further keys of its section}."""
    return recipes.resolver() + recipes.vendors("acme", "nets") + recipes.sets(
        *(f"{name(d)} acme{', nets' if d[0] in 'rm' else ''}\n{keys}" for d, keys in sets.items()))


def begin(make_lab, sets, start=True):
    lab = make_lab(ruleset=recipes.table(*sets), cache=False)
    daemon = lab.daemon(config(sets))
    daemon.profile("acme", ACME)
    daemon.profile("nets", NETS)
    if start:
        daemon.start()
    return lab, daemon


def filled(name, *dns):
    """What such a set holds when DNS gives these. Only sets of ranges take the prefixes."""
    family6 = name.endswith("6")
    keys = {a for a in dns if (":" in a) == family6} | {STATIC6 if family6 else STATIC4}
    if name[0] in "pb":
        return {f"{k} . tcp . 443" for k in keys}
    return keys | ({PREFIX6 if family6 else PREFIX4} if name[0] in "rm" else set())


def left(lab, name):
    """{element: seconds that it has yet, None: it is permanent}"""
    return {k: e.get("expires") for k, e in lab.elements(name).items()}


class Renewals:
    """Sees each element's time grow."""

    def __init__(self, lab, *names):
        self.lab, self.names = lab, names
        self.lowest, self.renewed = {}, set()

    def look(self):
        for n in self.names:
            for k, seconds in left(self.lab, n).items():
                assert seconds is not None, f"{k} of {n} is permanent"
                if seconds > self.lowest.setdefault((n, k), seconds):
                    self.renewed.add((n, k))
                self.lowest[(n, k)] = min(seconds, self.lowest[(n, k)])

    def seen(self):
        """Every element that was ever looked at was renewed."""
        self.look()
        return self.lowest and set(self.lowest) == self.renewed


def await_renewals(lab, *names):
    r = Renewals(lab, *names)
    becomes(r.seen, lambda: f"renewed: all but {set(r.lowest) - r.renewed}", 60)


def probes(monitor):
    """Notices of sets that the daemon made to try the kernel."""
    return [s for g in monitor.read() for s in g.sets if s[1] == "allowsyncd_probe"]


def test_elements_are_renewed_while_the_daemon_lives_and_gone_after_it(make_lab):
    lab, daemon = begin(make_lab, SHORT, start=False)
    monitor = lab.monitor()
    daemon.start()
    give(lab, daemon, "45.1.0.1", "2a00:1::1")
    names = [name(d) for d in SHORT]
    for n in names:
        assert set(lab.elements(n)) == filled(n, "45.1.0.1", "2a00:1::1"), n
        fuse = 20 if n == "f" else 10
        assert all(0 < s <= fuse for s in left(lab, n).values()), n
    # How this kernel renews was tried once, and nothing is left of that.
    assert probes(monitor) == [(True, "allowsyncd_probe", "s"), (False, "allowsyncd_probe", "s")]
    assert "allowsyncd_probe" not in lab.gateway.run(["nft", "list", "tables"]).stdout

    before, changes = status(daemon)["sets"], len(daemon.events("changed"))
    await_renewals(lab, *names)
    after = status(daemon)["sets"]
    assert after["commits"] > before["commits"] and after["dumps"] == before["dumps"]
    assert after["changed"] == before["changed"] and len(daemon.events("changed")) == changes
    assert not [g for g in monitor.changes() if g.removed] and len(probes(monitor)) == 2
    assert daemon.ctl("status").returncode == 0
    assert not daemon.events("set-degraded") and not daemon.events("ruleset-changed")

    # What comes later is renewed as well, and what left does not come back.
    give(lab, daemon, "45.1.0.2", "2a00:1::2")
    await_renewals(lab, *names)
    for n in names:
        assert set(lab.elements(n)) == filled(n, "45.1.0.2", "2a00:1::2"), n

    seen = len(monitor.read())
    daemon.kill()
    becomes(lambda: not any(lab.elements(n) for n in names),
            lambda: f"gone: {[n for n in names if lab.elements(n)]}", 60)
    assert not any(g.removed for g in monitor.read()[seen:]), "nobody deleted them"


def test_elements_that_ended_while_nobody_ran_are_back_at_the_start(make_lab):
    """Of a range the kernel may keep the end for a while."""
    lab, daemon = begin(make_lab, SHORT)
    give(lab, daemon, "45.1.0.1", "2a00:1::1")
    names = [name(d) for d in SHORT]
    daemon.kill()
    becomes(lambda: not any(lab.elements(n) for n in names), "all are gone", 60)
    daemon.start()
    for n in names:
        becomes(lambda n=n: set(lab.elements(n)) == filled(n, "45.1.0.1", "2a00:1::1"),
                lambda n=n: f"{n}: {lab.elements(n)}", 60)
    await_renewals(lab, *names)
    assert not daemon.events("set-degraded") and daemon.ctl("status").returncode == 0
    assert not [n for n in names if "unknown form" in " ".join(set_of(daemon, n)["notes"])]


def test_elements_that_ended_while_it_was_stopped_are_back_when_it_goes_on(make_lab):
    lab, daemon = begin(make_lab, SHORT)
    give(lab, daemon, "45.1.0.1", "2a00:1::1")
    names = [name(d) for d in SHORT]
    daemon.process.send_signal(signal.SIGSTOP)
    becomes(lambda: not any(lab.elements(n) for n in names), "all are gone", 60)
    daemon.process.send_signal(signal.SIGCONT)
    for n in names:
        becomes(lambda n=n: set(lab.elements(n)) == filled(n, "45.1.0.1", "2a00:1::1"), n)
    # And what leaves the answer meanwhile is no obstacle.
    daemon.process.send_signal(signal.SIGSTOP)
    becomes(lambda: not any(lab.elements(n) for n in names), "all are gone", 60)
    lab.dns.edit([("a.example.com", "A", ["45.1.0.2"], 60),
                  ("a.example.com", "AAAA", ["2a00:1::2"], 60)])
    daemon.process.send_signal(signal.SIGCONT)
    resolve(daemon)
    for n in names:
        becomes(lambda n=n: set(lab.elements(n)) == filled(n, "45.1.0.2", "2a00:1::2"),
                lambda n=n: f"{n}: {lab.elements(n)}")
    becomes(lambda: daemon.ctl("status").returncode == 0, "all is well")


@pytest.mark.parametrize("target", ["s", "acme"])
def test_paused_sets_are_still_renewed(make_lab, target):
    lab, daemon = begin(make_lab, {d: SHORT[d] for d in list(SHORT)[:4]})
    names = ["s", "f", "p", "r"]
    give(lab, daemon, "45.1.0.1")
    before = {n: set(lab.elements(n)) for n in names}
    daemon.ctl("pause", target, check=True)
    paused = names if target == "acme" else ["s"]
    give(lab, daemon, "45.1.0.2")
    await_renewals(lab, *names)
    assert {n: set(lab.elements(n)) for n in paused} == {n: before[n] for n in paused}
    daemon.ctl("resume", target, check=True)
    for n in names:
        assert set(lab.elements(n)) == filled(n, "45.1.0.2"), n


LONG = {
    "s { type ipv4_addr; timeout 2h; }": "",
    "f { type ipv4_addr; flags timeout; }": "",
    "p { type ipv4_addr . inet_proto . inet_service; flags timeout; timeout 2h; counter; }": "",
    "r { type ipv4_addr; flags interval, timeout; }": "",
    "m { type ipv4_addr; flags interval; timeout 2h; auto-merge; }": "",
    "b { type ipv4_addr . inet_proto . inet_service; flags interval, timeout; }": "",
    "s6 { type ipv6_addr; flags timeout; }": "",
    "r6 { type ipv6_addr; flags interval; timeout 2h; }": "",
}


def test_fuse_no_makes_elements_permanent_in_spite_of_a_default_timeout(make_lab):
    lab, daemon = begin(make_lab, {d: "fuse = no" for d in LONG}, start=False)
    monitor = lab.monitor()
    daemon.start()
    give(lab, daemon, "45.1.0.1", "2a00:1::1")
    for n in map(name, LONG):
        assert left(lab, n) == dict.fromkeys(filled(n, "45.1.0.1", "2a00:1::1")), n
    assert daemon.ctl("status").returncode == 0
    assert not probes(monitor), "nothing is ever renewed"


def test_reload_that_changes_the_fuse_changes_elements_in_place(make_lab):
    lab, daemon = begin(make_lab, {d: "fuse = no" for d in LONG})
    give(lab, daemon, "45.1.0.1", "2a00:1::1")
    names = list(map(name, LONG))
    want = {n: filled(n, "45.1.0.1", "2a00:1::1") for n in names}
    monitor = lab.monitor()
    default = {name(d) for d in LONG if "timeout 2h" in d}
    changes = len(daemon.events("changed"))

    def reload(keys):
        daemon.configure(config({d: keys for d in LONG}))
        daemon.ctl("reload", check=True)
        assert {n: set(lab.elements(n)) for n in names} == want, keys

    def lives(low, high, of=names):
        for n in of:
            assert all(s and low < s <= high for s in left(lab, n).values()), (n, left(lab, n))

    reload("fuse = 1h")
    lives(1800, 3600)
    reload("fuse = 4h")
    lives(7200, 14400)
    reload("fuse = 30min")
    lives(900, 1800)
    reload("")  # the sets' own default, or none
    lives(3600, 7200, default)
    for n in set(names) - default:
        assert left(lab, n) == dict.fromkeys(want[n]), n
    reload("fuse = no")
    for n in names:
        assert left(lab, n) == dict.fromkeys(want[n]), n
    assert not [g for g in monitor.changes() if g.removed], "a key left"
    assert len(daemon.events("changed")) == changes
    assert daemon.ctl("status").returncode == 0 and daemon.ctl("diff").returncode == 0


def test_element_of_ours_that_somebody_made_permanent_gets_its_fuse_again(make_lab):
    lab, daemon = begin(make_lab, {"s { type ipv4_addr; flags timeout; }": "fuse = 1h"})
    give(lab, daemon, "45.1.0.1")
    lab.gateway.nft('add element inet filter s { 45.1.0.1 comment "allowsyncd" }')
    becomes(lambda: all(left(lab, "s").values()), lambda: f"{left(lab, 's')}")
    assert set(lab.elements("s")) == filled("s", "45.1.0.1")


def place_of(daemon, section):
    with open(f"{daemon.root}/etc/allowsyncd/allowsyncd.conf", encoding="utf-8") as f:
        return f"allowsyncd.conf:{f.read().splitlines().index(f'[set {section}]') + 1}: "


def test_fuse_that_a_set_cannot_have_is_said_and_its_elements_are_permanent(make_lab):
    impossible = {
        "s { type ipv4_addr; }": "fuse = 20s",
        "r { type ipv4_addr; flags interval; }": "fuse = 20s",
        "p { type ipv4_addr . inet_proto . inet_service; timeout 2s; }": "",
        "t { type ipv4_addr; timeout 2s; }": "",
        "m { type ipv4_addr; flags interval; timeout 2s; }": "",
    }
    lab, daemon = begin(make_lab, {**impossible, "f { type ipv4_addr; flags timeout; }": "fuse = 1h",
                                   "n { type ipv4_addr; timeout 2s; }": "fuse = no"})
    give(lab, daemon, "45.1.0.1")
    problems = {p for d in impossible for p in set_of(daemon, name(d))["problems"]}
    for d in impossible:
        n = name(d)
        assert left(lab, n) == dict.fromkeys(filled(n, "45.1.0.1")), n
        said = [e for e in daemon.events("set-entry-refused")
                if e["ALLOWSYNC_SET"] == f"inet filter {n}"]
        assert len(said) == 1, n
        assert said[0]["MESSAGE"].startswith(place_of(daemon, n)), said[0]["MESSAGE"]
        assert said[0]["ALLOWSYNC_FILE"] == "allowsyncd.conf" and said[0]["ALLOWSYNC_LINE"]
        why = "flag timeout" if "timeout" not in d else "under 3s"
        for text in (f"[set {n}]", f"set inet filter {n}", why, "its elements are permanent"):
            assert text in said[0]["MESSAGE"], (text, said[0]["MESSAGE"])
        assert set_of(daemon, n)["state"] == "degraded" and said[0]["MESSAGE"] in problems
        assert said[0]["MESSAGE"] in {d["what"] for d in status(daemon)["degraded"]}
    assert daemon.ctl("status").returncode == 1
    assert all(left(lab, "f").values()) and not set_of(daemon, "f")["problems"]
    assert left(lab, "n") == dict.fromkeys(filled("n", "45.1.0.1"))
    assert not set_of(daemon, "n")["problems"], "it was asked for"


def test_daemon_without_a_fuse_tries_nothing(make_lab):
    lab, daemon = begin(make_lab, {"s { type ipv4_addr; }": "",
                                   "f { type ipv4_addr; flags timeout; }": "",
                                   "p { type ipv4_addr . inet_proto . inet_service; }": "",
                                   "r { type ipv4_addr; flags interval; }": ""}, start=False)
    monitor = lab.monitor()
    daemon.start()
    give(lab, daemon, "45.1.0.1")
    daemon.ctl("reload", check=True)
    give(lab, daemon, "45.1.0.2")
    assert monitor.changes() and not probes(monitor)
    assert not [g for g in monitor.read() if g.other], "tables, chains, rules"
    assert len(ctl_json(daemon, "sets")) == 4
