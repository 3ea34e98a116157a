# SPDX-License-Identifier: GPL-2.0-or-later
"""Names that rotate all day, in the journal: summed up by the hour, and nothing of it lost."""
import datetime
import re

import pytest

import recipes
from faultdns import FaultDns, address
from recipes import ADDR4, becomes, changes_of, replay, resolve, status, turn
from varlink import Client

FAULTS = "45.53.0.54"
A, B = "a.example.com", "b.example.com"
SET = "inet filter s"
SINGLE = 6  # entries within an hour before it is summed up


@pytest.fixture
def begin(make_lab):
    def make():
        lab = make_lab(ruleset=recipes.table(f"s {ADDR4}"), cache=False)
        dns = FaultDns(lab.internet, lab.directory, FAULTS, default="ttl-3600")
        daemon = lab.daemon(f"[resolver]\nserver = {FAULTS}\nlinger = 0\n"
                            + recipes.vendors("acme") + recipes.sets("s acme"), fake_time=True)
        daemon.profile("acme", recipes.profile({"name": [A, B]}))
        daemon.start()
        resolve(daemon)
        return Rotation(lab, dns, daemon)

    return make


class Rotation:
    """Steps of a name that changes, and what stood after each."""

    def __init__(self, lab, dns, daemon):
        self.lab, self.dns, self.daemon = lab, dns, daemon
        self.seen = [(0, set(lab.elements("s")))]

    def step(self, kind="rotate-2-3600", name=A):
        before = status(self.daemon)["now"]
        self.dns.set(name, kind)
        resolve(self.daemon, name)
        if (now := set(self.lab.elements("s"))) != self.seen[-1][1]:
            self.seen.append((before, now))

    def steps(self, count, seconds):
        for _ in range(count):
            self.daemon.jump(seconds)
            self.step()

    def singles(self):
        return [e for e in self.daemon.events("changed") if e["ALLOWSYNC_NAME"] == A]

    def check_replay(self):
        """Replayed, the journal goes through all that stood, and no change is later than the look
        that saw it, nor earlier than what was asked for it."""
        content, at = set(), 0
        for _, _, when, added, removed in changes_of(self.daemon.entries()):
            content = content - removed | added
            if at + 1 < len(self.seen) and content == self.seen[at + 1][1]:
                at += 1
                if when:
                    stamp = datetime.datetime.strptime(when + "+0000", "%Y-%m-%dT%H:%M:%SZ%z")
                    assert -1 <= stamp.timestamp() - self.seen[at][0] <= 20, when
            elif at:
                assert content == self.seen[at][1], "never stood so"
        assert at == len(self.seen) - 1, f"{at} of {len(self.seen) - 1} steps"
        assert content == set(self.lab.elements("s"))


def test_a_name_that_rotates_is_summed_up_by_the_hour_with_every_change(begin):
    r = begin()
    daemon = r.daemon
    r.steps(60, 55)
    # The first answer was a change as well.
    assert len(r.singles()) == SINGLE
    (said,) = daemon.events("rotating")
    assert said["ALLOWSYNC_NAME"] == A and "summed up by the hour" in said["MESSAGE"]
    assert not daemon.events("summary")
    r.steps(12, 55)
    becomes(lambda: daemon.events("summary"), "the hour is over")
    (hour,) = daemon.events("summary")
    assert hour["ALLOWSYNC_NAME"] == A and hour["ALLOWSYNC_SET"] == SET
    assert hour["ALLOWSYNC_VENDOR"] == "acme"
    assert re.search(r"\d+ changes in 6\d min, \+", hour["MESSAGE"])
    # The other name, which does nothing of that kind, is told of as ever.
    r.step("ttl-3600", B)
    r.step("many-2", B)
    assert [e["ALLOWSYNC_NAME"] for e in daemon.events("changed")][-1] == B
    # What the running hour has gathered comes with the stop.
    daemon.ctl("status", check=True)
    assert daemon.stop() == 0
    assert len(daemon.events("summary")) == 2 and len(r.singles()) == SINGLE
    assert len(daemon.events("rotating")) == 1
    kinds = [e["ALLOWSYNC_EVENT"] for e in daemon.entries() if "ALLOWSYNC_EVENT" in e]
    assert kinds[-2:] == ["summary", "stopped"]
    r.check_replay()


def test_a_reload_tells_what_is_gathered_and_goes_on_gathering(begin):
    r = begin()
    r.steps(12, 20)
    r.daemon.reload()
    (one,) = r.daemon.events("summary")
    assert one["ALLOWSYNC_CHANGES"].count("; ") + 1 + SINGLE == 13
    assert replay(r.daemon.entries())[SET] == set(r.lab.elements("s"))
    r.steps(3, 20)
    assert len(r.singles()) == SINGLE and len(r.daemon.events("rotating")) == 1
    r.daemon.reload()
    r.check_replay()


def test_a_name_that_has_calmed_down_is_told_of_by_itself_again(begin):
    r = begin()
    r.steps(8, 20)
    r.step("ttl-3600")
    r.daemon.jump(3600)
    turn(r.daemon)
    resolve(r.daemon)
    (one,) = becomes(lambda: r.daemon.events("summary"), "the hour is over")
    assert not one["MESSAGE"].endswith("again"), "an hour with four changes is none of calm"
    r.daemon.jump(3601)
    turn(r.daemon)
    resolve(r.daemon)
    before = len(r.singles())
    r.step("many-2")
    assert len(r.singles()) == before + 1 and len(r.daemon.events("summary")) == 1
    r.check_replay()


def test_the_monitor_shows_each_change_all_the_same(begin):
    r = begin()
    client = Client(r.daemon.socket)
    client.send("Monitor", more=True)
    client.receive("Monitor")
    r.steps(12, 20)
    shown = []
    while len(shown) < 12:
        event = client.receive("Monitor")[0]["event"]
        if event["kind"] == "changed":
            shown.append((set(event["added"]), set(event["removed"])))
    content = r.seen[0][1]
    for (added, removed), (_, stood) in zip(shown, r.seen[1:]):
        content = content - removed | added
        assert content == stood
    assert address(B) in content and len(r.singles()) == SINGLE
