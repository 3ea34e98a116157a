# SPDX-License-Identifier: GPL-2.0-or-later
"""Hours of TTL in moments: the real daemon under a clock that jumps."""
import pytest

import recipes
from faultdns import FaultDns, address
from recipes import ADDR4, becomes, name_of, resolve, set_of, turn

FAULTS = "45.53.0.54"
A, B = "a.example.com", "b.example.com"
ACME = recipes.profile({"name": [A, B]})


@pytest.fixture
def begin(make_lab):
    """begin(resolver keys) -> lab, dns, daemon; everything answered once."""
    def make(env=None, default="ttl-3600", vendor="", **keys):
        lab = make_lab(ruleset=recipes.table(f"s {ADDR4}"), cache=False)
        dns = FaultDns(lab.internet, lab.directory, FAULTS, default=default)
        config = {"server": FAULTS, "timeout": "200ms", "tries": "1", **keys}
        text = "[resolver]\n" + "".join(f"{k.replace('_', '-')} = {v}\n" for k, v in config.items())
        daemon = lab.daemon(text + f"[vendor acme]\n{vendor}" + recipes.sets("s acme"),
                            fake_time=True, env=env)
        daemon.profile("acme", ACME)
        daemon.start()
        resolve(daemon)
        return lab, dns, daemon

    return make


def asked(dns, name=A):
    return len(dns.questions(name, "A"))


def answered(daemon, name=A):
    """When the last answer came, as the daemon counts, and no question is under way."""
    v4 = name_of(daemon, name)["ipv4"]
    return v4["answered"] if "next" in v4 else None


def barrier(dns, daemon):
    """Whatever was due is asked by now, and the server has it: it has answered a later one."""
    before = asked(dns, B)
    resolve(daemon, B)
    becomes(lambda: asked(dns, B) > before, "a question of our own")


def test_a_ttl_of_an_hour_is_kept_to_the_second(begin):
    _, dns, daemon = begin()
    first = asked(dns)
    for n in range(first, first + 5):
        assert asked(dns) == n
        daemon.jump(3598)
        barrier(dns, daemon)
        assert asked(dns) == n, "too early"
        daemon.jump(3)  # the second, and the jitter
        becomes(lambda n=n: asked(dns) == n + 1, "asked when the hour is over")
        becomes(lambda: answered(daemon), "answered")


def test_a_server_added_or_gone_after_hours_is_noticed(begin):
    lab, dns, daemon = begin(linger="1h")
    one, two = address(A), address(A, "A", 2)
    dns.set(A, "unequal")  # 1, 2 and 3, TTLs 1, 60 and 3600
    daemon.jump(3601)
    becomes(lambda: two in lab.elements("s"), "added")
    before = asked(dns)
    dns.set(A, "ttl-3600")
    daemon.jump(61)
    becomes(lambda: asked(dns) > before and answered(daemon), "the answer without it")
    daemon.jump(3590)
    turn(daemon)
    assert two in lab.elements("s"), "an hour of linger"
    daemon.jump(12)
    turn(daemon)
    becomes(lambda: two not in lab.elements("s"), "the hour is over")
    assert one in lab.elements("s")


@pytest.mark.parametrize("ttl, linger", [(600, 600), (5, 60), (86400, 3600)])
def test_the_default_linger_is_the_largest_ttl_between_a_minute_and_an_hour(begin, ttl, linger):
    lab, dns, daemon = begin(default=f"ttl-{ttl}", vendor="", refresh_min="1s")
    dns.set(A, "many-2")  # TTL 60, which never is the largest but for the shortest
    resolve(daemon, A)
    two = address(A, "A", 2)
    assert two in lab.elements("s")
    dns.set(A, f"ttl-{ttl}")
    resolve(daemon, A)
    daemon.jump(max(linger, 60) - 3)
    turn(daemon)
    assert two in lab.elements("s")
    daemon.jump(5)
    turn(daemon)
    becomes(lambda: two not in lab.elements("s"), "left")


def test_revoke_within_holds(begin):
    """Refresh and linger together, whatever the TTL."""
    lab, dns, daemon = begin(vendor="revoke-within = 20min\n", default="ttl-86400")
    dns.set(A, "many-2")
    resolve(daemon, A)
    two = address(A, "A", 2)
    assert two in lab.elements("s")
    dns.set(A, "ttl-86400")
    for minutes in (10, 5, 5):
        daemon.jump(minutes * 60)
        turn(daemon)
        becomes(lambda: answered(daemon), "what was due is answered")
    daemon.jump(2)
    turn(daemon)
    becomes(lambda: two not in lab.elements("s"), "gone within 20 minutes of its last answer")


