# SPDX-License-Identifier: GPL-2.0-or-later
"""Every kind of set that nft can declare for addresses, through its life: what stands in it is what a
plain reckoning says, by nft's own listing."""
import ipaddress
import itertools

import pytest

import recipes
from lab import elements_of
from recipes import becomes, set_of
from test_commit import give

FLAGS = {
    "plain": "", "timeout": "flags timeout;", "fuse": "timeout 1h;", "counter": "counter;",
    "size": "size 256;", "all": "flags timeout; timeout 1h; size 256; counter;",
    "ranges": "flags interval;", "merge": "flags interval; auto-merge;",
    "rangestimeout": "flags interval, timeout;", "rangesfuse": "flags interval; timeout 1h;",
    "rangescounter": "flags interval; counter;", "rangessize": "flags interval; size 256;",
}
TYPES = {
    4: {"addr": "type ipv4_addr", "full": "type ipv4_addr . inet_proto . inet_service",
        "port": "type ipv4_addr . inet_service"},
    6: {"addr": "type ipv6_addr", "full": "type ipv6_addr . inet_proto . inet_service",
        "port": "type ipv6_addr . inet_service"},
}
TYPEOFS = {
    4: {"addr": "typeof ip daddr", "full": "typeof ip daddr . meta l4proto . th dport",
        "port": "typeof ip daddr . tcp dport"},
    6: {"addr": "typeof ip6 daddr", "full": "typeof ip6 daddr . meta l4proto . th dport",
        "port": "typeof ip6 daddr . tcp dport"},
}
NET = {4: "45.{}.{}.{}", 6: "2a00:1::{}:{}:{}"}
PREFIX = {4: "/24", 6: "/112"}
SERVICES = ["tcp/443", "tcp/8883", "udp/443"]


def address(family, *numbers):
    return NET[family].format(*numbers)


def kinds(family):
    """{name of the set: (layout, flags)}, each declared by type and some by typeof."""
    out = {}
    for layout, flags in itertools.product(TYPES[family], FLAGS):
        if flags == "merge" and layout != "addr":
            continue  # nft has it for single fields only
        out[f"{layout}_{flags}"] = (TYPES[family][layout], layout, flags)
        if flags in ("plain", "fuse", "ranges"):
            out[f"{layout}_{flags}_of"] = (TYPEOFS[family][layout], layout, flags)
    return out


class Reckoning:
    """What each set should hold, from what is wanted and what others put there."""

    def __init__(self, family, single, networks=(), foreign=(), foreign_networks=()):
        self.family, self.single, self.networks = family, list(single), list(networks)
        self.foreign, self.foreign_networks = list(foreign), list(foreign_networks)

    def ranges(self, texts):
        nets = [ipaddress.ip_network(t) for t in texts]
        return sorted((int(n[0]), int(n[-1])) for n in nets)

    def union(self, touching):
        out = []
        for first, last in self.ranges(self.single + self.networks):
            if out and first <= out[-1][1] + touching:
                out[-1] = (out[-1][0], max(last, out[-1][1]))
            else:
                out.append((first, last))
        return out

    def text(self, first, last):
        make = ipaddress.IPv4Address if self.family == 4 else ipaddress.IPv6Address
        nets = list(ipaddress.summarize_address_range(make(first), make(last)))
        if len(nets) == 1:
            return str(nets[0]) if first != last else str(make(first))
        return f"{make(first)}-{make(last)}"

    def holes(self, pieces):
        """The pieces, without what others hold."""
        for a, b in self.ranges(self.foreign + self.foreign_networks):
            cut = []
            for first, last in pieces:
                if b < first or last < a:
                    cut.append((first, last))
                    continue
                cut += [(first, a - 1)] if first < a else []
                cut += [(b + 1, last)] if b < last else []
            pieces = cut
        return pieces

    def ours(self, layout, flags):
        if layout == "addr" and ("range" in flags or flags == "merge"):
            return {self.text(*p) for p in self.holes(self.union(flags == "merge"))}
        taken = set(self.foreign) | ({a for a in self.single for n in self.foreign_networks
                                      if ipaddress.ip_address(a) in ipaddress.ip_network(n)}
                                     if "range" in flags else set())
        keep = [a for a in self.single if a not in taken]
        ports = {"addr": [""], "port": [" . 443", " . 8883"],
                 "full": [" . " + s.replace("/", " . ") for s in SERVICES]}[layout]
        # What others put there stands for its port 443 only.
        return {a + p for a in self.single for p in ports
                if a in keep or (layout != "addr" and "443" not in p)
                or (layout == "full" and "udp" in p)}


