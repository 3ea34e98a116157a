# SPDX-License-Identifier: GPL-2.0-or-later
"""Answers that change much: used at once, and told of, at most once an hour for a name."""
import recipes
from faultdns import FaultDns, address
from recipes import ADDR4, becomes, resolve
from test_commit import NAME, OTHER

FAULTS = "45.53.0.54"
HOUR = 3600


def replaced(daemon):
    return [e["MESSAGE"] for e in daemon.events("answer-replaced")]


def begin_faulty(make_lab, vendor=""):
    lab = make_lab(ruleset=recipes.table(f"s {ADDR4}"), cache=False)
    dns = FaultDns(lab.internet, lab.directory, FAULTS, default="many-10")
    daemon = lab.daemon(recipes.resolver("2h", server=FAULTS) + recipes.vendors("acme") + vendor
                        + recipes.sets("s acme"), fake_time=True)
    daemon.profile("acme", recipes.profile({"name": [NAME, OTHER]}))
    daemon.start()
    resolve(daemon)
    return lab, dns, daemon


def test_most_addresses_replaced_at_once_is_an_alarm_and_no_more(make_lab):
    lab, dns, daemon = begin_faulty(make_lab)
    first = {address(NAME, "A", i) for i in range(1, 11)}
    for kind in ("servfail", "rotate-10", "rotate-10", "rotate-10"):
        dns.set(NAME, kind)
        resolve(daemon, NAME)
    (said,) = daemon.events("answer-replaced")
    assert said["MESSAGE"].startswith(f"acme: {NAME} replaced 10 of its 10 addresses in one answer, ")
    assert said["PRIORITY"] == "4" and said["ALLOWSYNC_NAME"] == NAME
    assert said["ALLOWSYNC_RESULT"] == "ok", "of this answer, not of the one before"
    assert daemon.ctl("status").returncode == 0, "nothing is wrong with the sets"
    # What is new is allowed at once, what was before lingers.
    assert first <= set(lab.elements("s")) and len(lab.elements("s")) >= 10 + 10 + 30
    # The other name has an hour of its own; and so has a new hour.
    dns.set(OTHER, "rotate-10")
    resolve(daemon)
    resolve(daemon)
    assert len(replaced(daemon)) == 2 and OTHER in replaced(daemon)[1]
    daemon.reload()
    resolve(daemon)
    assert len(replaced(daemon)) == 2, "a reload is no news"
    daemon.jump(HOUR + 1)
    resolve(daemon, NAME)
    becomes(lambda: len([m for m in replaced(daemon) if NAME in m]) == 2, "told again")


def test_answers_that_only_grow_shrink_or_turn_within_what_is_known_are_none(make_lab):
    lab, dns, daemon = begin_faulty(make_lab)
    for kind in ("many-40", "many-3", "many-40", "private", "servfail", "mixed", "many-10"):
        dns.set(NAME, kind)
        resolve(daemon, NAME)
    assert not replaced(daemon)
    assert {address(NAME, "A", i) for i in range(1, 41)} <= set(lab.elements("s"))


def moved(daemon):
    return [e["MESSAGE"] for e in daemon.events("alias-moved")]


def test_an_alias_that_moves_to_another_domain_is_told_of_once_an_hour(make_lab):
    lab, dns, daemon = begin_faulty(make_lab)

    def give(kind):
        dns.set(NAME, kind)
        resolve(daemon, NAME)

    give("chain-2")
    assert not moved(daemon), "an alias within its domain"
    give("alias-1")
    (said,) = daemon.events("alias-moved")
    assert said["MESSAGE"] == (
        f"acme: {NAME} is an alias into another domain now: {NAME} -> pool.domain1.example; before: "
        f"{NAME} -> c1.{NAME} -> c2.{NAME}")
    assert said["PRIORITY"] == "5" and daemon.ctl("status").returncode == 0
    give("alias-2")
    assert len(moved(daemon)) == 1 and address(NAME, "A", 2) in lab.elements("s")
    daemon.reload()
    give("alias-3")
    assert len(moved(daemon)) == 1, "a reload is no news"
    daemon.jump(HOUR + 1)
    give("servfail")
    give("alias-3")
    assert len(moved(daemon)) == 1, "nothing moved"
    give("ok")
    assert len(moved(daemon)) == 2
    assert moved(daemon)[1].endswith(f" now: {NAME}; before: {NAME} -> pool.domain3.example")