def test_a_week_without_answers_removes_nothing_and_then_goes_on(begin):
    lab, dns, daemon = begin(default="ttl-60")
    before, monitor = set(lab.elements("s")), lab.monitor()
    dns.set("*", "silent")
    for _ in range(5):
        daemon.jump(2 * 86400)
        resolve(daemon)
        turn(daemon)
    assert set(lab.elements("s")) == before and not monitor.read()
    # Ten days are longer than stale-max.
    assert name_of(daemon, A)["state"] == "stopped" and daemon.ctl("status").returncode == 2
    (said,) = daemon.events("dns-silent")
    assert "stays allowed" in said["MESSAGE"] and not daemon.events("name-failing")
    dns.set("*", "many-2")
    daemon.jump(61)  # the longest pause between two tries
    becomes(lambda: set(lab.elements("s")) == {address(n, "A", i) for n in (A, B) for i in (1, 2)},
            "found again without being told")
    becomes(lambda: daemon.ctl("status").returncode == 0, "healthy")


@pytest.mark.parametrize("hours", [-48, -1, 1, 48])
def test_the_wall_clock_is_none_of_the_daemons_business(begin, hours):
    """It jumps as ntpd or an admin sets it; the monotonic clock goes on."""
    lab, dns, daemon = begin(env={"FAKETIME_DONT_FAKE_MONOTONIC": "1"}, linger="1h")
    dns.set(A, "many-2")
    resolve(daemon, A)
    dns.set(A, "ttl-3600")
    resolve(daemon, A)
    before, monitor = set(lab.elements("s")), lab.monitor()
    assert address(A, "A", 2) in before, "lingering"
    questions = asked(dns)
    now = recipes.status(daemon)["now"]
    daemon.jump(hours * 3600)
    turn(daemon)
    assert abs(recipes.status(daemon)["now"] - now - hours * 3600) < 1800, "the clock was set"
    barrier(dns, daemon)
    assert asked(dns) == questions and not monitor.read()
    assert set(lab.elements("s")) == before and set_of(daemon, "s")["state"] == "ok"
    assert daemon.ctl("status").returncode == 0


def test_a_machine_that_slept_a_day_looks_at_everything_once(begin):
    """All is overdue at once: each name is asked once a family, and nothing leaves before."""
    lab, dns, daemon = begin(default="ttl-600", linger="10s")
    before, monitor = set(lab.elements("s")), lab.monitor()
    questions = len(dns.questions())
    daemon.jump(86400)
    becomes(lambda: len(dns.questions()) >= questions + 4, "all are asked")
    becomes(lambda: answered(daemon) and answered(daemon, B), "and answered")
    assert len(dns.questions()) == questions + 4
    assert set(lab.elements("s")) == before and not monitor.read()


def test_a_name_without_a_good_answer_for_longer_than_stale_max_is_told_of_loudly(begin):
    lab, dns, daemon = begin(stale_max="7d")
    before = set(lab.elements("s"))
    assert len(before) == 2
    dns.set(A, "servfail")
    daemon.jump(7 * 86400 - 60)
    resolve(daemon)
    assert not daemon.events("name-stale") and daemon.ctl("status").returncode == 1
    daemon.jump(3600)
    for _ in range(3):
        resolve(daemon)
    (said,) = daemon.events("name-stale")
    assert said["PRIORITY"] == "3" and said["ALLOWSYNC_NAME"] == A
    assert "no good answer for 168 h (servfail from 45.53.0.54)" in said["MESSAGE"]
    assert "its 2 addresses are still allowed" in said["MESSAGE"]
    assert set(lab.elements("s")) == before, "nothing leaves because of it"
    shown = daemon.ctl("status")
    assert shown.returncode == 2
    assert (f"STALE acme: 1 name without a good answer for longer than stale-max ({A}): still allowed, "
            "until DNS answers or \"allowsyncctl release acme\"" in shown.stdout)
    daemon.reload()
    resolve(daemon)
    assert daemon.ctl("status").returncode == 2 and len(daemon.events("name-stale")) == 1
    dns.set(A, "ttl-3600")
    resolve(daemon)
    assert daemon.ctl("status").returncode == 0 and daemon.events("name-recovered")
