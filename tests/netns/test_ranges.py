# SPDX-License-Identifier: GPL-2.0-or-later
"""Sets with flag interval: beside others in the same set, at the ends of the address space, and what
is said of them."""
import ipaddress
import re
import signal
import subprocess
import threading

import pytest

import recipes
from lab import build_dir, elements_of
from rawnft import RawNft, add_box, add_elements, delete_elements
from recipes import ADDR4, PORTS4, becomes, ctl_json, replay, resolve, set_of, status
from test_commit import give
from varlink import Client

RANGES4 = "{ type ipv4_addr; flags interval; }"
RANGES6 = "{ type ipv6_addr; flags interval; }"
MERGE4 = "{ type ipv4_addr; flags interval; auto-merge; }"
BOXES4 = "{ type ipv4_addr . inet_proto . inet_service; flags interval; }"
TAG = "allowsyncd"


def begin(make_lab, *declarations, start=True, vendors=None, linger="0"):
    """vendors: {name: profile}, all taken by all sets."""
    vendors = vendors or {"acme": recipes.profile({"name": "a.example.com"})}
    lab = make_lab(ruleset=recipes.table(*declarations), cache=False)
    daemon = lab.daemon(recipes.resolver(linger) + recipes.vendors(*vendors) + recipes.sets(
        *(f"{d.split()[0]} {', '.join(vendors)}" for d in declarations)))
    for vendor, text in vendors.items():
        daemon.profile(vendor, text)
    if start:
        daemon.start()
    return lab, daemon


def static(*values, **more):
    return recipes.profile({"name": "a.example.com", "address": ", ".join(values), **more})


def split(lab, name):
    """The elements of ours, and those of others."""
    listed = lab.elements(name)
    ours = {k for k, e in listed.items() if e.get("comment") == TAG}
    return ours, set(listed) - ours


def covered(elements):
    """The same for whatever the addresses are cut into: [(first, last)]."""
    out = []
    for e in elements:
        first, _, last = e.partition("-")
        net = ipaddress.ip_network(first)
        out.append((int(net[0]), int(ipaddress.ip_address(last)) if last else int(net[-1])))
    joined = []
    for first, last in sorted(out):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined


# --- beside others

THEIRS = ["45.50.0.0/28", "45.50.0.20-45.50.0.23", "45.50.0.32/27"]
OURS = [f"45.50.0.{i}" for i in (16, 17, 18, 19, 24, 31)]


def replacing(*sets):
    """A neighbour that takes its ranges out and puts them in again, in one transaction and in two."""
    lines = []
    for name, port in sets:
        elements = "{ " + ", ".join(t + port for t in THEIRS) + " }"
        lines.append(f"delete element inet filter {name} {elements}\n"
                     f"add element inet filter {name} {elements}\n")
    both = "".join(lines).replace("\n", "; ")
    one, two = ("".join(x.splitlines(True)[i] for x in lines).replace("\n", "; ") for i in (0, 1))
    return ["sh", "-c", f"nft '{two}'; while nft '{both}' && nft '{one}' && nft '{two}'; do :; done"]


def test_others_that_replace_their_ranges_all_the_time_never_lose_one_to_us(make_lab):
    lab, daemon = begin(make_lab, f"r {RANGES4}", f"b {BOXES4}", f"m {MERGE4}")
    monitor = lab.monitor()
    neighbour = lab.gateway.popen(replacing(("r", ""), ("b", " . tcp . 443")))
    try:
        becomes(lambda: len(monitor.changes()) > 3, "it is at work")
        for i in range(1, 13):
            values = OURS[i % 3:][:3 + i % 2]
            give(lab, daemon, *values)
            becomes(lambda v=values: (split(lab, "r")[0], split(lab, "b")[0])
                    == (set(v), {f"{a} . tcp . 443" for a in v}),
                    lambda: f"{split(lab, 'r')} {split(lab, 'b')}")
        assert neighbour.poll() is None, "none of its own was missing, nor was ours in its way"
    finally:
        lab.gateway.end(neighbour, 9, 10)
    own = [g for g in monitor.changes() if g.program == "allowsyncd"]
    gone = {(name, k[:4]) for g in own for _, name, k in g.removed}
    starts = {ipaddress.ip_address(a).packed for a in OURS}
    ends = {(ipaddress.ip_address(a) + 1).packed for a in OURS}
    assert gone and {k for n, k in gone if n == "b"} <= starts
    assert {k for n, k in gone if n == "r"} <= starts | ends
    assert not daemon.events("set-degraded") and daemon.ctl("status").returncode == 0


