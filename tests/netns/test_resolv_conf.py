# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers from resolv.conf, which others rewrite; servers that are dead and come back."""
import os
import re

import pytest
import recipes
from faultdns import FaultDns, address
from recipes import ADDR4, becomes, resolve, status, turn

ONE, TWO = "45.53.0.54", "45.53.0.55"
NAME = "ttl-1.example.com"


@pytest.fixture
def dns(make_lab):
    """(lab, one server that is silent to everything, one that is fine)."""
    lab = make_lab(ruleset=recipes.table(f"s {ADDR4}"), cache=False)
    os.mkdir(f"{lab.directory}/two")
    one = FaultDns(lab.internet, lab.directory, ONE)
    two = FaultDns(lab.internet, f"{lab.directory}/two", TWO)
    yield lab, one, two
    one.close()
    two.close()


def start(lab, servers, **kw):
    head = "".join(f"server = {s}\n" for s in servers)
    d = lab.daemon(f"[resolver]\n{head}refresh-min = 1s\nlinger = 1h\ntimeout = 300ms\ntries = 1\n"
                   + recipes.vendors("acme") + recipes.sets("s acme"), **kw)
    d.profile("acme", recipes.profile({"name": [NAME]}))
    return d.start()


def health(daemon):
    return {s["address"]: s for s in status(daemon)["resolver"]["health"]}


def said(daemon):
    return [e["MESSAGE"] for e in daemon.events("resolver")]


def was_read(path):
    """Since it was written: relatime keeps this much."""
    st = os.stat(path)
    return st.st_atime_ns > st.st_mtime_ns


def replace(path, text):
    with open(path + ".new", "w", encoding="ascii") as f:
        f.write(text)
    os.rename(path + ".new", path)


def test_resolv_conf_is_followed_through_all_that_happens_to_it(dns):
    lab, one, two = dns
    path, real = f"{lab.directory}/resolv.conf", f"{lab.directory}/real"
    one.set("*", "silent")
    replace(path, f"nameserver {ONE}\n")
    daemon = start(lab, [], arguments=["--resolv-conf", path])
    becomes(lambda: one.questions(NAME), "the first server is asked")
    # Renamed over: whatever was asked of the silent one is answered by the other.
    replace(path, f"nameserver {TWO}\n")
    becomes(lambda: address(NAME) in lab.elements("s"), "the new server's answer", 3)
    assert said(daemon) == [f"resolv.conf has changed: asked is now {TWO}; before: {ONE}"]
    # The same list in other words is no change; one that is a link is followed.
    replace(real, f"# by dhcp\nnameserver {TWO}\nsearch lan\n")
    os.symlink("real", path + ".link")
    os.rename(path + ".link", path)
    becomes(lambda: was_read(real), "the daemon has looked")
    turn(daemon)
    assert len(said(daemon)) == 1
    one.clear()
    lookups = status(daemon)["resolver"]["lookups"]
    with open(real, "a", encoding="ascii") as f:
        f.write(f"nameserver {ONE}\n")
    becomes(lambda: len(said(daemon)) > 1, "the second entry")
    assert said(daemon)[1:] == [
        f"resolv.conf has changed: asked are now {TWO}, {ONE}; before: {TWO}"]
    assert status(daemon)["resolver"]["lookups"] >= lookups > 1, "the counters go on"
    # Link-local without its interface is left out aloud.
    replace(real, f"nameserver fe80::1\nnameserver {ONE}\n")
    becomes(lambda: len(said(daemon)) > 2, "the third entry")
    assert said(daemon)[2].endswith("(1 resolver cannot be used and is not asked)")
    # That it is no longer left out is a change as well, with the same servers.
    replace(real, f"nameserver {ONE}\n")
    becomes(lambda: len(said(daemon)) > 3, "the fourth entry")
    assert said(daemon)[3] == f"resolv.conf has changed: asked is now {ONE}; before: {ONE}"
    # Gone, and back; nothing leaves.
    os.unlink(real)
    becomes(lambda: len(said(daemon)) > 4, "the fifth entry")
    assert "nobody, no name can be resolved" in said(daemon)[4]
    assert status(daemon)["resolver"]["health"] == []
    assert address(NAME) in lab.elements("s")
    replace(real, f"nameserver {ONE}\n")
    becomes(lambda: health(daemon).get(ONE, {}).get("state") == "ok", "the first one answers")
    assert [e["PRIORITY"] for e in daemon.events("resolver")] == ["5", "5", "4", "5", "3", "5"]


