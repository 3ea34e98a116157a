# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes that are too large for one transaction: in pieces, what is added first."""
import ipaddress

import pytest

import recipes
from rawnft import RawNft
from recipes import ADDR4, PORTS4, becomes, set_of, status
from test_commit import give

PIECE = 50000
PORTS = 16
SERVICES = ", ".join(f"tcp/{p}" for p in range(8001, 8001 + PORTS))
NEIGHBOUR = ("nft add table inet theirs; nft add set inet theirs x '{ type ipv4_addr; }';"
             "while nft add element inet theirs x '{ 45.98.0.1 }' &&"
             " nft delete element inet theirs x '{ 45.98.0.1 }'; do :; done")


def addresses(network, count):
    return [f"45.{network + i // 62500}.{i // 250 % 250}.{i % 250 + 1}" for i in range(count)]


def profile(*values):
    """An endpoint of all these, a dozen a line."""
    return recipes.profile({
        "name": "a.example.com", "allow": SERVICES,
        "address": [", ".join(values[i:i + 12]) for i in range(0, len(values), 12)]})


def key(address, port):
    return (ipaddress.ip_address(address).packed + bytes([6, 0, 0, 0])
            + port.to_bytes(2, "big") + b"\0\0")


def keys(*values):
    """In a set of addr . proto . service."""
    return {key(a, p) for a in values for p in range(8001, 8001 + PORTS)}


class Kernel:
    """Reads what is too much for nft to list often."""

    def __init__(self, lab):
        self.raw = RawNft(lab.gateway)

    def __call__(self, name):
        return self.raw.elements(name)


def transactions(monitor, count, since=0):
    """Our own since then, once they come to so many elements."""
    def own():
        found = [g for g in monitor.read()[since:] if g.program == "allowsyncd"
                 and (g.added or g.removed)]
        return sum(len(g.added) + len(g.removed) for g in found) >= count and found

    return becomes(own, f"{count} changes", 120)


def begin(make_lab, *values, declarations=(f"p {PORTS4}",), start=True, plain=True):
    """Without the sanitizers, which one test of this size has enough of."""
    lab = make_lab(ruleset=recipes.table(*declarations), cache=False)
    daemon = lab.daemon(recipes.resolver() + recipes.vendors("acme")
                        + recipes.sets(*(f"{d.split()[0]} acme" for d in declarations)),
                        plain=plain)
    daemon.profile("acme", profile(*values))
    if start:
        daemon.start(timeout=120)
    return lab, daemon


def looks(daemon):
    return status(daemon)["sets"]["dumps"]


def test_first_fill_of_128000_elements_goes_in_pieces_and_is_said_once(make_lab):
    lab, daemon = begin(make_lab, *addresses(20, 8000), start=False, plain=False)
    monitor, kernel = lab.monitor(), Kernel(lab)
    daemon.start(timeout=120)
    own = transactions(monitor, 8000 * PORTS)
    assert [len(g.added) for g in own] == [PIECE, PIECE, 8000 * PORTS - 2 * PIECE]
    assert not any(g.removed for g in own)
    assert kernel("p") == dict.fromkeys(keys(*addresses(20, 8000)), "allowsyncd")
    (said,) = daemon.events("commit-split")
    assert "128000 changes" in said["MESSAGE"] and "3 transactions" in said["MESSAGE"]
    assert said["ALLOWSYNC_SET"] == "inet filter p" and said["PRIORITY"] == "5"
    # It reads its own notices without losing any: one look at the start was all.
    give(lab, daemon, "45.1.0.1")
    assert keys("45.1.0.1") <= set(kernel("p"))
    assert looks(daemon) == 1 and daemon.ctl("status").returncode == 0
    assert not daemon.events("set-degraded") and len(daemon.events("commit-split")) == 1
    # Every one of them is in the journal, in the order of the kernel's generations.
    entries = [e for e in daemon.events("changed") if e["ALLOWSYNC_REASON"] == "static"]
    assert {int(e["ALLOWSYNC_GENERATION"]) for e in entries} == {g.number for g in own}


