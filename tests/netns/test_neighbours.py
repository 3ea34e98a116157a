# SPDX-License-Identifier: GPL-2.0-or-later
"""Whoever else uses nf_tables: what they make that nft does not survive, what they own, and sets of
ours that each have a trouble of their own while the others are to be kept."""
import ipaddress
import signal
import subprocess

import pytest

import lab as lab_module
import recipes
from rawnft import (TABLE_OWNER, TABLE_PERSIST, RawNft, add_elements, delete_elements, new_set,
                    new_table)
from recipes import ADDR4, PORTS4, becomes, set_of, status
from test_commit import ACME, begin, give

LISTING = ["prlimit", "--core=0", "nft", "list", "ruleset"]


@pytest.fixture
def raw_nft():
    """raw_nft(lab) -> a socket that ends with the test."""
    opened = []

    def make(lab):
        opened.append(RawNft(lab.gateway))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def key(address):
    return ipaddress.ip_address(address).packed


def service(address):
    """With tcp and 443: each field of a key takes whole words."""
    return key(address) + b"\x06\0\0\0" + b"\x01\xbb\0\0"


# --- a set with a statement that nft cannot print

def add_set_with_last(raw, table="theirs"):
    raw.change(new_table(table), new_set(table, "seen", "last"),
               add_elements(table, "seen", key("45.98.0.1"), key("45.98.0.2")))


def nft_crashes(lab):
    return lab.gateway.run(LISTING, check=False).returncode == -signal.SIGSEGV


def test_nft_crashes_on_a_set_with_last(make_lab, raw_nft):
    """Why the tests below read the sets over netlink."""
    lab = make_lab(cache=False)
    assert not nft_crashes(lab)
    add_set_with_last(raw_nft(lab))
    if not nft_crashes(lab):
        pytest.skip("this nft lives through such a set")


def is_right(raw, *addresses):
    ours = dict.fromkeys(addresses, "allowsyncd")
    becomes(lambda: raw.elements("s") == {key(a): c for a, c in ours.items()}, "s")
    becomes(lambda: raw.elements("p") == {service(a): c for a, c in ours.items()}, "p")


@pytest.mark.parametrize("table", ["theirs", "filter"])
@pytest.mark.parametrize("when", ["before the start", "while it runs"])
def test_sets_are_kept_beside_a_set_that_crashes_nft(make_lab, raw_nft, when, table):
    lab, daemon = begin(make_lab, f"s {ADDR4}", f"p {PORTS4}", start=False)
    raw = raw_nft(lab)
    if when == "before the start":
        add_set_with_last(raw, table)
    daemon.start()
    give(lab, daemon, "45.1.0.1", "45.1.0.2")
    is_right(raw, "45.1.0.1", "45.1.0.2")
    if when == "while it runs":
        add_set_with_last(raw, table)
    for i in range(3, 6):
        give(lab, daemon, "45.1.0.2", f"45.1.0.{i}")
        is_right(raw, "45.1.0.2", f"45.1.0.{i}")
    raw.change(delete_elements("filter", "s", key("45.1.0.2"), key("45.1.0.5")),
               delete_elements("filter", "p", service("45.1.0.5")))
    is_right(raw, "45.1.0.2", "45.1.0.5")
    becomes(lambda: "removed 3 elements of ours" in daemon.log(), "it was heard")
    assert daemon.ctl("status").returncode == daemon.ctl("diff").returncode == 0
    assert raw.elements("seen", table) == {key("45.98.0.1"): None, key("45.98.0.2"): None}
    assert not daemon.events("set-degraded") and not daemon.events("commit-failed")


def test_a_set_of_ours_with_last_is_degraded_alone(make_lab, raw_nft):
    lab, daemon = begin(make_lab, f"s {ADDR4}", f"p {PORTS4}", start=False)
    daemon.configure(recipes.resolver() + recipes.vendors("acme")
                     + recipes.sets("s acme", "p acme") + recipes.sets("seen acme", table="theirs"))
    raw = raw_nft(lab)
    add_set_with_last(raw)
    daemon.start()
    give(lab, daemon, "45.1.0.1")
    is_right(raw, "45.1.0.1")
    (said,) = daemon.events("set-degraded")
    assert said["ALLOWSYNC_SET"] == "inet theirs seen"
    assert "a statement for its elements other than counter" in said["MESSAGE"]
    assert set(raw.elements("seen", "theirs")) == {key("45.98.0.1"), key("45.98.0.2")}


