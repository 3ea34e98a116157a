# SPDX-License-Identifier: GPL-2.0-or-later
"""pause leaves sets exactly as they are; resume puts right what came meanwhile."""
import os

import pytest

import recipes
from recipes import ADDR4, becomes, resolve, set_of, status, turn
from test_commit import begin, give

FIRST, SECOND = ["45.3.0.1", "45.3.0.2"], ["45.3.0.2", "45.3.0.3"]


@pytest.mark.parametrize("target", ["s", "inet filter s", "acme", None])
def test_paused_set_stays_as_it_is_until_resumed(make_lab, target):
    lab, daemon = begin(make_lab, f"s {ADDR4}", f"t {ADDR4}")
    words = [target] if target else []
    give(lab, daemon, *FIRST)
    assert daemon.ctl("pause", *words).returncode == 0
    give(lab, daemon, *SECOND)
    lab.gateway.nft("delete element inet filter s { 45.3.0.1 }\n"
                    "add element inet filter s { 45.99.0.1 }\n")
    resolve(daemon)
    daemon.ctl("diff")
    turn(daemon)
    assert set(lab.elements("s")) == {"45.3.0.2", "45.99.0.1"}
    assert set(lab.elements("t")) == set(SECOND if target in ("s", "inet filter s") else FIRST)
    assert set_of(daemon, "s")["state"] == "paused" and daemon.ctl("status").returncode == 1
    assert "set inet filter s" in status(daemon)["paused"]
    assert daemon.ctl("resume", *words).returncode == 0
    assert set(lab.elements("s")) == {*SECOND, "45.99.0.1"}
    assert set(lab.elements("t")) == set(SECOND)
    assert set_of(daemon, "s")["state"] == "ok" and not status(daemon)["paused"]
    assert [e["ALLOWSYNC_REASON"] for e in daemon.events("paused")] == ["pause", "resume"]


def test_reload_ends_a_pause(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}")
    give(lab, daemon, *FIRST)
    daemon.ctl("pause", check=True)
    lab.gateway.nft("flush set inet filter s")
    turn(daemon)
    assert not lab.elements("s")
    daemon.ctl("reload", check=True)
    assert set(lab.elements("s")) == set(FIRST)


@pytest.mark.parametrize("target", ["s", "acme", None])
def test_resume_undoes_a_release(make_lab, target):
    lab, daemon = begin(make_lab, f"s {ADDR4}")
    words = [target] if target else []
    give(lab, daemon, *FIRST)
    daemon.ctl("release", *words, check=True)
    assert not lab.elements("s")
    daemon.ctl("resume", *words, check=True)
    assert set(lab.elements("s")) == set(FIRST)
    assert not status(daemon)["paused"]


def test_release_of_a_paused_set_empties_it(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}")
    give(lab, daemon, *FIRST)
    daemon.ctl("pause", "s", check=True)
    daemon.ctl("release", "acme", check=True)
    assert not lab.elements("s")


def test_paused_set_has_no_file(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}")
    path = f"{daemon.root}/var/lib/allowsyncd/elements.d/inet-filter-s.nft"
    give(lab, daemon, *FIRST)
    becomes(lambda: os.path.exists(path), "a file")
    daemon.ctl("pause", check=True)
    becomes(lambda: not os.path.exists(path), "none")
    daemon.ctl("resume", check=True)
    becomes(lambda: os.path.exists(path), "a file")


def test_unknown_target_is_an_error(make_lab):
    _, daemon = begin(make_lab, f"s {ADDR4}")
    for verb in ("pause", "resume"):
        r = daemon.ctl(verb, "nobody")
        assert r.returncode != 0 and "nobody" in r.stdout
