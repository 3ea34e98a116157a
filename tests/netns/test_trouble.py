# SPDX-License-Identifier: GPL-2.0-or-later
"""Sets that go away, are too small, or leave the configuration: nothing stays that should go, the
daemon does not spin, and what it cannot look at it does not call in step."""
import time

from recipes import ADDR4, add_set, delete_set, profile, resolve, resolver, sets, table, vendors
from spaces import wait_until

ACME = profile({"name": "a.example.com"})


def made(make_lab, declaration, linger="0", records=()):
    lab = make_lab(cache=False, ruleset=table(declaration))
    lab.dns.edit(list(records))
    daemon = lab.daemon(resolver(linger=linger) + vendors("acme") + sets("one acme"))
    daemon.profile("acme", ACME)
    return lab, daemon


def addresses(*last):
    return [("a.example.com", "A", [f"45.9.9.{n}" for n in last], 60)]


def cpu_seconds(daemon):
    with open(f"/proc/{daemon.process.pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_set_that_is_too_small_holds_what_fits_and_loses_what_left(make_lab):
    lab, daemon = made(make_lab, "one { type ipv4_addr; size 3; }", records=addresses(1, 2, 3))
    daemon.start()
    resolve(daemon)
    assert set(lab.elements("one")) == {"45.9.9.1", "45.9.9.2", "45.9.9.3"}
    lab.dns.edit(addresses(2, 3, 4))  # full, and no less able to change
    resolve(daemon)
    assert set(lab.elements("one")) == {"45.9.9.2", "45.9.9.3", "45.9.9.4"}
    lab.dns.edit(addresses(5, 6, 7, 8))
    resolve(daemon)
    now = set(lab.elements("one"))
    assert len(now) == 3 and now < {f"45.9.9.{n}" for n in (5, 6, 7, 8)}
    diff = daemon.ctl("diff")
    assert diff.returncode == 2 and "full" in diff.stdout
    lab.dns.edit(addresses(5, 6))
    resolve(daemon)
    wait_until(lambda: set(lab.elements("one")) == {"45.9.9.5", "45.9.9.6"}, 15)
    wait_until(lambda: daemon.ctl("diff").returncode == 0, 15)


def test_release_of_a_set_in_trouble_removes_what_is_ours(make_lab):
    lab, daemon = made(make_lab, "one { type ipv4_addr; size 1; }", records=addresses(1, 2))
    daemon.start()
    resolve(daemon)
    assert len(lab.elements("one")) == 1
    assert "1 element removed" in daemon.ctl("release", "one").stdout
    assert not lab.elements("one")


def test_second_daemon_at_the_same_socket_ends_and_changes_nothing(make_lab):
    lab, daemon = made(make_lab, f"one {ADDR4}", records=addresses(1))
    daemon.start()
    resolve(daemon)
    second = lab.daemon(resolver() + vendors("acme") + sets("one acme"))
    second.profile("acme", profile({"name": "other.example.com"}))
    second.socket = daemon.socket
    second.start(wait=False)
    assert second.process.wait(20) == 70
    assert set(lab.elements("one")) == {"45.9.9.1"}
    assert daemon.ctl("diff").returncode == 0


def test_set_that_is_missing_is_trouble_for_diff(make_lab):
    lab, daemon = made(make_lab, f"one {ADDR4}")
    daemon.start()
    assert daemon.ctl("diff").returncode == 0
    delete_set(lab, "one")
    diff = daemon.ctl("diff")
    assert diff.returncode == 2 and "inet filter one" in diff.stdout


def test_set_that_goes_while_elements_wait_to_leave_costs_nothing(make_lab):
    lab, daemon = made(make_lab, f"one {ADDR4}", linger="3s", records=addresses(1))
    lab.gateway.nft('add element inet filter one { 45.9.9.9 comment "allowsyncd" }')
    daemon.start()
    resolve(daemon)
    assert set(lab.elements("one")) == {"45.9.9.1", "45.9.9.9"}
    delete_set(lab, "one")
    assert daemon.ctl("diff").returncode == 2
    time.sleep(4)  # the moment at which 45.9.9.9 was to leave has passed
    before = cpu_seconds(daemon)
    time.sleep(2)
    assert cpu_seconds(daemon) - before < 0.5
    add_set(lab, f"one {ADDR4}")
    wait_until(lambda: set(lab.elements("one")) == {"45.9.9.1"}, 15)