def test_delete_is_for_a_generation_that_was_heard(make_lab):
    """Of concatenated intervals whatever holds the key is deleted. Others put a range in the place
    of an address of ours just as that leaves: theirs stays. What else their transaction does takes
    long, so that ours is sent in the midst of it and waits in the kernel for its turn."""
    lab, daemon = begin(make_lab, f"b {BOXES4}")
    lab.gateway.nft("add table inet theirs\nadd set inet theirs x { type ipv4_addr; }")
    raw, client, monitor = RawNft(lab.gateway), Client(daemon.socket), lab.monitor()

    def key(address):
        return ipaddress.ip_address(address).packed + bytes([6, 0, 0, 0, 1, 187, 0, 0])

    many = [i.to_bytes(4, "big") for i in range(1 << 24, (1 << 24) + 30000)]
    work = [one("theirs", "x", *many[i:i + 1000]) for one in (add_elements, delete_elements)
            for i in range(0, len(many), 1000)]
    replace = raw.batch(*work, delete_elements("filter", "b", key("45.50.0.5")),
                        add_box("filter", "b", key("45.50.0.0"), key("45.50.0.15")))
    theirs, raced = "45.50.0.0/28 . tcp . 443", 0
    for _ in range(40):
        if raced == 4:
            break
        give(lab, daemon, "45.50.0.5", "45.60.0.1")
        becomes(lambda: split(lab, "b")[0] == {"45.50.0.5 . tcp . 443", "45.60.0.1 . tcp . 443"},
                "both of ours")
        lab.dns.set("a.example.com", "A", ["45.60.0.1"], 60)
        sender = threading.Thread(target=lambda: errors.append(attempt(raw, replace)))
        errors = []
        sender.start()
        client.call("Resolve")
        sender.join()
        # Ours may have been faster: then theirs was refused.
        if errors == [0]:
            raced += 1
            assert split(lab, "b") == ({"45.60.0.1 . tcp . 443"}, {theirs})
            lab.gateway.nft(f"delete element inet filter b {{ {theirs} }}")
        becomes(lambda: split(lab, "b") == ({"45.60.0.1 . tcp . 443"}, set()), "ours alone")
    own = [g for g in monitor.changes() if g.program == "allowsyncd"]
    assert raced and key("45.50.0.0") not in {k for g in own for _, _, k in g.removed}
    client.close()
    raw.close()


def attempt(raw, batch):
    try:
        raw.send(batch)
        return 0
    except OSError as e:
        return e.errno


def test_what_nft_merges_with_ours_is_theirs_and_stays(make_lab):
    lab, daemon = begin(make_lab, f"m {MERGE4}")
    give(lab, daemon, "45.1.0.1", "45.1.0.2", "45.9.0.1")
    assert split(lab, "m") == ({"45.1.0.1-45.1.0.2", "45.9.0.1"}, set())
    lab.gateway.nft("add element inet filter m { 45.1.0.3 }")
    becomes(lambda: set_of(daemon, "m")["foreign"] == 1, "it is seen as theirs")
    becomes(lambda: split(lab, "m") == ({"45.9.0.1"}, {"45.1.0.1-45.1.0.3"}),
            lambda: f"{lab.elements('m')}")
    becomes(lambda: daemon.events("foreign"), "it is said")
    (said,) = daemon.events("foreign")
    assert "45.1.0.1-45.1.0.3 by nft (pid " in said["MESSAGE"] and "kept" in said["MESSAGE"]
    why = ctl_json(daemon, "why", "45.1.0.2")[0]
    assert why["allowed"] and [(e["element"], e["ours"], len(e["owners"]))
                               for e in why["elements"]] == [("45.1.0.1-45.1.0.3", False, 1)]
    assert daemon.ctl("diff").returncode == 0 and daemon.ctl("status").returncode == 0
    # DNS takes ours away; and gives some again.
    give(lab, daemon, "45.9.0.1")
    assert split(lab, "m") == ({"45.9.0.1"}, {"45.1.0.1-45.1.0.3"})
    give(lab, daemon, "45.1.0.2", "45.1.0.4", "45.9.0.1", "45.9.0.2")
    assert split(lab, "m") == ({"45.1.0.4", "45.9.0.1-45.9.0.2"}, {"45.1.0.1-45.1.0.3"})
    # Until the admin takes it out: then ours stand alone again.
    lab.gateway.nft("delete element inet filter m { 45.1.0.1-45.1.0.3 }")
    becomes(lambda: split(lab, "m") == ({"45.1.0.2", "45.1.0.4", "45.9.0.1-45.9.0.2"}, set()),
            lambda: f"{lab.elements('m')}")
    assert daemon.ctl("status").returncode == 0


