# SPDX-License-Identifier: GPL-2.0-or-later
"""Elements as text: what the admin's own file includes has our elements from its first packet on."""
import os
import re
import signal
import stat

import recipes
from lab import elements_of
from recipes import ADDR4, PORTS4, PORTS6, becomes, resolve, status, turn
from test_commit import begin, give
from test_ranges import covered

NAMES = [f"45.3.0.{i}" for i in range(1, 21)]


def directory(daemon):
    return f"{daemon.root}/var/lib/allowsyncd/elements.d"


def files(daemon):
    path = directory(daemon)
    return sorted(os.listdir(path)) if os.path.isdir(path) else []


def text(daemon, name):
    try:
        with open(f"{directory(daemon)}/{name}", encoding="ascii") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def has(daemon, name, *elements):
    """The file comes to hold just these."""
    becomes(lambda: text(daemon, name).count("comment") == len(elements)
            and all(re.search(rf"\t{re.escape(e)}( timeout \d+s)? comment", text(daemon, name))
                    for e in elements),
            lambda: f"{elements} in {name}: {text(daemon, name)!r}")


def including(daemon, *declarations, table="filter"):
    """A table of sets as the manual shows them."""
    body = ""
    for d in declarations:
        name, kind = d.split(" ", 1)
        file = f"inet-{table.replace('-', '%2d')}-{name.replace('/', '%2f')}.nf[t]"
        body += f"\tset {name} {{\n\t\t{kind.strip('{} ')}\n\t\tinclude \"{directory(daemon)}/{file}\"\n\t}}\n"
    return f"table inet {table} {{\n{body}}}\n"


def load(lab, tmp_path, ruleset):
    path = tmp_path / "admin.nft"
    path.write_text(ruleset)
    return lab.gateway.run(["nft", "-f", str(path)])


def test_file_inside_a_set_gives_the_same_set_as_ours(make_lab, tmp_path):
    declarations = [f"s {ADDR4}", f"p {PORTS4}", f"six {PORTS6}"]
    lab, daemon = begin(make_lab, *declarations)
    give(lab, daemon, *NAMES, "2a00:1::7")
    has(daemon, "inet-filter-s.nft", *NAMES)
    has(daemon, "inet-filter-p.nft", *(f"{a} . tcp . 443" for a in NAMES))
    has(daemon, "inet-filter-six.nft", "2a00:1::7 . tcp . 443")
    for name in files(daemon):
        assert stat.S_IMODE(os.stat(f"{directory(daemon)}/{name}").st_mode) == 0o644
        assert text(daemon, name).startswith("elements = {\n") and text(daemon, name).endswith("}\n")
    assert stat.S_IMODE(os.stat(directory(daemon)).st_mode) == 0o755
    # In a namespace where nobody fills anything.
    load_in_other = including(daemon, *declarations)
    path = tmp_path / "other.nft"
    path.write_text(load_in_other)
    for name in ("s", "p", "six"):
        r = lab.internet.run(["sh", "-c", f"nft flush ruleset; nft -f {path} && "
                              f"nft -j list set inet filter {name}"])
        assert elements_of(r.stdout) == lab.elements(name)


def test_reload_that_includes_it_has_the_elements_without_the_daemon(make_lab, tmp_path):
    """And nothing is left for it to do."""
    declarations = [f"s {ADDR4}", f"p {PORTS4}"]
    lab, daemon = begin(make_lab, *declarations)
    give(lab, daemon, *NAMES)
    has(daemon, "inet-filter-s.nft", *NAMES)
    has(daemon, "inet-filter-p.nft", *(f"{a} . tcp . 443" for a in NAMES))
    before = {n: lab.elements(n) for n in ("s", "p")}
    commits = status(daemon)["sets"]["commits"]
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        for _ in range(3):
            load(lab, tmp_path, "flush ruleset\n" + including(daemon, *declarations))
            assert {n: lab.elements(n) for n in before} == before
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    turn(daemon)
    daemon.ctl("diff")
    assert {n: lab.elements(n) for n in before} == before
    assert status(daemon)["sets"]["commits"] == commits


def test_set_that_leaves_the_configuration_takes_its_file_along(make_lab, tmp_path):
    lab, daemon = begin(make_lab, f"s {ADDR4}", f"t {ADDR4}", f"u {ADDR4}")
    give(lab, daemon, *NAMES)
    becomes(lambda: files(daemon) == [f"inet-filter-{n}.nft" for n in "stu"], "three files")
    only_s = recipes.resolver() + recipes.vendors("acme") + recipes.sets("s acme")
    daemon.configure(only_s + recipes.sets("t acme"))
    daemon.ctl("reload", check=True)
    becomes(lambda: files(daemon) == ["inet-filter-s.nft", "inet-filter-t.nft"], "two files")
    # While nobody runs, too.
    daemon.stop()
    daemon.configure(only_s)
    daemon.start()
    becomes(lambda: files(daemon) == ["inet-filter-s.nft"], "one file")
    # The admin's load does not mind.
    load(lab, tmp_path, "flush ruleset\n" + including(daemon, f"s {ADDR4}", f"t {ADDR4}"))
    assert set(lab.elements("s")) == set(NAMES) and not lab.elements("t")