def test_reload_that_swaps_half_adds_everything_before_it_deletes(make_lab):
    stay, go, come = addresses(20, 4000), addresses(30, 4000), addresses(40, 4000)
    lab, daemon = begin(make_lab, *stay, *go)
    monitor, kernel, before = lab.monitor(), Kernel(lab), looks(daemon)
    daemon.profile("acme", profile(*stay, *come))
    daemon.ctl("reload", check=True)
    own = transactions(monitor, 2 * 4000 * PORTS)
    sizes = [(len(g.added), len(g.removed)) for g in own]
    assert sizes == [(PIECE, 0), (14000, 0), (0, PIECE), (0, 14000)]
    assert {k for g in own for _, _, k in g.added} == keys(*come)
    assert {k for g in own for _, _, k in g.removed} == keys(*go)
    assert kernel("p") == dict.fromkeys(keys(*stay, *come), "allowsyncd")
    # A reload goes on with what is known.
    assert looks(daemon) == before and daemon.ctl("status").returncode == 0
    assert len(daemon.events("commit-split")) == 2  # the fill's and this


def test_pieces_go_over_the_borders_of_sets(make_lab):
    """Each set's part is whole in the end, and no transaction larger than it may be."""
    declarations = [f"a {ADDR4}", f"p {PORTS4}", f"q {PORTS4}",
                    "t { type ipv4_addr . inet_proto . inet_service; timeout 1h; }"]
    lab, daemon = begin(make_lab, *addresses(20, 2100), declarations=declarations, start=False)
    monitor, kernel = lab.monitor(), Kernel(lab)
    daemon.start(timeout=120)
    own = transactions(monitor, 2100 + 3 * 2100 * PORTS)
    assert [len(g.added) for g in own[:2]] == [PIECE, PIECE]
    assert all(len(g.added) <= PIECE for g in own)
    for name in "pqt":
        assert kernel(name) == dict.fromkeys(keys(*addresses(20, 2100)), "allowsyncd")
    assert len(kernel("a")) == 2100
    (said,) = daemon.events("commit-split")
    assert "ALLOWSYNC_SET" not in said, "it is about several"
    daemon.profile("acme", profile("45.1.0.1"))
    daemon.ctl("reload", check=True)
    becomes(lambda: [len(kernel(n)) for n in "apqt"] == [1, PORTS, PORTS, PORTS], "nearly empty",
            60)
    assert all(len(g.removed) <= PIECE and not (g.added and len(g.removed) > PIECE)
               for g in transactions(monitor, 2 * (2100 + 3 * 2100 * PORTS)))
    assert daemon.ctl("status").returncode == 0


def test_neighbour_that_changes_the_ruleset_all_the_time_is_no_obstacle(make_lab):
    values = addresses(20, 8000)
    lab, daemon = begin(make_lab, *values, start=False)
    monitor, kernel, seen, fills = lab.monitor(), Kernel(lab), 0, []
    neighbour = lab.gateway.popen(["sh", "-c", NEIGHBOUR])
    try:
        becomes(lambda: len(monitor.changes()) > 3, "it is at work")
        daemon.start(timeout=120)
        for _ in range(2):
            fills.append(transactions(monitor, 8000 * PORTS, seen))
            # The set is made anew, in one transaction, and filled again.
            seen = len(monitor.read())
            lab.gateway.nft("flush chain inet filter uses_p\ndelete chain inet filter uses_p\n"
                            "delete set inet filter p\n" + recipes.table(f"p {PORTS4}"))
        fills.append(transactions(monitor, 8000 * PORTS, seen))
        assert any(f[-1].number - f[0].number >= len(f) for f in fills), "it came in between"
        give(lab, daemon, *addresses(60, 500))
        give(lab, daemon, "45.1.0.1")
        assert status(daemon)["sets"]["in_step"]
    finally:
        lab.gateway.end(neighbour, 9, 10)
    own = [g for g in monitor.read() if g.program == "allowsyncd"]
    assert all(len(g.added) + len(g.removed) <= PIECE for g in own)
    assert {k for g in own for _, _, k in g.removed} == keys(*addresses(60, 500))
    # Planned anew in the middle, and nothing twice.
    assert sum(len(g.added) for g in own) == 3 * 8000 * PORTS + 500 * PORTS + PORTS
    assert kernel("p") == dict.fromkeys(keys(*values, "45.1.0.1"), "allowsyncd")
    assert not daemon.events("set-degraded") and not daemon.events("commit-failed")
    assert daemon.ctl("status").returncode == 0
    # Once for each change, however often it was planned.
    assert len(daemon.events("commit-split")) == 3