# --- tables that others own

def own_table(raw, *names, flags=TABLE_OWNER, table="theirs"):
    """As long as this socket is open nobody else changes anything in it."""
    raw.change(new_table(table, flags), *(new_set(table, n) for n in names))


def owned_and_plain(make_lab, raw_nft, flags):
    """A daemon with a set in a table of its own, and one in a table that `owner` has."""
    lab, daemon = begin(make_lab, f"s {ADDR4}", start=False)
    daemon.configure(recipes.resolver() + recipes.vendors("acme") + recipes.sets("s acme")
                     + recipes.sets("owned acme", table="theirs"))
    owner = raw_nft(lab)
    own_table(owner, "owned", flags=flags)
    daemon.start()
    give(lab, daemon, "45.1.0.1")
    becomes(lambda: daemon.events("set-degraded"), "said")
    assert set(lab.elements("s")) == {"45.1.0.1"} and not lab.elements("owned", "theirs")
    return lab, daemon, owner


OWNED = "its table belongs to another process, which alone may change it"


def test_a_set_in_an_owned_table_is_filled_when_an_admin_makes_it_anew(make_lab, raw_nft):
    lab, daemon, owner = owned_and_plain(make_lab, raw_nft, TABLE_OWNER)
    (said,) = daemon.events("set-degraded")
    assert said["ALLOWSYNC_SET"] == "inet theirs owned" and OWNED in said["MESSAGE"]
    assert OWNED in set_of(daemon, "owned")["problems"][0]
    # The table goes with its owner, and the kernel tells nobody: looking again finds it out.
    owner.close()
    becomes(lambda: "no such table" in set_of(daemon, "owned")["problems"][0], "looked again")
    lab.gateway.nft(recipes.table(f"owned {ADDR4}", name="theirs"))
    becomes(lambda: set(lab.elements("owned", "theirs")) == {"45.1.0.1"}, "filled")
    becomes(lambda: daemon.events("set-recovered"), "said as well")
    # Its rule is looked at a moment later.
    becomes(lambda: daemon.ctl("status").returncode == 0, "no trouble is left")


def test_a_set_in_a_table_that_outlives_its_owner_is_filled_by_looking_again(make_lab, raw_nft):
    lab, daemon, owner = owned_and_plain(make_lab, raw_nft, TABLE_OWNER | TABLE_PERSIST)
    monitor = lab.monitor()
    owner.close()
    becomes(lambda: set(lab.elements("owned", "theirs")) == {"45.1.0.1"}, "filled")
    becomes(lambda: daemon.events("set-recovered"), "said as well")
    assert [k[1] for g in monitor.read() for k in g.added] == ["owned"], "nobody else did anything"
    assert len(daemon.events("set-degraded")) == 1 and OWNED in daemon.events("set-degraded")[0][
        "MESSAGE"]


# --- all at once

def waiting(node, *which):
    """How many UDP sockets of a node have something that nobody has read yet."""
    lines = node.run(["ss", "-Huan", *which]).stdout.splitlines()
    return sum(int(line.split()[1]) > 0 for line in lines)


def stop_before_the_answer(lab, daemon, changes):
    """The daemon has asked, and is stopped; what DNS says now waits in its sockets."""
    lab.dns.edit(changes)
    lab.dns.pause()
    ctl = daemon.node.popen([f"{lab_module.build_dir()}/src/allowsyncctl", "--socket",
                             daemon.socket, "resolve"], stdout=subprocess.DEVNULL)
    becomes(lambda: waiting(lab.internet, "sport = :53"), "asked")
    daemon.process.send_signal(signal.SIGSTOP)
    becomes(lambda: is_stopped(daemon), "stopped")
    lab.dns.resume()
    becomes(lambda: waiting(daemon.node), "answered")
    return ctl


def is_stopped(daemon):
    with open(f"/proc/{daemon.process.pid}/stat", encoding="ascii") as f:
        return f.read().rsplit(")", 1)[1].split()[0] == "T"


GOOD = ["one", "two", "three"]
TROUBLE = ["small", "fixed", "gone"]


