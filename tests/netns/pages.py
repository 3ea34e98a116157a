# SPDX-License-Identifier: GPL-2.0-or-later
"""What the vendors' pages ask for, as tests/pages/VENDOR.json has it: written from the pages, and
from nothing of ours. Out of it come the [vendor] sections to try, and for each the matrix of the
connections that have to pass, and of those beside them that must not.

A file has the page's title; the roles and regions that can be chosen, and the roles of an admin who
chooses none; values for what only the admin knows ("variables"), which of them a role cannot do
without ("needed"), and what to choose besides each role in each region; how many addresses DNS
gives for a name ("answers", else few) and which name leads to which ("aliases"). A cell is a line
of the page:

    line                where it stands there
    role, region        whose it is; absent: everybody's
    endpoint            it is off unless [vendor] says this
    denied as           the endpoint that [vendor] denies it by; these two are the profile's words
    direction           who begins: "out" the device, "in" the other side
    needs               the variable that it takes, where its destinations do not show that
    name, address       names, wildcards; addresses, prefixes, ranges, "any", "{variable}"
    family              4 or 6; absent: whatever the destinations have
    service             protocol and ports of who is asked
    read                how a line is read that does not say all of this

"notes" are the lines that no connection shows, each with words of the profile that carry it.

In examples/ there are vendors that do not exist, with needs that the others do not have, and their
profiles.
"""
import collections
import dataclasses
import functools
import ipaddress
import json
import os

from lab import SOURCE, ZONES
from probes import ECHO, ECHO6, TIMESTAMP, Probe, version

Range = collections.namedtuple("Range", "version first last")
Service = collections.namedtuple("Service", "proto first last")

PAGES = os.path.join(SOURCE, "tests", "pages")
ANY = [Range(4, 0, 2 ** 32 - 1), Range(6, 0, 2 ** 128 - 1)]
# Addresses that no page names, for lines that say "any".
ANYWHERE = ["45.250.1.1", "54.9.9.9", "2a00:1::ffff:1"]
# A name below each wildcard.
BELOW = "some-server"
# Asked of every destination besides.
OTHERS = [("tcp", 22), ("udp", 53), ("gre", 0)]
FEW = {4: 2, 6: 1}


@functools.lru_cache(maxsize=None)
def place(address):
    """(version, number)"""
    return version(address), int(ipaddress.ip_address(address))


def text(v, number):
    return str({4: ipaddress.IPv4Address, 6: ipaddress.IPv6Address}[v](number))


def parse_range(word):
    first, _, last = word.partition("-")
    if last:
        return Range(version(first), *(int(ipaddress.ip_address(a)) for a in (first, last)))
    net = ipaddress.ip_network(first)
    return Range(net.version, int(net[0]), int(net[-1]))


def is_address(word):
    return word[0].isdigit() and word[-1].isdigit() or ":" in word


def parse_service(word):
    proto, _, ports = word.partition("/")
    if proto not in ("tcp", "udp"):
        return Service(word, 0, 65535 if word == "any" else 0)
    first, _, last = ports.partition("-")
    return Service(proto, int(first), int(last or first))


