# SPDX-License-Identifier: GPL-2.0-or-later
"""The vendors' pages against the kernel: for each vendor, role and region, in each way to stand in
a ruleset, everything that the page allows connects, and what lies beside it is refused, by the
chain that has to.

What is expected comes from the pages (tests/pages), what is loaded from the profiles.
"""
import collections
import configparser
import re

import pytest

import recipes
from pages import Page
from probes import DEVICE, ECHO_PORT, OTHER, REFUSE, Prober, version
from varlink import Client

VENDORS = ["cloudtrax", "digi", "ixon", "ray", "ringio"]
EXAMPLES = ["branch", "meters", "plant"]
FORWARD = "inet filter forward"
CHAIN = """
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
%s		%s
	}
"""
ADDR = {4: ("ipv4_addr", "ip"), 6: ("ipv6_addr", "ip6")}


class Mode:
    """A way to stand in a ruleset, for one vendor.

    cannot(cell)    what the daemon says of a cell that this way does not carry; None: it carries it
    ruleset()       the admin's table, whose chain ends with REFUSE
    config(choice)  the configuration for a way to choose
    load(...)       what the admin does when that is in force, or what has to come about by itself
    services(...)   the elements of addr . proto . port that it has led to, in a direction
    others(matrix)  what else is refused: of another device, where not everybody may the same
    refusal(...)    of a probe: the chain that refuses and counts it, and how that is heard
    DENIES          can endpoints be denied?
    PROFILES        of vendors besides: {name: text}
    """
    DENIES, PROFILES = False, {}

    def __init__(self, page):
        self.vendor = page.vendor

    def load(self, lab, daemon):
        pass

    def others(self, _matrix):
        return set()

    def refusal(self, _probe, _matrix):
        return FORWARD, "prohibited"


class Profile:
    """Its endpoints, as an admin knows them who writes [set] sections."""

    def __init__(self, path):
        self.text = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=")
        self.text.read(path)
        self.endpoints = [s.split(" ")[1] for s in self.text.sections() if s.startswith("endpoint")]
        self.default_role = self.words("profile", "default-role") or self.words("profile", "role")

    def words(self, section, key):
        return [w.strip() for w in self.text.get(section, key, fallback="").split(",") if w.strip()]

    def matches(self, endpoint, v):
        """What it allows, as the rules of an admin say it."""
        ports, out = {}, []
        for service in self.words(f"endpoint {endpoint}", "allow"):
            proto, _, rest = service.partition("/")
            if proto in ("tcp", "udp"):
                ports.setdefault(proto, []).append(rest)
            elif rest and proto == {4: "icmp", 6: "icmpv6"}[v]:
                out.append(f"{proto} type {rest}")
            elif not rest:
                out.append("" if proto == "any" else f"meta l4proto {proto}")
        return out + [f"{proto} dport {{ {', '.join(p)} }}" for proto, p in ports.items()]

    def direction(self, endpoint):
        return self.text.get(f"endpoint {endpoint}", "direction", fallback="out")

    def is_chosen(self, endpoint, choice):
        section = f"endpoint {endpoint}"
        role, region = (self.words(section, k) for k in ("role", "region"))
        where = [*self.words(section, "name"), *self.words(section, "address")]
        variables = set(re.findall(r"{([a-z][a-z0-9_-]*)}", " ".join(where))) - {"region"}
        return endpoint in choice.endpoint or (
            self.text.get(section, "default", fallback="yes") != "no"
            and (not role or set(role) & set(choice.role or self.default_role))
            and (not region or set(region) & set(choice.region or region))
            and variables <= set(dict(choice.variables)))


