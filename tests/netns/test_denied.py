# SPDX-License-Identifier: GPL-2.0-or-later
"""NXDOMAIN and NODATA: three of them that no cache repeated take a name's addresses out, and no
fewer; minutes of negative TTL in moments, by a clock that jumps."""
import os

import pytest

import recipes
from faultdns import FaultDns, address
from recipes import ADDR4, ADDR6, becomes, name_of, resolve, status, turn

FIRST, SECOND, DEAD = "45.53.0.54", "45.53.0.55", "45.53.0.56"
A, B = "a.example.com", "b.example.com"
ACME = recipes.profile({"name": [A, B]})
TTL = 600  # of the denials


@pytest.fixture
def begin(make_lab):
    """begin(server, linger) -> lab, dns, daemon; both names have an address in each family."""
    def make(server=FIRST, linger="0"):
        lab = make_lab(ruleset=recipes.table(f"s {ADDR4}", f"six {ADDR6}"), cache=False)
        dns = FaultDns(lab.internet, lab.directory, FIRST)
        daemon = lab.daemon(
            recipes.resolver(linger, server, timeout="200ms", tries="1")
            + recipes.vendors("acme") + recipes.sets("s acme", "six acme"), fake_time=True)
        daemon.profile("acme", ACME)
        daemon.start()
        resolve(daemon)
        assert held(lab) == given(A, B)
        return lab, dns, daemon

    return make


def held(lab):
    return set(lab.elements("s")), set(lab.elements("six"))


def given(*names):
    return tuple({address(n, kind) for n in names} for kind in ("A", "AAAA"))


def denials(daemon, family="ipv4"):
    return name_of(daemon, A)[family].get("denials", {}).get("count", 0)


def ask_again(daemon, seconds):
    """So much later; whatever has to be done then is done."""
    daemon.jump(seconds)
    resolve(daemon)
    turn(daemon)


