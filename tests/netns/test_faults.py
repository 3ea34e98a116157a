# SPDX-License-Identifier: GPL-2.0-or-later
"""Each way in which a DNS server goes wrong: what enters the sets, what leaves them, what is said, and
that it is over when the server is well again.

One daemon, a name for each. It has no linger, so that whatever is taken for missing leaves at once,
and asks when it is told to."""
import re

import pytest

import recipes
from faultdns import FaultDns, address
from lab import Lab
from recipes import ADDR4, ADDR6, becomes, name_of, resolve, status

SERVER, NAME = "45.53.0.54", "a.example.com"
WELL = "ttl-3600"
STRANGER = "45.66.66.66"  # who comes in another's name

MALFORMED = "malformed: "
# Kind, and what is said of it. Nothing enters, nothing leaves.
TROUBLE = [
    ("servfail", "servfail"),
    ("refused", "refused"),
    ("notimp", "servfail"),
    ("formerr", "servfail"),
    ("formerrbare", "servfail"),
    ("silent", "timeout"),
    ("slow-1500", "timeout"),  # so late that nobody waits for it
    ("short", "timeout"),
    ("garbage", "timeout|malformed.*"),
    ("wrongid", "timeout"),
    ("wrongname", "timeout"),
    ("wrongtype", "timeout"),
    ("wrongport", "timeout"),
    ("tcclose", "timeout"),
    ("tchang", "timeout"),
    ("tcshort", "timeout"),
    ("question", MALFORMED + "a question, not an answer"),
    ("cutrr", MALFORMED + "the answer section is cut or broken"),
    ("badlen", MALFORMED + "an address record of a wrong length"),
    ("strangeronly", MALFORMED + "no record of the answer belongs to the question"),
    ("cnameloop", MALFORMED + "the CNAME chain is a loop"),
    ("selfloop", MALFORMED + "the CNAME chain is a loop"),
    ("chain-9", MALFORMED + "the CNAME chain is too long"),
    ("cut-3", MALFORMED + "the CNAME chain ends before an address"),
    ("twocnames", MALFORMED + "two CNAMEs of one name"),
    ("oddcname-10", MALFORMED + "a CNAME to a name with bytes that names do not have"),
    ("referral", MALFORMED + "a referral: the server does not resolve for us"),
    # One denial proves nothing; test_denied has the others.
    ("nx", "nxdomain"),
    ("nxbare", "nxdomain"),
    ("cnamenx", "nxdomain"),
    ("nodata", "nodata"),
    ("nodatabare", "nodata"),
    ("cnamenodata", "nodata"),
]
# Kind, which addresses of the name stand after it, the TTL that is shown. Nothing is said.
NO_TROUBLE = [
    ("ttl-0", [1], 0),
    ("ttl-2147483647", [1], 2147483647),
    ("ttltop", [1], 0),
    ("unequal", [1, 2, 3], 1),
    ("upper", [1], 5),
    ("dup", [1, 2], 5),
    ("chain-8", [1], 5),
    ("backwards-8", [1], 5),
    ("stranger", [1], 5),
    ("forged", [1], 5),
    ("late-100", [1], 5),
    ("slow-100", [1], 5),
    ("tc", [1], 5),
    ("tccut", [1], 5),
    ("many-150", range(1, 151), 60),
    ("many-512", range(1, 513), 60),
]
# Kind, and what becomes of AAAA. A is well, and so is the name.
BESIDE = [("v4only", "nodata"), ("v6servfail", "servfail"), ("v6silent", "timeout")]


def name_for(kind):
    return f"n-{kind}.example.com"