def test_what_failed_with_the_old_servers_is_asked_of_the_new_ones_at_once(dns):
    lab, one, two = dns
    path = f"{lab.directory}/resolv.conf"
    one.set("*", "servfail")
    replace(path, f"nameserver {ONE}\n")
    daemon = start(lab, [], arguments=["--resolv-conf", path])
    for _ in range(9):
        resolve(daemon)  # the pause to the next question is minutes by now
    replace(path, f"nameserver {TWO}\n")
    becomes(lambda: address(NAME) in lab.elements("s"), "the new server's answer")


def test_resolv_conf_is_no_concern_of_a_configuration_with_servers(dns):
    lab, one, two = dns
    path = f"{lab.directory}/resolv.conf"
    replace(path, f"nameserver {ONE}\n")
    daemon = start(lab, [TWO], arguments=["--resolv-conf", path])
    becomes(lambda: address(NAME) in lab.elements("s"), "an answer")
    replace(path, "nameserver 45.53.0.99\n")
    before = len(two.questions(NAME))
    becomes(lambda: len(two.questions(NAME)) > before + 2, "more questions")
    assert list(health(daemon)) == [TWO] and not said(daemon)


def test_a_dead_first_server_is_shown_and_not_asked_on_every_query(dns):
    lab, one, two = dns
    one.set("*", "silent")
    daemon = start(lab, [ONE, TWO])
    becomes(lambda: health(daemon)[ONE]["state"] == "resting", "the silent one rests")
    shown = health(daemon)[ONE]
    assert shown["trouble"] == "silent" and shown["since"] and "answered" not in shown
    assert health(daemon)[TWO]["state"] == "ok"
    assert f"{ONE} resting since " in daemon.ctl().stdout
    (entry,) = daemon.events("server-failing")
    assert re.fullmatch(rf"DNS server {ONE} keeps silent, and has given no good answer for \d+s: "
                        "it is left out until it does", entry["MESSAGE"])
    assert (entry["ALLOWSYNC_SERVER"], entry["ALLOWSYNC_RESULT"]) == (ONE, "silent")
    before = len(one.questions()), len(two.questions())
    becomes(lambda: len(two.questions()) >= before[1] + 8, "more questions")
    assert len(one.questions()) - before[0] <= 4
    one.clear()
    becomes(lambda: health(daemon)[ONE]["state"] == "ok", "it is found again", 40)
    so_far = len(one.questions())
    becomes(lambda: len(one.questions()) >= so_far + 3, "the first one is asked first")
    assert status(daemon)["resolver"]["failed"] == 0
    (entry,) = daemon.events("server-recovered")
    assert re.fullmatch(rf"DNS server {ONE} answers again, after \d+(s|min)", entry["MESSAGE"])
    assert len(daemon.events("server-failing")) == 1


def test_a_resolver_for_this_machine_alone_is_called_so(dns):
    lab, _, _ = dns
    path = f"{lab.directory}/resolv.conf"
    replace(path, "nameserver 127.0.0.53\n")
    daemon = start(lab, [], arguments=["--resolv-conf", path])
    assert ["127.0.0.53 only" in m for m in said(daemon)] == [True]
    replace(path, f"nameserver {TWO}\n")
    becomes(lambda: address(NAME) in lab.elements("s"), "an answer")
    replace(path, "nameserver 127.0.0.53\n")
    becomes(lambda: len(said(daemon)) == 4, "both changes, and what it is")
    assert "127.0.0.53 only" in said(daemon)[3]


def test_servers_outside_are_told_of_once_and_those_at_home_never(dns):
    lab, _, _ = dns
    daemon = start(lab, [ONE, TWO])

    def remote():
        return [e["ALLOWSYNC_SERVER"] for e in daemon.events("server-remote")]

    def servers(*addresses):
        text = "".join(f"server = {a}\n" for a in addresses)
        daemon.configure(f"[resolver]\n{text}" + recipes.vendors("acme") + recipes.sets("s acme"))
        daemon.reload()
        recipes.turn(daemon)

    becomes(remote, "the entry")
    assert remote() == [f"{ONE}, {TWO}"]
    servers(ONE, TWO)
    assert len(remote()) == 1, "it is no news"
    servers("127.0.0.1", "10.91.0.2", "::1")
    assert len(remote()) == 1, "the devices' network is home"
    servers("127.0.0.1", TWO)
    assert remote()[-1] == TWO and "forge" in daemon.events("server-remote")[-1]["MESSAGE"]