def test_of_many_troubles_in_one_batch_each_is_degraded_alone(make_lab, raw_nft):
    lab = make_lab(cache=False, ruleset=recipes.table(
        f"one {ADDR4}", f"two {PORTS4}", "three { typeof ip daddr; }",
        "small { type ipv4_addr; size 2; }",
        "fixed { type ipv4_addr; flags constant; elements = { 45.99.0.1 }; }", f"gone {ADDR4}"))
    owner, other = raw_nft(lab), raw_nft(lab)
    own_table(owner, "owned", "owned_too")
    own_table(other, "brief", table="brief")
    daemon = lab.daemon(recipes.resolver() + recipes.vendors("acme")
                        # Those in trouble first, in the middle and last.
                        + recipes.sets("owned acme", table="theirs")
                        + recipes.sets(*(f"{n} acme" for n in ("one", *TROUBLE, "two")))
                        + recipes.sets("owned_too acme", table="theirs")
                        + recipes.sets("brief acme", table="brief") + recipes.sets("three acme"))
    daemon.profile("acme", ACME)
    daemon.start()
    recipes.resolve(daemon)
    (said,) = daemon.events("set-degraded")
    assert "inet filter fixed" in said["MESSAGE"] and "flag constant" in said["MESSAGE"]
    assert set_of(daemon, "gone")["state"] == "ok", "looked at"

    three = [f"45.1.0.{i}" for i in (1, 2, 3)]
    ctl = stop_before_the_answer(lab, daemon, [("a.example.com", "A", three, 60)])
    recipes.delete_set(lab, "gone")
    # Of this one there is no notice, nor a new generation: it is in the batch, and refused.
    other.close()
    monitor = lab.monitor()
    daemon.process.send_signal(signal.SIGCONT)
    assert ctl.wait(20) == 0
    (turn,) = monitor.changes()
    assert sorted(k[:2] for k in turn.added) == sorted(
        [("filter", n) for n in GOOD] * 3 + [("filter", "small")] * 2) and not turn.removed
    troubles = {"inet filter small": "full", "inet filter fixed": "flag constant",
                "inet filter gone": "no such table or set", "inet theirs owned": OWNED,
                "inet theirs owned_too": OWNED, "inet brief brief": "no such table or set"}

    def said():
        return {e["ALLOWSYNC_SET"]: e["MESSAGE"] for e in daemon.events("set-degraded")}

    becomes(lambda: set(said()) == set(troubles), "each is said")
    assert all(troubles[n] in m for n, m in said().items())
    assert {e["ALLOWSYNC_SET"] for e in daemon.events("commit-failed")} == {
        "inet theirs owned", "inet theirs owned_too", "inet brief brief"}, "the kernel refused these"
    # It goes on so, and says nothing twice, however often those in trouble are looked at.
    dumps = status(daemon)["sets"]["dumps"]
    becomes(lambda: status(daemon)["sets"]["dumps"] >= dumps + 6, "looked again")
    for i in range(4, 7):
        give(lab, daemon, "45.1.0.2", "45.1.0.3", f"45.1.0.{i}")
        assert all(len(lab.elements(n)) == 3 for n in GOOD)
    assert len(daemon.events("set-degraded")) == len(troubles)
    assert [set_of(daemon, n)["state"] for n in GOOD] == ["ok"] * 3

    # Each trouble ends by itself.
    give(lab, daemon, "45.1.0.7", "45.1.0.8")
    recipes.add_set(lab, f"gone {ADDR4}")
    owner.close()
    lab.gateway.nft(recipes.table(f"owned {ADDR4}", f"owned_too {ADDR4}", name="theirs")
                    + recipes.table(f"brief {ADDR4}", name="brief"))
    lab.gateway.nft("flush chain inet filter uses_fixed\ndelete set inet filter fixed")
    recipes.add_set(lab, f"fixed {ADDR4}")
    for n in GOOD + TROUBLE:
        becomes(lambda n=n: [k.split()[0] for k in sorted(lab.elements(n))]
                == ["45.1.0.7", "45.1.0.8"], n)
    for where in (("owned", "theirs"), ("owned_too", "theirs"), ("brief", "brief")):
        becomes(lambda w=where: set(lab.elements(*w)) == {"45.1.0.7", "45.1.0.8"}, where[0])
    becomes(lambda: {e["ALLOWSYNC_SET"] for e in daemon.events("set-recovered")} == set(troubles),
            "each is said again")
    becomes(lambda: daemon.ctl("status").returncode == 0, "no trouble is left")
    assert daemon.ctl("diff").returncode == 0