# --- what cannot be, and what it costs

@pytest.mark.parametrize("declaration, why", [
    (f"s {ADDR4}", "needs flag interval"), (f"s {PORTS4}", "needs flag interval"),
    (f"s {BOXES4}", "concatenated intervals")])
def test_prefixes_are_refused_with_file_and_line(make_lab, declaration, why):
    text = static("45.7.0.1", "45.5.0.0/24", "45.6.0.1-45.6.0.9", "2a00:1:5::/64")
    lab, daemon = begin(make_lab, declaration, vendors={"acme": text})
    give(lab, daemon, "45.1.0.1")
    more = "" if "proto" not in declaration else " . tcp . 443"
    assert split(lab, "s") == ({f"45.1.0.1{more}", f"45.7.0.1{more}"}, set())
    line = next(i for i, t in enumerate(text.splitlines(), 1) if t.startswith("address"))
    said = sorted(daemon.events("set-entry-refused"), key=lambda e: e["MESSAGE"])
    assert len(said) == 2 and len(set_of(daemon, "s")["problems"]) == 2
    for entry, prefix in zip(said, ("45.5.0.0/24", "45.6.0.1-45.6.0.9")):
        assert entry["MESSAGE"].startswith(f"{entry['ALLOWSYNC_FILE']}:{line}: [endpoint e0] ")
        assert entry["ALLOWSYNC_FILE"].endswith("vendors/acme.conf")
        assert int(entry["ALLOWSYNC_LINE"]) == line
        assert f"address: {prefix} " in entry["MESSAGE"] and why in entry["MESSAGE"]
        assert "set inet filter s" in entry["MESSAGE"]
    assert daemon.ctl("status").returncode == 1
    # `why` tells of the prefix that no set holds.
    (prefix,) = ctl_json(daemon, "why", "45.5.0.9")[0]["uncovered"]
    assert prefix["range"] == "45.5.0.0/24" and prefix["place"].endswith(f"acme.conf:{line}")


def test_cost_of_a_concatenated_interval_set_is_said_once(make_lab):
    lab, daemon = begin(make_lab, f"b {BOXES4}", f"r {RANGES4}", f"p {PORTS4}")
    give(lab, daemon, "45.1.0.1")
    for _ in range(3):
        daemon.ctl("diff")
    (said,) = daemon.events("set-costly")
    assert said["ALLOWSYNC_SET"] == "inet filter b" and said["PRIORITY"] == "4"
    assert "flag interval on a concatenation" in said["MESSAGE"]
    notes = {n: set_of(daemon, n)["notes"] for n in "brp"}
    assert notes["r"] == notes["p"] == [] and "flag interval" in notes["b"][0]
    assert "inet filter b: flag interval on a concatenation" in daemon.ctl("sets").stdout
    assert daemon.ctl("status").returncode == 0, "a warning, no trouble"