class Attached(Mode):
    """Sets of the admin's. Most of a vendor goes into sets of addr . proto . port, one for each
    direction; what these cannot hold, into sets of addresses whose rules say the services."""

    name = "attached"
    OWN = {
        "ixon": ["failover"],
        "ray": ["ping", "addresses", "any-destination"],
        "ringio": ["media", "ip-phone-out", "ip-phone-in", "ip-phone-in-any"],
        "branch": ["keys", "ipsec", "gre", "support"],
        "meters": ["head", "collectors", "firmware"],
    }

    def __init__(self, page):
        super().__init__(page)
        self.profile, self.own = Profile(page.profile), self.OWN.get(page.vendor, [])

    def cannot(self, cell):
        if cell.any():
            return "any destination is a rule, no element"
        return "wildcards are not carried out" if cell.wildcards() else None

    def ruleset(self):
        sets, rules = "", ""
        for v, (kind, ip) in ADDR.items():
            for direction, end in (("out", "daddr"), ("in", "saddr")):
                name = f"services-{direction}{v}"
                sets += f"\tset {name} {{ type {kind} . inet_proto . inet_service; }}\n"
                rules += f"\t\t{ip} {end} . meta l4proto . th dport @{name} accept\n"
                rules += "".join(f"\t\t{ip} {end} @{name}{v} {m} accept\n"
                                 for name in self.own for m in self.profile.matches(name, v)
                                 if self.profile.direction(name) in (direction, "both"))
            sets += "".join(f"\tset {name}{v} {{ type {kind}; flags interval; }}\n"
                            for name in self.own)
        return "table inet filter {\n" + sets + CHAIN % (rules, REFUSE) + "}\n"

    def config(self, choice):
        chosen = [e for e in self.profile.endpoints if self.profile.is_chosen(e, choice)]
        taken = {e: ([e], self.profile.direction(e)) for e in chosen if e in self.own}
        rest = [e for e in chosen if e not in self.own]
        for direction in ("out", "in"):
            # All of them: which are for that direction is the daemon's to know.
            if any(self.profile.direction(e) in (direction, "both") for e in rest):
                taken[f"services-{direction}"] = (rest, direction)
        return recipes.resolver() + choice.section(self.vendor) + recipes.sets(*(
            f"{name}{v} {self.vendor}\nendpoint = {', '.join(endpoints)}\ndirection = {direction}"
            for name, (endpoints, direction) in taken.items() for v in ADDR))

    def services(self, lab, direction):
        return {e for v in ADDR for e in lab.elements(f"services-{direction}{v}")}


class Marked(Mode):
    """Rules that mark, loaded as they are printed, and the line that accepts what is marked."""

    name = "marked"
    MARK = "[mark]\nload = no\ntowards = wan\n"

    def cannot(self, cell):
        if cell.direction == "in":
            return "inbound, and no [set] with direction = in"
        return "wildcards are not carried out" if cell.wildcards() else None

    def ruleset(self):
        return "table inet filter {" + CHAIN % (
            "\t\tmeta mark & 0x00100000 == 0x00100000 accept\n", REFUSE) + "}\n"

    def config(self, choice):
        return recipes.resolver() + self.MARK + choice.section(self.vendor)

    def load(self, lab, daemon):
        lab.gateway.nft(daemon.ctl("rules", check=True).stdout)

    def services(self, lab, direction):
        listed = lab.gateway.run(["nft", "list", "sets", "inet"]).stdout
        return {e for v in ADDR if direction == "out" and f"set v_{self.vendor}{v} " in listed
                for e in lab.elements(f"v_{self.vendor}{v}", table="allowsync")}


class MarkedEverywhere(Marked):
    """Without saying where the outside is."""

    name = "marked-without-towards"
    MARK = "[mark]\nload = no\n"

    def cannot(self, cell):
        return "any destination needs towards" if cell.any() else super().cannot(cell)


