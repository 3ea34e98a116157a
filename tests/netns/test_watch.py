# SPDX-License-Identifier: GPL-2.0-or-later
"""What others do to our sets is noticed as it happens, and put right without asking DNS."""
import time

import recipes
from recipes import ADDR4, ADDR6, PORTS4, becomes, ctl_json, resolve, status
from test_commit import begin, give

NAMES = [f"45.3.0.{i}" for i in range(1, 21)]


def counters(daemon):
    sets = status(daemon)["sets"]
    return sets["dumps"], sets["commits"]


def set_of(lab, name):
    return sorted(lab.elements(name))


def outside(lab, tmp_path, text):
    """A file of the admin's, loaded by nft in one transaction."""
    path = tmp_path / "admin.nft"
    path.write_text(text)
    lab.gateway.run(["nft", "-f", str(path)])


def changed(daemon):
    return [e["MESSAGE"] for e in daemon.events("ruleset-changed")]


def unplugged(lab):
    """From now on nobody answers."""
    lab.dns.pause()


def test_a_reload_of_the_admins_file_is_refilled_without_dns(make_lab, tmp_path):
    declarations = [f"s {ADDR4}", f"six {ADDR6}", f"p {PORTS4}"]
    lab, daemon = begin(make_lab, *declarations)
    give(lab, daemon, *NAMES, "2a00:1::7")
    before = {n: set_of(lab, n) for n in ("s", "six", "p")}
    assert len(before["s"]) == 20 and len(before["six"]) == 1 and len(before["p"]) == 20
    unplugged(lab)
    for _ in range(5):
        outside(lab, tmp_path, "flush ruleset\n" + recipes.table(*declarations))
        becomes(lambda: {n: set_of(lab, n) for n in before} == before, "all is back")
    assert all("nft (pid " in m and "and 2 more" in m for m in changed(daemon))
    assert 1 <= len(changed(daemon)) <= 5


def test_an_emptied_set_is_refilled_at_once_and_says_by_whom(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}")
    give(lab, daemon, *NAMES)
    before, dumps = set_of(lab, "s"), counters(daemon)[0]
    lab.gateway.run(["nft", "flush", "set", "inet", "filter", "s"])
    becomes(lambda: set_of(lab, "s") == before, "all is back")
    assert len(changed(daemon)) == 1 and "removed 20 elements of ours" in changed(daemon)[0]
    assert "nft (pid " in changed(daemon)[0]
    assert counters(daemon)[0] == dumps, "it needed a dump to see that"


def test_one_element_taken_out_is_put_back(make_lab):
    lab, daemon = begin(make_lab, f"p {PORTS4}")
    give(lab, daemon, *NAMES)
    before = set_of(lab, "p")
    lab.gateway.run(["nft", "delete", "element", "inet", "filter", "p",
                     "{ 45.3.0.7 . tcp . 443 }"])
    becomes(lambda: set_of(lab, "p") == before, "it is back")


def test_an_element_that_others_add_is_kept_and_reported_at_once(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}")
    give(lab, daemon, *NAMES)
    dumps = counters(daemon)[0]
    lab.gateway.run(["nft", "add", "element", "inet", "filter", "s", "{ 45.99.0.1 }"])
    becomes(lambda: daemon.events("foreign"), "it is reported")
    assert "45.99.0.1" in daemon.events("foreign")[0]["MESSAGE"]
    [s] = ctl_json(daemon, "sets")
    assert s["foreign"] == 1 and counters(daemon)[0] == dumps
    lab.gateway.run(["nft", "delete", "element", "inet", "filter", "s", "{ 45.99.0.1 }"])
    becomes(lambda: ctl_json(daemon, "sets")[0]["foreign"] == 0, "it is gone")