def test_odd_names_get_files_of_their_own(make_lab, tmp_path):
    """Also where one name begins like another."""
    declarations = [f"s {ADDR4}", f"s4 {PORTS4}", f"s-4 {ADDR4}", f"s/4.x {ADDR4}"]
    lab = make_lab(ruleset=recipes.table(*declarations, name="a-b"), cache=False)
    config = recipes.resolver() + recipes.vendors("acme")
    for i, d in enumerate(declarations):
        config += (f"[set n{i}]\nfamily = inet\ntable = a-b\nset = {d.split()[0]}\n"
                   "vendor = acme\n")
    daemon = lab.daemon(config)
    daemon.profile("acme", recipes.profile({"endpoint": "x", "address": "45.8.0.1"}))
    daemon.start()
    names = ["inet-a%2db-s%2f4.x.nft", "inet-a%2db-s-4.nft", "inet-a%2db-s.nft",
             "inet-a%2db-s4.nft"]
    becomes(lambda: files(daemon) == sorted(names), lambda: f"{files(daemon)}")
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        load(lab, tmp_path, "flush ruleset\n" + including(daemon, *declarations, table="a-b"))
        for d in declarations:
            want = "45.8.0.1 . tcp . 443" if "proto" in d else "45.8.0.1"
            assert set(lab.elements(d.split()[0], table="a-b")) == {want}
    finally:
        daemon.process.send_signal(signal.SIGCONT)


def test_directory_in_the_way_is_said_once_and_harms_nothing(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}", start=False)
    daemon.write("var/lib/allowsyncd", "a file, no directory")
    daemon.start()
    for i in range(3):
        give(lab, daemon, NAMES[i])
        assert set(lab.elements("s")) == {NAMES[i]}
    assert len(daemon.events("state-failed")) == 1
    (entry,) = daemon.events("state-failed")
    assert entry["PRIORITY"] == "4" and "elements.d: Not a directory" in entry["MESSAGE"]


def test_end_of_the_daemon_leaves_what_it_last_wanted(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}")
    give(lab, daemon, *NAMES[:3])
    has(daemon, "inet-filter-s.nft", *NAMES[:3])
    give(lab, daemon, *NAMES[:4])
    daemon.stop()
    has(daemon, "inet-filter-s.nft", *NAMES[:4])


def test_restart_without_dns_keeps_what_the_last_run_knew(make_lab, tmp_path):
    lab, daemon = begin(make_lab, f"s {ADDR4}")
    give(lab, daemon, *NAMES)
    has(daemon, "inet-filter-s.nft", *NAMES)
    daemon.stop()
    lab.dns.pause()
    try:
        lab.gateway.nft("flush ruleset")
        daemon.start()
        daemon.ctl("reload", check=True)
        daemon.stop()
        has(daemon, "inet-filter-s.nft", *NAMES)
        load(lab, tmp_path, including(daemon, f"s {ADDR4}"))
        daemon.start()
        daemon.ctl("reload", check=True)
        assert set(lab.elements("s")) == set(NAMES)
        lab.gateway.nft("delete table inet filter")
        becomes(lambda: recipes.set_of(daemon, "s")["state"] == "degraded", "it is missed")
        daemon.stop()
        has(daemon, "inet-filter-s.nft", *NAMES)
    finally:
        lab.dns.resume()


def test_released_set_has_no_file_until_it_is_filled_again(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}", f"t {ADDR4}")
    give(lab, daemon, *NAMES)
    has(daemon, "inet-filter-s.nft", *NAMES)
    daemon.ctl("release", "s", check=True)
    becomes(lambda: files(daemon) == ["inet-filter-t.nft"], "only the other one's")
    daemon.ctl("reload", check=True)
    has(daemon, "inet-filter-s.nft", *NAMES)


def test_file_never_holds_more_than_the_set_can(make_lab, tmp_path):
    """A load with one element too many would fail as a whole."""
    bounded = "s { type ipv4_addr; size 5; }"
    lab, daemon = begin(make_lab, bounded)
    lab.gateway.nft("add element inet filter s { 45.99.0.1 }")
    give(lab, daemon, *NAMES)
    becomes(lambda: text(daemon, "inet-filter-s.nft").count("comment") == 4, "four of ours fit")
    load(lab, tmp_path, "flush ruleset\n" + including(daemon, bounded)
         + "add element inet filter s { 45.99.0.1 }\n")


