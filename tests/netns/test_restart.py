# SPDX-License-Identifier: GPL-2.0-or-later
"""Killed, stopped, started again: what DNS gives all the time never leaves the sets."""
import pytest

import recipes
from faultdns import FaultDns, address
from recipes import becomes, resolve, set_of, turn

FAULTS = "45.53.0.54"
TTL, LINGER, SLACK = 1, 1, 5

FOREIGN = {
    "a4": ["45.99.0.1", '45.99.0.2 comment "printer"'],
    "t6": ['2a00:1::99:1 timeout 2h comment "mine"'],
    "s4": ["45.99.0.3 . udp . 53"],
}
KINDS = [
    "a4 { type ipv4_addr; }",
    "t6 { type ipv6_addr; timeout 1h; }",
    "s4 { type ipv4_addr . inet_proto . inet_service; counter; }",
]
SETS = ("a4", "t6", "s4")
ACME = recipes.profile({"name": "a.example.com", "allow": "tcp/443, udp/123"},
                       {"name": "b.example.com", "allow": "tcp/443, udp/123",
                        "address": "45.1.1.3"})


def filter_table():
    return recipes.table(*KINDS) + "".join(
        f"add element inet filter {name} {{ {', '.join(elements)} }}\n"
        for name, elements in FOREIGN.items())


def foreign(name):
    return {e.split(" timeout")[0].split(" comment")[0] for e in FOREIGN[name]}


def in_sets(v4, v6):
    """What the three sets hold when DNS says this, the foreign ones included."""
    v4 = set(v4) | {"45.1.1.3"}
    return {
        "a4": v4 | foreign("a4"),
        "t6": set(v6) | foreign("t6"),
        "s4": {f"{a} . {service}" for a in v4 for service in ("tcp . 443", "udp . 123")}
        | foreign("s4"),
    }


def contents(lab):
    return {name: set(lab.elements(name)) for name in SETS}


def acme(lab, resolver, **kw):
    d = lab.daemon(resolver + recipes.vendors("acme")
                   + recipes.sets(*(f"{name} acme\nfuse = no" for name in SETS)), **kw)
    d.profile("acme", ACME)
    return d


def keys_of(lab, elements):
    """As the listener sees them: set and the address's bytes."""
    import ipaddress

    return {(name, ipaddress.ip_address(e.split(" . ")[0]).packed)
            for name in SETS for e in elements[name]}


def left(monitor):
    """Every (set, address) of which an element was ever deleted."""
    gone = set()
    for g in monitor.read():
        for _, name, key in g.removed:
            gone.add((name, key[:16 if name == "t6" else 4]))
    return gone


def test_killed_twenty_times_under_change_loses_nothing(make_lab):
    lab = make_lab(ruleset=filter_table(), cache=False)
    kept4, kept6 = ["45.1.1.1", "45.1.1.2"], ["2a00:1::1", "2a00:1::2"]

    def dns(i):
        """What stays, and what is new with each turn."""
        lab.dns.edit([("a.example.com", "A", [kept4[0], f"45.2.1.{i + 1}"], TTL),
                      ("b.example.com", "A", [kept4[1], f"45.2.2.{i + 1}"], TTL),
                      ("a.example.com", "AAAA", [kept6[0], f"2a00:1::1:{i + 1}"], TTL),
                      ("b.example.com", "AAAA", [kept6[1], f"2a00:1::2:{i + 1}"], TTL)])
        return (kept4 + [f"45.2.1.{i + 1}", f"45.2.2.{i + 1}"],
                kept6 + [f"2a00:1::1:{i + 1}", f"2a00:1::2:{i + 1}"])

    daemon = acme(lab, recipes.resolver(linger=f"{LINGER}s"))
    dns(0)
    daemon.start()
    becomes(lambda: contents(lab) == in_sets(*dns(0)), "filled")
    always = in_sets(kept4, kept6)
    monitor = lab.monitor()
    for i in range(1, 21):
        if i % 2:
            dns(i)  # before it dies: it may be in the middle of it
        daemon.kill()
        if not i % 2:
            dns(i)
        # At every depth: hardly begun, ready, all answered, or what is old on its way out.
        daemon.start(wait=i % 4 > 0)
        if i % 4 >= 2:
            resolve(daemon)
        if i % 4 == 3:
            becomes(lambda i=i: f"45.2.1.{i}" not in lab.elements("a4"), "the last one's leaves")
        now = contents(lab)
        for name in SETS:
            assert always[name] <= now[name], f"restart {i}, {name}"
    daemon.wait_ready()
    expected = in_sets(*dns(20))
    becomes(lambda: contents(lab) == expected, "DNS and what is foreign", TTL + LINGER + SLACK)
    assert not keys_of(lab, always) & left(monitor)
    # And nothing of ours is to expire: that would be seen by no listener.
    for name in SETS:
        for element, e in lab.elements(name).items():
            if element not in foreign(name):
                assert e.get("comment") == "allowsyncd" and "expires" not in e, element


def faulty(make_lab, **kw):
    """A lab whose names behave to order, and a daemon of fake time that asks there."""
    lab = make_lab(ruleset=filter_table(), cache=False)
    dns = FaultDns(lab.internet, lab.directory, FAULTS)
    daemon = acme(lab, recipes.resolver(server=FAULTS, timeout="200ms", tries="1", **kw),
                  fake_time=True)
    return lab, dns, daemon


