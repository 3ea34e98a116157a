# SPDX-License-Identifier: GPL-2.0-or-later
"""A gateway that was suspended: what ran out meanwhile has run out, and that is seen at once."""
import os

import pytest

import recipes
from faultdns import FaultDns, address
from recipes import ADDR4, becomes, resolve, turn
from spaces import run

HERE = os.path.dirname(os.path.abspath(__file__))
FAULTS = "45.53.0.54"
A, B = "a.example.com", "b.example.com"


class Machine:
    """Sleeps, as far as the daemon can see."""

    def __init__(self, directory):
        self.library = f"{directory}/asleep.so"
        run(["gcc", "-shared", "-fPIC", "-O1", "-o", self.library, f"{HERE}/asleep.c"])
        self.seconds, self.fifo = f"{directory}/seconds", f"{directory}/wake"
        os.mkfifo(self.fifo)
        self.set(0)
        self.slept = 0

    def set(self, seconds):
        with open(self.seconds + ".new", "w", encoding="ascii") as f:
            f.write(f"{seconds}\n")
        os.rename(self.seconds + ".new", self.seconds)

    def sleep(self, seconds):
        """The daemon is stopped while the clock jumps, and then told, as by the kernel."""
        self.slept += seconds
        self.set(self.slept)
        fd = os.open(self.fifo, os.O_RDWR | os.O_NONBLOCK)
        os.write(fd, bytes(8))
        os.close(fd)

    @property
    def wrapper(self):
        return ["env", f"LD_PRELOAD={self.library}", f"ASLEEP_SECONDS={self.seconds}",
                f"ASLEEP_WAKE={self.fifo}"]


@pytest.fixture
def begin(make_lab):
    def make(linger):
        lab = make_lab(ruleset=recipes.table(f"s {ADDR4}"), cache=False)
        dns = FaultDns(lab.internet, lab.directory, FAULTS, default="ttl-3600")
        machine = Machine(lab.directory)
        daemon = lab.daemon(f"[resolver]\nserver = {FAULTS}\nlinger = {linger}\n"
                            + recipes.vendors("acme") + recipes.sets("s acme"),
                            plain=True, wrapper=machine.wrapper)
        daemon.profile("acme", recipes.profile({"name": [A, B]}))
        daemon.start()
        dns.set(A, "many-2")
        resolve(daemon)
        dns.set(A, "ttl-3600")
        return lab, dns, daemon, machine

    return make


def test_ttls_run_out_while_the_machine_sleeps(begin):
    lab, dns, daemon, machine = begin("10min")
    before = {n: len(dns.questions(n)) for n in (A, B)}
    machine.sleep(3500)
    becomes(lambda: len(dns.questions(A)) == before[A] + 2, "TTL 60 is over")
    turn(daemon)
    assert len(dns.questions(B)) == before[B], "TTL 3600 is not"
    questions = len(dns.questions())
    machine.sleep(7200)
    # Nothing else wakes it: the timers that it had were to end in an hour.
    becomes(lambda: len(dns.questions()) == questions + 4, "each name is asked once a family")
    becomes(lambda: daemon.ctl("status").returncode == 0, "healthy")


def test_what_lingers_leaves_after_a_sleep(begin):
    lab, _, daemon, machine = begin("2h")
    resolve(daemon)  # without the second address
    two = address(A, "A", 2)
    machine.sleep(7000)
    turn(daemon)
    assert two in lab.elements("s")
    machine.sleep(300)
    becomes(lambda: two not in lab.elements("s"), "the linger is over")
    assert set(lab.elements("s")) == {address(A), address(B)}
    (entry,) = [e for e in daemon.events("changed") if two in e.get("ALLOWSYNC_REMOVED", "")]
    assert entry["ALLOWSYNC_REASON"] == "linger"