@pytest.mark.parametrize("kind", ["nx", "nodata"])
def test_the_third_denial_removes_what_stood_and_it_is_said_once(begin, kind):
    lab, dns, daemon = begin()
    dns.set(A, f"{kind}-{TTL}")
    for _ in range(5):
        resolve(daemon)
    assert denials(daemon) == 1, "a cache would repeat itself"
    ask_again(daemon, TTL // 2)
    assert denials(daemon) == 1 and held(lab) == given(A, B)
    (failing,) = daemon.events("name-failing")
    assert "keeping its 2 addresses until that is confirmed" in failing["MESSAGE"]
    ask_again(daemon, TTL // 2 + 1)
    assert denials(daemon) == 2 and held(lab) == given(A, B)
    assert "denial 2 of 3 since" in daemon.ctl("show", A).stdout
    assert "(denial 2 of 3)" in daemon.ctl("why", address(A)).stdout
    assert not daemon.events("name-gone")
    ask_again(daemon, TTL + 1)
    assert held(lab) == given(B)

    (gone,) = daemon.events("name-gone")
    assert gone["ALLOWSYNC_NAME"] == A and gone["PRIORITY"] == "4"
    assert "is gone: " in gone["MESSAGE"] and gone["MESSAGE"].endswith("; its addresses have left")
    left = {c["ALLOWSYNC_REMOVED"]: c["ALLOWSYNC_REASON"] for c in daemon.events("changed")
            if c.get("ALLOWSYNC_REMOVED")}
    assert left == {address(A, t): "denied" for t in ("A", "AAAA")}
    assert "denied since" in daemon.ctl("why", address(A)).stdout
    assert "denied for certain" in daemon.ctl("show", A).stdout
    assert daemon.ctl("status").returncode == 1 and "gone for certain" in daemon.ctl("status").stdout
    assert "its addresses have left" in daemon.ctl("vendors").stdout
    for _ in range(3):
        ask_again(daemon, TTL + 1)
    daemon.reload()
    resolve(daemon)
    assert len(daemon.events("name-gone")) == 1 and len(daemon.events("name-failing")) == 1

    dns.clear()
    resolve(daemon)
    assert held(lab) == given(A, B) and denials(daemon) == 0
    assert daemon.events("name-recovered") and status(daemon)["state"] == "healthy"
    # And the next time it begins anew.
    dns.set(A, f"{kind}-{TTL}")
    for _ in range(2):
        ask_again(daemon, TTL + 1)
    assert held(lab) == given(A, B)
    ask_again(daemon, TTL + 1)
    assert held(lab) == given(B) and len(daemon.events("name-gone")) == 2


def test_linger_counts_from_the_first_denial(begin):
    lab, dns, daemon = begin(linger="1h")
    dns.set(A, f"nx-{TTL}")
    resolve(daemon)
    first = name_of(daemon, A)["ipv4"]["denials"]["since"]
    for _ in range(2):
        ask_again(daemon, TTL + 1)
    assert held(lab) == given(A, B)
    (gone,) = daemon.events("name-gone")
    assert "its 2 addresses leave when the linger is over" in gone["MESSAGE"]
    (shown,) = name_of(daemon, A)["ipv4"]["addresses"]
    assert abs(shown["missing"] - first) <= 1 and shown["leaves"] == shown["missing"] + 3600
    ask_again(daemon, 3600 - 2 * (TTL + 1) - 60)
    assert held(lab) == given(A, B)
    daemon.jump(62)
    becomes(lambda: held(lab) == given(B), "the hour is over")


def test_a_ttl_of_seconds_is_not_enough_to_be_certain(begin):
    """Three within half a minute may be one mistake."""
    lab, dns, daemon = begin()
    dns.set(A, "nx-1")
    resolve(daemon)
    for _ in range(5):
        ask_again(daemon, 3)
    assert denials(daemon) <= 2 and held(lab) == given(A, B)
    for _ in range(2):
        ask_again(daemon, 31)
    assert held(lab) == given(B)


def test_failures_between_change_nothing_and_a_good_answer_begins_anew(begin):
    lab, dns, daemon = begin()

    def hear(kind):
        dns.set(A, kind)
        ask_again(daemon, TTL + 1)
        return denials(daemon)

    assert [hear(k) for k in (f"nx-{TTL}", "servfail", "silent", "garbage", "private", f"nodata-{TTL}",
                              "refused")] == [1, 1, 1, 1, 1, 2, 2]
    assert held(lab) == given(A, B)
    assert [hear(k) for k in ("ok", f"nx-{TTL}", f"nx-{TTL}")] == [0, 1, 2]
    assert held(lab) == given(A, B)
    assert hear(f"nx-{TTL}") == 3 and held(lab) == given(B)


def test_denied_aaaa_leaves_alone_and_is_no_degradation(begin):
    lab, dns, daemon = begin()
    dns.set(A, f"nodata-{TTL}", "AAAA")
    for n in range(3):
        assert held(lab) == given(A, B), n
        ask_again(daemon, TTL + 1)
    v4, v6 = given(A, B)
    assert held(lab) == (v4, v6 - {address(A, "AAAA")})
    assert not daemon.events("name-gone") + daemon.events("name-failing")
    assert daemon.ctl("status").returncode == 0


def test_a_resolver_that_lies_about_aaaa_empties_no_set_of_an_earlier_run_at_once(begin):
    lab, dns, daemon = begin()
    daemon.kill()
    dns.set("*", f"nodata-{TTL}", "AAAA")
    daemon.start()
    for n in range(3):
        for _ in range(3):
            resolve(daemon)
        turn(daemon)
        assert held(lab) == (given(A, B) if n < 2 else (given(A, B)[0], set())), n
        daemon.jump(TTL + 1)


@pytest.fixture
def begin_with_two(begin):
    """begin_with_two() -> lab, both servers, daemon; both were heard within the hour."""
    others = []

    def make():
        lab, dns, daemon = begin(server=f"{FIRST}, {SECOND}")
        elsewhere = f"{lab.directory}/second"
        os.mkdir(elsewhere)
        others.append(FaultDns(lab.internet, elsewhere, SECOND))
        dns.set(A, "servfail")
        resolve(daemon)
        assert others[0].questions(A)
        return lab, dns, others[0], daemon

    yield make
    for o in others:
        o.close()


def test_a_denial_by_one_of_two_servers_removes_nothing(begin_with_two):
    lab, dns, other, daemon = begin_with_two()
    dns.set(A, f"nx-{TTL}")
    for _ in range(5):
        ask_again(daemon, TTL + 1)
    assert held(lab) == given(A, B) and not daemon.events("name-gone")


def test_what_two_servers_deny_is_gone(begin_with_two):
    """The first denial only makes that the other one is asked as well."""
    lab, dns, other, daemon = begin_with_two()
    dns.set(A, f"nx-{TTL}")
    other.set(A, f"nodata-{TTL}")
    resolve(daemon)
    assert denials(daemon) == 0
    for n in (1, 2, 3):
        assert held(lab) == given(A, B)
        ask_again(daemon, TTL + 1)
        assert denials(daemon) == n
    assert held(lab) == given(B)
    (gone,) = daemon.events("name-gone")
    assert f"at last from {FIRST}" in gone["MESSAGE"]


def test_a_server_that_has_died_holds_it_up_for_an_hour(begin_with_two):
    lab, dns, other, daemon = begin_with_two()
    dns.set(A, f"nx-{TTL}")
    other.set("*", "silent")
    for _ in range(5):
        ask_again(daemon, TTL + 1)
    assert denials(daemon) == 0 and held(lab) == given(A, B)
    for _ in range(4):
        ask_again(daemon, TTL + 1)
    assert held(lab) == given(B)


def test_a_dead_server_holds_nothing_up(begin):
    lab, dns, daemon = begin(server=f"{FIRST}, {DEAD}")
    dns.set(A, f"nx-{TTL}")
    for _ in range(3):
        ask_again(daemon, TTL + 1)
    assert held(lab) == given(B)


def test_what_lingers_after_a_denial_makes_room_in_a_full_set(begin):
    lab, dns, daemon = begin(linger="1h")
    daemon.configure(recipes.resolver("1h", FIRST, timeout="200ms", tries="1")
                     + recipes.vendors("acme") + recipes.sets("s acme") + "max-elements = 2\n"
                     + recipes.sets("six acme"))
    daemon.reload()
    dns.set(B, "many-2")
    resolve(daemon, B)
    assert set(lab.elements("s")) == given(A, B)[0] and daemon.events("set-degraded")
    dns.set(A, f"nx-{TTL}")
    for _ in range(3):
        ask_again(daemon, TTL + 1)
    becomes(lambda: set(lab.elements("s")) == {address(B, "A", i) for i in (1, 2)}, "nothing else changes")
    assert status(daemon)["state"] == "degraded", "the name is gone"
    assert daemon.events("set-recovered")