def test_an_element_replaced_by_others_is_theirs_when_dns_drops_it(make_lab, tmp_path):
    """Deleted and added again by hand, in one transaction: from then on it is the admin's."""
    lab, daemon = begin(make_lab, f"s {ADDR4}")
    give(lab, daemon, *NAMES)
    outside(lab, tmp_path, "delete element inet filter s { 45.3.0.7 }\n"
                           "add element inet filter s { 45.3.0.7 }\n")
    becomes(lambda: ctl_json(daemon, "sets")[0]["foreign"] == 1, "it is seen as theirs")
    give(lab, daemon, *[a for a in NAMES if a != "45.3.0.7"])
    assert "45.3.0.7" in set_of(lab, "s")


def test_steady_state_takes_no_dump(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}", f"p {PORTS4}")
    give(lab, daemon, *NAMES)
    dumps, commits = counters(daemon)
    for i in range(1, 11):
        give(lab, daemon, *NAMES[i:])
    assert counters(daemon)[0] == dumps and counters(daemon)[1] == commits + 10


def test_a_busy_neighbour_neither_starves_nor_spins_it(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}", f"other {ADDR4}", takes="acme")
    give(lab, daemon, *NAMES)
    neighbour = lab.gateway.popen(
        ["sh", "-c", "nft add table inet theirs; nft add set inet theirs x '{ type ipv4_addr; }';"
                     "while nft add element inet theirs x '{ 45.98.0.1 }' &&"
                     " nft flush set inet theirs x; do :; done"])
    try:
        for i in range(1, 11):
            give(lab, daemon, *NAMES[i:])
            assert sorted(set_of(lab, "s")) == sorted(NAMES[i:])
        # Being late is no failure: planned again in the same turn, without a word.
        assert not daemon.events("set-degraded") and not daemon.events("commit-failed")
    finally:
        lab.gateway.end(neighbour, 9, 10)


def test_a_set_made_later_is_filled_at_once(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}", start=False)
    lab.gateway.run(["nft", "delete", "table", "inet", "filter"])
    daemon.start()
    give(lab, daemon, *NAMES)
    resolve(daemon)
    lab.gateway.nft(recipes.table(f"s {ADDR4}"))
    becomes(lambda: len(set_of(lab, "s")) == 20, "it is filled")
    becomes(lambda: daemon.events("set-recovered"), "it is said")
    # By the notice of it, not by looking for it now and then.
    assert any("made, removed or replaced set inet filter s" in m for m in changed(daemon))


def test_whoever_undoes_every_repair_is_named_and_not_raced(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}")
    give(lab, daemon, *NAMES)
    vandal = lab.gateway.popen(["sh", "-c", "while nft flush set inet filter s; do :; done"])
    try:
        becomes(lambda: any("keeps undoing" in m for m in changed(daemon)), "it is named")
        assert any("keeps undoing set inet filter s" in m and "nft (pid" in m
                   for m in changed(daemon))
        assert daemon.ctl("status").returncode == 1
        assert "nft keeps undoing" in recipes.set_of(daemon, "s")["problems"][0]
        # Each repair waits twice as long as the one before.
        monitor, start = lab.monitor(), time.monotonic()
        repairs = []
        while len(repairs) < 3:
            seen = len(monitor.generations)
            for g in monitor.read(1.0)[seen:]:
                if g.added and g.program == "allowsyncd":
                    repairs.append(time.monotonic() - start)
        assert repairs[2] - repairs[1] > 1.5 * (repairs[1] - repairs[0]) > 1.5
    finally:
        lab.gateway.end(vandal, 9, 10)
    becomes(lambda: set_of(lab, "s") == sorted(NAMES), "all is back", 60)
    becomes(lambda: daemon.events("set-recovered"), "it is said when it is over", 60)
    assert daemon.ctl("status").returncode == 0
    # Bounded by the window, not by how fast the vandal is.
    assert len(changed(daemon)) < 100
    assert len(daemon.events("set-degraded")) == len(daemon.events("set-recovered")) == 1