class Confined(Marked):
    """The vendor is a group's: of the devices on an interface. Its rules, which the daemon loads,
    refuse the rest that goes out; what comes in, and another device, meets the admin's chain."""

    name = "confined"
    WHOSE = "interface = lan"
    DENIES = True

    def cannot(self, cell):
        return "wildcards are not carried out" if cell.wildcards() else None

    def config(self, choice):
        return recipes.resolver() + choice.section(self.vendor) + (
            f"[devices machines]\n{self.WHOSE}\nvendor = {self.vendor}\ntowards = wan\n"
            "mode = enforce\n")

    def load(self, lab, daemon):
        recipes.becomes(lambda: recipes.status(daemon)["rules"]["state"] == "in_force",
                        lambda: f"in force: {recipes.status(daemon)['rules']}")

    def others(self, matrix):
        """What the group may, outside: another device may not; nor the two towards each other."""
        across = {"out": ("to-other", OTHER), "in": ("from-other", DEVICE)}
        found = {p._replace(direction=f"other-{p.direction}") for p in matrix.allowed}
        for p in matrix.allowed:
            direction, who = across[p.direction]
            found.add(p._replace(direction=direction, address=who[version(p.address)]))
        return found

    def refusal(self, probe, matrix):
        if probe.direction != "out":
            return super().refusal(probe, matrix)
        return (f"inet allowsync v_group.machines.{'deny' if probe in matrix.denied else 'refuse'}",
                "reset" if probe.proto == "tcp" else "prohibited")


class ConfinedByAddress(Confined):
    name = "confined-by-address"
    WHOSE = "address = 10.91.0.2, fd91::2"


class ConfinedApart(Confined):
    """The other device is of a group, too, with a vendor of its own."""

    name = "confined-apart"
    PROFILES = {"elsewhere": recipes.profile({"address": ["45.99.0.1", "2a00:1::99:1"]})}

    def config(self, choice):
        return super().config(choice) + (
            "[vendor elsewhere]\n[devices rest]\ninterface = lan2\nvendor = elsewhere\n"
            "towards = wan\nmode = enforce\n")

    def refusal(self, probe, matrix):
        if probe.direction != "other-out":
            return super().refusal(probe, matrix)
        return ("inet allowsync v_group.rest.refuse",
                "reset" if probe.proto == "tcp" else "prohibited")


MODES = [*((v, m) for v in VENDORS + EXAMPLES for m in (Attached, Marked, Confined)),
         ("ray", MarkedEverywhere), *((v, ConfinedByAddress) for v in ("digi", "branch", "meters")),
         ("cloudtrax", ConfinedApart), ("meters", ConfinedApart)]


class Count:
    def __init__(self):
        self.choices = self.cells = self.allowed = self.near_misses = self.denied = self.others = 0
        self.not_carried, self.not_chosen = collections.Counter(), collections.Counter()

    def add(self, matrix, others):
        self.choices += 1
        self.cells += len(matrix.in_force)
        self.allowed += len(matrix.allowed)
        self.near_misses += len(matrix.near_misses)
        self.denied += len(matrix.denied)
        self.others += len(others)
        self.not_chosen.update(c.line for cells in matrix.not_chosen.values() for c in cells)
        self.not_carried.update((cell.line, why) for cell, why in matrix.not_carried.values())

    def __str__(self):
        lines = [f"{self.choices} choices with {self.cells} cells in all, "
                 f"{self.allowed} connections allowed, {self.near_misses} near misses refused "
                 f"({sum(self.not_chosen.values())} of cells not chosen, {self.denied} denied), "
                 f"{self.others} of another device refused, "
                 f"{sum(self.not_carried.values())} not carried and refused"]
        lines += [f"{n} of \"{line}\" ({why})" for (line, why), n in self.not_carried.items()]
        return "; ".join(lines)


def reason(probe, matrix):
    if probe in matrix.allowed:
        return f"the page allows it ({matrix.allowed[probe].line})"
    if probe in matrix.not_carried:
        return "this mode does not carry it"
    if probe in matrix.denied:
        return "it is denied"
    return "no line allows it" if probe.direction in ("out", "in") else "it is not the group's"


