# SPDX-License-Identifier: GPL-2.0-or-later
"""Several servers whose answers are added up: one that is dead or wrong takes nothing away."""
import os

import pytest
import recipes
from faultdns import FaultDns, address
from recipes import ADDR4, becomes, name_of, resolve, status

ONE, TWO = "45.53.0.54", "45.53.0.55"
NAME = "www.example.com"
FIRST, SECOND, THIRD = (address(NAME, "A", i) for i in (1, 2, 3))


@pytest.fixture
def begin(make_lab):
    """begin(fake_time) -> lab, the two servers, daemon; both were heard."""
    servers = []

    def make(fake_time=False, **keys):
        lab = make_lab(ruleset=recipes.table(f"s {ADDR4}"), cache=False)
        for i, where in enumerate((ONE, TWO)):
            os.mkdir(f"{lab.directory}/{i}")
            servers.append(FaultDns(lab.internet, f"{lab.directory}/{i}", where))
        one, two = servers
        one.set(NAME, "nth-1")
        two.set(NAME, "nth-2")
        config = {"union": "yes", "timeout": "300ms", "tries": "1", "refresh-min": "1s",
                  "linger": "0", **keys}
        daemon = lab.daemon(
            f"[resolver]\nserver = {ONE}, {TWO}\n" + "".join(f"{k} = {v}\n" for k, v in config.items())
            + recipes.vendors("acme") + recipes.sets("s acme"), fake_time=fake_time)
        daemon.profile("acme", recipes.profile({"name": [NAME]}))
        daemon.start()
        resolve(daemon)
        becomes(lambda: all(s["state"] == "ok" for s in status(daemon)["resolver"]["health"]),
                "both are heard")
        return lab, one, two, daemon

    yield make
    for s in servers:
        s.close()


def test_addresses_of_all_servers_are_allowed(begin):
    lab, one, two, daemon = begin()
    assert set(lab.elements("s")) == {FIRST, SECOND}
    assert name_of(daemon, NAME)["ipv4"]["server"] == f"{ONE}, {TWO}"
    assert status(daemon)["resolver"]["union"] and f"union of {ONE} ok" in daemon.ctl().stdout
    # What neither gives any more leaves; what one gives stays.
    two.set(NAME, "nth-3")
    resolve(daemon)
    assert set(lab.elements("s")) == {FIRST, THIRD}
    two.set(NAME, "nth-1")
    resolve(daemon)
    assert set(lab.elements("s")) == {FIRST}
    # One of them says that there is none.
    one.set(NAME, "nx")
    resolve(daemon)
    assert set(lab.elements("s")) == {FIRST}
    assert name_of(daemon, NAME)["ipv4"]["server"] == TWO


@pytest.mark.parametrize("kind", ["silent", "servfail", "refused", "garbage", "cutrr"])
def test_while_one_fails_nothing_leaves_and_what_is_new_enters(begin, kind):
    lab, one, two, daemon = begin()
    two.set(NAME, kind)
    # Beyond the questions after which it rests.
    for _ in range(5):
        resolve(daemon)
    assert set(lab.elements("s")) == {FIRST, SECOND}
    one.set(NAME, "nth-3")
    resolve(daemon)
    assert set(lab.elements("s")) == {FIRST, SECOND, THIRD}
    # Back: what nobody gives leaves.
    two.set(NAME, "nth-3")

    def gone():
        resolve(daemon)
        return set(lab.elements("s")) == {THIRD}
    becomes(gone, "it is asked again, and the rest leaves", 30)


def test_one_that_was_dead_for_an_hour_keeps_nothing_any_more(begin):
    lab, one, two, daemon = begin(fake_time=True)
    two.set(NAME, "silent")
    one.set(NAME, "nth-3")
    resolve(daemon)
    daemon.jump(3500)
    resolve(daemon)
    assert set(lab.elements("s")) == {FIRST, SECOND, THIRD}
    daemon.jump(200)
    resolve(daemon)
    becomes(lambda: set(lab.elements("s")) == {THIRD}, "what only the dead one gave leaves")