def given(a, b, kind=2):
    """The addresses of `many-a` for one name and `many-b` for the other."""
    counts = (("a.example.com", a), ("b.example.com", b))
    return tuple([address(n, t, i) for n, count in counts for i in range(1, count + 1)]
                 for t in ("A", "AAAA"))


@pytest.mark.parametrize("outcome", ["servfail", "nx", "silent"])
def test_unowned_stays_until_every_name_is_answered_and_then_lingers(make_lab, outcome):
    lab, dns, daemon = faulty(make_lab, linger="1h")
    dns.set("a.example.com", "many-3")
    dns.set("b.example.com", "many-1")
    resolve(daemon.start())
    everything = in_sets(*given(3, 1))
    assert contents(lab) == everything
    daemon.kill()

    dns.set("a.example.com", "many-1")
    dns.set("b.example.com", outcome)
    daemon.start()
    resolve(daemon)
    daemon.jump(7 * 86400)
    turn(daemon)
    assert contents(lab) == everything
    waiting = set_of(daemon, "a4")
    assert waiting["elements"] == 5 and waiting["wanted"] == 2
    assert "b.example.com" in waiting["awaited"] and "a.example.com" not in waiting["awaited"]

    dns.set("b.example.com", "many-1")
    resolve(daemon)
    daemon.jump(3590)
    turn(daemon)
    assert contents(lab) == everything, "they linger from the last answer on"
    daemon.jump(11)
    turn(daemon)
    expected = in_sets(*given(1, 1))
    assert contents(lab) == expected
    gone = {e for c in daemon.events("changed") if c["ALLOWSYNC_REASON"] == "unowned"
            for e in c["ALLOWSYNC_REMOVED"].split(", ")}
    assert gone == set().union(*everything.values()) - set().union(*expected.values())


def test_an_unowned_element_that_dns_gives_again_is_kept(make_lab):
    lab, dns, daemon = faulty(make_lab, linger="1h")
    dns.set("a.example.com", "many-3")
    resolve(daemon.start())
    before = contents(lab)
    daemon.kill()
    monitor = lab.monitor()
    dns.set("a.example.com", "many-1")
    daemon.start()
    resolve(daemon)
    dns.set("a.example.com", "many-3")
    resolve(daemon)
    daemon.jump(2 * 3600)
    turn(daemon)
    assert contents(lab) == before and not monitor.changes()


def test_stopping_leaves_the_sets(make_lab):
    lab, dns, daemon = faulty(make_lab)
    resolve(daemon.start())
    before, monitor = {n: lab.elements(n) for n in SETS}, lab.monitor()
    assert before["a4"]
    assert daemon.stop() == 0
    # Only the time that the foreign one has left goes on.
    assert {n: set(e) for n, e in before.items()} == contents(lab)
    assert not monitor.read()
    assert daemon.events("stopped")


def test_a_reload_does_not_forget_what_is_awaited(make_lab):
    lab, dns, daemon = faulty(make_lab, linger="1h")
    dns.set("a.example.com", "many-3")
    resolve(daemon.start())
    before = contents(lab)
    daemon.kill()
    monitor = lab.monitor()
    dns.set("*", "servfail")
    daemon.start()
    for _ in range(3):
        assert daemon.ctl("reload").returncode == 0
        daemon.jump(86400)
        resolve(daemon)
    assert contents(lab) == before and not monitor.changes()
    # All is answered, and a reload in the middle of the linger does not begin it anew.
    dns.clear()
    resolve(daemon)
    daemon.jump(1800)
    assert daemon.ctl("reload").returncode == 0
    assert contents(lab) == before
    daemon.jump(1810)
    turn(daemon)
    assert contents(lab) == in_sets(*given(1, 1))


@pytest.mark.parametrize("outcome", ["nx", "nodata"])
def test_restart_while_dns_denies_everything_removes_what_three_denials_confirm(make_lab, outcome):
    lab, dns, daemon = faulty(make_lab)
    resolve(daemon.start())
    before = contents(lab)
    assert len(before["a4"]) == 5
    daemon.kill()
    monitor = lab.monitor()
    dns.set("*", outcome)
    daemon.start()
    for _ in range(2):
        resolve(daemon)
        resolve(daemon)
        turn(daemon)
        assert contents(lab) == before and not monitor.changes()
        assert set_of(daemon, "a4")["awaited"]
        daemon.jump(31)
    resolve(daemon)
    turn(daemon)
    assert contents(lab) == in_sets([], [])
    dns.clear()
    resolve(daemon)
    assert contents(lab) == before


@pytest.mark.parametrize("outcome", ["silent", "servfail", "refused", "garbage"])
def test_restart_while_dns_fails_removes_nothing(make_lab, outcome):
    lab, dns, daemon = faulty(make_lab)
    resolve(daemon.start())
    before = contents(lab)
    assert len(before["a4"]) == 5
    daemon.kill()
    monitor = lab.monitor()
    dns.set("*", outcome)
    daemon.start()
    for _ in range(3):
        resolve(daemon)
        daemon.jump(8 * 86400)
        turn(daemon)
    assert contents(lab) == before and not monitor.changes()
    # And when DNS is back it goes on as if nothing had been.
    dns.clear()
    resolve(daemon)
    daemon.jump(2 * 3600)
    turn(daemon)
    assert contents(lab) == before and not monitor.changes()
    dns.set("a.example.com", "many-2")
    resolve(daemon)
    assert contents(lab) == in_sets(*given(2, 1))
