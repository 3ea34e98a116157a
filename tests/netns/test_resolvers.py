# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon behind the resolvers that people run: unbound, BIND, Knot Resolver, dnsmasq, resolved.
What enters, what leaves, what is said of it, and that it recovers, is the same behind each."""
import pytest
from dnslib import DNSRecord

import recipes
import resolvers
from faultdns import FaultDns, address
from lab import DNS4
from recipes import ADDR4, becomes, many, name_of, status
from spaces import dns_query

FAULTS = "45.53.0.54"
NAME, ONE, TWO = "a.example.com", "one.example.com", "two.example.com"


class Setting:
    """A lab with a resolver on the gateway, and a daemon that asks it. `upstream` is whom it asks:
    knot of the lab unless told. Without a linger whatever is missing leaves at once."""

    def __init__(self, lab, resolver, upstream=DNS4, linger="0"):
        self.lab = lab
        self.resolver = resolver(lab.gateway, f"{lab.directory}/resolver", upstream)
        self.daemon = lab.daemon(
            recipes.resolver(linger, self.resolver.address, timeout="1s", tries=1)
            + recipes.vendors("acme") + recipes.sets("s acme"))
        self.daemon.profile("acme", recipes.profile({"name": NAME}))

    def elements(self):
        return set(self.lab.elements("s"))

    def has(self, *addresses):
        becomes(lambda: self.elements() == set(addresses), lambda: f"{addresses}: {self.shown()}", 40)

    def shown(self):
        return name_of(self.daemon, NAME)["ipv4"]

    def hears(self, *outcomes):
        becomes(lambda: self.shown()["outcome"] in outcomes, lambda: f"{outcomes}: {self.shown()}", 40)

    def is_said(self, kind, count=1):
        becomes(lambda: len(self.daemon.events(kind)) == count, lambda: f"{kind}: {self.daemon.log()}", 40)
        return [e["MESSAGE"] for e in self.daemon.events(kind)]

    def changes(self):
        """[(added, removed)...] of the set, as the journal has it."""
        return [tuple(set(filter(None, e.get(f"ALLOWSYNC_{k}", "").split(", ")))
                      for k in ("ADDED", "REMOVED")) for e in self.daemon.events("changed")]


@pytest.fixture(params=resolvers.ALL, ids=lambda r: r.__name__.lower())
def resolver(request):
    if not resolvers.is_here(request.param):
        pytest.skip(f"{request.param.__name__} is not here: tests/unpack-packages")
    try:
        resolvers.root()
    except OSError as e:
        pytest.skip(f"no root for it: {e}")
    return request.param


@pytest.fixture
def setting(make_lab, resolver):
    """setting(records, linger="0") -> a Setting behind knot, its daemon not started."""
    def make(records, **kw):
        return Setting(make_lab(ruleset=recipes.table(f"s {ADDR4}"), cache=False, records=records),
                       resolver, **kw)

    return make


@pytest.fixture
def faulty(make_lab, resolver):
    """(a Setting behind the faulty server, which knows NAME; that server)."""
    lab = make_lab(ruleset=recipes.table(f"s {ADDR4}"), cache=False)
    dns = FaultDns(lab.internet, lab.directory, FAULTS, default="ttl-1")
    s = Setting(lab, resolver, FAULTS)
    s.daemon.start()
    s.has(address(NAME))
    yield s, dns
    dns.close()


def test_what_is_new_enters_and_what_is_missing_leaves_after_the_linger(setting):
    s = setting({NAME: {"A": (1, ["45.1.0.1", "45.1.0.2"])}}, linger="2s")
    s.daemon.start()
    s.has("45.1.0.1", "45.1.0.2")
    s.lab.dns.set(NAME, "A", ["45.1.0.2", "45.1.0.3"], 1)
    s.has("45.1.0.2", "45.1.0.3")
    assert s.changes() == [({"45.1.0.1", "45.1.0.2"}, set()), ({"45.1.0.3"}, set()),
                           (set(), {"45.1.0.1"})]
    assert name_of(s.daemon, NAME)["state"] == "ok" and not s.daemon.events("name-failing")


def test_a_chain_that_ends_elsewhere_is_followed(setting):
    s = setting({NAME: {"CNAME": (1, [f"{ONE}."])}, ONE: {"A": (60, ["45.1.0.1"])},
                 TWO: {"A": (60, ["45.1.0.2"])}}, linger="2s")
    s.daemon.start()
    s.has("45.1.0.1")
    s.lab.dns.set(NAME, "CNAME", [f"{TWO}."], 1)
    s.has("45.1.0.2")
    assert s.changes() == [({"45.1.0.1"}, set()), ({"45.1.0.2"}, set()), (set(), {"45.1.0.1"})]
    assert s.shown()["chain"].endswith(TWO)


def test_150_addresses_come_over_tcp(setting):
    addresses = many(150)
    s = setting({NAME: {"A": (60, addresses)}})
    s.daemon.start()
    s.has(*addresses)
    assert s.changes() == [(set(addresses), set())], "in one transaction"
    assert status(s.daemon)["resolver"]["tcp"] >= 1


def test_of_a_cached_answer_the_rest_of_its_ttl_counts(setting):
    s = setting({NAME: {"A": (60, ["45.1.0.1"])}})

    def left():
        reply = dns_query(s.lab.gateway, s.resolver.address, NAME)
        return reply and DNSRecord.parse(reply).rr[0].ttl

    # Changed after the cache has learned it: nothing but the cache can answer so.
    becomes(left, "the cache has it")
    s.lab.dns.set(NAME, "A", ["45.1.0.2"], 60)
    becomes(lambda: left() <= 58, "two seconds are over")
    s.daemon.start()
    s.has("45.1.0.1")
    shown = s.shown()
    assert shown["ttl"] <= 58 and shown["addresses"][0]["ttl"] == shown["ttl"]
    assert shown["next"] - shown["answered"] <= 59, "and the jitter"


def test_one_denial_removes_nothing(setting):
    s = setting({NAME: {"A": (1, ["45.1.0.1"])}})
    s.daemon.start()
    s.has("45.1.0.1")
    monitor = s.lab.monitor()
    s.lab.dns.set(NAME, "A", [])
    s.hears("nxdomain", "nodata")
    s.lab.dns.set(NAME, "A", ["45.1.0.1"], 1)
    assert s.elements() == {"45.1.0.1"}
    (said,) = s.is_said("name-failing")
    assert "keeping its 1 address" in said and ("nxdomain" in said or "nodata" in said)
    (said,) = s.is_said("name-recovered")
    assert "resolves again (1 address" in said
    assert not monitor.read() and len(s.daemon.events("name-failing")) == 1


def test_servfail_removes_nothing_and_ends(faulty):
    s, dns = faulty
    monitor = s.lab.monitor()
    dns.set(NAME, "servfail")
    s.hears("servfail")
    (said,) = s.is_said("name-failing")
    assert f"servfail from {s.resolver.address}" in said and "keeping its 2 addresses" in said
    recipes.resolve(s.daemon)
    assert s.elements() == {address(NAME)}
    dns.set(NAME, "many-2")
    # Asked until it is there: some keep the failure for a while, and the pauses would grow.
    becomes(lambda: recipes.resolve(s.daemon) and len(s.elements()) == 2, s.shown, 40)
    assert s.elements() == {address(NAME), address(NAME, "A", 2)}
    s.is_said("name-recovered")
    assert len(s.daemon.events("name-failing")) == 1 and status(s.daemon)["state"] == "healthy"
    assert [c.removed for c in monitor.changes()] == [[]]


def test_a_dead_server_behind_it_removes_nothing_and_is_found_again(faulty):
    """What is heard of it is silence or SERVFAIL, or one after the other: each has its own entry."""
    s, dns = faulty
    pairs = {"dns-silent": "dns-answers", "name-failing": "name-recovered"}

    def said(kind):
        return len(s.daemon.events(kind))

    monitor = s.lab.monitor()
    dns.set("*", "silent")
    s.hears("servfail", "timeout")
    becomes(lambda: any(said(k) for k in pairs), "said", 40)
    recipes.resolve(s.daemon)
    assert len(s.elements()) == 1
    dns.set("*", "many-2")
    s.has(address(NAME), address(NAME, "A", 2))
    becomes(lambda: all(said(k) == said(end) for k, end in pairs.items()), s.daemon.log, 40)
    assert max(said(k) for k in pairs) == 1 and status(s.daemon)["state"] == "healthy"
    assert [c.removed for c in monitor.changes()] == [[]]