def test_what_changes_is_followed_and_what_does_not_is_not_written(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}")
    give(lab, daemon, *NAMES)
    has(daemon, "inet-filter-s.nft", *NAMES)
    give(lab, daemon, *NAMES[5:])
    has(daemon, "inet-filter-s.nft", *NAMES[5:])
    path = f"{directory(daemon)}/inet-filter-s.nft"
    before = os.stat(path).st_ino, os.stat(path).st_mtime_ns
    resolve(daemon)
    daemon.ctl("reload", check=True)
    daemon.stop()
    assert (os.stat(path).st_ino, os.stat(path).st_mtime_ns) == before


def test_release_without_a_daemon_removes_the_file(make_lab):
    lab, daemon = begin(make_lab, f"s {ADDR4}", f"t {ADDR4}")
    give(lab, daemon, *NAMES)
    has(daemon, "inet-filter-s.nft", *NAMES)
    has(daemon, "inet-filter-t.nft", *NAMES)
    daemon.stop()
    daemon.ctl("--root", daemon.root, "release", "s", check=True)
    assert files(daemon) == ["inet-filter-t.nft"] and not lab.elements("s")


# --- every kind of set

OF_ALL_KINDS = {
    "r { type ipv4_addr; flags interval; }": "",
    "m { type ipv4_addr; flags interval; auto-merge; }": "",
    "r1 { type ipv4_addr; flags interval; timeout 1h; }": "",
    "m1 { type ipv4_addr; flags interval, timeout; auto-merge; }": "fuse = 2h",
    "r6 { type ipv6_addr; flags interval; }": "",
    "f { type ipv4_addr; flags timeout; }": "fuse = 2h",
    "d { type ipv4_addr; timeout 1h; }": "",
    "o { type ipv4_addr; timeout 1h; }": "fuse = 3h",
    "p { type ipv4_addr . inet_proto . inet_service; flags timeout; }": "fuse = 90min",
    "s { type ipv4_addr . inet_service; }": "proto = tcp",
    "sf { type ipv6_addr . inet_service; timeout 1h; }": "proto = tcp",
    "b { type ipv4_addr . inet_proto . inet_service; flags interval; }": "",
    "bs { type ipv4_addr . inet_service; flags interval, timeout; }": "proto = tcp\nfuse = 2h",
}
FUSES = {"r1", "m1", "f", "d", "o", "p", "sf", "bs"}
PREFIXES = "45.5.0.0/24, 45.6.0.3-45.6.0.9, 0.0.0.0/8, 255.255.255.0/24, 2a00:1:5::/64"


def of_all_kinds(make_lab, sets=None, foreign=""):
    """A daemon that has filled sets of these kinds, the prefixes in those that take them."""
    sets = sets or OF_ALL_KINDS
    lab = make_lab(ruleset=recipes.table(*sets) + foreign, cache=False)
    daemon = lab.daemon(recipes.resolver() + recipes.vendors("acme", "nets") + recipes.sets(*(
        f"{d.split()[0]} acme{', nets' if d[0] in 'rm' else ''}\n{keys}"
        for d, keys in sets.items())))
    daemon.profile("acme", recipes.profile({"name": "a.example.com", "allow": "tcp/443, tcp/8443",
                                            "address": "45.7.0.1, 2a00:1::7"}))
    daemon.profile("nets", recipes.profile({"address": PREFIXES, "allow": "tcp/443, tcp/8443"}))
    daemon.start()
    give(lab, daemon, *NAMES, "45.5.0.9", "45.6.0.10", "2a00:1:5::9", "2a00:1::1")
    return lab, daemon


def content(lab, name):
    """{element: (whose, timeout)}; how much of that is left is another thing."""
    return {k: (e.get("comment"), e.get("timeout"), "expires" in e)
            for k, e in lab.elements(name).items()}


def own_since(monitor, seen):
    return [g for g in monitor.read()[seen:] if g.program == "allowsyncd" and (g.added or g.removed)]


def load_while_stopped(lab, daemon, tmp_path, ruleset):
    """All sets as the load alone made them."""
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        load(lab, tmp_path, "flush ruleset\n" + ruleset)
        return {d.split()[0]: content(lab, d.split()[0]) for d in OF_ALL_KINDS}
    finally:
        daemon.process.send_signal(signal.SIGCONT)