def points(first, last):
    """First, middle, last."""
    return sorted({first, (first + last) // 2, last})


def asked(service):
    """[(proto, port)] to try of a service."""
    if service.proto == "any":
        return OTHERS + [(ECHO, 0), (ECHO6, 0), (TIMESTAMP, 0)]
    return [(service.proto, port) for port in points(service.first, service.last)]


@dataclasses.dataclass(frozen=True)
class Choice:
    """A [vendor] section."""
    role: tuple = ()
    region: tuple = ()
    endpoint: tuple = ()
    variables: tuple = ()  # (name, values) each
    deny: tuple = ()

    def section(self, vendor):
        keys = {"role": self.role, "region": self.region, "endpoint": self.endpoint,
                "deny": self.deny, **dict(self.variables)}
        return f"[vendor {vendor}]\n" + "".join(
            f"{key} = {', '.join(values)}\n" for key, values in keys.items() if values)

    def __str__(self):
        return "; ".join(self.section("x").splitlines()[1:]) or "nothing chosen"


@dataclasses.dataclass(frozen=True)
class Cell:
    line: str
    direction: str
    names: tuple
    addresses: tuple
    services: tuple
    roles: tuple
    regions: tuple
    endpoint: str
    denied_as: str
    needs: str
    families: tuple

    @classmethod
    def of(cls, item):
        known = {"line", "direction", "name", "address", "service", "role", "region", "endpoint",
                 "denied as", "read", "needs", "family"}
        assert not item.keys() - known and item["direction"] in ("out", "in"), item
        return cls(item["line"], item["direction"], tuple(item.get("name", [])),
                   tuple(item.get("address", [])), tuple(map(parse_service, item["service"])),
                   tuple(item.get("role", [])), tuple(item.get("region", [])),
                   item.get("endpoint"), item.get("denied as"), item.get("needs"),
                   (item["family"],) if "family" in item else (4, 6))

    def any(self):
        return "any" in self.addresses

    def wildcards(self):
        return any(n.startswith("*.") for n in self.names)


class Page:
    def __init__(self, vendor):
        example = os.path.join(PAGES, "examples", vendor)
        self.is_example = os.path.exists(example + ".conf")
        self.profile = (example if self.is_example else
                        os.path.join(SOURCE, "conf", "vendors", vendor)) + ".conf"
        path = (example if self.is_example else os.path.join(PAGES, vendor)) + ".json"
        with open(path, encoding="utf-8") as f:
            page = json.load(f)
        self.vendor, self.title, self.notes = vendor, page["page"], page["notes"]
        self.cells = [Cell.of(c) for c in page["cells"]]
        self.roles, self.regions = page["roles"], page.get("regions", [])
        self.default_roles = set(page["default roles"])
        self.variables = page.get("variables", {})
        self.needed, self.more = page.get("needed", {}), page["more choices"]
        self.answers, self.aliases = page.get("answers", {}), page.get("aliases", {})
        self.names = sorted({self.question(n) for c in self.cells for n in c.names}
                            | {w for values in self.variables.values() for w in values
                               if not is_address(w)})
        assert len({c.line for c in self.cells}) == len(self.cells), "two cells of one line"

    # --- DNS

    @staticmethod
    def question(name):
        return name.replace("*", BELOW)

    def zones(self):
        return sorted({n.split(".", n.count(".") - 1)[-1] for n in self.names
                       if not n.endswith(tuple(ZONES))})

    def answer(self, name):
        """The addresses of a name. No two follow each other: the next one is of nobody."""
        name = self.question(name)
        at = 60 + self.names.index(self.aliases.get(name, name))
        count = {v: self.answers.get(name, few) for v, few in FEW.items()}
        return [f"45.{at}.0.{2 * k + 1}" for k in range(count[4])] + [
            f"2a00:1::{at:x}:{2 * k + 1:x}" for k in range(count[6])]

    def records(self):
        out = {}
        for name in self.names:
            if name in self.aliases:
                out[name] = {"CNAME": [self.aliases[name] + "."]}
            else:
                answer = self.answer(name)
                out[name] = {kind: [a for a in answer if version(a) == v]
                             for v, kind in ((4, "A"), (6, "AAAA"))}
        return out

    def ports(self):
        """All that a matrix may ask."""
        return {port + near for c in self.cells for s in c.services for _, port in asked(s)
                for near in (-1, 0, 1)}

    # --- what can be chosen

    def choices(self, denies=False):
        """Nothing; each role in each region and in all; both with all variables; and what the file
        adds. denies: those with denials as well."""
        found = [Choice()]
        for role in self.roles:
            variables = self.values_of(self.needed.get(role, []))
            for region in [[]] + [[r] for r in self.regions]:
                found.append(Choice((role,), tuple(region), (), variables))
        if self.variables:
            every = self.values_of(self.variables)
            found += [Choice((role,) if role else (), (), (), every) for role in ["", *self.roles]]
        for c in self.more:
            if denies or "deny" not in c:
                found.append(Choice(*(tuple(c.get(k, [])) for k in ("role", "region", "endpoint")),
                                    self.values_of(c.get("variables", [])),
                                    tuple(c.get("deny", []))))
        return found

    def values_of(self, names):
        return tuple((n, tuple(self.variables[n])) for n in names)

    def is_in_force(self, cell, choice):
        return bool((not cell.roles or set(choice.role or self.default_roles) & set(cell.roles))
                    and (not cell.regions or not choice.region
                         or set(choice.region) & set(cell.regions))
                    and (not cell.endpoint or cell.endpoint in choice.endpoint)
                    and cell.denied_as not in choice.deny
                    and (not cell.needs or cell.needs in dict(choice.variables))
                    and self.destinations(cell, dict(choice.variables)))

    def destinations(self, cell, variables):
        """[Range]; a variable that is not set has none."""
        out = []
        for name in cell.names:
            out += map(parse_range, self.answer(name))
        for word in cell.addresses:
            if word == "any":
                out += ANY
            for value in variables.get(word.strip("{}"), []) if word[0] == "{" else [word]:
                if is_address(value):
                    out.append(parse_range(value))
                elif value != "any":
                    out += map(parse_range, self.answer(value))
        return [r for r in out if r.version in cell.families]

    def matrix(self, choice, cannot):
        return Matrix(self, choice, cannot)


class Lines:
    """Some cells: what they allow together."""

    def __init__(self, page, cells, variables):
        self.cells = [(c, page.destinations(c, variables)) for c in cells]

    def all_that_allow(self, probe):
        v, number = place(probe.address)
        for cell, destinations in self.cells:
            if cell.direction == probe.direction and any(
                    s.proto in (probe.proto, "any") and s.first <= probe.port <= s.last
                    for s in cell.services) and any(
                    r.version == v and r.first <= number <= r.last for r in destinations):
                yield cell

    def allow(self, probe):
        """The first cell that does, or None."""
        return next(self.all_that_allow(probe), None)

    def points(self):
        """Addresses: all of a few, else the first, the middle and the last one."""
        out = set()
        for cell, ranges in self.cells:
            if cell.any():
                out |= set(ANYWHERE)
                continue
            single = [r for r in ranges if r.first == r.last]
            for v in (4, 6):
                mine = sorted(r.first for r in single if r.version == v)
                if len(mine) > 8:
                    mine = [mine[0], mine[len(mine) // 2], mine[-1]]
                out |= {text(v, a) for a in mine}
            out |= {text(r.version, a) for r in ranges if r not in single
                    for a in points(r.first, r.last)}
        return out


class Matrix:
    """What a [vendor] section makes of a page, in a mode. `cannot` says why the mode cannot carry a
    cell, or None.

    allowed       {Probe: cell}
    not_carried   {Probe: (cell, why)}: the page allows it
    near_misses   {Probe}: the page does not. Each destination of the page, whoever may have it,
                  with each service of the page, in both directions; and beside what is allowed the
                  ports and addresses before and after, and the other protocols.
    denied        {Probe}: out of these; the choice denies it, whatever else of the page allows it
    not_chosen    {Probe: [cells]}: out of these; cells that other choices bring into force allow it
    left_out      [cell] that are not in force, unless others, that are, allow all the same
    """

    def __init__(self, page, choice, cannot):
        self.variables = dict(choice.variables)
        self.page = page
        self.in_force = [c for c in page.cells if page.is_in_force(c, choice)]
        reasons = {c.line: cannot(c) for c in self.in_force}
        self.carried = [c for c in self.in_force if not reasons[c.line]]
        carried, all_of_it = (Lines(page, cells, self.variables)
                              for cells in (self.carried, self.in_force))
        self.denials = [c for c in page.cells if c.denied_as in choice.deny]
        denials = Lines(page, self.denials, self.variables)
        others = Lines(page, [c for c in page.cells if c not in self.in_force], page.variables)
        self.left_out = [c for c, _ in others.cells if not all(map(all_of_it.allow, self.asks(c)))]
        self.allowed, self.not_carried, self.near_misses = {}, {}, set()
        self.denied, self.not_chosen = set(), {}
        for probe in self.candidates(page):
            if probe.direction == "out" and denials.allow(probe):
                self.denied.add(probe)
            elif cell := carried.allow(probe):
                self.allowed[probe] = cell
                continue
            elif cell := all_of_it.allow(probe):
                self.not_carried[probe] = (cell, reasons[cell.line])
                continue
            self.near_misses.add(probe)
            if cells := list(others.all_that_allow(probe)):
                self.not_chosen[probe] = cells

    def candidates(self, page):
        everywhere = Lines(page, page.cells, page.variables).points() | set(ANYWHERE)
        # also where a cell is for one family only
        everywhere |= {a for n in page.names for a in page.answer(n)[::len(page.answer(n)) - 1]}
        services = {ask for c in page.cells for s in c.services for ask in asked(s)} | set(OTHERS)
        found = {Probe(direction, proto, address, port) for direction in ("out", "in")
                 for address in everywhere for proto, port in services}
        for cell in self.in_force:
            found |= self.beside(cell)
            found |= {Probe(cell.direction, proto, text(r.version, r.first), port)
                      for r in self.page.destinations(cell, self.variables) if r.first == r.last
                      for s in cell.services for proto, port in asked(s)}
        fits = {ECHO: 4, TIMESTAMP: 4, ECHO6: 6}
        return {p for p in found if fits.get(p.proto, version(p.address)) == version(p.address)}

    def asks(self, cell):
        """What a cell is for, with every variable set."""
        return {Probe(cell.direction, proto, address, port)
                for address in Lines(self.page, [cell], self.page.variables).points()
                for s in cell.services for proto, port in asked(s)}

    def beside(self, cell):
        found, addresses = set(), Lines(self.page, [cell], self.variables).points()
        for s in cell.services:
            around = []
            if s.proto in ("tcp", "udp"):
                other = "udp" if s.proto == "tcp" else "tcp"
                around = [(s.proto, p) for p in (s.first - 1, s.last + 1) if 0 < p < 65536]
                around += [(other, p) for p in points(s.first, s.last)] + [(ECHO, 0), (ECHO6, 0)]
            elif s.proto == ECHO:
                around = [(TIMESTAMP, 0)]
            found |= {Probe(cell.direction, proto, address, port)
                      for address in addresses for proto, port in around}
        for r in self.page.destinations(cell, self.variables):
            if r in ANY or r.first == r.last and text(r.version, r.first) not in addresses:
                continue
            for number in (r.first - 1, r.last + 1):
                found |= {Probe(cell.direction, proto, text(r.version, number), port)
                          for s in cell.services for proto, port in asked(s)}
        return found

    def names(self):
        """Those that DNS has to be asked for."""
        asked_for = [*self.in_force, *self.denials]
        words = [*(n for c in asked_for for n in c.names),
                 *(w for c in asked_for for a in c.addresses
                   for w in self.variables.get(a.strip("{}"), []) if not is_address(w))]
        return {w for w in words if not w.startswith("*.")}

    def elements(self):
        """What is carried as elements of addr . proto . port, as nft writes them."""
        out = {"out": set(), "in": set()}
        for cell in self.carried:
            if not all(s.proto in ("tcp", "udp") and s.last - s.first < 16 for s in cell.services):
                continue
            out[cell.direction] |= {
                f"{text(r.version, r.first)} . {s.proto} . {port}"
                for r in self.page.destinations(cell, self.variables) if r.first == r.last
                for s in cell.services for port in range(s.first, s.last + 1)}
        return out
