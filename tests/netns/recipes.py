# SPDX-License-Identifier: GPL-2.0-or-later
"""Configurations and steps that several tests share.

The daemon asks the authoritative server itself, and `allowsyncctl resolve` makes it ask now: what
changed in DNS is in the sets when that returns, whatever the TTL, and no test has to wait for one.
"""
import json
import os
import re

from lab import DNS4
from spaces import run, wait_until


def resolver(linger="0", server=DNS4, **more):
    keys = "".join(f"{k.replace('_', '-')} = {v}\n" for k, v in more.items())
    return f"[resolver]\nserver = {server}\nrefresh-min = 1s\nlinger = {linger}\n{keys}\n"


def vendors(*names):
    return "".join(f"[vendor {n}]\n" for n in names)


def sets(*lines, table="filter"):
    """[set] sections from "name vendor, vendor..." lines; the section is called like the set. More
    keys may follow in lines of their own."""
    text = ""
    for line in lines:
        name, takes = line.split(" ", 1)
        text += f"[set {name}]\nfamily = inet\ntable = {table}\nset = {name}\nvendor = {takes}\n"
    return text


def profile(*endpoints, title="Test"):
    """endpoints: dicts of keys, values maybe lists; the default service is tcp/443."""
    text = f"[profile]\ntitle = {title}\n"
    for i, e in enumerate(endpoints):
        text += f"[endpoint {e.get('endpoint', f'e{i}')}]\n"
        for key, value in {"allow": "tcp/443", **e}.items():
            for v in value if isinstance(value, list) else [value]:
                text += f"{key} = {v}\n" if key != "endpoint" else ""
    return text


def use(declaration):
    """A chain with a rule that uses the set, where it is of a kind that is filled; else ""."""
    name, _, body = declaration.partition(" ")
    if name == "map" or not re.match(r"{ (type ipv[46]_addr|typeof ip6? [sd]addr)"
                                     r"( \. inet_proto \. inet_service| \. inet_service|"
                                     r" \. (ip protocol|meta l4proto) \. (th|tcp) dport|"
                                     r" \. tcp dport)?;", body):
        return ""
    key = ("ip6" if re.match("{ type(of ip6| ipv6)", body) else "ip") + " daddr" + (
        "" if " . " not in body else " . tcp dport" if body.count(" . ") == 1 else
        " . meta l4proto . th dport")
    return f"\tchain uses_{name} {{ type filter hook forward priority 10; {key} @{name} accept; }}\n"


def table(*declarations, name="filter", used=True):
    """A table of sets, each with a rule that uses it. While one does, a set cannot be deleted."""
    return f"table inet {name} {{\n" + "".join(
        f"\tset {d}\n" + (use(d) if used else "") for d in declarations) + "}\n"


def delete_set(lab, name):
    """With its rule, in one transaction."""
    lab.gateway.nft(f"flush chain inet filter uses_{name}\ndelete chain inet filter uses_{name}\n"
                    f"delete set inet filter {name}")


def add_set(lab, declaration):
    lab.gateway.nft(table(declaration))


ADDR4 = "{ type ipv4_addr; }"
ADDR6 = "{ type ipv6_addr; }"
PORTS4 = "{ type ipv4_addr . inet_proto . inet_service; }"
PORTS6 = "{ type ipv6_addr . inet_proto . inet_service; }"


def resolve(daemon, *names):
    """Asks DNS and waits for the answers."""
    r = daemon.ctl("resolve", *names)
    assert r.returncode in (0, 1), r.stdout
    return r


def many(count):
    """Addresses of MANY, which a lab with records=records_of_many(count) has from the start: to
    make as many records later takes the server seconds."""
    return [f"45.20.{i // 250}.{i % 250 + 1}" for i in range(count)]


MANY = "many.example.com"


def records_of_many(count):
    return {MANY: {"A": (60, many(count))}}


def preload(directory, source):
    """What a program is to run under to have these functions in C in place of the library's."""
    library = os.path.join(directory, "preload.so")
    run(["gcc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-x", "c", "-", "-o", library, "-ldl"], input=source)
    asan = run(["gcc", "-print-file-name=libasan.so"]).stdout.strip()
    return ["env", f"LD_PRELOAD={asan} {library}"]


def turn(daemon):
    """When this returns the daemon has looked at its clock and done what was due."""
    daemon.ctl("--json=short", "status")


def ctl_json(daemon, *words):
    """The objects that a verb prints."""
    r = daemon.ctl("--json=short", *words)
    return [json.loads(line) for line in r.stdout.splitlines() if line.startswith("{")]


def status(daemon):
    return ctl_json(daemon, "status")[0]


def set_of(daemon, name):
    """What `sets` says of one of them, by its section."""
    return next(s for s in ctl_json(daemon, "sets") if s.get("name") == name)


def name_of(daemon, name):
    return ctl_json(daemon, "show", name)[0]


def becomes(predicate, what, timeout=20):
    return wait_until(predicate, timeout, what)


def changes_of(entries):
    """[(set, generation, when, added, removed)...] of `changed` entries and of summaries, in the
    order in which they came about. `when` (UTC) is None for the former: the entry has its own."""
    out = []
    for e in entries:
        if e.get("ALLOWSYNC_EVENT") == "changed":
            added, removed = (set(filter(None, e.get(f"ALLOWSYNC_{k}", "").split(", ")))
                              for k in ("ADDED", "REMOVED"))
            out.append((e["ALLOWSYNC_SET"], int(e.get("ALLOWSYNC_GENERATION", 0)), None, added,
                        removed))
        elif e.get("ALLOWSYNC_EVENT") == "summary":
            for one in e["ALLOWSYNC_CHANGES"].split("; "):
                m = re.fullmatch(r"(\S+) (\d+)(?: \+(.*?))?(?: -(.*))?", one)
                out.append((e["ALLOWSYNC_SET"], int(m[2]), m[1],
                            *(set(m[i].split(", ")) if m[i] else set() for i in (3, 4))))
    if any(when for _, _, when, _, _ in out):
        out.sort(key=lambda change: change[1])
    return out


def replay(entries, start=None):
    """The content of each set that the entries come to: {"inet filter x": {elements}}."""
    content = {k: set(v) for k, v in (start or {}).items()}
    for name, _, _, added, removed in changes_of(entries):
        elements = content.setdefault(name, set())
        elements -= removed
        elements |= added
    return content