class Setting:
    def __init__(self, journal):
        names = [name_for(k) for k in ("lost", "many-600") + tuple(row[0] for row in TROUBLE + NO_TROUBLE + BESIDE)]
        self.lab = Lab(journal=journal, cache=False,
                       ruleset=recipes.table(f"four {ADDR4}", f"six {ADDR6}"))
        self.dns = FaultDns(self.lab.internet, self.lab.directory, SERVER, default=WELL)
        self.daemon = self.lab.daemon(
            f"[resolver]\nserver = {SERVER}\nrefresh-min = 1h\nlinger = 0\ntimeout = 1s\ntries = 1\n"
            + recipes.vendors("acme") + recipes.sets("four acme", "six acme"))
        self.daemon.profile("acme", recipes.profile({"name": names}))
        self.daemon.start()
        resolve(self.daemon)
        self.first = self.held()
        assert self.first == (self.given(names), self.given(names, "AAAA"))

    def held(self):
        return tuple(set(self.lab.elements(s)) for s in ("four", "six"))

    @staticmethod
    def given(names, kind="A", which=(1,)):
        return {address(n, kind, i) for n in names for i in which}

    def becomes(self, name, kind):
        """The server is so from now on, and the daemon has heard it, twice."""
        self.dns.set(name, kind)
        for _ in range(2):
            resolve(self.daemon, name)

    def is_well(self, name):
        """It is again as it was at first."""
        self.becomes(name, WELL)
        assert self.held() == self.first and name_of(self.daemon, name)["state"] == "ok"

    def said(self, name, *but):
        """What the journal has of the name, beside changes of sets."""
        return [(e["ALLOWSYNC_EVENT"], e["MESSAGE"]) for e in self.daemon.entries(ALLOWSYNC_NAME=name)
                if e["ALLOWSYNC_EVENT"] not in ("changed",) + but]

    def close(self):
        self.dns.close()
        self.lab.close()


@pytest.fixture(scope="module")
def shared(journal):
    s = Setting(journal)
    yield s
    s.close()


@pytest.fixture
def setting(shared):
    yield shared
    # Where a test has failed, the others have a good start all the same.
    shared.dns.clear()
    if shared.held() != shared.first:
        resolve(shared.daemon)


def each(rows):
    """A test for each row, called like its kind."""
    return [pytest.param(*row, id=row[0]) for row in rows]


@pytest.mark.parametrize("kind, what", each(TROUBLE))
def test_trouble_takes_nothing_out_is_said_once_and_ends(setting, kind, what):
    name = name_for(kind)
    setting.becomes(name, kind)
    assert setting.held() == setting.first
    assert name_of(setting.daemon, name)["state"] == "stopped"
    ((event, message),) = setting.said(name)
    assert event == "name-failing" and re.fullmatch(
        rf"acme: {name} does not resolve \(({what}) from {SERVER}\): keeping its 2 addresses.*", message)
    setting.is_well(name)
    ((event, message),) = setting.said(name, "name-failing")
    assert event == "name-recovered"
    assert message == f"acme: {name} resolves again (2 addresses, TTL 3600 s)"


@pytest.mark.parametrize("kind, which, ttl", each(NO_TROUBLE))
def test_what_is_unusual_and_right_is_used(setting, kind, which, ttl):
    name = name_for(kind)
    setting.becomes(name, kind)
    for family, held, first in zip(("A", "AAAA"), setting.held(), setting.first):
        assert held == first - setting.given([name], family) | setting.given([name], family, which)
    shown = name_of(setting.daemon, name)
    assert shown["state"] == "ok" and shown["ipv4"]["ttl"] == ttl
    setting.is_well(name)
    assert not setting.said(name)


@pytest.mark.parametrize("kind, what", each(BESIDE))
def test_trouble_with_aaaa_is_none_of_a(setting, kind, what):
    name = name_for(kind)
    setting.becomes(name, kind)
    assert setting.held() == setting.first
    shown = name_of(setting.daemon, name)
    assert shown["state"] == "ok" and shown["ipv6"]["outcome"] == what
    setting.is_well(name)
    assert not setting.said(name)