def test_ranges_beyond_the_size_of_their_set_are_left_out_and_said(make_lab):
    small = "{ type ipv4_addr; flags interval; size 6; }"
    lab, daemon = begin(make_lab, f"r {small}", f"s {ADDR4}")
    six = [f"45.1.{i}.1" for i in range(6)]
    give(lab, daemon, *six[:2])
    assert split(lab, "r")[0] == set(six[:2])
    everything = [f"45.1.{i}.1" for i in range(12)]
    give(lab, daemon, *everything)
    assert split(lab, "s")[0] == set(everything), "in the same turn"
    becomes(lambda: any("full" in p for p in set_of(daemon, "r")["problems"]), "it is said")
    becomes(lambda: len(split(lab, "r")[0]) >= 3, lambda: f"what fits: {lab.elements('r')}")
    assert split(lab, "r")[0] < set(everything) and set(six[:2]) <= split(lab, "r")[0]
    assert daemon.ctl("status").returncode == 1
    give(lab, daemon, *six[3:5])
    becomes(lambda: split(lab, "r")[0] == set(six[3:5]), "it fits again")
    becomes(lambda: daemon.events("set-recovered"), "that is said, too")
    becomes(lambda: daemon.ctl("status").returncode == 0, "all is well")


# --- the ends of the address space