def test_load_gives_every_kind_of_set_the_same_elements_as_ours(make_lab, tmp_path):
    lab, daemon = of_all_kinds(make_lab)
    names = [d.split()[0] for d in OF_ALL_KINDS]
    before = {n: content(lab, n) for n in names}
    assert all(whose == "allowsyncd" for n in names for whose, _, _ in before[n].values())
    assert {n for n in names if all(e[2] for e in before[n].values())} == FUSES
    for n in names:
        has(daemon, f"inet-filter-{n}.nft", *(k for k in before[n]))
    monitor = lab.monitor()
    assert load_while_stopped(lab, daemon, tmp_path, including(daemon, *OF_ALL_KINDS)) == before
    seen = len(monitor.read())
    daemon.ctl("diff")
    turn(daemon)
    assert {n: content(lab, n) for n in names} == before
    # Nothing is left to do, but to renew what expires.
    own = own_since(monitor, seen)
    assert not any(g.removed for g in own)
    assert {name for g in own for _, name, _ in g.added} <= FUSES
    assert not any(set(files(daemon)) ^ {f"inet-filter-{n}.nft" for n in names})


def test_load_beside_foreign_ranges_gives_what_stood_around_them(make_lab, tmp_path):
    """The admin's own stand behind the table, as the manual shows them."""
    theirs = {"r": "45.5.0.16/28", "r1": "45.5.0.16/28", "r6": "2a00:1:5:0:8000::/65",
              "f": "45.99.0.1", "s": "45.99.0.1 . 443", "b": "45.3.0.0/31 . tcp . 443"}
    foreign = "".join(f"add element inet filter {n} {{ {e} }}\n" for n, e in theirs.items())
    lab, daemon = of_all_kinds(make_lab, foreign=foreign)
    names = [d.split()[0] for d in OF_ALL_KINDS]
    before = {n: content(lab, n) for n in names}
    for n, e in theirs.items():
        assert before[n][e][0] is None
        has(daemon, f"inet-filter-{n}.nft", *(k for k in before[n] if k != e))
    monitor = lab.monitor()
    assert load_while_stopped(
        lab, daemon, tmp_path, including(daemon, *OF_ALL_KINDS) + foreign) == before
    seen = len(monitor.read())
    daemon.ctl("diff")
    turn(daemon)
    assert {n: content(lab, n) for n in names} == before
    own = own_since(monitor, seen)
    assert not any(g.removed for g in own)
    assert {name for g in own for _, name, _ in g.added} <= FUSES
    # The hole is filled when theirs is not loaded again.
    load_while_stopped(lab, daemon, tmp_path, including(daemon, *OF_ALL_KINDS))
    becomes(lambda: "45.5.0.0/24" in content(lab, "r") and "2a00:1:5::/64" in content(lab, "r6"),
            "whole again")
    for n in theirs:
        becomes(lambda n=n: all(w == "allowsyncd" for w, _, _ in content(lab, n).values()),
                lambda n=n: f"{n}: {content(lab, n)}")
    has(daemon, "inet-filter-r.nft", *content(lab, "r"))


def test_load_beside_foreign_ranges_into_a_merging_set_comes_to_rest(make_lab, tmp_path):
    """nft joins what touches, and the result is the admin's: no address is missing all the same."""
    merging = "m { type ipv4_addr; flags interval; auto-merge; }"
    foreign = "add element inet filter m { 45.5.0.16/28 }\n"
    lab, daemon = of_all_kinds(make_lab, {merging: ""}, foreign)
    assert recipes.set_of(daemon, "m")["foreign"] == 1
    has(daemon, "inet-filter-m.nft", *(k for k, (w, _, _) in content(lab, "m").items() if w))
    all_of_it = covered(lab.elements("m"))
    monitor = lab.monitor()
    for _ in range(3):
        load(lab, tmp_path, "flush ruleset\n" + including(daemon, merging) + foreign)
        becomes(lambda: covered(lab.elements("m")) == all_of_it, "nothing is missing")
        turn(daemon)
        daemon.ctl("diff")
        seen = len(monitor.read())
        assert daemon.ctl("diff").returncode == 0
        turn(daemon)
        assert not own_since(monitor, seen)
        saved = text(daemon, "inet-filter-m.nft")
        assert saved.startswith("elements = {\n"), saved


def test_permanent_in_spite_of_a_default_timeout_is_mended_after_a_load(make_lab, tmp_path):
    """nft has no words for it."""
    lab, daemon = of_all_kinds(make_lab, {"d { type ipv4_addr; timeout 1h; }": "fuse = no"})
    before = content(lab, "d")
    assert not any(expires for _, _, expires in before.values())
    has(daemon, "inet-filter-d.nft", *before)
    monitor = lab.monitor()
    load(lab, tmp_path, "flush ruleset\n" + including(daemon, "d { type ipv4_addr; timeout 1h; }"))
    becomes(lambda: content(lab, "d") == before, lambda: f"{content(lab, 'd')}")
    assert not any(g.removed for g in monitor.changes() if g.program == "allowsyncd")