def test_an_answer_over_the_cap_is_not_cut_but_refused(setting):
    name = name_for("many-600")
    setting.becomes(name, "many-600")
    assert setting.held() == setting.first
    assert name_of(setting.daemon, name)["state"] == "stopped"
    # Once a family; that it does not resolve is said with it.
    assert setting.said(name) == 2 * [("answer-refused", f"acme: {name} answered with more than 512 "
                                       "addresses: not used, 1 address kept")]
    setting.is_well(name)
    assert sorted(setting.said(name)[2:]) == 2 * [
        ("answer-refused", f"acme: {name} gives only addresses again that are used")] + [
        ("name-recovered", f"acme: {name} resolves again (2 addresses, TTL 3600 s)")]


def test_a_lost_packet_is_asked_for_again(setting):
    name = name_for("lost")
    setting.dns.set(name, "lost-1")
    resolve(setting.daemon, name)
    assert setting.held() == setting.first
    becomes(lambda: [e for e, _ in setting.said(name)] == ["name-failing", "name-recovered"],
            "asked again without being told")
    setting.is_well(name)


def test_the_daemon_is_healthy_after_all_of_it(setting):
    assert status(setting.daemon)["state"] == "healthy" and setting.held() == setting.first
    assert STRANGER not in setting.daemon.log()


@pytest.fixture
def fresh(make_lab):
    """fresh(kind, names, resolver keys) -> lab, server, daemon that has asked it for all names. The
    server is of that kind from the start, to whoever asks."""
    servers = []

    def make(kind, names, **kw):
        lab = make_lab(ruleset=recipes.table(f"four {ADDR4}", f"six {ADDR6}"), cache=False)
        servers.append(FaultDns(lab.internet, lab.directory, SERVER, default=kind))
        daemon = lab.daemon(recipes.resolver(server=SERVER, **kw) + recipes.vendors("acme")
                            + recipes.sets("four acme", "six acme"))
        daemon.profile("acme", recipes.profile({"name": names}))
        daemon.start()
        resolve(daemon)
        return lab, servers[0], daemon

    yield make
    for s in servers:
        s.close()


@pytest.mark.parametrize("kind", ["noedns", "ednsformerr", "ednsbare", "ednsnotimp", "ednsbadvers",
                                  "ednssilent"])
def test_a_server_without_edns_is_asked_without(fresh, kind):
    lab, dns, daemon = fresh(kind, [NAME], timeout="500ms", tries=2)
    becomes(lambda: set(lab.elements("four")) == {address(NAME)}
            and set(lab.elements("six")) == {address(NAME, "AAAA")}, "its answers")
    assert dns.questions(NAME)[0]["edns"] == 1232
    resolve(daemon)

    def is_asked_without():
        before = len(dns.questions(NAME))
        resolve(daemon)
        return not any(q["edns"] for q in dns.questions(NAME)[before:])

    becomes(is_asked_without, "known of the server")
    assert name_of(daemon, NAME)["state"] == "ok" and status(daemon)["state"] == "healthy"


def test_what_fits_into_1232_bytes_comes_over_udp(fresh):
    lab, dns, daemon = fresh("many-60", [NAME])
    assert set(lab.elements("four")) == {address(NAME, "A", i) for i in range(1, 61)}
    assert {(q["tcp"], q["edns"]) for q in dns.questions(NAME, "A")} == {(False, 1232)}
    assert any(q["tcp"] for q in dns.questions(NAME, "AAAA")), "which are larger"


def test_no_byte_of_an_answer_reaches_the_journal_as_it_is(fresh):
    """A CNAME to a name with each byte there is: those of names are followed, any other is refused."""
    names = [f"oddcname-{byte}.example.com" for byte in range(256)]
    lab, _, daemon = fresh(WELL, names, timeout="5s")
    letters = {i for i in range(256) if re.fullmatch(r"[A-Za-z0-9_-]", chr(i))}
    assert set(lab.elements("four")) == {address(names[i]) for i in letters}
    for byte, name in enumerate(names):
        shown = name_of(daemon, name)["ipv4"]
        assert shown["outcome"] == ("ok" if byte in letters else "malformed"), (byte, shown)
    messages = [e["MESSAGE"] for e in daemon.entries()]
    assert all(isinstance(m, str) and m.isprintable() for m in messages)
    assert len(daemon.events("name-never")) == 256 - len(letters)