@pytest.mark.parametrize("kind", ["", " auto-merge;"])
def test_ranges_at_the_ends_of_the_address_space_come_and_go_cleanly(make_lab, kind):
    last6 = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00/120"
    ends = {"r": {"0.0.0.0/8", "255.255.255.0/24"}, "r6": {"::/16", last6}}
    singles = {"r": {"0.0.0.0", "255.255.255.255"},
               "r6": {"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}}
    keep = {"r": {"45.7.0.1"}, "r6": {"2a00:1::7"}}
    nothing = static(*(keep["r"] | keep["r6"]))
    lab, daemon = begin(make_lab, f"r {{ type ipv4_addr; flags interval;{kind} }}",
                        f"r6 {{ type ipv6_addr; flags interval;{kind} }}",
                        vendors={"acme": nothing})
    monitor = lab.monitor()

    def raw(name):
        return lab.gateway.run(["nft", "list", "set", "inet", "filter", name]).stdout

    before = {n: raw(n) for n in ends}
    for step in (ends, singles, {n: {"0.0.0.0/0"} if n == "r" else {"::/0"} for n in ends}, ends):
        daemon.profile("acme", static(*(v for n in ends for v in step[n] | keep[n])))
        daemon.ctl("reload", check=True)
        for n in ends:
            whole = any(v.endswith("/0") for v in step[n])
            assert split(lab, n) == (step[n] if whole else step[n] | keep[n], set()), raw(n)
        # Read again, it is what it was taken for.
        assert daemon.ctl("diff").returncode == 0
        assert not any(set_of(daemon, n)["notes"] for n in ends)
    daemon.profile("acme", nothing)
    daemon.ctl("reload", check=True)
    assert {n: raw(n) for n in ends} == before
    assert daemon.ctl("diff").returncode == 0 and daemon.ctl("status").returncode == 0
    daemon.ctl("release", check=True)
    assert not lab.elements("r") and not lab.elements("r6")
    assert all(g.program == "allowsyncd" for g in monitor.changes())
    # Nothing remains that nft could stumble on: it takes the whole space in one load.
    lab.gateway.nft("add element inet filter r { 0.0.0.0/0 }\nadd element inet filter r6 { ::/0 }")


# --- why, diff, release, journal

def test_why_names_all_that_want_an_address_within_a_prefix(make_lab):
    lab, daemon = begin(make_lab, f"r {RANGES4}", vendors={
        "acme": static("45.5.0.0/24"), "other": recipes.profile({"address": "45.5.0.0/25"})})
    give(lab, daemon, "45.5.0.9")
    (element,) = ctl_json(daemon, "why", "45.5.0.9")[0]["elements"]
    assert element["element"] == "45.5.0.0/24" and element["ours"] and element["present"]
    assert sorted((o["vendor"], o["endpoint"], o.get("name", "")) for o in element["owners"]) == [
        ("acme", "e0", ""), ("acme", "e0", "a.example.com"), ("other", "e0", "")]
    text = daemon.ctl("why", "45.5.0.9").stdout
    for part in ("45.5.0.0/24", "acme/e0", "other/e0", "a.example.com"):
        assert part in text, text
    # Beside them, only who wants that very address.
    (element,) = ctl_json(daemon, "why", "45.5.0.200")[0]["elements"]
    assert [(o["vendor"], o.get("name")) for o in element["owners"]] == [("acme", None)]
    # By name as well; and in the union of two that overlap.
    (element,) = ctl_json(daemon, "why", "a.example.com")[0]["elements"]
    assert element["element"] == "45.5.0.0/24" and len(element["owners"]) == 3
    daemon.profile("other", recipes.profile({"address": "45.5.0.128-45.5.1.7"}))
    daemon.ctl("reload", check=True)
    (element,) = ctl_json(daemon, "why", "45.5.0.200")[0]["elements"]
    assert element["element"] == "45.5.0.0-45.5.1.7"
    assert {o["vendor"] for o in element["owners"]} == {"acme", "other"}


@pytest.mark.parametrize("declaration", [f"s {ADDR4}", f"s {RANGES4}", f"s {BOXES4}"])
def test_why_tells_who_added_a_foreign_element(make_lab, declaration):
    lab, daemon = begin(make_lab, declaration)
    give(lab, daemon, "45.1.0.1")
    key = {ADDR4: "45.99.0.1", RANGES4: "45.99.0.0/24"}.get(declaration[2:],
                                                           "45.99.0.0/24 . tcp . 443")
    lab.gateway.nft(f"add element inet filter s {{ {key} }}")
    becomes(lambda: set_of(daemon, "s")["foreign"] == 1, "it is seen")
    (element,) = ctl_json(daemon, "why", "45.99.0.1")[0]["elements"]
    assert element["element"] == key and not element["ours"] and not element["owners"]
    assert re.fullmatch(r"nft \(pid \d+\)", element["added_by"]) and element["added"]
    assert element["added_by"] in daemon.ctl("why", "45.99.0.1").stdout


@pytest.mark.parametrize("declaration", [f"r {RANGES4}", f"r {MERGE4}"])
def test_diff_is_what_nft_takes_and_what_happens(make_lab, declaration):
    prefixes = ["45.5.0.0/24", "45.6.0.3-45.6.0.9", "255.255.255.0/24"]
    lab, daemon = begin(make_lab, declaration, vendors={"acme": static(*prefixes)})
    give(lab, daemon, "45.1.0.1", "45.1.0.2", "45.5.0.9")
    want = split(lab, "r")[0]
    assert set(prefixes) <= want

    def ask():
        """What happened and the question are found together; it may mend first, and answer then."""
        becomes(lambda: split(lab, "r")[0] == want, "in step")
        daemon.process.send_signal(signal.SIGSTOP)
        lab.gateway.nft(f"""
            delete element inet filter r {{ 45.5.0.0/24, 255.255.255.0/24 }}
            add element inet filter r {{ 45.5.0.64/28 comment "{TAG}", 45.5.0.128/25 }}
            add element inet filter r {{ 45.80.0.0/16 comment "{TAG}" }}""")
        before = lab.gateway.run(["nft", "list", "table", "inet", "filter"]).stdout
        p = subprocess.Popen(lab.gateway.command(
            [f"{build_dir()}/src/allowsyncctl", "--socket", daemon.socket, "diff"]),
            stdout=subprocess.PIPE, text=True)
        daemon.process.send_signal(signal.SIGCONT)
        text = p.communicate(timeout=30)[0]
        becomes(lambda: "45.5.0.0/25" in lab.elements("r"), "put right")
        after = set(lab.elements("r"))
        lab.gateway.nft("delete element inet filter r { 45.5.0.128/25 }")
        return "add element" in text and (text, before, after)

    text, before, after = becomes(ask, "it answers first", 60)
    commands = "".join(line + "\n" for line in text.splitlines()
                       if line.startswith(("add element", "delete element")))
    # In a namespace where nobody fills anything.
    lab.internet.run(["nft", "-f", "-"], input="flush ruleset\n" + before)
    lab.internet.run(["nft", "-f", "-"], input=commands)
    r = lab.internet.run(["nft", "-j", "list", "set", "inet", "filter", "r"])
    assert covered(elements_of(r.stdout)) == covered(after)


@pytest.mark.parametrize("declaration", [f"r {RANGES4}", f"r {MERGE4}", f"r {BOXES4}"])
@pytest.mark.parametrize("runs", [True, False])
def test_release_empties_of_ours_and_leaves_what_others_put_there(make_lab, declaration, runs):
    boxes = BOXES4 in declaration
    port = " . tcp . 443" if boxes else ""
    values = ["45.7.0.1"] if boxes else ["45.7.0.1", "45.5.0.0/24", "0.0.0.0/8", "255.255.255.0/24"]
    lab, daemon = begin(make_lab, declaration, vendors={"acme": static(*values)}, start=False)
    # One amidst what is wanted, one beside it.
    theirs = {f"45.5.0.16/28{port}", f"45.7.0.4/31{port}"}
    lab.gateway.nft(f"add element inet filter r {{ {', '.join(theirs)} }}")
    daemon.start()
    give(lab, daemon, "45.1.0.1", "45.1.0.2")
    ours, others = split(lab, "r")
    assert others == theirs and len(ours) >= 3
    monitor = lab.monitor()
    if runs:
        daemon.ctl("release", "r", check=True)
    else:
        daemon.stop()
        r = lab.gateway.run([f"{build_dir()}/src/allowsyncd", "--release", "--root", daemon.root])
        assert f"{len(ours)} elements removed" in r.stdout
    assert split(lab, "r") == (set(), theirs)
    assert len(monitor.changes()) == 1
    if runs:
        daemon.ctl("resume", "r", check=True)
    else:
        daemon.start()
        resolve(daemon)
    becomes(lambda: split(lab, "r") == (ours, theirs), lambda: f"{split(lab, 'r')}")


@pytest.mark.parametrize("declaration", [f"r {RANGES4}", f"r {MERGE4}"])
def test_journal_replayed_comes_to_the_set(make_lab, declaration):
    lab, daemon = begin(make_lab, declaration, vendors={"acme": static("45.5.0.0/24")})
    steps = [
        (["45.5.0.0/24"], ["45.1.0.1", "45.1.0.2", "45.5.0.7"]),
        (["45.5.0.0/24", "45.5.0.128-45.5.1.127"], ["45.1.0.1", "45.1.0.3"]),
        (["45.5.0.64/26", "45.4.255.0-45.5.0.70"], ["45.1.0.2", "45.5.0.7", "45.5.0.200"]),
        (["45.1.0.0/16"], ["45.1.0.2", "45.5.0.200", "45.5.0.201"]),
        (["45.1.0.2-45.1.0.9", "45.1.0.8-45.1.0.12", "0.0.0.0/8"], []),
        (["45.5.0.0/25", "45.5.0.128/25", "45.5.0.0/24"], ["45.5.1.0", "45.5.1.1"]),
    ]
    for prefixes, dns in steps:
        daemon.profile("acme", static(*prefixes))
        daemon.ctl("reload", check=True)
        content = set(lab.elements("r"))
        assert replay(daemon.entries())["inet filter r"] == content, prefixes
        give(lab, daemon, *dns)
        content = set(lab.elements("r"))
        daemon.ctl("reload", check=True)  # what is summed up by the hour is told before
        assert replay(daemon.entries())["inet filter r"] == content, dns
    assert status(daemon)["sets"]["in_step"]


def test_reload_between_overlapping_prefixes_is_one_transaction(make_lab):
    """Nothing that is wanted before and after is ever missing in between."""
    lab, daemon = begin(make_lab, f"r {RANGES4}", vendors={"acme": static("45.5.0.0/24")})
    monitor = lab.monitor()
    for prefix in ("45.5.0.0/25", "45.4.0.0/15", "45.5.0.7", "45.5.0.0-45.5.0.200"):
        seen = len(monitor.read())
        daemon.profile("acme", static(prefix))
        daemon.ctl("reload", check=True)
        (one,) = monitor.read()[seen:]
        assert one.added and one.removed
        assert split(lab, "r") == ({prefix}, set())


def test_v6_ranges_are_as_v4_ones(make_lab):
    lab, daemon = begin(make_lab, f"r {RANGES6}",
                        vendors={"acme": static("2a00:1:5::/64", "2a00:1:6::1-2a00:1:6::9")})
    give(lab, daemon, "2a00:1:5::9", "2a00:1::1", "2a00:1:6::a")
    assert split(lab, "r")[0] == {"2a00:1:5::/64", "2a00:1:6::1-2a00:1:6::9", "2a00:1:6::a",
                                  "2a00:1::1"}
    (element,) = ctl_json(daemon, "why", "2a00:1:5::9")[0]["elements"]
    assert element["element"] == "2a00:1:5::/64" and len(element["owners"]) == 2