def connections(prober, mode, matrix):
    """Tries them all, and gives sentences about those that did not end as they had to."""
    refusals = {p: mode.refusal(p, matrix) for p in (
        *matrix.not_carried, *matrix.near_misses, *mode.others(matrix))}
    of_chains = collections.Counter(chain for chain, _ in refusals.values())
    before = {chain: prober.counted(chain) for chain in of_chains}
    for probe, outcome in prober.outcomes([*matrix.allowed, *refusals]).items():
        _, expected = refusals.get(probe, (None, "reached"))
        if outcome != expected:
            yield (f"{probe.direction} {probe.address} {probe.proto} {probe.port}: {outcome}, and "
                   f"not {expected}: {reason(probe, matrix)}")
    for chain, expected in of_chains.items():
        if (counted := prober.counted(chain) - before[chain]) < expected:
            yield f"{expected} were for {chain} to refuse, and it refused {counted}"


def beyond(lab, client, mode, matrix):
    """Sentences about what was made of the configuration though no line asks for it, and about what
    is not carried and not said to be. Nothing is healthy above nothing that passes."""
    for direction, expected in matrix.elements().items():
        for element in mode.services(lab, direction) - expected:
            yield f"element {element}, which no line asks for"
    for name in {n["name"]["name"] for n in client.list("ListNames") if n} ^ matrix.names():
        yield f"{name} is asked for, or should be"
    status = client.call("GetStatus")["status"]
    for _, why in set(matrix.not_carried.values()):
        if not [u for u in status["undone"] if why in u]:
            yield f"not carried, and the status does not say: {why}"
    if not matrix.allowed and status["state"] == "healthy":
        yield "nothing passes, and the status is healthy"


def all_sets_ok(client):
    return all(reply["set"]["state"] == "ok" for reply in client.list("ListSets") if reply)


@pytest.mark.parametrize("vendor, mode", MODES, ids=[f"{v}-{m.name}" for v, m in MODES])
def test_page(make_lab, record_property, vendor, mode):
    page = Page(vendor)
    mode = mode(page)
    lab = make_lab(cache=False, ruleset=mode.ruleset(), ports=(ECHO_PORT,), zones=page.zones(),
                   records=page.records())
    prober = Prober(lab, page.ports(), lab.another_device())
    choices = page.choices(mode.DENIES)
    daemon = lab.daemon(mode.config(choices[0]))
    if page.is_example:
        with open(page.profile, encoding="utf-8") as f:
            daemon.profile(vendor, f.read())
    for name, text in mode.PROFILES.items():
        daemon.profile(name, text)
    daemon.start()
    client, count, seen, left_out, complaints = Client(daemon.socket), Count(), set(), set(), []
    for choice in choices:
        daemon.configure(mode.config(choice))
        client.call("Reload")
        client.call("Resolve")
        mode.load(lab, daemon)
        recipes.becomes(lambda: all_sets_ok(client), lambda: f"in step: {client.list('ListSets')}")
        # What was to stay until other rules are in force has left, too.
        recipes.becomes(lambda: daemon.ctl("diff").returncode == 0,
                        lambda: daemon.ctl("diff").stdout)
        matrix = page.matrix(choice, mode.cannot)
        assert bool(choice.deny) == bool(matrix.denied)
        for text in [*connections(prober, mode, matrix), *beyond(lab, client, mode, matrix)]:
            complaints.append(f"[{choice}] {text}")
        count.add(matrix, mode.others(matrix))
        seen |= {c.line for c in matrix.in_force}
        left_out |= {c.line for c in matrix.left_out}
    client.close()
    assert not complaints, f"{len(complaints)} wrong:\n" + "\n".join(complaints[:40])
    assert seen == {c.line for c in page.cells}, "cells that no choice brings into force"
    assert left_out <= set(count.not_chosen), "cells not chosen, and nothing of them was refused"
    record_property("matrix", str(count))


@pytest.mark.parametrize("vendor", VENDORS)
def test_lines_that_are_no_connection_are_in_the_profile(vendor):
    page = Page(vendor)
    with open(page.profile, encoding="utf-8") as f:
        text = [line for line in f.read().splitlines() if not line.startswith("#")]
    assert f"page = {page.title}" in text
    missing = [n["line"] for n in page.notes if not [t for t in text if n["profile"] in t]]
    assert not missing, "not in the profile"
