# SPDX-License-Identifier: GPL-2.0-or-later
"""No DNS server answers, for an hour: no packet is lost, the server is not stormed, and there is one
entry as it begins and one as it ends, however many names there are."""
import json

import pytest

import recipes
from faultdns import FaultDns, address
from lab import DNS4
from recipes import ADDR4, becomes, name_of, resolve, turn
from test_reload_gap import CHAIN, DECLARATIONS, SENT_MIN, report
from traffic import ALLOWED, NEW, Traffic, lost, table, wait_sent

NAMES = [f"n{i}.example.com" for i in range(20)]
TRIES = 1
TIMEOUT_S = 10  # of the daemon's clock: it jumps over it, and a busy machine has all of it
# The pauses after a question in vain, doubled from the first to the longest, of which an eighth is
# for chance: core/backoff.h.
FIRST_S, LONGEST_S = 1, 60


def most_questions(seconds):
    """What the back-off lets one family of one name ask in that time, at most."""
    count, at, pause = 1, 0.0, float(FIRST_S)
    while at + pause <= seconds:
        count, at = count + 1, at + pause
        pause = min(2 * pause, LONGEST_S * 7 / 8)
    return count * TRIES


def least_questions(seconds, step):
    """And at least, by a clock that goes in steps."""
    return int(seconds // (LONGEST_S + 2 * step)) * TRIES


@pytest.fixture
def router(make_lab):
    """A router with many names, one of which allows what its device sends; all of it answered."""
    lab = make_lab(ruleset=recipes.table(*DECLARATIONS, used=False) + CHAIN, cache=False)
    four, six = ([a for a in ALLOWED if (":" in a) == v6] for v6 in (False, True))
    lab.dns.edit([(NAMES[0], "A", four, 60), (NAMES[0], "AAAA", six, 60)]
                 + [(n, "A", [f"45.4.0.{i}"], 60) for i, n in enumerate(NAMES) if i])
    daemon = lab.daemon(f"[resolver]\nserver = {DNS4}\ntimeout = {TIMEOUT_S}s\ntries = {TRIES}\n"
                        + recipes.vendors("acme") + recipes.sets("p acme", "six acme"),
                        fake_time=True)
    daemon.profile("acme", recipes.profile({"name": NAMES, "allow": "tcp/443, udp/443"}))
    daemon.start()
    resolve(daemon)
    lab.internet.nft(f"""table inet count {{
	counter dns {{ }}
	chain in {{
		type filter hook input priority 0;
		ip daddr {DNS4} meta l4proto {{ tcp, udp }} th dport 53 counter name dns
	}}
}}
""")
    return lab, daemon


def silence(lab):
    """The server hears nothing. (Were it only stopped, it would have the questions of an hour to
    answer as it goes on, and new ones would be lost where there is no room for them.)"""
    lab.internet.nft(f"""table inet silence {{
	chain in {{
		type filter hook input priority 1;
		ip daddr {DNS4} meta l4proto {{ tcp, udp }} th dport 53 drop
	}}
}}
""")


def asked(lab):
    r = lab.internet.run(["nft", "-j", "list", "counter", "inet", "count", "dns"])
    return next(c["counter"]["packets"] for c in json.loads(r.stdout)["nftables"] if "counter" in c)


def said(daemon):
    """What an admin is told, but for the changes of sets."""
    return [e["ALLOWSYNC_EVENT"] for e in daemon.entries()
            if e.get("ALLOWSYNC_EVENT") not in (None, "changed", "started")]


def test_an_hour_without_dns_costs_no_packet_and_two_entries(router):
    lab, daemon = router
    before = {n: set(lab.elements(n)) for n in ("p", "six")}
    assert not [e for e in said(daemon) if e.startswith(("name", "dns"))]
    quiet = said(daemon)
    traffic = Traffic(lab)
    silence(lab)
    begun, minute = asked(lab), 60
    for _ in range(60):
        daemon.jump(minute)  # whatever was due is asked
        turn(daemon)
        daemon.jump(TIMEOUT_S + 1)  # and has met silence
        turn(daemon)
    seconds = 60 * (minute + TIMEOUT_S + 1)
    questions = asked(lab) - begun
    families = 2 * len(NAMES)
    print(f"{questions} questions in {seconds} s of silence, for {families} families of names; "
          f"at most {families * most_questions(seconds)}")
    # One more, of the name that was asked to find out.
    assert questions <= families * most_questions(seconds) + 1
    assert questions >= families * least_questions(seconds, minute + TIMEOUT_S)
    assert said(daemon)[len(quiet):] == ["dns-silent"]
    (entry,) = daemon.events("dns-silent")
    assert f"asked: {DNS4}" in entry["MESSAGE"] and f"{len(NAMES)} names" in entry["MESSAGE"]
    assert entry["PRIORITY"] == "4"
    assert daemon.ctl("status").returncode == 1
    assert {n: set(lab.elements(n)) for n in before} == before

    wait_sent(traffic, "", SENT_MIN)

    lab.internet.nft("delete table inet silence")
    daemon.jump(LONGEST_S + 1)
    becomes(lambda: daemon.events("dns-answers"), "the end is said")
    resolve(daemon)
    assert said(daemon)[len(quiet):] == ["dns-silent", "dns-answers"]
    assert daemon.ctl("status").returncode == 0
    counts, echoes = traffic.end()
    report("an hour without DNS", counts, echoes)
    assert not any(lost(counts, "established").values()), table(counts)
    assert not any(lost(counts, "new").values()), table(counts)
    assert all(sent == echoed for sent, echoed in echoes.values()), echoes
    assert [counts[f"denied{v}"][1] for v in NEW] == [0, 0]


@pytest.fixture
def two(make_lab):
    """Two names, and a server that does as it is told."""
    lab = make_lab(ruleset=recipes.table(f"s {ADDR4}"), cache=False)
    dns = FaultDns(lab.internet, lab.directory, "45.53.0.54", default="ttl-3600")
    daemon = lab.daemon("[resolver]\nserver = 45.53.0.54\ntimeout = 300ms\ntries = 1\n"
                        + recipes.vendors("acme") + recipes.sets("s acme"))
    daemon.profile("acme", recipes.profile({"name": NAMES[:2]}))
    daemon.start()
    resolve(daemon)
    return lab, dns, daemon


def test_a_name_that_nobody_answers_for_is_no_outage(two):
    """The other name has no question under way: it is asked one, to find out."""
    lab, dns, daemon = two
    before = len(dns.questions(NAMES[1]))
    dns.set(NAMES[0], "silent")
    resolve(daemon, NAMES[0])
    (entry,) = becomes(lambda: daemon.events("name-failing"), "it is said")
    assert entry["ALLOWSYNC_NAME"] == NAMES[0] and "timeout" in entry["MESSAGE"]
    assert len(dns.questions(NAMES[1])) > before
    assert not daemon.events("dns-silent")
    dns.clear()
    resolve(daemon, NAMES[0])
    assert len(daemon.events("name-recovered")) == 1 and not daemon.events("dns-answers")
    assert address(NAMES[0]) in lab.elements("s")


def test_names_that_nobody_answers_for_together_are_no_outage(make_lab):
    """As those of one zone whose servers are dead: no other name has a question under way."""
    lab = make_lab(ruleset=recipes.table(f"s {ADDR4}"), cache=False)
    dns = FaultDns(lab.internet, lab.directory, "45.53.0.54", default="ttl-3600")
    for name in NAMES[:2]:
        dns.set(name, "ttl-30")
    daemon = lab.daemon("[resolver]\nserver = 45.53.0.54\ntimeout = 300ms\ntries = 1\n"
                        + recipes.vendors("acme") + recipes.sets("s acme"), fake_time=True)
    daemon.profile("acme", recipes.profile({"name": NAMES[:3]}))
    daemon.start()
    resolve(daemon)
    for name in NAMES[:2]:
        dns.set(name, "silent")
    for _ in range(3):
        daemon.jump(61)
        turn(daemon)
        daemon.jump(1)
        turn(daemon)
    becomes(lambda: len(daemon.events("name-failing")) == 2, "both are told of")
    assert [e for e in said(daemon) if e.startswith(("name", "dns"))] == ["name-failing"] * 2
    assert set(lab.elements("s")) == {address(n) for n in NAMES[:3]}


def test_a_silence_that_is_kept_back_is_told_also_after_a_reload(make_lab):
    """Whose it is was not known yet: the name that is asked to find out is answered after it."""
    lab = make_lab(ruleset=recipes.table(f"s {ADDR4}"), cache=False)
    dns = FaultDns(lab.internet, lab.directory, "45.53.0.54", default="ttl-3600")
    dns.set(NAMES[0], "ttl-30")
    daemon = lab.daemon("[resolver]\nserver = 45.53.0.54\ntimeout = 30s\ntries = 1\n"
                        + recipes.vendors("acme") + recipes.sets("s acme"), fake_time=True)
    daemon.profile("acme", recipes.profile({"name": NAMES[:2]}))
    daemon.start()
    resolve(daemon)
    before = [len(dns.questions(n)) for n in NAMES[:2]]
    for name in NAMES[:2]:
        dns.set(name, "silent")
    daemon.jump(61)
    becomes(lambda: len(dns.questions(NAMES[0])) == before[0] + 2, "it is asked")
    daemon.jump(31)
    becomes(lambda: len(dns.questions(NAMES[1])) > before[1], "another one is asked, to find out")
    assert not [e for e in said(daemon) if e.startswith(("name", "dns"))]
    dns.set(NAMES[1], "ok")
    daemon.reload()
    becomes(lambda: daemon.events("name-failing"), "it is told, before it is in vain once more")
    (entry,) = daemon.events("name-failing")
    assert entry["ALLOWSYNC_NAME"] == NAMES[0] and "timeout" in entry["MESSAGE"]
    assert not daemon.events("dns-silent")


def test_what_still_fails_after_an_outage_has_its_own_entry(two):
    lab, dns, daemon = two
    dns.set("*", "silent")
    resolve(daemon)
    becomes(lambda: daemon.events("dns-silent"), "the outage is noticed")
    assert name_of(daemon, NAMES[0])["state"] == "stopped"
    dns.clear()
    dns.set(NAMES[0], "servfail")
    resolve(daemon)
    resolve(daemon)
    assert len(daemon.events("dns-silent")) == len(daemon.events("dns-answers")) == 1
    (entry,) = daemon.events("name-failing")
    assert entry["ALLOWSYNC_NAME"] == NAMES[0] and "servfail" in entry["MESSAGE"]
    assert not daemon.events("name-recovered")
    assert set(lab.elements("s")) == {address(n) for n in NAMES[:2]}


def test_silence_from_the_start_is_one_entry(make_lab):
    lab = make_lab(ruleset=recipes.table(f"s {ADDR4}"), cache=False)
    dns = FaultDns(lab.internet, lab.directory, "45.53.0.54", default="silent")
    daemon = lab.daemon("[resolver]\nserver = 45.53.0.54\ntimeout = 300ms\ntries = 1\n"
                        + recipes.vendors("acme") + recipes.sets("s acme"))
    daemon.profile("acme", recipes.profile({"name": NAMES}))
    daemon.start()
    becomes(lambda: daemon.events("dns-silent"), "the outage is noticed")
    # Names that have never resolved are a note, but this is none.
    now = recipes.status(daemon)
    assert now["state"] == "degraded" and daemon.ctl("status").returncode == 1
    assert [d["what"] for d in now["degraded"]] == ["no DNS server answers (asked: 45.53.0.54)"]
    dns.set("*", "ttl-3600")
    becomes(lambda: len(lab.elements("s")) == len(NAMES), "all is there")
    assert daemon.ctl("status").returncode == 0
    assert [e for e in said(daemon) if e.startswith(("name", "dns"))] == ["dns-silent", "dns-answers"]
