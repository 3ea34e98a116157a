# SPDX-License-Identifier: GPL-2.0-or-later
"""Somebody who sends answers in the DNS server's name, and sees no query: he knows the question, the
server, and the range of ports, and guesses port and id. One guess in 1.8e9 is right here."""
import json
import os
import subprocess
import time

import pytest

import recipes
from lab import build_dir
from lazydns import TYPE_A, LazyDns
from recipes import ADDR4, becomes
from test_ports import port_range

SERVER, CLIENT = "45.53.0.54", "10.92.0.1"
NAME, TRUE, FORGED = "a.example.com", "45.1.0.1", "45.66.66.66"
FORGERIES = 100000
SECONDS = 10 if os.environ.get("ALLOWSYNCD_EXTENDED") else 0
BURST = 128  # of many: 100 within a minute are; all of them fit into the buffer of a socket
PENDING = 20000  # of the client with one channel: a guess of its port is right for any of them
BOUND = 50 * FORGERIES

# What comes from the devices' side in the server's name.
COUNTER = """
table inet forgeries {
	counter seen { }
	chain in {
		type filter hook input priority -10;
		iifname "lan" ip saddr %s udp sport 53 counter name seen
	}
}
""" % SERVER


class Forger:
    """On the device: no query passes it, and nobody filters what it claims to be."""

    def __init__(self, lab, ports=None):
        self.lab, self.sent = lab, 0
        self.ports = ports or port_range(lab.gateway)

    def send(self, count=FORGERIES, name=NAME, but=()):
        r = self.lab.device.run([
            f"{build_dir(plain=True)}/tests/netns/forger", SERVER, CLIENT,
            "{}-{}".format(*self.ports), name, FORGED, str(count), *map(str, but)])
        self.sent += int(r.stdout)

    def arrived(self):
        r = self.lab.gateway.run(["nft", "-j", "list", "counter", "inet", "forgeries", "seen"])
        return next(o["counter"]["packets"] for o in json.loads(r.stdout)["nftables"] if "counter" in o)


@pytest.fixture
def lazy(make_lab):
    """(lab, a server whose answer comes when the test says so)."""
    lab = make_lab(ruleset=recipes.table(f"s {ADDR4}") + COUNTER, cache=False)
    lab.gateway.sysctl("net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.lan.rp_filter=0")
    dns = LazyDns(lab.internet, SERVER, TRUE)
    yield lab, dns
    dns.close()


def start(lab, dns):
    """A daemon whose first two questions, A and AAAA, are open."""
    daemon = lab.daemon(recipes.resolver(server=SERVER, timeout="60s", tries=1)
                        + recipes.vendors("acme") + recipes.sets("s acme"))
    daemon.profile("acme", recipes.profile({"name": NAME}))
    daemon.start()
    becomes(lambda: len(dns.queries) >= 2, "both questions")
    return daemon


def test_forgeries_by_the_hundred_thousand_are_not_taken(lazy, record_property):
    lab, dns = lazy
    daemon, forger = start(lab, dns), Forger(lab)
    end = time.monotonic() + SECONDS
    while forger.arrived() < FORGERIES or time.monotonic() < end:
        assert forger.sent < BOUND or SECONDS, "they do not arrive"
        forger.send(20000)
    assert forger.sent >= FORGERIES and forger.arrived() >= FORGERIES
    record_property("forgeries", f"{forger.sent} sent, {forger.arrived()} arrived")
    assert not lab.elements("s") and "answered" not in recipes.name_of(daemon, NAME)["ipv4"]
    becomes(lambda: dns.answer() or set(lab.elements("s")) == {TRUE}, "the late answer is taken")
    assert FORGED not in daemon.log()


def test_forgeries_to_the_right_port_are_counted_and_told_of_once(lazy):
    """This one has seen the ports, and guesses ids, wrong ones only."""
    lab, dns = lazy
    daemon = start(lab, dns)
    for i, query in enumerate(dns.queries[:2], 1):
        Forger(lab, (query.port, query.port)).send(BURST, query.name, [query.id])
        becomes(lambda: Forger(lab).arrived() == i * BURST, "all of them")
    assert recipes.status(daemon)["resolver"]["health"][0]["unmatched"] == 0, "still under way"
    becomes(lambda: dns.answer() or set(lab.elements("s")) == {TRUE}, "the late answer is taken")

    def server():
        return recipes.status(daemon)["resolver"]["health"][0]

    becomes(lambda: server()["unmatched"] == 2 * BURST, "both are over")
    assert server()["state"] == "ok"
    assert f"({2 * BURST} unmatched answers)" in daemon.ctl("status").stdout
    (entry,) = daemon.events("server-unmatched")
    assert entry["ALLOWSYNC_SERVER"] == SERVER and entry["PRIORITY"] == "4"
    assert f"{BURST} datagrams within a minute" in entry["MESSAGE"]
    assert FORGED not in daemon.log()


def test_a_guess_that_is_right_would_be_taken(lazy):
    """What the test above rests on. This one has seen the port, and lacks the id."""
    lab, dns = lazy
    daemon = start(lab, dns)
    query = next(q for q in dns.queries if q.type == TYPE_A)
    forger = Forger(lab, (query.port, query.port))
    while not lab.elements("s"):
        assert forger.sent < BOUND, "nothing is taken"
        forger.send(name=query.name)  # as it was asked: newer c-ares mix upper and lower case
        recipes.turn(daemon)
    assert set(lab.elements("s")) == {FORGED}


def test_the_same_forger_gets_into_a_client_with_one_channel(lazy, record_property):
    lab, _ = lazy
    client = lab.gateway.popen([f"{build_dir(plain=True)}/tests/netns/shared_channel", SERVER, NAME,
                                str(PENDING)], stdout=subprocess.PIPE, text=True)
    assert client.stdout.readline() == "asked\n"
    forger = Forger(lab)
    while client.poll() is None:
        assert forger.sent < BOUND, "nothing is taken"
        forger.send()
    record_property("forgeries", f"{forger.sent} sent until one was taken")
    assert client.returncode == 0 and client.stdout.read() == f"{FORGED}\n"