# --- a neighbour without rest

def test_a_set_that_is_recreated_all_the_time_delays_no_other(make_lab, tmp_path):
    busy = tmp_path / "busy.nft"
    busy.write_text("table inet busy\ndelete table inet busy\n"
                    + recipes.table(f"t {ADDR4}", name="busy"))
    lab, daemon = begin(make_lab, f"s {ADDR4}", start=False)
    lab.gateway.nft(busy.read_text())
    daemon.configure(recipes.resolver() + recipes.vendors("acme") + recipes.sets("t acme", table="busy")
                     + recipes.sets("s acme"))
    daemon.start()
    monitor, seen = lab.monitor(), 0

    def recreated():
        return sum((True, "busy", "t") in g.sets for g in monitor.read())

    neighbour = lab.gateway.popen(["sh", "-c", f"while :; do nft -f {busy}; done"])
    try:
        for i in range(10):
            becomes(lambda: recreated() > seen + 3, "the neighbour is at work")
            seen = recreated()
            give(lab, daemon, f"45.1.0.{i}", f"45.2.0.{i}")
            assert set(lab.elements("s")) == {f"45.1.0.{i}", f"45.2.0.{i}"}
        assert set_of(daemon, "s")["state"] == "ok"
        assert not [e for e in daemon.events("commit-failed") + daemon.events("set-degraded")
                    if e["ALLOWSYNC_SET"] == "inet filter s"]
    finally:
        lab.gateway.end(neighbour, signal.SIGKILL)
    # It may have come to be put right after long pauses only.
    becomes(lambda: set(lab.elements("t", "busy")) == {"45.1.0.9", "45.2.0.9"}, "filled", 150)
    becomes(lambda: daemon.ctl("status").returncode == 0, "and in step", 150)
    assert daemon.ctl("diff").returncode == 0


# --- more errors than the socket holds

SMALL_BUFFERS = """
#include <dlfcn.h>
#include <sys/socket.h>
int setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
	int (*real)(int, int, int, const void *, socklen_t);
	*(void **)&real = dlsym(RTLD_NEXT, "setsockopt");
	if (level != SOL_SOCKET || option != SO_RCVBUFFORCE)
		return real(fd, level, option, value, len);
	int small = *(const int *)value / 256;
	return real(fd, level, SO_RCVBUF, &small, sizeof(small));
}
"""


@pytest.fixture
def small_buffers(tmp_path):
    """What a program is to run under to have small netlink sockets. The default size holds some 250
    errors, and the root of a container with users of its own may have no other."""
    return recipes.preload(tmp_path, SMALL_BUFFERS)


def test_more_refusals_than_the_socket_holds_keep_no_other_set_waiting(
        make_lab, raw_nft, small_buffers):
    """Each of these sets is refused by a message of its own; the last of them are lost."""
    many = [f"owned{i}" for i in range(60)]
    lab = make_lab(cache=False, ruleset=recipes.table(f"s {ADDR4}"))
    own_table(raw_nft(lab), *many)
    daemon = lab.daemon(recipes.resolver() + recipes.vendors("acme")
                        + recipes.sets(*(f"{n} acme" for n in many), table="theirs")
                        + recipes.sets("s acme"), wrapper=small_buffers)
    daemon.profile("acme", ACME)
    daemon.start()
    give(lab, daemon, "45.1.0.1", "45.1.0.2")
    becomes(lambda: set(lab.elements("s")) == {"45.1.0.1", "45.1.0.2"}, "the others are kept")
    becomes(lambda: len({e["ALLOWSYNC_SET"] for e in daemon.events("set-degraded")}) == len(many),
            "each is said")
    assert all(OWNED in e["MESSAGE"] for e in daemon.events("set-degraded"))
    give(lab, daemon, "45.1.0.3")
    assert set(lab.elements("s")) == {"45.1.0.3"}
    assert len(daemon.events("set-degraded")) == len(many)