def test_elements_taken_out_in_the_middle_of_the_pieces_are_put_back(make_lab):
    lab, daemon = begin(make_lab, *addresses(20, 8000), start=False)
    kernel = Kernel(lab)
    vandal = lab.gateway.popen(
        ["sh", "-c", "until nft delete element inet filter p '{ 45.20.0.1 . tcp . 8001 }';"
                     " do :; done 2>/dev/null; echo done"])
    daemon.start(timeout=120)
    vandal.wait(60)
    want = keys(*addresses(20, 8000))
    becomes(lambda: set(kernel("p")) == want, "all is there", 60)
    assert not daemon.events("set-degraded")


def test_ranges_in_their_tens_of_thousands_are_right_as_well(make_lab):
    """Every second address, so that nothing can be joined. What is deleted may have to make room
    for what is added, so a set of ranges changes in one piece."""
    def spread(network, count):
        return [f"45.{network + i // 32000}.{i // 125 % 256}.{i % 125 * 2 + 1}" for i in range(count)]

    stay, go, come = spread(20, 21000), spread(30, 30000), spread(40, 30000)
    lab, daemon = begin(make_lab, *stay, *go, start=False,
                        declarations=("p { type ipv4_addr; flags interval; }",))
    monitor = lab.monitor()
    daemon.start(timeout=120)
    becomes(lambda: set_of(daemon, "p")["elements"] == 51000, "filled", 120)
    own = [g for g in monitor.changes() if g.program == "allowsyncd"]
    assert len(own) == 2 and not any(g.removed for g in own)
    assert set(lab.elements("p")) == set(stay + go)
    daemon.profile("acme", profile(*stay, *come))
    daemon.ctl("reload", check=True)
    becomes(lambda: set_of(daemon, "p")["elements"] == set_of(daemon, "p")["wanted"] == 51000
            and status(daemon)["sets"]["in_step"], "in step", 120)
    assert set(lab.elements("p")) == set(stay + come)
    assert not daemon.events("set-degraded") and daemon.ctl("status").returncode == 0
    assert "flag interval" in " ".join(set_of(daemon, "p")["notes"])


@pytest.mark.parametrize("verb", ["reload", "release", "diff"])
def test_large_set_is_in_step_beside_a_neighbour_that_commits_all_the_time(make_lab, verb):
    """It cannot be read between two of the neighbour's transactions, as it takes longer than that."""
    values = addresses(20, 8000)
    lab, daemon = begin(make_lab, *values)
    monitor = lab.monitor()
    dumps = status(daemon)["sets"]["dumps"]
    neighbour = lab.gateway.popen(["sh", "-c", NEIGHBOUR])
    try:
        becomes(lambda: len(monitor.changes()) > 3, "it is at work")
        daemon.profile("acme", profile(*values[:4000]))
        assert daemon.ctl(verb).returncode == 0
        becomes(lambda: set_of(daemon, "p")["elements"]
                == (0 if verb == "release" else set_of(daemon, "p")["wanted"]), "in step", 30)
        # A reload goes on with what is known.
        assert verb != "reload" or status(daemon)["sets"]["dumps"] == dumps
        assert not daemon.events("set-degraded")
    finally:
        lab.gateway.end(neighbour, 9, 10)