class Matrix:
    def __init__(self, make_lab, family):
        self.family, self.kinds = family, kinds(family)
        declarations = [f"{n} {{ {t}; {FLAGS[f]} }}" for n, (t, _, f) in self.kinds.items()]
        self.lab = make_lab(ruleset=recipes.table(*declarations), cache=False)
        self.daemon = self.lab.daemon(self.config())
        self.cells, self.foreign, self.foreign_networks = 0, [], []

    def config(self, more=""):
        return recipes.resolver() + recipes.vendors("acme") + "".join(
            recipes.sets(f"{n} acme" + ("\nproto = tcp" if layout == "port" else ""))
            for n, (_, layout, _) in self.kinds.items()) + more

    def profile(self, *addresses):
        e = {"name": "a.example.com", "allow": ", ".join(SERVICES)}
        self.daemon.profile("acme", recipes.profile(
            {**e, **({"address": ", ".join(addresses)} if addresses else {})}))

    def key(self, layout, where, port="443"):
        return where + {"addr": "", "port": f" . {port}", "full": f" . tcp . {port}"}[layout]

    def change_foreign(self, verb, addresses, networks):
        text = ""
        for name, (_, layout, flags) in self.kinds.items():
            ranged = "range" in flags or flags == "merge"
            for a in list(addresses) + (list(networks) if ranged else []):
                text += f"{verb} element inet filter {name} {{ {self.key(layout, a)} }}\n"
        self.lab.gateway.nft(text)

    def add_foreign(self, addresses, networks):
        self.foreign, self.foreign_networks = list(addresses), list(networks)
        self.change_foreign("add", addresses, networks)

    def delete_foreign(self):
        self.change_foreign("delete", self.foreign, self.foreign_networks)
        self.foreign, self.foreign_networks = [], []

    def listing(self, name):
        r = self.lab.gateway.run(["nft", "-j", "list", "set", "inet", "filter", name])
        return elements_of(r.stdout)

    def differences(self, reckoning):
        """Of all sets; each one that agrees is a cell."""
        out = {}
        for name, (_, layout, flags) in self.kinds.items():
            listed = self.listing(name)
            ours = {k for k, e in listed.items() if e.get("comment") == "allowsyncd"}
            wanted = reckoning.ours(layout, flags)
            theirs = {self.key(layout, a) for a in self.foreign} | (
                {self.key(layout, n) for n in self.foreign_networks}
                if "range" in flags or flags == "merge" else set())
            fuse = "fuse" in flags or flags == "all"
            expiring = {k for k in ours if "expires" in listed[k]}
            if ours != wanted or set(listed) - ours != theirs:
                out[name] = (ours ^ wanted, (set(listed) - ours) ^ theirs)
            elif expiring != (ours if fuse else set()):
                out[name] = ("expire", expiring)
        return out

    def check(self, step, *single, networks=()):
        reckoning = Reckoning(self.family, single, networks, self.foreign, self.foreign_networks)
        becomes(lambda: not self.differences(reckoning),
                lambda: f"{step}: {self.differences(reckoning)}")
        self.cells += len(self.kinds)


@pytest.mark.parametrize("family", [4, 6])
def test_every_kind_of_set_holds_what_it_should_all_its_life(make_lab, family):
    m = Matrix(make_lab, family)
    lab, daemon = m.lab, m.daemon
    names = [address(family, 1, 0, i) for i in range(1, 6)]
    static = address(family, 7, 0, 7)
    network = address(family, 5, 0, 0) + PREFIX[family]
    inside = [address(family, 5, 0, i) for i in (7, 9)]
    m.profile(static, network)
    daemon.start()
    m.check("static", static, networks=[network])

    give(lab, daemon, *names)
    m.check("filled", static, *names, networks=[network])
    give(lab, daemon, *names[2:], address(family, 2, 0, 1))
    m.check("changed", static, *names[2:], address(family, 2, 0, 1), networks=[network])
    give(lab, daemon, names[4])
    m.check("shrunk", static, names[4], networks=[network])

    give(lab, daemon, names[4], *inside)
    m.check("in a prefix", static, names[4], *inside, networks=[network])
    m.profile(static)
    daemon.reload()
    m.check("out of its prefix", static, names[4], *inside)
    m.profile(static, network)
    daemon.reload()
    m.check("in it again", static, names[4], *inside, networks=[network])
    give(lab, daemon, names[4])
    m.check("the prefix alone", static, names[4], networks=[network])

    monitor = lab.monitor()
    daemon.stop()
    m.check("stopped", static, names[4], networks=[network])
    daemon.start()
    recipes.resolve(daemon)
    m.check("restarted", static, names[4], networks=[network])
    assert not [g for g in monitor.changes() if g.removed], "a restart removes nothing"

    # Of others: an address, and two networks.
    around = address(family, 6, 0, 0) + PREFIX[family]
    inner = address(family, 6, 0, 10 if family == 6 else 16) + {4: "/28", 6: "/124"}[family]
    m.add_foreign([address(family, 99, 0, 1)], [address(family, 9, 0, 0) + PREFIX[family], inner])
    m.check("with foreign ones", static, names[4], networks=[network])
    theirs = [address(family, 99, 0, 1), address(family, 9, 0, 9)]
    give(lab, daemon, names[4], *theirs)
    m.check("wanted as well", static, names[4], *theirs, networks=[network])
    assert set_of(daemon, "addr_ranges")["foreign"] == 3
    give(lab, daemon, names[4])
    m.check("theirs stay", static, names[4], networks=[network])
    m.profile(static, network, around)
    daemon.reload()
    m.check("around theirs", static, names[4], networks=[network, around])
    m.delete_foreign()
    m.check("theirs gone", static, names[4], networks=[network, around])
    if family == 4:
        shown = daemon.ctl("why", "45.6.0.20").stdout
        assert "45.6.0.0/24 is in" in shown or "45.6.0.20 is in" in shown, shown

    daemon.profile("acme", recipes.profile({"name": "b.example.com"}))
    daemon.reload()
    m.check("empty")
    assert daemon.ctl("status").returncode == 0
    print(f"IPv{family}: {m.cells} cells, {len(m.kinds)} kinds of sets")
    assert m.cells == 16 * len(m.kinds)
